package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

var client = &http.Client{Timeout: time.Minute}

// send sends a request and decodes the answer, nil if it has no body.
func send(r *http.Request) (status int, answer any, err error) {
	response, err := client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, nil, fmt.Errorf("reading the answer of %s %s: %w", r.Method, r.URL.Path, err)
	}
	if len(body) == 0 {
		return response.StatusCode, nil, nil
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return response.StatusCode, nil, fmt.Errorf("%s %s answered %d and no JSON: %.200s", r.Method, r.URL.Path, response.StatusCode, body)
	}
	return response.StatusCode, answer, nil
}

// at reads a field of decoded JSON: at(v, "bundles", 0, "id"). It is nil if there is no such field.
func at(v any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			fields, _ := v.(map[string]any)
			v = fields[step]
		case int:
			list, _ := v.([]any)
			if step >= len(list) {
				return nil
			}
			v = list[step]
		}
	}
	return v
}

// How much of an answer is shown: characters, and elements of a list.
const (
	maxBrief = 320
	maxItems = 2
)

// brief writes JSON for people: on one line, without what is empty or secret, what identifies first, and little of
// long lists.
func brief(v any) string {
	var b strings.Builder
	write(&b, v)
	if text := []rune(b.String()); len(text) > maxBrief {
		return string(text[:maxBrief]) + " …"
	}
	return b.String()
}

// leading are the fields worth seeing first.
var leading = []string{
	"status_code", "id", "object", "type", "title", "detail", "fields", "field", "message", "name", "email", "phone", "balance",
	"metadata", "shipping", "deleted",
}

func write(b *strings.Builder, v any) {
	switch v := v.(type) {
	case map[string]any:
		names := slices.SortedFunc(maps.Keys(v), func(a, b string) int {
			x, y := rank(a), rank(b)
			if x != y {
				return x - y
			}
			return strings.Compare(a, b)
		})
		b.WriteByte('{')
		first := true
		for _, name := range names {
			if empty(v[name]) {
				continue
			}
			if !first {
				b.WriteString(", ")
			}
			first = false
			b.WriteString(name + ": ")
			if strings.HasSuffix(name, "_secret") {
				b.WriteString(`"…"`)
				continue
			}
			write(b, v[name])
		}
		b.WriteByte('}')
	case []any:
		b.WriteByte('[')
		for i, item := range v[:min(maxItems, len(v))] {
			if i > 0 {
				b.WriteString(", ")
			}
			write(b, item)
		}
		if more := len(v) - maxItems; more > 0 {
			fmt.Fprintf(b, ", … %d more", more)
		}
		b.WriteByte(']')
	default:
		text, _ := json.Marshal(v) // what was decoded can be encoded
		b.Write(text)
	}
}

func rank(name string) int {
	if i := slices.Index(leading, name); i >= 0 {
		return i
	}
	return len(leading)
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return false
}
