package webhooks

import (
	"context"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"stripe-connector/internal/store"
)

// logbook is a Guard's store with one webhook and a log that is given.
type logbook struct {
	webhook    store.Webhook
	deliveries []store.Delivery // newest first
	last       map[string]time.Time
}

func (l *logbook) UpdateWebhook(_ context.Context, _, _ string, change func(*store.Webhook) error) (store.Webhook, error) {
	changed := l.webhook
	if err := change(&changed); err != nil {
		return l.webhook, err
	}
	l.webhook = changed
	return changed, nil
}

func (l *logbook) Deliveries(_ context.Context, _ string, f store.DeliveryFilter, p store.Page) (store.List[store.Delivery], error) {
	var list store.List[store.Delivery]
	for _, d := range l.deliveries {
		if d.State == f.State && (f.To.IsZero() || d.Created.Before(f.To)) && len(list.Data) < p.Limit {
			list.Data = append(list.Data, d)
		}
	}
	return list, nil
}

func (l *logbook) Attempts(_ context.Context, _, delivery string) ([]store.Attempt, error) {
	return []store.Attempt{{At: l.last[delivery]}}, nil
}

func TestGuard(t *testing.T) {
	t.Parallel()
	now := time.Now()
	ago := func(hours int) time.Time { return now.Add(-time.Duration(hours) * time.Hour) }
	pending := func(hours int) store.Delivery {
		return store.Delivery{ID: "dlv_p", State: store.DeliveryPending, Attempts: 5, Created: ago(hours)}
	}
	dead := func(hours int) store.Delivery {
		return store.Delivery{ID: "dlv_x", State: store.DeliveryDead, Attempts: 25, Created: ago(hours)}
	}
	delivered := func(hours int) store.Delivery {
		return store.Delivery{ID: "dlv_d", State: store.DeliveryDelivered, Attempts: 3, Created: ago(hours)}
	}
	fails := store.Outcome{Verdict: store.VerdictRetry, Attempt: &store.Attempt{Status: 500}}
	dies := store.Outcome{Verdict: store.VerdictDead, Attempt: &store.Attempt{Status: 500}}
	works := store.Outcome{Verdict: store.VerdictDelivered, Attempt: &store.Attempt{Status: 200}}
	tests := []struct {
		name     string
		state    store.WebhookState
		log      []store.Delivery
		last     time.Time // when the delivered one was
		failures int
		then     store.Outcome
		want     store.WebhookState
	}{
		{"99 failures", store.WebhookActive, []store.Delivery{pending(30)}, now, 98, fails, store.WebhookActive},
		{"100 failures over a day", store.WebhookActive, []store.Delivery{pending(30)}, now, 99, fails, store.WebhookFailing},
		{"100 failures within an hour", store.WebhookActive, []store.Delivery{pending(1)}, now, 99, fails, store.WebhookActive},
		{"100 failures after a success this morning", store.WebhookActive, []store.Delivery{pending(30), delivered(40)}, ago(6), 99, fails, store.WebhookActive},
		{"100 failures after a success last week", store.WebhookActive, []store.Delivery{pending(30), delivered(200)}, ago(170), 99, fails, store.WebhookFailing},
		{"a success in between", store.WebhookActive, []store.Delivery{pending(30)}, now, 99, works, store.WebhookActive},
		{"failing works again", store.WebhookFailing, []store.Delivery{dead(200)}, now, 0, works, store.WebhookActive},
		{"given up after four days", store.WebhookFailing, []store.Delivery{dead(96)}, now, 0, dies, store.WebhookFailing},
		{"given up after six days", store.WebhookFailing, []store.Delivery{dead(144)}, now, 0, dies, store.WebhookDisabled},
		{"given up, another one came through", store.WebhookActive, []store.Delivery{dead(144), delivered(150)}, ago(20), 0, dies, store.WebhookActive},
		{"paused by its user meanwhile", store.WebhookPaused, []store.Delivery{pending(30)}, now, 99, fails, store.WebhookPaused},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			book := &logbook{webhook: store.Webhook{ID: "whk_1", State: tt.state}, deliveries: tt.log, last: map[string]time.Time{"dlv_d": tt.last}}
			g := NewGuard(GuardConfig{Store: book, Now: func() time.Time { return now }, Log: zerolog.Nop()})
			for range tt.failures {
				w := book.webhook
				g.attempted(t.Context(), &w, &fails)
			}
			w := book.webhook
			g.attempted(t.Context(), &w, &tt.then)
			if got := book.webhook.State; got != tt.want {
				t.Errorf("state = %s (%s), want %s", got, book.webhook.Reason, tt.want)
			}
			if reasoned := book.webhook.Reason != ""; reasoned != (tt.want != tt.state && tt.want != store.WebhookActive) {
				t.Errorf("reason = %q", book.webhook.Reason)
			}
		})
	}
}
