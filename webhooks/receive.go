package webhooks

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"stripe-connector/internal/store"
)

const (
	// MaxEvent is the most bytes that a received event may have.
	MaxEvent = 1 << 20

	// DefaultMaxPending is how many deliveries may wait before the door is closed.
	DefaultMaxPending = 5_000_000

	// busyWait is after how long a sender may come back when the door is closed.
	busyWait = 30 * time.Second

	// storeTime bounds a call to the store that must not be broken off half-way. Stripe waits longer for our answer.
	storeTime = 8 * time.Second

	// doorTime is how long an endpoint is taken to be as it was read. What another replica changes is to be seen within a second.
	doorTime = 500 * time.Millisecond
)

// The ways in which Receive refuses an event, besides [ErrSignature], [ErrMalformed] and [store.ErrNotFound] for an endpoint
// that does not exist.
var (
	ErrTooLarge = errors.New("the event is larger than 1 MiB")
	ErrLivemode = errors.New("the event is of the other mode than the connection")
)

// A BusyError means that an event was not stored and that Stripe should send it again.
type BusyError struct {
	RetryAfter time.Duration
	Err        error
}

func (e *BusyError) Error() string { return "the event cannot be stored now: " + e.Err.Error() }

func (e *BusyError) Unwrap() error { return e.Err }

// errBacklog is a BusyError's reason.
var errBacklog = errors.New("too many deliveries are waiting")

// A Receipt is what became of an event that is acknowledged.
type Receipt struct {
	Event      string // Stripe's id
	Type       string
	New        bool // false: it was there already, or is not for us
	Deliveries int  // for how many webhooks
}

// ReceiverConfig is what a Receiver works with. All fields are needed but the marks, Observe and Tracer.
type ReceiverConfig struct {
	Store      ReceiverStore
	Secrets    Opener
	Dispatcher Taker
	MaxPending int                           // deliveries waiting; 0: DefaultMaxPending
	MaxBytes   int64                         // of the store; 0: no mark
	Observe    func(store.Endpoint, Receipt) // is told of every event that was stored; nil: nobody is
	Tracer     Tracer                        // follows; nil: nobody does
	Now        func() time.Time
	Log        zerolog.Logger
}

// ReceiverStore is what a Receiver asks of the store.
type ReceiverStore interface {
	Receiver(ctx context.Context, id string) (store.Endpoint, error)
	Ingest(ctx context.Context, events []store.NewEvent, lease store.Lease) ([]store.Ingested, error)
	Backlog(ctx context.Context) (store.Backlog, error)
}

// A Taker attempts fresh deliveries without their having to be claimed. A [Dispatcher] is one.
type Taker interface {
	Lease() store.Lease
	Take(ctx context.Context, work []store.Work)
}

// A Receiver takes events in from Stripe. It is safe for concurrent use.
type Receiver struct {
	ReceiverConfig

	mu    sync.Mutex
	doors map[string]door // by endpoint
}

// A door is an endpoint with its secrets, open, as they were read.
type door struct {
	pool    store.Endpoint
	secrets []string
	read    time.Time
}

// NewReceiver makes a Receiver.
func NewReceiver(cfg ReceiverConfig) *Receiver {
	if cfg.MaxPending == 0 {
		cfg.MaxPending = DefaultMaxPending
	}
	if cfg.Tracer == nil {
		cfg.Tracer = untraced{}
	}
	return &Receiver{ReceiverConfig: cfg, doors: make(map[string]door)}
}

// Receive verifies an event that was posted to an endpoint's URL, and stores it with its deliveries in one transaction. Once
// it returns nil a crash loses nothing, and only then may Stripe be told 200. signature is the Stripe-Signature header, read
// reads the raw body, of which one byte more than MaxEvent is enough. It is called only for an endpoint that exists, so that
// strangers, who know none, cannot fill our memory. An event that arrives again changes nothing.
// The errors are the ones above, read's, a *BusyError, or our own fault.
func (r *Receiver) Receive(ctx context.Context, endpoint, signature string, read func() ([]byte, error)) (Receipt, error) {
	d, err := r.find(ctx, endpoint)
	if err != nil {
		return Receipt{}, err
	}
	body, err := read()
	if err != nil {
		return Receipt{}, err
	}
	if len(body) > MaxEvent {
		return Receipt{}, ErrTooLarge
	}
	pool, err := r.verify(ctx, d, signature, body)
	if err != nil {
		return Receipt{}, err
	}
	event, err := openEnvelope(body)
	if err != nil {
		return Receipt{}, err
	}
	if event.Livemode != pool.Livemode {
		if pool.Connect && pool.Livemode {
			// Stripe sends a live Connect endpoint the test events of connected accounts too. They are not for this connection,
			// but refusing them would make Stripe repeat them, and in the end disable the endpoint.
			// See https://docs.stripe.com/connect/webhooks.
			return Receipt{Event: event.ID, Type: event.Type}, nil
		}
		return Receipt{}, ErrLivemode
	}
	if err := r.admit(ctx); err != nil {
		return Receipt{}, err
	}
	receipts, err := r.ingest(ctx, pool, []store.NewEvent{r.newEvent(pool.ID, event, body)})
	if err != nil {
		return Receipt{}, err
	}
	return receipts[0], nil
}

