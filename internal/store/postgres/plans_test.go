package postgres

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"stripe-connector/internal/store"
	"stripe-connector/internal/store/postgres/pgtest"
)

// full has the tests of this file take their time: as many rows as a large installation has, and a measurement.
//
//	CONNECTOR_TEST_FULL=1 go test -run 'Plans|Receive' -v -timeout 30m ./internal/store/postgres
var full = os.Getenv("CONNECTOR_TEST_FULL") != ""

func size() (webhooks, events int) {
	if full {
		return 10_000, 1_000_000
	}
	return 10_000, 50_000
}

// most is how many rows a statement may look at for each row that it needs at most.
const most = 1000

// populate stores webhooks at a hundred endpoints, events, and for each event a delivery with an attempt: most of them
// delivered, one in a hundred each dead, to be retried, and due now.
func populate(t *testing.T, url string) {
	t.Helper()
	webhooks, events := size()
	for _, statement := range []string{
		`INSERT INTO workspaces VALUES ('w', 1)`,
		`INSERT INTO connections SELECT 'conn_' || i, 'w', 'Shop', '', FALSE, '', 'k', i FROM generate_series(0, 99) i`,
		`INSERT INTO endpoints SELECT 'ep_' || i, 'w', 'conn_' || i, FALSE, '', FALSE, '', '[]', '["*"]', 'enabled', '', 0, i
			FROM generate_series(0, 99) i`,
		fmt.Sprintf(`INSERT INTO webhooks SELECT 'whk_' || i, 'w', 'conn_' || i %% 100, 'ep_' || i %% 100, 'Hook', 'all',
			'["type.' || i / 100 %% 50 || '"]', 'https://example.com/' || i, CASE WHEN i %% 50 = 7 THEN 'paused' ELSE 'active' END, '',
			'[]', 1, 1000000 * i::BIGINT, 0 FROM generate_series(0, %d - 1) i`, webhooks),
		`INSERT INTO webhooks SELECT 'whk_same_' || i, 'w', 'conn_2', 'ep_2', 'Hook', 'all', '["type.other"]', 'https://example.com/' || i, 'active', '',
			'[]', 1, i, 0 FROM generate_series(1, 5000) i`,
		`INSERT INTO wishes SELECT endpoint, json_array_elements_text(event_types::JSON), id FROM webhooks`,
		fmt.Sprintf(`INSERT INTO events SELECT 'evt_' || lpad(i::TEXT, 9, '0'), 'ep_' || i %% 100, 'w', 'type.' || i / 100 %% 50, '', FALSE, '',
			'webhook', 'cus_' || i / 10, `+clock+` - 1000000 * (%[1]d - i::BIGINT), `+clock+` - 1000000 * (%[1]d - i::BIGINT),
			convert_to(repeat('{"object":"event"}', 60), 'UTF8'), '' FROM generate_series(0, %[1]d - 1) i`, events),
		`INSERT INTO deliveries SELECT 'dlv_' || e.id, 'w', w.id, e.endpoint, e.id, e.type, s.state, '', 1, 1, 200,
				CASE WHEN s.state <> 'pending' THEN 0 WHEN n % 100 = 2 THEN e.received + 86400000000 * 365 ELSE e.received END, e.received, FALSE,
				'{"at":' || e.received || ',"took":1000000,"status":200,"answer":"b2s="}' || chr(10)
			FROM (SELECT *, row_number() OVER (ORDER BY received) AS n FROM events) e
			JOIN webhooks w ON w.endpoint = e.endpoint AND w.event_types = '["' || e.type || '"]'
			CROSS JOIN LATERAL (SELECT CASE n % 100 WHEN 1 THEN 'dead' WHEN 2 THEN 'pending' WHEN 3 THEN 'pending' ELSE 'delivered' END AS state) s
			WHERE w.created = (SELECT MAX(created) FROM webhooks o WHERE o.endpoint = w.endpoint AND o.event_types = w.event_types)`,
		fmt.Sprintf(`INSERT INTO lanes SELECT id, state = 'active', 0, COALESCE((SELECT MIN(next_at) FROM deliveries d WHERE d.webhook = w.id
			AND d.state = 'pending'), %d) FROM webhooks w`, int64(never)),
	} {
		check(t, execute(url, statement))
	}
	consistent(t, url)
}

