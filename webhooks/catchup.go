package webhooks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/event"
	"golang.org/x/time/rate"

	"stripe-connector/internal/store"
	"stripe-connector/internal/stripeapi"
)

const (
	// overlap is how far before the end of the last one a catch-up begins, since Stripe's list may show an event a little late.
	overlap = 5 * time.Minute

	// maxListTypes is how many types one call may ask for, see https://docs.stripe.com/api/events/list.
	maxListTypes = 20

	// listPage is how many events Stripe lists at once, and how many are stored in one transaction.
	listPage = 100

	// maxHeld bounds the bodies that a walk keeps on its way down, in bytes.
	maxHeld = 16 << 20

	// listGap spaces the calls of one catch-up, so that it takes a part of the connection's pace and never all of it.
	listGap = 100 * time.Millisecond

	// A catch-up stores chunk events at once, half of what a webhook may have under way, so that a live event finds room
	// beside them, and waits until each webhook was sent the last of them. One that takes longer than clearTime is not waited
	// for, and the next chunk is twice as large, so that it does not hold up the others for long.
	chunk     = laneWidth / 2
	clearTime = time.Second
	clearLook = 10 * time.Millisecond

	// catchUpPace is how many deliveries a second all catch-ups of this process make together.
	catchUpPace = 1000

	// maxNamed is how many of an endpoint's newest events are looked at for the connected accounts that they name.
	maxNamed = 2000

	// tellEvery is after how many events a long catch-up says in the log how far it is.
	tellEvery = 1000
)

// A catcher takes in what Stripe did not deliver to one endpoint: it compares GET /v1/events, which goes back 30 days, with
// what is stored, from where the last comparison ended. What arrived already is recognized by its id, like any
// event that comes twice. Stripe lists an event in the API version that it was created in, whatever the version of the
// endpoint, and one of a connected account without naming the account.
type catcher struct {
	registrar *registrar
	receiver  *Receiver
	log       CatchUpLog
	pace      *rate.Limiter // of deliveries, shared by all
	conn      *store.Connection
	began     time.Time
	asOf      time.Time // Stripe's clock when the first list was read
	retention time.Duration
	progress  func(change func(*CatchUp))
	chunk     int       // how many events are stored at once
	caught    time.Time // how far it has come, as it is stored
}

// CatchUpLog is what a catch-up asks of what is stored.
type CatchUpLog interface {
	Events(ctx context.Context, workspace string, f store.EventFilter, p store.Page) (store.List[store.Event], error)
	Webhook(ctx context.Context, workspace, id string) (store.Webhook, error)
	Deliveries(ctx context.Context, workspace string, f store.DeliveryFilter, p store.Page) (store.List[store.Delivery], error)
}

// run catches up, from the oldest event to the newest. The position is stored as it goes on, so that a run that was
// interrupted is taken up where it stopped.
func (c *catcher) run(ctx context.Context, e store.Endpoint) error {
	for {
		err := c.endpoint(ctx, e)
		switch {
		case errors.Is(err, errSetBack):
			continue
		case errors.Is(err, store.ErrNotFound): // its last webhook has gone meanwhile
			return nil
		}
		return err
	}
}

// errSetBack means that a webhook has come meanwhile from an endpoint that was less far.
var errSetBack = errors.New("the endpoint was set back")

// caught is how far an endpoint has caught up. Before it was made there is nothing to catch up with.
func caught(e *store.Endpoint) time.Time {
	if e.Caught.IsZero() {
		return e.Created
	}
	return e.Caught
}

func (c *catcher) endpoint(ctx context.Context, e store.Endpoint) error {
	e, err := c.registrar.store.Endpoint(ctx, e.Workspace, e.ID)
	if err != nil {
		return fmt.Errorf("reading the endpoint: %w", err)
	}
	types, err := c.registrar.store.WantedTypes(ctx, e.Workspace, e.ID)
	if err != nil {
		return fmt.Errorf("reading what the endpoint's webhooks want: %w", err)
	}
	if len(types) == 0 {
		return nil
	}
	e.Caught = caught(&e)
	c.caught = e.Caught
	since := e.Caught.Add(-overlap)
	c.progress(func(p *CatchUp) { p.Began, p.From, p.Position = c.began, since, since })
	if !e.Connect {
		if err := c.account(ctx, e, "", types, since, true); err != nil {
			return err
		}
		return c.move(ctx, e, c.asOf)
	}
	accounts, err := c.named(ctx, e)
	if err != nil {
		return err
	}
	// There is one position for all accounts, so it moves when all are done.
	for _, account := range accounts {
		if err := c.account(ctx, e, account, types, since, false); err != nil {
			return err
		}
	}
	return c.move(ctx, e, c.asOf)
}

