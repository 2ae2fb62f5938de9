package makeapp_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"stripe-connector/internal/connection"
	"stripe-connector/internal/httpapi"
	"stripe-connector/internal/makeapp"
	"stripe-connector/internal/store/sqlite"
	"stripe-connector/internal/stripeapi"
	"stripe-connector/internal/stripetest"
	"stripe-connector/webhooks"
)

// In these tests an exported app runs: its code is read from the archive and carried out as Make would do it, against the
// real service, with a local Stripe behind that.

const token = "sc_token_of_the_app_at_make"

// A platform is as much of Make as an app needs.
type platform struct {
	t          *testing.T
	files      []makeapp.File
	base       map[string]any
	connection map[string]any // what is kept with the connection
	requests   []string       // method and path of what was sent
}

func newPlatform(t *testing.T) *platform {
	t.Helper()
	app, err := makeapp.New(makeapp.Config{Name: testName, BaseURL: newConnector(t), Catalogue: catalogue(t)})
	if err != nil {
		t.Fatal(err)
	}
	p := &platform{t: t, files: app.Archive(), connection: map[string]any{}}
	p.base = p.code("base")
	return p
}

// newConnector starts the service and answers its URL.
func newConnector(t *testing.T) string {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "connector.db"), time.Now)
	must(err)
	ring, err := connection.NewRing(time.Now, connection.NewKey("k1", bytes.Repeat([]byte{7}, 32)))
	must(err)
	log := zerolog.Nop()
	stripe, err := stripeapi.New(stripeapi.Config{
		BaseURL: stripetest.New(t).URL, RateTest: 1e6, RateLive: 1e6, Budget: 10 * time.Second, Now: time.Now, Log: log,
	})
	must(err)
	tokens := connection.NewTokens(db, time.Now, log)
	_, err = tokens.Bootstrap(t.Context(), token)
	must(err)
	deliverer := webhooks.NewDeliverer(5*time.Second, true, time.Now)
	dispatcher := webhooks.NewDispatcher(webhooks.DispatcherConfig{
		Store: db, Secrets: ring, Deliverer: deliverer, Schedule: webhooks.Schedule{time.Millisecond}, Grace: time.Second, Now: time.Now, Log: log,
	})
	server := httptest.NewUnstartedServer(nil)
	base := "http://" + server.Listener.Addr().String()
	hooks := webhooks.NewService(webhooks.ServiceConfig{
		Store: db, Stripe: stripe, Secrets: ring, Deliverer: deliverer, PublicURL: base, Now: time.Now, Log: log,
	})
	server.Config.Handler = httpapi.New(httpapi.Config{
		Catalogue: catalogue(t), Stripe: stripe, Connections: connection.NewService(db, ring, stripe, time.Now), Tokens: tokens, Audit: db, Webhooks: hooks,
		Receiver: webhooks.NewReceiver(webhooks.ReceiverConfig{Store: db, Secrets: ring, Dispatcher: dispatcher, Now: time.Now, Log: log}),
		Ready:    db.Ping, MaxLimit: 1000, Log: log, Now: time.Now,
	})
	server.Start()
	var running sync.WaitGroup
	running.Go(func() { dispatcher.Run(t.Context()) })
	t.Cleanup(func() {
		server.Close()
		hooks.Close()
		running.Wait()
		deliverer.Close()
		stripe.Close()
		must(db.Close())
	})
	return base
}

func (p *platform) code(name string) map[string]any {
	p.t.Helper()
	var v map[string]any
	read(p.t, p.files, testName+"/"+name+".imljson", &v)
	return v
}

// A failure is an error as Make shows it.
type failure struct{ Type, Message string }

// An outcome is what came of a request, or of a chain of pages.
type outcome struct {
	bundles []any
	data    map[string]any // to be kept
	label   any            // of a connection
	failure *failure
}