// Every statement of the receive, claim and list routes finds its rows by an index, and looks at few others.
func TestPlans(t *testing.T) {
	t.Parallel()
	explained(t, "VACUUM ANALYZE", 300, func(s *Store) {
		w := exchange(t, s)
		_, err := s.Prune(t.Context(), 24*365*time.Hour, 100)
		check(t, err)
		lists(t, s, w)
	})
}

// In a new database nothing has been counted yet. Receiving and claiming do not depend on it.
func TestPlansOfTheFirstHour(t *testing.T) {
	t.Parallel()
	explained(t, "VACUUM", 100, func(s *Store) { exchange(t, s) })
}

// explained has use run on a full database, often enough for generic plans, and judges the plans, of which it expects some.
func explained(t *testing.T, vacuum string, some int, use func(*Store)) {
	t.Helper()
	own := pgtest.Need(t, "fsync=off", "session_preload_libraries=auto_explain", "auto_explain.log_min_duration=-1",
		"auto_explain.log_format=json", "auto_explain.log_analyze=on", "auto_explain.log_timing=off", "max_wal_size=8GB", "autovacuum=off")
	url := own.URL("postgres")
	loading := open(t, url)
	populate(t, url)
	check(t, loading.Close())
	check(t, execute(url, vacuum))
	s := open(t, url+"&auto_explain.log_min_duration=0")
	for range 8 { // they come after five
		use(s)
	}
	judgePlans(t, own, some, func(string) bool { return true })
}

// judgePlans reports the faults that matter of what the server has explained.
func judgePlans(t *testing.T, own *pgtest.Server, some int, matters func(fault string) bool) {
	t.Helper()
	text, err := own.Log()
	check(t, err)
	plans, faults := 0, make(map[string]bool)
	for _, part := range strings.Split(text, "plan:\n")[1:] {
		var p struct {
			Text string `json:"Query Text"`
			Plan node
		}
		check(t, json.NewDecoder(strings.NewReader(part)).Decode(&p))
		if strings.HasPrefix(p.Text, "WITH queued AS") || strings.Contains(p.Text, "goose_db_version") {
			continue // counts the backlog, beside everything else
		}
		plans++
		p.Plan.judge(func(fault string) {
			if matters(fault) {
				faults[p.Text+"\n\t"+fault] = true
			}
		})
	}
	for fault := range faults {
		t.Error(fault)
	}
	if plans < some {
		t.Errorf("there were %d plans, want many", plans)
	}
}

// TestPlannedOnce: what an event and its deliveries take is not planned anew each time, which would cost as much as running it,
// however much is stored and whether or not it was counted.
func TestPlannedOnce(t *testing.T) {
	t.Parallel()
	for _, stored := range []int{0, 3000} {
		for _, counted := range []bool{false, true} {
			t.Run(fmt.Sprintf("stored=%d/counted=%t", stored, counted), func(t *testing.T) {
				t.Parallel()
				url := server.Database(t)
				before := open(t, url)
				e := line(t, before, 3)
				if stored > 0 {
					events := make([]store.NewEvent, stored)
					for i := range events {
						events[i] = event(e, i)
					}
					_, err := before.Ingest(t.Context(), events, store.Lease{})
					check(t, err)
					check(t, execute(url, "UPDATE deliveries SET state = 'delivered', next_at = 0"))
				}
				if counted {
					check(t, execute(url, "VACUUM ANALYZE"))
				}
				plannedOnce(t, open(t, url), e, stored)
			})
		}
	}
}

// plannedOnce stores events from the nth on, and claims and finishes their deliveries.
func plannedOnce(t *testing.T, s *Store, e store.Endpoint, n int) {
	t.Helper()
	ctx := t.Context()
	for i := range 20 {
		got, err := s.Ingest(ctx, []store.NewEvent{event(e, n+2*i)}, wide)
		check(t, err)
		_, err = s.Ingest(ctx, []store.NewEvent{event(e, n+2*i+1)}, store.Lease{})
		check(t, err)
		claimed, err := s.Claim(ctx, wide, 100)
		check(t, err)
		var outcomes []store.Outcome
		for _, w := range slices.Concat(got[0].Work, claimed.Work) {
			outcomes = append(outcomes, delivered(w))
		}
		check(t, s.Finish(ctx, outcomes))
	}
	seen := 0
	for _, conn := range s.pool.AcquireAllIdle(ctx) {
		defer conn.Release()
		rows, err := conn.Query(ctx, "SELECT statement, generic_plans, custom_plans FROM pg_prepared_statements")
		check(t, err)
		var statement string
		var generic, custom int
		_, err = pgx.ForEachRow(rows, []any{&statement, &generic, &custom}, func() error {
			seen++
			if custom > 5 { // which are tried in any case
				t.Errorf("planned %d times, and run %d times without: %s", custom, generic, statement)
			}
			return nil
		})
		check(t, err)
	}
	if seen < 10 {
		t.Errorf("there were %d statements, want many", seen)
	}
}

