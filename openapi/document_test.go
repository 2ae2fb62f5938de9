package openapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"stripe-connector/internal/objects"
	"stripe-connector/internal/spec"
	"stripe-connector/modules"
	"stripe-connector/openapi"
	"stripe-connector/openapi/openapitest"
)

func catalogue(t *testing.T) *spec.Catalogue {
	t.Helper()
	c, err := modules.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func document(t *testing.T, c *spec.Catalogue) []byte {
	t.Helper()
	doc, err := openapi.Document(c)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func checker(t *testing.T, doc []byte) *openapitest.Checker {
	t.Helper()
	c, err := openapitest.NewChecker(doc)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What is served is what the catalogue says.
func TestGolden(t *testing.T) {
	t.Parallel()
	got, want := document(t, catalogue(t)), openapi.JSON()
	if !bytes.Equal(got, want) {
		t.Errorf("openapi.json is stale: run go generate ./openapi (-catalogue +file):\n%s", firstDifference(got, want))
	}
}

func firstDifference(a, b []byte) string {
	left, right := strings.Split(string(a), "\n"), strings.Split(string(b), "\n")
	for i := range min(len(left), len(right)) {
		if left[i] != right[i] {
			return fmt.Sprintf("line %d\n- %s\n+ %s", i+1, left[i], right[i])
		}
	}
	return fmt.Sprintf("%d lines, %d lines", len(left), len(right))
}

// The official schema of OpenAPI 3.1 judges the structure; compiling judges each schema by JSON Schema 2020-12.
func TestDocumentIsOpenAPI(t *testing.T) {
	t.Parallel()
	official, err := os.ReadFile("testdata/oas31/schema.json")
	if err != nil {
		t.Fatal(err)
	}
	schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(official))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("oas31.json", schema); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("oas31.json")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(openapi.JSON()))
	if err != nil {
		t.Fatal(err)
	}
	if err := compiled.Validate(parsed); err != nil {
		t.Error(err)
	}

	c := checker(t, openapi.JSON())
	for name := range components(t) {
		var invalid *jsonschema.ValidationError
		if err := c.Validate("#/components/schemas/"+name, []byte("null")); err != nil && !asValidation(err, &invalid) {
			t.Errorf("schema %s: %v", name, err)
		}
	}
}

func asValidation(err error, target **jsonschema.ValidationError) bool {
	v, ok := err.(*jsonschema.ValidationError) //nolint:errorlint // Validate answers it as it is
	*target = v
	return ok
}

func components(t *testing.T) map[string]json.RawMessage {
	t.Helper()
	var doc struct {
		Components struct{ Schemas map[string]json.RawMessage }
	}
	if err := json.Unmarshal(openapi.JSON(), &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Components.Schemas
}

// Whoever copies an example gets a bundle that the service takes, and that the document allows.
func TestExamples(t *testing.T) {
	t.Parallel()
	c := checker(t, openapi.JSON())
	for _, m := range catalogue(t).Modules() {
		for i, example := range openapi.Examples(m) {
			body, err := json.Marshal(example)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := m.Decode(body, 1000); err != nil {
				t.Errorf("%s: example %d: %v\n%s", m.Key, i, err, body)
			}
			if err := c.Validate("#/components/schemas/"+pascal(m.Key), body); err != nil {
				t.Errorf("%s: example %d: %v\n%s", m.Key, i, err, body)
			}
		}
	}
}

func pascal(key string) string {
	var name strings.Builder
	for word := range strings.SplitSeq(key, "-") {
		name.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return name.String()
}

// Stripe's samples fit the schemas of the bundles.
func TestSamples(t *testing.T) {
	t.Parallel()
	c := checker(t, openapi.JSON())
	for _, m := range catalogue(t).Modules() {
		if m.Type == spec.Universal {
			continue
		}
		o, ok := objects.Lookup(m.Out)
		if !ok {
			t.Errorf("%s: nothing describes %q", m.Key, m.Out)
			continue
		}
		if err := c.Validate("#/components/schemas/stripe."+m.Out, o.Sample); err != nil {
			t.Errorf("%s: %v", m.Key, err)
		}
	}
}

// Bundles that decoding takes fit the schema, however they are written.
func TestLenience(t *testing.T) {
	t.Parallel()
	tests := []struct{ module, body string }{
		{"create-refund", `{"connection":"conn_1","charge":"ch_1","amount":100}`},
		{"create-refund", `{"connection":"conn_1","charge":"ch_1","amount":"100"}`},
		{"create-refund", `{"connection":"conn_1","charge":"ch_1","amount":" 100.0 ","reverse_transfer":"Yes","refund_application_fee":0}`},
		{"create-refund", `{"connection":"conn_1","charge":"ch_1","amount":"","reason":"","reverse_transfer":"","metadata":""}`},
		{"create-refund", `{"connection":"conn_1","charge":"ch_1","amount":null,"reason":null,"reverse_transfer":null,"metadata":null,"expand":null}`},
		{"create-refund", `{"connection":"conn_1","charge":"ch_1","reason":"Requested by customer","expand":"charge","__IMTLENGTH__":3}`},
		{"create-refund", `{"connection":"conn_1","charge":"ch_1","metadata":[{"key":"a","value":"b"},{"key":"","value":""}]}`},
		{"create-refund", `{"connection":"conn_1","charge":"ch_1","metadata":{"a":1,"b":true,"c":null}}`},
		{"create-customer", `{"connection":"conn_1","shipping.name":"Jenny","shipping":{"address.line1":"Main St 1","address":{"city":""}}}`},
		{"create-customer", `{"connection":"conn_1","shipping":{},"invoice_settings":null,"preferred_locales":"en-GB","tax_id_data":[]}`},
		{"create-customer", `{"connection":"conn_1","tax_id_data":{"type":"EU-VAT","value":"DE123456789"}}`},
		{"update-customer", `{"connection":"conn_1","customer":"cus_1","description":null,"metadata":"","name":""}`},
		{"update-invoice", `{"connection":"conn_1","invoice":"in_1","default_tax_rates":"","discounts":[]}`},
		{"create-payment-intent", `{"connection":"conn_1","amount":"1099","currency":"USD","payment_method_types":"Card","ignore::payment_method":"select","payment_method":"pm_1"}`},
		{
			"confirm-payment-intent",
			`{"connection":"conn_1","payment_intent":"pi_1","payment_method_data":{"type":"sepa_debit","sepa_debit":{"iban":"DE89370400440532013000"},"billing_details":{"name":"Jenny"}}}`,
		},
		{"confirm-payment-intent", `{"connection":"conn_1","payment_intent":"pi_1","payment_method_data.type":"Klarna","metadata":{"a":"b"}}`},
		{"search-customers", `{"connection":"conn_1","limit":"5","filter":[[{"a":"created","o":"date:less","b":"2024-06-20"}]]}`},
		{"search-customers", `{"connection":"conn_1","filter":[{"field":"metadata.order_id","operator":"equals","value":"1"}],"cursor":""}`},
		{"search-invoices", `{"connection":"conn_1","list_by":"Customer","customer":"cus_1","pending":"no"}`},
		{"make-an-api-call", `{"connection":"conn_1","url":"/v1/charges","method":"POST","headers":{"x":"y"},"qs":[{"key":"limit","value":3}],"body":"a=b"}`},
		{"watch-events", `{"connection":"conn_1","webhook_name":"Orders","group":"Customers","enabled_events":"customer.created","connect":"","url":"https://example.com/"}`},
	}
	c, check := catalogue(t), checker(t, openapi.JSON())
	for _, tt := range tests {
		m, ok := c.Module(tt.module)
		if !ok {
			t.Fatalf("no module %s", tt.module)
		}
		if _, err := m.Decode([]byte(tt.body), 1000); err != nil {
			t.Errorf("%s does not take %s: %v", tt.module, tt.body, err)
		}
		if err := check.Validate("#/components/schemas/"+pascal(tt.module), []byte(tt.body)); err != nil {
			t.Errorf("the schema of %s does not take %s: %v", tt.module, tt.body, err)
		}
	}
}

// A schema refuses what it can see to be wrong.
func TestStrictness(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, module, body string }{
		{"required", "create-refund", `{"connection":"conn_1"}`},
		{"misspelt key", "create-refund", `{"connection":"conn_1","charge":"ch_1","amountt":1}`},
		{"fraction", "create-refund", `{"connection":"conn_1","charge":"ch_1","amount":12.5}`},
		{"separator", "create-refund", `{"connection":"conn_1","charge":"ch_1","amount":"1,000"}`},
		{"too small", "create-refund", `{"connection":"conn_1","charge":"ch_1","amount":0}`},
		{"not a boolean", "create-refund", `{"connection":"conn_1","charge":"ch_1","reverse_transfer":"maybe"}`},
		{"slash in a path id", "retrieve-refund", `{"connection":"conn_1","refund":"re_1/cancel"}`},
		{"null for a number", "update-customer", `{"connection":"conn_1","customer":"cus_1","balance":null}`},
		{"misspelt nested key", "create-customer", `{"connection":"conn_1","shipping":{"addresses":{}}}`},
		{"hidden by a control", "search-invoices", `{"connection":"conn_1","list_by":"customer"}`},
		{"refused", "update-payment-intent", `{"connection":"conn_1","payment_intent":"pi_1","off_session":true}`},
		{"too many rows", "create-invoice", `{"connection":"conn_1","customer":"cus_1","custom_fields":[{},{},{},{},{}]}`},
	}
	check := checker(t, openapi.JSON())
	for _, tt := range tests {
		if err := check.Validate("#/components/schemas/"+pascal(tt.module), []byte(tt.body)); err == nil {
			t.Errorf("%s: the schema of %s takes %s", tt.name, tt.module, tt.body)
		}
	}
}

// One more field in a declaration is one more in everything drawn from it.
func TestFieldIsDeclaredOnce(t *testing.T) {
	t.Parallel()
	def := func(fields ...spec.Part) *spec.Module {
		return spec.NewUniversal(spec.Def{Key: "say-it", Label: "Say It", Help: "Says it.", Docs: "https://docs.stripe.com/api", Fields: fields, Out: "any"})
	}
	words := spec.Text("words", "Words").Required().MaxLen(7).Local()
	build := func(m *spec.Module) (doc, page string) {
		c, err := spec.NewCatalogue(nil, spec.Group{Label: "Talk", Modules: []*spec.Module{m}})
		if err != nil {
			t.Fatal(err)
		}
		return string(document(t, c)), get(t, docs(t, c), "/docs/modules/say-it").Body.String()
	}
	docWithout, pageWithout := build(def())
	doc, page := build(def(words))
	const inDocument = `"words": {
      "title": "Words",`
	for _, tt := range []struct {
		name, without, with, want string
	}{
		{"document", docWithout, doc, inDocument},
		{"page", pageWithout, page, "<code>words</code>"},
	} {
		if strings.Contains(tt.without, tt.want) || !strings.Contains(tt.with, tt.want) {
			t.Errorf("the %s does not follow the declaration", tt.name)
		}
	}
	manifest, err := openapi.NewManifest(def(words))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(manifest.Fields[1].Name, "words"); diff != "" {
		t.Errorf("manifest (-got +want):\n%s", diff)
	}
}

// Every documented field stands in the tree, and the tree holds nothing else.
func TestManifests(t *testing.T) {
	t.Parallel()
	c := catalogue(t)
	manifests, err := openapi.Manifests(c)
	if err != nil {
		t.Fatal(err)
	}
	check := checker(t, openapi.JSON())
	for i, m := range c.Modules() {
		got, want := map[string]bool{}, map[string]bool{}
		collect(manifests[i].Fields, got)
		for _, input := range m.Inputs() {
			want[input.Name] = true
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("%s: fields of the tree (-got +want):\n%s", m.Key, diff)
		}
		raw, err := json.Marshal(manifests[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := check.Validate("#/components/schemas/Manifest", raw); err != nil {
			t.Errorf("%s: %v", m.Key, err)
		}
	}
}

func collect(nodes []spec.Node, names map[string]bool) {
	for _, n := range nodes {
		names[n.Name] = true
		for _, o := range n.Options {
			collect(o.Fields, names)
		}
	}
}

// Whatever decoding takes in a field, the schema of the field takes too, but for what the document's introduction names.
func TestSchemasAreNoStricterThanDecoding(t *testing.T) {
	t.Parallel()
	variants := []any{
		"", nil, "x", "  7 ", "7.0", 7, 7.0, -1, 12.5, true, "Yes", "off", 0, "2024-06-20", "20.6.2024 5:26 PM", 1718895845, 1718895845000,
		"a@b.example", "https://example.com/", "myapp://back", "USD",
		[]any{},
		[]any{"x"},
		[]any{7},
		[]any{""},
		map[string]any{},
		map[string]any{"a": "b", "c": 1, "d": nil},
		[]any{map[string]any{"key": "a", "value": "b"}},
		map[string]any{"key": "a", "value": "b"},
		[]any{map[string]any{}},
		[]any{nil},
	}
	check := checker(t, openapi.JSON())
	for _, m := range catalogue(t).Modules() {
		var bundles []map[string]any
		for _, example := range openapi.Examples(m) {
			bundles = append(bundles, decoded(t, example))
		}
		for _, f := range m.Accepted() {
			tries := variants
			for _, o := range f.Options {
				tries = append(slices.Clip(tries), o.Value, strings.ToUpper(o.Label), []any{o.Label})
			}
			for _, name := range append([]string{f.Name}, f.Aliases...) {
				for _, bundle := range bundles {
					for _, v := range tries {
						if unsaid(f.Type, v) {
							continue
						}
						body := changed(t, bundle, f.Name, name, v)
						if _, err := m.Decode(body, 1000); err != nil {
							continue
						}
						if err := check.Validate("#/components/schemas/"+pascal(m.Key), body); err != nil {
							t.Errorf("%s takes %s = %#v, its schema does not: %v", m.Key, name, v, err)
						}
					}
				}
			}
		}
	}
}

// unsaid are the spellings that the document leaves out to stay readable: an empty object or list in place of something
// else, and a number for a choice or a connection.
func unsaid(k spec.Kind, v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return len(v) == 0 && k != spec.KindMetadata
	case []any:
		scalar := !slices.Contains([]spec.Kind{spec.KindMultiselect, spec.KindTexts, spec.KindRows, spec.KindMetadata, spec.KindFilter, spec.KindAny}, k)
		return len(v) == 0 && scalar || len(v) == 1 && unsaidItem(k, v[0])
	}
	return unsaidItem(k, v)
}

func unsaidItem(k spec.Kind, v any) bool {
	switch v := v.(type) {
	case int, float64:
		return k == spec.KindSelect || k == spec.KindMultiselect || k == spec.KindConnection
	case map[string]any:
		return len(v) == 0 && (k == spec.KindRows || k == spec.KindFilter)
	}
	return false
}

func decoded(t *testing.T, example any) map[string]any {
	t.Helper()
	raw, err := json.Marshal(example)
	if err != nil {
		t.Fatal(err)
	}
	var bundle map[string]any
	if err := json.Unmarshal(raw, &bundle); err != nil {
		t.Fatal(err)
	}
	return bundle
}

// changed is the bundle with one field replaced, under a key of its own choice with dots.
func changed(t *testing.T, bundle map[string]any, field, key string, value any) []byte {
	t.Helper()
	raw, err := json.Marshal(bundle)
	if err != nil {
		t.Fatal(err)
	}
	var deep map[string]any
	if err := json.Unmarshal(raw, &deep); err != nil {
		t.Fatal(err)
	}
	at, steps := deep, strings.Split(field, ".")
	for _, step := range steps[:len(steps)-1] {
		below, ok := at[step].(map[string]any)
		if !ok {
			below = map[string]any{}
			at[step] = below
		}
		at = below
	}
	delete(at, steps[len(steps)-1])
	if key == field {
		at[steps[len(steps)-1]] = value
	} else {
		deep[key] = value
	}
	if raw, err = json.Marshal(deep); err != nil {
		t.Fatal(err)
	}
	return raw
}
