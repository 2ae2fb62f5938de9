package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	"github.com/stripe/stripe-mock/server"
	"github.com/stripe/stripe-mock/spec"
)

// sampler makes samples of what stripe-mock's stub server answers.
type sampler struct {
	stub     *server.StubServer
	fixtures *spec.Fixtures
}

// sample answers the object that the call is answered with, or the first of a list. An id in braces stands for that of
// the fixture with that name.
func (s sampler) sample(ctx context.Context, method, path string) (map[string]any, error) {
	for before, rest, ok := strings.Cut(path, "{"); ok; before, rest, ok = strings.Cut(path, "{") {
		name, after, _ := strings.Cut(rest, "}")
		fixture, _ := s.fixtures.Resources[spec.ResourceID(name)].(map[string]any)
		id, _ := fixture["id"].(string)
		if id == "" {
			return nil, fmt.Errorf("filling in %s: there is no fixture of a %s", path, name)
		}
		path = before + id + after
	}
	r := httptest.NewRequestWithContext(ctx, method, path, http.NoBody)
	r.Header.Set("Authorization", "Bearer sk_test_123")
	w := httptest.NewRecorder()
	s.stub.HandleRequest(w, r)
	if w.Code != http.StatusOK {
		return nil, fmt.Errorf("asking for %s %s: status %d: %s", method, path, w.Code, w.Body)
	}
	var answer map[string]any
	d := json.NewDecoder(w.Body)
	d.UseNumber()
	if err := d.Decode(&answer); err != nil {
		return nil, fmt.Errorf("reading the answer to %s %s: %w", method, path, err)
	}
	if list, ok := answer["data"].([]any); ok && len(list) > 0 {
		if answer, ok = list[0].(map[string]any); !ok {
			return nil, fmt.Errorf("reading the answer to %s %s: it lists no objects", method, path)
		}
	}
	if _, ok := answer["client_secret"]; ok {
		answer["client_secret"] = fmt.Sprint(answer["id"], "_secret_sample") // so that nothing looks like a real one
	}
	return answer, nil
}

// tellOfCustomer makes the sample of an event, which tells of an obsolete object, one of a new customer.
func (s sampler) tellOfCustomer(ctx context.Context, event map[string]any) error {
	customer, err := s.sample(ctx, http.MethodGet, "/v1/customers/{customer}")
	if err != nil {
		return err
	}
	event["type"] = "customer.created"
	event["data"] = map[string]any{"object": customer}
	return nil
}

// write encodes a value compactly, with keys in the order that Stripe answers them.
func write(b *bytes.Buffer, value any) error {
	switch value := value.(type) {
	case map[string]any:
		b.WriteByte('{')
		for i, key := range slices.SortedFunc(maps.Keys(value), inOrder) {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(b, "%q:", key)
			if err := write(b, value[key]); err != nil {
				return err
			}
		}
		b.WriteByte('}')
	case []any:
		b.WriteByte('[')
		for i, item := range value {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := write(b, item); err != nil {
				return err
			}
		}
		b.WriteByte(']')
	default:
		raw, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("encoding a sample: %w", err)
		}
		b.Write(raw)
	}
	return nil
}
