package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"stripe-connector/internal/store"
	"stripe-connector/internal/store/portable"
)

const (
	maxBatch      = 512      // operations in one transaction
	maxBatchBytes = 16 << 20 // of event bodies in one transaction, so that nobody waits for a very long one
	foldAfter     = 256      // operations until a checkpoint
)

// An operation is one call that waits for the writer.
type operation struct {
	ctx      context.Context //nolint:containedctx // the writer must see whether the caller has gone
	doing    string
	needs    need
	size     int // bytes that it brings
	run      func(ctx context.Context, t *tx) error
	done     chan struct{}
	err      error
	panicked any
}

// A need says what has to have happened to an operation before its caller goes on.
type need uint8

const (
	synced  need = iota // it is on the disk, and outlives a power failure
	written             // it outlives the process; a power failure of these seconds may take it back
	nothing             // it changes the lanes alone
)

// tx is what an operation works on. It must reach the lanes through change and its like, which can be undone.
type tx struct {
	portable.Querier
	lanes   *lanes
	arrival *arrival // of this transaction; nil where nothing is stored
	now     time.Time
	wake    bool     // something may be due earlier than was foretold
	undo    []func() // takes back the changes to lanes, last first
}

func (t *tx) takeBack() {
	for _, undo := range slices.Backward(t.undo) {
		undo()
	}
	t.undo = nil
}

// write has the writer run an operation and waits until it is synced. Cancelling ctx has an effect only until the
// writer takes the operation: from then on it is a matter of milliseconds, and the caller learns how it ended.
func (s *Store) write(ctx context.Context, doing string, size int, run func(ctx context.Context, t *tx) error) error {
	return s.hand(ctx, &operation{doing: doing, size: size, run: run})
}

// hand gives the writer an operation and waits until it is done.
func (s *Store) hand(ctx context.Context, o *operation) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", o.doing, err)
	}
	o.ctx, o.done = ctx, make(chan struct{})
	select {
	case s.ops <- o:
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", o.doing, ctx.Err())
	case <-s.closing:
		return fmt.Errorf("%s: %w", o.doing, s.closed())
	}
	<-o.done
	if o.panicked != nil {
		panic(o.panicked)
	}
	return s.failure(context.WithoutCancel(ctx), o.doing, o.err)
}

// ask is write for an operation with a result.
func ask[T any](ctx context.Context, s *Store, doing string, run func(ctx context.Context, t *tx) (T, error)) (T, error) {
	var result T
	err := s.write(ctx, doing, 0, func(ctx context.Context, t *tx) (err error) {
		result, err = run(ctx, t)
		return err
	})
	if err != nil {
		var none T
		return none, err
	}
	return result, nil
}

// The writer is the only one who writes, and the only one who sees the lanes.
type writer struct {
	store *Store
	q     portable.Querier
	lanes *lanes
	lazy  bool // what is committed is written, not synced
	since int  // operations since the last checkpoint was asked for
}

func (w *writer) run() {
	defer close(w.store.stopped)
	for {
		select {
		case first := <-w.store.ops:
			batch := w.gather(first)
			stored := slices.DeleteFunc(batch, func(o *operation) bool { return o.needs == nothing && w.serve(o) })
			if len(stored) > 0 {
				w.commit(stored)
			}
		case <-w.store.closing:
			w.settle()
			return
		}
	}
}

// gather takes whatever waits by now.
func (w *writer) gather(first *operation) []*operation {
	batch := []*operation{first}
	for size := first.size; len(batch) < maxBatch && size < maxBatchBytes; {
		select {
		case o := <-w.store.ops:
			batch = append(batch, o)
			size += o.size
		default:
			return batch
		}
	}
	return batch
}

// serve runs an operation that needs nothing stored, on what is committed, and answers its caller at once.
func (w *writer) serve(o *operation) bool {
	ctx := context.Background()
	if o.err = o.ctx.Err(); o.err == nil {
		t := &tx{Querier: w.q, lanes: w.lanes, now: w.store.now()}
		if o.err = runSafely(ctx, t, o); o.err != nil {
			t.takeBack()
		}
	}
	w.store.backlog.set(w.lanes.total)
	close(o.done)
	return true
}

