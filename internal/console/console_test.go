package console

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"stripe-connector/internal/connection"
	"stripe-connector/internal/httpapi"
	"stripe-connector/internal/store"
	"stripe-connector/internal/store/sqlite"
	"stripe-connector/internal/stripeapi"
	"stripe-connector/internal/stripetest"
	"stripe-connector/modules"
	"stripe-connector/webhooks"
)

// A service is the whole connector over real HTTP, console included, with a local Stripe behind it and a subscriber.
type service struct {
	t          testing.TB
	url        string
	stripe     *stripetest.Server
	db         *sqlite.Store
	tokens     *connection.Tokens
	replica    Config // of another console beside the same API
	conn       string // a connection of the workspace "default"
	subscriber *subscriber
}

const adminToken = "sc_admin_token_of_the_tests"

// A subscriber answers deliveries with a status that tests change, and tells of each.
type subscriber struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	words  string
	took   chan string // event ids
}

func (s *subscriber) answer(status int, words string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.words = status, words
}

func newSubscriber(tb testing.TB) *subscriber {
	tb.Helper()
	s := &subscriber{status: http.StatusOK, took: make(chan string, 10_000)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		w.WriteHeader(s.status)
		_, _ = io.WriteString(w, s.words)
		s.took <- r.Header.Get("Webhook-Id")
	}))
	tb.Cleanup(s.Close)
	return s
}

