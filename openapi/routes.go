package openapi

import (
	"net/http"
	"slices"
	"strconv"

	"stripe-connector/internal/spec"
)

// An operation is one route of the document.
type operation struct {
	id, tag, summary, help, docs string

	role       string // that the token needs; empty: no token
	parameters []object
	body       object // schema of the request body
	answers    object // by status
	errors     []int  // statuses of problems, beside those that every route may have
	asksStripe bool   // which may refuse and fail in ways of its own
}

// Statuses of problems.
var (
	always   = []int{http.StatusInternalServerError, http.StatusServiceUnavailable}
	guarded  = []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests}
	reads    = []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity}
	finds    = []int{http.StatusNotFound}
	pages    = []int{http.StatusUnprocessableEntity}
	toStripe = []int{
		http.StatusBadRequest, http.StatusPaymentRequired, http.StatusNotFound, http.StatusConflict, http.StatusFailedDependency,
		http.StatusTooManyRequests, http.StatusBadGateway, http.StatusGatewayTimeout,
	}
)

func (o operation) build() object {
	s := object{{"operationId", o.id}, {"tags", []string{o.tag}}, {"summary", o.summary}}
	help := o.help
	if o.role != "" {
		help += "\n\nNeeds a token with the role `" + o.role + "`."
	}
	s = s.with("description", help)
	if o.docs != "" {
		s = append(s, member{"externalDocs", object{{"url", o.docs}, {"description", "Stripe's page about the call"}}})
	}
	if o.role == "" {
		s = append(s, member{"security", []object{}})
	} else {
		s = append(s, member{"x-role", o.role})
	}
	if o.parameters != nil {
		s = append(s, member{"parameters", o.parameters})
	}
	if o.body != nil {
		s = append(s, member{"requestBody", object{{"required", true}, {"content", object{{"application/json", object{{"schema", o.body}}}}}}})
	}
	statuses := slices.Concat(always, o.errors)
	if o.asksStripe {
		statuses = append(statuses, toStripe...)
	}
	if o.role != "" {
		statuses = append(statuses, guarded...)
	}
	slices.Sort(statuses)
	answers := o.answers
	for _, status := range slices.Compact(statuses) {
		answers = append(answers, member{strconv.Itoa(status), object{{"$ref", "#/components/responses/" + problemName(status)}}})
	}
	if o.asksStripe {
		answers = append(answers, member{"4XX", object{{"$ref", "#/components/responses/Refused"}}})
	}
	return append(s, member{"responses", answers})
}

// answer is a response with a JSON body.
func answer(help string, schema object, headers ...string) object {
	return object{{"description", help}}.with("headers", headerRefs(headers)).with("content", object{{"application/json", object{{"schema", schema}}}})
}

func headerRefs(names []string) (refs object) {
	for _, name := range append([]string{"X-Request-Id"}, names...) {
		refs = append(refs, member{name, object{{"$ref", "#/components/headers/" + name}}})
	}
	return refs
}

func parameter(name string) object { return object{{"$ref", "#/components/parameters/" + name}} }

func queryParameter(name, help string, required bool, schema object) object {
	p := object{{"name", name}, {"in", "query"}}.with("description", help)
	if required {
		p = append(p, member{"required", true})
	}
	return append(p, member{"schema", schema})
}

