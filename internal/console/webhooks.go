package console

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"stripe-connector/internal/spec"
	"stripe-connector/webhooks"
)

type webhooksPage struct {
	Webhooks   []watched
	Connection string // of which only these are shown
	Next       string
	Operations operations
}

func (v *visit) webhooksPage() (webhooksPage, error) {
	q := v.r.URL.Query()
	var l list[webhook]
	if err := v.get("/v1/webhooks", pick(q, "connection", "state", "cursor"), &l); err != nil {
		return webhooksPage{}, err
	}
	p := webhooksPage{Connection: q.Get("connection"), Next: l.More()}
	for _, w := range l.Data {
		p.Webhooks = append(p.Webhooks, v.watch(w))
	}
	var err error
	p.Operations, err = v.operations()
	return p, err
}

// A watched webhook comes with how its attempts went in the last 24 hours. One that takes nothing is failing, long before the
// API says so.
type watched struct {
	webhook
	Tried *summary
}

func (v *visit) watch(w webhook) watched {
	tried, row := v.Activity.summarizeWebhook(w.ID)
	if w.State == "active" && row >= failingAfter {
		w.State, w.Reason = "failing", fmt.Sprintf("the last %s attempts failed", count(row))
	}
	return watched{w, tried}
}

func (c *console) listWebhooks(v *visit) error {
	p, err := v.webhooksPage()
	if err != nil {
		return err
	}
	v.show(http.StatusOK, "webhooks", "Webhooks", &p)
	return nil
}

// pick copies the parameters that are given and not empty.
func pick(from url.Values, names ...string) url.Values {
	q := url.Values{}
	for _, name := range names {
		if value := strings.TrimSpace(from.Get(name)); value != "" {
			q.Set(name, value)
		}
	}
	return q
}

// An attachPage is the form of a new webhook.
type attachPage struct {
	Connections []connectionView
	Groups      []eventGroup
	Versions    []string
	In          url.Values // as filled
	Every       bool       // all events are wanted
	Faults      faultsByField
	Problem     *problem
}

type eventGroup struct {
	Key, Label string
	Open       bool // something in it is chosen
	Events     []eventChoice
}

type eventChoice struct {
	Type, Label string
	Chosen      bool
}

func (c *console) newWebhook(v *visit) error {
	return v.showAttach(http.StatusOK, url.Values{}, nil)
}

func (v *visit) showAttach(status int, in url.Values, failed *problem) error {
	p := attachPage{In: in, Every: in.Get("scope") == "all", Problem: failed}
	if failed != nil {
		p.Faults = byField(failed.Fields)
	}
	var err error
	if p.Connections, err = v.connections(); err != nil {
		return err
	}
	var groups list[eventGroup]
	if err := v.get("/v1/event-types", nil, &groups); err != nil {
		return err
	}
	chosen := in["event"]
	for _, g := range groups.Data {
		if len(g.Events) == 0 {
			continue // the group of all events, which the form offers by itself
		}
		for i := range g.Events {
			g.Events[i].Chosen = slices.Contains(chosen, g.Events[i].Type)
			g.Open = g.Open || g.Events[i].Chosen
		}
		p.Groups = append(p.Groups, g)
	}
	if m, ok := v.Catalogue.Module("watch-events"); ok {
		for _, field := range m.Inputs() {
			if field.Name == "api_version" {
				for _, o := range field.Options {
					p.Versions = append(p.Versions, o.Value)
				}
				slices.Reverse(p.Versions)
			}
		}
	}
	v.show(status, "attach", "Attach a webhook", &p)
	return nil
}