// run carries out one piece of communication. What the base says goes for it if it is a module's or an RPC's.
func (p *platform) run(name string, inherits bool, scope map[string]any) outcome {
	p.t.Helper()
	call := p.code(name)
	inherited, _ := p.base["response"].(map[string]any)
	response := map[string]any{}
	if inherits {
		maps.Copy(response, inherited)
	}
	own, _ := call["response"].(map[string]any)
	maps.Copy(response, own)

	var result outcome
	scope = maps.Clone(scope)
	extra := map[string]any{}
	limit := -1
	for range 50 {
		status, body := p.send(call, extra, inherits, scope)
		scope["statusCode"], scope["body"] = json.Number(strconv.Itoa(status)), body
		condition, _ := response["valid"].(map[string]any)
		if status >= 400 {
			condition, _ = response["error"].(map[string]any)
		}
		if status >= 400 || condition != nil && !truthy(render(p.t, condition["condition"], scope)) {
			result.failure = &failure{text(render(p.t, condition["type"], scope)), text(render(p.t, condition["message"], scope))}
			return result
		}
		if n, ok := response["limit"]; ok {
			limit = int(number(render(p.t, n, scope)))
		}
		if iterate, ok := response["iterate"]; ok {
			items, _ := render(p.t, iterate, scope).([]any)
			for _, item := range items {
				scope["item"] = item
				result.bundles = append(result.bundles, render(p.t, response["output"], scope))
			}
			if limit >= 0 && len(result.bundles) >= limit {
				result.bundles = result.bundles[:limit]
				return result
			}
		} else if output, ok := response["output"]; ok {
			result.bundles = []any{render(p.t, output, scope)}
		}
		if keep, ok := response["data"]; ok {
			result.data, _ = render(p.t, keep, scope).(map[string]any)
		}
		if m, ok := response["metadata"].(map[string]any); ok {
			result.label = render(p.t, m["value"], scope)
		}
		page, ok := call["pagination"].(map[string]any)
		if !ok || !truthy(render(p.t, page["condition"], scope)) {
			return result
		}
		extra, _ = render(p.t, map[string]any{"qs": page["qs"], "body": page["body"]}, scope).(map[string]any)
	}
	p.t.Fatalf("%s: the pages have no end", name)
	return result
}

func (p *platform) send(call, extra map[string]any, inherits bool, scope map[string]any) (status int, body any) {
	p.t.Helper()
	merged := func(key string) map[string]any {
		all := map[string]any{}
		sources := []any{render(p.t, call[key], scope), extra[key]}
		if inherits {
			sources = slices.Insert(sources, 0, render(p.t, p.base[key], scope))
		}
		for _, source := range sources {
			if o, ok := source.(map[string]any); ok {
				maps.Copy(all, o)
			}
		}
		return all
	}
	address := text(render(p.t, call["url"], scope))
	if inherits && strings.HasPrefix(address, "/") {
		address = text(p.base["baseUrl"]) + address
	}
	u, err := url.Parse(address)
	if err != nil {
		p.t.Fatal(err)
	}
	query := u.Query()
	for key, v := range merged("qs") {
		query.Set(key, text(v))
	}
	u.RawQuery = query.Encode()
	var content io.Reader = http.NoBody
	if call["body"] != nil {
		encoded, err := json.Marshal(merged("body"))
		if err != nil {
			p.t.Fatal(err)
		}
		content = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(p.t.Context(), text(render(p.t, call["method"], scope)), u.String(), content)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for key, v := range merged("headers") {
		req.Header.Set(key, text(v))
	}
	p.requests = append(p.requests, req.Method+" "+u.Path)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	dec := json.NewDecoder(res.Body)
	dec.UseNumber()
	if err := dec.Decode(&body); err != nil && !errors.Is(err, io.EOF) {
		p.t.Fatalf("%s: the answer is no JSON: %v", name(req), err)
	}
	return res.StatusCode, body
}

func name(req *http.Request) string { return req.Method + " " + req.URL.Path }

// module runs a module with what its form holds.
func (p *platform) module(id string, parameters map[string]any) outcome {
	p.t.Helper()
	return p.run("modules/"+id+"/api", true, map[string]any{"parameters": parameters, "connection": p.connection})
}

func (p *platform) rpc(id string, parameters map[string]any) outcome {
	p.t.Helper()
	return p.run("rpcs/"+id+"/api", true, map[string]any{"parameters": parameters, "connection": p.connection})
}

// verify checks and keeps a connection, as Make does when its user saves it.
func (p *platform) verify(parameters map[string]any) outcome {
	p.t.Helper()
	result := p.run("connections/"+testName+"/api", false, map[string]any{"parameters": parameters, "data": p.connection})
	if result.failure == nil {
		p.connection = result.data
	}
	return result
}

// connect makes a connection from a Stripe key.
func (p *platform) connect() {
	p.t.Helper()
	if got := p.verify(map[string]any{"token": token, "setup": "new", "connection_name": "Shop", "key": stripetest.Key}); got.failure != nil {
		p.t.Fatalf("connecting: %+v", got.failure)
	}
}

func ok(t *testing.T, o outcome) outcome {
	t.Helper()
	if o.failure != nil {
		t.Fatalf("%s: %s", o.failure.Type, o.failure.Message)
	}
	return o
}

func member(v any, names ...string) any {
	for _, n := range names {
		o, _ := v.(map[string]any)
		v = o[n]
	}
	return v
}

func TestConnect(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	byKey := map[string]any{"token": token, "setup": "new", "connection_name": "Shop", "key": stripetest.Key}

	got := ok(t, p.verify(byKey))
	id := text(p.connection["connectionId"])
	if !strings.HasPrefix(id, "conn_") || p.connection["token"] != token || got.label != "Shop" {
		t.Fatalf("kept %v with the label %v, want the token and the id of Shop", p.connection, got.label)
	}
	for key, v := range p.connection {
		if strings.Contains(text(v), stripetest.Key) {
			t.Errorf("%s keeps the Stripe key", key)
		}
	}

	ok(t, p.verify(byKey))
	if p.connection["connectionId"] != id {
		t.Errorf("verifying again made the connection %v beside %s", p.connection["connectionId"], id)
	}

	// Another app of the user chooses the same one, before it is connected itself.
	p.connection = map[string]any{}
	choices := ok(t, p.rpc("listConnections", map[string]any{"token": token, "setup": "existing"})).bundles
	if len(choices) != 1 || member(choices[0], "value") != id || !strings.HasPrefix(text(member(choices[0], "label")), "Shop") {
		t.Fatalf("choices = %v, want Shop with %s", choices, id)
	}
	ok(t, p.verify(map[string]any{"token": token, "setup": "existing", "connection": id}))
	if p.connection["connectionId"] != id || p.connection["token"] != token {
		t.Errorf("kept %v, want %s and the token", p.connection, id)
	}
	want := []string{
		"POST /v1/connections", "PATCH /v1/connections/" + id, "GET /v1/connections", "POST /v1/connections/" + id + "/check",
	}
	if diff := cmp.Diff(p.requests, want); diff != "" {
		t.Errorf("requests (-got +want):\n%s", diff)
	}
}

func TestConnectionIsRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		parameters map[string]any
		want       failure // its message is contained
	}{
		{"a wrong token", map[string]any{"token": "sc_wrong", "setup": "new", "key": stripetest.Key}, failure{"RuntimeError", "[401] "}},
		{"no key", map[string]any{"token": token, "setup": "new"}, failure{"DataError", "[422] 1 field needs attention; Key is required"}},
		{"no such connection", map[string]any{"token": token, "setup": "existing", "connection": "conn_none"}, failure{"DataError", "[404] "}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform(t)
			got := p.verify(tt.parameters).failure
			if got == nil || got.Type != tt.want.Type || !strings.Contains(got.Message, tt.want.Message) {
				t.Errorf("failure = %+v, want %+v", got, tt.want)
			}
			if len(p.connection) > 0 {
				t.Errorf("kept %v of a connection that failed", p.connection)
			}
		})
	}
}

