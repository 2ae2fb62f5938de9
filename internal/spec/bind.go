package spec

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// A binding puts a value into a params struct: a walk through struct fields, from pointer to pointer.
type binding struct {
	steps []int  // field indices
	extra string // the parameter's wire name, for values that the typed field cannot hold: an empty number or date
}

// slot walks to the field, making the structs on the way.
func (p binding) slot(params reflect.Value) reflect.Value {
	v := params
	for _, i := range p.steps {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	return v
}

// holds are the Go types that each kind of value can be put into.
func (f *field) holds(t reflect.Type) bool {
	switch f.Type {
	case KindInteger, KindDate:
		return t == reflect.TypeFor[*int64]()
	case KindBoolean:
		return t == reflect.TypeFor[*bool]()
	case KindMultiselect, KindTexts:
		return t == reflect.TypeFor[[]*string]()
	case KindMetadata:
		return t == reflect.TypeFor[map[string]string]()
	case KindRows:
		return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Pointer && t.Elem().Elem().Kind() == reflect.Struct
	case KindFilter, KindAny, KindConnection:
		return false
	default:
		return t == reflect.TypeFor[*string]()
	}
}

// resolve finds the parameter path in a params struct by its form tags. Several fields may have one name (a date and
// its range); the first that ends the path with a fitting type is taken.
func resolve(params reflect.Type, path string, fits func(reflect.Type) bool) (binding, error) {
	steps, found := search(params, strings.Split(path, "."), fits)
	switch {
	case steps != nil:
		return binding{steps: steps, extra: wire(path)}, nil
	case found != nil:
		return binding{}, fmt.Errorf("parameter %q of %s is a %s", path, params, found)
	}
	return binding{}, fmt.Errorf("%s has no parameter %q", params, path)
}

func search(t reflect.Type, path []string, fits func(reflect.Type) bool) (steps []int, found reflect.Type) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil, nil
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Tag.Get("form") != path[0] {
			continue
		}
		if len(path) == 1 {
			if fits(f.Type) {
				return []int{i}, nil
			}
			found = f.Type
			continue
		}
		rest, deeper := search(f.Type, path[1:], fits)
		if rest != nil {
			return append([]int{i}, rest...), nil
		}
		if deeper != nil {
			found = deeper
		}
	}
	return nil, found
}

// wire is a path as Stripe's form encoding writes it: shipping[address][line1].
func wire(path string) string {
	first, rest, nested := strings.Cut(path, ".")
	if !nested {
		return first
	}
	return first + "[" + strings.ReplaceAll(rest, ".", "][") + "]"
}

// urlField finds the parameter that stripe-go takes from the params but puts into the URL, as lists below an object do.
func urlField(params reflect.Type, name string) (binding, bool) {
	for i := range params.NumField() {
		f := params.Field(i)
		if f.Tag.Get("form") == "-" && strings.EqualFold(f.Name, strings.ReplaceAll(name, "_", "")) {
			return binding{steps: []int{i}}, true
		}
	}
	return binding{}, false
}

// bindTo resolves where every field of the form goes in the params struct.
func (f *form) bindTo(params reflect.Type) (faults []string) {
	fault := func(where string, err error) { faults = append(faults, where+": "+err.Error()) }
	for _, at := range f.fields {
		at.binds = make([]binding, len(at.dest))
		for i, t := range at.dest {
			b, err := resolve(params, t.path, at.holds)
			if err != nil {
				fault("field "+at.Name, err)
				continue
			}
			at.binds[i] = b
			if at.Type == KindRows {
				row := b.typeIn(params).Elem().Elem()
				faults = append(faults, prefixed("field "+at.Name+"[]", at.items.bindTo(row))...)
			}
		}
	}
	for _, r := range f.ranges {
		if r.param == "" {
			continue
		}
		if err := r.binds.resolve(params, r.param); err != nil {
			fault("field "+r.timestamp, err)
		}
	}
	for i := range f.sent {
		s := &f.sent[i]
		b, err := resolve(params, s.path, func(t reflect.Type) bool { return t == reflect.PointerTo(reflect.TypeOf(s.value)) })
		if err != nil {
			fault("value sent as "+s.path, err)
		}
		s.bind = b
	}
	for _, at := range f.fields {
		for i := range at.conditions {
			if err := at.conditions[i].resolve(params); err != nil {
				fault("field "+at.Name+" on "+at.conditions[i].name, err)
			}
		}
	}
	return faults
}

func prefixed(prefix string, lines []string) []string {
	for i := range lines {
		lines[i] = prefix + ": " + lines[i]
	}
	return lines
}

// typeIn is the type of the field that the binding leads to.
func (p binding) typeIn(params reflect.Type) reflect.Type {
	t := params
	for _, i := range p.steps {
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		t = t.Field(i).Type
	}
	return t
}

// rangeBinding leads to the four limits of a date range.
type rangeBinding struct{ gt, gte, lt, lte binding }

func (r *rangeBinding) resolve(params reflect.Type, param string) error {
	for name, b := range map[string]*binding{"gt": &r.gt, "gte": &r.gte, "lt": &r.lt, "lte": &r.lte} {
		found, err := resolve(params, param+"."+name, func(t reflect.Type) bool { return t.Kind() == reflect.Int64 })
		if err != nil {
			return err
		}
		*b = found
	}
	return nil
}

