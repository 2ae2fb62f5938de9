package makeapp_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"stripe-connector/internal/makeapp"
)

// The rules of Make's formats, as data. They follow the JSON schemas and the importer of Make's own extension for its
// editor (https://github.com/integromat/vscode-apps-sdk) and the documentation of custom apps.

// A closed object takes these keys and no other.
type closed struct{ required, optional string }

var (
	parameterTypes = strings.Fields(`any array banner boolean buffer cert collection color date email file filename filter folder
		hidden integer json number password path pkey port select text time timestamp timezone udt uinteger url uuid`)

	parameterObject = closed{"type", `name label help required default advanced multiline multiple mappable editable mode sort grouped
		dynamic options nested rpc spec validate labels semantic sequence time schema tags extension codepage pattern convert visible
		metadata coder`}
	optionObject  = closed{"value", "label default short description nested"}
	optionsObject = closed{"store", "label value default learning placeholder nested operators logic scope ids showRoot singleLevel"}
	buttonObject  = closed{"label url", "parameters"}
	validateArray = closed{"", "minItems maxItems enum"}
	validateOther = closed{"", "min max minItems maxItems pattern"}

	requestObject = closed{"url", `method headers qs body type temp condition encodeUrl ca gzip aws oauth followRedirects
		followAllRedirects log pagination repeat response`}
	baseObject       = closed{"baseUrl", requestObject.optional + " url timeout"}
	responseObject   = closed{"", "type valid error iterate limit output wrapper temp trigger data metadata uid expires oauth"}
	connectionAnswer = closed{"", "type valid error temp data metadata uid"}
	paginationObject = closed{"", "mergeWithParent url method headers qs body condition"}
	validObject      = closed{"condition", "message type"}
	errorObject      = closed{"message", "type"} // and statuses
	metadataObject   = closed{"type value", ""}
	logObject        = closed{"", "sanitize"}
	webhookObject    = closed{"", "verification respond condition iterate output uid"}

	methods       = strings.Fields("GET POST PUT PATCH DELETE")
	responseTypes = strings.Fields("automatic json urlencoded text raw string binary xml")
	errorTypes    = strings.Fields(`RuntimeError DataError RateLimitError OutOfSpaceError ConnectionError InvalidConfigurationError
		InvalidAccessTokenError IncompleteDataError DuplicateDataError`)
	reservedNames = []string{"accountName", "teamID"} // in a connection
)

const (
	nameMax    = 128
	labelMax   = 256
	urlMax     = 512
	messageMax = 1024
	choicesMax = 500 // of an RPC

	kindUniversal = "universal"
)

var (
	appID    = regexp.MustCompile(`^[a-z][0-9a-z-]{1,28}[0-9a-z]$`)
	moduleID = regexp.MustCompile(`^[a-zA-Z][0-9a-zA-Z]{2,47}$`) // the editor warns above 48
	localID  = regexp.MustCompile(`^[a-zA-Z][0-9a-zA-Z-]{1,33}[0-9a-zA-Z]$`)
	status   = regexp.MustCompile(`^[0-9]{3}$`)
	statuses = regexp.MustCompile(`^(\*|[0-9]{3}(-[0-9]{3})?)$`)
	origin   = regexp.MustCompile(`^https://(.*)/api$`)
)

