package makeapp

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"stripe-connector/internal/spec"
)

// A request is what Make sends here (https://developers.make.com/custom-apps-documentation/component-blocks/api). Texts
// with {{…}} are templates. "{{...}}" as a key spreads the members of its value.
type request struct {
	URL        string            `json:"url"`
	Method     string            `json:"method"`
	Headers    map[string]string `json:"headers,omitempty"`
	QS         map[string]string `json:"qs,omitempty"`
	Body       any               `json:"body,omitempty"` // a write needs one
	Response   response          `json:"response"`
	Pagination *pagination       `json:"pagination,omitempty"`
	Log        *log              `json:"log,omitempty"`
}

type response struct {
	Type     any            `json:"type,omitempty"`
	Valid    *validity      `json:"valid,omitempty"`
	Error    *failure       `json:"error,omitempty"`
	Limit    any            `json:"limit,omitempty"` // how many bundles in all
	Iterate  string         `json:"iterate,omitempty"`
	Output   any            `json:"output,omitempty"`
	Data     map[string]any `json:"data,omitempty"` // kept with the connection or the webhook
	Metadata *metadata      `json:"metadata,omitempty"`
}

// A validity says which answers with a good status are errors all the same.
type validity struct {
	Condition string `json:"condition"`
	Message   string `json:"message"`
	Type      string `json:"type"`
}

type failure struct {
	Message string `json:"message"`
	Type    string `json:"type"`
}

type pagination struct {
	QS        map[string]string `json:"qs,omitempty"`
	Body      any               `json:"body,omitempty"`
	Condition string            `json:"condition"`
}

type metadata struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

type log struct {
	Sanitize []string `json:"sanitize"`
}

// base is what modules and RPCs have in common.
type base struct {
	BaseURL  string            `json:"baseUrl"`
	Headers  map[string]string `json:"headers"`
	Response response          `json:"response"`
	Log      log               `json:"log"`
}

// What Make keeps with a connection and a webhook.
const (
	keptToken      = "token"
	keptConnection = "connectionId"
	keptWebhook    = "webhookId"
)

// The inputs of ours that the app fills in by itself.
const (
	fieldConnection = "connection"
	fieldLimit      = "limit"
	fieldCursor     = "cursor"
	fieldURL        = "url" // of the instant trigger
)

const (
	spread         = "{{...}}"
	allParameters  = "{{parameters}}"
	connectionID   = "{{connection." + keptConnection + "}}"
	bearer         = "Bearer {{connection." + keptToken + "}}"
	authorization  = "authorization"
	sanitizedToken = "request.headers." + authorization
)

// pageSize is how many objects one call of a search asks for: one page of Stripe's, which is quick. Make turns the pages.
const pageSize = 100

// lookupMax is how many choices a menu gets, over three pages at most.
const lookupMax = 300

func baseOf(baseURL string) base {
	return base{
		BaseURL:  baseURL,
		Headers:  map[string]string{authorization: bearer},
		Response: response{Type: answerTypes, Error: problem()},
		Log:      log{Sanitize: []string{sanitizedToken, "response.body.client_secret", "response.body.body.client_secret"}}, // of actions, and of a call made by hand
	}
}

// answerTypes reads every answer as JSON, problems included: application/problem+json is not one of the types that Make
// knows by itself. Nothing is to be read in a 204.
var answerTypes = map[string]string{"204": "text", "*": "json"}

// faultsShown is how many faults of a bundle an error names; the message has its limit at Make.
const faultsShown = 5

// problem shows the service's own account of what went wrong, and hands Make the type of error that it names. What is not
// from the service, such as the page of a proxy, is judged by its status.
func problem() *failure {
	var m strings.Builder
	m.WriteString("[{{statusCode}}] {{ifempty(body.detail, ifempty(body.title, 'The connector did not answer as expected.'))}}")
	for i := 1; i <= faultsShown; i++ {
		at := "body.fields[" + strconv.Itoa(i) + "]"
		fmt.Fprintf(&m, "{{if(%[1]s.message, '; ' + ifempty(%[1]s.label, %[1]s.field) + ' ' + %[1]s.message, '')}}", at)
	}
	return &failure{
		Message: m.String(),
		Type:    "{{ifempty(body.error_type, if(statusCode = 429, 'RateLimitError', if(statusCode >= 500, 'ConnectionError', 'RuntimeError')))}}",
	}
}

func moduleURL(m *spec.Module) string { return "/v1/modules/" + m.Key }

// filled is the user's bundle with the connection; the rest is added, or put in the place of a key that is there.
func filled(rest map[string]any) map[string]any {
	body := map[string]any{spread: allParameters, fieldConnection: connectionID}
	maps.Copy(body, rest)
	return body
}

