package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"stripe-connector/internal/config"
	"stripe-connector/internal/makeapp"
	"stripe-connector/modules"
)

// The formats of the Make export.
const (
	formatArchive = "archive"
	formatProject = "project"
)

// export writes the connector down as an app of another platform. Make is the only one so far.
func export(_ context.Context, in invocation) error {
	if len(in.args) == 0 || in.args[0] != "make" {
		fmt.Fprintln(in.stderr, "Usage: stripe-connector export make --out DIR [flags]")
		return errUsage
	}
	in.args = in.args[1:]
	set := in.flags("export make")
	out := set.String("out", "", "folder to write to")
	format := set.String("format", formatArchive, formatArchive+" (one zip to import) or "+formatProject+" (a folder for Git)")
	baseURL := set.String("base-url", "", "where Make reaches the service (default CONNECTOR_PUBLIC_URL)")
	name := set.String("name", makeapp.DefaultName, "name of the app at Make")
	if err := in.parse(set); err != nil {
		return err
	}
	if *out == "" || *format != formatArchive && *format != formatProject {
		fmt.Fprintf(in.stderr, "%s: --out must be given, and --format must be %s or %s\n", set.Name(), formatArchive, formatProject)
		return errUsage
	}
	if *baseURL == "" {
		cfg, err := config.Load()
		if err != nil {
			return err
		}
		*baseURL = cfg.PublicURL
	}
	if *baseURL == "" {
		fmt.Fprintf(in.stderr, "%s: --base-url must be given, since CONNECTOR_PUBLIC_URL is not set\n", set.Name())
		return errUsage
	}
	if strings.HasPrefix(*baseURL, "http:") {
		fmt.Fprintf(in.stderr, "%s: with a base URL of http, Make would send tokens and keys in the clear\n", set.Name())
	}

	catalogue, err := modules.Catalogue()
	if err != nil {
		return fmt.Errorf("reading the catalogue: %w", err)
	}
	app, err := makeapp.New(makeapp.Config{Name: *name, BaseURL: *baseURL, Catalogue: catalogue})
	if err != nil {
		return fmt.Errorf("building the app: %w", err)
	}
	files := app.Project()
	if *format == formatArchive {
		var zipped bytes.Buffer
		if err := makeapp.WriteZip(&zipped, app.Archive()); err != nil {
			return err
		}
		files = []makeapp.File{{Path: *name + ".zip", Data: zipped.Bytes()}}
	}
	return writeFiles(*out, files)
}

// writeFiles puts the files into the folder, over those of an earlier export.
func writeFiles(folder string, files []makeapp.File) error {
	for _, f := range files {
		path := filepath.Join(folder, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // an export is no secret
			return fmt.Errorf("making the folder: %w", err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil { //nolint:gosec // an export is no secret
			return fmt.Errorf("writing the export: %w", err)
		}
	}
	return nil
}
