package stripeapi

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A pacer spaces the calls of each connection. Waiters are served in the order in which they came.
type pacer struct {
	test, live rate.Limit
	now        func() time.Time
	waited     func(time.Duration) // is told of every turn that did not come at once

	mu      sync.Mutex
	buckets map[paced]*rate.Limiter
	swept   time.Time
}

// paced is what shares one bucket.
type paced struct {
	connection string
	livemode   bool
}

func newPacer(test, live rate.Limit, now func() time.Time, waited func(time.Duration)) *pacer {
	return &pacer{test: test, live: live, now: now, waited: waited, buckets: map[paced]*rate.Limiter{}}
}

// A pacedError says that the turn of a call would come after its deadline.
type pacedError struct{ wait time.Duration }

func (e *pacedError) Error() string {
	return fmt.Sprintf("the next call of this connection is due in %s, after the deadline", e.wait)
}

// wait returns when it is the caller's turn. It fails at once if that would be after the deadline, and as soon as the
// context ends.
func (p *pacer) wait(ctx context.Context, connection string, livemode bool) error {
	now := p.now()
	turn := p.reserve(paced{connection, livemode}, now)
	wait := turn.DelayFrom(now)
	if wait == 0 {
		return ctx.Err()
	}
	if pastDeadline(ctx, now.Add(wait)) {
		turn.CancelAt(now)
		return &pacedError{wait}
	}
	if err := sleep(ctx, wait); err != nil {
		turn.CancelAt(p.now())
		return err
	}
	p.waited(wait)
	return nil
}

func (p *pacer) reserve(key paced, now time.Time) *rate.Reservation {
	p.mu.Lock()
	defer p.mu.Unlock()
	bucket, ok := p.buckets[key]
	if !ok {
		p.sweep(now)
		limit := p.test
		if key.livemode {
			limit = p.live
		}
		// A fifth of a second's calls may come at once: enough for a page or two, far from what Stripe minds.
		burst := 1
		if limit != rate.Inf {
			burst = max(1, int(math.Min(float64(limit)/5, 1000)))
		}
		bucket = rate.NewLimiter(limit, burst)
		p.buckets[key] = bucket
	}
	return bucket.ReserveN(now, 1)
}

// sweep forgets the buckets that are full: a new one would be no different. So the map holds the connections of the
// last seconds, not all there ever were.
func (p *pacer) sweep(now time.Time) {
	if now.Sub(p.swept) < time.Second {
		return
	}
	p.swept = now
	for key, bucket := range p.buckets {
		if bucket.TokensAt(now) >= float64(bucket.Burst()) {
			delete(p.buckets, key)
		}
	}
}

// sleep waits for d or until the context ends, whose error it then returns.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func pastDeadline(ctx context.Context, t time.Time) bool {
	deadline, ok := ctx.Deadline()
	return ok && t.After(deadline)
}
