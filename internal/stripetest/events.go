package stripetest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Sign makes the Stripe-Signature header for a body, see https://docs.stripe.com/webhooks#verify-manually.
func Sign(secret string, body []byte, at time.Time) string {
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(stamp + "."))
	mac.Write(body)
	return "t=" + stamp + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// eventName is the first part of the types of a kind's events.
func eventName(kind string) string {
	switch kind {
	case "tax_id", "subscription", "discount":
		return "customer." + kind
	case "card", "bank_account", "source":
		return "customer.source"
	}
	if name, ok := strings.CutPrefix(kind, "issuing."); ok {
		return "issuing_" + name
	}
	return kind
}

// event records that something happened to an object and sends it to the endpoints that want it. Types that Stripe
// does not have are no events. Server.mu must be held.
func (sp *space) event(typ string, fields, previous map[string]any, q *request) {
	if !sp.server.spec.events()[typ] {
		return
	}
	data := map[string]any{"object": fields}
	if len(previous) > 0 {
		data["previous_attributes"] = previous
	}
	by := map[string]any{"id": nil, "idempotency_key": nil}
	if q != nil {
		if by["id"] = q.id; q.key != "" {
			by["idempotency_key"] = q.key
		}
	}
	sp.raise(map[string]any{
		"id":          newID("evt_1", 23),
		"object":      "event",
		"api_version": APIVersion,
		"created":     sp.server.now().Unix(),
		"data":        data,
		"livemode":    sp.livemode,
		"request":     by,
		"type":        typ,
	})
}

// raise stores an event and sends it.
func (sp *space) raise(event map[string]any) string {
	typ := text(event["type"])
	event["pending_webhooks"] = len(sp.listeners(typ))
	o := sp.insert("event", event, extras{})
	sp.send(o, false)
	return o.id
}

// listener is an endpoint that wants an event, and the account it belongs to.
type listener struct {
	space *space
	id    string
}

// listeners returns the endpoints that want events of a type: the account's own, and the Connect endpoints of the
// platforms that it is connected to.
func (sp *space) listeners(typ string) []listener {
	var found []listener
	from := func(owner *space, connect bool) {
		for _, o := range owner.shelves["webhook_endpoint"] {
			if o.connect != connect || o.fields["status"] != "enabled" {
				continue
			}
			if wanted, _ := o.fields["enabled_events"].([]any); slices.Contains(wanted, any("*")) || slices.Contains(wanted, any(typ)) {
				found = append(found, listener{owner, o.id})
			}
		}
	}
	from(sp, false)
	for platform := range sp.platforms {
		from(platform, true)
	}
	return found
}

// send hands an event to the mail, once for each endpoint that wants it, even while delivery is off if always.
func (sp *space) send(event *object, always bool) {
	var parcels []parcel
	for _, to := range sp.listeners(text(event.fields["type"])) {
		endpoint := to.space.objects[to.id]
		body := event.raw
		version := text(endpoint.fields["api_version"])
		if foreign := to.space != sp; foreign || version != "" && version != text(event.fields["api_version"]) {
			fields := clone(event.fields)
			if foreign {
				fields["account"] = sp.account
			}
			if version != "" {
				fields["api_version"] = version
			}
			body = encode(fields)
		}
		parcels = append(parcels, parcel{server: sp.server, to: to, event: event.id, typ: text(event.fields["type"]), body: body})
	}
	sp.server.mail.post(heldEvent{sp, event.id}, parcels, always)
}

// Emit makes an event of a type about an object given as JSON, or about a stored one given by its id, sends it, and
// returns its id. Any type will do.
func (a *Account) Emit(typ, object string) (string, error) {
	a.server.mu.Lock()
	defer a.server.mu.Unlock()
	var fields map[string]any
	if o := a.space.objects[object]; o != nil {
		fields = o.fields
	} else {
		var err error
		if fields, err = decode([]byte(object)); err != nil {
			return "", err
		}
	}
	return a.space.raise(map[string]any{
		"id": newID("evt_1", 23), "object": "event", "api_version": APIVersion, "created": a.server.now().Unix(),
		"data": map[string]any{"object": fields}, "livemode": a.space.livemode,
		"request": map[string]any{"id": nil, "idempotency_key": nil}, "type": typ,
	}), nil
}

// Send delivers stored events again, or for the first time, to the endpoints that want them now.
func (a *Account) Send(events ...string) error {
	a.server.mu.Lock()
	defer a.server.mu.Unlock()
	for _, id := range events {
		o := a.space.live("event", id)
		if o == nil {
			return fmt.Errorf("sending event %s: there is none", id)
		}
		a.space.send(o, true)
	}
	return nil
}

// Secret returns the signing secret of a webhook endpoint, "" if there is none.
func (a *Account) Secret(endpoint string) string {
	a.server.mu.Lock()
	defer a.server.mu.Unlock()
	if o := a.space.live("webhook_endpoint", endpoint); o != nil {
		return o.secret
	}
	return ""
}

// SetDelivery switches the delivery of events on or off. Events that happen while it is off are listed and not
// delivered; SendHeld delivers them.
func (s *Server) SetDelivery(on bool) { s.mail.setHold(!on) }

