package makeapp_test

import (
	"encoding/json"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stripe-connector/internal/makeapp"
	"stripe-connector/internal/spec"
)

// A field is one parameter of an exported form, with what has to be chosen to see it.
type field struct {
	name   string            // in the bundle
	path   []string          // keys that lead to it in what Make sends
	value  any               // an example
	chosen map[string]string // selects by name, and the option that shows the field
	paths  map[string][]string
}

type parameter struct {
	Name, Type string
	Multiple   bool
	Options    json.RawMessage
	Spec       json.RawMessage
}

type choice struct {
	Value  string
	Nested []parameter
}

// choices reads the three notations of options.
func choices(t *testing.T, raw json.RawMessage) []choice {
	t.Helper()
	var list []choice
	if json.Unmarshal(raw, &list) == nil {
		return list
	}
	var rpc string
	if json.Unmarshal(raw, &rpc) == nil {
		return []choice{{Value: "id_1"}}
	}
	var store struct {
		Store  []choice
		Nested []parameter
	}
	if err := json.Unmarshal(raw, &store); err != nil {
		t.Fatal(err)
	}
	for i := range store.Store {
		store.Store[i].Nested = store.Nested
	}
	return store.Store
}

var examples = map[string]any{
	"integer": json.Number("7"), "uinteger": json.Number("7"), "boolean": true, "date": "2026-01-05T10:00:00.000Z", "email": "jane@example.com",
	"url": "https://example.com/back", "any": map[string]any{"a": "b"}, "text": "text",
}

// fields lists every way to fill one field of a form.
func fields(t *testing.T, list []parameter, at field) []field {
	t.Helper()
	var all []field
	for _, p := range list {
		f := field{
			name: path.Join(at.name, p.Name), path: append(slices.Clone(at.path), p.Name),
			chosen: at.chosen, paths: at.paths, value: examples[p.Type],
		}
		f.name = strings.ReplaceAll(f.name, "/", ".")
		switch p.Type {
		case "collection":
			var members []parameter
			if err := json.Unmarshal(p.Spec, &members); err != nil {
				t.Fatal(err)
			}
			all = append(all, fields(t, members, f)...)
			continue
		case "array":
			var rows []parameter
			f.value = []any{"one"}
			if json.Unmarshal(p.Spec, &rows) == nil {
				row := map[string]any{}
				for _, cell := range fields(t, rows, field{}) {
					row[cell.name] = cell.value
				}
				f.value = []any{row}
			}
		case "select":
			options := choices(t, p.Options)
			f.value = options[0].Value
			if p.Multiple {
				f.value = []any{options[0].Value}
			}
			for _, o := range options {
				shown := field{name: at.name, path: at.path, chosen: maps.Clone(at.chosen), paths: maps.Clone(at.paths)}
				if shown.chosen == nil {
					shown.chosen, shown.paths = map[string]string{}, map[string][]string{}
				}
				shown.chosen[f.name], shown.paths[f.name] = o.Value, f.path
				all = append(all, fields(t, o.Nested, shown)...)
			}
		}
		all = append(all, f)
	}
	return all
}

// bundle is what Make sends when the user has filled the one field.
func (f field) bundle() map[string]any {
	bundle := map[string]any{}
	put := func(keys []string, v any) {
		o := bundle
		for _, key := range keys[:len(keys)-1] {
			next, ok := o[key].(map[string]any)
			if !ok {
				next = map[string]any{}
				o[key] = next
			}
			o = next
		}
		o[keys[len(keys)-1]] = v
	}
	for name, value := range f.chosen {
		put(f.paths[name], value)
	}
	put(f.path, f.value)
	return bundle
}

func formOf(t *testing.T, files []makeapp.File, m *spec.Module) []field {
	t.Helper()
	words := strings.Split(m.Key, "-")
	for i, w := range words[1:] {
		words[i+1] = strings.ToUpper(w[:1]) + w[1:]
	}
	file := "modules/" + strings.Join(words, "") + "/expect.imljson"
	if m.Type == spec.Trigger {
		file = "webhooks/" + testName + "/parameters.imljson"
	}
	var form []parameter
	read(t, files, testName+"/"+file, &form)
	return fields(t, form, field{})
}

