package modules

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"stripe-connector/internal/spec"
)

// eachModule runs a law for every module of the catalogue.
func eachModule(t *testing.T, law func(*testing.T, *form)) {
	t.Helper()
	for _, m := range catalogue(t).Modules() {
		t.Run(m.Key, func(t *testing.T) {
			t.Parallel()
			law(t, formOf(m))
		})
	}
}

// A place says where the catalogue sends a field.
type place struct {
	params []string // paths of Stripe parameters
	in     string   // path, header, or nowhere: applied here
}

// alsoChanges are parameters that a field changes beside its own, because the form promises it.
var alsoChanges = map[string]string{
	"create-payment-intent confirm": "automatic_payment_methods",
}

func TestEachFieldLands(t *testing.T) {
	t.Parallel()
	places := factPlaces(t)
	eachModule(t, func(t *testing.T, f *form) { fieldsLand(t, f, places[f.Key]) })
}

// fieldsLand: each field changes its own parameter to the value given and nothing else, and no other field changes that.
func fieldsLand(t *testing.T, f *form, places map[string]place) {
	owner := map[string]string{}
	for _, path := range f.paths {
		at := places[path]
		bundles, err := f.alone(path)
		if err != nil {
			if at.in != "refused" {
				t.Errorf("%s: %v", path, err)
			}
			continue
		}
		lands := at.in != "" || len(at.params) == 0
		for _, b := range bundles {
			before := sent(t, f, b)
			if at.in == "path" {
				if !slices.ContainsFunc(slices.Collect(maps.Keys(before)), func(call string) bool { return strings.Contains(call, fmt.Sprintf("/%v", b[path])) }) {
					t.Errorf("%s is not in the URL: %v", path, before)
				}
				continue
			}
			var changed []string
			if b2, ok := f.other(b, path); ok {
				changed = changes(before, sent(t, f, b2))
			} else {
				changed = slices.DeleteFunc(slices.Collect(maps.Keys(before)), func(key string) bool {
					param := key[strings.LastIndexByte(key, ' ')+1:]
					return !slices.ContainsFunc(at.params, func(p string) bool { return wireName(p) == param })
				})
			}
			if len(at.params) == 0 {
				continue
			}
			for _, key := range changed {
				param := key[strings.LastIndexByte(key, ' ')+1:]
				if also := alsoChanges[f.Key+" "+path]; also != "" && strings.HasPrefix(param, also) {
					continue
				}
				lands = true
				if !slices.ContainsFunc(at.params, func(p string) bool { return covers(wireName(p), param) }) {
					t.Errorf("%s changes %s, not %v", path, param, at.params)
				}
				if scalar(f.inputs[path].Type) && before[key] != fmt.Sprint(b[path]) {
					t.Errorf("%s = %v is sent as %q", path, b[path], before[key])
				}
				if other, taken := owner[param]; taken && other != path {
					t.Errorf("%s and %s both change %s", path, other, param)
				}
				if f.inputs[path].Items == nil {
					owner[param] = path
				}
			}
		}
		if !lands {
			t.Errorf("%s changes nothing", path)
		}
	}
}

// sent are the parameters of all calls of a bundle, by call and name.
func sent(t *testing.T, f *form, b bundle) map[string]string {
	t.Helper()
	all := map[string]string{}
	for i, r := range requests(t, f.Module, string(b.json())) {
		call := fmt.Sprintf("%d %s %s ", i, r.Method, r.Path)
		all[call] = ""
		for key, v := range r.Form {
			all[call+key] = strings.Join(v, " & ")
		}
	}
	return all
}

func changes(before, after map[string]string) []string {
	var changed []string
	for key, v := range before {
		if w, ok := after[key]; !ok || v != w {
			changed = append(changed, key)
		}
	}
	slices.Sort(changed)
	return changed
}

func scalar(k spec.Kind) bool {
	switch k {
	case spec.KindMultiselect, spec.KindTexts, spec.KindMetadata, spec.KindRows, spec.KindFilter, spec.KindAny, spec.KindDate:
		return false
	default:
		return true
	}
}

// wireName is a parameter path in Stripe's form encoding.
func wireName(path string) string {
	path = strings.ReplaceAll(path, "[]", ".0")
	first, rest, nested := strings.Cut(path, ".")
	if !nested {
		return first
	}
	return first + "[" + strings.ReplaceAll(rest, ".", "][") + "]"
}

