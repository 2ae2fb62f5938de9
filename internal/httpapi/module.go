package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"stripe-connector/internal/connection"
	"stripe-connector/internal/spec"
	"stripe-connector/internal/store"
	"stripe-connector/internal/stripeapi"
)

// The headers that module calls share with Stripe.
const (
	headerIdempotencyKey  = "Idempotency-Key"
	headerReplayed        = "Idempotent-Replayed"
	headerStripeAccount   = "Stripe-Account"
	headerStripeVersion   = "Stripe-Version"
	headerStripeRequestID = "Stripe-Request-Id"
)

// ndjson is the type of a stream with one object a line (https://github.com/ndjson/ndjson-spec).
const ndjson = "application/x-ndjson"

var errUnknownModule = refuse(http.StatusNotFound, "Unknown module", "There is no module of this name; GET /v1/modules lists them.")

var errUnknownConnection = refuse(http.StatusNotFound, "Unknown connection",
	"There is no such connection in this workspace; GET /v1/connections lists those that there are.")

// runModule is the request line: decode the bundle, open the connection, call Stripe, answer.
func (s *server) runModule(w http.ResponseWriter, r *http.Request, caller connection.Caller) error {
	m, ok := s.Catalogue.Module(chi.URLParam(r, "module"))
	if !ok {
		return errUnknownModule
	}
	body, err := readBody(r)
	if err != nil {
		return err
	}
	if m.Type == spec.Trigger {
		return s.attach(w, r, caller, m, body)
	}
	b, err := m.Decode(body, s.MaxLimit)
	if err != nil {
		return err
	}
	session, err := s.session(r, caller, b)
	if err != nil {
		return err
	}
	switch m.Type {
	case spec.Search:
		return s.search(w, r, session, m.Query(b), b)
	case spec.Universal:
		return s.callAPI(w, r, session, b)
	default:
		return s.act(w, r, session, m.Steps(b))
	}
}

// session opens the bundle's connection for one call.
func (s *server) session(r *http.Request, caller connection.Caller, b *spec.Bundle) (stripeapi.Session, error) {
	key := r.Header.Get(headerIdempotencyKey)
	switch inBundle := b.IdempotencyKey(); {
	case key == "":
		key = inBundle
	case inBundle != "" && inBundle != key:
		return stripeapi.Session{}, spec.Faults{{
			Field: "idempotency_key", Label: "Idempotency Key", Code: spec.CodeNotAllowed, Message: "differs from the header Idempotency-Key",
		}}
	}
	session, err := s.Connections.Session(r.Context(), caller.Workspace, b.Connection())
	switch {
	case errors.Is(err, store.ErrNotFound):
		return stripeapi.Session{}, errUnknownConnection
	case err != nil:
		return stripeapi.Session{}, err
	}
	session.IdempotencyKey = key
	session.Account = r.Header.Get(headerStripeAccount)
	session.Version = r.Header.Get(headerStripeVersion)
	return session, nil
}

// act answers with Stripe's object as Stripe wrote it.
func (s *server) act(w http.ResponseWriter, r *http.Request, session stripeapi.Session, steps []spec.Step) error {
	res, err := s.Stripe.Run(r.Context(), session, steps)
	if err != nil {
		return err
	}
	setCallHeaders(w.Header(), res)
	writeWhole(w, res.Body)
	return nil
}

// writeWhole answers with JSON that is there already. With its length it goes out in one piece.
func writeWhole(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) //nolint:gosec // JSON from Stripe, with its type and nosniff, is no page
}

func setCallHeaders(h http.Header, res *stripeapi.Response) {
	h.Set("Cache-Control", "no-store")
	if res.RequestID != "" {
		h.Set(headerStripeRequestID, res.RequestID)
	}
	if res.IdempotencyKey != "" {
		h.Set(headerIdempotencyKey, res.IdempotencyKey)
	}
	if res.Replayed {
		h.Set(headerReplayed, "true")
	}
}

