package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"testing"
	"time"

	"stripe-connector/internal/stripetest"
)

// A reply is what the connector answered.
type reply struct {
	t      *testing.T
	what   string
	status int
	header http.Header
	body   []byte
}

func (r reply) want(status int) reply {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("%s answered %d, want %d: %s", r.what, r.status, status, r.body)
	}
	return r
}

func (r reply) into(v any) {
	r.t.Helper()
	if err := json.Unmarshal(r.body, v); err != nil {
		r.t.Fatalf("%s answered %s: %v", r.what, r.body, err)
	}
}

// detail is what a problem says.
func (r reply) detail() string {
	r.t.Helper()
	var problem struct{ Detail string }
	r.into(&problem)
	return problem.Detail
}

// call makes a request with the program's token. in is JSON, as a value or as text.
func (p *program) call(method, path string, in any) reply {
	p.t.Helper()
	r, err := p.try(p.t.Context(), method, path, in)
	must(p.t, err)
	return r
}

// try is call for other goroutines than the test's own.
func (p *program) try(ctx context.Context, method, path string, in any) (reply, error) {
	r := reply{t: p.t, what: method + " " + path}
	var body []byte
	switch in := in.(type) {
	case nil:
	case string:
		body = []byte(in)
	default:
		var err error
		if body, err = json.Marshal(in); err != nil {
			return r, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, p.url+path, bytes.NewReader(body))
	if err != nil {
		return r, err
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	res, err := p.client.Do(req)
	if err != nil {
		return r, err
	}
	defer res.Body.Close()
	r.status, r.header = res.StatusCode, res.Header
	r.body, err = io.ReadAll(res.Body)
	return r, err
}

func (p *program) get(path string, v any) {
	p.t.Helper()
	p.call(http.MethodGet, path, nil).want(http.StatusOK).into(v)
}

// object is a JSON object on its way in.
type object map[string]any

// connect makes a connection.
func (p *program) connect(key string) string {
	p.t.Helper()
	var made struct{ ID string }
	p.call(http.MethodPost, "/v1/connections", object{"connection_name": "Shop", "key": key}).want(http.StatusCreated).into(&made)
	return made.ID
}

// A webhook is one as callers see it.
type webhook struct {
	ID            string
	State         string
	Reason        string
	EnabledEvents []string `json:"enabled_events"`
	SigningSecret string   `json:"signing_secret"`
	Warnings      []string
	Endpoint      struct {
		ID       string
		StripeID string `json:"stripe_id"`
	}
}

// form is a filled-in Watch Events for one type of event.
func form(connection, target, eventType string) object {
	return object{
		"webhook_name": "Hook", "connection": connection, "group": "all", "enabled_events": []string{eventType}, "url": target,
	}
}

const watchEvents = "/v1/modules/watch-events"

// attach attaches a webhook for one type of event.
func (p *program) attach(connection, target, eventType string) webhook {
	p.t.Helper()
	var w webhook
	p.call(http.MethodPost, watchEvents, form(connection, target, eventType)).want(http.StatusCreated).into(&w)
	return w
}

func (p *program) webhook(id string) webhook {
	p.t.Helper()
	var w webhook
	p.get("/v1/webhooks/"+id, &w)
	return w
}

func (p *program) webhooks() []webhook {
	p.t.Helper()
	var page struct{ Data []webhook }
	p.get("/v1/webhooks?limit=100", &page)
	return page.Data
}

// A delivery is one as callers see it.
type delivery struct {
	ID         string
	Event      string
	Webhook    string
	State      string
	Reason     string
	Attempts   int
	LastStatus int       `json:"last_status"`
	NextAt     time.Time `json:"next_at"`
	Log        []struct {
		At     time.Time
		Status int
		Answer string
		Phase  string
		Error  string
	}
}

// deliveries lists up to a hundred of a webhook's.
func (p *program) deliveries(webhook string, filter url.Values) []delivery {
	p.t.Helper()
	query := url.Values{"webhook": {webhook}, "limit": {"100"}}
	maps.Copy(query, filter)
	var page struct{ Data []delivery }
	p.get("/v1/deliveries?"+query.Encode(), &page)
	return page.Data
}

// settled returns the log of an event's delivery to a webhook as soon as that is in a state.
func (p *program) settled(webhook, event, state string) delivery {
	p.t.Helper()
	var d delivery
	eventually(p.t, fmt.Sprintf("the delivery of %s to %s is %s", event, webhook, state), func() bool {
		found := p.deliveries(webhook, url.Values{"event": {event}, "state": {state}})
		if len(found) == 1 {
			p.get("/v1/deliveries/"+found[0].ID, &d)
		}
		return len(found) == 1
	})
	return d
}

// drained returns when nothing is left to be delivered to a webhook.
func (p *program) drained(webhook string) {
	p.t.Helper()
	eventually(p.t, "nothing is pending for "+webhook, func() bool {
		return len(p.deliveries(webhook, url.Values{"state": {"pending"}})) == 0
	})
}

// A job is one as callers see it.
type job struct {
	ID, State, Error string
	Queued           int
}

// finished returns a background job when it has ended.
func (p *program) finished(accepted reply) job {
	p.t.Helper()
	var job job
	accepted.want(http.StatusAccepted).into(&job)
	eventually(p.t, "the job "+job.ID+" ends", func() bool {
		p.get("/v1/jobs/"+job.ID, &job)
		return job.State != "running"
	})
	return job
}

// stored reports whether the connector has an event.
func (p *program) stored(event string) bool {
	p.t.Helper()
	r := p.call(http.MethodGet, "/v1/events/"+event, nil)
	if r.status == http.StatusNotFound {
		return false
	}
	r.want(http.StatusOK)
	return true
}

// A sender plays Stripe for one endpoint: it signs events and posts them.
type sender struct {
	client *http.Client
	url    string
	secret string
}

// sender takes over from a Stripe that made the endpoint of a webhook for the account of a key.
func (p *program) sender(stripe *stripetest.Server, key string, w webhook) *sender {
	p.t.Helper()
	secret := stripe.Account(key).Secret(w.Endpoint.StripeID)
	if secret == "" {
		p.t.Fatalf("Stripe has no endpoint %s", w.Endpoint.StripeID)
	}
	return &sender{client: p.client, url: p.url + "/stripe/" + w.Endpoint.ID, secret: secret}
}

// send signs an event now and posts it. The header is of the answer.
func (s *sender) send(ctx context.Context, body []byte) (status int, header http.Header, err error) {
	return s.post(ctx, body, stripetest.Sign(s.secret, body, time.Now()))
}

func (s *sender) post(ctx context.Context, body []byte, signature string) (status int, header http.Header, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("Stripe-Signature", signature)
	res, err := s.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, res.Header, err
}

// accept sends an event that has to be acknowledged.
func (s *sender) accept(t *testing.T, body []byte) {
	t.Helper()
	status, _, err := s.send(t.Context(), body)
	must(t, err)
	if status != http.StatusOK {
		t.Fatalf("sending %.80s…: status %d, want 200", body, status)
	}
}

// event is one of an account in test mode.
func event(id, eventType string) []byte {
	return fmt.Appendf(nil, `{"id":%q,"object":"event","api_version":%q,"created":%d,"data":{"object":{"id":"obj_1","object":"thing"}},`+
		`"livemode":false,"pending_webhooks":1,"request":{"id":null,"idempotency_key":null},"type":%q}`,
		id, stripetest.APIVersion, time.Now().Unix(), eventType)
}
