// Command gen writes openapi.json for the modules that there are.
package main

import (
	"fmt"
	"os"

	"stripe-connector/modules"
	"stripe-connector/openapi"
)

func main() {
	if err := run("openapi.json"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(path string) error {
	catalogue, err := modules.Catalogue()
	if err != nil {
		return fmt.Errorf("reading the catalogue: %w", err)
	}
	document, err := openapi.Document(catalogue)
	if err != nil {
		return fmt.Errorf("building the document: %w", err)
	}
	return os.WriteFile(path, document, 0o644) //nolint:gosec // source code, for everybody to read
}
