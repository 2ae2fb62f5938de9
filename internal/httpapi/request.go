package httpapi

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"stripe-connector/internal/spec"
	"stripe-connector/internal/store"
)

// readBody reads a request body. One that breaks off is the caller's doing.
func readBody(r *http.Request) ([]byte, error) {
	text, err := io.ReadAll(r.Body)
	var (
		size *http.MaxBytesError
		full *Problem
	)
	if err == nil || errors.As(err, &size) || errors.As(err, &full) {
		return text, err
	}
	return nil, &spec.SyntaxError{Message: "the body did not arrive whole"}
}

// readJSON reads a request body into v, a pointer to a struct. A key that v does not have is a fault that names those it
// has; an empty body is an empty object.
func readJSON(r *http.Request, v any) error {
	body, err := readBody(r)
	if err != nil {
		return err
	}
	if len(body) == 0 {
		return nil
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(body, &keys); err != nil {
		return &spec.SyntaxError{Message: "the body must be a JSON object"}
	}
	var known []string
	for field := range reflect.TypeOf(v).Elem().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		known = append(known, name)
		delete(keys, name)
	}
	var faults spec.Faults
	for key := range keys {
		if len(key) > 40 {
			key = key[:40]
		}
		faults = append(faults, spec.Fault{Field: strings.ToValidUTF8(key, ""), Code: spec.CodeUnknown, Message: "is not known here; known are " + strings.Join(known, ", ")})
	}
	var wrong *json.UnmarshalTypeError
	switch err := json.Unmarshal(body, v); {
	case errors.As(err, &wrong):
		faults = append(faults, spec.Fault{Field: wrong.Field, Code: spec.CodeInvalid, Message: "must be a " + kindOf(wrong.Type)})
	case err != nil:
		return &spec.SyntaxError{Message: "the body must be a JSON object"}
	}
	if len(faults) > 0 {
		return faults
	}
	return nil
}

func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "boolean"
	case reflect.Slice:
		return "list of texts"
	case reflect.Struct:
		return "date and time in RFC 3339"
	default:
		return "text"
	}
}

// A query reads the parameters of a list route and collects what is wrong with them.
type query struct {
	r      *http.Request
	faults spec.Faults
}

func (q *query) text(name string) string { return q.kept(name, q.r.URL.Query().Get(name)) }

// kept is a text that is looked for in the store.
func (q *query) kept(name, text string) string {
	if problem := spec.CheckKept(text); problem != "" {
		q.fault(name, spec.CodeInvalid, problem)
		return ""
	}
	return text
}

func (q *query) fault(name, code, message string) {
	q.faults = append(q.faults, spec.Fault{Field: name, Code: code, Message: message})
}

func (q *query) list(name string) []string {
	var list []string
	for _, value := range q.r.URL.Query()[name] {
		for part := range strings.SplitSeq(value, ",") {
			if part = strings.TrimSpace(q.kept(name, part)); part != "" {
				list = append(list, part)
			}
		}
	}
	return list
}

func (q *query) time(name string) time.Time {
	text := q.text(name)
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		q.fault(name, spec.CodeInvalid, "must be a date and time in RFC 3339, such as 2024-06-20T15:04:05Z")
	}
	return t
}

// oneOf is an enumeration that a list can be narrowed by.
func oneOf[S ~string](q *query, name string, values ...S) S {
	text := S(q.text(name))
	if text == "" {
		return ""
	}
	if !slices.Contains(values, text) {
		names := make([]string, len(values))
		for i, v := range values {
			names[i] = string(v)
		}
		q.fault(name, spec.CodeInvalid, "must be one of "+strings.Join(names, ", "))
	}
	return text
}

// page reads limit and cursor; known are the parameters that the route has besides.
func (q *query) page(known ...string) store.Page {
	p := store.Page{Limit: 20, Cursor: q.text("cursor")}
	if text := q.text("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > store.MaxPage {
			q.fault("limit", spec.CodeInvalid, "must be a number from 1 to "+strconv.Itoa(store.MaxPage))
		}
		p.Limit = n
	}
	q.known(append(known, "limit", "cursor")...)
	return p
}

// known names the parameters that a route has, so that a misspelt filter is a fault and not a list of everything.
func (q *query) known(names ...string) {
	for name := range q.r.URL.Query() {
		if !slices.Contains(names, name) {
			q.fault(name, spec.CodeUnknown, "is not known here; known are "+strings.Join(names, ", "))
		}
	}
}

// err is all that is wrong with the parameters.
func (q *query) err() error {
	if len(q.faults) > 0 {
		return q.faults
	}
	return nil
}

// list is how every list route answers.
type list[T any] struct {
	Data       []T     `json:"data"`
	HasMore    bool    `json:"has_more"`
	NextCursor *string `json:"next_cursor"`
}

// writeList answers with a page of the store, each item in the form that callers see.
func writeList[S, T any](w http.ResponseWriter, page store.List[S], view func(S) T) {
	l := list[T]{Data: make([]T, len(page.Data)), HasMore: page.Next != "", NextCursor: orNull(page.Next)}
	for i, item := range page.Data {
		l.Data[i] = view(item)
	}
	writeJSON(w, http.StatusOK, l)
}

// orNever is a time that may not have come yet.
func orNever(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
