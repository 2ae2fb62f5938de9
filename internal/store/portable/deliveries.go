package portable

import (
	"context"
	"fmt"
	"time"

	"stripe-connector/internal/store"
)

// DeliveryColumns are the columns of a delivery, in the order of DeliveryFields.
const DeliveryColumns = "id, workspace, webhook, endpoint, event, type, state, reason, attempts, tries, last_status, next_at, created"

// DeliveryFields is where a row of DeliveryColumns is scanned to.
func DeliveryFields(d *store.Delivery) []any {
	return []any{
		&d.ID, &d.Workspace, &d.Webhook, &d.Endpoint, &d.Event, &d.Type, &d.State, &d.Reason,
		&d.Attempts, &d.Tries, &d.LastStatus,
		timeColumn{&d.NextAt},
		timeColumn{&d.Created},
	}
}

func scanDelivery(row scanner) (store.Delivery, error) {
	var d store.Delivery
	return d, row.Scan(DeliveryFields(&d)...)
}

const insertDelivery = "INSERT INTO deliveries (" + DeliveryColumns +
	") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT (event, endpoint, webhook) DO "

func deliveryValues(d *store.Delivery) []any {
	return []any{
		d.ID, d.Workspace, d.Webhook, d.Endpoint, d.Event, d.Type, d.State, d.Reason,
		d.Attempts, d.Tries, d.LastStatus, Micros(d.NextAt), Micros(d.Created),
	}
}

// NewDelivery is a delivery of e to w that is due now, or skipped if w is disabled.
func NewDelivery(w *store.Webhook, e *store.Event, now time.Time) store.Delivery {
	d := store.Delivery{
		ID: store.NewID(store.PrefixDelivery, now), Workspace: w.Workspace, Webhook: w.ID, Endpoint: e.Endpoint,
		Event: e.ID, Type: e.Type, State: store.DeliveryPending, NextAt: now, Created: now,
	}
	if w.State == store.WebhookDisabled {
		d.State, d.Reason, d.NextAt = store.DeliverySkipped, store.ReasonDisabled, time.Time{}
	}
	return d
}

// InsertDelivery stores a delivery and reports whether its webhook had none of that event.
func InsertDelivery(ctx context.Context, q Querier, d *store.Delivery) (bool, error) {
	n, err := changed(ctx, q, insertDelivery+"NOTHING", deliveryValues(d)...)
	return n > 0, err
}

// ReplayDelivery stores a delivery, or makes the one that is there due again unless it is pending, and reports whether it
// did anything.
func ReplayDelivery(ctx context.Context, q Querier, d *store.Delivery) (bool, error) {
	n, err := changed(ctx, q, insertDelivery+"UPDATE SET state = excluded.state, reason = '', tries = 0, next_at = excluded.next_at "+
		"WHERE deliveries.state <> 'pending'", deliveryValues(d)...)
	return n > 0, err
}

// Delivery is Deliveries.Delivery.
func Delivery(ctx context.Context, q Querier, workspace, id string) (store.Delivery, error) {
	return one(scanDelivery, q.QueryRowContext(ctx,
		"SELECT "+DeliveryColumns+" FROM deliveries WHERE id = $1 AND workspace = $2", id, workspace))
}

// Deliveries is Deliveries.Deliveries.
func Deliveries(ctx context.Context, q Querier, workspace string, f store.DeliveryFilter, p store.Page) (store.List[store.Delivery], error) {
	s := selectWhere("SELECT "+DeliveryColumns+" FROM deliveries WHERE workspace = $1", workspace)
	if f.Object != "" {
		// Few events are about one object. MATERIALIZED and CROSS JOIN have engines begin with them rather than with the
		// newest deliveries of all.
		s = selectWhere("WITH about AS MATERIALIZED (SELECT d.* FROM events e CROSS JOIN deliveries d WHERE e.workspace = $1 "+
			"AND e.object <> '' AND e.object = $2 AND d.event = e.id AND d.endpoint = e.endpoint) "+
			"SELECT "+DeliveryColumns+" FROM about WHERE TRUE", workspace, f.Object)
	}
	s.equal("webhook", f.Webhook)
	s.equal("event", f.Event)
	s.equal("state", string(f.State))
	switch f.State {
	case store.DeliveryDead, store.DeliverySkipped:
		// These are few. The concatenation keeps engines from looking at all that ever was of the type instead.
		s.equal("type || ''", f.Type)
	default:
		s.equal("type", f.Type)
	}
	s.between("created", f.From, f.To)
	return list(ctx, q, s, p, byCreated, scanDelivery, func(d store.Delivery) store.Position {
		return store.Position{Created: d.Created, ID: d.ID}
	})
}

// Attempts is Deliveries.Attempts.
func Attempts(ctx context.Context, q Querier, workspace, delivery string) ([]store.Attempt, error) {
	if _, err := Delivery(ctx, q, workspace, delivery); err != nil {
		return nil, err
	}
	scan := func(row scanner) (a store.Attempt, err error) {
		return a, row.Scan(timeColumn{&a.At}, &a.Duration, &a.Status, &a.Answer, &a.Phase, &a.Error)
	}
	return all(ctx, q, scan, "SELECT at, duration, status, answer, phase, error FROM attempts WHERE delivery = $1 ORDER BY n", delivery)
}

