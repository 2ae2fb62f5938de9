package spec

import (
	"encoding/json"
	"errors"
	"net/url"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/customer"
	stripeform "github.com/stripe/stripe-go/v79/form"
	"github.com/stripe/stripe-go/v79/invoice"
	"github.com/stripe/stripe-go/v79/invoiceitem"
	"github.com/stripe/stripe-go/v79/paymentintent"
)

// fields is a form with one of everything, bound to two calls that share its shapes.
func fields() Fields {
	return Fields{
		Text("description", "Description").MaxLen(12),
		Email("email", "Email"),
		Integer("balance", "Balance").Min(-500).Max(500),
		Integer("next_invoice_sequence", "Next").Keeps(),
		Boolean("validate", "Validate"),
		Select("tax_exempt", "Tax Exempt", Opt("none", "None"), Opt("reverse", "Reverse Charge", "rc"), Opt("gone", "Gone").Refused("is no longer offered")),
		Texts("preferred_locales", "Locales").AtMost(3).Clears(),
		Metadata("metadata", "Metadata"),
		Object("shipping",
			Object("address", Text("line1", "Line 1"), Country("country", "Country")),
			Text("name", "Name").RequiredWithin(),
			NeedsAny("address.line1", "address.country"),
		),
		Rows("tax_id_data", "Tax IDs", Select("type", "Type", Opt("eu_vat", "EU VAT")).Required(), Text("value", "Value").Required()).Clears(),
		ID("coupon", "Coupon"), ID("promotion_code", "Promotion Code"),
		AtMostOne("coupon", "promotion_code"),
		Text("note", "Note").Refused("belongs elsewhere"),
	}
}

func def(key string, fields Fields, call Endpoint) Def {
	return Def{Key: key, Label: "A " + key, Help: "Helps.", Docs: "https://docs.stripe.com/api", Fields: fields, Stripe: call, Out: "customer"}
}

func createModule() *Module { return NewAction(def("create", fields(), Calls(customer.Client.New))) }

func updateModule() *Module {
	return NewUpdate(def("update", Fields{PathID("customer", "Customer ID"), fields()}, CallsWithID(customer.Client.Update)))
}

// recorder is a backend that keeps the one request it is given, in Stripe's form encoding.
type recorder struct {
	stripe.Backend
	method, path string
	sent         []string
}

func (r *recorder) Call(method, path, _ string, params stripe.ParamsContainer, _ stripe.LastResponseSetter) error {
	body := &stripeform.Values{}
	stripeform.AppendTo(body, params)
	return r.CallRaw(method, path, "", body, nil, nil)
}

func (r *recorder) CallRaw(method, path, _ string, body *stripeform.Values, _ *stripe.Params, _ stripe.LastResponseSetter) error {
	r.method, r.path = method, path
	for pair := range strings.SplitSeq(body.Encode(), "&") {
		text, err := url.QueryUnescape(pair)
		if err != nil {
			return err
		}
		if text != "" {
			r.sent = append(r.sent, text)
		}
	}
	sort.Strings(r.sent)
	return nil
}

// request is what the module sends for a bundle.
func request(t *testing.T, m *Module, bundle string) *recorder {
	t.Helper()
	if len(m.faults) > 0 {
		t.Fatalf("the declaration is faulty: %v", m.faults)
	}
	b, err := m.Decode([]byte(bundle), 1000)
	if err != nil {
		t.Fatalf("Decode(%s): %v", bundle, err)
	}
	var r recorder
	if m.Type == Search {
		err = m.Query(b).Sources[0].Call(&r, Page{After: "obj_1", Limit: 7})
	} else {
		err = m.Steps(b)[0].Call(&r)
	}
	if err != nil {
		t.Fatalf("calling: %v", err)
	}
	return &r
}

// with adds the connection, which every bundle needs.
func with(bundle string) string {
	return strings.Replace(`{"connection":"conn_1",`+strings.TrimPrefix(bundle, "{"), ",}", "}", 1)
}

