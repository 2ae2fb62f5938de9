package console

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"stripe-connector/internal/spec"

	"github.com/a-h/templ"
)

// Names of inputs: "in." and the field's path in the bundle, "in.items[0].price". Beside a field that can be emptied stands
// "empty." and its path.
const (
	inPrefix    = "in."
	emptyPrefix = "empty."
)

// A control is one field of a form as the page shows it.
type control struct {
	spec.Node
	Path     string // in the bundle
	Value    string
	Values   []string // of fields that take several
	Faults   []string
	Choices  []choice
	Branches bool      // the choice decides which other fields there are
	Below    []control // what the choice brings
	Rows     []row
	Emptied  bool // to be emptied at Stripe
	CanEmpty bool
	First    bool // of those with faults
}

type choice struct {
	Value, Label string
	Chosen       bool
	Refused      string
	Live         bool // a connection to real money
}

type row struct {
	Path   string
	Fields []control
}

// Name is the name of the field's input.
func (c control) Name() string { return inPrefix + c.Path }

// EmptyName is the name of the box that empties the field.
func (c control) EmptyName() string { return emptyPrefix + c.Path }

// ID is the id of the field's input.
func (c control) ID() string { return elementID(c.Name()) }

// Numeric reports whether a keyboard of digits will do.
func (c control) Numeric() bool { return c.Type == spec.KindInteger }

// Kind is what the page draws.
func (c control) Kind() string {
	switch c.Type {
	case spec.KindSelect:
		if c.Open {
			return "open"
		}
		return "select"
	case spec.KindBoolean, spec.KindConnection:
		return "select"
	case spec.KindRows, spec.KindFilter:
		return "rows"
	case spec.KindMetadata:
		return "metadata"
	case spec.KindTexts:
		return "list"
	case spec.KindMultiselect:
		return "boxes"
	case spec.KindAny:
		return "json"
	case spec.KindText, spec.KindID, spec.KindInteger, spec.KindDate, spec.KindEmail, spec.KindURL:
	}
	if c.Lookup != nil {
		return "lookup"
	}
	return "text"
}

// Example is what an empty input shows.
func (c control) Example() string {
	switch c.Type {
	case spec.KindDate:
		return "2026-01-31 or 2026-01-31 15:04"
	case spec.KindEmail:
		return "name@example.com"
	case spec.KindURL:
		return "https://…"
	case spec.KindConnection:
		return "conn_…"
	case spec.KindSelect, spec.KindBoolean, spec.KindRows, spec.KindFilter, spec.KindMetadata, spec.KindTexts,
		spec.KindMultiselect, spec.KindAny, spec.KindText, spec.KindID, spec.KindInteger:
	}
	if c.Lookup != nil {
		return "Search, or paste an id"
	}
	if c.Default != nil {
		return fmt.Sprint(c.Default)
	}
	return ""
}

// filled reports whether there is something in the field or below it, beside its default.
func (c control) filled() bool {
	return c.Value != "" && c.Value != fmt.Sprint(c.Default) || strings.Join(c.Values, "") != "" || len(c.Rows) > 0 || c.Emptied || slices.ContainsFunc(c.Below, control.filled)
}

// faulty reports whether something is wrong with the field or what is below it.
func (c control) faulty() bool {
	return len(c.Faults) > 0 || slices.ContainsFunc(c.Below, control.faulty) ||
		slices.ContainsFunc(c.Rows, func(r row) bool { return slices.ContainsFunc(r.Fields, control.faulty) })
}

// A section is a stretch of a form, folded away if it has a heading and nothing in it needs to be seen.
type section struct {
	Heading string
	ID      string
	Open    bool
	Fields  []control
}

// sections are the stretches of a form, or of what is below a choice.
func sections(form []control) []section {
	var all []section
	for _, c := range form {
		if len(all) == 0 || all[len(all)-1].Heading != c.Section {
			all = append(all, section{Heading: c.Section, ID: c.ID() + "-section"})
		}
		last := &all[len(all)-1]
		last.Open = last.Open || c.Required || c.filled() || c.faulty()
		last.Fields = append(last.Fields, c)
	}
	return all
}

