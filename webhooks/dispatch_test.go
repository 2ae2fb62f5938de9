package webhooks

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"stripe-connector/internal/store"
)

// bench is a dispatcher on a memoryQueue with scripted subscribers, inside a bubble.
type bench struct {
	*Dispatcher
	queue *memoryQueue
	stop  context.CancelFunc
	done  chan struct{}
}

// startDispatcher must be called in a bubble. The dispatcher is stopped at the end of the test.
func startDispatcher(t *testing.T, queue *memoryQueue, schedule Schedule, subscriber roundTripper) *bench {
	t.Helper()
	deliverer := NewDeliverer(30*time.Second, true, time.Now)
	deliverer.transport = subscriber
	d := NewDispatcher(DispatcherConfig{
		Store: queue, Secrets: tagSeal{}, Deliverer: deliverer, Schedule: schedule, Grace: 10 * time.Second,
		Now: time.Now, Random: func() float64 { return 0.5 }, Log: zerolog.Nop(),
	})
	ctx, stop := context.WithCancel(t.Context())
	b := &bench{Dispatcher: d, queue: queue, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(b.done)
		d.Run(ctx)
	}()
	t.Cleanup(b.shutdown)
	synctest.Wait()
	return b
}

func (b *bench) shutdown() {
	b.stop()
	<-b.done
}

// hang waits as long as the deliverer does.
func hang(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestDispatchFollowsSchedule(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var mu sync.Mutex
		var at []time.Duration
		queue := newMemoryQueue()
		queue.webhook("whk_1", "http://one.example")
		startDispatcher(t, queue, Schedule{5 * time.Second, time.Minute}, func(*http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			at = append(at, time.Since(start))
			return respond(500), nil
		})
		queue.add("whk_1", 1)
		time.Sleep(time.Hour)
		mu.Lock()
		defer mu.Unlock()
		if diff := cmp.Diff([]time.Duration{0, 5 * time.Second, 65 * time.Second}, at); diff != "" {
			t.Errorf("attempts differ: two waits are three attempts (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(map[store.DeliveryState]int{store.DeliveryDead: 1}, queue.states("whk_1")); diff != "" {
			t.Errorf("states differ (-want +got):\n%s", diff)
		}
		if got, want := queue.rows[0].Reason, "all 3 attempts failed"; got != want {
			t.Errorf("reason = %q, want %q", got, want)
		}
		if got, want := queue.rows[0].attempts[0].Status, 500; got != want {
			t.Errorf("status = %d, want %d", got, want)
		}
	})
}

func TestDispatchObeysRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var mu sync.Mutex
		var at []time.Duration
		queue := newMemoryQueue()
		queue.webhook("whk_1", "http://one.example")
		startDispatcher(t, queue, Schedule{5 * time.Second, time.Minute}, func(*http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			at = append(at, time.Since(start))
			if len(at) == 1 {
				return respond(429, "Retry-After", "20"), nil
			}
			return respond(200), nil
		})
		queue.add("whk_1", 1)
		time.Sleep(time.Second)
		queue.add("whk_1", 1) // It has to wait too: the subscriber asked us, not the delivery.
		time.Sleep(time.Hour)
		mu.Lock()
		defer mu.Unlock()
		if diff := cmp.Diff([]time.Duration{0, 20 * time.Second, 20 * time.Second}, at); diff != "" {
			t.Errorf("attempts differ (-want +got):\n%s", diff)
		}
	})
}

func TestDispatchGoneDisables(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryQueue()
		queue.webhook("whk_1", "http://one.example")
		startDispatcher(t, queue, Schedule{time.Second}, func(*http.Request) (*http.Response, error) {
			return respond(410), nil
		})
		queue.add("whk_1", 1)
		synctest.Wait()
		queue.add("whk_1", 1)
		time.Sleep(time.Hour)
		want := map[store.DeliveryState]int{store.DeliveryDead: 1, store.DeliveryPending: 1}
		if diff := cmp.Diff(want, queue.states("whk_1")); diff != "" {
			t.Errorf("states differ (-want +got):\n%s", diff)
		}
		w := queue.webhooks["whk_1"]
		if w.State != store.WebhookDisabled || w.Reason != reasonGone {
			t.Errorf("webhook is %s because %q, want disabled because %q", w.State, w.Reason, reasonGone)
		}
	})
}

