package stripetest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/client"

	"stripe-connector/internal/stripetest"
)

// result is an answer as a raw HTTP client sees it.
type result struct {
	status int
	header http.Header
	body   []byte
	json   map[string]any
}

// at reads a nested field: at("error.code").
func (r result) at(path string) any {
	var v any = r.json
	for step := range strings.SplitSeq(path, ".") {
		fields, _ := v.(map[string]any)
		v = fields[step]
	}
	return v
}

// id is the id of the object answered with.
func (r result) id() string {
	id, _ := r.json["id"].(string)
	return id
}

// data is one object of a list, without fields if there are not so many.
func (r result) data(i int) result {
	list, _ := r.json["data"].([]any)
	if i >= len(list) {
		return result{}
	}
	fields, _ := list[i].(map[string]any)
	return result{json: fields}
}

// ids are the ids of a list.
func (r result) ids() []string {
	list, _ := r.json["data"].([]any)
	ids := make([]string, 0, len(list))
	for i := range list {
		ids = append(ids, r.data(i).id())
	}
	return ids
}

type caller struct {
	srv    *stripetest.Server
	key    string
	header map[string]string
}

// direct opens a connection per request: net/http would repeat requests with an Idempotency-Key by itself when a
// connection that was kept alive breaks.
var direct = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

func as(srv *stripetest.Server, key string) caller { return caller{srv: srv, key: key} }

func (c caller) with(name, value string) caller {
	header := map[string]string{name: value}
	maps.Copy(header, c.header)
	c.header = header
	return c
}

// try sends one request; an error is one of the connection.
func (c caller) try(t *testing.T, method, path, form string) (result, error) {
	t.Helper()
	target, body := c.srv.URL+path, ""
	if method == http.MethodGet {
		if form != "" {
			target += "?" + form
		}
	} else {
		body = form
	}
	r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if c.key != "" {
		r.Header.Set("Authorization", "Bearer "+c.key)
	}
	if method != http.MethodGet {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range c.header {
		r.Header.Set(name, value)
	}
	response, err := direct.Do(r)
	if err != nil {
		return result{}, err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return result{}, err
	}
	got := result{status: response.StatusCode, header: response.Header, body: raw}
	_ = json.Unmarshal(raw, &got.json) // some answers are meant not to be JSON
	return got, nil
}

func (c caller) do(t *testing.T, method, path, form string) result {
	t.Helper()
	got, err := c.try(t, method, path, form)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return got
}

// ok is do for calls that must succeed.
func (c caller) ok(t *testing.T, method, path, form string) result {
	t.Helper()
	got := c.do(t, method, path, form)
	if got.status != http.StatusOK {
		t.Fatalf("%s %s %s: status %d\n%s", method, path, form, got.status, got.body)
	}
	return got
}

func (c caller) post(t *testing.T, path, form string) result {
	t.Helper()
	return c.ok(t, http.MethodPost, path, form)
}

func (c caller) get(t *testing.T, path, query string) result {
	t.Helper()
	return c.ok(t, http.MethodGet, path, query)
}

// play sends requests written as method, path and form, where $1 is the id in the answer to the first, and returns the
// last answer.
func (c caller) play(t *testing.T, steps []string) (last result) {
	t.Helper()
	var ids []string
	for _, step := range steps {
		for i, id := range ids {
			step = strings.ReplaceAll(step, fmt.Sprintf("$%d", i+1), id)
		}
		method, rest, _ := strings.Cut(step, " ")
		path, form, _ := strings.Cut(rest, " ")
		last = c.do(t, method, path, form)
		ids = append(ids, last.id())
	}
	return last
}

func TestAuthentication(t *testing.T) {
	t.Parallel()
	srv := stripetest.New(t)
	srv.Revoke("sk_test_gone")
	tests := []struct {
		name, key string
		status    int
		code      any
		message   string
	}{
		{"no key", "", 401, nil, "You did not provide an API key"},
		{"no key at all", "hello", 401, nil, "Invalid API Key provided"},
		{"publishable key", "pk_test_alpha", 401, nil, "Invalid API Key provided"},
		{"invalid key", "sk_invalid_alpha", 401, nil, "Invalid API Key provided"},
		{"revoked key", stripetest.KeyRevoked, 401, "api_key_expired", "Expired API Key provided"},
		{"revoked by the test", "sk_test_gone", 401, "api_key_expired", "Expired API Key provided"},
		{"test key", stripetest.Key, 200, nil, ""},
		{"live key", stripetest.KeyLive, 200, nil, ""},
		{"restricted key without restrictions", stripetest.KeyRestricted, 200, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := as(srv, tt.key).do(t, "GET", "/v1/balance", "")
			if got.status != tt.status || got.at("error.code") != tt.code {
				t.Errorf("got %d %v, want %d %v", got.status, got.at("error.code"), tt.status, tt.code)
			}
			if message := fmt.Sprint(got.at("error.message")); tt.message != "" && !strings.HasPrefix(message, tt.message) {
				t.Errorf("got message %q, want %q…", message, tt.message)
			}
			if tt.key != "" && len(tt.key) > 12 && bytes.Contains(got.body, []byte(tt.key)) {
				t.Error("the key is echoed in full")
			}
		})
	}

	r, err := http.NewRequestWithContext(t.Context(), "GET", srv.URL+"/v1/balance", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth(stripetest.Key, "")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("basic authentication: got %d, want 200", response.StatusCode)
	}
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	srv := stripetest.New(t)
	srv.Restrict(stripetest.KeyRestricted, "customer_read", "refund_write")
	tests := []struct {
		method, path, form string
		lacks              string
	}{
		{"GET", "/v1/customers", "", ""},
		{"POST", "/v1/customers", "name=x", "rak_customer_write"},
		{"GET", "/v1/refunds", "", ""},
		{"POST", "/v1/refunds", "charge=ch_1", ""},
		{"GET", "/v1/balance", "", "rak_balance_read"},
		{"GET", "/v1/payment_intents", "", "rak_payment_intent_read"},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			t.Parallel()
			got := as(srv, stripetest.KeyRestricted).do(t, tt.method, tt.path, tt.form)
			if tt.lacks == "" {
				if got.status != http.StatusOK {
					t.Errorf("got %d, want 200", got.status)
				}
				return
			}
			if got.status != http.StatusForbidden || !strings.Contains(fmt.Sprint(got.at("error.message")), "'"+tt.lacks+"'") {
				t.Errorf("got %d %v, want 403 naming %s", got.status, got.at("error.message"), tt.lacks)
			}
		})
	}
}

func TestAccountsAreApart(t *testing.T) {
	t.Parallel()
	srv := stripetest.New(t)
	alpha := as(srv, stripetest.Key)
	id := alpha.post(t, "/v1/customers", "name=Ada").id()
	for _, key := range []string{stripetest.KeyOther, stripetest.KeyLive} {
		other := as(srv, key)
		other.post(t, "/v1/customers", "name=Bob")
		if got := other.do(t, "GET", "/v1/customers/"+id, ""); got.status != http.StatusNotFound {
			t.Errorf("%s sees the customer of another account or mode: %d", key, got.status)
		}
		if got := other.get(t, "/v1/customers", "").ids(); len(got) != 1 || got[0] == id {
			t.Errorf("%s lists %v, want its one customer", key, got)
		}
	}
	if got := as(srv, "rk_test_alpha_reports").get(t, "/v1/customers/"+id, "").id(); got != id {
		t.Errorf("another key of the same account: got %s, want %s", got, id)
	}
	if got := as(srv, stripetest.KeyLive).get(t, "/v1/customers", "").data(0).at("livemode"); got != true {
		t.Errorf("livemode: got %v, want true", got)
	}
	for key, want := range map[string]string{stripetest.Key: "acct_alpha", stripetest.KeyLive: "acct_alpha", stripetest.KeyOther: "acct_beta"} {
		if got := as(srv, key).get(t, "/v1/account", "").id(); got != want {
			t.Errorf("account of %s: got %s, want %s", key, got, want)
		}
	}
}

