package makeapp

import (
	"bytes"
	"encoding/json"
	"fmt"

	"stripe-connector/internal/objects"
	"stripe-connector/internal/spec"
)

// outputOf is what a module gives to those behind it: the fields, and one bundle as an example.
func outputOf(m *spec.Module) (fields []parameter, sample any, err error) {
	if m.Type == spec.Universal {
		return answerFields(), answerSample(), nil
	}
	o, ok := objects.Lookup(m.Out)
	if !ok {
		return nil, nil, fmt.Errorf("answers %q, which is not described", m.Out)
	}
	if m.Type == spec.Trigger {
		return liftedFields(o), liftedSample(o), nil
	}
	return fieldsOf(o.Fields), o.Sample, nil
}

func fieldsOf(fields []objects.Field) []parameter {
	list := make([]parameter, len(fields))
	for i, f := range fields {
		list[i] = fieldOf(f)
	}
	return list
}

// fieldOf describes one key of an answer. Stripe's objects pass unchanged, so a date is a number of seconds: Make's
// timestamp, not its date.
func fieldOf(f objects.Field) parameter {
	p := parameter{Name: f.Name, Type: "any", Label: f.Label}
	switch f.Type {
	case objects.Text, objects.URL, objects.Number, objects.Boolean:
		p.Type = string(f.Type)
	case objects.Integer:
		p.Type = "integer"
	case objects.Date:
		p.Type = "timestamp"
	case objects.Collection:
		p.Type, p.Spec = "collection", fieldsOf(f.Fields)
	case objects.Array:
		p.Type = "array"
		if f.Item != nil {
			p.Spec = itemOf(*f.Item)
		}
	case objects.Any:
	}
	return p
}

// itemOf is what an array holds: one parameter, or those of a collection.
func itemOf(item objects.Field) any {
	if item.Type == objects.Collection {
		return fieldsOf(item.Fields)
	}
	item.Name, item.Label = "", ""
	return fieldOf(item)
}

// The keys that the trigger lifts out of data, to where those who map the app of Make's own expect them.
const (
	eventObject   = "object"
	eventPrevious = "previous_attributes"
)

// liftedFields are those of an event as the webhook hands it on. Its own object, the word "event", gives way.
func liftedFields(event objects.Object) []parameter {
	var list []parameter
	for _, f := range event.Fields {
		if f.Name != eventObject && f.Name != eventPrevious {
			list = append(list, fieldOf(f))
		}
	}
	return append(list,
		parameter{Name: eventObject, Type: "collection", Label: "Object", Spec: []parameter{
			{Name: "id", Type: "text", Label: "ID"},
			{Name: "object", Type: "text", Label: "Object"},
			{Name: "metadata", Type: "collection", Label: "Metadata", Spec: []parameter{}},
		}},
		parameter{Name: eventPrevious, Type: "collection", Label: "Previous Attributes", Spec: []parameter{}},
	)
}

func liftedSample(event objects.Object) any {
	var sample map[string]any
	dec := json.NewDecoder(bytes.NewReader(event.Sample))
	dec.UseNumber()
	if err := dec.Decode(&sample); err != nil {
		panic(fmt.Sprintf("makeapp: the embedded sample of an event is no object: %v", err))
	}
	data, _ := sample["data"].(map[string]any)
	delete(sample, eventObject)
	for _, key := range []string{eventObject, eventPrevious} {
		if v, ok := data[key]; ok {
			sample[key] = v
		}
	}
	return sample
}

// answerFields are what a call made by hand gives.
func answerFields() []parameter {
	return []parameter{
		{Name: "body", Type: "any", Label: "Body"},
		{Name: "headers", Type: "collection", Label: "Headers", Spec: []parameter{}},
		{Name: "statusCode", Type: "uinteger", Label: "Status Code"},
	}
}

func answerSample() any {
	return map[string]any{
		"body":       map[string]any{"object": "list", "url": "/v1/charges", "has_more": false, "data": []any{}},
		"headers":    map[string]any{"content-type": "application/json"},
		"statusCode": 200,
	}
}
