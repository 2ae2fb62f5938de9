package webhooks

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/stripe/stripe-go/v79"

	"stripe-connector/internal/store"
)

// An ActionKind says what the reconciler did at Stripe.
type ActionKind string

// The kinds of actions.
const (
	ActionCreated  ActionKind = "created"  // there was none
	ActionReplaced ActionKind = "replaced" // what it was could not be changed in place, or its secret was rolled
	ActionEnabled  ActionKind = "enabled"  // Stripe had stopped sending
	ActionChanged  ActionKind = "changed"  // its URL or events were others
	ActionDeleted  ActionKind = "deleted"  // nobody wants it
)

// An Action is one thing that the reconciler did.
type Action struct {
	At       time.Time
	Endpoint string // ours, ep_…
	StripeID string // we_…
	Kind     ActionKind
	Reason   string // what was found, in plain words
}

// Reconcile makes Stripe's endpoints of a connection what its webhooks want, and returns what had to be done, also when
// something fails half-way. It does at once what a [Keeper] does every few minutes, which then does not put its next try off.
func (s *Service) Reconcile(ctx context.Context, workspace, connection string) ([]Action, error) {
	conn, err := s.store.Connection(ctx, workspace, connection)
	if err != nil {
		return nil, fmt.Errorf("finding the connection: %w", err)
	}
	endpoints, err := s.store.AllEndpoints(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing endpoints: %w", err)
	}
	endpoints = slices.DeleteFunc(endpoints, func(e store.Endpoint) bool { return e.Connection != conn.ID })
	if len(endpoints) == 0 {
		all, err := s.registrar.marked(ctx, &conn)
		if err != nil {
			return nil, s.registrar.plain(err, nil)
		}
		return s.registrar.deleteStrays(ctx, &conn, all)
	}
	var done []Action
	var errs []error
	for _, e := range endpoints {
		s.health.hurry(e.ID)
		actions, err := s.reconcile(ctx, &conn, e)
		done, errs = append(done, actions...), append(errs, err)
	}
	return done, errors.Join(errs...)
}

// Release deletes at Stripe what is left of endpoints that no webhook of a connection uses, which nobody looks for once the
// connection is deleted. A key that may not do so must not hold the user back.
func (s *Service) Release(ctx context.Context, workspace, connection string) error {
	conn, err := s.store.Connection(ctx, workspace, connection)
	if err != nil {
		return fmt.Errorf("finding the connection: %w", err)
	}
	endpoints, err := s.store.AllEndpoints(ctx)
	if err != nil {
		return fmt.Errorf("listing endpoints: %w", err)
	}
	for _, e := range endpoints {
		if e.Connection != conn.ID {
			continue
		}
		types, err := s.store.WantedTypes(ctx, workspace, e.ID)
		if errors.Is(err, store.ErrNotFound) || len(types) > 0 {
			continue
		}
		if err == nil {
			_, err = s.reconcile(ctx, &conn, e)
		}
		if err != nil && !permanent(err) {
			return err
		}
	}
	return nil
}

// reconcile does one endpoint of a connection, while nobody else changes it, and notes how it went.
func (s *Service) reconcile(ctx context.Context, conn *store.Connection, e store.Endpoint) ([]Action, error) {
	release, err := s.registrar.lock(ctx, poolOf(&e))
	if err != nil {
		return nil, err
	}
	defer release()
	e, err = s.store.Endpoint(ctx, e.Workspace, e.ID)
	if errors.Is(err, store.ErrNotFound) { // its last webhook has gone meanwhile
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the endpoint: %w", err)
	}
	done, err := s.registrar.reconcile(ctx, conn, e)
	if ctx.Err() != nil { // Whoever asked has left, which says nothing about the endpoint.
		s.health.acted(e.ID, done)
		return done, err
	}
	s.health.reconciled(e.ID, conn, done, err, s.now())
	return done, err
}

