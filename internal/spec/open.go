package spec

import (
	"slices"
	"strconv"
	"strings"
)

// An open object takes details that the form has no field for, below the name that a select decides:
// payment_method_data.sepa_debit.iban while payment_method_data.type is sepa_debit.
type open struct {
	name, by string
	needs    map[string][]string
}

// OpenObject accepts details of the option that the select by has chosen, and passes them on to Stripe. needs says
// which details an option cannot do without.
func OpenObject(by string, needs map[string][]string) Part {
	return partFunc(func(d *draft) {
		d.opens = append(d.opens, open{name: strings.TrimSuffix(d.prefix, "."), by: d.prefix + by, needs: needs})
	})
}

// detailMax is the longest detail, in characters; they are account numbers, codes and names.
const detailMax = 5000

// open keeps the texts below an open object.
func (b *Bundle) open(o *open, path []string, full string, n node) {
	at := func(code, message string) {
		b.beyond = append(b.beyond, Fault{Field: shorten(full), Code: code, Message: message})
	}
	for _, step := range path {
		if !openOption(step) {
			at(CodeUnknown, "is not a field of this module")
			return
		}
	}
	switch n.kind {
	case isObject:
		for i, name := range n.keys {
			b.open(o, append(slices.Clone(path), strings.Split(name, ".")...), full+"."+name, n.list[i])
		}
	case isArray:
		if len(n.list) > 0 {
			at(CodeInvalid, "must be a text")
		}
	case isNull:
	default:
		if n.text == "" {
			return
		}
		if len(path) < 2 {
			b.unknown(full)
			return
		}
		if len(n.text) > detailMax {
			at(CodeTooLong, "must be at most "+strconv.Itoa(detailMax)+" characters")
			return
		}
		b.extras = append(b.extras, extra{open: o, path: path, text: n.text})
	}
}

// judgeOpen holds the details against the option that was chosen.
func (b *Bundle) judgeOpen() {
	for i := range b.form.opens {
		o := &b.form.opens[i]
		by := b.form.byName[o.by]
		chosen := b.vals[by.index]
		for _, e := range b.extras {
			if e.open == o && chosen.state != faulty && (chosen.state != given || e.path[0] != chosen.text) {
				b.beyond = append(b.beyond, Fault{
					Field: shorten(o.name + "." + strings.Join(e.path, ".")), Code: CodeNotAllowed,
					Message: "goes only with " + by.named() + " = " + shorten(e.path[0]),
				})
			}
		}
		if chosen.state != given {
			continue
		}
		for _, need := range o.needs[chosen.text] {
			has := func(e extra) bool { return e.open == o && slices.Equal(e.path, []string{chosen.text, need}) }
			if !slices.ContainsFunc(b.extras, has) {
				b.beyond = append(b.beyond, Fault{
					Field: o.name + "." + chosen.text + "." + need, Label: by.Label, Code: CodeRequired,
					Message: "is required for the type " + chosen.text,
				})
			}
		}
	}
}
