package stripeapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// The values of [Error.ErrorType]: Make's classes of errors, so that its app hands them straight on.
const (
	DataError               = "DataError"
	InvalidAccessTokenError = "InvalidAccessTokenError"
	RuntimeError            = "RuntimeError"
	ConnectionError         = "ConnectionError"
	RateLimitError          = "RateLimitError"
)

// statusCanceled is what an abandoned call is logged as. There is nobody left to read it.
const statusCanceled = 499

// ErrKeyRefused is what an [Error] is when Stripe does not take the key.
var ErrKeyRefused = errors.New("the API key is refused by Stripe")

// An Error is a call that failed, in the words and with the status that the caller is answered with. Nothing in it is
// secret: Stripe's own errors hold client secrets and are never wrapped.
type Error struct {
	Status         int
	ErrorType      string
	Retryable      bool
	RetryAfter     time.Duration // how long to wait before a retry; 0 if nobody said
	Detail         string        // one or two sentences
	Stripe         *StripeError  // nil if Stripe said nothing in its own form
	IdempotencyKey string        // to repeat a failed write with; empty for reads
	Done           []string      // names of the steps that were done before the one that failed

	cause error // for the log; never Stripe's words
}

// A StripeError is what Stripe says of a failed call.
// See https://docs.stripe.com/api/errors.
type StripeError struct {
	Type        string `json:"type,omitempty"`
	Code        string `json:"code,omitempty"`
	DeclineCode string `json:"decline_code,omitempty"`
	Param       string `json:"param,omitempty"`
	Message     string `json:"message,omitempty"`
	RequestID   string `json:"request_id,omitempty"`
	DocURL      string `json:"doc_url,omitempty"`
}

func (e *StripeError) is(code string) bool { return e != nil && e.Code == code }

func (e *Error) Error() string {
	text := fmt.Sprintf("%s (%d): %s", e.ErrorType, e.Status, e.Detail)
	if e.Stripe != nil && e.Stripe.RequestID != "" {
		text += " [" + e.Stripe.RequestID + "]"
	}
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

// Unwrap gives the network's error or the context's, if it was one of these.
func (e *Error) Unwrap() error { return e.cause }

// Is makes a refused key [ErrKeyRefused].
func (e *Error) Is(target error) bool {
	return target == ErrKeyRefused && e.ErrorType == InvalidAccessTokenError
}

// after says which steps of an action were done before this one failed.
func (e *Error) after(done []string, failed string) *Error {
	if len(done) > 0 {
		e.Done = done
		e.Detail = fmt.Sprintf("Already done: %s. Then this failed: %s. %s", strings.Join(done, ", "), failed, e.Detail)
	}
	return e
}

// failure is the one place where an outcome becomes an error: nil for a 2xx with JSON, and for a call that was not sent.
func failure(x *exchange, err error) *Error {
	switch {
	case !x.sent:
		return nil
	case x.answer == nil:
		return unanswered(x, cause(err))
	}
	a := x.answer
	if a.status/100 == 2 && ValidJSON(a.body) {
		return nil
	}

	said := stripeError(a)
	e := &Error{Status: a.status, RetryAfter: x.retryAfter, Stripe: said}
	if said != nil {
		e.Detail = said.Message
	}
	if e.Detail == "" {
		e.Detail = fmt.Sprintf("Stripe answered with status %d.", a.status)
	}
	switch {
	case a.status == http.StatusTooManyRequests:
		e.ErrorType, e.Retryable = RateLimitError, true
		e.RetryAfter = cmp.Or(e.RetryAfter, time.Second)
	case a.status >= http.StatusInternalServerError:
		e.ErrorType, e.Retryable = ConnectionError, true
		if a.status != http.StatusGatewayTimeout {
			e.Status = http.StatusBadGateway
		}
	case said == nil:
		// A proxy's page, a redirect, a half-written object: whatever it is, it is not Stripe's word.
		e.Status, e.ErrorType, e.Retryable = http.StatusBadGateway, ConnectionError, true
		e.Detail = fmt.Sprintf("The answer with status %d is not in Stripe's form.", a.status)
	case a.status == http.StatusUnauthorized:
		e.Status, e.ErrorType = http.StatusFailedDependency, InvalidAccessTokenError
	case a.status == http.StatusForbidden:
		e.ErrorType = RuntimeError
	case a.status == http.StatusConflict:
		e.ErrorType, e.Retryable = ConnectionError, true
	case a.status >= http.StatusBadRequest:
		e.ErrorType = DataError
	default:
		e.Status, e.ErrorType, e.Retryable = http.StatusBadGateway, ConnectionError, true
	}
	return e
}

func unanswered(x *exchange, err error) *Error {
	e := &Error{Status: http.StatusBadGateway, ErrorType: ConnectionError, Retryable: true, cause: err}
	var paced *pacedError
	switch {
	case errors.As(err, &paced):
		e.Status, e.ErrorType, e.RetryAfter = http.StatusTooManyRequests, RateLimitError, paced.wait
		e.Detail = "This connection makes more calls than may be sent to Stripe in this time."
		return e // nothing was sent
	case errors.Is(err, context.Canceled):
		e.Status = statusCanceled
		e.Detail = "The call was abandoned before Stripe answered."
	case errors.Is(err, context.DeadlineExceeded):
		e.Status = http.StatusGatewayTimeout
		e.Detail = "Stripe did not answer in time."
	default:
		e.Detail = "Stripe could not be reached, or its answer did not arrive."
	}
	if x.wrote {
		e.Detail += " Whether the call took effect is not known; repeating it with the same idempotency key is safe."
	}
	return e
}

// cause takes off what net/http wraps around a network error: the URL, and the user's data in its query.
func cause(err error) error {
	var wrapped *url.Error
	for errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return err
}

// secrets are client secrets, keys and signing secrets. Stripe repeats in messages what it was sent, and people paste
// client secrets where an id belongs.
var secrets = regexp.MustCompile(`\w+_secret_\w+|\b[sr]k_\w{8,}|\bwhsec_\w+`)

func redact(text string) string { return secrets.ReplaceAllString(text, "[redacted]") }
