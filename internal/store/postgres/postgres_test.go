package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"

	"stripe-connector/internal/store"
	"stripe-connector/internal/store/portable"
	"stripe-connector/internal/store/postgres/pgtest"
	"stripe-connector/internal/store/storetest"
)

// server is for all tests; nil where PostgreSQL is missing.
var server *pgtest.Server

func TestMain(m *testing.M) {
	os.Exit(pgtest.Main(m, func(s *pgtest.Server) { server = s }))
}

// spare are the URLs of databases that tests have done with.
var spare = make(chan string, 100)

// database returns the URL of an empty store, which may have been another test's before: making one takes long.
func database(tb testing.TB) string {
	tb.Helper()
	var url string
	select {
	case url = <-spare:
	default:
		url = server.Database(tb)
		_, err := Migrate(context.Background(), url, zerolog.Nop())
		check(tb, err)
	}
	tb.Cleanup(func() {
		statements := []string{"DELETE FROM lanes", "DELETE FROM wishes"}
		for _, table := range portable.Tables() {
			statements = append(statements, "DELETE FROM "+table.Name)
		}
		check(tb, execute(url, strings.Join(statements, "; ")))
		spare <- url
	})
	return url
}

func execute(url, statements string) error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statements)
	return err
}

func open(tb testing.TB, url string) *Store {
	tb.Helper()
	s, err := Open(context.Background(), url, zerolog.Nop())
	check(tb, err)
	s.countNow = true
	tb.Cleanup(func() { check(tb, s.Close()) })
	return s
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// TestConformance also looks whether lanes and wishes agree with what they are made of.
func TestConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store {
		t.Helper()
		url := database(t)
		t.Cleanup(func() { consistent(t, url) })
		return open(t, url)
	})
}

// consistent looks for webhooks whose lane or wishes are wrong.
func consistent(t *testing.T, url string) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	check(t, err)
	defer conn.Close(ctx)
	for fault, query := range map[string]string{
		"attached without a lane, or with a wrong one": `SELECT w.id FROM webhooks w LEFT JOIN lanes l ON l.webhook = w.id
			WHERE w.detached = 0 AND l.open IS DISTINCT FROM (w.state IN ('active', 'failing'))`,
		"a lane that nobody is attached to": `SELECT webhook FROM lanes WHERE webhook NOT IN (SELECT id FROM webhooks WHERE detached = 0)`,
		"a lane that sleeps too long": `SELECT webhook FROM lanes l JOIN (SELECT webhook, MIN(next_at) AS first FROM deliveries
			WHERE state = 'pending' GROUP BY webhook) q USING (webhook) WHERE l.due > GREATEST(l.held, q.first, ` + clock + `)`,
		"wishes that differ": `WITH wanted AS (SELECT endpoint, json_array_elements_text(event_types::JSON) AS type, id FROM webhooks WHERE detached = 0)
			(SELECT id FROM wanted EXCEPT SELECT webhook FROM wishes) UNION (SELECT webhook FROM
			(SELECT endpoint, type, webhook FROM wishes EXCEPT SELECT * FROM wanted) AS more)`,
		"leased though not pending": `SELECT id FROM deliveries WHERE leased AND state <> 'pending' AND state <> 'skipped'`,
	} {
		rows, err := conn.Query(ctx, query)
		check(t, err)
		ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
		check(t, err)
		if len(ids) > 0 {
			t.Errorf("%s: %v", fault, ids)
		}
	}
}

func TestRefusedAtOnce(t *testing.T) {
	t.Parallel()
	known := database(t)
	tests := map[string]string{
		"bad URL":           "postgres://user:hunter2@host:port/db",
		"unknown database":  server.URL("nowhere"),
		"unknown user":      strings.Replace(known, "postgres@", "nobody@", 1),
		"unsupported value": known + "&default_transaction_isolation=odd",
	}
	for name, url := range tests {
		s, err := Open(t.Context(), url, zerolog.Nop())
		if err == nil {
			t.Errorf("%s: it was opened", name)
			check(t, s.Close())
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got error %v, want one without the password", name, err)
		}
	}
}

