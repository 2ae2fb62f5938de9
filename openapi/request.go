package openapi

import (
	"slices"
	"strconv"
	"strings"

	"stripe-connector/internal/spec"
)

// A requestSchema writes the schema of a bundle. It is as lenient as decoding is: a bundle that the service takes fits it.
// The other way round it promises less, since rules between fields are more than a schema can say.
type requestSchema struct {
	name       string // of the component
	update     bool
	row        bool                // of a list of objects, not the bundle itself
	label      func(string) string // of a field, by its name
	components *object             // where rows go
}

// A branch is one key of a bundle: a field, or an object with keys below it.
type branch struct {
	name  string
	field *spec.Node
	alias string // the key that the field is better sent under
	open  bool   // takes keys that no field has
	below []*branch
}

func (b *branch) at(path string) *branch {
	for step := range strings.SplitSeq(path, ".") {
		i := slices.IndexFunc(b.below, func(c *branch) bool { return c.name == step })
		if i < 0 {
			i = len(b.below)
			b.below = append(b.below, &branch{name: step})
		}
		b = b.below[i]
	}
	return b
}

// grow arranges fields by the steps of their names.
func grow(fields []spec.Node, open []string) *branch {
	root := &branch{}
	for i, f := range fields {
		root.at(f.Name).field = &fields[i]
		for _, alias := range f.Aliases {
			at := root.at(alias)
			at.field, at.alias = &fields[i], f.Name
		}
	}
	for _, name := range open {
		root.at(name).open = true
	}
	return root
}

// bundle is the schema of a module's bundle. What lists of objects hold becomes components of their own.
func bundle(m *spec.Module, components *object) object {
	fields := m.Accepted()
	r := requestSchema{name: schemaName(m), update: m.Update, label: labels(fields), components: components}
	s := append(object{{"type", "object"}, {"title", m.Label}}, r.keys(grow(fields, m.OpenObjects()))...)
	return append(s, conditions(fields)...).with("examples", Examples(m))
}

func labels(fields []spec.Node) func(string) string {
	return func(name string) string {
		i := slices.IndexFunc(fields, func(f spec.Node) bool { return f.Name == name })
		return fields[i].Label + " (`" + name + "`)"
	}
}

// keys are the keywords of an object with the keys of a branch.
func (r *requestSchema) keys(b *branch) object {
	var properties object
	var required, deeper []string
	for _, c := range b.below {
		switch {
		case c.field != nil:
			properties = append(properties, member{c.name, r.field(c)})
			if f := c.field; f.Required && f.Default == nil && len(f.VisibleWhen) == 0 && len(f.Aliases) == 0 && !strings.Contains(f.Name, ".") {
				required = append(required, c.name)
			}
		default:
			properties = append(properties, member{c.name, append(object{{"type", []string{"object", "null"}}}, r.keys(c)...)})
		}
		if len(c.below) > 0 {
			deeper = append(deeper, c.name)
		}
	}
	patterns := object{{"^__IMT", object{{"description", "Ignored: keys that Make keeps for itself."}}}}
	if len(deeper) > 0 {
		patterns = append(patterns, member{"^(" + strings.Join(deeper, "|") + `)\.`, object{{"description", "A dotted key, such as `" + deeper[0] + "." + firstBelow(b, deeper[0]) + "`, stands for the nested one."}}})
	}
	s := object{{"properties", properties}}.with("required", required)
	s = append(s, member{"patternProperties", patterns})
	if b.open {
		return append(s, member{"additionalProperties", object{
			{"type", []string{"object", "string", "null"}},
			{"description", "Details of the chosen kind, below its name. Stripe's API reference lists them."},
		}})
	}
	return append(s, member{"additionalProperties", false})
}

func firstBelow(b *branch, name string) string {
	var steps []string
	for at := b.at(name); len(at.below) > 0; {
		at = at.below[0]
		steps = append(steps, at.name)
	}
	return strings.Join(steps, ".")
}

// field is the schema of one field under one of its keys.
func (r *requestSchema) field(c *branch) object {
	f := c.field
	s := object{}.with("title", f.Label).with("description", r.describe(f))
	if c.alias != "" {
		s = object{{"title", f.Label}, {"description", "Another key for `" + c.alias + "`."}, {"deprecated", true}}
	}
	if f.Refused != "" {
		return append(s, member{"enum", []any{"", nil}})
	}
	s = append(s, r.value(f)...)
	if f.Default != nil {
		s = s.with("default", f.Default)
	}
	return s
}

