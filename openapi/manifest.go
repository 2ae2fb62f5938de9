package openapi

import (
	"encoding/json"
	"fmt"

	"stripe-connector/internal/objects"
	"stripe-connector/internal/spec"
)

// A Manifest is all that a platform needs to show a module: its form and what its bundles hold.
type Manifest struct {
	Key    string      `json:"key"`
	Label  string      `json:"label"`
	Group  string      `json:"group"`
	Type   spec.Type   `json:"type"`
	Help   string      `json:"help"`
	Docs   string      `json:"docs"` // Stripe's page about the call
	Path   string      `json:"path"` // what to POST the bundle to
	Fields []spec.Node `json:"fields"`
	Output Output      `json:"output"`
}

// Output describes the bundles that a module answers.
type Output struct {
	Object string          `json:"object"`
	Fields []objects.Field `json:"fields"`
	Sample json.RawMessage `json:"sample"`
}

// NewManifest describes one module.
func NewManifest(m *spec.Module) (Manifest, error) {
	out, err := output(m)
	if err != nil {
		return Manifest{}, err
	}
	return Manifest{
		Key: m.Key, Label: m.Label, Group: m.Group, Type: m.Type, Help: m.Help, Docs: m.Docs, Path: modulePath(m),
		Fields: m.Form(), Output: Output{Object: out.Name, Fields: out.Fields, Sample: out.Sample},
	}, nil
}

// Manifests describes every module, in documented order.
func Manifests(c *spec.Catalogue) ([]Manifest, error) {
	var list []Manifest
	for _, m := range c.Modules() {
		manifest, err := NewManifest(m)
		if err != nil {
			return nil, err
		}
		list = append(list, manifest)
	}
	return list, nil
}

func modulePath(m *spec.Module) string { return "/v1/modules/" + m.Key }

// answerOfAnyCall stands in for an object where any call can be made.
const answerOfAnyCall = "any"

// output is what the module's bundles are.
func output(m *spec.Module) (objects.Object, error) {
	if m.Out == answerOfAnyCall {
		return objects.Object{
			Name: m.Out, Label: "Answer",
			Fields: []objects.Field{
				{Name: "status_code", Label: "Status Code", Type: objects.Integer},
				{Name: "headers", Label: "Headers", Type: objects.Collection, Item: &objects.Field{Type: objects.Text}},
				{Name: "body", Label: "Body", Type: objects.Any},
			},
			Sample: json.RawMessage(`{"status_code":200,"headers":{"content-type":"application/json","request-id":"req_8mZJX0YNCqYf2p"},` +
				`"body":{"object":"list","url":"/v1/charges","has_more":false,"data":[]}}`),
		}, nil
	}
	o, ok := objects.Lookup(m.Out)
	if !ok {
		return objects.Object{}, fmt.Errorf("%s: nothing describes the object %q", m.Key, m.Out)
	}
	return o, nil
}