func TestBundleIsSentAsWritten(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, bundle string
		want         []string
	}{
		{"text", `{"description":" kept "}`, []string{"description= kept "}},
		{"number as text", `{"description":1.0e3}`, []string{"description=1.0e3"}},
		{"escapes", `{"description":"\u00e9\n\"\\"}`, []string{"description=é\n\"\\"}},
		{"integer as text", `{"balance":" -500 "}`, []string{"balance=-500"}},
		{"integer with zeros", `{"balance":100.0}`, []string{"balance=100"}},
		{"zero is a value", `{"balance":0,"validate":"off"}`, []string{"balance=0", "validate=false"}},
		{"boolean words", `{"validate":"Yes"}`, []string{"validate=true"}},
		{"option by label", `{"tax_exempt":"reverse charge"}`, []string{"tax_exempt=reverse"}},
		{"option by alias", `{"tax_exempt":"RC"}`, []string{"tax_exempt=reverse"}},
		{"one is a list of one", `{"preferred_locales":"de"}`, []string{"preferred_locales[0]=de"}},
		{"list with holes", `{"preferred_locales":["de","",null," ","en"]}`, []string{"preferred_locales[0]=de", "preferred_locales[1]=en"}},
		{"metadata object", `{"metadata":{"a":"1","b":2.50,"c":true,"d":""}}`, []string{"metadata[a]=1", "metadata[b]=2.50", "metadata[c]=true"}},
		{"metadata list", `{"metadata":[{"key":"a","value":"1"},{"key":"","value":""},{"key":7,"value":"x"}]}`, []string{"metadata[7]=x", "metadata[a]=1"}},
		{"nested", `{"shipping":{"name":"N","address":{"line1":"L","country":"de"}}}`, []string{"shipping[address][country]=DE", "shipping[address][line1]=L", "shipping[name]=N"}},
		{"dotted", `{"shipping.name":"N","shipping.address.line1":"L"}`, []string{"shipping[address][line1]=L", "shipping[name]=N"}},
		{"half dotted", `{"shipping":{"address.line1":"L","name":"N"}}`, []string{"shipping[address][line1]=L", "shipping[name]=N"}},
		{"rows", `{"tax_id_data":[{"type":"EU-VAT","value":"DE1"},{"type":"","value":""},null,{}]}`, []string{"tax_id_data[0][type]=eu_vat", "tax_id_data[0][value]=DE1"}},
		{"one row", `{"tax_id_data":{"type":"eu vat","value":"DE1"}}`, []string{"tax_id_data[0][type]=eu_vat", "tax_id_data[0][value]=DE1"}},
		{"ids lose their blanks", `{"coupon":" c1\n"}`, []string{"coupon=c1"}},
		{"Make's own keys", `{"__IMTCONN__":7,"description":"x"}`, []string{"description=x"}},
		{"expand", `{"expand":["default_source"]}`, []string{"expand[0]=default_source"}},
		{
			"nothing given",
			`{"description":"","email":null,"balance":"  ","preferred_locales":[],"metadata":{},"shipping":{"name":"","address":{}},"tax_id_data":[],"note":null}`,
			nil,
		},
	}
	m := createModule()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, request(t, m, with(tt.bundle)).sent); diff != "" {
				t.Errorf("sent (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUpdateClearsOnlyOnPurpose(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, bundle string
		want         []string
	}{
		{"null clears a text", `{"description":null,"email":null}`, []string{"description=", "email="}},
		{"empty text does not", `{"description":"","email":""}`, nil},
		{"empty list clears a list", `{"preferred_locales":[],"tax_id_data":[]}`, []string{"preferred_locales=", "tax_id_data="}},
		{"null clears a list", `{"preferred_locales":null}`, []string{"preferred_locales="}},
		{"empty metadata text clears all", `{"metadata":""}`, []string{"metadata="}},
		{"empty metadata object or list does not", `{"metadata":{}}`, nil},
		{"an unfilled list of pairs does not", `{"metadata":[]}`, nil},
		{"an empty value unsets its key", `{"metadata":{"a":"","b":null,"c":"1"}}`, []string{"metadata[a]=", "metadata[b]=", "metadata[c]=1"}},
		{"an empty object is nothing", `{"shipping":{},"shipping.name":""}`, nil},
		{"a refused field may be null", `{"note":null}`, nil},
		{"rows that nobody filled do not", `{"preferred_locales":["",null],"tax_id_data":[{"type":"","value":""},{}],"metadata":[{"key":"","value":""}]}`, nil},
		{"null for what steers the call is nothing", `{"timezone":null,"expand":null}`, nil},
		{"an unfilled box under a second key is nothing", `{"shipping.name":"N","shipping.address.line1":"L","shipping":{"name":"","address":{"line1":""}}}`, []string{"shipping[address][line1]=L", "shipping[name]=N"}},
	}
	m := updateModule()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := request(t, m, with(`{"customer":"cus_1",`+strings.TrimPrefix(tt.bundle, "{")))
			if diff := cmp.Diff(tt.want, r.sent); diff != "" {
				t.Errorf("sent (-want +got):\n%s", diff)
			}
			if r.path != "/v1/customers/cus_1" {
				t.Errorf("path = %s, want /v1/customers/cus_1", r.path)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, bundle string
		want         []string // field code
	}{
		{"all at once, in form order", `{"balance":"12.5","email":"x","zip":1,"description":"thirteen chars"}`, []string{"description too_long", "email invalid", "balance invalid", "zip unknown"}},
		{"out of bounds", `{"balance":501}`, []string{"balance too_large"}},
		{"under bounds", `{"balance":"-501"}`, []string{"balance too_small"}},
		{"wrong types", `{"description":{"a":1},"email":true,"balance":[],"validate":"maybe","metadata":"x","preferred_locales":[{}],"tax_id_data":"x"}`, []string{
			"description invalid", "email invalid", "validate invalid", "preferred_locales[0] invalid", "metadata invalid", "tax_id_data invalid",
		}},
		{"unknown option", `{"tax_exempt":"some"}`, []string{"tax_exempt invalid"}},
		{"refused option", `{"tax_exempt":"Gone"}`, []string{"tax_exempt not_allowed"}},
		{"refused field", `{"note":false}`, []string{"note not_allowed"}},
		{"too many", `{"preferred_locales":["a","b","c","d"]}`, []string{"preferred_locales too_many"}},
		{"needed within", `{"shipping":{"address":{"line1":"L"}}}`, []string{"shipping.name required"}},
		{"needs an address", `{"shipping":{"name":"N"}}`, []string{"shipping.address.line1 required"}},
		{"exclusive", `{"coupon":"a","promotion_code":"b"}`, []string{"promotion_code not_allowed"}},
		{"rows name their index", `{"tax_id_data":[{"type":"eu_vat","value":"1"},{"type":"xx"},7]}`, []string{"tax_id_data[1].type invalid", "tax_id_data[1].value required", "tax_id_data[2] invalid"}},
		{"twice", `{"shipping":{"name":"N","address":{"line1":"L"}},"shipping.name":"M"}`, []string{"shipping.name duplicate"}},
		{"the same key twice", `{"balance":1,"balance":2}`, []string{"balance duplicate"}},
		{"metadata", `{"metadata":[{"key":"a","value":"1"},{"key":"a","value":"2"},{"key":"b][c","value":"3"},{"key":"","value":"4"},{"key":"d","value":{}}]}`, []string{
			"metadata[1] duplicate", "metadata[2] invalid", "metadata[3] required", "metadata[4] invalid",
		}},
		{"an object is wanted", `{"shipping":"home"}`, []string{"shipping invalid"}},
		{"unknown zone", `{"timezone":"Mars/Olympus"}`, []string{"timezone invalid"}},
	}
	m := createModule()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, codes(t, m, with(tt.bundle))); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("no connection", func(t *testing.T) {
		t.Parallel()
		if diff := cmp.Diff([]string{"connection required"}, codes(t, m, `{"connection":" "}`)); diff != "" {
			t.Errorf("faults (-want +got):\n%s", diff)
		}
	})
	t.Run("null for what is required", func(t *testing.T) {
		t.Parallel()
		if diff := cmp.Diff([]string{"connection required", "customer required"}, codes(t, updateModule(), `{"connection":null,"customer":null}`)); diff != "" {
			t.Errorf("faults (-want +got):\n%s", diff)
		}
	})
	t.Run("not clearable", func(t *testing.T) {
		t.Parallel()
		got := codes(t, updateModule(), with(`{"customer":"../x","balance":null,"description":[],"shipping":{"name":null}}`))
		want := []string{"customer invalid", "description invalid", "balance not_clearable", "shipping.address.line1 required", "shipping.name required"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("faults (-want +got):\n%s", diff)
		}
	})
}

