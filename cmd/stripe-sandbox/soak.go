package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"stripe-connector/internal/child"
	"stripe-connector/internal/stripetest"
)

// soak is one run of the soak command: a steady load on a real connector with default settings and SQLite, which is
// watched from outside.
type soak struct {
	length    time.Duration
	events    int    // per second
	calls     int    // of modules, per second
	connector string // path of the binary, see child.Connector
	stdout    io.Writer
	stderr    io.Writer
}

func (s *soak) run(ctx context.Context) (err error) {
	if s.length < time.Second || s.events < 1 || s.calls < 1 {
		return errors.New("a soak takes a second or more, with an event and a call or more in each")
	}
	path := child.Connector(s.connector)
	version, err := exec.CommandContext(ctx, path, "version").Output() //nolint:gosec // the program that the caller named is what this is for
	if err != nil {
		return fmt.Errorf("asking the connector for its version: %w", err)
	}
	stripe, err := startSandbox(ctx, "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer stripe.Close()
	data, err := os.MkdirTemp("", "stripe-connector-")
	if err != nil {
		return fmt.Errorf("making a folder for the database: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	listen, err := child.FreeAddress(ctx, "127.0.0.1")
	if err != nil {
		return err
	}
	w := &walk{base: "http://" + listen, token: "sc_" + rand.Text() + rand.Text(), stripeKey: stripetest.Key, out: io.Discard}
	log := &lines{to: s.stderr}
	c, err := child.Start(ctx, w.base, []string{
		"CONNECTOR_LISTEN=" + listen,
		"CONNECTOR_PUBLIC_URL=" + w.base,
		"CONNECTOR_STRIPE_API_BASE=" + stripe.URL,
		"CONNECTOR_DATABASE_URL=sqlite:" + filepath.Join(data, "connector.db"),
		"CONNECTOR_ADMIN_TOKEN=" + w.token,
		"CONNECTOR_ALLOW_PRIVATE_TARGETS=true",
		"CONNECTOR_LOG_LEVEL=warn",
	}, log, path, "serve")
	if err != nil {
		return err
	}
	defer c.Stop()

	l := &load{walk: w, pid: c.PID()}
	defer l.close()
	err = whileAlive(ctx, c, func(ctx context.Context) error {
		if err := l.prepare(ctx, stripe.Account(stripetest.Key)); err != nil {
			return err
		}
		fmt.Fprintf(s.stdout, "%s: %d events/s to %d subscribers and %d module calls/s for %v, on %s/%s with %d CPUs, %s\n\n", strings.TrimSpace(string(version)),
			s.events, subscribers, s.calls, s.length, runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), time.Now().UTC().Format(time.DateOnly))
		return l.run(ctx, s)
	})
	if err != nil {
		return err
	}
	r := l.report()
	r.length, r.warnings = s.length, int(log.n.Load())
	r.print(s.stdout)
	return r.judge()
}

// lines counts the lines of a log that it passes on. At level warn each is of something that went wrong.
type lines struct {
	to io.Writer
	n  atomic.Int64
}

func (l *lines) Write(p []byte) (int, error) {
	l.n.Add(int64(bytes.Count(p, []byte("\n"))))
	return l.to.Write(p)
}

const (
	subscribers = 3
	eventType   = "charge.updated" // of which the local Stripe has none of its own
	eventPrefix = "evt_soak_"
	settleTime  = time.Minute // for the last deliveries
	samplings   = 720         // of memory and files, in the whole run
)

// A load is what a soak sends, and what came of it.
type load struct {
	walk *walk
	pid  int // of the connector

	client  *http.Client
	object  json.RawMessage // what the events are about
	receive string          // URL at which Stripe's events come in
	secret  string          // that signs them
	bundles []wanted
	inboxes []*inbox

	events, calls, deliveries series
	samples                   []sample
}

// wanted is a module call and the status that it has to be answered with.
type wanted struct {
	module string
	bundle bundle
	status int
}

func (l *load) close() {
	for _, in := range l.inboxes {
		in.close()
	}
	if l.client != nil {
		l.client.CloseIdleConnections()
	}
}

// prepare makes a connection and attaches the subscribers' webhooks.
func (l *load) prepare(ctx context.Context, stripe *stripetest.Account) error {
	w := l.walk
	made, err := w.call(ctx, http.MethodPost, "/v1/connections", bundle{"connection_name": "Soak", "key": w.stripeKey}, http.StatusCreated)
	if err != nil {
		return err
	}
	w.connection, _ = at(made, "id").(string)
	l.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: time.Minute}
	l.object = stripe.Object(stripe.IDs("charge")[0])
	customer := stripe.IDs("customer")[0]
	l.bundles = []wanted{ // reads, lists, a write, and a fault
		{"retrieve-customer", bundle{"customer": customer}, http.StatusOK},
		{"search-customers", bundle{"limit": "25"}, http.StatusOK},
		{"update-customer", bundle{"customer": customer, "metadata": bundle{"soak": "yes"}}, http.StatusOK},
		{"list-payment-intents", bundle{"limit": "25"}, http.StatusOK},
		{"update-customer", bundle{"customer": customer, "balance": "12.50"}, http.StatusUnprocessableEntity},
	}
	for _, call := range l.bundles {
		call.bundle["connection"] = w.connection
	}
	for i := range subscribers {
		in := &inbox{load: l, arrived: map[int]int{}}
		if in.subscriber, err = subscribe(ctx, in); err != nil {
			return err
		}
		l.inboxes = append(l.inboxes, in)
		attached, err := w.module(ctx, "watch-events", bundle{
			"webhook_name": "Soak " + strconv.Itoa(i+1), "group": "charge", "enabled_events": []any{eventType}, "url": in.url,
		}, http.StatusCreated)
		if err != nil {
			return err
		}
		secret, _ := at(attached, "signing_secret").(string)
		if in.verifier, err = standardwebhooks.NewWebhook(secret); err != nil {
			return fmt.Errorf("reading the signing secret: %w", err)
		}
		id, _ := at(attached, "endpoint", "id").(string)
		stripeID, _ := at(attached, "endpoint", "stripe_id").(string)
		l.receive, l.secret = w.base+"/stripe/"+id, stripe.Secret(stripeID)
	}
	return nil
}

// run sends for the length of the soak, and shows how it goes.
func (l *load) run(ctx context.Context, s *soak) error {
	began := time.Now()
	l.events.begin(began, s.events)
	l.calls.begin(began, s.calls)
	l.deliveries.begin(began, s.events)
	var sending sync.WaitGroup
	sending.Go(func() { l.events.send(ctx, s.length, l.event) })
	sending.Go(func() { l.calls.send(ctx, s.length, l.call) })
	sent := make(chan struct{})
	go func() { sending.Wait(); close(sent) }()

	tick := time.NewTicker(max(s.length/samplings, 100*time.Millisecond))
	defer tick.Stop()
	for underWay := true; underWay; {
		select {
		case <-tick.C:
		case <-sent:
			underWay = false
		}
		now, err := look(l.pid)
		if err != nil {
			<-sent
			return err
		}
		l.samples = append(l.samples, now)
		if len(l.samples)%(samplings/60) == 0 {
			fmt.Fprintf(s.stdout, "%7v  %d events, %d calls, %d deliveries, %d errors; RSS %.1f MiB, %d files\n", time.Since(began).Round(time.Second),
				l.events.count(), l.calls.count(), l.deliveries.count(), l.events.errors()+l.calls.errors()+l.deliveries.errors(), now.mebibytes(), now.files)
		}
	}
	return l.settle(ctx)
}

// settle waits until everything that was sent has arrived, or for long enough.
func (l *load) settle(ctx context.Context) error {
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for end := time.Now().Add(settleTime); l.lost() > 0 && time.Now().Before(end); {
		select {
		case <-poll.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return ctx.Err()
}

// event sends the nth event, as Stripe does.
func (l *load) event(ctx context.Context, n int) error {
	body, err := l.body(n)
	if err != nil {
		return err
	}
	header := http.Header{"Content-Type": {"application/json; charset=utf-8"}, "Stripe-Signature": {stripetest.Sign(l.secret, body, time.Now())}}
	return l.post(ctx, l.receive, header, body, http.StatusOK)
}

// body is the nth event, always in the same bytes.
func (l *load) body(n int) ([]byte, error) {
	return json.Marshal(map[string]any{
		"id": eventPrefix + strconv.Itoa(n), "object": "event", "api_version": stripetest.APIVersion, "created": l.events.due(n).Unix(),
		"data": map[string]any{"object": l.object}, "livemode": false, "pending_webhooks": 1,
		"request": map[string]any{"id": nil, "idempotency_key": nil}, "type": eventType,
	})
}

// call makes the nth module call.
func (l *load) call(ctx context.Context, n int) error {
	call := l.bundles[n%len(l.bundles)]
	body, err := json.Marshal(call.bundle)
	if err != nil {
		return err
	}
	header := http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + l.walk.token}}
	return l.post(ctx, l.walk.base+"/v1/modules/"+call.module, header, body, call.status)
}

func (l *load) post(ctx context.Context, url string, header http.Header, body []byte, status int) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header = header
	response, err := l.client.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("reading the answer of %s: %w", r.URL.Path, err)
	}
	if response.StatusCode != status {
		return fmt.Errorf("%s answered %d, wanted %d: %.300s", r.URL.Path, response.StatusCode, status, answer)
	}
	return nil
}

