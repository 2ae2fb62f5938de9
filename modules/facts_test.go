package modules

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stripe-connector/internal/spec"
)

// The facts of the catalogue, as they are documented.
type facts struct {
	Modules []moduleFacts          `json:"modules"`
	Sets    map[string][][2]string `json:"sets"` // options of selects, by name: value and label
}

type moduleFacts struct {
	Key     string      `json:"key"`
	Label   string      `json:"label"`
	Group   string      `json:"group"`
	Kind    spec.Type   `json:"kind"`
	Call    string      `json:"call"` // "POST /v1/refunds/{refund}"
	Object  string      `json:"object"`
	Deleted bool        `json:"deleted"`
	Fields  []fieldFact `json:"fields"`
}

type fieldFact struct {
	Key       string      `json:"key"`
	Label     string      `json:"label"`
	Type      spec.Kind   `json:"type"`
	Required  bool        `json:"required"`
	Implied   bool        `json:"implied"`   // not a documented row, but asked for by one
	Inherited bool        `json:"inherited"` // documented by pointing to another module
	Section   string      `json:"section"`
	Params    []string    `json:"params"` // where it goes
	In        string      `json:"in"`     // path or header, if not among the parameters
	Handling  string      `json:"handling"`
	Min       *int64      `json:"min"`
	Max       *int64      `json:"max"`
	MaxLength int         `json:"max_length"`
	MaxItems  int         `json:"max_items"`
	Set       string      `json:"set"`
	Options   [][2]string `json:"options"`
	Lookup    string      `json:"lookup"`
	By        []string    `json:"by"`
	Items     []fieldFact `json:"items"`
}

func readFacts(t *testing.T) facts {
	t.Helper()
	raw, err := os.ReadFile("testdata/catalogue.json")
	if err != nil {
		t.Fatal(err)
	}
	var all facts
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// factPlaces says where each field goes, by module and path.
func factPlaces(t *testing.T) map[string]map[string]place {
	t.Helper()
	all := map[string]map[string]place{}
	for _, m := range readFacts(t).Modules {
		places := map[string]place{}
		var add func(prefix string, fields []fieldFact)
		add = func(prefix string, fields []fieldFact) {
			for _, f := range fields {
				at := place{params: f.Params, in: f.In}
				switch {
				case f.Handling == "reject":
					at.in = "refused"
				case f.Handling != "" || f.Type == spec.KindFilter || f.Key == "limit":
					at = place{in: "here"}
				}
				places[prefix+f.Key] = at
				add(prefix+f.Key+"[0].", f.Items)
			}
		}
		add("", m.Fields)
		all[m.Key] = places
	}
	// The form alone is declared; what becomes of it is the package webhooks' to do.
	for path := range all["watch-events"] {
		all["watch-events"][path] = place{in: "here"}
	}
	return all
}

// TestFacts finds the documentation's modules and rows in the code, in order, and nothing beyond.
func TestFacts(t *testing.T) {
	t.Parallel()
	known := readFacts(t)
	var got, want []string
	rows := 0
	for _, m := range catalogue(t).Modules() {
		got = append(got, strings.Join([]string{m.Group, m.Key, m.Label, string(m.Type), m.Out}, " | "))
	}
	for _, m := range known.Modules {
		out := m.Object
		if m.Deleted {
			out = "deleted_" + out
		}
		want = append(want, strings.Join([]string{m.Group, m.Key, m.Label, string(m.Kind), out}, " | "))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("modules (-documented +declared):\n%s", diff)
	}
	for i, m := range catalogue(t).Modules() {
		inputs := m.Inputs()
		if m.Key == "watch-events" { // the target is the service's own addition: a platform knows it without asking
			inputs = slices.DeleteFunc(inputs, func(in spec.Input) bool { return in.Name == "url" })
		}
		if diff := cmp.Diff(documented(known, known.Modules[i].Fields), declared(known.Modules[i].Fields, inputs)); diff != "" {
			t.Errorf("%s (-documented +declared):\n%s", m.Key, diff)
		}
		for _, f := range known.Modules[i].Fields {
			if !f.Implied && !f.Inherited {
				rows++
			}
		}
	}
	if want := 325; rows != want {
		t.Errorf("%d documented rows, want %d", rows, want)
	}
}

// TestEndpoints: each module makes the call that the catalogue names, and only those that change an object take null to
// empty a field.
func TestEndpoints(t *testing.T) {
	t.Parallel()
	known := readFacts(t)
	for i, m := range catalogue(t).Modules() {
		if m.Type != spec.Action && m.Type != spec.Search {
			continue
		}
		f := formOf(m)
		b, err := f.extend(bundle{}, "connection")
		if err != nil {
			t.Fatal(err)
		}
		made := requests(t, m, string(b.json()))
		method, path, _ := strings.Cut(known.Modules[i].Call, " ")
		pattern := regexp.MustCompile("^" + regexp.MustCompile(`\{[a-z_]+\}`).ReplaceAllString(path, "[a-z_]+_1") + "$")
		if len(made) != 1 || made[0].Method != method || !pattern.MatchString(made[0].Path) {
			t.Errorf("%s calls %v, not %s %s", m.Key, made, method, path)
		}
		if changes := strings.HasPrefix(m.Key, "update-") || m.Key == "confirm-payment-intent"; m.Update != changes {
			t.Errorf("%s: update = %t", m.Key, m.Update)
		}
	}
}

// documented are the facts with the options of their sets.
func documented(all facts, fields []fieldFact) []fieldFact {
	fields = slices.Clone(fields)
	for i, f := range fields {
		if f.Set != "" {
			f.Options = all.Sets[f.Set]
		}
		if f.In == "path" {
			f.MaxLength = 0 // such ids have a stricter pattern
		}
		// Where a field goes is told by TestEachFieldLands.
		f.Set, f.Params, f.In, f.Handling, f.Inherited = "", nil, "", "", false
		f.Items = documented(all, f.Items)
		fields[i] = f
	}
	return fields
}

// declared are the inputs as facts. Limits that the documentation leaves open may be set.
func declared(known []fieldFact, inputs []spec.Input) []fieldFact {
	var fields []fieldFact
	for _, in := range inputs {
		f := fieldFact{
			Key: in.Name, Label: in.Label, Type: in.Type, Required: in.Required, Implied: in.Implied, Section: in.Section,
			Min: in.Min, Max: in.Max, MaxLength: in.MaxLength, MaxItems: in.MaxItems,
		}
		if in.Lookup != nil {
			f.Lookup, f.By = in.Lookup.Name, in.Lookup.By
		}
		for _, o := range in.Options {
			f.Options = append(f.Options, [2]string{o.Value, o.Label})
		}
		var items []fieldFact
		if i := slices.IndexFunc(known, func(k fieldFact) bool { return k.Key == in.Name }); i >= 0 {
			if known[i].MaxLength == 0 || known[i].In == "path" {
				f.MaxLength = 0
			}
			if known[i].MaxItems == 0 {
				f.MaxItems = 0
			}
			items = known[i].Items
		}
		f.Items = declared(items, in.Items)
		fields = append(fields, f)
	}
	return fields
}
