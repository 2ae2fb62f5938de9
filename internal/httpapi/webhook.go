package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"stripe-connector/internal/connection"
	"stripe-connector/internal/spec"
	"stripe-connector/internal/store"
	"stripe-connector/webhooks"
)

// A webhookView is a webhook as callers see it.
type webhookView struct {
	ID            string             `json:"id"`
	Name          string             `json:"webhook_name"`
	Connection    string             `json:"connection"`
	Group         string             `json:"group"`
	EnabledEvents []string           `json:"enabled_events"`
	Connect       bool               `json:"connect"`
	APIVersion    string             `json:"api_version,omitempty"`
	URL           string             `json:"url"`
	State         store.WebhookState `json:"state"`
	Reason        string             `json:"reason,omitempty"`
	Created       time.Time          `json:"created"`
	Endpoint      *endpointView      `json:"endpoint,omitempty"`
	Health        *healthView        `json:"health,omitempty"`         // in the answer about one webhook
	SigningSecret string             `json:"signing_secret,omitempty"` // shown once
	Warnings      []string           `json:"warnings,omitempty"`
}

// An endpointView is what stands at Stripe for a webhook.
type endpointView struct {
	ID       string              `json:"id"`
	StripeID string              `json:"stripe_id,omitempty"`
	State    store.EndpointState `json:"state"`
	Reason   string              `json:"reason,omitempty"`
	Livemode bool                `json:"livemode"`
}

func viewWebhook(w store.Webhook, e store.Endpoint) webhookView {
	return webhookView{
		ID: w.ID, Name: w.Name, Connection: w.Connection, Group: w.Group, EnabledEvents: w.EventTypes, Connect: e.Connect,
		APIVersion: e.APIVersion, URL: w.URL, State: w.State, Reason: w.Reason, Created: w.Created.UTC(),
		Endpoint: &endpointView{ID: e.ID, StripeID: e.StripeID, State: e.State, Reason: e.Reason, Livemode: e.Livemode},
	}
}

// attach is the instant trigger's module: a webhook in place of an answer.
func (s *server) attach(w http.ResponseWriter, r *http.Request, caller connection.Caller, m *spec.Module, body []byte) error {
	if err := allow(caller, connection.RoleManage); err != nil {
		return err
	}
	b, err := m.Decode(body, s.MaxLimit)
	if err != nil {
		return err
	}
	attached, err := s.Webhooks.Attach(r.Context(), caller.Workspace, webhooks.FormOf(b))
	if err != nil {
		return setupProblem(err)
	}
	status := http.StatusOK
	if attached.Created {
		status = http.StatusCreated
		did(w, "webhook.attach", attached.Webhook.ID)
	}
	writeJSON(w, status, viewAttached(attached))
	return nil
}

func viewAttached(a webhooks.Attached) webhookView {
	v := viewWebhook(a.Webhook, a.Endpoint)
	v.SigningSecret, v.Warnings = a.SigningSecret, a.Warnings
	return v
}

// setupProblem tells what the operator has to mend before a webhook can be attached.
func setupProblem(err error) error {
	if setup, ok := errors.AsType[webhooks.SetupError](err); ok {
		return refuse(http.StatusConflict, "The service is not set up for webhooks", setup.Error())
	}
	return err
}

func (s *server) listWebhooks(w http.ResponseWriter, r *http.Request, caller connection.Caller) error {
	q := query{r: r}
	f := store.WebhookFilter{
		Connection: q.text("connection"),
		State:      oneOf(&q, "state", store.WebhookActive, store.WebhookPaused, store.WebhookFailing, store.WebhookDisabled),
	}
	page := q.page("connection", "state")
	if err := q.err(); err != nil {
		return err
	}
	found, err := s.Webhooks.Webhooks(r.Context(), caller.Workspace, f, page)
	if err != nil {
		return err
	}
	endpoints := map[string]store.Endpoint{}
	for _, hook := range found.Data {
		if _, ok := endpoints[hook.Endpoint]; ok {
			continue
		}
		e, err := s.Webhooks.Endpoint(r.Context(), caller.Workspace, hook.Endpoint)
		if err != nil && !errors.Is(err, store.ErrNotFound) { // it may have been detached meanwhile
			return err
		}
		endpoints[hook.Endpoint] = e
	}
	writeList(w, found, func(hook store.Webhook) webhookView { return viewWebhook(hook, endpoints[hook.Endpoint]) })
	return nil
}

