package stripeapi

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/customer"
	"github.com/stripe/stripe-go/v79/invoice"

	"stripe-connector/internal/spec"
)

func customers(params *stripe.CustomerListParams) spec.Source {
	return spec.Source{Call: func(b stripe.Backend, page spec.Page) error {
		p := stripe.CustomerListParams{}
		if params != nil {
			p = *params
		}
		p.Limit = &page.Limit
		if page.After != "" {
			p.StartingAfter = &page.After
		}
		return customer.Client{B: b}.List(&p).Err()
	}}
}

func customerSearch(query string) spec.Source {
	return spec.Source{Call: func(b stripe.Backend, page spec.Page) error {
		p := stripe.CustomerSearchParams{SearchParams: stripe.SearchParams{Query: query, Limit: &page.Limit}}
		if page.After != "" {
			p.Page = &page.After
		}
		return customer.Client{B: b}.Search(&p).Err()
	}}
}

func invoices(status string) spec.Source {
	return spec.Source{Call: func(b stripe.Backend, page spec.Page) error {
		p := stripe.InvoiceListParams{Status: &status}
		p.Limit = &page.Limit
		if page.After != "" {
			p.StartingAfter = &page.After
		}
		return invoice.Client{B: b}.List(&p).Err()
	}}
}

func oneCustomer(id string) spec.Source {
	return spec.Source{One: true, Call: func(b stripe.Backend, _ spec.Page) error {
		_, err := customer.Client{B: b}.Get(id, nil)
		return err
	}}
}

func object(id string, created int) string {
	return fmt.Sprintf(`{"id":%q, "created" : %d,"nothing":null,"number":1.0e3,"esc":"\u00e9"}`, id, created)
}

// objects are n objects, newest first, created every step seconds.
func objects(prefix string, n, newest, step int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = object(prefix+strconv.Itoa(i), newest-i*step)
	}
	return list
}

// listed answers a list or a search as Stripe pages them.
func listed(w http.ResponseWriter, q url.Values, all []string, search bool) {
	from, object := 0, "list"
	switch after, page := q.Get("starting_after"), q.Get("page"); {
	case after != "":
		from = slices.IndexFunc(all, func(o string) bool { return idOf([]byte(o)) == after }) + 1
		if from == 0 {
			respond(w, 400, `{"error":{"type":"invalid_request_error","param":"starting_after","message":"No such object"}}`)
			return
		}
	case page != "":
		from, _ = strconv.Atoi(strings.TrimPrefix(page, "token_"))
	}
	limit, _ := strconv.Atoi(q.Get("limit"))
	to := min(len(all), from+limit)
	next := "null"
	if search {
		object = "search_result"
		if to < len(all) {
			next = fmt.Sprintf(`"token_%d"`, to)
		}
	}
	respond(w, 200, fmt.Sprintf("{\"object\":%q,\"has_more\":%v,\"next_page\":%s,\"data\":[\n  %s\n]}",
		object, to < len(all), next, strings.Join(all[from:to], ",\n  ")))
}

// collect walks a search to its end or its limit.
func collect(t *testing.T, r *Results) []string {
	t.Helper()
	found := []string{}
	for object, err := range r.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, string(object))
	}
	return found
}

func mustAll(t *testing.T, c *Client, s Session, q spec.Query, limit int) iter.Seq[string] {
	t.Helper()
	r, err := c.Search(s, q, limit, "")
	if err != nil {
		t.Fatal(err)
	}
	return slices.Values(collect(t, r))
}

func TestSearchPages(t *testing.T) {
	t.Parallel()
	all := objects("cus_", 1000, 1e9, 1)
	s := newScript(t, func(_ int, w http.ResponseWriter, r *http.Request) { listed(w, r.URL.Query(), all, false) })
	c := newClient(t, s.URL)
	r, err := c.Search(testSession, spec.Query{Sources: []spec.Source{customers(nil)}}, 250, "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(all[:250], collect(t, r)); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	var asked []string
	for _, r := range s.requests() {
		asked = append(asked, r.URI)
	}
	want := []string{
		"/v1/customers?limit=100",
		"/v1/customers?limit=100&starting_after=cus_99",
		"/v1/customers?limit=50&starting_after=cus_199",
	}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if !r.HasMore() || r.NextCursor() == "" || r.Cut() {
		t.Errorf("has more %v, next cursor %q, cut %v", r.HasMore(), r.NextCursor(), r.Cut())
	}
}

func TestSearchYieldsBeforeTheNextPage(t *testing.T) {
	t.Parallel()
	all := objects("cus_", 300, 1e9, 1)
	s := newScript(t, func(_ int, w http.ResponseWriter, r *http.Request) { listed(w, r.URL.Query(), all, false) })
	r, err := newClient(t, s.URL).Search(testSession, spec.Query{Sources: []spec.Source{customers(nil)}}, 300, "")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range r.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if got, want := len(s.requests()), n/100+1; got != want {
			t.Fatalf("object %d came after %d calls, want %d", n, got, want)
		}
		n++
	}
	if n != 300 || r.HasMore() || r.NextCursor() != "" {
		t.Errorf("%d objects, has more %v, next cursor %q", n, r.HasMore(), r.NextCursor())
	}
}