// describe is the field's help, followed by what a schema can hardly say.
func (r *requestSchema) describe(f *spec.Node) string {
	sentences := []string{f.Help}
	add := func(s string) { sentences = append(sentences, s) }
	if f.Refused != "" {
		add("Any value is an error: " + strings.TrimSuffix(f.Refused, ".") + ".")
	}
	if len(f.VisibleWhen) > 0 {
		var all []string
		for _, either := range f.VisibleWhen {
			var one []string
			for _, c := range either {
				one = append(one, r.label(c.Field)+" is "+fewOf(c.In))
			}
			all = append(all, strings.Join(one, " or "))
		}
		verb := "Goes"
		if f.Required {
			verb = "Required, and goes"
		}
		add(verb + " only when " + strings.Join(all, ", and ") + ".")
	}
	if len(f.RequiredWith) > 0 {
		var with []string
		for _, name := range f.RequiredWith {
			with = append(with, r.label(name))
		}
		add("Required together with " + strings.Join(with, " or ") + ".")
	}
	if f.Open {
		add("Values that are not listed pass too.")
	}
	if r.update && f.Stored && f.Clearable {
		add("`null` empties it.")
	}
	if f.Lookup != nil {
		if must := f.Lookup.Must(); must != "" {
			add(must)
		}
		add("Choices: `GET /v1/lookups/" + f.Lookup.Name + "`.")
	}
	return strings.TrimSpace(strings.Join(sentences, " "))
}

// fewOf lists values in code quotes, as far as a sentence can bear.
func fewOf(values []string) string {
	const most = 6
	quoted := make([]string, 0, most)
	for i, v := range values {
		if i == most {
			return strings.Join(quoted, ", ") + " or " + strconv.Itoa(len(values)-most) + " more"
		}
		quoted = append(quoted, "`"+v+"`")
	}
	return strings.Join(quoted, " or ")
}

// leaves says that an empty text means that the field was not given.
func (r *requestSchema) leaves(f *spec.Node) bool {
	return !f.Required || f.Default != nil || len(f.VisibleWhen) > 0 || r.row
}

// takesNull says that null does: in updating modules it empties what Stripe keeps, elsewhere it is not given.
func (r *requestSchema) takesNull(f *spec.Node) bool {
	if r.update && f.Stored {
		return f.Clearable
	}
	return r.leaves(f)
}

// types is a type keyword, with null where that is taken.
func (r *requestSchema) types(f *spec.Node, types ...string) member {
	if r.takesNull(f) {
		types = append(types, "null")
	}
	if len(types) == 1 {
		return member{"type", types[0]}
	}
	return member{"type", types}
}

// The texts that stand for integers and booleans.
const (
	integerText = `^\s*[+-]?\d+(\.0+)?([eE]\+?\d+)?\s*$`
	booleanText = `^\s*([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|[Yy][Ee][Ss]|[Nn][Oo]|[Oo][Nn]|[Oo][Ff][Ff]|1|0)\s*$`
)

// pattern lets blanks stand around a value, and an empty text where that is taken.
func (r *requestSchema) pattern(f *spec.Node, pattern string) string {
	if pattern == "" {
		return ""
	}
	if rest, ok := strings.CutPrefix(pattern, "^"); ok && !strings.HasPrefix(rest, `\s`) {
		pattern = `^\s*` + rest
	}
	if rest, ok := strings.CutSuffix(pattern, "$"); ok && !strings.HasSuffix(rest, `\s*`) {
		pattern = rest + `\s*$`
	}
	if r.leaves(f) {
		pattern = `^\s*$|` + pattern
	}
	return pattern
}

