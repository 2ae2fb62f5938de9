package webhooks

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"stripe-connector/internal/store"
)

const (
	// failingRow and failingSpan make a webhook failing: so many failures in a row, and nothing delivered for so long.
	failingRow  = 100
	failingSpan = 24 * time.Hour

	// disabledSpan is for how long nothing was delivered when a webhook is disabled because a delivery was given up.
	disabledSpan = 5 * 24 * time.Hour

	// successesSeen is how many of the newest deliveries are looked at for one that came through.
	successesSeen = 20
)

// The reasons that are shown with a webhook.
const (
	reasonFailing = "nothing was delivered for 24 hours"
	reasonSilent  = "nothing was delivered for 5 days, and deliveries were given up"
)

// GuardConfig is what a Guard works with. All fields are needed but Operations.
type GuardConfig struct {
	Store      GuardStore
	Operations *Operations // is told; nil: nobody is
	Now        func() time.Time
	Log        zerolog.Logger
}

// GuardStore is what a Guard asks of the store.
type GuardStore interface {
	UpdateWebhook(ctx context.Context, workspace, id string, change func(*store.Webhook) error) (store.Webhook, error)
	Deliveries(ctx context.Context, workspace string, f store.DeliveryFilter, p store.Page) (store.List[store.Delivery], error)
	Attempts(ctx context.Context, workspace, delivery string) ([]store.Attempt, error)
}

// A Guard watches subscribers. One that takes nothing any more is marked failing, later disabled, and somebody is told. How
// long it has taken nothing is read from the log of deliveries, so a restart does not begin the time anew. It is safe for
// concurrent use.
type Guard struct {
	GuardConfig

	mu   sync.Mutex
	rows map[string]int // webhook to failures in a row, as seen by this process
}

// NewGuard makes a Guard.
func NewGuard(cfg GuardConfig) *Guard { return &Guard{GuardConfig: cfg, rows: map[string]int{}} }

// attempted judges a webhook by one more attempt.
func (g *Guard) attempted(ctx context.Context, w *store.Webhook, o *store.Outcome) {
	if o.Attempt == nil {
		return
	}
	ctx = context.WithoutCancel(ctx)
	delivered := o.Verdict == store.VerdictDelivered
	row := g.count(w.ID, delivered)
	switch {
	case delivered && w.State == store.WebhookFailing:
		g.turn(ctx, w, store.WebhookFailing, store.WebhookActive, "", TypeRecovered)
	case delivered:
	case o.Verdict == store.VerdictDead && g.silent(ctx, w, disabledSpan):
		g.turn(ctx, w, w.State, store.WebhookDisabled, reasonSilent, TypeDisabled)
	case row%failingRow == 0 && w.State == store.WebhookActive && g.silent(ctx, w, failingSpan):
		g.turn(ctx, w, store.WebhookActive, store.WebhookFailing, reasonFailing, TypeFailing)
	}
}

// count returns how many failures in a row there are with this attempt.
func (g *Guard) count(webhook string, delivered bool) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if delivered {
		delete(g.rows, webhook)
		return 0
	}
	g.rows[webhook]++
	return g.rows[webhook]
}

// silent reports whether a webhook has failed before the span and has been delivered nothing within it.
func (g *Guard) silent(ctx context.Context, w *store.Webhook, span time.Duration) bool {
	silent, err := g.silence(ctx, w, g.Now().Add(-span))
	if err != nil {
		g.Log.Warn().Err(err).Str("webhook", w.ID).Msg("looking at the log of a webhook")
	}
	return silent && err == nil
}

func (g *Guard) silence(ctx context.Context, w *store.Webhook, since time.Time) (bool, error) {
	failedBefore := false
	for _, state := range []store.DeliveryState{store.DeliveryPending, store.DeliveryDead} {
		old, err := g.Store.Deliveries(ctx, w.Workspace, store.DeliveryFilter{Webhook: w.ID, State: state, To: since}, store.Page{Limit: 1})
		if err != nil {
			return false, err
		}
		failedBefore = failedBefore || len(old.Data) > 0 && old.Data[0].Attempts > 0
	}
	if !failedBefore {
		return false, nil
	}
	last, err := g.Store.Deliveries(ctx, w.Workspace,
		store.DeliveryFilter{Webhook: w.ID, State: store.DeliveryDelivered}, store.Page{Limit: successesSeen})
	if err != nil {
		return false, err
	}
	for _, d := range last.Data {
		attempts, err := g.Store.Attempts(ctx, w.Workspace, d.ID)
		if err != nil {
			return false, err
		}
		if len(attempts) > 0 && attempts[len(attempts)-1].At.After(since) {
			return false, nil
		}
	}
	return true, nil
}

// turn changes a webhook's state, unless somebody else did meanwhile, and tells of it.
func (g *Guard) turn(ctx context.Context, w *store.Webhook, from, to store.WebhookState, reason, tell string) {
	changed, err := g.Store.UpdateWebhook(ctx, w.Workspace, w.ID, func(now *store.Webhook) error {
		if now.State != from || now.URL != w.URL {
			return errOtherTarget
		}
		now.State, now.Reason = to, reason
		return nil
	})
	switch {
	case errors.Is(err, errOtherTarget), errors.Is(err, store.ErrNotFound):
		return
	case err != nil:
		g.Log.Error().Err(err).Str("webhook", w.ID).Str("state", string(to)).Msg("changing the state of a webhook")
		return
	}
	g.Log.Warn().Str("webhook", w.ID).Str("state", string(to)).Str("reason", reason).Msg("the state of a webhook changed")
	g.tell(tell, &changed)
}

// tell announces a change. Safe to call without a Guard or without Operations.
func (g *Guard) tell(typ string, w *store.Webhook) {
	if g != nil && g.Operations != nil {
		g.Operations.announce(typ, w)
	}
}