// codes are the faults of a bundle as "field code".
func codes(t *testing.T, m *Module, bundle string) []string {
	t.Helper()
	_, err := m.Decode([]byte(bundle), 1000)
	var faults Faults
	if !errors.As(err, &faults) {
		t.Fatalf("Decode(%s) = %v, want Faults", bundle, err)
	}
	list := make([]string, len(faults))
	for i, f := range faults {
		list[i] = f.Field + " " + f.Code
		if f.Message == "" {
			t.Errorf("%s: the fault has no message", f.Field)
		}
	}
	return list
}

func TestUnknownKeyNamesTheNearest(t *testing.T) {
	t.Parallel()
	for key, near := range map[string]string{
		"descripshon": "description", "meta_data": "metadata", "line1": "shipping.address.line1", "shiping.name": "shipping.name", "zzz": "",
	} {
		_, err := createModule().Decode([]byte(with(`{"`+key+`":"x"}`)), 10)
		got := err.Error()
		if near != "" && !strings.Contains(got, "did you mean "+near+"?") || near == "" && strings.Contains(got, "mean") {
			t.Errorf("%s: %q, want a hint at %q", key, got, near)
		}
	}
}

// TestMessages pins the words of faults that are easily put wrongly.
func TestMessages(t *testing.T) {
	t.Parallel()
	m := NewAction(def("create", Fields{
		fields(), Control("mode", "Mode", Opt("a", "A"), Opt("b", "B")), When("mode", Only("a"), ID("source", "Source"), AtLeastOne("source")),
		WhenAny(AnyOf{Is("mode", "b"), Is("tax_exempt", "none")}, Text("phone", "Phone")),
	}, Calls(customer.Client.New)))
	for bundle, want := range map[string]string{
		`{"metadata":[{"key":"a","value":"1"},{"key":"a","value":"2"}]}`: `metadata[1]: has the key "a" twice`,
		`{"mode":"a"}`:                          "source: is required",
		`{"mode":"a","phone":"1","source":"s"}`: "phone: goes only with Mode (mode) = b, and that is a; or with Tax Exempt (tax_exempt) = none",
		`{"balance":"ten"}`:                     `balance: must be a whole number, not "ten"`,
	} {
		if _, err := m.Decode([]byte(with(bundle)), 10); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", bundle, err, want)
		}
	}
}

