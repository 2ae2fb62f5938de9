package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stripe/stripe-mock/spec"

	"stripe-connector/internal/objects"
)

func TestLabel(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"id":                     "ID",
		"iban":                   "IBAN",
		"amount_received":        "Amount Received",
		"on_behalf_of":           "On Behalf Of",
		"canceled_at":            "Canceled At",
		"cancel_at_period_end":   "Cancel at Period End",
		"line1":                  "Line 1",
		"request_three_d_secure": "Request 3D Secure",
		"tax_ids":                "Tax IDs",
		"deleted_invoiceitem":    "Deleted Invoice Item",
		"ideal":                  "iDEAL",
	} {
		if got := label(name); got != want {
			t.Errorf("label(%q) = %q, want %q", name, got, want)
		}
	}
}

func ref(name string) *spec.Schema { return &spec.Schema{Ref: componentPrefix + name} }

func TestDescribe(t *testing.T) {
	t.Parallel()
	text, integer := &spec.Schema{Type: spec.TypeString}, &spec.Schema{Type: spec.TypeInteger}
	object := func(properties map[string]*spec.Schema) *spec.Schema {
		return &spec.Schema{Type: spec.TypeObject, Properties: properties}
	}
	listOf := func(items *spec.Schema) *spec.Schema {
		return object(map[string]*spec.Schema{
			"object": {Type: spec.TypeString, Enum: []any{"list"}},
			"data":   {Type: spec.TypeArray, Items: items},
			"url":    text,
		})
	}
	resource := func(id string) *spec.Schema {
		s := object(map[string]*spec.Schema{"id": text})
		s.XResourceID = id
		return s
	}
	all := schemas{
		"node": object(map[string]*spec.Schema{"next": ref("node")}),
		"card": resource("card"),
		"bank": resource("bank"),
		"small": object(map[string]*spec.Schema{
			"a": text, "b": integer, "c": {Type: spec.TypeString, Enum: []any{"x", "z"}},
		}),
		"large": object(map[string]*spec.Schema{
			"a": integer, "c": {Type: spec.TypeString, Enum: []any{"y", "x"}, Nullable: true}, "d": text,
		}),
	}

	type fields = []objects.Field
	tests := map[string]struct {
		name   string
		schema *spec.Schema
		want   objects.Field
	}{
		"text":    {"name", text, objects.Field{Type: objects.Text}},
		"URL":     {"return_url", text, objects.Field{Type: objects.URL}},
		"date":    {"created", &spec.Schema{Type: spec.TypeInteger, Format: "unix-time"}, objects.Field{Type: objects.Date}},
		"number":  {"rate", &spec.Schema{Type: spec.TypeNumber}, objects.Field{Type: objects.Number}},
		"null":    {"name", &spec.Schema{Nullable: true, AnyOf: []*spec.Schema{integer}}, objects.Field{Type: objects.Integer, Nullable: true}},
		"enum":    {"mode", &spec.Schema{Type: spec.TypeString, Enum: []any{"b", "a"}}, objects.Field{Type: objects.Text, Enum: []string{"b", "a"}}},
		"unknown": {"mode", &spec.Schema{AnyOf: []*spec.Schema{text, integer}}, objects.Field{Type: objects.Any}},
		"too many values": {
			"mode", &spec.Schema{Type: spec.TypeString, Enum: make([]any, maxEnum+1)}, objects.Field{Type: objects.Text},
		},
		"id that can be expanded": {
			"customer", &spec.Schema{AnyOf: []*spec.Schema{text, ref("card")}, XExpansionResources: &spec.ExpansionResources{}},
			objects.Field{Type: objects.Text, Expandable: true},
		},
		"keys of the user's": {
			"metadata", &spec.Schema{Type: spec.TypeObject, AdditionalProperties: text},
			objects.Field{Type: objects.Collection, Item: &objects.Field{Type: objects.Text}},
		},
		"recursion": {"node", ref("node"), objects.Field{Type: objects.Collection, Fields: fields{
			{Name: "next", Label: "Next", Type: objects.Collection},
		}}},
		"several resources": {
			"source", &spec.Schema{AnyOf: []*spec.Schema{ref("card"), ref("bank")}}, objects.Field{Type: objects.Collection},
		},
		"several shapes": {
			"options", &spec.Schema{AnyOf: []*spec.Schema{ref("small"), ref("large")}},
			objects.Field{Type: objects.Collection, Fields: fields{
				{Name: "a", Label: "A", Type: objects.Any},
				{Name: "b", Label: "B", Type: objects.Integer},
				{Name: "c", Label: "C", Type: objects.Text, Nullable: true, Enum: []string{"x", "y", "z"}},
				{Name: "d", Label: "D", Type: objects.Text},
			}},
		},
		"several shapes, one of them open": {
			"options", &spec.Schema{AnyOf: []*spec.Schema{ref("small"), object(nil)}}, objects.Field{Type: objects.Collection},
		},
		"list": {"cards", listOf(ref("card")), objects.Field{Type: objects.Collection, Fields: fields{
			{Name: "object", Label: "Object", Type: objects.Text, Enum: []string{"list"}},
			{Name: "data", Label: "Data", Type: objects.Array, Item: &objects.Field{Type: objects.Collection, Fields: fields{
				{Name: "id", Label: "ID", Type: objects.Text},
			}}},
			{Name: "url", Label: "URL", Type: objects.Text},
		}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.want.Name, tt.want.Label = tt.name, label(tt.name)
			if diff := cmp.Diff(all.field(tt.name, tt.schema, nil), tt.want); diff != "" {
				t.Errorf("description differs (-got +want):\n%s", diff)
			}
		})
	}
}

// A chain of objects is described to the depth that is wanted, and lists on the way do not count.
func TestDepth(t *testing.T) {
	t.Parallel()
	schema := &spec.Schema{Type: spec.TypeString}
	for range maxDepth + 2 {
		schema = &spec.Schema{Type: spec.TypeObject, Properties: map[string]*spec.Schema{
			"object": {Type: spec.TypeString, Enum: []any{"list"}},
			"data": {Type: spec.TypeArray, Items: &spec.Schema{
				Type: spec.TypeObject, Properties: map[string]*spec.Schema{"next": schema},
			}},
		}}
	}
	got := 0
	for f := (schemas{}).field("", schema, nil); len(f.Fields) > 0; got++ {
		item := f.Fields[1].Item // of data
		if len(item.Fields) == 0 {
			break
		}
		f = item.Fields[0]
	}
	if want := maxDepth; got != want {
		t.Errorf("%d levels are described, want %d", got, want)
	}
}

// The committed files are what the generator writes, each time.
func TestFilesAreFresh(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := generate(t.Context(), folder); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(read(t, "../data"), read(t, folder)); diff != "" {
		t.Errorf("run go generate ./internal/objects (-committed +generated):\n%s", diff)
	}
}

func read(t *testing.T, folder string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]string)
	for _, e := range entries {
		raw, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(raw)
	}
	return files
}