// modulePaths are one path for each module, and add what they need to the schemas.
func modulePaths(c *spec.Catalogue, schemas *object) (object, error) {
	var paths object
	for _, m := range c.Modules() {
		out, err := output(m)
		if err != nil {
			return nil, err
		}
		if name := objectName(out.Name); m.Type != spec.Universal && !has(*schemas, name) {
			*schemas = append(*schemas, member{name, bundleSchema(out)})
		}
		*schemas = append(*schemas, member{schemaName(m), bundle(m, schemas)})
		op := operation{
			id: camel(m.Key), tag: m.Group, summary: m.Label, docs: m.Docs, role: "run",
			help:       m.Help + " The form, with examples to copy: [" + m.Label + "](/docs/modules/" + m.Key + ").",
			parameters: []object{parameter("Stripe-Account"), parameter("Stripe-Version"), parameter("X-Request-Id")},
			body:       schemaRef(schemaName(m)),
			errors:     reads, asksStripe: true,
		}
		item := schemaRef(objectName(m.Out))
		switch m.Type {
		case spec.Search:
			op.answers = searchAnswers(item)
		case spec.Trigger:
			op.role, op.parameters = "manage", op.parameters[2:]
			op.answers = object{
				{"201", answer("Attached. `signing_secret` is shown this once.", schemaRef("Webhook"))},
				{"200", answer("A webhook like it was there already; nothing has changed.", schemaRef("Webhook"))},
			}
		case spec.Universal:
			op.parameters = append([]object{parameter("Idempotency-Key")}, op.parameters...)
			op.answers = object{{"200", answer("Whatever Stripe answered, refusals included.", closed("",
				prop("status_code", "Stripe's.", integer), prop("headers", "Stripe's, in lower case.", object{{"type", "object"}, {"additionalProperties", text}}),
				prop("body", "Stripe's JSON, or a text.", object{})), callHeaders...)}}
		default:
			op.parameters = append([]object{parameter("Idempotency-Key")}, op.parameters...)
			op.answers = object{{"200", answer("Stripe's object.", item, callHeaders...)}}
		}
		paths = append(paths, member{modulePath(m), object{{"post", op.build()}}})
	}
	return paths, nil
}

var callHeaders = []string{"Stripe-Request-Id", "Idempotency-Key", "Idempotent-Replayed"}

func searchAnswers(item object) object {
	line := object{{"anyOf", []object{item, closed("The stream broke off.", prop("problem", "", schemaRef("Problem")))}}}
	return object{{"200", object{
		{"description", "The objects that were found. Ask for `application/x-ndjson` to get each as a line of its own, as soon as its page is there."},
		{"headers", headerRefs(nil)},
		{"content", object{
			{"application/json", object{{"schema", closed("",
				prop("bundles", "Stripe's objects.", listOf(item)), prop("has_more", "", boolean),
				prop("next_cursor", "What to send as `cursor` to go on; null: nothing is left.", orNull(text)),
				optional("scan_cut", "A filter of ours gave up before `limit` objects were found; go on with the cursor.", boolean))}}},
			{"application/x-ndjson", object{
				{"schema", object{{"type", "string"}, {"description", "One object a line. The trailers `Has-More`, `Next-Cursor` and `Scan-Cut` follow the last. A stream that fails half-way ends with the line `{\"problem\":…}`."}}},
				{"x-line-schema", line},
			}},
		}},
	}}}
}

// lookupPaths are one path for each lookup: its inputs are parameters of the query.
func lookupPaths(lookups []*spec.Lookup) object {
	var paths object
	for _, l := range lookups {
		parameters := []object{parameter("connection")}
		for _, f := range l.Form() {
			switch f.Name {
			case "connection", "limit":
				continue
			}
			schema := text
			switch {
			case f.Type == spec.KindSelect:
				schema = either((&requestSchema{}).choices(&f)[:2]...)
			case f.MaxLength > 0:
				schema = text.with("maxLength", f.MaxLength)
			}
			parameters = append(parameters, queryParameter(f.Name, f.Help, f.Required, append(object{{"title", f.Label}}, schema...)))
		}
		parameters = append(parameters, parameter("limit"), parameter("cursor"), parameter("Stripe-Account"), parameter("X-Request-Id"))
		paths = append(paths, member{"/v1/lookups/" + l.Key, object{{"get", operation{
			id: camel("lookup_" + l.Key), tag: tagForms, summary: l.Label + " to choose from", help: "Choices for fields of modules, named as people know them.",
			role: "run", parameters: parameters, errors: pages, asksStripe: true,
			answers: choices,
		}.build()}}})
	}
	return paths
}

// choices is what every lookup answers.
var choices = object{{"200", answer("The choices.", closed("",
	prop("options", "", listOf(closed("", prop("value", "", text), prop("label", "", text)))), prop("next_cursor", "Null: nothing is left.", orNull(text))))}}

