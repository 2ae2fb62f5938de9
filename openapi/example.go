package openapi

import (
	"cmp"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"

	"stripe-connector/internal/spec"
)

// exampleLimit is a ceiling for limits that no example reaches.
const exampleLimit = 1000

// Examples are bundles that the module takes: the shortest one, and one with as many of the form's fields as go together.
// If the short one has all of them it is the only one.
func Examples(m *spec.Module) []any {
	e := example{module: m, values: map[string]any{}}
	for _, f := range m.Inputs() {
		e.fields = append(e.fields, f)
		if f.Required && len(f.VisibleWhen) == 0 {
			e.values[f.Name] = sampleValue(f)
		}
	}
	e.mend()
	if strings.HasPrefix(m.Key, "update-") {
		e.add(func(faults int) bool { return faults == 0 }) // else it would change nothing
	}
	short := e.bundle()
	if !e.grow() {
		return []any{short}
	}
	return []any{short, e.bundle()}
}

// sampleConnection stands for the reader's own.
const sampleConnection = "conn_01jq8zr5kdq3v7m2n4x6y8b0ac"

type example struct {
	module *spec.Module
	fields []spec.Input
	values map[string]any
}

// mend adds fields that leave fewer faults, until there are none: a rule may ask for one of several.
func (e *example) mend() {
	for left := len(e.faults()); left > 0; left = len(e.faults()) {
		if !e.add(func(faults int) bool { return faults < left }) {
			return
		}
	}
}

// add gives a value to the first empty field after which the number of faults is to the caller's liking.
func (e *example) add(good func(faults int) bool) bool {
	return slices.ContainsFunc(e.fields, func(f spec.Input) bool { return e.try(f, good) })
}

// grow adds every field that goes with those before it, and goes over the form again as long as that lets others in.
func (e *example) grow() (grown bool) {
	for again := true; again; {
		again = false
		for _, f := range e.fields {
			if e.try(f, func(faults int) bool { return faults == 0 }) {
				again, grown = true, true
			}
		}
	}
	return grown
}

// try gives a value to an empty field, and to those that it then asks for. It takes them back if that is not good.
func (e *example) try(f spec.Input, good func(faults int) bool) bool {
	if _, has := e.values[f.Name]; has {
		return false
	}
	before := maps.Clone(e.values)
	e.values[f.Name] = sampleValue(f)
	faults := e.faults()
	if good(len(faults)) {
		return true
	}
	for _, missing := range e.missing(faults) {
		e.values[missing.Name] = sampleValue(missing)
	}
	if good(len(e.faults())) {
		return true
	}
	e.values = before
	return false
}

// missing are the empty fields that the faults ask for.
func (e *example) missing(faults spec.Faults) (fields []spec.Input) {
	for _, fault := range faults {
		for _, f := range e.fields {
			if _, has := e.values[f.Name]; !has && f.Name == fault.Field && fault.Code == spec.CodeRequired {
				fields = append(fields, f)
			}
		}
	}
	return fields
}

// faults are what the module finds wrong with the bundle.
func (e *example) faults() (faults spec.Faults) {
	body, err := encode(e.bundle())
	if err == nil {
		_, err = e.module.Decode(body, exampleLimit)
	}
	if err != nil && !errors.As(err, &faults) {
		return spec.Faults{{Message: err.Error()}}
	}
	return faults
}

// bundle nests the values in the order of the form.
func (e *example) bundle() object {
	var o object
	for _, f := range e.fields {
		if v, ok := e.values[f.Name]; ok {
			o.put(strings.Split(f.Name, "."), v)
		}
	}
	return o
}

// idPrefix finds the prefix of an id in a help text: cus_….
var idPrefix = regexp.MustCompile(`\b([a-z]{2,8})_…`)

