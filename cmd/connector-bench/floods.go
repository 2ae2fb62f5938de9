package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// A flood is what strangers do to the service until their context ends. It is an error if they cannot reach it. Their load
// shares the processors with the connector, so what comes at a rate comes as a line would carry it from outside.
type flood struct {
	what string
	come func(ctx context.Context, address string) error
}

// floods are all of them. That of long bodies knows the URL of an endpoint, or they would not be read.
func floods(door string) []flood {
	const head = "POST /stripe/%s HTTP/1.1\r\nHost: bench\r\n"
	const body = head + "Content-Length: %d\r\n\r\n"
	_, endpoint, _ := strings.Cut(door, "/stripe/")
	var many strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&many, "X-Flood-%d: %s\r\n", i, strings.Repeat("x", 40))
	}
	return []flood{
		{"1,000 idle connections", held(1000, "")},
		{"1,000 connections whose headers never end", held(1000, fmt.Sprintf(head, "x")+"X: ")},
		{"1,000 connections whose bodies never end", held(1000, fmt.Sprintf(body, "x", 1000)+"{")},
		{"10 bodies of 10 MiB a second", fired(10, append(fmt.Appendf(nil, body, endpoint, 10<<20), make([]byte, 10<<20)...))},
		{"100 requests a second with 5,000 headers", fired(100, []byte(fmt.Sprintf(head, "x")+many.String()+"\r\n"))},
		{"1,000 wrong tokens a second", guessed(1000)},
	}
}

// held keeps connections open, with a byte each second where something was begun, and opens those anew that are cut off.
func held(connections int, begin string) func(context.Context, string) error {
	hold := func(ctx context.Context, address string) error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		defer conn.Close()
		gone := make(chan struct{})
		go func() {
			_, _ = io.Copy(io.Discard, conn) // until one side closes it
			close(gone)
		}()
		_, err = io.WriteString(conn, begin)
		more := time.NewTicker(time.Second)
		defer more.Stop()
		for err == nil {
			select {
			case <-more.C:
				if begin != "" {
					_, err = io.WriteString(conn, "x")
				}
			case <-gone:
				return nil
			case <-ctx.Done():
				return nil
			}
		}
		return nil // it was cut off
	}
	return func(ctx context.Context, address string) error {
		_, err := closed(ctx, connections, time.Hour, func(ctx context.Context, n int, _ time.Time) error {
			// They do not all speak at once.
			if err := sleep(ctx, time.Duration(n%connections)*time.Second/time.Duration(connections)); err != nil {
				return err
			}
			return hold(ctx, address)
		})
		return err
	}
}

// fired opens connections at a steady rate, and writes the same to each for as long as it is read.
func fired(perSecond int, text []byte) func(context.Context, string) error {
	return func(ctx context.Context, address string) error {
		return open(ctx, perSecond, time.Hour, func(ctx context.Context, _ int, _ time.Time) error {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
			if err != nil {
				return err
			}
			defer conn.Close()
			defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
			_, _ = io.Copy(conn, bytes.NewReader(text)) // it may be cut off
			_, _ = io.Copy(io.Discard, conn)
			return nil
		})
	}
}

// guessed tries another token with each request.
func guessed(perSecond int) func(context.Context, string) error {
	client := transport()
	return func(ctx context.Context, address string) error {
		return open(ctx, perSecond, time.Hour, func(ctx context.Context, _ int, _ time.Time) error {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/v1/connections", http.NoBody)
			if err != nil {
				return err
			}
			r.Header.Set("Authorization", "Bearer sc_"+rand.Text())
			res, err := client.RoundTrip(r)
			if err != nil {
				return err
			}
			defer res.Body.Close()
			_, err = io.Copy(io.Discard, res.Body)
			return err
		})
	}
}

// measureFloods holds the p99 of a caller and of Stripe, at 50/s each, during a flood against what it is right before.
func (b *bench) measureFloods(ctx context.Context) ([]row, error) {
	const perSecond = 50
	s, err := b.start(ctx, b.sqlite())
	if err != nil {
		return nil, err
	}
	defer s.Stop()
	d, err := b.attach(ctx, s, 1)
	if err != nil {
		return nil, err
	}
	connection, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	call := posting(s.url+"/v1/modules/create-payment-intent", jsonType, token, fmt.Sprintf(intentBundle, connection))
	serve := func(ctx context.Context, length time.Duration) (*spread, error) {
		took, r := newSpread(), b.subscribers.begin(rand.Text(), 2*perSecond*int(length.Seconds()+1))
		err := open(ctx, 2*perSecond, length, func(ctx context.Context, n int, due time.Time) (err error) {
			if n%2 == 0 {
				err = call(ctx)
			} else {
				err = d.send(ctx, r.id(n, due))
			}
			took.add(time.Since(due))
			return err
		})
		return took, err
	}
	during := func(f flood) (*spread, error) {
		ctx, stop := context.WithCancelCause(ctx)
		var flooding sync.WaitGroup
		defer flooding.Wait()
		defer stop(nil)
		flooding.Go(func() { stop(f.come(ctx, strings.TrimPrefix(s.url, "http://"))) })
		if _, err := serve(ctx, b.warmUp()); err != nil {
			return nil, err
		}
		return serve(ctx, 2*b.length)
	}
	var rows []row
	for _, f := range floods(d.url) {
		var p99 [][]float64
		for i := range b.runs {
			b.progress("floods: %s, run %d of %d", f.what, i+1, b.runs)
			quiet, err := serve(ctx, 2*b.length)
			if err != nil {
				return nil, err
			}
			took, err := during(f)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", f.what, err)
			}
			p99 = append(p99, []float64{took.at(99), quiet.at(99)})
		}
		rows = append(rows, judge("floods", "p99 of calls and events, 50/s each, under "+f.what+"; beside: quiet", "ms", times, 2, p99...))
	}
	return rows, nil
}
