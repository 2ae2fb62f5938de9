package console

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"stripe-connector/internal/store"
	"stripe-connector/webhooks"
)

// Activity counts what happens in this process, by minute and workspace, for the last 24 hours. It is safe for concurrent
// use, and its methods are quick enough to be called for every event, attempt and call.
type Activity struct {
	now        func() time.Time
	mu         sync.Mutex
	started    time.Time
	workspaces map[string]*day
}

// NewActivity begins to count.
func NewActivity(now func() time.Time) *Activity {
	return &Activity{now: now, started: now(), workspaces: map[string]*day{}}
}

const dayMinutes = 24 * 60

// A day holds one slot for each minute of the clock; a slot of yesterday is taken over when its minute comes again.
type day [dayMinutes]*minute

type minute struct {
	at        int64 // minutes since 1970
	received  int
	delivered int
	failed    int                 // attempts that the subscriber did not take
	calls     [callOutcomes]int   // of modules
	waits     [latencyBuckets]int // from our receipt to the subscriber's 2xx
}

// How a module call ended.
const (
	callDone     = iota
	callRefused  // by us or by Stripe, for what it asked
	callFailed   // for what neither the caller nor the bundle can help
	callOutcomes //
)

// Latencies are counted in buckets that grow by a fifth, from a millisecond to days.
const (
	latencyBuckets = 112
	latencyGrowth  = 1.2
)

func bucketOf(d time.Duration) int {
	ms := float64(d) / float64(time.Millisecond)
	if ms <= 1 {
		return 0
	}
	return min(int(math.Log(ms)/math.Log(latencyGrowth))+1, latencyBuckets-1)
}

func (a *Activity) count(workspace string, do func(*minute)) {
	at := a.now().Unix() / 60
	a.mu.Lock()
	defer a.mu.Unlock()
	d := a.workspaces[workspace]
	if d == nil {
		d = &day{}
		a.workspaces[workspace] = d
	}
	slot := &d[at%dayMinutes]
	if *slot == nil || (*slot).at != at {
		*slot = &minute{at: at}
	}
	do(*slot)
}

// Received is told of every event that was stored.
func (a *Activity) Received(e store.Endpoint, r webhooks.Receipt) {
	if r.New {
		a.count(e.Workspace, func(m *minute) { m.received++ })
	}
}

// Attempted is told of every attempt of a delivery.
func (a *Activity) Attempted(w store.Work, o store.Outcome) {
	if o.Attempt == nil {
		return
	}
	a.count(w.Delivery.Workspace, func(m *minute) {
		if o.Verdict != store.VerdictDelivered {
			m.failed++
			return
		}
		m.delivered++
		m.waits[bucketOf(o.Attempt.At.Add(o.Attempt.Duration).Sub(w.Event.Received))]++
	})
}

// Calls counts the module calls that pass through the API's handler.
func (a *Activity) Calls(api http.Handler, tokens Authenticator) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || !strings.HasPrefix(r.URL.Path, "/v1/modules/") {
			api.ServeHTTP(w, r)
			return
		}
		seen := &statusWriter{ResponseWriter: w}
		api.ServeHTTP(seen, r)
		if seen.status == http.StatusUnauthorized {
			return // nobody's call, and no reason to look the token up again
		}
		_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		caller, err := tokens.AuthenticateFrom(r.Context(), r.RemoteAddr, strings.TrimSpace(token))
		if err != nil {
			return // nobody's call
		}
		a.count(caller.Workspace, func(m *minute) { m.calls[outcomeOf(seen.status)]++ })
	})
}

func outcomeOf(status int) int {
	switch {
	case status < http.StatusBadRequest:
		return callDone
	case status == http.StatusTooManyRequests || status >= http.StatusInternalServerError:
		return callFailed
	default:
		return callRefused
	}
}

// A statusWriter remembers how an answer went.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController flush.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// A span is a stretch of a summary.
type span struct {
	From                        time.Time
	Received, Delivered, Failed int
}

// A summary is what happened in a workspace.
type summary struct {
	Since                       time.Time // of the count, at most a day ago
	Spans                       []span    // oldest first
	Step                        time.Duration
	Received, Delivered, Failed int
	Calls                       [callOutcomes]int
	lately                      span // the last whole minute and the one that runs
	latelyFor                   time.Duration
	P50, P99                    float64 // milliseconds; 0: nothing was delivered
}

// A bar of the charts stands for a quarter of an hour in a chart of 24 hours. A process that is younger than an hour shows
// that hour, minute by minute.
const (
	quarter    = 15
	youngHour  = 60
	youngUnder = time.Hour
)

// summarize adds up the last 24 hours.
func (a *Activity) summarize(workspace string) *summary {
	now := a.now()
	this := now.Unix() / 60
	step, minutes := int64(quarter), int64(dayMinutes)
	if now.Sub(a.started) < youngUnder {
		step, minutes = 1, youngHour
	}
	first := (this/step+1)*step - minutes
	s := &summary{
		Since: now.Add(-24 * time.Hour), Step: time.Duration(step) * time.Minute, Spans: make([]span, minutes/step),
		latelyFor: now.Sub(time.Unix((this-1)*60, 0)),
	}
	for i := range s.Spans {
		s.Spans[i].From = time.Unix((first+int64(i)*step)*60, 0)
	}
	var waits [latencyBuckets]int
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.started.After(s.Since) {
		s.Since = a.started
	}
	d := a.workspaces[workspace]
	if d == nil {
		return s
	}
	for _, m := range d {
		if m == nil || m.at < first || m.at > this {
			continue
		}
		in := &s.Spans[(m.at-first)/step]
		for _, to := range []*span{in, s.latelyAt(m.at, this)} {
			to.Received += m.received
			to.Delivered += m.delivered
			to.Failed += m.failed
		}
		s.Received += m.received
		s.Delivered += m.delivered
		s.Failed += m.failed
		for i, n := range m.calls {
			s.Calls[i] += n
		}
		for i, n := range m.waits {
			waits[i] += n
		}
	}
	s.P50, s.P99 = quantile(waits, s.Delivered, 0.5), quantile(waits, s.Delivered, 0.99)
	return s
}

// latelyAt is where a minute counts besides, if it is one of the last two.
func (s *summary) latelyAt(at, this int64) *span {
	if at >= this-1 {
		return &s.lately
	}
	return &span{}
}

// EventsNow is how many events a minute arrive just now.
func (s *summary) EventsNow() string { return s.rate(s.lately.Received) }

// DeliveriesNow is how many deliveries a minute succeed just now.
func (s *summary) DeliveriesNow() string { return s.rate(s.lately.Delivered) }

func (s *summary) rate(n int) string {
	rate := float64(n) / s.latelyFor.Minutes()
	if rate < 10 {
		return strconv.FormatFloat(math.Round(rate*10)/10, 'f', -1, 64)
	}
	return strconv.FormatFloat(rate, 'f', 0, 64)
}

// quantile is the upper end of the bucket in which that part of all is reached, in milliseconds.
func quantile(waits [latencyBuckets]int, all int, part float64) float64 {
	if all == 0 {
		return 0
	}
	left := int(math.Ceil(part * float64(all)))
	for i, n := range waits {
		if left -= n; left <= 0 {
			return math.Pow(latencyGrowth, float64(i))
		}
	}
	return math.Pow(latencyGrowth, latencyBuckets)
}

// Success is the part of attempts that subscribers took, in percent; negative: there were none.
func (s *summary) Success() float64 {
	if s.Delivered+s.Failed == 0 {
		return -1
	}
	return 100 * float64(s.Delivered) / float64(s.Delivered+s.Failed)
}
