package webhooks

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/time/rate"

	"stripe-connector/internal/store"
	"stripe-connector/internal/stripeapi"
	"stripe-connector/internal/stripetest"
)

var (
	seeds    = flag.Int("seeds", 40, "how many seeds TestSimulation runs")
	onlySeed = flag.Uint64("seed", 0, "the one seed that TestSimulation runs")
)

const (
	simTrouble  = 3 * time.Hour  // how long things go wrong
	simRecovery = 14 * time.Hour // how long they then go well: the longest that a keeper waits, and twice that
	simPublic   = "https://connector.example"
)

var simTypes = []string{"customer.created", "customer.deleted", "customer.updated"}

// TestSimulation runs the event line against a Stripe, subscribers, users and a machine that all misbehave as a seed says: the
// process ends at calls, the store is away, requests and answers are lost or come twice or late, endpoints are deleted and
// changed in the dashboard, the clock jumps. Then all is well for half a day. What has to hold meanwhile and in the end stands
// in world.acknowledged, world.attempt and world.check.
func TestSimulation(t *testing.T) {
	t.Parallel()
	first, n := uint64(1), *seeds
	if *onlySeed != 0 {
		first, n = *onlySeed, 1
	}
	for seed := first; seed < first+uint64(n); seed++ {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			defer func() {
				if t.Failed() {
					t.Logf("to run it again: go test ./webhooks -run 'TestSimulation$' -seed %d", seed)
				}
			}()
			synctest.Test(t, func(t *testing.T) { simulate(t, seed) })
		})
	}
}

// world is everything outside the process, and what the model knows of it.
type world struct {
	t    *testing.T
	seed uint64
	disk *simStore

	mu       sync.Mutex
	calm     bool
	draws    map[string]int
	skew     time.Duration // of the process's clock
	now      *process      // nil while none runs
	stripe   simStripe
	wanted   map[string]map[string]time.Time // webhook to type to since when it is surely wanted
	flying   map[string]int                  // "URL event" to attempts under way; each webhook has its own URL
	accepted map[string]bool                 // "URL event" that the subscriber answered with 2xx
	moods    map[string]string               // subscriber to how it behaves
	moved    map[string]bool                 // URLs of webhooks that may have moved: both endpoints may send them an event
	under    sync.WaitGroup
}

// chance draws by seed, by what it is for, and by how many times that was drawn: what happens beside it changes little.
func (w *world) chance(kind string, oneIn uint64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calm {
		return false
	}
	w.draws[kind]++
	h := fnv.New64a()
	fmt.Fprintf(h, "%d/%s/%d", w.seed, kind, w.draws[kind])
	return rand.New(rand.NewPCG(h.Sum64(), w.seed)).Uint64N(oneIn) == 0
}

func simulate(t *testing.T, seed uint64) {
	t.Helper()
	w := &world{
		t: t, seed: seed, draws: map[string]int{}, wanted: map[string]map[string]time.Time{}, flying: map[string]int{},
		accepted: map[string]bool{}, moods: map[string]string{}, moved: map[string]bool{},
	}
	key, err := tagSeal{}.Seal("conn_1", store.PurposeKey, []byte(stripetest.Key))
	if err != nil {
		t.Fatal(err)
	}
	w.disk = newSimStore(store.Connection{ID: "conn_1", Workspace: workspace, Name: "Shop", Key: key})
	w.stripe = simStripe{world: w, answers: map[string]string{}}

	end := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.supervise(end)
	}()
	script := rand.New(rand.NewPCG(seed, 1))
	for began := time.Now(); time.Since(began) < simTrouble; {
		time.Sleep(time.Duration(script.Int64N(int64(4 * time.Minute))))
		w.step(script)
	}
	w.mu.Lock()
	w.calm, w.skew = true, 0
	clear(w.moods)
	w.mu.Unlock()
	time.Sleep(time.Hour) // until a process surely runs
	for _, hook := range w.hooks() {
		_, _ = w.process().service.Resume(t.Context(), workspace, hook.ID)
	}
	time.Sleep(simRecovery)
	w.check()
	close(end)
	<-done
	w.under.Wait()
}