// RollEndpoint replaces the endpoint that a webhook shares at Stripe by a new one with a new secret. Both send until the old
// one is deleted, and its secret stays valid for what Stripe still retries, so that nothing is missed; what comes twice is
// stored once.
func (s *Service) RollEndpoint(ctx context.Context, workspace, id string) (rolled store.Endpoint, err error) {
	err = s.locked(ctx, workspace, id,
		func(f *found) pool { return poolOf(&f.endpoint) },
		func(f *found) error {
			if err := s.registrar.checkURL(&f.conn); err != nil {
				return err
			}
			types, err := s.store.WantedTypes(ctx, workspace, f.endpoint.ID)
			if err != nil {
				return fmt.Errorf("reading what the endpoint's webhooks want: %w", err)
			}
			if rolled, err = s.registrar.create(ctx, &f.conn, f.endpoint, types); err != nil {
				return err
			}
			s.health.acted(rolled.ID, []Action{s.registrar.action(rolled, ActionReplaced, "its secret was rolled on request")})
			return nil
		})
	return rolled, err
}

// reconcile compares what Stripe has of a pool with what the pool's webhooks want, and makes up the difference. Everything
// that a crash, a lost answer or somebody in the dashboard can leave behind is mended here and nowhere else.
func (r *registrar) reconcile(ctx context.Context, conn *store.Connection, e store.Endpoint) (done []Action, err error) {
	types, err := r.store.WantedTypes(ctx, e.Workspace, e.ID)
	if err != nil {
		return nil, fmt.Errorf("reading what the endpoint's webhooks want: %w", err)
	}
	all, err := r.marked(ctx, conn)
	if err != nil {
		return nil, r.plain(err, types)
	}
	var current *stripe.WebhookEndpoint
	var others []*stripe.WebhookEndpoint
	for _, found := range all {
		switch {
		case found.Metadata[endpointMark] != e.ID:
		case found.ID == e.StripeID:
			current = found
		default:
			others = append(others, found)
		}
	}
	if len(types) > 0 {
		made, action, err := r.mend(ctx, conn, e, current, types)
		if err != nil {
			return nil, err
		}
		if action != nil {
			done = append(done, *action)
		}
		if made.StripeID != e.StripeID && current != nil {
			others = append(others, current)
		}
		// A lost answer is found again under its idempotency key, and then one of the others is ours.
		others = slices.DeleteFunc(others, func(o *stripe.WebhookEndpoint) bool { return o.ID == made.StripeID })
		e = made
	} else if e.StripeID != "" {
		unwanted := e
		if e, err = r.remove(ctx, conn, e); err != nil {
			return nil, err
		}
		if e.StripeID != "" {
			return nil, errRefusedDelete
		}
		if current != nil {
			done = append(done, r.action(unwanted, ActionDeleted, "no webhook uses it"))
		}
	}
	for _, left := range others {
		if err := r.delete(ctx, conn, left.ID); err != nil {
			return done, r.plain(err, types)
		}
		action := r.action(e, ActionDeleted, "it was left by an earlier change")
		action.StripeID = left.ID
		done = append(done, action)
	}
	strays, err := r.deleteStrays(ctx, conn, all)
	if done = append(done, strays...); err != nil {
		return done, err
	}
	if len(types) == 0 {
		r.forget(ctx, conn, e)
	}
	return done, nil
}

// errRefusedDelete is shown until the connection has a key that may delete.
var errRefusedDelete = SetupError("Stripe refuses the API key, so the endpoint could not be deleted.")

// mend makes the endpoint at Stripe, of which current is what Stripe has, what it should be. Whether it is a Connect endpoint
// Stripe does not say, but it is the same for all that carry the pool's mark.
func (r *registrar) mend(
	ctx context.Context, conn *store.Connection, e store.Endpoint, current *stripe.WebhookEndpoint, types []string,
) (store.Endpoint, *Action, error) {
	if err := r.checkURL(conn); err != nil {
		return e, nil, err
	}
	kind, reason := r.differs(e, current, types)
	var err error
	switch kind {
	case ActionCreated, ActionReplaced:
		e, err = r.create(ctx, conn, e, types)
	case ActionEnabled, ActionChanged:
		e, err = r.update(ctx, conn, e, types)
	default:
		if e.State != store.EndpointEnabled || e.Reason != "" || !slices.Equal(e.EventTypes, types) {
			e, err = r.noteEnabled(ctx, e, types)
		}
		return e, nil, err
	}
	if err != nil {
		r.noteProblem(ctx, e, current, err)
		return e, nil, err
	}
	action := r.action(e, kind, reason)
	return e, &action, nil
}