// platformPaths are the routes beside the modules and their lookups.
func platformPaths() object {
	list := func(item string) object {
		return object{{"200", answer("A page, newest first.", closed("",
			prop("data", "", listOf(schemaRef(item))), prop("has_more", "", boolean), prop("next_cursor", "Null: nothing is left.", orNull(text))))}}
	}
	one := func(status int, help string, schema object) object {
		return object{{strconv.Itoa(status), answer(help, schema)}}
	}
	gone := func(help string) object {
		return object{{"204", object{{"description", help}, {"headers", headerRefs(nil)}}}}
	}
	id := parameter("id")
	page := []object{parameter("limit"), parameter("cursor")}
	span := []object{queryParameter("from", "Included.", false, moment), queryParameter("to", "Not included.", false, moment)}
	conflicts := []int{http.StatusConflict}

	route := func(path string, methods ...member) member { return member{path, object(methods)} }
	do := func(method string, o operation) member { return member{method, o.build()} }
	name := prop("connection_name", "What people call it.", object{{"type", "string"}, {"maxLength", 255}})
	key := prop("key", "Stripe API key: sk_… or rk_….", object{{"type", "string"}, {"maxLength", 255}, {"writeOnly", true}})
	optionally := func(p property) property { p.optional = true; return p }
	trial := one(http.StatusOK, "What came of it.", closed("", prop("event", "", text), prop("type", "", text), prop("delivered", "", boolean), prop("status", "0: no answer.", integer),
		prop("answer", "Its first bytes.", text), optional("error", "", text), prop("duration_ms", "", number)))
	started := one(http.StatusAccepted, "Begun; `GET /v1/jobs/{id}` tells how it goes.", schemaRef("Job"))

	return object{
		route("/v1/modules", do("get", operation{
			id: "listModules", tag: tagForms, summary: "List modules", help: "The manifest of every module, in documented order. An `ETag` makes repeated reads cheap.", role: "run",
			parameters: []object{parameter("If-None-Match")},
			answers:    tagged("The manifests.", closed("", prop("data", "", listOf(schemaRef("Manifest"))))),
		})),
		route("/v1/modules/{module}", do("get", operation{
			id: "getModule", tag: tagForms, summary: "Get a module", help: "The manifest of one module.", role: "run", errors: finds,
			parameters: []object{
				{{"name", "module"}, {"in", "path"}, {"required", true}, {"description", "Key of the module, such as `create-refund`."}, {"schema", text}},
				parameter("If-None-Match"),
			},
			answers: tagged("The manifest.", schemaRef("Manifest")),
		})),
		route("/v1/lookups/event-types", do("get", operation{
			id: "lookupEventTypes", tag: tagForms, summary: "Event types to choose from", help: "What Watch Events can be asked for, as one list.", role: "run",
			parameters: []object{queryParameter("group", "Only the types of this group.", false, text)}, errors: pages, answers: choices,
		})),
		route("/v1/event-types", do("get", operation{
			id: "listEventTypes", tag: tagForms, summary: "List event types", help: "What Watch Events can be asked for, group by group.", role: "run",
			answers: one(http.StatusOK, "The groups.", closed("", prop("data", "", listOf(closed("", prop("key", "", text), prop("label", "", text),
				prop("events", "", listOf(closed("", prop("type", "", text), prop("label", "", text))))))))),
		})),

		route("/v1/connections",
			do("get", operation{id: "listConnections", tag: tagConnections, summary: "List connections", role: "manage", parameters: page, errors: pages, answers: list("Connection")}),
			do("post", operation{
				id: "createConnection", tag: tagConnections, summary: "Create a connection", role: "manage",
				help: "Checks the key with Stripe and stores it sealed.", body: closed("", optionally(name), key),
				errors: reads, asksStripe: true, answers: one(http.StatusCreated, "Stored.", schemaRef("Connection")),
			})),
		route("/v1/connections/{id}", member{"parameters", []object{id}},
			do("get", operation{id: "getConnection", tag: tagConnections, summary: "Get a connection", role: "manage", errors: finds, answers: one(http.StatusOK, "The connection.", schemaRef("Connection"))}),
			do("patch", operation{
				id: "updateConnection", tag: tagConnections, summary: "Update a connection", role: "manage",
				help: "Renames it, or replaces the key by another one of the same account and mode.", body: closed("", optionally(name), optionally(key)),
				errors: reads, asksStripe: true, answers: one(http.StatusOK, "Changed.", schemaRef("Connection")),
			}),
			do("delete", operation{
				id: "deleteConnection", tag: tagConnections, summary: "Delete a connection", role: "manage",
				help:   "Refused while webhooks use it. What is left of their endpoints at Stripe is deleted before.",
				errors: slices.Concat(finds, conflicts), asksStripe: true, answers: gone("Deleted."),
			})),
		route("/v1/connections/{id}/check", member{"parameters", []object{id}}, do("post", operation{
			id: "checkConnection", tag: tagConnections, summary: "Check a connection", role: "manage", help: "Tests the key with Stripe.",
			errors: pages, asksStripe: true, answers: one(http.StatusOK, "Stripe takes the key.", schemaRef("Connection")),
		})),

		route("/v1/connections/{id}/reconcile", member{"parameters", []object{id}}, do("post", operation{
			id: "reconcileConnection", tag: tagConnections, summary: "Reconcile a connection", role: "manage",
			help: "Makes the endpoints at Stripe what the connection's webhooks want, at once instead of in a few minutes: creates those that were deleted, enables those that Stripe disabled, " +
				"changes what differs and deletes what nobody wants. Endpoints that others made are left alone.",
			errors:  slices.Concat(toStripe, conflicts),
			answers: one(http.StatusOK, "What had to be done.", closed("", prop("actions", "", listOf(actionSchema())))),
		})),

		route("/v1/webhooks", do("get", operation{
			id: "listWebhooks", tag: tagWebhooks, summary: "List webhooks", role: "manage", errors: pages, answers: list("Webhook"),
			parameters: slices.Concat([]object{queryParameter("connection", "Only of this connection.", false, text), queryParameter("state", "Only in this state.", false, oneOf("active", "paused", "failing", "disabled"))}, page),
		})),
		route("/v1/webhooks/{id}", member{"parameters", []object{id}},
			do("get", operation{id: "getWebhook", tag: tagWebhooks, summary: "Get a webhook", role: "manage", errors: finds, answers: one(http.StatusOK, "The webhook.", schemaRef("Webhook"))}),
			do("patch", operation{
				id: "updateWebhook", tag: tagWebhooks, summary: "Update a webhook", role: "manage",
				help: "What is left out stays. Another `api_version` moves it to another endpoint at Stripe; nothing is missed in between, and events of the last ten minutes may come again. " +
					"Types that are added to others may bring their events of the last ten minutes; another `connect`, or nothing but new types, brings none of before.",
				body: closed("", optional("webhook_name", "", orNull(text)), optional("group", "", orNull(text)), optional("enabled_events", "Empty: all of the group.", orNull(listOf(text))),
					optional("connect", "", orNull(boolean)), optional("api_version", "", orNull(text)), optional("url", "", orNull(text))),
				errors: reads, asksStripe: true, answers: one(http.StatusOK, "Changed.", schemaRef("Webhook")),
			}),
			do("delete", operation{
				id: "deleteWebhook", tag: tagWebhooks, summary: "Delete a webhook", role: "manage", help: "Detaches it. Doing so twice is the same as once.",
				asksStripe: true, answers: gone("Detached."),
			})),
		route("/v1/webhooks/{id}/pause", member{"parameters", []object{id}}, do("post", operation{
			id: "pauseWebhook", tag: tagWebhooks, summary: "Pause a webhook", role: "manage", help: "Its deliveries wait until it is resumed.", errors: finds,
			answers: one(http.StatusOK, "Paused.", schemaRef("Webhook")),
		})),
		route("/v1/webhooks/{id}/resume", member{"parameters", []object{id}}, do("post", operation{
			id: "resumeWebhook", tag: tagWebhooks, summary: "Resume a webhook", role: "manage", help: "Sends what has waited, of a paused or a disabled webhook.", errors: finds,
			answers: one(http.StatusOK, "Active.", schemaRef("Webhook")),
		})),
		route("/v1/webhooks/{id}/rotate-secret", member{"parameters", []object{id}}, do("post", operation{
			id: "rotateWebhookSecret", tag: tagWebhooks, summary: "Rotate the signing secret", role: "manage", help: "The secret of before signs beside the new one for 24 hours.", errors: finds,
			answers: one(http.StatusOK, "The new secret, shown this once.", closed("", prop("id", "", text), prop("signing_secret", "whsec_…", text))),
		})),
		route("/v1/webhooks/{id}/roll-endpoint", member{"parameters", []object{id}}, do("post", operation{
			id: "rollWebhookEndpoint", tag: tagWebhooks, summary: "Roll the endpoint at Stripe", role: "manage",
			help: "Replaces the endpoint by one with a new secret, for all webhooks that share it. The new one is there before the old one goes, " +
				"and the old secret is taken for 72 hours more, so that nothing is missed.",
			errors: slices.Concat(toStripe, conflicts), answers: one(http.StatusOK, "Replaced.", schemaRef("Webhook")),
		})),
		route("/v1/webhooks/{id}/test", member{"parameters", []object{id}}, do("post", operation{
			id: "testWebhook", tag: tagWebhooks, summary: "Send a sample", role: "manage", help: "Sends one signed sample at once, and answers what the subscriber said.", errors: finds,
			answers: trial,
		})),
		route("/v1/webhooks/{id}/replay", member{"parameters", []object{id}}, do("post", operation{
			id: "replayWebhook", tag: tagWebhooks, summary: "Replay events", role: "manage", help: "Sends the stored events of a span of time again, also those from before the webhook was attached.",
			body:   closed("", prop("from", "Included.", moment), optional("to", "Not included; empty: now.", orNull(moment)), optional("types", "Only these types.", orNull(listOf(text)))),
			errors: reads, asksStripe: true, answers: started,
		})),
		route("/v1/webhooks/{id}/retry-dead", member{"parameters", []object{id}}, do("post", operation{
			id: "retryDeadDeliveries", tag: tagWebhooks, summary: "Retry what was given up", role: "manage", help: "Makes every dead delivery of the webhook due again.",
			errors: slices.Concat(finds, conflicts), answers: started,
		})),
		route("/v1/jobs/{id}", member{"parameters", []object{id}}, do("get", operation{
			id: "getJob", tag: tagWebhooks, summary: "Get a job", role: "manage", errors: finds, answers: one(http.StatusOK, "How it goes.", schemaRef("Job")),
		})),

		route("/v1/events", do("get", operation{
			id: "listEvents", tag: tagDeliveries, summary: "List events", role: "manage", errors: pages, answers: list("Event"),
			parameters: slices.Concat([]object{
				queryParameter("endpoint", "Only those that arrived here.", false, text), queryParameter("type", "Only these types, with commas between them.", false, text),
				queryParameter("object", "Only about the object with this id, such as cus_….", false, text),
			}, span, page),
		})),
		route("/v1/events/{id}", member{"parameters", []object{id}}, do("get", operation{
			id: "getEvent", tag: tagDeliveries, summary: "Get an event", role: "manage", help: "With its payload, and what became of it at every webhook.", errors: finds, answers: one(http.StatusOK, "The event.", schemaRef("Event")),
		})),
		route("/v1/deliveries", do("get", operation{
			id: "listDeliveries", tag: tagDeliveries, summary: "List deliveries", role: "manage", errors: pages, answers: list("Delivery"),
			parameters: slices.Concat([]object{
				queryParameter("webhook", "Only to this webhook.", false, text), queryParameter("event", "Only of this event.", false, text),
				queryParameter("object", "Only of events about the object with this id, such as cus_….", false, text),
				queryParameter("type", "Only of this type of event.", false, text), queryParameter("state", "Only in this state.", false, deliveryState),
			}, span, page),
		})),
		route("/v1/deliveries/{id}", member{"parameters", []object{id}}, do("get", operation{
			id: "getDelivery", tag: tagDeliveries, summary: "Get a delivery", role: "manage", help: "With each of its attempts.", errors: finds, answers: one(http.StatusOK, "The delivery.", schemaRef("Delivery")),
		})),
		route("/v1/deliveries/{id}/retry", member{"parameters", []object{id}}, do("post", operation{
			id: "retryDelivery", tag: tagDeliveries, summary: "Retry a delivery", role: "manage", help: "Makes it due now, in whatever state it is, and starts its schedule anew.",
			errors: slices.Concat(finds, conflicts), answers: one(http.StatusAccepted, "Due.", schemaRef("Delivery")),
		})),

		route("/v1/operations",
			do("get", operation{id: "getOperations", tag: tagOperations, summary: "Get the operations URL", role: "admin", errors: finds, answers: one(http.StatusOK, "The URL.", schemaRef("Operations"))}),
			do("put", operation{
				id: "setOperations", tag: tagOperations, summary: "Set the operations URL", role: "admin",
				help:   "There is one for each workspace. Another URL takes the place of the one before and keeps its signing secret.",
				body:   closed("", prop("url", "Where operational events are sent. It must be what a webhook's URL must be.", text)),
				errors: reads, answers: slices.Concat(one(http.StatusOK, "Changed.", schemaRef("Operations")), one(http.StatusCreated, "Set. `signing_secret` is shown this once.", schemaRef("Operations"))),
			}),
			do("delete", operation{id: "deleteOperations", tag: tagOperations, summary: "Delete the operations URL", role: "admin", help: "Doing so twice is the same as once.", answers: gone("Deleted.")})),
		route("/v1/operations/rotate-secret", do("post", operation{
			id: "rotateOperationsSecret", tag: tagOperations, summary: "Rotate the signing secret", role: "admin", help: "The secret of before signs beside the new one for 24 hours.", errors: finds,
			answers: one(http.StatusOK, "With the new `signing_secret`, shown this once.", schemaRef("Operations")),
		})),
		route("/v1/operations/test", do("post", operation{
			id: "testOperations", tag: tagOperations, summary: "Send a sample", role: "admin", help: "Sends one signed event of the type `connector.test` at once, and answers what the URL said.", errors: finds,
			answers: trial,
		})),

		route("/v1/audit", do("get", operation{
			id: "listAudit", tag: tagTokens, summary: "List who did what", help: "What was done to connections, webhooks, the operations URL and tokens of the workspace, and with which token.",
			role: "admin", parameters: page, errors: pages, answers: list("Deed"),
		})),
		route("/v1/tokens",
			do("get", operation{id: "listTokens", tag: tagTokens, summary: "List tokens", role: "admin", parameters: page, errors: pages, answers: list("Token")}),
			do("post", operation{
				id: "createToken", tag: tagTokens, summary: "Create a token", role: "admin", help: "Makes a token of the caller's workspace.",
				body:   closed("", prop("role", "", oneOf("run", "manage", "admin")), optional("name", "What it is for.", text)),
				errors: reads, answers: one(http.StatusCreated, "The token is shown this once.", closed("", append(tokenProperties(), prop("token", "sc_…", text))...)),
			})),
		route("/v1/tokens/{id}", member{"parameters", []object{id}}, do("delete", operation{
			id: "revokeToken", tag: tagTokens, summary: "Revoke a token", role: "admin", errors: slices.Concat(finds, conflicts), answers: gone("Revoked."),
		})),

		route("/stripe/{endpoint}", do("post", operation{
			id: "receiveEvent", tag: tagService, summary: "Receive an event from Stripe",
			help: "For Stripe alone: the URL that the service registers there. The signature is checked over the raw bytes; a 200 means that the event is on disk.",
			parameters: []object{
				{{"name", "endpoint"}, {"in", "path"}, {"required", true}, {"schema", text}},
				{{"name", "Stripe-Signature"}, {"in", "header"}, {"required", true}, {"schema", text}},
			},
			body:    schemaRef(objectName("event")),
			errors:  []int{http.StatusBadRequest, http.StatusNotFound, http.StatusRequestEntityTooLarge},
			answers: one(http.StatusOK, "Stored.", closed("", prop("received", "", boolean), prop("new", "False: it was there already.", boolean))),
		})),
		route("/openapi.json", do("get", operation{
			id: "getDocument", tag: tagService, summary: "This document", help: "The OpenAPI document of the service.", parameters: []object{parameter("If-None-Match")},
			answers: tagged("The document.", object{{"type", "object"}}),
		})),
		route("/healthz", do("get", operation{
			id: "health", tag: tagService, summary: "Whether the process serves", help: "Asks nothing else: neither the store nor Stripe.",
			answers: one(http.StatusOK, "It does.", closed("", prop("status", "", oneOf("ok")))),
		})),
		route("/readyz", do("get", operation{
			id: "ready", tag: tagService, summary: "Whether requests can be taken", help: "The store is there and migrated, and the service is not on its way down.",
			answers: one(http.StatusOK, "They can.", closed("", prop("status", "", oneOf("ready")))),
		})),
		route("/metrics", do("get", operation{
			id: "metrics", tag: tagService, summary: "Metrics for Prometheus", help: "Counters of the whole process; nothing of any workspace shows.", errors: finds,
			answers: object{{"200", object{
				{"description", "The counters, in Prometheus's text format."}, {"headers", headerRefs(nil)}, {"content", object{{"text/plain", object{{"schema", text}}}}},
			}}},
		})),
	}
}