// The sections of a component, by the kind of component; a module's by its own kind.
var (
	archiveSections = map[string]string{
		"connections":     "api parameters scope scopes",
		"webhooks":        "api parameters attach detach scope update",
		"rpcs":            "api parameters",
		"action":          "api parameters expect interface samples scope",
		"search":          "api parameters expect interface samples scope",
		"universal":       "api parameters expect interface samples scope",
		"instant_trigger": "api parameters interface samples",
	}
	projectSections = map[string]closed{
		"connection":      {"communication params", "common"},
		"webhook":         {"communication params attach detach update requiredScope", ""},
		"rpc":             {"communication params", ""},
		"action":          {"communication staticParams mappableParams interface samples scope", ""},
		"search":          {"communication staticParams mappableParams interface samples scope", ""},
		"universal":       {"communication staticParams mappableParams interface samples scope", ""},
		"instant_trigger": {"communication staticParams mappableParams interface samples", ""},
	}
	projectComponents = map[string]closed{
		"connection": {"codeFiles connectionType", "label"},
		"webhook":    {"codeFiles webhookType", "label connection altConnection"},
		"rpc":        {"codeFiles", "label connection altConnection"},
		"module":     {"codeFiles moduleType", "label description actionCrud connection altConnection webhook"},
	}
	// The editor knows the schema of a file by the end of its name.
	projectParts = map[string]string{
		"communication": "communication", "params": "params", "attach": "attach", "detach": "detach", "update": "update",
		"requiredScope": "required-scope", "staticParams": "static-params", "mappableParams": "mappable-params",
		"interface": "interface", "samples": "samples", "scope": "scope",
	}
	// What the sections of a project are called in an archive.
	sectionNames = map[string]string{
		"communication": "api", "params": "parameters", "staticParams": "parameters", "mappableParams": "expect",
		"requiredScope": "scope", "attach": "attach", "detach": "detach", "update": "update",
		"interface": "interface", "samples": "samples", "scope": "scope",
	}
	cruds = strings.Fields("create read update delete")
)

// A judge collects every breach of the rules.
type judge struct {
	files    map[string][]byte
	seen     map[string]bool
	at       string
	breaches []string
	rpcs     map[string]bool   // that exist
	wanted   map[string]string // RPC: who refers to it
}

func newJudge(files []makeapp.File) *judge {
	j := &judge{files: map[string][]byte{}, seen: map[string]bool{}, rpcs: map[string]bool{}, wanted: map[string]string{}}
	for _, f := range files {
		if j.files[f.Path] != nil {
			j.breach("%s is there twice", f.Path)
		}
		j.files[f.Path] = f.Data
	}
	return j
}

func (j *judge) breach(format string, args ...any) {
	j.breaches = append(j.breaches, strings.TrimSpace(j.at+" "+fmt.Sprintf(format, args...)))
}

// json reads a file, once.
func (j *judge) json(name string) any {
	j.at = name
	data, ok := j.files[name]
	if !ok {
		j.breach("is missing")
		return nil
	}
	if j.seen[name] {
		j.breach("is used twice")
	}
	j.seen[name] = true
	var v any
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil || dec.More() {
		j.breach("is no JSON: %v", err)
	}
	return v
}

func (j *judge) text(name string) {
	j.at = name
	j.seen[name] = true
	if len(j.files[name]) == 0 {
		j.breach("is missing or empty")
	}
}

// verdict adds what no file by itself shows.
func (j *judge) verdict() []string {
	j.at = ""
	for name := range j.files {
		if !j.seen[name] {
			j.breach("%s belongs to nothing", name)
		}
	}
	for name, by := range j.wanted {
		if !j.rpcs[name] {
			j.breach("%s refers to %s, which is not there", by, name)
		}
	}
	slices.Sort(j.breaches)
	return j.breaches
}

// object demands an object with the keys that the rule names.
func (j *judge) object(where string, v any, rule closed, open ...*regexp.Regexp) map[string]any {
	o, ok := v.(map[string]any)
	if !ok {
		j.breach("%s: must be an object", where)
		return nil
	}
	required := strings.Fields(rule.required)
	for _, key := range required {
		if o[key] == nil {
			j.breach("%s: %s is missing", where, key)
		}
	}
	for key := range o {
		known := slices.Contains(required, key) || slices.Contains(strings.Fields(rule.optional), key)
		if !known && !slices.ContainsFunc(open, func(r *regexp.Regexp) bool { return r.MatchString(key) }) {
			j.breach("%s: %s is no key of it", where, key)
		}
	}
	return o
}

func (j *judge) list(where string, v any) []any {
	l, ok := v.([]any)
	if !ok {
		j.breach("%s: must be a list", where)
	}
	return l
}

func (j *judge) empty(where string, v any) {
	if len(j.list(where, v)) > 0 {
		j.breach("%s: must be empty", where)
	}
}

func (j *judge) short(where string, v any, most int) string {
	s, ok := v.(string)
	if !ok || utf8.RuneCountInString(s) > most {
		j.breach("%s: must be a text of at most %d characters", where, most)
	}
	return s
}

func (j *judge) oneOf(where string, v any, of []string) {
	if s, _ := v.(string); !slices.Contains(of, s) {
		j.breach("%s: %v is none of %v", where, v, of)
	}
}