func TestRunModules(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.connect()

	made := ok(t, p.module("createCustomer", map[string]any{
		"email": "jane@example.com", "name": "Jane", "description": "",
		"address":           map[string]any{"line1": "1 Main St", "city": "Berlin"},
		"metadata":          []any{map[string]any{"key": "order", "value": "6735"}},
		"preferred_locales": []any{},
		"__IMTCONN__":       json.Number("123"),
	})).bundles
	customer := text(member(made[0], "id"))
	if member(made[0], "address", "city") != "Berlin" || member(made[0], "metadata", "order") != "6735" || member(made[0], "email") != "jane@example.com" {
		t.Errorf("made %v, want what the form said", made)
	}

	// null is what Make sends for a field that is to be erased.
	changed := ok(t, p.module("updateCustomer", map[string]any{"customer": customer, "name": nil, "phone": "123"})).bundles
	if member(changed[0], "name") != nil || member(changed[0], "phone") != "123" || member(changed[0], "email") != "jane@example.com" {
		t.Errorf("changed to %v, want no name, a phone and the old email address", changed)
	}

	got := p.module("createPaymentIntent", map[string]any{"amount": "12.50", "currency": "euros"}).failure
	if diff := cmp.Diff(got, &failure{
		Type: "DataError", Message: "[422] 2 fields need attention; Amount must be a whole number, without a fraction, not \"12.50\"; Currency must be a three-letter currency code such as usd",
	}); diff != "" {
		t.Errorf("failure (-got +want):\n%s", diff)
	}
	if got := p.module("retrieveCustomer", map[string]any{"customer": "cus_none"}).failure; got == nil || got.Type != "DataError" || !strings.HasPrefix(got.Message, "[404] ") {
		t.Errorf("failure = %+v, want a DataError with 404", got)
	}
}

