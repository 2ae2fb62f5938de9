package webhooks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"stripe-connector/internal/store"
)

// memoryEvents is a ReceiverStore with one endpoint.
type memoryEvents struct {
	endpoint store.Endpoint
	backlog  store.Backlog
	err      error // of Ingest
	findErr  error // of Receiver

	mu     sync.Mutex
	events map[string]store.NewEvent
	calls  int
	found  int // calls of Receiver
}

func (m *memoryEvents) Receiver(_ context.Context, id string) (store.Endpoint, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.found++
	if m.findErr != nil {
		return store.Endpoint{}, m.findErr
	}
	if id != m.endpoint.ID {
		return store.Endpoint{}, store.ErrNotFound
	}
	return m.endpoint, nil
}

func (m *memoryEvents) Ingest(ctx context.Context, events []store.NewEvent, _ store.Lease) ([]store.Ingested, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls++
	if err := errors.Join(m.err, ctx.Err()); err != nil {
		return nil, err
	}
	_, old := m.events[events[0].ID]
	if !old {
		m.events[events[0].ID] = events[0]
	}
	return []store.Ingested{{New: !old, Deliveries: 2}}, nil
}

func (m *memoryEvents) Backlog(context.Context) (store.Backlog, error) { return m.backlog, nil }

// nobody takes no work.
type nobody struct{}

func (nobody) Lease() store.Lease                 { return store.Lease{} }
func (nobody) Take(context.Context, []store.Work) {}

var receivedAt = time.Unix(1_770_000_000, 0).UTC()

func newTestReceiver() (*Receiver, *memoryEvents) {
	events := &memoryEvents{events: map[string]store.NewEvent{}, endpoint: store.Endpoint{ID: "ep_1", Secrets: []store.Secret{
		{Sealed: []byte("ep_1/endpoint/" + testSecret)},
		{Sealed: []byte("ep_1/endpoint/" + otherSecret), NotAfter: receivedAt.Add(time.Hour)},
		{Sealed: []byte("ep_1/endpoint/whsec_ended"), NotAfter: receivedAt.Add(-time.Hour)},
	}}}
	return NewReceiver(ReceiverConfig{
		Store: events, Secrets: tagSeal{}, Dispatcher: nobody{}, MaxPending: 100, MaxBytes: 1000,
		Now: func() time.Time { return receivedAt }, Log: zerolog.Nop(),
	}), events
}

func testEvent(livemode bool) []byte {
	return fmt.Appendf(nil, "{\n \"id\": \"evt_1\", \"type\":\"customer.created\",\"livemode\": %t, \"api_version\":\"2024-06-20\",\"created\":1769999999,\"data\":{\"object\":{\"id\":\"cus_1\"}} }\n", livemode)
}

func TestReceive(t *testing.T) {
	t.Parallel()
	r, events := newTestReceiver()
	body := testEvent(false)
	for i, want := range []Receipt{
		{Event: "evt_1", Type: "customer.created", New: true, Deliveries: 2},
		{Event: "evt_1", Type: "customer.created", New: false, Deliveries: 2},
	} {
		got, err := r.Receive(t.Context(), "ep_1", stripeHeader(body, testSecret, receivedAt), whole(body))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("receipt %d differs (-want +got):\n%s", i, diff)
		}
	}
	want := store.NewEvent{
		Endpoint: "ep_1", ID: "evt_1", Type: "customer.created", Body: body, APIVersion: "2024-06-20",
		Created: receivedAt.Add(-time.Second), Source: store.SourceWebhook, Object: "cus_1",
	}
	if diff := cmp.Diff(want, events.events["evt_1"]); diff != "" {
		t.Errorf("stored event differs (-want +got):\n%s", diff)
	}
}