func (c *console) attachWebhook(v *visit) error {
	if err := v.r.ParseForm(); err != nil {
		return &problem{Status: http.StatusBadRequest, Title: "Unreadable form", Detail: "The form could not be read."}
	}
	in := v.r.PostForm
	bundle := map[string]any{
		"webhook_name": in.Get("webhook_name"), "connection": in.Get("connection"), "url": in.Get("url"),
		"api_version": in.Get("api_version"), "group": "all",
	}
	if in.Get("connect") != "" {
		bundle["connect"] = true
	}
	if in.Get("scope") != "all" {
		events := in["event"]
		if len(events) == 0 {
			return v.showAttach(http.StatusUnprocessableEntity, in, &problem{
				Title: "Choose events", Detail: "1 field needs attention",
				Fields: spec.Faults{{Field: "enabled_events", Label: "Events", Code: spec.CodeRequired, Message: "must be at least one, or all events"}},
			})
		}
		bundle["enabled_events"], bundle["group"] = events, commonGroup(events)
	}
	var made webhook
	err := v.do(http.MethodPost, "/v1/modules/watch-events", bundle, &made)
	if failed := refused(err); failed != nil {
		return v.showAttach(failed.Status, in, failed)
	} else if err != nil {
		return err
	}
	said := flash{Good: true, Text: made.Name + " is attached.", Detail: strings.Join(made.Warnings, " "), Secret: made.SigningSecret}
	if made.SigningSecret == "" {
		said = flash{Good: true, Text: "This webhook was attached already.", Detail: "It has the same connection, URL and events."}
	}
	return v.tell(said, "/console/webhooks/"+made.ID)
}

// commonGroup is the group of all these events; "all" if they are of several.
func commonGroup(events []string) string {
	group, _, _ := strings.Cut(events[0], ".")
	for _, e := range events {
		if !strings.HasPrefix(e, group+".") {
			return "all"
		}
	}
	return group
}

type webhookPage struct {
	webhookLine
	Attention []concern
	Recent    []delivery // newest last, for the strip
	Attempts  chart      // of the last 24 hours
	ConnName  string
	Problem   *problem
	Faults    faultsByField
	In        url.Values // of a form that was refused
	From      string     // what the replay form offers
}

// A jobView is a background job with how far it is.
type jobView struct {
	webhooks.Job
	Now time.Time
}

// Percent is how much of a replay is queued; negative: nobody knows.
func (j jobView) Percent() int {
	switch {
	case j.State == webhooks.JobDone:
		return 100
	case j.Events > 0:
		return min(100*j.Queued/j.Events, 99)
	default:
		return -1
	}
}

// progress is how far it is, in words.
func (j jobView) progress() string {
	text := count(j.Queued)
	if j.Events > 0 {
		text += " of " + count(j.Events)
	}
	text += " queued"
	if j.Error != "" {
		text += ": " + j.Error
	}
	return text + ", began " + ago(j.Started, j.Now)
}

// Word is the job's state.
func (j jobView) Word() string { return string(j.State) }

// Running reports whether there is more to come.
func (j jobView) Running() bool { return j.State == webhooks.JobRunning }

func (v *visit) webhookPage() (webhookPage, error) {
	id := v.r.PathValue("id")
	var p webhookPage
	var hook webhook
	err := v.get(below("/v1/webhooks", id), nil, &hook)
	if err != nil {
		return p, err
	}
	if p.webhookLine, err = v.line(hook); err != nil {
		return p, err
	}
	if p.Attention = concerns(p.webhookLine); hook.Silent() {
		p.Attention = slices.Insert(p.Attention, 0, endpointConcern(hook, []string{hook.Name}))
	}
	var conn connectionView
	if err := v.get(below("/v1/connections", p.Connection), nil, &conn); err == nil {
		p.ConnName = conn.Name
	}
	var recent list[delivery]
	if err := v.get("/v1/deliveries", url.Values{"webhook": {id}, "limit": {"60"}}, &recent); err != nil {
		return p, err
	}
	slices.Reverse(recent.Data)
	p.Recent = recent.Data
	p.Attempts = p.Tried.rates("chart-webhook", "Delivery attempts", attemptCounters)
	p.From = v.Now().UTC().Add(-24 * time.Hour).Format("2006-01-02T15:04")
	return p, nil
}

