package makeapp_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"stripe-connector/internal/makeapp"
)

// A small reading of Make's template language, as far as the app uses it: paths, comparisons, sums of texts and a few
// functions. See https://developers.make.com/custom-apps-documentation/component-blocks/iml.

// undefined is what a path leads to when there is nothing. Make leaves such members out of what it sends.
type undefined struct{}

// A term is a parsed expression.
type term interface {
	value(scope map[string]any) any
}

type (
	literal  struct{ v any }
	variable struct{ steps []any } // names, and indices that begin with 1
	function struct {
		name string
		args []term
	}
	operation struct {
		operator    string
		left, right term
	}
)

// functions are those that every app may use.
var functions = map[string]func(args []any) any{
	"if": func(a []any) any {
		if truthy(a[0]) {
			return a[1]
		}
		return a[2]
	},
	"ifempty": func(a []any) any {
		if a[0] == nil || a[0] == undefined(struct{}{}) || a[0] == "" {
			return a[1]
		}
		return a[0]
	},
	"min": func(a []any) any { return min(number(a[0]), number(a[1])) },
	"omit": func(a []any) any {
		o, _ := a[0].(map[string]any)
		rest := maps.Clone(o)
		for _, key := range a[1:] {
			delete(rest, text(key))
		}
		return rest
	},
}

func (l literal) value(map[string]any) any { return l.v }

func (v variable) value(scope map[string]any) any {
	var at any = scope
	for _, step := range v.steps {
		switch step := step.(type) {
		case string:
			o, _ := at.(map[string]any)
			next, ok := o[step]
			if !ok {
				return undefined{}
			}
			at = next
		case int:
			l, _ := at.([]any)
			if step < 1 || step > len(l) {
				return undefined{}
			}
			at = l[step-1]
		}
	}
	return at
}

func (f function) value(scope map[string]any) any {
	args := make([]any, len(f.args))
	for i, a := range f.args {
		args[i] = a.value(scope)
	}
	return functions[f.name](args)
}

func (o operation) value(scope map[string]any) any {
	l, r := o.left.value(scope), o.right.value(scope)
	switch o.operator {
	case "+":
		return text(l) + text(r)
	case "=":
		return text(l) == text(r)
	case "<":
		return number(l) < number(r)
	default:
		return number(l) >= number(r)
	}
}

func truthy(v any) bool {
	return v != nil && v != undefined(struct{}{}) && v != "" && v != false && v != json.Number("0")
}

func text(v any) string {
	switch v := v.(type) {
	case nil, undefined:
		return ""
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	default:
		return fmt.Sprint(v)
	}
}

func number(v any) float64 {
	n, _ := strconv.ParseFloat(text(v), 64)
	return n
}

// A parser reads one expression.
type parser struct{ rest string }

var errSyntax = errors.New("cannot be read")

func parse(expression string) (t term, err error) {
	p := &parser{rest: expression}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v at %q", errSyntax, r, p.rest)
		}
	}()
	t = p.comparison()
	if p.skip(); p.rest != "" {
		panic("something is left")
	}
	return t, nil
}

func (p *parser) skip() { p.rest = strings.TrimLeft(p.rest, " ") }

func (p *parser) take(token string) bool {
	p.skip()
	rest, ok := strings.CutPrefix(p.rest, token)
	if ok {
		p.rest = rest
	}
	return ok
}

func (p *parser) comparison() term {
	left := p.sum()
	for _, operator := range []string{">=", "<", "="} {
		if p.take(operator) {
			return operation{operator, left, p.sum()}
		}
	}
	return left
}

func (p *parser) sum() term {
	left := p.primary()
	for p.take("+") {
		left = operation{"+", left, p.primary()}
	}
	return left
}

func (p *parser) primary() term {
	if p.take("'") {
		s, rest, ok := strings.Cut(p.rest, "'")
		if !ok {
			panic("a text has no end")
		}
		p.rest = rest
		return literal{s}
	}
	word := p.word()
	switch {
	case word == "true" || word == "false":
		return literal{word == "true"}
	case word == "emptyarray":
		return literal{[]any{}}
	case strings.Trim(word, "0123456789") == "":
		return literal{json.Number(word)}
	case p.take("("):
		f := function{name: word}
		for !p.take(")") {
			if len(f.args) > 0 && !p.take(",") {
				panic("a comma is missing")
			}
			f.args = append(f.args, p.comparison())
		}
		if want := map[string]int{"if": 3}[word]; functions[word] == nil || want != 0 && len(f.args) != want || len(f.args) < 2 {
			panic("no function " + word + " of " + strconv.Itoa(len(f.args)))
		}
		return f
	}
	v := variable{steps: []any{word}}
	for {
		switch {
		case p.take("."):
			v.steps = append(v.steps, p.word())
		case p.take("["):
			i, err := strconv.Atoi(p.word())
			if err != nil || !p.take("]") {
				panic("an index")
			}
			v.steps = append(v.steps, i)
		default:
			return v
		}
	}
}

