package spec

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ignoredPrefix marks the keys that Make keeps for itself.
const ignoredPrefix = "__IMT"

// A Bundle is one decoded input of a module: every field read, judged and ready to bind.
type Bundle struct {
	form   *form
	zone   *time.Location
	vals   []value
	nodes  []*node   // as written, by field; nil: the field's key was not there
	wrong  [][]Fault // by field
	beyond []Fault   // keys that no field has
	extras []extra   // values of open objects
	row    int       // where in its list the row stands that this is
}

// An extra is a value below an open object, with the rest of its path.
type extra struct {
	open *open
	path []string
	text string
}

func newBundle(f *form, zone *time.Location) *Bundle {
	n := len(f.fields)
	return &Bundle{
		form: f, zone: zone,
		vals: make([]value, n), nodes: make([]*node, n),
	}
}

// take hands the members of a JSON object to their fields.
func (b *Bundle) take(object node) { b.takeBelow(b.form.root, "", object) }

func (b *Bundle) takeBelow(at *key, prefix string, object node) {
	for i, name := range object.keys {
		if strings.HasPrefix(name, ignoredPrefix) {
			continue
		}
		below, opened, rest := at.find(name)
		full := prefix + name
		n := &object.list[i]
		switch {
		case below == nil && opened != nil:
			b.open(opened, rest, full, *n)
		case below == nil:
			b.unknown(full)
		case below.field != nil:
			b.put(below.field, n)
		case n.kind == isObject:
			b.takeBelow(below, full+".", *n)
		case n.kind == isNull || n.kind == isString && n.text == "" || n.kind == isArray && len(n.list) == 0:
			// An unfilled object.
		default:
			b.beyond = append(b.beyond, Fault{Field: shorten(full), Code: CodeInvalid, Message: "must be an object"})
		}
	}
}

func (b *Bundle) put(f *field, n *node) {
	before := b.nodes[f.index]
	blank := func(n *node) bool { return f.emptiness(*n, b.form.update) == absent }
	switch {
	case before == nil || blank(before):
		b.nodes[f.index] = n
	case !blank(n): // a box that nobody filled does not count, under whichever of its keys it comes
		b.fault(f, CodeDuplicate, "is given twice")
	}
}

func (b *Bundle) unknown(name string) {
	message := "is not a field of this module"
	if near := b.form.nearest(name); near != "" {
		message += "; did you mean " + near + "?"
	}
	b.beyond = append(b.beyond, Fault{Field: shorten(name), Code: CodeUnknown, Message: message})
}

// blank says that no field was given anything.
func (b *Bundle) blank() bool {
	for i, f := range b.form.fields {
		if b.nodes[i] != nil && f.emptiness(*b.nodes[i], false) != absent {
			return false
		}
	}
	return len(b.beyond) == 0 && len(b.extras) == 0
}

// judge reads every field and finds every fault.
func (b *Bundle) judge() {
	for i, f := range b.form.fields {
		if b.nodes[i] == nil {
			continue
		}
		v, wrong := f.read(*b.nodes[i], b)
		b.vals[i] = v
		if f.refused != "" && v.state != absent {
			b.vals[i] = value{state: faulty}
			wrong = []trouble{{code: CodeNotAllowed, message: f.refused}}
		}
		for _, t := range wrong {
			b.faultAt(f, t.below, t.code, t.message)
		}
	}
	for i, f := range b.form.fields {
		if f.infer != nil && b.vals[i].state == absent && b.visible(f) {
			if choice := f.infer(b, f); choice != "" {
				b.vals[i] = value{state: given, text: choice}
			}
		}
	}
	for _, f := range b.form.fields {
		b.judgeField(f)
	}
	b.judgeOpen()
	for _, r := range b.form.rules {
		r(b)
	}
}