func TestSecretsAreNotRepeated(t *testing.T) {
	t.Parallel()
	const secret = "sk_test_51Habcdefghijkl"
	m := createModule()
	for _, bundle := range []string{
		`{"balance":"` + secret + `"}`, `{"validate":"` + secret + `"}`, `{"tax_exempt":"` + secret + `"}`, `{"` + secret + `":1}`,
		`{"metadata":{"` + secret + `":"1","` + secret + `":"2"}}`, `{"balance":"4242424242424242.5"}`,
	} {
		_, err := m.Decode([]byte(with(bundle)), 10)
		if got := err.Error(); strings.Contains(got, "51Habc") || strings.Contains(got, "4242424242") {
			t.Errorf("%s: the fault repeats the secret: %s", bundle, got)
		}
	}
	open := NewAction(def("open", Fields{Object("payment_method_data",
		Select("type", "Type", Opt("card", "Card")), OpenObject("type", nil),
	)}, Calls(paymentintent.Client.New)))
	_, err := open.Decode([]byte(with(`{"payment_method_data":{"`+strings.ToLower(secret)+`":{"x":"1"}}}`)), 10)
	if got := err.Error(); strings.Contains(got, "51habc") {
		t.Errorf("the fault repeats a secret that stands where a type belongs: %s", got)
	}
}

