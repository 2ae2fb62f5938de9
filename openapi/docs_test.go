package openapi_test

import (
	"compress/gzip"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"stripe-connector/internal/spec"
	"stripe-connector/openapi"
)

func docs(t *testing.T, c *spec.Catalogue) http.Handler {
	t.Helper()
	h, err := openapi.Docs(c)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func get(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
	return w
}

func TestDocsPages(t *testing.T) {
	t.Parallel()
	c := catalogue(t)
	h := docs(t, c)
	index := get(t, h, "/docs").Body.String()
	for _, m := range c.Modules() {
		path := "/docs/modules/" + m.Key
		if !strings.Contains(index, `href="`+path+`"`) {
			t.Errorf("the index does not lead to %s", path)
		}
		w := get(t, h, path)
		if w.Code != http.StatusOK {
			t.Errorf("%s: got status %d, want 200", path, w.Code)
		}
		page := w.Body.String()
		for _, input := range m.Inputs() {
			if !strings.Contains(page, "<code>"+input.Name+"</code>") {
				t.Errorf("%s: field %s is missing", path, input.Name)
			}
		}
	}
	if w := get(t, h, "/docs/modules/none"); w.Code != http.StatusNotFound {
		t.Errorf("unknown module: got status %d, want 404", w.Code)
	}
	if w := get(t, h, "/docs/nowhere"); w.Code != http.StatusNotFound {
		t.Errorf("unknown page: got status %d, want 404", w.Code)
	}
}

// Pages and files are compressed for whoever takes that, and are the same without.
func TestDocsAreCompressed(t *testing.T) {
	t.Parallel()
	h := docs(t, catalogue(t))
	for _, path := range []string{"/docs", "/docs/modules/confirm-payment-intent", "/docs/assets/docs.css", "/docs/assets/scalar.js"} {
		plain := get(t, h, path)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
		r.Header.Set("Accept-Encoding", "br, gzip")
		packed := httptest.NewRecorder()
		h.ServeHTTP(packed, r)
		if packed.Header().Get("Content-Encoding") != "gzip" || packed.Header().Get("Vary") != "Accept-Encoding" || packed.Body.Len() > plain.Body.Len()/2 {
			t.Errorf("%s: got %d bytes for %d, headers %v", path, packed.Body.Len(), plain.Body.Len(), packed.Header())
		}
		if got := unpack(t, packed.Body); got != plain.Body.String() {
			t.Errorf("%s: the compressed content is another", path)
		}
	}
}

func unpack(t *testing.T, packed io.Reader) string {
	t.Helper()
	z, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// external finds what a page would load or run from elsewhere.
var external = regexp.MustCompile(`(?:src|href|action)="(?:https?:)?//[^"]*"|<script>|<style|style="|\son[a-z]+="|@import|url\(`)

// Pages work without a network and under a policy that allows our own files only.
func TestDocsAreSelfContained(t *testing.T) {
	t.Parallel()
	h := docs(t, catalogue(t))
	for _, path := range []string{"/docs", "/docs/", "/docs/modules/create-refund", "/docs/reference", "/docs/nowhere"} {
		w := get(t, h, path)
		policy := w.Header().Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'; script-src 'self';") || strings.Contains(policy, "unsafe-eval") {
			t.Errorf("%s: got policy %q", path, policy)
		}
		for _, found := range external.FindAllString(w.Body.String(), -1) {
			if !strings.HasPrefix(found, `href="https://docs.stripe.com/`) {
				t.Errorf("%s holds %s", path, found)
			}
		}
		for _, match := range regexp.MustCompile(`(?:src|href)="(/docs[^"#]*)(?:#start)?"`).FindAllStringSubmatch(w.Body.String(), -1) {
			if code := get(t, h, match[1]).Code; code != http.StatusOK {
				t.Errorf("%s: %s answers %d", path, match[1], code)
			}
		}
	}
}

// A page says how to come to what its example needs: a token, a connection, and values of the right kind.
func TestDocsLeadToWhatACallNeeds(t *testing.T) {
	t.Parallel()
	h := docs(t, catalogue(t))
	tests := []struct{ path, want string }{
		{"/docs", `id="start"`},
		{"/docs", "/v1/connections"},
		{"/docs/modules/confirm-payment-intent", `href="/docs#start"`},
		{"/docs/modules/confirm-payment-intent", "Its status must be requires_confirmation, requires_payment_method or requires_action."},
		{"/docs/modules/confirm-payment-intent", "GET /v1/lookups/payment_methods?connection=…&amp;customer=…"},
		{"/docs/modules/finalize-draft-invoice", "GET /v1/lookups/invoices?connection=…&amp;customer=…&amp;subscription=…&amp;collection_method=…&amp;status=draft"},
	}
	for _, tt := range tests {
		if !strings.Contains(get(t, h, tt.path).Body.String(), tt.want) {
			t.Errorf("%s lacks %s", tt.path, tt.want)
		}
	}
}

// What is copied from a page can be run: a shell takes the command apart as it was meant.
func TestDocsCommandRuns(t *testing.T) {
	t.Parallel()
	c := catalogue(t)
	m, _ := c.Module("confirm-payment-intent")
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/docs/modules/"+m.Key, http.NoBody)
	r.Host = "connector.example:8443"
	r.Header.Set("X-Forwarded-Proto", "https")
	w := httptest.NewRecorder()
	docs(t, c).ServeHTTP(w, r)
	commands := regexp.MustCompile(`(?s)data-command>(.*?)</code>`).FindAllStringSubmatch(w.Body.String(), -1)
	if len(commands) != 2 {
		t.Fatalf("got %d commands, want 2", len(commands))
	}
	for _, command := range commands {
		script := "curl() { printf '%s\\0' \"$@\"; }\n" + html.UnescapeString(command[1])
		out, err := exec.CommandContext(t.Context(), "sh", "-c", script).Output()
		if err != nil {
			t.Fatalf("running %s: %v", script, err)
		}
		args := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
		if args[0] != "https://connector.example:8443/v1/modules/confirm-payment-intent" {
			t.Errorf("got URL %q", args[0])
		}
		if _, err := m.Decode([]byte(args[len(args)-1]), 1000); err != nil {
			t.Errorf("the bundle is not taken: %v", err)
		}
	}
}

// A Host header that is no host does not get onto the page.
func TestDocsForeignHost(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/docs/modules/create-refund", http.NoBody)
	r.Host = "x';rm -rf ~;'"
	w := httptest.NewRecorder()
	docs(t, catalogue(t)).ServeHTTP(w, r)
	if page := w.Body.String(); strings.Contains(page, "rm -rf") || !strings.Contains(page, "curl http://localhost:8080/v1/modules/create-refund") {
		t.Error("the page repeats a host that is none")
	}
}

func TestDocumentIsServed(t *testing.T) {
	t.Parallel()
	h := openapi.Handler()
	plain := get(t, h, "/openapi.json")
	if plain.Body.String() != string(openapi.JSON()) || plain.Header().Get("Content-Type") != "application/json" {
		t.Errorf("got %d bytes of %s", plain.Body.Len(), plain.Header().Get("Content-Type"))
	}

	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/openapi.json", http.NoBody)
	r.Header.Set("Accept-Encoding", "br, gzip")
	packed := httptest.NewRecorder()
	h.ServeHTTP(packed, r)
	var document struct {
		Servers []struct{ URL string }
	}
	if err := json.Unmarshal([]byte(unpack(t, packed.Body)), &document); err != nil {
		t.Fatal(err)
	}
	if len(document.Servers) != 1 || document.Servers[0].URL != "/" {
		t.Errorf("got servers %v, want this host", document.Servers)
	}

	r.Header.Set("If-None-Match", packed.Header().Get("ETag"))
	again := httptest.NewRecorder()
	h.ServeHTTP(again, r)
	if again.Code != http.StatusNotModified {
		t.Errorf("with its own tag: got status %d, want 304", again.Code)
	}
}
