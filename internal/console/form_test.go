package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stripe-connector/internal/spec"
	"stripe-connector/modules"
)

// For every module and each of its choices: what the form shows and sends, the module knows, and every fault that the module
// finds has an input on the page to stand at.
func TestFormsAgreeWithModules(t *testing.T) {
	t.Parallel()
	catalogue, err := modules.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	sent := 0
	for _, m := range catalogue.Modules() {
		for pick := range 8 {
			f := filling{Values: url.Values{}, update: m.Update}
			fillAll(f, formOf(m), "", pick)
			body, err := json.Marshal(f.bundle(formOf(m), ""))
			if err != nil {
				t.Fatal(err)
			}
			var faults spec.Faults
			if _, err := m.Decode(body, 100); err != nil && !errors.As(err, &faults) {
				t.Errorf("%s: %v: %s", m.Key, err, body)
			}
			shown := map[string]string{}
			form := f.controls(formOf(m), "", "", nil)
			mapControls(form, shown)
			f.faultDetails(form, shown)
			sent += len(shown)
			for _, fault := range faults {
				if fault.Code == spec.CodeUnknown || fault.Code == spec.CodeDuplicate {
					t.Errorf("%s: the form sends %s, which %s", m.Key, fault.Field, fault.Message)
				}
				if shownAt(shown, fault.Field) == "" {
					t.Errorf("%s: no input shows the fault of %s: %s", m.Key, fault.Field, fault.Message)
				}
			}
		}
	}
	if sent < 2000 {
		t.Errorf("only %d inputs were tried", sent)
	}
}

// fillAll puts something into every input that the form shows; pick says which of the choices.
func fillAll(f filling, nodes []spec.Node, at string, pick int) {
	for _, n := range nodes {
		name := inPrefix + at + n.Name
		switch n.Type {
		case spec.KindSelect:
			if len(n.Options) > 0 {
				o := n.Options[pick%len(n.Options)]
				f.Set(name, o.Value)
				fillAll(f, o.Fields, at, pick)
			}
		case spec.KindMultiselect:
			f.Set(name, n.Options[0].Value)
		case spec.KindBoolean:
			f.Set(name, "true")
		case spec.KindRows, spec.KindFilter:
			fillAll(f, n.Items, fmt.Sprintf("%s%s[%d].", at, n.Name, pick), pick)
		case spec.KindMetadata:
			f.Set(name+"[0].key", "sepa_debit.iban")
			f.Set(name+"[0].value", "v")
		default:
			f.Set(name, "x")
		}
	}
}

func TestBundle(t *testing.T) {
	t.Parallel()
	catalogue, err := modules.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, module string
		in           url.Values
		want         string
	}{
		{"nothing", "create-customer", url.Values{"in.name": {""}, "in.metadata[0].key": {""}}, `{}`},
		{
			"nested, in form order", "create-customer",
			url.Values{"in.shipping.name": {"A"}, "in.shipping.address.line1": {"B"}, "in.name": {"C"}},
			`{"name":"C","shipping":{"address":{"line1":"B"},"name":"A"}}`,
		},
		{"money is a number only if it is one", "create-refund", url.Values{"in.amount": {"100"}, "in.charge": {"ch_1"}}, `{"charge":"ch_1","amount":100}`},
		{"money that is none", "create-refund", url.Values{"in.amount": {"1,000"}}, `{"amount":"1,000"}`},
		{"leading zeros are kept for the judge", "create-refund", url.Values{"in.amount": {"007"}}, `{"amount":"007"}`},
		{"yes and no", "create-refund", url.Values{"in.reverse_transfer": {"false"}}, `{"reverse_transfer":false}`},
		{"metadata", "create-refund", url.Values{"in.metadata[2].key": {"a"}, "in.metadata[2].value": {"1"}}, `{"metadata":{"a":"1"}}`},
		{
			"metadata twice", "create-refund",
			url.Values{"in.metadata[0].key": {"a"}, "in.metadata[1].key": {"a"}},
			`{"metadata":[{"key":"a","value":""},{"key":"a","value":""}]}`,
		},
		{"emptied", "update-customer", url.Values{"in.name": {"A"}, "empty.name": {"1"}}, `{"name":null}`},
		{"creating empties nothing", "create-customer", url.Values{"in.name": {"A"}, "empty.name": {"1"}}, `{"name":"A"}`},
		{"foreign names", "create-refund", url.Values{"in.nothing": {"x"}, "charge": {"x"}, "in.metadata[-1].key": {"x"}, "in.metadata[99999].key": {"x"}}, `{}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, ok := catalogue.Module(tt.module)
			if !ok {
				t.Fatalf("no module %s", tt.module)
			}
			got, err := json.Marshal(filling{Values: tt.in, update: m.Update}.bundle(m.Form(), ""))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(got), tt.want); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHighlight(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	classes := map[string]string{}
	for _, one := range highlight([]byte(`{"a":"b\"}: 1","n":-1.5e3,"t":[true,null],"<b>":"</pre>"}`)) {
		text.WriteString(one.Text)
		if one.Class != "" {
			classes[one.Text] = one.Class
		}
	}
	if !json.Valid([]byte(text.String())) {
		t.Errorf("the text is not JSON any more: %s", text.String())
	}
	want := map[string]string{
		`"a":`: "k", `"b\"}: 1"`: "s", `"n":`: "k", "-1.5e3": "n", `"t":`: "k", "true": "l", "null": "l", `"<b>":`: "k", `"</pre>"`: "s",
	}
	if diff := cmp.Diff(classes, want); diff != "" {
		t.Error(diff)
	}
	if got := highlight([]byte("no json")); got[0].Text != "no json" {
		t.Errorf("other text became %v", got)
	}
}

func TestQuote(t *testing.T) {
	t.Parallel()
	if got, want := quote(`a'b$(x)`), `'a'\''b$(x)'`; got != want {
		t.Errorf("quote = %s, want %s", got, want)
	}
}
