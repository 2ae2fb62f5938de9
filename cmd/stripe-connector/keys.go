package main

import (
	"context"
	"fmt"

	"stripe-connector/internal/config"
)

// keys rotate seals every secret anew with the first of CONNECTOR_SECRET_KEYS. After that the other keys can be dropped.
// It can be repeated after an error; what is sealed with the first key already is left alone.
func keys(ctx context.Context, in invocation) error {
	if len(in.args) == 0 || in.args[0] != "rotate" {
		fmt.Fprintln(in.stderr, "Usage: stripe-connector keys rotate")
		return errUsage
	}
	in.args = in.args[1:]
	if err := in.parse(in.flags("keys rotate")); err != nil {
		return err
	}
	cfg, err := config.Load()
	if err != nil {
		return err
	}
	db, ring, err := openStore(ctx, cfg, newLog(cfg, in))
	if err != nil {
		return err
	}
	defer db.Close()
	n, err := db.Reseal(ctx, ring.Reseal)
	if err != nil {
		return fmt.Errorf("sealing anew (%d secrets are done): %w", n, err)
	}
	_, err = fmt.Fprintf(in.stdout, "%d secrets were sealed anew\n", n)
	return err
}
