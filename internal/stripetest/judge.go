package stripetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/stripe/stripe-mock/embedded"
	"github.com/stripe/stripe-mock/param"
	"github.com/stripe/stripe-mock/param/coercer"
	"github.com/stripe/stripe-mock/spec"
)

// description is Stripe's own account of its API: the OpenAPI document and the sample objects that stripe-mock
// embeds. It is read once per process, and operations and schemas only when first asked for: decoding all of them
// would cost every test binary seconds.
type description struct {
	root     node
	schemas  map[string]*lazySchema
	fixtures map[string]json.RawMessage
	creates  map[string]bool // path patterns that take a POST and have items below them
	sources  sync.Map        // kind to map[string]any, see fixture
	events   func() map[string]bool
}

type lazySchema struct {
	once   sync.Once
	raw    json.RawMessage
	schema *spec.Schema
}

// node is one path segment of the routing tree.
type node struct {
	literal map[string]*node
	param   *node
	routes  map[string]*route // by method
}

// route is one operation of Stripe's API.
type route struct {
	method  string
	pattern string   // as Stripe writes it: /v1/customers/{customer}
	params  []string // names of the path parameters, in order

	once      sync.Once
	raw       json.RawMessage
	mediaType string
	request   *spec.Schema // nil when the operation takes no parameters
	validator interface{ Validate(x any) error }
	reply     *spec.Schema
	err       error
}

var describe = sync.OnceValues(func() (*description, error) {
	var doc struct {
		Components struct {
			Schemas map[string]json.RawMessage `json:"schemas"`
		} `json:"components"`
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(embedded.OpenAPISpec, &doc); err != nil {
		return nil, fmt.Errorf("reading Stripe's OpenAPI document: %w", err)
	}
	var fixtures struct {
		Resources map[string]json.RawMessage `json:"resources"`
	}
	if err := json.Unmarshal(embedded.OpenAPIFixtures, &fixtures); err != nil {
		return nil, fmt.Errorf("reading Stripe's fixtures: %w", err)
	}

	d := &description{
		schemas:  make(map[string]*lazySchema, len(doc.Components.Schemas)),
		fixtures: fixtures.Resources,
		creates:  make(map[string]bool),
	}
	for name, raw := range doc.Components.Schemas {
		d.schemas[name] = &lazySchema{raw: raw}
	}
	for pattern, operations := range doc.Paths {
		for verb, raw := range operations {
			d.root.add(&route{method: strings.ToUpper(verb), pattern: pattern, raw: raw})
		}
		collection, last, ok := cutLast(pattern)
		if _, creatable := doc.Paths[collection]["post"]; ok && creatable && strings.HasPrefix(last, "{") {
			d.creates[collection] = true
		}
	}
	d.events = sync.OnceValue(d.eventTypes)
	return d, nil
})

// cutLast splits a path at its last slash.
func cutLast(path string) (before, last string, ok bool) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path, false
	}
	return path[:i], path[i+1:], true
}

func (n *node) add(r *route) {
	for segment := range strings.SplitSeq(strings.Trim(r.pattern, "/"), "/") {
		if name, ok := strings.CutPrefix(segment, "{"); ok {
			r.params = append(r.params, strings.TrimSuffix(name, "}"))
			if n.param == nil {
				n.param = &node{}
			}
			n = n.param
			continue
		}
		if n.literal == nil {
			n.literal = make(map[string]*node)
		}
		if n.literal[segment] == nil {
			n.literal[segment] = &node{}
		}
		n = n.literal[segment]
	}
	if n.routes == nil {
		n.routes = make(map[string]*route)
	}
	n.routes[r.method] = r
}

// find returns the operation for method and path with the values of its path parameters, or nil. A literal segment
// wins over a parameter, so that /v1/customers/search is not read as a customer.
func (n *node) find(method string, segments, values []string) (*route, []string) {
	if len(segments) == 0 {
		if r := n.routes[method]; r != nil {
			return r, values
		}
		return nil, nil
	}
	if next := n.literal[segments[0]]; next != nil {
		if r, found := next.find(method, segments[1:], values); r != nil {
			return r, found
		}
	}
	if n.param == nil || segments[0] == "" {
		return nil, nil
	}
	return n.param.find(method, segments[1:], append(slices.Clip(values), segments[0]))
}

