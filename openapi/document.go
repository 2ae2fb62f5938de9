// Package openapi describes the service to whoever calls it: the OpenAPI document, the manifest of each module's form,
// and the pages under /docs. All of it is drawn from the declarations of the modules and of the objects that they answer.
//
// document.go and routes.go build the document, request.go the schemas of bundles, answer.go those of answers,
// example.go bundles that can be sent as they are. The result is kept in openapi.json, which is embedded and served;
// go generate writes it anew. docs.go renders the pages.
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
		{"webhooks", subscriberCalls()},
		{"components", object{
			{"schemas", schemas},
			{"responses", problems()},
			{"parameters", parameters()},
			{"headers", headers()},
			{"securitySchemes", object{{"token", object{
				{"type", "http"},
				{"scheme", "bearer"},
				{"bearerFormat", "sc_…"},
				{"description", "An API token of a workspace. Its role says what it may do: `run` (modules, forms, lookups), `manage` (also connections, webhooks, events, deliveries) or `admin` (also tokens)."},
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

const introduction = `Every module is one route: post a bundle of fields, get Stripe's own JSON back, unchanged.

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
		object{{"name", tagTokens}, {"description", "API tokens of the caller's workspace."}},
		object{{"name", tagService}, {"description", "How the service itself is, and where Stripe reaches it."}},
	)
}

func tagGroups(c *spec.Catalogue) []object {
	return []object{
		{{"name", "Modules"}, {"tags", groups(c)}},
		{{"name", "Platform"}, {"tags", []string{tagForms, tagConnections, tagWebhooks, tagDeliveries, tagTokens, tagService}}},
	}
}

// sharedSchemas are the schemas that requests and answers have in common.
func sharedSchemas() object {
	return object{
		{"ChoiceText", object{
			{"type", "string"},
			{"title", "Other spelling"},
			{"description", "A choice by its label, or by its value in another spelling; upper and lower case are the same. Where the field may be left empty, `\"\"` means not given."},
		}},
		{"Metadata", object{
			{"title", "Metadata"},
			{"description", "Key-value pairs, as an object or as a list."},
			{"anyOf", []object{
				{
					{"type", "object"},
					{"maxProperties", 50},
					{"propertyNames", object{{"maxLength", 40}, {"pattern", `^[^\[\]]+$`}}},
					{"additionalProperties", object{{"type", []string{"string", "number", "boolean", "null"}}, {"maxLength", 500}}},
				},
				{
					{"type", "array"}, {"items", object{{"type", []string{"object", "null"}}, {"properties", object{
						{"key", object{{"type", []string{"string", "number"}}, {"maxLength", 40}}},
						{"value", object{{"type", []string{"string", "number", "boolean", "null"}}, {"maxLength", 500}}},
					}}, {"patternProperties", object{{"^__IMT", object{}}}}, {"additionalProperties", false}}},
				},
				{{"type", "string"}, {"maxLength", 0}, {"description", "Not given; in a module that updates, all keys are removed."}},
				{{"type", "null"}, {"description", "Not given; in a module that updates, all keys are removed."}},
			}},
		}},
		{"Problem", problemSchema()},
		{"Manifest", manifestSchema()},
		{"Field", fieldSchema()},
		{"Connection", closed("A stored Stripe API key, without the key.",
			prop("id", "conn_…", text), prop("connection_name", "", text), prop("account", "Stripe account, acct_…; empty if the key may not read it.", text),
			prop("livemode", "", boolean), prop("last4", "Last four characters of the key.", text), prop("created", "", moment))},
		{"Token", closed("An API token, without the token itself.", tokenProperties()...)},
		{"Webhook", webhookSchema()},
		{"Event", closed("An event as Stripe sent it, with what became of it.",
			prop("id", "Stripe's id, evt_….", text), prop("type", "", text), prop("endpoint", "Where it arrived.", text), optional("account", "Connected account that it happened on.", text),
			prop("livemode", "", boolean), prop("api_version", "", text), prop("source", "How it came in.", oneOf("webhook", "catch_up", "replay", "test")),
			prop("created", "By Stripe.", moment), prop("received", "", moment),
			optional("webhooks", "What became of it at each webhook; in the answer about one event.", listOf(closed("",
				prop("webhook", "", text), prop("webhook_name", "", text), optional("reason", "Why it was not sent, or not yet.", text),
				optional("state", "", deliveryState), optional("delivery", "", text)))),
			optional("payload", "Stripe's bytes; in the answer about one event.", schemaRef(objectName("event"))))},
		{"Delivery", closed("One event's way to one webhook.",
			prop("id", "dlv_…", text), prop("event", "", text), prop("type", "", text), prop("webhook", "", text), prop("state", "", deliveryState),
			optional("reason", "Why it was skipped or given up.", text), prop("attempts", "Tries in all, the first one included.", integer),
			prop("last_status", "Null: no try yet, or no answer.", orNull(integer)), prop("next_at", "When it is due; null: not again.", orNull(moment)),
			prop("created", "", moment),
			optional("log", "Each try; in the answer about one delivery.", listOf(closed("",
				prop("at", "", moment), prop("duration_ms", "", number), prop("status", "Null: no answer.", orNull(integer)), prop("answer", "Its first bytes.", text),
				optional("phase", "Where it failed without an answer.", text), optional("error", "", text)))))},
		{"Job", closed("Work that goes on in the background.",
			prop("id", "", text), prop("kind", "", oneOf("replay", "retry_dead")), prop("webhook", "", text), prop("state", "", oneOf("running", "done", "failed")), optional("events", "How many events a replay has to look at.", integer),
			prop("queued", "Deliveries made due so far.", integer), optional("error", "", text), prop("started", "", moment), prop("ended", "Null: it goes on.", orNull(moment)))},
	}
}

func tokenProperties() []property {
	return []property{
		prop("id", "", text), prop("workspace", "", text), prop("role", "", oneOf("run", "manage", "admin")), prop("name", "What it is for.", text),
		prop("prefix", "Its first characters.", text), prop("created", "", moment), prop("last_used", "Null: never.", orNull(moment)),
	}
}

// problemSchema is RFC 9457 with what automation platforms need besides.
func problemSchema() object {
	return closed("What went wrong, as in RFC 9457.",
		prop("type", "Always `about:blank`; `title` and `status` say what it is.", text),
		prop("title", "", text), prop("status", "The HTTP status.", integer), optional("detail", "One or two sentences for people.", text),
		prop("error_type", "The class of error in Make's words.", oneOf("DataError", "InvalidAccessTokenError", "RuntimeError", "ConnectionError", "RateLimitError")),
		prop("retryable", "Whether the same request may succeed later.", boolean),
		optional("fields", "Every field that needs attention, in the order of the form.", listOf(closed("",
			prop("field", "Path as in the bundle: `shipping.address.line1`, `discounts[1].coupon`.", text),
			prop("label", "What the form calls it; empty for a key that no field has.", text),
			prop("code", "", oneOf(spec.CodeRequired, spec.CodeUnknown, spec.CodeDuplicate, spec.CodeInvalid, spec.CodeNotAllowed, spec.CodeTooSmall, spec.CodeTooLarge,
				spec.CodeTooShort, spec.CodeTooLong, spec.CodeTooMany, spec.CodeNoClear, spec.CodeRefused)),
			prop("message", "", text)))),
		optional("stripe", "What Stripe said, if it did.", closed("",
			optional("type", "", text), optional("code", "", text), optional("decline_code", "", text), optional("param", "", text), optional("message", "", text),
			optional("request_id", "", text), optional("doc_url", "", text))),
		optional("done", "Steps that took effect before the one that failed.", listOf(text)),
		optional("request_id", "Of this service, for its log.", text),
	)
}

func webhookSchema() object {
	return closed("Event types of a connection, sent to a URL.",
		prop("id", "whk_…", text), prop("webhook_name", "", text), prop("connection", "", text), prop("group", "", text), prop("enabled_events", "`*` is all.", listOf(text)),
		prop("connect", "Events of connected accounts.", boolean), optional("api_version", "", text), prop("url", "", text),
		prop("state", "`failing`: the subscriber does not take what it is sent. `disabled`: nothing is sent, for `reason`.", oneOf("active", "paused", "failing", "disabled")),
		optional("reason", "", text), prop("created", "", moment),
		optional("endpoint", "What stands at Stripe for it, shared with other webhooks.", closed("",
			prop("id", "", text), optional("stripe_id", "we_…", text), prop("state", "", oneOf("absent", "enabled", "disabled", "refused")), optional("reason", "", text),
			prop("livemode", "", boolean))),
		optional("signing_secret", "whsec_…, to verify what the URL is sent. Shown once, when the webhook is made.", text),
		optional("warnings", "", listOf(text)))
}

func manifestSchema() object {
	return closed("A module: its form and what its bundles hold.",
		prop("key", "", text), prop("label", "", text), prop("group", "", text), prop("type", "", oneOf(string(spec.Action), string(spec.Search), string(spec.Trigger), string(spec.Universal))),
		prop("help", "", text), prop("docs", "Stripe's page about the call.", text), prop("path", "What to POST the bundle to.", text),
		prop("fields", "The form, in documented order.", listOf(schemaRef("Field"))),
		prop("output", "", closed("", prop("object", "", text), prop("fields", "", listOf(object{{"type", "object"}})), prop("sample", "", object{{"type", "object"}}))))
}

func fieldSchema() object {
	return closed("A field of a form. Fields that an option shows stand below that option.",
		prop("name", "Path in the bundle.", text), prop("label", "", text), prop("type", "", oneOf(
			string(spec.KindConnection), string(spec.KindText), string(spec.KindID), string(spec.KindInteger), string(spec.KindBoolean), string(spec.KindSelect),
			string(spec.KindMultiselect), string(spec.KindDate), string(spec.KindEmail), string(spec.KindURL), string(spec.KindTexts), string(spec.KindRows),
			string(spec.KindMetadata), string(spec.KindFilter), string(spec.KindAny))),
		prop("required", "Whenever the field is shown.", boolean), optional("help", "", text), optional("section", "", text),
		optional("options", "", listOf(closed("", prop("value", "", text), prop("label", "", text), optional("refused", "Why it can no longer be chosen.", text), optional("fields", "Shown once it is chosen.", listOf(schemaRef("Field")))))),
		optional("open", "Values beside the options pass too.", boolean),
		optional("min", "", integer), optional("max", "", integer), optional("min_length", "Characters.", integer), optional("max_length", "Characters.", integer),
		optional("max_items", "", integer), optional("pattern", "", text), optional("default", "", object{}), optional("clearable", "Null empties it in a module that updates.", boolean),
		optional("lookup", "Where its choices are found.", closed("", prop("name", "Of `GET /v1/lookups/{lookup}`.", text), optional("by", "Inputs that narrow it.", listOf(text)), optional("only", "Which objects make sense here.", text))),
		optional("visible_when", "All of these must hold, each of which holds if one of its conditions does.", listOf(listOf(closed("", prop("field", "", text), prop("in", "", listOf(text)))))),
		optional("required_with", "", listOf(text)), optional("required_within", "Required as soon as a field beside it is given.", boolean),
		optional("refused", "Why any value is an error.", text), optional("items", "Fields of each row.", listOf(schemaRef("Field"))))
}

// The schemas of single values.
var (
	text          = object{{"type", "string"}}
	boolean       = object{{"type", "boolean"}}
	integer       = object{{"type", "integer"}}
	number        = object{{"type", "number"}}
	moment        = object{{"type", "string"}, {"format", "date-time"}}
	deliveryState = oneOf("pending", "delivered", "dead", "skipped")
)

func oneOf(values ...string) object { return object{{"type", "string"}, {"enum", values}} }
func listOf(item object) object     { return object{{"type", "array"}, {"items", item}} }

// orNull is the schema of a value that may not be there yet.
func orNull(s object) object {
	nullable := append(object{}, s...)
	nullable[0] = member{"type", []any{s[0].value, "null"}}
	return nullable
}

// A property is a member of an answer of ours.
type property struct {
	member
	optional bool
}

func prop(name, help string, s object) property {
	if help != "" {
		s = append(object{{"description", help}}, s...)
	}
	return property{member: member{name, s}}
}

func optional(name, help string, s object) property {
	p := prop(name, help, s)
	p.optional = true
	return p
}

// closed is an answer of ours: it has these members and no others.
func closed(help string, properties ...property) object {
	var all object
	var required []string
	for _, p := range properties {
		all = append(all, p.member)
		if !p.optional {
			required = append(required, p.name)
		}
	}
	return append(object{}.with("description", help), object{{"type", "object"}, {"properties", all}}.with("required", required).with("additionalProperties", false)...)
}
