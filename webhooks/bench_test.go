package webhooks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"stripe-connector/internal/store"
	"stripe-connector/internal/store/sqlite"
)

// BenchmarkLine takes events in from 32 senders at once and delivers each to three subscribers, on SQLite with fsync; the
// second time beside a fourth one that hangs on 300,000 deliveries. One op is one event, until its last delivery is made.
func BenchmarkLine(b *testing.B) {
	for _, backlog := range []int{0, 300_000} {
		b.Run(fmt.Sprintf("backlog=%d", backlog), func(b *testing.B) { benchmarkLine(b, backlog) })
	}
}

func benchmarkLine(b *testing.B, backlog int) {
	b.Helper()
	const subscribers, senders = 3, 32
	db, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "connector.db"), time.Now)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	var left atomic.Int64
	done := make(chan struct{}, 1)
	target := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if left.Add(-1) == 0 {
			done <- struct{}{}
		}
	}))
	defer target.Close()
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else the server does not notice that the client has gone
		<-r.Context().Done()
	}))
	defer hangs.Close()
	attachBench(b, db, "whk_hangs", "charge.failed", hangs.URL)
	for i := range subscribers {
		attachBench(b, db, fmt.Sprintf("whk_%d", i), "invoice.paid", target.URL)
	}
	fillBench(b, db, backlog)

	dispatcher := NewDispatcher(DispatcherConfig{
		Store: db, Secrets: tagSeal{}, Deliverer: NewDeliverer(10*time.Second, true, time.Now), Schedule: DefaultSchedule(),
		Now: time.Now, Log: zerolog.Nop(),
	})
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { dispatcher.Run(ctx) })
	defer running.Wait()
	defer stop()
	receiver := NewReceiver(ReceiverConfig{
		Store: db, Secrets: tagSeal{}, Dispatcher: dispatcher, Now: time.Now, Log: zerolog.Nop(),
	})

	padding := string(make([]byte, 0, 3000))
	for len(padding) < 3000 {
		padding += `{"id":"si_1","amount":1000,"currency":"eur"},`
	}
	var mu sync.Mutex
	var took []time.Duration
	b.ResetTimer()
	left.Store(int64(b.N) * subscribers)
	numbers := make(chan int)
	var sending sync.WaitGroup
	for range senders {
		sending.Go(func() {
			for n := range numbers {
				body := fmt.Appendf(nil, `{"id":"evt_%d","type":"invoice.paid","livemode":false,"created":%d,"data":{"lines":[%s{}]}}`,
					n, time.Now().Unix(), padding)
				start := time.Now()
				if _, err := receiver.Receive(ctx, "ep_1", stripeHeader(body, testSecret, start), whole(body)); err != nil {
					b.Error(err)
				}
				mu.Lock()
				took = append(took, time.Since(start))
				mu.Unlock()
			}
		})
	}
	for n := range b.N {
		numbers <- n
	}
	close(numbers)
	sending.Wait()
	<-done
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms/receive-p99")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

func attachBench(b *testing.B, db *sqlite.Store, id, eventType, target string) {
	b.Helper()
	now := time.Now()
	// All but the first find connection and endpoint there.
	err := db.CreateConnection(b.Context(), store.Connection{ID: "conn_1", Workspace: workspace, Key: []byte("sealed"), Created: now})
	if err != nil && !errors.Is(err, store.ErrConflict) {
		b.Fatal(err)
	}
	_, err = db.EnsureEndpoint(b.Context(), store.Endpoint{
		ID: "ep_1", Workspace: workspace, Connection: "conn_1", State: store.EndpointEnabled, Created: now,
		Secrets: []store.Secret{{Sealed: []byte("ep_1/endpoint/" + testSecret)}},
	})
	if err != nil {
		b.Fatal(err)
	}
	_, _, err = db.CreateWebhook(b.Context(), store.Webhook{
		ID: id, Workspace: workspace, Connection: "conn_1", Endpoint: "ep_1", EventTypes: []string{eventType},
		URL: target + "/" + id, State: store.WebhookActive, Since: now, Created: now,
		Secrets: []store.Secret{{Sealed: []byte(id + "/webhook/" + newSigningSecret())}},
	})
	if err != nil {
		b.Fatal(err)
	}
}

// fillBench stores n events for the subscriber that hangs.
func fillBench(b *testing.B, db *sqlite.Store, n int) {
	b.Helper()
	for n > 0 {
		batch := make([]store.NewEvent, min(n, 1000))
		for i := range batch {
			n--
			batch[i] = store.NewEvent{
				Endpoint: "ep_1", ID: fmt.Sprintf("evt_backlog_%d", n), Type: "charge.failed", Body: []byte("{}"), Created: time.Now(),
				Source: store.SourceWebhook,
			}
		}
		if _, err := db.Ingest(b.Context(), batch, store.Lease{}); err != nil {
			b.Fatal(err)
		}
	}
}
