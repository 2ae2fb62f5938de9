package httpapi

import (
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"stripe-connector/internal/connection"
)

// A Meter is told how requests go. What it is given comes from tables of ours: routes, modules, kinds. It must be quick, and
// safe for concurrent use.
type Meter interface {
	// Request is told of every answered request. route is a pattern of the routes' table; empty: no route has this path.
	Request(method, route string, status int, took time.Duration)
	// Module is told of every call of a module. errorType is that of the problem it ended in, or empty.
	Module(key string, status int, errorType string, took time.Duration)
	// Limited is told of every request that one of the limits turns away.
	Limited(limit string)
	// Refused is told of every event that is not taken from Stripe.
	Refused(reason string)
}

// unmetered is a Meter that does nothing.
type unmetered struct{}

func (unmetered) Request(string, string, int, time.Duration) {}
func (unmetered) Module(string, int, string, time.Duration)  {}
func (unmetered) Limited(string)                             {}
func (unmetered) Refused(string)                             {}

// meter counts a request that is over.
func (s *server) meter(r *http.Request, seen *statusWriter, took time.Duration) {
	pattern := chi.RouteContext(r.Context()).RoutePattern()
	s.Meter.Request(r.Method, pattern, seen.status, took)
	if module := s.moduleOf(r, pattern); module != "" {
		s.Meter.Module(module, seen.status, seen.errorType, took)
	}
}

// moduleOf is the key of the module that a request runs, or empty.
func (s *server) moduleOf(r *http.Request, pattern string) string {
	if r.Method != http.MethodPost || pattern != routeModule {
		return ""
	}
	m, ok := s.Catalogue.Module(chi.URLParam(r, "module"))
	if !ok {
		return ""
	}
	return m.Key
}

// scrape shows the counters. They hold nothing of any workspace, so that the collector needs no token.
func (s *server) scrape(w http.ResponseWriter, r *http.Request, _ connection.Caller) error {
	if s.Scrape == nil {
		return refuse(http.StatusNotFound, "Not found", "Nothing is counted here.")
	}
	s.Scrape.ServeHTTP(w, r)
	return nil
}