// value are the keywords that say what a field takes.
func (r *requestSchema) value(f *spec.Node) object {
	switch f.Type {
	case spec.KindInteger:
		return object{r.types(f, "integer", "string")}.
			with("minimum", f.Min).with("maximum", f.Max).with("pattern", r.pattern(f, integerText))
	case spec.KindBoolean:
		return object{r.types(f, "boolean", "string", "integer"), {"minimum", 0}, {"maximum", 1}, {"pattern", r.pattern(f, booleanText)}}
	case spec.KindDate:
		return object{r.types(f, "string", "number"), {"examples", []any{"2024-06-20T15:04:05Z", "2024-06-20", 1718895845}}}
	case spec.KindSelect:
		return either(r.choices(f)...)
	case spec.KindMultiselect:
		one := r.choices(f)
		return either(append([]object{object{{"type", "array"}, {"items", either(one[0], one[1], nothing)}}.with("maxItems", f.MaxItems)}, one[1:]...)...)
	case spec.KindTexts:
		return object{r.types(f, "array", "string", "number"), {"items", object{{"type", []string{"string", "number", "null"}}}}}.with("maxItems", f.MaxItems)
	case spec.KindMetadata:
		return object{{"$ref", "#/components/schemas/Metadata"}}
	case spec.KindRows, spec.KindFilter:
		return r.rows(f)
	case spec.KindAny:
		return nil
	case spec.KindConnection:
		return object{{"type", "string"}, {"minLength", 1}, {"maxLength", f.MaxLength}}
	default:
		s := object{r.types(f, "string", "number")}.with("minLength", f.MinLength).with("maxLength", f.MaxLength).with("pattern", r.pattern(f, f.Pattern))
		if f.Type == spec.KindEmail {
			s = s.with("format", "email")
		}
		if f.Type == spec.KindURL {
			s = s.with("format", "uri")
		}
		return s
	}
}

// choices are the alternatives of a select: its values, other spellings of them, and null where that is taken.
func (r *requestSchema) choices(f *spec.Node) []object {
	var values []string
	var named object
	for _, o := range f.Options {
		if o.Refused == "" {
			values = append(values, o.Value)
			named = append(named, member{o.Value, o.Label})
		}
	}
	list := []object{
		{{"type", "string"}, {"enum", values}, {"x-enumDescriptions", named}},
		{{"$ref", "#/components/schemas/ChoiceText"}},
	}
	if r.takesNull(f) {
		list = append(list, nothing)
	}
	return list
}

// nothing is null: an unfilled row of a list, or what takesNull says.
var nothing = object{{"type", "null"}}

func either(alternatives ...object) object { return object{{"anyOf", alternatives}} }

// rows is a list of objects; one object counts as a list of one.
func (r *requestSchema) rows(f *spec.Node) object {
	name := r.name + "." + f.Name
	row := requestSchema{name: name, row: true, label: labels(f.Items), components: r.components}
	*r.components = append(*r.components, member{name, append(object{{"type", "object"}, {"title", f.Label}}, row.keys(grow(f.Items, nil))...)})
	ref := object{{"$ref", "#/components/schemas/" + name}}
	item := either(ref, nothing)
	list := object{{"type", "array"}, {"items", item}}.with("maxItems", f.MaxItems)
	alternatives := []object{list, ref}
	if f.Type == spec.KindFilter {
		alternatives = append(alternatives, object{
			{"type", "array"},
			{"maxItems", 1},
			{"items", object{{"type", "array"}, {"items", item}}},
			{"description", "As Make writes it: one inner list."},
		})
	}
	if len(f.Items) == 2 && f.Items[0].Name == "key" && f.Items[1].Name == "value" {
		alternatives = append(alternatives, object{
			{"type", "object"}, {"additionalProperties", object{{"type", []string{"string", "number", "null"}}}}, {"description", "The same as one object of texts."},
		})
	}
	if r.leaves(f) {
		alternatives = append(alternatives, object{{"type", "string"}, {"maxLength", 0}, {"description", "Empty: not given."}})
	}
	if r.takesNull(f) {
		alternatives = append(alternatives, nothing)
	}
	return either(alternatives...)
}

// conditions are the keywords that make a field required once a select is set to an option that shows it. Only what can
// be said without dots is said: below an object a key may come in two spellings.
func conditions(fields []spec.Node) object {
	type option struct{ control, value string }
	var order []option
	required := map[option][]string{}
	for _, f := range fields {
		plain := f.Required && len(f.VisibleWhen) == 1 && len(f.VisibleWhen[0]) == 1 && len(f.Aliases) == 0 && !strings.Contains(f.Name, ".")
		if !plain || strings.Contains(f.VisibleWhen[0][0].Field, ".") {
			continue
		}
		for _, value := range f.VisibleWhen[0][0].In {
			o := option{f.VisibleWhen[0][0].Field, value}
			if required[o] == nil {
				order = append(order, o)
			}
			required[o] = append(required[o], f.Name)
		}
	}
	var all []object
	for _, o := range order {
		all = append(all, object{
			{"if", object{{"properties", object{{o.control, object{{"const", o.value}}}}}, {"required", []string{o.control}}}},
			{"then", object{{"required", required[o]}}},
		})
	}
	if len(all) == 0 {
		return nil
	}
	return object{{"allOf", all}}
}