// named are the connected accounts that an endpoint's stored events name. Stripe has no list of all accounts' events.
func (c *catcher) named(ctx context.Context, e store.Endpoint) ([]string, error) {
	var accounts []string
	var page store.Page
	for range maxNamed / store.MaxPage {
		list, err := c.log.Events(ctx, e.Workspace, store.EventFilter{Endpoint: e.ID}, page)
		if err != nil {
			return nil, fmt.Errorf("looking for connected accounts: %w", err)
		}
		for _, seen := range list.Data {
			if seen.Account != "" && !slices.Contains(accounts, seen.Account) {
				accounts = append(accounts, seen.Account)
			}
		}
		if page.Cursor = list.Next; page.Cursor == "" {
			break
		}
	}
	return accounts, nil
}

// account takes in what one account has, and moves the position with it if move is set.
func (c *catcher) account(
	ctx context.Context, e store.Endpoint, account string, types []string, since time.Time, move bool,
) error {
	var walks []*walk
	for some := range slices.Chunk(types, maxListTypes) {
		if some[0] == allEvents {
			some = nil
		}
		w := &walk{list: func(ctx context.Context, after string) ([]listed, bool, error) {
			return c.list(ctx, account, some, since, after)
		}}
		if err := w.descend(ctx); err != nil {
			return err
		}
		walks = append(walks, w)
	}
	for {
		batch, err := ascend(ctx, walks, listPage)
		if err != nil || len(batch) == 0 {
			return err
		}
		if err := c.ingest(ctx, e, batch); err != nil {
			return err
		}
		last := batch[len(batch)-1].Created
		c.progress(func(p *CatchUp) { p.Position = last })
		if move {
			if err := c.move(ctx, e, last); err != nil {
				return err
			}
		}
	}
}

// ingest stores a batch the way received events are stored, in chunks that live events get in between.
func (c *catcher) ingest(ctx context.Context, e store.Endpoint, batch []listed) error {
	if err := c.receiver.admit(ctx); err != nil {
		return err
	}
	var events []store.NewEvent
	for _, l := range batch {
		if l.Livemode != e.Livemode || c.pruned(e, l.Created) {
			continue
		}
		missed := c.receiver.newEvent(e.ID, l.envelope, l.body)
		missed.Source = store.SourceCatchUp
		events = append(events, missed)
	}
	for len(events) > 0 {
		some := events[:min(c.chunk, len(events))]
		events = events[len(some):]
		receipts, err := c.receiver.ingest(ctx, e, some)
		if err != nil {
			return err
		}
		c.tell(e, some, receipts)
		if err := c.makeWay(ctx, e, receipts); err != nil {
			return err
		}
	}
	return nil
}

// tell shows how far the catch-up is, and says so in the log of a long one.
func (c *catcher) tell(e store.Endpoint, events []store.NewEvent, receipts []Receipt) {
	c.progress(func(p *CatchUp) {
		before := p.New / tellEvery
		for _, r := range receipts {
			if r.New {
				p.New++
			}
		}
		if p.New/tellEvery > before {
			c.registrar.log.Info().Str("endpoint", e.ID).Int("new", p.New).Int("listed", p.Listed).
				Time("position", events[len(events)-1].Created).Msg("catching up")
		}
	})
}

// pruned reports whether an event was seen before and may have been forgotten since: it would be taken for a new one.
func (c *catcher) pruned(e store.Endpoint, created time.Time) bool {
	return !created.After(e.Caught) && c.began.Sub(created) > c.retention-2*overlap
}

