package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A load is what events are sent to and how many subscribers get each.
type load func(ctx context.Context) (*service, door, error)

// viaStore is a connector on a fresh database.
func (b *bench) viaStore(kind string, subscribers int) load {
	return func(ctx context.Context) (*service, door, error) {
		database, err := b.database(ctx, kind)
		if err != nil {
			return nil, door{}, err
		}
		s, err := b.start(ctx, database)
		if err != nil {
			return nil, door{}, err
		}
		s.then = func() { b.drop(context.WithoutCancel(ctx), kind, database) }
		d, err := b.attach(ctx, s, subscribers)
		if err != nil {
			s.Stop()
		}
		return s, d, err
	}
}

// viaMemory is the ceiling that stores nothing.
func (b *bench) viaMemory(subscribers int) load {
	return func(ctx context.Context) (*service, door, error) {
		secret := "whsec_" + rand.Text()
		signing := "whsec_" + base64.StdEncoding.EncodeToString([]byte(rand.Text()))
		s, err := b.ceiling(ctx, "forward", append([]string{secret, signing}, b.targets(subscribers)...)...)
		if err != nil {
			return nil, door{}, err
		}
		return s, b.door(s.url+"/events", secret), nil
	}
}

// measureThroughput sends events as fast as they are acknowledged, from 64 connections.
func (b *bench) measureThroughput(kind string, acknowledged, delivered float64) func(context.Context) ([]row, error) {
	return func(ctx context.Context) ([]row, error) {
		var rows []row
		for _, subscribers := range []int{1, 10} {
			var acked, made, spent [][]float64
			for i := range b.runs {
				b.progress("events on %s: %s, run %d of %d", kind, counted(subscribers, "subscriber"), i+1, b.runs)
				var ack, del, cpu []float64
				for _, begin := range []load{b.viaStore(kind, subscribers), b.viaMemory(subscribers)} {
					a, d, c, err := b.flood(ctx, begin, subscribers)
					if err != nil {
						return nil, err
					}
					ack, del, cpu = append(ack, a), append(del, d), append(cpu, c)
				}
				acked, made, spent = append(acked, ack), append(made, del), append(spent, cpu)
			}
			time := judge("events-"+strings.ToLower(kind), fmt.Sprintf("processor time of the service for a delivery, %s, %s; beside: from memory",
				counted(subscribers, "subscriber"), kind), "µs", shown, 0, spent...)
			if subscribers == 1 {
				rows = append(rows, judge("events-"+strings.ToLower(kind), "events acknowledged, 1 subscriber, "+kind+"; beside: from memory", "1/s", share, acknowledged, acked...), time)
				continue
			}
			rows = append(rows, judge("events-"+strings.ToLower(kind), "deliveries, 10 subscribers, "+kind+"; beside: from memory", "1/s", share, delivered, made...), time)
			if kind == sqliteKind {
				// Outpost, tuned, sustained 1,220 a second on two such cores.
				rows = append(rows, judge("events-"+strings.ToLower(kind), "the same against five times the fastest open peer", "1/s", floor, 5*1220, made...))
			}
		}
		return rows, nil
	}
}

func (b *bench) flood(ctx context.Context, begin load, subscribers int) (acknowledged, delivered, processor float64, err error) {
	const senders = 64
	s, d, err := begin(ctx)
	if err != nil {
		return 0, 0, 0, err
	}
	defer s.Stop()
	for _, length := range []time.Duration{b.warmUp(), b.length} {
		before, err := s.processor()
		if err != nil {
			return 0, 0, 0, err
		}
		r := b.subscribers.begin(rand.Text(), 1_000_000)
		acknowledged, err = closed(ctx, senders, length, func(ctx context.Context, n int, due time.Time) error {
			return d.send(ctx, r.id(n, due))
		})
		if err != nil {
			return 0, 0, 0, err
		}
		sent := int(r.sent.Load())
		if err := r.wait(ctx, sent*subscribers); err != nil {
			return 0, 0, 0, err
		}
		delivered = float64(sent*subscribers) / time.Duration(r.last.Load()).Seconds()
		after, err := s.processor()
		if err != nil {
			return 0, 0, 0, err
		}
		processor = (after - before) / float64(sent*subscribers)
	}
	return acknowledged, delivered, processor, nil
}

// measureLatency sends events at a steady rate and takes the time until each subscriber has each, and the memory used.
func (b *bench) measureLatency(kind string, half, most float64) func(context.Context) ([]row, error) {
	return func(ctx context.Context) ([]row, error) {
		const perSecond, subscribers = 200, 10
		var p50, p99, memory [][]float64
		for i := range b.runs {
			b.progress("latency on %s: run %d of %d", kind, i+1, b.runs)
			var h, m, held []float64
			for _, begin := range []load{b.viaStore(kind, subscribers), b.viaMemory(subscribers)} {
				took, rss, err := b.steady(ctx, begin, perSecond, subscribers)
				if err != nil {
					return nil, err
				}
				h, m, held = append(h, took.at(50)), append(m, took.at(99)), append(held, rss)
			}
			p50, p99, memory = append(p50, h), append(p99, m), append(memory, held)
		}
		rows := []row{
			judge("latency-"+strings.ToLower(kind), "event in until subscriber has it, 200/s × 10, "+kind+", p50; beside: from memory", "ms", limit, half, p50...),
			judge("latency-"+strings.ToLower(kind), "the same, p99", "ms", limit, most, p99...),
		}
		if kind == sqliteKind {
			rows = append(rows, judge("latency-"+strings.ToLower(kind), "memory meanwhile", "MiB", limit, 48, memory...))
		}
		return rows, nil
	}
}