func (d *description) find(method, path string) (*route, []string) {
	if !strings.HasPrefix(path, "/") {
		return nil, nil
	}
	r, values := d.root.find(method, strings.Split(path[1:], "/"), nil)
	if r == nil {
		return nil, nil
	}
	r.once.Do(r.load)
	return r, values
}

// load decodes the operation and builds its validator, exactly as stripe-mock's stub server does at start-up.
// Stripe's request schemas hold no references, so no components are needed.
func (r *route) load() {
	var op spec.Operation
	if r.err = json.Unmarshal(r.raw, &op); r.err != nil {
		return
	}
	r.raw = nil
	if r.method == http.MethodGet {
		r.request = spec.BuildQuerySchema(&op)
	} else if op.RequestBody != nil {
		for mediaType, content := range op.RequestBody.Content {
			r.mediaType, r.request = mediaType, content.Schema
		}
	}
	r.reply = op.Responses["200"].Content["application/json"].Schema
	if r.request == nil {
		return
	}
	validator, err := spec.GetValidatorForOpenAPI3Schema(r.request, nil)
	if err != nil {
		r.err = err
		return
	}
	r.validator = validator
}

// pointer is the address that the validator library prints into its messages.
var pointer = regexp.MustCompile(`validator 0x[0-9a-f]+ failed: `)

// judge lets Stripe's own OpenAPI document, through stripe-mock's parser, coercion and validators, decide on the
// parameters of a request, and returns them with the types that the document gives them. What stripe-mock's stub
// server refuses is refused with the same words, see TestJudgeEqualsStubServer; inspect adds where it is too lenient. The stub server's own
// handler is not called because it prints every request to standard output whatever its settings, knows no live
// keys, and tries hundreds of regular expressions per request.
func (r *route) judge(req *http.Request, body []byte) (map[string]any, *apiError) {
	if r.err != nil {
		return nil, invalid("the operation could not be loaded: " + r.err.Error())
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	params, err := param.ParseParams(req)
	if err != nil {
		return nil, invalid(fmt.Sprintf("Couldn't parse query/body: %v", err))
	}
	if r.request == nil {
		return params, nil
	}
	if r.method != http.MethodDelete && r.method != http.MethodGet {
		contentType, _, _ := strings.Cut(req.Header.Get("Content-Type"), ";")
		if contentType == "" {
			return nil, invalid(fmt.Sprintf("Request's `Content-Type` header was empty. Expected: `%s`.", r.mediaType))
		}
		if contentType != r.mediaType {
			return nil, invalid(fmt.Sprintf("Request's `Content-Type` didn't match the path's expected media type. Expected: `%s`. Was: `%s`.", r.mediaType, contentType))
		}
	}
	if err := coercer.CoerceParams(r.request, params); err != nil {
		return nil, invalid(fmt.Sprintf("Request coercion error: %v", err))
	}
	refusal := inspect(r.request, params, "")
	if err := r.validator.Validate(params); err != nil {
		e := invalid("Request validation error: " + pointer.ReplaceAllString(err.Error(), ""))
		if refusal != nil {
			e.Code, e.Param = refusal.Code, refusal.Param
		}
		return nil, e
	}
	if refusal != nil {
		return nil, refusal
	}
	return params, nil
}

// inspect checks a value against its schema where stripe-mock's validators are more lenient than Stripe: lengths, and
// unknown and required parameters inside of alternatives. It also names the parameter, as Stripe does.
func inspect(s *spec.Schema, value any, name string) *apiError {
	if len(s.AnyOf) > 0 {
		var first *apiError
		for _, alternative := range s.AnyOf {
			e := inspect(alternative, value, name)
			if e == nil {
				return nil
			}
			_, hash := value.(map[string]any)
			if first == nil || hash && alternative.Type == spec.TypeObject {
				first = e
			}
		}
		return first
	}
	switch v := value.(type) {
	case string:
		if s.MaxLength > 0 && utf8.RuneCountInString(v) > s.MaxLength {
			return invalid(fmt.Sprintf("Invalid string: %.4s…; must be at most %d characters", v, s.MaxLength)).with("", name)
		}
		if len(s.Enum) > 0 && !slices.Contains(s.Enum, any(v)) {
			return invalid(fmt.Sprintf("Invalid %s: must be one of %v", name, s.Enum)).with("", name)
		}
		if s.Type != spec.TypeString && s.Type != "" {
			code := ""
			if s.Type == spec.TypeInteger {
				code = "parameter_invalid_integer"
			}
			return invalid(fmt.Sprintf("Invalid %s: %.40s", s.Type, v)).with(code, name)
		}
	case []any:
		if s.Type != spec.TypeArray {
			return invalid("Invalid "+s.Type).with("", name)
		}
		for i, item := range v {
			if s.Items == nil {
				break
			}
			if e := inspect(s.Items, item, fmt.Sprintf("%s[%d]", name, i)); e != nil {
				return e
			}
		}
	case map[string]any:
		if s.Type != spec.TypeObject {
			return invalid("Invalid "+s.Type).with("", name)
		}
		return inspectHash(s, v, name)
	}
	return nil
}

func inspectHash(s *spec.Schema, fields map[string]any, name string) *apiError {
	inner := func(key string) string {
		if name == "" {
			return key
		}
		return name + "[" + key + "]"
	}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		p := s.Properties[key]
		if p == nil {
			p = s.AdditionalProperties
		}
		if p == nil && (!s.AdditionalPropertiesAllowed || len(s.Properties) > 0) {
			return invalid("Received unknown parameter: "+inner(key)).with("parameter_unknown", inner(key))
		}
		if p == nil {
			continue
		}
		if e := inspect(p, fields[key], inner(key)); e != nil {
			return e
		}
	}
	for _, key := range s.Required {
		if _, ok := fields[key]; !ok {
			return invalid("Missing required param: "+inner(key)+".").with("parameter_missing", inner(key))
		}
	}
	return nil
}

