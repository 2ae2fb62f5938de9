package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"stripe-connector/internal/store"
	"stripe-connector/internal/store/portable"
	"stripe-connector/internal/store/storetest"
)

func open(tb testing.TB, path string) *Store {
	tb.Helper()
	s, err := Open(context.Background(), path, time.Now)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

func file(tb testing.TB) string {
	tb.Helper()
	return filepath.Join(tb.TempDir(), "data", "connector.db")
}

// TestConformance also explains every statement that the suite has run: each must find its rows by an index.
func TestConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store {
		t.Helper()
		s := open(t, file(t))
		t.Cleanup(func() { explain(t, s) })
		return s
	})
}

// whole lists what reads a whole table or index by design: at start, for the reconciler, or because the table is tiny.
var whole = []string{
	"FROM goose_db_version", "FROM workspaces ORDER BY id", "FROM workspaces w) AS sums", "SELECT 1 FROM tokens)", "FROM endpoints ORDER BY created, id",
	"FROM webhooks WHERE detached = 0 ORDER BY created, id", "WHERE state = 'pending' GROUP BY webhook", "FROM arrivals ORDER BY id",
}

// sorted lists what may sort because it is bounded otherwise: by the webhooks of one endpoint, the arrivals or the deliveries
// of one event, the events about one object, or a page of each state.
var sorted = []string{
	"detached = 0 UNION SELECT", "WHERE workspace = $1 AND id = $2 ORDER BY received", "AND event = $2",
	"WITH about AS", "AS part UNION ALL",
}

func explain(t *testing.T, s *Store) {
	t.Helper()
	var statements []string
	collect := func(q portable.Querier) {
		p, ok := q.(*prepared)
		if !ok {
			t.Fatalf("statements run on a %T", q)
		}
		for text := range p.statements {
			statements = append(statements, text)
		}
	}
	err := s.write(context.Background(), "looking", 0, func(_ context.Context, tx *tx) error {
		collect(tx.Querier)
		return nil
	})
	if errors.Is(err, store.ErrUnavailable) {
		return // the test was about closing
	}
	if err != nil {
		t.Fatal(err)
	}
	collect(s.reads)
	contains := func(text string) func(string) bool {
		return func(part string) bool { return strings.Contains(text, part) }
	}
	for _, text := range statements {
		verb, _, _ := strings.Cut(text, " ")
		if !slices.Contains([]string{"SELECT", "UPDATE", "DELETE", "INSERT", "WITH"}, verb) {
			continue
		}
		for _, step := range plan(t, s, text) {
			if strings.HasPrefix(step, "SCAN") && !strings.HasPrefix(step, "SCAN (subquery") &&
				!strings.HasPrefix(step, "SCAN CONSTANT ROW") && !slices.Contains([]string{"SCAN counted", "SCAN about", "SCAN part"}, step) && !slices.ContainsFunc(whole, contains(text)) {
				t.Errorf("%s\n\tfinds its rows by %s", text, step)
			}
			if strings.Contains(step, "TEMP B-TREE") && !slices.ContainsFunc(sorted, contains(text)) &&
				!slices.ContainsFunc(whole, contains(text)) {
				t.Errorf("%s\n\tsorts by %s", text, step)
			}
		}
	}
}

