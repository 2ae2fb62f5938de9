package makeapp

import (
	"archive/zip"
	"fmt"
	"io"
	"slices"
	"time"
)

// Archive lists the files of the format that Make's editor imports in one step. The format has no place for groups and
// for what an action does.
func (a *App) Archive() []File {
	var files fileSet
	at := func(path string) string { return a.name + "/" + path }
	files.json(at("metadata.json"), map[string]any{
		"name": a.name, "label": a.label, "description": a.description,
		"version": 1, "theme": "#635BFF", "language": "en", "countries": nil,
	})
	files.json(at(".sdk"), map[string]int{"version": 2})
	files.json(at("base.imljson"), a.base)
	files.text(at("readme.md"), a.readme)

	add := func(folder, name string, meta map[string]any, code []section) {
		meta["name"] = name
		files.json(at(folder+"/"+name+"/metadata.json"), meta)
		for _, s := range code {
			files.json(at(folder+"/"+name+"/"+s.name+".imljson"), s.content)
		}
	}
	// Make names the connection and the webhook of an app after the app.
	connection := func(c component) any {
		if c.connected {
			return a.name
		}
		return nil
	}
	add("connections", a.name, map[string]any{"label": a.connection.label, "type": a.connection.kind}, a.connection.code)
	if a.webhook.code != nil {
		add("webhooks", a.name, map[string]any{"label": a.webhook.label, "type": a.webhook.kind, "connection": connection(a.webhook)}, a.webhook.code)
	}
	for _, c := range a.rpcs {
		add("rpcs", c.id, map[string]any{"label": c.label, "connection": connection(c)}, c.code)
	}
	for _, c := range a.modules {
		meta := map[string]any{
			"label": c.label, "description": c.description, "type": c.kind, "connection": connection(c), "webhook": nil,
		}
		if c.kind == kindTrigger {
			meta["webhook"] = a.name
		}
		add("modules", c.id, meta, c.sections("expect", "scope"))
	}
	return files.sorted()
}

// sections are the code of a module, less those that an instant trigger has not.
func (c component) sections(notOfTrigger ...string) []section {
	if c.kind != kindTrigger {
		return c.code
	}
	return slices.DeleteFunc(slices.Clone(c.code), func(s section) bool { return slices.Contains(notOfTrigger, s.name) })
}

// WriteZip packs the files. The same files make the same bytes.
func WriteZip(w io.Writer, files []File) error {
	z := zip.NewWriter(w)
	for _, f := range files {
		entry, err := z.CreateHeader(&zip.FileHeader{
			Name: f.Path, Method: zip.Deflate, Modified: time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC),
		})
		if err != nil {
			return fmt.Errorf("packing %s: %w", f.Path, err)
		}
		if _, err := entry.Write(f.Data); err != nil {
			return fmt.Errorf("packing %s: %w", f.Path, err)
		}
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("closing the archive: %w", err)
	}
	return nil
}
