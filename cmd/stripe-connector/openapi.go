package main

import (
	"context"

	"stripe-connector/openapi"
)

// printOpenAPI prints what /openapi.json serves.
func printOpenAPI(_ context.Context, in invocation) error {
	if err := in.parse(in.flags("openapi")); err != nil {
		return err
	}
	_, err := in.stdout.Write(openapi.JSON())
	return err
}
