package webhooks

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"stripe-connector/internal/store"
)

const (
	// maxOut, maxAhead and maxOutBytes bound what is attempted, waits and is under way for all webhooks together, however long the
	// backlog.
	maxOut      = 4096
	maxAhead    = 8192
	maxOutBytes = 256 << 20

	// claimBatch and finishBatch bound one call to the store.
	claimBatch  = 512
	finishBatch = 512

	// linger is how long an outcome waits for others to be noted with. The deliveries of one event end together, and each
	// note costs the store a commit that events coming in wait for.
	linger = 2 * time.Millisecond

	// leaseMargin is what a lease has over the time-out of a delivery: for the way from the claim to the dial, and for the
	// outcome's way into the store.
	leaseMargin = 30 * time.Second

	// claimAnyway is the longest that we trust the store's word that nothing is due.
	claimAnyway = time.Minute

	// flushTime is how long a shutdown waits for the store to take the last outcomes.
	flushTime = 2 * time.Second

	// A store that fails is asked again after these waits, each twice the one before.
	minStoreWait = 50 * time.Millisecond
	maxStoreWait = 5 * time.Second
)

// DispatcherConfig is what a Dispatcher works with. All fields are needed but Random, Observe, Tracer, Guard and Grace.
type DispatcherConfig struct {
	Store     DispatcherStore
	Secrets   Opener
	Deliverer *Deliverer
	Schedule  Schedule
	Grace     time.Duration                   // how long a shutdown lets attempts finish; then they are cut and their deliveries released
	Now       func() time.Time                //
	Random    func() float64                  // in [0, 1), for jitter; nil: a good one
	Observe   func(store.Work, store.Outcome) // is told of every attempt, at once; nil: nobody is
	Tracer    Tracer                          // follows; nil: nobody does
	Guard     *Guard                          // judges the subscribers; nil: nobody does
	Log       zerolog.Logger
}

// DispatcherStore is what a Dispatcher asks of the store.
type DispatcherStore interface {
	store.Queue
	UpdateWebhook(ctx context.Context, workspace, id string, change func(*store.Webhook) error) (store.Webhook, error)
}

// A Dispatcher claims due deliveries, has each attempted, and takes the outcomes back to the store. No webhook has more than
// laneWidth attempts under way, and the store claims no more than that for one whose subscriber is slow, so one that hangs
// takes no room from the others. What there is no room for stays in the store.
type Dispatcher struct {
	DispatcherConfig

	outcomes chan finished
	freed    chan struct{} // one token: there is room again

	ctx context.Context // of the attempts
	cut context.CancelFunc

	mu       sync.Mutex
	running  bool
	attempts sync.WaitGroup   // begun only while running
	lanes    map[string]*lane // by webhook: those of which something is claimed and not attempted to the end, and those that are slow
	slow     []string         // webhooks, sorted; replaced rather than changed
	narrow   []*lane          // to be widened once there is room
	ahead    int              // deliveries that wait in lanes
	out      int              // others that are claimed and whose outcome the store does not have yet
	outBytes int64            // of the events of both
}

// finished is an outcome on its way to the store, with the room that it gives back.
type finished struct {
	outcome store.Outcome
	bytes   int64
}

// NewDispatcher makes a Dispatcher that does nothing until Run.
func NewDispatcher(cfg DispatcherConfig) *Dispatcher {
	if cfg.Random == nil {
		cfg.Random = rand.Float64
	}
	if cfg.Tracer == nil {
		cfg.Tracer = untraced{}
	}
	ctx, cut := context.WithCancel(context.Background())
	return &Dispatcher{
		DispatcherConfig: cfg, outcomes: make(chan finished, finishBatch), freed: make(chan struct{}, 1), lanes: make(map[string]*lane),
		ctx: ctx, cut: cut,
	}
}

// Run dispatches until the context is done, and then shuts down: it claims nothing more, lets what is under way finish
// for as long as Grace, cuts and releases the rest, and returns when the store has all outcomes or has refused them for
// flushTime. What is lost then is attempted again after its lease. Run once.
func (d *Dispatcher) Run(ctx context.Context) {
	defer d.cut()
	flush, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()

	flushed := make(chan struct{})
	go func() {
		defer close(flushed)
		d.finish(flush)
	}()

	d.mu.Lock()
	d.running = true
	d.mu.Unlock()
	d.claim(ctx)
	d.end()

	grace := time.AfterFunc(d.Grace, d.cut)
	defer grace.Stop()
	// If the store is away, attempts wait to hand in their outcomes, and the flush has to end first.
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.attempts.Wait()
		close(d.outcomes)
	}()
	select {
	case <-done:
	case <-d.ctx.Done():
	}
	last := time.AfterFunc(flushTime, giveUp)
	defer last.Stop()
	<-done
	<-flushed
}

