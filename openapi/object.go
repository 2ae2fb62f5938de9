package openapi

import (
	"bytes"
	"encoding/json"
	"slices"
)

// An object is a JSON object whose members keep the order in which they were written: readers see forms in that order.
type object []member

type member struct {
	name  string
	value any
}

// with adds a member, unless the value is empty.
func (o object) with(name string, value any) object {
	switch v := value.(type) {
	case nil:
		return o
	case string:
		if v == "" {
			return o
		}
	case int:
		if v == 0 {
			return o
		}
	case *int64:
		if v == nil {
			return o
		}
	case []string:
		if len(v) == 0 {
			return o
		}
	case object:
		if len(v) == 0 {
			return o
		}
	}
	return append(o, member{name, value})
}

// put sets the member at a path, and makes the objects on the way.
func (o *object) put(path []string, value any) {
	i := slices.IndexFunc(*o, func(m member) bool { return m.name == path[0] })
	if i < 0 {
		i = len(*o)
		*o = append(*o, member{name: path[0]})
	}
	at := &(*o)[i]
	if len(path) == 1 {
		at.value = value
		return
	}
	below, _ := at.value.(object)
	below.put(path[1:], value)
	at.value = below
}

// MarshalJSON writes the members in order.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		for _, part := range []any{m.name, m.value} {
			raw, err := encode(part)
			if err != nil {
				return nil, err
			}
			b.Write(raw)
			b.WriteByte(':')
		}
		b.Truncate(b.Len() - 1)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// encode is json.Marshal without escapes for HTML, which nobody wants to read.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