// TestSearchResumesAnywhere cuts searches of every kind at every pair of limits and expects the whole, in order, once.
func TestSearchResumesAnywhere(t *testing.T) {
	t.Parallel()
	drafts, open := objects("in_d", 23, 1000, 3), objects("in_o", 17, 990, 5)
	found, people := objects("cus_s", 31, 900, 1), objects("cus_", 40, 1000, 1)
	s := newScript(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		switch {
		case q.Get("status") == "draft":
			listed(w, q, drafts, false)
		case q.Get("status") == "open":
			listed(w, q, open, false)
		case r.URL.Path == "/v1/customers/search":
			listed(w, q, found, true)
		case r.URL.Path == "/v1/customers":
			listed(w, q, people, false)
		case r.URL.Path == "/v1/customers/cus_one":
			respond(w, 200, object("cus_one", 950))
		default:
			respond(w, 404, `{"error":{"type":"invalid_request_error","message":"No such customer"}}`)
		}
	})
	c := newClient(t, s.URL)

	merged := func(lists ...[]string) []string {
		var all []string
		for _, list := range lists {
			all = append(all, list...)
		}
		created := func(o string) int {
			var v struct{ Created int }
			_ = json.Unmarshal([]byte(o), &v)
			return v.Created
		}
		slices.SortStableFunc(all, func(a, b string) int { return created(b) - created(a) })
		return all
	}
	third := func(o []byte) bool { return idOf(o)[len(idOf(o))-1]%3 == 0 }
	filtered := func(list []string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(o string) bool { return !third([]byte(o)) })
	}
	tests := []struct {
		name string
		q    spec.Query
		want []string
	}{
		{"list", spec.Query{Sources: []spec.Source{customers(nil)}}, people},
		{"search result", spec.Query{Sources: []spec.Source{customerSearch("x")}}, found},
		{"merged", spec.Query{Sources: []spec.Source{invoices("draft"), invoices("open")}}, merged(drafts, open)},
		{
			"merged of all kinds",
			spec.Query{Sources: []spec.Source{oneCustomer("cus_one"), customerSearch("x"), invoices("open"), oneCustomer("cus_none")}},
			merged([]string{object("cus_one", 950)}, found, open),
		},
		{"filtered", spec.Query{Sources: []spec.Source{customers(nil)}, Keep: third}, filtered(people)},
		{"filtered search result", spec.Query{Sources: []spec.Source{customerSearch("x")}, Keep: third}, filtered(found)},
		{"bounded", spec.Query{Sources: []spec.Source{customerSearch("x")}, Keep: third, Scan: 4}, filtered(found)},
		{
			"filtered and merged",
			spec.Query{Sources: []spec.Source{invoices("draft"), customerSearch("x")}, Keep: third, Scan: 7},
			filtered(merged(drafts, found)),
		},
		{"one", spec.Query{Sources: []spec.Source{oneCustomer("cus_one")}}, []string{object("cus_one", 950)}},
		{"none", spec.Query{Sources: []spec.Source{oneCustomer("cus_none")}}, []string{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, limit := range []int{1, 2, 3, 5, 7, 100} {
				got, cursor := []string{}, ""
				for pages := 0; ; pages++ {
					r, err := c.Search(testSession, tt.q, limit, cursor)
					if err != nil {
						t.Fatal(err)
					}
					page := collect(t, r)
					got = append(got, page...)
					if tt.q.Scan == 0 && r.HasMore() && len(page) != limit {
						t.Errorf("limit %d: a page of %d although more follows", limit, len(page))
					}
					if r.HasMore() != (r.NextCursor() != "") {
						t.Errorf("limit %d: has more %v with cursor %q", limit, r.HasMore(), r.NextCursor())
					}
					if cursor = r.NextCursor(); cursor == "" || pages > 200 {
						break
					}
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("limit %d (-want +got):\n%s", limit, diff)
				}
			}
		})
	}
}