// The forms hold every field of the modules, no other, and each where the module understands it.
func TestFormsAreUnderstood(t *testing.T) {
	t.Parallel()
	files := newApp(t).Archive()
	for _, m := range catalogue(t).Modules() {
		t.Run(m.Key, func(t *testing.T) {
			t.Parallel()
			want := map[string]bool{}
			for _, in := range m.Inputs() {
				if in.Type != spec.KindConnection && (m.Type != spec.Trigger || in.Name != "url") {
					want[in.Name] = true
				}
			}
			got := map[string]bool{}
			for _, f := range formOf(t, files, m) {
				got[f.name] = true
				body, err := json.Marshal(f.bundle())
				if err != nil {
					t.Fatal(err)
				}
				var faults spec.Faults
				if _, err := m.Decode(body, 1000); err != nil && !errors.As(err, &faults) {
					t.Fatalf("%s: %v", body, err)
				}
				for _, fault := range faults {
					if fault.Code == spec.CodeUnknown || fault.Code == spec.CodeDuplicate || strings.HasPrefix(fault.Message, "goes only with") {
						t.Errorf("%s: %s %s", body, fault.Field, fault.Message)
					}
				}
			}
			if diff := cmp.Diff(got, want); diff != "" {
				t.Errorf("fields (-got +want):\n%s", diff)
			}
		})
	}
}

// A form with everything that forms can have, seen as Make's parameters.
func TestForm(t *testing.T) {
	t.Parallel()
	text := func(name string) spec.Field { return spec.Text(name, "T").MaxLen(9).Local() }
	c, err := spec.NewCatalogue(nil, spec.Group{Label: "Things", Modules: []*spec.Module{spec.NewUniversal(spec.Def{
		Key: "make-thing", Label: "Make a Thing", Help: "Makes a thing.", Docs: "-", Out: "any",
		Fields: spec.Fields{
			text("name").Required().Help("What it is called."),
			spec.Integer("count", "Count").Min(0).Max(3).Default(1).Local(),
			spec.Select("mode", "Mode", spec.Opt("card", "Card"), spec.Opt("bank", "Bank")).Open().Local(),
			spec.When("mode", spec.Only("bank"), spec.Object("bank", text("iban"), spec.Object("owner", text("first"), text("last")))),
			spec.Object("bank", text("note")), // beside what an option shows
			spec.Select("size", "Size", spec.Opt("s", "Small"), spec.Opt("l", "Large")).Local(),
			spec.When("size", []string{"s", "l"}, text("unit")), // under every option
			spec.Texts("tags", "Tags").AtMost(2).Local(),
			spec.Multiselect("kinds", "Kinds", spec.Opt("a", "A")).Local(),
			spec.Rows("lines", "Lines", text("what"), spec.Object("price", text("sum"))).Local(),
		},
	})}})
	if err != nil {
		t.Fatal(err)
	}
	app, err := makeapp.New(makeapp.Config{Name: testName, BaseURL: testBase, Catalogue: c})
	if err != nil {
		t.Fatal(err)
	}
	var got, want any
	read(t, app.Archive(), testName+"/modules/makeThing/expect.imljson", &got)
	if err := json.Unmarshal([]byte(`[
		{"name":"name","type":"text","label":"T","help":"What it is called.","required":true,"validate":{"max":9}},
		{"name":"count","type":"uinteger","label":"Count","default":1,"validate":{"min":0,"max":3}},
		{"name":"mode","type":"select","label":"Mode","validate":false,"options":[
			{"label":"Card","value":"card"},
			{"label":"Bank","value":"bank","nested":[
				{"name":"bank","type":"collection","label":"Bank","spec":[
					{"name":"iban","type":"text","label":"T","validate":{"max":9}},
					{"name":"owner","type":"collection","label":"Owner","spec":[
						{"name":"first","type":"text","label":"T","validate":{"max":9}},
						{"name":"last","type":"text","label":"T","validate":{"max":9}}]}]}]}]},
		{"name":"bank.note","type":"text","label":"T","validate":{"max":9}},
		{"name":"size","type":"select","label":"Size","options":{
			"store":[{"label":"Small","value":"s"},{"label":"Large","value":"l"}],
			"nested":[{"name":"unit","type":"text","label":"T","validate":{"max":9}}]}},
		{"name":"tags","type":"array","label":"Tags","spec":{"name":"value","type":"text","label":"Value"},"validate":{"maxItems":2}},
		{"name":"kinds","type":"select","label":"Kinds","multiple":true,"options":[{"label":"A","value":"a"}]},
		{"name":"lines","type":"array","label":"Lines","spec":[
			{"name":"what","type":"text","label":"T","validate":{"max":9}},
			{"name":"price","type":"collection","label":"Price","spec":[{"name":"sum","type":"text","label":"T","validate":{"max":9}}]}]}
	]`), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("parameters (-got +want):\n%s", diff)
	}
}