func (b *Bundle) judgeField(f *field) {
	v := &b.vals[f.index]
	visible := b.visible(f)
	switch {
	case v.state == faulty:
	case !visible && v.state != absent && f.refused == "":
		b.fault(f, CodeNotAllowed, b.hiddenBecause(f))
	case !visible:
	case v.state == absent && f.Input.Default != nil:
		*v = defaultValue(f.Input.Default)
	case v.state == given:
		if f.Type == KindFilter {
			b.judgeFilter(f)
		}
	case b.states(f.VisibleWhen) && b.required(f): // absent, or to be emptied
		b.fault(f, CodeRequired, "is required"+b.because(f))
	}
}

func defaultValue(v any) value {
	switch v := v.(type) {
	case bool:
		return value{state: given, truth: v}
	case int:
		return value{state: given, number: int64(v)}
	default:
		s, _ := v.(string)
		return value{state: given, text: s}
	}
}

func (b *Bundle) required(f *field) bool {
	if f.Input.Required || f.within && b.anyWithin(f.object) {
		return true
	}
	return slices.ContainsFunc(f.with, func(name string) bool { return b.filled(b.form.byName[f.object+name]) })
}

// because says which other field asks for this one.
func (b *Bundle) because(f *field) string {
	if f.Input.Required {
		return ""
	}
	if f.within && b.anyWithin(f.object) {
		return " once " + strings.TrimSuffix(f.object, ".") + " is given"
	}
	for _, name := range f.with {
		if other := b.form.byName[f.object+name]; b.filled(other) {
			return " together with " + other.named()
		}
	}
	return ""
}

// anyWithin says that the object would be sent.
func (b *Bundle) anyWithin(object string) bool {
	return slices.ContainsFunc(b.form.fields, func(f *field) bool {
		return strings.HasPrefix(f.Name, object) && b.vals[f.index].state != absent
	})
}

// filled says that the field was given something, readable or not.
func (b *Bundle) filled(f *field) bool {
	s := b.vals[f.index].state
	return s == given || s == faulty
}

// visible says that the form would show the field.
func (b *Bundle) visible(f *field) bool {
	for _, either := range f.VisibleWhen {
		if !slices.ContainsFunc(either, b.holds) {
			return false
		}
	}
	return true
}

func (b *Bundle) holds(c Cond) bool {
	f := b.form.byName[c.Field]
	v := b.vals[f.index]
	if v.state == absent && b.form.update && !f.local && !f.Input.Required {
		return true // what Stripe has stored is not known here, so it is Stripe's to judge
	}
	return v.state == given && slices.Contains(c.In, v.text) || v.state == faulty
}

// hiddenBecause says why a filled field is out of place.
func (b *Bundle) hiddenBecause(f *field) string {
	for _, either := range f.VisibleWhen {
		if slices.ContainsFunc(either, b.holds) {
			continue
		}
		ways := make([]string, len(either))
		for i, c := range either {
			control := b.form.byName[c.Field]
			ways[i] = control.named() + " = " + strings.Join(c.In, " or ")
			if v := b.vals[control.index]; v.state == given {
				ways[i] += ", and that is " + v.text
			}
		}
		return "goes only with " + strings.Join(ways, "; or with ")
	}
	return "does not belong here"
}

// inferFromVisible picks the first option that shows a field which is filled. A field of another option that is filled
// as well is then out of place, and is reported as such.
func inferFromVisible(b *Bundle, control *field) string {
	for _, f := range b.form.fields {
		if !b.filled(f) {
			continue
		}
		for _, either := range f.VisibleWhen {
			for _, c := range either {
				if c.Field == control.Name {
					return c.In[0]
				}
			}
		}
	}
	return ""
}

func (b *Bundle) fault(f *field, code, message string) { b.faultAt(f, "", code, message) }

func (b *Bundle) faultAt(f *field, below, code, message string) {
	if b.wrong == nil {
		b.wrong = make([][]Fault, len(b.form.fields))
	}
	b.wrong[f.index] = append(b.wrong[f.index], Fault{Field: f.Name + below, Label: f.Label, Code: code, Message: message})
}

