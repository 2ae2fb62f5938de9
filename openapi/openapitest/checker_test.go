package openapitest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"stripe-connector/openapi"
	"stripe-connector/openapi/openapitest"
)

const (
	refund  = `{"id":"re_1","object":"refund","amount":100}`
	problem = `{"type":"about:blank","title":"Not found","status":404,"error_type":"DataError","retryable":false}`
)

// Each exchange that departs from the document differs in one thing from one that does not.
func TestCheck(t *testing.T) {
	t.Parallel()
	c, err := openapitest.NewChecker(openapi.JSON())
	if err != nil {
		t.Fatal(err)
	}
	const bundle = `{"connection":"conn_1","charge":"ch_1"}`
	tests := []struct {
		name, request, body string
		status              int
		media, answer       string
		want                string // part of the error; empty: there is none
	}{
		{"fits", "POST /v1/modules/create-refund", bundle, 200, "application/json", refund, ""},
		{"a refused request may be anything", "POST /v1/modules/create-refund", `{"chrg":1}`, 404, "application/problem+json", problem, ""},
		{"unknown key", "POST /v1/modules/create-refund", `{"connection":"conn_1","charge":"ch_1","chrg":1}`, 200, "application/json", refund, "request: the body"},
		{"wrong type in the answer", "POST /v1/modules/create-refund", bundle, 200, "application/json", `{"amount":"100"}`, "status 200: the body"},
		{"status of Stripe's own", "POST /v1/modules/create-refund", bundle, 418, "application/problem+json", problem, ""},
		{"unknown status", "POST /v1/modules/create-refund", bundle, 302, "application/problem+json", problem, "status 302: is not in the document"},
		{"wrong media type", "POST /v1/modules/create-refund", bundle, 200, "text/html", refund, "of type text/html is not in the document"},
		{"problem without a class", "POST /v1/modules/create-refund", bundle, 404, "application/problem+json", `{"type":"about:blank","title":"x","status":404,"retryable":false}`, "error_type"},
		{"unknown route", "GET /v1/nothing", "", 200, "application/json", `{}`, "is not in the document"},
		{"unknown route, and said so", "GET /v1/nothing", "", 404, "application/problem+json", problem, ""},
		{"stream", "POST /v1/modules/list-all-refunds", `{"connection":"conn_1"}`, 200, "application/x-ndjson", refund + "\n" + refund + "\n", ""},
		{"stream with a bad line", "POST /v1/modules/list-all-refunds", `{"connection":"conn_1"}`, 200, "application/x-ndjson", refund + "\n7\n", "a line"},
		{"parameters", "GET /v1/deliveries?state=dead&limit=5", "", 200, "application/json", `{"data":[],"has_more":false,"next_cursor":null}`, ""},
		{"unknown parameter", "GET /v1/deliveries?stat=dead", "", 200, "application/json", `{"data":[],"has_more":false,"next_cursor":null}`, "stat is not in the document"},
		{"parameter out of range", "GET /v1/deliveries?limit=101", "", 200, "application/json", `{"data":[],"has_more":false,"next_cursor":null}`, "the parameter limit"},
		{"missing parameter", "GET /v1/lookups/customers", "", 200, "application/json", `{"options":[],"next_cursor":null}`, "the parameter connection is missing"},
		{"undocumented member", "GET /v1/deliveries", "", 200, "application/json", `{"data":[],"has_more":false,"next_cursor":null,"total":0}`, "total"},
		{"no body", "DELETE /v1/webhooks/whk_1", "", 204, "", "", ""},
		{"body where there is none", "DELETE /v1/webhooks/whk_1", "", 204, "application/json", "{}", "there is a body"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			method, target, _ := strings.Cut(tt.request, " ")
			response := &http.Response{StatusCode: tt.status, Header: http.Header{"Content-Type": {tt.media}, "X-Request-Id": {"req_1"}}}
			err := c.Check(openapitest.Exchange{
				Request:     httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(tt.body)),
				RequestBody: []byte(tt.body), Response: response, ResponseBody: []byte(tt.answer),
			})
			switch {
			case err == nil && tt.want != "":
				t.Errorf("got no error, want one that holds %q", tt.want)
			case err != nil && (tt.want == "" || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got error %v, want one that holds %q", err, tt.want)
			}
		})
	}
}

func TestCheckMissesHeader(t *testing.T) {
	t.Parallel()
	c, err := openapitest.NewChecker(openapi.JSON())
	if err != nil {
		t.Fatal(err)
	}
	res := &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}}
	err = c.Check(openapitest.Exchange{
		Request:  httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/healthz", http.NoBody),
		Response: res, ResponseBody: []byte(`{"status":"ok"}`),
	})
	if err == nil || !strings.Contains(err.Error(), "X-Request-Id is missing") {
		t.Errorf("got error %v, want that X-Request-Id is missing", err)
	}
}
