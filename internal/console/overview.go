package console

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"stripe-connector/internal/connection"
	"stripe-connector/webhooks"
)

// An overviewPage is what is going on.
type overviewPage struct {
	Summary   *summary
	Charts    []chart
	Webhooks  []webhookLine
	More      bool // there are more webhooks than are shown
	Attention []concern
	Connected bool // there is a connection
}

// Fresh reports whether nothing was set up yet but a connection, so that the page tells the first steps.
func (p overviewPage) Fresh() bool {
	return !p.Connected || len(p.Webhooks) == 0 && p.Summary.Calls[callDone] == 0
}

// Title is the page's, with how much needs attention, for a tab that nobody looks into.
func (p overviewPage) Title() string {
	if n := len(p.Attention); n > 0 {
		return fmt.Sprintf("(%d) Overview", n)
	}
	return "Overview"
}

// A webhookLine is a webhook with what waits for it, and the job that runs for it.
type webhookLine struct {
	watched
	Backlog, Dead tally
	Job           *jobView
}

// lastly is how the newest delivery fared that failed so far, for the end of a sentence; empty if none did.
func (l webhookLine) lastly() string {
	switch d := cmp.Or(l.Backlog.Failed, l.Dead.Failed); {
	case d == nil:
		return ""
	case d.LastStatus == nil:
		return ", lastly without an answer"
	default:
		return ", lastly with " + status(*d.LastStatus)
	}
}

// A tally is a count up to a page of a list; beyond it the page does not count.
type tally struct {
	N      int
	More   bool
	Failed *delivery // the newest whose last attempt failed
}

func (t tally) String() string {
	if t.More {
		return fmt.Sprintf("%d+", t.N)
	}
	return strconv.Itoa(t.N)
}

// Plural is the count with the word for one or for many.
func (t tally) Plural(one, many string) string {
	if t.N == 1 {
		return "1 " + one
	}
	return t.String() + " " + many
}

// A concern is something that needs attention, with the buttons that mend it, or the page where it is mended.
type concern struct {
	Rank    rank
	Title   string
	Detail  string
	Buttons []button // the one that helps most is the first
	Link    string
	Label   string // of the link
}

// A button posts to a path.
type button struct{ Post, Label string }

// A rank says how much hangs on a concern; the first comes first.
type rank int

const (
	rankKey      rank = iota // nothing works without it
	rankEndpoint             // no event comes in
	rankDisabled             // one webhook gets nothing
	rankFailing              // of one webhook more and more waits
	rankDead                 // what it has left behind
	rankPaused               // somebody wanted that, and may have forgotten it
)

// Bad reports whether something is broken.
func (c concern) Bad() bool { return c.Rank < rankPaused }

const overviewWebhooks = 25

func (c *console) overview(v *visit) error {
	if !v.caller.Role.Allows(connection.RoleManage) {
		v.redirect("/console/modules")
		return nil
	}
	p, err := v.overviewPage()
	if err != nil {
		return err
	}
	v.show(http.StatusOK, "overview", p.Title(), &p)
	return nil
}

func (c *console) liveOverview(v *visit) error {
	p, err := v.overviewPage()
	if err != nil {
		return err
	}
	return v.part(p.news(v.view()))
}

func (v *visit) overviewPage() (overviewPage, error) {
	s := v.Activity.summarize(v.caller.Workspace)
	p := overviewPage{Summary: s, Charts: []chart{
		s.rates("chart-events", "Events received", eventCounters), s.rates("chart-attempts", "Delivery attempts", attemptCounters),
		s.latencies("chart-latency", "End-to-end latency"), s.rates("chart-calls", "Module calls", callCounters),
	}}
	connections, err := v.connections()
	if err != nil {
		return p, err
	}
	p.Connected = len(connections) > 0
	for _, conn := range connections {
		if v.keys.refused(conn.ID) {
			p.Attention = append(p.Attention, keyConcern(conn))
		}
	}
	var hooks list[webhook]
	if err := v.get("/v1/webhooks", url.Values{"limit": {strconv.Itoa(overviewWebhooks)}}, &hooks); err != nil {
		return p, err
	}
	p.More = hooks.More() != ""
	silent := map[string][]string{} // by endpoint, its webhooks for which Stripe sends nothing
	for _, w := range hooks.Data {
		line, err := v.line(w)
		if err != nil {
			return p, err
		}
		p.Webhooks = append(p.Webhooks, line)
		p.Attention = append(p.Attention, concerns(line)...)
		if w.Silent() {
			silent[w.Endpoint.ID] = append(silent[w.Endpoint.ID], w.Name)
		}
	}
	for _, w := range hooks.Data {
		if names := silent[w.Endpoint.ID]; names != nil {
			p.Attention = append(p.Attention, endpointConcern(w, names))
			delete(silent, w.Endpoint.ID)
		}
	}
	slices.SortStableFunc(p.Attention, func(a, b concern) int { return cmp.Compare(a.Rank, b.Rank) })
	return p, nil
}

func sentence(reason string) string {
	if reason == "" {
		return "."
	}
	return ": " + why(reason) + "."
}

// endpointConcern is about the endpoint of a webhook that feeds all those named.
func endpointConcern(w webhook, names []string) concern {
	others := ""
	if n := len(names) - 1; n > 0 {
		others = " and " + plural(n, "other", "others")
	}
	return concern{
		Rank: rankEndpoint, Title: "Stripe does not send events for " + names[0] + others,
		Detail: "Its endpoint at Stripe is " + w.Endpoint.State + sentence(w.Endpoint.Reason),
		Link:   "/console/webhooks/" + w.ID, Label: "Look at it", Buttons: []button{{"/console/connections/" + w.Connection + "/mend", "Mend it at Stripe"}},
	}
}