func TestOpenAtOnce(t *testing.T) {
	t.Parallel()
	url := server.Database(t)
	opened := make(chan error)
	for range 4 {
		go func() {
			s, err := Open(t.Context(), url, zerolog.Nop())
			if err == nil {
				err = s.Close()
			}
			opened <- err
		}()
	}
	for range 4 {
		if err := <-opened; err != nil {
			t.Error(err)
		}
	}
}

// A pool to send events to.
func line(tb testing.TB, s *Store, webhooks int) store.Endpoint {
	tb.Helper()
	ctx := context.Background()
	c := store.Connection{ID: store.NewID(store.PrefixConnection, time.Now()), Workspace: "w", Key: []byte("k"), Created: time.Now()}
	check(tb, s.CreateConnection(ctx, c))
	e, err := s.EnsureEndpoint(ctx, store.Endpoint{
		ID: store.NewID(store.PrefixEndpoint, time.Now()), Workspace: "w", Connection: c.ID, State: store.EndpointEnabled,
	})
	check(tb, err)
	for i := range webhooks {
		_, _, err := s.CreateWebhook(ctx, store.Webhook{
			ID: store.NewID(store.PrefixWebhook, time.Now()), Workspace: "w", Connection: c.ID, Endpoint: e.ID,
			URL: fmt.Sprint("https://example.com/", i), EventTypes: []string{"*"}, State: store.WebhookActive, Created: time.Now(),
		})
		check(tb, err)
	}
	return e
}

func event(e store.Endpoint, n int) store.NewEvent {
	return store.NewEvent{
		Endpoint: e.ID, ID: fmt.Sprintf("evt_%09d", n), Type: "customer.created", Body: []byte(`{"object":"event"}`),
		Created: time.Now().Add(time.Second), Source: store.SourceWebhook,
	}
}

var wide = store.Lease{PerWebhook: 1000, For: time.Hour}

// The bound of a lane holds over replicas, whether deliveries are born claimed or claimed later, all at the same time.
func TestBoundOverReplicas(t *testing.T) {
	t.Parallel()
	url := database(t)
	replicas := []*Store{open(t, url), open(t, url)}
	e := line(t, replicas[0], 3)
	narrow := store.Lease{PerWebhook: 4, For: time.Hour}
	var mu sync.Mutex
	out := make(map[string]int) // by webhook
	var wg sync.WaitGroup
	note := func(work []store.Work) {
		mu.Lock()
		defer mu.Unlock()
		for _, w := range work {
			out[w.Delivery.Webhook]++
		}
	}
	for i, s := range replicas {
		wg.Go(func() {
			for n := range 10 {
				got, err := s.Ingest(t.Context(), []store.NewEvent{event(e, 100*i+n)}, narrow)
				if err != nil {
					t.Error(err)
					return
				}
				note(got[0].Work)
			}
		})
		wg.Go(func() {
			for range 10 {
				got, err := s.Claim(t.Context(), narrow, 5)
				if err != nil {
					t.Error(err)
					return
				}
				note(got.Work)
			}
		})
	}
	wg.Wait()
	for _, s := range replicas { // what claims in the middle had to pass over
		got, err := s.Claim(t.Context(), narrow, 100)
		check(t, err)
		note(got.Work)
	}
	for webhook, n := range out {
		if n != narrow.PerWebhook {
			t.Errorf("%d deliveries of %s are out, want %d", n, webhook, narrow.PerWebhook)
		}
	}
	if len(out) != 3 {
		t.Errorf("deliveries of %d webhooks are out, want 3", len(out))
	}
	consistent(t, url)
}