// A plan that was made while the tables were empty is kept, and still fits when they have grown.
func TestPlansOfTheFirstMinute(t *testing.T) {
	t.Parallel()
	for name, lease := range map[string]store.Lease{"born claimed": wide, "claimed": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own := pgtest.Need(t, "fsync=off", "session_preload_libraries=auto_explain", "auto_explain.log_min_duration=0",
				"auto_explain.log_format=json", "auto_explain.log_analyze=on", "auto_explain.log_timing=off", "autovacuum=off")
			s := open(t, own.URL("postgres"))
			e := line(t, s, 10)
			for n := range 300 {
				in := make([]store.NewEvent, 10)
				for i := range in {
					in[i] = event(e, 10*n+i)
				}
				stored, err := s.Ingest(t.Context(), in, lease)
				check(t, err)
				claimed, err := s.Claim(t.Context(), wide, 1000)
				check(t, err)
				work := claimed.Work
				for _, in := range stored {
					work = append(work, in.Work...)
				}
				outcomes := make([]store.Outcome, len(work))
				for i, w := range work {
					outcomes[i] = store.Outcome{
						Delivery: w.Delivery.ID, Lease: w.Delivery.NextAt, Verdict: store.VerdictDelivered, Attempt: &store.Attempt{At: time.Now(), Status: 200},
					}
				}
				check(t, s.Finish(t.Context(), outcomes))
			}
			judgePlans(t, own, 1000, func(fault string) bool {
				var rows int
				_, err := fmt.Sscanf(fault, "looks at %d rows", &rows)
				check(t, err)
				return rows > most
			})
		})
	}
}

// exchange receives, claims, finishes and retries, and returns a delivery.
func exchange(t *testing.T, s *Store) store.Delivery {
	t.Helper()
	ctx := t.Context()
	lease := store.Lease{PerWebhook: 8, For: time.Minute}
	_, err := s.Receiver(ctx, "ep_1")
	check(t, err)
	in := make([]store.NewEvent, 3)
	for i := range in {
		in[i] = store.NewEvent{Endpoint: fmt.Sprint("ep_", i), ID: store.NewID("evt", time.Now()), Type: fmt.Sprint("type.", i), Created: time.Now(), Body: []byte("{}")}
	}
	_, err = s.Ingest(ctx, in, lease)
	check(t, err)
	claimed, err := s.Claim(ctx, lease, 20)
	check(t, err)
	if len(claimed.Work) != 20 {
		t.Errorf("claimed %d deliveries, want 20", len(claimed.Work))
	}
	outcomes := make([]store.Outcome, len(claimed.Work))
	for i, w := range claimed.Work {
		outcomes[i] = store.Outcome{
			Delivery: w.Delivery.ID, Lease: w.Delivery.NextAt, After: time.Hour, Attempt: &store.Attempt{At: time.Now()},
			Verdict: []store.Verdict{store.VerdictDelivered, store.VerdictRetry, store.VerdictDead, store.VerdictRelease}[i%4],
		}
	}
	check(t, s.Finish(ctx, outcomes))
	_, err = s.Retry(ctx, "w", outcomes[0].Delivery)
	check(t, err)
	_, err = s.Fates(ctx, "w", "ep_1", in[1].ID)
	check(t, err)
	return claimed.Work[0].Delivery
}

