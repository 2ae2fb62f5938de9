package portable

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
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
	c, err := cutOf(p, byCreated)
	if err != nil {
		return store.List[store.Delivery]{}, err
	}
	// An event has few deliveries, a webhook fewer than its workspace, and few are dead or skipped. Engines do not know that: what
	// is hidden in a concatenation they do not look for in an index.
	const hidden = " || ''"
	inWorkspace, ofWebhook, ofType := "workspace", "webhook", "type"
	if f.Event != "" {
		ofWebhook += hidden
	}
	if f.Event != "" || f.Webhook != "" {
		inWorkspace += hidden
		ofType += hidden
	} else if f.State == store.DeliveryDead || f.State == store.DeliverySkipped {
		ofType += hidden
	}
	s := new(selection)
	add := func(from string, state store.DeliveryState) {
		s.add("SELECT "+DeliveryColumns+" FROM "+from+" WHERE "+inWorkspace+" = ?", workspace)
		s.equal("event", f.Event)
		s.equal(ofWebhook, f.Webhook)
		s.equal(ofType, f.Type)
		s.inState(state)
		s.between("created", f.From, f.To)
		c.behind(s)
		c.order(s)
	}
	switch {
	case f.Object != "":
		// Few events are about one object. MATERIALIZED and CROSS JOIN have engines begin with them.
		s.add("WITH about AS MATERIALIZED (SELECT d.* FROM events e CROSS JOIN deliveries d WHERE e.workspace = ? "+
			"AND e.object <> '' AND e.object = ? AND d.event = e.id AND d.endpoint = e.endpoint) ", workspace, f.Object)
		add("about", f.State)
	case f.State != "" || f.Event != "" || f.Type != "" && f.Webhook == "":
		add("deliveries", f.State)
	default:
		// The indexes by time begin with the state, so that a change of it touches few of them. The page is made of the first
		// ones of each.
		for i, state := range []store.DeliveryState{store.DeliveryPending, store.DeliveryDelivered, store.DeliveryDead, store.DeliverySkipped} {
			if i > 0 {
				s.add(" UNION ALL ")
			}
			s.add("SELECT * FROM (")
			add("deliveries", state)
			s.add(") AS part")
		}
		c.order(s)
	}
	return page(ctx, q, s, c, scanDelivery, func(d store.Delivery) store.Position {
		return store.Position{Created: d.Created, ID: d.ID}
	})
}

// inState adds a condition unless the state is empty. The states that there are stand in the text, since the conditions of
// indexes name them.
func (s *selection) inState(state store.DeliveryState) {
	switch state {
	case store.DeliveryPending:
		s.and("state = 'pending'")
	case store.DeliveryDelivered, store.DeliveryDead, store.DeliverySkipped:
		s.and("state = '" + string(state) + "' AND state <> 'pending'")
	default:
		s.equal("state", string(state))
	}
}

// A logged is an attempt as the log of its delivery has it: one line of JSON.
type logged struct {
	At       int64  `json:"at"`   // microseconds since 1970
	Duration int64  `json:"took"` // nanoseconds
	Status   int    `json:"status,omitempty"`
	Answer   []byte `json:"answer,omitempty"`
	Phase    string `json:"phase,omitempty"`
	Error    string `json:"error,omitempty"`
}

// LogLine is what an attempt adds to the log of its delivery; nothing if there was none.
func LogLine(a *store.Attempt) (string, error) {
	if a == nil {
		return "", nil
	}
	line, err := json.Marshal(logged{
		At: Micros(a.At), Duration: a.Duration.Nanoseconds(), Status: a.Status, Answer: a.Answer[:min(len(a.Answer), store.MaxAnswer)],
		Phase: a.Phase, Error: Phrase(a.Error),
	})
	return string(line) + "\n", err
}

// Attempts is Deliveries.Attempts.
func Attempts(ctx context.Context, q Querier, workspace, delivery string) ([]store.Attempt, error) {
	scan := func(row scanner) (log string, err error) { return log, row.Scan(&log) }
	log, err := one(scan, q.QueryRowContext(ctx, "SELECT log FROM deliveries WHERE id = $1 AND workspace = $2", delivery, workspace))
	if err != nil {
		return nil, err
	}
	var attempts []store.Attempt
	for line := range strings.Lines(log) {
		var l logged
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			return nil, fmt.Errorf("reading the log of a delivery: %w", err)
		}
		attempts = append(attempts, store.Attempt{
			At: Time(l.At), Duration: time.Duration(l.Duration), Status: l.Status, Answer: l.Answer, Phase: l.Phase, Error: l.Error,
		})
	}
	return attempts, nil
}

