package httpapi

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/go-chi/chi/v5"

	"stripe-connector/internal/connection"
	"stripe-connector/internal/spec"
	"stripe-connector/openapi"
)

// newDocument serves JSON that never changes while the program runs.
func newDocument(v any) (http.Handler, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return openapi.NewFile("application/json", buf.Bytes()), nil
}

// manifest is the catalogue as documents: all modules, and each by its key.
type manifest struct {
	all   http.Handler
	byKey map[string]http.Handler
}

func newManifest(c *spec.Catalogue) (manifest, error) {
	list, err := openapi.Manifests(c)
	if err != nil {
		return manifest{}, err
	}
	m := manifest{byKey: map[string]http.Handler{}}
	for _, module := range list {
		if m.byKey[module.Key], err = newDocument(module); err != nil {
			return manifest{}, err
		}
	}
	m.all, err = newDocument(map[string][]openapi.Manifest{"data": list})
	return m, err
}

func (s *server) listModules(w http.ResponseWriter, r *http.Request, _ connection.Caller) error {
	m, err := s.manifest()
	if err != nil {
		return err
	}
	m.all.ServeHTTP(w, r)
	return nil
}

func (s *server) getModule(w http.ResponseWriter, r *http.Request, _ connection.Caller) error {
	m, err := s.manifest()
	if err != nil {
		return err
	}
	d, ok := m.byKey[chi.URLParam(r, "module")]
	if !ok {
		return errUnknownModule
	}
	d.ServeHTTP(w, r)
	return nil
}

func (s *server) openAPI(w http.ResponseWriter, r *http.Request, _ connection.Caller) error {
	openapi.Handler().ServeHTTP(w, r)
	return nil
}

func (s *server) pages(w http.ResponseWriter, r *http.Request, _ connection.Caller) error {
	docs, err := s.docs()
	if err != nil {
		return err
	}
	docs.ServeHTTP(w, r)
	return nil
}
