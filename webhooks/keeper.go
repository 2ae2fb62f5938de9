package webhooks

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"stripe-connector/internal/store"
)

const (
	// keepers is how many endpoints are reconciled at once, and how many catch up.
	keepers = 16

	// lockWait is how long to wait for a catch-up of another replica before leaving the endpoint to it.
	lockWait = time.Second
)

// KeeperConfig is what a Keeper works with. All fields are needed but Tracer.
type KeeperConfig struct {
	Service  *Service
	Receiver *Receiver     // takes in what was missed
	Interval time.Duration // between two looks at an endpoint
	Tracer   Tracer        // follows; nil: nobody does

	// Retention is how long the store keeps events. What is older is not taken in again.
	Retention time.Duration
}

// A Keeper sees to it that nothing is missed: at its start and at every interval it reconciles each endpoint with Stripe and
// then takes in the events that did not arrive. One endpoint that takes long, or a Stripe account that fails, holds up no
// other.
type Keeper struct {
	KeeperConfig

	slots [tasks]chan struct{}
	pace  *rate.Limiter // of what is caught up
}

// NewKeeper makes a Keeper that does nothing until Run.
func NewKeeper(cfg KeeperConfig) *Keeper {
	if cfg.Tracer == nil {
		cfg.Tracer = untraced{}
	}
	k := &Keeper{KeeperConfig: cfg, pace: rate.NewLimiter(catchUpPace, chunk)}
	for t := range k.slots {
		k.slots[t] = make(chan struct{}, keepers)
	}
	return k
}

// Run keeps all endpoints until the context is done, and returns when nothing is under way any more.
func (k *Keeper) Run(ctx context.Context) {
	var under sync.WaitGroup
	defer under.Wait()
	tick := time.NewTicker(k.Interval)
	defer tick.Stop()
	for {
		k.round(ctx, &under)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// round takes up every endpoint.
func (k *Keeper) round(ctx context.Context, under *sync.WaitGroup) {
	s := k.Service
	endpoints, err := s.store.AllEndpoints(ctx)
	if err != nil {
		if ctx.Err() == nil {
			s.log.Error().Err(err).Msg("listing endpoints to keep; trying again later")
		}
		return
	}
	s.health.retain(endpoints)
	for _, e := range endpoints {
		under.Go(func() { k.keep(ctx, e) })
	}
}

// keep reconciles one endpoint and catches up with what it missed. An endpoint that Stripe refuses still gets its events, a
// little later, as long as the key may list them.
func (k *Keeper) keep(ctx context.Context, e store.Endpoint) {
	s := k.Service
	ctx, done := k.Tracer.Keep(ctx, e.ID)
	conn, err := s.store.Connection(ctx, e.Workspace, e.Connection)
	if err == nil {
		err = errors.Join(
			k.do(ctx, reconciling, &conn, e, func() error { _, err := s.reconcile(ctx, &conn, e); return err }),
			k.do(ctx, catchingUp, &conn, e, func() error { return k.catchUp(ctx, &conn, e) }),
		)
	}
	done(err)
	if err != nil && ctx.Err() == nil {
		s.log.Warn().Err(err).Str("endpoint", e.ID).Msg("keeping an endpoint")
	}
}

// do does a task when there is room, unless it is under way already or a failure before has put it off.
func (k *Keeper) do(ctx context.Context, t task, conn *store.Connection, e store.Endpoint, work func() error) error {
	health := k.Service.health
	if !health.begin(e.ID, t, conn, k.Service.now()) {
		return nil
	}
	defer health.end(e.ID, t)
	select {
	case k.slots[t] <- struct{}{}:
		defer func() { <-k.slots[t] }()
		return work()
	case <-ctx.Done():
		return nil
	}
}

// catchUp takes in what an endpoint missed. If another replica is at it, nothing is done.
func (k *Keeper) catchUp(ctx context.Context, conn *store.Connection, e store.Endpoint) error {
	s := k.Service
	short, cancel := context.WithTimeout(ctx, lockWait)
	release, err := s.store.Lock(short, "catchup/"+e.ID)
	cancel()
	if err != nil {
		if short.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("locking a catch-up: %w", err)
	}
	defer release()
	began := s.now()
	c := &catcher{
		registrar: s.registrar, receiver: k.Receiver, log: s.store, pace: k.pace, conn: conn, began: began,
		retention: k.Retention, chunk: chunk,
		progress: func(change func(*CatchUp)) { s.health.progress(e.ID, change) },
	}
	err = c.run(ctx, e)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.health.caughtUp(e.ID, conn, began, s.now(), err)
	return err
}
