package spec

import (
	"slices"
	"strings"
)

// A rule judges fields together once each is read. It is a Part: inside an Object its names are relative.
type rule func(*Bundle)

// AtMostOne says that the fields exclude each other.
func AtMostOne(names ...string) Part {
	return fieldRule(names, func(b *Bundle, fields []*field) {
		var first *field
		for _, f := range fields {
			switch {
			case !b.filled(f):
			case first == nil:
				first = f
			default:
				b.fault(f, CodeNotAllowed, "cannot be given together with "+first.named())
			}
		}
	})
}

// ExactlyOne says that one of the fields, and no other, must be given.
func ExactlyOne(names ...string) Part {
	return Fields{AtMostOne(names...), AtLeastOne(names...)}
}

// AtLeastOne says that one of the fields must be given.
func AtLeastOne(names ...string) Part {
	return fieldRule(names, func(b *Bundle, fields []*field) {
		labels := make([]string, len(fields))
		for i, f := range fields {
			if b.filled(f) {
				return
			}
			labels[i] = f.Label
		}
		message := "is required"
		if len(labels) > 1 {
			message = "needs " + strings.Join(labels, " or ")
		}
		b.fault(fields[0], CodeRequired, message)
	})
}

// NeedsAny says that an object of which any field is given must have one of the named ones.
func NeedsAny(names ...string) Part {
	return fieldRule(names, func(b *Bundle, fields []*field) {
		object := fields[0].object
		if slices.ContainsFunc(fields, b.filled) {
			return
		}
		// The fields of an address stand one object deeper than the name that goes with them.
		outer := strings.TrimSuffix(object, ".")
		outer = outer[:strings.LastIndexByte(outer, '.')+1]
		if b.anyWithin(outer) {
			b.fault(fields[0], CodeRequired, "is required, or another field of the address, once "+strings.TrimSuffix(outer, ".")+" is given")
		}
	})
}

// Check judges the whole bundle in code, for what no other rule says.
func Check(check func(*Bundle)) Part {
	return partFunc(func(d *draft) { d.rule(check) })
}

// rule adds a rule. Inside a When it is judged only if the bundle itself says that the condition holds; what Stripe has
// stored is Stripe's to judge.
func (d *draft) rule(judge rule) {
	when := d.when
	d.rules = append(d.rules, func(b *Bundle) {
		if b.states(when) {
			judge(b)
		}
	})
}

func (b *Bundle) states(when []AnyOf) bool {
	for _, either := range when {
		if !slices.ContainsFunc(either, func(c Cond) bool { return b.Has(c.Field) && slices.Contains(c.In, b.Text(c.Field)) }) {
			return false
		}
	}
	return true
}

// fieldRule resolves the names when the bundle is judged; a name that no field has is a fault of the declaration.
func fieldRule(names []string, judge func(*Bundle, []*field)) Part {
	return partFunc(func(d *draft) {
		prefix := d.prefix
		d.rule(func(b *Bundle) {
			fields := make([]*field, len(names))
			for i, name := range names {
				fields[i] = b.form.byName[prefix+name]
			}
			judge(b, fields)
		})
		for _, name := range names {
			d.named = append(d.named, prefix+name)
		}
	})
}