func TestConnectedAccounts(t *testing.T) {
	t.Parallel()
	srv := stripetest.New(t)
	platform := as(srv, stripetest.Key)
	if got := platform.with("Stripe-Account", "acct_stranger").do(t, "GET", "/v1/customers", ""); got.status != http.StatusForbidden || got.at("error.code") != "account_invalid" {
		t.Errorf("foreign account: got %d %v, want 403 account_invalid", got.status, got.at("error.code"))
	}
	connected := srv.Account(stripetest.Key).Connect("acct_shop")
	made := platform.with("Stripe-Account", "acct_shop").post(t, "/v1/customers", "name=Ada")
	if made.header.Get("Stripe-Account") != "acct_shop" {
		t.Errorf("Stripe-Account is not echoed: %v", made.header)
	}
	if got := connected.IDs("customer"); !cmp.Equal(got, []string{made.id()}) {
		t.Errorf("connected account holds %v, want %s", got, made.id())
	}
	if got := platform.get(t, "/v1/customers", "").ids(); len(got) != 0 {
		t.Errorf("the platform holds %v, want nothing", got)
	}
	created := platform.post(t, "/v1/accounts", "type=custom").id()
	platform.with("Stripe-Account", created).get(t, "/v1/customers", "")
	if got := platform.get(t, "/v1/accounts/"+created, "").id(); got != created {
		t.Errorf("account: got %s, want %s", got, created)
	}
}

func TestCustomerLife(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	srv := stripetest.NewWith(t, stripetest.Options{Now: func() time.Time { return now }})
	c := as(srv, stripetest.Key)

	made := c.post(t, "/v1/customers", "name=Ada&email=ada@example.com&balance=-500&shipping[name]=A&shipping[address][line1]=Main+St+1&metadata[plan]=gold&metadata[seat]=7&preferred_locales[0]=de&invoice_settings[custom_fields][0][name]=PO&invoice_settings[custom_fields][0][value]=42")
	want := map[string]any{
		"object": "customer", "name": "Ada", "email": "ada@example.com", "balance": float64(-500), "created": float64(now.Unix()), "livemode": false,
		"metadata": map[string]any{"plan": "gold", "seat": "7"}, "preferred_locales": []any{"de"}, "description": nil,
		"shipping": map[string]any{
			"name": "A", "phone": nil, "carrier": nil, "tracking_number": nil,
			"address": map[string]any{"line1": "Main St 1", "line2": nil, "city": nil, "state": nil, "postal_code": nil, "country": nil},
		},
	}
	for name, value := range want {
		if diff := cmp.Diff(value, made.json[name]); diff != "" {
			t.Errorf("created %s (-want +got):\n%s", name, diff)
		}
	}
	if !strings.HasPrefix(made.id(), "cus_") || len(made.id()) != len("cus_")+14 {
		t.Errorf("got id %q, want one like Stripe's", made.id())
	}
	path := "/v1/customers/" + made.id()
	if got := c.get(t, path, ""); !bytes.Equal(got.body, made.body) {
		t.Errorf("retrieved differs from created:\n%s\n%s", got.body, made.body)
	}

	updates := []struct {
		name, form, field string
		want              any
	}{
		{"sets", "phone=555", "phone", "555"},
		{"leaves the rest", "phone=556", "name", "Ada"},
		{"clears text", "name=", "name", nil},
		{"clears a hash", "shipping=", "shipping", nil},
		{"adds metadata", "metadata[colour]=red", "metadata", map[string]any{"plan": "gold", "seat": "7", "colour": "red"}},
		{"deletes one metadata key", "metadata[plan]=", "metadata", map[string]any{"seat": "7", "colour": "red"}},
		{"deletes all metadata", "metadata=", "metadata", map[string]any{}},
		{"keeps the rest of a hash", "invoice_settings[footer]=Bye", "invoice_settings", map[string]any{
			"custom_fields": []any{map[string]any{"name": "PO", "value": "42"}}, "default_payment_method": nil, "footer": "Bye", "rendering_options": nil,
		}},
	}
	for _, tt := range updates {
		got := c.post(t, path, tt.form)
		if diff := cmp.Diff(tt.want, got.json[tt.field]); diff != "" {
			t.Errorf("update %s: %s (-want +got):\n%s", tt.name, tt.field, diff)
		}
	}

	if got := c.ok(t, "DELETE", path, "").json; !cmp.Equal(got, map[string]any{"id": made.id(), "object": "customer", "deleted": true}) {
		t.Errorf("deleted: got %v", got)
	}
	if got := c.get(t, path, "").json["deleted"]; got != true {
		t.Errorf("a deleted customer is retrieved with deleted=%v, want true", got)
	}
	for _, method := range []string{"POST", "DELETE"} {
		if got := c.do(t, method, path, ""); got.status != http.StatusNotFound || got.at("error.code") != "resource_missing" {
			t.Errorf("%s of a deleted customer: got %d %v, want 404 resource_missing", method, got.status, got.at("error.code"))
		}
	}
	if got := c.get(t, "/v1/customers", "").ids(); len(got) != 0 {
		t.Errorf("list still holds %v", got)
	}
}

func TestUnknownIDs(t *testing.T) {
	t.Parallel()
	lenient, strict := stripetest.New(t), stripetest.NewWith(t, stripetest.Options{Strict: true})
	if got := as(lenient, stripetest.Key).get(t, "/v1/customers/cus_x", "").id(); got != "cus_x" {
		t.Errorf("before any customer: got %s, want Stripe's sample as cus_x", got)
	}
	as(lenient, stripetest.Key).post(t, "/v1/customers", "")
	for _, srv := range []*stripetest.Server{lenient, strict} {
		got := as(srv, stripetest.Key).do(t, "GET", "/v1/customers/cus_x", "")
		want := map[string]any{
			"code": "resource_missing", "doc_url": "https://stripe.com/docs/error-codes/resource-missing",
			"message": "No such customer: 'cus_x'", "param": "id", "type": "invalid_request_error",
		}
		if diff := cmp.Diff(want, got.json["error"]); got.status != http.StatusNotFound || diff != "" {
			t.Errorf("got %d, error (-want +got):\n%s", got.status, diff)
		}
	}
	if got := as(strict, stripetest.Key).do(t, "POST", "/v1/invoices", "customer=cus_x"); got.status != http.StatusBadRequest || got.at("error.param") != "customer" {
		t.Errorf("reference to nothing: got %d %v, want 400 on customer", got.status, got.json)
	}
}

