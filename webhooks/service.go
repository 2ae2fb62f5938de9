package webhooks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"stripe-connector/internal/store"
)

// ServiceConfig is what a Service works with. All fields are needed but Observe, Recall,
// and PublicURL, without which nothing can be attached.
type ServiceConfig struct {
	Store     ServiceStore
	Stripe    Caller
	Secrets   Sealer
	Deliverer *Deliverer
	PublicURL string               // base URL at which Stripe reaches us
	Observe   func(Action)         // is told of all that is done to reconcile; nil: nobody is
	Recall    func(webhook string) // is told of a webhook that was changed, see [Dispatcher.Recall]; nil: nobody is
	Now       func() time.Time
	Log       zerolog.Logger
}

// ServiceStore is what a Service asks of the store.
type ServiceStore interface {
	Log
	EndpointStore
	store.Webhooks
	store.Deliveries
	Connection(ctx context.Context, workspace, id string) (store.Connection, error)
	CountEvents(ctx context.Context, workspace string, f store.EventFilter, limit int) (int, error)
}

// Log is what can be looked up as the store has it, and Retry, which needs nothing of us.
type Log interface {
	Webhook(ctx context.Context, workspace, id string) (store.Webhook, error)
	Webhooks(ctx context.Context, workspace string, f store.WebhookFilter, p store.Page) (store.List[store.Webhook], error)
	Endpoint(ctx context.Context, workspace, id string) (store.Endpoint, error)
	Event(ctx context.Context, workspace, id string) ([]store.Event, error)
	Events(ctx context.Context, workspace string, f store.EventFilter, p store.Page) (store.List[store.Event], error)
	Fates(ctx context.Context, workspace, endpoint, event string) ([]store.Fate, error)
	Delivery(ctx context.Context, workspace, id string) (store.Delivery, error)
	Deliveries(ctx context.Context, workspace string, f store.DeliveryFilter, p store.Page) (store.List[store.Delivery], error)
	Attempts(ctx context.Context, workspace, delivery string) ([]store.Attempt, error)
	Retry(ctx context.Context, workspace, id string) (store.Delivery, error)
}

// A Service is what users do with webhooks. It is safe for concurrent use. Everything foreign or unknown is
// [store.ErrNotFound]; what is wrong with the input is [spec.Faults]; what Stripe refuses is a [*stripeapi.Error] in plain
// words; what the operator has to mend is a [SetupError].
type Service struct {
	Log // promoted as it is

	store     ServiceStore
	registrar *registrar
	health    *healths
	secrets   Sealer
	deliverer *Deliverer
	recall    func(webhook string)
	now       func() time.Time
	log       zerolog.Logger

	ctx     context.Context // of the jobs
	stop    context.CancelFunc
	running sync.WaitGroup
	mu      sync.Mutex
	jobs    map[string]*Job
}

// NewService makes a Service. The caller closes it.
func NewService(cfg ServiceConfig) *Service {
	ctx, stop := context.WithCancel(context.Background())
	if cfg.Recall == nil {
		cfg.Recall = func(string) {}
	}
	return &Service{
		Log:   cfg.Store,
		store: cfg.Store,
		registrar: &registrar{
			store: cfg.Store, stripe: cfg.Stripe, secrets: cfg.Secrets, publicURL: cfg.PublicURL, observe: cfg.Observe,
			now: cfg.Now, log: cfg.Log,
		},
		health:  &healths{all: map[string]*kept{}},
		secrets: cfg.Secrets, deliverer: cfg.Deliverer, recall: cfg.Recall, now: cfg.Now, log: cfg.Log,
		ctx: ctx, stop: stop, jobs: map[string]*Job{},
	}
}

// Close stops the jobs and waits for them.
func (s *Service) Close() {
	s.mu.Lock()
	s.stop()
	s.mu.Unlock()
	s.running.Wait()
}

// Attached is what came of attaching or changing a webhook.
type Attached struct {
	Webhook       store.Webhook
	Endpoint      store.Endpoint
	Created       bool     // false: there was one like it already
	SigningSecret string   // for the subscriber, in the form of Standard Webhooks; only when Created, and never again
	Warnings      []string // for the user
}

