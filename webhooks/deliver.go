package webhooks

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

const (
	maxAnswerRead = 64 << 10 // of a subscriber's answer; a connection with more on it is dropped
	maxAnswerKept = 1 << 10
)

// azureWireServer hands out the secrets of an Azure virtual machine, from an address that no registry calls special.
// See https://learn.microsoft.com/en-us/azure/virtual-network/what-is-ip-address-168-63-129-16.
const azureWireServer = "168.63.129.16/32"

// A targetError says why a target may not be called, in words that follow "the target".
type targetError string

func (e targetError) Error() string { return "the target " + string(e) }

// A verdict is what an answer means for the delivery.
type verdict int

const (
	verdictRetry     verdict = iota // not delivered, and worth another attempt
	verdictDelivered                // the subscriber has it
	verdictGone                     // the subscriber wants nothing any more
)

// judge reads a status. A redirect is a failure: whoever follows one turns our POST into a GET without a body.
func judge(status int) verdict {
	switch {
	case 200 <= status && status <= 299:
		return verdictDelivered
	case status == http.StatusGone:
		return verdictGone
	default:
		return verdictRetry
	}
}

// A message is one event on its way to one subscriber.
type message struct {
	EventID     string
	Account     string // the connected account the event happened on, if any
	Target      string // the subscriber's URL
	Body        []byte // as Stripe wrote it
	Secrets     []string
	Traceparent string // of the attempt, if somebody follows it
}

// An answer is what came of one POST.
type answer struct {
	Verdict    verdict
	Status     int           // 0: there was no answer
	Phase      string        // how far it came without a whole answer: one of the phases
	Failure    string        // why there was no whole answer, for people; it names no URL
	Body       []byte        // the first maxAnswerKept bytes
	RetryAfter time.Duration // how long the subscriber asks us to wait
	At         time.Time     // when the attempt began
	Duration   time.Duration
}

// The phases of an attempt. A subscriber may have seen the event from phaseWrite on.
const (
	phaseSign   = "sign"
	phaseTarget = "target" // refused before or at the dial, see checkTarget
	phaseDial   = "dial"   // the name, the connection
	phaseTLS    = "tls"
	phaseWrite  = "write"
	phaseWait   = "wait" // for the status
	phaseRead   = "read" // of the answer
)

// A Deliverer posts events to subscribers. It is safe for concurrent use.
type Deliverer struct {
	transport    http.RoundTripper
	timeout      time.Duration // from the dial to the last byte of the answer
	allowPrivate bool          // http, and addresses that are not public
	now          func() time.Time
}

// NewDeliverer makes a Deliverer whose attempts take timeout at most. Unless allowPrivate is set it dials public addresses
// only, and only https.
func NewDeliverer(timeout time.Duration, allowPrivate bool, now func() time.Time) *Deliverer {
	dialer := &net.Dialer{KeepAlive: 30 * time.Second}
	if !allowPrivate {
		// Control sees the address after DNS, and every address that is tried: a name cannot change its mind in between.
		dialer.Control = publicOnly
	}
	return &Deliverer{
		transport: &http.Transport{
			Proxy:                  nil, // A proxy would dial in our place, unguarded.
			DialContext:            dialer.DialContext,
			ForceAttemptHTTP2:      true,
			DisableCompression:     true,
			MaxIdleConns:           1024,
			MaxIdleConnsPerHost:    256, // many webhooks may point at one platform
			IdleConnTimeout:        90 * time.Second,
			MaxResponseHeaderBytes: maxAnswerRead,
			// Without pings, every request on a connection that died silently waits for its whole deadline.
			HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second},
		},
		timeout:      timeout,
		allowPrivate: allowPrivate,
		now:          now,
	}
}

// Close drops the connections that idle.
func (d *Deliverer) Close() {
	if t, ok := d.transport.(*http.Transport); ok {
		t.CloseIdleConnections()
	}
}

// deliver makes one attempt. It returns within the time-out, whatever the subscriber does. An answer counts only when all
// of it has come (or as much as we read), so that a status followed by silence is a failure.
func (d *Deliverer) deliver(ctx context.Context, m message) answer {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()

	a := answer{At: d.now()}
	phase := progress{phase: phaseTarget}
	err := d.post(httptrace.WithClientTrace(ctx, phase.trace()), m, &a, &phase)
	a.Duration = d.now().Sub(a.At)
	if err != nil {
		a.Verdict, a.Failure = verdictRetry, d.explain(err)
		a.Phase = phase.get()
		if target := targetError(""); errors.As(err, &target) {
			a.Phase = phaseTarget
		}
	}
	return a
}

// A progress follows an attempt through its phases. The transport may go on telling it about a dial after the attempt ended.
type progress struct {
	mu    sync.Mutex
	phase string
}

func (p *progress) set(phase string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.phase = phase
}

func (p *progress) get() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.phase
}