// tagged are the answers of a route whose content has a tag, by which callers ask whether they have it already.
func tagged(help string, schema object) object {
	return object{
		{"200", answer(help, schema, "ETag")},
		{"304", object{{"description", "It is what the tag in `If-None-Match` says."}, {"headers", headerRefs([]string{"ETag"})}}},
	}
}

// calls is what the service sends to URLs of others.
func calls() object {
	header := func(name, help string, required bool, schema object) object {
		return object{{"name", name}, {"in", "header"}, {"required", required}, {"description", help}, {"schema", schema}}
	}
	said := func(help string) object { return object{{"description", help}} }
	call := func(id, tag, summary, help string, body, taken object, more ...object) object {
		return object{{"post", object{
			{"operationId", id},
			{"tags", []string{tag}},
			{"summary", summary},
			{"description", help},
			{"security", []object{}},
			{"parameters", append([]object{
				header("webhook-id", "Id of the event: the same on every attempt.", true, text),
				header("webhook-timestamp", "Unix seconds of this attempt. Refuse what is too old.", true, text),
				header("webhook-signature", "`v1,` and the signature. While a secret rotates there are two, with a blank between them.", true, text),
			}, more...)},
			{"requestBody", object{{"required", true}, {"content", object{{"application/json", object{{"schema", body}}}}}}},
			{"responses", taken},
		}}}
	}
	const again = "What is not taken is sent again after 5 s, 30 s, 2 min, 10 min, 30 min, 1 h, 2 h and then every 4 h up to 3 days, unless the operator set another schedule. " +
		"`Retry-After` is obeyed. A redirect is not followed."
	answers := func(gone string) object {
		return object{{"2XX", said("Taken.")}, {"410", said(gone)}, {"default", said("Not taken; sent again later.")}}
	}
	return object{
		{"event", call("deliverEvent", tagWebhooks, "An event, sent to your URL",
			"Stripe's bytes, signed as Standard Webhooks has it (https://www.standardwebhooks.com): the signature is the base64 of HMAC-SHA256 over `{webhook-id}.{webhook-timestamp}.{body}`, "+
				"keyed with the base64-decoded part of the webhook's signing secret behind `whsec_`. An event may come more than once; its id tells.\n\n"+again,
			schemaRef(objectName("event")), answers("Never again: the webhook is disabled."),
			header("Stripe-Account", "Connected account that it happened on, for events of connected accounts.", false, text))},
		{"operational", call("tellOperations", tagOperations, "An operational event, sent to your operations URL",
			"What became of a webhook, signed like every event, with the signing secret of the operations URL. An event may come more than once, and after one that was made later: its id and `created` tell. "+
				"One that is under way when the service stops is lost; the webhook's `state` says the same.\n\n"+again,
			schemaRef("OperationalEvent"), answers("This one never again."))},
	}
}

