package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"stripe-connector/internal/store/postgres/pgtest"
	"stripe-connector/internal/stripetest"
)

// newReplicas prepares two connectors on one PostgreSQL database.
func newReplicas(t *testing.T, stripe *stripetest.Server, db *pgtest.Server, settings ...string) (a, b *program) {
	t.Helper()
	a = newProgram(t, stripe, append([]string{
		"DATABASE_URL=" + db.URL("postgres"), "SECRET_KEYS=k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
	}, settings...)...)
	return a, a.replica()
}

// A balancer spreads requests over the replicas that were ready when it last asked. Like a Service of Kubernetes it makes one
// attempt and no other: a replica that stops has to hear whatever comes until the balancer has noticed.
type balancer struct {
	client *http.Client

	mu    sync.Mutex
	ready map[string]bool // by host
	hosts []string
	turn  int
}

// newBalancer makes a balancer that asks the replicas again and again until the test ends.
func newBalancer(t *testing.T, replicas ...*program) *balancer {
	t.Helper()
	b := &balancer{client: newClient(t), ready: make(map[string]bool)}
	var asking sync.WaitGroup
	t.Cleanup(asking.Wait)
	for _, p := range replicas {
		host := strings.TrimPrefix(p.url, "http://")
		b.hosts = append(b.hosts, host)
		asking.Go(func() { b.watch(p, host) })
	}
	b.has(t, len(replicas))
	return b
}

func (b *balancer) watch(p *program, host string) {
	ctx := p.t.Context()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for ctx.Err() == nil {
		ready := p.ready()
		b.mu.Lock()
		b.ready[host] = ready
		b.mu.Unlock()
		select {
		case <-again.C:
		case <-ctx.Done():
		}
	}
}

// has returns when so many replicas are known to be ready.
func (b *balancer) has(t *testing.T, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d replicas are ready", n), func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.in()) == n
	})
}

// in lists the hosts that are ready. The lock must be held.
func (b *balancer) in() []string {
	return slices.DeleteFunc(slices.Clone(b.hosts), func(host string) bool { return !b.ready[host] })
}

func (b *balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	b.mu.Lock()
	in := b.in()
	b.turn++
	turn := b.turn
	b.mu.Unlock()
	if len(in) == 0 {
		return nil, errors.New("no replica is ready")
	}
	r = r.Clone(r.Context())
	r.URL.Host = in[turn%len(in)]
	return b.client.Transport.RoundTrip(r)
}

// sender takes over from Stripe as a program's does, through the balancer.
func (b *balancer) sender(p *program, stripe *stripetest.Server, w webhook) *sender {
	p.t.Helper()
	s := p.sender(stripe, stripetest.Key, w)
	s.client = &http.Client{Transport: b, Timeout: patience}
	return s
}

// An acknowledged event reaches every subscriber though a replica is killed with events and deliveries under way, and then
// the database is.
func TestKillReplicaAndDatabase(t *testing.T) {
	t.Parallel()
	const perSecond = 300
	part := scaled(600)
	db := pgtest.Need(t)
	stripe := stripetest.New(t)
	a, b := newReplicas(t, stripe, db, "RETRY_SCHEDULE=50ms*20", "DELIVERY_TIMEOUT=1s")
	running := a.start()
	victim := b.start()
	conn := a.connect(stripetest.Key)
	subscribers := []*subscriber{newSubscriber(t, nil), newSubscriber(t, nil), newSubscriber(t, failing(1, http.StatusInternalServerError))}
	hooks := make([]webhook, len(subscribers))
	for i, sub := range subscribers {
		hooks[i] = a.attach(conn, sub.url, "invoice.paid")
	}

	l := startLoad(t, newBalancer(t, a, b).sender(a, stripe, hooks[0]), "evt", "invoice.paid", perSecond)
	l.until(t, part)
	victim.kill()
	killed := time.Now()
	l.until(t, 2*part)
	t.Logf("in spite of a killed replica: %v", l)

	must(t, db.Kill())
	eventually(t, "the survivor says that it is not ready", func() bool { return !a.ready() })
	status, header, err := a.sender(stripe, stripetest.Key, hooks[0]).send(t.Context(), event("evt_away", "invoice.paid"))
	must(t, err)
	if status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" {
		t.Errorf("without the database, receive answered %d with Retry-After %q, want 503 with one", status, header.Get("Retry-After"))
	}
	must(t, db.Launch())
	back := time.Now()
	eventually(t, "the survivor is ready again", a.ready)
	t.Logf("ready %v after the database was back", time.Since(back).Round(time.Millisecond))
	l.until(t, 3*part)
	acked := l.stop()

	for i, sub := range subscribers {
		sub.has(t, acked...)
		a.drained(hooks[i].ID)
		events, arrivals := sub.count()
		t.Logf("subscriber %d: %d events, %d arrivals", i, events, arrivals)
		for _, id := range acked {
			for _, arrived := range sub.of(id) {
				arrived.verify(t, id, hooks[i].SigningSecret)
			}
		}
	}
	t.Logf("%d events acknowledged (%s), %d attempts failed; all was delivered %v after the kill", len(acked), spread(l.took), l.refused,
		time.Since(killed).Round(time.Second))
	running.stop()
}

