package webhooks

import (
	"bytes"
	"errors"
	"slices"
	"sync"
	"time"

	"stripe-connector/internal/spec"
	"stripe-connector/internal/store"
	"stripe-connector/internal/stripeapi"
)

const (
	// keptActions is how many of an endpoint's last actions can be looked up.
	keptActions = 10

	// The waits before an endpoint is tried again that could not be kept. They double, and begin higher when only a person
	// can mend it.
	minKeepWait       = time.Minute
	minPermanentWait  = 15 * time.Minute
	maxKeepWait       = 6 * time.Hour
	maxKeepDoublings  = 12
	problemOfTheStore = "The store failed."
)

// Health is how an endpoint is being kept, as far as this process knows since its start.
type Health struct {
	Reconciled time.Time // when Stripe's side was last found or made right; zero: not yet
	Problem    string    // why it could not be, the last time, in plain words
	NextTry    time.Time // because of Problem not before this
	Actions    []Action  // the last few, newest first

	Caught       time.Time // as of when everything that Stripe lists is here; zero: not known yet
	CatchUp      *CatchUp  // the one under way, if any
	CatchProblem string    // why the last one failed
}

// A CatchUp is how far a comparison with Stripe's list of events is.
type CatchUp struct {
	Began    time.Time
	From     time.Time // where it began in Stripe's list
	Position time.Time // what Stripe created before is here
	Listed   int       // events that Stripe has listed
	New      int       // those that were missing here
}

// Lag is how far the events that are surely here are behind now; negative: not known yet.
func (h *Health) Lag(now time.Time) time.Duration {
	switch {
	case h.CatchUp != nil && h.CatchUp.Position.After(h.Caught):
		return max(0, now.Sub(h.CatchUp.Position))
	case h.Caught.IsZero():
		return -1
	}
	return max(0, now.Sub(h.Caught))
}

// Health says how an endpoint is being kept.
func (s *Service) Health(endpoint string) Health { return s.health.of(endpoint) }

// healths keeps the Health of every endpoint.
type healths struct {
	mu  sync.Mutex
	all map[string]*kept
}

// A task is a part of keeping an endpoint. Each goes its own way, since a catch-up may take hours.
type task int

const (
	reconciling task = iota
	catchingUp
	tasks // how many there are
)

// kept is the Health of one endpoint with what decides when its tasks are due.
type kept struct {
	Health

	busy     [tasks]bool // a keeper is at it
	patience [tasks]patience
}

// A patience says when something that failed is tried again.
type patience struct {
	failures int    // in a row
	key      []byte // the sealed key of the last failure: with another one it is worth trying at once
	next     time.Time
}

func (p *patience) due(conn *store.Connection, now time.Time) bool {
	return !now.Before(p.next) || !bytes.Equal(p.key, conn.Key)
}

// after notes how a try went.
func (p *patience) after(err error, conn *store.Connection, now time.Time) {
	if err == nil {
		*p = patience{}
		return
	}
	first := minKeepWait
	if permanent(err) {
		first = minPermanentWait
	}
	p.next = now.Add(min(first<<min(p.failures, maxKeepDoublings), maxKeepWait))
	p.failures, p.key = p.failures+1, conn.Key
}

// at finds what is kept of an endpoint. The lock must be held.
func (h *healths) at(endpoint string) *kept {
	k := h.all[endpoint]
	if k == nil {
		k = &kept{}
		h.all[endpoint] = k
	}
	return k
}

func (h *healths) of(endpoint string) Health {
	h.mu.Lock()
	defer h.mu.Unlock()
	k := h.all[endpoint]
	if k == nil {
		return Health{}
	}
	health := k.Health
	health.Actions = slices.Clone(k.Actions)
	if k.CatchUp != nil {
		progress := *k.CatchUp
		health.CatchUp = &progress
	}
	return health
}

// begin reports whether it is time for a task, with this connection, and no keeper is at it. Then end ends it.
func (h *healths) begin(endpoint string, t task, conn *store.Connection, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	k := h.at(endpoint)
	if k.busy[t] || !k.patience[t].due(conn, now) {
		return false
	}
	k.busy[t] = true
	return true
}

func (h *healths) end(endpoint string, t task) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at(endpoint).busy[t] = false
}

// retain forgets endpoints that are no longer there.
func (h *healths) retain(endpoints []store.Endpoint) {
	there := make(map[string]bool, len(endpoints))
	for _, e := range endpoints {
		there[e.ID] = true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, k := range h.all {
		if !there[id] && k.busy == [tasks]bool{} {
			delete(h.all, id)
		}
	}
}

// hurry has an endpoint kept in the next round, whatever failed before: somebody is at it, and may have mended that.
func (h *healths) hurry(endpoint string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	k := h.at(endpoint)
	for t := range k.patience {
		k.patience[t].next = time.Time{}
	}
}

func (h *healths) acted(endpoint string, done []Action) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at(endpoint).add(done)
}

func (k *kept) add(done []Action) {
	for _, a := range done {
		k.Actions = slices.Insert(k.Actions, 0, a)
	}
	k.Actions = k.Actions[:min(len(k.Actions), keptActions)]
}

func (h *healths) reconciled(endpoint string, conn *store.Connection, done []Action, err error, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	k := h.at(endpoint)
	k.add(done)
	k.patience[reconciling].after(err, conn, now)
	k.NextTry, k.Problem = k.patience[reconciling].next, ""
	if err != nil {
		k.Problem = inWords(err)
		return
	}
	k.Reconciled = now
}

// progress changes what is shown of a catch-up under way.
func (h *healths) progress(endpoint string, change func(*CatchUp)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	k := h.at(endpoint)
	if k.CatchUp == nil {
		k.CatchUp = &CatchUp{}
	}
	change(k.CatchUp)
}

// caughtUp notes the end of a catch-up that began at some time.
func (h *healths) caughtUp(endpoint string, conn *store.Connection, began, now time.Time, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	k := h.at(endpoint)
	k.patience[catchingUp].after(err, conn, now)
	k.CatchUp, k.CatchProblem = nil, ""
	if err != nil {
		k.CatchProblem = inWords(err)
		return
	}
	k.Caught = began
}

// inWords says what is wrong for people. An unknown error is the store's: its words are for the log.
func inWords(err error) string {
	var failed *stripeapi.Error
	var setup SetupError
	var faults spec.Faults
	switch {
	case errors.As(err, &failed):
		return failed.Detail
	case errors.As(err, &setup):
		return setup.Error()
	case errors.As(err, &faults):
		return faults.Error()
	}
	return problemOfTheStore
}

func hasStatus(err error, statuses ...int) bool {
	var failed *stripeapi.Error
	return errors.As(err, &failed) && slices.Contains(statuses, failed.Status)
}
