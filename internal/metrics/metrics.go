// Package metrics counts what the service does, for Prometheus.
//
//	metrics.go   what is counted as it happens: the packages that do the work tell [Metrics] through small interfaces of theirs
//	state.go     what is read from the store when somebody scrapes
//
// Labels take values from tables of ours alone: routes, modules, kinds of outcome, statuses. Nothing that a caller, a
// subscriber or Stripe may choose becomes one, so the number of series is bounded and no secret or tenant shows.
package metrics

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"stripe-connector/internal/store"
	"stripe-connector/webhooks"
)

const namespace = "connector"

// Metrics is every counter of the process, in a registry of its own. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry

	requests        *prometheus.CounterVec
	requestDuration *prometheus.HistogramVec
	limited         *prometheus.CounterVec
	modules         *prometheus.CounterVec
	moduleDuration  *prometheus.HistogramVec

	stripeCalls    *prometheus.CounterVec
	stripeDuration prometheus.Histogram
	stripeRetries  prometheus.Counter
	stripePaced    prometheus.Histogram

	received         *prometheus.CounterVec
	refused          *prometheus.CounterVec
	attempts         *prometheus.CounterVec
	actions          *prometheus.CounterVec
	attemptDuration  prometheus.Histogram
	latency          prometheus.Histogram
	commitDuration   prometheus.Histogram
	commitOperations prometheus.Histogram
}

// New makes the counters. version is shown as a label of connector_build_info.
func New(version string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
		m.registry.MustRegister(c)
		return c
	}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
		m.registry.MustRegister(c)
		return c
	}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets})
		m.registry.MustRegister(h)
		return h
	}
	histograms := func(name, help string, labels ...string) *prometheus.HistogramVec {
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: answerTimes}, labels)
		m.registry.MustRegister(h)
		return h
	}

	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: "build_info", Help: "The version that runs; always 1."}, []string{"version"})
	build.WithLabelValues(version).Set(1)
	m.registry.MustRegister(build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	m.requests = counters("http_requests_total", "Requests, by route and status.", "method", "route", "status")
	m.requestDuration = histograms("http_request_duration_seconds", "Time from a request's header to the end of its answer.", "route")
	m.limited = counters("limited_requests_total", "Requests turned away by a limit: rate (of a token), busy (too many at once), bodies (too many long ones at once), searches (too many wide ones at once), tokens (wrong ones from one address).", "limit")
	m.modules = counters("module_calls_total", "Module calls by outcome: done, refused (the caller or Stripe's answer is why), failed. error_type is in Make's words.", "module", "outcome", "error_type")
	m.moduleDuration = histograms("module_call_duration_seconds", "Time of a module call, Stripe's part included.", "module")

	m.stripeCalls = counters("stripe_calls_total", "Tries of calls to Stripe, by status; none: there was no whole answer.", "status")
	m.stripeDuration = histogram("stripe_call_duration_seconds", "Time of one try of a call to Stripe.", answerTimes)
	m.stripeRetries = counter("stripe_retries_total", "Tries of calls to Stripe after the first.")
	m.stripePaced = histogram("stripe_paced_seconds", "How long calls to Stripe that had to wait for their turn were held back.", answerTimes)

	m.received = counters("events_received_total", "Events that were stored (new), or had been before (duplicate); by webhook from Stripe, or by catch-up.", "source", "result")
	m.refused = counters("events_refused_total", "Events that were not accepted from Stripe, by reason.", "reason")
	m.actions = counters("endpoint_actions_total", "What was done at Stripe to mend its webhook endpoints.", "action")
	m.attempts = counters("delivery_attempts_total", "Attempts to deliver an event, by outcome (delivered, retry, dead) and by class of the subscriber's status.", "outcome", "status")
	m.attemptDuration = histogram("delivery_attempt_duration_seconds", "Time of one attempt to deliver an event.", answerTimes)
	m.latency = histogram("delivery_latency_seconds", "Time from an event's arrival to the subscriber's 2xx, retries included and repeats by hand left out.", deliveryTimes)
	m.commitDuration = histogram("store_commit_duration_seconds", "Time of one transaction that wrote to the store, until it was committed.", commitTimes)
	m.commitOperations = histogram("store_commit_operations", "Calls of the store that shared one transaction: all that wait at SQLite, events that come in at PostgreSQL.",
		prometheus.ExponentialBuckets(1, 2, 10))
	// The first one would not be seen as an increase.
	for _, class := range classes {
		m.attempts.WithLabelValues(string(store.VerdictDead), class)
	}
	return m
}

