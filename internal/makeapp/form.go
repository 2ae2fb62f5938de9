package makeapp

import (
	"fmt"
	"maps"
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

// A form turns the fields of one module into parameters, and collects what cannot be said in Make's.
type form struct {
	catalogue *spec.Catalogue
	faults    []error
}

// of is the form of a module, without the fields of the service that the app fills in by itself.
func (f *form) of(m *spec.Module, without ...string) []parameter {
	nodes := slices.DeleteFunc(m.Form(), func(n spec.Node) bool {
		return n.Type == spec.KindConnection || slices.Contains(without, n.Name)
	})
	return f.parameters("", nodes, nil)
}

// parameters are those of one object of the bundle: fields with dots in their names go together into collections.
//
// What is nested under a select stands beside it, so a collection could come up twice: with some fields under an option,
// and with others elsewhere. Make would keep one of the two, and so the first select with a part of the collection has it;
// the other fields, which are taken, keep their dotted names. The service takes those as well.
func (f *form) parameters(object string, nodes []spec.Node, taken map[string]string) []parameter {
	list := []parameter{}
	owners := maps.Clone(taken)
	if owners == nil {
		owners = map[string]string{}
	}
	for _, n := range nodes {
		for step := range nestedSteps(object, n) {
			if owners[step] == "" {
				owners[step] = n.Name
			}
		}
	}
	seen := map[string]bool{}
	for _, n := range nodes {
		name, inside := strings.CutPrefix(n.Name, object)
		if !inside {
			f.faults = append(f.faults, fmt.Errorf("field %s: cannot be shown by a select within %s", n.Name, strings.TrimSuffix(object, ".")))
			continue
		}
		step, _, below := strings.Cut(name, ".")
		switch {
		case !below || owners[step] != "":
			others := maps.Clone(owners)
			maps.DeleteFunc(others, func(_, owner string) bool { return owner == n.Name })
			list = append(list, f.parameter(name, n, func(fields []spec.Node) []parameter { return f.parameters(object, fields, others) }))
		case !seen[step]:
			seen[step] = true
			collection := object + step + "."
			members := slices.DeleteFunc(slices.Clone(nodes), func(n spec.Node) bool { return !strings.HasPrefix(n.Name, collection) })
			list = append(list, parameter{Name: step, Type: "collection", Label: title(step), Spec: f.parameters(collection, members, nil)})
		}
	}
	return list
}

// nestedSteps are the collections that a select's options show parts of.
func nestedSteps(object string, n spec.Node) map[string]bool {
	steps := map[string]bool{}
	for _, o := range n.Options {
		for _, field := range o.Fields {
			if step, _, below := strings.Cut(strings.TrimPrefix(field.Name, object), "."); below && level(n.Name) == object {
				steps[step] = true
			}
			maps.Copy(steps, nestedSteps(object, field))
		}
	}
	return steps
}

// level is the object that a name stands in, with its dot: "shipping." of shipping.name.
func level(name string) string { return name[:strings.LastIndexByte(name, '.')+1] }

func title(name string) string {
	words := strings.Split(name, "_")
	for i, w := range words {
		if w != "" {
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, " ")
}

// parameter is one field. Those that its options show are made by nest.
func (f *form) parameter(name string, n spec.Node, nest func([]spec.Node) []parameter) parameter {
	p := parameter{Name: name, Label: n.Label, Help: help(n), Required: n.Required, Default: n.Default}
	switch n.Type {
	case spec.KindInteger:
		p.Type = "integer"
		if n.Min != nil && *n.Min >= 0 {
			p.Type = "uinteger"
		}
		p.Validate = limits(n.Min, n.Max, 0)
	case spec.KindBoolean, spec.KindDate, spec.KindEmail, spec.KindURL, spec.KindAny:
		p.Type = string(n.Type)
	case spec.KindSelect, spec.KindMultiselect:
		p.Type, p.Multiple, p.Options = "select", n.Type == spec.KindMultiselect, choices(n.Options, nest)
		if n.Open {
			p.Validate = unchecked
		}
	case spec.KindTexts:
		item := parameter{Name: "value", Type: "text", Label: "Value"}
		f.lookup(&item, n)
		p.Type, p.Spec, p.Validate = "array", item, limits(nil, nil, n.MaxItems)
	case spec.KindRows, spec.KindFilter:
		p.Type, p.Spec, p.Validate = "array", f.parameters("", n.Items, nil), limits(nil, nil, n.MaxItems)
	case spec.KindMetadata:
		p.Type, p.Spec, p.Validate = "array", pairs(), limits(nil, nil, n.MaxItems)
	case spec.KindText, spec.KindID, spec.KindConnection:
		p.Type, p.Validate = "text", limits(length(n.MinLength), length(n.MaxLength), 0)
		f.lookup(&p, n)
	default:
		f.faults = append(f.faults, fmt.Errorf("field %s: Make has no type for %s", n.Name, n.Type))
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

// help is the field's, with what the form cannot show otherwise.
func help(n spec.Node) string {
	text := n.Help
	if n.Lookup != nil && n.Lookup.Only != nil {
		text += " " + n.Lookup.Must()
	}
	if n.Refused != "" {
		text += " " + n.Refused + "."
	}
	return strings.TrimSpace(text)
}

// choices are the options of a select.
func choices(from []spec.Choice, nest func([]spec.Node) []parameter) any {
	list := make([]option, len(from))
	alike := len(list) > 1
	for i, o := range from {
		list[i] = option{Label: o.Label, Value: o.Value, Nested: nest(o.Fields)}
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
func (f *form) lookup(p *parameter, n spec.Node) {
	if n.Lookup == nil {
		return
	}
	l, ok := f.catalogue.Lookup(n.Lookup.Name)
	if !ok {
		f.faults = append(f.faults, fmt.Errorf("field %s: there is no lookup %s", n.Name, n.Lookup.Name))
		return
	}
	if len(n.Lookup.By) == 0 {
		p.Type, p.Mode, p.Options, p.Validate = "select", modeEdit, rpcURL(rpcName(l)), nil
		return
	}
	p.RPC = &button{Label: "Search " + strings.ToLower(l.Label), URL: rpcURL(rpcName(l))}
	narrows, value, narrowed := n.Lookup.Narrows(l)
	for _, in := range lookupInputs(l) {
		shown := searchParameter(in)
		if narrowed && in.Name == narrows.Name {
			shown.Default = value // which the user may change
		} else if !slices.Contains(n.Lookup.By, in.Name) {
			continue
		}
		p.RPC.Parameters = append(p.RPC.Parameters, shown)
	}
}

// searchParameter is an input of a lookup. It has no button of its own: Make opens no search within a search.
func searchParameter(in spec.Input) parameter {
	p := parameter{Name: in.Name, Type: "text", Label: in.Label, Help: in.Help, Required: in.Required}
	switch in.Type {
	case spec.KindEmail:
		p.Type = "email"
	case spec.KindSelect:
		list := make([]option, len(in.Options))
		for i, o := range in.Options {
			list[i] = option{Label: o.Label, Value: o.Value}
		}
		p.Type, p.Options = "select", list
	default: // a text to type
	}
	return p
}

// lookupInputs are what narrows a lookup, without what every search takes.
func lookupInputs(l *spec.Lookup) []spec.Input {
	return slices.DeleteFunc(l.Inputs(), func(in spec.Input) bool { return in.Type == spec.KindConnection || in.Name == fieldLimit })
}