func TestSyntax(t *testing.T) {
	t.Parallel()
	m := createModule()
	for _, body := range []string{``, `{`, `[]`, `"x"`, `{"a":1}x`, "{\"a\":\"\xff\"}", strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40), strings.Repeat("[", 20000)} {
		_, err := m.Decode([]byte(body), 10)
		if _, ok := errors.AsType[*SyntaxError](err); !ok {
			t.Errorf("Decode(%.20q) = %v, want a SyntaxError", body, err)
		}
	}
}

func TestConditionalFields(t *testing.T) {
	t.Parallel()
	m := NewAction(def("confirm", Fields{
		PathID("payment_intent", "Payment Intent ID"),
		Control("payment_method_mode", "Payment Method", Opt("existing", "Existing", "select"), Opt("create", "New")).Alias("ignore::payment_method"),
		When("payment_method_mode", Only("existing"), ID("payment_method", "Payment Method ID").Required()),
		When("payment_method_mode", Only("create"), Object("payment_method_data",
			Select("type", "Type", Opt("card", "Card"), Opt("sepa_debit", "SEPA")).Required(),
			Object("billing_details", Text("name", "Name")),
			OpenObject("type", map[string][]string{"sepa_debit": {"iban"}}),
		)),
	}, CallsWithID(paymentintent.Client.Confirm)))
	sent := []struct {
		bundle string
		want   []string
	}{
		{`{"payment_intent":"pi_1"}`, nil},
		{`{"payment_intent":"pi_1","payment_method":"pm_1"}`, []string{"payment_method=pm_1"}},
		{`{"payment_intent":"pi_1","ignore::payment_method":"select","payment_method":"pm_1"}`, []string{"payment_method=pm_1"}},
		{`{"payment_intent":"pi_1","payment_method_data":{"type":"card"}}`, []string{"payment_method_data[type]=card"}},
		{
			`{"payment_intent":"pi_1","payment_method_mode":"New","payment_method_data":{"type":"sepa_debit","sepa_debit":{"iban":"DE1"}}}`,
			[]string{"payment_method_data[sepa_debit][iban]=DE1", "payment_method_data[type]=sepa_debit"},
		},
		{
			`{"payment_intent":"pi_1","payment_method_data.type":"sepa_debit","payment_method_data.sepa_debit.iban":"DE1","payment_method_data":{"billing_details.name":"N"}}`,
			[]string{"payment_method_data[billing_details][name]=N", "payment_method_data[sepa_debit][iban]=DE1", "payment_method_data[type]=sepa_debit"},
		},
	}
	for _, tt := range sent {
		if diff := cmp.Diff(tt.want, request(t, m, with(tt.bundle)).sent); diff != "" {
			t.Errorf("%s sent (-want +got):\n%s", tt.bundle, diff)
		}
	}
	faulty := []struct {
		bundle string
		want   []string
	}{
		{`{"payment_intent":"pi_1","payment_method":"pm_1","payment_method_data":{"type":"card"}}`, []string{"payment_method_data.type not_allowed"}},
		{`{"payment_intent":"pi_1","payment_method_mode":"create","payment_method":"pm_1"}`, []string{"payment_method not_allowed", "payment_method_data.type required"}},
		{`{"payment_intent":"pi_1","payment_method_mode":"existing"}`, []string{"payment_method required"}},
		{`{"payment_intent":"pi_1","payment_method_mode":"wat"}`, []string{"payment_method_mode invalid"}},
		{`{"payment_intent":"pi_1","payment_method_data.type":"card","payment_method_data.billing_details.nmae":"N"}`, []string{"payment_method_data.billing_details.nmae unknown"}},
		{`{"payment_intent":"pi_1","payment_method_data":{"type":"sepa_debit"}}`, []string{"payment_method_data.sepa_debit.iban required"}},
		{`{"payment_intent":"pi_1","payment_method_data":{"type":"card","sepa_debit":{"iban":"DE1"}}}`, []string{"payment_method_data.sepa_debit.iban not_allowed"}},
		{`{"payment_intent":"pi_1","payment_method_data":{"type":"card","card":"4242"}}`, []string{"payment_method_data.card unknown"}},
	}
	for _, tt := range faulty {
		if diff := cmp.Diff(tt.want, codes(t, m, with(tt.bundle))); diff != "" {
			t.Errorf("%s faults (-want +got):\n%s", tt.bundle, diff)
		}
	}
}