func actionCall(m *spec.Module) request {
	return request{URL: moduleURL(m), Method: "POST", Body: filled(nil), Response: response{Output: "{{body}}"}}
}

// searchCall asks page by page, so that the limit may be above what the service gives in one answer. The body of the
// further pages is whole: it is right whether Make merges it with the first or puts it in its place.
func searchCall(m *spec.Module) request {
	limit := "parameters." + fieldLimit
	for _, in := range m.Inputs() {
		if in.Name == fieldLimit && in.Default != nil {
			limit = fmt.Sprintf("ifempty(%s, %v)", limit, in.Default)
		}
	}
	first := map[string]any{
		spread:     "{{omit(parameters, '" + fieldLimit + "')}}",
		fieldLimit: fmt.Sprintf("{{min(%s, %d)}}", limit, pageSize),
	}
	next := filled(first)
	next[fieldCursor] = "{{body.next_cursor}}"
	return request{
		URL: moduleURL(m), Method: "POST", Body: filled(first),
		Response:   response{Limit: "{{" + limit + "}}", Iterate: "{{body.bundles}}", Output: "{{item}}"},
		Pagination: &pagination{Body: next, Condition: "{{body.has_more}}"},
	}
}

// universalCall fails where Stripe refused, as calls made by hand do in every app of Make's. The service itself answers
// 200 and leaves the judgement to its caller.
func universalCall(m *spec.Module) request {
	return request{
		URL: moduleURL(m), Method: "POST", Body: filled(nil),
		Response: response{
			Valid: &validity{
				Condition: "{{body.status_code < 400}}",
				Message:   "[{{body.status_code}}] {{ifempty(body.body.error.message, 'Stripe refused the request.')}}",
				Type:      "{{if(body.status_code = 429, 'RateLimitError', if(body.status_code >= 500, 'ConnectionError', 'DataError'))}}",
			},
			Output: map[string]any{"body": "{{body.body}}", "headers": "{{body.headers}}", "statusCode": "{{body.status_code}}"},
		},
	}
}

func rpcURL(name string) string { return "rpc://" + name }

func rpcName(l *spec.Lookup) string { return camel("list-" + l.Key) }

// lookupRPC lists the choices of a lookup. What narrows it comes from the button's form, or from the module's own.
func lookupRPC(l *spec.Lookup) component {
	qs := map[string]string{fieldConnection: connectionID}
	parameters := []parameter{}
	for _, in := range lookupInputs(l) {
		qs[in.Name] = "{{parameters." + in.Name + "}}"
		parameters = append(parameters, searchParameter(in))
	}
	return component{
		id: rpcName(l), label: "List " + strings.ToLower(l.Label), connected: true,
		code: []section{
			{"api", request{
				URL: "/v1/lookups/" + l.Key, Method: "GET", QS: qs,
				Response:   response{Limit: lookupMax, Iterate: "{{body.options}}", Output: choice("{{item.label}}", "{{item.value}}")},
				Pagination: nextPage(),
			}},
			{"parameters", parameters},
		},
	}
}

// connectionsRPC lists the connections that the service holds already. It is called from the form of Make's connection,
// when there is none yet, so it takes the token from there.
func connectionsRPC() component {
	return component{
		id: connectionsName, label: "List connections",
		code: []section{
			{"api", request{
				URL: "/v1/connections", Method: "GET",
				Headers: map[string]string{authorization: "Bearer {{ifempty(parameters." + keptToken + ", connection." + keptToken + ")}}"},
				Response: response{
					Limit: lookupMax, Iterate: "{{body.data}}",
					Output: choice("{{ifempty(item.connection_name, item.id)}}{{if(item.account, ' (' + item.account + ')', '')}}", "{{item.id}}"),
				},
				Pagination: nextPage(),
			}},
			{"parameters", []parameter{}},
		},
	}
}

const connectionsName = "listConnections"

func choice(label, value string) map[string]any {
	return map[string]any{"label": label, "value": value}
}

func nextPage() *pagination {
	return &pagination{QS: map[string]string{fieldCursor: "{{body.next_cursor}}"}, Condition: "{{if(body.next_cursor, true, false)}}"}
}

// The two ways to come to a connection.
const (
	setupNew      = "new"
	setupExisting = "existing"
)