func (j *judge) template(v any) bool {
	s, _ := v.(string)
	return strings.Contains(s, "{{")
}

func (j *judge) parameters(where string, v any) {
	names := map[string]bool{}
	for i, p := range j.list(where, v) {
		at := fmt.Sprintf("%s[%d]", where, i)
		if o := j.parameter(at, p); o != nil {
			name, _ := o["name"].(string)
			if name == "" {
				j.breach("%s: has no name", at)
			}
			if names[name] {
				j.breach("%s: a second %s", at, name)
			}
			names[name] = true
		}
	}
}

func (j *judge) parameter(where string, v any) map[string]any {
	o := j.object(where, v, parameterObject)
	if o == nil {
		return nil
	}
	kind, _ := o["type"].(string)
	j.oneOf(where+".type", kind, parameterTypes)
	if o["name"] != nil {
		j.short(where+".name", o["name"], nameMax)
	}
	if o["label"] != nil {
		j.short(where+".label", o["label"], labelMax)
	}
	for _, key := range []string{"required", "editable", "multiple"} {
		if _, ok := o[key].(bool); o[key] != nil && !ok {
			j.breach("%s.%s: must be true or false", where, key)
		}
	}
	if mode := o["mode"]; mode != nil {
		j.oneOf(where+".mode", mode, []string{"edit", "choose"})
	}
	switch {
	case kind == "select":
		j.options(where+".options", o["options"])
	case o["options"] != nil:
		j.breach("%s: has options and is no select", where)
	}
	if rpc := o["rpc"]; rpc != nil {
		b := j.object(where+".rpc", rpc, buttonObject)
		j.rpc(where, b["url"])
		if b["parameters"] != nil {
			j.parameters(where+".rpc.parameters", b["parameters"])
		}
	}
	switch s := o["spec"].(type) {
	case nil:
		if kind == "collection" {
			j.breach("%s: a collection needs a spec", where)
		}
	case []any:
		j.parameters(where+".spec", s)
	default:
		if kind != "array" {
			j.breach("%s: only an array may have one parameter as its spec", where)
		}
		j.parameter(where+".spec", s)
	}
	if validate, ok := o["validate"]; ok {
		if _, is := validate.(bool); !is {
			rule := validateOther
			if kind == "array" {
				rule = validateArray
			}
			j.object(where+".validate", validate, rule)
		}
	}
	return o
}

func (j *judge) options(where string, v any) {
	switch v := v.(type) {
	case string:
		j.rpc(where, v)
	case []any:
		seen := map[any]bool{}
		for i, one := range v {
			at := fmt.Sprintf("%s[%d]", where, i)
			o := j.object(at, one, optionObject)
			if o == nil {
				continue
			}
			if seen[o["value"]] {
				j.breach("%s: a second %v", at, o["value"])
			}
			seen[o["value"]] = true
			if o["nested"] != nil {
				j.parameters(at+".nested", o["nested"])
			}
		}
		if len(v) == 0 {
			j.breach("%s: has no options", where)
		}
	default:
		o := j.object(where, v, optionsObject)
		j.options(where+".store", o["store"])
		if o["nested"] != nil {
			j.parameters(where+".nested", o["nested"])
		}
	}
}

func (j *judge) rpc(where string, v any) {
	s, _ := v.(string)
	name, ok := strings.CutPrefix(s, "rpc://")
	if !ok {
		j.breach("%s: %v is no RPC", where, v)
	}
	j.wanted[name] = j.at
}

// call judges a request. An empty one asks for nothing.
func (j *judge) call(v any, rule, answer closed) {
	if o, ok := v.(map[string]any); ok && len(o) == 0 {
		return
	}
	o := j.object("request", v, rule)
	if o == nil {
		return
	}
	if u := o["url"]; u != nil {
		j.address(j.short("url", u, urlMax), o["qs"] != nil)
	}
	method, _ := o["method"].(string)
	if method != "" && !j.template(method) {
		j.oneOf("method", method, methods)
	}
	if method != "" && method != "GET" && method != "DELETE" && o["body"] == nil {
		j.breach("%s has no body", method)
	}
	for _, key := range []string{"headers", "qs"} {
		if o[key] != nil {
			j.flat(key, o[key])
		}
	}
	if o["response"] != nil {
		j.answer(o["response"], answer)
	}
	if p := o["pagination"]; p != nil {
		page := j.object("pagination", p, paginationObject)
		if page["qs"] != nil {
			j.flat("pagination.qs", page["qs"])
		}
	}
	if l := o["log"]; l != nil {
		for _, s := range j.list("log.sanitize", j.object("log", l, logObject)["sanitize"]) {
			if p, _ := s.(string); !strings.HasPrefix(p, "request.") && !strings.HasPrefix(p, "response.") {
				j.breach("log.sanitize: %v is no path", s)
			}
		}
	}
}

