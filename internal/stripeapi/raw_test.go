package stripeapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stripe/stripe-go/v79"
	"golang.org/x/time/rate"

	"stripe-connector/internal/spec"
)

func TestRawAnswersWhateverStripeAnswers(t *testing.T) {
	t.Parallel()
	for status, body := range map[int]string{
		200: oddBody, 400: `{"error":{"message":"m"}}`, 401: `{"error":{}}`, 404: "<html>", 302: "", 500: "x",
	} {
		s := newScript(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Stripe-Should-Retry", "false")
			w.Header().Add("Set-Cookie", "session=1")
			w.Header().Add("X-Many", "1")
			w.Header().Add("X-Many", "2")
			respond(w, status, body)
		})
		res, err := newClient(t, s.URL).Raw(t.Context(), testSession, RawRequest{Method: "GET", URL: "v1/charges"})
		if err != nil {
			t.Fatal(err)
		}
		if res.Status != status || string(res.Body) != body || res.IdempotencyKey != "" || res.RequestID != "req_1" {
			t.Errorf("%d: response is %+v", status, res)
		}
		headers := res.Headers()
		if _, ok := headers["set-cookie"]; ok || headers["x-many"] != "1, 2" || headers["request-id"] != "req_1" {
			t.Errorf("%d: headers are %v", status, headers)
		}
	}
}

func TestRawRetries(t *testing.T) {
	t.Parallel()
	s := newScript(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 0 {
			again(w, 503)
			return
		}
		respond(w, 200, `{}`)
	})
	res, err := newClient(t, s.URL).Raw(t.Context(), testSession, RawRequest{Method: "POST", URL: "/v1/charges", Body: json.RawMessage(`"a=b"`)})
	if err != nil || res.Status != 200 {
		t.Fatalf("%+v, %v", res, err)
	}
	for _, r := range s.requests() {
		if r.Body != "a=b" || r.Header.Get("Idempotency-Key") != res.IdempotencyKey || res.IdempotencyKey == "" {
			t.Errorf("request is %+v", r)
		}
	}
}

func TestRawFailsWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	s := newScript(t, always(200, `{}`))
	s.Close()
	c := newClient(t, s.URL, func(cfg *Config) { cfg.RateTest = float64(rate.Inf) })
	_, err := c.Raw(t.Context(), testSession, RawRequest{
		Method: "POST", URL: "/v1/charges?email=hidden", Headers: [][2]string{{"Idempotency-Key", "mine"}},
	})
	failed := wantError(t, err)
	if failed.Status != 502 || failed.IdempotencyKey != "mine" {
		t.Errorf("error is %+v", failed)
	}
	noSecrets(t, err)
}

