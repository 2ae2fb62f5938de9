package main

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/stripe/stripe-mock/spec"

	"stripe-connector/internal/objects"
)

const (
	maxDepth = 4  // levels of fields below each other; what lies deeper is an open collection
	maxEnum  = 16 // longer lists are no help to anybody who fills in a form
)

// schemas are the components of Stripe's OpenAPI document, by name.
type schemas map[string]*spec.Schema

// describe answers the fields of the schema with that name.
func (s schemas) describe(name string) ([]objects.Field, error) {
	if s[name] == nil {
		return nil, fmt.Errorf("describing %s: Stripe has no such schema", name)
	}
	return s.field("", &spec.Schema{Ref: componentPrefix + name}, nil).Fields, nil
}

const componentPrefix = "#/components/schemas/"

// level is one object that fields are described in.
type level struct {
	above *level
	ref   string // of its schema, if that has a name
	depth int
}

func (l *level) within(ref string) bool {
	return l != nil && (l.ref == ref || l.above.within(ref))
}

// field describes a value of the schema that stands in the object in.
func (s schemas) field(name string, schema *spec.Schema, in *level) objects.Field {
	f := s.value(name, schema, in)
	f.Nullable = f.Nullable || schema.Nullable
	if f.Name = name; name != "" {
		f.Label = label(name)
	}
	return f
}

func (s schemas) value(name string, schema *spec.Schema, in *level) objects.Field {
	if schema.XExpansionResources != nil {
		return objects.Field{Type: objects.Text, Expandable: true}
	}
	if s.polymorphic(schema.AnyOf) {
		return objects.Field{Type: objects.Collection}
	}
	if len(schema.AnyOf) > 0 {
		f := s.field(name, schema.AnyOf[0], in)
		for _, branch := range schema.AnyOf[1:] {
			f = either(f, s.field(name, branch, in))
		}
		return f
	}
	ref := schema.Ref
	if ref != "" {
		if in.within(ref) {
			return objects.Field{Type: objects.Collection}
		}
		schema = s.resolve(schema)
	}
	switch schema.Type {
	case spec.TypeArray:
		item := s.field("", schema.Items, in)
		return objects.Field{Type: objects.Array, Item: &item}
	case spec.TypeBoolean:
		return objects.Field{Type: objects.Boolean}
	case spec.TypeInteger:
		if schema.Format == "unix-time" {
			return objects.Field{Type: objects.Date}
		}
		return objects.Field{Type: objects.Integer}
	case spec.TypeNumber:
		return objects.Field{Type: objects.Number}
	case spec.TypeString:
		if schema.Format == "" && isURL(name) {
			return objects.Field{Type: objects.URL}
		}
		return objects.Field{Type: objects.Text, Enum: enum(schema)}
	case spec.TypeObject:
		return s.collection(ref, schema, in)
	}
	return objects.Field{Type: objects.Any}
}

func (s schemas) collection(ref string, schema *spec.Schema, in *level) objects.Field {
	f := objects.Field{Type: objects.Collection}
	if schema.AdditionalProperties != nil {
		item := s.field("", schema.AdditionalProperties, in)
		f.Item = &item
	}
	here := &level{above: in, ref: ref, depth: 1}
	if in != nil {
		here.depth = in.depth + 1
	}
	list := isList(schema)
	if list {
		here.depth-- // the envelope of a list is no level that people think of
	}
	if here.depth > maxDepth {
		return f
	}
	for name, property := range schema.Properties {
		field := s.field(name, property, here)
		if list && field.Type == objects.URL {
			field.Type = objects.Text // the path of the list
		}
		f.Fields = append(f.Fields, field)
	}
	sortFields(f.Fields)
	return f
}

// resolve follows a reference.
func (s schemas) resolve(schema *spec.Schema) *spec.Schema {
	if schema.Ref == "" {
		return schema
	}
	return s[strings.TrimPrefix(schema.Ref, componentPrefix)]
}

// polymorphic tells whether the branches are several objects that stand for themselves, such as a card or a bank
// account. Together they have so many fields that describing them would hide the rest.
func (s schemas) polymorphic(branches []*spec.Schema) bool {
	return len(branches) > 1 && !slices.ContainsFunc(branches, func(b *spec.Schema) bool { return s.resolve(b).XResourceID == "" })
}

// inOrder compares names of fields as Stripe orders them in its answers: id, object, and the others by name.
func inOrder(a, b string) int {
	rank := func(name string) int { return slices.Index([]string{"object", "id"}, name) }
	return cmp.Or(cmp.Compare(rank(b), rank(a)), cmp.Compare(a, b))
}

func sortFields(fields []objects.Field) {
	slices.SortFunc(fields, func(a, b objects.Field) int { return inOrder(a.Name, b.Name) })
}

// either describes a value that is as a or as b describe it.
func either(a, b objects.Field) objects.Field {
	switch {
	case a.Type != b.Type:
		return objects.Field{Name: a.Name, Label: a.Label, Type: objects.Any, Nullable: a.Nullable || b.Nullable}
	case a.Type == objects.Array:
		item := either(*a.Item, *b.Item)
		a.Item = &item
	case a.Type == objects.Collection:
		if len(a.Fields) == 0 || len(b.Fields) == 0 || !reflect.DeepEqual(a.Item, b.Item) {
			a.Fields, a.Item = nil, nil // one of them is open
			break
		}
		fields := slices.Clone(a.Fields)
		for _, other := range b.Fields {
			if i := slices.IndexFunc(fields, func(f objects.Field) bool { return f.Name == other.Name }); i >= 0 {
				fields[i] = either(fields[i], other)
			} else {
				fields = append(fields, other)
			}
		}
		sortFields(fields)
		a.Fields = fields
	case len(a.Enum) == 0 || len(b.Enum) == 0:
		a.Enum = nil
	default:
		a.Enum = slices.Compact(slices.Sorted(slices.Values(slices.Concat(a.Enum, b.Enum))))
	}
	a.Nullable = a.Nullable || b.Nullable
	a.Expandable = a.Expandable || b.Expandable
	return a
}

// enum lists the values of a text, if they are few.
func enum(schema *spec.Schema) (values []string) {
	if len(schema.Enum) > maxEnum {
		return nil
	}
	for _, v := range schema.Enum {
		if text, ok := v.(string); ok {
			values = append(values, text)
		}
	}
	return values
}

// isURL tells by its name whether a text is a URL, which Stripe's document does not say.
func isURL(name string) bool {
	return name == "url" || strings.HasSuffix(name, "_url") || name == "invoice_pdf"
}

// isList tells whether the schema is the envelope of a list.
func isList(schema *spec.Schema) bool {
	object := schema.Properties["object"]
	return object != nil && len(object.Enum) == 1 && object.Enum[0] == "list"
}