// An endpoint is read once for all events of a moment; a new secret is known at once, and a deleted endpoint soon forgotten.
func TestReceiveRemembersEndpoint(t *testing.T) {
	t.Parallel()
	r, events := newTestReceiver()
	now := receivedAt
	r.Now = func() time.Time { return now }
	body := testEvent(false)
	receive := func(secret string) error {
		_, err := r.Receive(t.Context(), "ep_1", stripeHeader(body, secret, now), whole(body))
		return err
	}
	for range 3 {
		if err := receive(testSecret); err != nil {
			t.Fatal(err)
		}
	}
	if events.found != 1 {
		t.Errorf("the endpoint was read %d times, want once", events.found)
	}
	const newSecret = "whsec_new"
	if err := receive(newSecret); !errors.Is(err, ErrSignature) {
		t.Errorf("a secret that is not the endpoint's: got %v", err)
	}
	events.endpoint.Secrets = []store.Secret{{Sealed: []byte("ep_1/endpoint/" + newSecret)}}
	if err := receive(newSecret); err != nil {
		t.Errorf("a new secret: %v", err)
	}
	if err := receive(testSecret); !errors.Is(err, ErrSignature) {
		t.Errorf("the secret before it: got %v", err)
	}
	events.findErr = store.ErrNotFound
	now = now.Add(doorTime)
	for range 2 {
		if err := receive(newSecret); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a deleted endpoint: got %v", err)
		}
	}
}

func TestReceiveRefuses(t *testing.T) {
	t.Parallel()
	body := testEvent(false)
	good := stripeHeader(body, testSecret, receivedAt)
	live := testEvent(true)
	large := append(bytes.Repeat([]byte(" "), MaxEvent), body...)
	notEvent := []byte(`{"object":"customer"}`)
	broken := errors.New("broken")
	tests := []struct {
		name, endpoint, header string
		body                   []byte
		change                 func(*Receiver, *memoryEvents)
		want                   error
	}{
		{name: "unknown endpoint", endpoint: "ep_2", header: good, body: body, want: store.ErrNotFound},
		{name: "unsigned", endpoint: "ep_1", body: body, want: ErrSignature},
		{name: "forged", endpoint: "ep_1", header: stripeHeader(body, "whsec_guess", receivedAt), body: body, want: ErrSignature},
		{name: "ended secret", endpoint: "ep_1", header: stripeHeader(body, "whsec_ended", receivedAt), body: body, want: ErrSignature},
		{name: "truncated", endpoint: "ep_1", header: good, body: body[:20], want: ErrSignature},
		{name: "replayed", endpoint: "ep_1", header: stripeHeader(body, testSecret, receivedAt.Add(-6*time.Minute)), body: body, want: ErrSignature},
		{name: "future", endpoint: "ep_1", header: stripeHeader(body, testSecret, receivedAt.Add(6*time.Minute)), body: body, want: ErrSignature},
		{name: "other mode", endpoint: "ep_1", header: stripeHeader(live, testSecret, receivedAt), body: live, want: ErrLivemode},
		{name: "not an event", endpoint: "ep_1", header: stripeHeader(notEvent, testSecret, receivedAt), body: notEvent, want: ErrMalformed},
		{name: "oversized", endpoint: "ep_1", header: stripeHeader(large, testSecret, receivedAt), body: large, want: ErrTooLarge},
		{
			name: "no secret", endpoint: "ep_1", header: stripeHeader(body, "", receivedAt), body: body, want: ErrSignature,
			change: func(_ *Receiver, m *memoryEvents) { m.endpoint.Secrets = nil },
		},
		{
			name: "backlog", endpoint: "ep_1", header: good, body: body, want: errBacklog,
			change: func(_ *Receiver, m *memoryEvents) { m.backlog = store.Backlog{Pending: 60, Waiting: 40} },
		},
		{
			name: "disk mark", endpoint: "ep_1", header: good, body: body, want: errBacklog,
			change: func(_ *Receiver, m *memoryEvents) { m.backlog.Bytes = 1000 },
		},
		{
			name: "store away", endpoint: "ep_1", header: good, body: body, want: store.ErrUnavailable,
			change: func(_ *Receiver, m *memoryEvents) { m.err = store.ErrUnavailable },
		},
		{
			name: "store away at once", endpoint: "ep_1", header: good, body: body, want: store.ErrUnavailable,
			change: func(_ *Receiver, m *memoryEvents) { m.findErr = store.ErrUnavailable },
		},
		{
			name: "our fault", endpoint: "ep_1", header: good, body: body, want: broken,
			change: func(_ *Receiver, m *memoryEvents) { m.err = broken },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, events := newTestReceiver()
			if tt.change != nil {
				tt.change(r, events)
			}
			_, err := r.Receive(t.Context(), tt.endpoint, tt.header, whole(tt.body))
			if !errors.Is(err, tt.want) {
				t.Errorf("Receive() = %v, want %v", err, tt.want)
			}
			var busy *BusyError
			wantBusy := errors.Is(tt.want, errBacklog) || errors.Is(tt.want, store.ErrUnavailable)
			if errors.As(err, &busy) != wantBusy || (wantBusy && busy.RetryAfter <= 0) {
				t.Errorf("Receive() = %v, want busy: %t", err, wantBusy)
			}
			if len(events.events) > 0 {
				t.Error("a refused event was stored")
			}
		})
	}
}