// openSuffix ends the name of the field for what an object takes and the form has no fields for: pairs of a name below the
// object and a value.
const openSuffix = ".*"

// formOf is the module's form with such a field for each of its open objects.
func formOf(m *spec.Module) []spec.Node {
	nodes := m.Form()
	for _, object := range m.OpenObjects() {
		nodes, _ = placeDetails(nodes, object)
	}
	return nodes
}

// placeDetails puts the field beside the first one of the object, which decides what details there are, and reports whether
// there was one.
func placeDetails(nodes []spec.Node, object string) ([]spec.Node, bool) {
	for i, n := range nodes {
		if strings.HasPrefix(n.Name, object+".") {
			return slices.Insert(nodes, i+1, spec.Node{Input: spec.Input{
				Name: object + openSuffix, Label: "Further details", Section: n.Section, Type: spec.KindMetadata,
				Help: "What some kinds need besides, by the names below " + object + ", such as sepa_debit.iban.",
			}}), true
		}
		for j, o := range n.Options {
			if fields, done := placeDetails(o.Fields, object); done {
				n.Options[j].Fields = fields
				return nodes, true
			}
		}
	}
	return nodes, false
}

// faultDetails tells the fields of open objects what is wrong there, and notes that they stand for these.
func (f filling) faultDetails(form []control, shown map[string]string) {
	for i := range form {
		if object, open := strings.CutSuffix(form[i].Path, openSuffix); open {
			form[i].Faults = f.faultsWithout(shown, object)
			shown[object] = form[i].ID()
		}
		f.faultDetails(form[i].Below, shown)
	}
}

// faultsWithout are the messages about what is below an object and has no input.
func (f filling) faultsWithout(shown map[string]string, object string) []string {
	var found []string
	for _, fault := range f.faults {
		if name, below := strings.CutPrefix(fault.Field, object+"."); below && shown[fault.Field] == "" {
			found = append(found, name+" "+fault.Message)
		}
	}
	return found
}

// A filling is what a person put into a form.
type filling struct {
	url.Values
	faults spec.Faults
	update bool // of an update module: fields can be emptied
	blanks bool // rows without anything in them stay
}

func (f filling) at(path string) string { return f.Get(inPrefix + path) }

// list are the values of a field that takes several, blank ones dropped.
func (f filling) list(path string) []string {
	var values []string
	for _, v := range f.Values[inPrefix+path] {
		if v = strings.TrimSpace(v); v != "" {
			values = append(values, v)
		}
	}
	return values
}

// rows are the paths of a field's rows that the form holds, in order.
func (f filling) rows(path string) []string {
	start := inPrefix + path + "["
	filled := map[int]bool{}
	for name, values := range f.Values {
		rest, ok := strings.CutPrefix(name, start)
		if !ok {
			continue
		}
		index, _, _ := strings.Cut(rest, "]")
		i, err := strconv.Atoi(index)
		if err != nil || i < 0 || i > 999 {
			continue
		}
		filled[i] = filled[i] || f.blanks || strings.Join(values, "") != ""
	}
	var paths []string
	for i := range 1000 {
		if filled[i] {
			paths = append(paths, fmt.Sprintf("%s[%d]", path, i))
		}
	}
	return paths
}

// chosen is the value of a select, its default if nothing was chosen.
func (f filling) chosen(n spec.Node, path string) string {
	if f.Has(inPrefix + path) {
		return f.at(path)
	}
	if n.Default != nil {
		return fmt.Sprint(n.Default)
	}
	return ""
}

