package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Subscribers take deliveries: those to /hang are never answered, all others at once.
type subscribers struct {
	url    string
	server *http.Server
	round  atomic.Pointer[round]
}

// A round is one load of events, whose ids name it, and what arrived of it.
type round struct {
	name    string
	due     []atomic.Int64 // by event: when it was to be sent, in nanoseconds since begun
	begun   time.Time
	took    *spread // from due to the subscriber
	sent    atomic.Int64
	arrived atomic.Int64
	last    atomic.Int64 // when the latest one arrived, in nanoseconds since begun
}

func newSubscribers(ctx context.Context) (*subscribers, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &subscribers{url: "http://" + listener.Addr().String()}
	mux := http.NewServeMux()
	mux.HandleFunc("/hang", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else the server does not notice that the client has gone
		<-r.Context().Done()
	})
	mux.HandleFunc("/", s.take)
	s.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.server.Serve(listener) }() // ends with close
	return s, nil
}

func (s *subscribers) close() { _ = s.server.Close() }

// begin starts a round of at most so many events.
func (s *subscribers) begin(name string, events int) *round {
	r := &round{name: name, due: make([]atomic.Int64, events), begun: time.Now(), took: newSpread()}
	s.round.Store(r)
	return r
}

// id names the nth event of the round and notes when it is due.
func (r *round) id(n int, due time.Time) string {
	r.due[n].Store(int64(due.Sub(r.begun)))
	r.sent.Add(1)
	return "evt_" + r.name + "_" + strconv.Itoa(n)
}

func (s *subscribers) take(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	now := s.round.Load()
	if now == nil {
		return
	}
	at := time.Since(now.begun)
	number, ours := strings.CutPrefix(r.Header.Get("Webhook-Id"), "evt_"+now.name+"_")
	n, err := strconv.Atoi(number)
	if !ours || err != nil || n >= len(now.due) {
		return // of a round before
	}
	now.took.add(at - time.Duration(now.due[n].Load()))
	now.last.Store(int64(at))
	now.arrived.Add(1)
}

// wait returns when so many deliveries have arrived. It is an error when none comes for a while.
func (r *round) wait(ctx context.Context, deliveries int) error {
	const patience = 20 * time.Second
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	before, since := int64(-1), time.Now()
	for {
		switch now := r.arrived.Load(); {
		case now >= int64(deliveries):
			return nil
		case now != before:
			before, since = now, time.Now()
		case time.Since(since) > patience:
			return fmt.Errorf("%d of %d deliveries arrived, and no more come", now, deliveries)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
