package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"stripe-connector/internal/config"
	"stripe-connector/internal/store/sqlite"
)

// backup copies the SQLite file as it is at one moment. serve may be running, and is not disturbed.
func backup(ctx context.Context, in invocation) error {
	set := in.flags("backup")
	out := set.String("out", "", "file to write; it must not exist")
	if err := in.parse(set); err != nil {
		return err
	}
	if *out == "" {
		fmt.Fprintf(in.stderr, "%s: say where to: --out FILE\n", set.Name())
		return errUsage
	}
	cfg, err := config.Load()
	if err != nil {
		return err
	}
	path, embedded := cfg.SQLite()
	if !embedded {
		return errors.New("the database is PostgreSQL; back it up with pg_dump")
	}
	if err := sqlite.Backup(ctx, path, *out); err != nil {
		return err
	}
	key := "CONNECTOR_SECRET_KEYS"
	if len(cfg.SecretKeys) == 0 {
		key = filepath.Join(filepath.Dir(path), "secret.key")
	}
	_, err = fmt.Fprintf(in.stdout, "Wrote %s. Without the key in %s nobody can use it: keep a copy of that too, in another place.\n", *out, key)
	return err
}
