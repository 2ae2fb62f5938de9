package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// walk goes through the connector's main job once. Every unexpected status ends it.
type walk struct {
	base, token string
	stripeKey   string
	reachable   bool // Stripe can send events to this machine
	out         io.Writer

	connection string // conn_…, once made
}

// bundle is the body of a request to a module.
type bundle map[string]any

func (w *walk) run(ctx context.Context) error {
	w.say("A connection: the key is checked with Stripe and kept sealed.")
	made, err := w.call(ctx, http.MethodPost, "/v1/connections", bundle{"connection_name": "Demo", "key": w.stripeKey}, http.StatusCreated)
	if err != nil {
		return err
	}
	if w.connection, _ = at(made, "id").(string); w.connection == "" {
		return errors.New("the new connection has no id")
	}

	w.say("A customer. Platforms send text for everything; it is coerced exactly, or refused.")
	email := "ada+" + strconv.FormatInt(time.Now().UnixNano(), 36) + "@example.com"
	customer, err := w.module(ctx, "create-customer", bundle{
		"name": "Ada Lovelace", "email": email, "balance": "-500",
		"shipping": bundle{"name": "Ada Lovelace", "address": bundle{"line1": "12 St James's Square", "city": "London", "country": "GB"}},
		"metadata": []any{bundle{"key": "plan", "value": "gold"}, bundle{"key": "seats", "value": "3"}},
	}, http.StatusOK)
	if err != nil {
		return err
	}
	id, _ := at(customer, "id").(string)
	if err := want(customer, "London", "shipping", "address", "city"); err != nil {
		return err
	}
	if err := want(customer, "gold", "metadata", "plan"); err != nil {
		return err
	}

	w.say("Found again.")
	found, err := w.module(ctx, "search-customers", bundle{"email": email, "limit": "5"}, http.StatusOK)
	if err != nil {
		return err
	}
	if err := want(found, id, "bundles", 0, "id"); err != nil {
		return err
	}

	w.say("Changed: what is not given, or given empty, stays as it is.")
	changed, err := w.module(ctx, "update-customer", bundle{"customer": id, "phone": "+44 20 7946 0000", "name": "", "metadata": bundle{"plan": "platinum"}}, http.StatusOK)
	if err != nil {
		return err
	}
	if err := want(changed, "platinum", "metadata", "plan"); err != nil {
		return err
	}
	if err := want(changed, "Ada Lovelace", "name"); err != nil {
		return err
	}
	if _, err := w.module(ctx, "retrieve-customer", bundle{"customer": id}, http.StatusOK); err != nil {
		return err
	}

	w.say("A bad bundle: every fault at once, and Stripe is not asked.")
	if _, err := w.module(ctx, "update-customer", bundle{"customer": id, "balance": "12.50", "names": "Ada"}, http.StatusUnprocessableEntity); err != nil {
		return err
	}

	w.say("Deleted.")
	deleted, err := w.module(ctx, "delete-customer", bundle{"customer": id}, http.StatusOK)
	if err != nil {
		return err
	}
	if err := want(deleted, true, "deleted"); err != nil {
		return err
	}

	w.say("Any other call, through the same connection.")
	raw, err := w.module(ctx, "make-an-api-call", bundle{"url": "/v1/customers", "method": "GET", "qs": []any{bundle{"key": "limit", "value": "2"}}}, http.StatusOK)
	if err != nil {
		return err
	}
	if err := want(raw, float64(http.StatusOK), "status_code"); err != nil {
		return err
	}

	if !w.reachable {
		w.say("Events are not shown: Stripe cannot reach a loopback address.")
		return nil
	}
	return w.watch(ctx)
}

// received is an event as it came to the subscriber.
type received struct {
	header http.Header
	body   []byte
}

