// Package httpapi is the front door: it routes, authenticates, hands requests to the services, and answers.
//
// routes.go is the table of every route with the permission beside it. A handler returns an error instead of writing
// one; problem.go is the only place that turns errors into answers. Nothing here knows SQL or Stripe's parameters.
package httpapi

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog"

	"stripe-connector/internal/connection"
	"stripe-connector/internal/spec"
	"stripe-connector/internal/store"
	"stripe-connector/internal/stripeapi"
	"stripe-connector/openapi"
	"stripe-connector/webhooks"
)

// Config is what the routes are made of.
type Config struct {
	Catalogue   *spec.Catalogue
	Stripe      *stripeapi.Client
	Connections *connection.Service
	Tokens      *connection.Tokens
	Audit       Auditor
	Webhooks    *webhooks.Service
	Operations  *webhooks.Operations
	Receiver    *webhooks.Receiver
	Ready       func(context.Context) error // says why the service cannot take requests now
	Scrape      http.Handler                // answers /metrics; nil: nothing does
	Meter       Meter                       // counts; nil: nobody does
	Tracer      Tracer                      // follows; nil: nobody does
	MaxLimit    int                         // ceiling of a search's limit
	RateLimit   int                         // requests per second and token; 0: any number
	MaxAtOnce   int                         // requests under way, of callers and of Stripe each; 0: any number
	Log         zerolog.Logger
	Now         func() time.Time
}

type server struct {
	Config
	mux    *chi.Mux
	limits limits

	// Made when first asked for, since starting needs none of them.
	manifest func() (manifest, error)
	docs     func() (http.Handler, error)
}

// New builds the handler of every route.
func New(cfg Config) http.Handler {
	s := &server{
		Config: cfg, mux: chi.NewRouter(), limits: newLimits(cfg.RateLimit, cfg.MaxAtOnce),
		manifest: sync.OnceValues(func() (manifest, error) { return newManifest(cfg.Catalogue) }),
		docs:     sync.OnceValues(func() (http.Handler, error) { return openapi.Docs(cfg.Catalogue) }),
	}
	if s.Meter == nil {
		s.Meter = unmetered{}
	}
	s.mux.Use(s.observe)
	s.mux.NotFound(func(w http.ResponseWriter, r *http.Request) {
		fail(w, r, refuse(http.StatusNotFound, "Not found", "There is no such route."))
	})
	s.mux.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", strings.Join(s.methods(r.URL.Path), ", "))
		fail(w, r, refuse(http.StatusMethodNotAllowed, "Method not allowed", "This route takes "+w.Header().Get("Allow")+"."))
	})
	for _, at := range s.routes() {
		s.mux.Method(at.method, at.pattern, s.serve(at))
	}
	return s.mux
}

// methods lists what a path can be asked with.
func (s *server) methods(path string) []string {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		if s.mux.Match(chi.NewRouteContext(), method, path) {
			allowed = append(allowed, method)
		}
	}
	return allowed
}

// bodyMax is the largest request body, in bytes.
const bodyMax = 1 << 20

// serve wraps a route: who may call it, how much it reads, how it fails.
func (s *server) serve(at route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		room := s.limits.room(at)
		leave, ok := room.enter(at)
		if !ok {
			fail(w, r, s.turnAway(limitBusy, http.StatusServiceUnavailable, "The service works on as many requests as it can.", time.Second))
			return
		}
		defer leave()
		var caller connection.Caller
		if at.role != public {
			var err error
			if caller, err = s.authenticate(r, at.role); err == nil {
				err = s.pace(w, r, caller)
			}
			if err != nil {
				fail(w, r, err)
				return
			}
		}
		r, followed := s.follow(w, r, at)
		defer followed.end(w)
		if r.Body != nil {
			held := &body{ReadCloser: http.MaxBytesReader(w, r.Body, bodyMax), room: room, full: func() error {
				return s.turnAway(limitBodies, http.StatusServiceUnavailable, "The service reads as many long bodies as it can.", time.Second)
			}}
			defer held.done()
			r.Body = held
		}
		if spec.CheckKept(r.URL.Path) != "" { // nothing can have it for an id
			fail(w, r, store.ErrNotFound)
			return
		}
		if err := at.handle(w, r, caller); err != nil {
			fail(w, r, err)
			return
		}
		s.note(w, r, at, caller)
	})
}