// controls makes the form's fields. Those of rows are read at the path from and shown at the path to: rows are numbered
// anew, so that they agree with the bundle.
func (f filling) controls(nodes []spec.Node, from, to string, connections []connectionView) []control {
	all := make([]control, 0, len(nodes))
	for _, n := range nodes {
		src := from + n.Name
		c := control{Node: n, Path: to + n.Name, Value: f.at(src), Faults: f.faultsAt(to+n.Name, n.Type)}
		c.CanEmpty = f.update && n.Clearable
		c.Emptied = f.Get(emptyPrefix+src) != ""
		switch n.Type {
		case spec.KindConnection:
			for _, conn := range connections {
				c.Choices = append(c.Choices, choice{
					Value: conn.ID, Label: conn.Name + " · " + mode(conn.Livemode) + " · …" + conn.Last4, Chosen: c.Value == conn.ID, Live: conn.Livemode,
				})
			}
		case spec.KindBoolean:
			c.Value = f.chosen(n, src)
			c.Choices = []choice{{Value: "true", Label: "Yes", Chosen: c.Value == "true"}, {Value: "false", Label: "No", Chosen: c.Value == "false"}}
		case spec.KindSelect:
			c.Value = f.chosen(n, src)
			for _, o := range n.Options {
				c.Choices = append(c.Choices, choice{Value: o.Value, Label: o.Label, Chosen: o.Value == c.Value, Refused: o.Refused})
				c.Branches = c.Branches || len(o.Fields) > 0
				if o.Value == c.Value && len(o.Fields) > 0 {
					c.Below = f.controls(o.Fields, from, to, connections)
				}
			}
		case spec.KindMultiselect:
			c.Values = f.list(src)
			for _, o := range n.Options {
				c.Choices = append(c.Choices, choice{Value: o.Value, Label: o.Label, Chosen: slices.Contains(c.Values, o.Value), Refused: o.Refused})
			}
		case spec.KindTexts:
			c.Values = append(f.list(src), "")
		case spec.KindMetadata:
			c.Rows = f.pairs(c.Path, src)
		case spec.KindRows, spec.KindFilter:
			for i, at := range f.rows(src) {
				path := fmt.Sprintf("%s[%d]", c.Path, i)
				c.Rows = append(c.Rows, row{path, f.controls(n.Items, at+".", path+".", connections)})
			}
		case spec.KindText, spec.KindID, spec.KindInteger, spec.KindDate, spec.KindEmail, spec.KindURL, spec.KindAny:
		}
		all = append(all, c)
	}
	return all
}

// pairs are the rows of metadata, each with a key and a value.
func (f filling) pairs(to, from string) []row {
	var rows []row
	for i, at := range f.rows(from) {
		path := fmt.Sprintf("%s[%d]", to, i)
		field := func(name, label string) control {
			return control{
				Node: spec.Node{Input: spec.Input{Name: name, Label: label, Type: spec.KindText}},
				Path: path + "." + name, Value: f.at(at + "." + name),
			}
		}
		rows = append(rows, row{path, []control{field("key", "Key"), field("value", "Value")}})
	}
	return rows
}

// faultsAt are the messages about a field. Of a field that holds more than one value they may be about one of these.
func (f filling) faultsAt(path string, kind spec.Kind) []string {
	var found []string
	for _, fault := range f.faults {
		rest, below := strings.CutPrefix(fault.Field, path)
		switch {
		case !below:
		case rest == "":
			found = append(found, fault.Message)
		case rest[0] != '.' && rest[0] != '[':
		case kind == spec.KindMetadata, kind == spec.KindTexts, kind == spec.KindMultiselect, kind == spec.KindAny:
			found = append(found, strings.TrimPrefix(rest, ".")+" "+fault.Message)
		}
	}
	return found
}

var wholeNumber = regexp.MustCompile(`^-?(?:0|[1-9]\d{0,17})$`)

// bundle is the filled form as the API takes it. Only fields that the form shows are in it.
func (f filling) bundle(nodes []spec.Node, from string) *object {
	b := &object{}
	f.bundleInto(b, nodes, from)
	return b
}

