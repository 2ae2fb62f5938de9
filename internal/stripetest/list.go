package stripetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Page sizes, see https://docs.stripe.com/api/pagination.
const (
	defaultLimit = 10
	maxLimit     = 100
)

func (q *request) limit() (int, *apiError) {
	limit, given := q.params["limit"]
	if !given {
		return defaultLimit, nil
	}
	n := int(number(limit))
	switch {
	case n < 1:
		return 0, invalid("This value must be greater than or equal to 1.").with("parameter_invalid_integer", "limit")
	case n > maxLimit:
		return 0, invalid(fmt.Sprintf("This value must be less than or equal to %d (it currently is '%d').", maxLimit, n)).with("parameter_invalid_integer", "limit")
	}
	return n, nil
}

// list answers with a page of a collection, newest first, narrowed by every parameter that is not about paging.
func (q *request) list(kind string) ([]byte, *apiError) {
	limit, e := q.limit()
	if e != nil {
		return nil, e
	}
	parent, owner := "", ""
	if len(q.values) > 0 {
		parent = q.values[0]
		if owner, e = q.checkOwner(); e != nil {
			return nil, e
		}
	}
	if !q.remembered(kind) {
		return q.page(kind, []*object{{id: "", kind: kind, fields: q.server.spec.fresh(kind, q.space, q.server.now().Unix())}}, false, nil)
	}

	wanted := q.filters(kind)
	matches := func(o *object) bool {
		if parent != "" && o.parent != parent && text(o.fields[owner]) != parent {
			return false
		}
		for _, want := range wanted {
			if !want(o) {
				return false
			}
		}
		return true
	}
	shelf := q.space.shelves[kind]
	step := -1 // newest first; the lines of a document stand in their order
	if kind == "item" || kind == "line_item" {
		step = 1
	}
	start, backwards := -1, false
	for _, name := range [...]string{"starting_after", "ending_before"} {
		id, ok := q.params[name].(string)
		if !ok {
			continue
		}
		for i, o := range shelf {
			if o.id == id {
				start = i
			}
		}
		if start < 0 {
			e := missing(kind, id, name)
			e.Status = http.StatusBadRequest
			return nil, e
		}
		backwards = name == "ending_before"
	}
	if backwards {
		step = -step
	}
	if start < 0 && step < 0 {
		start = len(shelf)
	}

	found := make([]*object, 0, limit)
	more := false
	for i := start + step; i >= 0 && i < len(shelf); i += step {
		if !matches(shelf[i]) {
			continue
		}
		if len(found) == limit {
			more = true
			break
		}
		found = append(found, shelf[i])
	}
	if backwards {
		slices.Reverse(found)
	}
	return q.page(kind, found, more, nil)
}

// remembered reports whether lists of the kind come from memory. What nobody can create, such as country
// specifications, is sampled.
func (q *request) remembered(kind string) bool {
	if _, stored := q.space.shelves[kind]; stored || len(q.values) > 0 {
		return true
	}
	switch kind {
	case "event", "balance_transaction", "charge", "refund", "dispute":
		return true
	}
	return q.server.spec.creates[q.route.pattern]
}

// page encodes a list; the objects' own bytes stay as they are. More fields, if any, are those of a search.
func (q *request) page(kind string, objects []*object, more bool, extra map[string]any) ([]byte, *apiError) {
	paths := expansions(q.params)
	data := make([]json.RawMessage, 0, len(objects))
	for _, o := range objects {
		raw := o.raw
		if len(paths) > 0 || raw == nil {
			fields := clone(o.fields)
			for _, path := range paths {
				below, ok := strings.CutPrefix(path, "data.")
				if !ok {
					return nil, cannotExpand(path)
				}
				if e := q.space.expand(q.server.spec.schema(kind), fields, below); e != nil {
					return nil, e
				}
			}
			raw = encode(fields)
		}
		data = append(data, raw)
	}

	// Written by hand because encoding/json would reformat the objects' bytes.
	var b bytes.Buffer
	object := "list"
	if extra != nil {
		object = "search_result"
	}
	fmt.Fprintf(&b, "{\n  \"object\": %q,\n  \"data\": [", object)
	for i, raw := range data {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n")
		b.Write(raw)
	}
	fmt.Fprintf(&b, "\n  ],\n  \"has_more\": %t", more)
	for _, name := range [...]string{"next_page"} {
		if value, ok := extra[name]; ok {
			fmt.Fprintf(&b, ",\n  %q: %s", name, encode(value))
		}
	}
	fmt.Fprintf(&b, ",\n  \"url\": %s\n}", encode(q.path))
	return b.Bytes(), nil
}

// filters turns the parameters of a list into conditions on its objects.
func (q *request) filters(kind string) []func(*object) bool {
	schema := q.server.spec.schema(kind)
	var all []func(*object) bool
	for name, want := range q.params {
		switch name {
		case "limit", "starting_after", "ending_before", "expand", "page", "query":
			continue
		}
		if special := specialFilter(kind, name, want); special != nil {
			all = append(all, special)
			continue
		}
		known := property(schema, name) != nil
		all = append(all, func(o *object) bool {
			got, present := o.fields[name]
			return (!known && !present) || fits(got, want)
		})
	}
	return all
}

// specialFilter knows the filters that do not compare a field of the same name.
func specialFilter(kind, name string, want any) func(*object) bool {
	switch kind + "." + name {
	case "event.types":
		return func(o *object) bool { return fits(o.fields["type"], want) }
	case "event.type":
		prefix, wild := strings.CutSuffix(text(want), "*")
		return func(o *object) bool {
			got := text(o.fields["type"])
			return got == prefix || wild && strings.HasPrefix(got, prefix)
		}
	case "invoiceitem.pending":
		return func(o *object) bool { return (o.fields["invoice"] == nil) == (want == true) }
	case "balance_transaction.payout":
		return func(o *object) bool { return text(want) == o.source || text(want) == text(o.fields["source"]) }
	case "price.lookup_keys":
		return func(o *object) bool { return fits(o.fields["lookup_key"], want) }
	case "subscription.status":
		if want == "all" {
			return func(*object) bool { return true }
		}
	}
	if name == "ids" {
		return func(o *object) bool { return fits(o.id, want) }
	}
	return nil
}

// fits compares a field with a condition: a value, a list of which one must fit, a range, or fields of their own.
func fits(got, want any) bool {
	switch w := want.(type) {
	case []any:
		for _, one := range w {
			if fits(got, one) {
				return true
			}
		}
		return false
	case map[string]any:
		fields, _ := got.(map[string]any)
		for name, bound := range w {
			ok := got != nil
			switch name {
			case "gt":
				ok = ok && number(got) > number(bound)
			case "gte":
				ok = ok && number(got) >= number(bound)
			case "lt":
				ok = ok && number(got) < number(bound)
			case "lte":
				ok = ok && number(got) <= number(bound)
			default:
				ok = fits(fields[name], bound)
			}
			if !ok {
				return false
			}
		}
		return true
	}
	return text(got) == text(want)
}