// find is the door of an endpoint: as it is remembered, or else as it is stored.
func (r *Receiver) find(ctx context.Context, endpoint string) (door, error) {
	r.mu.Lock()
	d, known := r.doors[endpoint]
	r.mu.Unlock()
	if known && r.Now().Sub(d.read).Abs() < doorTime {
		return d, nil
	}
	return r.open(ctx, endpoint)
}

// verify checks an event's signature and returns the endpoint. What fits no secret that is remembered may fit one that is new.
func (r *Receiver) verify(ctx context.Context, d door, signature string, body []byte) (store.Endpoint, error) {
	if verify(signature, body, d.secrets, r.Now()) == nil {
		return d.pool, nil
	}
	d, err := r.open(ctx, d.pool.ID)
	if err != nil {
		return store.Endpoint{}, err
	}
	return d.pool, verify(signature, body, d.secrets, r.Now())
}

// open reads an endpoint and remembers it.
func (r *Receiver) open(ctx context.Context, endpoint string) (door, error) {
	d := door{read: r.Now()}
	var err error
	if d.pool, err = r.Store.Receiver(ctx, endpoint); err != nil {
		err = busy(fmt.Errorf("finding the endpoint: %w", err))
	} else {
		d.secrets, err = openLive(r.Secrets, d.pool.ID, store.PurposeEndpoint, d.pool.Secrets, d.read)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		delete(r.doors, endpoint)
		return door{}, err
	}
	r.doors[endpoint] = d
	return d, nil
}

// admit keeps the door closed above the marks, so that a flood is held at Stripe and not on our disk.
func (r *Receiver) admit(ctx context.Context) error {
	backlog, err := r.Store.Backlog(ctx)
	switch {
	case err != nil:
		return busy(fmt.Errorf("measuring the backlog: %w", err))
	case backlog.Pending+backlog.Waiting >= r.MaxPending, r.MaxBytes > 0 && backlog.Bytes >= r.MaxBytes:
		return &BusyError{RetryAfter: busyWait, Err: errBacklog}
	}
	return nil
}

// newEvent is an event as Stripe sent it.
func (r *Receiver) newEvent(endpoint string, event envelope, body []byte) store.NewEvent {
	created := event.Created
	if created.IsZero() {
		created = r.Now()
	}
	return store.NewEvent{
		Endpoint: endpoint, ID: event.ID, Type: event.Type, Body: body, Account: event.Account, Livemode: event.Livemode,
		APIVersion: event.APIVersion, Created: created, Source: store.SourceWebhook, Object: event.Object,
	}
}

// ingest stores events of one endpoint with their deliveries, all or none, and hands on what can be attempted at once.
func (r *Receiver) ingest(ctx context.Context, pool store.Endpoint, events []store.NewEvent) ([]Receipt, error) {
	// A sender that hangs up half-way must not leave claimed work behind that nobody was given.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
	defer cancel()
	trace, done := r.Tracer.Store(ctx, events)
	for i := range events {
		events[i].Trace = trace
	}
	stored, err := r.Store.Ingest(ctx, events, r.Dispatcher.Lease())
	done(stored, err)
	if err != nil {
		return nil, busy(fmt.Errorf("storing the event: %w", err))
	}
	receipts := make([]Receipt, len(events))
	for i, e := range events {
		s := &stored[i]
		r.Dispatcher.Take(ctx, s.Work)
		r.Log.Debug().Str("endpoint", pool.ID).Str("event", e.ID).Str("type", e.Type).Str("source", string(e.Source)).
			Bool("new", s.New).Int("deliveries", s.Deliveries).Msg("received an event")
		receipts[i] = Receipt{Event: e.ID, Type: e.Type, New: s.New, Deliveries: s.Deliveries}
		if r.Observe != nil {
			r.Observe(pool, receipts[i])
		}
	}
	return receipts, nil
}

// busy makes a BusyError of a store that is away or too slow.
func busy(err error) error {
	if errors.Is(err, store.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
		return &BusyError{RetryAfter: busyWait, Err: err}
	}
	return err
}