// form decodes query and body as Stripe reads them, into one flat set of form keys.
func form(r *http.Request, body []byte) url.Values {
	values := r.URL.Query()
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		// A body that cannot be decoded is judged elsewhere; what could be read is still worth recording.
		posted, _ := url.ParseQuery(string(body))
		for key, list := range posted {
			values[key] = append(values[key], list...)
		}
	}
	return values
}

// schema returns the named component, or nil.
func (d *description) schema(name string) *spec.Schema {
	lazy := d.schemas[name]
	if lazy == nil {
		return nil
	}
	lazy.once.Do(func() {
		var s spec.Schema
		if json.Unmarshal(lazy.raw, &s) == nil {
			lazy.schema = &s
		}
		lazy.raw = nil
	})
	return lazy.schema
}

const componentPrefix = "#/components/schemas/"

// resolve follows a reference.
func (d *description) resolve(s *spec.Schema) *spec.Schema {
	if s != nil && s.Ref != "" {
		return d.schema(strings.TrimPrefix(s.Ref, componentPrefix))
	}
	return s
}

// kindOf names the kind of object that a reply schema describes ("customer") and whether it is a page of them.
func (d *description) kindOf(s *spec.Schema) (kind string, page bool) {
	switch {
	case s == nil:
		return "", false
	case s.Ref != "":
		name := strings.TrimPrefix(s.Ref, componentPrefix)
		if target := d.schema(name); target != nil && target.XResourceID == "" && len(target.AnyOf) > 0 {
			return d.kindOf(&spec.Schema{AnyOf: target.AnyOf})
		}
		return name, false
	case len(s.AnyOf) > 0:
		return d.kindOf(s.AnyOf[0])
	case s.Properties["data"] != nil && s.Properties["object"] != nil:
		kind, _ := d.kindOf(s.Properties["data"].Items)
		return kind, true
	}
	return "", false
}

// eventTypes is the set of event types that a webhook endpoint may ask for.
func (d *description) eventTypes() map[string]bool {
	types := make(map[string]bool)
	r, _ := d.find(http.MethodPost, "/v1/webhook_endpoints")
	for _, value := range r.request.Properties["enabled_events"].Items.Enum {
		if name, ok := value.(string); ok {
			types[name] = true
		}
	}
	return types
}