// parameters are those that several routes have.
func parameters() object {
	header := func(help string, schema object) object {
		return object{{"in", "header"}, {"description", help}, {"schema", schema}}
	}
	all := object{
		{"connection", queryParameter("connection", "The stored connection, conn_….", true, text)[1:]},
		{"limit", queryParameter("limit", "How many at most.", false, object{{"type", "integer"}, {"minimum", 1}, {"maximum", 100}})[1:]},
		{"cursor", queryParameter("cursor", "`next_cursor` of the answer before.", false, text)[1:]},
		{"id", object{{"in", "path"}, {"required", true}, {"schema", text}}},
		{"Idempotency-Key", header("Of a write: the same key never does it twice. Passed on to Stripe. Without one the service makes its own and answers it.", object{{"type", "string"}, {"maxLength", 255}})},
		{"Stripe-Account", header("Connected account to act on, acct_….", text)},
		{"Stripe-Version", header("Version of Stripe's API to use instead of the service's.", text)},
		{"X-Request-Id", header("An id of your own for the service's log: up to 64 letters, digits, `.`, `_` and `-`.", text)},
		{"If-None-Match", header("`ETag` of an answer before.", text)},
	}
	for i := range all {
		if body, ok := all[i].value.(object); ok {
			all[i].value = append(object{{"name", all[i].name}}, body...)
		}
	}
	return all
}

