package console

import (
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"stripe-connector/internal/store"
	"stripe-connector/webhooks"
)

// Activity counts what happens in this process for the last 24 hours: of each workspace by the minute, of each webhook by
// the quarter of an hour. It is safe for concurrent use, and its methods are quick enough to be called for every event,
// attempt and call.
type Activity struct {
	now        func() time.Time
	mu         sync.Mutex
	started    time.Time
	workspaces map[string]*day
	webhooks   map[string]*lane
}

// NewActivity begins to count.
func NewActivity(now func() time.Time) *Activity {
	return &Activity{now: now, started: now(), workspaces: map[string]*day{}, webhooks: map[string]*lane{}}
}

const (
	dayMinutes  = 24 * 60
	dayQuarters = dayMinutes / quarter
)

// A lane holds one slot for each quarter of an hour of the clock, like a day.
type lane struct {
	slots [dayQuarters]tries
	row   int // attempts that failed since the last that came through
}

// tries are the attempts of a webhook's deliveries in a quarter of an hour.
type tries struct {
	at                int64 // quarters since 1970
	delivered, failed int
}

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
	a.mu.Lock()
	defer a.mu.Unlock()
	do(a.minute(workspace))
}

// minute is the slot of the minute that runs.
func (a *Activity) minute(workspace string) *minute {
	at := a.now().Unix() / 60
	d := a.workspaces[workspace]
	if d == nil {
		d = &day{}
		a.workspaces[workspace] = d
	}
	slot := &d[at%dayMinutes]
	if *slot == nil || (*slot).at != at {
		*slot = &minute{at: at}
	}
	return *slot
}

// lane is the webhook's, with its slot of the quarter of an hour that runs.
func (a *Activity) lane(webhook string) (*lane, *tries) {
	at := a.now().Unix() / (quarter * 60)
	l := a.webhooks[webhook]
	if l == nil {
		maps.DeleteFunc(a.webhooks, func(_ string, l *lane) bool { return l.idle(at) }) // of webhooks that are gone
		l = &lane{}
		a.webhooks[webhook] = l
	}
	slot := &l.slots[at%dayQuarters]
	if slot.at != at {
		*slot = tries{at: at}
	}
	return l, slot
}

// idle reports whether nothing of the last day is in the lane.
func (l *lane) idle(at int64) bool {
	return !slices.ContainsFunc(l.slots[:], func(t tries) bool { return t.at > at-dayQuarters })
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
	a.mu.Lock()
	defer a.mu.Unlock()
	m := a.minute(w.Delivery.Workspace)
	l, t := a.lane(w.Delivery.Webhook)
	if o.Verdict != store.VerdictDelivered {
		m.failed++
		t.failed++
		l.row++
		return
	}
	m.delivered++
	t.delivered++
	l.row = 0
	if w.Delivery.Tries == w.Delivery.Attempts { // else somebody has sent it again, perhaps much later
		m.waits[bucketOf(o.Attempt.At.Add(o.Attempt.Duration).Sub(w.Event.Received))]++
	}
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

// A span is a stretch of a summary: a minute, a quarter of an hour, or all of it.
type span struct {
	From                        time.Time
	Received, Delivered, Failed int
	Calls                       [callOutcomes]int
	waits                       [latencyBuckets]int
}

func (s *span) add(m *minute) {
	s.Received += m.received
	s.Delivered += m.delivered
	s.Failed += m.failed
	for i, n := range m.calls {
		s.Calls[i] += n
	}
	for i, n := range m.waits {
		s.waits[i] += n
	}
}

// P50 is how long half of the deliveries took at most, in milliseconds; 0: nothing was delivered, but what was sent again.
func (s *span) P50() float64 { return quantile(&s.waits, 0.5) }

// P99 is how long all but one in a hundred took at most.
func (s *span) P99() float64 { return quantile(&s.waits, 0.99) }

// Success is the part of attempts that subscribers took, in percent; negative: there were none.
func (s *span) Success() float64 {
	if s.Delivered+s.Failed == 0 {
		return -1
	}
	return 100 * float64(s.Delivered) / float64(s.Delivered+s.Failed)
}

// Rate is Success for people. It never says that all succeeded if one did not.
func (s *span) Rate() string {
	if s.Delivered+s.Failed == 0 {
		return "–"
	}
	return strconv.FormatFloat(math.Floor(s.Success()*10)/10, 'f', -1, 64) + " %"
}

// A summary is what happened in a workspace, or at one webhook of it.
type summary struct {
	span             // all of it
	Spans     []span // oldest first
	Step      time.Duration
	Now       time.Time
	Since     time.Time // of the count, at most a day ago
	lately    span      // the last whole minute and the one that runs
	latelyFor time.Duration
}

// A span of a summary is a quarter of an hour. A process that is younger than an hour shows that hour, minute by minute.
const (
	quarter    = 15
	youngHour  = 60
	youngUnder = time.Hour
)

// begin makes a summary of so many empty spans that ends with the one that runs, and returns when it begins, in steps since
// 1970.
func (a *Activity) begin(step time.Duration, spans int) (*summary, int64) {
	now := a.now()
	steps := int64(step / time.Second)
	first := now.Unix()/steps - int64(spans) + 1
	s := &summary{Spans: make([]span, spans), Step: step, Now: now, Since: now.Add(-24 * time.Hour)}
	for i := range s.Spans {
		s.Spans[i].From = time.Unix((first+int64(i))*steps, 0)
	}
	if a.started.After(s.Since) {
		s.Since = a.started
	}
	return s, first
}

// summarize adds up the last 24 hours of a workspace.
func (a *Activity) summarize(workspace string) *summary {
	step, minutes := int64(quarter), dayMinutes
	if a.now().Sub(a.started) < youngUnder {
		step, minutes = 1, youngHour
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	s, first := a.begin(time.Duration(step)*time.Minute, minutes/int(step))
	this := s.Now.Unix() / 60
	s.latelyFor = s.Now.Sub(time.Unix((this-1)*60, 0))
	d := a.workspaces[workspace]
	if d == nil {
		return s
	}
	for _, m := range d {
		if m == nil || m.at < first*step || m.at > this {
			continue
		}
		s.add(m)
		s.Spans[m.at/step-first].add(m)
		if m.at >= this-1 {
			s.lately.add(m)
		}
	}
	return s
}

// failingAfter is how many attempts in a row must have failed before a webhook is shown as failing.
const failingAfter = 5

// summarizeWebhook adds up the attempts of a webhook in the last 24 hours, and tells how many failed since the last that came
// through.
func (a *Activity) summarizeWebhook(id string) (s *summary, row int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, first := a.begin(quarter*time.Minute, dayQuarters)
	l := a.webhooks[id]
	if l == nil {
		return s, 0
	}
	for _, t := range l.slots {
		if i := t.at - first; i >= 0 && i < dayQuarters {
			m := &minute{delivered: t.delivered, failed: t.failed}
			s.add(m)
			s.Spans[i].add(m)
		}
	}
	return s, l.row
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
	return count(int(math.Round(rate)))
}

// quantile is the upper end of the bucket in which that part of all is reached, in milliseconds.
func quantile(waits *[latencyBuckets]int, part float64) float64 {
	all := 0
	for _, n := range waits {
		all += n
	}
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

// Whole reports whether the summary covers all of the last 24 hours.
func (s *summary) Whole() bool { return s.Now.Sub(s.Since) >= 24*time.Hour-time.Minute }