// SendHeld delivers the events that happened while delivery was off, in order.
func (s *Server) SendHeld() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.mail.takeHeld() {
		if o := h.space.live("event", h.event); o != nil {
			h.space.send(o, true)
		}
	}
}

// Flush waits until every event was delivered or given up.
func (s *Server) Flush(ctx context.Context) error { return s.mail.flush(ctx) }

// Delivery is one attempt to deliver an event.
type Delivery struct {
	Event, Type, Endpoint string
	Attempt               int // 1 for the first
	Status                int // 0 if there was no answer
}

// Deliveries returns the attempts so far, in order of their ends.
func (s *Server) Deliveries() []Delivery {
	s.mail.mu.Lock()
	defer s.mail.mu.Unlock()
	return slices.Clone(s.mail.log)
}

// parcel is one event on its way to one endpoint.
type parcel struct {
	server     *Server
	to         listener
	event, typ string
	body       []byte
}

// address looks up where the parcel goes now; ok is false if its endpoint has gone or was disabled.
func (p parcel) address() (url, secret string, ok bool) {
	p.server.mu.Lock()
	defer p.server.mu.Unlock()
	o := p.to.space.live("webhook_endpoint", p.to.id)
	if o == nil || o.fields["status"] != "enabled" {
		return "", "", false
	}
	return text(o.fields["url"]), o.secret, true
}

// mailers is how many deliveries run at once.
const mailers = 32

// mail delivers parcels. It owns its goroutines: as many as there is work for, up to mailers.
type mail struct {
	ctx    context.Context //nolint:containedctx // the life of the server, which every delivery shares
	client *http.Client
	waits  []time.Duration
	limit  int
	now    func() time.Time
	wg     sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	hold    bool
	held    []heldEvent
	queue   []parcel
	workers int
	pending int
	idle    chan struct{} // closed when pending is 0; nil if nobody waits
	log     []Delivery
}

type heldEvent struct {
	space *space
	event string
}

func newMail(ctx context.Context, opts Options) *mail {
	return &mail{
		ctx: ctx, waits: opts.RetryWaits, limit: max(0, opts.MaxCalls), now: opts.Now, hold: opts.HoldEvents,
		client: &http.Client{
			Transport:     &http.Transport{MaxIdleConnsPerHost: mailers, IdleConnTimeout: 30 * time.Second},
			Timeout:       20 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

func (m *mail) post(event heldEvent, parcels []parcel, always bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	if m.hold && !always {
		m.held = append(m.held, event)
		return
	}
	m.queue = append(m.queue, parcels...)
	m.pending += len(parcels)
	for m.workers < min(mailers, m.pending) {
		m.workers++
		m.wg.Go(m.work)
	}
}

func (m *mail) setHold(hold bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hold = hold
}

func (m *mail) takeHeld() []heldEvent {
	m.mu.Lock()
	defer m.mu.Unlock()
	held := m.held
	m.held = nil
	return held
}

func (m *mail) work() {
	for {
		m.mu.Lock()
		if len(m.queue) == 0 {
			m.workers--
			m.mu.Unlock()
			return
		}
		p := m.queue[0]
		m.queue = m.queue[1:]
		m.mu.Unlock()

		m.deliver(p)

		m.mu.Lock()
		m.pending--
		if m.pending == 0 && m.idle != nil {
			close(m.idle)
			m.idle = nil
		}
		m.mu.Unlock()
	}
}

// deliver posts a parcel until it is taken, its endpoint has gone, or the attempts are used up.
func (m *mail) deliver(p parcel) {
	for attempt := 1; m.ctx.Err() == nil; attempt++ {
		url, secret, ok := p.address()
		if !ok {
			return
		}
		status := m.attempt(p, url, secret)
		m.mu.Lock()
		if len(m.log) < m.limit {
			m.log = append(m.log, Delivery{Event: p.event, Type: p.typ, Endpoint: p.to.id, Attempt: attempt, Status: status})
		}
		m.mu.Unlock()
		if status/100 == 2 || attempt > len(m.waits) {
			return
		}
		wait := time.NewTimer(m.waits[attempt-1])
		select {
		case <-wait.C:
		case <-m.ctx.Done():
			wait.Stop()
		}
	}
}

func (m *mail) attempt(p parcel, url, secret string) (status int) {
	r, err := http.NewRequestWithContext(m.ctx, http.MethodPost, url, bytes.NewReader(p.body))
	if err != nil {
		return 0
	}
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	r.Header.Set("User-Agent", "Stripe/1.0 (+https://stripe.com/docs/webhooks)")
	r.Header.Set("Stripe-Signature", Sign(secret, p.body, m.now()))
	response, err := m.client.Do(r)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10)) // so that the connection can be used again
	return response.StatusCode
}

func (m *mail) flush(ctx context.Context) error {
	m.mu.Lock()
	if m.pending == 0 {
		m.mu.Unlock()
		return nil
	}
	if m.idle == nil {
		m.idle = make(chan struct{})
	}
	idle := m.idle
	m.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for deliveries: %w", ctx.Err())
	}
}

// wait returns when no delivery runs any more. The context of the mail must have ended.
func (m *mail) wait() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.wg.Wait()
	m.client.CloseIdleConnections()
}