func TestRawRequests(t *testing.T) {
	t.Parallel()
	s := newScript(t, always(200, `{}`))
	c := newClient(t, s.URL)
	session := Session{Connection: "conn_1", Key: testKey, Account: "acct_s", IdempotencyKey: "session"}
	tests := []struct {
		name   string
		in     RawRequest
		uri    string
		body   string
		header map[string]string
	}{
		{
			name: "GET", in: RawRequest{Method: "GET", URL: " v1/charges "}, uri: "/v1/charges",
			header: map[string]string{
				"Authorization": "Bearer " + testKey, "Stripe-Account": "acct_s", "Stripe-Version": stripe.APIVersion,
				"Idempotency-Key": "", "Content-Type": "", "User-Agent": "stripe-connector",
			},
		},
		{
			name: "queries are merged",
			in: RawRequest{
				Method: "GET", URL: "/v1/charges?limit=3&expand[]=data.customer&q=a b é",
				Query: [][2]string{{"created[gte]", "1"}, {"q", "ä&=?#"}, {"", ""}},
			},
			uri: "/v1/charges?limit=3&expand[]=data.customer&q=a%20b%20%C3%A9&created[gte]=1&q=%C3%A4%26%3D%3F%23",
		},
		{
			name: "path is encoded",
			in:   RawRequest{Method: "GET", URL: "/v1/coupons/é%20;x\"<>"}, uri: "/v1/coupons/%C3%A9%20;x%22%3C%3E",
		},
		{
			name: "user's headers",
			in: RawRequest{Method: "POST", URL: "/v1/charges", Headers: [][2]string{
				{"stripe-version", "2020-08-27"},
				{"Stripe-Account", "acct_u"},
				{"IDEMPOTENCY-KEY", " mine "},
				{"X-Own", "1"},
				{"X-Own", "2"},
				{"Authorization", "Bearer other"},
				{"Host", "evil.test"},
				{"Cookie", "a=b"},
				{"Content-Length", "7"},
				{"Connection", "close"},
				{"Transfer-Encoding", "chunked"},
				{"Stripe-Client-User-Agent", "x"},
				{"X-Stripe-Client-User-Agent", "x"},
				{"User-Agent", "x"},
				{"Proxy-Authorization", "x"},
				{"Cookie", "a\nb"},
				{"", ""},
			}},
			uri: "/v1/charges",
			header: map[string]string{
				"Stripe-Version": "2020-08-27", "Stripe-Account": "acct_u", "Idempotency-Key": "mine", "X-Own": "1",
				"Authorization": "Bearer " + testKey, "Cookie": "", "Content-Length": "0", "Stripe-Client-User-Agent": "",
				"X-Stripe-Client-User-Agent": "", "User-Agent": "stripe-connector", "Proxy-Authorization": "", "Connection": "",
			},
		},
		{
			name: "object becomes a form",
			in: RawRequest{Method: "POST", URL: "/v1/charges", Body: json.RawMessage(`{
				"amount": 1.0e3, "big": 12345678901234567890, "capture": false, "description": null, "name": "a&b=é +",
				"items": [{"price": "p_1", "tiers": [1, 2]}, {"price": "p_2"}], "none": [], "empty": {}, "metadata": {"k[x]": ""}}`)},
			uri: "/v1/charges",
			body: "amount=1.0e3&big=12345678901234567890&capture=false&description=&name=a%26b%3D%C3%A9+%2B" +
				"&items[0][price]=p_1&items[0][tiers][0]=1&items[0][tiers][1]=2&items[1][price]=p_2&none=&metadata[k[x]]=",
			header: map[string]string{"Content-Type": formType, "Idempotency-Key": "session"},
		},
		{
			name: "object in a text",
			in:   RawRequest{Method: "POST", URL: "/v1/charges", Body: json.RawMessage(`" {\"a\":{\"b\":1}}"`)},
			uri:  "/v1/charges", body: "a[b]=1", header: map[string]string{"Content-Type": formType},
		},
		{
			name: "text",
			in:   RawRequest{Method: "PATCH", URL: "/v1/charges", Body: json.RawMessage(`"a[b]=c%20d&e=\u00e9"`)},
			uri:  "/v1/charges", body: "a[b]=c%20d&e=é", header: map[string]string{"Content-Type": formType},
		},
		{
			name: "DELETE with a body",
			in:   RawRequest{Method: "DELETE", URL: "/v1/subscriptions/sub_1", Body: json.RawMessage(`{"prorate":true}`)},
			uri:  "/v1/subscriptions/sub_1", body: "prorate=true", header: map[string]string{"Idempotency-Key": "session"},
		},
		{
			name: "v2 is untouched",
			in:   RawRequest{Method: "POST", URL: "/v2/core/events", Body: json.RawMessage(`{"a": 1.0e3,"a":null}`)},
			uri:  "/v2/core/events", body: `{"a": 1.0e3,"a":null}`, header: map[string]string{"Content-Type": jsonType},
		},
		{
			name: "own content type",
			in: RawRequest{
				Method: "POST", URL: "/v1/charges", Body: json.RawMessage(`"{\"a\": 1}"`),
				Headers: [][2]string{{"content-type", "text/plain"}},
			},
			uri: "/v1/charges", body: `{"a": 1}`, header: map[string]string{"Content-Type": "text/plain"},
		},
		{
			name: "own form type",
			in: RawRequest{
				Method: "POST", URL: "/v1/charges", Body: json.RawMessage(`{"a":1}`),
				Headers: [][2]string{{"content-type", "Application/x-www-form-urlencoded; charset=utf-8"}},
			},
			uri: "/v1/charges", body: `a=1`,
		},
	}
	for i, empty := range []string{``, `null`, `""`, `{}`, ` { } `} {
		tests = append(tests, tests[0])
		tests[len(tests)-1].name = fmt.Sprint("GET with empty body ", i)
		tests[len(tests)-1].in.Body = json.RawMessage(empty)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := len(s.requests())
			if _, err := c.Raw(t.Context(), session, tt.in); err != nil {
				t.Fatal(err)
			}
			r := s.requests()[before]
			if r.Method != tt.in.Method || r.URI != tt.uri {
				t.Errorf("called %s %s, want %s %s", r.Method, r.URI, tt.in.Method, tt.uri)
			}
			if r.Body != tt.body {
				t.Errorf("body is %q, want %q", r.Body, tt.body)
			}
			for name, want := range tt.header {
				if got := r.Header.Get(name); got != want {
					t.Errorf("header %s is %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestRawReportsEveryFault(t *testing.T) {
	t.Parallel()
	s := newScript(t, always(200, `{}`))
	c := newClient(t, s.URL)
	_, err := c.Raw(t.Context(), testSession, RawRequest{
		Method: "get", URL: "https://evil.test/v1/charges",
		Headers: [][2]string{
			{"X-Fine", "1"},
			{"X Bad", "1"},
			{"", "1"},
			{"X-Inject", "a\r\nHost: evil"},
			{"Idempotency-Key", strings.Repeat("k", 256)},
			{"X-Split\r\nHost", "evil"},
		},
		Query: [][2]string{{"", "1"}},
		Body:  json.RawMessage(`[1]`),
	})
	var got []string
	for _, fault := range wantFaults(t, err) {
		got = append(got, fault.Field+" "+fault.Code)
		if strings.Contains(fault.Message, "evil") {
			t.Errorf("the value is repeated: %+v", fault)
		}
	}
	want := []string{
		"url invalid", "method invalid", "headers[1].key invalid", "headers[2].key required", "headers[3].value invalid",
		"headers[4].value invalid", "headers[5].key invalid", "qs[0].key required", "body invalid",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}

	deep := strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)
	for body, code := range map[string]string{
		`{"a":1}`: spec.CodeNotAllowed, `"a=b"`: spec.CodeNotAllowed, `12`: spec.CodeInvalid, deep: spec.CodeInvalid, `{`: spec.CodeInvalid,
	} {
		_, err := c.Raw(t.Context(), testSession, RawRequest{Method: "GET", URL: "/v1/charges", Body: json.RawMessage(body)})
		if faults := wantFaults(t, err); len(faults) != 1 || faults[0].Field != "body" || faults[0].Code != code {
			t.Errorf("body %.20s: faults are %v, want %s", body, faults, code)
		}
	}
	_, err = c.Raw(t.Context(), testSession, RawRequest{Method: "GET"})
	if faults := wantFaults(t, err); len(faults) != 1 || faults[0].Code != spec.CodeRequired {
		t.Errorf("faults are %v", faults)
	}
	if n := len(s.requests()); n != 0 {
		t.Errorf("%d requests were sent, want none", n)
	}
}

// badURLs would lead elsewhere by one reading or another, or hide where they lead.
var badURLs = []string{
	"", "/", "v1", "/v1", "/v1/", "v1/", "/v3/charges", "/v1x/charges", "/V1/charges", "charges", "//evil.test/v1/charges",
	"///v1/charges", "/v1//charges", "/v1/charges/", "https://api.stripe.com/v1/charges", "http:/v1/charges", "user@evil.test/v1/x",
	"@evil.test/v1/x", ":80/v1/x", "/v1/../v3/x", "/v1/x/..", "/v1/./x", "/v1/%2e%2e/x", "/v1/%2E./x", "/v1/.%2e/x",
	"/v1/%252e%252e/x", "/v1/%25252e%25252e/x", "/v1/..%2f..%2fx", "/v1/x%2fy", "/v1/x%252fy", "/v1/x%5cy", "/v1/x%255cy",
	`/v1/x\..\y`, `\v1\x`, "/v1/x#y", "/v1/x%00", "/v1/x%250a", "/v1/x\ny", "/v1/x\x00", "/v1/x\x7f", "/v1/x\u0085y", "/v1/\xff",
	"/v1/%ff", "/v1/%c0%ae%c0%ae/x", "/v1/..;a=b/x", "/v1/%2e%2e%3ba/x", "/v1/%", "/v1/%zz", "/v1/%2", "/v1/a b",
	"/v1/a\u00a0b", "/v1/%2525252525252e/x", "/v1/x?y#z", "/v1/x?y\\z", "/v1/x?y\r\nz", "?/v1/x", "/?/v1/x", "/v1?/x", "/v1/%25zz%252fx",
}

// goodURLs are called as they are written, but for what must be encoded.
var goodURLs = map[string]string{
	"/v1/charges":                            "https://stripe.test/v1/charges",
	"v1/charges":                             "https://stripe.test/v1/charges",
	"\t/v2/core/events \n":                   "https://stripe.test/v2/core/events",
	"/v1/charges?":                           "https://stripe.test/v1/charges",
	"/v1/x?redirect=https://a.test/../b?c":   "https://stripe.test/v1/x?redirect=https://a.test/../b?c",
	"/v1/coupons/25%25OFF":                   "https://stripe.test/v1/coupons/25%25OFF",
	"/v1/coupons/caf%C3%A9":                  "https://stripe.test/v1/coupons/caf%C3%A9",
	"/v1/coupons/café":                       "https://stripe.test/v1/coupons/caf%C3%A9",
	"/v1/coupons/a:b@c,d;e=f!$&'()*+~":       "https://stripe.test/v1/coupons/a:b@c,d;e=f!$&'()*+~",
	"/v1/coupons/a%20b":                      "https://stripe.test/v1/coupons/a%20b",
	"/v1/coupons/...":                        "https://stripe.test/v1/coupons/...",
	"/v1/search?query=email:'a b'%20\"ü\"&x": "https://stripe.test/v1/search?query=email:'a%20b'%20%22%C3%BC%22&x",
}

var stripeTest = &url.URL{Scheme: "https", Host: "stripe.test"}

func TestRawURL(t *testing.T) {
	t.Parallel()
	for _, text := range badURLs {
		if target, reason := rawURL(stripeTest, text); reason == "" {
			t.Errorf("%q was taken as %s", text, target)
		}
	}
	for text, want := range goodURLs {
		target, reason := rawURL(stripeTest, text)
		if reason != "" {
			t.Errorf("%q was refused: %s", text, reason)
			continue
		}
		if got := target.String(); got != want {
			t.Errorf("%q became %s, want %s", text, got, want)
		}
	}
}

func FuzzRawURL(f *testing.F) {
	for _, text := range badURLs {
		f.Add(text)
	}
	for text := range goodURLs {
		f.Add(text)
	}
	inside := func(p string) bool { return strings.HasPrefix(p, "/v1/") || strings.HasPrefix(p, "/v2/") }
	f.Fuzz(func(t *testing.T, text string) {
		target, reason := rawURL(stripeTest, text)
		if reason != "" {
			return
		}
		sent, err := http.NewRequest(http.MethodGet, target.String(), nil)
		if err != nil {
			t.Fatalf("%q became %q: %v", text, target, err)
		}
		if u := sent.URL; u.Scheme != "https" || u.Host != "stripe.test" || u.User != nil || u.Fragment != "" || u.Opaque != "" || sent.Host != "stripe.test" {
			t.Fatalf("%q became %q", text, u)
		}
		if strings.ContainsFunc(sent.URL.RequestURI(), func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '\\' || r == '#' }) {
			t.Fatalf("%q sends %q", text, sent.URL.RequestURI())
		}
		// However a server decodes, folds backslashes, cuts parameters and cleans, it ends where it began.
		for p := sent.URL.EscapedPath(); ; {
			folded := strings.ReplaceAll(p, `\`, "/")
			var segments []string
			for segment := range strings.SplitSeq(folded, "/") {
				name, _, _ := strings.Cut(segment, ";")
				segments = append(segments, name)
			}
			for _, form := range []string{p, path.Clean(p), path.Clean(folded), path.Clean(strings.Join(segments, "/"))} {
				if !inside(form + "/") {
					t.Fatalf("%q can be read as %q", text, form)
				}
			}
			decoded, err := url.PathUnescape(p)
			if err != nil || decoded == p {
				break
			}
			p = decoded
		}
	})
}

func FuzzBracketForm(f *testing.F) {
	f.Add(`{"a":[{"b":1.0e3},null,[]],"c":{},"d":{"e":true}}`)
	f.Fuzz(func(t *testing.T, text string) {
		if !json.Valid([]byte(text)) || !strings.HasPrefix(text, "{") {
			return
		}
		values, reason := bracketForm([]byte(text))
		if reason != "" {
			return
		}
		if _, err := url.ParseQuery(values.Encode()); err != nil {
			t.Errorf("%s became %s: %v", text, values.Encode(), err)
		}
	})
}

func BenchmarkRaw(b *testing.B) {
	body := []byte(`{"id":"cus_1","object":"customer","filler":"` + strings.Repeat("x", 2000) + `"}`)
	c := newClient(b, "https://stripe.test", func(cfg *Config) { cfg.Transport = instant(body) })
	in := RawRequest{Method: "POST", URL: "/v1/customers?expand[]=x", Body: json.RawMessage(`{"name":"Ann","metadata":{"a":"b"}}`)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Raw(b.Context(), testSession, in); err != nil {
			b.Fatal(err)
		}
	}
}
