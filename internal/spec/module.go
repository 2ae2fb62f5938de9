package spec

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v79"
)

// Type is what kind of module it is, in Make's sense.
type Type string

// The types of modules.
const (
	Action    Type = "action"          // one call, one bundle
	Search    Type = "search"          // pages of a list, many bundles
	Trigger   Type = "trigger_instant" // fed by events
	Universal Type = "universal"       // any call, made by hand
)

// A Def is the declaration of a module. It reads like the form that it describes.
type Def struct {
	Key    string // "create-refund", the last part of its route
	Label  string // as documented
	Help   string // what it does, one sentence
	Docs   string // Stripe's page about the call
	Fields Fields
	Stripe Endpoint // the call that the form is for
	Out    string   // object type of the bundles: "refund"

	// Plan adds calls around the main one of an action; the last step answers.
	Plan func(b *Bundle, main Step) []Step
	// Find replaces the one plain list of a search.
	Find func(b *Bundle, list Source) Query
}

// A Module is a declaration that has been compiled.
type Module struct {
	Def
	Type   Type
	Group  string
	Update bool // changes an object: null clears, and a missing field keeps what is stored

	form   *form
	faults []string
}

// NewAction declares a module that makes one object or does one thing.
func NewAction(def Def) *Module { return compile(def, Action, false) }

// NewUpdate declares an action that changes an object: in its bundles null empties a field.
func NewUpdate(def Def) *Module { return compile(def, Action, true) }

// NewSearch declares a module that lists objects.
func NewSearch(def Def) *Module { return compile(def, Search, false) }

// NewTrigger declares the form of an instant trigger.
func NewTrigger(def Def) *Module { return compile(def, Trigger, false) }

// NewUniversal declares the form of a call made by hand.
func NewUniversal(def Def) *Module { return compile(def, Universal, false) }

// client is the shape of every stripe-go resource client.
type client interface {
	~struct {
		B   stripe.Backend
		Key string
	}
}

func on[C client](b stripe.Backend) C {
	return C(struct {
		B   stripe.Backend
		Key string
	}{B: b})
}

// An Endpoint is a stripe-go method: the params that a form is bound to, and how to call it with them.
type Endpoint struct {
	params reflect.Type
	id     bool // takes an id for the URL
	list   bool
	call   func(b stripe.Backend, id string, fill func(params any)) error
}

// Calls is an endpoint such as customer.Client.New.
func Calls[C client, P, R any](method func(C, *P) (R, error)) Endpoint {
	return Endpoint{params: reflect.TypeFor[P](), call: func(b stripe.Backend, _ string, fill func(any)) error {
		params := new(P)
		fill(params)
		_, err := method(on[C](b), params)
		return err
	}}
}

// CallsWithID is an endpoint such as customer.Client.Update, for the object that a PathID names.
func CallsWithID[C client, P, R any](method func(C, string, *P) (R, error)) Endpoint {
	return Endpoint{params: reflect.TypeFor[P](), id: true, call: func(b stripe.Backend, id string, fill func(any)) error {
		params := new(P)
		fill(params)
		_, err := method(on[C](b), id, params)
		return err
	}}
}

// Lists is an endpoint such as customer.Client.List or customer.Client.Search.
func Lists[C client, P any, I interface{ Err() error }](method func(C, *P) I) Endpoint {
	return Endpoint{params: reflect.TypeFor[P](), list: true, call: func(b stripe.Backend, _ string, fill func(any)) error {
		params := new(P)
		fill(params)
		return method(on[C](b), params).Err()
	}}
}

// Bound is a call with params that a Plan or Find made itself.
func Bound[C client, P, R any](method func(C, *P) (R, error), params *P) Call {
	return func(b stripe.Backend) error {
		_, err := method(on[C](b), params)
		return err
	}
}

// BoundWithID is Bound for a method that takes an id. The id must be PathSafe.
func BoundWithID[C client, P, R any](method func(C, string, *P) (R, error), id string, params *P) Call {
	return func(b stripe.Backend) error {
		_, err := method(on[C](b), id, params)
		return err
	}
}

// BoundPages is a list with params that fill is to make anew for every page.
func BoundPages[C client, P any, I interface{ Err() error }](method func(C, *P) I, fill func(*P)) Source {
	return Source{Call: func(b stripe.Backend, page Page) error {
		params := new(P)
		fill(params)
		turnTo(params, page)
		return method(on[C](b), params).Err()
	}}
}

// turnTo sets the page that list params ask for.
func turnTo(params any, page Page) {
	switch p := params.(type) {
	case stripe.ListParamsContainer:
		list := p.GetListParams()
		list.Single, list.Limit = true, &page.Limit
		if page.After != "" {
			list.StartingAfter = &page.After
		}
	case stripe.SearchParamsContainer:
		search := p.GetSearchParams()
		search.Single, search.Limit = true, &page.Limit
		if page.After != "" {
			search.Page = &page.After
		}
	}
}

