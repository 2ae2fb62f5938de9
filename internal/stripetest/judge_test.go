package stripetest

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stripe/stripe-mock/embedded"
	"github.com/stripe/stripe-mock/server"
)

// verdicts are requests with the status that Stripe's document gives them.
var verdicts = []struct {
	name, method, path, form string
	status                   int
	official                 int // what the official server says, if it is more lenient
}{
	{"plain list", "GET", "/v1/customers", "limit=3", 200, 0},
	{"list range", "GET", "/v1/customers", "created[gte]=10&created[lt]=20", 200, 0},
	{"list exact time", "GET", "/v1/customers", "created=10", 200, 0},
	{"limit is no integer", "GET", "/v1/customers", "limit=ten", 400, 0},
	{"unknown list parameter", "GET", "/v1/customers", "nonsense=1", 400, 0},
	{"create", "POST", "/v1/customers", "name=Ada&shipping[name]=A&shipping[address][line1]=x&metadata[k]=v", 200, 0},
	{"clear", "POST", "/v1/customers/cus_1", "name=&shipping=&metadata=", 200, 0},
	{"unknown nested parameter", "POST", "/v1/customers", "shipping[name]=A&shipping[address][line9]=x", 400, 200},
	{"required nested parameter", "POST", "/v1/customers", "shipping[address][line1]=x", 400, 0},
	{"wrong enum", "POST", "/v1/customers", "tax_exempt=perhaps", 400, 0},
	{"too long", "POST", "/v1/customers", "name=" + strings.Repeat("a", 257), 400, 200},
	{"array by index", "POST", "/v1/payment_intents", "amount=1&currency=usd&payment_method_types[0]=card&payment_method_types[1]=link", 200, 0},
	{"array by brackets", "POST", "/v1/payment_intents", "amount=1&currency=usd&payment_method_types[]=card", 200, 0},
	{"required parameters", "POST", "/v1/payment_intents", "amount=1", 400, 0},
	{"fraction for an integer", "POST", "/v1/payment_intents", "amount=1.5&currency=usd", 400, 0},
	{"boolean", "POST", "/v1/payment_intents", "amount=1&currency=usd&confirm=maybe", 400, 0},
	{"update of an endpoint", "POST", "/v1/webhook_endpoints/we_1", "url=https://a.b&enabled_events[]=*&disabled=true", 200, 0},
	{"connect is set once", "POST", "/v1/webhook_endpoints/we_1", "connect=true", 400, 0},
	{"api version is set once", "POST", "/v1/webhook_endpoints/we_1", "api_version=2020-08-27", 400, 0},
	{"unknown event type", "POST", "/v1/webhook_endpoints", "url=https://a.b&enabled_events[]=customer.sneezed", 400, 0},
	{"delete", "DELETE", "/v1/invoiceitems/ii_1", "", 200, 0},
	{"delete with parameters", "DELETE", "/v1/customers/cus_1", "why=1", 400, 0},
	{"search without query", "GET", "/v1/customers/search", "limit=1", 400, 0},
	{"search", "GET", "/v1/customers/search", "query=email:'a'", 200, 0},
	{"literal before parameter", "GET", "/v1/invoices/upcoming", "customer=cus_1", 200, 0},
	{"no such path", "GET", "/v1/customer", "", 404, 0},
	{"no such method", "PUT", "/v1/customers/cus_1", "name=x", 404, 0},
	{"trailing slash", "GET", "/v1/customers/", "", 404, 0},
	{"malformed key", "POST", "/v1/customers", "[x]=1", 400, 0},
	{"malformed escape", "POST", "/v1/customers", "name=%zz", 400, 0},
}