func TestDispatchGoneOfOldTarget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryQueue()
		queue.webhook("whk_1", "http://old.example")
		startDispatcher(t, queue, Schedule{time.Second}, func(r *http.Request) (*http.Response, error) {
			if r.URL.Host == "old.example" {
				time.Sleep(time.Second)
				return respond(410), nil
			}
			return respond(200), nil
		})
		queue.add("whk_1", 1)
		synctest.Wait()
		_, err := queue.UpdateWebhook(t.Context(), "", "whk_1", func(w *store.Webhook) error {
			w.URL = "http://new.example"
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if got, want := queue.webhooks["whk_1"].State, store.WebhookActive; got != want {
			t.Errorf("state = %s, want %s: the new target did not answer 410", got, want)
		}
	})
}

// TestDispatchHangingSubscriber: one of ten hangs on a backlog of 300,000. The others must not notice.
func TestDispatchHangingSubscriber(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		hanging, most, slowest := 0, 0, time.Duration(0)
		added := time.Now()
		queue := newMemoryQueue()
		queue.webhook("whk_hangs", "http://hangs.example")
		for i := range 9 {
			queue.webhook(fmt.Sprintf("whk_%d", i), "http://well.example")
		}
		b := startDispatcher(t, queue, DefaultSchedule(), func(r *http.Request) (*http.Response, error) {
			if r.URL.Host == "hangs.example" {
				mu.Lock()
				hanging++
				most = max(most, hanging)
				mu.Unlock()
				defer func() {
					mu.Lock()
					hanging--
					mu.Unlock()
				}()
				return hang(r)
			}
			time.Sleep(20 * time.Millisecond)
			mu.Lock()
			slowest = max(slowest, time.Since(added))
			mu.Unlock()
			return respond(200), nil
		})
		queue.add("whk_hangs", 300_000)
		for range 3 {
			time.Sleep(15 * time.Second)
			mu.Lock()
			added = time.Now()
			mu.Unlock()
			for i := range 9 {
				queue.add(fmt.Sprintf("whk_%d", i), laneWidth)
			}
			time.Sleep(time.Second)
		}
		mu.Lock()
		defer mu.Unlock()
		if most != laneWidth {
			t.Errorf("%d attempts at once at the hanging subscriber, want %d", most, laneWidth)
		}
		if want := 20 * time.Millisecond; slowest != want {
			t.Errorf("slowest delivery of the others = %s, want %s", slowest, want)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if n := b.out + b.ahead; n > 10*laneWidth {
			t.Errorf("%d deliveries in memory", n)
		}
	})
}

// TestDispatchFull: more subscribers hang than there is room for at full width. The dispatcher stays within its bounds
// and still serves the one that answers.
func TestDispatchFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		served := 0
		queue := newMemoryQueue()
		for i := range 400 {
			queue.webhook(fmt.Sprintf("whk_hangs_%d", i), "http://hangs.example")
		}
		queue.webhook("whk_well", "http://well.example")
		b := startDispatcher(t, queue, DefaultSchedule(), func(r *http.Request) (*http.Response, error) {
			if r.URL.Host == "hangs.example" {
				return hang(r)
			}
			mu.Lock()
			defer mu.Unlock()
			served++
			return respond(200), nil
		})
		for i := range 400 {
			queue.add(fmt.Sprintf("whk_hangs_%d", i), 10*laneWidth)
		}
		time.Sleep(time.Second)
		b.mu.Lock()
		if b.out > maxOut || b.out < maxOut/2 {
			t.Errorf("%d attempts under way, want at most %d", b.out, maxOut)
		}
		if limit := maxAhead + claimBatch; b.ahead > limit || b.ahead < maxAhead/2 {
			t.Errorf("%d deliveries claimed ahead, want at most %d", b.ahead, limit)
		}
		b.mu.Unlock()
		queue.add("whk_well", 3)
		time.Sleep(time.Second)
		mu.Lock()
		defer mu.Unlock()
		if served != 3 {
			t.Errorf("%d of 3 deliveries served beside those that hang", served)
		}
	})
}