func (s *server) getWebhook(w http.ResponseWriter, r *http.Request, caller connection.Caller) error {
	hook, err := s.Webhooks.Webhook(r.Context(), caller.Workspace, chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	return s.writeWebhook(w, r, hook)
}

func (s *server) writeWebhook(w http.ResponseWriter, r *http.Request, hook store.Webhook) error {
	e, err := s.Webhooks.Endpoint(r.Context(), hook.Workspace, hook.Endpoint)
	if err != nil {
		return err
	}
	view := viewWebhook(hook, e)
	view.Health = viewHealth(s.Webhooks.Health(e.ID), s.Now())
	writeJSON(w, http.StatusOK, view)
	return nil
}

func (s *server) patchWebhook(w http.ResponseWriter, r *http.Request, caller connection.Caller) error {
	body, err := readBody(r)
	if err != nil {
		return err
	}
	change, err := webhooks.ParseChange(body)
	if err != nil {
		return err
	}
	changed, err := s.Webhooks.Patch(r.Context(), caller.Workspace, chi.URLParam(r, "id"), change)
	if err != nil {
		return inUse(setupProblem(err), "Another webhook is like that already.")
	}
	writeJSON(w, http.StatusOK, viewAttached(changed))
	return nil
}

// detachWebhook answers the same whether the webhook was there or not: the caller wants it gone.
func (s *server) detachWebhook(w http.ResponseWriter, r *http.Request, caller connection.Caller) error {
	if err := s.Webhooks.Detach(r.Context(), caller.Workspace, chi.URLParam(r, "id")); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// turn makes a handler of a change that takes nothing but the webhook.
func (s *server) turn(change func(ctx context.Context, workspace, id string) (store.Webhook, error)) func(http.ResponseWriter, *http.Request, connection.Caller) error {
	return func(w http.ResponseWriter, r *http.Request, caller connection.Caller) error {
		hook, err := change(r.Context(), caller.Workspace, chi.URLParam(r, "id"))
		if err != nil {
			return err
		}
		return s.writeWebhook(w, r, hook)
	}
}

func (s *server) rotateSecret(w http.ResponseWriter, r *http.Request, caller connection.Caller) error {
	secret, err := s.Webhooks.RotateSecret(r.Context(), caller.Workspace, chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]string{"id": chi.URLParam(r, "id"), "signing_secret": secret})
	return nil
}

// testWebhook sends a sample and answers what the subscriber said.
func (s *server) testWebhook(w http.ResponseWriter, r *http.Request, caller connection.Caller) error {
	trial, err := s.Webhooks.Test(r.Context(), caller.Workspace, chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	writeTrial(w, trial)
	return nil
}

// writeTrial answers with what came of a sample.
func writeTrial(w http.ResponseWriter, trial webhooks.Trial) {
	writeJSON(w, http.StatusOK, struct {
		Event      string  `json:"event"`
		Type       string  `json:"type"`
		Delivered  bool    `json:"delivered"`
		Status     int     `json:"status"`
		Answer     string  `json:"answer"`
		Error      string  `json:"error,omitempty"`
		DurationMS float64 `json:"duration_ms"`
	}{trial.Event, trial.Type, trial.Delivered, trial.Status, string(trial.Answer), trial.Error, milliseconds(trial.Duration)})
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (s *server) replay(w http.ResponseWriter, r *http.Request, caller connection.Caller) error {
	var in struct {
		From  *time.Time `json:"from"`
		To    *time.Time `json:"to"`
		Types []string   `json:"types"`
	}
	if err := readJSON(r, &in); err != nil {
		return err
	}
	if in.From == nil {
		return spec.Faults{{Field: "from", Code: spec.CodeRequired, Message: "is required: a date and time in RFC 3339"}}
	}
	span := webhooks.Range{From: *in.From, Types: in.Types}
	if in.To != nil {
		span.To = *in.To
	}
	job, err := s.Webhooks.Replay(r.Context(), caller.Workspace, chi.URLParam(r, "id"), span)
	return accept(w, job, err)
}

func (s *server) retryDead(w http.ResponseWriter, r *http.Request, caller connection.Caller) error {
	job, err := s.Webhooks.RetryDead(r.Context(), caller.Workspace, chi.URLParam(r, "id"))
	return accept(w, job, err)
}

// accept answers with a job that goes on in the background, and where to ask for it.
func accept(w http.ResponseWriter, job webhooks.Job, err error) error {
	if err != nil {
		return inUse(err, "Another job of this webhook is running; wait for its end.")
	}
	w.Header().Set("Location", "/v1/jobs/"+job.ID)
	writeJSON(w, http.StatusAccepted, viewJob(job))
	return nil
}

type jobView struct {
	ID      string            `json:"id"`
	Kind    webhooks.JobKind  `json:"kind"`
	Webhook string            `json:"webhook"`
	State   webhooks.JobState `json:"state"`
	Events  int               `json:"events,omitempty"` // of a replay: how many there are to look at
	Queued  int               `json:"queued"`
	Error   string            `json:"error,omitempty"`
	Started time.Time         `json:"started"`
	Ended   *time.Time        `json:"ended"`
}

func viewJob(j webhooks.Job) jobView {
	return jobView{j.ID, j.Kind, j.Webhook, j.State, j.Events, j.Queued, j.Error, j.Started.UTC(), orNever(j.Ended)}
}

func (s *server) getJob(w http.ResponseWriter, r *http.Request, caller connection.Caller) error {
	job, err := s.Webhooks.Job(caller.Workspace, chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, viewJob(job))
	return nil
}

// An eventGroup is a family of event types that Watch Events can be asked for.
type eventGroup struct {
	Key    string      `json:"key"`
	Label  string      `json:"label"`
	Events []eventType `json:"events"`
}

type eventType struct {
	Type  string `json:"type"`
	Label string `json:"label"`
}

// eventGroups are the groups as the form of Watch Events has them, and in each the types that begin with its key.
func (s *server) eventGroups() []eventGroup {
	groups := []eventGroup{}
	var types []spec.Option
	if m, ok := s.Catalogue.Module("watch-events"); ok {
		for _, in := range m.Inputs() {
			switch in.Name {
			case "group":
				for _, o := range in.Options {
					groups = append(groups, eventGroup{Key: o.Value, Label: o.Label, Events: []eventType{}})
				}
			case "enabled_events":
				types = in.Options
			}
		}
	}
	for i := range groups {
		for _, t := range types {
			if strings.HasPrefix(t.Value, groups[i].Key+".") {
				groups[i].Events = append(groups[i].Events, eventType{t.Value, t.Label})
			}
		}
	}
	return groups
}

func (s *server) listEventTypes(w http.ResponseWriter, _ *http.Request, _ connection.Caller) error {
	writeJSON(w, http.StatusOK, map[string][]eventGroup{"data": s.eventGroups()})
	return nil
}

// lookEventTypes is the same as one menu, for forms.
func (s *server) lookEventTypes(w http.ResponseWriter, r *http.Request, _ connection.Caller) error {
	q := query{r: r}
	q.known("group")
	if err := q.err(); err != nil {
		return err
	}
	page := choices{Options: []choice{}}
	for _, g := range s.eventGroups() {
		if wanted := q.text("group"); wanted != "" && wanted != "all" && wanted != g.Key {
			continue
		}
		for _, t := range g.Events {
			page.Options = append(page.Options, choice{t.Type, t.Label})
		}
	}
	writeJSON(w, http.StatusOK, page)
	return nil
}