func (p *parser) word() string {
	p.skip()
	n := strings.IndexFunc(p.rest, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
	if n < 0 {
		n = len(p.rest)
	}
	if n == 0 {
		panic("a word is missing")
	}
	word := p.rest[:n]
	p.rest = p.rest[n:]
	return word
}

// A piece of a template is a text or a term.
type piece struct {
	text string
	term term
}

func pieces(template string) ([]piece, error) {
	var list []piece
	for template != "" {
		before, rest, ok := strings.Cut(template, "{{")
		if before != "" {
			list = append(list, piece{text: before})
		}
		if !ok {
			break
		}
		expression, after, ok := strings.Cut(rest, "}}")
		if !ok {
			return nil, fmt.Errorf("%w: a template has no end", errSyntax)
		}
		t, err := parse(expression)
		if err != nil {
			return nil, err
		}
		list = append(list, piece{term: t})
		template = after
	}
	return list, nil
}

const spread = "{{...}}"

// render fills a template of any shape. A text that is one expression becomes its value; what is undefined is left out.
func render(t *testing.T, template any, scope map[string]any) any {
	t.Helper()
	switch template := template.(type) {
	case string:
		list, err := pieces(template)
		if err != nil {
			t.Fatalf("%s: %v", template, err)
		}
		if len(list) == 1 && list[0].term != nil {
			return list[0].term.value(scope)
		}
		var b strings.Builder
		for _, p := range list {
			b.WriteString(p.text)
			if p.term != nil {
				b.WriteString(text(p.term.value(scope)))
			}
		}
		return b.String()
	case map[string]any:
		out := map[string]any{}
		for key, v := range template {
			value := render(t, v, scope)
			if members, ok := value.(map[string]any); key == spread && ok {
				for k := range members {
					if _, twice := template[k]; twice {
						t.Errorf("%s stands beside a spread that has it too, and which of them counts is not said", k)
					}
				}
				maps.Copy(out, members)
				continue
			}
			if value != (undefined{}) {
				out[key] = value
			}
		}
		return out
	case []any:
		out := make([]any, len(template))
		for i, v := range template {
			out[i] = render(t, v, scope)
		}
		return out
	default:
		return template
	}
}

// roots are the variables that Make has where a piece of code runs.
var roots = map[string][]string{
	"connections api":    {"parameters", "data", "body", "statusCode"},
	"webhooks api":       {"parameters", "body"},
	"webhooks attach":    {"parameters", "connection", "webhook", "body", "statusCode"},
	"webhooks detach":    {"connection", "webhook", "body", "statusCode"},
	"webhooks update":    {"parameters", "connection", "webhook", "body", "statusCode"},
	"rpcs api":           {"parameters", "connection", "body", "item", "statusCode"},
	"modules api":        {"parameters", "connection", "body", "item", "statusCode"},
	"base":               {"connection", "body", "statusCode"},
	"modules parameters": nil,
}

// Every expression of the app can be read, and speaks of nothing that Make does not have at its place.
func TestTemplates(t *testing.T) {
	t.Parallel()
	count := 0
	for _, f := range newApp(t).Archive() {
		parts := strings.Split(strings.TrimSuffix(f.Path, ".imljson"), "/")
		place := parts[1]
		if len(parts) == 4 {
			place += " " + parts[3]
		}
		if !strings.HasSuffix(f.Path, ".imljson") || strings.HasSuffix(place, "samples") {
			continue
		}
		var v any
		if err := json.Unmarshal(f.Data, &v); err != nil {
			t.Fatal(err)
		}
		eachText(v, func(s string) {
			list, err := pieces(s)
			if err != nil {
				t.Errorf("%s: %s: %v", f.Path, s, err)
			}
			for _, p := range list {
				eachVariable(p.term, func(v variable) {
					count++
					if !slices.Contains(roots[place], text(v.steps[0])) {
						t.Errorf("%s: %s: there is no %v in %s", f.Path, s, v.steps[0], place)
					}
				})
			}
		})
	}
	if count == 0 {
		t.Error("no template was found")
	}
}

func eachText(v any, do func(string)) {
	switch v := v.(type) {
	case string:
		do(v)
	case []any:
		for _, one := range v {
			eachText(one, do)
		}
	case map[string]any:
		for key, one := range v {
			if key != spread {
				do(key)
			}
			eachText(one, do)
		}
	}
}

func eachVariable(t term, do func(variable)) {
	switch t := t.(type) {
	case variable:
		do(t)
	case function:
		for _, a := range t.args {
			eachVariable(a, do)
		}
	case operation:
		eachVariable(t.left, do)
		eachVariable(t.right, do)
	}
}

// No secret may be in what Make logs: whatever request carries one says so.
func TestSecretsAreKeptFromLogs(t *testing.T) {
	t.Parallel()
	files := newApp(t).Archive()
	sanitized := func(t *testing.T, name string) []string {
		t.Helper()
		var v struct{ Log struct{ Sanitize []string } }
		read(t, files, testName+"/"+name, &v)
		return v.Log.Sanitize
	}
	tests := []struct {
		file string
		want []string
	}{
		{"base.imljson", []string{"request.headers.authorization"}},
		{"connections/" + testName + "/api.imljson", []string{"request.headers.authorization", "request.body.key"}},
		{"webhooks/" + testName + "/attach.imljson", []string{"request.headers.authorization", "response.body.signing_secret"}},
		{"webhooks/" + testName + "/update.imljson", []string{"request.headers.authorization"}},
		{"webhooks/" + testName + "/detach.imljson", []string{"request.headers.authorization"}},
	}
	for _, tt := range tests {
		got := sanitized(t, tt.file)
		for _, path := range tt.want {
			if !slices.Contains(got, path) {
				t.Errorf("%s: sanitized are %q, want %s among them", tt.file, got, path)
			}
		}
	}
	var key []makeapp.File
	for _, f := range files {
		if strings.Contains(string(f.Data), "parameters.key}}") {
			key = append(key, f)
		}
	}
	if len(key) != 1 || !strings.Contains(key[0].Path, "/connections/") {
		t.Errorf("the Stripe key is sent by %d parts of the app, want the connection alone", len(key))
	}
}
