package makeapp

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"stripe-connector/internal/spec"
)

// A parameter is one field of a form, or of an output
// (https://developers.make.com/custom-apps-documentation/block-elements/parameters).
type parameter struct {
	Name     string  `json:"name,omitempty"`
	Type     string  `json:"type"`
	Label    string  `json:"label,omitempty"`
	Help     string  `json:"help,omitempty"`
	Required bool    `json:"required,omitempty"`
	Editable bool    `json:"editable,omitempty"` // of a connection, once it stands
	Default  any     `json:"default,omitempty"`
	Multiple bool    `json:"multiple,omitempty"`
	Mode     string  `json:"mode,omitempty"` // modeEdit
	Options  any     `json:"options,omitempty"`
	RPC      *button `json:"rpc,omitempty"`
	Spec     any     `json:"spec,omitempty"`     // a parameter, or several
	Validate any     `json:"validate,omitempty"` // bounds, or unchecked
}

// modeEdit shows a select as a text box first: an id is mapped more often than it is picked.
const modeEdit = "edit"

// An option of a select. The nested parameters are shown while it is chosen; their values stand beside the select's.
type option struct {
	Label  string      `json:"label"`
	Value  string      `json:"value"`
	Nested []parameter `json:"nested,omitempty"`
}

// options are those of a select that shows the same parameters whichever is chosen.
type options struct {
	Store  []option    `json:"store"`
	Nested []parameter `json:"nested"`
}

// A button beside a text field looks up its value.
type button struct {
	Label      string      `json:"label"`
	URL        string      `json:"url"`
	Parameters []parameter `json:"parameters,omitempty"`
}

// bounds are limits; those of a text are lengths. Patterns are left to the service, whose faults say what is wrong.
type bounds struct {
	Min      *int64 `json:"min,omitempty"`
	Max      *int64 `json:"max,omitempty"`
	MaxItems int    `json:"maxItems,omitempty"`
}

// unchecked lets other values than the options of a select pass.
const unchecked = false

// forms makes forms, and collects what is wrong with them.
type forms struct {
	lookups map[string]*spec.Lookup
	faults  []error
}

// of is the form of the module, without the connection: that is chosen elsewhere.
func (fs *forms) of(module string, inputs []spec.Input) []parameter {
	inputs = slices.DeleteFunc(slices.Clone(inputs), func(in spec.Input) bool { return in.Type == spec.KindConnection })
	return newForm(fs, module, inputs).parameters("", "", "")
}

// A form is one list of inputs on its way to become a tree: dotted names become collections, and fields that depend on
// a select are nested under its options.
type form struct {
	*forms
	module string
	inputs []spec.Input
	byName map[string]*spec.Input
	places map[string][]spec.Cond // of an input: the options under which it is nested; none: it is always shown
	told   map[string]spec.AnyOf  // a condition that nesting cannot express, for the help
}

func newForm(fs *forms, module string, inputs []spec.Input) *form {
	f := &form{
		forms: fs, module: module, inputs: inputs,
		byName: map[string]*spec.Input{}, places: map[string][]spec.Cond{}, told: map[string]spec.AnyOf{},
	}
	for i := range inputs {
		f.byName[inputs[i].Name] = &inputs[i]
	}
	for _, in := range inputs {
		f.place(in)
	}
	for f.unmix() {
	}
	return f
}

// place finds the options that an input is nested under.
func (f *form) place(in spec.Input) {
	for i, either := range in.VisibleWhen {
		others := slices.Delete(slices.Clone(in.VisibleWhen), i, i+1)
		if f.fits(in, either) && f.implies(either, others) {
			f.places[in.Name] = either
			return
		}
	}
	if n := len(in.VisibleWhen); n > 0 {
		f.told[in.Name] = in.VisibleWhen[n-1]
	}
}

// fits says that the input can stand beside each of the selects, and never beside two of them at once.
func (f *form) fits(in spec.Input, either spec.AnyOf) bool {
	for i, c := range either {
		control := f.byName[c.Field]
		if control == nil || control.Type != spec.KindSelect || !strings.HasPrefix(in.Name, level(c.Field)) {
			return false
		}
		for _, other := range either[:i] {
			if c.Field != other.Field && !f.excludes(c, other) && !f.excludes(other, c) {
				return false
			}
		}
	}
	return true
}

