package webhooks

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"stripe-connector/internal/store"
)

// A Trial is what a subscriber answered to a sample.
type Trial struct {
	Event     string // id of the sample, which is also its webhook-id
	Type      string
	Delivered bool
	Status    int    // 0: there was no answer
	Answer    []byte // the first store.MaxAnswer bytes of it
	Error     string // why there was none; safe to show
	At        time.Time
	Duration  time.Duration
}

// Test posts one signed sample to the webhook's subscriber at once, whatever the state of the webhook, and reports the
// answer. It is not stored, not repeated, and changes nothing.
func (s *Service) Test(ctx context.Context, workspace, id string) (Trial, error) {
	f, err := s.find(ctx, workspace, id)
	if err != nil {
		return Trial{}, err
	}
	now := s.now()
	secrets, err := openLive(s.secrets, id, store.PurposeWebhook, f.webhook.Secrets, now)
	if err != nil {
		return Trial{}, err
	}
	eventID, eventType := store.NewID("evt_test", now), sampleType(f.webhook.EventTypes)
	body, err := sample(eventID, eventType, f, now)
	if err != nil {
		return Trial{}, fmt.Errorf("making a sample: %w", err)
	}
	a := s.deliverer.deliver(ctx, message{EventID: eventID, Target: f.webhook.URL, Body: body, Secrets: secrets})
	return tried(eventID, eventType, a), nil
}

func tried(eventID, eventType string, a answer) Trial {
	return Trial{
		Event: eventID, Type: eventType, Delivered: a.Verdict == verdictDelivered, Status: a.Status, Answer: a.Body,
		Error: a.Failure, At: a.At, Duration: a.Duration,
	}
}

func sampleType(types []string) string {
	if types[0] == allEvents {
		return "customer.created"
	}
	return types[0]
}

// sample is an event as Stripe would write it, of an object that does not exist.
func sample(id, eventType string, f *found, now time.Time) ([]byte, error) {
	resource := eventType[:strings.LastIndexByte(eventType, '.')]
	object := map[string]any{
		"id": "sample", "object": resource, "created": now.Unix(), "livemode": f.conn.Livemode, "metadata": map[string]string{},
		"description": "A sample sent on request to try the webhook " + f.webhook.Name,
	}
	version := any(nil)
	if f.endpoint.APIVersion != "" {
		version = f.endpoint.APIVersion
	}
	return json.MarshalIndent(map[string]any{
		"id": id, "object": "event", "api_version": version, "created": now.Unix(), "data": map[string]any{"object": object},
		"livemode": f.conn.Livemode, "pending_webhooks": 1, "request": map[string]any{"id": nil, "idempotency_key": nil},
		"type": eventType,
	}, "", "  ")
}
