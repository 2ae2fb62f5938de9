package makeapp

import (
	"regexp"
	"strings"
)

// The names that the connection and the webhook have within a project. Make gives them its own.
const (
	localConnection = "connector"
	localWebhook    = "events"
)

// A codeFile is the name of a section in a project: the key in its index, and the part in its file name.
type codeFile struct{ key, part string }

// codeFiles are those names, by the type of the component and the section's name in the archive.
var codeFiles = map[string]map[string]codeFile{
	"connection": {
		"api": {"communication", "communication"}, "parameters": {"params", "params"},
	},
	"webhook": {
		"api": {"communication", "communication"}, "parameters": {"params", "params"},
		"attach": {"attach", "attach"}, "detach": {"detach", "detach"}, "update": {"update", "update"},
		"scope": {"requiredScope", "required-scope"},
	},
	"rpc": {
		"api": {"communication", "communication"}, "parameters": {"params", "params"},
	},
	"module": {
		"api": {"communication", "communication"}, "parameters": {"staticParams", "static-params"}, "expect": {"mappableParams", "mappable-params"},
		"interface": {"interface", "interface"}, "samples": {"samples", "samples"}, "scope": {"scope", "scope"},
	},
}

// Project lists the files of the format that is kept in Git and deployed from an editor.
func (a *App) Project() []File {
	var files fileSet
	components := map[string]map[string]any{}
	for _, kind := range []string{"connection", "webhook", "module", "rpc", "function", "endpoint"} {
		components[kind] = map[string]any{}
	}
	add := func(kind, id string, meta map[string]any, code []section) {
		paths := map[string]any{}
		for _, s := range code {
			file, ok := codeFiles[kind][s.name]
			if !ok {
				continue
			}
			path := kind + "s/" + kebab(id) + "/" + kebab(id) + "." + file.part + ".iml.json"
			paths[file.key] = path
			files.json(path, s.content)
		}
		if kind == "connection" {
			paths["common"] = nil // secrets of the app, of which there are none
		}
		meta["codeFiles"] = paths
		components[kind][id] = meta
	}
	// link refers to a connection by its name in the project. There is never a second to choose from.
	link := func(meta map[string]any, c component) map[string]any {
		meta["connection"], meta["altConnection"] = nil, nil
		if c.connected {
			meta["connection"] = localConnection
		}
		return meta
	}
	add("connection", localConnection, map[string]any{"label": a.connection.label, "connectionType": a.connection.kind}, a.connection.code)
	if a.webhook.code != nil {
		add("webhook", localWebhook, link(map[string]any{"label": a.webhook.label, "webhookType": a.webhook.kind}, a.webhook), a.webhook.code)
	}
	for _, c := range a.rpcs {
		add("rpc", c.id, link(map[string]any{"label": c.label}, c), c.code)
	}
	for _, c := range a.modules {
		meta := link(map[string]any{"label": c.label, "description": c.description, "moduleType": c.kind}, c)
		if c.kind == kindTrigger {
			meta["webhook"] = localWebhook
		}
		if c.crud != "" {
			meta["actionCrud"] = c.crud
		}
		add("module", c.id, meta, c.sections("scope"))
	}
	const baseFile, readmeFile, groupsFile = "general/base.iml.json", "README.md", "modules/groups.json"
	files.json(baseFile, a.base)
	files.text(readmeFile, a.readme)
	files.json(groupsFile, a.groups)
	files.text(".gitignore", ".secrets/\n")
	files.json("makecomapp.json", map[string]any{
		"fileVersion":      1,
		"generalCodeFiles": map[string]any{"base": baseFile, "common": nil, "readme": readmeFile, "groups": groupsFile},
		"components":       components,
		"origins": []any{map[string]any{
			"label": "Make", "baseUrl": "https://eu1.make.com/api", "appId": a.name, "appVersion": 1, "apikeyFile": ".secrets/apikey",
		}},
	})
	return files.sorted()
}

var hump = regexp.MustCompile(`([a-z0-9])([A-Z])`)

// kebab is how Make's editor names the files of a component.
func kebab(id string) string { return strings.ToLower(hump.ReplaceAllString(id, "$1-$2")) }