// lost is how many deliveries of events that were sent have not arrived.
func (l *load) lost() int {
	lost := subscribers * l.events.count()
	for _, in := range l.inboxes {
		events, _ := in.count()
		lost -= events
	}
	return lost
}

// An inbox is a subscriber that checks what it gets and notes which events those were.
type inbox struct {
	*subscriber

	load     *load
	verifier *standardwebhooks.Webhook

	mu      sync.Mutex
	arrived map[int]int // event to how often
}

func (in *inbox) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender has gone
	}
	n, err := in.check(r.Header, body)
	if err == nil {
		in.mu.Lock()
		in.arrived[n]++
		in.mu.Unlock()
	}
	in.load.deliveries.note(n, err)
}

// check returns the number of a delivered event.
func (in *inbox) check(header http.Header, body []byte) (int, error) {
	if err := in.verifier.Verify(body, header); err != nil {
		return 0, fmt.Errorf("verifying the signature of a delivery: %w", err)
	}
	n, err := strconv.Atoi(strings.TrimPrefix(header.Get("Webhook-Id"), eventPrefix))
	if err != nil {
		return 0, fmt.Errorf("reading the webhook-id of a delivery: %w", err)
	}
	sent, err := in.load.body(n)
	if err != nil {
		return 0, err
	}
	if !bytes.Equal(body, sent) {
		return 0, fmt.Errorf("event %d was changed on its way: %.300s", n, body)
	}
	return n, nil
}

// count is how many events arrived, and how many of them more than once.
func (in *inbox) count() (events, again int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, times := range in.arrived {
		again += times - 1
	}
	return len(in.arrived), again
}
