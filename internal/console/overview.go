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
)

// An overviewPage is what is going on.
type overviewPage struct {
	Summary   *summary
	Charts    []chart
	Success   string
	Webhooks  []webhookLine
	More      bool // there are more webhooks than are shown
	Attention []concern
	Empty     bool // there is no connection yet
}

// A webhookLine is a webhook with what waits for it.
type webhookLine struct {
	webhook
	Backlog, Dead tally
}

// A tally is a count up to a page of a list; beyond it the page does not count.
type tally struct {
	N    int
	More bool
}

func (t tally) String() string {
	if t.More {
		return fmt.Sprintf("%d+", t.N)
	}
	return strconv.Itoa(t.N)
}

// A concern is something that needs attention, with the button that mends it, or the page where it is mended.
type concern struct {
	Rank   rank
	Title  string
	Detail string
	Link   string
	Label  string // of the link
	Post   string // where the button posts to
	Button string
}

// A rank says how much hangs on a concern; the first comes first.
type rank int

const (
	rankKey      rank = iota // nothing works without it
	rankEndpoint             // no event comes in
	rankDisabled             // one webhook gets nothing
	rankDead
	rankFailing // it is tried again by itself
)

// Bad reports whether it stays as it is until somebody mends it.
func (c concern) Bad() bool { return c.Rank < rankFailing }

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
	v.show(http.StatusOK, "overview", "Overview", p)
	return nil
}

func (c *console) liveOverview(v *visit) error {
	p, err := v.overviewPage()
	if err != nil {
		return err
	}
	return v.part("overview", "live", p)
}

func (v *visit) overviewPage() (overviewPage, error) {
	s := v.Activity.summarize(v.caller.Workspace)
	p := overviewPage{Summary: s, Success: "–", Charts: []chart{
		s.rates("chart-events", "Events received", eventCounters), s.rates("chart-attempts", "Delivery attempts", attemptCounters),
		s.latencies("chart-latency", "End-to-end latency"), s.rates("chart-calls", "Module calls", callCounters),
	}}
	if s.Success() >= 0 {
		p.Success = fmt.Sprintf("%.1f %%", s.Success())
	}
	connections, err := v.connections()
	if err != nil {
		return p, err
	}
	p.Empty = len(connections) == 0
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
		line := webhookLine{webhook: w}
		if line.Backlog, err = v.tally(w.ID, "pending"); err != nil {
			return p, err
		}
		if line.Dead, err = v.tally(w.ID, "dead"); err != nil {
			return p, err
		}
		p.Webhooks = append(p.Webhooks, line)
		p.Attention = append(p.Attention, concerns(line, v.Activity.summarizeWebhook(w.ID).takesNothing())...)
		if e := w.Endpoint; e.State == "disabled" || e.State == "refused" {
			silent[e.ID] = append(silent[e.ID], w.Name)
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
		Link:   "/console/webhooks/" + w.ID, Label: "Look at the webhook", Post: "/console/connections/" + w.Connection + "/mend", Button: "Mend it at Stripe",
	}
}

// failingAfter is how many attempts must have failed lately before that is shown.
const failingAfter = 5

// concerns are what is wrong with a webhook of which so many attempts failed lately, and none came through.
func concerns(w webhookLine, failed int) []concern {
	var all []concern
	at := "/console/webhooks/" + w.ID
	switch {
	case w.State == "disabled":
		all = append(all, concern{
			Rank: rankDisabled, Title: w.Name + " is disabled", Detail: "Nothing is sent to it" + sentence(w.Reason), Link: at, Label: "Look at it", Post: at + "/resume", Button: "Resume",
		})
	case w.State == "failing" || w.State == "active" && failed >= failingAfter:
		detail := "Its subscriber does not take events" + sentence(w.Reason)
		if w.State == "active" {
			detail = fmt.Sprintf("Of late %d attempts failed and none came through.", failed)
		}
		c := concern{Rank: rankFailing, Title: w.Name + " is failing", Detail: detail, Link: at, Label: "Look at it", Post: at + "/retry-waiting", Button: "Try what waits now"}
		if w.Backlog.N == 0 {
			c.Post, c.Button = at+"/test", "Send a test"
		}
		all = append(all, c)
	}
	if w.Dead.N > 0 {
		all = append(all, concern{
			Rank: rankDead, Title: w.Dead.String() + " given up for " + w.Name, Detail: "These deliveries failed on every attempt and are not tried again by themselves.",
			Link: "/console/deliveries" + query("webhook", w.ID, "state", "dead"), Label: "Look at them", Post: at + "/retry-dead", Button: "Retry all",
		})
	}
	return all
}

// tally counts a webhook's deliveries in a state, as far as one page of the list goes.
func (v *visit) tally(id, state string) (tally, error) {
	var l list[struct{}]
	err := v.get("/v1/deliveries", url.Values{"webhook": {id}, "state": {state}, "limit": {"100"}}, &l)
	return tally{len(l.Data), l.More() != ""}, err
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
