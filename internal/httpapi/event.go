package httpapi

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"stripe-connector/internal/connection"
	"stripe-connector/internal/store"
)

// An eventView is a stored event as callers see it.
type eventView struct {
	ID         string          `json:"id"` // Stripe's
	Type       string          `json:"type"`
	Endpoint   string          `json:"endpoint"`
	Object     string          `json:"object,omitempty"` // id of what it is about
	Account    string          `json:"account,omitempty"`
	Livemode   bool            `json:"livemode"`
	APIVersion string          `json:"api_version"`
	Source     store.Source    `json:"source"`
	Created    time.Time       `json:"created"`
	Received   time.Time       `json:"received"`
	Webhooks   []fateView      `json:"webhooks,omitempty"`
	Payload    json.RawMessage `json:"payload,omitempty"`
}

// A fateView says what became of an event at one webhook, and why.
type fateView struct {
	Webhook  string              `json:"webhook"`
	Name     string              `json:"webhook_name"`
	Reason   string              `json:"reason,omitempty"`
	State    store.DeliveryState `json:"state,omitempty"`
	Delivery string              `json:"delivery,omitempty"`
}

func viewEvent(e store.Event) eventView {
	return eventView{
		ID: e.ID, Type: e.Type, Endpoint: e.Endpoint, Object: e.Object, Account: e.Account, Livemode: e.Livemode, APIVersion: e.APIVersion, Source: e.Source,
		Created: e.Created.UTC(), Received: e.Received.UTC(), Payload: e.Body,
	}
}

func (s *server) listEvents(w http.ResponseWriter, r *http.Request, caller connection.Caller) error {
	q := query{r: r}
	f := store.EventFilter{
		Endpoint: q.text("endpoint"), Types: q.list("type"), Object: q.text("object"), From: q.time("from"), To: q.time("to"),
	}
	page := q.page("endpoint", "type", "object", "from", "to")
	if err := q.err(); err != nil {
		return err
	}
	events, err := s.Webhooks.Events(r.Context(), caller.Workspace, f, page)
	if err != nil {
		return err
	}
	writeList(w, events, viewEvent)
	return nil
}

// getEvent answers one event with its payload and, for every webhook of the pools where it arrived, what became of it.
func (s *server) getEvent(w http.ResponseWriter, r *http.Request, caller connection.Caller) error {
	arrivals, err := s.Webhooks.Event(r.Context(), caller.Workspace, chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	if len(arrivals) == 0 {
		return store.ErrNotFound
	}
	view := viewEvent(arrivals[0])
	view.Webhooks = []fateView{}
	for _, e := range arrivals {
		fates, err := s.Webhooks.Fates(r.Context(), caller.Workspace, e.Endpoint, e.ID)
		if err != nil {
			return err
		}
		for _, f := range fates {
			fate := fateView{Webhook: f.Webhook, Name: f.Name, Reason: f.Reason}
			if f.Delivery != nil {
				fate.State, fate.Delivery = f.Delivery.State, f.Delivery.ID
			}
			view.Webhooks = append(view.Webhooks, fate)
		}
	}
	writeJSON(w, http.StatusOK, view)
	return nil
}

// A deliveryView is one event's way to one webhook as callers see it.
type deliveryView struct {
	ID         string              `json:"id"`
	Event      string              `json:"event"`
	Type       string              `json:"type"`
	Webhook    string              `json:"webhook"`
	State      store.DeliveryState `json:"state"`
	Reason     string              `json:"reason,omitempty"`
	Attempts   int                 `json:"attempts"`
	LastStatus *int                `json:"last_status"`
	NextAt     *time.Time          `json:"next_at"`
	Created    time.Time           `json:"created"`
	Log        []attemptView       `json:"log,omitempty"`
}

type attemptView struct {
	At         time.Time `json:"at"`
	DurationMS float64   `json:"duration_ms"`
	Status     *int      `json:"status"`
	Answer     string    `json:"answer"` // its first bytes, with whatever is no UTF-8 replaced
	Phase      string    `json:"phase,omitempty"`
	Error      string    `json:"error,omitempty"`
}

func viewDelivery(d store.Delivery) deliveryView {
	return deliveryView{
		ID: d.ID, Event: d.Event, Type: d.Type, Webhook: d.Webhook, State: d.State, Reason: d.Reason, Attempts: d.Attempts,
		LastStatus: orNone(d.LastStatus), NextAt: orNever(d.NextAt), Created: d.Created.UTC(),
	}
}

// orNone is a status that may not have come.
func orNone(status int) *int {
	if status == 0 {
		return nil
	}
	return &status
}

func (s *server) listDeliveries(w http.ResponseWriter, r *http.Request, caller connection.Caller) error {
	q := query{r: r}
	f := store.DeliveryFilter{
		Webhook: q.text("webhook"), Event: q.text("event"), Object: q.text("object"), Type: q.text("type"), From: q.time("from"), To: q.time("to"),
		State: oneOf(&q, "state", store.DeliveryPending, store.DeliveryDelivered, store.DeliveryDead, store.DeliverySkipped),
	}
	page := q.page("webhook", "event", "object", "type", "state", "from", "to")
	if err := q.err(); err != nil {
		return err
	}
	deliveries, err := s.Webhooks.Deliveries(r.Context(), caller.Workspace, f, page)
	if err != nil {
		return err
	}
	writeList(w, deliveries, viewDelivery)
	return nil
}

func (s *server) getDelivery(w http.ResponseWriter, r *http.Request, caller connection.Caller) error {
	d, err := s.Webhooks.Delivery(r.Context(), caller.Workspace, chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	attempts, err := s.Webhooks.Attempts(r.Context(), caller.Workspace, d.ID)
	if err != nil {
		return err
	}
	view := viewDelivery(d)
	view.Log = []attemptView{}
	for _, a := range attempts {
		view.Log = append(view.Log, attemptView{
			At: a.At.UTC(), DurationMS: milliseconds(a.Duration), Status: orNone(a.Status), Answer: string(a.Answer), Phase: a.Phase, Error: a.Error,
		})
	}
	writeJSON(w, http.StatusOK, view)
	return nil
}

func (s *server) retryDelivery(w http.ResponseWriter, r *http.Request, caller connection.Caller) error {
	d, err := s.Webhooks.Retry(r.Context(), caller.Workspace, chi.URLParam(r, "id"))
	if err != nil {
		return inUse(err, "The delivery's webhook was detached.")
	}
	writeJSON(w, http.StatusAccepted, viewDelivery(d))
	return nil
}
