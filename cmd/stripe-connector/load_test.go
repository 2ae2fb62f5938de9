package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

// A load sends numbered events of one type at a steady rate until it is stopped, each again until it is acknowledged, as
// Stripe does.
type load struct {
	ctx    context.Context //nolint:containedctx // its life
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu      sync.Mutex
	next    int
	acked   []string
	sent    map[string]time.Time // when the acknowledged attempt began
	took    []time.Duration      // until the acknowledgement
	refused int                  // attempts that were not acknowledged
	why     string               // of the last of them
	changed chan struct{}        // closed and replaced at each acknowledgement
}

// startLoad begins to send events with ids that begin with prefix. A load that is not stopped ends with the test.
func startLoad(t *testing.T, s *sender, prefix, eventType string, perSecond int) *load {
	t.Helper()
	l := &load{sent: map[string]time.Time{}, changed: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	t.Cleanup(func() { l.stop() })
	pace := rate.NewLimiter(rate.Limit(perSecond), 1)
	for range 16 {
		l.done.Go(func() {
			for l.ctx.Err() == nil {
				l.mu.Lock()
				id := fmt.Sprintf("%s_%d", prefix, l.next)
				l.next++
				l.mu.Unlock()
				body := event(id, eventType)
				for !l.try(s, pace, id, body) && l.ctx.Err() == nil {
				}
			}
		})
	}
	return l
}

// try makes one attempt and reports whether it was acknowledged.
func (l *load) try(s *sender, pace *rate.Limiter, id string, body []byte) bool {
	if pace.Wait(l.ctx) != nil {
		return false
	}
	began := time.Now()
	status, _, err := s.send(context.WithoutCancel(l.ctx), body) // what is under way ends before stop returns
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil || status != http.StatusOK {
		l.refused++
		l.why = fmt.Sprintf("status %d, %v, after %v", status, err, time.Since(began).Round(time.Millisecond))
		return false
	}
	l.acked, l.took, l.sent[id] = append(l.acked, id), append(l.took, time.Since(began)), began
	close(l.changed)
	l.changed = make(chan struct{})
	return true
}

// until returns when so many events have been acknowledged.
func (l *load) until(t *testing.T, n int) {
	t.Helper()
	deadline := time.After(patience)
	for {
		l.mu.Lock()
		enough, changed := len(l.acked) >= n, l.changed
		l.mu.Unlock()
		if enough {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("%d events were not acknowledged", n)
		}
	}
}

// String says how it went so far.
func (l *load) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprintf("%d events acknowledged (%s), %d attempts failed", len(l.acked), spread(l.took), l.refused)
}

// stop returns the ids of all that was acknowledged.
func (l *load) stop() []string {
	l.cancel()
	l.done.Wait()
	return slices.Clone(l.acked)
}

// spread is the middle and the end of what was measured.
func spread(took []time.Duration) string {
	if len(took) == 0 {
		return "nothing was measured"
	}
	took = slices.Sorted(slices.Values(took))
	return fmt.Sprintf("p50 %v, p99 %v, max %v", took[len(took)/2].Round(time.Millisecond/10), took[len(took)*99/100].Round(time.Millisecond/10),
		took[len(took)-1].Round(time.Millisecond/10))
}
