package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// laneWidth is how many attempts a webhook may have under way at once.
const laneWidth = 16

// A subscriber takes deliveries, notes them by webhook-id, and answers as it is told.
type subscriber struct {
	url string

	mu       sync.Mutex
	react    reaction
	arrivals map[string][]arrival
	inside   map[string]int // by webhook-id: requests that are not answered yet
	atOnce   int            // the most that were ever inside for one webhook-id
	changed  chan struct{}  // closed and replaced at each change
}

// An arrival is one delivery as it came.
type arrival struct {
	at     time.Time
	header http.Header
	body   []byte
}

// A reaction answers the nth arrival of one event, counted from 1. The body has been read.
type reaction func(w http.ResponseWriter, r *http.Request, nth int)

// newSubscriber starts a subscriber; without a reaction it answers 200.
func newSubscriber(t *testing.T, react reaction) *subscriber {
	t.Helper()
	if react == nil {
		react = answering(http.StatusOK)
	}
	s := &subscriber{react: react, arrivals: map[string][]arrival{}, inside: map[string]int{}, changed: make(chan struct{})}
	server := httptest.NewServer(s)
	s.url = server.URL + "/hook"
	t.Cleanup(func() {
		server.CloseClientConnections() // for those that hang
		server.Close()
	})
	return s
}

func (s *subscriber) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender has gone
	}
	id := r.Header.Get("Webhook-Id")
	s.mu.Lock()
	s.arrivals[id] = append(s.arrivals[id], arrival{time.Now(), r.Header.Clone(), body})
	s.inside[id]++
	s.atOnce = max(s.atOnce, s.inside[id])
	nth, react := len(s.arrivals[id]), s.react
	s.tell()
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.inside[id]--
		s.tell()
	}()
	react(w, r, nth)
}

func (s *subscriber) tell() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// now changes how the subscriber reacts.
func (s *subscriber) now(react reaction) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.react = react
}

// until returns when something holds of the subscriber; holds is called with the lock held.
func (s *subscriber) until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		s.mu.Lock()
		ok, changed := holds(), s.changed
		s.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("the subscriber never saw that %s", what)
		}
	}
}

// has returns when all of these events have arrived and nothing of them is inside any more.
func (s *subscriber) has(t *testing.T, events ...string) {
	t.Helper()
	missing := events
	defer func() {
		if len(missing) > 0 {
			t.Errorf("%d of %d events are missing, such as %s", len(missing), len(events), missing[0])
		}
	}()
	s.until(t, "all events arrived", func() bool {
		missing = slices.DeleteFunc(slices.Clone(missing), func(id string) bool { return len(s.arrivals[id]) > 0 && s.inside[id] == 0 })
		return len(missing) == 0
	})
}

// of returns the arrivals of one event.
func (s *subscriber) of(event string) []arrival {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.arrivals[event])
}

// count is how many different events and how many arrivals there were.
func (s *subscriber) count() (events, arrivals int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.arrivals {
		arrivals += len(a)
	}
	return len(s.arrivals), arrivals
}

// busy is how many requests are not answered yet.
func (s *subscriber) busy() int {
	n := 0
	for _, inside := range s.inside {
		n += inside
	}
	return n
}

// answering answers with a status.
func answering(status int) reaction {
	return func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(status) }
}

// failing answers the first n arrivals of each event with a status and words, then 200.
func failing(n, status int) reaction {
	return func(w http.ResponseWriter, _ *http.Request, nth int) {
		if nth <= n {
			http.Error(w, "not now", status)
		}
	}
}

// hanging answers nothing until it is let go.
func hanging(let <-chan struct{}) reaction {
	return func(_ http.ResponseWriter, r *http.Request, _ int) {
		select {
		case <-let:
		case <-r.Context().Done():
		}
	}
}

// dripping answers 200 and then one byte after the other, for ever.
func dripping() reaction {
	return func(w http.ResponseWriter, r *http.Request, _ int) {
		drop := time.NewTicker(20 * time.Millisecond)
		defer drop.Stop()
		for {
			select {
			case <-drop.C:
				_, _ = io.WriteString(w, ".") // the reader's leaving shows in the context
				_ = http.NewResponseController(w).Flush()
			case <-r.Context().Done():
				return
			}
		}
	}
}

// redirecting sends everybody elsewhere.
func redirecting(to string) reaction {
	return func(w http.ResponseWriter, r *http.Request, _ int) { http.Redirect(w, r, to, http.StatusFound) }
}

// waiting answers with a status and a Retry-After.
func waiting(status int, retryAfter string) reaction {
	return func(w http.ResponseWriter, _ *http.Request, _ int) {
		w.Header().Set("Retry-After", retryAfter)
		w.WriteHeader(status)
	}
}

// verify fails the test unless the secret signs the arrival for this event.
func (a arrival) verify(t *testing.T, event, secret string) {
	t.Helper()
	verifier, err := standardwebhooks.NewWebhook(secret)
	must(t, err)
	if err := verifier.Verify(a.body, a.header); err != nil {
		t.Errorf("the signature of %s: %v", event, err)
	}
	if got := a.header.Get("Webhook-Id"); got != event {
		t.Errorf("webhook-id = %q, want %q", got, event)
	}
}