func TestVariantsAndSentValues(t *testing.T) {
	t.Parallel()
	m := NewAction(def("item", Fields{
		ID("customer", "Customer ID").Required(),
		Control("mode", "Amount By", Opt("total", "Total"), Opt("unit", "Unit")).InferredBy(func(b *Bundle) string {
			if b.Has("quantity") {
				return "unit"
			}
			return "total"
		}),
		Integer("amount", "Amount").ToWhen("amount", "mode", "total").ToWhen("unit_amount", "mode", "unit"),
		Integer("quantity", "Quantity"),
		ID("invoice", "Invoice").ToIf("sub_", "subscription"),
		Text("memo", "Memo").To("description"),
		Boolean("discountable", "Discountable").Default(false),
		Send("currency", "usd", func(b *Bundle) bool { return b.Has("amount") }),
	}, Calls(invoiceitem.Client.New)))
	for bundle, want := range map[string][]string{
		`{"customer":"c","amount":5}`:                                       {"amount=5", "currency=usd", "customer=c", "discountable=false"},
		`{"customer":"c","amount":5,"quantity":"2"}`:                        {"currency=usd", "customer=c", "discountable=false", "quantity=2", "unit_amount=5"},
		`{"customer":"c","invoice":"in_1"}`:                                 {"customer=c", "discountable=false", "invoice=in_1"},
		`{"customer":"c","invoice":"sub_1","memo":"m","discountable":true}`: {"customer=c", "description=m", "discountable=true", "subscription=sub_1"},
	} {
		if diff := cmp.Diff(want, request(t, m, with(bundle)).sent); diff != "" {
			t.Errorf("%s sent (-want +got):\n%s", bundle, diff)
		}
	}
}

func searchModule() *Module {
	return NewSearch(def("search", Fields{
		DateFilter("created", "Created At", "Timestamp"),
		Filter("filter", "Filter", ByDate("due_date", "Due date"), ByValue("status", "Status", Opt("draft", "Draft"), Opt("open", "Open")), ByMetadata("Metadata key")),
		Limit(),
	}, Lists(invoice.Client.List)))
}

