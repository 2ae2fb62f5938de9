package spec

import "slices"

// A Node is one field as a form shows it. The fields that show only under an option of a select stand below that option.
type Node struct {
	Input
	RequiredWith   []string `json:"required_with,omitempty"`   // required as soon as one of these fields is given
	RequiredWithin bool     `json:"required_within,omitempty"` // required as soon as a field beside it is given
	Refused        string   `json:"refused,omitempty"`         // why any value is an error; the form shows the field nonetheless
	Options        []Choice `json:"options,omitempty"`
	Items          []Node   `json:"items,omitempty"` // of each row
	Aliases        []string `json:"-"`               // other keys for it
	Stored         bool     `json:"-"`               // Stripe keeps a value for it, which null would empty
}

// A Choice is an option of a select with the fields that show once it is chosen.
type Choice struct {
	Option
	Refused string `json:"refused,omitempty"` // why the choice can no longer be made
	Fields  []Node `json:"fields,omitempty"`
}

// Form is the form as a tree, in documented order. A field that several options show stands below each of them; one with
// several conditions stands below the option of the innermost.
func (m *Module) Form() []Node { return m.form.tree(place{}) }

// Accepted are all fields that a bundle may carry, hidden ones included, as a flat list: nothing stands below an option.
func (m *Module) Accepted() []Node { return m.form.accepted() }

// OpenObjects names the objects that take details which the form has no fields for.
func (m *Module) OpenObjects() []string {
	var names []string
	for _, o := range m.form.opens {
		names = append(names, o.name)
	}
	return names
}

// A place is where in a form a field stands: below an option, or, if zero, at the top.
type place struct{ control, option string }

func (f *form) tree(at place) []Node {
	var nodes []Node
	for _, field := range f.fields {
		if field.Hidden || !field.standsAt(at) {
			continue
		}
		n := field.node()
		for i := range n.Options {
			n.Options[i].Fields = f.tree(place{field.Name, n.Options[i].Value})
		}
		if field.items != nil {
			n.Items = field.items.tree(place{})
		}
		nodes = append(nodes, n)
	}
	return nodes
}

func (f *field) standsAt(at place) bool {
	if len(f.VisibleWhen) == 0 {
		return at == place{}
	}
	innermost := f.VisibleWhen[len(f.VisibleWhen)-1]
	return slices.ContainsFunc(innermost, func(c Cond) bool { return c.Field == at.control && slices.Contains(c.In, at.option) })
}

func (f *form) accepted() []Node {
	nodes := make([]Node, len(f.fields))
	for i, field := range f.fields {
		nodes[i] = field.node()
		if field.items != nil {
			nodes[i].Items = field.items.accepted()
		}
	}
	return nodes
}

// node is the field by itself, with full names.
func (f *field) node() Node {
	n := Node{Input: f.Input, RequiredWithin: f.within, Refused: f.refused, Stored: f.stored()}
	for _, o := range f.Options {
		n.Options = append(n.Options, Choice{Option: o, Refused: o.refused})
	}
	for _, name := range f.with {
		n.RequiredWith = append(n.RequiredWith, f.object+name)
	}
	for _, alias := range f.aliases {
		n.Aliases = append(n.Aliases, f.object+alias)
	}
	return n
}