func (s *server) search(w http.ResponseWriter, r *http.Request, session stripeapi.Session, q spec.Query, b *spec.Bundle) error {
	results, err := s.Stripe.Search(session, q, b.Limit(), b.Cursor())
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	if strings.Contains(r.Header.Get("Accept"), ndjson) {
		return stream(w, r, results)
	}
	leave, ok := s.limits.hold(b.Limit())
	if !ok {
		return s.turnAway(limitSearches, http.StatusServiceUnavailable,
			"Too many searches for more than 100 objects are under way; ask for fewer, or for application/x-ndjson.", time.Second)
	}
	defer leave()
	var buf bytes.Buffer
	buf.WriteString(`{"bundles":[`)
	for object, err := range results.All(r.Context()) {
		if err != nil {
			return err
		}
		if buf.Bytes()[buf.Len()-1] != '[' {
			buf.WriteByte(',')
		}
		buf.Write(object) // as Stripe wrote it: encoding/json would compact and escape it anew
	}
	end, err := json.Marshal(pageEnd{HasMore: results.HasMore(), NextCursor: orNull(results.NextCursor()), Cut: results.Cut()})
	if err != nil {
		return err
	}
	buf.WriteString("],")
	buf.Write(end[1:])
	writeWhole(w, buf.Bytes())
	return nil
}

// pageEnd is what follows the bundles of a search.
type pageEnd struct {
	HasMore    bool    `json:"has_more"`
	NextCursor *string `json:"next_cursor"`
	Cut        bool    `json:"scan_cut,omitempty"` // a local filter gave up before limit bundles were found
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// The trailers of a stream say what pageEnd says of a page. A stream that fails half-way ends with a line
// {"problem":…}, since its status is long gone.
const (
	trailerHasMore    = "Has-More"
	trailerNextCursor = "Next-Cursor"
	trailerScanCut    = "Scan-Cut"
)

// stream writes each object as a line of its own as soon as its page is there.
func stream(w http.ResponseWriter, r *http.Request, results *stripeapi.Results) error {
	flush := http.NewResponseController(w)
	begun := false
	begin := func() {
		begun = true
		w.Header().Set("Content-Type", ndjson)
		w.Header().Set("Trailer", trailerHasMore+", "+trailerNextCursor+", "+trailerScanCut)
		w.WriteHeader(http.StatusOK)
	}
	var line bytes.Buffer
	for object, err := range results.All(r.Context()) {
		if err != nil && !begun {
			return err
		}
		line.Reset()
		if err != nil {
			writeLine(&line, map[string]Problem{"problem": tell(w, r, err)})
			_, _ = w.Write(line.Bytes())
			return nil
		}
		if !begun {
			begin()
		}
		// Stripe breaks lines inside objects. Compact drops blanks and nothing else.
		if err := json.Compact(&line, object); err != nil {
			return err
		}
		line.WriteByte('\n')
		if _, err := w.Write(line.Bytes()); err != nil {
			return nil // the caller has gone away, and with it the one to tell
		}
		_ = flush.Flush()
	}
	if !begun {
		begin()
	}
	w.Header().Set(trailerHasMore, strconv.FormatBool(results.HasMore()))
	w.Header().Set(trailerNextCursor, results.NextCursor())
	w.Header().Set(trailerScanCut, strconv.FormatBool(results.Cut()))
	return nil
}

func writeLine(line *bytes.Buffer, v any) {
	enc := json.NewEncoder(line)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // plain structs of ours
}

// callAPI makes the call that the bundle spells out, and answers whatever Stripe does, refusals included.
func (s *server) callAPI(w http.ResponseWriter, r *http.Request, session stripeapi.Session, b *spec.Bundle) error {
	res, err := s.Stripe.Raw(r.Context(), session, stripeapi.RawOf(b))
	if err != nil {
		return err
	}
	body := res.Body
	if !stripeapi.ValidJSON(body) {
		if body, err = json.Marshal(string(body)); err != nil {
			return err
		}
	}
	var head bytes.Buffer
	writeLine(&head, struct {
		StatusCode int               `json:"status_code"`
		Headers    map[string]string `json:"headers"`
	}{res.Status, res.Headers()})
	setCallHeaders(w.Header(), res)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(bytes.TrimSuffix(head.Bytes(), []byte("}\n")))
	_, _ = w.Write([]byte(`,"body":`))
	_, _ = w.Write(body) //nolint:gosec // as in act
	_, _ = w.Write([]byte("}"))
	return nil
}
