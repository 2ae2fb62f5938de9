package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"stripe-connector/internal/stripetest"
)

// Whoever holds connections without asking anything, or asks too much at once, is cut off and keeps nobody else waiting.
func TestFloods(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, from := b.watch(newSubscriber(t, nil), "invoice.paid")
	dial := func(t *testing.T, say string) net.Conn {
		t.Helper()
		return b.in(t).dial(say)
	}
	const head = "POST /v1/modules/retrieve-balance HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + adminToken + "\r\n"

	t.Run("idle and slow headers", func(t *testing.T) {
		t.Parallel()
		var slow net.Conn
		for range 500 {
			dial(t, "")
			slow = dial(t, head)
		}
		b.in(t).call(http.MethodPost, "/v1/modules/retrieve-balance", object{"connection": b.conn}).want(http.StatusOK)
		if _, err := io.Copy(io.Discard, slow); err != nil {
			t.Errorf("a header that never ends is not cut off: %v", err)
		}
	})
	t.Run("slow bodies", func(t *testing.T) {
		t.Parallel()
		slow := dial(t, head+"Content-Length: 1000\r\n\r\n{")
		for range 100 {
			dial(t, "POST "+strings.TrimPrefix(from.url, b.url)+" HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
		}
		b.in(t).call(http.MethodPost, "/v1/modules/retrieve-balance", object{"connection": b.conn}).want(http.StatusOK)
		from.accept(t, event("evt_slow", "invoice.paid"))
		if _, err := io.Copy(io.Discard, slow); err != nil {
			t.Errorf("a body that never ends is not cut off: %v", err)
		}
	})
	t.Run("many headers", func(t *testing.T) {
		t.Parallel()
		var flood strings.Builder
		for i := range 5000 {
			fmt.Fprintf(&flood, "X-Flood-%d: %s\r\n", i, strings.Repeat("x", 40))
		}
		if got := status(t, dial(t, head+flood.String()+"\r\n")); got != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("status = %d, want 431", got)
		}
	})
	t.Run("long bodies", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{"/v1/modules/create-customer", strings.TrimPrefix(from.url, b.url)} {
			conn := dial(t, "POST "+path+" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+adminToken+"\r\nContent-Length: 10485760\r\n\r\n"+
				strings.Repeat(" ", 1<<20+1))
			if got := status(t, conn); got != http.StatusRequestEntityTooLarge {
				t.Errorf("%s: status = %d, want 413", path, got)
			}
		}
	})
	t.Run("guesses", func(t *testing.T) {
		t.Parallel()
		guesser := *b.program
		seen := map[int]bool{}
		for i := range 300 {
			guesser.token = fmt.Sprintf("sc_guess_%d", i)
			seen[guesser.call(http.MethodGet, "/v1/connections", nil).status] = true
		}
		if !seen[http.StatusUnauthorized] || !seen[http.StatusTooManyRequests] || len(seen) != 2 {
			t.Errorf("guesses are answered %v, want 401 and then 429", seen)
		}
		b.in(t).call(http.MethodGet, "/v1/connections", nil).want(http.StatusOK)
		b.in(t).connect(stripetest.Key)
	})
}

// Whoever knows no endpoint is turned away before the body, and so takes neither memory nor room from Stripe's events.
func TestStrangersTakeNoRoom(t *testing.T) {
	t.Parallel()
	b := newBench(t, "MAX_CONCURRENT=2")
	_, from := b.watch(newSubscriber(t, nil), "invoice.paid")
	for range 10 {
		conn := b.dial("POST /stripe/ep_unknown HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n{")
		if got := status(t, conn); got != http.StatusNotFound {
			t.Fatalf("status = %d, want 404", got)
		}
	}
	from.accept(t, event("evt_1", "invoice.paid"))
}

// dial opens a connection and writes to it.
func (b *bench) dial(say string) net.Conn {
	b.t.Helper()
	conn, err := new(net.Dialer).DialContext(b.t.Context(), "tcp", strings.TrimPrefix(b.url, "http://"))
	must(b.t, err)
	b.t.Cleanup(func() { _ = conn.Close() })
	must(b.t, conn.SetDeadline(time.Now().Add(patience)))
	_, _ = io.WriteString(conn, say) // the service may have cut it off half-way
	return conn
}

func status(t *testing.T, conn net.Conn) int {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	must(t, err)
	_ = res.Body.Close()
	return res.StatusCode
}
