package httpapi

import (
	"io"
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
	limitBodies   = "bodies"   // long ones at once
	limitSearches = "searches" // wide ones at once
	limitTokens   = "tokens"   // wrong tokens from one address
)

const (
	long    = 64 << 10 // bytes, beyond which a body is long
	maxLong = 32       // long bodies at once, since each is held as a whole, and more than once while it is read

	wide    = 100 // objects, beyond which a search that is answered as a whole is wide: one page of Stripe's
	maxWide = 16  // wide searches at once, since each holds what it found until it can answer
)

// limits turn requests away before they cost much.
type limits struct {
	rate    *httprate.RateLimiter // by token; nil: none
	callers room
	senders room          // of what Stripe sends, so that strangers at its door keep no caller out
	wide    chan struct{} // one for each wide search under way
}

// A room is where requests are while they are under way.
type room struct {
	all  chan struct{} // one for each; nil: any number
	long chan struct{} // one for each with a long body
}

func newLimits(perSecond, atOnce int) limits {
	l := limits{wide: make(chan struct{}, maxWide)}
	if perSecond > 0 {
		l.rate = httprate.NewRateLimiter(perSecond, time.Second, httprate.WithResponseHeaders(httprate.ResponseHeaders{}))
	}
	for _, r := range []*room{&l.callers, &l.senders} {
		r.long = make(chan struct{}, maxLong)
		if atOnce > 0 {
			r.all = make(chan struct{}, atOnce)
		}
	}
	return l
}

// room is where requests for a route are.
func (l *limits) room(at route) *room {
	if at.role == public {
		return &l.senders
	}
	return &l.callers
}

// enter takes a place for a request, and reports whether there was one. Probes and pages are cheap, and probes must tell of
// a service that is full, so there is always one for what is public and only reads.
func (r *room) enter(at route) (leave func(), ok bool) {
	if r.all == nil || (at.role == public && at.method == http.MethodGet) {
		return func() {}, true
	}
	return take(r.all)
}

// A body is that of a request, and takes a place of its own once it is long.
type body struct {
	io.ReadCloser
	room  *room
	full  func() error // what reading on comes to when there is no place
	read  int
	leave func() // nil: it is short so far
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.read += n; b.read > long && b.leave == nil {
		leave, ok := take(b.room.long)
		if !ok {
			return 0, b.full()
		}
		b.leave = leave
	}
	return n, err
}

// done gives the place back, once nobody holds what was read.
func (b *body) done() {
	if b.leave != nil {
		b.leave()
	}
}

// hold takes a place for the objects of a search, and reports whether there was one.
func (l *limits) hold(objects int) (leave func(), ok bool) {
	if objects <= wide {
		return func() {}, true
	}
	return take(l.wide)
}

func take(places chan struct{}) (leave func(), ok bool) {
	select {
	case places <- struct{}{}:
		return func() { <-places }, true
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