// watch attaches a webhook to a subscriber of its own, creates a customer, and waits for the event. A connector that
// has no triggers yet is let off.
func (w *walk) watch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	w.say("A webhook: Stripe's events, stored first, then delivered to a subscriber, signed and retried.")
	events := make(chan received, 16)
	subscriber, err := subscribe(ctx, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		select {
		case events <- received{r.Header, body}:
		case <-r.Context().Done():
		}
	}))
	if err != nil {
		return err
	}
	defer subscriber.close()

	attached, err := w.module(ctx, "watch-events", bundle{
		"webhook_name": "Demo", "group": "customer", "enabled_events": []any{"customer.created"}, "url": subscriber.url,
	}, http.StatusCreated, http.StatusNotFound, http.StatusNotImplemented)
	if err != nil {
		return err
	}
	webhook, _ := at(attached, "id").(string)
	if webhook == "" {
		w.say("This connector has no triggers yet.")
		return nil
	}
	secret, _ := at(attached, "signing_secret").(string)
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		return fmt.Errorf("reading the signing secret: %w", err)
	}

	w.say("A customer is created; the event arrives.")
	customer, err := w.module(ctx, "create-customer", bundle{"name": "Charles Babbage"}, http.StatusOK)
	if err != nil {
		return err
	}
	id, _ := at(customer, "id").(string)
	for arrived := false; !arrived; {
		select {
		case event := <-events:
			if err := verifier.Verify(event.body, event.header); err != nil {
				return fmt.Errorf("verifying the signature of a delivery: %w", err)
			}
			var body any
			if err := json.Unmarshal(event.body, &body); err != nil {
				return fmt.Errorf("reading a delivered event: %w", err)
			}
			fmt.Fprintf(w.out, "  ←  webhook-id %s, signature good  %s\n", event.header.Get("Webhook-Id"), brief(body))
			arrived = at(body, "data", "object", "id") == id
		case <-ctx.Done():
			return fmt.Errorf("waiting for the event at the subscriber: %w", ctx.Err())
		}
	}
	if _, err := w.module(ctx, "delete-customer", bundle{"customer": id}, http.StatusOK); err != nil {
		return err
	}
	_, err = w.call(ctx, http.MethodDelete, "/v1/webhooks/"+webhook, nil, http.StatusNoContent)
	return err
}

// subscriber is a small receiver of webhooks.
type subscriber struct {
	url   string
	close func()
}

func subscribe(ctx context.Context, handler http.Handler) (*subscriber, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting the subscriber: %w", err)
	}
	srv := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: handler}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(listener) // ends with close
	}()
	return &subscriber{
		url:   "http://" + listener.Addr().String() + "/events",
		close: func() { _ = srv.Close(); <-done },
	}, nil
}

// module runs a module on the walk's connection.
func (w *walk) module(ctx context.Context, key string, b bundle, statuses ...int) (any, error) {
	b["connection"] = w.connection
	return w.call(ctx, http.MethodPost, "/v1/modules/"+key, b, statuses...)
}

// call sends one request, shows it with its answer, and returns the answer if its status is one of those wanted.
func (w *walk) call(ctx context.Context, method, path string, b bundle, statuses ...int) (any, error) {
	body, shown := []byte(nil), ""
	if b != nil {
		var err error
		if body, err = json.Marshal(b); err != nil {
			return nil, fmt.Errorf("encoding a bundle: %w", err)
		}
		shown = w.redact(string(body))
	}
	fmt.Fprintf(w.out, "  →  %s %s  %s\n", method, path, shown)
	r, err := http.NewRequestWithContext(ctx, method, w.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+w.token)
	r.Header.Set("Content-Type", "application/json")
	began := time.Now()
	status, answer, err := send(r)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	text := ""
	if answer != nil {
		text = w.redact(brief(answer))
	}
	fmt.Fprintf(w.out, "  ←  %d in %.1f ms  %s\n", status, float64(time.Since(began).Microseconds())/1000, text)
	if !slices.Contains(statuses, status) {
		return nil, fmt.Errorf("%s %s answered %d, wanted %d: %s", method, path, status, statuses[0], text)
	}
	return answer, nil
}

// redact keeps a real Stripe key off the screen.
func (w *walk) redact(text string) string {
	return strings.ReplaceAll(text, w.stripeKey, "sk_test_…")
}

func (w *walk) say(text string) { fmt.Fprintf(w.out, "\n%s\n", text) }

// want checks one field of an answer.
func want(answer, value any, path ...any) error {
	if got := at(answer, path...); got != value {
		return fmt.Errorf("the answer's %v is %v, wanted %v", path, got, value)
	}
	return nil
}
