package modules

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/paymentintent"
	"github.com/stripe/stripe-go/v79/refund"

	"stripe-connector/internal/makeapp"
	"stripe-connector/internal/spec"
	"stripe-connector/modules/lookups"
	"stripe-connector/modules/refunds"
	"stripe-connector/modules/shared"
	"stripe-connector/openapi"
)

// TestModule42: one declaration is all that a module is, and every law holds for it untold.
func TestModule42(t *testing.T) {
	t.Parallel()
	increment := spec.NewAction(spec.Def{
		Key: "increment-authorization", Label: "Increment an Authorization", Docs: "https://docs.stripe.com/api/payment_intents/increment_authorization",
		Help: "Reserves more money.",
		Fields: spec.Fields{
			spec.PathID("payment_intent", "Payment Intent ID").Lookup("payment_intents", "customer"),
			spec.Integer("amount", "Amount").Required().Min(1),
			spec.Text("description", "Description"),
			shared.StatementDescriptor,
			shared.ApplicationFee,
			spec.Object("transfer_data", shared.TransferAmount),
			shared.Metadata,
		},
		Stripe: spec.CallsWithID(paymentintent.Client.IncrementAuthorization),
		Out:    "payment_intent",
	})
	c, err := spec.NewCatalogue(lookups.All(), append(groups(), spec.Group{Label: "Other", Modules: []*spec.Module{increment}})...)
	if err != nil {
		t.Fatal(err)
	}
	m, ok := c.Module("increment-authorization")
	if got := len(c.Modules()); got != 42 || !ok {
		t.Fatalf("%d modules, it is one of them: %t", got, ok)
	}

	f := formOf(m)
	places := map[string]place{"connection": {}, "payment_intent": {in: "path"}}
	for _, path := range f.paths[len(places):] {
		places[path] = place{params: []string{path}}
	}
	fieldsLand(t, f, places)
	requiredIsRequired(t, f)
	hiddenIsRefused(t, f)
	emptyIsNotGiven(t, f)
	stripeAccepts(t, f, judge(t))

	_, err = m.Decode([]byte(`{"connection":"conn_1","amount":"ten","descriptio":"x"}`), maxLimit)
	for _, want := range []string{"payment_intent: is required", "amount: must be a whole number", "descriptio: is not a field of this module; did you mean description?"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("faults = %v, want %s", err, want)
		}
	}

	manifest, err := openapi.NewManifest(m)
	if err != nil {
		t.Fatal(err)
	}
	document, err := openapi.Document(c)
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Fields) != len(f.paths) || !strings.Contains(string(document), manifest.Path) {
		t.Errorf("the manifest has %d fields of %d, and the document has no %s", len(manifest.Fields), len(f.paths), manifest.Path)
	}
	shown := map[string]string{"the export": exported(t, c), "the page": pageParts(t, c)["increment-authorization"]}
	for where, text := range shown {
		for _, label := range []string{"Increment an Authorization", "Payment Intent ID", "Statement Descriptor", "Application Fee Amount"} {
			if !strings.Contains(text, label) {
				t.Errorf("%s does not show %s", where, label)
			}
		}
	}
}

// TestOneMoreField: a field that is added to one declaration is validated, sent, and shown in every form drawn from it; what is
// drawn from other modules stays as it was.
func TestOneMoreField(t *testing.T) {
	t.Parallel()
	with := func(more ...spec.Part) *spec.Catalogue {
		t.Helper()
		all := groups()
		for _, g := range all {
			for i, m := range g.Modules {
				if m.Key == refunds.Create.Key {
					def := refunds.Create.Def
					def.Fields = append(slices.Clone(def.Fields), more...)
					g.Modules[i] = spec.NewAction(def)
				}
			}
		}
		c, err := spec.NewCatalogue(lookups.All(), all...)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	const help = "Where to ask for bank details."
	before, after := with(), with(spec.Email("instructions_email", "Instructions Email").Help(help))

	refund, _ := after.Module("create-refund")
	const bundle = `{"connection":"conn_1","charge":"ch_1","instructions_email":"%s"}`
	made := requests(t, refund, fmt.Sprintf(bundle, "ann@example.com"))
	if got := made[0].Form.Get("instructions_email"); got != "ann@example.com" {
		t.Errorf("sent %q", got)
	}
	if _, err := refund.Decode(fmt.Appendf(nil, bundle, "ann"), maxLimit); err == nil || !strings.Contains(err.Error(), "instructions_email: must be") {
		t.Errorf("faults = %v, want one of instructions_email", err)
	}
	refund, _ = before.Module("create-refund")
	if _, err := refund.Decode(fmt.Appendf(nil, bundle, "ann@example.com"), maxLimit); err == nil {
		t.Error("the field is taken before it is declared")
	}

	// Each form is taken apart into what is drawn from one module or object.
	forms := map[string]struct {
		parts func(*testing.T, *spec.Catalogue) map[string]string
		want  string // the one part that changes
	}{
		"manifest": {manifestParts, "create-refund"},
		"document": {documentParts, "schemas/CreateRefund"},
		"export":   {exportParts, "modules/create-refund/create-refund.mappable-params.iml.json"},
		"pages":    {pageParts, "create-refund"},
	}
	for name, form := range forms {
		old, changed := form.parts(t, before), form.parts(t, after)
		if len(old) != len(changed) {
			t.Errorf("%s: %d parts, before there were %d", name, len(changed), len(old))
		}
		for part, text := range changed {
			switch {
			case part != form.want && text != old[part]:
				t.Errorf("%s: %s has changed too", name, part)
			case part == form.want && (!strings.Contains(text, help) || strings.Contains(old[part], help)):
				t.Errorf("%s: %s does not follow the declaration", name, part)
			}
		}
		if changed[form.want] == "" {
			t.Errorf("%s: there is no %s", name, form.want)
		}
	}
}

func manifestParts(t *testing.T, c *spec.Catalogue) map[string]string {
	t.Helper()
	list, err := openapi.Manifests(c)
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]string{}
	for _, m := range list {
		raw, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		parts[m.Key] = string(raw)
	}
	return parts
}