// excludes says that the select of a is not shown while b holds.
func (f *form) excludes(a, b spec.Cond) bool {
	return slices.ContainsFunc(f.byName[a.Field].VisibleWhen, func(either spec.AnyOf) bool {
		return len(either) == 1 && either[0].Field == b.Field &&
			!slices.ContainsFunc(b.In, func(v string) bool { return slices.Contains(either[0].In, v) })
	})
}

// implies says that the other conditions hold wherever the selects of this one are shown.
func (f *form) implies(either spec.AnyOf, others []spec.AnyOf) bool {
	for _, c := range either {
		for _, other := range others {
			if !slices.ContainsFunc(f.byName[c.Field].VisibleWhen, func(w spec.AnyOf) bool { return reflect.DeepEqual(w, other) }) {
				return false
			}
		}
	}
	return true
}

// unmix gives up one place in a collection that would otherwise stand in the form twice: once for the fields under an
// option and once for the rest. It answers whether there was one.
func (f *form) unmix() bool {
	for _, in := range f.inputs {
		for _, c := range f.places[in.Name] {
			step, _, within := strings.Cut(strings.TrimPrefix(in.Name, level(c.Field)), ".")
			if !within {
				continue
			}
			collection := level(c.Field) + step + "."
			alone := !slices.ContainsFunc(f.inputs, func(other spec.Input) bool {
				return strings.HasPrefix(other.Name, collection) && !f.beside(other, c.Field, collection)
			})
			if !alone {
				f.told[in.Name] = f.places[in.Name]
				delete(f.places, in.Name)
				return true
			}
		}
	}
	return false
}

// beside says that a member of the collection is shown by the control, or by a select within the collection.
func (f *form) beside(member spec.Input, control, collection string) bool {
	places := f.places[member.Name]
	return len(places) > 0 && !slices.ContainsFunc(places, func(c spec.Cond) bool {
		return c.Field != control && !strings.HasPrefix(c.Field, collection)
	})
}

// level is the object that a name stands in, with its dot: "shipping." of shipping.name.
func level(name string) string { return name[:strings.LastIndexByte(name, '.')+1] }

// parameters are those of one object, at the place where the control has the value; no control: those always shown.
func (f *form) parameters(object, control, value string) []parameter {
	list := []parameter{}
	seen := map[string]bool{}
	for _, in := range f.inputs {
		name, inside := strings.CutPrefix(in.Name, object)
		if !inside || !f.at(in, control, value) {
			continue
		}
		step, _, below := strings.Cut(name, ".")
		switch {
		case !below:
			list = append(list, f.parameter(name, in))
		case !seen[step]:
			seen[step] = true
			list = append(list, parameter{
				Name: step, Type: "collection", Label: title(step), Spec: f.parameters(object+step+".", control, value),
			})
		}
	}
	return list
}

// at says that the input is shown at the place.
func (f *form) at(in spec.Input, control, value string) bool {
	places := f.places[in.Name]
	if control == "" {
		return len(places) == 0
	}
	return slices.ContainsFunc(places, func(c spec.Cond) bool { return c.Field == control && slices.Contains(c.In, value) })
}