func (p *progress) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn:           func(string) { p.set(phaseDial) },
		TLSHandshakeStart: func() { p.set(phaseTLS) },
		GotConn:           func(httptrace.GotConnInfo) { p.set(phaseWrite) },
		WroteRequest:      func(httptrace.WroteRequestInfo) { p.set(phaseWait) },
	}
}

func (d *Deliverer) post(ctx context.Context, m message, a *answer, phase *progress) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.Target, bytes.NewReader(m.Body))
	if err != nil {
		return targetError("has a malformed URL")
	}
	if err := checkScheme(req.URL, d.allowPrivate); err != nil {
		return err
	}
	phase.set(phaseSign)
	timestamp := strconv.FormatInt(a.At.Unix(), 10)
	signatures, err := sign(m, timestamp)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "stripe-connector")
	req.Header.Set(headerID, m.EventID)
	req.Header.Set(headerTimestamp, timestamp)
	req.Header.Set(headerSignature, signatures)
	if m.Account != "" {
		req.Header.Set("Stripe-Account", m.Account)
	}
	if m.Traceparent != "" {
		req.Header.Set("Traceparent", m.Traceparent)
	}

	// A client would make ready for redirects, which are not followed, and for cookies, at a quarter of what an attempt costs.
	resp, err := d.transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	phase.set(phaseRead)
	a.Status = resp.StatusCode
	a.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), d.now())

	if resp.Body != http.NoBody {
		// What is not kept is still read, because only a connection without a rest on it is used again.
		a.Body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswerKept))
		if err == nil {
			_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswerRead-maxAnswerKept))
		}
		if err != nil {
			return fmt.Errorf("reading the answer: %w", err)
		}
	}
	a.Verdict = judge(resp.StatusCode)
	return nil
}

// explain says what went wrong without the URL, which may hold a secret of the subscriber's.
func (d *Deliverer) explain(err error) string {
	var target targetError
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &target):
		return target.Error()
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Sprintf("no whole answer within %s", d.timeout)
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case errors.As(err, &dns) && dns.IsNotFound:
		return "the target's name cannot be resolved"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	}
	return err.Error()
}

// The headers of Standard Webhooks.
const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

// sign makes the signature header of Standard Webhooks, one signature for each secret: the base64 of HMAC-SHA256 over id, time
// and body. See https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md.
func sign(m message, timestamp string) (string, error) {
	if len(m.Secrets) == 0 {
		return "", errors.New("the webhook has no signing secret")
	}
	var header []byte
	for i, secret := range m.Secrets {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		if err != nil || len(key) == 0 {
			return "", errors.New("the webhook's signing secret is malformed") // The cause may quote it.
		}
		mac := hmac.New(sha256.New, key)
		_, _ = io.WriteString(mac, m.EventID+"."+timestamp+".") // never fails
		mac.Write(m.Body)
		if i > 0 {
			header = append(header, ' ')
		}
		header = base64.StdEncoding.AppendEncode(append(header, "v1,"...), mac.Sum(nil))
	}
	return string(header), nil
}

// checkTarget judges what can be judged of a target before it is dialled: its form, its scheme, an address in its place
// of a name.
func checkTarget(target string, allowPrivate bool) error {
	u, err := url.Parse(target)
	if err != nil || u.Hostname() == "" || u.Opaque != "" {
		return targetError("must be an absolute URL")
	}
	if err := checkScheme(u, allowPrivate); err != nil {
		return err
	}
	if u.User != nil {
		return targetError("must not hold a user name or password")
	}
	if u.Fragment != "" {
		return targetError("must not have a fragment")
	}
	if allowPrivate {
		return nil
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return targetError("has an address that is not public")
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return checkAddress(addr)
	}
	if looksNumeric(host) {
		return targetError("has a host that is neither a name nor an address")
	}
	return nil
}

func checkScheme(u *url.URL, allowPrivate bool) error {
	switch {
	case u.Scheme == "https", u.Scheme == "http" && allowPrivate:
		return nil
	default:
		return targetError("must begin with https://")
	}
}

// looksNumeric holds for 127.1, 0x7f000001 and the like, which some resolvers take for addresses. No top-level domain
// begins with a digit.
func looksNumeric(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	return last != "" && '0' <= last[0] && last[0] <= '9'
}

// publicOnly is a [net.Dialer.Control].
func publicOnly(_, address string, _ syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return targetError("has a malformed address")
	}
	return checkAddress(target.Addr())
}

func checkAddress(addr netip.Addr) error {
	guard := ssrf.New(ssrf.WithDeniedV4Prefixes(netip.MustParsePrefix(azureWireServer)))
	// An IPv4 address in IPv6 clothes is judged as what it is.
	if guard.SafeAddr(addr.Unmap().WithZone("")) != nil {
		return targetError("has an address that is not public")
	}
	return nil
}