// step does one thing that users, Stripe, subscribers or the machine may do at any time.
func (w *world) step(script *rand.Rand) {
	types := script.Perm(len(simTypes))[:1+script.IntN(len(simTypes))]
	events := make([]string, len(types))
	for i, n := range types {
		events[i] = simTypes[n]
	}
	slices.Sort(events)
	subscriber := script.IntN(4)
	what, which := script.IntN(20), script.IntN(1000)
	hooks := w.hooks()
	var hook string
	if len(hooks) > 0 {
		hook = hooks[which%len(hooks)].ID
	}
	p, ctx := w.process(), context.Background()
	switch {
	case what < 9:
		for n := range 1 + which%5 {
			w.stripe.emit(simTypes[(types[0]+n)%len(simTypes)])
		}
	case what == 9:
		w.stripe.tamper(which)
	case what == 10:
		moods := []string{"well", "fails", "hangs", "slow", "busy", "forgets"}
		w.mu.Lock()
		w.moods[strconv.Itoa(subscriber)] = moods[which%len(moods)]
		w.mu.Unlock()
	case what == 11:
		w.mu.Lock()
		w.skew = time.Duration(script.Int64N(int64(8*time.Minute))) - 4*time.Minute
		w.mu.Unlock()
	case p == nil:
	case what == 12:
		p.die()
	case what == 13 && hook != "":
		w.doubt(hook, simTypes) // It may go through, whatever the answer says.
		_ = p.service.Detach(ctx, workspace, hook)
	case what == 14 && hook != "" && which%3 == 0: // it moves, and misses nothing
		version := []string{"", "2020-08-27", "2024-06-20"}[which/3%3]
		w.mu.Lock()
		w.moved[hooks[which%len(hooks)].URL] = true
		w.mu.Unlock()
		if _, err := p.service.Patch(ctx, workspace, hook, Change{APIVersion: &version}); err != nil {
			w.doubt(hook, simTypes) // It may have moved, and lack what only the other endpoint has.
		}
	case what == 14 && hook != "":
		before := hooks[which%len(hooks)].EventTypes
		changed, err := p.service.Patch(ctx, workspace, hook, Change{Events: &events})
		if err != nil {
			w.doubt(hook, slices.DeleteFunc(slices.Concat(before, events), func(typ string) bool {
				return slices.Contains(before, typ) && slices.Contains(events, typ)
			}))
			return
		}
		w.doubt(hook, slices.DeleteFunc(slices.Clone(before), func(typ string) bool { return slices.Contains(events, typ) }))
		w.expect(changed.Webhook)
	case what == 15 && hook != "":
		_, _ = p.service.RollEndpoint(ctx, workspace, hook)
	case what == 16 && hook != "":
		if _, err := p.service.Pause(ctx, workspace, hook); err == nil && which%2 == 0 {
			_, _ = p.service.Resume(ctx, workspace, hook)
		}
	case what == 17:
		_, _ = p.service.Reconcile(ctx, workspace, "conn_1")
	default:
		attached, err := p.service.Attach(ctx, workspace, Attachment{
			Name: "Hook", Connection: "conn_1", Group: "customer", Events: events, URL: fmt.Sprintf("https://%d.example/%d", subscriber, script.Uint32()),
		})
		if err == nil && attached.Created {
			w.expect(attached.Webhook)
		}
	}
}

func (w *world) hooks() []store.Webhook {
	list, _ := w.disk.Webhooks(context.Background(), workspace, store.WebhookFilter{}, store.Page{}) // never fails
	return list.Data
}

// expect notes what a webhook surely gets from now on. Its Since is by the clock of the process, which may be ahead.
func (w *world) expect(hook store.Webhook) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.wanted[hook.ID] == nil {
		w.wanted[hook.ID] = map[string]time.Time{}
	}
	for _, typ := range hook.EventTypes {
		if _, known := w.wanted[hook.ID][typ]; !known {
			since := time.Now()
			if hook.Since.After(since) {
				since = hook.Since
			}
			w.wanted[hook.ID][typ] = since
		}
	}
}