func (r *rangeBinding) set(params reflect.Value, limits Bounds) {
	for b, at := range map[*binding]*int64{&r.gt: limits.GT, &r.gte: limits.GTE, &r.lt: limits.LT, &r.lte: limits.LTE} {
		if at != nil {
			b.slot(params).SetInt(*at)
		}
	}
}

func (o *operand) resolve(params reflect.Type) (err error) {
	switch {
	case o.param == "":
		return nil
	case o.dates:
		return o.dateBinds.resolve(params, o.param)
	}
	o.textBind, err = resolve(params, o.param, func(t reflect.Type) bool { return t == reflect.TypeFor[*string]() })
	return err
}

// target is the place that a field's value goes to, or nil if it is not sent this time.
func (b *Bundle) target(f *field) *binding {
	for i, t := range f.dest {
		switch {
		case len(t.when) > 0 && !slices.ContainsFunc(t.when, b.holds):
		case t.prefix != "" && !strings.HasPrefix(b.vals[f.index].text, t.prefix):
		default:
			return &f.binds[i]
		}
	}
	return nil
}

// BindTo puts the bundle into params of the module's Stripe call, for a Plan or Find that changes them afterwards.
func (b *Bundle) BindTo(params any) {
	var addExtra func(key, value string)
	if p, ok := params.(interface{ AddExtra(key, value string) }); ok {
		addExtra = p.AddExtra
	}
	v := reflect.ValueOf(params)
	b.bind(v, addExtra)
	if id := b.pathID(); b.form.url != nil {
		b.form.url.slot(v).Set(reflect.ValueOf(&id))
	}
}

// pathID is the id for the URL, if the module is about one object.
func (b *Bundle) pathID() string {
	for i, f := range b.form.fields {
		if f.path {
			return b.vals[i].text
		}
	}
	return ""
}

// bind puts the bundle into a params struct; addExtra takes what no typed field can hold.
func (b *Bundle) bind(params reflect.Value, addExtra func(key, value string)) {
	for i, f := range b.form.fields {
		v := &b.vals[i]
		if v.state == absent || len(f.dest) == 0 {
			continue
		}
		to := b.target(f)
		if to == nil {
			continue
		}
		if v.state == cleared {
			f.clear(to, params, addExtra)
			continue
		}
		to.slot(params).Set(f.value(v, to.slot(params).Type(), addExtra))
	}
	for _, r := range b.form.ranges {
		if r.param != "" {
			r.binds.set(params, b.Bounds(strings.TrimSuffix(r.operator, ".operator")))
		}
	}
	for _, s := range b.form.sent {
		if s.when == nil || s.when(b) {
			p := reflect.New(reflect.TypeOf(s.value))
			p.Elem().Set(reflect.ValueOf(s.value))
			s.bind.slot(params).Set(p)
		}
	}
	for _, f := range b.form.fields {
		if f.Type == KindFilter {
			b.bindFilter(f, params)
		}
	}
	for _, e := range b.extras {
		addExtra(wire(e.open.name+"."+strings.Join(e.path, ".")), e.text)
	}
}

func (b *Bundle) bindFilter(f *field, params reflect.Value) {
	for _, c := range b.filterConditions(f) {
		switch {
		case c.param == "":
		case c.dates:
			c.dateBinds.set(params, c.bounds)
		default:
			c.textBind.slot(params).Set(reflect.ValueOf(&c.text))
		}
	}
}

// value is a given value as the type of its parameter. The pointers lead into the bundle, which outlives the call.
func (f *field) value(v *value, t reflect.Type, addExtra func(string, string)) reflect.Value {
	switch f.Type {
	case KindInteger, KindDate:
		return reflect.ValueOf(&v.number)
	case KindBoolean:
		return reflect.ValueOf(&v.truth)
	case KindMultiselect, KindTexts:
		texts := v.rest().list
		list := make([]*string, len(texts))
		for i := range texts {
			list[i] = &texts[i]
		}
		return reflect.ValueOf(list)
	case KindMetadata:
		list := v.rest().pairs
		pairs := make(map[string]string, len(list))
		for _, p := range list {
			pairs[p.Key] = p.Value
		}
		return reflect.ValueOf(pairs)
	case KindRows:
		list := v.rest().rows
		rows := reflect.MakeSlice(t, len(list), len(list))
		for i, row := range list {
			rows.Index(i).Set(reflect.New(t.Elem().Elem()))
			row.bind(rows.Index(i), addExtra)
		}
		return rows
	default:
		return reflect.ValueOf(&v.text)
	}
}

// clear empties a parameter: Stripe unsets what is sent empty. stripe-go encodes that for texts and lists; a number or
// a map has no empty form there and is sent beside the typed fields.
func (f *field) clear(to *binding, params reflect.Value, addExtra func(key, value string)) {
	switch slot := to.slot; f.Type {
	case KindMultiselect, KindTexts, KindRows:
		at := slot(params)
		at.Set(reflect.MakeSlice(at.Type(), 0, 0))
	case KindInteger, KindDate, KindBoolean, KindMetadata:
		addExtra(to.extra, "")
	default:
		slot(params).Set(reflect.ValueOf(new(string)))
	}
}