// sanitized demands that the token of a request is kept out of Make's log. Reviewers of apps look for it.
func (j *judge) sanitized(v any) {
	o, _ := v.(map[string]any)
	l, _ := o["log"].(map[string]any)
	paths, _ := l["sanitize"].([]any)
	if len(o) > 0 && !slices.Contains(paths, any("request.headers.authorization")) {
		j.breach("log.sanitize: lets the token into the log")
	}
}

// choices demands that an RPC lists labels with values, as many as a menu may have.
func (j *judge) choices(v any) {
	o, _ := v.(map[string]any)
	r, _ := o["response"].(map[string]any)
	j.object("response.output", r["output"], closed{"label value", "default"})
	limit, _ := r["limit"].(json.Number)
	if n, err := limit.Int64(); err != nil || n > choicesMax || r["iterate"] == nil {
		j.breach("response: must iterate, to at most %d choices", choicesMax)
	}
}

func (j *judge) address(u string, query bool) {
	if !strings.HasPrefix(u, "/") && !strings.HasPrefix(u, "https://") {
		j.breach("url: %s is neither below the base nor whole", u)
	}
	if strings.Contains(u, "?") && query {
		j.breach("url: has a query, and so has qs")
	}
}

func (j *judge) flat(where string, v any) {
	o, _ := v.(map[string]any)
	for key, value := range o {
		if _, ok := value.(string); !ok {
			j.breach("%s.%s: must be a text", where, key)
		}
	}
}

func (j *judge) answer(v any, rule closed) {
	r := j.object("response", v, rule)
	switch types := r["type"].(type) {
	case nil:
	case map[string]any:
		for s, t := range types {
			if !statuses.MatchString(s) {
				j.breach("response.type: %s is no status", s)
			}
			j.oneOf("response.type."+s, t, responseTypes)
		}
	default:
		j.oneOf("response.type", types, responseTypes)
	}
	if valid := r["valid"]; valid != nil {
		j.failure("response.valid", j.object("response.valid", valid, validObject))
	}
	if e := r["error"]; e != nil {
		o := j.object("response.error", e, errorObject, status)
		j.failure("response.error", o)
		for s, one := range o {
			if status.MatchString(s) {
				j.failure("response.error."+s, j.object("response.error."+s, one, errorObject))
			}
		}
	}
	if m := r["metadata"]; m != nil {
		j.oneOf("response.metadata.type", j.object("response.metadata", m, metadataObject)["type"], []string{"text", "email"})
	}
	if (r["iterate"] != nil || r["limit"] != nil) && r["output"] == nil {
		j.breach("response: iterates and has no output")
	}
}

func (j *judge) failure(where string, o map[string]any) {
	j.short(where+".message", o["message"], messageMax)
	if t := o["type"]; t != nil && !j.template(t) {
		j.oneOf(where+".type", t, errorTypes)
	}
}

