package openapi

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"github.com/a-h/templ"

	"stripe-connector/internal/objects"
	"stripe-connector/internal/spec"
)

//go:embed assets/docs.css assets/docs.js assets/reference.js assets/scalar.js.gz
var assetFiles embed.FS

// What a page may load: our own files and nothing else. The reference UI writes its own style elements.
const (
	pagePolicy      = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	referencePolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

// Handler serves the document, at whatever path it is mounted.
func Handler() http.Handler { return servedDocument() }

// servedDocument compresses the document when it is first asked for, and once.
var servedDocument = sync.OnceValue(func() http.Handler { return NewFile("application/json", golden) })

// Docs serves the pages for people, at /docs and below: the list of modules, a page for each, and the API reference.
// Nothing on them comes from another host.
func Docs(c *spec.Catalogue) (http.Handler, error) {
	d := &docs{catalogue: c, modules: map[string]*modulePage{}}
	if err := d.collect(); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /docs", d.index)
	mux.HandleFunc("GET /docs/{$}", d.index)
	mux.HandleFunc("GET /docs/modules/{module}", d.module)
	mux.HandleFunc("GET /docs/reference", func(w http.ResponseWriter, r *http.Request) {
		render(w, r, http.StatusOK, referencePolicy, showReference())
	})
	mux.HandleFunc("/docs/", d.missing)
	for name, media := range map[string]string{
		"docs.css": "text/css; charset=utf-8", "docs.js": "text/javascript; charset=utf-8", "reference.js": "text/javascript; charset=utf-8", "scalar.js.gz": "text/javascript; charset=utf-8",
	} {
		content, err := assetFiles.ReadFile("assets/" + name)
		if err != nil {
			return nil, fmt.Errorf("reading an asset: %w", err)
		}
		served, packed := strings.CutSuffix(name, ".gz")
		asset := NewFile(media, content)
		if packed {
			asset = newPacked(media, content)
		}
		mux.Handle("GET /docs/assets/"+served, asset)
	}
	return mux, nil
}

type docs struct {
	catalogue *spec.Catalogue
	groups    []pageGroup
	modules   map[string]*modulePage
}

type pageGroup struct {
	Label   string
	Modules []*modulePage
}

// A modulePage is what is said of one module.
type modulePage struct {
	Manifest
	Kind       string
	Find       string // what the search looks in, in lower case
	Update     bool   // null empties fields
	Dotted     string // the first name with dots, if there is one
	Answer     string // what it is, in a sentence
	Sample     string
	Sent       string // to the URL of a webhook
	Connection string // the one in the examples
	examples   []string
}

func (d *docs) collect() error {
	for _, m := range d.catalogue.Modules() {
		manifest, err := NewManifest(m)
		if err != nil {
			return err
		}
		page := &modulePage{Manifest: manifest, Find: findable(m), Update: m.Update, Connection: sampleConnection}
		page.explain()
		for _, f := range m.Inputs() {
			if page.Dotted == "" && strings.Contains(f.Name, ".") {
				page.Dotted = f.Name
			}
		}
		for _, bundle := range Examples(m) {
			raw, err := json.MarshalIndent(bundle, "", "  ")
			if err != nil {
				return fmt.Errorf("writing an example: %w", err)
			}
			page.examples = append(page.examples, string(raw))
		}
		d.modules[m.Key] = page
		if len(d.groups) == 0 || d.groups[len(d.groups)-1].Label != m.Group {
			d.groups = append(d.groups, pageGroup{Label: m.Group})
		}
		last := &d.groups[len(d.groups)-1]
		last.Modules = append(last.Modules, page)
	}
	return nil
}

// explain says what the answer is.
func (p *modulePage) explain() {
	sample := string(p.Output.Sample)
	switch p.Type {
	case spec.Search:
		p.Kind, p.Answer = "Search", "A page of Stripe's objects, each byte for byte as Stripe wrote it; the fields below are those of one object."
		sample = `{"bundles":[` + sample + `],"has_more":false,"next_cursor":null}`
	case spec.Trigger:
		p.Kind, p.Answer = "Instant trigger", "The webhook that was attached, with its signing secret. The fields below are those of the events that its URL is sent."
		p.Sent = indent(sample)
		sample = `{"id":"whk_01jq8zr5kdq3v7m2n4x6y8b0ac","webhook_name":"Orders","connection":"` + sampleConnection + `","group":"all","enabled_events":["*"],"connect":false,` +
			`"url":"https://example.com/back","state":"active","created":"2030-06-20T15:04:05Z","signing_secret":"whsec_…"}`
	case spec.Universal:
		p.Kind, p.Answer = "Any call", "Whatever Stripe answered, refusals included."
	default:
		p.Kind, p.Answer = "Action", "Stripe's object, byte for byte as Stripe wrote it."
	}
	p.Sample = indent(sample)
}

func indent(raw string) string {
	var b bytes.Buffer
	if json.Indent(&b, []byte(raw), "", "  ") != nil {
		return raw
	}
	return b.String()
}

// findable is what a module says of itself: its names, what it does, and its fields.
func findable(m *spec.Module) string {
	words := []string{m.Label, m.Key, m.Group, m.Help}
	for _, f := range m.Inputs() {
		words = append(words, f.Label, f.Name)
	}
	return strings.ToLower(strings.Join(words, " "))
}

func (d *docs) index(w http.ResponseWriter, r *http.Request) {
	const connection = `{"connection_name": "Shop", "key": "sk_test_…"}`
	render(w, r, http.StatusOK, pagePolicy, showIndex(d.groups, len(d.modules), curl(baseURL(r)+"/v1/connections", connection)))
}

// A call is one example as a command to copy.
type call struct{ Title, Command string }

func (d *docs) module(w http.ResponseWriter, r *http.Request) {
	page, ok := d.modules[r.PathValue("module")]
	if !ok {
		d.missing(w, r)
		return
	}
	var calls []call
	for i, bundle := range page.examples {
		c := call{Title: "Shortest call", Command: curl(baseURL(r)+page.Path, bundle)}
		if i > 0 {
			c.Title = "With more of the form"
		}
		calls = append(calls, c)
	}
	render(w, r, http.StatusOK, pagePolicy, showModule(d.catalogue, page, d.groups, calls))
}

// missing serves what the mux does not know, other methods included.
func (d *docs) missing(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	render(w, r, http.StatusNotFound, pagePolicy, showMissing())
}

func render(w http.ResponseWriter, r *http.Request, status int, policy string, content templ.Component) {
	var b bytes.Buffer
	if err := content.Render(r.Context(), &b); err != nil {
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache")
	h.Set("Vary", "Accept-Encoding")
	page := b.Bytes()
	if takesGzip(r) {
		h.Set("Content-Encoding", "gzip")
		page = pack(page)
	}
	w.WriteHeader(status)
	_, _ = w.Write(page)
}

// hostForm and maxHost are what a Host header may hold to be repeated in a command.
var hostForm = regexp.MustCompile(`^[A-Za-z0-9.:\[\]-]+$`)

const maxHost = 255

// baseURL is how the reader reached the service.
func baseURL(r *http.Request) string {
	scheme, host := "http", r.Host
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	if len(host) > maxHost || !hostForm.MatchString(host) {
		host = "localhost:8080"
	}
	return scheme + "://" + host
}

// curl is a call as a command that a shell takes as it stands, once the token is filled in.
func curl(url, body string) string {
	return "curl " + url + ` \
  -H 'Authorization: Bearer YOUR_TOKEN' \
  -H 'Content-Type: application/json' \
  -d '` + strings.ReplaceAll(body, "'", `'\''`) + "'"
}

// kindOf says what a field takes, for people.
func kindOf(n spec.Node) string {
	switch n.Type {
	case spec.KindSelect:
		return "one of"
	case spec.KindMultiselect:
		return "some of"
	case spec.KindTexts:
		return "list of texts"
	case spec.KindRows:
		return "list"
	case spec.KindMetadata:
		return "key-value pairs"
	case spec.KindFilter:
		return "conditions"
	case spec.KindBoolean:
		return "yes or no"
	case spec.KindAny:
		return "any JSON"
	default:
		return string(n.Type)
	}
}

// limits is what a field allows, as a sentence.
func limits(n spec.Node) string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	switch {
	case n.Min != nil && n.Max != nil:
		add("%d to %d", *n.Min, *n.Max)
	case n.Min != nil:
		add("at least %d", *n.Min)
	case n.Max != nil:
		add("at most %d", *n.Max)
	}
	if n.MaxLength > 0 && n.MaxLength < 5000 && n.Type != spec.KindConnection {
		add("at most %d characters", n.MaxLength)
	}
	if n.MaxItems > 0 {
		add("at most %d entries", n.MaxItems)
	}
	if n.Default != nil {
		add("default %v", n.Default)
	}
	if n.Open {
		add("other values pass too")
	}
	if len(n.RequiredWith) > 0 {
		add("required together with %s", strings.Join(n.RequiredWith, " or "))
	}
	if len(parts) == 0 {
		return ""
	}
	text := strings.Join(parts, "; ")
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// choicesAt is where a field's choices are, narrowed as they can be.
func choicesAt(c *spec.Catalogue, ref spec.LookupRef) string {
	inputs := []string{"/v1/lookups/" + ref.Name + "?connection=…"}
	l, ok := c.Lookup(ref.Name)
	if !ok {
		return inputs[0]
	}
	only, value, narrowed := ref.Narrows(l)
	for _, in := range ref.By {
		if !narrowed || in != only.Name {
			inputs = append(inputs, in+"=…")
		}
	}
	if narrowed {
		inputs = append(inputs, only.Name+"="+value)
	}
	return strings.Join(inputs, "&")
}

// nest writes a name with dots as the objects that it stands for.
func nest(name string) string {
	steps := strings.Split(name, ".")
	return `{"` + strings.Join(steps, `": {"`) + `": …` + strings.Repeat("}", len(steps))
}

// outputKind says what an answer's field holds, for people.
func outputKind(f objects.Field) string {
	var kind string
	switch f.Type {
	case objects.Date:
		kind = "Unix seconds"
	case objects.Array:
		kind = "list"
		if f.Item != nil && f.Item.Type != objects.Collection {
			kind = "list of " + outputKind(*f.Item)
		}
	case objects.Collection:
		kind = "object"
	default:
		kind = string(f.Type)
	}
	if f.Expandable {
		kind += ", or the object once expanded"
	}
	if f.Nullable {
		kind += " or null"
	}
	return kind
}

// inside are the fields below an answer's field.
func inside(f objects.Field) []objects.Field {
	if f.Item != nil {
		return inside(*f.Item)
	}
	return f.Fields
}