// doubt takes back what a webhook surely gets.
func (w *world) doubt(hook string, types []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, typ := range types {
		delete(w.wanted[hook], typ)
	}
}

// A process is one life of the connector. Once it is dead nothing that it still does has an effect.
type process struct {
	*world

	service    *Service
	receiver   *Receiver
	dispatcher *Dispatcher

	dead chan struct{}
	die  func()

	locks sync.Map
}

var errDead = fmt.Errorf("%w: the process is dead", store.ErrUnavailable)

func (w *world) process() *process {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// supervise runs one process after the other until the end.
func (w *world) supervise(end <-chan struct{}) {
	for n := 0; ; n++ {
		p := &process{world: w, dead: make(chan struct{})}
		p.die = sync.OnceFunc(func() { close(p.dead) })
		clock := func() time.Time {
			w.mu.Lock()
			defer w.mu.Unlock()
			return time.Now().Add(w.skew)
		}
		client, err := stripeapi.New(stripeapi.Config{
			BaseURL: "https://stripe.example", RateTest: float64(rate.Inf), Budget: 35 * time.Second, Transport: roundTripper(p.toStripe),
			Now: time.Now, Log: zerolog.Nop(),
		})
		if err != nil {
			w.t.Error(err)
			return
		}
		deliverer := NewDeliverer(30*time.Second, true, clock)
		deliverer.transport = roundTripper(p.toSubscriber)
		access := &mortal{process: p}
		p.dispatcher = NewDispatcher(DispatcherConfig{
			Store: access, Secrets: tagSeal{}, Deliverer: deliverer, Schedule: Schedule{5 * time.Second, time.Minute, 10 * time.Minute, time.Hour},
			Grace: time.Second, Now: time.Now, Random: func() float64 { return 0.5 }, Log: zerolog.Nop(),
		})
		p.receiver = NewReceiver(ReceiverConfig{Store: access, Secrets: tagSeal{}, Dispatcher: p.dispatcher, Now: clock, Log: zerolog.Nop()})
		p.service = NewService(ServiceConfig{
			Store: access, Stripe: client, Secrets: tagSeal{}, Deliverer: deliverer, PublicURL: simPublic, Now: clock, Log: zerolog.Nop(),
		})
		keeper := NewKeeper(KeeperConfig{Service: p.service, Receiver: p.receiver, Interval: 5 * time.Minute, Retention: 720 * time.Hour})
		ctx, stop := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { p.dispatcher.Run(ctx) })
		running.Go(func() { keeper.Run(ctx) })
		w.mu.Lock()
		w.now = p
		w.mu.Unlock()
		var ended bool
		select {
		case <-p.dead:
		case <-end:
			ended = true
		}
		w.mu.Lock()
		w.now = nil
		w.mu.Unlock()
		stop()
		running.Wait()
		p.service.Close()
		if ended {
			return
		}
		w.disk.restart()
		time.Sleep(time.Duration(n%5) * 3 * time.Minute)
	}
}

// do makes an effect of a process happen, or not, and may end the process before or after it.
func (p *process) do(kind string, effect func()) error {
	select {
	case <-p.dead:
		return errDead
	default:
	}
	switch {
	case p.chance("die before "+kind, 150):
		p.die()
		return errDead
	case p.chance("refuse "+kind, 60):
		return store.ErrUnavailable
	}
	effect()
	if p.chance("die after "+kind, 150) {
		p.die()
	}
	select {
	case <-p.dead:
		return errDead
	default:
		return nil
	}
}

