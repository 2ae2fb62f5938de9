package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"stripe-connector/internal/store"
	"stripe-connector/internal/store/portable"
)

// arrived is what an arrival's text has of an event and its deliveries.
type arrived struct {
	Event     string      `json:"event"`
	Endpoint  string      `json:"endpoint"`
	Workspace string      `json:"workspace"`
	Type      string      `json:"type"`
	Created   int64       `json:"created"` // microseconds since 1970
	To        [][2]string `json:"to"`      // ids of deliveries and their webhooks
}

// packArrival makes the text of an arrival: deliveries that are pending and were never attempted. Those of one event are to
// follow each other.
func packArrival(deliveries []store.Delivery) (string, error) {
	var events []arrived
	for i := range deliveries {
		d, n := &deliveries[i], len(events)
		if n == 0 || events[n-1].Event != d.Event || events[n-1].Endpoint != d.Endpoint {
			events = append(events, arrived{
				Event: d.Event, Endpoint: d.Endpoint, Workspace: d.Workspace, Type: d.Type, Created: portable.Micros(d.Created),
			})
			n++
		}
		events[n-1].To = append(events[n-1].To, [2]string{d.ID, d.Webhook})
	}
	text, err := json.Marshal(events)
	return string(text), err
}

// arrivals reads the texts of all arrivals.
func arrivals(ctx context.Context, q portable.Querier) (texts []string, err error) {
	rows, err := q.QueryContext(ctx, "SELECT deliveries FROM arrivals ORDER BY id")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, rows.Err()
}

// unpackArrival returns the deliveries of an arrival, due since they were made.
func unpackArrival(text string) ([]store.Delivery, error) {
	var events []arrived
	if err := json.Unmarshal([]byte(text), &events); err != nil {
		return nil, fmt.Errorf("reading an arrival: %w", err)
	}
	var deliveries []store.Delivery
	for _, e := range events {
		for _, to := range e.To {
			deliveries = append(deliveries, store.Delivery{
				ID: to[0], Workspace: e.Workspace, Webhook: to[1], Endpoint: e.Endpoint, Event: e.Event, Type: e.Type,
				State: store.DeliveryPending, NextAt: portable.Time(e.Created), Created: portable.Time(e.Created),
			})
		}
	}
	return deliveries, nil
}