// section judges one piece of code by the name it has in an archive. kind is the component's, or the module's own.
func (j *judge) section(kind, name string, v any) {
	switch name {
	case "parameters":
		j.parameters("parameters", v)
		if text, _ := json.Marshal(v); kind != "connections" && bytes.Contains(text, []byte(`"password"`)) {
			j.breach("passwords belong into a connection")
		}
		if kind == "connections" {
			for _, p := range j.list("parameters", v) {
				o, _ := p.(map[string]any)
				if n, _ := o["name"].(string); slices.Contains(reservedNames, n) {
					j.breach("%s is a reserved name", n)
				}
			}
		} else if archiveSections[kind] != "" && kind != "webhooks" && kind != "rpcs" {
			j.empty("parameters", v) // all fields of modules can be mapped
		}
	case "expect", "interface":
		j.parameters(name, v)
	case "samples":
		if _, ok := v.(map[string]any); !ok {
			j.breach("must be one object")
		}
	case "scope":
		j.empty("scope", v)
	case "scopes":
		j.object("scopes", v, closed{})
	case "attach", "detach", "update":
		j.call(v, requestObject, responseObject)
		j.sanitized(v)
		if text, _ := json.Marshal(v); name == "detach" && bytes.Contains(text, []byte("parameters.")) {
			j.breach("detaching knows what was kept, and no parameters")
		}
	case "api":
		switch kind {
		case "connections":
			rule := requestObject
			rule.optional = strings.Replace(rule.optional, " pagination", "", 1)
			j.call(v, rule, connectionAnswer)
			j.sanitized(v)
			if o, _ := v.(map[string]any); !strings.HasPrefix(fmt.Sprint(o["url"]), "https://") {
				j.breach("url: a connection has no base")
			}
		case "rpcs":
			j.call(v, requestObject, responseObject)
			j.choices(v)
		case "webhooks":
			j.object("webhook", v, webhookObject)
		case "action":
			o, _ := v.(map[string]any)
			r, _ := o["response"].(map[string]any)
			if o["pagination"] != nil || r["iterate"] != nil {
				j.breach("an action answers once")
			}
			j.call(v, requestObject, responseObject)
		default:
			j.call(v, requestObject, responseObject)
		}
	}
}

// judgeArchive answers every breach of the rules of the archive.
func judgeArchive(name string, files []makeapp.File) []string {
	j := newJudge(files)
	if !appID.MatchString(name) {
		j.breach("%s is no name of an app", name)
	}
	meta := j.object("metadata", j.json(name+"/metadata.json"), closed{"name label version theme language", "countries description"})
	if meta["name"] != name {
		j.breach("the name is not that of the folder")
	}
	if got := j.object(".sdk", j.json(name+"/.sdk"), closed{"version", ""})["version"]; got != json.Number("2") {
		j.breach("version is %v", got)
	}
	base := j.json(name + "/base.imljson")
	j.call(base, baseObject, responseObject)
	j.sanitized(base)
	j.text(name + "/readme.md")

	metas := map[string]closed{
		"connections": {"name label type", ""},
		"rpcs":        {"name label", "connection"},
		"webhooks":    {"name label type", "connection"},
		"modules":     {"name label description type", "connection webhook"},
	}
	components := map[string]map[string]bool{"connections": {}, "rpcs": {}, "webhooks": {}, "modules": {}}
	for p := range j.files {
		if parts := strings.Split(p, "/"); len(parts) == 4 && parts[0] == name && components[parts[1]] != nil {
			components[parts[1]][parts[2]] = true
		}
	}
	universal := false
	for folder, ids := range components {
		for id := range ids {
			at := path.Join(name, folder, id)
			meta := j.object("metadata", j.json(at+"/metadata.json"), metas[folder])
			if meta["name"] != id {
				j.breach("the name is not that of the folder")
			}
			j.short("label", meta["label"], labelMax)
			kind := folder
			switch folder {
			case "connections":
				j.oneOf("type", meta["type"], []string{"basic", "oauth"})
			case "webhooks":
				j.oneOf("type", meta["type"], []string{"web", "web-shared"})
			case "rpcs":
				j.rpcs[id] = true
			case "modules":
				kind, _ = meta["type"].(string)
				universal = universal || kind == kindUniversal
				if (kind == "instant_trigger") != (meta["webhook"] != nil) || (kind == "instant_trigger") != (meta["connection"] == nil) {
					j.breach("an instant trigger has a webhook in place of a connection, and nothing else has")
				}
			}
			if (folder == "rpcs" || folder == "modules") && !moduleID.MatchString(id) {
				j.breach("%s is no id", id)
			}
			if c, ok := meta["connection"].(string); ok && !components["connections"][c] {
				j.breach("there is no connection %s", c)
			}
			if w, ok := meta["webhook"].(string); ok && !components["webhooks"][w] {
				j.breach("there is no webhook %s", w)
			}
			sections := strings.Fields(archiveSections[kind])
			if len(sections) == 0 {
				j.breach("%s is no type", kind)
			}
			for _, s := range sections {
				j.section(kind, s, j.json(at+"/"+s+".imljson"))
			}
		}
	}
	if !universal {
		j.breach("an app has a module for calls made by hand")
	}
	return j.verdict()
}