// end has nothing begin any more: nothing waits in a lane from here on.
func (d *Dispatcher) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range d.lanes {
		d.recall(l)
	}
	d.running = false
}

// Lease is what may be claimed now; nothing when we are full or not running. The fuller we are, the narrower the lanes, so
// that many subscribers that hang together still leave room for the others.
func (d *Dispatcher) Lease() store.Lease {
	lease, _ := d.room()
	return lease
}

func (d *Dispatcher) room() (store.Lease, int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	room := maxOut - d.out
	if !d.running || room <= 0 || d.outBytes >= maxOutBytes {
		return store.Lease{}, 0
	}
	return store.Lease{
		PerWebhook: d.width() + laneAhead*max(0, maxAhead-d.ahead)/maxAhead, PerSlow: d.width(), Slow: d.slow,
		For: d.Deliverer.timeout + leaseMargin,
	}, min(room, claimBatch)
}

// Take attempts work that was claimed with Lease not long before. It does not wait for it. When the dispatcher no longer
// runs it releases the work.
func (d *Dispatcher) Take(ctx context.Context, work []store.Work) {
	if len(work) == 0 || d.begin(work, d.Now()) {
		return
	}
	outcomes := make([]store.Outcome, len(work))
	for i, w := range work {
		outcomes[i] = released(w)
	}
	if err := d.Store.Finish(ctx, outcomes); err != nil {
		d.Log.Warn().Err(err).Int("deliveries", len(work)).Msg("releasing deliveries; they are tried again after their lease")
	}
}

// claim takes what is due until the context is done. Between claims it sleeps until the store wakes it, until the time that
// the store foretold, or, when it is full, until there is room.
func (d *Dispatcher) claim(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var trouble backoff
	for ctx.Err() == nil {
		lease, limit := d.room()
		if limit == 0 {
			select {
			case <-ctx.Done():
			case <-d.freed:
			}
			continue
		}
		at := d.Now()
		got, err := d.claimNow(ctx, lease, limit)
		if err != nil {
			if ctx.Err() == nil {
				trouble.log(d.Log, err, "claiming deliveries")
				trouble.sleep(ctx)
			}
			continue
		}
		trouble.reset()
		d.begin(got.Work, at)
		if got.Next == 0 && len(got.Work) > 0 {
			continue
		}
		wait := claimAnyway
		if got.Next >= 0 {
			// At least a moment: a store that foretells "now" without giving anything must not make us spin.
			wait = min(max(got.Next, time.Millisecond), claimAnyway)
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
		case <-d.Store.Wake():
		case <-timer.C:
		}
	}
}

// claimNow does not stop with the context: what is claimed and not handed over would be out until its lease ends.
func (d *Dispatcher) claimNow(ctx context.Context, lease store.Lease, limit int) (store.Claimed, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
	defer cancel()
	return d.Store.Claim(ctx, lease, limit)
}

// finish takes outcomes to the store, as many at once as are waiting, until there are no more. A batch that the store
// refuses is offered again until it is taken or the context is done; meanwhile its room stays taken.
func (d *Dispatcher) finish(ctx context.Context) {
	for first := range d.outcomes {
		batch, bytes := d.collect(first)
		var trouble backoff
		for {
			err := d.Store.Finish(ctx, batch)
			if err == nil {
				break
			}
			if ctx.Err() != nil {
				d.Log.Error().Err(err).Int("deliveries", len(batch)).
					Msg("noting outcomes; these deliveries are tried again after their lease")
				break
			}
			trouble.log(d.Log, err, "noting outcomes")
			trouble.sleep(ctx)
		}
		d.mu.Lock()
		d.out -= len(batch)
		d.outBytes -= bytes
		d.widenNarrow()
		d.mu.Unlock()
		select {
		case d.freed <- struct{}{}:
		default:
		}
	}
}

// collect adds the outcomes that come until linger is over or nothing is under way any more.
func (d *Dispatcher) collect(first finished) (batch []store.Outcome, bytes int64) {
	batch, bytes = append(batch, first.outcome), first.bytes
	late := time.NewTimer(linger)
	defer late.Stop()
	for len(batch) < finishBatch && d.more(len(batch)) {
		select {
		case f, more := <-d.outcomes:
			if !more {
				return batch, bytes
			}
			batch, bytes = append(batch, f.outcome), bytes+f.bytes
		case <-late.C:
			return batch, bytes
		}
	}
	return batch, bytes
}

// more reports whether attempts are under way beside those that ended and whose outcomes are in hand.
func (d *Dispatcher) more(inHand int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.out > inHand
}

