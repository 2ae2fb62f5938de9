package spec

import (
	"slices"
	"strings"
)

// A Part is anything that can stand in a form: a field, a group of fields, a rule between fields.
type Part interface{ addTo(*draft) }

// Fields are the parts of a form in documented order.
type Fields []Part

func (fs Fields) addTo(d *draft) {
	for _, p := range fs {
		p.addTo(d)
	}
}

// partFunc is a Part made of what it adds.
type partFunc func(*draft)

func (add partFunc) addTo(d *draft) { add(d) }

// Object puts the parts into an object of the bundle: the names inside are relative to it.
func Object(name string, parts ...Part) Part {
	return partFunc(func(d *draft) {
		outer := d.prefix
		d.prefix += name + "."
		Fields(parts).addTo(d)
		d.prefix = outer
	})
}

// Section puts the parts under a sub-heading of the form. It does not change their names.
func Section(label string, parts ...Part) Part {
	return partFunc(func(d *draft) {
		outer := d.section
		d.section = label
		Fields(parts).addTo(d)
		d.section = outer
	})
}

// When shows the parts only while the select has one of the values. Nested, all conditions must hold.
func When(control string, in []string, parts ...Part) Part {
	return WhenAny(AnyOf{Is(control, in...)}, parts...)
}

// WhenAny shows the parts only while one of the conditions holds.
func WhenAny(either AnyOf, parts ...Part) Part {
	return partFunc(func(d *draft) {
		outer := d.when
		d.when = append(slices.Clone(outer), d.conds(either))
		Fields(parts).addTo(d)
		d.when = outer
	})
}

// Is is the condition that the field has one of the values.
func Is(field string, in ...string) Cond { return Cond{Field: field, In: in} }

// Only is the list of one value, for When.
func Only(value string) []string { return []string{value} }

// Hidden accepts the parts without showing them: keys that other systems' bundles carry.
func Hidden(parts ...Part) Part { return flagged(func(d *draft) *bool { return &d.hidden }, parts) }

// Implied marks the parts as asked for by a documented row without being rows themselves.
func Implied(parts ...Part) Part { return flagged(func(d *draft) *bool { return &d.implied }, parts) }

// Refuse keeps the parts in the form and makes any value of theirs an error that says why. Without a value they ask for
// nothing.
func Refuse(reason string, parts ...Part) Part {
	return partFunc(func(d *draft) {
		outer := d.refused
		d.refused = reason
		Fields(parts).addTo(d)
		d.refused = outer
	})
}

func flagged(flag func(*draft) *bool, parts []Part) Part {
	return partFunc(func(d *draft) {
		outer := *flag(d)
		*flag(d) = true
		Fields(parts).addTo(d)
		*flag(d) = outer
	})
}

// Send sends a value that no field holds, on every call or while the condition holds.
func Send(path string, value any, when func(*Bundle) bool) Part {
	return partFunc(func(d *draft) { d.sent = append(d.sent, sent{path: d.prefix + path, value: value, when: when}) })
}

type sent struct {
	path  string
	value any
	when  func(*Bundle) bool
	bind  binding
}

// A draft collects the parts of one form.
type draft struct {
	fields []*field
	rules  []rule
	ranges []*dateRange
	sent   []sent
	opens  []open
	named  []string // fields that rules speak of

	prefix          string
	section         string
	when            []AnyOf
	hidden, implied bool
	refused         string
}

// A field of a form, with its place in it.
type field struct {
	Field
	index  int
	object string   // prefix of its siblings' names
	items  *form    // of Rows
	dest   []target // with full paths; empty: not sent
	binds  []binding
}

