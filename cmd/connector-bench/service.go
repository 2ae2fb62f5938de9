package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"stripe-connector/internal/child"
	"stripe-connector/internal/stripetest"
)

const (
	jsonType = "application/json"
	formType = "application/x-www-form-urlencoded"

	// token and sealing are of stores that live as long as a measurement.
	token   = "sc_bench_bench_bench"
	sealing = "bench"
)

// A service is one running connector.
type service struct {
	*child.Process
	url  string
	then func() // once it has stopped; nil: nothing
}

// Stop stops the service and clears up after it.
func (s *service) Stop() {
	s.Process.Stop()
	if s.then != nil {
		s.then()
	}
}

// start starts a connector on a database. It logs as it does by default, into a file.
func (b *bench) start(ctx context.Context, database string) (*service, error) {
	url, listen, err := b.address(ctx)
	if err != nil {
		return nil, err
	}
	process, err := child.Start(ctx, url, []string{
		"CONNECTOR_LISTEN=" + listen,
		"CONNECTOR_PUBLIC_URL=" + url,
		"CONNECTOR_STRIPE_API_BASE=" + b.stripe.url,
		"CONNECTOR_DATABASE_URL=" + database,
		"CONNECTOR_SECRET_KEYS=" + sealing + ":" + b.sealingKey(),
		"CONNECTOR_ADMIN_TOKEN=" + token,
		"CONNECTOR_ALLOW_PRIVATE_TARGETS=true",
		"CONNECTOR_STRIPE_RATE_TEST=1000000",
		"CONNECTOR_RATE_LIMIT=0",
	}, b.log, b.connector, "serve")
	if err != nil {
		return nil, err
	}
	return &service{Process: process, url: url}, nil
}

// ceiling starts this very program as a ceiling.
func (b *bench) ceiling(ctx context.Context, kind string, args ...string) (*service, error) {
	url, listen, err := b.address(ctx)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	process, err := child.Start(ctx, url, nil, b.log, self, append([]string{kind, listen}, args...)...)
	if err != nil {
		return nil, err
	}
	return &service{Process: process, url: url}, nil
}

func (b *bench) address(ctx context.Context) (url, listen string, err error) {
	listen, err = child.FreeAddress(ctx, "127.0.0.1")
	return "http://" + listen, listen, err
}

// call makes a request of the connector's API.
func (s *service) call(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", jsonType)
	answer, err := fetch(http.DefaultTransport, r)
	if err != nil {
		return err
	}
	return json.Unmarshal(answer, out)
}

// connect makes a connection and returns its id.
func (s *service) connect(ctx context.Context) (string, error) {
	var made struct{ ID string }
	err := s.call(ctx, "/v1/connections", map[string]string{"connection_name": "bench", "key": stripetest.Key}, &made)
	return made.ID, err
}

// A door is where events are posted, and how they are signed.
type door struct {
	transport http.RoundTripper
	url       string
	secret    string
	body      func(id string) []byte
}

// attach attaches subscribers to a new connection, each at a path of its own, and returns Stripe's way in.
func (b *bench) attach(ctx context.Context, s *service, subscribers int) (door, error) {
	connection, err := s.connect(ctx)
	if err != nil {
		return door{}, err
	}
	var hook struct {
		Endpoint struct {
			ID       string
			StripeID string `json:"stripe_id"`
		}
	}
	for _, target := range b.targets(subscribers) {
		err := s.call(ctx, "/v1/modules/watch-events", map[string]any{
			"webhook_name": "bench", "connection": connection, "group": "all", "enabled_events": []string{eventType}, "url": target,
		}, &hook)
		if err != nil {
			return door{}, err
		}
	}
	secret := b.stripe.local.Account(stripetest.Key).Secret(hook.Endpoint.StripeID)
	return b.door(s.url+"/stripe/"+hook.Endpoint.ID, secret), nil
}

func (b *bench) targets(n int) []string {
	targets := make([]string, n)
	for i := range targets {
		targets[i] = b.subscribers.url + "/" + strconv.Itoa(i)
	}
	return targets
}

// eventType is the type of the events that are sent.
const eventType = "customer.updated"

// bodySize is about the size of the events, as that of the peers' measurements was.
const bodySize = 1024

func (b *bench) door(url, secret string) door {
	const outside = `{"id":"%s","object":"event","api_version":"2024-06-20","created":%d,"data":{"object":{"id":"cus_1","object":"customer",` +
		`"description":"%s"}},"livemode":false,"pending_webhooks":1,"request":{"id":null,"idempotency_key":null},"type":"` + eventType + `"}`
	padding := strings.Repeat("x", bodySize-len(outside))
	return door{transport: transport(), url: url, secret: secret, body: func(id string) []byte {
		return fmt.Appendf(nil, outside, id, time.Now().Unix(), padding)
	}}
}

// send posts one event and waits for its acknowledgement.
func (d door) send(ctx context.Context, id string) error {
	body := d.body(id)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", jsonType)
	r.Header.Set("Stripe-Signature", stripetest.Sign(d.secret, body, time.Now()))
	_, err = fetch(d.transport, r)
	return err
}

// processor is the time that the process has spent on processors, in microseconds.
func (s *service) processor() (float64, error) {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.PID()), "stat"))
	if err != nil {
		return 0, err
	}
	// The name, in parentheses, may hold anything. See proc_pid_stat(5): utime and stime are the fields 14 and 15.
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("the system does not tell the times of process %d", s.PID())
	}
	const tick = 10_000 // microseconds
	total := 0.0
	for _, field := range fields[11:13] {
		ticks, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return 0, err
		}
		total += ticks * tick
	}
	return total, nil
}

// memory is what the process holds of the machine's memory, in MiB.
func (s *service) memory() (float64, error) {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.PID()), "status"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmRSS:" {
			kib, err := strconv.ParseFloat(fields[1], 64)
			return kib / 1024, err
		}
	}
	return 0, fmt.Errorf("the system does not tell the memory of process %d", s.PID())
}