// AddToLog notes an attempt of a delivery, which changes nothing else. A delivery that was pruned meanwhile gets none.
func AddToLog(ctx context.Context, q Querier, delivery string, a *store.Attempt) error {
	line, err := LogLine(a)
	if err != nil || line == "" {
		return err
	}
	_, err = q.ExecContext(ctx, "UPDATE deliveries SET log = log || $2 WHERE id = $1", delivery, line)
	return err
}

// A conclusion is what an outcome makes of a delivery.
type conclusion struct {
	state  store.DeliveryState
	reason string
	next   int64 // microseconds since 1970
	tried  int   // 1 if there was an attempt
	status int   // its
	log    string
}

func conclude(o *store.Outcome, now time.Time) (c conclusion, err error) {
	c.state, c.next = store.DeliveryPending, Micros(now)
	switch o.Verdict {
	case store.VerdictDelivered:
		c.state, c.next = store.DeliveryDelivered, 0
	case store.VerdictDead:
		c.state, c.next, c.reason = store.DeliveryDead, 0, Phrase(o.Reason)
	case store.VerdictRetry:
		c.next = Micros(now.Add(o.After))
	case store.VerdictRelease:
	default:
		return c, fmt.Errorf("concluding a delivery: there is no verdict %q", o.Verdict)
	}
	if o.Attempt != nil {
		c.tried, c.status = 1, o.Attempt.Status
	}
	c.log, err = LogLine(o.Attempt)
	return c, err
}

// Conclude stores the state that an outcome leads to, and its attempt. now is the store's clock.
func Conclude(ctx context.Context, q Querier, o *store.Outcome, now time.Time) error {
	c, err := conclude(o, now)
	if err != nil {
		return err
	}
	_, err = q.ExecContext(ctx, "UPDATE deliveries SET state = $2, reason = $3, next_at = $4, attempts = attempts + $5, "+
		"tries = tries + $5, last_status = CASE WHEN $5 > 0 THEN $6 ELSE last_status END, log = log || $7 WHERE id = $1 AND state = 'pending'",
		o.Delivery, c.state, c.reason, c.next, c.tried, c.status, c.log)
	return err
}

// InsertConcluded stores a delivery that has no row yet, as its first outcome leaves it.
func InsertConcluded(ctx context.Context, q Querier, d *store.Delivery, o *store.Outcome, now time.Time) error {
	c, err := conclude(o, now)
	if err != nil {
		return err
	}
	_, err = q.ExecContext(ctx, "INSERT INTO deliveries ("+DeliveryColumns+
		", log) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, $11, $12, $13) ON CONFLICT (event, endpoint, webhook) DO NOTHING",
		d.ID, d.Workspace, d.Webhook, d.Endpoint, d.Event, d.Type, c.state, c.reason, c.tried, c.status, c.next, Micros(d.Created), c.log)
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
		"SELECT id FROM deliveries WHERE webhook = $1 AND state = 'dead' AND state <> 'pending' ORDER BY created, id LIMIT $3)", webhook, Micros(now), limit)
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

// CountDead is Deliveries.CountDead.
func CountDead(ctx context.Context, q Querier, limit int) (n int, err error) {
	err = q.QueryRowContext(ctx, "SELECT COALESCE(SUM(dead), 0) FROM (SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM deliveries d "+
		"WHERE d.workspace = w.id AND d.state = 'dead' LIMIT $1) AS counted) AS dead FROM workspaces w) AS sums", limit).Scan(&n)
	return n, err
}

// LongestDue is Deliveries.LongestDue.
func LongestDue(ctx context.Context, q Querier) (due time.Time, err error) {
	// One look into the index of what is due, for each webhook.
	err = q.QueryRowContext(ctx, "SELECT COALESCE(MIN(due), 0) FROM (SELECT (SELECT MIN(d.next_at) FROM deliveries d "+
		"WHERE d.webhook = w.id AND d.state = 'pending') AS due FROM webhooks w "+
		"WHERE w.detached = 0 AND w.state IN ('active', 'failing')) AS dues").Scan(timeColumn{&due})
	return due, err
}