func (d *draft) field(f Field) {
	in := &f.Input
	place := &field{object: d.prefix}
	if d.refused != "" {
		f = f.Refused(d.refused)
		f.Input.Required, f.within, f.with = false, false, nil
	}
	if !f.local && !f.path {
		for _, t := range f.to {
			place.dest = append(place.dest, target{path: t.path, prefix: t.prefix, when: d.conds(t.when)})
		}
		if conditional := slices.ContainsFunc(f.to, func(t target) bool { return len(t.when) > 0 || t.prefix == "" }); !conditional {
			place.dest = append(place.dest, target{path: d.prefix + in.Name})
		}
	}
	in.Name = d.prefix + in.Name
	in.Section = d.section
	in.Hidden = in.Hidden || d.hidden
	in.Implied = in.Implied || d.implied
	in.VisibleWhen = d.when
	place.index = len(d.fields)
	if f.parts != nil {
		var rows draft
		f.parts.addTo(&rows)
		place.items, in.Items = rows.form(), rows.inputs()
	}
	in.conditions = slices.Clone(in.conditions)
	place.Field = f
	d.fields = append(d.fields, place)
}

// conds makes the names of a condition absolute.
func (d *draft) conds(either AnyOf) AnyOf {
	at := make(AnyOf, len(either))
	for i, c := range either {
		at[i] = Cond{Field: d.prefix + c.Field, In: c.In}
	}
	return at
}

func (d *draft) inputs() []Input {
	inputs := make([]Input, 0, len(d.fields))
	for _, f := range d.fields {
		if !f.Hidden {
			inputs = append(inputs, f.Input)
		}
	}
	return inputs
}

// A form is a compiled list of fields, ready to decode bundles.
type form struct {
	fields []*field
	byName map[string]*field
	root   *key
	rules  []rule
	ranges []*dateRange
	sent   []sent
	opens  []open
	update bool
	url    *binding // where stripe-go takes the id of a list below an object
	keys   []string // of the visible fields, for the hint at an unknown key
}

// A key is one step of the names of a form: "shipping", "address" below it, "line1" below that.
type key struct {
	field *field
	below map[string]*key
	open  *open
}

func (d *draft) form() *form {
	f := &form{
		fields: d.fields, rules: d.rules, ranges: d.ranges, sent: d.sent, opens: d.opens,
		byName: make(map[string]*field, len(d.fields)), root: &key{},
	}
	for _, at := range d.fields {
		f.byName[at.Name] = at
		f.root.put(at.Name, at)
		for _, alias := range at.aliases {
			f.root.put(at.object+alias, at)
		}
		if !at.Hidden {
			f.keys = append(f.keys, at.Name)
		}
	}
	for i := range d.opens {
		f.root.walk(d.opens[i].name).open = &d.opens[i]
	}
	return f
}

func (k *key) put(name string, f *field) { k.walk(name).field = f }

func (k *key) walk(name string) *key {
	for step := range strings.SplitSeq(name, ".") {
		if k.below == nil {
			k.below = map[string]*key{}
		}
		next := k.below[step]
		if next == nil {
			next = &key{}
			k.below[step] = next
		}
		k = next
	}
	return k
}

// find follows a dotted name. What is not found may lie below an open object; path is then the rest of its name.
func (k *key) find(name string) (found *key, o *open, path []string) {
	for step := range strings.SplitSeq(name, ".") {
		if k != nil && k.open != nil {
			o, path = k.open, nil
		}
		if o != nil {
			path = append(path, step)
		}
		if k != nil {
			k = k.below[step]
		}
		if k != nil {
			o, path = nil, nil
		}
	}
	return k, o, path
}

// nearest answers the known key that is most like the given one, or nothing if none is much like it.
func (f *form) nearest(name string) string {
	best, least := "", 1+len(name)/3
	for _, k := range f.keys {
		if d := distance(name, k, least); d < least {
			best, least = k, d
		}
		// A forgotten prefix is the likeliest slip: line1 for shipping.address.line1.
		if best == "" && strings.HasSuffix(k, "."+name) {
			best = k
		}
	}
	return best
}

// distance counts the edits between a and b, giving up at most.
func distance(a, b string, most int) int {
	if n := len(a) - len(b); n >= most || -n >= most {
		return most
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