// concerns are what is wrong with a webhook.
func concerns(w webhookLine) []concern {
	at := "/console/webhooks/" + w.ID
	resume, retryDead := button{at + "/resume", "Resume"}, button{at + "/retry-dead", "Retry all dead"}
	dead := w.Dead.Plural("delivery is dead", "deliveries are dead")
	var all []concern
	switch w.State {
	case "disabled":
		all = append(all, concern{
			Rank: rankDisabled, Title: w.Name + " is disabled", Detail: "Nothing is sent to it" + sentence(w.Reason), Buttons: []button{resume}, Link: at, Label: "Look at it",
		})
	case "failing":
		c := concern{
			Rank: rankFailing, Title: w.Name + " is failing", Detail: "Its subscriber takes nothing" + sentence(why(w.Reason)+w.lastly()),
			Buttons: []button{{at + "/test", "Send a test"}}, Link: at, Label: "Look at it",
		}
		if w.Backlog.N > 0 {
			c.Buttons[0] = button{at + "/retry-waiting", "Try what waits now"}
		}
		if w.Dead.N > 0 {
			c.Detail += " " + dead + "."
			c.Buttons = append(c.Buttons, retryDead)
		}
		return append(all, c)
	case "paused":
		if w.Backlog.N > 0 {
			all = append(all, concern{
				Rank: rankPaused, Title: w.Name + " is paused", Detail: w.Backlog.Plural("delivery waits", "deliveries wait") + " until it is resumed.",
				Buttons: []button{resume}, Link: at, Label: "Look at it",
			})
		}
	}
	if w.Dead.N > 0 {
		c := concern{
			Rank: rankDead, Title: dead + " for " + w.Name, Detail: "What failed on every attempt is not tried again by itself.", Buttons: []button{retryDead},
			Link: "/console/deliveries" + query("webhook", w.ID, "state", "dead"), Label: "Look at them",
		}
		if w.Job != nil && w.Job.Running() && w.Job.Kind == webhooks.JobRetryDead {
			c.Detail, c.Buttons = "They are being queued again, "+count(w.Job.Queued)+" so far.", nil
		}
		all = append(all, c)
	}
	return all
}

// line is a webhook with what waits for it.
func (v *visit) line(w webhook) (webhookLine, error) {
	line := webhookLine{watched: v.watch(w), Job: v.job(w.ID)}
	var err error
	if line.Backlog, err = v.tally(w.ID, "pending"); err != nil {
		return line, err
	}
	line.Dead, err = v.tally(w.ID, "dead")
	return line, err
}

// tally counts a webhook's deliveries in a state, as far as one page of the list goes.
func (v *visit) tally(id, state string) (tally, error) {
	var l list[delivery]
	err := v.get("/v1/deliveries", url.Values{"webhook": {id}, "state": {state}, "limit": {"100"}}, &l)
	t := tally{N: len(l.Data), More: l.More() != ""}
	if i := slices.IndexFunc(l.Data, delivery.Failed); i >= 0 {
		t.Failed = &l.Data[i]
	}
	return t, err
}

// keyChecks remembers which stored keys Stripe took, so that looking at a page does not ask Stripe each time.
type keyChecks struct {
	mu    sync.Mutex
	known map[string]keyCheck
}

type keyCheck struct {
	at      time.Time
	refused bool
}

func newKeyChecks() *keyChecks { return &keyChecks{known: map[string]keyCheck{}} }

func (k *keyChecks) refused(id string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.known[id].refused
}

// note remembers what a check said. A check that did not come to a verdict says nothing about the key.
func (k *keyChecks) note(id string, now time.Time, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if p := refused(err); err == nil || p != nil && p.Status == http.StatusUnprocessableEntity {
		k.known[id] = keyCheck{now, err != nil}
	}
}

func (k *keyChecks) stale(id string, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return now.Sub(k.known[id].at) > keyCheckEvery
}

const (
	keyCheckEvery = 5 * time.Minute // like the page, which asks as often
	keyChecksMost = 10              // in one request
)

func keyConcern(conn connectionView) concern {
	return concern{
		Rank: rankKey, Title: "Stripe refuses the key of " + conn.Name, Detail: "It is wrong, expired or revoked. Modules and webhooks of this connection do not work.",
		Link: "/console/connections/" + conn.ID + "#key", Label: "Re-authorize",
	}
}

// checkKeys asks Stripe about keys that were not checked lately, beside the page, which is told to look again.
func (c *console) checkKeys(v *visit) error {
	connections, err := v.connections()
	if err != nil {
		return err
	}
	asked := 0
	for _, conn := range connections {
		if asked == keyChecksMost || !c.keys.stale(conn.ID, c.Now()) {
			continue
		}
		asked++
		if err := v.check(conn.ID); err != nil && refused(err) == nil {
			return err
		}
	}
	if asked > 0 {
		v.w.Header().Set("HX-Trigger", "checked")
	}
	v.w.WriteHeader(http.StatusNoContent)
	return nil
}

// check asks Stripe whether a connection's key works, and remembers the answer.
func (v *visit) check(id string) error {
	err := v.do(http.MethodPost, below("/v1/connections", id, "check"), nil, nil)
	v.keys.note(id, v.Now(), err)
	return err
}
