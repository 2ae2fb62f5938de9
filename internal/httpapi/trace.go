package httpapi

import "net/http"

// A Tracer follows requests. It must be safe for concurrent use, and show nothing of a request but what it is given.
type Tracer interface {
	// Request begins to follow a request. route and module come from tables of ours; module is empty where none is run. Whether
	// the request belongs to something that its sender follows, the headers of one that is trusted may say. What is done for
	// the request is done in the context of the one that is returned. done is called once; status 0 means a panic.
	Request(r *http.Request, id, route, module string, trusted bool) (traced *http.Request, done func(status int, errorType string))
}

// follow has the Tracer follow a request that may be worked on: one with a token that is good, or one of Stripe's.
func (s *server) follow(w http.ResponseWriter, r *http.Request, at route) (*http.Request, followed) {
	if s.Tracer == nil || at.role == public && at.method == http.MethodGet {
		return r, nil
	}
	return s.Tracer.Request(r, w.Header().Get(headerRequestID), at.pattern, s.moduleOf(r, at.pattern), at.role != public)
}

// followed is the end of a request's trace; nil: nobody follows it.
type followed func(status int, errorType string)

func (done followed) end(w http.ResponseWriter) {
	if seen, ok := w.(*statusWriter); ok && done != nil {
		done(seen.status, seen.errorType)
	}
}