// commit runs a batch in one transaction and answers every caller. An operation that fails takes only itself back; when the
// transaction fails, all of them have failed.
func (w *writer) commit(batch []*operation) {
	ctx := context.Background() // half a batch must not end because one caller left
	ended := func() {}
	if begun := w.store.begun.Load(); begun != nil {
		ended = (*begun)(len(batch))
	}
	wake, err := w.transaction(ctx, batch, w.plainly)
	if errors.Is(err, errRefused) {
		wake, err = w.transaction(ctx, batch, w.carefully)
	}
	if w.since += len(batch); w.since >= foldAfter {
		w.since = 0
		w.lanes.total.Bytes = w.store.size()
		select {
		case w.store.grown <- struct{}{}:
		default: // one is about to be made
		}
	}
	ended()
	if err != nil {
		err = fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	w.store.backlog.set(w.lanes.total)
	w.store.fresh.Store(int64(len(w.lanes.fresh)))
	for _, o := range batch {
		if o.err == nil {
			o.err = err
		}
		close(o.done)
	}
	if err == nil && wake {
		select {
		case w.store.wake <- struct{}{}:
		default: // one is on its way already
		}
	}
}

// settle leaves nothing fresh behind. If that fails the next Open makes up for it.
func (w *writer) settle() {
	if len(w.lanes.fresh) > 0 {
		w.commit([]*operation{{
			ctx: context.Background(), doing: "settling", done: make(chan struct{}),
			run: func(ctx context.Context, t *tx) error { return t.settleAll(ctx) },
		}})
	}
}

// errRefused ends a transaction in which an operation failed.
var errRefused = errors.New("an operation was refused")

// transaction runs operations, each by run, and takes all of them back if it fails.
func (w *writer) transaction(ctx context.Context, batch []*operation, run func(context.Context, *tx, *operation) error) (wake bool, err error) {
	if err := w.setSync(ctx, batch); err != nil {
		return false, err
	}
	if _, err := w.q.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return false, err
	}
	t := &tx{Querier: w.q, lanes: w.lanes, arrival: &arrival{number: never}}
	for _, o := range batch {
		if o.err = o.ctx.Err(); o.err != nil {
			continue
		}
		if err = run(ctx, t, o); err != nil {
			break
		}
	}
	if err == nil {
		err = t.keep(ctx)
	}
	if err == nil {
		_, err = w.q.ExecContext(ctx, "COMMIT")
	}
	if err == nil {
		w.lanes.tidy(t.arrival)
	} else {
		t.takeBack()
		if _, rollback := w.q.ExecContext(ctx, "ROLLBACK"); rollback != nil && !broken(err) {
			err = errors.Join(err, rollback)
		}
	}
	return t.wake, err
}

// setSync has the next commit do what the neediest of a batch asks for. A commit that is synced takes those before it along.
func (w *writer) setSync(ctx context.Context, batch []*operation) error {
	lazy := !slices.ContainsFunc(batch, func(o *operation) bool { return o.needs == synced })
	if lazy == w.lazy {
		return nil
	}
	pragma := "PRAGMA synchronous = FULL"
	if lazy {
		pragma = "PRAGMA synchronous = NORMAL"
	}
	if _, err := w.q.ExecContext(ctx, pragma); err != nil {
		return err
	}
	w.lazy = lazy
	return nil
}

// plainly runs one operation. Most do not fail, and marking where each begins costs more than running the batch again
// when one does.
func (w *writer) plainly(ctx context.Context, t *tx, o *operation) error {
	t.now = w.store.now()
	err := runSafely(ctx, t, o)
	if err != nil && !broken(err) {
		return errRefused
	}
	return err
}

// carefully runs one operation so that its failure, kept in the operation, leaves no trace. The error that it returns is
// the transaction's.
func (w *writer) carefully(ctx context.Context, t *tx, o *operation) error {
	if _, err := w.q.ExecContext(ctx, "SAVEPOINT operation"); err != nil {
		return err
	}
	t.now = w.store.now()
	own := &tx{Querier: t.Querier, lanes: t.lanes, arrival: t.arrival, now: t.now}
	o.err = runSafely(ctx, own, o)
	if o.err != nil {
		own.takeBack()
		if broken(o.err) {
			err := o.err
			o.err = nil // what is reported is that nothing was stored
			return err
		}
		if _, err := w.q.ExecContext(ctx, "ROLLBACK TO operation"); err != nil {
			return err
		}
	} else {
		t.undo = append(t.undo, own.undo...)
		t.wake = t.wake || own.wake
	}
	_, err := w.q.ExecContext(ctx, "RELEASE operation")
	return err
}

// runSafely turns a panic, which only a caller's change function can raise, into that caller's own.
func runSafely(ctx context.Context, t *tx, o *operation) (err error) {
	o.panicked = nil
	defer func() {
		if p := recover(); p != nil {
			o.panicked, err = p, errors.New("the operation panicked")
		}
	}()
	return o.run(ctx, t)
}