// toStripe is the way of a process to Stripe.
func (p *process) toStripe(r *http.Request) (*http.Response, error) {
	select {
	case <-p.dead:
		return nil, errDead
	default:
	}
	kind := r.Method + " stripe"
	switch {
	case p.chance("die before "+kind, 80):
		p.die()
		return nil, errDead
	case p.chance("lose "+kind, 30):
		return nil, io.ErrUnexpectedEOF
	case p.chance("break "+kind, 30):
		return respond(http.StatusInternalServerError), nil
	case p.chance("late "+kind, 40):
		select {
		case <-time.After(50 * time.Second):
		case <-r.Context().Done():
			if p.chance("late for nothing "+kind, 2) {
				return nil, r.Context().Err()
			}
		}
	}
	answer := p.stripe.serve(r)
	switch {
	case p.chance("die after "+kind, 80):
		p.die()
		return nil, errDead
	case p.chance("lose the answer of "+kind, 30):
		return nil, io.ErrUnexpectedEOF
	case p.chance("garble "+kind, 60):
		answer.Body = io.NopCloser(strings.NewReader("upstream connect error"))
	}
	return answer, r.Context().Err()
}

// toSubscriber is the way of a process to a subscriber.
func (p *process) toSubscriber(r *http.Request) (*http.Response, error) {
	select {
	case <-p.dead:
		return nil, errDead
	default:
	}
	if p.chance("die before POST", 100) {
		p.die()
		return nil, errDead
	}
	status := p.attempt(p, r)
	if p.chance("die after POST", 100) {
		p.die()
	}
	select {
	case <-p.dead:
		return nil, errDead
	default:
	}
	switch status {
	case 0:
		return nil, errors.Join(io.ErrUnexpectedEOF, r.Context().Err())
	case http.StatusTooManyRequests:
		return respond(status, "Retry-After", "90"), nil
	}
	return respond(status), nil
}

// attempt is one POST at a subscriber; 0 means that it did not answer. No event is ever at a subscriber twice at once.
func (w *world) attempt(p *process, r *http.Request) int {
	subscriber, _, _ := strings.Cut(r.URL.Host, ".")
	key := r.URL.String() + " " + r.Header.Get("Webhook-Id")
	w.mu.Lock()
	mood := w.moods[subscriber]
	w.flying[key]++
	if w.flying[key] > 1 && !w.moved[r.URL.String()] {
		w.t.Errorf("event %s is at %s twice at once", r.Header.Get("Webhook-Id"), r.URL)
	}
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.flying[key]--
	}()
	wait, status := time.Second, http.StatusOK
	switch mood {
	case "fails":
		status = http.StatusInternalServerError
	case "hangs":
		wait, status = time.Hour, 0
	case "slow":
		wait = 20 * time.Second
	case "busy":
		status = http.StatusTooManyRequests
	}
	select {
	case <-time.After(wait):
	case <-r.Context().Done():
		return 0
	case <-p.dead:
		return 0
	}
	if status == http.StatusOK {
		w.mu.Lock()
		w.accepted[key] = true
		w.mu.Unlock()
	}
	if mood == "forgets" { // It has the event, and we are not told.
		return 0
	}
	return status
}

// simStripe is the part of Stripe that the event line uses.
type simStripe struct {
	*world

	endpoints []*simEndpoint // newest first
	events    []simEvent     // newest first
	answers   map[string]string
	made      int
}

type simEndpoint struct {
	ID       string            `json:"id"`
	Object   string            `json:"object"`
	URL      string            `json:"url"`
	Status   string            `json:"status"`
	Events   []string          `json:"enabled_events"`
	Metadata map[string]string `json:"metadata"`
	Secret   string            `json:"secret,omitempty"`
	Version  string            `json:"api_version,omitempty"`
}

type simEvent struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Type    string `json:"type"`
	Created int64  `json:"created"`
	Live    bool   `json:"livemode"`
}