// Replicas that are replaced one after the other refuse nothing and lose nothing.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	const perSecond = 300
	part := scaled(400)
	db := pgtest.Need(t, "fsync=off")
	stripe := stripetest.New(t)
	a, b := newReplicas(t, stripe, db, "RETRY_SCHEDULE=50ms*20", "SHUTDOWN_DELAY=3s")
	first, second := a.start(), b.start()
	conn := a.connect(stripetest.Key)
	subscribers := []*subscriber{newSubscriber(t, nil), newSubscriber(t, nil), newSubscriber(t, nil)}
	hooks := make([]webhook, len(subscribers))
	for i, sub := range subscribers {
		hooks[i] = b.attach(conn, sub.url, "invoice.paid")
	}
	lb := newBalancer(t, a, b)
	l := startLoad(t, lb.sender(a, stripe, hooks[0]), "evt", "invoice.paid", perSecond)
	l.until(t, part)
	second.stop()
	second = b.start()
	lb.has(t, 2)
	l.until(t, 2*part)
	first.stop()
	first = a.start()
	lb.has(t, 2)
	l.until(t, 3*part)
	l.mu.Lock()
	refused, why := l.refused, l.why // later ones are those that stopping cuts
	l.mu.Unlock()
	acked := l.stop()
	if refused > 0 {
		t.Errorf("%d attempts to send failed, want none; the last with %s", refused, why)
	}
	for i, sub := range subscribers {
		sub.has(t, acked...)
		a.drained(hooks[i].ID)
	}
	events, arrivals := subscribers[0].count()
	t.Logf("%d events acknowledged (%s); the first subscriber saw %d in %d arrivals", len(acked), spread(l.took), events, arrivals)
	first.stop()
	second.stop()
}

// What is done at one replica holds at the other.
func TestReplicasAgree(t *testing.T) {
	t.Parallel()
	db := pgtest.Need(t, "fsync=off")
	stripe := stripetest.New(t)
	a, b := newReplicas(t, stripe, db)

	// Both migrate at once, and begin before the database is there.
	must(t, db.Kill())
	var migrating []*exec.Cmd
	for _, p := range []*program{a, b} {
		cmd, log := p.command(t.Context(), "migrate"), &transcript{changed: make(chan struct{})}
		cmd.Stdout, cmd.Stderr = log, log
		must(t, cmd.Start())
		log.await(t, "waiting for the database")
		migrating = append(migrating, cmd)
	}
	must(t, db.Launch())
	for _, cmd := range migrating {
		if err := cmd.Wait(); err != nil {
			t.Errorf("migrate: %v\n%s", err, cmd.Stderr)
		}
	}
	started := []*process{a.start(), b.start()}

	// Two attaches at two replicas make one endpoint.
	conn := a.connect(stripetest.Key)
	target := newSubscriber(t, nil)
	hooks := make([]webhook, 2)
	var attaching sync.WaitGroup
	for i, p := range []*program{a, b} {
		attaching.Go(func() {
			r, err := p.try(t.Context(), http.MethodPost, watchEvents, form(conn, target.url, twentyTypes[i]))
			if err == nil {
				err = json.Unmarshal(r.body, &hooks[i])
			}
			if err != nil || r.status != http.StatusCreated {
				t.Errorf("attaching: %d %v %s", r.status, err, r.body)
			}
		})
	}
	attaching.Wait()
	if t.Failed() {
		return
	}
	if got, want := enabled(t, stripe, stripetest.Key), twentyTypes[:2]; !slices.Equal(got, want) {
		t.Errorf("Stripe sends %q, want %q", got, want)
	}

	// Each replica takes events for webhooks that were attached at the other.
	atA, atB := a.sender(stripe, stripetest.Key, hooks[1]), b.sender(stripe, stripetest.Key, hooks[0])
	atA.accept(t, event("evt_1", twentyTypes[1]))
	atB.accept(t, event("evt_2", twentyTypes[0]))
	target.has(t, "evt_1", "evt_2")

	// A pause at one holds at the other, and so does its end.
	a.call(http.MethodPost, "/v1/webhooks/"+hooks[0].ID+"/pause", nil).want(http.StatusOK)
	atB.accept(t, event("evt_3", twentyTypes[0]))
	atB.accept(t, event("evt_4", twentyTypes[1]))
	target.has(t, "evt_4")
	if waiting := b.deliveries(hooks[0].ID, url.Values{"state": {"pending"}}); len(waiting) != 1 || waiting[0].Attempts != 0 {
		t.Errorf("while paused, got deliveries %+v, want one that was not tried", waiting)
	}
	b.call(http.MethodPost, "/v1/webhooks/"+hooks[0].ID+"/resume", nil).want(http.StatusOK)
	target.has(t, "evt_3")

	// A new signing secret is used by both.
	var rotated webhook
	a.call(http.MethodPost, "/v1/webhooks/"+hooks[0].ID+"/rotate-secret", nil).want(http.StatusOK).into(&rotated)
	atB.accept(t, event("evt_5", twentyTypes[0]))
	target.has(t, "evt_5")
	target.of("evt_5")[0].verify(t, "evt_5", rotated.SigningSecret)

	// What becomes of a webhook at one is told at the URL that was set at the other.
	operator := newSubscriber(t, nil)
	var operations webhook
	a.call(http.MethodPut, "/v1/operations", object{"url": operator.url}).want(http.StatusCreated).into(&operations)
	target.now(answering(http.StatusGone))
	atB.accept(t, event("evt_6", twentyTypes[0]))
	var told string
	operator.until(t, "a webhook is disabled", func() bool {
		for told = range operator.arrivals {
		}
		return told != ""
	})
	disabled := operator.of(told)[0]
	disabled.verify(t, told, operations.SigningSecret)
	if text := string(disabled.body); !strings.Contains(text, "connector.webhook.disabled") || !strings.Contains(text, hooks[0].ID) {
		t.Errorf("told %s, want that %s is disabled", text, hooks[0].ID)
	}

	// A token that is revoked at one is soon refused by the other.
	var made struct{ ID, Token string }
	a.call(http.MethodPost, "/v1/tokens", object{"role": "run", "name": "x"}).want(http.StatusCreated).into(&made)
	guest := *b
	guest.token = made.Token
	guest.call(http.MethodGet, "/v1/modules", nil).want(http.StatusOK)
	a.call(http.MethodDelete, "/v1/tokens/"+made.ID, nil).want(http.StatusNoContent)
	revoked := time.Now()
	eventually(t, "the other replica refuses the revoked token", func() bool {
		return guest.call(http.MethodGet, "/v1/modules", nil).status == http.StatusUnauthorized
	})
	t.Logf("a revoked token was refused by the other replica after %v", time.Since(revoked).Round(10*time.Millisecond))

	for _, s := range started {
		s.stop()
	}
}