func (v *visit) job(id string) *jobView {
	jobs := v.Jobs.Jobs(v.caller.Workspace, id)
	if len(jobs) == 0 {
		return nil
	}
	return &jobView{jobs[0], v.Now()}
}

func (c *console) showWebhook(v *visit) error {
	p, err := v.webhookPage()
	if err != nil {
		return err
	}
	if v.htmx() {
		return v.part(p.news(v.view()))
	}
	v.show(http.StatusOK, "webhook", p.Name, &p)
	return nil
}

// actOnWebhook does what a button of the page says.
func (c *console) actOnWebhook(v *visit) error {
	id := v.r.PathValue("id")
	path := below("/v1/webhooks", id)
	var said flash
	var err error
	to := v.back("/console/webhooks/" + url.PathEscape(id))
	switch v.r.PathValue("action") {
	case "pause":
		err = v.do(http.MethodPost, path+"/pause", nil, nil)
		said = flash{Good: true, Text: "Paused.", Detail: "Events go on arriving; they wait until you resume."}
	case "resume":
		err = v.do(http.MethodPost, path+"/resume", nil, nil)
		said = flash{Good: true, Text: "Resumed.", Detail: "What was waiting goes out now."}
	case "rotate":
		said, err = v.rotate(path)
	case "test":
		said, err = v.test(path)
	case "detach":
		err = v.do(http.MethodDelete, path, nil, nil)
		said, to = flash{Good: true, Text: "The webhook is deleted."}, "/console/webhooks"
	case "retry-dead":
		err = v.do(http.MethodPost, path+"/retry-dead", nil, nil)
		said = flash{Good: true, Text: "All that is dead is queued again."}
	case "retry-waiting":
		said, err = v.retryWaiting(id)
	case "replay":
		return v.replay(path)
	case "change":
		return v.changeWebhook(path)
	default:
		return errNoPage
	}
	if failed := refused(err); failed != nil && failed.Status != http.StatusNotFound {
		said = flash{Text: failed.Title + ".", Detail: failed.Detail}
	} else if err != nil {
		return err
	}
	return v.tell(said, to)
}

// retryWaiting makes the deliveries due now that have failed and wait for their next attempt, as many as a page of the list has.
func (v *visit) retryWaiting(id string) (flash, error) {
	if err := v.get(below("/v1/webhooks", id), nil, nil); err != nil {
		return flash{}, err
	}
	var waiting list[delivery]
	if err := v.get("/v1/deliveries", url.Values{"webhook": {id}, "state": {"pending"}, "limit": {"100"}}, &waiting); err != nil {
		return flash{}, err
	}
	n := 0
	for _, d := range waiting.Data {
		if d.Attempts == 0 {
			continue // it is due anyway
		}
		if err := v.do(http.MethodPost, below("/v1/deliveries", d.ID, "retry"), nil, nil); err != nil {
			return flash{}, err
		}
		n++
	}
	said := flash{Good: true, Text: plural(n, "delivery is", "deliveries are") + " tried again now."}
	if n == 0 {
		said.Text = "Nothing waits for another attempt."
	} else if waiting.More() != "" {
		said.Detail = "Older ones wait still; once these come through, try again."
	}
	return said, nil
}

// rotate makes a new signing secret and shows it.
func (v *visit) rotate(path string) (flash, error) {
	var rotated struct {
		Secret string `json:"signing_secret"`
	}
	err := v.do(http.MethodPost, path+"/rotate-secret", nil, &rotated)
	return flash{Good: true, Text: "There is a new signing secret.", Detail: "For 24 hours every delivery is signed with the old one too.", Secret: rotated.Secret}, err
}