// InsertAttempt adds a try to the log of a delivery. A delivery that was pruned meanwhile gets none.
func InsertAttempt(ctx context.Context, q Querier, delivery string, a *store.Attempt) error {
	answer := a.Answer[:min(len(a.Answer), store.MaxAnswer)]
	if answer == nil {
		answer = []byte{}
	}
	_, err := q.ExecContext(ctx, "INSERT INTO attempts (delivery, n, at, duration, status, answer, phase, error) "+
		"SELECT d.id, (SELECT COALESCE(MAX(n), 0) + 1 FROM attempts WHERE delivery = d.id), $2, $3, $4, $5, $6, $7 "+
		"FROM deliveries d WHERE d.id = $1",
		delivery, Micros(a.At), a.Duration.Nanoseconds(), a.Status, answer, a.Phase, Phrase(a.Error))
	return err
}

// Conclude stores the state that an outcome leads to. now is the store's clock.
func Conclude(ctx context.Context, q Querier, o *store.Outcome, now time.Time) error {
	if o.Verdict == store.VerdictRelease && o.Attempt == nil {
		_, err := q.ExecContext(ctx, "UPDATE deliveries SET next_at = $2 WHERE id = $1 AND state = 'pending'", o.Delivery, Micros(now))
		return err
	}
	state, next, tried, status := store.DeliveryPending, now, 0, 0
	switch o.Verdict {
	case store.VerdictDelivered:
		state, next = store.DeliveryDelivered, time.Time{}
	case store.VerdictDead:
		state, next = store.DeliveryDead, time.Time{}
	case store.VerdictRetry:
		next = now.Add(o.After)
	case store.VerdictRelease:
	default:
		return fmt.Errorf("concluding a delivery: there is no verdict %q", o.Verdict)
	}
	reason := ""
	if o.Verdict == store.VerdictDead {
		reason = Phrase(o.Reason)
	}
	if o.Attempt != nil {
		tried, status = 1, o.Attempt.Status
	}
	_, err := q.ExecContext(ctx, "UPDATE deliveries SET state = $2, reason = $3, next_at = $4, attempts = attempts + $5, "+
		"tries = tries + $5, last_status = CASE WHEN $5 > 0 THEN $6 ELSE last_status END WHERE id = $1 AND state = 'pending'",
		o.Delivery, state, reason, Micros(next), tried, status)
	return err
}

// Restart makes a delivery due now and starts its schedule anew.
func Restart(ctx context.Context, q Querier, id string, now time.Time) error {
	return mustChange(ctx, q, store.ErrNotFound,
		"UPDATE deliveries SET state = 'pending', reason = '', tries = 0, next_at = $2 WHERE id = $1", id, Micros(now))
}

// RestartDead does so for at most limit dead deliveries of a webhook, and returns how many.
func RestartDead(ctx context.Context, q Querier, webhook string, limit int, now time.Time) (int, error) {
	return changed(ctx, q, "UPDATE deliveries SET state = 'pending', reason = '', tries = 0, next_at = $2 WHERE id IN ("+
		"SELECT id FROM deliveries WHERE webhook = $1 AND state = 'dead' ORDER BY created, id LIMIT $3)", webhook, Micros(now), limit)
}

// Due returns the webhook's first pending deliveries, claimed or not, in the order in which they fall due.
func Due(ctx context.Context, q Querier, webhook string, limit int) ([]store.Delivery, error) {
	return all(ctx, q, scanDelivery, "SELECT "+DeliveryColumns+" FROM deliveries WHERE webhook = $1 AND state = 'pending' "+
		"ORDER BY next_at, id LIMIT $2", webhook, limit)
}

// A Queued says how much is pending for a webhook.
type Queued struct {
	Webhook string
	Count   int
	First   time.Time // when the first falls due
}

// AllQueued counts the pending deliveries of every webhook that has any.
func AllQueued(ctx context.Context, q Querier) ([]Queued, error) {
	scan := func(row scanner) (c Queued, err error) {
		return c, row.Scan(&c.Webhook, &c.Count, timeColumn{&c.First})
	}
	return all(ctx, q, scan, "SELECT webhook, COUNT(*), MIN(next_at) FROM deliveries WHERE state = 'pending' GROUP BY webhook")
}

// LongestDue is Deliveries.LongestDue.
func LongestDue(ctx context.Context, q Querier) (due time.Time, err error) {
	// One look into the index of what is due, for each webhook.
	err = q.QueryRowContext(ctx, "SELECT COALESCE(MIN(due), 0) FROM (SELECT (SELECT MIN(d.next_at) FROM deliveries d "+
		"WHERE d.webhook = w.id AND d.state = 'pending') AS due FROM webhooks w "+
		"WHERE w.detached = 0 AND w.state IN ('active', 'failing')) AS dues").Scan(timeColumn{&due})
	return due, err
}