func (b *bench) steady(ctx context.Context, begin load, perSecond, subscribers int) (took *spread, memory float64, err error) {
	s, d, err := begin(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer s.Stop()
	for _, length := range []time.Duration{b.warmUp(), 2 * b.length} {
		r := b.subscribers.begin(rand.Text(), perSecond*int(length.Seconds()+1))
		err := open(ctx, perSecond, length, func(ctx context.Context, n int, due time.Time) error {
			return d.send(ctx, r.id(n, due))
		})
		if err != nil {
			return nil, 0, err
		}
		if err := r.wait(ctx, int(r.sent.Load())*subscribers); err != nil {
			return nil, 0, err
		}
		took = r.took
	}
	memory, err = s.memory()
	return took, memory, err
}

// measurePeers holds the p99 of one subscriber against a tenth of what Outpost took on two such cores at these rates.
func (b *bench) measurePeers(ctx context.Context) ([]row, error) {
	var rows []row
	for _, peer := range []struct {
		perSecond int
		p99       float64 // of Outpost, in milliseconds
	}{{100, 56}, {500, 150}, {1000, 300}} {
		var p99 [][]float64
		for i := range b.runs {
			b.progress("peers: %d/s, run %d of %d", peer.perSecond, i+1, b.runs)
			took, _, err := b.steady(ctx, b.viaStore(sqliteKind, 1), peer.perSecond, 1)
			if err != nil {
				return nil, err
			}
			p99 = append(p99, []float64{took.at(99)})
		}
		what := fmt.Sprintf("event in until its one subscriber has it at %d/s, p99; a tenth of the best open peer's", peer.perSecond)
		rows = append(rows, judge("peers", what, "ms", limit, peer.p99/10, p99...))
	}
	return rows, nil
}

// measureLoaded compares the p99 of a connector that has much stored and much waiting with that of one that has not.
func (b *bench) measureLoaded(kind string) func(context.Context) ([]row, error) {
	return func(ctx context.Context) ([]row, error) {
		const perSecond, subscribers = 200, 10
		full, err := b.fill(ctx, kind, subscribers)
		if err != nil {
			return nil, err
		}
		var p99 [][]float64
		for i := range b.runs {
			b.progress("loaded %s: run %d of %d", kind, i+1, b.runs)
			var run []float64
			for _, begin := range []load{full, b.viaStore(kind, subscribers)} {
				took, _, err := b.steady(ctx, begin, perSecond, subscribers)
				if err != nil {
					return nil, err
				}
				run = append(run, took.at(99))
			}
			p99 = append(p99, run)
		}
		what := fmt.Sprintf("p99 with %s webhooks, %s stored events, %s deliveries waiting for one that hangs, %s; beside: empty",
			count(b.webhooks), count(b.stored), count(b.backlog), kind)
		return []row{judge("loaded-"+strings.ToLower(kind), what, "ms", times, 2, p99...)}, nil
	}
}

// counted is a number of things.
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return count(n) + " " + what + "s"
}

// count writes a number with its thousands apart.
func count(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%s,%03d", count(n/1000), n%1000)
}

// measureDisk shows what one commit costs here: one sender, one event after the other, beside the disk alone.
func (b *bench) measureDisk(ctx context.Context) ([]row, error) {
	var rates [][]float64
	for i := range b.runs {
		b.progress("disk: run %d of %d", i+1, b.runs)
		alone, err := syncs(b.dir, b.length)
		if err != nil {
			return nil, err
		}
		s, d, err := b.viaStore(sqliteKind, 1)(ctx)
		if err != nil {
			return nil, err
		}
		r := b.subscribers.begin(rand.Text(), 1_000_000)
		rate, err := closed(ctx, 1, b.length, func(ctx context.Context, n int, due time.Time) error { return d.send(ctx, r.id(n, due)) })
		s.Stop()
		if err != nil {
			return nil, err
		}
		rates = append(rates, []float64{rate, alone})
	}
	return []row{judge("disk", "events acknowledged to one sender, "+sqliteKind+"; beside: append and fsync alone", "1/s", shown, 0, rates...)}, nil
}

// The kinds of stores, as the table names them.
const (
	sqliteKind   = "SQLite"
	postgresKind = "PostgreSQL"
)

// database makes an empty one.
func (b *bench) database(ctx context.Context, kind string) (string, error) {
	if kind == sqliteKind {
		return b.sqlite(), nil
	}
	return b.postgres.Create(ctx)
}

// drop removes a database, or the system and the server would work on what it leaves behind while others are measured.
func (b *bench) drop(ctx context.Context, kind, database string) {
	var err error
	if kind == sqliteKind {
		err = os.RemoveAll(filepath.Dir(strings.TrimPrefix(database, "sqlite:")))
	} else {
		err = b.postgres.Drop(ctx, database)
	}
	if err != nil {
		b.progress("keeping a database: %v", err)
	}
}

func (b *bench) sqlite() string {
	b.made++
	return fmt.Sprintf("sqlite:%s/%d/connector.db", strings.TrimSuffix(b.dir, "/"), b.made)
}