// Attach makes a webhook, and returns when Stripe sends its events. Attaching the same again (workspace, connection, endpoint,
// URL and types) returns the one that is there. When anything fails, nothing is left behind, here or at Stripe.
func (s *Service) Attach(ctx context.Context, workspace string, a Attachment) (Attached, error) {
	types, warnings, faults := a.check(s.deliverer.allowPrivate)
	if len(faults) > 0 {
		return Attached{}, faults
	}
	conn, err := s.store.Connection(ctx, workspace, a.Connection)
	if err != nil {
		return Attached{}, fmt.Errorf("finding the connection: %w", err)
	}
	if err := s.registrar.checkURL(&conn); err != nil {
		return Attached{}, err
	}
	now := s.now()
	secret := newSigningSecret()
	webhook := store.Webhook{
		ID: store.NewID(store.PrefixWebhook, now), Workspace: workspace, Connection: conn.ID, Name: a.Name, Group: a.Group,
		EventTypes: types, URL: a.URL, State: store.WebhookActive, Since: now, Created: now,
	}
	sealed, err := s.secrets.Seal(webhook.ID, store.PurposeWebhook, []byte(secret))
	if err != nil {
		return Attached{}, fmt.Errorf("sealing the signing secret: %w", err)
	}
	webhook.Secrets = []store.Secret{{Sealed: sealed}}

	release, err := s.registrar.lock(ctx, a.pool())
	if err != nil {
		return Attached{}, err
	}
	defer release()
	endpoint, err := s.widen(ctx, &conn, a.pool(), types)
	if err != nil {
		return Attached{}, err
	}
	webhook.Endpoint = endpoint.ID
	stored, created, err := s.store.CreateWebhook(ctx, webhook)
	if err != nil {
		s.registrar.resettle(ctx, &conn, endpoint)
		return Attached{}, fmt.Errorf("storing the webhook: %w", err)
	}
	result := Attached{Webhook: stored, Endpoint: endpoint, Created: created, Warnings: warnings}
	if created {
		result.SigningSecret = secret
		s.log.Info().Str("webhook", stored.ID).Str("endpoint", endpoint.ID).Int("types", len(types)).Msg("attached a webhook")
	}
	return result, nil
}

// widen makes Stripe send the pool these types besides those that its webhooks want. The pool is locked.
func (s *Service) widen(ctx context.Context, conn *store.Connection, p pool, types []string) (store.Endpoint, error) {
	endpoint, fresh, err := s.registrar.ensure(ctx, conn, p)
	if err != nil {
		return endpoint, fmt.Errorf("storing the endpoint: %w", err)
	}
	wanted, err := s.store.WantedTypes(ctx, endpoint.Workspace, endpoint.ID)
	if err != nil {
		return endpoint, fmt.Errorf("reading what the endpoint's webhooks want: %w", err)
	}
	settled, err := s.registrar.settle(ctx, conn, endpoint, union(wanted, types))
	if err != nil {
		// If the pool was new, this leaves nothing of it.
		s.registrar.abandon(context.WithoutCancel(ctx), endpoint, fresh, err)
	}
	return settled, err
}

// Patch changes a webhook. Another connect or API version moves it to another endpoint: it is heard there before it is gone
// here, and what it may have missed here is brought. [store.ErrConflict] means that it would become equal to another webhook.
func (s *Service) Patch(ctx context.Context, workspace, id string, c Change) (result Attached, err error) {
	err = s.locked(ctx, workspace, id,
		func(f *found) pool { return c.apply(f).pool() },
		func(f *found) error { result, err = s.patch(ctx, f, c); return err })
	return result, err
}