// differs says what has to be done to what Stripe has, and why; nothing if it is as it should be.
func (r *registrar) differs(e store.Endpoint, current *stripe.WebhookEndpoint, types []string) (ActionKind, string) {
	switch {
	case current == nil && e.StripeID == "":
		return ActionCreated, "Stripe had no endpoint"
	case current == nil:
		return ActionCreated, "the endpoint had been deleted at Stripe"
	case e.APIVersion != "" && current.APIVersion != e.APIVersion:
		return ActionReplaced, "Stripe sent API version " + current.APIVersion // which cannot be changed in place
	case current.Status != "enabled":
		return ActionEnabled, "the endpoint was disabled at Stripe"
	case current.URL != r.url(e.ID):
		return ActionChanged, "Stripe had another URL"
	case !slices.Equal(union(current.EnabledEvents), types):
		return ActionChanged, "Stripe had other events"
	}
	return "", ""
}

// noteEnabled stores that all is well again.
func (r *registrar) noteEnabled(ctx context.Context, e store.Endpoint, types []string) (store.Endpoint, error) {
	stored, err := r.store.UpdateEndpoint(ctx, e.Workspace, e.ID, func(e *store.Endpoint) error {
		e.EventTypes, e.State, e.Reason = types, store.EndpointEnabled, ""
		return nil
	})
	if err != nil {
		return e, fmt.Errorf("storing the endpoint: %w", err)
	}
	return stored, nil
}

// noteProblem stores what stands between Stripe and what it should have.
func (r *registrar) noteProblem(ctx context.Context, e store.Endpoint, current *stripe.WebhookEndpoint, problem error) {
	state := e.State
	switch {
	case current == nil:
		state = store.EndpointRefused
	case current.Status != "enabled":
		state = store.EndpointDisabled
	}
	_, err := r.store.UpdateEndpoint(ctx, e.Workspace, e.ID, func(e *store.Endpoint) error {
		e.State, e.Reason = state, inWords(problem)
		return nil
	})
	if err != nil {
		r.log.Warn().Err(err).Str("endpoint", e.ID).Msg("storing an endpoint's state")
	}
}

// deleteStrays deletes those of the marked endpoints at Stripe that have a URL of ours but belong to no pool: the connection
// was deleted whose key was refused, or Stripe made them long after it was asked. What points elsewhere belongs to another
// installation, and is left alone.
func (r *registrar) deleteStrays(ctx context.Context, conn *store.Connection, marked []*stripe.WebhookEndpoint) ([]Action, error) {
	var done []Action
	for _, stray := range marked {
		mark := stray.Metadata[endpointMark]
		if _, err := r.store.Receiver(ctx, mark); !errors.Is(err, store.ErrNotFound) || stray.URL != r.url(mark) {
			continue
		}
		if err := r.delete(ctx, conn, stray.ID); err != nil {
			return done, r.plain(err, nil)
		}
		done = append(done, r.action(store.Endpoint{ID: mark, StripeID: stray.ID}, ActionDeleted, "it belonged to no pool"))
	}
	return done, nil
}

// action notes what was done, for the log and for those who ask.
func (r *registrar) action(e store.Endpoint, kind ActionKind, reason string) Action {
	r.log.Info().Str("endpoint", e.ID).Str("stripe_id", e.StripeID).Str("action", string(kind)).Str("reason", reason).
		Msg("reconciled an endpoint")
	a := Action{At: r.now(), Endpoint: e.ID, StripeID: e.StripeID, Kind: kind, Reason: reason}
	if r.observe != nil {
		r.observe(a)
	}
	return a
}

// permanent reports whether trying again soon is of no use: the key is refused, or may not do it.
func permanent(err error) bool {
	var setup SetupError
	return errors.As(err, &setup) || hasStatus(err, http.StatusForbidden, http.StatusFailedDependency, http.StatusBadRequest)
}
