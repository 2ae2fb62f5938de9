package webhooks

import (
	"context"
	"runtime"
	"testing"
	"time"

	"stripe-connector/internal/spec"
	"stripe-connector/internal/store"
	"stripe-connector/internal/stripeapi"
	"stripe-connector/internal/stripetest"
)

// A killer ends the goroutine that it works for at its n-th step, as the end of the process would: what was sent has its
// effect, and nobody learns of it. Locks fall, as they do with a process.
type killer struct{ left int }

func (k *killer) step() {
	if k.left--; k.left == 0 {
		runtime.Goexit()
	}
}

// mortalCaller and mortalStore take a step before and after everything that has an effect.
type mortalCaller struct {
	Caller
	*killer
}

func (c mortalCaller) Run(ctx context.Context, s stripeapi.Session, steps []spec.Step) (*stripeapi.Response, error) {
	c.step()
	res, err := c.Caller.Run(ctx, s, steps)
	c.step()
	return res, err
}

type mortalStore struct {
	ServiceStore
	*killer
}

func (s mortalStore) EnsureEndpoint(ctx context.Context, e store.Endpoint) (store.Endpoint, error) {
	e, err := s.ServiceStore.EnsureEndpoint(ctx, e)
	s.step()
	return e, err
}

func (s mortalStore) UpdateEndpoint(
	ctx context.Context, workspace, id string, change func(*store.Endpoint) error,
) (store.Endpoint, error) {
	e, err := s.ServiceStore.UpdateEndpoint(ctx, workspace, id, change)
	s.step()
	return e, err
}

func (s mortalStore) DeleteEndpoint(ctx context.Context, workspace, id string) error {
	err := s.ServiceStore.DeleteEndpoint(ctx, workspace, id)
	s.step()
	return err
}

func (s mortalStore) CreateWebhook(ctx context.Context, w store.Webhook) (store.Webhook, bool, error) {
	w, created, err := s.ServiceStore.CreateWebhook(ctx, w)
	s.step()
	return w, created, err
}

func (s mortalStore) UpdateWebhook(
	ctx context.Context, workspace, id string, change func(*store.Webhook) error,
) (store.Webhook, error) {
	w, err := s.ServiceStore.UpdateWebhook(ctx, workspace, id, change)
	s.step()
	return w, err
}

func (s mortalStore) DeleteWebhook(ctx context.Context, workspace, id string) error {
	err := s.ServiceStore.DeleteWebhook(ctx, workspace, id)
	s.step()
	return err
}

// dies runs work of a Service that is killed at its n-th step, and reports whether it got that far.
func (l *line) dies(n int, work func(*Service)) bool {
	k := &killer{left: n}
	r := l.service.registrar
	s := NewService(ServiceConfig{
		Store: mortalStore{l.store, k}, Stripe: mortalCaller{r.stripe, k}, Secrets: tagSeal{}, Deliverer: l.service.deliverer,
		PublicURL: r.publicURL, Now: time.Now, Log: r.log,
	})
	defer s.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		work(s)
	}()
	<-done
	return k.left <= 0
}

// TestKilled kills the service at every step of everything that changes endpoints. After the restart one round of the keeper
// makes Stripe and the store agree: no endpoint is left that nobody wants, and no webhook is without one.
func TestKilled(t *testing.T) {
	t.Parallel()
	connect := true
	tests := []struct {
		name    string
		version string
		work    func(l *line, s *Service, conn string, w store.Webhook) error
	}{
		{"attach", "", func(l *line, s *Service, conn string, _ store.Webhook) error {
			_, err := s.Attach(context.Background(), workspace, Attachment{
				Name: "Hook", Connection: conn, Group: "customer", Connect: true, URL: "https://example.com/new",
			})
			return err
		}},
		{"attach to a pool", "", func(l *line, s *Service, conn string, _ store.Webhook) error {
			_, err := s.Attach(context.Background(), workspace, Attachment{Name: "Hook", Connection: conn, Group: "customer", URL: "https://example.com/new"})
			return err
		}},
		{"move", "", func(l *line, s *Service, _ string, w store.Webhook) error {
			_, err := s.Patch(context.Background(), workspace, w.ID, Change{Connect: &connect})
			return err
		}},
		{"detach", "", func(l *line, s *Service, _ string, w store.Webhook) error {
			return s.Detach(context.Background(), workspace, w.ID)
		}},
		{"roll", "", func(l *line, s *Service, _ string, w store.Webhook) error {
			_, err := s.RollEndpoint(context.Background(), workspace, w.ID)
			return err
		}},
		{"reconcile what was deleted", "", func(l *line, s *Service, conn string, w store.Webhook) error {
			l.stripe.Account(stripetest.Key).Remove(l.registered(stripetest.Key)[0].ID)
			_, err := s.Reconcile(context.Background(), workspace, conn)
			return err
		}},
		{"reconcile what differs", "", func(l *line, s *Service, conn string, w store.Webhook) error {
			l.stripe.Account(stripetest.Key).Set(l.registered(stripetest.Key)[0].ID, map[string]any{"status": "disabled", "enabled_events": []any{"*"}})
			_, err := s.Reconcile(context.Background(), workspace, conn)
			return err
		}},
		{"reconcile another version", "2020-08-27", func(l *line, s *Service, conn string, w store.Webhook) error {
			l.stripe.Account(stripetest.Key).Set(l.registered(stripetest.Key)[0].ID, map[string]any{"api_version": "2019-05-16"})
			_, err := s.Reconcile(context.Background(), workspace, conn)
			return err
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for n := 1; ; n++ {
				l := newLine(t, lineOptions{})
				conn := l.connection(stripetest.Key)
				w := l.attach(Attachment{Connection: conn, Group: "charge", URL: "https://example.com/1", APIVersion: tt.version}).Webhook
				killed := l.dies(n, func(s *Service) {
					if err := tt.work(l, s, conn, w); err != nil {
						t.Errorf("killed at step %d: %v", n, err)
					}
				})
				l.keep()
				l.agrees(stripetest.Key)
				if t.Failed() {
					t.Fatalf("after a kill at step %d", n)
				}
				if !killed {
					if n < 4 {
						t.Errorf("only %d steps", n-1)
					}
					return
				}
			}
		})
	}
}