// patch does the work of Patch, with the pools locked.
func (s *Service) patch(ctx context.Context, f *found, c Change) (Attached, error) {
	form := c.apply(f)
	types, warnings, faults := form.check(s.deliverer.allowPrivate)
	if len(faults) > 0 {
		return Attached{}, faults
	}
	endpoint, began := f.endpoint, s.now()
	moves := form.pool() != poolOf(&f.endpoint)
	resettles := moves || !slices.Equal(types, f.webhook.EventTypes)
	if resettles {
		err := s.registrar.checkURL(&f.conn)
		if err != nil {
			return Attached{}, err
		}
		// First the wider union: nothing that is wanted before or after is missed in between.
		if endpoint, err = s.widen(ctx, &f.conn, form.pool(), types); err != nil {
			return Attached{}, err
		}
	}
	since, err := f.webhook.Since, error(nil)
	switch {
	case anew(f, &form, types):
		since = began
	case moves:
		err = s.takeOver(ctx, &f.endpoint, endpoint)
	}
	changed := f.webhook
	if err == nil {
		changed, err = s.store.UpdateWebhook(ctx, changed.Workspace, changed.ID, func(w *store.Webhook) error {
			w.Name, w.Group, w.EventTypes, w.URL, w.Endpoint, w.Since = form.Name, form.Group, types, form.URL, endpoint.ID, since
			return nil
		})
		s.recall(f.webhook.ID)
	}
	if resettles {
		s.registrar.resettle(ctx, &f.conn, f.endpoint)
	}
	if err != nil {
		if moves {
			s.registrar.resettle(ctx, &f.conn, endpoint)
		}
		return Attached{}, fmt.Errorf("storing the webhook: %w", err)
	}
	if moves {
		s.bring(ctx, changed, &f.endpoint)
	}
	s.log.Info().Str("webhook", changed.ID).Str("endpoint", endpoint.ID).Bool("moved", moves).Msg("changed a webhook")
	return Attached{Webhook: changed, Endpoint: endpoint, Warnings: warnings}, nil
}

// anew reports whether a webhook will want nothing of what it has wanted. Then it begins like one that is attached now.
func anew(f *found, form *Attachment, types []string) bool {
	return form.Connect != f.endpoint.Connect || !slices.Contains(types, allEvents) && !slices.ContainsFunc(types, f.webhook.Wants)
}

// takeOver has an endpoint catch up from where the one that a webhook leaves has come, if that is less far.
func (s *Service) takeOver(ctx context.Context, left *store.Endpoint, endpoint store.Endpoint) error {
	_, err := s.store.UpdateEndpoint(ctx, endpoint.Workspace, endpoint.ID, func(e *store.Endpoint) error {
		if from := caught(left); from.Before(caught(e)) {
			e.Caught = from
		}
		return nil
	})
	return err
}

// bring sends a webhook that has moved what its new endpoint has and the one that it left may lack. What both have comes twice.
// Nothing repeats it if the process ends before it is done.
func (s *Service) bring(ctx context.Context, w store.Webhook, left *store.Endpoint) {
	lacking := store.EventFilter{From: caught(left).Add(-overlap)}
	if w.Since.After(lacking.From) {
		lacking.From = w.Since.Truncate(time.Second)
	}
	if !slices.Contains(w.EventTypes, allEvents) {
		lacking.Types = w.EventTypes
	}
	if err := s.replay(context.WithoutCancel(ctx), w.Workspace, w.ID, lacking, func(int) {}); err != nil {
		s.log.Error().Err(err).Str("webhook", w.ID).Msg("sending a webhook what came while it moved")
	}
}

func poolOf(e *store.Endpoint) pool {
	return pool{connection: e.Connection, connect: e.Connect, apiVersion: e.APIVersion}
}

// found is a webhook with what it hangs on.
type found struct {
	webhook  store.Webhook
	conn     store.Connection
	endpoint store.Endpoint
}

func (s *Service) find(ctx context.Context, workspace, id string) (*found, error) {
	var f found
	var err error
	if f.webhook, err = s.store.Webhook(ctx, workspace, id); err != nil {
		return nil, fmt.Errorf("finding the webhook: %w", err)
	}
	if f.conn, err = s.store.Connection(ctx, workspace, f.webhook.Connection); err != nil {
		return nil, fmt.Errorf("finding the webhook's connection: %w", err)
	}
	if f.endpoint, err = s.store.Endpoint(ctx, workspace, f.webhook.Endpoint); err != nil {
		return nil, fmt.Errorf("finding the webhook's endpoint: %w", err)
	}
	return &f, nil
}