// serve answers one request.
func (s *simStripe) serve(r *http.Request) *http.Response {
	s.mu.Lock()
	defer s.mu.Unlock()
	form := r.URL.Query()
	if r.Body != nil {
		body, _ := io.ReadAll(r.Body)
		sent, _ := url.ParseQuery(string(body))
		maps.Copy(form, sent)
	}
	answer := func(status int, v any) *http.Response {
		body, err := json.Marshal(v)
		if err != nil {
			s.t.Error(err)
		}
		res := respond(status)
		res.Body = io.NopCloser(strings.NewReader(string(body)))
		return res
	}
	id := strings.TrimPrefix(r.URL.Path, "/v1/webhook_endpoints/")
	at := slices.IndexFunc(s.endpoints, func(e *simEndpoint) bool { return e.ID == id })
	var types []string
	for i := 0; form.Has(fmt.Sprintf("enabled_events[%d]", i)); i++ {
		types = append(types, form.Get(fmt.Sprintf("enabled_events[%d]", i)))
	}
	switch {
	case r.URL.Path == "/v1/events":
		return answer(200, s.listEvents(form))
	case r.URL.Path == "/v1/webhook_endpoints" && r.Method == http.MethodGet:
		list := make([]simEndpoint, len(s.endpoints))
		for i, e := range s.endpoints {
			list[i] = *e
			list[i].Secret = ""
		}
		return answer(200, map[string]any{"object": "list", "data": list, "has_more": false})
	case r.URL.Path == "/v1/webhook_endpoints":
		key := r.Header.Get("Idempotency-Key")
		if before := s.answers[key]; before != "" {
			res := respond(200, "Idempotent-Replayed", "true")
			res.Body = io.NopCloser(strings.NewReader(before))
			return res
		}
		if len(s.endpoints) >= 16 {
			return answer(400, map[string]any{"error": map[string]string{
				"type": "invalid_request_error", "message": "You have reached the maximum of 16 test webhook endpoints.",
			}})
		}
		s.made++
		e := &simEndpoint{
			ID: fmt.Sprintf("we_%d", s.made), Object: "webhook_endpoint", URL: form.Get("url"), Status: "enabled", Events: types,
			Metadata: map[string]string{endpointMark: form.Get("metadata[" + endpointMark + "]")}, Secret: fmt.Sprintf("whsec_%d", s.made),
			Version: form.Get("api_version"),
		}
		s.endpoints = slices.Insert(s.endpoints, 0, e)
		body, err := json.Marshal(e)
		if err != nil {
			s.t.Error(err)
		}
		s.answers[key] = string(body)
		return answer(200, e)
	case at < 0:
		return answer(404, map[string]any{"error": map[string]string{"type": "invalid_request_error", "code": "resource_missing"}})
	case r.Method == http.MethodDelete:
		s.endpoints = slices.Delete(s.endpoints, at, at+1)
		return answer(200, map[string]any{"id": id, "object": "webhook_endpoint", "deleted": true})
	case r.Method == http.MethodPost:
		e := s.endpoints[at]
		e.URL, e.Events = form.Get("url"), types
		if form.Get("disabled") == "false" {
			e.Status = "enabled"
		}
	}
	return answer(200, s.endpoints[at])
}

func (s *simStripe) listEvents(form url.Values) any {
	since, _ := strconv.ParseInt(form.Get("created[gte]"), 10, 64)
	var types []string
	for i := 0; form.Has(fmt.Sprintf("types[%d]", i)); i++ {
		types = append(types, form.Get(fmt.Sprintf("types[%d]", i)))
	}
	list, more, after := []simEvent{}, false, form.Get("starting_after")
	for _, e := range s.events {
		switch {
		case after != "":
			if e.ID == after {
				after = ""
			}
		case e.Created < since, len(types) > 0 && !slices.Contains(types, e.Type):
		case len(list) == 3: // pages are small, so that there are some
			more = true
		default:
			list = append(list, e)
		}
	}
	return map[string]any{"object": "list", "data": list, "has_more": more}
}

// emit makes an event happen, and sends it to the endpoints that want it.
func (s *simStripe) emit(typ string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := simEvent{ID: fmt.Sprintf("evt_%d", len(s.events)+1), Object: "event", Type: typ, Created: time.Now().Unix()}
	s.events = slices.Insert(s.events, 0, e)
	body, err := json.Marshal(e)
	if err != nil {
		s.t.Error(err)
	}
	for _, to := range s.endpoints {
		if to.Status == "enabled" && (slices.Contains(to.Events, typ) || slices.Contains(to.Events, allEvents)) {
			secret, pool := to.Secret, to.URL[strings.LastIndexByte(to.URL, '/')+1:]
			s.under.Go(func() { s.post(pool, secret, e.ID, body) })
		}
	}
}