// newService starts one. Without a schedule what fails is tried once more, at once, and then given up.
func newService(tb testing.TB, schedule ...time.Duration) *service {
	tb.Helper()
	if schedule == nil {
		schedule = []time.Duration{time.Millisecond}
	}
	must := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	s := &service{t: tb, stripe: stripetest.New(tb), subscriber: newSubscriber(tb)}
	db, err := sqlite.Open(tb.Context(), filepath.Join(tb.TempDir(), "connector.db"), time.Now)
	must(err)
	s.db = db
	ring, err := connection.NewRing(time.Now, connection.NewKey("k1", bytes.Repeat([]byte{7}, 32)))
	must(err)
	catalogue, err := modules.Catalogue()
	must(err)
	log := zerolog.New(zerolog.NewTestWriter(tb)).Level(zerolog.WarnLevel)
	stripe, err := stripeapi.New(stripeapi.Config{
		BaseURL: s.stripe.URL, RateTest: 1e6, RateLive: 1e6, Budget: 10 * time.Second, Now: time.Now, Log: log,
	})
	must(err)
	s.tokens = connection.NewTokens(db, time.Now, log)
	_, err = s.tokens.Bootstrap(tb.Context(), adminToken)
	must(err)
	activity := NewActivity(time.Now)
	deliverer := webhooks.NewDeliverer(5*time.Second, true, time.Now)
	dispatcher := webhooks.NewDispatcher(webhooks.DispatcherConfig{
		Store: db, Secrets: ring, Deliverer: deliverer, Schedule: schedule, Grace: time.Second,
		Now: time.Now, Observe: activity.Attempted, Log: log,
	})
	server := httptest.NewUnstartedServer(nil)
	s.url = "http://" + server.Listener.Addr().String()
	hooks := webhooks.NewService(webhooks.ServiceConfig{
		Store: db, Stripe: stripe, Secrets: ring, Deliverer: deliverer, PublicURL: s.url, Now: time.Now, Log: log,
	})
	operations := webhooks.NewOperations(webhooks.OperationsConfig{
		Store: db, Secrets: ring, Deliverer: deliverer, Schedule: schedule, Now: time.Now, Log: log,
	})
	api := activity.Calls(httpapi.New(httpapi.Config{
		Catalogue: catalogue, Stripe: stripe, Connections: connection.NewService(db, ring, stripe, time.Now), Tokens: s.tokens, Audit: db, Webhooks: hooks, Operations: operations,
		Receiver: webhooks.NewReceiver(webhooks.ReceiverConfig{
			Store: db, Secrets: ring, Dispatcher: dispatcher, Observe: activity.Received, Now: time.Now, Log: log,
		}),
		Ready: db.Ping, MaxLimit: 1000, Log: log, Now: time.Now,
	}), s.tokens)
	mux := http.NewServeMux()
	mux.Handle("/", api)
	s.replica = Config{API: api, Tokens: s.tokens, Secrets: ring, Jobs: hooks, Catalogue: catalogue, Activity: activity, Now: time.Now, Log: log}
	pages := New(s.replica)
	mux.Handle("/console", pages)
	mux.Handle("/console/", pages)
	server.Config.Handler = mux
	server.Start()
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { dispatcher.Run(ctx) })
	tb.Cleanup(func() {
		server.Close()
		hooks.Close()
		stop()
		running.Wait()
		operations.Close()
		deliverer.Close()
		stripe.Close()
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	var made struct{ ID string }
	s.api(adminToken, http.MethodPost, "/v1/connections", map[string]string{"connection_name": "Alpha", "key": stripetest.Key}, &made)
	s.conn = made.ID
	return s
}

// api calls the API beside the console.
func (s *service) api(token, method, path string, in, out any) {
	s.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if res.StatusCode >= http.StatusBadRequest {
		s.t.Fatalf("%s %s = %d: %s", method, path, res.StatusCode, text)
	}
	if out != nil {
		if err := json.Unmarshal(text, out); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *service) newToken(workspace string, role connection.Role) string {
	s.t.Helper()
	_, token, err := s.tokens.Create(s.t.Context(), workspace, role, "")
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

// attach attaches a webhook of the subscriber's.
func (s *service) attach(name string, events ...string) string {
	s.t.Helper()
	in := map[string]any{"webhook_name": name, "connection": s.conn, "group": "all", "url": s.subscriber.URL + "/hook?" + url.QueryEscape(name)}
	if len(events) > 0 {
		in["enabled_events"] = events
	}
	var made struct{ ID string }
	s.api(adminToken, http.MethodPost, "/v1/modules/watch-events", in, &made)
	return made.ID
}

// A browser is a person at the console. It does not follow redirects.
type browser struct {
	*service
	client *http.Client
	csrf   string
}

func (s *service) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &browser{service: s, client: &http.Client{
		Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// signedIn is a browser after signing in.
func (s *service) signedIn(token string) *browser {
	s.t.Helper()
	b := s.browser()
	b.post(signIn, url.Values{"token": {token}}).want(http.StatusSeeOther)
	m := regexp.MustCompile(`X-CSRF-Token&#34;:&#34;([A-Z2-7]+)&#34;`).FindStringSubmatch(b.get("/console/modules").want(http.StatusOK).body)
	if m == nil {
		s.t.Fatal("the page has no CSRF token")
	}
	b.csrf = m[1]
	return b
}

type shown struct {
	t      testing.TB
	status int
	header http.Header
	body   string
}

func (p shown) want(status int) shown {
	p.t.Helper()
	if p.status != status {
		p.t.Fatalf("status = %d, want %d: %s", p.status, status, p.body)
	}
	return p
}

func (p shown) has(texts ...string) shown {
	p.t.Helper()
	for _, text := range texts {
		if !strings.Contains(p.body, text) {
			p.t.Errorf("the page has no %q:\n%s", text, p.body)
		}
	}
	return p
}

func (p shown) lacks(texts ...string) shown {
	p.t.Helper()
	for _, text := range texts {
		if strings.Contains(p.body, text) {
			p.t.Errorf("the page has %q:\n%s", text, p.body)
		}
	}
	return p
}

func (b *browser) get(path string, headers ...string) shown {
	b.t.Helper()
	return b.send(http.MethodGet, path, nil, headers...)
}

// post sends a form, with the session's CSRF token.
func (b *browser) post(path string, form url.Values, headers ...string) shown {
	b.t.Helper()
	if form == nil {
		form = url.Values{}
	}
	if b.csrf != "" {
		form.Set("csrf", b.csrf)
	}
	return b.send(http.MethodPost, path, form, headers...)
}

func (b *browser) send(method, path string, form url.Values, headers ...string) shown {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return shown{b.t, res.StatusCode, res.Header, string(text)}
}

// follow posts, and gets the page that it leads to.
func (b *browser) follow(path string, form url.Values) shown {
	b.t.Helper()
	return b.get(b.post(path, form).want(http.StatusSeeOther).header.Get("Location")).want(http.StatusOK)
}

// things are ids of one of each kind in the workspace "default".
type things struct{ conn, hook, event, delivery string }

// one makes one of each: a webhook of this name, and a delivery to it that the subscriber took.
func (s *service) one(name string) things {
	s.t.Helper()
	x := things{conn: s.conn, hook: s.attach(name, "customer.created")}
	s.api(adminToken, http.MethodPost, "/v1/modules/create-customer", map[string]string{"connection": s.conn, "name": name}, nil)
	x.event = <-s.subscriber.took
	x.delivery = s.deliveryOf(x.event)
	return x
}

// deliveryOf is the event's only delivery.
func (s *service) deliveryOf(event string) string {
	s.t.Helper()
	var deliveries list[delivery]
	s.api(adminToken, http.MethodGet, "/v1/deliveries?event="+event, nil, &deliveries)
	return deliveries.Data[0].ID
}

// actions are what a webhook's buttons do.
var actions = []string{"pause", "resume", "rotate", "test", "detach", "retry-dead", "retry-waiting", "replay", "change"}

// paths are what a line of the table stands for, with these things in it.
func (x things) paths(at route) (method string, paths []string) {
	method, path, found := strings.Cut(at.pattern, " ")
	if !found {
		return "", nil // every other path
	}
	id := map[string]string{"connections": x.conn, "webhooks": x.hook, "events": x.event, "deliveries": x.delivery}[strings.Split(path, "/")[2]]
	path = strings.NewReplacer("{$}", "", "{id}", id, "{key}", "create-customer", "{lookup}", "customers").Replace(path)
	if !strings.Contains(path, "{action}") {
		return method, []string{path}
	}
	for _, action := range actions {
		paths = append(paths, strings.Replace(path, "{action}", action, 1))
	}
	return method, paths
}

// filled is a form that every page takes what it wants of.
func (x things) filled() url.Values {
	return url.Values{"connection_name": {"x"}, "webhook_name": {"x"}, "url": {"https://example.com/"}, "from": {"2020-01-01T00:00"}, "in.connection": {x.conn}}
}

func TestPages(t *testing.T) {
	t.Parallel()
	s := newService(t)
	b := s.signedIn(adminToken)
	b.get("/console").want(http.StatusSeeOther)
	for _, path := range []string{
		"/console/", "/console/modules", "/console/connections", "/console/connections/" + s.conn, "/console/webhooks", "/console/webhooks/new",
		"/console/events", "/console/deliveries", "/console/modules/create-refund",
	} {
		page := b.get(path).want(http.StatusOK)
		page.has("<!doctype html>", `aria-current="page"`).lacks("<script>", " style=", "onclick", "ZgotmplZ")
		csp := page.header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: Content-Security-Policy = %q", path, csp)
		}
		if got := page.header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control = %q", path, got)
		}
		for _, asset := range regexp.MustCompile(`(?:src|href)="(/console/assets/[^"]+)"`).FindAllStringSubmatch(page.body, -1) {
			if got := b.get(asset[1]).want(http.StatusOK).header.Get("Cache-Control"); !strings.Contains(got, "immutable") {
				t.Errorf("%s: Cache-Control = %q", asset[1], got)
			}
		}
		for _, link := range regexp.MustCompile(`(?:src|srcset)="(https?:[^"]+)"`).FindAllString(page.body, -1) {
			t.Errorf("%s loads %s", path, link)
		}
	}
	b.get("/console/nothing").want(http.StatusNotFound).has("There is no such page")
}

// Every module's form opens, and its empty bundle is judged by the API with every fault in the page.
func TestEveryModuleOpens(t *testing.T) {
	t.Parallel()
	s := newService(t)
	b := s.signedIn(adminToken)
	catalogue, err := modules.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range catalogue.Modules() {
		if m.Key == "watch-events" {
			b.get("/console/modules/" + m.Key).want(http.StatusSeeOther)
			continue
		}
		b.get("/console/modules/" + m.Key).want(http.StatusOK).has("/v1/modules/" + m.Key).lacks("ZgotmplZ")
		page := b.post("/console/modules/"+m.Key, url.Values{}, "HX-Request", "true").want(http.StatusOK)
		page.has(`id="module"`, "attention", "<a href=\"#in-connection\">", "is required").lacks("<!doctype")
		for _, in := range m.Inputs() {
			if in.Required && len(in.VisibleWhen) == 0 && !strings.Contains(page.body, `id="`+elementID(inPrefix+in.Name)) {
				t.Errorf("%s: the required field %s is not shown", m.Key, in.Name)
			}
		}
	}
}

func TestSigningIn(t *testing.T) {
	t.Parallel()
	s := newService(t)
	b := s.browser()
	if got := b.get("/console/connections?cursor=x").want(http.StatusSeeOther).header.Get("Location"); got != "/console/sign-in?back=%2Fconsole%2Fconnections%3Fcursor%3Dx" {
		t.Errorf("sent to %s", got)
	}
	if got := b.get("/console/overview", "HX-Request", "true").want(http.StatusOK).header.Get("HX-Redirect"); got != signIn {
		t.Errorf("a script is sent to %q, want %s", got, signIn)
	}
	current := b.get("/console/overview", "HX-Request", "true", "HX-Current-URL", s.url+"/console/events?type=invoice.paid").want(http.StatusOK)
	if got := current.header.Get("HX-Redirect"); got != signIn+"?back=%2Fconsole%2Fevents%3Ftype%3Dinvoice.paid" {
		t.Errorf("a script of the events is sent to %q", got)
	}
	for _, bad := range []string{"://", "https://evil.example/x"} {
		if got := b.get("/console/overview", "HX-Request", "true", "HX-Current-URL", bad).header.Get("HX-Redirect"); got != signIn {
			t.Errorf("a script at %s is sent to %q", bad, got)
		}
	}
	b.post(signIn, url.Values{"token": {"sc_wrong"}}).want(http.StatusUnauthorized).has("not valid").lacks("sc_wrong")
	b.post(signIn, url.Values{}).want(http.StatusUnauthorized)
	b.post(signIn, url.Values{"long": {strings.Repeat("x", publicMax)}, "token": {adminToken}}).want(http.StatusUnauthorized) // is not read

	in := b.post(signIn, url.Values{"token": {" " + adminToken + "\n"}, "back": {"/console/events"}}).want(http.StatusSeeOther)
	if got := in.header.Get("Location"); got != "/console/events" {
		t.Errorf("went to %s, want /console/events", got)
	}
	cookie := in.header.Get("Set-Cookie")
	for _, want := range []string{"HttpOnly", "SameSite=Strict", "Path=/console/"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("the cookie %q is not %s", cookie, want)
		}
	}
	if strings.Contains(cookie, "Secure") || strings.Contains(cookie, adminToken) {
		t.Errorf("cookie = %q", cookie)
	}
	if got := s.browser().post(signIn, url.Values{"token": {adminToken}}, "X-Forwarded-Proto", "https").header.Get("Set-Cookie"); !strings.Contains(got, "Secure") {
		t.Errorf("behind https the cookie is %q", got)
	}
	for _, back := range []string{"https://evil.example/", "//evil.example", "/console/\\evil", "/v1/tokens"} {
		if got := s.browser().post(signIn, url.Values{"token": {adminToken}, "back": {back}}).header.Get("Location"); got != root {
			t.Errorf("back=%s leads to %s", back, got)
		}
	}
	b.get("/console/events").want(http.StatusOK)

	out := s.signedIn(adminToken)
	out.post("/console/sign-out", nil).want(http.StatusSeeOther)
	out.get("/console/events").want(http.StatusSeeOther)
}

func TestRevokedTokenEndsTheSession(t *testing.T) {
	t.Parallel()
	s := newService(t)
	view, token, err := s.tokens.Create(t.Context(), connection.DefaultWorkspace, connection.RoleManage, "")
	if err != nil {
		t.Fatal(err)
	}
	b := s.signedIn(token)
	b.get("/console/events").want(http.StatusOK)
	if err := s.tokens.Revoke(t.Context(), connection.DefaultWorkspace, view.ID); err != nil {
		t.Fatal(err)
	}
	b.get("/console/events").want(http.StatusSeeOther)
}

func TestSessionEnds(t *testing.T) {
	t.Parallel()
	ring, err := connection.NewRing(time.Now, connection.NewKey("k1", bytes.Repeat([]byte{7}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_700_000_000, 0)
	all := newSessions(ring, func() time.Time { return now })
	begin := func() string {
		cookie, err := all.begin("sc_token")
		if err != nil {
			t.Fatal(err)
		}
		return cookie
	}
	one, other := begin(), begin()
	if got := all.find(one); got == nil || got.Token != "sc_token" || strings.Contains(one, "sc_token") {
		t.Fatalf("the session is %+v", got)
	}
	for _, bad := range []string{"", "x", one[:len(one)-2], one[:20] + "AAAA" + one[24:]} {
		if all.find(bad) != nil {
			t.Errorf("%q is a session", bad)
		}
	}
	all.end(one)
	if all.find(one) != nil || all.find(other) == nil {
		t.Error("signing out ended another session than its own")
	}
	now = now.Add(sessionTime + time.Second)
	if all.find(other) != nil {
		t.Error("the session outlived its time")
	}
	all.end(begin())
	if len(all.ended) != 1 {
		t.Errorf("%d ended sessions are remembered, want 1", len(all.ended))
	}
}

// Whoever signs in at one replica is signed in at all of them, and a message finds its page at whichever one answers.
func TestReplicasShareSessions(t *testing.T) {
	t.Parallel()
	s := newService(t)
	first := s.signedIn(adminToken)
	second := httptest.NewServer(New(s.replica))
	defer second.Close()
	there := *first
	at := *s
	at.url = second.URL
	there.service = &at
	there.get("/console/connections").want(http.StatusOK).has("Alpha")
	first.post("/console/connections/"+s.conn+"/check", nil).want(http.StatusSeeOther)
	there.get("/console/connections").want(http.StatusOK).has("Stripe takes the key.")
	there.get("/console/connections").want(http.StatusOK).lacks("Stripe takes the key.")
}

// Every change is refused without the session's token, and from another site.
func TestChangesAreMeant(t *testing.T) {
	t.Parallel()
	s := newService(t)
	hook := s.attach("Orders")
	other := s.signedIn(adminToken)
	changes := 0
	for _, at := range (&console{}).routes() {
		path, isPost := strings.CutPrefix(at.pattern, "POST ")
		if !isPost || at.role == public {
			continue
		}
		changes++
		path = strings.NewReplacer("{key}", "create-customer", "{lookup}", "customers", "{action}", "pause", "{id}", hook).Replace(path)
		b := s.signedIn(adminToken)
		b.csrf = ""
		b.post(path, url.Values{}).want(http.StatusForbidden).has("expired")
		b.post(path, url.Values{"csrf": {other.csrf}}).want(http.StatusForbidden)
		b.post(path, url.Values{}, "X-CSRF-Token", "x").want(http.StatusForbidden)
	}
	if changes < 10 {
		t.Errorf("%d changes were tried", changes)
	}
	b := s.signedIn(adminToken)
	b.post("/console/webhooks/"+hook+"/pause", nil, "Sec-Fetch-Site", "cross-site").want(http.StatusForbidden)
	b.post("/console/webhooks/"+hook+"/pause", nil, "Origin", "https://evil.example").want(http.StatusForbidden)
	b.get("/console/webhooks/" + hook).has("active")
	b.send(http.MethodPost, "/console/webhooks/"+hook+"/pause", url.Values{}, "X-CSRF-Token", b.csrf).want(http.StatusSeeOther)
	b.get("/console/webhooks/" + hook).has("paused")
}

// Who may run modules may do nothing else: neither see nor change, on whichever page.
func TestRoles(t *testing.T) {
	t.Parallel()
	s := newService(t)
	x := s.one("Orders")
	b := s.signedIn(s.newToken(connection.DefaultWorkspace, connection.RoleRun))
	if got := b.get("/console/").want(http.StatusSeeOther).header.Get("Location"); got != "/console/modules" {
		t.Errorf("a run token begins at %s", got)
	}
	b.get("/console/modules").want(http.StatusOK).lacks("/console/connections", "/console/webhooks\"", "watch-events")
	b.get("/console/modules/create-customer").want(http.StatusOK).lacks(s.conn, "Alpha")
	refused := 0
	nobody := s.browser()
	below := map[connection.Role]*browser{connection.RoleManage: b, connection.RoleAdmin: s.signedIn(s.newToken(connection.DefaultWorkspace, connection.RoleManage))}
	for _, at := range (&console{}).routes() {
		method, paths := x.paths(at)
		for _, path := range paths {
			form := x.filled()
			if at.role != public {
				to := nobody.send(method, path, form).want(http.StatusSeeOther).header.Get("Location")
				if !strings.HasPrefix(to, signIn) {
					t.Errorf("%s leads who is not signed in to %s", path, to)
				}
			}
			if b := below[at.role]; b != nil {
				refused++
				form.Set("csrf", b.csrf)
				b.send(method, path, form).want(http.StatusForbidden).lacks("Alpha", "Orders")
			}
		}
	}
	if refused < 25 {
		t.Errorf("only %d paths were tried", refused)
	}
	mine := s.signedIn(adminToken)
	mine.get("/console/webhooks/"+x.hook).want(http.StatusOK).has("Orders", "active")
	mine.get("/console/connections/" + x.conn).want(http.StatusOK).has("Alpha")
	b.post("/console/modules/create-customer", url.Values{"in.connection": {s.conn}, "in.name": {"Ann"}}, "HX-Request", "true").
		want(http.StatusOK).has(">200<", "Ann")
}

// What is another workspace's is not there, on whichever page and for whichever button.
func TestForeignIDs(t *testing.T) {
	t.Parallel()
	s := newService(t)
	x := s.one("Orders")
	mine := s.signedIn(adminToken)
	b := s.signedIn(s.newToken("elsewhere", connection.RoleAdmin))
	tried := 0
	for _, at := range (&console{}).routes() {
		if !strings.Contains(at.pattern, "{id}") {
			continue
		}
		method, paths := x.paths(at)
		for _, path := range paths {
			tried++
			if method == http.MethodGet {
				mine.get(path).want(http.StatusOK)
				b.get(path + "x").want(http.StatusNotFound)
			}
			want := http.StatusNotFound
			if strings.HasSuffix(path, "/detach") {
				want = http.StatusSeeOther // as the API: it is gone, or never was
			}
			form := x.filled()
			form.Set("csrf", b.csrf)
			b.send(method, path, form).want(want).lacks("Orders", "Alpha")
		}
	}
	if tried < 15 {
		t.Errorf("only %d paths were tried", tried)
	}
	b.post("/console/modules/create-customer", url.Values{"in.connection": {s.conn}}).want(http.StatusOK).has(">404<")
	b.post("/console/lookups/customers", url.Values{"in.connection": {s.conn}, "lookup.field": {"customer"}}).want(http.StatusOK).lacks("Orders")
	for _, path := range []string{
		"/console/", "/console/overview", "/console/connections", "/console/webhooks", "/console/webhooks?connection=" + s.conn, "/console/webhooks/new", "/console/events",
		"/console/deliveries", "/console/deliveries?webhook=" + x.hook, "/console/modules/create-customer",
	} {
		b.get(path).want(http.StatusOK).lacks(">Orders", ">Alpha", x.event, x.delivery)
	}
	mine.get("/console/webhooks/"+x.hook).want(http.StatusOK).has("Orders", "active")
	mine.get("/console/connections/" + x.conn).want(http.StatusOK).has("Alpha")
}

// What people and Stripe write is text on every page.
func TestScriptsStayText(t *testing.T) {
	t.Parallel()
	s := newService(t)
	const evil = `<script>alert(1)</script>"'><img src=x onerror=alert(1)>`
	s.subscriber.answer(http.StatusBadRequest, evil)
	b := s.signedIn(adminToken)
	raw := []string{"<script>alert", "<img src=x", `"'><img`}
	x := things{conn: s.conn}
	b.post("/console/connections/"+s.conn, url.Values{"connection_name": {evil}}).want(http.StatusSeeOther)
	b.post("/console/connections", url.Values{"connection_name": {strings.Repeat(evil, 20)}, "key": {evil}}).want(http.StatusUnprocessableEntity).lacks(raw...)
	x.hook = s.attach(evil, "customer.created", "plan.created")
	b.post("/console/modules/create-customer", url.Values{
		"in.connection": {s.conn}, "in.name": {evil}, "in.metadata[0].key": {"note"}, "in.metadata[0].value": {evil},
	}).want(http.StatusOK).has(">200<").lacks(raw...)
	// Merchants choose the ids of plans themselves.
	plan, err := json.Marshal(map[string]string{"id": evil, "object": "plan"})
	if err != nil {
		t.Fatal(err)
	}
	if x.event, err = s.stripe.Account(stripetest.Key).Emit("plan.created", string(plan)); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		<-s.subscriber.took // two events, and the second attempts, after which they are dead
	}
	b.await("/console/deliveries?state=dead", x.event)
	x.delivery = s.deliveryOf(x.event)
	paths := []string{
		"/console/events?type=" + url.QueryEscape(evil), "/console/events?object=" + url.QueryEscape(evil), "/console/events?from=" + url.QueryEscape(evil),
		"/console/deliveries?event=" + url.QueryEscape(evil), "/console/deliveries?id=" + url.QueryEscape(evil), "/console/deliveries?state=" + url.QueryEscape(evil),
		"/console/deliveries?state=dead", "/console/webhooks?connection=" + url.QueryEscape(evil), "/console/webhooks?state=active&x=" + url.QueryEscape(evil),
		"/console/sign-in?back=" + url.QueryEscape(evil),
	}
	for _, at := range (&console{}).routes() {
		if method, more := x.paths(at); method == http.MethodGet {
			paths = append(paths, more...)
		}
	}
	for _, path := range paths {
		for _, script := range []string{"false", "true"} {
			page := b.get(path, "HX-Request", script).lacks(raw...)
			if page.status != http.StatusOK && page.status != http.StatusNoContent {
				t.Errorf("%s = %d", path, page.status)
			}
		}
	}
	b.get("/console/events/"+x.event).has("&lt;script&gt;alert(1)", "/console/events?object=%3Cscript%3E")
	b.get("/console/events?object=" + url.QueryEscape(evil)).has(x.event)
	b.post("/console/lookups/customers", url.Values{"in.connection": {s.conn}, "lookup.field": {"customer"}}, "HX-Request", "true").
		want(http.StatusOK).has("&lt;script&gt;").lacks("<script>", "<img")
}

// await gets a page until it has the text.
func (b *browser) await(path, text string) shown {
	b.t.Helper()
	for {
		if page := b.get(path).want(http.StatusOK); strings.Contains(page.body, text) {
			return page
		}
		if err := b.t.Context().Err(); err != nil {
			b.t.Fatal(err)
		}
	}
}

func TestModuleForm(t *testing.T) {
	t.Parallel()
	s := newService(t)
	b := s.signedIn(adminToken)
	const script, path = "HX-Request", "/console/modules/"

	// A choice brings its fields, and another one takes them away.
	bare := b.post(path+"create-payment-intent/form", url.Values{"in.connection": {s.conn}}, script, "true").want(http.StatusOK)
	bare.has(`id="in-amount"`).lacks("<!doctype")

	// Sections are folded away until something in them is given, or wrong.
	const section = `<details class="section" id="in-shipping-address-line1-section"`
	b.get(path + "create-customer").has(section + ">")
	b.post(path+"create-customer/form", url.Values{"in.shipping.address.city": {"Rotterdam"}}, script, "true").has(section + " open>")
	b.post(path+"create-customer", url.Values{"in.connection": {s.conn}, "in.shipping.address.city": {"Rotterdam"}}, script, "true").
		has(section+" open>", `href="#in-shipping-name"`)

	// Faults stand at their fields, and what was typed stays.
	wrong := b.post(path+"create-payment-intent", url.Values{"in.connection": {s.conn}, "in.amount": {"12.5"}, "in.currency": {"euros"}}, script, "true").want(http.StatusOK)
	wrong.has(`value="12.5"`, `href="#in-amount"`, `href="#in-currency"`, `aria-invalid="true"`, ">422<")
	if n := strings.Count(wrong.body, "autofocus"); n != 1 {
		t.Errorf("%d fields have the focus, want 1", n)
	}

	// Rows are added and dropped; empty ones do not count.
	rows := b.post(path+"create-customer/form", url.Values{"in.connection": {s.conn}, "add": {"metadata"}}, script, "true").want(http.StatusOK)
	rows.has(`name="in.metadata[0].key"`)
	rows = b.post(path+"create-customer/form", url.Values{"in.metadata[0].key": {"a"}, "in.metadata[1].key": {"b"}, "drop": {"metadata[0]"}}, script, "true").want(http.StatusOK)
	rows.has(`name="in.metadata[0].key" value="b"`).lacks(`metadata[1]`)

	ran := b.post(path+"create-customer", url.Values{
		"in.connection": {s.conn}, "in.name": {"Ann O'Hara"}, "in.metadata[3].key": {"crm"}, "in.metadata[3].value": {"42"}, "in.metadata[5].key": {""},
	}, script, "true").want(http.StatusOK)
	ran.has(">200<", "Ann O", "Idempotency key", "curl &#39;http://", "&#34;crm&#34;: &#34;42&#34;", `O&#39;\&#39;&#39;Hara`)

	b.post(path+"create-customer/curl", url.Values{"in.name": {"Cleo"}}, script, "true").want(http.StatusOK).has("&#34;name&#34;: &#34;Cleo&#34;").lacks("<html")

	// Details without a field of their own have rows, once the choice that takes them is made.
	b.get(path + "create-payment-intent").lacks("Further details")
	b.get(path + "confirm-payment-intent").has("in-payment_method_data-metadata").lacks("Further details")
	open := url.Values{"in.connection": {s.conn}, "in.amount": {"100"}, "in.currency": {"eur"}, "in.payment_method_mode": {"create"}, "in.payment_method_data.type": {"sepa_debit"}}
	b.post(path+"create-payment-intent", open, script, "true").want(http.StatusOK).has("Further details", "sepa_debit.iban is required", ">422<")
	open.Set("in.payment_method_data.*[0].key", "sepa_debit.iban")
	open.Set("in.payment_method_data.*[0].value", "DE89370400440532013000")
	b.post(path+"create-payment-intent", open, script, "true").want(http.StatusOK).has("DE89370400440532013000").lacks("iban is required")

	found := b.post(path+"list-all-customers", url.Values{"in.connection": {s.conn}, "in.limit": {"1"}}, script, "true").want(http.StatusOK)
	found.has(">200<", "Bundles")

	// Without scripts the same is a page.
	b.post(path+"create-customer", url.Values{"in.connection": {s.conn}, "in.name": {"Ben"}}).want(http.StatusOK).has("<!doctype html>", ">200<")
	b.get(path + "no-such-module").want(http.StatusNotFound)

	// A newer connection in live mode is marked, and not the one that is offered first.
	b.post("/console/connections", url.Values{"connection_name": {"Real"}, "key": {stripetest.KeyLive}}).want(http.StatusSeeOther)
	b.get(path+"create-customer").has(`value="`+s.conn+`" selected>`, ` data-live>Real`)
}

func TestLookup(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.stripe.Account(stripetest.Key).Seed("customer", 150, func(i int) map[string]any { return map[string]any{"name": fmt.Sprintf("Customer %03d", i)} })
	b := s.signedIn(adminToken)
	look := func(typed string) shown {
		return b.post("/console/lookups/customers", url.Values{"in.connection": {s.conn}, "in.customer": {typed}, "lookup.field": {"customer"}}, "HX-Request", "true").want(http.StatusOK)
	}
	if got := strings.Count(look("").body, `role="option"`); got != maxOffers {
		t.Errorf("%d offers, want %d", got, maxOffers)
	}
	look("customer 003").has("Customer 003").lacks("Customer 004") // on the second page of Stripe's list
	look("nobody").has("Nothing found")
	s.stripe.Account(stripetest.Key).Seed("invoice", 4, func(i int) map[string]any { return map[string]any{"status": []string{"draft", "open"}[i%2]} })
	b.get("/console/modules/finalize-draft-invoice").has(`lookup.status&#34;:&#34;draft`)
	fits := b.post("/console/lookups/invoices", url.Values{"in.connection": {s.conn}, "lookup.field": {"invoice"}, "lookup.status": {"draft"}}, "HX-Request", "true")
	if got := strings.Count(fits.want(http.StatusOK).body, `data-value="in_`); got != 2 {
		t.Errorf("%d drafts, want 2: %s", got, fits.body)
	}
	b.post("/console/lookups/customers", url.Values{"lookup.field": {"customer"}}).want(http.StatusOK).has("Choose a connection first")
	b.post("/console/lookups/nothing", nil).want(http.StatusNotFound)
}

func TestConnections(t *testing.T) {
	t.Parallel()
	s := newService(t)
	b := s.signedIn(adminToken)
	const secret = "sk_test_beta_very_secret_part"
	page := b.post("/console/connections", url.Values{"connection_name": {"Beta"}, "key": {stripetest.KeyRevoked}}).want(http.StatusUnprocessableEntity)
	page.has("refused by Stripe", `value="Beta"`).lacks(stripetest.KeyRevoked)
	added := b.follow("/console/connections", url.Values{"connection_name": {"Beta"}, "key": {secret}})
	added.has("Beta is connected", "part").lacks(secret)
	b.get("/console/connections").lacks("is connected") // it is said once

	at := "/console/connections/" + s.conn
	b.follow(at, url.Values{"connection_name": {"Renamed"}}).has("Renamed")
	b.follow(at+"/check", nil).has("Stripe takes the key")
	b.post(at, url.Values{"key": {stripetest.KeyOther}}).want(http.StatusUnprocessableEntity).has("same account").lacks(stripetest.KeyOther)
	b.follow(at, url.Values{"key": {stripetest.Key}}).has("The key is replaced")

	s.stripe.Revoke(stripetest.Key)
	b.follow(at+"/check", nil).has("Stripe refuses the key")
	b.get("/console/").want(http.StatusOK).has("Stripe refuses the key of Renamed", "Re-authorize")
	b.follow(at+"/delete", nil).has("deleted").lacks("Renamed")
	b.get(at).want(http.StatusNotFound)
}

func TestRevokedKeyIsFound(t *testing.T) {
	t.Parallel()
	s := newService(t)
	b := s.signedIn(adminToken)
	b.get("/console/").lacks("Stripe refuses")
	s.stripe.Revoke(stripetest.Key)
	if got := b.get("/console/keys", "HX-Request", "true").want(http.StatusNoContent).header.Get("HX-Trigger"); got != "checked" {
		t.Errorf("the page is told %q", got)
	}
	b.get("/console/overview").has("Stripe refuses the key of Alpha", "/console/connections/"+s.conn+"#key")
}

// A subscriber that takes nothing is shown before anything is given up, and what waits can be sent at once.
func TestFailingWebhook(t *testing.T) {
	t.Parallel()
	s := newService(t, time.Hour)
	s.subscriber.answer(http.StatusBadGateway, "down")
	at := "/console/webhooks/" + s.attach("Orders", "customer.created")
	b := s.signedIn(adminToken)
	for range failingAfter {
		b.post("/console/modules/create-customer", url.Values{"in.connection": {s.conn}}).want(http.StatusOK)
		<-s.subscriber.took
	}
	for noted := 0; noted < failingAfter; { // until the store has noted them all
		var waiting list[delivery]
		s.api(adminToken, http.MethodGet, "/v1/deliveries?state=pending", nil, &waiting)
		noted = 0
		for _, d := range waiting.Data {
			noted += d.Attempts
		}
	}
	b.get("/console/overview").has("<title>(1) Overview", "Orders is failing", fmt.Sprintf("the last %d attempts failed", failingAfter), "502 Bad Gateway", at+"/retry-waiting")
	b.get("/console/webhooks").has("failing")
	b.get(at).has("Orders is failing", "0 %")
	s.subscriber.answer(http.StatusOK, "")
	b.follow(at+"/retry-waiting", url.Values{"back": {root}}).has("5 deliveries are tried again now.")
	b.await("/console/overview", "5 delivered").lacks("is failing")
	b.await("/console/deliveries?state=pending", "No delivery fits")
	b.follow(at+"/retry-waiting", nil).has("Nothing waits")
}

// What Stripe stopped sending is first in the list, with the button that mends it.
func TestEndpointIsMended(t *testing.T) {
	t.Parallel()
	s := newService(t)
	hook := s.attach("Orders", "customer.created")
	s.attach("Ledger", "customer.created")
	w, err := s.db.Webhook(t.Context(), connection.DefaultWorkspace, hook)
	if err != nil {
		t.Fatal(err)
	}
	account := s.stripe.Account(stripetest.Key)
	account.Set(account.IDs("webhook_endpoint")[0], map[string]any{"status": "disabled"})
	_, err = s.db.UpdateEndpoint(t.Context(), w.Workspace, w.Endpoint, func(e *store.Endpoint) error {
		e.State, e.Reason = store.EndpointDisabled, "it could not be enabled"
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	b := s.signedIn(adminToken)
	mend := "/console/connections/" + s.conn + "/mend"
	b.get("/console/").has("Stripe does not send events for Ledger and 1 other", "disabled: it could not be enabled", mend)
	b.follow(mend, nil).has("Stripe sends events again").lacks("does not send events")
	b.get("/console/webhooks/"+hook).has("What was mended at Stripe", "enabled", "Compared with Stripe")
	b.follow(mend, nil).has("Nothing had to be mended")
	b.post("/console/connections/conn_nothing/mend", nil).want(http.StatusNotFound)

	s.stripe.Revoke(stripetest.Key)
	b.follow(mend, nil).has("could not be mended")
	b.get("/console/webhooks/" + hook).has("Next try <time")
}

// What much hangs on comes first.
func TestConcernsByRank(t *testing.T) {
	t.Parallel()
	status := http.StatusServiceUnavailable
	line := webhookLine{watched: watched{webhook: webhook{ID: "whk_1", Name: "Orders", State: "active"}}, Dead: tally{N: 3, Failed: &delivery{LastStatus: &status}}}
	buttons := func() string {
		var text strings.Builder
		for _, c := range concerns(line) {
			fmt.Fprint(&text, c.Rank, c.Buttons, ";")
		}
		return text.String()
	}
	const retry = "{/console/webhooks/whk_1/retry-dead Retry all dead}"
	tests := []struct {
		name string
		set  func()
		want string
	}{
		{"dead", func() {}, fmt.Sprint(rankDead) + " [" + retry + "];"},
		{"dead and retried", func() {
			line.Job = &jobView{Job: webhooks.Job{Kind: webhooks.JobRetryDead, State: webhooks.JobRunning}}
		}, fmt.Sprint(rankDead) + " [];"},
		{"failing", func() { line.State, line.Job = "failing", nil }, fmt.Sprint(rankFailing) + " [{/console/webhooks/whk_1/test Send a test} " + retry + "];"},
		{"failing with a backlog", func() { line.Backlog.N = 2 }, fmt.Sprint(rankFailing) + " [{/console/webhooks/whk_1/retry-waiting Try what waits now} " + retry + "];"},
		{"disabled", func() { line.State = "disabled" }, fmt.Sprint(rankDisabled) + " [{/console/webhooks/whk_1/resume Resume}];" + fmt.Sprint(rankDead) + " [" + retry + "];"},
		{"paused", func() { line.State, line.Dead = "paused", tally{} }, fmt.Sprint(rankPaused) + " [{/console/webhooks/whk_1/resume Resume}];"},
		{"paused and idle", func() { line.Backlog.N = 0 }, ""},
	}
	for _, tt := range tests {
		if tt.set(); buttons() != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, buttons(), tt.want)
		}
	}
	if (concern{Rank: rankPaused}).Bad() || !(concern{Rank: rankFailing}).Bad() {
		t.Error("what somebody wanted is bad, or what fails is not")
	}
}

// The operations URL is an admin's to set, try and delete, and its secret is shown once.
func TestOperations(t *testing.T) {
	t.Parallel()
	s := newService(t)
	b := s.signedIn(adminToken)
	b.get("/console/webhooks").want(http.StatusOK).has("Operations URL", ">Set<").lacks("/console/operations/test")
	b.post("/console/operations", url.Values{"url": {"ftp://x"}}).want(http.StatusUnprocessableEntity).has(`value="ftp://x"`, "must begin with https://")
	b.follow("/console/operations", url.Values{"url": {s.subscriber.URL}}).has("whsec_", `value="`+s.subscriber.URL+`"`, ">Change<")
	b.get("/console/webhooks").lacks("whsec_")
	b.follow("/console/operations", url.Values{"url": {s.subscriber.URL + "/other"}}).has(s.subscriber.URL + "/other").lacks("whsec_")
	b.follow("/console/operations/test", nil).has("The subscriber took the test", "connector.test")
	<-s.subscriber.took
	b.follow("/console/operations/rotate", nil).has("whsec_")
	b.post("/console/operations/nothing", nil).want(http.StatusNotFound)

	manager := s.signedIn(s.newToken(connection.DefaultWorkspace, connection.RoleManage))
	manager.get("/console/webhooks").want(http.StatusOK).lacks("Operations URL", s.subscriber.URL)
	manager.post("/console/operations", url.Values{"url": {s.subscriber.URL}}).want(http.StatusForbidden)
	manager.post("/console/operations/delete", nil).want(http.StatusForbidden)
	stranger := s.signedIn(s.newToken("elsewhere", connection.RoleAdmin))
	stranger.get("/console/webhooks").want(http.StatusOK).lacks(s.subscriber.URL)
	stranger.post("/console/operations/test", nil).want(http.StatusNotFound)
	stranger.post("/console/operations/rotate", nil).want(http.StatusNotFound)
	stranger.post("/console/operations/delete", nil).want(http.StatusSeeOther)

	b.follow("/console/operations/delete", nil).has("is deleted", ">Set<").lacks(s.subscriber.URL)
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	s := newService(t)
	b := s.signedIn(adminToken)
	form := func() url.Values {
		return url.Values{"webhook_name": {"Orders"}, "connection": {s.conn}, "url": {s.subscriber.URL}, "scope": {"some"}, "event": {"customer.created", "invoice.paid"}}
	}
	none := form()
	none.Del("event")
	b.post("/console/webhooks", none).want(http.StatusUnprocessableEntity).has("at least one", `value="Orders"`)
	bad := form()
	bad.Set("url", "ftp://x")
	b.post("/console/webhooks", bad).want(http.StatusUnprocessableEntity).has(`value="customer.created" checked`, "URL")

	location := b.post("/console/webhooks", form()).want(http.StatusSeeOther).header.Get("Location")
	b.get(location).want(http.StatusOK).has("whsec_", "Orders", "customer.created", "we_")
	b.get(location).want(http.StatusOK).lacks("whsec_")
	b.follow("/console/webhooks", form()).has("attached already")
	b.get("/console/webhooks").has("Orders")

	b.follow(location+"/test", nil).has("The subscriber took the test")
	<-s.subscriber.took
	s.subscriber.answer(http.StatusTeapot, "no coffee")
	b.follow(location+"/test", nil).has("did not take the test", "418", "no coffee")
	<-s.subscriber.took
	b.follow(location+"/rotate", nil).has("whsec_")
	b.follow(location+"/pause", nil).has("Paused")
	b.follow(location+"/resume", nil).has("Resumed")
	b.post(location+"/change", url.Values{"webhook_name": {"Orders"}, "url": {"ftp://x"}}).want(http.StatusUnprocessableEntity).has(`value="ftp://x"`, "<details class=\"card\" open>")
	b.follow(location+"/change", url.Values{"webhook_name": {"Purchases"}, "url": {s.subscriber.URL}}).has("The webhook is changed", "Purchases")
	b.follow(location+"/change", url.Values{"webhook_name": {"Orders"}, "url": {s.subscriber.URL}}).has("Orders")
	b.post(location+"/nothing", nil).want(http.StatusNotFound)

	// It fails until it is given up; the overview has the button that mends it.
	b.post("/console/modules/create-customer", url.Values{"in.connection": {s.conn}}).want(http.StatusOK)
	event := <-s.subscriber.took
	<-s.subscriber.took
	b.await(location, "1 delivery is dead for Orders").has(location + "/retry-dead")
	b.get("/console/").has("1 delivery is dead for Orders", location+"/retry-dead")
	b.get("/console/deliveries?state=dead").has("Retry all dead of Orders", location+"/retry-dead")
	b.get("/console/deliveries").lacks("/retry-dead")
	b.get("/console/events/"+event).has("418", "no coffee", "Given up")
	s.subscriber.answer(http.StatusOK, "")
	b.follow(location+"/retry-dead", url.Values{"back": {"/console/"}}).has("queued again")
	if got := <-s.subscriber.took; got != event {
		t.Errorf("%s was delivered, want %s", got, event)
	}
	b.await("/console/deliveries?state=delivered", event)

	b.post(location+"/replay", url.Values{"from": {"yesterday"}}).want(http.StatusUnprocessableEntity).has("must be a date")
	b.await(location, "done") // the job before this one
	b.follow(location+"/replay", url.Values{"from": {"2020-01-01T00:00"}, "types": {"customer.created"}}).has("The replay has begun", "<strong>Replay</strong>")
	if got := <-s.subscriber.took; got != event {
		t.Errorf("%s was replayed, want %s", got, event)
	}
	b.await(location, "1 of 1 queued")
	b.get(location, "HX-Request", "true").want(http.StatusOK).has("1 of 1 queued").lacks("<!doctype", "Rotate")

	b.follow(location+"/detach", nil).has("deleted")
	b.get(location).want(http.StatusNotFound)
}

func TestFilters(t *testing.T) {
	t.Parallel()
	s := newService(t)
	hook := s.attach("Orders", "customer.created", "product.created")
	b := s.signedIn(adminToken)
	b.post("/console/modules/create-customer", url.Values{"in.connection": {s.conn}, "in.name": {"Ann"}}).want(http.StatusOK)
	ann := <-s.subscriber.took
	b.post("/console/modules/create-customer", url.Values{"in.connection": {s.conn}, "in.name": {"Ben"}}).want(http.StatusOK)
	ben := <-s.subscriber.took
	var customers struct{ Bundles []struct{ ID, Name string } }
	s.api(adminToken, http.MethodPost, "/v1/modules/list-all-customers", map[string]string{"connection": s.conn}, &customers)
	id := customers.Bundles[0].ID
	want, other := ben, ann
	if customers.Bundles[0].Name == "Ann" {
		want, other = ann, ben
	}
	b.get("/console/events?object=" + id).want(http.StatusOK).has(want).lacks(other)
	b.get("/console/events").has(`href="/console/events?object=` + id)
	b.get("/console/events/" + want).has(`href="/console/events?object=` + id)
	b.get("/console/deliveries?id=" + id).want(http.StatusOK).has(want).lacks(other)
	b.get("/console/events?object=cus_nobody").want(http.StatusOK).has("No event is about this object")
	b.get("/console/events?type=product.created").want(http.StatusOK).lacks(ann, ben)
	b.get("/console/events?type=customer.created").want(http.StatusOK).has(ann, ben, "every 2s")
	b.get("/console/events?from=2999-01-01T00:00").want(http.StatusOK).lacks(ann)
	b.get("/console/events?from=never").want(http.StatusOK).has("must be a date")
	b.get("/console/events?live=off").want(http.StatusOK).lacks("every 2s")
	b.get("/console/webhooks?connection=" + s.conn).want(http.StatusOK).has("Orders")
	b.get("/console/webhooks?connection=conn_other").want(http.StatusOK).has("No webhook uses this connection").lacks("Orders")
	b.get("/console/events?cursor=x").want(http.StatusOK)
	b.get("/console/events", "HX-Request", "true").want(http.StatusOK).has(ann).lacks("<html")
	if got := b.get("/console/events?object=" + ann).want(http.StatusSeeOther).header.Get("Location"); got != "/console/events/"+ann {
		t.Errorf("an event id leads to %s", got)
	}
	b.get("/console/deliveries?webhook=" + hook + "&event=" + ann).want(http.StatusOK).has(ann).lacks(ben + "<")
	b.get("/console/deliveries?state=dead").want(http.StatusOK).lacks(ann)
	b.await("/console/deliveries?state=delivered", ben)
	b.await("/console/overview", "2 delivered")
}

func TestTheme(t *testing.T) {
	t.Parallel()
	b := newService(t).browser()
	b.get(signIn).lacks("data-theme")
	b.post("/console/theme", url.Values{"theme": {"dark"}, "back": {signIn}}).want(http.StatusSeeOther)
	b.get(signIn).has(`data-theme="dark"`)
	b.post("/console/theme", url.Values{"theme": {`"><script>`}}).want(http.StatusSeeOther)
	b.get(signIn).lacks("data-theme")
}