// Eight claimers at two replicas hand out each delivery once and starve nobody, while events come in at both.
func TestClaimersOverReplicas(t *testing.T) {
	t.Parallel()
	const events, webhooks = 60, 10
	url := database(t)
	replicas := []*Store{open(t, url), open(t, url)}
	e := line(t, replicas[0], webhooks)
	narrow := store.Lease{PerWebhook: 3, For: time.Hour}
	var mu sync.Mutex
	seen := make(map[string]int)
	finish := func(s *Store, work []store.Work) {
		outcomes := make([]store.Outcome, len(work))
		mu.Lock()
		for i, w := range work {
			seen[w.Delivery.ID]++
			outcomes[i] = store.Outcome{
				Delivery: w.Delivery.ID, Lease: w.Delivery.NextAt, Verdict: store.VerdictDelivered, Attempt: &store.Attempt{At: time.Now(), Status: 200},
			}
		}
		mu.Unlock()
		if err := s.Finish(t.Context(), outcomes); err != nil {
			t.Error(err)
		}
	}
	done := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(seen) >= events*webhooks || t.Failed()
	}
	var wg sync.WaitGroup
	for n := range 8 {
		s := replicas[n%2]
		wg.Go(func() {
			for !done() && t.Context().Err() == nil {
				got, err := s.Claim(t.Context(), narrow, 7)
				if err != nil {
					t.Error(err)
					return
				}
				finish(s, got.Work)
				if len(got.Work) == 0 {
					select {
					case <-s.Wake():
					case <-time.After(10 * time.Millisecond): // eight share two channels
					}
				}
			}
		})
	}
	for n, s := range replicas {
		wg.Go(func() {
			for i := range events / 2 {
				got, err := s.Ingest(t.Context(), []store.NewEvent{event(e, 1000*n+i)}, narrow)
				if err != nil {
					t.Error(err)
					return
				}
				finish(s, got[0].Work)
			}
		})
	}
	wg.Wait()
	for id, n := range seen {
		if n != 1 {
			t.Errorf("delivery %s was handed out %d times, want once", id, n)
		}
	}
	if len(seen) != events*webhooks {
		t.Errorf("%d deliveries were handed out, want %d", len(seen), events*webhooks)
	}
	consistent(t, url)
}

// What is finished after its lease, while it is claimed again, is either delivered or out, and not both.
func TestLateFinishAndClaim(t *testing.T) {
	t.Parallel()
	s := open(t, database(t))
	e := line(t, s, 1)
	late := 0
	for i := range 200 {
		got, err := s.Ingest(t.Context(), []store.NewEvent{event(e, i)}, store.Lease{PerWebhook: 1, For: -time.Second})
		check(t, err)
		d := got[0].Work[0].Delivery
		finished := make(chan error)
		go func() { finished <- s.Finish(t.Context(), []store.Outcome{delivered(got[0].Work[0])}) }()
		claimed, err := s.Claim(t.Context(), wide, 1)
		check(t, err)
		check(t, <-finished)
		if d, err = s.Delivery(t.Context(), "w", d.ID); err != nil {
			t.Fatal(err)
		}
		if out := len(claimed.Work) > 0; out == (d.State == store.DeliveryDelivered) {
			t.Fatalf("round %d: out again: %t, and it is %s", i, out, d.State)
		}
		if len(claimed.Work) == 0 {
			late++
			continue
		}
		check(t, s.Finish(t.Context(), []store.Outcome{delivered(claimed.Work[0])}))
	}
	t.Logf("in %d of 200 rounds it was finished first", late)
}

// Of who finds a lane full and who gives room back at the same time, one sees the other: nothing is left due that nobody was
// woken for.
func TestWakeIsNotLost(t *testing.T) {
	t.Parallel()
	s := open(t, database(t))
	e := line(t, s, 1)
	one := store.Lease{PerWebhook: 1, For: time.Hour}
	got, err := s.Ingest(t.Context(), []store.NewEvent{event(e, 0)}, one)
	check(t, err)
	out := got[0].Work[0]
	full := 0
	for i := range 200 {
		got := make(chan []store.Ingested)
		go func() {
			in, err := s.Ingest(t.Context(), []store.NewEvent{event(e, i+1)}, one)
			if err != nil {
				t.Error(err)
			}
			got <- in
		}()
		check(t, s.Finish(t.Context(), []store.Outcome{delivered(out)}))
		in := <-got
		if t.Failed() {
			return
		}
		if len(in[0].Work) > 0 {
			out = in[0].Work[0]
			continue
		}
		full++
		select {
		case <-s.Wake():
		default:
			t.Fatalf("round %d: a delivery is due that there is room for, and nobody was woken", i)
		}
		claimed, err := s.Claim(t.Context(), one, 1)
		check(t, err)
		out = claimed.Work[0]
	}
	t.Logf("in %d of 200 rounds the lane was found full", full)
}

