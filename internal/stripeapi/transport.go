package stripeapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

const (
	maxTries   = 3
	firstDelay = 500 * time.Millisecond
	maxDelay   = time.Minute // a longer Retry-After is the caller's to sit out
	maxBody    = 32 << 20    // bytes of an answer
)

// An exchange travels in the context of a call: it tells the transport whose call it is, and brings the answer back.
type exchange struct {
	connection string
	livemode   bool

	sent       bool
	wrote      bool
	answer     *answer // the last one; nil if none came
	retryAfter time.Duration
}

// An answer is read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

type exchangeKey struct{}

func (x *exchange) in(ctx context.Context) context.Context {
	return context.WithValue(ctx, exchangeKey{}, x)
}

// A transport paces and retries the calls of a [Client]. Every write carries an idempotency key, so a second try does
// nothing twice.
type transport struct {
	next      http.RoundTripper
	pacer     *pacer
	now       func() time.Time
	userAgent string
	meter     Meter
	tracer    Tracer
	log       zerolog.Logger
}

// RoundTrip leaves the answer in the request's exchange. The response it returns has the status and header, but not the
// body: stripe-go would put an unknown body into its errors, and client secrets with it.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	x, ok := req.Context().Value(exchangeKey{}).(*exchange)
	if !ok {
		return nil, errors.New("a call without an exchange")
	}
	x.sent, x.wrote = true, req.Method != http.MethodGet

	a, err := t.tries(req, x)
	if err != nil {
		return nil, err
	}
	x.answer = a
	x.retryAfter, _ = retryAfter(a.header, t.now())
	return &http.Response{
		Status:     strconv.Itoa(a.status) + " " + http.StatusText(a.status),
		StatusCode: a.status,
		Header:     a.header,
		Body:       io.NopCloser(strings.NewReader("{}")),
		Request:    req,
	}, nil
}

// tries returns the first outcome that another try would not better, or the last one that there was time for.
func (t *transport) tries(req *http.Request, x *exchange) (a *answer, err error) {
	ctx := req.Context()
	for try := 1; ; try++ {
		if late := t.pacer.wait(ctx, x.connection, x.livemode); late != nil {
			if try > 1 && ctx.Err() == nil {
				return a, err // no time for another: what the last one said is worth more
			}
			return nil, late
		}
		begun, followed := t.now(), t.tracer.Try(ctx, req.Method, req.URL.Path, try)
		a, err = t.try(req)
		status, id := 0, ""
		if a != nil {
			status, id = a.status, a.header.Get("Request-Id")
		}
		t.meter.Tried(try, status, t.now().Sub(begun))
		followed(status, id, err)
		delay, again := t.again(req, try, a, err)
		if !again || ctx.Err() != nil || pastDeadline(ctx, t.now().Add(delay)) {
			return a, err
		}
		event := t.log.Info().Str("connection", x.connection).Str("method", req.Method).Int("try", try).Dur("delay", delay)
		if a != nil {
			event = event.Int("status", status).Str("request_id", id)
		} else {
			event = event.AnErr("cause", cause(err))
		}
		event.Msg("trying a Stripe call again")
		if err := sleep(ctx, delay); err != nil {
			return nil, err
		}
	}
}

// errCut means that an answer began but did not arrive whole.
var errCut = errors.New("the answer broke off")

var errTooLong = fmt.Errorf("the answer is longer than %d MiB", maxBody>>20)

func (t *transport) try(req *http.Request) (*answer, error) {
	r := req.Clone(req.Context())
	if req.GetBody != nil {
		if err := rewind(r); err != nil {
			return nil, fmt.Errorf("rewinding the request: %w", err)
		}
	}
	r.Header.Del("X-Stripe-Client-User-Agent") // it names this host and its kernel
	r.Header.Set("User-Agent", t.userAgent)
	res, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var body bytes.Buffer
	if 0 < res.ContentLength && res.ContentLength <= maxBody {
		body.Grow(int(res.ContentLength) + bytes.MinRead)
	}
	switch n, err := body.ReadFrom(io.LimitReader(res.Body, maxBody+1)); {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errCut, err)
	case n > maxBody:
		return nil, errTooLong
	}
	return &answer{status: res.StatusCode, header: res.Header, body: body.Bytes()}, nil
}

// rewind gives a request its whole body, and says how long it is. stripe-go does not, and what is of unknown length is sent in
// chunks, apart from the header.
func rewind(r *http.Request) error {
	body, err := r.GetBody()
	if err != nil {
		return err
	}
	whole, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(whole)), int64(len(whole))
	if len(whole) == 0 {
		r.Body = http.NoBody
	}
	return nil
}

// again says whether another try could do better, and after what delay.
// See https://docs.stripe.com/error-low-level.
func (t *transport) again(req *http.Request, try int, a *answer, err error) (time.Duration, bool) {
	delay := firstDelay << (try - 1)
	delay = delay/2 + rand.N(delay/2) //nolint:gosec // jitter is no secret
	if try == maxTries {
		return 0, false
	}
	if err != nil {
		var certificate *tls.CertificateVerificationError
		switch {
		case errors.As(err, &certificate), errors.Is(err, errTooLong):
			return 0, false
		case errors.Is(err, errCut):
			// The object is gone by now, and the second answer would say that it never was.
			return delay, req.Method != http.MethodDelete
		}
		return delay, true
	}
	if after, ok := retryAfter(a.header, t.now()); ok {
		delay = after
	}
	if delay > maxDelay {
		return 0, false
	}
	switch a.header.Get("Stripe-Should-Retry") {
	case "true":
		return delay, true
	case "false":
		return 0, false
	}
	switch {
	case a.status == http.StatusConflict:
		return delay, try == 1 && stripeError(a).is("lock_timeout")
	case a.status == http.StatusTooManyRequests, a.status >= http.StatusInternalServerError:
		return delay, true
	}
	return 0, false
}

// retryAfter reads the header of RFC 9110 section 10.2.3: seconds, or a date.
func retryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if value == "" {
		return 0, false
	}
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(0, date.Sub(now)), true
	}
	return 0, false
}

// stripeError reads the error that Stripe's answer holds, or nil. Only what may be shown is read: the objects beside it
// hold client secrets, and their shape depends on the API version.
func stripeError(a *answer) *StripeError {
	var body struct {
		Error *StripeError `json:"error"`
	}
	if json.Unmarshal(a.body, &body) != nil || body.Error == nil {
		return nil
	}
	e := body.Error
	e.Message, e.Param = redact(e.Message), redact(e.Param)
	e.RequestID = a.header.Get("Request-Id")
	return e
}