func TestSearch(t *testing.T) {
	t.Parallel()
	m := searchModule()
	for bundle, want := range map[string][]string{
		`{}`: {"limit=7", "starting_after=obj_1"},
		`{"created":{"operator":"on","timestamp":"2024-06-20"}}`:                                                                              {"created[gte]=1718841600", "created[lt]=1718928000", "limit=7", "starting_after=obj_1"},
		`{"created.operator":"after","created.timestamp":"2024-06-20","timezone":"America/New_York"}`:                                         {"created[gt]=1718856000", "limit=7", "starting_after=obj_1"},
		`{"filter":[{"field":"Due date","operator":"on_or_after","value":1718841600},{"field":"status","operator":"equals","value":"OPEN"}]}`: {"due_date[gte]=1718841600", "limit=7", "starting_after=obj_1", "status=open"},
		`{"filter":[[{"a":"due_date","o":"date:less","b":"2024-06-20"}]]}`:                                                                    {"due_date[lt]=1718841600", "limit=7", "starting_after=obj_1"},
	} {
		if diff := cmp.Diff(want, request(t, m, with(bundle)).sent); diff != "" {
			t.Errorf("%s sent (-want +got):\n%s", bundle, diff)
		}
	}
	for bundle, want := range map[string][]string{
		`{"created":{"operator":"on"}}`:          {"created.timestamp required"},
		`{"created":{"timestamp":"2024-06-20"}}`: {"created.operator required"},
		`{"limit":1001}`:                         {"limit too_large"},
		`{"limit":0}`:                            {"limit too_small"},
		`{"filter":"status"}`:                    {"filter invalid"},
		`{"filter":[[{"a":"status","o":"text:equal","b":"open"}],[{"a":"status","o":"text:equal","b":"draft"}]]}`:                                 {"filter[0] invalid", "filter[1] invalid"},
		`{"filter":[{"field":"total","operator":"equals","value":"1"}]}`:                                                                          {"filter[0].field invalid"},
		`{"filter":[{"field":"status","operator":"before","value":"open"}]}`:                                                                      {"filter[0].operator not_allowed"},
		`{"filter":[{"field":"status","operator":"equals","value":"lost"}]}`:                                                                      {"filter[0].value invalid"},
		`{"filter":[{"field":"due_date","operator":"on","value":"soon"}]}`:                                                                        {"filter[0].value invalid"},
		`{"filter":[{"field":"metadata","operator":"equals","value":"x"}]}`:                                                                       {"filter[0].field invalid"},
		`{"filter":[{"field":"due_date","operator":"on","value":"2024-06-20"},{},{"field":"due_date","operator":"before","value":"2024-06-20"}]}`: {"filter[2] duplicate"},
	} {
		if diff := cmp.Diff(want, codes(t, m, with(bundle))); diff != "" {
			t.Errorf("%s faults (-want +got):\n%s", bundle, diff)
		}
	}
}

// TestCeilingBelowTheDefault: nobody is blamed for a limit that nobody gave.
func TestCeilingBelowTheDefault(t *testing.T) {
	t.Parallel()
	for _, bundle := range []string{`{}`, `{"limit":""}`} {
		b, err := searchModule().Decode([]byte(with(bundle)), 5)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := b.Limit(), 5; got != want {
			t.Errorf("%s: limit = %d, want %d", bundle, got, want)
		}
	}
}

func TestSearchQueryQuotes(t *testing.T) {
	t.Parallel()
	b, err := searchModule().Decode([]byte(with(`{"filter":[
		{"field":"metadata.Order \"1\"","operator":"equals","value":"a\\\" OR name:\"x"},
		{"field":"due_date","operator":"before","value":"2024-06-20"}]}`)), 10)
	if err != nil {
		t.Fatal(err)
	}
	got, want := b.SearchQuery("filter"), `metadata["Order \"1\""]:"a\\\" OR name:\"x" AND due_date<1718841600`
	if got != want {
		t.Errorf("SearchQuery = %s, want %s", got, want)
	}
}

func TestListBelowAnObject(t *testing.T) {
	t.Parallel()
	m := NewSearch(def("lines", Fields{PathID("invoice", "Invoice ID"), Limit()}, Lists(invoice.Client.ListLines)))
	if r := request(t, m, with(`{"invoice":"in_9"}`)); r.path != "/v1/invoices/in_9/lines" {
		t.Errorf("path = %s, want /v1/invoices/in_9/lines", r.path)
	}
}