func compile(def Def, t Type, update bool) *Module {
	m := &Module{Def: def, Type: t, Update: update}
	var d draft
	fields := slices.Clone(def.Fields)
	if !slices.ContainsFunc(fields, func(p Part) bool { f, ok := p.(Field); return ok && f.Type == KindConnection }) {
		fields = append(Fields{Connection()}, fields...)
	}
	fields.addTo(&d)
	d.hidden = true
	expand := Texts(fieldExpand, "Expand").steering().Help("Paths of ids that Stripe is to answer as whole objects.")
	expand.local = def.Stripe.params == nil
	Fields{
		expand,
		Text(fieldTimezone, "Time Zone").steering().Checked(checkZone).Help("IANA name of the zone of dates that carry none; empty means UTC."),
	}.addTo(&d)
	if t == Search {
		Text(fieldCursor, "Cursor").Local().Help("next_cursor of the answer before, to go on from there.").addTo(&d)
	}
	m.form = d.form()
	m.form.update = update
	m.faults = m.check(&d)
	return m
}

// Connection is the field that names the stored connection.
func Connection() Field {
	f := newField(KindConnection, fieldConnection, "Connection").steering().Required()
	f.MaxLength = 64
	return f.Checked(CheckKept).Help("The stored connection whose Stripe account the call is made in.")
}

// Limit is how many bundles a search returns in all, over as many pages as that takes.
func Limit() Field {
	return Integer(fieldLimit, "Limit").Min(1).Default(10).Local().
		Help("The most bundles to return; the service fetches as many pages as that takes. Default 10.")
}

func checkZone(name string) string {
	if _, err := zone(name); err != nil {
		return "must be an IANA time zone such as Europe/Berlin"
	}
	return ""
}

func zone(name string) (*time.Location, error) {
	if name == "Local" || strings.HasPrefix(name, "/") {
		return nil, errors.New("not a zone of its own")
	}
	return time.LoadLocation(name)
}

// check finds what is wrong with the declaration itself.
func (m *Module) check(d *draft) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if m.Key == "" || m.Label == "" || m.Help == "" || m.Docs == "" {
		fault("key, label, help and docs must be given")
	}
	paths := 0
	for i, f := range d.fields {
		switch {
		case f.Label == "":
			fault("field %s: has no label", f.Name)
		case m.form.byName[f.Name].index != i:
			fault("field %s: is declared twice", f.Name)
		}
		if f.path {
			paths++
		}
		for _, with := range f.with {
			if m.form.byName[f.object+with] == nil {
				fault("field %s: is required with %q, which is no field", f.Name, with)
			}
		}
		conds := slices.Concat(f.VisibleWhen...)
		for _, t := range f.dest {
			conds = append(conds, t.when...)
		}
		for _, c := range conds {
			control := m.form.byName[c.Field]
			if control == nil {
				fault("field %s: depends on %q, which is no field", f.Name, c.Field)
				continue
			}
			for _, v := range c.In {
				if !slices.ContainsFunc(control.Options, func(o Option) bool { return o.Value == v }) {
					fault("field %s: depends on %s = %q, which is no option", f.Name, c.Field, v)
				}
			}
		}
	}
	for _, name := range d.named {
		if m.form.byName[name] == nil {
			fault("a rule speaks of %q, which is no field", name)
		}
	}
	if m.Type == Trigger || m.Type == Universal {
		return faults
	}
	if m.Stripe.call == nil {
		return append(faults, "names no Stripe call")
	}
	if m.Stripe.list != (m.Type == Search) {
		fault("a search needs a list call, and nothing else does")
	}
	if m.Type == Search && m.form.byName[fieldLimit] == nil {
		fault("field %s: is missing", fieldLimit)
	}
	faults = append(faults, m.form.bindTo(m.Stripe.params)...)
	for _, f := range d.fields {
		if !f.path || m.Stripe.id {
			continue
		}
		if b, ok := urlField(m.Stripe.params, f.Name); ok {
			m.form.url = &b
		} else {
			fault("field %s: %s has no id for the URL", f.Name, m.Stripe.params)
		}
	}
	if m.Stripe.id && paths != 1 {
		fault("needs one path id, and has %d", paths)
	}
	return faults
}

// A SyntaxError is a body that is no JSON object.
type SyntaxError struct{ Message string }

func (e *SyntaxError) Error() string { return e.Message }