func covers(param, key string) bool { return key == param || strings.HasPrefix(key, param+"[") }

func TestRequiredFields(t *testing.T) {
	t.Parallel()
	eachModule(t, requiredIsRequired)
}

// requiredIsRequired: a required field that is missing, empty or null is a fault of that field, whenever it is shown.
func requiredIsRequired(t *testing.T, f *form) {
	for _, path := range f.paths {
		in := f.inputs[path]
		if !in.Required || in.Default != nil {
			continue
		}
		bundles, err := f.alone(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		for _, b := range bundles {
			for _, body := range []bundle{b.without(path), b.with(path, ""), b.with(path, json.RawMessage("null"))} {
				// A row with nothing in it is no row; another of its fields makes it one.
				if list, _, inRow := strings.Cut(path, "[0]."); inRow {
					for _, item := range f.inputs[list].Items {
						if other := list + "[0]." + item.Name; other != path {
							body = body.with(other, samples(item)[0])
						}
					}
				}
				_, faults := f.decode(body)
				if !slices.ContainsFunc(faults, func(x spec.Fault) bool { return x.Field == path && x.Code == spec.CodeRequired }) {
					t.Errorf("without %s: %v", path, faults)
				}
			}
		}
	}
}

func TestHiddenFields(t *testing.T) {
	t.Parallel()
	eachModule(t, hiddenIsRefused)
}

// hiddenIsRefused: a field that the select's choice does not show is a fault of that field.
func hiddenIsRefused(t *testing.T, f *form) {
	for _, path := range f.paths {
		ways := f.inputs[path].VisibleWhen
		bundles, err := f.alone(path)
		if len(ways) != 1 || len(ways[0]) != 1 || err != nil {
			continue
		}
		c := ways[0][0]
		for _, o := range f.inputs[c.Field].Options {
			if slices.Contains(c.In, o.Value) {
				continue
			}
			_, faults := f.decode(bundles[0].with(c.Field, o.Value))
			if !slices.ContainsFunc(faults, func(x spec.Fault) bool { return x.Field == path && x.Code == spec.CodeNotAllowed }) {
				t.Errorf("%s with %s = %s: %v", path, c.Field, o.Value, faults)
			}
		}
	}
}

func TestEmptyFields(t *testing.T) {
	t.Parallel()
	eachModule(t, emptyIsNotGiven)
}

// emptyIsNotGiven: what platforms send for a box that nobody filled changes nothing. In updates null clears what can be
// cleared, and is a fault elsewhere.
func emptyIsNotGiven(t *testing.T, f *form) {
	least, err := f.extend(bundle{}, "connection")
	if err != nil {
		t.Fatal(err)
	}
	nothing := sent(t, f, least)
	for _, path := range f.paths {
		in := f.inputs[path]
		if strings.Contains(path, "[0].") || in.Required || in.VisibleWhen != nil || least[path] != nil {
			continue
		}
		empties := []any{"", map[string]any{}}
		switch in.Type { // rows that nobody filled
		case spec.KindTexts, spec.KindMultiselect:
			empties = append(empties, []any{""}, []any{nil, " "})
		case spec.KindRows, spec.KindFilter, spec.KindMetadata:
			row := map[string]any{}
			for _, item := range in.Items {
				row[item.Name] = ""
			}
			empties = append(empties, []any{map[string]any{}}, []any{nil, row})
		default:
		}
		if !f.Update {
			empties = append(empties, []any{}, json.RawMessage("null"))
		}
		if in.Type == spec.KindAny {
			empties = []any{"", json.RawMessage("null")}
		}
		for _, v := range empties {
			if v == "" && f.Update && (in.Type == spec.KindMetadata || in.Type == spec.KindTexts && in.Clearable) {
				continue // documented to clear; see TestClearing
			}
			if got := sent(t, f, least.with(path, v)); !maps.Equal(got, nothing) {
				t.Errorf("%s = %v sends %v", path, v, got)
			}
		}
	}
}

// TestClearing: in updates null empties what can be emptied at Stripe, and is a fault elsewhere.
func TestClearing(t *testing.T) {
	t.Parallel()
	places := factPlaces(t)
	stripe := judge(t)
	eachModule(t, func(t *testing.T, f *form) {
		if !f.Update {
			t.Skip("changes nothing")
		}
		bundles, _ := f.full()
		for _, path := range f.paths {
			in, at := f.inputs[path], places[f.Key][path]
			i := slices.IndexFunc(bundles, func(b bundle) bool { return b.has(path) })
			if strings.Contains(path, "[0].") || in.Required || len(at.params) == 0 || at.in != "" {
				continue
			}
			b, faults := f.decode(bundles[i].without(path).with(path, json.RawMessage("null")))
			switch {
			case path == "shipping.name": // clearable as any text, and shipping needs it
			case !in.Clearable:
				if !slices.ContainsFunc(faults, func(x spec.Fault) bool { return x.Field == path && x.Code == spec.CodeNoClear }) {
					t.Errorf("%s = null: %v", path, faults)
				}
			case faults != nil:
				t.Errorf("%s = null: %v", path, faults)
			default:
				got, err := run(f.Module, b, stripe)
				if err != nil {
					t.Errorf("Stripe refuses %s = null: %v", path, err)
				}
				if !slices.ContainsFunc(got, func(r request) bool { return slices.Equal(r.Form[wireName(at.params[0])], []string{""}) }) {
					t.Errorf("%s = null sends %v", path, got)
				}
			}
		}
	})
}

func TestRefusedFields(t *testing.T) {
	t.Parallel()
	places := factPlaces(t)
	count := 0
	for _, m := range catalogue(t).Modules() {
		f := formOf(m)
		least, err := f.extend(bundle{}, "connection")
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range f.paths {
			if places[m.Key][path].in != "refused" {
				continue
			}
			count++
			for _, v := range append(samples(f.inputs[path]), "no", "false") {
				_, faults := f.decode(least.with(path, v))
				if len(faults) != 1 || faults[0].Field != path || faults[0].Code != spec.CodeNotAllowed || !strings.Contains(faults[0].Message, "; use C") {
					t.Errorf("%s: %s = %v: %v", m.Key, path, v, faults)
				}
			}
			if _, faults := f.decode(least.with(path, json.RawMessage("null"))); faults != nil {
				t.Errorf("%s: %s = null: %v", m.Key, path, faults)
			}
		}
	}
	if want := 10; count != want {
		t.Errorf("%d fields are refused, want %d", count, want)
	}
}

// TestStripeAccepts has Stripe's own OpenAPI document judge every field alone and all fields together.
func TestStripeAccepts(t *testing.T) {
	t.Parallel()
	stripe := judge(t)
	eachModule(t, func(t *testing.T, f *form) { stripeAccepts(t, f, stripe) })
}

func stripeAccepts(t *testing.T, f *form, stripe http.Handler) {
	bundles, _ := f.full()
	for _, path := range f.paths {
		if alone, err := f.alone(path); err == nil {
			bundles = append(bundles, alone...)
		}
	}
	for _, b := range bundles {
		decoded, faults := f.decode(b)
		if faults != nil {
			t.Fatal(faults)
		}
		if made, err := run(f.Module, decoded, stripe); err != nil {
			t.Errorf("Stripe refuses %s: %v\n%v", b.json(), err, made)
		}
	}
}

// TestEveryFieldIsHeld: all fields but those that are always refused are in some full bundle.
func TestEveryFieldIsHeld(t *testing.T) {
	t.Parallel()
	places := factPlaces(t)
	eachModule(t, func(t *testing.T, f *form) {
		_, unheld := f.full()
		for _, path := range unheld {
			if places[f.Key][path].in != "refused" {
				t.Errorf("no bundle has %s", path)
			}
		}
	})
}

func TestUnknownKeys(t *testing.T) {
	t.Parallel()
	eachModule(t, func(t *testing.T, f *form) {
		least, err := f.extend(bundle{}, "connection")
		if err != nil {
			t.Fatal(err)
		}
		_, faults := f.decode(least.with("connexion", "conn_sample"))
		if len(faults) != 1 || faults[0].Code != spec.CodeUnknown || !strings.Contains(faults[0].Message, "connection") {
			t.Errorf("faults = %v", faults)
		}
		if _, faults := f.decode(least.with("__IMTCONN__", 7)); faults != nil {
			t.Errorf("faults = %v", faults)
		}
	})
}

// asFaults are the faults of an error.
func asFaults(err error) spec.Faults {
	var faults spec.Faults
	errors.As(err, &faults)
	return faults
}