// Who has no room tells the others, once for a batch, and who has room tells nobody.
func TestNotify(t *testing.T) {
	t.Parallel()
	url := database(t)
	s := open(t, url)
	e := line(t, s, 2)
	conn, err := pgx.Connect(t.Context(), url)
	check(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(t.Context(), "LISTEN "+channel)
	check(t, err)
	_, err = s.Ingest(t.Context(), []store.NewEvent{event(e, 1)}, wide)
	check(t, err)
	_, err = s.Ingest(t.Context(), []store.NewEvent{event(e, 2), event(e, 3), event(e, 4)}, store.Lease{})
	check(t, err)
	_, err = s.pool.Exec(t.Context(), announce, "the end")
	check(t, err)
	for _, want := range []string{s.id, "the end"} {
		got, err := conn.WaitForNotification(t.Context())
		check(t, err)
		if got.Payload != want {
			t.Errorf("got a notification of %q, want %q", got.Payload, want)
		}
	}
}

// TestLetsGo: no session keeps its locks for long once its process freezes.
func TestLetsGo(t *testing.T) {
	t.Parallel()
	s := open(t, database(t))
	var limit string
	check(t, s.pool.QueryRow(t.Context(), "SHOW idle_in_transaction_session_timeout").Scan(&limit))
	if limit != "10s" {
		t.Errorf("a session that freezes ends after %s, want 10s", limit)
	}
}

func TestLockOverReplicas(t *testing.T) {
	t.Parallel()
	url := database(t)
	a, b := open(t, url), open(t, url)
	release, err := a.Lock(t.Context(), "name")
	check(t, err)
	other, err := b.Lock(t.Context(), "other")
	check(t, err)
	other()
	ctx, cancel := context.WithTimeout(t.Context(), 2*lockEvery)
	defer cancel()
	if _, err := b.Lock(ctx, "name"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("locking what another replica holds: got error %v, want that of the context", err)
	}
	got := make(chan error)
	go func() {
		release, err := b.Lock(t.Context(), "name")
		if err == nil {
			release()
		}
		got <- err
	}()
	release()
	check(t, <-got)
	// A replica that is gone holds nothing.
	_, err = a.Lock(t.Context(), "name")
	check(t, err)
	check(t, a.Close())
	release, err = b.Lock(t.Context(), "name")
	check(t, err)
	release()
}

// Sealing anew does not undo what is changed at the same time.
func TestResealAndChange(t *testing.T) {
	t.Parallel()
	s := open(t, database(t))
	check(t, s.CreateConnection(t.Context(), store.Connection{ID: "conn_1", Workspace: "w", Key: []byte("old"), Created: time.Now()}))
	calls := 0
	n, err := s.Reseal(t.Context(), func(_, _ string, sealed []byte) ([]byte, error) {
		if calls++; calls == 1 {
			_, err := s.UpdateConnection(t.Context(), "w", "conn_1", func(c *store.Connection) error {
				c.Key = []byte("new")
				return nil
			})
			check(t, err)
		}
		return append([]byte("resealed "), sealed...), nil
	})
	check(t, err)
	c, err := s.Connection(t.Context(), "w", "conn_1")
	check(t, err)
	if string(c.Key) != "resealed new" || n != 1 {
		t.Errorf("got %d keys resealed, and %q; want 1, and %q", n, c.Key, "resealed new")
	}
}

func TestBacklogIsCounted(t *testing.T) {
	t.Parallel()
	s := open(t, database(t))
	s.countNow = false
	e := line(t, s, 2)
	_, err := s.Ingest(t.Context(), []store.NewEvent{event(e, 1)}, store.Lease{})
	check(t, err)
	for {
		b, err := s.Backlog(t.Context())
		check(t, err)
		if b.Pending == 2 && b.Bytes > 0 {
			break
		}
		select {
		case <-s.Wake(): // comes once a second
		case <-t.Context().Done():
			t.Fatal("the backlog was not counted")
		}
	}
}

// While the database is away everything is ErrUnavailable, and when it is back everything works.
func TestDatabaseGoesAndComes(t *testing.T) {
	t.Parallel()
	own := pgtest.Need(t)
	s := open(t, own.URL("postgres"))
	e := line(t, s, 1)
	_, err := s.Ingest(t.Context(), []store.NewEvent{event(e, 1), event(e, 2)}, wide)
	check(t, err)
	release, err := s.Lock(t.Context(), "name")
	check(t, err)

	check(t, own.Kill())
	ctx := t.Context()
	for err == nil { // a session or other may live for a moment more
		var other func()
		if other, err = s.Lock(ctx, "other"); err == nil {
			other()
		}
	}
	for name, call := range map[string]func() error{
		"Ping":   func() error { return s.Ping(ctx) },
		"Ingest": func() error { _, err := s.Ingest(ctx, []store.NewEvent{event(e, 3)}, wide); return err },
		"Claim":  func() error { _, err := s.Claim(ctx, wide, 1); return err },
		"Finish": func() error {
			return s.Finish(ctx, []store.Outcome{{Delivery: "dlv_1", Verdict: store.VerdictDelivered}})
		},
		"Receiver": func() error { _, err := s.Receiver(ctx, e.ID); return err },
		"UpdateEndpoint": func() error {
			_, err := s.UpdateEndpoint(ctx, "w", e.ID, func(*store.Endpoint) error { return nil })
			return err
		},
		"Lock": func() error { _, err := s.Lock(ctx, "other"); return err },
	} {
		if err := call(); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: got error %v, want ErrUnavailable", name, err)
		}
	}
	release()

	check(t, own.Launch())
	check(t, s.Ping(ctx))
	got, err := s.Ingest(ctx, []store.NewEvent{event(e, 2), event(e, 3)}, wide)
	check(t, err)
	if got[0].New || !got[1].New || len(got[1].Work) != 1 {
		t.Errorf("after it: got %+v, want the known event, and the new one with its delivery", got)
	}
	release, err = s.Lock(ctx, "name")
	check(t, err)
	release()
	// Who hears the others hears them again.
	other := open(t, own.URL("postgres"))
	_, err = other.Ingest(ctx, []store.NewEvent{event(e, 4)}, store.Lease{})
	check(t, err)
	for left := 1; left > 0; {
		claimed, err := s.Claim(ctx, wide, 10)
		check(t, err)
		if left -= len(claimed.Work); left > 0 {
			<-s.Wake()
		}
	}
}

// A database that does not answer is as one that is away.
func TestDatabaseHangs(t *testing.T) {
	t.Parallel()
	url := database(t)
	s := open(t, url)
	e := line(t, s, 1)
	conn, err := pgx.Connect(t.Context(), url)
	check(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(t.Context(), "BEGIN; LOCK TABLE endpoints, lanes IN ACCESS EXCLUSIVE MODE")
	check(t, err)
	answers := make(chan error)
	calls := []func() error{
		func() error { _, err := s.Receiver(t.Context(), e.ID); return err },
		func() error { _, err := s.Ingest(t.Context(), []store.NewEvent{event(e, 1)}, wide); return err },
		func() error { _, err := s.Claim(t.Context(), wide, 1); return err },
	}
	for _, call := range calls {
		go func() { answers <- call() }()
	}
	for range calls {
		if err := <-answers; !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("got error %v, want ErrUnavailable", err)
		}
	}
	_, err = conn.Exec(t.Context(), "ROLLBACK")
	check(t, err)
	for _, call := range calls {
		check(t, call())
	}
}