func TestDispatchWholeBacklogIsBoundedByBytes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryQueue()
		b := startDispatcher(t, queue, DefaultSchedule(), hang)
		body := make([]byte, MaxEvent)
		for i := range 100 {
			id := fmt.Sprintf("whk_%d", i)
			queue.webhook(id, "http://hangs.example")
			queue.mu.Lock()
			for n := range laneWidth {
				queue.rows = append(queue.rows, &row{
					Delivery: store.Delivery{ID: fmt.Sprint(id, n), Webhook: id, State: store.DeliveryPending, NextAt: time.Now()},
					event:    &store.Event{ID: fmt.Sprintf("evt_%d", n), Body: body},
				})
			}
			queue.mu.Unlock()
		}
		queue.signal()
		time.Sleep(time.Second)
		b.mu.Lock()
		defer b.mu.Unlock()
		if limit := int64(maxOutBytes + claimBatch*MaxEvent); b.outBytes < maxOutBytes || b.outBytes > limit {
			t.Errorf("%d bytes under way, want at most %d", b.outBytes, limit)
		}
	})
}

// TestDispatchNeverTwiceAtOnce lets everything fail now and then: no delivery may be under way twice at a time, and
// each must end delivered.
func TestDispatchNeverTwiceAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		under := map[string]bool{}
		random := rand.New(rand.NewPCG(1, 2))
		queue := newMemoryQueue()
		for i := range 20 {
			queue.webhook(fmt.Sprintf("whk_%d", i), fmt.Sprintf("http://s%d.example", i))
		}
		long := make(Schedule, 100)
		for i := range long {
			long[i] = time.Second
		}
		startDispatcher(t, queue, long, func(r *http.Request) (*http.Response, error) {
			id := r.Header.Get("Webhook-Id")
			mu.Lock()
			if under[id] {
				t.Errorf("%s is under way twice", id)
			}
			under[id] = true
			took, status := time.Duration(random.IntN(40))*time.Second, []int{200, 200, 500, 429, 302}[random.IntN(5)]
			mu.Unlock()
			defer func() {
				mu.Lock()
				defer mu.Unlock()
				under[id] = false
			}()
			select {
			case <-r.Context().Done():
				return nil, r.Context().Err()
			case <-time.After(took):
				return respond(status, "Retry-After", "1"), nil
			}
		})
		for i := range 20 {
			queue.add(fmt.Sprintf("whk_%d", i), 50)
		}
		for range 20 {
			time.Sleep(10 * time.Second)
			queue.fail(errors.New("away"), errors.New("away"))
			time.Sleep(10 * time.Second)
			queue.fail(nil, nil)
		}
		time.Sleep(2 * time.Hour)
		for i := range 20 {
			want := map[store.DeliveryState]int{store.DeliveryDelivered: 50}
			if diff := cmp.Diff(want, queue.states(fmt.Sprintf("whk_%d", i))); diff != "" {
				t.Errorf("states differ (-want +got):\n%s", diff)
			}
		}
	})
}

func TestDispatchOffersOutcomesAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		posts := 0
		queue := newMemoryQueue()
		queue.webhook("whk_1", "http://one.example")
		b := startDispatcher(t, queue, DefaultSchedule(), func(*http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			posts++
			return respond(200), nil
		})
		queue.fail(nil, errors.New("disk full"))
		queue.add("whk_1", 3)
		time.Sleep(20 * time.Second)
		queue.fail(nil, nil)
		time.Sleep(10 * time.Second)
		if diff := cmp.Diff(map[store.DeliveryState]int{store.DeliveryDelivered: 3}, queue.states("whk_1")); diff != "" {
			t.Errorf("states differ (-want +got):\n%s", diff)
		}
		mu.Lock()
		defer mu.Unlock()
		if posts != 3 {
			t.Errorf("%d posts for 3 deliveries", posts)
		}
		if b.out != 0 || b.outBytes != 0 {
			t.Errorf("%d attempts and %d bytes are still counted", b.out, b.outBytes)
		}
	})
}