// TestExactBytes is what byte identity tests of callers stand on.
func TestExactBytes(t *testing.T) {
	t.Parallel()
	srv := stripetest.New(t)
	acct := srv.Account(stripetest.Key)
	raw := `{ "id":"cus_odd","object":"customer", "name":"caf\u00e9 \/ <b>", "balance":1.0e3,"unknown_field":{"z":null,"a":[1.50,-0]},` + "\n\t" + `"created":1,"email":null}`
	if id, err := acct.Put(raw); err != nil || id != "cus_odd" {
		t.Fatalf("got %s %v, want cus_odd", id, err)
	}
	c := as(srv, stripetest.Key)
	if got := c.get(t, "/v1/customers/cus_odd", "").body; string(got) != raw {
		t.Errorf("got  %s\nwant %s", got, raw)
	}
	if got := c.get(t, "/v1/customers", "").body; !bytes.Contains(got, []byte(raw)) {
		t.Errorf("list does not hold the object's bytes:\n%s", got)
	}
	if got := c.get(t, "/v1/customers/search", "query="+url.QueryEscape(`name~"caf"`)).body; !bytes.Contains(got, []byte(raw)) {
		t.Errorf("search does not hold the object's bytes:\n%s", got)
	}
	if got := acct.Object("cus_odd"); string(got) != raw {
		t.Errorf("Object: got %s", got)
	}
	changed := c.post(t, "/v1/customers/cus_odd", "phone=1").body
	for _, part := range []string{`1.0e3`, `"unknown_field"`, `1.50`, `-0`} {
		if !bytes.Contains(changed, []byte(part)) {
			t.Errorf("after an update the object lost %s:\n%s", part, changed)
		}
	}
	if _, err := acct.Put(`{"object":"balance","available":[{"amount":1e2}]}`); err != nil {
		t.Fatal(err)
	}
	if got := c.get(t, "/v1/balance", "").body; string(got) != `{"object":"balance","available":[{"amount":1e2}]}` {
		t.Errorf("balance: got %s", got)
	}
	for _, bad := range []string{`{`, `[]`, `{"id":"x"}`} {
		if _, err := acct.Put(bad); err == nil {
			t.Errorf("Put(%s) succeeded", bad)
		}
	}
}

func TestPaging(t *testing.T) {
	t.Parallel()
	srv := stripetest.New(t)
	ids := srv.Account(stripetest.Key).Seed("customer", 25, nil) // oldest first
	newest := func(from, to int) []string {                      // by place in the list
		var want []string
		for i := from; i < to; i++ {
			want = append(want, ids[len(ids)-1-i])
		}
		return want
	}
	c := as(srv, stripetest.Key)
	tests := []struct {
		name, query string
		want        []string
		more        bool
	}{
		{"default limit", "", newest(0, 10), true},
		{"limit", "limit=3", newest(0, 3), true},
		{"all", "limit=100", newest(0, 25), false},
		{"exactly all", "limit=25", newest(0, 25), false},
		{"after", "limit=3&starting_after=" + ids[22], newest(3, 6), true},
		{"end", "limit=10&starting_after=" + ids[3], newest(22, 25), false},
		{"after the last", "starting_after=" + ids[0], nil, false},
		{"before", "limit=3&ending_before=" + ids[14], newest(7, 10), true},
		{"before, at the start", "limit=10&ending_before=" + ids[21], newest(0, 3), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := c.get(t, "/v1/customers", tt.query)
			if diff := cmp.Diff(tt.want, got.ids(), emptyIsNil); diff != "" {
				t.Errorf("ids (-want +got):\n%s", diff)
			}
			if got.json["has_more"] != tt.more || got.json["object"] != "list" || got.json["url"] != "/v1/customers" {
				t.Errorf("got has_more %v, object %v, url %v", got.json["has_more"], got.json["object"], got.json["url"])
			}
		})
	}
	for query, param := range map[string]string{
		"limit=0": "limit", "limit=101": "limit", "limit=x": "limit", "starting_after=cus_none": "starting_after", "ending_before=cus_none": "ending_before",
	} {
		if got := c.do(t, "GET", "/v1/customers", query); got.status != http.StatusBadRequest || got.at("error.param") != param {
			t.Errorf("%s: got %d on %v, want 400 on %s", query, got.status, got.at("error.param"), param)
		}
	}
}

var emptyIsNil = cmp.Transformer("emptyIsNil", func(s []string) string { return strings.Join(s, ",") })