func title(name string) string {
	words := strings.Split(name, "_")
	for i, w := range words {
		if w != "" {
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, " ")
}

// parameter is one input, with what is nested under its options.
func (f *form) parameter(name string, in spec.Input) parameter {
	p := parameter{Name: name, Label: in.Label, Help: f.help(in), Required: in.Required, Default: in.Default}
	switch in.Type {
	case spec.KindInteger:
		p.Type = "integer"
		if in.Min != nil && *in.Min >= 0 {
			p.Type = "uinteger"
		}
		p.Validate = limits(in.Min, in.Max, 0)
	case spec.KindBoolean, spec.KindDate, spec.KindEmail, spec.KindURL, spec.KindAny:
		p.Type = string(in.Type)
	case spec.KindSelect, spec.KindMultiselect:
		p.Type, p.Multiple = "select", in.Type == spec.KindMultiselect
		p.Options = f.options(in)
		if in.Open {
			p.Validate = unchecked
		}
	case spec.KindTexts:
		item := parameter{Name: "value", Type: "text", Label: "Value"}
		f.lookup(&item, in)
		p.Type, p.Spec, p.Validate = "array", item, limits(nil, nil, in.MaxItems)
	case spec.KindRows, spec.KindFilter:
		p.Type, p.Spec, p.Validate = "array", newForm(f.forms, f.module, in.Items).parameters("", "", ""), limits(nil, nil, in.MaxItems)
	case spec.KindMetadata:
		p.Type, p.Spec, p.Validate = "array", pairs(), limits(nil, nil, in.MaxItems)
	case spec.KindText, spec.KindID, spec.KindConnection:
		p.Type, p.Validate = "text", limits(length(in.MinLength), length(in.MaxLength), 0)
		f.lookup(&p, in)
	default:
		f.faults = append(f.faults, fmt.Errorf("%s: field %s: Make has no type for %s", f.module, in.Name, in.Type))
	}
	return p
}

// pairs are the fields of one entry of metadata. An empty value is allowed: it unsets its key.
func pairs() []parameter {
	return []parameter{
		{Name: "key", Type: "text", Label: "Key", Required: true},
		{Name: "value", Type: "text", Label: "Value"},
	}
}

func limits(low, high *int64, items int) any {
	if low == nil && high == nil && items == 0 {
		return nil
	}
	return bounds{Min: low, Max: high, MaxItems: items}
}

func length(n int) *int64 {
	if n == 0 {
		return nil
	}
	l := int64(n)
	return &l
}

// help is the input's, with what the form cannot show otherwise.
func (f *form) help(in spec.Input) string {
	sentences := []string{in.Help}
	if in.Lookup != nil && in.Lookup.Only != "" {
		sentences = append(sentences, "Only these fit: "+in.Lookup.Only+".")
	}
	if either, ok := f.told[in.Name]; ok {
		var conditions []string
		for _, c := range either {
			label := c.Field
			if control := f.byName[c.Field]; control != nil {
				label = control.Label
			}
			conditions = append(conditions, label+" = "+strings.Join(c.In, " or "))
		}
		sentences = append(sentences, "Only with "+strings.Join(conditions, ", or ")+".")
	}
	return strings.TrimSpace(strings.Join(sentences, " "))
}

func (f *form) options(in spec.Input) any {
	list := make([]option, len(in.Options))
	alike := len(list) > 1
	for i, o := range in.Options {
		list[i] = option{Label: o.Label, Value: o.Value}
		if in.Type == spec.KindSelect {
			list[i].Nested = f.parameters(level(in.Name), in.Name, o.Value)
		}
		alike = alike && len(list[i].Nested) > 0 && reflect.DeepEqual(list[i].Nested, list[0].Nested)
	}
	if !alike {
		return list
	}
	nested := list[0].Nested
	for i := range list {
		list[i].Nested = nil
	}
	return options{Store: list, Nested: nested}
}

// lookup lets the user pick the value of a text: from a list, or by a button where the list needs to be narrowed.
func (f *form) lookup(p *parameter, in spec.Input) {
	if in.Lookup == nil {
		return
	}
	l := f.lookups[in.Lookup.Name]
	if l == nil {
		f.faults = append(f.faults, fmt.Errorf("%s: field %s: there is no lookup %s", f.module, in.Name, in.Lookup.Name))
		return
	}
	if len(in.Lookup.By) == 0 {
		p.Type, p.Mode, p.Options, p.Validate = "select", modeEdit, rpcURL(rpcName(l)), nil
		return
	}
	p.RPC = &button{Label: "Search " + strings.ToLower(l.Label), URL: rpcURL(rpcName(l))}
	for _, by := range lookupInputs(l) {
		if slices.Contains(in.Lookup.By, by.Name) {
			p.RPC.Parameters = append(p.RPC.Parameters, searchParameter(by))
		}
	}
}

// searchParameter is an input of a lookup. It has no button of its own: Make opens no search within a search.
func searchParameter(in spec.Input) parameter {
	p := parameter{Name: in.Name, Type: "text", Label: in.Label, Help: in.Help, Required: in.Required}
	if in.Type == spec.KindEmail {
		p.Type = "email"
	}
	return p
}

// lookupInputs are what narrows a lookup, without what every search takes.
func lookupInputs(l *spec.Lookup) []spec.Input {
	return slices.DeleteFunc(l.Inputs(), func(in spec.Input) bool { return in.Type == spec.KindConnection || in.Name == fieldLimit })
}