// Every filter of a list finds its rows by the index that was made for it.
func TestIndexes(t *testing.T) {
	t.Parallel()
	s := open(t, file(t))
	some := time.Unix(1, 0)
	uses := func(filter any, want []string, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		var found []string
		for text := range s.reads.statements {
			for _, step := range plan(t, s, text) {
				if _, index, ok := strings.Cut(step, " INDEX "); ok && !slices.Contains(found, index) {
					found = append(found, index)
				}
			}
		}
		slices.Sort(found)
		if !slices.Equal(found, want) {
			t.Errorf("%+v: got %v, want %v", filter, found, want)
		}
		s.reads.statements = nil
	}
	s.reads.statements = nil
	const byState, ofWebhook = "deliveries_state (workspace=? AND state=?)", "deliveries_done (webhook=? AND state=?)"
	const waiting = "deliveries_waiting (webhook=?)"
	for _, c := range []struct {
		filter store.DeliveryFilter
		want   []string
	}{
		{store.DeliveryFilter{}, []string{byState}},
		{store.DeliveryFilter{From: some, To: some}, []string{"deliveries_state (workspace=? AND state=? AND created>? AND created<?)"}},
		{store.DeliveryFilter{State: store.DeliveryPending}, []string{byState}},
		{store.DeliveryFilter{State: store.DeliveryDead}, []string{byState}},
		{store.DeliveryFilter{State: store.DeliveryDead, Type: "t"}, []string{byState}},
		{store.DeliveryFilter{Type: "t"}, []string{"deliveries_type (workspace=? AND type=?)"}},
		{store.DeliveryFilter{Webhook: "w"}, []string{ofWebhook, waiting}},
		{store.DeliveryFilter{Webhook: "w", Type: "t"}, []string{ofWebhook, waiting}},
		{store.DeliveryFilter{Webhook: "w", State: store.DeliveryPending}, []string{waiting}},
		{store.DeliveryFilter{Webhook: "w", State: store.DeliveryDelivered, Type: "t"}, []string{ofWebhook}},
		{store.DeliveryFilter{Event: "e"}, []string{"deliveries_same (event=?)"}},
		{store.DeliveryFilter{Event: "e", Webhook: "w", State: store.DeliveryDead}, []string{"deliveries_same (event=?)"}},
		{store.DeliveryFilter{Object: "o"}, []string{"deliveries_same (event=? AND endpoint=?)", "events_object (workspace=? AND object=?)"}},
	} {
		_, err := s.Deliveries(t.Context(), "a", c.filter, store.Page{})
		uses(c.filter, c.want, err)
	}
	_, err := s.CountDead(t.Context(), 10)
	uses("dead ones", []string{byState, "sqlite_autoindex_workspaces_1"}, err)
	for _, c := range []struct {
		filter store.EventFilter
		want   []string
	}{
		{store.EventFilter{}, []string{"events_list (workspace=?)"}},
		{store.EventFilter{From: some}, []string{"events_list (workspace=? AND created>?)"}},
		{store.EventFilter{Types: []string{"t"}}, []string{"events_type (workspace=? AND type=?)"}},
		{store.EventFilter{Object: "o"}, []string{"events_object (workspace=? AND object=?)"}},
		{store.EventFilter{Object: "o", Types: []string{"t"}}, []string{"events_object (workspace=? AND object=?)"}},
		{store.EventFilter{Endpoint: "e"}, []string{"events_endpoint (endpoint=?)"}},
	} {
		_, err := s.Events(t.Context(), "a", c.filter, store.Page{})
		uses(c.filter, c.want, err)
	}
}

// After a clean stop all is in the one file, so that whoever copies it then loses nothing.
func TestCloseLeavesOneFile(t *testing.T) {
	t.Parallel()
	path := file(t)
	s, err := Open(t.Context(), path, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CreateConnection(t.Context(), store.Connection{ID: "conn_1", Workspace: "a", Key: []byte("k")}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Connections(t.Context(), "a", store.Page{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the log is still there: %v", err)
	}
}

// plan returns the steps by which SQLite means to run a statement.
func plan(t *testing.T, s *Store, text string) (steps []string) {
	t.Helper()
	rows, err := s.readDB.QueryContext(context.Background(), "EXPLAIN QUERY PLAN "+text, make([]any, strings.Count(text, "$"))...)
	if err != nil {
		t.Fatalf("explaining %s: %v", text, err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return steps
}

func TestSecondProcess(t *testing.T) {
	t.Parallel()
	path := file(t)
	s := open(t, path)
	_, err := Open(t.Context(), path, time.Now)
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), fmt.Sprintf("pid %d", os.Getpid())) {
		t.Errorf("got error %v, want one that names %s and the process", err, path)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, path)
}

// TestDurability: what is acknowledged is on the disk (https://www.sqlite.org/pragma.html#pragma_synchronous), also right
// after an outcome, which alone need not be.
func TestDurability(t *testing.T) {
	t.Parallel()
	s := open(t, file(t))
	const full, normal = 2, 1
	for i, turn := range []struct {
		needs need
		want  int
	}{{synced, full}, {written, normal}, {written, normal}, {synced, full}, {synced, full}} {
		var journal string
		var synchronous int
		err := s.hand(t.Context(), &operation{doing: "looking", needs: turn.needs, run: func(ctx context.Context, tx *tx) error {
			return errors.Join(
				tx.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&journal),
				tx.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&synchronous),
			)
		}})
		if err != nil || journal != "wal" || synchronous != turn.want {
			t.Errorf("turn %d: got journal_mode %s and synchronous %d, %v, want wal and %d", i, journal, synchronous, err, turn.want)
		}
	}
	if _, err := s.readDB.ExecContext(t.Context(), "DELETE FROM events"); err == nil {
		t.Error("the readers can write")
	}
}

func TestFilesArePrivate(t *testing.T) {
	t.Parallel()
	path := file(t)
	s := open(t, path)
	fill(t, s, 1)
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != 0o600 {
			t.Errorf("%s has mode %o, want 600", filepath.Base(path)+suffix, got)
		}
	}
}

