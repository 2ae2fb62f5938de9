package spec_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stripe-connector/internal/spec"
)

func TestForm(t *testing.T) {
	t.Parallel()
	m := spec.NewUniversal(spec.Def{
		Key: "pay", Label: "Pay", Help: "Pays.", Docs: "https://docs.stripe.com/api",
		Fields: spec.Fields{
			spec.Select("mode", "Mode", spec.Opt("card", "Card"), spec.Opt("bank", "Bank"), spec.Opt("cash", "Cash").Refused("is gone")).Local(),
			spec.Text("note", "Note").Local(),
			spec.WhenAny(spec.AnyOf{spec.Is("mode", "card", "bank")}, spec.Text("holder", "Holder").Required().Local()),
			spec.When("mode", spec.Only("bank"),
				spec.Select("scheme", "Scheme", spec.Opt("sepa", "SEPA"), spec.Opt("bacs", "Bacs")).Local(),
				spec.When("scheme", spec.Only("sepa"), spec.Object("sepa", spec.Text("iban", "IBAN").Local(), spec.Text("bic", "BIC").RequiredWith("iban").Local())),
			),
			spec.Rows("lines", "Lines", spec.Text("text", "Text"), spec.Hidden(spec.Text("old", "Old"))).Local(),
			spec.Hidden(spec.Text("legacy", "Legacy").Alias("older").Local()),
			spec.Refuse("Nobody takes it", spec.Text("cheque", "Cheque").Required()),
		},
	})

	if diff := cmp.Diff(outline(m.Form()), []string{
		"connection*", "mode", "mode=card/holder*", "mode=bank/holder*", "mode=bank/scheme", "mode=bank/scheme=sepa/sepa.iban",
		"mode=bank/scheme=sepa/sepa.bic (with sepa.iban)", "mode=cash!", "note", "lines", "lines[]text", "cheque!",
	}); diff != "" {
		t.Errorf("form (-got +want):\n%s", diff)
	}

	var accepted []string
	for _, n := range m.Accepted() {
		accepted = append(accepted, n.Name)
		accepted = append(accepted, n.Aliases...)
	}
	if diff := cmp.Diff(accepted, []string{
		"connection", "mode", "note", "holder", "scheme", "sepa.iban", "sepa.bic", "lines", "legacy", "older", "cheque", "expand", "timezone",
	}); diff != "" {
		t.Errorf("accepted (-got +want):\n%s", diff)
	}
}

// outline writes a form as one line for each field and option that is worth one.
func outline(nodes []spec.Node) (lines []string) {
	for _, n := range nodes {
		line := n.Name
		if n.Required {
			line += "*"
		}
		if len(n.RequiredWith) > 0 {
			line += " (with " + strings.Join(n.RequiredWith, ", ") + ")"
		}
		if n.Refused != "" {
			line += "!"
		}
		lines = append(lines, line)
		for _, o := range n.Options {
			if o.Refused != "" {
				lines = append(lines, n.Name+"="+o.Value+"!")
			}
			for _, below := range outline(o.Fields) {
				lines = append(lines, n.Name+"="+o.Value+"/"+below)
			}
		}
		for _, item := range outline(n.Items) {
			lines = append(lines, n.Name+"[]"+item)
		}
	}
	return lines
}

// The tree replaces what the embedded input says flat.
func TestNodeJSON(t *testing.T) {
	t.Parallel()
	m := spec.NewUniversal(spec.Def{
		Key: "pick", Label: "Pick", Help: "Picks.", Docs: "https://docs.stripe.com/api",
		Fields: spec.Fields{
			spec.Select("mode", "Mode", spec.Opt("a", "A")).Local(),
			spec.When("mode", spec.Only("a"), spec.Integer("n", "N").Min(1).Local()),
		},
	})
	got, err := json.Marshal(m.Form()[1])
	if err != nil {
		t.Fatal(err)
	}
	want := `{"name":"mode","label":"Mode","type":"select","required":false,"options":[{"value":"a","label":"A","fields":[` +
		`{"name":"n","label":"N","type":"integer","required":false,"min":1,"visible_when":[[{"field":"mode","in":["a"]}]]}]}]}`
	if diff := cmp.Diff(string(got), want); diff != "" {
		t.Errorf("node (-got +want):\n%s", diff)
	}
}