func TestDispatchDoesNotPoll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryQueue()
		queue.webhook("whk_1", "http://one.example")
		startDispatcher(t, queue, DefaultSchedule(), hang)
		time.Sleep(time.Hour)
		queue.mu.Lock()
		idle := queue.claims
		queue.claimErr = store.ErrUnavailable
		queue.mu.Unlock()
		time.Sleep(time.Hour)
		queue.mu.Lock()
		defer queue.mu.Unlock()
		if limit := int(time.Hour/claimAnyway) + 2; idle > limit {
			t.Errorf("%d claims in an idle hour, want at most %d", idle, limit)
		}
		if failing, limit := queue.claims-idle, int(time.Hour/maxStoreWait)+10; failing > limit {
			t.Errorf("%d claims in an hour without a store, want at most %d", failing, limit)
		}
	})
}

func TestDispatchShutdownFinishes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryQueue()
		queue.webhook("whk_1", "http://one.example")
		b := startDispatcher(t, queue, DefaultSchedule(), func(*http.Request) (*http.Response, error) {
			time.Sleep(9 * time.Second)
			return respond(200), nil
		})
		queue.add("whk_1", 20)
		synctest.Wait()
		start := time.Now()
		b.shutdown()
		if took := time.Since(start); took != 9*time.Second {
			t.Errorf("shutdown took %s, want the 9 s that the attempts take", took)
		}
		want := map[store.DeliveryState]int{store.DeliveryDelivered: laneWidth, store.DeliveryPending: 20 - laneWidth}
		if diff := cmp.Diff(want, queue.states("whk_1")); diff != "" {
			t.Errorf("states differ (-want +got):\n%s", diff)
		}
		if lease := b.Lease(); lease.PerWebhook != 0 {
			t.Errorf("lease after the shutdown = %+v, want none", lease)
		}
	})
}

func TestDispatchShutdownReleases(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryQueue()
		queue.webhook("whk_1", "http://one.example")
		b := startDispatcher(t, queue, DefaultSchedule(), hang)
		queue.add("whk_1", 3)
		synctest.Wait()
		start := time.Now()
		b.shutdown()
		if took := time.Since(start); took != b.Grace {
			t.Errorf("shutdown took %s, want the grace of %s", took, b.Grace)
		}
		if diff := cmp.Diff(map[store.DeliveryState]int{store.DeliveryPending: 3}, queue.states("whk_1")); diff != "" {
			t.Errorf("states differ (-want +got):\n%s", diff)
		}
		if got := queue.rows[0].Attempts; got != 0 {
			t.Errorf("%d attempts counted for a delivery that was cut", got)
		}
	})
}

func TestDispatchShutdownWithoutStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryQueue()
		queue.webhook("whk_1", "http://one.example")
		b := startDispatcher(t, queue, DefaultSchedule(), func(*http.Request) (*http.Response, error) { return respond(200), nil })
		queue.fail(nil, store.ErrUnavailable)
		queue.add("whk_1", 20)
		time.Sleep(time.Second)
		start := time.Now()
		b.shutdown()
		if took, limit := time.Since(start), b.Grace+flushTime+maxStoreWait; took > limit {
			t.Errorf("shutdown took %s, want at most %s", took, limit)
		}
		if diff := cmp.Diff(map[store.DeliveryState]int{"out": 20}, queue.states("whk_1")); diff != "" {
			t.Errorf("states differ (-want +got):\n%s", diff)
		}
	})
}

