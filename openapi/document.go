// Package openapi describes the service to whoever calls it: the OpenAPI document, the manifest of each module's form,
// and the pages under /docs. All of it is drawn from the declarations of the modules and of the objects that they answer.
//
// document.go and routes.go build the document, request.go the schemas of bundles, answer.go those of Stripe's objects,
// schema.go those of our own answers, example.go bundles that can be sent as they are. The result is kept in openapi.json,
// which is embedded and served; go generate writes it anew. manifest.go describes modules, docs.go renders the pages.
//
// The package is handed the catalogue and does not import it; it knows neither the store nor Stripe.
package openapi

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"

	"stripe-connector/internal/objects"
	"stripe-connector/internal/spec"
)

//go:generate go run ./gen

//go:embed openapi.json
var golden []byte

// JSON is the document as it was last generated, for the catalogue of this program.
func JSON() []byte { return golden }

// Document builds the OpenAPI document, https://spec.openapis.org/oas/v3.1.1. The same catalogue gives the same bytes.
func Document(c *spec.Catalogue) ([]byte, error) {
	schemas := sharedSchemas()
	paths, err := modulePaths(c, &schemas)
	if err != nil {
		return nil, err
	}
	paths = append(paths, lookupPaths(c.Lookups())...)
	paths = append(paths, platformPaths()...)
	event, ok := objects.Lookup("event")
	if !ok {
		return nil, fmt.Errorf("nothing describes the object %q", "event")
	}
	if !has(schemas, objectName("event")) {
		schemas = append(schemas, member{objectName("event"), bundleSchema(event)})
	}
	raw, err := encode(object{
		{"openapi", "3.1.1"},
		{"info", object{
			{"title", "stripe-connector"},
			{"version", "1"},
			{"summary", "Stripe for automation platforms: one endpoint per module, and instant triggers."},
			{"description", introduction},
			{"license", object{{"name", "Apache 2.0"}, {"identifier", "Apache-2.0"}}},
		}},
		{"servers", []object{{{"url", "/"}, {"description", "The service that serves this document."}}}},
		{"security", []object{{{"token", []string{}}}}},
		{"tags", tags(c)},
		{"x-tagGroups", tagGroups(c)},
		{"paths", paths},
		{"webhooks", calls()},
		{"components", object{
			{"schemas", schemas},
			{"responses", problems()},
			{"parameters", parameters()},
			{"headers", headers()},
			{"securitySchemes", object{{"token", object{
				{"type", "http"},
				{"scheme", "bearer"},
				{"bearerFormat", "sc_…"},
				{"description", "An API token of a workspace. Its role says what it may do: `run` (modules, forms, lookups), `manage` (also connections, webhooks, events, deliveries) or `admin` (also the operations URL, tokens and the audit trail)."},
			}}}},
		}},
	})
	if err != nil {
		return nil, fmt.Errorf("writing the document: %w", err)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, raw, "", " "); err != nil {
		return nil, fmt.Errorf("indenting the document: %w", err)
	}
	indented.WriteByte('\n')
	return indented.Bytes(), nil
}

const introduction = `Every module is one route: post a bundle of fields, get Stripe's own JSON back, unchanged. Forms to read and calls to copy: [the pages of the modules](/docs).

### Bundles

* Nested fields are objects; a dotted key (` + "`shipping.name`" + `) stands for a nested one.
* Platforms send text for everything, so reading is lenient about form and exact about value: an integer may be a text of digits (never rounded), a boolean may be ` + "`yes`, `no`, `on`, `off`, `1` or `0`" + `, one value stands for a list of one, a choice may be given by its label, and metadata may be an object or a list of ` + "`{key, value}`" + `.
* A missing key, ` + "`\"\"`" + ` and ` + "`{}`" + ` mean *not given*; so do ` + "`null`" + ` and ` + "`[]`" + `, except in modules that update: there ` + "`null`" + ` empties a field at Stripe, and ` + "`[]`" + ` a list.
* Dates: RFC 3339, ` + "`YYYY-MM-DD`" + ` with or without a time, ` + "`MM/DD/YYYY`, `D.M.YYYY`" + `, Unix seconds or milliseconds. One without an offset is in the bundle's ` + "`timezone`" + `, or else in UTC.
* Amounts are whole numbers of the smallest currency unit.
* All that is wrong with a bundle is reported at once. Schemas here take every bundle that the service takes, save for an empty object or list in place of something else, and a number for a choice or a connection. Some rules between fields are said in words only.

### Errors

Every error is ` + "`application/problem+json`" + ` (RFC 9457). ` + "`error_type`" + ` is the class of error that automation platforms know, and ` + "`retryable`" + ` says whether the same request may work later. Repeat a failed write with the ` + "`Idempotency-Key`" + ` of the answer.

### Events

Attach a webhook with [Watch Events](/docs/modules/watch-events); the section *Webhooks* says what your URL will be sent.`

// camel is a key as an operationId: create-refund, createRefund.
func camel(key string) string {
	words := strings.FieldsFunc(key, func(r rune) bool { return r == '-' || r == '_' })
	for i, w := range words[1:] {
		words[i+1] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, "")
}

func title(key string) string {
	name := camel(key)
	return strings.ToUpper(name[:1]) + name[1:]
}

// schemaName is the component of a module's bundle; objectName that of an object of Stripe's.
func schemaName(m *spec.Module) string { return title(m.Key) }

func objectName(name string) string { return "stripe." + name }

func has(o object, name string) bool {
	for _, m := range o {
		if m.name == name {
			return true
		}
	}
	return false
}

func schemaRef(name string) object { return object{{"$ref", "#/components/schemas/" + name}} }

// The tags beside the modules' groups.
const (
	tagForms       = "Forms"
	tagConnections = "Connections"
	tagWebhooks    = "Webhooks"
	tagDeliveries  = "Events and deliveries"
	tagOperations  = "Operations"
	tagTokens      = "Tokens"
	tagService     = "Service"
)

func groups(c *spec.Catalogue) []string {
	var names []string
	for _, m := range c.Modules() {
		if len(names) == 0 || names[len(names)-1] != m.Group {
			names = append(names, m.Group)
		}
	}
	return names
}

func tags(c *spec.Catalogue) []object {
	var list []object
	for _, group := range groups(c) {
		list = append(list, object{{"name", group}, {"description", "Modules of the group " + group + "."}})
	}
	return append(list,
		object{{"name", tagForms}, {"description", "What platforms build forms from: the modules' manifests, and choices for their fields."}},
		object{{"name", tagConnections}, {"description", "Stored Stripe API keys. A key goes in once and never comes out."}},
		object{{"name", tagWebhooks}, {"description", "What a trigger's user attached: event types of a connection, sent to a URL."}},
		object{{"name", tagDeliveries}, {"description", "Every event that Stripe sent, and its way to each webhook."}},
		object{{"name", tagOperations}, {"description", "A URL of the workspace that is told when a webhook begins to fail, is disabled, or works again."}},
		object{{"name", tagTokens}, {"description", "API tokens of the caller's workspace."}},
		object{{"name", tagService}, {"description", "How the service itself is, and where Stripe reaches it."}},
	)
}

func tagGroups(c *spec.Catalogue) []object {
	return []object{
		{{"name", "Modules"}, {"tags", groups(c)}},
		{{"name", "Platform"}, {"tags", []string{tagForms, tagConnections, tagWebhooks, tagDeliveries, tagOperations, tagTokens, tagService}}},
	}
}