// attempt makes one attempt and judges it. If it was cut by a shutdown, or could outlive its lease, nothing is noted but
// the release: whether the subscriber has the event is not known, and it will know the second one by its webhook-id.
func (d *Dispatcher) attempt(ctx context.Context, w store.Work, claimed time.Time) store.Outcome {
	o := released(w)
	if ctx.Err() != nil || d.Now().Sub(claimed) > leaseMargin/2 {
		return o
	}
	traceparent, done := d.Tracer.Attempt(ctx, w)
	defer func() { done(o) }()
	secrets, err := openLive(d.Secrets, w.Webhook.ID, store.PurposeWebhook, w.Webhook.Secrets, d.Now())
	var a answer
	if err != nil {
		d.Log.Error().Err(err).Str("webhook", w.Webhook.ID).Msg("cannot sign")
		a = answer{Verdict: verdictRetry, Phase: phaseSign, Failure: "the signing secret cannot be opened", At: d.Now()}
	} else {
		a = d.Deliverer.deliver(ctx, message{
			EventID: w.Event.ID, Account: w.Event.Account, Target: w.Webhook.URL, Body: w.Event.Body, Secrets: secrets,
			Traceparent: traceparent,
		})
	}
	if ctx.Err() != nil && a.Verdict == verdictRetry {
		return o
	}
	o.Attempt = &store.Attempt{
		At: a.At, Duration: a.Duration, Status: a.Status, Answer: a.Body, Phase: a.Phase, Error: a.Failure,
	}
	d.judge(ctx, w, a, &o)
	if d.Guard != nil {
		d.Guard.attempted(ctx, w.Webhook, &o)
	}
	if d.Observe != nil {
		d.Observe(w, o)
	}
	d.Log.Debug().Str("webhook", w.Webhook.ID).Str("event", w.Event.ID).Str("delivery", o.Delivery).
		Int("status", a.Status).Str("error", a.Failure).Dur("took", a.Duration).Str("verdict", string(o.Verdict)).
		Msg("attempted a delivery")
	return o
}

// judge says what an answer means for the delivery, and for its webhook.
func (d *Dispatcher) judge(ctx context.Context, w store.Work, a answer, o *store.Outcome) {
	switch a.Verdict {
	case verdictDelivered:
		o.Verdict = store.VerdictDelivered
		return
	case verdictGone:
		err := d.disable(ctx, w.Webhook)
		if err == nil {
			o.Verdict, o.Reason = store.VerdictDead, reasonGone
			return
		}
		// Not disabled, so it will be told again.
		d.Log.Error().Err(err).Str("webhook", w.Webhook.ID).Msg("disabling a webhook")
	case verdictRetry:
	}

	if a.Status == http.StatusTooManyRequests || a.Status == http.StatusServiceUnavailable {
		o.Hold = a.RetryAfter // The subscriber speaks of itself, not of this event.
	}
	tries := w.Delivery.Tries + 1
	wait, more := d.Schedule.wait(tries, d.Random())
	if !more {
		o.Verdict, o.Reason = store.VerdictDead, fmt.Sprintf("all %d attempts failed", tries)
		d.Log.Warn().Str("webhook", w.Webhook.ID).Str("event", w.Event.ID).Int("status", a.Status).Str("error", a.Failure).
			Msg("gave a delivery up")
		return
	}
	o.Verdict, o.After = store.VerdictRetry, max(wait, a.RetryAfter)
}

// reasonGone is shown with the webhook and with the delivery.
const reasonGone = "the subscriber answered 410 Gone"

// errOtherTarget stops a change that was meant for what the webhook was before.
var errOtherTarget = errors.New("the webhook has another target by now")

func (d *Dispatcher) disable(ctx context.Context, w *store.Webhook) error {
	disabled := false
	changed, err := d.Store.UpdateWebhook(context.WithoutCancel(ctx), w.Workspace, w.ID, func(now *store.Webhook) error {
		if now.URL != w.URL {
			return errOtherTarget
		}
		disabled = now.State != store.WebhookDisabled
		now.State, now.Reason = store.WebhookDisabled, reasonGone
		return nil
	})
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, errOtherTarget):
		return nil
	case err != nil:
		return err
	}
	d.Recall(w.ID)
	if disabled {
		d.Log.Warn().Str("webhook", w.ID).Int("status", http.StatusGone).Msg("disabled a webhook")
		d.Guard.tell(TypeDisabled, &changed)
	}
	return nil
}

// A backoff spaces out calls to a store that fails, and logs the first failure of a row and then every further one that
// had to wait for maxStoreWait.
type backoff struct{ wait time.Duration }

func (b *backoff) reset() { b.wait = 0 }

func (b *backoff) log(log zerolog.Logger, err error, doing string) {
	if b.wait == 0 || b.wait == maxStoreWait {
		log.Error().Err(err).Msg(doing + " failed, trying again")
	}
}

func (b *backoff) sleep(ctx context.Context) {
	b.wait = min(max(2*b.wait, minStoreWait), maxStoreWait)
	timer := time.NewTimer(b.wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