// TestDispatchGoesOn: an attempt that ends makes way for the next one before the store has its outcome, and no store that is
// away makes that go on for ever.
func TestDispatchGoesOn(t *testing.T) {
	t.Parallel()
	const deliveries = 3 * (laneWidth + laneAhead)
	synctest.Test(t, func(t *testing.T) {
		var attempts atomic.Int32
		queue := newMemoryQueue()
		queue.webhook("whk_1", "http://one.example")
		startDispatcher(t, queue, DefaultSchedule(), func(*http.Request) (*http.Response, error) {
			attempts.Add(1)
			return respond(200), nil
		})
		queue.fail(nil, store.ErrUnavailable)
		queue.add("whk_1", deliveries)
		time.Sleep(time.Second)
		if got := attempts.Load(); got < 2*laneWidth || got > laneWidth+laneAhead {
			t.Errorf("%d attempts while no outcome is noted", got)
		}
		queue.fail(nil, nil)
		time.Sleep(time.Minute)
		if got := attempts.Load(); got != deliveries {
			t.Errorf("%d attempts in all, want %d", got, deliveries)
		}
	})
}

// TestDispatchSlow: nothing is claimed ahead for a subscriber that takes its time, until it has become quick.
func TestDispatchSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var takes atomic.Int64
		queue := newMemoryQueue()
		queue.webhook("whk_1", "http://one.example")
		b := startDispatcher(t, queue, DefaultSchedule(), func(*http.Request) (*http.Response, error) {
			time.Sleep(time.Duration(takes.Load()))
			return respond(200), nil
		})
		queue.add("whk_1", 10_000)
		for _, step := range []struct {
			takes time.Duration
			slow  bool
		}{{2 * time.Second, true}, {200 * time.Millisecond, true}, {50 * time.Millisecond, false}} {
			takes.Store(int64(step.takes))
			time.Sleep(20 * time.Second)
			b.mu.Lock()
			if slow := b.ahead <= laneWidth; slow != step.slow { // which may just have been claimed
				t.Errorf("%d claimed ahead of a subscriber that takes %s", b.ahead, step.takes)
			}
			b.mu.Unlock()
		}
		time.Sleep(time.Minute)
		if diff := cmp.Diff(map[store.DeliveryState]int{store.DeliveryDelivered: 10_000}, queue.states("whk_1")); diff != "" {
			t.Errorf("states differ (-want +got):\n%s", diff)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if len(b.slow) > 0 || len(b.lanes) > 0 || b.ahead > 0 || b.out > 0 || b.outBytes > 0 {
			t.Errorf("in the end %v is slow, %d lanes, %d ahead, %d out with %d bytes", b.slow, len(b.lanes), b.ahead, b.out, b.outBytes)
		}
	})
}

// TestDispatchWidensAgain: a lane that was narrow while there was little room gets its width when there is room again, also
// when none of its attempts ends.
func TestDispatchWidensAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var hanging atomic.Int32
		queue := newMemoryQueue()
		queue.webhook("whk_hangs", "http://hangs.example")
		queue.fail(nil, errors.New("the disk is full"))
		startDispatcher(t, queue, DefaultSchedule(), func(r *http.Request) (*http.Response, error) {
			if r.URL.Host != "hangs.example" {
				return respond(200), nil
			}
			hanging.Add(1)
			return hang(r)
		})
		for _, id := range []string{"whk_1", "whk_2"} {
			queue.webhook(id, "http://quick.example")
			queue.add(id, laneAhead)
		}
		synctest.Wait()
		queue.add("whk_hangs", 2*laneWidth)
		synctest.Wait()
		if got := hanging.Load(); got == 0 || got >= laneWidth {
			t.Errorf("with less room, %d attempts hang, want some, but fewer than %d", got, laneWidth)
		}
		queue.fail(nil, nil)
		time.Sleep(maxStoreWait)
		if got := hanging.Load(); got != laneWidth {
			t.Errorf("with room again, %d attempts hang, want %d", got, laneWidth)
		}
	})
}

