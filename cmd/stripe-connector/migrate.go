package main

import (
	"context"
	"fmt"

	"stripe-connector/internal/config"
	"stripe-connector/internal/store/postgres"
)

// migrate brings the tables up to date. Every other command that opens the store does the same, under a lock; this one is
// for who wants it done before the first replica starts.
func migrate(ctx context.Context, in invocation) error {
	if err := in.parse(in.flags("migrate")); err != nil {
		return err
	}
	cfg, err := config.Load()
	if err != nil {
		return err
	}
	if _, embedded := cfg.SQLite(); embedded {
		db, _, err := openStore(ctx, cfg, newLog(cfg, in))
		if err != nil {
			return err
		}
		if err := db.Close(); err != nil {
			return err
		}
		_, err = fmt.Fprintln(in.stdout, "the tables are up to date")
		return err
	}
	applied, err := postgres.Migrate(ctx, cfg.DatabaseURL.Reveal(), newLog(cfg, in))
	for _, name := range applied {
		fmt.Fprintln(in.stdout, "applied", name)
	}
	if err == nil {
		_, err = fmt.Fprintln(in.stdout, "the tables are up to date")
	}
	return err
}