// post sends an event to the receiver until it is acknowledged, or Stripe gives up.
func (s *simStripe) post(pool, secret, event string, body []byte) {
	for _, wait := range []time.Duration{0, time.Minute, 20 * time.Minute, time.Hour} {
		time.Sleep(wait)
		for again := true; again; again = s.chance("send twice", 20) {
			p := s.process()
			if p == nil || s.chance("lose event", 6) {
				continue
			}
			_, err := p.receiver.Receive(context.Background(), pool, stripetest.Sign(secret, body, time.Now()), whole(body))
			select {
			case <-p.dead: // after which it can answer nothing
				continue
			default:
			}
			if err == nil {
				s.acknowledged(pool, event)
				if !s.chance("lose acknowledgement", 20) {
					return
				}
			}
		}
	}
}

// acknowledged holds the line to its promise: what Stripe is told 200 for is in the store.
func (w *world) acknowledged(pool, event string) {
	w.disk.mu.Lock()
	defer w.disk.mu.Unlock()
	if w.disk.events[[2]string{pool, event}] == nil {
		w.t.Errorf("event %s was acknowledged and is not stored", event)
	}
}

// tamper does what somebody in the dashboard, or Stripe itself, may do to an endpoint.
func (s *simStripe) tamper(which int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.endpoints) == 0 {
		return
	}
	i := which % len(s.endpoints)
	switch which % 4 {
	case 0:
		s.endpoints = slices.Delete(s.endpoints, i, i+1)
	case 1:
		s.endpoints[i].Status = "disabled"
	case 2:
		s.endpoints[i].Events = []string{"payout.paid"}
	case 3:
		s.endpoints[i].URL = "https://elsewhere.example/stripe/ep_x"
	}
}

// check judges the end: Stripe and the store agree, and every event came to whom it was promised.
func (w *world) check() {
	w.disk.mu.Lock()
	defer w.disk.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	want, got := map[string][]string{}, map[string][]string{}
	for _, hook := range w.disk.webhooks {
		e, err := w.disk.endpoint(hook.Endpoint)
		if err != nil {
			w.t.Errorf("webhook %s has no endpoint", hook.ID)
			continue
		}
		id := e.StripeID + " " + e.ID
		want[id] = union(append(want[id], hook.EventTypes...))
	}
	if len(w.disk.endpoints) != len(want) {
		w.t.Errorf("%d endpoints are stored, %d are wanted", len(w.disk.endpoints), len(want))
	}
	for _, e := range w.stripe.endpoints {
		if e.Status == "enabled" {
			got[e.ID+" "+strings.TrimPrefix(e.URL, simPublic+"/stripe/")] = union(e.Events)
		}
	}
	if fmt.Sprint(want) != fmt.Sprint(got) || len(got) != len(w.stripe.endpoints) {
		w.t.Errorf("Stripe has %v of %d endpoints, want %v", got, len(w.stripe.endpoints), want)
	}
	fates := map[string]store.DeliveryState{}
	for _, r := range w.disk.rows {
		if fate := fates[r.Webhook+" "+r.Event]; fate != store.DeliveryDelivered {
			fates[r.Webhook+" "+r.Event] = r.State
		}
		hook, err := w.disk.webhook(r.Webhook)
		if err != nil {
			continue
		}
		if r.State == store.DeliveryDelivered && !w.accepted[hook.URL+" "+r.Event] {
			w.t.Errorf("event %s is noted as delivered, and %s never took it", r.Event, hook.URL)
		}
	}
	for hook, types := range w.wanted {
		for _, e := range w.stripe.events {
			since, wanted := types[e.Type]
			if !wanted || !time.Unix(e.Created, 0).After(since) {
				continue
			}
			switch fate := fates[hook+" "+e.ID]; fate {
			case store.DeliveryDelivered, store.DeliveryDead:
			default:
				w.t.Errorf("event %s of %s is %q at webhook %s, which wanted it since %s", e.ID, time.Unix(e.Created, 0), fate, hook, since)
			}
		}
	}
}
