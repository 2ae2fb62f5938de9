package postgres

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"stripe-connector/internal/store"
	"stripe-connector/internal/store/postgres/pgtest"
)

// durable is a store on a server that writes through to the disk.
func durable(b *testing.B) *Store {
	b.Helper()
	return open(b, pgtest.Need(b).URL("postgres"))
}

func BenchmarkIngest(b *testing.B) {
	for _, callers := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprint("callers=", callers), func(b *testing.B) {
			s := durable(b)
			e := line(b, s, 3)
			n, next := 0, make(chan int)
			var wg sync.WaitGroup
			for range callers {
				wg.Go(func() {
					for i := range next {
						in := event(e, i)
						in.Body = make([]byte, 2000)
						if _, err := s.Ingest(context.Background(), []store.NewEvent{in}, store.Lease{}); err != nil {
							b.Error(err)
						}
					}
				})
			}
			for b.Loop() {
				n++
				next <- n
			}
			close(next)
			wg.Wait()
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkDeliver takes events of 2,000 bytes in from 64 callers for ten webhooks, and finishes their deliveries as they are
// handed out, whatever waits together.
func BenchmarkDeliver(b *testing.B) {
	const webhooks, callers = 10, 64
	ctx := context.Background()
	s := durable(b)
	e := line(b, s, webhooks)
	n, next, work := 0, make(chan int), make(chan store.Work, 2*webhooks*callers)
	var receiving, finishing sync.WaitGroup
	finishing.Go(func() {
		for w := range work {
			batch := []store.Outcome{delivered(w)}
			for more := true; more && len(batch) < maxBatch; {
				select {
				case w, more = <-work:
					if more {
						batch = append(batch, delivered(w))
					}
				default:
					more = false
				}
			}
			if err := s.Finish(ctx, batch); err != nil {
				b.Error(err)
			}
		}
	})
	for range callers {
		receiving.Go(func() {
			for i := range next {
				in := event(e, i)
				in.Body = make([]byte, 2000)
				got, err := s.Ingest(ctx, []store.NewEvent{in}, wide)
				if err != nil {
					b.Error(err)
					return
				}
				for _, w := range got[0].Work {
					work <- w
				}
			}
		})
	}
	for b.Loop() {
		n++
		next <- n
	}
	close(next)
	receiving.Wait()
	close(work)
	finishing.Wait()
	b.ReportMetric(float64(n*webhooks)/b.Elapsed().Seconds(), "deliveries/s")
}

func delivered(w store.Work) store.Outcome {
	return store.Outcome{
		Delivery: w.Delivery.ID, Lease: w.Delivery.NextAt, Verdict: store.VerdictDelivered,
		Attempt: &store.Attempt{At: time.Now(), Duration: time.Millisecond, Status: 200, Answer: []byte("ok")},
	}
}

// BenchmarkClaim claims and finishes ten deliveries a time, while one webhook has a backlog of the given size and as much
// out as may be.
func BenchmarkClaim(b *testing.B) {
	for _, backlog := range []int{0, 300_000} {
		b.Run(fmt.Sprint("backlog=", backlog), func(b *testing.B) {
			ctx := context.Background()
			s := durable(b)
			e := line(b, s, 10)
			webhooks, err := s.Webhooks(ctx, "w", store.WebhookFilter{}, store.Page{})
			check(b, err)
			for i := 0; i < backlog; i += 1000 {
				batch := make([]store.NewEvent, 1000)
				for j := range batch {
					batch[j] = event(e, i+j)
					batch[j].Webhook = webhooks.Data[0].ID
				}
				_, err := s.Ingest(ctx, batch, store.Lease{})
				check(b, err)
			}
			narrow := store.Lease{PerWebhook: 8, For: time.Hour}
			_, err = s.Claim(ctx, narrow, 8)
			check(b, err)
			n := backlog
			for b.Loop() {
				b.StopTimer()
				n++
				_, err := s.Ingest(ctx, []store.NewEvent{event(e, n)}, store.Lease{})
				check(b, err)
				b.StartTimer()
				claimed, err := s.Claim(ctx, narrow, 100)
				check(b, err)
				outcomes := make([]store.Outcome, len(claimed.Work))
				for i, w := range claimed.Work {
					outcomes[i] = delivered(w)
				}
				check(b, s.Finish(ctx, outcomes))
			}
		})
	}
}
