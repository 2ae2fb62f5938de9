// Command readme writes the table of variables into the README, between its markers.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"

	"stripe-connector/internal/config"
)

const (
	begin = "<!-- config: written by make generate -->\n"
	end   = "<!-- /config -->"
)

func main() {
	if err := write(); err != nil {
		fmt.Fprintln(os.Stderr, "writing the table of variables:", err)
		os.Exit(1)
	}
}

func write() error {
	const path = "../../README.md"
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, begins := bytes.Cut(text, []byte(begin))
	_, after, ends := bytes.Cut(rest, []byte(end))
	if !begins || !ends {
		return errors.New("the README has lost the markers of the table")
	}
	return os.WriteFile(path, slices.Concat(before, []byte(begin), []byte(config.Table()), []byte(end), after), 0o644) //nolint:gosec // a README is for all to read
}