// Buckets, in seconds.
var (
	answerTimes   = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 35}
	deliveryTimes = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 120, 600, 3600, 4 * 3600, 24 * 3600, 72 * 3600}
	commitTimes   = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5}
)

// Handler answers a scrape. Should one counter fail, the others are still shown.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

// Request is told of every answered request. route is a pattern of the routes' table, or empty for a path that has none.
func (m *Metrics) Request(method, route string, status int, took time.Duration) {
	if route == "" {
		route, method = none, none
	}
	m.requests.WithLabelValues(method, route, statusOf(status)).Inc()
	m.requestDuration.WithLabelValues(route).Observe(took.Seconds())
}

// Limited is told of every request that a limit turned away.
func (m *Metrics) Limited(limit string) { m.limited.WithLabelValues(limit).Inc() }

// Module is told of every call of a module that exists. errorType is empty if it succeeded.
func (m *Metrics) Module(key string, status int, errorType string, took time.Duration) {
	outcome := "refused"
	switch {
	case errorType == "":
		outcome = "done"
	case status == http.StatusTooManyRequests, status >= http.StatusInternalServerError:
		outcome = "failed"
	}
	m.modules.WithLabelValues(key, outcome, errorType).Inc()
	m.moduleDuration.WithLabelValues(key).Observe(took.Seconds())
}

// Tried is told of every try of a call to Stripe: the first is 1, and status 0 means that no whole answer came.
func (m *Metrics) Tried(try, status int, took time.Duration) {
	m.stripeCalls.WithLabelValues(statusOf(status)).Inc()
	m.stripeDuration.Observe(took.Seconds())
	if try > 1 {
		m.stripeRetries.Inc()
	}
}

// Paced is told of every call to Stripe that had to wait for its turn.
func (m *Metrics) Paced(wait time.Duration) { m.stripePaced.Observe(wait.Seconds()) }

// Received is told of every event that Stripe sent and that is stored.
func (m *Metrics) Received(_ store.Endpoint, r webhooks.Receipt) { m.arrived("webhook", r) }

// CaughtUp is told of every event that was found in Stripe's list and that is stored.
func (m *Metrics) CaughtUp(_ store.Endpoint, r webhooks.Receipt) { m.arrived("catch_up", r) }

func (m *Metrics) arrived(source string, r webhooks.Receipt) {
	result := "duplicate"
	if r.New {
		result = "new"
	}
	m.received.WithLabelValues(source, result).Inc()
}

// Refused is told of every event that was not accepted from Stripe.
func (m *Metrics) Refused(reason string) { m.refused.WithLabelValues(reason).Inc() }

// Attempted is told of every attempt of a delivery.
func (m *Metrics) Attempted(w store.Work, o store.Outcome) {
	a := o.Attempt
	if a == nil {
		return
	}
	m.attempts.WithLabelValues(string(o.Verdict), classOf(a.Status)).Inc()
	m.attemptDuration.Observe(a.Duration.Seconds())
	// A schedule that somebody began anew by hand says nothing about how fast we are.
	if o.Verdict == store.VerdictDelivered && w.Delivery.Attempts == w.Delivery.Tries {
		m.latency.Observe(max(0, a.At.Add(a.Duration).Sub(w.Delivery.Created)).Seconds())
	}
}

// Acted counts one thing that was done to reconcile an endpoint.
func (m *Metrics) Acted(a webhooks.Action) { m.actions.WithLabelValues(string(a.Kind)).Inc() }

// Committed is told of every transaction of the store that wrote, and how many calls shared it.
func (m *Metrics) Committed(calls int, took time.Duration) {
	m.commitOperations.Observe(float64(calls))
	m.commitDuration.Observe(took.Seconds())
}

const none = "none"

// statusOf is a status as a label; Stripe could answer with any number.
func statusOf(status int) string {
	switch {
	case status == 0:
		return none
	case http.StatusText(status) == "" && status != 499: // a caller that did not wait
		return "other"
	}
	return strconv.Itoa(status)
}

// classes are a subscriber's statuses as labels.
var classes = [...]string{none, "1xx", "2xx", "3xx", "4xx", "5xx"}

func classOf(status int) string {
	if status < 100 || status > 599 {
		return none
	}
	return classes[status/100]
}