// test sends a sample and says what the subscriber answered.
func (v *visit) test(path string) (flash, error) {
	var trial struct {
		Type       string  `json:"type"`
		Delivered  bool    `json:"delivered"`
		Status     int     `json:"status"`
		Answer     string  `json:"answer"`
		Error      string  `json:"error"`
		DurationMS float64 `json:"duration_ms"`
	}
	if err := v.do(http.MethodPost, path+"/test", nil, &trial); err != nil {
		return flash{}, err
	}
	detail := fmt.Sprintf("A sample of %s was answered with status %d in %s.", trial.Type, trial.Status, milliseconds(trial.DurationMS))
	if trial.Status == 0 {
		detail = fmt.Sprintf("A sample of %s got no answer: %s.", trial.Type, trial.Error)
	} else if answer := strings.TrimSpace(trial.Answer); answer != "" {
		detail += " It said: " + short(answer, 200)
	}
	if trial.Delivered {
		return flash{Good: true, Text: "The subscriber took the test.", Detail: detail}, nil
	}
	return flash{Text: "The subscriber did not take the test.", Detail: detail}, nil
}

// replay sends a stretch of stored events again. Times of the form are in UTC.
func (v *visit) replay(path string) error {
	if err := v.r.ParseForm(); err != nil {
		return &problem{Status: http.StatusBadRequest, Title: "Unreadable form", Detail: "The form could not be read."}
	}
	in := v.r.PostForm
	var faults spec.Faults
	ask := map[string]any{}
	for _, name := range []string{"from", "to"} {
		if in.Get(name) == "" {
			continue
		}
		at, err := parseLocal(in.Get(name))
		if err != nil {
			faults = append(faults, spec.Fault{Field: name, Code: spec.CodeInvalid, Message: "must be a date and a time"})
			continue
		}
		ask[name] = at
	}
	if types := strings.FieldsFunc(in.Get("types"), func(r rune) bool { return r == ',' || r == ' ' || r == '\n' }); len(types) > 0 {
		ask["types"] = types
	}
	var err error
	if faults != nil {
		err = &problem{Status: http.StatusUnprocessableEntity, Fields: faults, Title: "Unprocessable form"}
	} else {
		err = v.do(http.MethodPost, path+"/replay", ask, nil)
	}
	if failed := refused(err); failed != nil && failed.Status != http.StatusNotFound {
		return v.webhookProblem(failed)
	} else if err != nil {
		return err
	}
	return v.tell(flash{Good: true, Text: "The replay has begun."}, "/console/webhooks/"+url.PathEscape(v.r.PathValue("id")))
}

// changeWebhook gives a webhook another name or URL.
func (v *visit) changeWebhook(path string) error {
	change := map[string]string{"webhook_name": v.r.PostFormValue("webhook_name"), "url": v.r.PostFormValue("url")}
	err := v.do(http.MethodPatch, path, change, nil)
	if failed := refused(err); failed != nil && failed.Status != http.StatusNotFound {
		return v.webhookProblem(failed)
	} else if err != nil {
		return err
	}
	return v.tell(flash{Good: true, Text: "The webhook is changed."}, "/console/webhooks/"+url.PathEscape(v.r.PathValue("id")))
}

// webhookProblem shows the webhook's page with what was filled in and what is wrong with it.
func (v *visit) webhookProblem(failed *problem) error {
	p, err := v.webhookPage()
	if err != nil {
		return err
	}
	p.Problem, p.Faults, p.In = failed, byField(failed.Fields), v.r.PostForm
	v.show(failed.Status, "webhook", p.Name, &p)
	return nil
}

// parseLocal reads what a datetime-local input holds, as UTC
// (https://html.spec.whatwg.org/multipage/common-microsyntaxes.html#local-dates-and-times).
func parseLocal(s string) (time.Time, error) {
	at, err := time.Parse("2006-01-02T15:04", s)
	if err != nil {
		at, err = time.Parse("2006-01-02T15:04:05", s)
	}
	return at, err
}

// Filled is what a field of the settings shows: what was typed, else what is so.
func (p webhookPage) Filled(name, now string) string {
	if p.In.Has(name) {
		return p.In.Get(name)
	}
	return now
}

// ReplayFrom is what the replay form shows as its beginning.
func (p webhookPage) ReplayFrom() string { return cmp.Or(p.In.Get("from"), p.From) }

// path is the webhook's page.
func (p webhookPage) path() string { return "/console/webhooks/" + p.ID }