// A pool to send events to.
func line(tb testing.TB, s *Store, webhooks int) store.Endpoint {
	tb.Helper()
	ctx := context.Background()
	c := store.Connection{ID: store.NewID(store.PrefixConnection, s.now()), Workspace: "w", Key: []byte("k"), Created: s.now()}
	if err := s.CreateConnection(ctx, c); err != nil {
		tb.Fatal(err)
	}
	e, err := s.EnsureEndpoint(ctx, store.Endpoint{
		ID: store.NewID(store.PrefixEndpoint, s.now()), Workspace: "w", Connection: c.ID, State: store.EndpointEnabled,
	})
	if err != nil {
		tb.Fatal(err)
	}
	for i := range webhooks {
		_, _, err := s.CreateWebhook(ctx, store.Webhook{
			ID: store.NewID(store.PrefixWebhook, s.now()), Workspace: "w", Connection: c.ID, Endpoint: e.ID,
			URL: fmt.Sprint("https://example.com/", i), EventTypes: []string{"*"}, State: store.WebhookActive,
		})
		if err != nil {
			tb.Fatal(err)
		}
	}
	return e
}

func event(e store.Endpoint, n, size int) store.NewEvent {
	return store.NewEvent{
		Endpoint: e.ID, ID: fmt.Sprintf("evt_%09d", n), Type: "customer.created", Body: make([]byte, size),
		Created: time.Unix(1_800_000_000, 0), Source: store.SourceWebhook,
	}
}

func fill(tb testing.TB, s *Store, n int) store.Endpoint {
	tb.Helper()
	e := line(tb, s, 1)
	for i := range n {
		if _, err := s.Ingest(context.Background(), []store.NewEvent{event(e, i, 10)}, store.Lease{}); err != nil {
			tb.Fatal(err)
		}
	}
	return e
}

var lease = store.Lease{PerWebhook: 100, For: time.Hour}

