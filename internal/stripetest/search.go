package stripetest

import (
	"encoding/json"
	"fmt"
	"strings"
)

// search answers Stripe's search endpoints, see https://docs.stripe.com/search. Unlike Stripe's, it never lags.
func (q *request) search(kind string) ([]byte, *apiError) {
	limit, e := q.limit()
	if e != nil {
		return nil, e
	}
	matches, err := parseQuery(text(q.params["query"]))
	if err != nil {
		return nil, invalid("We were unable to parse your search query: "+err.Error()).with("", "query")
	}
	shelf := q.space.shelves[kind]
	next := len(shelf) - 1
	if page, ok := q.params["page"].(string); ok {
		for next >= 0 && shelf[next].id != page {
			next--
		}
		if next < 0 {
			return nil, invalid("Invalid page token: "+page).with("", "page")
		}
	}
	found := make([]*object, 0, limit)
	extra := map[string]any{"next_page": nil}
	for ; next >= 0; next-- {
		if !matches(shelf[next]) {
			continue
		}
		if len(found) == limit {
			extra["next_page"] = shelf[next].id
			break
		}
		found = append(found, shelf[next])
	}
	return q.page(kind, found, extra["next_page"] != nil, extra)
}

// parseQuery reads a query such as
//
//	email:"a@b.c" AND -metadata["plan"]:"free" AND created>1700000000
//
// AND and OR cannot be mixed, as at Stripe.
func parseQuery(query string) (func(*object) bool, error) {
	p := &queryParser{rest: query}
	var clauses []func(*object) bool
	joint := ""
	for {
		clause, err := p.clause()
		if err != nil {
			return nil, err
		}
		clauses = append(clauses, clause)
		word := strings.ToUpper(p.word())
		if word == "" {
			break
		}
		if (word != "AND" && word != "OR") || (joint != "" && joint != word) {
			return nil, fmt.Errorf("unexpected %q", word)
		}
		joint = word
	}
	if p.space(); p.rest != "" {
		return nil, fmt.Errorf("unexpected %q", p.rest)
	}
	return func(o *object) bool {
		for _, clause := range clauses {
			if clause(o) == (joint == "OR") {
				return joint == "OR"
			}
		}
		return joint != "OR"
	}, nil
}

type queryParser struct{ rest string }

func (p *queryParser) space() { p.rest = strings.TrimLeft(p.rest, " \t\n") }

func (p *queryParser) take(token string) bool {
	p.space()
	rest, ok := strings.CutPrefix(p.rest, token)
	if ok {
		p.rest = rest
	}
	return ok
}

// word reads a name or a number, dots included.
func (p *queryParser) word() string {
	p.space()
	end := strings.IndexFunc(p.rest, func(r rune) bool {
		return r != '_' && r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
	if end < 0 {
		end = len(p.rest)
	}
	word := p.rest[:end]
	p.rest = p.rest[end:]
	return word
}

// value reads a quoted text, a number or null.
func (p *queryParser) value() (string, error) {
	p.space()
	if p.rest == "" || (p.rest[0] != '"' && p.rest[0] != '\'') {
		if word := p.word(); word != "" {
			return word, nil
		}
		return "", fmt.Errorf("expected a value before %q", p.rest)
	}
	quote := p.rest[0]
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '\\' && i+1 < len(p.rest):
			i++
			b.WriteByte(p.rest[i])
		case c == quote:
			p.rest = p.rest[i+1:]
			return b.String(), nil
		default:
			b.WriteByte(c)
		}
	}
	return "", fmt.Errorf("unclosed quote in %s", p.rest)
}

func (p *queryParser) clause() (func(*object) bool, error) {
	negated := p.take("-")
	name := p.word()
	if name == "" {
		return nil, fmt.Errorf("expected a field before %q", p.rest)
	}
	path := strings.Split(name, ".")
	if p.take("[") {
		key, err := p.value()
		if err != nil {
			return nil, err
		}
		if !p.take("]") {
			return nil, fmt.Errorf("expected ] before %q", p.rest)
		}
		path = append(path, key)
	}
	operator := ""
	for _, candidate := range [...]string{">=", "<=", ">", "<", ":", "=", "~"} {
		if p.take(candidate) {
			operator = candidate
			break
		}
	}
	if operator == "" {
		return nil, fmt.Errorf("expected an operator after %q", name)
	}
	want, err := p.value()
	if err != nil {
		return nil, err
	}
	return func(o *object) bool {
		var got any = o.fields
		for _, step := range path {
			fields, _ := got.(map[string]any)
			got = fields[step]
		}
		return compare(got, operator, want) != negated
	}, nil
}

func compare(got any, operator, want string) bool {
	if want == "null" {
		return got == nil
	}
	switch operator {
	case "~":
		return strings.Contains(strings.ToLower(text(got)), strings.ToLower(want))
	case ":", "=":
		return strings.EqualFold(text(got), want)
	}
	if got == nil {
		return false
	}
	g, w := number(got), number(json.Number(want))
	switch operator {
	case ">":
		return g > w
	case ">=":
		return g >= w
	case "<":
		return g < w
	}
	return g <= w
}
