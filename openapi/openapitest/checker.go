// Package openapitest holds exchanges with the service against its OpenAPI document, for the tests of whoever serves or
// calls it.
package openapitest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// A Checker knows the document. It is safe for concurrent use. Making one is cheap; it compiles a schema when it first
// needs it, so it is worth sharing.
type Checker struct {
	document map[string]any

	mu       sync.Mutex // of the two below
	compiler *jsonschema.Compiler
	schemas  map[string]*jsonschema.Schema
}

const location = "https://stripe-connector.example/openapi.json"

// NewChecker reads an OpenAPI 3.1 document in JSON.
func NewChecker(document []byte) (*Checker, error) {
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return nil, fmt.Errorf("reading the document: %w", err)
	}
	root, ok := parsed.(map[string]any)
	if !ok {
		return nil, errors.New("the document is no object")
	}
	c := &Checker{compiler: jsonschema.NewCompiler(), document: root, schemas: map[string]*jsonschema.Schema{}}
	if err := c.compiler.AddResource(location, root); err != nil {
		return nil, fmt.Errorf("reading the document: %w", err)
	}
	return c, nil
}

// An Exchange is one request with its answer. Bodies are given apart, since reading them empties the originals.
type Exchange struct {
	Request      *http.Request
	RequestBody  []byte
	Response     *http.Response
	ResponseBody []byte
}

// Check says where an exchange departs from the document: the route, the status, the type and form of the answer, and, if
// the answer is a success, the parameters and body of the request. Each error is one departure.
func (c *Checker) Check(x Exchange) error {
	path, operation := c.operation(x.Request)
	if operation == nil {
		if x.Response.StatusCode == http.StatusNotFound || x.Response.StatusCode == http.StatusMethodNotAllowed {
			return c.body("#/components/responses/NotFound/content", x.Response, x.ResponseBody)
		}
		return fmt.Errorf("%s %s: is not in the document", x.Request.Method, x.Request.URL.Path)
	}
	at := "#/paths/" + escape(path) + "/" + strings.ToLower(x.Request.Method)
	errs := []error{c.answer(at+"/responses", x)}
	if x.Response.StatusCode < http.StatusBadRequest {
		errs = append(errs, c.parameters(at, path, x.Request), c.request(at+"/requestBody", x))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%s %s: %w", x.Request.Method, path, err)
	}
	return nil
}

// Validate holds a JSON value against the schema at a JSON pointer, such as #/components/schemas/Problem.
func (c *Checker) Validate(pointer string, value []byte) error {
	schema, err := c.schema(pointer)
	if err != nil {
		return fmt.Errorf("compiling %s: %w", pointer, err)
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(value))
	if err != nil {
		return fmt.Errorf("is no JSON: %w", err)
	}
	return schema.Validate(parsed)
}

func (c *Checker) schema(pointer string) (*jsonschema.Schema, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if schema := c.schemas[pointer]; schema != nil {
		return schema, nil
	}
	schema, err := c.compiler.Compile(location + pointer)
	if err == nil {
		c.schemas[pointer] = schema
	}
	return schema, err
}

// Routes lists what the document knows, as "POST /v1/connections/{id}/check".
func (c *Checker) Routes() []string {
	var routes []string
	paths, _ := c.document["paths"].(map[string]any)
	for path, item := range paths {
		item, _ := item.(map[string]any)
		for method := range item {
			if method != "parameters" {
				routes = append(routes, strings.ToUpper(method)+" "+path)
			}
		}
	}
	slices.Sort(routes)
	return routes
}

// operation finds the path and method of a request. A path without variables goes before one with.
func (c *Checker) operation(r *http.Request) (path string, operation map[string]any) {
	paths, _ := c.document["paths"].(map[string]any)
	for template, item := range paths {
		item, _ := item.(map[string]any)
		found, ok := item[strings.ToLower(r.Method)].(map[string]any)
		if ok && matches(template, r.URL.EscapedPath()) && (operation == nil || !strings.Contains(template, "{")) {
			path, operation = template, found
		}
	}
	return path, operation
}

func matches(template, path string) bool {
	want, got := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if want[i] != got[i] && (!strings.HasPrefix(want[i], "{") || got[i] == "") {
			return false
		}
	}
	return true
}

// get follows a JSON pointer, and references on the way. It answers the pointer to what it found.
func (c *Checker) get(pointer string) (at string, value any) {
	at, value = "#", any(c.document)
	for _, step := range strings.Split(pointer, "/")[1:] {
		o, ok := value.(map[string]any)
		if !ok {
			return "", nil
		}
		at, value = at+"/"+step, o[unescape(step)]
		if o, ok := value.(map[string]any); ok {
			if ref, ok := o["$ref"].(string); ok && strings.Count(ref, "/") == 3 && !strings.HasPrefix(ref, "#/components/schemas/") {
				at, value = c.get(ref)
			}
		}
	}
	return at, value
}