// connectionOf hands the user's Stripe key to the service, which seals it and answers with the id of a connection; runs
// of modules send that id and the token, never the key. Instead of a key the user may name a connection that is there.
// When the user verifies or edits a connection, its key goes to the same one again.
func connectionOf(baseURL string) component {
	return component{
		label: "Stripe Connector", kind: "basic",
		code: []section{
			{"api", request{
				URL: baseURL + "/v1/connections{{if(parameters.setup = '" + setupExisting + "', '/' + parameters.connection + '/check', " +
					"if(data." + keptConnection + ", '/' + data." + keptConnection + ", ''))}}",
				Method:  "{{if(parameters.setup = '" + setupExisting + "', 'POST', if(data." + keptConnection + ", 'PATCH', 'POST'))}}",
				Headers: map[string]string{authorization: "Bearer {{parameters." + keptToken + "}}"},
				Body:    map[string]any{"connection_name": "{{parameters.connection_name}}", "key": "{{parameters.key}}"},
				Response: response{
					Type:  answerTypes,
					Error: problem(),
					Data: map[string]any{
						keptToken:      "{{parameters." + keptToken + "}}",
						keptConnection: "{{ifempty(body.id, parameters.connection)}}",
					},
					Metadata: &metadata{Type: "text", Value: "{{ifempty(body.connection_name, ifempty(body.id, parameters.connection))}}"},
				},
				Log: &log{Sanitize: []string{sanitizedToken, "request.body.key"}},
			}},
			{"parameters", []parameter{
				{
					Name: keptToken, Type: "password", Label: "Connector Token", Required: true, Editable: true,
					Help: "API token of your connector, sc_…, with the role manage.",
				},
				{
					Name: "setup", Type: "select", Label: "Stripe Connection", Required: true, Default: setupNew,
					Options: []option{
						{Label: "Connect with an API key", Value: setupNew, Nested: []parameter{
							{Name: "connection_name", Type: "text", Label: "Connection Name", Help: "What the connection is called in the connector."},
							{
								Name: "key", Type: "password", Label: "Key", Required: true, Editable: true,
								Help: "Secret or restricted API key of your Stripe account. The connector keeps it sealed; modules do not send it.",
							},
						}},
						{Label: "Use a connection that the connector has", Value: setupExisting, Nested: []parameter{
							{
								Name: "connection", Type: "text", Label: "Connection ID", Required: true, Help: "conn_….",
								RPC: &button{Label: "Search connections", URL: rpcURL(connectionsName)},
							},
						}},
					},
				},
			}},
			{"scope", []string{}},
			{"scopes", map[string]any{}},
		},
	}
}

// webhook attaches Make's URL to the events that the user chooses. Its requests are complete in themselves, since Make
// does not promise to lend them the base.
func webhookOf(m *spec.Module, parameters []parameter, baseURL string) component {
	call := func(method, path string, body any) request {
		return request{
			URL: baseURL + path, Method: method, Body: body,
			Headers:  map[string]string{authorization: bearer},
			Response: response{Type: answerTypes, Error: problem()},
			Log:      &log{Sanitize: []string{sanitizedToken}},
		}
	}
	const one = "/v1/webhooks/{{webhook." + keptWebhook + "}}"
	remember := map[string]any{keptWebhook: "{{body.id}}"}

	attach := call("POST", moduleURL(m), filled(map[string]any{fieldURL: "{{webhook.url}}"}))
	attach.Response.Data = remember
	attach.Log.Sanitize = append(attach.Log.Sanitize, "response.body.signing_secret")
	update := call("PATCH", one, changed(m.Inputs()))
	update.Response.Data = remember

	return component{
		label: m.Label, kind: "web", connected: true,
		code: []section{
			{"api", map[string]any{"condition": "{{if(body.id, true, false)}}", "output": map[string]any{
				spread:        "{{omit(body, '" + eventObject + "')}}",
				eventObject:   "{{body.data." + eventObject + "}}",
				eventPrevious: "{{body.data." + eventPrevious + "}}",
			}}},
			{"parameters", parameters},
			{"attach", attach},
			{"detach", call("DELETE", one, nil)},
			{"update", update},
			{"scope", []string{}},
		},
	}
}

// changed says what the form holds now. Make leaves out what the user emptied, and a missing key would keep what was.
func changed(inputs []spec.Input) map[string]any {
	body := map[string]any{}
	for _, in := range inputs {
		value := "parameters." + in.Name
		switch {
		case in.Type == spec.KindConnection, in.Name == fieldURL:
			continue
		case in.Required:
		case in.Type == spec.KindBoolean:
			value = "ifempty(" + value + ", false)"
		case in.Type == spec.KindMultiselect || in.Type == spec.KindTexts:
			value = "ifempty(" + value + ", emptyarray)"
		default:
			value = "ifempty(" + value + ", '')"
		}
		body[in.Name] = "{{" + value + "}}"
	}
	return body
}
