package httpapi

import (
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"stripe-connector/internal/connection"
	"stripe-connector/webhooks"
)

// A healthView says how the endpoint of a webhook is being kept at Stripe, and whether events are missing.
type healthView struct {
	Reconciled     *time.Time   `json:"reconciled"`
	Problem        string       `json:"problem,omitempty"`
	NextTry        *time.Time   `json:"next_try,omitempty"`
	Actions        []actionView `json:"actions"`
	CaughtUp       *time.Time   `json:"caught_up"`
	LagSeconds     *float64     `json:"lag_seconds"`
	CatchUp        *catchUpView `json:"catch_up,omitempty"`
	CatchUpProblem string       `json:"catch_up_problem,omitempty"`
}

type actionView struct {
	At       time.Time           `json:"at"`
	Endpoint string              `json:"endpoint"`
	StripeID string              `json:"stripe_id"`
	Action   webhooks.ActionKind `json:"action"`
	Reason   string              `json:"reason"`
}

type catchUpView struct {
	Began    time.Time `json:"began"`
	From     time.Time `json:"from"`
	Position time.Time `json:"position"`
	Listed   int       `json:"listed"`
	New      int       `json:"new"`
}

func viewHealth(h webhooks.Health, now time.Time) *healthView {
	view := &healthView{
		Reconciled: orNever(h.Reconciled), Problem: h.Problem, NextTry: orNever(h.NextTry), Actions: viewActions(h.Actions),
		CaughtUp: orNever(h.Caught), CatchUpProblem: h.CatchProblem,
	}
	if lag := h.Lag(now); lag >= 0 {
		seconds := lag.Seconds()
		view.LagSeconds = &seconds
	}
	if c := h.CatchUp; c != nil {
		view.CatchUp = &catchUpView{c.Began.UTC(), c.From.UTC(), c.Position.UTC(), c.Listed, c.New}
	}
	return view
}

func viewActions(actions []webhooks.Action) []actionView {
	views := make([]actionView, len(actions))
	for i, a := range actions {
		views[i] = actionView{a.At.UTC(), a.Endpoint, a.StripeID, a.Kind, a.Reason}
	}
	return views
}

// reconcile answers what had to be done at Stripe for the webhooks of a connection.
func (s *server) reconcile(w http.ResponseWriter, r *http.Request, caller connection.Caller) error {
	done, err := s.Webhooks.Reconcile(r.Context(), caller.Workspace, chi.URLParam(r, "id"))
	if err != nil {
		return setupProblem(err)
	}
	writeJSON(w, http.StatusOK, map[string][]actionView{"actions": viewActions(done)})
	return nil
}

// rollEndpoint gives the endpoint that a webhook shares at Stripe a new secret, and answers the webhook.
func (s *server) rollEndpoint(w http.ResponseWriter, r *http.Request, caller connection.Caller) error {
	if _, err := s.Webhooks.RollEndpoint(r.Context(), caller.Workspace, chi.URLParam(r, "id")); err != nil {
		return setupProblem(err)
	}
	return s.getWebhook(w, r, caller)
}