// lists asks for pages of everything, by every filter. w is a delivery that there is.
func lists(t *testing.T, s *Store, w store.Delivery) {
	t.Helper()
	ctx := t.Context()
	now := time.Now()
	for _, f := range []store.EventFilter{
		{},
		{Endpoint: "ep_1"},
		{Types: []string{"type.7"}},
		{Types: []string{"type.nothing"}},
		{Object: "cus_7"},
		{Object: "cus_7", Types: []string{"type.7"}},
		{Endpoint: "ep_1", Types: []string{"type.7"}},
		{From: now.Add(-2 * time.Hour), To: now.Add(-time.Hour)},
	} {
		first, err := s.Events(ctx, "w", f, store.Page{Limit: 10})
		check(t, err)
		_, err = s.Events(ctx, "w", f, store.Page{Limit: 10, Cursor: first.Next})
		check(t, err)
		_, err = s.CountEvents(ctx, "w", f, 100)
		check(t, err)
	}
	for _, f := range []store.DeliveryFilter{
		{},
		{Webhook: w.Webhook},
		{Event: w.Event},
		{Object: "cus_7"},
		{Object: "cus_7", State: store.DeliveryDead},
		{Type: w.Type},
		{Type: "type.nothing"},
		{State: store.DeliveryDead},
		{State: store.DeliverySkipped},
		{State: store.DeliveryPending},
		{State: store.DeliveryDead, Type: w.Type},
		{Webhook: w.Webhook, State: store.DeliveryDead},
		{Webhook: w.Webhook, Type: w.Type},
		{From: now.Add(-2 * time.Hour), To: now.Add(-time.Hour)},
	} {
		first, err := s.Deliveries(ctx, "w", f, store.Page{Limit: 10})
		check(t, err)
		_, err = s.Deliveries(ctx, "w", f, store.Page{Limit: 10, Cursor: first.Next})
		check(t, err)
	}
	_, err := s.CountDead(ctx, 100)
	check(t, err)
	for _, f := range []store.WebhookFilter{{}, {Connection: "conn_1"}, {Endpoint: "ep_1"}, {State: store.WebhookPaused}, {State: store.WebhookDisabled}} {
		first, err := s.Webhooks(ctx, "w", f, store.Page{Limit: 10})
		check(t, err)
		_, err = s.Webhooks(ctx, "w", f, store.Page{Limit: 10, Cursor: first.Next})
		check(t, err)
	}
}

// A node is one step of a plan.
type node struct {
	Type     string  `json:"Node Type"`
	Relation string  `json:"Relation Name"`
	Index    string  `json:"Index Name"`
	Rows     float64 `json:"Actual Rows"`
	Loops    float64 `json:"Actual Loops"`
	Filtered float64 `json:"Rows Removed by Filter"`
	Plans    []node
}

func (n *node) judge(report func(fault string)) {
	large := []string{"webhooks", "wishes", "lanes", "events", "deliveries"}
	if looked := (n.Rows + n.Filtered) * n.Loops; slices.Contains(large, n.Relation) && (n.Type == "Seq Scan" || looked > most) {
		report(fmt.Sprintf("looks at %.0f rows of %s by %s %s", looked, n.Relation, n.Type, n.Index))
	}
	for i := range n.Plans {
		n.Plans[i].judge(report)
	}
}

// Receiving takes as long with a million events as with none. It is measured only when asked for, since timing is no test.
func TestReceiveMeasured(t *testing.T) {
	if !full {
		t.Skip("takes minutes; see full")
	}
	own := pgtest.Need(t, "max_wal_size=8GB", "synchronous_commit=on")
	large, small := open(t, own.URL("postgres")), open(t, own.Database(t))
	populate(t, own.URL("postgres"))
	check(t, execute(own.URL("postgres"), "VACUUM ANALYZE"))
	e := line(t, small, 3)
	f := line(t, large, 3)
	took := make(map[*Store][]time.Duration)
	for round := range 10 {
		for s, at := range map[*Store]store.Endpoint{small: e, large: f} {
			took[s] = append(took[s], receive(t, s, at, round*1000, 1000)...)
		}
	}
	for name, s := range map[string]*Store{"empty": small, "large": large} {
		slices.Sort(took[s])
		n := len(took[s])
		t.Logf("%s: p50 %v, p99 %v, max %v", name, took[s][n/2], took[s][n*99/100], took[s][n-1])
	}
}

// receive stores n events, 8 at a time, and finishes their deliveries.
func receive(t *testing.T, s *Store, e store.Endpoint, from, n int) []time.Duration {
	t.Helper()
	var mu sync.Mutex
	var took []time.Duration
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := worker; i < n; i += 8 {
				began := time.Now()
				got, err := s.Ingest(t.Context(), []store.NewEvent{event(e, from+i)}, wide)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				took = append(took, time.Since(began))
				mu.Unlock()
				var outcomes []store.Outcome
				for _, w := range got[0].Work {
					outcomes = append(outcomes, store.Outcome{Delivery: w.Delivery.ID, Lease: w.Delivery.NextAt, Verdict: store.VerdictDelivered})
				}
				if err := s.Finish(t.Context(), outcomes); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	return took
}