// whole is how a body is read that has arrived already.
func whole(body []byte) func() ([]byte, error) {
	return func() ([]byte, error) { return body, nil }
}

// TestReceiveReadsNoStrangersBody: whoever knows no endpoint is turned away before anything of the body is held.
func TestReceiveReadsNoStrangersBody(t *testing.T) {
	t.Parallel()
	r, _ := newTestReceiver()
	_, err := r.Receive(t.Context(), "ep_unknown", "", func() ([]byte, error) {
		t.Error("the body is read")
		return nil, nil
	})
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Receive() = %v, want %v", err, store.ErrNotFound)
	}
}

func TestReceiveLostKey(t *testing.T) {
	t.Parallel()
	r, events := newTestReceiver()
	events.endpoint.Secrets[1].Sealed = []byte("sealed with a key that is lost")
	body := testEvent(false)
	_, err := r.Receive(t.Context(), "ep_1", stripeHeader(body, testSecret, receivedAt), whole(body))
	if err == nil || errors.Is(err, ErrSignature) {
		t.Errorf("Receive() = %v, want an error that is ours", err)
	}
}

// TestReceiveConnectTestEvents: a live Connect endpoint is sent test events of the connected accounts as well.
func TestReceiveConnectTestEvents(t *testing.T) {
	t.Parallel()
	r, events := newTestReceiver()
	events.endpoint.Livemode, events.endpoint.Connect = true, true
	body := testEvent(false)
	got, err := r.Receive(t.Context(), "ep_1", stripeHeader(body, testSecret, receivedAt), whole(body))
	if err != nil || got.New || len(events.events) > 0 {
		t.Errorf("Receive() = %+v, %v, want it acknowledged and dropped", got, err)
	}
}

// TestReceiveOutlivesSender: a sender that hangs up does not undo the commit.
func TestReceiveOutlivesSender(t *testing.T) {
	t.Parallel()
	r, events := newTestReceiver()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	body := testEvent(false)
	if _, err := r.Receive(ctx, "ep_1", stripeHeader(body, testSecret, receivedAt), whole(body)); err != nil {
		t.Error(err)
	}
	if len(events.events) != 1 {
		t.Error("the event was not stored")
	}
}

func TestErrorsNameNoSecret(t *testing.T) {
	t.Parallel()
	r, _ := newTestReceiver()
	body := testEvent(false)
	_, err := r.Receive(t.Context(), "ep_1", stripeHeader(body, "whsec_guess", receivedAt), whole(body))
	if err == nil || strings.Contains(err.Error(), "whsec") || strings.Contains(err.Error(), "evt_1") {
		t.Errorf("Receive() = %v", err)
	}
}

func BenchmarkReceive(b *testing.B) {
	r, _ := newTestReceiver()
	padding := strings.Repeat(`{"id":"si_1","amount":1000,"currency":"eur"},`, 80)
	body := fmt.Appendf(nil, `{"id":"evt_1","type":"invoice.paid","livemode":false,"data":{"object":{"lines":[%s{}]}}}`, padding)
	header := stripeHeader(body, testSecret, receivedAt)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := r.Receive(b.Context(), "ep_1", header, whole(body)); err != nil {
			b.Fatal(err)
		}
	}
}
