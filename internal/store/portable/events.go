package portable

import (
	"context"
	"strings"
	"time"

	"stripe-connector/internal/store"
)

// EventColumns are the columns of an event that lists show, in the order of EventFields. Behind them stand the body, which is
// long, and the trace.
const EventColumns = "id, endpoint, workspace, type, account, livemode, api_version, source, object, created, received"

// EventFields is where a row of EventColumns is scanned to.
func EventFields(e *store.Event) []any {
	return []any{
		&e.ID, &e.Endpoint, &e.Workspace, &e.Type, &e.Account, &e.Livemode, &e.APIVersion, &e.Source, &e.Object,
		timeColumn{&e.Created},
		timeColumn{&e.Received},
	}
}

func scanEvent(row scanner) (store.Event, error) {
	var e store.Event
	return e, row.Scan(EventFields(&e)...)
}

func scanWholeEvent(row scanner) (store.Event, error) {
	var e store.Event
	return e, row.Scan(append(EventFields(&e), &e.Body, &e.Trace)...)
}

// InsertEvent stores an event and reports whether it is new to its endpoint.
func InsertEvent(ctx context.Context, q Querier, e *store.Event) (bool, error) {
	n, err := changed(ctx, q, "INSERT INTO events ("+EventColumns+
		", body, trace) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING",
		e.ID, e.Endpoint, e.Workspace, e.Type, e.Account, e.Livemode, e.APIVersion, e.Source, e.Object,
		Micros(e.Created), Micros(e.Received), e.Body, e.Trace)
	return n > 0, err
}

// EventOf returns the event of one endpoint, the whole of it.
func EventOf(ctx context.Context, q Querier, endpoint, id string) (store.Event, error) {
	return one(scanWholeEvent, q.QueryRowContext(ctx,
		"SELECT "+EventColumns+", body, trace FROM events WHERE endpoint = $1 AND id = $2", endpoint, id))
}

// Event is Events.Event.
func Event(ctx context.Context, q Querier, workspace, id string) ([]store.Event, error) {
	events, err := all(ctx, q, scanWholeEvent, "SELECT "+EventColumns+", body, trace FROM events "+
		"WHERE workspace = $1 AND id = $2 ORDER BY received DESC, endpoint DESC", workspace, id)
	if err == nil && len(events) == 0 {
		err = store.ErrNotFound
	}
	return events, err
}

func (s *selection) events(f store.EventFilter) {
	s.equal("endpoint", f.Endpoint)
	if f.Object == "" {
		s.oneOf("type", f.Types)
	} else {
		// Few events are about one object. The first condition is that of their index, and the concatenation keeps engines
		// from looking at all that ever was of the type instead.
		s.and("object <> '' AND object = ?", f.Object)
		s.oneOf("type || ''", f.Types)
	}
	s.between("created", f.From, f.To)
}

// Events is Events.Events.
func Events(ctx context.Context, q Querier, workspace string, f store.EventFilter, p store.Page) (store.List[store.Event], error) {
	s := selectWhere("SELECT "+EventColumns+" FROM events WHERE workspace = $1", workspace)
	s.events(f)
	key := []string{"created", "id", "endpoint"} // one event may have come in at several endpoints
	return list(ctx, q, s, p, key, scanEvent, func(e store.Event) store.Position {
		return store.Position{Created: e.Created, ID: e.ID + "/" + e.Endpoint}
	})
}

// CountEvents is Events.CountEvents.
func CountEvents(ctx context.Context, q Querier, workspace string, f store.EventFilter, limit int) (int, error) {
	s := selectWhere("SELECT COUNT(*) FROM (SELECT 1 FROM events WHERE workspace = $1", workspace)
	s.events(f)
	s.add(" LIMIT ?) AS counted", limit)
	var n int
	return n, q.QueryRowContext(ctx, s.text.String(), s.args...).Scan(&n)
}

// Fates is Events.Fates.
func Fates(ctx context.Context, q Querier, workspace, endpoint, event string) ([]store.Fate, error) {
	e, err := one(scanEvent, q.QueryRowContext(ctx, "SELECT "+EventColumns+
		" FROM events WHERE endpoint = $1 AND id = $2 AND workspace = $3", endpoint, event, workspace))
	if err != nil {
		return nil, err
	}
	deliveries, err := all(ctx, q, scanDelivery,
		"SELECT "+DeliveryColumns+" FROM deliveries WHERE endpoint = $1 AND event = $2", endpoint, event)
	if err != nil {
		return nil, err
	}
	byWebhook := make(map[string]*store.Delivery, len(deliveries))
	for i := range deliveries {
		byWebhook[deliveries[i].Webhook] = &deliveries[i]
	}
	// Detached webhooks and those that moved to another endpoint are of interest only where they had a delivery.
	webhooks, err := all(ctx, q, scanWebhook, "SELECT "+WebhookColumns+" FROM webhooks WHERE endpoint = $1 AND detached = 0 "+
		"UNION SELECT "+WebhookColumns+" FROM webhooks WHERE id IN (SELECT webhook FROM deliveries WHERE endpoint = $1 AND event = $2) "+
		"ORDER BY created, id", endpoint, event)
	if err != nil {
		return nil, err
	}
	fates := make([]store.Fate, len(webhooks))
	for i, w := range webhooks {
		d := byWebhook[w.ID]
		fates[i] = store.Fate{Webhook: w.ID, Name: w.Name, Delivery: d, Reason: reason(&w, &e, d)}
	}
	return fates, nil
}