// authenticate finds out who calls, and whether they may.
func (s *server) authenticate(r *http.Request, needs connection.Role) (connection.Caller, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" { // RFC 6750
		return connection.Caller{}, refuse(http.StatusUnauthorized, "Unauthorized", "Send an API token: Authorization: Bearer sc_….")
	}
	caller, err := s.Tokens.AuthenticateFrom(r.Context(), r.RemoteAddr, token)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return connection.Caller{}, refuse(http.StatusUnauthorized, "Unauthorized", "This API token is not valid.")
	case errors.Is(err, connection.ErrGuessing):
		return connection.Caller{}, s.turnAway(limitTokens, http.StatusTooManyRequests, "Too many tokens from this address were not valid.", connection.GuessWait)
	case err != nil:
		return connection.Caller{}, err
	}
	return caller, allow(caller, needs)
}

// allow refuses a caller whose role is too small.
func allow(caller connection.Caller, needs connection.Role) error {
	if caller.Role.Allows(needs) {
		return nil
	}
	return refuse(http.StatusForbidden, "Forbidden", "This needs a token with the role "+string(needs)+"; yours has "+string(caller.Role)+".")
}

const headerRequestID = "X-Request-Id"

// observe gives the request an id and a logger, logs it once when it is over, and turns a panic into a problem. Bodies,
// queries and headers never reach the log.
func (s *server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := s.Now()
		id := r.Header.Get(headerRequestID)
		if len(id) > maxRequestID || !requestID.MatchString(id) {
			id = store.NewID("req", start)
		}
		w.Header().Set(headerRequestID, id)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		log := s.Log.With().Str("request_id", id).Logger()
		r = r.WithContext(log.WithContext(r.Context()))
		seen := &statusWriter{ResponseWriter: w}
		defer func() { //nolint:contextcheck // the request carries it
			if p := recover(); p != nil && p != http.ErrAbortHandler { //nolint:errorlint // net/http panics with this very value
				panicked(seen, r, p)
			}
			took := s.Now().Sub(start)
			s.meter(r, seen, took)
			level := zerolog.InfoLevel
			if seen.status >= http.StatusInternalServerError {
				level = zerolog.WarnLevel
			}
			log.WithLevel(level).Str("method", r.Method).Str("route", chi.RouteContext(r.Context()).RoutePattern()).
				Int("status", seen.status).Int64("bytes", seen.bytes).Dur("duration", took).Msg("request")
		}()
		next.ServeHTTP(seen, r)
	})
}

// panicked logs a panic, and answers if nothing was answered yet.
func panicked(w *statusWriter, r *http.Request, p any) {
	zerolog.Ctx(r.Context()).Error().Interface("panic", p).Bytes("stack", debug.Stack()).Msg("request panicked")
	if w.status == 0 {
		fail(w, r, errPanicked)
	}
}

var errPanicked = &Problem{
	Title: "Internal error", Status: http.StatusInternalServerError, ErrorType: stripeapi.RuntimeError,
	Detail: "The service failed; the log has the reason under the request id.",
}

// requestID and maxRequestID are what a caller's request id may be, since it stands in the log and in a header.
var requestID = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

const maxRequestID = 64

// A statusWriter remembers how an answer went, for the log, the meter and the audit trail.
type statusWriter struct {
	http.ResponseWriter
	status    int
	bytes     int64
	errorType string // of the problem that was answered, if one was
	action    string // what was done, and to what, where the route alone does not tell
	subject   string
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController flush.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