func TestSearchLeftEarlyGoesOn(t *testing.T) {
	t.Parallel()
	all := objects("cus_", 30, 1000, 1)
	s := newScript(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 1 {
			w.Header().Set("Stripe-Should-Retry", "false")
			respond(w, 500, `{"error":{"type":"api_error","message":"Sorry"}}`)
			return
		}
		q := r.URL.Query()
		q.Set("limit", "10")
		listed(w, q, all, false)
	})
	c := newClient(t, s.URL)
	q := spec.Query{Sources: []spec.Source{customers(nil)}}
	r, err := c.Search(testSession, q, 25, "")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	var failed error
	for object, err := range r.All(t.Context()) {
		if err != nil {
			failed = err
			continue
		}
		got = append(got, string(object))
	}
	if wantError(t, failed).Status != 502 || len(got) != 10 {
		t.Fatalf("%d objects, then %v", len(got), failed)
	}
	r, err = c.Search(testSession, q, 100, r.NextCursor())
	if err != nil {
		t.Fatal(err)
	}
	for object, err := range r.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, string(object)); len(got) == 13 {
			break
		}
	}
	if r, err = c.Search(testSession, q, 100, r.NextCursor()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(all, append(got, collect(t, r)...)); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
}

func TestSearchScanBound(t *testing.T) {
	t.Parallel()
	all := objects("cus_", 300, 1000, 1)
	s := newScript(t, func(_ int, w http.ResponseWriter, r *http.Request) { listed(w, r.URL.Query(), all, false) })
	c := newClient(t, s.URL)
	never := func([]byte) bool { return false }
	for _, tt := range []struct {
		scan, calls int
		cut         bool
	}{{150, 2, true}, {300, 3, false}, {0, 3, false}} {
		before := len(s.requests())
		r, err := c.Search(testSession, spec.Query{Sources: []spec.Source{customers(nil)}, Keep: never, Scan: tt.scan}, 10, "")
		if err != nil {
			t.Fatal(err)
		}
		if got := collect(t, r); len(got) != 0 {
			t.Errorf("scan %d: found %d", tt.scan, len(got))
		}
		if got := len(s.requests()) - before; got != tt.calls || r.Cut() != tt.cut || r.HasMore() != tt.cut {
			t.Errorf("scan %d: %d calls, cut %v, has more %v; want %d, %v", tt.scan, got, r.Cut(), r.HasMore(), tt.calls, tt.cut)
		}
	}
}

func TestSearchRefusesCursors(t *testing.T) {
	t.Parallel()
	all := objects("cus_", 300, 1000, 1)
	s := newScript(t, func(_ int, w http.ResponseWriter, r *http.Request) { listed(w, r.URL.Query(), all, false) })
	c := newClient(t, s.URL)
	q := spec.Query{Sources: []spec.Source{customers(nil)}}
	cursorOf := func(q spec.Query) string {
		r, err := c.Search(testSession, q, 1, "")
		if err != nil {
			t.Fatal(err)
		}
		collect(t, r)
		return r.NextCursor()
	}
	own := cursorOf(q)
	email := "a@b.c"
	plain, _ := base64.RawURLEncoding.DecodeString(own)
	encode := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	before := len(s.requests())
	for name, cursor := range map[string]string{
		"garbage":        "garbage!",
		"not JSON":       encode("{"),
		"too long":       strings.Repeat("A", 10000),
		"trailing":       encode(string(plain) + "{}"),
		"unknown key":    encode(strings.Replace(string(plain), `"s"`, `"z":1,"s"`, 1)),
		"no sources":     encode(`{"q":"x","s":[]}`),
		"injection":      encode(strings.Replace(string(plain), "cus_0", `cus_0\n`, 1)),
		"negative":       encode(strings.Replace(string(plain), `"a"`, `"n":-1,"a"`, 1)),
		"other list":     cursorOf(spec.Query{Sources: []spec.Source{invoices("open")}}),
		"two lists":      cursorOf(spec.Query{Sources: []spec.Source{customers(nil), customers(nil)}}),
		"another filter": cursorOf(spec.Query{Sources: []spec.Source{customers(&stripe.CustomerListParams{Email: &email})}}),
	} {
		_, err := c.Search(testSession, q, 10, cursor)
		faults := wantFaults(t, err)
		if len(faults) != 1 || faults[0].Field != "cursor" || faults[0].Label != "Cursor" || faults[0].Code != spec.CodeInvalid {
			t.Errorf("%s: faults are %v", name, faults)
		}
	}
	if got := len(s.requests()) - before; got > 4 {
		t.Errorf("%d calls, want only those that made the cursors", got)
	}

	t.Run("gone at Stripe", func(t *testing.T) {
		t.Parallel()
		r, err := c.Search(testSession, q, 10, encode(strings.Replace(string(plain), "cus_0", "cus_gone", 1)))
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range r.All(t.Context()) {
			if faults := wantFaults(t, err); faults[0].Field != "cursor" {
				t.Errorf("faults are %v", faults)
			}
		}
	})
	t.Run("values may change", func(t *testing.T) {
		t.Parallel()
		a, b := "a@b.c", "d@e.f"
		cursor := cursorOf(spec.Query{Sources: []spec.Source{customers(&stripe.CustomerListParams{Email: &a})}})
		other := spec.Query{Sources: []spec.Source{customers(&stripe.CustomerListParams{Email: &b})}}
		if _, err := c.Search(testSession, other, 7, cursor); err != nil {
			t.Error(err)
		}
	})
}

