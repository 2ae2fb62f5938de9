package stripetest

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
)

// maxBody is the largest request body that is read.
const maxBody = 16 << 20

// answer is what goes back to the caller.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// apiError is an error in Stripe's shape, see https://docs.stripe.com/api/errors.
type apiError struct {
	Status      int    `json:"-"`
	Charge      string `json:"charge,omitempty"`
	Code        string `json:"code,omitempty"`
	DeclineCode string `json:"decline_code,omitempty"`
	DocURL      string `json:"doc_url,omitempty"`
	Message     string `json:"message"`
	Param       string `json:"param,omitempty"`
	Type        string `json:"type"`
}

func invalid(message string) *apiError {
	return &apiError{Status: http.StatusBadRequest, Type: "invalid_request_error", Message: message}
}

func missing(kind, id, param string) *apiError {
	return &apiError{
		Status: http.StatusNotFound, Type: "invalid_request_error", Code: "resource_missing", Param: param,
		Message: fmt.Sprintf("No such %s: '%s'", strings.ReplaceAll(kind, ".", " "), id),
	}
}

// with returns the error with a code and the name of a parameter.
func (e *apiError) with(code, param string) *apiError {
	e.Code, e.Param = code, param
	return e
}

func (e *apiError) answer() answer {
	if e.Code != "" {
		e.DocURL = "https://stripe.com/docs/error-codes/" + strings.ReplaceAll(e.Code, "_", "-")
	}
	return answer{status: e.Status, body: encode(map[string]any{"error": e})}
}

// request is one call on its way down the pipeline.
type request struct {
	server *Server
	space  *space
	route  *route
	values []string // of the path parameters
	params map[string]any
	path   string
	id     string // req_…
	key    string // idempotency key
}

// ServeHTTP answers one API call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		w.WriteHeader(http.StatusRequestEntityTooLarge) // or the caller has gone, and reads nothing
		return
	}
	s.calls.add(Call{Method: r.Method, Path: r.URL.Path, Form: form(r, body), Header: r.Header.Clone(), Body: string(body)})

	id := newID("req_", 14)
	header := w.Header()
	header.Set("Request-Id", id)
	header.Set("Stripe-Version", APIVersion)
	if version := r.Header.Get("Stripe-Version"); version != "" {
		header.Set("Stripe-Version", version)
	}
	if key := r.Header.Get("Idempotency-Key"); key != "" {
		header.Set("Idempotency-Key", key)
	}
	if account := r.Header.Get("Stripe-Account"); account != "" {
		header.Set("Stripe-Account", account)
	}
	s.handle(w, r, body, id).write(w)
}

// handle decides on the answer of a request. It panics with http.ErrAbortHandler where a fault wants the connection
// to break.
func (s *Server) handle(w http.ResponseWriter, r *http.Request, body []byte, id string) answer {
	caller, refusal := s.authenticate(r)
	if refusal != nil {
		return refusal.answer()
	}
	route, values := s.spec.find(r.Method, r.URL.Path)
	if route == nil {
		e := invalid(fmt.Sprintf("Unrecognized request URL (%s: %s).", r.Method, r.URL.Path))
		e.Status = http.StatusNotFound
		return e.answer()
	}
	if refusal := s.permit(caller, route); refusal != nil {
		return refusal.answer()
	}
	params, refusal := route.judge(r, body)
	if refusal != nil {
		return refusal.answer()
	}
	req := &request{
		server: s, space: caller.space, route: route, values: values, params: params, path: r.URL.Path, id: id,
		key: r.Header.Get("Idempotency-Key"),
	}

	fault := s.takeFault(r.Method, r.URL.Path)
	if fault == nil {
		return s.replayOr(req, r, body, req.execute)
	}
	return fault.apply(w, r, func(wait func()) answer {
		return s.replayOr(req, r, body, func() answer {
			wait()
			return req.execute()
		})
	})
}

func (a answer) write(w http.ResponseWriter) {
	header := w.Header()
	maps.Copy(header, a.header)
	if header.Get("Content-Type") == "" {
		header.Set("Content-Type", "application/json")
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // a caller that went away needs no answer
}

// newID makes an id of a prefix and n characters.
func newID(prefix string, n int) string {
	var b strings.Builder
	b.WriteString(prefix)
	for n > 0 {
		text := rand.Text()
		text = text[:min(n, len(text))]
		b.WriteString(text)
		n -= len(text)
	}
	return b.String()
}

// decode reads a JSON object, keeping numbers as they are written.
func decode(raw []byte) (map[string]any, error) {
	var fields map[string]any
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.UseNumber()
	if err := decoder.Decode(&fields); err != nil {
		return nil, fmt.Errorf("decoding an object: %w", err)
	}
	return fields, nil
}
