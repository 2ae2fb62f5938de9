// Package makeapp writes the connector down as a custom app for Make, so that its modules, its instant trigger and its
// lookups stand in Make's editor like those of any other app.
//
// One model, built from the catalogue, is written in Make's two formats:
//
//	catalogue --New--> App --Archive--> one zip, imported in one step
//	                       --Project--> a folder for Git, deployed from an editor
//
// form.go turns the fields of a module into Make's parameters, output.go its answers into Make's interface, and call.go
// holds the requests that Make sends here. Nothing is written by hand for a single module but for the two kinds that
// there is one of: the instant trigger and the call made by hand. There is no custom code in the app: all that Make
// evaluates are expressions in its template language.
//
// See https://developers.make.com/custom-apps-documentation.
package makeapp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"stripe-connector/internal/spec"
)

// Config is what an app is made of.
type Config struct {
	Name      string // of the app at Make: lower-case letters, digits and dashes
	BaseURL   string // where Make reaches the service
	Catalogue *spec.Catalogue
}

// An App is the model that both formats are written from.
type App struct {
	name, label, description string
	base                     base
	readme                   string

	connection component
	webhook    component
	rpcs       []component
	modules    []component
	groups     []group
}

// A component is one part of an app, in the words of the archive.
type component struct {
	id          string
	label       string
	description string
	kind        string // of a module
	crud        string // of an action
	connected   bool   // uses the connection
	code        []section
}

// A section is one piece of a component's code.
type section struct {
	name    string
	content any
}

// A group is a heading in Make's list of modules.
type group struct {
	Label   string   `json:"label"`
	Modules []string `json:"modules"`
}

// The kinds of modules at Make.
const (
	kindAction    = "action"
	kindSearch    = "search"
	kindTrigger   = "instant_trigger"
	kindUniversal = "universal"
)

// DefaultName is the name of an app whose user has no other in mind.
const DefaultName = "stripe-connector"

// appName is what Make takes for the name of an app.
var appName = regexp.MustCompile(`^[a-z][0-9a-z-]{1,28}[0-9a-z]$`)

// New builds the app. The error names everything that is wrong with the configuration.
func New(cfg Config) (*App, error) {
	var faults []error
	if !appName.MatchString(cfg.Name) {
		faults = append(faults, fmt.Errorf("the name %q must be 3 to 30 lower-case letters, digits and dashes, and begin with a letter", cfg.Name))
	}
	baseURL, err := checkBase(cfg.BaseURL)
	if err != nil {
		faults = append(faults, err)
	}
	a := &App{
		name: cfg.Name, label: "Stripe Connector", description: "Stripe for scenarios, through a connector of your own.",
		base:       baseOf(baseURL),
		connection: connectionOf(baseURL),
	}
	a.rpcs = append(a.rpcs, connectionsRPC())
	for _, l := range cfg.Catalogue.Lookups() {
		a.rpcs = append(a.rpcs, lookupRPC(l))
	}
	for _, m := range cfg.Catalogue.Modules() {
		if err := a.add(m, &form{catalogue: cfg.Catalogue}, baseURL); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", m.Key, err))
		}
	}
	a.readme = readme(a)
	return a, errors.Join(faults...)
}

// add puts a module into the app, and the webhook that belongs to the instant trigger.
func (a *App) add(m *spec.Module, f *form, baseURL string) error {
	out, sample, err := outputOf(m)
	c := component{id: camel(m.Key), label: m.Label, description: m.Help, connected: true}
	var api any
	expect := []parameter{}
	switch m.Type {
	case spec.Trigger:
		// The form of a trigger is its webhook's.
		c.kind, c.connected, api = kindTrigger, false, map[string]any{}
		a.webhook = webhookOf(m, f.of(m, fieldURL), baseURL)
	case spec.Universal:
		c.kind, api, expect = kindUniversal, universalCall(m), f.of(m)
	case spec.Search:
		c.kind, api, expect = kindSearch, searchCall(m), f.of(m)
	default:
		c.kind, c.crud, api, expect = kindAction, crudOf(m), actionCall(m), f.of(m)
	}
	c.code = []section{
		{"api", api},
		{"parameters", []parameter{}},
		{"expect", expect},
		{"interface", out},
		{"samples", sample},
		{"scope", []string{}},
	}
	a.modules = append(a.modules, c)
	if n := len(a.groups); n == 0 || a.groups[n-1].Label != m.Group {
		a.groups = append(a.groups, group{Label: m.Group})
	}
	last := &a.groups[len(a.groups)-1]
	last.Modules = append(last.Modules, c.id)
	return errors.Join(append(f.faults, err)...)
}

// checkBase answers the base URL without a slash at its end.
func checkBase(base string) (string, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" ||
		strings.ContainsAny(base, "{}") {
		return "", errors.New("the base URL must be an http or https URL without query")
	}
	return strings.TrimRight(base, "/"), nil
}

// crudOf says what an action does, for Make: in updates it offers the user to erase a field.
func crudOf(m *spec.Module) string {
	verb, _, _ := strings.Cut(m.Key, "-")
	switch {
	case m.Update:
		return "update"
	case verb == "retrieve":
		return "read"
	case verb == "create" || verb == "delete":
		return verb
	}
	return ""
}

// camel writes a key of ours, such as create-refund or tax_rates, as Make's names want it: createRefund, taxRates.
func camel(key string) string {
	words := strings.FieldsFunc(key, func(r rune) bool { return r == '-' || r == '_' })
	for i, w := range words[1:] {
		words[i+1] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, "")
}

// A File is one file of an export.
type File struct {
	Path string // with slashes, relative
	Data []byte
}

// fileSet collects the files of one format.
type fileSet []File

func (s *fileSet) text(path, text string) { *s = append(*s, File{path, []byte(text)}) }

// json writes plain values of this package, and samples that were valid JSON when they were embedded.
func (s *fileSet) json(path string, v any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // "<" is an operator in templates
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("makeapp: writing %s: %v", path, err))
	}
	*s = append(*s, File{path, b.Bytes()})
}

func (s *fileSet) sorted() []File {
	slices.SortFunc(*s, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return *s
}
