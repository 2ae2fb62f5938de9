package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"stripe-connector/internal/spec"
	"stripe-connector/internal/store"
	"stripe-connector/internal/stripeapi"
)

// A Problem is what a caller is told when a request fails, as application/problem+json
// (https://www.rfc-editor.org/rfc/rfc9457). ErrorType and Retryable are in the words of Make, whose app hands them on.
type Problem struct { //nolint:errname // this is what the RFC calls it
	Type      string                 `json:"type"`
	Title     string                 `json:"title"`
	Status    int                    `json:"status"`
	Detail    string                 `json:"detail,omitempty"`
	ErrorType string                 `json:"error_type"`
	Retryable bool                   `json:"retryable"`
	Fields    spec.Faults            `json:"fields,omitempty"`
	Stripe    *stripeapi.StripeError `json:"stripe,omitempty"`
	Done      []string               `json:"done,omitempty"` // steps that took effect before the one that failed
	RequestID string                 `json:"request_id,omitempty"`

	retryAfter     time.Duration
	idempotencyKey string
	bug            bool // nothing that a caller or Stripe did explains it
}

func (p *Problem) Error() string { return p.Title + ": " + p.Detail }

// refuse is a problem of the request itself.
func refuse(status int, title, detail string) *Problem {
	p := &Problem{Title: title, Status: status, Detail: detail, ErrorType: stripeapi.DataError}
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusInternalServerError:
		p.ErrorType = stripeapi.RuntimeError
	case http.StatusServiceUnavailable:
		p.ErrorType, p.Retryable = stripeapi.ConnectionError, true
	}
	return p
}

// faultsMax keeps a bundle with a fault in every other byte from making an answer many times its size.
const faultsMax = 1000

// later is how long a caller is asked to wait while the store cannot be reached.
const later = 5 * time.Second

// problemOf is the one place where an error becomes what the caller is told.
func problemOf(err error) *Problem {
	var (
		problem *Problem
		faults  spec.Faults
		syntax  *spec.SyntaxError
		call    *stripeapi.Error
		size    *http.MaxBytesError
	)
	switch {
	case errors.As(err, &problem):
		return problem
	case errors.As(err, &faults):
		p := refuse(http.StatusUnprocessableEntity, "Unprocessable bundle", attention(len(faults)))
		if p.Fields = faults; len(faults) > faultsMax {
			p.Fields = faults[:faultsMax]
			p.Detail += "; these are the first " + strconv.Itoa(faultsMax)
		}
		return p
	case errors.As(err, &syntax):
		return refuse(http.StatusBadRequest, "Malformed request", syntax.Message)
	case errors.As(err, &call):
		return &Problem{
			Title: titleOf(call.Status), Status: call.Status, Detail: call.Detail, ErrorType: call.ErrorType, Retryable: call.Retryable,
			Stripe: call.Stripe, Done: call.Done, retryAfter: call.RetryAfter, idempotencyKey: call.IdempotencyKey,
		}
	case errors.As(err, &size):
		return refuse(http.StatusRequestEntityTooLarge, "Request too large", fmt.Sprintf("The body may have at most %d bytes.", size.Limit))
	case errors.Is(err, store.ErrNotFound):
		return refuse(http.StatusNotFound, "Not found", "There is no such thing in this workspace.")
	case errors.Is(err, store.ErrConflict):
		return refuse(http.StatusConflict, "Conflict", "Something else stands in the way.")
	case errors.Is(err, store.ErrCursor):
		return problemOf(spec.Faults{{Field: "cursor", Label: "Cursor", Code: spec.CodeInvalid, Message: "must be the next_cursor of an answer of this list"}})
	case errors.Is(err, store.ErrUnavailable):
		p := refuse(http.StatusServiceUnavailable, "Store unavailable", "The service cannot reach its store just now.")
		p.retryAfter = later
		return p
	case errors.Is(err, context.Canceled):
		// The caller is gone; the status is for the log alone.
		return &Problem{Title: "Abandoned", Status: statusAbandoned, ErrorType: stripeapi.ConnectionError, Retryable: true}
	}
	p := refuse(http.StatusInternalServerError, "Internal error", "The service failed; the log has the reason under the request id.")
	p.bug = true
	return p
}

// statusAbandoned is what the log shows for a caller that did not wait.
const statusAbandoned = 499

// inUse words a conflict.
func inUse(err error, detail string) error {
	if errors.Is(err, store.ErrConflict) {
		return refuse(http.StatusConflict, "Conflict", detail)
	}
	return err
}

func attention(n int) string {
	if n == 1 {
		return "1 field needs attention"
	}
	return strconv.Itoa(n) + " fields need attention"
}

func titleOf(status int) string {
	switch status {
	case http.StatusFailedDependency:
		return "Stripe refuses the API key"
	case http.StatusBadGateway:
		return "Stripe could not be reached"
	case http.StatusGatewayTimeout:
		return "Stripe did not answer in time"
	case http.StatusTooManyRequests:
		return "Too many requests"
	}
	return "Stripe refused the request"
}

// tell is the problem as the caller of this request sees it. What nobody outside may see is logged.
func tell(w http.ResponseWriter, r *http.Request, err error) Problem {
	p := *problemOf(err)
	if p.bug {
		zerolog.Ctx(r.Context()).Error().Err(err).Msg("request failed")
	}
	if seen, ok := w.(*statusWriter); ok {
		seen.errorType = p.ErrorType
	}
	p.Type = "about:blank"
	p.RequestID = w.Header().Get(headerRequestID)
	return p
}

// fail answers a request with a problem.
func fail(w http.ResponseWriter, r *http.Request, err error) {
	p := tell(w, r, err)
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(p.retryAfter.Seconds()))))
	}
	if p.idempotencyKey != "" {
		h.Set(headerIdempotencyKey, p.idempotencyKey)
	}
	if p.Stripe != nil && p.Stripe.RequestID != "" {
		h.Set(headerStripeRequestID, p.Stripe.RequestID)
	}
	writeJSON(w, p.Status, p)
}

// writeJSON answers with v. Its type is set unless the caller chose one. A caller that has gone away is no error here.
func writeJSON(w http.ResponseWriter, status int, v any) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
}