func headers() object {
	header := func(help string) object { return object{{"description", help}, {"schema", text}} }
	return object{
		{"X-Request-Id", header("Id of the request in the service's log.")},
		{"ETag", header("Tag of this content, for `If-None-Match`.")},
		{"Stripe-Request-Id", header("Id of the request in Stripe's log, req_….")},
		{"Idempotency-Key", header("Key that the write was made with.")},
		{"Idempotent-Replayed", header("`true`: the answer of an earlier request with the same key.")},
		{"Retry-After", header("Seconds to wait.")},
	}
}

// A problem is one status of an error with its meaning.
type problem struct {
	status     int
	name, help string
	headers    []string
}

var allProblems = []problem{
	{http.StatusBadRequest, "Malformed", "The body is no JSON object, or Stripe refused the request.", nil},
	{http.StatusUnauthorized, "Unauthorized", "The API token is missing or not valid.", nil},
	{http.StatusPaymentRequired, "PaymentFailed", "Stripe tried, and the payment failed; `stripe.decline_code` may say why.", callHeaders[:2]},
	{http.StatusForbidden, "Forbidden", "The token's role does not allow it, or the Stripe key lacks the permission that `detail` names.", nil},
	{http.StatusNotFound, "NotFound", "There is no such thing in this workspace, or none at Stripe.", nil},
	{http.StatusConflict, "Conflict", "Something stands in the way: an idempotency key in use, another call on the same object, a connection that webhooks use.", callHeaders[:2]},
	{http.StatusRequestEntityTooLarge, "TooLarge", "The body is larger than 1 MiB.", nil},
	{http.StatusUnprocessableEntity, "Unprocessable", "Fields need attention; `fields` lists all of them.", nil},
	{http.StatusFailedDependency, "KeyRefused", "Stripe refuses the connection's API key.", nil},
	{http.StatusTooManyRequests, "TooManyRequests", "More requests than the token, Stripe or the connection's pace allow, or too many wrong tokens from one address.", []string{"Retry-After"}},
	{http.StatusInternalServerError, "Internal", "The service failed; its log has the reason under the request id.", nil},
	{http.StatusBadGateway, "Unreachable", "Stripe could not be reached, or failed. Repeat a write with the same `Idempotency-Key`.", callHeaders[:2]},
	{http.StatusServiceUnavailable, "Unavailable", "The service cannot take the request now: its store is away, or it works on as many requests as it can.", []string{"Retry-After"}},
	{http.StatusGatewayTimeout, "TimedOut", "Stripe did not answer in time. Repeat a write with the same `Idempotency-Key`.", callHeaders[:2]},
}

func problemName(status int) string {
	i := slices.IndexFunc(allProblems, func(p problem) bool { return p.status == status })
	return allProblems[i].name
}

// problems are the answers that tell of an error.
func problems() object {
	var all object
	for _, p := range append(slices.Clone(allProblems), problem{name: "Refused", help: "Stripe refused the request with another status, which is passed on."}) {
		all = append(all, member{p.name, object{
			{"description", p.help},
			{"headers", headerRefs(p.headers)},
			{"content", object{{"application/problem+json", object{{"schema", schemaRef("Problem")}}}}},
		}})
	}
	return all
}