func TestFilters(t *testing.T) {
	t.Parallel()
	srv := stripetest.New(t)
	acct := srv.Account(stripetest.Key)
	put := func(raw string) {
		if _, err := acct.Put(raw); err != nil {
			t.Error(err)
		}
	}
	put(`{"id":"cus_1","object":"customer","email":"a@x.y","created":100}`)
	put(`{"id":"cus_2","object":"customer","email":"b@x.y","created":200}`)
	put(`{"id":"in_1","object":"invoice","customer":"cus_1","status":"draft","created":100,"due_date":null,"collection_method":"send_invoice","subscription":null}`)
	put(`{"id":"in_2","object":"invoice","customer":{"id":"cus_2","object":"customer"},"status":"open","created":200,"due_date":500,"collection_method":"charge_automatically","subscription":"sub_1"}`)
	put(`{"id":"po_1","object":"payout","status":"paid","arrival_date":1000,"created":1}`)
	put(`{"id":"re_1","object":"refund","charge":"ch_1","payment_intent":"pi_1","created":5}`)
	put(`{"id":"txn_1","object":"balance_transaction","type":"charge","currency":"usd","source":"ch_1","created":5}`)
	put(`{"id":"txn_2","object":"balance_transaction","type":"payout","currency":"eur","source":"po_1","created":6}`)
	put(`{"id":"ii_1","object":"invoiceitem","customer":"cus_1","invoice":null,"created":5}`)
	put(`{"id":"ii_2","object":"invoiceitem","customer":"cus_1","invoice":"in_1","created":6}`)
	put(`{"id":"prod_1","object":"product","active":true,"created":5}`)
	put(`{"id":"prod_2","object":"product","active":false,"created":5}`)
	tests := []struct{ path, query, want string }{
		{"customers", "email=a@x.y", "cus_1"},
		{"customers", "email=A@x.y", ""},
		{"customers", "created=100", "cus_1"},
		{"customers", "created[gt]=100", "cus_2"},
		{"customers", "created[gte]=100", "cus_2,cus_1"},
		{"customers", "created[lt]=200", "cus_1"},
		{"customers", "created[gt]=100&created[lte]=200", "cus_2"},
		{"invoices", "customer=cus_2", "in_2"},
		{"invoices", "status=draft", "in_1"},
		{"invoices", "collection_method=send_invoice", "in_1"},
		{"invoices", "subscription=sub_1", "in_2"},
		{"invoices", "due_date[gte]=500", "in_2"},
		{"invoices", "due_date[lte]=900", "in_2"},
		{"payouts", "arrival_date[gte]=1000&status=paid", "po_1"},
		{"payouts", "arrival_date[gt]=1000", ""},
		{"refunds", "charge=ch_1", "re_1"},
		{"refunds", "payment_intent=pi_2", ""},
		{"balance_transactions", "type=charge", "txn_1"},
		{"balance_transactions", "currency=eur", "txn_2"},
		{"balance_transactions", "payout=po_1", "txn_2"},
		{"balance_transactions", "source=ch_1", "txn_1"},
		{"invoiceitems", "pending=true", "ii_1"},
		{"invoiceitems", "pending=false", "ii_2"},
		{"invoiceitems", "invoice=in_1", "ii_2"},
		{"products", "active=true", "prod_1"},
		{"products", "ids[]=prod_2&ids[]=prod_3", "prod_2"},
	}
	for _, tt := range tests {
		t.Run(tt.path+"?"+tt.query, func(t *testing.T) {
			t.Parallel()
			got := strings.Join(as(srv, stripetest.Key).get(t, "/v1/"+tt.path, tt.query).ids(), ",")
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	srv := stripetest.New(t)
	c := as(srv, stripetest.Key)
	ada := c.post(t, "/v1/customers", "name=Ada+Lovelace&email=ada@x.y&metadata[plan]=gold").id()
	bob := c.post(t, "/v1/customers", "name=Bob&email=bob@x.y").id()
	tests := []struct {
		query string
		want  []string
	}{
		{`email:"ada@x.y"`, []string{ada}},
		{`email:'ADA@x.y'`, []string{ada}},
		{`name~"love"`, []string{ada}},
		{`-name~"love"`, []string{bob}},
		{`metadata["plan"]:"gold"`, []string{ada}},
		{`metadata['plan']:null`, []string{bob}},
		{`email:"ada@x.y" OR email:"bob@x.y"`, []string{bob, ada}},
		{`email:"ada@x.y" AND name:"Bob"`, nil},
		{`created>0 AND created<=99999999999`, []string{bob, ada}},
		{`created<5`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.query, func(t *testing.T) {
			t.Parallel()
			got := c.get(t, "/v1/customers/search", "query="+url.QueryEscape(tt.query))
			if diff := cmp.Diff(tt.want, got.ids(), emptyIsNil); diff != "" {
				t.Errorf("ids (-want +got):\n%s", diff)
			}
			if got.json["object"] != "search_result" || got.json["has_more"] != false || got.json["next_page"] != nil {
				t.Errorf("got %s", got.body)
			}
		})
	}
	for _, query := range []string{``, `email`, `email:`, `email:"x`, `a:"1" AND b:"2" OR c:"3"`, `a:"1" b:"2"`, `metadata["x":"y"`, `a:"1" ?`} {
		if got := c.do(t, "GET", "/v1/customers/search", "query="+url.QueryEscape(query)); got.status != http.StatusBadRequest {
			t.Errorf("query %q: got %d, want 400", query, got.status)
		}
	}

	first := c.get(t, "/v1/customers/search", "limit=1&query=created>0")
	page, _ := first.json["next_page"].(string)
	second := c.get(t, "/v1/customers/search", "limit=1&query=created>0&page="+page)
	if got := append(first.ids(), second.ids()...); !cmp.Equal(got, []string{bob, ada}) || second.json["has_more"] != false {
		t.Errorf("two pages: got %v, want %v", got, []string{bob, ada})
	}
}

func TestExpand(t *testing.T) {
	t.Parallel()
	srv := stripetest.New(t)
	c := as(srv, stripetest.Key)
	customer := c.post(t, "/v1/customers", "name=Ada").id()
	intent := c.post(t, "/v1/payment_intents", "amount=100&currency=usd&confirm=true&payment_method=pm_card_visa&customer="+customer).id()
	tests := []struct{ name, path, query, at, want string }{
		{"object", "/v1/payment_intents/" + intent, "expand[]=customer", "customer.name", "Ada"},
		{"deep", "/v1/payment_intents/" + intent, "expand[]=latest_charge.balance_transaction", "latest_charge.balance_transaction.object", "balance_transaction"},
		{"two", "/v1/payment_intents/" + intent, "expand[]=customer&expand[]=latest_charge.customer", "latest_charge.customer.name", "Ada"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := c.get(t, tt.path, tt.query).at(tt.at); got != tt.want {
				t.Errorf("got %v, want %s", got, tt.want)
			}
		})
	}
	list := c.get(t, "/v1/payment_intents", "expand[]=data.customer")
	if got := list.data(0).at("customer.name"); got != "Ada" {
		t.Errorf("list: got %v, want Ada", got)
	}
	if got := c.post(t, "/v1/payment_intents", "amount=1&currency=usd&expand[]=customer&customer="+customer).at("customer.name"); got != "Ada" {
		t.Errorf("create: got %v, want Ada", got)
	}
	for _, query := range []string{"expand[]=amount", "expand[]=nothing"} {
		if got := c.do(t, "GET", "/v1/payment_intents/"+intent, query); got.status != http.StatusBadRequest {
			t.Errorf("%s: got %d, want 400", query, got.status)
		}
	}
	if got := c.do(t, "GET", "/v1/payment_intents", "expand[]=customer"); got.status != http.StatusBadRequest {
		t.Errorf("list without data.: got %d, want 400", got.status)
	}
}

func TestSublists(t *testing.T) {
	t.Parallel()
	srv := stripetest.New(t)
	c := as(srv, stripetest.Key)
	ada := c.post(t, "/v1/customers", "name=Ada&tax_id_data[0][type]=eu_vat&tax_id_data[0][value]=DE123456789").id()
	bob := c.post(t, "/v1/customers", "name=Bob").id()
	second := c.post(t, "/v1/customers/"+ada+"/tax_ids", "type=gb_vat&value=GB1").id()
	method := c.post(t, "/v1/payment_methods", "type=card&card[token]=tok_visa").id()
	c.post(t, "/v1/payment_methods/"+method+"/attach", "customer="+ada)
	visa := c.post(t, "/v1/payment_methods/pm_card_visa/attach", "customer="+ada)
	product := c.post(t, "/v1/products", "name=Shirt").id()
	price := c.post(t, "/v1/prices", "currency=usd&unit_amount=1500&product="+product).id()
	link := c.post(t, "/v1/payment_links", "line_items[0][price]="+price+"&line_items[0][quantity]=2&line_items[1][price]="+price+"&line_items[1][quantity]=1").id()

	if ids := c.get(t, "/v1/customers/"+ada+"/tax_ids", "").ids(); len(ids) != 2 || ids[0] != second {
		t.Errorf("tax ids: got %v, want %s and one more", ids, second)
	}
	if ids := c.get(t, "/v1/customers/"+bob+"/tax_ids", "").ids(); len(ids) != 0 {
		t.Errorf("tax ids of another: got %v", ids)
	}
	if got := c.get(t, "/v1/customers/"+ada+"/tax_ids/"+second, "").at("customer"); got != ada {
		t.Errorf("tax id: got customer %v, want %s", got, ada)
	}
	if got := c.ok(t, "DELETE", "/v1/customers/"+ada+"/tax_ids/"+second, "").at("deleted"); got != true {
		t.Errorf("tax id: got deleted %v", got)
	}
	if ids := c.get(t, "/v1/customers/"+ada+"/payment_methods", "type=card").ids(); !cmp.Equal(ids, []string{visa.id(), method}) {
		t.Errorf("payment methods: got %v", ids)
	}
	if !strings.HasPrefix(visa.id(), "pm_1") || visa.at("card.brand") != "visa" {
		t.Errorf("attaching pm_card_visa: got %s %v", visa.id(), visa.at("card.brand"))
	}
	c.post(t, "/v1/payment_methods/"+method+"/detach", "")
	if ids := c.get(t, "/v1/payment_methods", "customer="+ada).ids(); !cmp.Equal(ids, []string{visa.id()}) {
		t.Errorf("payment methods after detach: got %v", ids)
	}
	items := c.get(t, "/v1/payment_links/"+link+"/line_items", "")
	if first := items.data(0); len(items.ids()) != 2 || first.at("amount_total") != float64(3000) || first.at("quantity") != float64(2) {
		t.Errorf("line items: got %s", items.body)
	}
	if got := c.do(t, "GET", "/v1/customers/cus_none/tax_ids", ""); got.status != http.StatusNotFound {
		t.Errorf("sub-list of nothing: got %d, want 404", got.status)
	}
}

func TestPayments(t *testing.T) {
	t.Parallel()
	srv := stripetest.New(t)
	c := as(srv, stripetest.Key)

	intent := c.post(t, "/v1/payment_intents", "amount=1000&currency=usd&description=Hat")
	path := "/v1/payment_intents/" + intent.id()
	if intent.at("status") != "requires_payment_method" || !strings.HasPrefix(fmt.Sprint(intent.at("client_secret")), intent.id()+"_secret_") {
		t.Errorf("new: got %s", intent.body)
	}
	if got := c.do(t, "POST", path+"/confirm", ""); got.status != http.StatusBadRequest || got.at("error.code") != "payment_intent_unexpected_state" {
		t.Errorf("confirm without payment method: got %d %v", got.status, got.at("error.code"))
	}
	got := c.do(t, "POST", path+"/confirm", "payment_method=pm_card_visa_chargeDeclined")
	if got.status != http.StatusPaymentRequired || got.at("error.code") != "card_declined" {
		t.Errorf("declined card: got %d %v", got.status, got.at("error.code"))
	}
	if got := c.get(t, path, ""); got.at("status") != "requires_payment_method" || got.at("last_payment_error.code") != "card_declined" {
		t.Errorf("after the decline: got %v %v", got.at("status"), got.at("last_payment_error.code"))
	}
	paid := c.post(t, path+"/confirm", "payment_method_data[type]=link&payment_method_data[billing_details][name]=Ada")
	if paid.at("status") != "succeeded" || paid.at("amount_received") != float64(1000) || paid.at("last_payment_error") != nil {
		t.Errorf("confirmed: got %s", paid.body)
	}
	charge := fmt.Sprint(paid.at("latest_charge"))
	if got := c.get(t, "/v1/charges/"+charge, ""); got.at("amount") != float64(1000) || got.at("description") != "Hat" || got.at("payment_intent") != intent.id() {
		t.Errorf("charge: got %s", got.body)
	}
	if got := c.get(t, "/v1/balance_transactions", "type=charge&source="+charge).ids(); len(got) != 1 {
		t.Errorf("balance transactions: got %v, want one", got)
	}
	for _, action := range []string{"confirm", "cancel", "capture"} {
		if got := c.do(t, "POST", path+"/"+action, ""); got.status != http.StatusBadRequest {
			t.Errorf("%s of a paid one: got %d, want 400", action, got.status)
		}
	}

	refund := c.post(t, "/v1/refunds", "payment_intent="+intent.id()+"&amount=300&reason=duplicate&metadata[a]=b")
	if refund.at("charge") != charge || refund.at("amount") != float64(300) || refund.at("reason") != "duplicate" || refund.at("metadata.a") != "b" {
		t.Errorf("refund: got %s", refund.body)
	}
	if got := c.do(t, "POST", "/v1/refunds", "charge="+charge+"&amount=701"); got.status != http.StatusBadRequest || got.at("error.param") != "amount" {
		t.Errorf("too much: got %d %s", got.status, got.body)
	}
	if got := c.post(t, "/v1/refunds", "charge="+charge).at("amount"); got != float64(700) {
		t.Errorf("the rest: got %v, want 700", got)
	}
	if got := c.do(t, "POST", "/v1/refunds", "charge="+charge); got.at("error.code") != "charge_already_refunded" {
		t.Errorf("once more: got %s", got.body)
	}
	if got := c.get(t, "/v1/charges/"+charge, ""); got.at("refunded") != true || got.at("amount_refunded") != float64(1000) {
		t.Errorf("charge after refunds: got %v %v", got.at("refunded"), got.at("amount_refunded"))
	}
	if got := c.do(t, "POST", "/v1/refunds", "amount=1"); got.status != http.StatusBadRequest {
		t.Errorf("refund of nothing: got %d, want 400", got.status)
	}
	if got := c.do(t, "POST", "/v1/refunds", "charge=ch_none"); got.status != http.StatusBadRequest || got.at("error.code") != "resource_missing" {
		t.Errorf("refund of an unknown charge: got %s", got.body)
	}

	held := c.post(t, "/v1/payment_intents", "amount=500&currency=usd&capture_method=manual&payment_method=pm_card_visa&confirm=true")
	if held.at("status") != "requires_capture" || held.at("amount_capturable") != float64(500) {
		t.Errorf("manual: got %s", held.body)
	}
	if got := c.do(t, "POST", "/v1/payment_intents/"+held.id()+"/capture", "amount_to_capture=501"); got.status != http.StatusBadRequest {
		t.Errorf("capturing too much: got %d", got.status)
	}
	if got := c.post(t, "/v1/payment_intents/"+held.id()+"/capture", "amount_to_capture=400"); got.at("status") != "succeeded" || got.at("amount_received") != float64(400) {
		t.Errorf("captured: got %s", got.body)
	}
	open := c.post(t, "/v1/payment_intents", "amount=500&currency=usd&payment_method=pm_card_visa")
	if got := c.post(t, "/v1/payment_intents/"+open.id()+"/cancel", "cancellation_reason=abandoned"); got.at("status") != "canceled" || got.at("cancellation_reason") != "abandoned" || got.at("canceled_at") == nil {
		t.Errorf("canceled: got %s", got.body)
	}
}

func TestInvoices(t *testing.T) {
	t.Parallel()
	srv := stripetest.New(t)
	c := as(srv, stripetest.Key)
	customer := c.post(t, "/v1/customers", "name=Ada&email=a@x.y").id()
	item := c.post(t, "/v1/invoiceitems", "customer="+customer+"&amount=700&currency=usd&description=Work").id()
	if got := c.post(t, "/v1/invoices", "customer="+customer).at("total"); got != float64(0) {
		t.Errorf("invoice without pending items: got total %v, want 0", got)
	}
	invoice := c.post(t, "/v1/invoices", "customer="+customer+"&pending_invoice_items_behavior=include&collection_method=send_invoice&days_until_due=30")
	path := "/v1/invoices/" + invoice.id()
	if invoice.at("status") != "draft" || invoice.at("total") != float64(700) || invoice.at("customer_email") != "a@x.y" || invoice.at("due_date") == nil {
		t.Errorf("invoice: got %s", invoice.body)
	}
	added := c.post(t, "/v1/invoiceitems", "customer="+customer+"&invoice="+invoice.id()+"&unit_amount=50&quantity=3&currency=usd").id()
	lines := c.get(t, path+"/lines", "")
	if len(lines.ids()) != 2 || c.get(t, path, "").at("total") != float64(850) {
		t.Errorf("after adding: got %v, total %v", lines.ids(), c.get(t, path, "").at("total"))
	}
	c.post(t, "/v1/invoiceitems/"+item, "amount=800")
	c.ok(t, "DELETE", "/v1/invoiceitems/"+added, "")
	if got := c.get(t, path, ""); got.at("amount_due") != float64(800) {
		t.Errorf("after change and deletion: got %v, want 800", got.at("amount_due"))
	}
	final := c.post(t, path+"/finalize", "")
	if final.at("status") != "open" || final.at("number") == nil || final.at("status_transitions.finalized_at") == nil || final.at("hosted_invoice_url") == nil {
		t.Errorf("finalized: got %s", final.body)
	}
	if got := c.do(t, "POST", path+"/finalize", ""); got.status != http.StatusBadRequest {
		t.Errorf("finalized twice: got %d", got.status)
	}
	if got := c.do(t, "DELETE", path, ""); got.status != http.StatusBadRequest {
		t.Errorf("deleting an open invoice: got %d, want 400", got.status)
	}
	if got := c.post(t, path+"/void", "").at("status"); got != "void" {
		t.Errorf("voided: got %v", got)
	}
	if got := c.do(t, "POST", path+"/void", ""); got.status != http.StatusBadRequest {
		t.Errorf("voided twice: got %d", got.status)
	}

	draft := c.post(t, "/v1/invoices", "customer="+customer).id()
	if got := c.ok(t, "DELETE", "/v1/invoices/"+draft, "").at("deleted"); got != true {
		t.Errorf("deleted draft: got %v", got)
	}
	if got := c.do(t, "GET", "/v1/invoices/"+draft, ""); got.status != http.StatusNotFound {
		t.Errorf("deleted draft: got %d, want 404", got.status)
	}
	c.post(t, "/v1/invoiceitems", "customer="+customer+"&amount=100&currency=usd")
	due := c.post(t, "/v1/invoices", "customer="+customer+"&pending_invoice_items_behavior=include").id()
	if got := c.post(t, "/v1/invoices/"+due+"/pay", ""); got.at("status") != "paid" || got.at("amount_paid") != float64(100) {
		t.Errorf("paid: got %s", got.body)
	}
}

// TestStates plays short stories and looks at one field of the last answer.
func TestStates(t *testing.T) {
	t.Parallel()
	const (
		customer = "POST /v1/customers name=Ada"
		product  = "POST /v1/products name=Hat&description=Warm"
		price    = "POST /v1/prices unit_amount=500&currency=eur&product=$2"
		intent   = "POST /v1/payment_intents amount=100&currency=usd"
		paid     = intent + "&confirm=true&payment_method=pm_card_visa"
		item     = "POST /v1/invoiceitems customer=$1&amount=700&currency=usd"
		invoice  = "POST /v1/invoices customer=$1&pending_invoice_items_behavior=include"
	)
	tests := []struct {
		name  string
		steps []string
		at    string
		want  any
	}{
		{"invoice item by price", []string{customer, product, price, "POST /v1/invoiceitems customer=$1&price=$3&quantity=3"}, "amount", 1500.0},
		{"currency of the price", []string{customer, product, price, "POST /v1/invoiceitems customer=$1&price=$3"}, "currency", "eur"},
		{"price object in the item", []string{customer, product, price, "POST /v1/invoiceitems customer=$1&price=$3"}, "price.unit_amount", 500.0},
		{"repriced item", []string{customer, product, price, "POST /v1/invoiceitems customer=$1&amount=1&currency=eur", "POST /v1/invoiceitems/$4 price=$3&quantity=2"}, "amount", 1000.0},
		{"item on a finalized invoice", []string{customer, item, invoice, "POST /v1/invoices/$3/finalize", "POST /v1/invoiceitems customer=$1&amount=1&currency=usd&invoice=$3"}, "error.code", "invoice_not_editable"},
		{"line of an item", []string{customer, item, invoice, "GET /v1/invoices/$3/lines"}, "object", "list"},
		{"nothing due is paid at once", []string{customer, "POST /v1/invoices customer=$1", "POST /v1/invoices/$2/finalize"}, "status", "paid"},
		{"sent invoice", []string{customer, item, invoice, "POST /v1/invoices/$3/send"}, "status", "open"},
		{"uncollectible invoice", []string{customer, item, invoice, "POST /v1/invoices/$3/finalize", "POST /v1/invoices/$3/mark_uncollectible"}, "status", "uncollectible"},
		{"voided uncollectible invoice", []string{customer, item, invoice, "POST /v1/invoices/$3/finalize", "POST /v1/invoices/$3/mark_uncollectible", "POST /v1/invoices/$3/void"}, "status", "void"},
		{"uncollectible draft", []string{customer, item, invoice, "POST /v1/invoices/$3/mark_uncollectible"}, "error.type", "invalid_request_error"},
		{"paid twice", []string{customer, item, invoice, "POST /v1/invoices/$3/pay", "POST /v1/invoices/$3/pay"}, "error.code", "invoice_already_paid"},
		{"voided draft", []string{customer, item, invoice, "POST /v1/invoices/$3/void"}, "error.type", "invalid_request_error"},
		{"due date of a draft", []string{customer, item, invoice + "&collection_method=send_invoice"}, "error.code", "parameter_missing"},
		{"terms of a finalized invoice", []string{customer, item, invoice, "POST /v1/invoices/$3/finalize", "POST /v1/invoices/$3 days_until_due=3"}, "error.code", "invoice_not_editable"},
		{"metadata of a finalized invoice", []string{customer, item, invoice, "POST /v1/invoices/$3/finalize", "POST /v1/invoices/$3 metadata[a]=b"}, "metadata.a", "b"},
		{"intent gets a payment method", []string{intent, "POST /v1/payment_intents/$1 payment_method=pm_card_visa"}, "status", "requires_confirmation"},
		{"intent gets an amount", []string{intent, "POST /v1/payment_intents/$1 amount=50"}, "amount", 50.0},
		{"paid intent gets an amount", []string{paid, "POST /v1/payment_intents/$1 amount=50"}, "error.code", "payment_intent_unexpected_state"},
		{"insufficient funds", []string{intent + "&confirm=true&payment_method=pm_card_visa_chargeDeclinedInsufficientFunds"}, "error.decline_code", "insufficient_funds"},
		{"refund of an unpaid intent", []string{intent, "POST /v1/refunds payment_intent=$1"}, "error.code", "payment_intent_unexpected_state"},
		{"refund that is done is not canceled", []string{paid, "POST /v1/refunds payment_intent=$1", "POST /v1/refunds/$2/cancel"}, "error.type", "invalid_request_error"},
		{"metadata of a refund", []string{paid, "POST /v1/refunds payment_intent=$1", "POST /v1/refunds/$2 metadata[a]=b"}, "metadata.a", "b"},
		{"price with its product", []string{"POST /v1/prices unit_amount=500&currency=eur&product_data[name]=Hat&expand[]=product"}, "product.name", "Hat"},
		{"recurring price", []string{product, "POST /v1/prices unit_amount=5&currency=eur&product=$1&recurring[interval]=year"}, "recurring.interval", "year"},
		{"coupon with an id of its own", []string{"POST /v1/coupons id=SALE&percent_off=25.5&duration=once", "GET /v1/coupons/SALE"}, "percent_off", 25.5},
		{"coupon twice", []string{"POST /v1/coupons id=SALE&percent_off=25&duration=once", "POST /v1/coupons id=SALE&percent_off=30&duration=once"}, "error.code", "resource_already_exists"},
		{"payment method that is no card", []string{"POST /v1/payment_methods type=sepa_debit&sepa_debit[iban]=DE89370400440532013000"}, "card", nil},
		{"payment method of a new customer", []string{"POST /v1/payment_methods type=card&card[token]=tok_visa", "POST /v1/customers payment_method=$1", "GET /v1/payment_methods/$1?expand[]=customer"}, "customer.object", "customer"},
		{"expanding what is not stored", []string{paid, "GET /v1/payment_intents/$1?expand[]=payment_method"}, "payment_method.object", "payment_method"},
		{"action that is not modelled", []string{paid, "POST /v1/payment_intents/$1/verify_microdeposits"}, "object", "payment_intent"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := as(stripetest.New(t), stripetest.Key).play(t, tt.steps)
			if got.at(tt.at) != tt.want {
				t.Errorf("%s: got %v, want %v\n%s", tt.at, got.at(tt.at), tt.want, got.body)
			}
		})
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()
	srv := stripetest.New(t)
	acct := srv.Account(stripetest.Key)
	ids := acct.Seed("customer", 2, func(i int) map[string]any { return map[string]any{"name": strconv.Itoa(i)} })
	acct.Remove(ids[0], "cus_none")
	c := as(srv, stripetest.Key)
	if got := c.get(t, "/v1/customers", ""); !cmp.Equal(got.ids(), ids[1:]) || got.data(0).at("name") != "1" {
		t.Errorf("got %s", got.body)
	}
	if got := c.do(t, "GET", "/v1/customers/"+ids[0], ""); got.status != http.StatusNotFound {
		t.Errorf("got %d, want 404: no tombstone is left", got.status)
	}
	if got := c.get(t, "/v1/events", "").ids(); len(got) != 0 {
		t.Errorf("the test's own hand made events: %v", got)
	}
}

func TestPayouts(t *testing.T) {
	t.Parallel()
	srv := stripetest.New(t)
	c := as(srv, stripetest.Key)
	payout := c.post(t, "/v1/payouts", "amount=5000&currency=usd&description=Rent&statement_descriptor=RENT")
	if payout.at("status") != "pending" || payout.at("automatic") != false || payout.at("description") != "Rent" {
		t.Errorf("payout: got %s", payout.body)
	}
	if got := c.get(t, "/v1/balance_transactions", "payout="+payout.id()).ids(); len(got) != 1 {
		t.Errorf("balance transactions of the payout: got %v", got)
	}
	path := "/v1/payouts/" + payout.id()
	if got := c.post(t, path, "metadata[a]=b").at("metadata.a"); got != "b" {
		t.Errorf("metadata: got %v", got)
	}
	if got := c.post(t, path+"/cancel", "").at("status"); got != "canceled" {
		t.Errorf("canceled: got %v", got)
	}
	if got := c.do(t, "POST", path+"/cancel", ""); got.status != http.StatusBadRequest {
		t.Errorf("canceled twice: got %d, want 400", got.status)
	}
}

func TestIdempotency(t *testing.T) {
	t.Parallel()
	srv := stripetest.New(t)
	c := as(srv, stripetest.Key).with("Idempotency-Key", "k1")

	first := c.post(t, "/v1/customers", "name=Ada&metadata[a]=1&metadata[b]=2")
	again := c.post(t, "/v1/customers", "metadata[b]=2&name=Ada&metadata[a]=1") // maps are encoded in any order
	if !bytes.Equal(first.body, again.body) {
		t.Errorf("the replay differs:\n%s\n%s", first.body, again.body)
	}
	if first.header.Get("Idempotent-Replayed") != "" || again.header.Get("Idempotent-Replayed") != "true" || again.header.Get("Original-Request") != first.header.Get("Request-Id") {
		t.Errorf("headers of first %v and replay %v", first.header, again.header)
	}
	if again.header.Get("Idempotency-Key") != "k1" {
		t.Errorf("the key is not echoed: %v", again.header)
	}
	for name, other := range map[string]struct{ path, form string }{
		"other parameters": {"/v1/customers", "name=Bob"}, "other path": {"/v1/products", "name=Ada"},
	} {
		if got := c.do(t, "POST", other.path, other.form); got.status != http.StatusBadRequest || got.at("error.type") != "idempotency_error" {
			t.Errorf("%s: got %d %v, want 400 idempotency_error", name, got.status, got.at("error.type"))
		}
	}
	as(srv, stripetest.KeyOther).with("Idempotency-Key", "k1").post(t, "/v1/customers", "name=Bob")
	if got := srv.Account(stripetest.Key).IDs("customer"); len(got) != 1 {
		t.Errorf("got %d customers, want 1", len(got))
	}

	// What fails for its parameters leaves the key free; what fails in execution is kept.
	k2 := as(srv, stripetest.Key).with("Idempotency-Key", "k2")
	if got := k2.do(t, "POST", "/v1/customers", "nonsense=1"); got.status != http.StatusBadRequest {
		t.Fatalf("got %d", got.status)
	}
	k2.post(t, "/v1/customers", "name=Eve")
	k3 := as(srv, stripetest.Key).with("Idempotency-Key", "k3")
	declined := "amount=1&currency=usd&confirm=true&payment_method=pm_card_chargeDeclined"
	k3.do(t, "POST", "/v1/payment_intents", declined)
	if got := k3.do(t, "POST", "/v1/payment_intents", declined); got.status != http.StatusPaymentRequired || got.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("a declined payment is not replayed: %d %v", got.status, got.header)
	}

	// In use: the first is held in the middle.
	slow := stripetest.Slow().On("POST", "/v1/customers")
	srv.Fault(slow)
	k4 := as(srv, stripetest.Key).with("Idempotency-Key", "k4")
	var held result
	var wg sync.WaitGroup
	wg.Go(func() { held, _ = k4.try(t, "POST", "/v1/customers", "name=Kay") })
	<-slow.Entered()
	// The fault is entered just before its key is taken; until then the second request is the one that goes through.
	for {
		got := k4.do(t, "POST", "/v1/customers", "name=Kay")
		if got.status == http.StatusConflict {
			if got.at("error.code") != "idempotency_key_in_use" {
				t.Errorf("got %v, want idempotency_key_in_use", got.at("error.code"))
			}
			break
		}
	}
	slow.Release()
	wg.Wait()
	if held.status != http.StatusOK {
		t.Errorf("the held request: got %d, want 200", held.status)
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	srv := stripetest.New(t)
	c := as(srv, stripetest.Key)
	a, b := c.get(t, "/v1/customers", ""), c.with("Stripe-Version", "2020-08-27").do(t, "GET", "/v1/nothing", "")
	if a.header.Get("Request-Id") == "" || a.header.Get("Request-Id") == b.header.Get("Request-Id") {
		t.Errorf("request ids: %q and %q", a.header.Get("Request-Id"), b.header.Get("Request-Id"))
	}
	if a.header.Get("Stripe-Version") != stripetest.APIVersion || b.header.Get("Stripe-Version") != "2020-08-27" {
		t.Errorf("versions: %q and %q", a.header.Get("Stripe-Version"), b.header.Get("Stripe-Version"))
	}
}

func TestCalls(t *testing.T) {
	t.Parallel()
	srv := stripetest.NewWith(t, stripetest.Options{MaxCalls: 4})
	c := as(srv, stripetest.Key)
	c.with("Idempotency-Key", "k").post(t, "/v1/customers", "name=Ada&shipping[name]=A&shipping[address][line1]=x")
	c.get(t, "/v1/customers", "limit=3&created[gt]=5")
	as(srv, "bad").do(t, "GET", "/v1/customers", "")
	calls := srv.Calls()
	if len(calls) != 3 {
		t.Fatalf("got %d calls, want 3, the refused one included", len(calls))
	}
	if got := calls[0]; got.Method != "POST" || got.Path != "/v1/customers" || got.IdempotencyKey() != "k" || got.Form.Get("shipping[address][line1]") != "x" {
		t.Errorf("first call: %+v", got)
	}
	if got := calls[1].Form; !cmp.Equal(got, url.Values{"limit": {"3"}, "created[gt]": {"5"}}) {
		t.Errorf("second call: %v", got)
	}
	for range 10 {
		c.get(t, "/v1/balance", "")
	}
	if got := len(srv.Calls()); got > 4 {
		t.Errorf("got %d calls, want at most 4", got)
	}
	srv.ResetCalls()
	if got := srv.Calls(); len(got) != 0 {
		t.Errorf("after reset: %d calls", len(got))
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		fault   *stripetest.Fault
		status  int // 0: the connection breaks
		code    any
		header  string
		value   string
		applied bool
	}{
		{"declined", stripetest.CardDeclined(), 402, "card_declined", "Content-Type", "application/json", false},
		{"lock timeout", stripetest.LockTimeout(), 409, "lock_timeout", "", "", false},
		{"rate limited", stripetest.RateLimited(7), 429, "rate_limit", "Retry-After", "7", false},
		{"rate limited without a hint", stripetest.RateLimited(-1), 429, "rate_limit", "Retry-After", "", false},
		{"server error", stripetest.ServerError(503), 503, nil, "", "", false},
		{"should retry", stripetest.ServerError(500).WithHeader("Stripe-Should-Retry", "false"), 500, nil, "Stripe-Should-Retry", "false", false},
		{"html", stripetest.HTMLPage(502), 502, nil, "Content-Type", "text/html", false},
		{"not json", stripetest.NotJSON(), 200, nil, "", "", false},
		{"cut body", stripetest.CutBody(), 0, nil, "", "", true},
		{"reset", stripetest.Reset(), 0, nil, "", "", false},
		{"lost answer", stripetest.LostAnswer(), 0, nil, "", "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv := stripetest.New(t)
			c := as(srv, stripetest.Key).with("Idempotency-Key", "k")
			srv.Fault(tt.fault.On("POST", "/v1/customers"))
			c.get(t, "/v1/customers", "")
			c.do(t, "POST", "/v1/customers", "nonsense=1") // refused before

			got, err := c.try(t, "POST", "/v1/customers", "name=Ada")
			if (err != nil) != (tt.status == 0) || got.status != tt.status || got.at("error.code") != tt.code {
				t.Errorf("got %d %v %v, want %d %v", got.status, got.at("error.code"), err, tt.status, tt.code)
			}
			if tt.header != "" && got.header.Get(tt.header) != tt.value {
				t.Errorf("%s: got %q, want %q", tt.header, got.header.Get(tt.header), tt.value)
			}
			if applied := len(srv.Account(stripetest.Key).IDs("customer")) == 1; applied != tt.applied {
				t.Errorf("applied: got %t, want %t", applied, tt.applied)
			}
			again := c.post(t, "/v1/customers", "name=Ada")
			if replayed := again.header.Get("Idempotent-Replayed") == "true"; replayed != tt.applied {
				t.Errorf("the retry was replayed: got %t, want %t", replayed, tt.applied)
			}
			if got := srv.Account(stripetest.Key).IDs("customer"); len(got) != 1 {
				t.Errorf("after the retry there are %d customers, want 1", len(got))
			}
		})
	}
}

func TestFaultOrder(t *testing.T) {
	t.Parallel()
	srv := stripetest.New(t)
	c := as(srv, stripetest.Key)
	srv.Fault(stripetest.RateLimited(1).Times(2), stripetest.ServerError(500).On("GET", "/v1/customers"), stripetest.LockTimeout().On("POST", "").Times(9))
	want := []int{429, 429, 500, 200}
	got := make([]int, 0, len(want))
	for range want {
		got = append(got, c.do(t, "GET", "/v1/customers", "").status)
	}
	if !cmp.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	srv.ResetFaults()
	c.post(t, "/v1/customers", "")
}

func TestSlow(t *testing.T) {
	t.Parallel()
	srv := stripetest.New(t)
	c := as(srv, stripetest.Key)
	slow := stripetest.Slow()
	srv.Fault(slow)
	done := make(chan result, 1)
	go func() { got, _ := c.try(t, "GET", "/v1/customers", ""); done <- got }()
	<-slow.Entered()
	select {
	case <-done:
		t.Fatal("a held request was answered")
	default:
	}
	slow.Release()
	if got := <-done; got.status != http.StatusOK {
		t.Errorf("got %d, want 200", got.status)
	}

	held := stripetest.Slow()
	srv.Fault(held)
	go func() { <-held.Entered(); srv.Close() }()
	if _, err := c.try(t, "POST", "/v1/customers", ""); err == nil {
		t.Error("a request held when the server closes was answered")
	}
	if got := srv.Account(stripetest.Key).IDs("customer"); len(got) != 0 {
		t.Errorf("a request given up took effect: %v", got)
	}
}

// TestStripeGo lets the library that the connector uses talk to the server.
func TestStripeGo(t *testing.T) {
	t.Parallel()
	srv := stripetest.New(t)
	backend := stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{
		URL: new(srv.URL), MaxNetworkRetries: new(int64(2)), EnableTelemetry: new(false),
		LeveledLogger: &stripe.LeveledLogger{Level: stripe.LevelNull},
	})
	api := client.New(stripetest.Key, &stripe.Backends{API: backend})

	params := &stripe.CustomerParams{
		Name:     new("Ada"),
		Shipping: &stripe.CustomerShippingParams{Name: new("A"), Address: &stripe.AddressParams{Line1: new("x")}},
	}
	params.AddMetadata("plan", "gold")
	srv.Fault(stripetest.ServerError(500).On("POST", "/v1/customers"), stripetest.LostAnswer().On("POST", "/v1/customers"))
	made, err := api.Customers.New(params)
	if err != nil {
		t.Fatal(err)
	}
	if made.Name != "Ada" || made.Shipping.Address.Line1 != "x" || made.Metadata["plan"] != "gold" || made.Created == 0 {
		t.Errorf("created: %+v", made)
	}
	calls := srv.Calls()
	if len(calls) != 3 || calls[0].IdempotencyKey() == "" || calls[0].IdempotencyKey() != calls[2].IdempotencyKey() {
		t.Errorf("got %d tries, want 3 with one idempotency key", len(calls))
	}
	srv.Account(stripetest.Key).Seed("customer", 249, nil)
	srv.ResetCalls()
	list := &stripe.CustomerListParams{}
	list.Limit = new(int64(100))
	seen := map[string]bool{}
	iter := api.Customers.List(list)
	for iter.Next() {
		seen[iter.Customer().ID] = true
	}
	if iter.Err() != nil || len(seen) != 250 || len(srv.Calls()) != 3 {
		t.Errorf("got %d customers in %d calls, %v, want 250 in 3", len(seen), len(srv.Calls()), iter.Err())
	}
	_, err = api.Customers.Get("cus_none", nil)
	var stripeErr *stripe.Error
	if !errors.As(err, &stripeErr) || stripeErr.HTTPStatusCode != http.StatusNotFound || stripeErr.Code != stripe.ErrorCodeResourceMissing || stripeErr.RequestID == "" {
		t.Errorf("got %+v, want a 404 with a request id", stripeErr)
	}
	if _, err := api.Customers.Del(made.ID, nil); err != nil {
		t.Error(err)
	}
}