// move stores how far the endpoint has caught up: in the end as of the first list, however old the newest event is, so that
// types that a webhook asks for later bring no history with them. The lists were read one after the other, and what happened
// meanwhile may stand in one of those that were read first.
func (c *catcher) move(ctx context.Context, e store.Endpoint, to time.Time) error {
	if to.After(c.asOf) {
		to = c.asOf
	}
	moved, err := c.registrar.store.UpdateEndpoint(ctx, e.Workspace, e.ID, func(e *store.Endpoint) error {
		if caught(e).Before(c.caught) {
			return errSetBack
		}
		if to.After(e.Caught) {
			e.Caught = to
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("storing how far the endpoint has caught up: %w", err)
	}
	c.caught = moved.Caught
	return nil
}

// makeWay waits until the deliveries of a chunk are through, so that live events never queue behind more than that.
func (c *catcher) makeWay(ctx context.Context, e store.Endpoint, receipts []Receipt) error {
	deliveries, last := 0, ""
	for _, r := range receipts {
		if r.Deliveries > 0 {
			deliveries, last = deliveries+r.Deliveries, r.Event
		}
	}
	for ; deliveries > 0; deliveries -= chunk {
		if err := c.pace.WaitN(ctx, min(deliveries, chunk)); err != nil {
			return err
		}
	}
	for looks := 0; last != ""; looks++ {
		waiting, err := c.waiting(ctx, e, last)
		if err != nil {
			return fmt.Errorf("looking at what is being caught up: %w", err)
		}
		if !waiting {
			c.chunk = chunk
			return nil
		}
		if looks == int(clearTime/clearLook) {
			c.chunk = min(2*c.chunk, listPage)
			return nil
		}
		if err := pause(ctx, clearLook); err != nil {
			return err
		}
	}
	return nil
}

// waiting reports whether an event is still to be sent to a webhook for the first time. Those that are paused or disabled
// do not count.
func (c *catcher) waiting(ctx context.Context, e store.Endpoint, event string) (bool, error) {
	pending, err := c.log.Deliveries(ctx, e.Workspace, store.DeliveryFilter{Event: event, State: store.DeliveryPending}, store.Page{})
	if err != nil {
		return false, err
	}
	for _, d := range pending.Data {
		if d.Endpoint != e.ID || d.Attempts > 0 {
			continue
		}
		w, err := c.log.Webhook(ctx, e.Workspace, d.Webhook)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return false, err
		}
		if w.State == store.WebhookActive || w.State == store.WebhookFailing {
			return true, nil
		}
	}
	return false, nil
}

// listed is an event of Stripe's list.
type listed struct {
	envelope
	body []byte
}

// list asks for one page, newest first, behind the event called after.
func (c *catcher) list(
	ctx context.Context, account string, types []string, since time.Time, after string,
) (events []listed, more bool, err error) {
	if err := pause(ctx, listGap); err != nil {
		return nil, false, err
	}
	params := &stripe.EventListParams{
		ListParams:   stripe.ListParams{Limit: new(int64(listPage)), Single: true},
		CreatedRange: &stripe.RangeQueryParams{GreaterThanOrEqual: since.Unix()},
		Types:        stripe.StringSlice(types),
	}
	if after != "" {
		params.StartingAfter = new(after)
	}
	var page struct {
		Data    []json.RawMessage `json:"data"`
		HasMore bool              `json:"has_more"`
	}
	res, err := c.registrar.run(ctx, c.conn, stripeapi.Session{Account: account}, "list events", &page, func(b stripe.Backend) error {
		return event.Client{B: b}.List(params).Err()
	})
	if err != nil {
		return nil, false, err
	}
	if c.asOf.IsZero() {
		// By Stripe's clock, like the times of events: ours may be wrong.
		if c.asOf, err = http.ParseTime(res.Header.Get("Date")); err != nil {
			c.asOf = c.began
		}
	}
	events = make([]listed, 0, len(page.Data))
	for _, body := range page.Data {
		outside, err := openEnvelope(body)
		if err != nil {
			return nil, false, fmt.Errorf("reading Stripe's list of events: %w", err)
		}
		if account != "" {
			outside.Account = account
		}
		events = append(events, listed{outside, body})
	}
	c.progress(func(p *CatchUp) { p.Listed += len(page.Data) })
	return events, page.HasMore && len(events) > 0, nil
}

// A walk reads a list of Stripe's from the oldest event to the newest. Lists begin with the newest, so it goes down to the
// end first and notes where each page begins. It holds the pages that it will need first; the others are read again on the
// way up, and they are the same, since new events only come before the first page, which is always held.
type walk struct {
	list  func(ctx context.Context, after string) ([]listed, bool, error)
	pages []leaf // those that are still to come, newest first
	ready []listed
}

// A leaf is a page of a walk.
type leaf struct {
	after  string
	events []listed // nil: to be read again
	size   int
}

func (w *walk) descend(ctx context.Context) error {
	after, held, dropped := "", 0, 1
	for {
		events, more, err := w.list(ctx, after)
		if err != nil {
			return err
		}
		page := leaf{after: after, events: events}
		for _, e := range events {
			page.size += len(e.body)
		}
		w.pages = append(w.pages, page)
		for held += page.size; held > maxHeld && dropped < len(w.pages)-1; dropped++ {
			held -= w.pages[dropped].size
			w.pages[dropped].events = nil
		}
		if !more {
			return nil
		}
		after = events[len(events)-1].ID
	}
}

// peek returns the oldest event that is left, nil at the end.
func (w *walk) peek(ctx context.Context) (*listed, error) {
	for len(w.ready) == 0 && len(w.pages) > 0 {
		last := len(w.pages) - 1
		page := w.pages[last]
		if page.events == nil {
			var err error
			if page.events, _, err = w.list(ctx, page.after); err != nil {
				return nil, err
			}
		}
		w.pages, w.ready = w.pages[:last], slices.Clone(page.events)
		slices.Reverse(w.ready)
	}
	if len(w.ready) == 0 {
		return nil, nil //nolint:nilnil // the end is no error
	}
	return &w.ready[0], nil
}

// ascend takes the oldest events of all walks, at most limit, in the order in which Stripe created them.
func ascend(ctx context.Context, walks []*walk, limit int) (batch []listed, err error) {
	for len(batch) < limit {
		var from *walk
		var oldest *listed
		for _, w := range walks {
			e, err := w.peek(ctx)
			if err != nil {
				return nil, err
			}
			if e != nil && (oldest == nil || e.Created.Before(oldest.Created)) {
				from, oldest = w, e
			}
		}
		if oldest == nil {
			break
		}
		batch = append(batch, *oldest)
		from.ready = from.ready[1:]
	}
	return batch, nil
}

// pause waits, unless the context ends before.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