func TestSearchTurnsPages(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.connect()
	const there = 105 // more than a page
	for i := range there {
		ok(t, p.module("createCustomer", map[string]any{"name": fmt.Sprint("Customer ", i)}))
	}
	tests := []struct {
		limit          any
		bundles, pages int
	}{
		{undefined{}, 10, 1},
		{json.Number("100"), 100, 1},
		{json.Number("102"), 102, 2},
		{json.Number("5000"), there, 2}, // more than the service gives in one answer
	}
	for _, tt := range tests {
		p.requests = nil
		parameters := map[string]any{}
		if tt.limit != (undefined{}) {
			parameters["limit"] = tt.limit
		}
		got := ok(t, p.module("listAllCustomers", parameters)).bundles
		ids := map[any]bool{}
		for _, b := range got {
			ids[member(b, "id")] = true
		}
		if len(got) != tt.bundles || len(ids) != tt.bundles || len(p.requests) != tt.pages {
			t.Errorf("limit %v: %d bundles, %d different, on %d pages, want %d on %d", tt.limit, len(got), len(ids), len(p.requests), tt.bundles, tt.pages)
		}
	}
	p.requests = nil
	if got := ok(t, p.rpc("listCustomers", nil)).bundles; len(got) != there || len(p.requests) != 2 {
		t.Errorf("%d choices on %d pages, want %d on 2", len(got), len(p.requests), there)
	}
}

func TestSearchButton(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.connect()
	for _, email := range []string{"jane@example.com", "joe@example.com"} {
		ok(t, p.module("createCustomer", map[string]any{"email": email}))
	}
	got := ok(t, p.rpc("listCustomers", map[string]any{"email": "joe@example.com"})).bundles
	if len(got) != 1 || member(got[0], "label") != "joe@example.com" || !strings.HasPrefix(text(member(got[0], "value")), "cus_") {
		t.Errorf("choices = %v, want Joe alone", got)
	}
}

func TestCallByHand(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.connect()
	got := ok(t, p.module("makeAnApiCall", map[string]any{
		"url": "/v1/customers", "method": "GET", "qs": []any{map[string]any{"key": "limit", "value": "1"}},
	})).bundles
	if text(member(got[0], "statusCode")) != "200" || member(got[0], "body", "object") != "list" {
		t.Errorf("bundle = %v, want a list", got)
	}
	// What Stripe refuses is an error of the module.
	refused := p.module("makeAnApiCall", map[string]any{
		"url": "/v1/customers", "method": "POST", "body": map[string]any{"nickname": "Jane"},
	}).failure
	if refused == nil || refused.Type != "DataError" || !strings.HasPrefix(refused.Message, "[400] ") {
		t.Errorf("failure = %+v, want a DataError with 400", refused)
	}
}

func TestWatchEvents(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.connect()
	arrived := make(chan any, 8)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		arrived <- body
	}))
	t.Cleanup(hook.Close)
	const folder = "webhooks/" + testName + "/"
	form := map[string]any{"webhook_name": "Customers", "group": "customer", "enabled_events": []any{"customer.updated"}}
	scope := map[string]any{
		"parameters": form, "connection": p.connection, "webhook": map[string]any{"url": hook.URL, "id": json.Number("5")},
	}

	kept := ok(t, p.run(folder+"attach", false, scope)).data
	if !strings.HasPrefix(text(kept["webhookId"]), "whk_") || len(kept) != 1 {
		t.Fatalf("kept %v, want the id of the webhook", kept)
	}
	scope["webhook"] = map[string]any{"url": hook.URL, "webhookId": kept["webhookId"]}

	customer := member(ok(t, p.module("createCustomer", map[string]any{"name": "Jane"})).bundles[0], "id")
	ok(t, p.module("updateCustomer", map[string]any{"customer": customer, "name": "Janet"}))
	event := <-arrived
	code := p.code(folder + "api")
	seen := map[string]any{"body": event}
	if !truthy(render(t, code["condition"], seen)) {
		t.Errorf("the event is not let through: %v", event)
	}
	bundle := render(t, code["output"], seen)
	if member(bundle, "type") != "customer.updated" || member(bundle, "object", "name") != "Janet" || member(bundle, "previous_attributes", "name") != "Jane" ||
		member(bundle, "data", "object", "id") != customer {
		t.Errorf("bundle = %v, want the event with its object lifted", bundle)
	}

	// The user takes the choice of events back: all of the group are wanted.
	delete(form, "enabled_events")
	if got := ok(t, p.run(folder+"update", false, scope)).data; got["webhookId"] != kept["webhookId"] {
		t.Errorf("kept %v after the change, want %v", got, kept)
	}
	ok(t, p.module("createCustomer", map[string]any{"name": "Joe"}))
	if event := <-arrived; member(event, "type") != "customer.created" {
		t.Errorf("event = %v, want customer.created", event)
	}

	for range 2 { // Make may ask twice.
		ok(t, p.run(folder+"detach", false, scope))
	}
	if got := p.run(folder+"update", false, scope).failure; got == nil || !strings.HasPrefix(got.Message, "[404] ") {
		t.Errorf("failure = %+v, want one with 404: the webhook is gone", got)
	}
}
