package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"stripe-connector/internal/stripetest"
)

// serve runs the local Stripe until the context ends.
func serve(ctx context.Context, listen string, stdout io.Writer) error {
	srv, err := startSandbox(ctx, listen)
	if err != nil {
		return err
	}
	defer srv.Close()
	fmt.Fprintf(stdout, `A local Stripe is up. Nothing leaves this machine, and everything is forgotten at the end.

  URL   %s
  key   %s

Try it:

  curl -u %[2]s: %[1]s/v1/customers

Point the connector at it:

  CONNECTOR_STRIPE_API_BASE=%[1]s CONNECTOR_ALLOW_PRIVATE_TARGETS=true stripe-connector serve

`, srv.URL, stripetest.Key)
	<-ctx.Done()
	return nil
}

// startSandbox starts a local Stripe and puts a small shop into it, through its own API.
func startSandbox(ctx context.Context, listen string) (*stripetest.Server, error) {
	//nolint:contextcheck // the server lives until it is closed
	srv, err := stripetest.NewServer(stripetest.Options{Listen: listen, Strict: true})
	if err != nil {
		return nil, err
	}
	if err := seed(ctx, srv); err != nil {
		srv.Close()
		return nil, fmt.Errorf("filling the local Stripe: %w", err)
	}
	srv.ResetCalls()
	return srv, nil
}

// seed sells a few things to a few people.
func seed(ctx context.Context, srv *stripetest.Server) error {
	type form map[string]string
	var failure error
	post := func(path string, fields form) (id string) {
		if failure != nil {
			return ""
		}
		id, failure = create(ctx, srv.URL+path, fields)
		return id
	}

	prices := make([]string, 0, 3)
	for _, p := range []struct{ name, cents string }{{"Notebook", "1250"}, {"Fountain pen", "4900"}, {"Ink, 50 ml", "1800"}} {
		product := post("/v1/products", form{"name": p.name})
		prices = append(prices, post("/v1/prices", form{"product": product, "unit_amount": p.cents, "currency": "eur"}))
	}
	for i, c := range []struct{ name, email, city string }{
		{"Grace Hopper", "grace@example.com", "Arlington"},
		{"Alan Turing", "alan@example.com", "Wilmslow"},
		{"Emmy Noether", "emmy@example.com", "Erlangen"},
		{"Mary Somerville", "mary@example.com", "Jedburgh"},
	} {
		customer := post("/v1/customers", form{"name": c.name, "email": c.email, "address[city]": c.city, "metadata[source]": "sandbox"})
		post("/v1/payment_intents", form{"amount": "4900", "currency": "eur", "customer": customer, "confirm": "true", "payment_method": "pm_card_visa"})
		post("/v1/invoiceitems", form{"customer": customer, "price": prices[i%len(prices)]})
		invoice := post("/v1/invoices", form{"customer": customer, "pending_invoice_items_behavior": "include"})
		if i%2 == 0 {
			post("/v1/invoices/"+invoice+"/finalize", nil)
		}
	}
	post("/v1/payment_links", form{"line_items[0][price]": prices[0], "line_items[0][quantity]": "1"})
	post("/v1/payouts", form{"amount": "10000", "currency": "eur"})
	return failure
}

func create(ctx context.Context, target string, fields map[string]string) (id string, err error) {
	values := url.Values{}
	for name, value := range fields {
		values.Set(name, value)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(values.Encode()))
	if err != nil {
		return "", err
	}
	r.Header.Set("Authorization", "Bearer "+stripetest.Key)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	status, object, err := send(r)
	if err != nil {
		return "", err
	}
	if status != http.StatusOK {
		return "", fmt.Errorf("POST %s: status %d: %s", r.URL.Path, status, brief(object))
	}
	id, _ = at(object, "id").(string)
	return id, nil
}