// judgeProject answers every breach of the rules of the project.
func judgeProject(files []makeapp.File) []string {
	j := newJudge(files)
	for _, name := range []string{"README.md", ".gitignore"} {
		j.text(name)
	}
	index := j.object("project", j.json("makecomapp.json"), closed{"fileVersion generalCodeFiles components origins", ""})
	general := j.object("generalCodeFiles", index["generalCodeFiles"], closed{"base readme groups", "common"})
	if _, ok := general["common"]; !ok {
		j.breach("generalCodeFiles: common is missing")
	}
	for _, o := range j.list("origins", index["origins"]) {
		o := j.object("origin", o, closed{"baseUrl appId appVersion apikeyFile", "label"})
		if u, _ := o["baseUrl"].(string); !origin.MatchString(u) {
			j.breach("origin: %s is no API of Make", u)
		}
		if id, _ := o["appId"].(string); !appID.MatchString(id) {
			j.breach("origin: %s is no id of an app", id)
		}
	}
	components := j.object("components", index["components"], closed{"connection webhook module rpc function endpoint", ""})
	ids := func(kind string) map[string]any {
		m, _ := components[kind].(map[string]any)
		return m
	}
	if len(ids("function"))+len(ids("endpoint")) > 0 {
		j.breach("functions and endpoints are refused at the moment")
	}
	if base, ok := general["base"].(string); ok {
		code := j.json(base)
		j.call(code, baseObject, responseObject)
		j.sanitized(code)
	}
	universal := false
	for kind, rule := range projectComponents {
		for id, v := range ids(kind) {
			j.at = kind + " " + id
			c := j.object("component", v, rule)
			own := kind
			pattern := localID
			switch kind {
			case "rpc":
				j.rpcs[id] = true
				pattern = moduleID
			case "module":
				own, _ = c["moduleType"].(string)
				universal = universal || own == kindUniversal
				pattern = moduleID
				if (own == "instant_trigger") != (c["webhook"] != nil) || (own == "instant_trigger") != (c["connection"] == nil) {
					j.breach("an instant trigger has a webhook in place of a connection, and nothing else has")
				}
				if crud := c["actionCrud"]; crud != nil {
					j.oneOf("actionCrud", crud, cruds)
				}
			case "connection":
				j.oneOf("connectionType", c["connectionType"], []string{"basic", "oauth"})
			case "webhook":
				j.oneOf("webhookType", c["webhookType"], []string{"web", "web-shared"})
			}
			if !pattern.MatchString(id) {
				j.breach("%s is no id", id)
			}
			if name, ok := c["connection"].(string); ok && ids("connection")[name] == nil {
				j.breach("there is no connection %s", name)
			}
			if name, ok := c["webhook"].(string); ok && ids("webhook")[name] == nil {
				j.breach("there is no webhook %s", name)
			}
			code := j.object("codeFiles", c["codeFiles"], projectSections[own])
			for key, file := range code {
				name, _ := file.(string)
				if name == "" {
					continue
				}
				if !strings.HasPrefix(name, kind+"s/") || !strings.HasSuffix(name, "."+projectParts[key]+".iml.json") {
					j.breach("codeFiles.%s: %s is no name for it", key, name)
				}
				judged := own
				if kind != "module" {
					judged = kind + "s"
				}
				j.section(judged, sectionNames[key], j.json(name))
				j.at = kind + " " + id
			}
		}
	}
	if !universal {
		j.breach("an app has a module for calls made by hand")
	}
	listed := map[string]int{}
	if groups, ok := general["groups"].(string); ok {
		for _, g := range j.list("groups", j.json(groups)) {
			for _, id := range j.list("modules", j.object("group", g, closed{"label modules", ""})["modules"]) {
				listed[fmt.Sprint(id)]++
			}
		}
	}
	for id := range ids("module") {
		if listed[id] != 1 {
			j.breach("%s is listed %d times", id, listed[id])
		}
	}
	for id := range maps.Keys(listed) {
		if ids("module")[id] == nil {
			j.breach("%s is listed and is no module", id)
		}
	}
	return j.verdict()
}
