package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"stripe-connector/internal/store"
	"stripe-connector/webhooks"
)

// A Store is asked at every scrape.
type Store interface {
	Backlog(ctx context.Context) (store.Backlog, error)
	LongestDue(ctx context.Context) (time.Time, error)
	CountDead(ctx context.Context, limit int) (int, error)
	AllEndpoints(ctx context.Context) ([]store.Endpoint, error)
}

// Healths knows how endpoints are being kept.
type Healths interface {
	Health(endpoint string) webhooks.Health
}

// Seals know since when something has been sealed.
type Seals interface {
	Oldest() time.Time
}

// Watch adds what waits in the store, how endpoints stand at Stripe, and how old the seals are. Call it once.
func (m *Metrics) Watch(s Store, h Healths, seals Seals, now func() time.Time) {
	m.registry.MustRegister(&state{store: s, healths: h, seals: seals, now: now})
}

// A state reads its values when it is scraped, and leaves out what cannot be read just then.
type state struct {
	store   Store
	healths Healths
	seals   Seals
	now     func() time.Time
}

const (
	scrapeTime = 3 * time.Second // that a scrape may wait for the store
	maxDead    = 10_000          // counted of each workspace
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

// What is read, once for all scrapes.
var (
	descUp        = describe("store_up", "1: the store could be read; 0: it could not.")
	descBacklog   = describe("backlog_deliveries", "Deliveries that wait: pending (due now or later, or under way), waiting (their webhook is paused or disabled).", "state")
	descOut       = describe("backlog_claimed_deliveries", "Of the pending deliveries, those that are claimed for an attempt.")
	descOverdue   = describe("backlog_overdue_seconds", "For how long the delivery has been due that is due longest, of webhooks that are not paused or disabled.")
	descDead      = describe("dead_deliveries", "Deliveries that were given up and not retried by hand since; counted up to 10,000 in each workspace.")
	descBytes     = describe("store_bytes", "What the store takes on disk, as far as it knows.")
	descEndpoints = describe("endpoints", "Endpoints by how they stand at Stripe.", "state")
	descLag       = describe("catchup_lag_seconds", "How far the endpoint that is furthest behind is behind Stripe's list of events, as far as this process knows.")
	descSealed    = describe("sealed_age_seconds", "For how long the secret has been sealed that was sealed longest ago, as of this process's start; keys rotate begins anew.")
	descUnkept    = describe("endpoints_failing", "Endpoints that could not be reconciled or compared with Stripe's list at the last try of this process.")
)

// Describe implements [prometheus.Collector].
func (s *state) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descUp, descBacklog, descOut, descOverdue, descDead, descBytes, descEndpoints, descLag, descSealed, descUnkept} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (s *state) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	up := 1.0
	defer func() { gauge(descUp, up) }()
	if oldest := s.seals.Oldest(); !oldest.IsZero() {
		gauge(descSealed, s.now().Sub(oldest).Seconds())
	}

	backlog, err := s.store.Backlog(ctx)
	if err != nil {
		up = 0
		return
	}
	gauge(descBacklog, float64(backlog.Pending), "pending")
	gauge(descBacklog, float64(backlog.Waiting), "waiting")
	gauge(descOut, float64(backlog.Out))
	gauge(descBytes, float64(backlog.Bytes))

	due, err := s.store.LongestDue(ctx)
	if err != nil {
		up = 0
		return
	}
	overdue := 0.0
	if !due.IsZero() {
		overdue = max(0, s.now().Sub(due).Seconds())
	}
	gauge(descOverdue, overdue)

	dead, err := s.store.CountDead(ctx, maxDead)
	if err != nil {
		up = 0
		return
	}
	gauge(descDead, float64(dead))

	endpoints, err := s.store.AllEndpoints(ctx)
	if err != nil {
		up = 0
		return
	}
	counts := map[store.EndpointState]int{
		store.EndpointAbsent: 0, store.EndpointEnabled: 0, store.EndpointDisabled: 0, store.EndpointRefused: 0,
	}
	var lag time.Duration
	failing := 0
	for _, e := range endpoints {
		counts[e.State]++
		h := s.healths.Health(e.ID)
		lag = max(lag, h.Lag(s.now()))
		if h.Problem != "" || h.CatchProblem != "" {
			failing++
		}
	}
	for name, n := range counts {
		gauge(descEndpoints, float64(n), string(name))
	}
	gauge(descLag, lag.Seconds())
	gauge(descUnkept, float64(failing))
}