// sampleTexts are plausible texts, by the last step of a field's name.
var sampleTexts = map[string]string{
	"city": "Berlin", "country": "DE", "currency": "eur", "code": "SPRING24", "description": "Order 1042", "footer": "Thank you for your order.",
	"invoice_prefix": "ACME", "ip_address": "203.0.113.7", "line1": "Hauptstraße 1", "line2": "3rd floor", "name": "Jenny Rosen",
	"phone": "+49 30 901820", "postal_code": "10115", "state": "BE", "statement_descriptor": "ACME ORDER 1042",
	"statement_descriptor_suffix": "ORDER 1042", "transfer_group": "ORDER_1042", "carrier": "DHL", "tracking_number": "00340434161094042557",
	"webhook_name": "Orders", "idempotency_key": "order-1042", "user_agent": "Mozilla/5.0", "coupon": "SPRING24", "source": "src_1PgafmB7WZ01zgkW",
	"preferred_locales": "de-DE", "url": "/v1/charges",
}

// sampleLabels are the same by what the form calls a field, where its name says less.
var sampleLabels = map[string]string{
	"Tax ID": "DE123456789", "Field Name": "Purchase order", "Value": "4711", "Key": "limit",
}

// samplePrefixes are those of the ids that a lookup finds.
var samplePrefixes = map[string]string{
	"customers": "cus", "payment_methods": "pm", "products": "prod", "prices": "price", "subscriptions": "sub", "tax_rates": "txr", "accounts": "acct",
}

// sampleChoices are taken where they are offered; else the first choice is.
var sampleChoices = []string{"card", "visa", "eu_vat", "customer.created", "2024-06-20"}

// sampleValue is a plausible value of a field.
func sampleValue(f spec.Input) any {
	step := f.Name[strings.LastIndexByte(f.Name, '.')+1:]
	switch f.Type {
	case spec.KindConnection:
		return sampleConnection
	case spec.KindInteger:
		return sampleNumber(f, step)
	case spec.KindBoolean:
		return true
	case spec.KindSelect:
		return sampleChoice(f)
	case spec.KindMultiselect:
		return []string{sampleChoice(f)}
	case spec.KindDate:
		return "2030-06-20T15:04:05Z"
	case spec.KindEmail:
		return "jenny.rosen@example.com"
	case spec.KindURL:
		return "https://example.com/back"
	case spec.KindTexts:
		return []string{sampleText(f, step)}
	case spec.KindMetadata:
		return object{{"order", "1042"}}
	case spec.KindFilter:
		return []object{sampleCondition(f)}
	case spec.KindRows:
		return []object{sampleRow(f.Items)}
	case spec.KindAny:
		return object{{"description", "Order 1042"}}
	default:
		return sampleText(f, step)
	}
}

// sampleRow has what a row must have, or else its first field.
func sampleRow(items []spec.Input) object {
	var row object
	for _, item := range items {
		if item.Required {
			row.put(strings.Split(item.Name, "."), sampleValue(item))
		}
	}
	if len(row) == 0 {
		row.put(strings.Split(items[0].Name, "."), sampleValue(items[0]))
	}
	return row
}

func sampleNumber(f spec.Input, step string) int64 {
	n := int64(1099)
	switch step {
	case "limit":
		n = 25
	case "days_until_due":
		n = 30
	case "application_fee_amount":
		n = 100
	case "quantity", "next_invoice_sequence":
		n = 1
	}
	if f.Min != nil {
		n = max(n, *f.Min)
	}
	if f.Max != nil {
		n = min(n, *f.Max)
	}
	return n
}

func sampleChoice(f spec.Input) string {
	for _, o := range f.Options {
		if slices.Contains(sampleChoices, o.Value) {
			return o.Value
		}
	}
	return f.Options[0].Value
}

const sampleID = "_1PgafmB7WZ01zgkW"

func sampleText(f spec.Input, step string) string {
	if prefix := idPrefix.FindStringSubmatch(f.Help); prefix != nil {
		return prefix[1] + sampleID
	}
	if f.Lookup != nil && samplePrefixes[f.Lookup.Name] != "" {
		return samplePrefixes[f.Lookup.Name] + sampleID
	}
	if text := cmp.Or(sampleLabels[f.Label], sampleTexts[step]); text != "" {
		return text
	}
	if f.Type == spec.KindID {
		return step + sampleID
	}
	return f.Label
}

// sampleCondition compares the first thing that a filter knows.
func sampleCondition(f spec.Input) object {
	first := f.Items[0].Options[0].Value
	return object{{"field", first}, {"operator", "on_or_after"}, {"value", "2024-06-20"}}
}
