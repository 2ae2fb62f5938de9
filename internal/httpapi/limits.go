package httpapi

import (
	"net/http"
	"time"

	"github.com/go-chi/httprate"

	"stripe-connector/internal/connection"
	"stripe-connector/internal/stripeapi"
)

// The limits, as they are counted.
const (
	limitRate     = "rate"     // requests of one token
	limitBusy     = "busy"     // requests at once
	limitSearches = "searches" // wide ones at once
	limitTokens   = "tokens"   // wrong tokens from one address
)

const (
	wide    = 100 // objects, beyond which a search that is answered as a whole is wide: one page of Stripe's
	maxWide = 16  // wide searches at once, since each holds what it found until it can answer
)

// limits turn requests away before they cost much.
type limits struct {
	rate    *httprate.RateLimiter // by token; nil: none
	callers chan struct{}         // one for each request under way; nil: none
	senders chan struct{}         // the same for what Stripe sends, so that strangers at its door keep no caller out
	wide    chan struct{}         // one for each wide search under way
}

func newLimits(perSecond, atOnce int) limits {
	l := limits{wide: make(chan struct{}, maxWide)}
	if perSecond > 0 {
		l.rate = httprate.NewRateLimiter(perSecond, time.Second, httprate.WithResponseHeaders(httprate.ResponseHeaders{}))
	}
	if atOnce > 0 {
		l.callers, l.senders = make(chan struct{}, atOnce), make(chan struct{}, atOnce)
	}
	return l
}

// enter takes room for a request, and reports whether there was any. Probes and pages are cheap, and probes must tell of a
// service that is full, so what is public and only reads always has room.
func (l *limits) enter(at route) (leave func(), ok bool) {
	room := l.callers
	if at.role == public {
		room = l.senders
	}
	if room == nil || (at.role == public && at.method == http.MethodGet) {
		return func() {}, true
	}
	return take(room)
}

// hold takes room for the objects of a search, and reports whether there was any.
func (l *limits) hold(objects int) (leave func(), ok bool) {
	if objects <= wide {
		return func() {}, true
	}
	return take(l.wide)
}

func take(room chan struct{}) (leave func(), ok bool) {
	select {
	case room <- struct{}{}:
		return func() { <-room }, true
	default:
		return nil, false
	}
}

// pace refuses a caller who asks too often.
func (s *server) pace(w http.ResponseWriter, r *http.Request, caller connection.Caller) error {
	if s.limits.rate == nil || !s.limits.rate.OnLimit(w, r, caller.TokenID) {
		return nil
	}
	return s.turnAway(limitRate, http.StatusTooManyRequests, "This token is used for more requests a second than are allowed.", time.Second)
}

// turnAway is the problem of a request that a limit does not let in.
func (s *server) turnAway(limit string, status int, detail string, wait time.Duration) error {
	s.Meter.Limited(limit)
	p := refuse(status, "Too many requests", detail)
	p.ErrorType, p.Retryable, p.retryAfter = stripeapi.RateLimitError, true, wait
	return p
}
