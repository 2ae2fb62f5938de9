package httpapi

import (
	"errors"
	"net/http"

	"github.com/go-chi/chi/v5"

	"stripe-connector/internal/connection"
	"stripe-connector/internal/spec"
	"stripe-connector/internal/store"
	"stripe-connector/webhooks"
)

// receive takes an event in from Stripe. Its 200 means that the event is on disk.
func (s *server) receive(w http.ResponseWriter, r *http.Request, _ connection.Caller) error {
	receipt, err := s.Receiver.Receive(r.Context(), chi.URLParam(r, "endpoint"), r.Header.Get("Stripe-Signature"), func() ([]byte, error) {
		return readBody(r)
	})
	if err != nil {
		s.Meter.Refused(refusal(err))
		return receiveProblem(err)
	}
	writeJSON(w, http.StatusOK, struct {
		Received bool `json:"received"`
		New      bool `json:"new"`
	}{true, receipt.New})
	return nil
}

func receiveProblem(err error) error {
	var busy *webhooks.BusyError
	switch {
	case errors.Is(err, webhooks.ErrSignature):
		return refuse(http.StatusBadRequest, "Event refused", "The Stripe-Signature header does not sign this body, or is too old or too new.")
	case errors.Is(err, webhooks.ErrMalformed):
		return refuse(http.StatusBadRequest, "Event refused", "The body is not a Stripe event.")
	case errors.Is(err, webhooks.ErrLivemode):
		return refuse(http.StatusBadRequest, "Event refused", "The event's livemode is not the connection's.")
	case errors.Is(err, webhooks.ErrTooLarge):
		return refuse(http.StatusRequestEntityTooLarge, "Event refused", "The event is larger than 1 MiB.")
	case errors.As(err, &busy):
		p := refuse(http.StatusServiceUnavailable, "Event not stored", "The event cannot be stored just now; send it again.")
		p.retryAfter = busy.RetryAfter
		return p
	}
	return err
}

// refusal is the kind of reason for which an event is not taken.
func refusal(err error) string {
	var (
		busy   *webhooks.BusyError
		size   *http.MaxBytesError
		broken *spec.SyntaxError
		full   *Problem
	)
	switch {
	case errors.Is(err, webhooks.ErrSignature):
		return "signature"
	case errors.Is(err, webhooks.ErrMalformed):
		return "malformed"
	case errors.Is(err, webhooks.ErrLivemode):
		return "livemode"
	case errors.Is(err, webhooks.ErrTooLarge), errors.As(err, &size):
		return "too_large"
	case errors.As(err, &busy), errors.As(err, &full):
		return "busy"
	case errors.As(err, &broken):
		return "incomplete"
	case errors.Is(err, store.ErrNotFound):
		return "unknown_endpoint"
	default:
		return "failed"
	}
}