// Decode reads a JSON object as a bundle of the module. maxLimit is the ceiling of limit. The error is a *SyntaxError,
// or Faults with everything that is wrong; then there is no bundle.
func (m *Module) Decode(body []byte, maxLimit int) (*Bundle, error) {
	n, problem := parse(body)
	if problem == "" && n.kind != isObject {
		problem = "the body must be a JSON object"
	}
	if problem != "" {
		return nil, &SyntaxError{problem}
	}
	b := newBundle(m.form, time.UTC)
	b.take(n)
	if name := b.written(fieldTimezone); name != "" {
		if z, err := zone(strings.TrimSpace(name)); err == nil {
			b.zone = z
		}
	}
	b.judge()
	if f := m.form.byName[fieldLimit]; f != nil && m.Type == Search {
		switch limit := &b.vals[f.index].number; {
		case *limit <= int64(maxLimit):
		case b.nodes[f.index] == nil || f.emptiness(*b.nodes[f.index], false) == absent:
			*limit = int64(maxLimit) // a ceiling below the default
		default:
			b.fault(f, CodeTooLarge, fmt.Sprintf("must be at most %d", maxLimit))
		}
	}
	if faults := b.faults(); len(faults) > 0 {
		return nil, faults
	}
	return b, nil
}

// Steps are the calls of an action.
func (m *Module) Steps(b *Bundle) []Step {
	main := Step{Name: strings.ToLower(m.Label), Call: func(backend stripe.Backend) error {
		return m.Stripe.call(backend, b.pathID(), b.BindTo)
	}}
	if m.Plan != nil {
		return m.Plan(b, main)
	}
	return []Step{main}
}

// Query is what a search asks of Stripe.
func (m *Module) Query(b *Bundle) Query {
	list := Source{Call: func(backend stripe.Backend, page Page) error {
		return m.Stripe.call(backend, "", func(params any) {
			b.BindTo(params)
			turnTo(params, page)
		})
	}}
	if m.Find != nil {
		return m.Find(b, list)
	}
	return Query{Sources: []Source{list}}
}

// Inputs are the fields of the form in documented order.
func (m *Module) Inputs() []Input {
	inputs := make([]Input, 0, len(m.form.fields))
	for _, f := range m.form.fields {
		if !f.Hidden {
			inputs = append(inputs, f.Input)
		}
	}
	return inputs
}

// A Group is a documented group of modules.
type Group struct {
	Label   string
	Modules []*Module
}

// A Catalogue is every module, in documented order, and every lookup that their fields name.
type Catalogue struct {
	modules []*Module
	byKey   map[string]*Module
	lookups []*Lookup
}

// NewCatalogue collects the modules and lookups. The error names every fault of every declaration.
func NewCatalogue(lookups []*Lookup, groups ...Group) (*Catalogue, error) {
	c := &Catalogue{byKey: map[string]*Module{}, lookups: lookups}
	var faults []error
	for _, l := range lookups {
		for _, f := range slices.Concat(l.faults, c.strayLookups(l.Module)) {
			faults = append(faults, fmt.Errorf("lookup %s: %s", l.Key, f))
		}
	}
	for _, g := range groups {
		for _, m := range g.Modules {
			m := *m
			m.Group = g.Label
			for _, f := range slices.Concat(m.faults, c.strayLookups(&m)) {
				faults = append(faults, fmt.Errorf("%s: %s", m.Key, f))
			}
			if c.byKey[m.Key] != nil {
				faults = append(faults, fmt.Errorf("%s: is declared twice", m.Key))
			}
			c.modules = append(c.modules, &m)
			c.byKey[m.Key] = &m
		}
	}
	return c, errors.Join(faults...)
}

// strayLookups finds fields that name a lookup, or an input of one, that there is not.
func (c *Catalogue) strayLookups(m *Module) (faults []string) {
	for _, f := range m.form.fields {
		ref := f.Input.Lookup
		if ref == nil {
			continue
		}
		l, ok := c.Lookup(ref.Name)
		if !ok {
			faults = append(faults, fmt.Sprintf("field %s: there is no lookup %q", f.Name, ref.Name))
			continue
		}
		for _, by := range ref.By {
			if l.form.byName[by] == nil {
				faults = append(faults, fmt.Sprintf("field %s: lookup %s has no input %q", f.Name, ref.Name, by))
			}
		}
		if in, value, ok := ref.Narrows(l); ok && !slices.ContainsFunc(in.Options, func(o Option) bool { return o.Value == value }) {
			faults = append(faults, fmt.Sprintf("field %s: lookup %s cannot be narrowed to %s = %q", f.Name, ref.Name, in.Name, value))
		}
	}
	return faults
}

// Lookups are all lookups.
func (c *Catalogue) Lookups() []*Lookup { return slices.Clone(c.lookups) }

// Lookup finds a lookup by its key.
func (c *Catalogue) Lookup(key string) (*Lookup, bool) {
	i := slices.IndexFunc(c.lookups, func(l *Lookup) bool { return l.Key == key })
	if i < 0 {
		return nil, false
	}
	return c.lookups[i], true
}

// Modules are all modules in documented order.
func (c *Catalogue) Modules() []*Module { return slices.Clone(c.modules) }

// Module finds a module by its key.
func (c *Catalogue) Module(key string) (*Module, bool) {
	m, ok := c.byKey[key]
	return m, ok
}