func documentParts(t *testing.T, c *spec.Catalogue) map[string]string {
	t.Helper()
	raw, err := openapi.Document(c)
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Paths      map[string]json.RawMessage
		Components struct{ Schemas map[string]json.RawMessage }
	}
	if err := json.Unmarshal(raw, &document); err != nil {
		t.Fatal(err)
	}
	parts := map[string]string{}
	for name, path := range document.Paths {
		parts["paths"+name] = string(path)
	}
	for name, schema := range document.Components.Schemas {
		parts["schemas/"+name] = string(schema)
	}
	return parts
}

func exportParts(t *testing.T, c *spec.Catalogue) map[string]string {
	t.Helper()
	app, err := makeapp.New(makeapp.Config{Name: makeapp.DefaultName, BaseURL: "https://connector.example.com", Catalogue: c})
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]string{}
	for _, f := range app.Project() {
		parts[f.Path] = string(f.Data)
	}
	return parts
}

// pageParts are the pages without the list of modules at the side, which can be searched for every field.
func pageParts(t *testing.T, c *spec.Catalogue) map[string]string {
	t.Helper()
	docs, err := openapi.Docs(c)
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]string{}
	for _, m := range c.Modules() {
		w := httptest.NewRecorder()
		docs.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/docs/modules/"+m.Key, http.NoBody))
		_, parts[m.Key], _ = strings.Cut(w.Body.String(), "<main")
	}
	return parts
}

// exported is what the Make app of a catalogue has of module 42.
func exported(t *testing.T, c *spec.Catalogue) string {
	t.Helper()
	var text strings.Builder
	for path, data := range exportParts(t, c) {
		if strings.Contains(path, "ncrement") || path == "makecomapp.json" {
			text.WriteString(data)
		}
	}
	return text.String()
}

// TestPlantedFaults: a faulty declaration cannot start, and its error says where the fault is.
func TestPlantedFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		field spec.Part
		want  string
	}{
		{"misspelt", spec.Text("descriptio", "Description"), `create-refund: field descriptio: stripe.RefundParams has no parameter "descriptio"`},
		{"misspelt below", spec.Object("metadta", spec.Text("a", "A")), `create-refund: field metadta.a: stripe.RefundParams has no parameter "metadta.a"`},
		{"wrong kind", spec.Text("amount", "Amount"), `create-refund: field amount: parameter "amount" of stripe.RefundParams is a *int64`},
		{"wrong target", spec.Text("amount", "Amount").To("amout"), `create-refund: field amount: stripe.RefundParams has no parameter "amout"`},
		{"twice", spec.Fields{spec.Text("reason", "Reason"), spec.Text("reason", "Reason")}, "create-refund: field reason: is declared twice"},
		{"no label", spec.Text("reason", ""), "create-refund: field reason: has no label"},
		{"no control", spec.When("mode", spec.Only("a"), spec.Text("reason", "Reason")), `create-refund: field reason: depends on "mode", which is no field`},
		{
			"no option",
			spec.Fields{spec.Control("mode", "Mode", spec.Opt("b", "B")), spec.When("mode", spec.Only("a"), spec.Text("reason", "Reason"))},
			`create-refund: field reason: depends on mode = "a", which is no option`,
		},
		{"no such field in a rule", spec.AtMostOne("reason", "cause"), `create-refund: a rule speaks of "cause", which is no field`},
		{"wrong value", spec.Send("amount", "1", nil), `create-refund: value sent as amount: parameter "amount" of stripe.RefundParams is a *int64`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			faulty := spec.NewAction(spec.Def{
				Key: "create-refund", Label: "Create a Refund", Docs: "https://docs.stripe.com/api/refunds/create", Help: "Refunds.",
				Fields: spec.Fields{tt.field}, Stripe: spec.Calls(refund.Client.New), Out: "refund",
			})
			_, err := spec.NewCatalogue(nil, spec.Group{Label: "Refunds", Modules: []*spec.Module{faulty}})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("err = %v, want %s", err, tt.want)
			}
		})
	}
}

// TestJudge: the judge of these tests does refuse what Stripe's OpenAPI document does not have.
func TestJudge(t *testing.T) {
	t.Parallel()
	params := &stripe.RefundParams{Charge: new("ch_1")}
	params.AddExtra("amout", "1")
	w := &wire{answer: judge(t)}
	if _, err := (refund.Client{B: w.backend()}).New(params); err == nil {
		t.Error("an unknown parameter is accepted")
	}
	if _, err := (refund.Client{B: w.backend()}).New(&stripe.RefundParams{Reason: new("boredom")}); err == nil {
		t.Error("an unknown value is accepted")
	}
	w.answer = http.NotFoundHandler()
	if _, err := (refund.Client{B: w.backend()}).Get("re_1", nil); err == nil {
		t.Error("an answer's status is lost")
	}
}