// TestReopen: what was acknowledged is there, claimed deliveries are due again, and the counts are right.
func TestReopen(t *testing.T) {
	t.Parallel()
	path := file(t)
	s := open(t, path)
	fill(t, s, 5)
	claimed, err := s.Claim(t.Context(), lease, 3)
	if err != nil {
		t.Fatal(err)
	}
	w := claimed.Work[0].Delivery
	err = s.Finish(t.Context(), []store.Outcome{{Delivery: w.ID, Lease: w.NextAt, Verdict: store.VerdictDelivered}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	b, err := s.Backlog(t.Context())
	if err != nil || b.Pending != 4 || b.Out != 0 || b.Bytes == 0 {
		t.Errorf("got backlog %+v, %v, want 4 pending, none out", b, err)
	}
	claimed, err = s.Claim(t.Context(), lease, 100)
	if err != nil || len(claimed.Work) != 4 {
		t.Errorf("claimed %d, %v, want 4", len(claimed.Work), err)
	}
}

// killed copies the files of a store that is in use, as a kill would leave them.
func killed(tb testing.TB, path string) (left string) {
	tb.Helper()
	left = filepath.Join(tb.TempDir(), "connector.db")
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(path + suffix)
		if err == nil {
			err = os.WriteFile(left+suffix, b, 0o600)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	return left
}

// TestCrash: what was acknowledged outlives a kill.
func TestCrash(t *testing.T) {
	t.Parallel()
	path := file(t)
	s := open(t, path)
	fill(t, s, 20)
	claimed, err := open(t, killed(t, path)).Claim(t.Context(), lease, 100)
	if err != nil || len(claimed.Work) != 20 {
		t.Errorf("claimed %d, %v, want 20", len(claimed.Work), err)
	}
}

func exec(tb testing.TB, s *Store, statement string) {
	tb.Helper()
	err := s.write(context.Background(), "setting", 0, func(ctx context.Context, tx *tx) error {
		_, err := tx.ExecContext(ctx, statement)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	s := open(t, file(t))
	e := fill(t, s, 3)
	exec(t, s, "PRAGMA max_page_count = 100")
	claimed, err := s.Claim(t.Context(), lease, 2)
	if err != nil {
		t.Fatal(err)
	}
	stored, failed := 3, 0
	for i := 100; failed < 3; i++ {
		if i > 200 {
			t.Fatal("the disk does not fill up")
		}
		_, err := s.Ingest(t.Context(), []store.NewEvent{event(e, i, 20_000)}, lease)
		switch {
		case err == nil:
			stored++
		case errors.Is(err, store.ErrUnavailable):
			failed++
		default:
			t.Fatalf("got error %v, want %v", err, store.ErrUnavailable)
		}
	}
	if l, err := s.Events(t.Context(), "w", store.EventFilter{}, store.Page{}); err != nil || len(l.Data) != stored {
		t.Errorf("while full: %d events, %v, want %d", len(l.Data), err, stored)
	}
	exec(t, s, "PRAGMA max_page_count = 1000000")
	w := claimed.Work[0].Delivery
	err = s.Finish(t.Context(), []store.Outcome{{Delivery: w.ID, Lease: w.NextAt, Verdict: store.VerdictDelivered}})
	if err != nil {
		t.Errorf("finishing after it: %v", err)
	}
	got, err := s.Ingest(t.Context(), []store.NewEvent{event(e, 999, 20_000)}, lease)
	if err != nil || !got[0].New {
		t.Errorf("ingesting after it: %+v, %v", got, err)
	}
	if b, err := s.Backlog(t.Context()); err != nil || b.Pending != stored {
		t.Errorf("got backlog %+v, %v, want %d pending", b, err, stored)
	}
}

// A faultyDisk cannot commit.
type faultyDisk struct {
	portable.Querier
}

var errFault = errors.New("input/output error")

func (d faultyDisk) PrepareContext(context.Context, string) (*sql.Stmt, error) { return nil, errFault }

func (d faultyDisk) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if query == "COMMIT" {
		return nil, errFault
	}
	return d.Querier.ExecContext(ctx, query, args...)
}

// TestFailedCommit: everyone in the batch is told, nothing is stored, and what was claimed before can still be finished.
func TestFailedCommit(t *testing.T) {
	t.Parallel()
	path := file(t)
	synctest.Test(t, func(t *testing.T) {
		s := open(t, path)
		e := fill(t, s, 4)
		claimed, err := s.Claim(t.Context(), lease, 2)
		if err != nil {
			t.Fatal(err)
		}
		w := claimed.Work[0].Delivery
		finish := func() error {
			return s.Finish(t.Context(), []store.Outcome{{
				Delivery: w.ID, Lease: w.NextAt, Verdict: store.VerdictDelivered, Attempt: &store.Attempt{At: s.now(), Status: 200},
			}})
		}
		calls := []func() error{
			finish,
			func() error { _, err := s.Ingest(t.Context(), []store.NewEvent{event(e, 77, 10)}, lease); return err },
			func() error { return s.DeleteWebhook(t.Context(), "w", w.Webhook) },
		}
		before, _ := s.Backlog(t.Context())

		var heal func()
		started, release := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		errs := make([]error, len(calls))
		wg.Go(func() {
			_ = s.write(context.Background(), "breaking", 0, func(_ context.Context, tx *tx) error {
				p, _ := tx.Querier.(*prepared)
				whole := p.on
				heal = func() { p.on = whole }
				p.on = faultyDisk{whole}
				p.statements = nil
				close(started)
				<-release
				return nil
			})
		})
		<-started
		for i, call := range calls {
			wg.Go(func() { errs[i] = call() })
		}
		synctest.Wait() // all of them wait for the writer now, so they share its transaction
		close(release)
		wg.Wait()
		for i, err := range errs {
			if !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("call %d: got error %v, want %v", i, err, store.ErrUnavailable)
			}
		}
		heal() // the writer is idle
		after, _ := s.Backlog(t.Context())
		if after.Pending != before.Pending || after.Out != before.Out {
			t.Errorf("got backlog %+v, want %+v", after, before)
		}
		if _, err := s.Event(t.Context(), "w", "evt_000000077"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the event: got error %v, want %v", err, store.ErrNotFound)
		}
		if err := finish(); err != nil {
			t.Fatal(err)
		}
		d, err := s.Delivery(t.Context(), "w", w.ID)
		if err != nil || d.State != store.DeliveryDelivered || d.Attempts != 1 {
			t.Errorf("the result put in again: got %+v, %v", d, err)
		}
		again, err := s.Claim(t.Context(), lease, 100)
		if err != nil || len(again.Work) != 2 {
			t.Errorf("claimed %d, %v, want the 2 that were not out", len(again.Work), err)
		}
	})
}

// TestBatchMates: of the operations in one transaction, those that fail do not touch the others.
func TestBatchMates(t *testing.T) {
	t.Parallel()
	path := file(t)
	synctest.Test(t, func(t *testing.T) {
		s := open(t, path)
		e := line(t, s, 1)
		started, release := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = s.write(context.Background(), "blocking", 0, func(context.Context, *tx) error {
				close(started)
				<-release
				return nil
			})
		})
		<-started
		left, cancel := context.WithCancel(t.Context())
		callers := []context.Context{t.Context(), left, left}
		errs := make([]error, 30)
		for i := range errs {
			wg.Go(func() {
				first, second := event(e, i, 10), event(e, 1000+i, 10)
				if i%3 == 1 {
					second.Endpoint = "ep_unknown" // after the first one was stored
				}
				_, errs[i] = s.Ingest(callers[i%3], []store.NewEvent{first, second}, lease)
			})
		}
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(release)
		wg.Wait()
		var got []error
		for i := range errs {
			for _, kind := range []error{nil, store.ErrNotFound, context.Canceled} {
				if errors.Is(errs[i], kind) {
					got = append(got, kind)
				}
			}
			if i%3 == 0 && errs[i] != nil || i%3 != 0 && errs[i] == nil {
				t.Errorf("operation %d: got error %v", i, errs[i])
			}
		}
		if len(got) != len(errs) {
			t.Errorf("got errors %v", errs)
		}
		l, err := s.Events(t.Context(), "w", store.EventFilter{}, store.Page{})
		if err != nil || len(l.Data) != 20 {
			t.Errorf("got %d events, %v, want 20", len(l.Data), err)
		}
		if b, _ := s.Backlog(t.Context()); b.Pending != 20 || b.Out != 20 {
			t.Errorf("got backlog %+v, want 20 out", b)
		}
	})
}

// TestReadsDoNotWait: a read ends while the writer is busy, and sees what was committed.
func TestReadsDoNotWait(t *testing.T) {
	t.Parallel()
	s := open(t, file(t))
	e := fill(t, s, 1)
	err := s.write(t.Context(), "blocking", 0, func(ctx context.Context, tx *tx) error {
		ev := store.Event{ID: "evt_open", Endpoint: e.ID, Workspace: "w", Body: []byte("x")}
		if _, err := portable.InsertEvent(ctx, tx, &ev); err != nil {
			return err
		}
		l, err := s.Events(ctx, "w", store.EventFilter{}, store.Page{})
		if err == nil && len(l.Data) != 1 {
			err = fmt.Errorf("got %d events, want the one that was committed", len(l.Data))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestUndo: the lanes after an operation that was taken back are those from before it.
func TestUndo(t *testing.T) {
	t.Parallel()
	s := open(t, file(t))
	e := fill(t, s, 3)
	other := line(t, s, 2)
	picture := func(ls *lanes) string {
		var b strings.Builder
		fmt.Fprintln(&b, ls.total, len(ls.fresh))
		for _, l := range ls.order {
			fmt.Fprintln(&b, l.webhook, l.gone, l.pending, len(l.out), len(l.fresh), l.due, l.held, ls.byID[l.webhook.ID] == l)
		}
		for _, id := range []string{e.ID, other.ID, "ep_new"} {
			if p := ls.pools[id]; p != nil {
				fmt.Fprintln(&b, id, len(p.lanes))
			}
		}
		return b.String()
	}
	var before, after string
	err := s.write(t.Context(), "trying", 0, func(ctx context.Context, outer *tx) error {
		before = picture(outer.lanes)
		tx := &tx{Querier: outer.Querier, lanes: outer.lanes, now: s.now()}
		if _, err := tx.claim(ctx, lease, 2); err != nil {
			return err
		}
		a, b := tx.lanes.pools[e.ID].lanes[0], tx.lanes.pools[other.ID].lanes[0]
		moved := *a.webhook
		moved.Endpoint, moved.State = other.ID, store.WebhookPaused
		tx.replace(a, moved)
		tx.queue(b, 7, s.now())
		tx.detach(b)
		tx.addPool("ep_new", "w")
		w := *b.webhook
		w.ID, w.Endpoint = "whk_new", "ep_new"
		tx.attach(w)
		tx.removePool(e.ID)
		if picture(tx.lanes) == before {
			t.Error("nothing happened")
		}
		tx.takeBack()
		after = picture(outer.lanes)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("lanes (-before +after):\n%s", diff)
	}
}

// BenchmarkIngest stores events with three deliveries each, one caller at a time and many at once.
func BenchmarkIngest(b *testing.B) {
	for _, callers := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprint("callers=", callers), func(b *testing.B) {
			s := open(b, file(b))
			e := line(b, s, 3)
			n, next := 0, make(chan int)
			var wg sync.WaitGroup
			for range callers {
				wg.Go(func() {
					for i := range next {
						if _, err := s.Ingest(context.Background(), []store.NewEvent{event(e, i, 2000)}, store.Lease{}); err != nil {
							b.Error(err)
						}
					}
				})
			}
			for b.Loop() {
				n++
				next <- n
			}
			close(next)
			wg.Wait()
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkClaim claims and finishes ten deliveries a time, while one webhook has a backlog of the given size.
func BenchmarkClaim(b *testing.B) {
	for _, backlog := range []int{0, 300_000} {
		b.Run(fmt.Sprint("backlog=", backlog), func(b *testing.B) {
			ctx := context.Background()
			s := open(b, file(b))
			e := line(b, s, 10)
			webhooks, err := s.Webhooks(ctx, "w", store.WebhookFilter{}, store.Page{})
			if err != nil {
				b.Fatal(err)
			}
			hanging := webhooks.Data[0].ID
			for i := 0; i < backlog; i += 1000 {
				batch := make([]store.NewEvent, 1000)
				for j := range batch {
					batch[j] = event(e, i+j, 100)
					batch[j].Webhook = hanging
				}
				if _, err := s.Ingest(ctx, batch, store.Lease{}); err != nil {
					b.Fatal(err)
				}
			}
			narrow := store.Lease{PerWebhook: 8, For: time.Hour}
			if _, err := s.Claim(ctx, narrow, 8); err != nil { // the hanging one's lane is full from now on
				b.Fatal(err)
			}
			n, done := backlog, 0
			for b.Loop() {
				b.StopTimer()
				n++
				if _, err := s.Ingest(ctx, []store.NewEvent{event(e, n, 2000)}, store.Lease{}); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				claimed, err := s.Claim(ctx, narrow, 10)
				if err != nil {
					b.Fatal(err)
				}
				outcomes := make([]store.Outcome, len(claimed.Work))
				for i, w := range claimed.Work {
					outcomes[i] = store.Outcome{
						Delivery: w.Delivery.ID, Lease: w.Delivery.NextAt, Verdict: store.VerdictDelivered,
						Attempt: &store.Attempt{At: s.now(), Status: 200, Answer: []byte("ok")},
					}
				}
				if err := s.Finish(ctx, outcomes); err != nil {
					b.Fatal(err)
				}
				done += len(outcomes)
			}
			b.ReportMetric(float64(done)/b.Elapsed().Seconds(), "deliveries/s")
		})
	}
}