// TestConcurrency is for the race detector.
func TestConcurrency(t *testing.T) {
	t.Parallel()
	srv := stripetest.New(t)
	c := as(srv, stripetest.Key)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 20 {
				id := c.post(t, "/v1/customers", fmt.Sprintf("name=n%d", i)).id()
				c.post(t, "/v1/customers/"+id, "metadata[a]=b")
				c.get(t, "/v1/customers", "limit=5")
				if i%2 == 0 {
					c.ok(t, "DELETE", "/v1/customers/"+id, "")
				}
				srv.Calls()
			}
		})
	}
	wg.Wait()
	if got := len(srv.Account(stripetest.Key).IDs("customer")); got != 80 {
		t.Errorf("got %d customers, want 80", got)
	}
}

func BenchmarkCreateCustomer(b *testing.B) {
	srv := stripetest.NewWith(b, stripetest.Options{MaxCalls: -1})
	handler := requester(b, srv, "POST", "/v1/customers", "name=Ada&metadata[a]=b")
	for b.Loop() {
		handler()
	}
}

func BenchmarkListHundred(b *testing.B) {
	srv := stripetest.NewWith(b, stripetest.Options{MaxCalls: -1})
	srv.Account(stripetest.Key).Seed("customer", 1000, nil)
	handler := requester(b, srv, "GET", "/v1/customers?limit=100", "")
	for b.Loop() {
		handler()
	}
}

func requester(b *testing.B, srv *stripetest.Server, method, path, form string) func() {
	b.Helper()
	return func() {
		r, err := http.NewRequestWithContext(b.Context(), method, srv.URL+path, strings.NewReader(form))
		if err != nil {
			b.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+stripetest.Key)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			b.Fatal(response.Status)
		}
	}
}