// locked does something with a webhook while its pool is locked, and the one that next names.
func (s *Service) locked(
	ctx context.Context, workspace, id string, next func(*found) pool, do func(*found) error,
) error {
	for {
		moved, err := s.lockedOnce(ctx, workspace, id, next, do)
		if !moved {
			return err
		}
	}
}

// lockedOnce reports whether the webhook moved to another pool while we waited, so that we hold the wrong lock.
func (s *Service) lockedOnce(
	ctx context.Context, workspace, id string, next func(*found) pool, do func(*found) error,
) (moved bool, err error) {
	before, err := s.find(ctx, workspace, id)
	if err != nil {
		return false, err
	}
	release, err := s.registrar.lock(ctx, poolOf(&before.endpoint), next(before))
	if err != nil {
		return false, err
	}
	defer release()
	after, err := s.find(ctx, workspace, id)
	if err != nil {
		return false, err
	}
	if after.endpoint.ID != before.endpoint.ID {
		return true, nil
	}
	return false, do(after)
}

// Detach ends a webhook, when Stripe has confirmed that it sends less. A webhook that does not exist is detached.
// If Stripe refuses, the webhook stays as it is, unless what it refuses is the key itself.
func (s *Service) Detach(ctx context.Context, workspace, id string) error {
	err := s.locked(ctx, workspace, id,
		func(f *found) pool { return poolOf(&f.endpoint) },
		func(f *found) error { return s.detach(ctx, f) })
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// detach does the work of Detach, with the pool locked.
func (s *Service) detach(ctx context.Context, f *found) error {
	rest, err := s.registrar.wanted(ctx, f.endpoint, f.webhook.ID)
	if err != nil {
		return err
	}
	settled, err := s.registrar.settle(ctx, &f.conn, f.endpoint, rest)
	if err != nil {
		return err
	}
	if err := s.store.DeleteWebhook(ctx, f.webhook.Workspace, f.webhook.ID); err != nil {
		s.registrar.resettle(ctx, &f.conn, settled)
		return fmt.Errorf("deleting the webhook: %w", err)
	}
	s.recall(f.webhook.ID)
	if len(rest) == 0 {
		s.registrar.forget(ctx, &f.conn, settled)
	}
	s.log.Info().Str("webhook", f.webhook.ID).Str("endpoint", settled.ID).Msg("detached a webhook")
	return nil
}

// Pause holds a webhook's deliveries back until Resume.
func (s *Service) Pause(ctx context.Context, workspace, id string) (store.Webhook, error) {
	w, err := s.store.UpdateWebhook(ctx, workspace, id, func(w *store.Webhook) error {
		w.State, w.Reason = store.WebhookPaused, ""
		return nil
	})
	if err == nil {
		s.recall(id)
	}
	return w, err
}

// Resume lets the deliveries of a paused or disabled webhook go out.
func (s *Service) Resume(ctx context.Context, workspace, id string) (store.Webhook, error) {
	return s.store.UpdateWebhook(ctx, workspace, id, func(w *store.Webhook) error {
		w.State, w.Reason = store.WebhookActive, ""
		return nil
	})
}

// RotateSecret gives the webhook a new signing secret and returns it. The one before signs beside it for 24 hours.
func (s *Service) RotateSecret(ctx context.Context, workspace, id string) (string, error) {
	secret := newSigningSecret()
	sealed, err := s.secrets.Seal(id, store.PurposeWebhook, []byte(secret))
	if err != nil {
		return "", fmt.Errorf("sealing the signing secret: %w", err)
	}
	_, err = s.store.UpdateWebhook(ctx, workspace, id, func(w *store.Webhook) error {
		w.Secrets = succeed(w.Secrets, sealed, s.now(), rotation)
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("storing the signing secret: %w", err)
	}
	s.log.Info().Str("webhook", id).Msg("rotated a signing secret")
	return secret, nil
}
