package openapi

import (
	"strings"

	"stripe-connector/internal/objects"
)

// bundleSchema describes an object of Stripe's. Nothing in it is required and more may be there: what Stripe answers
// depends on the API version, on the account and on what the caller expands.
func bundleSchema(o objects.Object) object {
	s := object{
		{"title", o.Label},
		{"type", "object"},
		{"description", "Stripe's object, byte for byte as Stripe wrote it. Any field may be absent, and others may be there."},
	}
	return append(s, properties(o.Fields)...).with("examples", []any{o.Sample})
}

func properties(fields []objects.Field) object {
	var all object
	for _, f := range fields {
		all = append(all, member{f.Name, answerField(f)})
	}
	return object{{"properties", all}, {"additionalProperties", true}}
}

func answerField(f objects.Field) object {
	s := object{}.with("title", f.Label)
	var types, notes []string
	var rest object
	switch f.Type {
	case objects.Text:
		types = []string{"string"}
	case objects.URL:
		types, rest = []string{"string"}, object{{"format", "uri"}}
	case objects.Integer:
		types = []string{"integer"}
	case objects.Date:
		types, notes = []string{"integer"}, []string{"Unix seconds."}
	case objects.Number:
		types = []string{"number"}
	case objects.Boolean:
		types = []string{"boolean"}
	case objects.Array:
		types, rest = []string{"array"}, object{{"items", answerField(*f.Item)}}
	case objects.Collection:
		types = []string{"object"}
		switch {
		case f.Item != nil:
			rest = object{{"additionalProperties", answerField(*f.Item)}}
		case len(f.Fields) > 0:
			rest = properties(f.Fields)
		default:
			rest = object{{"additionalProperties", true}}
		}
	case objects.Any:
		return s
	}
	if f.Expandable {
		types = append(types, "object")
		notes = append(notes, "An id, or the whole object once it is expanded.")
	}
	if f.Nullable {
		types = append(types, "null")
	}
	if len(types) == 1 {
		s = append(s, member{"type", types[0]})
	} else {
		s = append(s, member{"type", types})
	}
	if len(f.Enum) > 0 {
		// Not an enum: Stripe adds values without a new version of its API.
		notes = append(notes, "Known values: "+strings.Join(f.Enum, ", ")+".")
	}
	return append(s.with("description", strings.Join(notes, " ")), rest...)
}