func verdictRequest(method, path, form string) *http.Request {
	var r *http.Request
	if method == http.MethodGet {
		r = httptest.NewRequest(method, path+"?"+form, http.NoBody)
	} else {
		r = httptest.NewRequest(method, path, strings.NewReader(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("Authorization", "Bearer "+Key)
	return r
}

// TestJudgeEqualsStubServer holds the judge against the official server whose parts it is made of: same status, same
// message. It is not parallel because the official server prints to standard output, which is turned off here.
func TestJudgeEqualsStubServer(t *testing.T) {
	stdout := os.Stdout
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	os.Stdout = null
	defer func() { os.Stdout = stdout; null.Close() }()

	official := officialServer(t)
	type refusal struct {
		Error struct{ Message, Type string }
	}
	for _, tt := range verdicts {
		t.Run(tt.name, func(t *testing.T) {
			want, got := httptest.NewRecorder(), httptest.NewRecorder()
			official.HandleRequest(want, verdictRequest(tt.method, tt.path, tt.form))
			New(t).ServeHTTP(got, verdictRequest(tt.method, tt.path, tt.form))
			official := tt.official
			if official == 0 {
				official = tt.status
			}
			if got.Code != tt.status || want.Code != official {
				t.Errorf("status: got %d and %d from the official server, want %d and %d\n%s\n%s", got.Code, want.Code, tt.status, official, got.Body, want.Body)
			}
			if official == http.StatusOK {
				return
			}
			var g, w refusal
			if err := json.Unmarshal(got.Body.Bytes(), &g); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(want.Body.Bytes(), &w); err != nil {
				t.Fatal(err)
			}
			w.Error.Message = pointer.ReplaceAllString(w.Error.Message, "")
			if diff := cmp.Diff(w, g); diff != "" {
				t.Errorf("refusal (-official +got):\n%s", diff)
			}
		})
	}
}

// officialServer builds the stub server from the few operations that the verdicts need; all of them take seconds.
func officialServer(t *testing.T) *server.StubServer {
	t.Helper()
	var doc struct {
		Components json.RawMessage            `json:"components"`
		Info       json.RawMessage            `json:"info"`
		Paths      map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(embedded.OpenAPISpec, &doc); err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(doc.Paths, func(path string, _ json.RawMessage) bool {
		return !slices.ContainsFunc(verdictPaths, func(prefix string) bool { return strings.HasPrefix(path, prefix) })
	})
	small, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	description, err := server.LoadSpec(small, "")
	if err != nil {
		t.Fatal(err)
	}
	fixtures, err := server.LoadFixtures(embedded.OpenAPIFixtures, "")
	if err != nil {
		t.Fatal(err)
	}
	official, err := server.NewStubServer(fixtures, description, false, false)
	if err != nil {
		t.Fatal(err)
	}
	return official
}

// verdictPaths are where the verdicts fall.
var verdictPaths = []string{"/v1/customers", "/v1/payment_intents", "/v1/invoice", "/v1/webhook_endpoints"}

func TestRefusalNamesParameter(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, path, form  string
		wantCode, wantTag string
	}{
		{"unknown", "/v1/customers", "names=x", "parameter_unknown", "names"},
		{"missing", "/v1/payment_intents", "amount=5", "parameter_missing", "currency"},
		{"wrong value", "/v1/customers", "tax_exempt=perhaps", "", "tax_exempt"},
		{"unknown below", "/v1/customers", "shipping[name]=A&shipping[address][line9]=x", "parameter_unknown", "shipping[address][line9]"},
		{"missing below", "/v1/customers", "shipping[address][line1]=x", "parameter_missing", "shipping[name]"},
		{"in a list", "/v1/invoices", "customer=cus_1&custom_fields[0][name]=x", "parameter_missing", "custom_fields[0][value]"},
	}
	s := New(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRecorder()
			s.ServeHTTP(r, verdictRequest("POST", tt.path, tt.form))
			var body struct{ Error apiError }
			if err := json.Unmarshal(r.Body.Bytes(), &body); err != nil {
				t.Fatal(err)
			}
			if body.Error.Code != tt.wantCode || body.Error.Param != tt.wantTag {
				t.Errorf("got code %q param %q, want %q %q", body.Error.Code, body.Error.Param, tt.wantCode, tt.wantTag)
			}
		})
	}
}

// operations are all below a path segment.
func operations(n *node) []*route {
	all := slices.Collect(maps.Values(n.routes))
	for _, next := range n.literal {
		all = append(all, operations(next)...)
	}
	if n.param != nil {
		all = append(all, operations(n.param)...)
	}
	return all
}

// TestEveryOperationLoads decodes all operations once, so that nothing in it can fail later.
func TestEveryOperationLoads(t *testing.T) {
	t.Parallel()
	d, err := describe()
	if err != nil {
		t.Fatal(err)
	}
	all := operations(&d.root)
	for _, r := range all {
		r.once.Do(r.load)
		if r.err != nil {
			t.Errorf("%s %s: %v", r.method, r.pattern, r.err)
		}
	}
	if len(all) < 500 {
		t.Errorf("got %d operations, want all of Stripe's, over 500", len(all))
	}
}

// TestEveryOperationAnswers sends a request to every operation of Stripe's API, with the ids in the path made up: the
// answer may be a refusal, but never a panic, and JSON in any case.
func TestEveryOperationAnswers(t *testing.T) {
	t.Parallel()
	s := New(t)
	for _, r := range operations(&s.spec.root) {
		path := r.pattern
		for _, name := range r.params {
			path = strings.ReplaceAll(path, "{"+name+"}", "obj_1")
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, verdictRequest(r.method, path, ""))
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s %s: %d, not JSON: %.80s", r.method, path, w.Code, w.Body)
		}
		if w.Code >= 500 {
			t.Errorf("%s %s: %d %s", r.method, path, w.Code, w.Body)
		}
	}
}
