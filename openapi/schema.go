package openapi

import "stripe-connector/internal/spec"

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
		{"Deed", closed("Something that was done, without any values.", prop("id", "", text), prop("token", "Id of the token with which it was done; empty: by the operator, on the command line.", text),
			prop("action", "Such as `webhook.pause`.", text), prop("subject", "Id of what it was done to.", text),
			prop("request_id", "Id of the request in the service's log.", text), prop("created", "", moment))},
		{"Token", closed("An API token, without the token itself.", tokenProperties()...)},
		{"Webhook", webhookSchema()},
		{"Operations", closed("Where a workspace is told of what needs a person.",
			prop("id", "ops_…", text), prop("url", "", text), prop("created", "", moment),
			optional("signing_secret", "whsec_…, to verify what the URL is sent. Shown once, when it is made.", text))},
		{"OperationalEvent", closed("An event of the service's own.",
			prop("id", "evt_connector_…", text), prop("object", "", oneOf("event")),
			prop("type", "`failing`: 100 attempts in a row failed and nothing was delivered for 24 hours. `disabled`: nothing is sent any more, since nothing was delivered for 5 days or the subscriber answered 410. "+
				"`recovered`: a failing webhook takes events again. `connector.test`: a sample.",
				oneOf("connector.webhook.failing", "connector.webhook.disabled", "connector.webhook.recovered", "connector.test")),
			prop("created", "Unix seconds.", integer), prop("workspace", "", text),
			prop("data", "", closed("", prop("object", "The webhook as it is now; of a sample, the operations URL's id.", closed("",
				prop("id", "", text), prop("object", "", oneOf("connector.webhook", "connector.operations")), optional("webhook_name", "", text), optional("connection", "", text),
				optional("state", "", oneOf("active", "paused", "failing", "disabled")), optional("reason", "Why, in plain words.", text))))))},
		{"Event", closed("An event as Stripe sent it, with what became of it.",
			prop("id", "Stripe's id, evt_….", text), prop("type", "", text), prop("endpoint", "Where it arrived.", text),
			optional("object", "Id of what it is about, cus_…, pi_… and so on, if that has one.", text), optional("account", "Connected account that it happened on.", text),
			prop("livemode", "", boolean), prop("api_version", "", text), prop("source", "How it came in.", oneOf("webhook", "catch_up", "test")),
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
		optional("health", "How that endpoint is being kept, as far as the process that answers knows since its start; in the answer about one webhook.", closed("",
			prop("reconciled", "When Stripe's side was last found or made right; null: not yet.", orNull(moment)),
			optional("problem", "Why that failed the last time.", text), optional("next_try", "It is not tried again before.", moment),
			prop("actions", "What was done last, newest first.", listOf(actionSchema())),
			prop("caught_up", "As of when every event that Stripe lists is here; null: not known yet.", orNull(moment)),
			prop("lag_seconds", "How long ago that is; null: not known yet.", orNull(number)),
			optional("catch_up", "The comparison with Stripe's list that is under way. Stripe lists an event in the API version that it was created in, whatever the endpoint's.", closed("",
				prop("began", "", moment), prop("from", "", moment), prop("position", "Events that Stripe created before are here.", moment),
				prop("listed", "", integer), prop("new", "Those that were missing.", integer))),
			optional("catch_up_problem", "Why the last comparison failed.", text))),
		optional("signing_secret", "whsec_…, to verify what the URL is sent. Shown once, when the webhook is made.", text),
		optional("warnings", "", listOf(text)))
}

func actionSchema() object {
	return closed("Something that was done at Stripe.",
		prop("at", "", moment), prop("endpoint", "ep_…", text), prop("stripe_id", "we_…", text),
		prop("action", "", oneOf("created", "replaced", "enabled", "changed", "deleted")), prop("reason", "What was found.", text))
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
		optional("lookup", "Where its choices are found.", closed("", prop("name", "Of `GET /v1/lookups/{lookup}`.", text), optional("by", "Inputs that narrow it.", listOf(text)), optional("only", "Which objects make sense here: those whose field has one of the values. Where the lookup has an input of that name, it narrows to one of them.", closed("", prop("field", "", text), prop("in", "", listOf(text)))))),
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
