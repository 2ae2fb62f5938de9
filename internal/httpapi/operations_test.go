package httpapi

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stripe-connector/internal/spec"
)

// TestOperations: the URL is set, read, changed, tried and removed; its secret is seen when it is made and never again.
func TestOperations(t *testing.T) {
	t.Parallel()
	s := newService(t)
	var heard http.Header
	operator := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		heard = r.Header
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(operator.Close)
	const path = "/v1/operations"
	s.call(http.MethodGet, path, nil).want(http.StatusNotFound).problem()
	s.call(http.MethodPost, path+"/test", nil).want(http.StatusNotFound).problem()
	for body, code := range map[string]string{`{}`: spec.CodeRequired, `{"url":"ftp://example.com"}`: spec.CodeRefused} {
		if p := s.call(http.MethodPut, path, body).want(http.StatusUnprocessableEntity).problem(); p.Fields[0].Field != "url" || p.Fields[0].Code != code {
			t.Errorf("%s: faults = %+v, want %s of url", body, p.Fields, code)
		}
	}

	type view struct {
		ID, URL string
		Secret  string `json:"signing_secret"`
	}
	var made, changed, rotated view
	s.call(http.MethodPut, path, map[string]string{"url": operator.URL + "/first"}).want(http.StatusCreated).into(&made)
	shown := s.call(http.MethodPut, path, map[string]string{"url": operator.URL}).want(http.StatusOK)
	shown.into(&changed)
	if changed.ID != made.ID || changed.URL != operator.URL {
		t.Errorf("changed = %+v, made = %+v", changed, made)
	}
	s.call(http.MethodPost, path+"/rotate-secret", nil).want(http.StatusOK).into(&rotated)
	if rotated.ID != made.ID || rotated.Secret == "" || rotated.Secret == made.Secret {
		t.Errorf("rotated = %+v, made = %+v", rotated, made)
	}
	var trial struct {
		Event, Type string
		Delivered   bool
		Status      int
	}
	tried := s.call(http.MethodPost, path+"/test", nil).want(http.StatusOK)
	tried.into(&trial)
	if !trial.Delivered || trial.Status != http.StatusAccepted || heard.Get("Webhook-Id") != trial.Event || len(strings.Fields(heard.Get("Webhook-Signature"))) != 2 {
		t.Errorf("trial = %+v, heard %v", trial, heard)
	}
	read := s.call(http.MethodGet, path, nil).want(http.StatusOK)
	audit := s.call(http.MethodGet, "/v1/audit", nil).want(http.StatusOK)
	var out strings.Builder
	for _, text := range []string{shown.body, tried.body, read.body, audit.body, s.log.String()} {
		out.WriteString(text)
	}
	for _, name := range []string{"connector.db", "connector.db-wal"} {
		raw, err := os.ReadFile(filepath.Join(s.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		out.Write(raw)
	}
	for _, secret := range []string{made.Secret, rotated.Secret} {
		if len(secret) < 30 || strings.Contains(out.String(), secret[len(secret)/2:]) {
			t.Errorf("the secret %q is seen again, or is none", secret)
		}
	}

	s.call(http.MethodDelete, path, nil).want(http.StatusNoContent)
	s.call(http.MethodDelete, path, nil).want(http.StatusNoContent)
	s.call(http.MethodGet, path, nil).want(http.StatusNotFound).problem()
}