// What was kept in SQLite goes on in PostgreSQL: the connection, the webhook, the log, and what is still to be delivered.
func TestCopyToPostgreSQL(t *testing.T) {
	t.Parallel()
	db := pgtest.Need(t, "fsync=off")
	stripe := stripetest.New(t)
	p := newProgram(t, stripe)
	s := p.start()
	target := newSubscriber(t, nil)
	w := p.attach(p.connect(stripetest.Key), target.url, "invoice.paid")
	from := p.sender(stripe, stripetest.Key, w)
	from.accept(t, event("evt_before", "invoice.paid"))
	target.has(t, "evt_before")
	p.drained(w.ID)
	p.call(http.MethodPost, "/v1/webhooks/"+w.ID+"/pause", nil).want(http.StatusOK)
	from.accept(t, event("evt_waiting", "invoice.paid"))

	args := []string{"copy", "--from", "sqlite:" + p.database(), "--to", db.URL("postgres")}
	if got := p.run(args...); got.code == 0 || !strings.Contains(got.stderr, "another process") {
		t.Errorf("copying while serve runs: %+v, want a refusal", got)
	}
	s.stop()
	got := p.run(args...)
	if got.code != 0 {
		t.Fatalf("copying: %+v", got)
	}
	for _, want := range []string{"events", "deliveries", "secret.key"} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("copy printed %q, which does not mention %s", got.stdout, want)
		}
	}
	if again := p.run(args...); again.code == 0 || !strings.Contains(again.stderr, "in use") {
		t.Errorf("copying again: %+v, want a refusal", again)
	}

	key, err := os.ReadFile(filepath.Join(p.dir, "secret.key"))
	must(t, err)
	p.set("DATABASE_URL="+db.URL("postgres"), "SECRET_KEYS="+strings.TrimSpace(string(key)))
	s = p.start()
	p.settled(w.ID, "evt_before", "delivered")
	p.call(http.MethodPost, "/v1/webhooks/"+w.ID+"/resume", nil).want(http.StatusOK)
	from.accept(t, event("evt_after", "invoice.paid"))
	target.has(t, "evt_waiting", "evt_after")
	for _, id := range []string{"evt_waiting", "evt_after"} {
		target.of(id)[0].verify(t, id, w.SigningSecret)
	}
	s.stop()
}