func TestFaultyDeclarationCannotStart(t *testing.T) {
	t.Parallel()
	_, err := NewCatalogue(nil, Group{Label: "G", Modules: []*Module{
		NewAction(def("create-refund", Fields{
			Text("descripshon", "D"), Integer("email", "E"), Object("shipping", Text("adress.line1", "L")),
			Rows("tax_id_data", "T", Text("kind", "K")), When("nothing", Only("x"), Text("name", "N")), AtMostOne("name", "nom"),
			Text("phone", "P").RequiredWith("fax").Lookup("phones"), Text("phone", "Q"), Send("balance", "5", nil),
		}, Calls(customer.Client.New))),
		NewAction(def("twice", nil, Calls(customer.Client.New))),
		NewAction(def("twice", nil, CallsWithID(customer.Client.Update))),
		NewSearch(def("unlimited", nil, Lists(customer.Client.List))),
		NewAction(def("nothing", nil, Endpoint{})),
		NewAction(Def{}),
	}})
	if err == nil {
		t.Fatal("the catalogue was accepted")
	}
	for _, want := range []string{
		`create-refund: field descripshon: stripe.CustomerParams has no parameter "descripshon"`,
		`create-refund: field email: parameter "email" of stripe.CustomerParams is a *string`,
		`create-refund: field shipping.adress.line1: stripe.CustomerParams has no parameter "shipping.adress.line1"`,
		`create-refund: field tax_id_data[]: field kind: stripe.CustomerTaxIDDataParams has no parameter "kind"`,
		`create-refund: field name: depends on "nothing", which is no field`,
		`create-refund: a rule speaks of "nom", which is no field`,
		`create-refund: field phone: is required with "fax", which is no field`,
		`create-refund: field phone: is declared twice`,
		`create-refund: value sent as balance: parameter "balance" of stripe.CustomerParams is a *int64`,
		`create-refund: field phone: there is no lookup "phones"`,
		`twice: is declared twice`,
		`twice: needs one path id, and has 0`,
		`unlimited: field limit: is missing`,
		`nothing: names no Stripe call`,
		`: key, label, help and docs must be given`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q", want)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"connection":"c","description":"x","metadata":{"a":1},"shipping.name":"n"}`, `{"tax_id_data":[{"type":"eu_vat","value":1e9}]}`, `[]`, `{"a":{"b":[{}]}}`,
		`{"metadata":[{"key":"k","value":null}],"balance":"1e400","preferred_locales":[[]]}`, `{"\ud800":"\u0000"}`,
	} {
		f.Add([]byte(seed))
	}
	create, update, search := createModule(), updateModule(), searchModule()
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, m := range []*Module{create, update, search} {
			b, err := m.Decode(body, 100)
			var faults Faults
			var syntax *SyntaxError
			switch {
			case errors.As(err, &faults):
				if len(faults) == 0 {
					t.Fatal("faults without a fault")
				}
				if _, err := json.Marshal(faults); err != nil {
					t.Fatal(err)
				}
			case errors.As(err, &syntax):
			case err != nil:
				t.Fatalf("an error of no kind: %v", err)
			case m.Type == Search:
				for _, s := range m.Query(b).Sources {
					if err := s.Call(&recorder{}, Page{Limit: 1}); err != nil {
						t.Fatal(err)
					}
				}
			default:
				for _, s := range m.Steps(b) {
					if err := s.Call(&recorder{}); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	})
}

func BenchmarkDecodeAndBind(b *testing.B) {
	m := createModule()
	body := []byte(with(`{"description":"A note","email":"a@example.com","balance":"250","tax_exempt":"none","preferred_locales":["de","en"],
		"metadata":{"order":"1","shop":"b"},"shipping":{"name":"N","address":{"line1":"L","country":"de"}},"coupon":"c1"}`))
	b.ReportAllocs()
	for b.Loop() {
		bundle, err := m.Decode(body, 100)
		if err != nil {
			b.Fatal(err)
		}
		params := new(stripe.CustomerParams)
		bundle.BindTo(params)
		encoded := &stripeform.Values{}
		stripeform.AppendTo(encoded, params)
		_ = encoded.Encode()
	}
}
