package connection

import (
	"sync"
	"time"
)

const (
	freshFor   = time.Second // how long another replica's change may go unseen
	maxEntries = 1024
)

// A secret is a text that stays out of what is printed.
type secret string

func (secret) String() string   { return "*****" }
func (secret) GoString() string { return "*****" }

// A cache keeps what was read for as long as it is surely fresh. It is safe for concurrent use.
type cache[K comparable, V any] struct {
	now func() time.Time

	mu      sync.Mutex
	entries map[K]entry[V]
	changes int // how often something was forgotten
}

type entry[V any] struct {
	value V
	until time.Time
}

// get returns what is kept for key, or else what read returns. An error is not kept, nor is a value during whose reading
// something was forgotten, since it may be from before.
func (c *cache[K, V]) get(key K, read func() (V, error)) (V, error) {
	began := c.now()
	c.mu.Lock()
	kept, found := c.entries[key]
	changes := c.changes
	c.mu.Unlock()
	if found && began.Before(kept.until) {
		return kept.value, nil
	}
	v, err := read()
	if err != nil {
		return v, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes == changes {
		if c.entries == nil || len(c.entries) >= maxEntries {
			c.entries = make(map[K]entry[V]) // a second's worth is soon read again
		}
		c.entries[key] = entry[V]{value: v, until: began.Add(freshFor)}
	}
	return v, nil
}

// forget drops everything.
func (c *cache[K, V]) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries = nil
	c.changes++
}
