package transfer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"stripe-connector/internal/store"
	"stripe-connector/internal/store/portable"
	"stripe-connector/internal/store/postgres"
	"stripe-connector/internal/store/postgres/pgtest"
	"stripe-connector/internal/store/sqlite"
)

// server is for all tests; nil where PostgreSQL is missing.
var server *pgtest.Server

func TestMain(m *testing.M) {
	os.Exit(pgtest.Main(m, func(s *pgtest.Server) { server = s }))
}

var lease = store.Lease{PerWebhook: 1000, For: time.Hour}

// source makes a store with something of everything.
func source(t *testing.T) *sqlite.Store {
	t.Helper()
	ctx := t.Context()
	s, err := sqlite.Open(ctx, filepath.Join(t.TempDir(), "connector.db"), time.Now)
	check(t, err)
	t.Cleanup(func() { check(t, s.Close()) })
	check(t, s.Note(ctx, store.Deed{ID: "aud_1", Workspace: "w", Token: "tok_1", Action: "token.create", Subject: "tok_1", Created: time.Now()}))
	check(t, s.CreateToken(ctx, store.Token{ID: "tok_1", Workspace: "w", Role: "admin", Hash: [32]byte{1}, Created: time.Now()}))
	check(t, s.CreateConnection(ctx, store.Connection{ID: "conn_1", Workspace: "w", Name: "Läden ✓", Key: []byte{0, 255}, Livemode: true}))
	_, err = s.EnsureEndpoint(ctx, store.Endpoint{
		ID: "ep_1", Workspace: "w", Connection: "conn_1", Secrets: []store.Secret{{Sealed: []byte("s")}}, State: store.EndpointEnabled,
	})
	check(t, err)
	_, err = s.SetOperationsURL(ctx, store.OperationsURL{ID: "ops_1", Workspace: "w", URL: "https://example.com", Secrets: []store.Secret{{Sealed: []byte("s")}}})
	check(t, err)
	for i, state := range []store.WebhookState{store.WebhookActive, store.WebhookPaused, store.WebhookActive} {
		_, _, err := s.CreateWebhook(ctx, store.Webhook{
			ID: fmt.Sprint("whk_", i), Workspace: "w", Connection: "conn_1", Endpoint: "ep_1", EventTypes: []string{"a.b", "c.d"},
			URL: fmt.Sprint("https://example.com/", i), State: state,
		})
		check(t, err)
	}
	for i := range 500 {
		_, err := s.Ingest(ctx, []store.NewEvent{{
			Endpoint: "ep_1", ID: fmt.Sprintf("evt_%c%03d", "aZ"[i%2], i), Type: "a.b", Body: fmt.Appendf(nil, `{"n": %d}`, i), Created: time.Now(),
			Object: fmt.Sprint("cus_", i), Trace: "00-1",
		}}, store.Lease{})
		check(t, err)
	}
	claimed, err := s.Claim(ctx, lease, 300)
	check(t, err)
	verdicts := []store.Verdict{store.VerdictDelivered, store.VerdictDead, store.VerdictRetry}
	for i, w := range claimed.Work {
		check(t, s.Finish(ctx, []store.Outcome{{
			Delivery: w.Delivery.ID, Lease: w.Delivery.NextAt, Verdict: verdicts[i%3], After: time.Hour,
			Attempt: &store.Attempt{At: time.Now(), Status: 200 + i, Answer: []byte{0, 1, 2}[:i%4]},
		}}))
	}
	check(t, s.DeleteWebhook(ctx, "w", "whk_2"))
	return s
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func target(t *testing.T, url string) *postgres.Target {
	t.Helper()
	to, err := postgres.OpenTarget(t.Context(), url, zerolog.Nop())
	check(t, err)
	return to
}

// broken is a source that fails after so many pages.
type broken struct {
	Source
	pages int
}

var errBroken = errors.New("broken")

func (b *broken) Rows(ctx context.Context, t portable.Table, after []any, limit int) ([][]any, error) {
	if b.pages--; b.pages < 0 {
		return nil, errBroken
	}
	return b.Source.Rows(ctx, t, after, limit)
}

func TestCopy(t *testing.T) {
	t.Parallel()
	from, url := source(t), server.Database(t)
	var results []Result
	interrupted := 0
	for pages := 3; ; pages *= 2 { // each try gets further
		to := target(t, url)
		done, err := Copy(t.Context(), &broken{from, pages}, to, func(Progress) {})
		check(t, to.Close())
		if err == nil {
			results = done
			break
		}
		if !errors.Is(err, errBroken) {
			t.Fatal(err)
		}
		interrupted++
		if s, err := postgres.Open(t.Context(), url, zerolog.Nop()); err == nil {
			t.Fatalf("a half-filled database was opened: %v", s.Close())
		}
	}
	if interrupted < 3 {
		t.Errorf("the copy was interrupted %d times, want several", interrupted)
	}
	rows := make(map[string]int)
	for _, r := range results {
		rows[r.Table] = r.Rows
	}
	want := map[string]int{
		"workspaces": 1, "tokens": 1, "audit": 1, "connections": 1, "endpoints": 1, "webhooks": 3, "operations": 1, "events": 500, "deliveries": 1500,
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}

	s, err := postgres.Open(t.Context(), url, zerolog.Nop())
	check(t, err)
	defer s.Close()
	wantBacklog, err := from.Backlog(t.Context())
	check(t, err)
	got, err := s.Backlog(t.Context())
	check(t, err)
	if got.Pending != wantBacklog.Pending || got.Waiting != wantBacklog.Waiting {
		t.Errorf("got backlog %+v, want %+v", got, wantBacklog)
	}
	claimed, err := s.Claim(t.Context(), lease, 1000)
	check(t, err)
	wantClaimed, err := from.Claim(t.Context(), lease, 1000)
	check(t, err)
	if len(claimed.Work) == 0 || len(claimed.Work) != len(wantClaimed.Work) {
		t.Errorf("claimed %d deliveries, want %d", len(claimed.Work), len(wantClaimed.Work))
	}
	about, err := s.Deliveries(t.Context(), "w", store.DeliveryFilter{Object: "cus_7"}, store.Page{})
	check(t, err)
	if len(about.Data) != 3 {
		t.Errorf("got %d deliveries about an object, want one for each webhook", len(about.Data))
	}
	in, err := s.Ingest(t.Context(), []store.NewEvent{{Endpoint: "ep_1", ID: "evt_new", Type: "c.d", Created: time.Now()}}, store.Lease{})
	check(t, err)
	if in[0].Deliveries != 2 {
		t.Errorf("a new event has %d deliveries, want one for each attached webhook", in[0].Deliveries)
	}
}

func TestCopyIntoUsed(t *testing.T) {
	t.Parallel()
	url := server.Database(t)
	s, err := postgres.Open(t.Context(), url, zerolog.Nop())
	check(t, err)
	check(t, s.CreateConnection(t.Context(), store.Connection{ID: "conn_other", Workspace: "w", Key: []byte("k")}))
	check(t, s.Close())
	to := target(t, url)
	defer to.Close()
	if _, err := Copy(t.Context(), source(t), to, func(Progress) {}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("got error %v, want one that says that the target is in use", err)
	}
}

// bent is a source that reads a table differently the second time.
type bent struct {
	Source
	reads int
}

func (b *bent) Rows(ctx context.Context, t portable.Table, after []any, limit int) ([][]any, error) {
	rows, err := b.Source.Rows(ctx, t, after, limit)
	if t.Name == "connections" && len(rows) > 0 {
		if b.reads++; b.reads == 2 {
			rows[0][2] = "another name"
		}
	}
	return rows, err
}

func TestCopyNoticesDifference(t *testing.T) {
	t.Parallel()
	to := target(t, server.Database(t))
	defer to.Close()
	_, err := Copy(t.Context(), &bent{Source: source(t)}, to, func(Progress) {})
	if err == nil || !strings.Contains(err.Error(), "connections differs") {
		t.Errorf("got error %v, want one that names the table", err)
	}
}
