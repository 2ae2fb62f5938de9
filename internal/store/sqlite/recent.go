package sqlite

import (
	"sync"

	"stripe-connector/internal/store"
	"stripe-connector/internal/store/portable"
)

// maxRecent is how many bytes of event bodies are remembered.
const maxRecent = 4 << 20

// recent remembers the latest events, since most deliveries that wait at all wait for a moment only.
type recent struct {
	mu     sync.Mutex
	events map[portable.EventKey]*store.Event
	order  []portable.EventKey // oldest first
	bytes  int
}

func (r *recent) add(e *store.Event) {
	key := portable.EventKey{Endpoint: e.Endpoint, ID: e.ID}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.events == nil {
		r.events = make(map[portable.EventKey]*store.Event)
	}
	if r.events[key] != nil {
		return
	}
	r.events[key], r.order, r.bytes = e, append(r.order, key), r.bytes+len(e.Body)
	for r.bytes > maxRecent {
		oldest := r.order[0]
		r.bytes -= len(r.events[oldest].Body)
		delete(r.events, oldest)
		r.order = r.order[1:]
	}
}

func (r *recent) get(key portable.EventKey) *store.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events[key]
}
