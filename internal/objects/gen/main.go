// Gen writes the descriptions of package objects into its folder data: one file for each type of object, made of Stripe's
// OpenAPI document and of what stripe-mock's stub server answers.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/stripe/stripe-mock/embedded"
	"github.com/stripe/stripe-mock/server"

	"stripe-connector/internal/objects"
)

// outputs are the types of objects that modules declare as theirs, each with a call that answers one.
var outputs = []struct{ name, method, path string }{
	{"balance", "GET", "/v1/balance"},
	{"balance_transaction", "GET", "/v1/balance_transactions/{balance_transaction}"},
	{"customer", "GET", "/v1/customers/{customer}"},
	{"deleted_customer", "DELETE", "/v1/customers/{customer}"},
	{"deleted_invoice", "DELETE", "/v1/invoices/{invoice}"},
	{"deleted_invoiceitem", "DELETE", "/v1/invoiceitems/{invoiceitem}"},
	{"event", "GET", "/v1/events/{event}"},
	{"invoice", "GET", "/v1/invoices/{invoice}"},
	{"invoiceitem", "GET", "/v1/invoiceitems/{invoiceitem}"},
	{"item", "GET", "/v1/payment_links/{payment_link}/line_items"},
	{"line_item", "GET", "/v1/invoices/{invoice}/lines"},
	{"payment_intent", "GET", "/v1/payment_intents/{payment_intent}"},
	{"payout", "GET", "/v1/payouts/{payout}"},
	{"refund", "GET", "/v1/refunds/{refund}"},
}

func main() {
	os.Stdout = nil // the stub server prints every request there
	if err := generate(context.Background(), "data"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func generate(ctx context.Context, folder string) error {
	doc, err := server.LoadSpec(embedded.OpenAPISpec, "")
	if err != nil {
		return fmt.Errorf("reading Stripe's OpenAPI document: %w", err)
	}
	fixtures, err := server.LoadFixtures(embedded.OpenAPIFixtures, "")
	if err != nil {
		return fmt.Errorf("reading Stripe's fixtures: %w", err)
	}
	stub, err := server.NewStubServer(fixtures, doc, false, false)
	if err != nil {
		return fmt.Errorf("starting the stub server: %w", err)
	}
	samples := sampler{stub, fixtures}
	for _, out := range outputs {
		fields, err := schemas(doc.Components.Schemas).describe(out.name)
		if err != nil {
			return err
		}
		sample, err := samples.sample(ctx, out.method, out.path)
		if err != nil {
			return err
		}
		if out.name == "event" {
			if err := samples.tellOfCustomer(ctx, sample); err != nil {
				return err
			}
		}
		raw, err := file(out.name, fields, sample)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, out.name+".json"), raw, 0o644); err != nil { //nolint:gosec // source code, for everybody to read
			return fmt.Errorf("writing the description of %s: %w", out.name, err)
		}
	}
	return nil
}

// file is the description of one object, with a line for each field of its own.
func file(name string, fields []objects.Field, sample map[string]any) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\"name\":%q,\"label\":%q,\"fields\":[\n", name, label(name))
	for i, f := range fields {
		raw, err := json.Marshal(f)
		if err != nil {
			return nil, fmt.Errorf("encoding %s of %s: %w", f.Name, name, err)
		}
		if i > 0 {
			b.WriteString(",\n")
		}
		b.Write(raw)
	}
	b.WriteString("\n],\"sample\":")
	if err := write(&b, sample); err != nil {
		return nil, err
	}
	b.WriteString("}\n")
	return b.Bytes(), nil
}
