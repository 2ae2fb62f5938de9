package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"stripe-connector/internal/stripetest"
)

// pageSize is how many objects Stripe puts on a page at most.
const pageSize = 100

// A standIn answers in Stripe's place. What is measured is answered at once with bytes that the local Stripe made before,
// since judging parameters takes longer than all that the connector does; the rest goes to the local Stripe itself.
type standIn struct {
	url      string
	local    *stripetest.Server
	pageTime time.Duration // what Stripe takes for a page of a list
	server   *http.Server

	intent []byte            // a payment intent
	pages  map[string][]byte // of customers, by the id behind which they begin
	order  []string          // those ids
}

func newStandIn(ctx context.Context, pageTime time.Duration) (_ *standIn, err error) {
	//nolint:contextcheck // the server lives until it is closed
	local, err := stripetest.NewServer(stripetest.Options{Strict: true, MaxCalls: -1, EndpointLimit: 1000})
	if err != nil {
		return nil, err
	}
	s := &standIn{local: local, pageTime: pageTime, pages: map[string][]byte{}}
	if err := s.record(ctx); err != nil {
		local.Close()
		return nil, fmt.Errorf("recording Stripe's answers: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/payment_intents", s.createIntent)
	mux.HandleFunc("GET /v1/customers", s.listCustomers)
	mux.Handle("/", local)
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		local.Close()
		return nil, err
	}
	s.url = "http://" + listener.Addr().String()
	s.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.server.Serve(listener) }() // ends with close
	return s, nil
}

func (s *standIn) close() {
	_ = s.server.Close()
	s.local.Close()
}

// record asks the local Stripe for what is answered again and again.
func (s *standIn) record(ctx context.Context) (err error) {
	s.intent, err = s.ask(ctx, http.MethodPost, "/v1/payment_intents", intentForm)
	if err != nil {
		return err
	}
	ids := s.local.Account(stripetest.Key).Seed("customer", 10*pageSize, func(i int) map[string]any {
		return map[string]any{"email": fmt.Sprintf("customer-%d@example.com", i), "name": fmt.Sprintf("Customer %d", i), "metadata": map[string]any{"number": strconv.Itoa(i)}}
	})
	behind := ""
	for n := len(ids); n > 0; n -= pageSize { // Stripe lists the newest first
		query := url.Values{"limit": {strconv.Itoa(pageSize)}}
		if behind != "" {
			query.Set("starting_after", behind)
		}
		if s.pages[behind], err = s.ask(ctx, http.MethodGet, "/v1/customers?"+query.Encode(), ""); err != nil {
			return err
		}
		s.order = append(s.order, behind)
		behind = ids[n-pageSize]
	}
	return nil
}

func (s *standIn) ask(ctx context.Context, method, path, form string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, s.local.URL+path, strings.NewReader(form))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+stripetest.Key)
	r.Header.Set("Content-Type", formType)
	return fetch(http.DefaultTransport, r)
}

func (s *standIn) createIntent(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // who does not send all of it fails by itself
	s.answer(w, s.intent)
}

func (s *standIn) listCustomers(w http.ResponseWriter, r *http.Request) {
	page := s.pages[r.FormValue("starting_after")]
	if page == nil {
		http.Error(w, "no such page", http.StatusNotFound)
		return
	}
	time.Sleep(s.pageTime)
	s.answer(w, page)
}

func (s *standIn) answer(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Request-Id", "req_bench")
	_, _ = w.Write(body) // who has gone does not miss it
}

// fetch makes a request and returns the body of an answer that is 2xx.
func fetch(transport http.RoundTripper, r *http.Request) ([]byte, error) {
	res, err := transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var body bytes.Buffer
	if res.ContentLength > 0 {
		body.Grow(int(res.ContentLength) + bytes.MinRead)
	}
	if _, err := body.ReadFrom(res.Body); err != nil {
		return nil, err
	}
	if res.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s %s answered %s: %.300s", r.Method, r.URL.Path, res.Status, body.Bytes())
	}
	return body.Bytes(), nil
}