// TestDispatchRecalls: what waits for its turn does not go out as if nothing had happened when its webhook is paused, its
// subscriber asks us to wait, or is gone.
func TestDispatchRecalls(t *testing.T) {
	t.Parallel()
	slow := func(status int, header ...string) roundTripper {
		return func(*http.Request) (*http.Response, error) {
			time.Sleep(2 * time.Second)
			return respond(status, header...), nil
		}
	}
	for _, tt := range []struct {
		name       string
		subscriber roundTripper
		pause      bool
		want       map[store.DeliveryState]int
		slow       []string
	}{
		{"paused", slow(200), true, map[store.DeliveryState]int{store.DeliveryDelivered: laneWidth, store.DeliveryPending: laneWidth}, nil},
		{"busy", slow(503, "Retry-After", "60"), false, map[store.DeliveryState]int{store.DeliveryPending: 2 * laneWidth}, []string{"whk_1"}},
		{"gone", slow(410), false, map[store.DeliveryState]int{store.DeliveryDead: laneWidth, store.DeliveryPending: laneWidth}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var attempts atomic.Int32
				queue := newMemoryQueue()
				queue.webhook("whk_1", "http://one.example")
				b := startDispatcher(t, queue, Schedule{time.Hour}, func(r *http.Request) (*http.Response, error) {
					attempts.Add(1)
					return tt.subscriber(r)
				})
				queue.add("whk_1", 2*laneWidth)
				synctest.Wait()
				if diff := cmp.Diff(map[store.DeliveryState]int{"out": 2 * laneWidth}, queue.states("whk_1")); diff != "" {
					t.Errorf("before, states differ (-want +got):\n%s", diff)
				}
				if tt.pause {
					_, err := queue.UpdateWebhook(t.Context(), "", "whk_1", func(w *store.Webhook) error {
						w.State = store.WebhookPaused
						return nil
					})
					if err != nil {
						t.Fatal(err)
					}
					b.Recall("whk_1")
				}
				time.Sleep(30 * time.Second)
				if diff := cmp.Diff(tt.want, queue.states("whk_1")); diff != "" {
					t.Errorf("states differ (-want +got):\n%s", diff)
				}
				if got := attempts.Load(); got != laneWidth {
					t.Errorf("%d attempts, want the %d that were under way", got, laneWidth)
				}
				b.mu.Lock()
				defer b.mu.Unlock()
				if len(b.lanes) != len(tt.slow) || !slices.Equal(b.slow, tt.slow) {
					t.Errorf("%d lanes are remembered, of which %v are slow, want %v", len(b.lanes), b.slow, tt.slow)
				}
			})
		})
	}
}

func TestDispatchTake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryQueue()
		queue.webhook("whk_1", "http://one.example")
		b := startDispatcher(t, queue, DefaultSchedule(), func(*http.Request) (*http.Response, error) { return respond(200), nil })
		claim := func() []store.Work {
			queue.add("whk_1", 1)
			claimed, err := queue.Claim(t.Context(), store.Lease{PerWebhook: 1, For: time.Minute}, 1)
			if err != nil || len(claimed.Work) != 1 {
				t.Fatalf("claimed %d, %v", len(claimed.Work), err)
			}
			return claimed.Work
		}
		b.Take(t.Context(), claim())
		synctest.Wait()
		if diff := cmp.Diff(map[store.DeliveryState]int{store.DeliveryDelivered: 1}, queue.states("whk_1")); diff != "" {
			t.Errorf("while it runs, states differ (-want +got):\n%s", diff)
		}
		b.shutdown()
		b.Take(t.Context(), claim())
		want := map[store.DeliveryState]int{store.DeliveryDelivered: 1, store.DeliveryPending: 1}
		if diff := cmp.Diff(want, queue.states("whk_1")); diff != "" {
			t.Errorf("after the shutdown, states differ (-want +got):\n%s", diff)
		}
	})
}

func TestDispatchWithoutKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryQueue()
		queue.webhook("whk_1", "http://one.example")
		queue.webhooks["whk_1"].Secrets[0].Sealed = []byte("sealed with a key that is lost")
		startDispatcher(t, queue, Schedule{time.Second}, func(*http.Request) (*http.Response, error) {
			t.Error("an unsigned request was sent")
			return respond(200), nil
		})
		queue.add("whk_1", 1)
		time.Sleep(time.Minute)
		want := map[store.DeliveryState]int{store.DeliveryDead: 1}
		if diff := cmp.Diff(want, queue.states("whk_1")); diff != "" {
			t.Errorf("states differ (-want +got):\n%s", diff)
		}
	})
}
