package console

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
)

// maxColoured is the longest JSON that is shown in colours, in bytes; longer texts would make a page slow.
const maxColoured = 128 << 10

// A token is a piece of JSON with the class of its colour.
type token struct{ Class, Text string }

var jsonToken = regexp.MustCompile(`"(?:[^"\\]|\\.)*"(\s*:)?|-?\d[\d.eE+-]*|\b(?:true|false|null)\b`)

// highlight makes JSON readable: indented, its tokens told apart. The text stays text; the template escapes it.
func highlight(raw []byte) []token {
	var buf bytes.Buffer
	if json.Indent(&buf, raw, "", "  ") != nil {
		return []token{{"", string(raw)}}
	}
	text := buf.String()
	if len(text) > maxColoured {
		return []token{{"", text}}
	}
	var tokens []token
	at := 0
	for _, m := range jsonToken.FindAllStringIndex(text, -1) {
		if m[0] > at {
			tokens = append(tokens, token{"", text[at:m[0]]})
		}
		one := text[m[0]:m[1]]
		class := "n"
		switch {
		case strings.HasSuffix(one, ":"):
			class = "k"
		case one[0] == '"':
			class = "s"
		case one == "true" || one == "false" || one == "null":
			class = "l"
		}
		tokens = append(tokens, token{class, one})
		at = m[1]
	}
	return append(tokens, token{"", text[at:]})
}

// An object is a JSON object that keeps the order of its keys.
type object struct {
	keys   []string
	values map[string]any
}

// set puts a value where a dotted path says. What is there already stays.
func (o *object) set(path string, value any) {
	step, rest, deeper := strings.Cut(path, ".")
	if o.values == nil {
		o.values = map[string]any{}
	}
	old, there := o.values[step]
	if !there {
		o.keys = append(o.keys, step)
	}
	switch inner, isObject := old.(*object); {
	case deeper && isObject:
		inner.set(rest, value)
	case deeper && !there:
		inner = &object{}
		inner.set(rest, value)
		o.values[step] = inner
	case !there:
		o.values[step] = value
	}
}

// MarshalJSON writes the keys in the order in which they were set.
func (o *object) MarshalJSON() ([]byte, error) {
	var buf bytes.Buffer
	buf.WriteByte('{')
	for i, key := range o.keys {
		if i > 0 {
			buf.WriteByte(',')
		}
		name, err := json.Marshal(key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(o.values[key])
		if err != nil {
			return nil, err
		}
		buf.Write(name)
		buf.WriteByte(':')
		buf.Write(value)
	}
	buf.WriteByte('}')
	return buf.Bytes(), nil
}
