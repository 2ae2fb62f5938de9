// Package objects says what the objects look like that modules answer: their fields as a caller can map them, and a
// sample of each. The manifest, the OpenAPI document and the Make export show them; no answer passes through here.
//
// The descriptions are data, one file for each type of object, generated from Stripe's own OpenAPI document. To
// describe another type, name it in gen/main.go and run go generate.
package objects

import (
	"embed"
	"encoding/json"
	"fmt"
)

//go:generate go run ./gen

//go:embed data/*.json
var data embed.FS

// An Object is one type of object that Stripe answers.
type Object struct {
	Name   string          `json:"name"`  // as modules declare it and, but for deleted ones, as Stripe has it in "object"
	Label  string          `json:"label"` // for people
	Fields []Field         `json:"fields"`
	Sample json.RawMessage `json:"sample"` // compact JSON
}

// A Field is one key of an object, or what an array holds.
//
// An answer may lack any field, and a later API version may add some.
type Field struct {
	Name       string   `json:"name,omitempty"`
	Label      string   `json:"label,omitempty"`
	Type       Type     `json:"type"`
	Nullable   bool     `json:"nullable,omitempty"`
	Expandable bool     `json:"expandable,omitempty"` // an id, unless the caller expands it to the whole object
	Enum       []string `json:"enum,omitempty"`       // the values known today, where they are few
	Fields     []Field  `json:"fields,omitempty"`     // of a collection; none means that any key may be there
	Item       *Field   `json:"item,omitempty"`       // what an array holds, or each key of a collection with keys of the user's
}

// Type is the type of a field's value.
type Type string

// The types of fields.
const (
	Text       Type = "text"
	Integer    Type = "integer"
	Number     Type = "number"
	Boolean    Type = "boolean"
	Date       Type = "date" // Unix seconds
	URL        Type = "url"
	Array      Type = "array"
	Collection Type = "collection" // an object
	Any        Type = "any"
)

// Lookup finds a type of object by the name that modules declare, such as "customer". It decodes the description
// anew each time, and what it returns is the caller's.
func Lookup(name string) (Object, bool) {
	raw, err := data.ReadFile("data/" + name + ".json")
	if err != nil {
		return Object{}, false
	}
	var o Object
	if err := json.Unmarshal(raw, &o); err != nil {
		panic(fmt.Sprintf("objects: decoding the embedded description of %s: %v", name, err))
	}
	return o, true
}
