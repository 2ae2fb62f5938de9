package openapi_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stripe-connector/internal/objects"
	"stripe-connector/internal/spec"
	"stripe-connector/openapi"
	"stripe-connector/openapi/openapitest"
)

// A TypeScript client that is generated from the document compiles, and does its work against a server that keeps to it.
func TestGeneratedClient(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("npm"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("npm is missing; CI promises it")
		}
		t.Skip("npm is missing")
	}
	dir := t.TempDir()
	for _, name := range []string{".npmrc", "package.json", "package-lock.json", "tsconfig.json", "client.ts"} {
		content, err := os.ReadFile(filepath.Join("testdata", "npm", name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), content)
	}
	write(t, filepath.Join(dir, "openapi.json"), openapi.JSON())
	run(t, dir, "npm", "ci", "--ignore-scripts", "--prefer-offline")
	run(t, dir, "npm", "run", "generate")
	run(t, dir, "npm", "run", "compile")

	service := &fakeService{catalogue: catalogue(t), checker: checker(t, openapi.JSON())}
	server := httptest.NewServer(service)
	t.Cleanup(server.Close)
	got := run(t, dir, "node", "out/client.js", server.URL, "sc_test", "conn_1")
	const want = `{"customer":"cus_QXg1o8vcGmoR32","ids":["cus_QXg1o8vcGmoR32"],"next":null,"code":"DataError","fields":["amount: too_small"]}` + "\n"
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("the client's output (-got +want):\n%s", diff)
	}
	for _, err := range service.departures {
		t.Error(err)
	}
	if service.calls != 3 {
		t.Errorf("got %d calls, want 3", service.calls)
	}
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// run answers what the command printed.
func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, stdout.String(), stderr.String())
	}
	return stdout.String()
}

// A fakeService takes bundles as the service does, and answers samples. It is called by one client, one call at a time.
type fakeService struct {
	catalogue  *spec.Catalogue
	checker    *openapitest.Checker
	calls      int
	departures []error
}

func (s *fakeService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.calls++
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.departures = append(s.departures, err)
	}
	answer := httptest.NewRecorder()
	answer.Header().Set("X-Request-Id", "req_1")
	s.answer(answer, strings.TrimPrefix(r.URL.Path, "/v1/modules/"), body)
	res := answer.Result()
	if err := s.checker.Check(openapitest.Exchange{Request: r, RequestBody: body, Response: res, ResponseBody: answer.Body.Bytes()}); err != nil {
		s.departures = append(s.departures, err)
	}
	for name := range res.Header {
		w.Header().Set(name, res.Header.Get(name))
	}
	w.WriteHeader(res.StatusCode)
	_, _ = w.Write(answer.Body.Bytes())
}

func (s *fakeService) answer(w http.ResponseWriter, key string, body []byte) {
	m, ok := s.catalogue.Module(key)
	if !ok {
		http.NotFound(w, nil)
		return
	}
	var faults spec.Faults
	if _, err := m.Decode(body, 1000); errors.As(err, &faults) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnprocessableEntity)
		_ = json.NewEncoder(w).Encode(map[string]any{
			"type": "about:blank", "title": "Unprocessable bundle", "status": http.StatusUnprocessableEntity,
			"error_type": "DataError", "retryable": false, "fields": faults,
		})
		return
	}
	o, _ := objects.Lookup(m.Out)
	w.Header().Set("Content-Type", "application/json")
	if m.Type == spec.Search {
		_ = json.NewEncoder(w).Encode(map[string]any{"bundles": []json.RawMessage{o.Sample}, "has_more": false, "next_cursor": nil})
		return
	}
	_, _ = w.Write(o.Sample)
}