func (c *Checker) answer(at string, x Exchange) error {
	status := strconv.Itoa(x.Response.StatusCode)
	responses := at
	at, found := c.get(responses + "/" + status)
	if found == nil {
		at, found = c.get(responses + "/" + status[:1] + "XX")
	}
	response, ok := found.(map[string]any)
	if !ok {
		return fmt.Errorf("status %s: is not in the document", status)
	}
	var errs []error
	headers, _ := response["headers"].(map[string]any)
	for name := range headers {
		if name == "X-Request-Id" && x.Response.Header.Get(name) == "" {
			errs = append(errs, fmt.Errorf("status %s: the header %s is missing", status, name))
		}
	}
	if response["content"] == nil {
		if len(x.ResponseBody) > 0 {
			errs = append(errs, fmt.Errorf("status %s: there is a body, of type %s", status, x.Response.Header.Get("Content-Type")))
		}
		return errors.Join(errs...)
	}
	return errors.Join(append(errs, c.body(at+"/content", x.Response, x.ResponseBody))...)
}

// body holds an answer's body against the content for its media type.
func (c *Checker) body(at string, r *http.Response, body []byte) error {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return fmt.Errorf("status %d: reading the type of the body: %w", r.StatusCode, err)
	}
	at += "/" + escape(media)
	_, found := c.get(at)
	content, ok := found.(map[string]any)
	if !ok {
		return fmt.Errorf("status %d: a body of type %s is not in the document", r.StatusCode, media)
	}
	if content["x-line-schema"] == nil {
		if err := c.Validate(at+"/schema", body); err != nil {
			return fmt.Errorf("status %d: the body: %w", r.StatusCode, err)
		}
		return nil
	}
	var errs []error
	for line := range bytes.Lines(body) {
		if err := c.Validate(at+"/x-line-schema", line); err != nil {
			errs = append(errs, fmt.Errorf("status %d: a line: %w", r.StatusCode, err))
		}
	}
	return errors.Join(errs...)
}

func (c *Checker) request(at string, x Exchange) error {
	if _, found := c.get(at); found == nil {
		if len(bytes.TrimSpace(x.RequestBody)) > 0 && !bytes.Equal(bytes.TrimSpace(x.RequestBody), []byte("{}")) {
			return errors.New("request: the document knows no body")
		}
		return nil
	}
	if err := c.Validate(at+"/content/application~1json/schema", x.RequestBody); err != nil {
		return fmt.Errorf("request: the body: %w", err)
	}
	return nil
}

// parameters looks for parameters of the query that the document does not know, values that it does not allow, and
// required ones that are missing.
func (c *Checker) parameters(at, path string, r *http.Request) error {
	var errs []error
	known := map[string]bool{}
	for _, list := range []string{at + "/parameters", "#/paths/" + escape(path) + "/parameters"} {
		_, found := c.get(list)
		parameters, _ := found.([]any)
		for i := range parameters {
			where := list + "/" + strconv.Itoa(i)
			p, _ := parameters[i].(map[string]any)
			if ref, ok := p["$ref"].(string); ok {
				var resolved any
				where, resolved = c.get(ref)
				p, _ = resolved.(map[string]any)
			}
			name, _ := p["name"].(string)
			var values []string
			switch p["in"] {
			case "query":
				known[name] = true
				values = r.URL.Query()[name]
			case "header":
				values = r.Header.Values(name)
			default:
				continue
			}
			if len(values) == 0 && p["required"] == true {
				errs = append(errs, fmt.Errorf("request: the parameter %s is missing", name))
			}
			for _, v := range values {
				if err := c.Validate(where+"/schema", literal(p, v)); v != "" && err != nil {
					errs = append(errs, fmt.Errorf("request: the parameter %s: %w", name, err))
				}
			}
		}
	}
	for name := range r.URL.Query() {
		if !known[name] {
			errs = append(errs, fmt.Errorf("request: the parameter %s is not in the document", name))
		}
	}
	return errors.Join(errs...)
}

// literal is a parameter's text as JSON of the type that its schema wants.
func literal(parameter map[string]any, text string) []byte {
	schema, _ := parameter["schema"].(map[string]any)
	if t := schema["type"]; (t == "integer" || t == "boolean") && json.Valid([]byte(text)) {
		return []byte(text)
	}
	quoted, _ := json.Marshal(text) // a string
	return quoted
}

func escape(step string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(step)
}

func unescape(step string) string {
	return strings.NewReplacer("%7B", "{", "%7D", "}", "~1", "/", "~0", "~").Replace(step)
}
