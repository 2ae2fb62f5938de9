package main

import (
	"context"
	"fmt"

	"stripe-connector/internal/config"
)

// printConfig prints the table of variables.
func printConfig(_ context.Context, in invocation) error {
	if err := in.parse(in.flags("config")); err != nil {
		return err
	}
	_, err := fmt.Fprint(in.stdout, config.Table())
	return err
}