// Fault reports that something is wrong with the named field.
func (b *Bundle) Fault(name, code, message string) { b.fault(b.form.byName[name], code, message) }

// Refute reports faults that were found outside of the form, of fields that were readable so far.
func (b *Bundle) Refute(faults Faults) {
	for _, fault := range faults {
		name, below := fault.Field, ""
		if i := strings.IndexByte(name, '['); i >= 0 {
			name, below = name[:i], name[i:]
		}
		if f := b.form.byName[name]; len(b.wrong) == 0 || len(b.wrong[f.index]) == 0 {
			b.faultAt(f, below, fault.Code, fault.Message)
		}
	}
}

// faults are all faults, in form order, unknown keys last.
func (b *Bundle) faults() Faults {
	return slices.Concat(slices.Concat(b.wrong...), b.beyond)
}

// named is the field as a message speaks of it. Labels alone are not unique within a form.
func (f *field) named() string { return f.Label + " (" + f.Name + ")" }

func (b *Bundle) get(name string) *value {
	f := b.form.byName[name]
	if f == nil {
		panic("spec: no field " + strconv.Quote(name)) // a slip in a module's code, found by its first test
	}
	return &b.vals[f.index]
}

// written is the text of a field before it was read.
func (b *Bundle) written(name string) string {
	n := b.nodes[b.form.byName[name].index]
	if n == nil {
		return ""
	}
	return n.text
}

// Has says that the field holds a value.
func (b *Bundle) Has(name string) bool { return b.get(name).state == given }

// Text is the value of a text, id or select; empty if there is none.
func (b *Bundle) Text(name string) string { return b.get(name).text }

// Int is the value of an integer, or of a date in Unix seconds.
func (b *Bundle) Int(name string) int64 { return b.get(name).number }

// Bool is the value of a boolean.
func (b *Bundle) Bool(name string) bool { return b.get(name).truth }

// List is the value of a multiselect or a list of texts.
func (b *Bundle) List(name string) []string { return b.get(name).rest().list }

// Pairs is the value of a metadata field.
func (b *Bundle) Pairs(name string) []Pair { return b.get(name).rest().pairs }

// Cleared says that the field is to be emptied at Stripe.
func (b *Bundle) Cleared(name string) bool { return b.get(name).state == cleared }

// Rows is the value of a list of objects. Those that nobody filled are not among them.
func (b *Bundle) Rows(name string) []*Bundle { return b.get(name).rest().rows }

// Row is the place of a row in its list as it was written.
func (b *Bundle) Row() int { return b.row }

// JSON is the value of an Any field, as it was written; nil if there is none.
func (b *Bundle) JSON(name string) json.RawMessage {
	v := b.get(name)
	if v.state != given {
		return nil
	}
	return json.RawMessage(v.text)
}

// The inputs that every module takes beside its own.
const (
	fieldConnection = "connection"
	fieldExpand     = "expand"
	fieldTimezone   = "timezone"
	fieldLimit      = "limit"
	fieldCursor     = "cursor"
	fieldIdempotent = "idempotency_key"
)

// Connection is the id of the connection that the call is made with.
func (b *Bundle) Connection() string { return b.Text(fieldConnection) }

// Expand are the paths to expand in Stripe's answer (https://docs.stripe.com/api/expanding_objects).
func (b *Bundle) Expand() []*string {
	var list []*string
	for _, path := range b.List(fieldExpand) {
		list = append(list, &path)
	}
	return list
}

// Limit is how many bundles a search wants in all.
func (b *Bundle) Limit() int { return int(b.Int(fieldLimit)) }

// Cursor is where a search goes on; empty: from the start.
func (b *Bundle) Cursor() string { return b.Text(fieldCursor) }

// IdempotencyKey is the key that the bundle itself carries, in modules whose form has a field for it.
func (b *Bundle) IdempotencyKey() string {
	if b.form.byName[fieldIdempotent] == nil {
		return ""
	}
	return b.Text(fieldIdempotent)
}
