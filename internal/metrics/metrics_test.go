package metrics

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stripe-connector/internal/store"
	"stripe-connector/webhooks"
)

var noon = time.Date(2024, 6, 20, 12, 0, 0, 0, time.UTC)

// A world is a store and what is known of its endpoints.
type world struct{ err error }

func (w world) Backlog(context.Context) (store.Backlog, error) {
	return store.Backlog{Pending: 7, Waiting: 3, Out: 2, Bytes: 4096}, w.err
}

func (w world) LongestDue(context.Context) (time.Time, error) { return noon.Add(-time.Minute), w.err }

func (w world) CountDead(_ context.Context, limit int) (int, error) { return min(3, limit), w.err }

func (w world) Oldest() time.Time { return noon.Add(-24 * time.Hour) }

func (w world) AllEndpoints(context.Context) ([]store.Endpoint, error) {
	return []store.Endpoint{
		{ID: "ep_1", State: store.EndpointEnabled}, {ID: "ep_2", State: store.EndpointEnabled}, {ID: "ep_3", State: store.EndpointDisabled},
	}, w.err
}

func (w world) Health(endpoint string) webhooks.Health {
	switch endpoint {
	case "ep_1":
		return webhooks.Health{Caught: noon.Add(-time.Minute)}
	case "ep_2":
		return webhooks.Health{Caught: noon.Add(-time.Hour), CatchProblem: "secret_of_the_problem"}
	default:
		return webhooks.Health{}
	}
}

