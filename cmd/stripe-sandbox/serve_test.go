package main

import (
	"bufio"
	"context"
	"io"
	"iter"
	"net/http"
	"regexp"
	"testing"
)

func newContext(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	return ctx, stop
}

// newLines reads lines as they come, until the end.
func newLines(r io.Reader) iter.Seq[string] {
	return func(yield func(string) bool) {
		for lines := bufio.NewScanner(r); lines.Scan(); {
			if !yield(lines.Text()) {
				return
			}
		}
	}
}

// TestServe starts the sandbox as a user does, and looks whether there is something in it.
func TestServe(t *testing.T) {
	t.Parallel()
	ctx, stop := newContext(t)
	reader, writer := io.Pipe()
	result := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"serve", "--listen", "127.0.0.1:0"}, nil, writer, io.Discard)
		writer.Close()
		result <- err
	}()

	base, key := "", ""
	told := regexp.MustCompile(`^  (URL|key) +(\S+)$`)
	for line := range newLines(reader) {
		if m := told.FindStringSubmatch(line); m != nil && m[1] == "URL" {
			base = m[2]
		} else if m != nil {
			key = m[2]
		}
		if base == "" || key == "" {
			continue
		}
		for path, n := range map[string]int{
			"/v1/customers": 4, "/v1/products": 3, "/v1/prices": 3, "/v1/invoices": 4, "/v1/payment_intents": 4, "/v1/charges": 4, "/v1/payouts": 1, "/v1/payment_links": 1,
		} {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			r.SetBasicAuth(key, "")
			status, list, err := send(r)
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := at(list, "data").([]any); status != http.StatusOK || len(got) != n {
				t.Errorf("%s: status %d and %d objects, want %d", path, status, len(got), n)
			}
		}
		break
	}
	go func() { _, _ = io.Copy(io.Discard, reader) }() // the rest of the greeting
	stop()
	if err := <-result; err != nil {
		t.Errorf("got %v, want a clean end", err)
	}
}

func TestBrief(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   any
		want string
	}{
		{"what identifies comes first", map[string]any{"a": 1.0, "object": "customer", "id": "cus_1"}, `{id: "cus_1", object: "customer", a: 1}`},
		{"nothing empty", map[string]any{"id": "x", "b": nil, "c": map[string]any{}, "d": []any{}, "e": ""}, `{id: "x", e: ""}`},
		{"the start of lists", map[string]any{"bundles": []any{map[string]any{"id": "a"}, 2.0, 3.0}}, `{bundles: [{id: "a"}, 2, … 1 more]}`},
		{"no secrets", map[string]any{"client_secret": "pi_secret"}, `{client_secret: "…"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := brief(tt.in); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
	long := map[string]any{"a": string(make([]byte, 1000))}
	if got := len([]rune(brief(long))); got > maxBrief+2 {
		t.Errorf("got %d characters, want at most %d", got, maxBrief)
	}
}
