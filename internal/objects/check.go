package objects

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Check tells in which fields an answer differs from the description: they are not described, or have another type.
// It says nothing of fields that the answer lacks, of values outside Enum and of the inside of expanded objects.
func (o Object) Check(raw []byte) []string {
	var answer any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&answer); err != nil {
		return []string{fmt.Sprintf("%s: is no JSON: %v", o.Name, err)}
	}
	return Field{Type: Collection, Fields: o.Fields}.check(o.Name, answer)
}

func (f Field) check(path string, value any) (faults []string) {
	if value == nil && f.Nullable || f.Type == Any {
		return nil
	}
	switch value := value.(type) {
	case map[string]any:
		if f.Expandable {
			return nil
		}
		if f.Type != Collection {
			break
		}
		for _, key := range slices.Sorted(maps.Keys(value)) {
			at := path + "." + key
			i := slices.IndexFunc(f.Fields, func(f Field) bool { return f.Name == key })
			switch {
			case i >= 0:
				faults = append(faults, f.Fields[i].check(at, value[key])...)
			case f.Item != nil:
				faults = append(faults, f.Item.check(at, value[key])...)
			case len(f.Fields) > 0:
				faults = append(faults, at+": is not described")
			}
		}
		return faults
	case []any:
		if f.Type != Array {
			break
		}
		for i, item := range value {
			faults = append(faults, f.Item.check(fmt.Sprintf("%s[%d]", path, i), item)...)
		}
		return faults
	default:
		if f.scalar(value) {
			return nil
		}
	}
	return []string{fmt.Sprintf("%s: is %s, described as %s", path, kind(value), f.Type)}
}

// scalar tells whether the value is of the field's type. Its cases are all that encoding/json decodes.
func (f Field) scalar(value any) bool {
	switch value := value.(type) {
	case string:
		return f.Type == Text || f.Type == URL
	case bool:
		return f.Type == Boolean
	case json.Number:
		whole := !strings.ContainsAny(value.String(), ".eE")
		return f.Type == Number || whole && (f.Type == Integer || f.Type == Date)
	}
	return false
}

// kind names the JSON kind of a decoded value.
func kind(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case map[string]any:
		return "an object"
	case []any:
		return "an array"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	}
	return "a number"
}
