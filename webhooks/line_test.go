package webhooks

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/time/rate"

	"stripe-connector/internal/store"
	"stripe-connector/internal/store/sqlite"
	"stripe-connector/internal/stripeapi"
	"stripe-connector/internal/stripetest"
)

const workspace = "default"

// A line is the whole event line on a store of its own, between a Stripe with a memory and any number of subscribers.
type line struct {
	t       *testing.T
	stripe  *stripetest.Server
	store   *sqlite.Store
	service *Service
	keeper  *Keeper

	dispatcher *Dispatcher      // its Guard may be set until the first event
	public     *httptest.Server // where Stripe reaches the receiver
}

type lineOptions struct {
	stripe   stripetest.Options
	schedule Schedule
	timeout  time.Duration // of a delivery
	wrap     func(ReceiverStore) ReceiverStore
}

func newLine(t *testing.T, opts lineOptions) *line {
	t.Helper()
	if opts.timeout == 0 {
		opts.timeout = 10 * time.Second
	}
	if opts.schedule == nil {
		opts.schedule = Schedule{10 * time.Millisecond, 10 * time.Millisecond}
	}
	if opts.wrap == nil {
		opts.wrap = func(s ReceiverStore) ReceiverStore { return s }
	}
	l := &line{t: t, stripe: stripetest.NewWith(t, opts.stripe)}
	var err error
	l.store, err = sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "connector.db"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	client, err := stripeapi.New(stripeapi.Config{
		BaseURL: l.stripe.URL, RateTest: float64(rate.Inf), RateLive: float64(rate.Inf), Now: time.Now, Log: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	deliverer := NewDeliverer(opts.timeout, true, time.Now)
	dispatcher := NewDispatcher(DispatcherConfig{
		Store: l.store, Secrets: tagSeal{}, Deliverer: deliverer, Schedule: opts.schedule, Now: time.Now, Log: zerolog.Nop(),
	})
	receiver := NewReceiver(ReceiverConfig{
		Store: opts.wrap(l.store), Secrets: tagSeal{}, Dispatcher: dispatcher, Now: time.Now, Log: zerolog.Nop(),
	})
	mux := http.NewServeMux()
	mux.HandleFunc("POST /stripe/{endpoint}", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if _, err := receiver.Receive(r.Context(), r.PathValue("endpoint"), r.Header.Get("Stripe-Signature"), whole(body)); err != nil {
			w.WriteHeader(statusOf(err))
		}
	})
	l.public = httptest.NewServer(mux)
	l.service = NewService(ServiceConfig{
		Store: l.store, Stripe: client, Secrets: tagSeal{}, Deliverer: deliverer, PublicURL: l.public.URL, Now: time.Now,
		Log: zerolog.Nop(),
	})
	l.keeper = NewKeeper(KeeperConfig{Service: l.service, Receiver: receiver, Interval: 5 * time.Minute, Retention: 720 * time.Hour})
	l.dispatcher = dispatcher
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		dispatcher.Run(ctx)
	}()
	t.Cleanup(func() {
		l.service.Close()
		l.public.Close()
		stop()
		<-done
		deliverer.Close()
		client.Close()
		if err := l.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func statusOf(err error) int {
	var busy *BusyError
	switch {
	case errors.Is(err, ErrSignature), errors.Is(err, ErrMalformed), errors.Is(err, ErrLivemode):
		return http.StatusBadRequest
	case errors.Is(err, store.ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, ErrTooLarge):
		return http.StatusRequestEntityTooLarge
	case errors.As(err, &busy):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// connection stores a connection with a key and returns its id.
func (l *line) connection(key string) string {
	l.t.Helper()
	now := time.Now()
	id := store.NewID(store.PrefixConnection, now)
	sealed, err := tagSeal{}.Seal(id, store.PurposeKey, []byte(key))
	if err != nil {
		l.t.Fatal(err)
	}
	err = l.store.CreateConnection(l.t.Context(), store.Connection{
		ID: id, Workspace: workspace, Name: "Shop", Livemode: strings.Contains(key, "_live_"), Key: sealed, Created: now,
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return id
}

// attach attaches a webhook and fails the test if that fails.
func (l *line) attach(a Attachment) Attached {
	l.t.Helper()
	if a.Name == "" {
		a.Name = "Hook"
	}
	attached, err := l.service.Attach(l.t.Context(), workspace, a)
	if err != nil {
		l.t.Fatal(err)
	}
	return attached
}

// keep does one round of the keeper, to its end.
func (l *line) keep() {
	l.t.Helper()
	var under sync.WaitGroup
	l.keeper.round(l.t.Context(), &under)
	under.Wait()
}

// webhooks lists what is attached.
func (l *line) webhooks() []store.Webhook {
	l.t.Helper()
	list, err := l.store.Webhooks(l.t.Context(), workspace, store.WebhookFilter{}, store.Page{})
	if err != nil {
		l.t.Fatal(err)
	}
	return list.Data
}

// endpoints lists what the store has of endpoints.
func (l *line) endpoints() []store.Endpoint {
	l.t.Helper()
	list, err := l.store.AllEndpoints(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	return list
}

// subscriber takes deliveries. By default it answers 200.
type subscriber struct {
	*httptest.Server

	mu     sync.Mutex
	status int
	got    []received
	come   chan struct{} // one token for each request that was answered
}

type received struct {
	header http.Header
	body   []byte
}

func newSubscriber(t *testing.T) *subscriber {
	t.Helper()
	s := &subscriber{status: http.StatusOK, come: make(chan struct{}, 10_000)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // The test is over.
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.got = append(s.got, received{r.Header.Clone(), body})
		w.WriteHeader(s.status)
		s.come <- struct{}{}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *subscriber) answer(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = status
}

// wait returns when n more requests have come.
func (s *subscriber) wait(t *testing.T, n int) {
	t.Helper()
	for range n {
		select {
		case <-s.come:
		case <-t.Context().Done():
			t.Fatal("the test ended before the subscriber was called")
		}
	}
}

// ids are the webhook-ids that came, sorted, doubles included.
func (s *subscriber) ids() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for _, r := range s.got {
		ids = append(ids, r.header.Get("Webhook-Id"))
	}
	slices.Sort(ids)
	return ids
}

// waitFor returns the deliveries of a webhook in a state as soon as there are n. The store tells nobody when an outcome
// is committed, so this looks again and again.
func (l *line) waitFor(webhook string, state store.DeliveryState, n int) []store.Delivery {
	l.t.Helper()
	for {
		list, err := l.store.Deliveries(l.t.Context(), workspace, store.DeliveryFilter{Webhook: webhook, State: state}, store.Page{})
		if err != nil {
			l.t.Fatal(err)
		}
		if len(list.Data) >= n {
			return list.Data
		}
		runtime.Gosched()
	}
}

// waitForJob returns a job that has ended.
func (l *line) waitForJob(id string) Job {
	l.t.Helper()
	for {
		job, err := l.service.Job(workspace, id)
		if err != nil {
			l.t.Fatal(err)
		}
		if job.State != JobRunning {
			return job
		}
		runtime.Gosched()
	}
}