// filled is what is shown after one of everything has happened.
func filled(w world) *Metrics {
	m := New("1.2.3")
	m.Watch(w, w, w, func() time.Time { return noon })
	m.Request(http.MethodPost, "/v1/modules/{module}", http.StatusOK, time.Second)
	m.Request("BREW", "", http.StatusNotFound, time.Second)
	m.Limited("rate")
	m.Module("create-refund", http.StatusOK, "", time.Second)
	m.Module("create-refund", http.StatusPaymentRequired, "DataError", time.Second)
	m.Module("create-refund", http.StatusBadGateway, "ConnectionError", time.Second)
	m.Tried(1, http.StatusOK, time.Second)
	m.Tried(2, 0, time.Second)
	m.Tried(1, 777, time.Second)
	m.Paced(time.Second)
	m.Received(store.Endpoint{}, webhooks.Receipt{New: true})
	m.CaughtUp(store.Endpoint{}, webhooks.Receipt{})
	m.Refused("signature")
	m.Committed(3, time.Millisecond)
	tried := func(verdict store.Verdict, status int, d store.Delivery) {
		d.Created = noon
		m.Attempted(store.Work{Delivery: d}, store.Outcome{Verdict: verdict, Attempt: &store.Attempt{At: noon.Add(time.Minute), Duration: time.Second, Status: status}})
	}
	tried(store.VerdictDelivered, 204, store.Delivery{})
	tried(store.VerdictDelivered, 200, store.Delivery{Attempts: 9, Tries: 1}) // sent again by hand
	tried(store.VerdictRetry, 0, store.Delivery{})
	tried(store.VerdictDead, 500, store.Delivery{})
	m.Attempted(store.Work{}, store.Outcome{Verdict: store.VerdictRelease})
	return m
}

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	if w.Code != http.StatusOK {
		t.Fatalf("status = %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// ours leaves out what the libraries show, buckets, and comments.
func ours(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, namespace+"_") && !strings.Contains(line, "_bucket{") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

func TestCounts(t *testing.T) {
	t.Parallel()
	want := []string{
		`connector_backlog_claimed_deliveries 2`,
		`connector_backlog_deliveries{state="pending"} 7`,
		`connector_backlog_deliveries{state="waiting"} 3`,
		`connector_backlog_overdue_seconds 60`,
		`connector_build_info{version="1.2.3"} 1`,
		`connector_catchup_lag_seconds 3600`,
		`connector_dead_deliveries 3`,
		`connector_delivery_attempt_duration_seconds_sum 4`,
		`connector_delivery_attempt_duration_seconds_count 4`,
		`connector_delivery_attempts_total{outcome="dead",status="1xx"} 0`,
		`connector_delivery_attempts_total{outcome="dead",status="2xx"} 0`,
		`connector_delivery_attempts_total{outcome="dead",status="3xx"} 0`,
		`connector_delivery_attempts_total{outcome="dead",status="4xx"} 0`,
		`connector_delivery_attempts_total{outcome="dead",status="5xx"} 1`,
		`connector_delivery_attempts_total{outcome="dead",status="none"} 0`,
		`connector_delivery_attempts_total{outcome="delivered",status="2xx"} 2`,
		`connector_delivery_attempts_total{outcome="retry",status="none"} 1`,
		`connector_delivery_latency_seconds_sum 61`,
		`connector_delivery_latency_seconds_count 1`,
		`connector_endpoints{state="absent"} 0`,
		`connector_endpoints{state="disabled"} 1`,
		`connector_endpoints{state="enabled"} 2`,
		`connector_endpoints{state="refused"} 0`,
		`connector_endpoints_failing 1`,
		`connector_events_received_total{result="duplicate",source="catch_up"} 1`,
		`connector_events_received_total{result="new",source="webhook"} 1`,
		`connector_events_refused_total{reason="signature"} 1`,
		`connector_http_request_duration_seconds_sum{route="/v1/modules/{module}"} 1`,
		`connector_http_request_duration_seconds_count{route="/v1/modules/{module}"} 1`,
		`connector_http_request_duration_seconds_sum{route="none"} 1`,
		`connector_http_request_duration_seconds_count{route="none"} 1`,
		`connector_http_requests_total{method="POST",route="/v1/modules/{module}",status="200"} 1`,
		`connector_http_requests_total{method="none",route="none",status="404"} 1`,
		`connector_limited_requests_total{limit="rate"} 1`,
		`connector_module_call_duration_seconds_sum{module="create-refund"} 3`,
		`connector_module_call_duration_seconds_count{module="create-refund"} 3`,
		`connector_module_calls_total{error_type="",module="create-refund",outcome="done"} 1`,
		`connector_module_calls_total{error_type="ConnectionError",module="create-refund",outcome="failed"} 1`,
		`connector_module_calls_total{error_type="DataError",module="create-refund",outcome="refused"} 1`,
		`connector_sealed_age_seconds 86400`,
		`connector_store_bytes 4096`,
		`connector_store_commit_duration_seconds_sum 0.001`,
		`connector_store_commit_duration_seconds_count 1`,
		`connector_store_commit_operations_sum 3`,
		`connector_store_commit_operations_count 1`,
		`connector_store_up 1`,
		`connector_stripe_call_duration_seconds_sum 3`,
		`connector_stripe_call_duration_seconds_count 3`,
		`connector_stripe_calls_total{status="200"} 1`,
		`connector_stripe_calls_total{status="none"} 1`,
		`connector_stripe_calls_total{status="other"} 1`,
		`connector_stripe_paced_seconds_sum 1`,
		`connector_stripe_paced_seconds_count 1`,
		`connector_stripe_retries_total 1`,
	}
	if diff := cmp.Diff(want, ours(scrape(t, filled(world{})))); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

func TestStoreThatIsAway(t *testing.T) {
	t.Parallel()
	got := scrape(t, filled(world{err: store.ErrUnavailable}))
	if !strings.Contains(got, "\nconnector_store_up 0\n") || !strings.Contains(got, `connector_events_refused_total{reason="signature"} 1`) {
		t.Errorf("a scrape without a store shows\n%s", got)
	}
	if strings.Contains(got, "connector_backlog_deliveries") {
		t.Error("it shows a backlog that nobody could read")
	}
}

// Each name that the dashboard and the alerts use is one that the service has.
func TestMonitoringKnowsTheMetrics(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for match := range slices.Values(regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`).FindAllStringSubmatch(scrape(t, filled(world{})), -1)) {
		known[match[1]] = true
		if match[2] == "histogram" {
			known[match[1]+"_bucket"], known[match[1]+"_sum"], known[match[1]+"_count"] = true, true, true
		}
	}
	files, err := filepath.Glob("../../cmd/stripe-connector/deploy/monitoring/*.*")
	if err != nil || len(files) < 2 {
		t.Fatalf("the files are %v, %v", files, err)
	}
	used := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Ext(file) == ".json" && !json.Valid(text) {
			t.Errorf("%s is not JSON", file)
		}
		for _, name := range regexp.MustCompile(`\b(connector|process|go)_[a-z0-9_]+`).FindAllString(string(text), -1) {
			used[name] = true
			if !known[name] {
				t.Errorf("%s uses %s, which does not exist", filepath.Base(file), name)
			}
		}
	}
	if len(used) < 15 {
		t.Errorf("only %v are watched", slices.Sorted(maps.Keys(used)))
	}
}

// The judge of alerts, of the dashboard's expressions and of the names of metrics is Prometheus's own.
func TestPromtool(t *testing.T) {
	t.Parallel()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed; make check installs it where it can")
	}
	const folder = "../../cmd/stripe-connector/deploy/monitoring/"
	check := func(name, input string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), promtool, append([]string{"check"}, args...)...)
		cmd.Stdin = strings.NewReader(input)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	check("the alerts", "", "rules", folder+"alerts.yaml")
	check("the metrics", scrape(t, filled(world{})), "metrics")

	text, err := os.ReadFile(folder + "dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	type rule struct {
		Record string `json:"record"`
		Expr   string `json:"expr"`
	}
	var rules []rule // JSON is YAML
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			expr := strings.ReplaceAll(target.Expr, "$__rate_interval", "5m")
			rules = append(rules, rule{fmt.Sprintf("dashboard:%d", len(rules)), expr})
		}
	}
	file := filepath.Join(t.TempDir(), "dashboard.yaml")
	made, err := json.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": rules}}})
	if err != nil || os.WriteFile(file, made, 0o600) != nil {
		t.Fatalf("writing the dashboard's expressions: %v", err)
	}
	check("the dashboard", "", "rules", file)
}