func reason(w *store.Webhook, e *store.Event, d *store.Delivery) string {
	switch {
	case d == nil && TooOld(w, e.Created):
		return store.ReasonLater
	case d == nil:
		return store.ReasonNotWanted
	case d.State == store.DeliverySkipped:
		return d.Reason
	case d.State == store.DeliveryPending && w.State == store.WebhookPaused:
		return store.ReasonPaused
	case d.State == store.DeliveryPending && w.State == store.WebhookDisabled:
		return store.ReasonDisabled
	default:
		return ""
	}
}

// TooOld reports whether an event was created before w was attached. Stripe counts whole seconds.
func TooOld(w *store.Webhook, created time.Time) bool {
	return created.Unix() < w.Since.Unix()
}

// Kept is the condition under which an event must stay: something of it may still be sent.
const Kept = "EXISTS (SELECT 1 FROM deliveries d JOIN webhooks w ON w.id = d.webhook WHERE d.endpoint = events.endpoint " +
	"AND d.event = events.id AND d.state IN ('pending', 'dead') AND w.detached = 0)"

// An EventKey names an event.
type EventKey struct{ Endpoint, ID string }

// A PruneStep is what came of looking for events to prune.
type PruneStep struct {
	Events []EventKey // that were found
	Last   int64      // when the last of them was received, in microseconds since 1970
	Gone   int        // of them
}

// Prunable finds at most limit events that were received from one time on and before another, in microseconds since 1970, and
// are not kept; those that were received first before the others. locking ends the statement.
func Prunable(ctx context.Context, q Querier, from, before int64, limit int, locking string) (p PruneStep, err error) {
	scan := func(row scanner) (k EventKey, err error) {
		return k, row.Scan(&k.Endpoint, &k.ID, &p.Last)
	}
	p.Events, err = all(ctx, q, scan, "SELECT endpoint, id, received FROM events WHERE received >= $1 AND received < $2 AND NOT "+Kept+
		" ORDER BY received LIMIT $3"+locking, from, before, limit)
	return p, err
}

// Prune is Events.Prune. events takes out at most step of the events that were received from a time on, in microseconds since
// 1970, and rest runs what forgets at most step of something else; each in a transaction of its own. What is kept is looked at once.
func Prune(
	step int, events func(from int64) (PruneStep, error), rest func(func(context.Context, Querier, int) (int, error)) (int, error),
) (total int, err error) {
	for from := int64(0); ; {
		p, err := events(from)
		total += p.Gone
		if err != nil {
			return total, err
		}
		if len(p.Events) < step || p.Gone == 0 && p.Last == from {
			break
		}
		from = p.Last
	}
	for _, forget := range []func(context.Context, Querier, int) (int, error){skipDetached, pruneWebhooks} {
		for n := step; n == step; total += n {
			if n, err = rest(forget); err != nil {
				return total, err
			}
		}
	}
	return total, nil
}

func skipDetached(ctx context.Context, q Querier, limit int) (int, error) {
	return SkipDetached(ctx, q, "", limit)
}

// PruneEvents forgets events with their deliveries, except those that are kept by now, and returns how many.
func PruneEvents(ctx context.Context, q Querier, keys []EventKey) (int, error) {
	n := 0
	for _, k := range keys {
		gone, err := changed(ctx, q, "DELETE FROM events WHERE endpoint = $1 AND id = $2 AND NOT "+Kept, k.Endpoint, k.ID)
		if err != nil {
			return 0, err
		}
		if gone == 0 {
			continue
		}
		n++
		if _, err := q.ExecContext(ctx, "DELETE FROM deliveries WHERE endpoint = $1 AND event = $2", k.Endpoint, k.ID); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// pruneWebhooks forgets at most limit detached webhooks that no delivery names any more.
func pruneWebhooks(ctx context.Context, q Querier, limit int) (int, error) {
	return changed(ctx, q, "DELETE FROM webhooks WHERE id IN (SELECT id FROM webhooks WHERE detached > 0 "+
		"AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.webhook = webhooks.id AND d.state = 'pending') "+
		"AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.webhook = webhooks.id AND d.state <> 'pending') LIMIT $1)", limit)
}

// Replayable returns the events of an endpoint that a replay step covers, oldest first, without bodies.
func Replayable(ctx context.Context, q Querier, endpoint string, f store.EventFilter, after string, limit int) ([]store.Event, error) {
	s := selectWhere("SELECT " + EventColumns + " FROM events WHERE TRUE")
	f.Endpoint = endpoint
	s.events(f)
	if after != "" {
		at, err := store.ParseCursor(after)
		if err != nil {
			return nil, err
		}
		s.and("(created, id) > (?, ?)", Micros(at.Created), at.ID)
	}
	s.add(" ORDER BY created, id LIMIT ?", limit)
	return all(ctx, q, scanEvent, s.text.String(), s.args...)
}

// Phrase cuts a text to what a log line needs.
func Phrase(s string) string {
	const limit = 500
	if len(s) > limit {
		s = s[:limit]
	}
	return clean(s)
}

// clean takes out what no engine's text may hold.
func clean(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "")
}