func (f filling) bundleInto(b *object, nodes []spec.Node, from string) {
	for _, n := range nodes {
		src := from + n.Name
		if f.update && n.Clearable && f.Get(emptyPrefix+src) != "" {
			b.set(n.Name, nil)
			continue
		}
		text := f.at(src)
		switch n.Type {
		case spec.KindRows, spec.KindFilter:
			var rows []*object
			for _, at := range f.rows(src) {
				rows = append(rows, f.bundle(n.Items, at+"."))
			}
			if rows != nil {
				b.set(n.Name, rows)
			}
		case spec.KindMetadata:
			pairs := f.rows(src)
			if object, open := strings.CutSuffix(n.Name, openSuffix); open {
				for _, at := range pairs {
					b.set(object+"."+f.at(at+".key"), f.at(at+".value"))
				}
			} else if pairs != nil {
				b.set(n.Name, f.metadata(pairs))
			}
		case spec.KindTexts, spec.KindMultiselect:
			if values := f.list(src); values != nil {
				b.set(n.Name, values)
			}
		case spec.KindAny:
			if json.Valid([]byte(text)) {
				b.set(n.Name, json.RawMessage(text))
			} else if text != "" {
				b.set(n.Name, text)
			}
		case spec.KindInteger:
			if wholeNumber.MatchString(text) {
				b.set(n.Name, json.Number(text))
			} else if text != "" {
				b.set(n.Name, text)
			}
		case spec.KindBoolean:
			if text != "" {
				b.set(n.Name, text == "true")
			}
		case spec.KindText, spec.KindID, spec.KindSelect, spec.KindDate, spec.KindEmail, spec.KindURL, spec.KindConnection:
			if text != "" {
				b.set(n.Name, text)
			}
		}
		for _, o := range n.Options {
			if n.Type == spec.KindSelect && len(o.Fields) > 0 && o.Value == f.chosen(n, src) {
				f.bundleInto(b, o.Fields, from)
			}
		}
	}
}

// metadata is an object if every key is there once, as callers would write it, else a list that says it all.
func (f filling) metadata(rows []string) any {
	var o object
	var pairs []map[string]string
	o.values = map[string]any{}
	for _, at := range rows {
		key, value := f.at(at+".key"), f.at(at+".value")
		pairs = append(pairs, map[string]string{"key": key, "value": value})
		if _, twice := o.values[key]; !twice {
			o.keys = append(o.keys, key)
		}
		o.values[key] = value
	}
	if len(o.keys) < len(pairs) || slices.Contains(o.keys, "") {
		return pairs
	}
	return &o
}

func mode(live bool) string {
	if live {
		return "live"
	}
	return "test"
}

// rebuild has a button or an input fetch the form that results from it.
func rebuild(change, name, path string) templ.Attributes {
	attributes := templ.Attributes{"hx-post": change, "hx-target": "#fields", "hx-include": "#form", "hx-swap": "innerHTML"}
	if name != "" {
		attributes["hx-vals"] = jsonText(map[string]string{name: path})
	}
	return attributes
}

func jsonText(v map[string]string) string {
	text, _ := json.Marshal(v) // texts alone, which never fails
	return string(text)
}

// sought is what a lookup is told beside what stands in the form.
func (c control) sought() map[string]string {
	in := map[string]string{"lookup.field": c.Path}
	if only := c.Lookup.Only; only != nil && len(only.In) == 1 {
		in["lookup."+only.Field] = only.In[0]
	}
	return in
}

// aria tells readers of the page what a field asks for and where it is explained.
func (c control) aria() templ.Attributes {
	attributes := templ.Attributes{"aria-describedby": c.ID() + "-about"}
	if c.Required {
		attributes["aria-required"] = "true"
	}
	if len(c.Faults) > 0 {
		attributes["aria-invalid"] = "true"
	}
	if c.First {
		attributes["autofocus"] = true
	}
	return attributes
}
