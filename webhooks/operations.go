package webhooks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"stripe-connector/internal/spec"
	"stripe-connector/internal/store"
)

// The types of operational events.
const (
	TypeFailing   = "connector.webhook.failing"
	TypeDisabled  = "connector.webhook.disabled"
	TypeRecovered = "connector.webhook.recovered"
	TypeTest      = "connector.test"
)

// OperationsConfig is what Operations work with. All fields are needed.
type OperationsConfig struct {
	Store     store.Operations
	Secrets   Sealer
	Deliverer *Deliverer
	Schedule  Schedule
	Now       func() time.Time
	Log       zerolog.Logger
}

// Operations tell each workspace, at a URL of its own, of what needs a person, signed like every event. What is not delivered
// when the process ends is lost; the state of the webhook and the log say the same. They are safe for concurrent use.
type Operations struct {
	OperationsConfig

	ctx   context.Context // of the deliveries
	stop  context.CancelFunc
	under sync.WaitGroup
}

// NewOperations makes Operations. The caller closes them.
func NewOperations(cfg OperationsConfig) *Operations {
	ctx, stop := context.WithCancel(context.Background())
	return &Operations{OperationsConfig: cfg, ctx: ctx, stop: stop}
}

// Close gives up what is not delivered. Nothing may be announced after it.
func (o *Operations) Close() {
	o.stop()
	o.under.Wait()
}

// URL is where a workspace is told.
func (o *Operations) URL(ctx context.Context, workspace string) (store.OperationsURL, error) {
	return o.Store.OperationsURL(ctx, workspace)
}

// SetURL has a workspace be told at a URL. The signing secret is made with the first one, returned that once, and stays when
// the URL changes. What is wrong with the URL is [spec.Faults].
func (o *Operations) SetURL(ctx context.Context, workspace, url string) (set store.OperationsURL, secret string, err error) {
	if code, message := judgeURL(url, o.Deliverer.allowPrivate); code != "" {
		return set, "", spec.Faults{{Field: fieldURL, Label: "URL", Code: code, Message: message}}
	}
	now := o.Now()
	secret = newSigningSecret()
	fresh := store.OperationsURL{ID: store.NewID(store.PrefixOperations, now), Workspace: workspace, URL: url, Created: now}
	sealed, err := o.Secrets.Seal(fresh.ID, store.PurposeOperations, []byte(secret))
	if err != nil {
		return set, "", fmt.Errorf("sealing the signing secret: %w", err)
	}
	fresh.Secrets = []store.Secret{{Sealed: sealed}}
	if set, err = o.Store.SetOperationsURL(ctx, fresh); err != nil {
		return set, "", fmt.Errorf("storing the operations URL: %w", err)
	}
	if set.ID != fresh.ID {
		secret = ""
	}
	return set, secret, nil
}

// RotateSecret makes a new signing secret and returns it. The one before signs beside it for 24 hours.
func (o *Operations) RotateSecret(ctx context.Context, workspace string) (rotated store.OperationsURL, secret string, err error) {
	secret = newSigningSecret()
	rotated, err = o.Store.UpdateOperationsURL(ctx, workspace, func(u *store.OperationsURL) error {
		sealed, err := o.Secrets.Seal(u.ID, store.PurposeOperations, []byte(secret))
		if err != nil {
			return fmt.Errorf("sealing the signing secret: %w", err)
		}
		u.Secrets = succeed(u.Secrets, sealed, o.Now(), rotation)
		return nil
	})
	if err != nil {
		return rotated, "", fmt.Errorf("storing the signing secret: %w", err)
	}
	return rotated, secret, nil
}

// RemoveURL has a workspace be told no more, and returns the id of what it removed.
func (o *Operations) RemoveURL(ctx context.Context, workspace string) (id string, err error) {
	return o.Store.DeleteOperationsURL(ctx, workspace)
}

// Test sends a sample, once and at once, and reports the answer.
func (o *Operations) Test(ctx context.Context, u store.OperationsURL) (Trial, error) {
	e, err := o.event(TypeTest, u.Workspace, map[string]any{"id": u.ID, "object": "connector.operations"})
	if err != nil {
		return Trial{}, err
	}
	a, err := o.tell(ctx, e, u)
	return tried(e.id, e.typ, a), err
}

// announce tells that something became of a webhook. The subscriber's URL is left out, since it may hold a secret.
func (o *Operations) announce(typ string, w *store.Webhook) {
	e, err := o.event(typ, w.Workspace, map[string]any{
		"id": w.ID, "object": "connector.webhook", "webhook_name": w.Name, "connection": w.Connection, "state": w.State, "reason": w.Reason,
	})
	if err != nil {
		o.Log.Error().Err(err).Str("type", typ).Str("webhook", w.ID).Msg("announcing something")
		return
	}
	o.under.Go(func() { o.insist(e) })
}

// insist makes attempts until the workspace has heard, or wants to hear nothing, or the schedule is at its end. It looks anew
// each time where to, so that a URL that was wrong can be mended meanwhile.
func (o *Operations) insist(e operational) {
	for tries := 1; ; tries++ {
		var a answer
		u, err := o.Store.OperationsURL(o.ctx, e.workspace)
		if err == nil {
			a, err = o.tell(o.ctx, e, u)
		}
		if errors.Is(err, store.ErrNotFound) || a.Verdict == verdictDelivered || o.ctx.Err() != nil {
			return
		}
		wait, more := o.Schedule.wait(tries, 0.5)
		more = more && a.Verdict != verdictGone
		o.Log.Warn().Err(err).Str("type", e.typ).Str("event", e.id).Str("workspace", e.workspace).Int("status", a.Status).
			Str("failure", a.Failure).Bool("again", more).Msg("delivering an operational event")
		if !more || pause(o.ctx, max(wait, a.RetryAfter)) != nil {
			return
		}
	}
}

// An operational event is one of ours.
type operational struct {
	id, typ, workspace string
	body               []byte
}

func (o *Operations) event(typ, workspace string, object map[string]any) (operational, error) {
	now := o.Now()
	e := operational{id: store.NewID("evt_connector", now), typ: typ, workspace: workspace}
	var err error
	e.body, err = json.Marshal(map[string]any{
		"id": e.id, "object": "event", "type": typ, "created": now.Unix(), "workspace": workspace, "data": map[string]any{"object": object},
	})
	if err != nil {
		return e, fmt.Errorf("writing an operational event: %w", err)
	}
	return e, nil
}

// tell makes one attempt.
func (o *Operations) tell(ctx context.Context, e operational, u store.OperationsURL) (answer, error) {
	secrets, err := openLive(o.Secrets, u.ID, store.PurposeOperations, u.Secrets, o.Now())
	if err != nil {
		return answer{}, err
	}
	return o.Deliverer.deliver(ctx, message{EventID: e.id, Target: u.URL, Body: e.body, Secrets: secrets}), nil
}