func TestSearchRefusesOddLists(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"no ids":          `{"object":"list","has_more":true,"data":[{"created":1}]}`,
		"not a list":      `{"object":"customer","id":"cus_1"}`,
		"data is no list": `{"object":"list","data":{}}`,
	} {
		s := newScript(t, always(200, body))
		r, err := newClient(t, s.URL).Search(testSession, spec.Query{Sources: []spec.Source{customers(nil)}}, 10, "")
		if err != nil {
			t.Fatal(err)
		}
		var failed error
		for _, err := range r.All(t.Context()) {
			failed = err
		}
		if failed == nil {
			t.Errorf("%s: no error", name)
		}
		if n := len(s.requests()); n != 1 {
			t.Errorf("%s: %d calls, want 1", name, n)
		}
	}
	s := newScript(t, always(200, `{"object":"list","has_more":true,"data":[]}`))
	for range mustAll(t, newClient(t, s.URL), testSession, spec.Query{Sources: []spec.Source{customers(nil)}}, 10) {
		t.Error("an empty page that promises more yielded an object")
	}
	if _, err := newClient(t, s.URL).Search(testSession, spec.Query{Sources: []spec.Source{
		{Call: func(stripe.Backend, spec.Page) error { return nil }},
	}}, 10, ""); err == nil {
		t.Error("a source without a call was taken")
	}
}

func FuzzCursor(f *testing.F) {
	c, err := New(Config{Now: nil})
	if err != nil {
		f.Fatal(err)
	}
	q := spec.Query{Sources: []spec.Source{customers(nil), invoices("open")}}
	shape, _ := shapeOf(q)
	f.Add(base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"q":%q,"s":[{"a":"cus_1"},{"x":true}]}`, shape)))
	f.Add("e30")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := c.Search(testSession, q, 10, text)
		if err != nil || text == "" {
			return
		}
		if r.HasMore() {
			if _, err := c.Search(testSession, q, 10, r.NextCursor()); err != nil {
				t.Errorf("%q was taken, but its repetition %q is refused: %v", text, r.NextCursor(), err)
			}
		}
	})
}

func BenchmarkSearch(b *testing.B) {
	filler := strings.Repeat("x", 1500)
	list := make([]string, 100)
	for i := range list {
		list[i] = fmt.Sprintf(`{"id":"cus_%d","created":%d,"filler":%q}`, i, 1000-i, filler)
	}
	body := []byte(`{"object":"list","has_more":false,"data":[` + strings.Join(list, ",") + `]}`)
	c := newClient(b, "https://stripe.test", func(cfg *Config) { cfg.Transport = instant(body) })
	for _, bm := range []struct {
		name    string
		sources []spec.Source
	}{{"list", []spec.Source{customers(nil)}}, {"merged", []spec.Source{invoices("draft"), invoices("open")}}} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body) * len(bm.sources)))
			for b.Loop() {
				r, err := c.Search(testSession, spec.Query{Sources: bm.sources}, 1000, "")
				if err != nil {
					b.Fatal(err)
				}
				for _, err := range r.All(b.Context()) {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
