package httpapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"stripe-connector/internal/connection"
	"stripe-connector/internal/spec"
	"stripe-connector/openapi"
)

// A document is JSON that never changes while the program runs. Callers that have it already are told so.
type document struct {
	body []byte
	tag  string
}

func newDocument(v any) (document, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return document{}, err
	}
	sum := sha256.Sum256(buf.Bytes())
	return document{body: buf.Bytes(), tag: `"` + hex.EncodeToString(sum[:12]) + `"`}, nil
}

func (d document) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("ETag", d.tag)
	w.Header().Set("Cache-Control", "private, no-cache") // ask again, but only whether it is the same
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(d.body))
}

// manifest is the catalogue as documents: all modules, and each by its key.
type manifest struct {
	all   document
	byKey map[string]document
}

func newManifest(c *spec.Catalogue) (manifest, error) {
	list, err := openapi.Manifests(c)
	if err != nil {
		return manifest{}, err
	}
	m := manifest{byKey: map[string]document{}}
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
	m.all.serve(w, r)
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
	d.serve(w, r)
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
