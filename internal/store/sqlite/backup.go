package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
)

// Backup writes the database at path, as it is at one moment, into a new file. Another process may have it open and go on
// reading and writing: to SQLite this is one more reader, and readers hold up nobody in WAL mode. When Backup returns nil, the
// copy is checked and on the disk; otherwise there is none.
func Backup(ctx context.Context, path, out string) (err error) {
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("finding the database: %w", err)
	}
	if _, err := os.Lstat(out); err == nil {
		return fmt.Errorf("%s exists already: %w", out, os.ErrExist)
	}
	part := out + ".part"
	// Made first, since SQLite would let everybody read it.
	f, err := os.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) //nolint:gosec // the operator's path
	if err != nil {
		return fmt.Errorf("making the copy: %w", err)
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			err = errors.Join(err, ignoreMissing(os.Remove(part)))
		}
	}()
	if err := run(ctx, path, "VACUUM INTO ?", part); err != nil {
		return fmt.Errorf("copying the database: %w", err)
	}
	if err := check(ctx, part); err != nil {
		return fmt.Errorf("checking the copy: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("writing the copy: %w", err)
	}
	if err := os.Rename(part, out); err != nil {
		return fmt.Errorf("naming the copy: %w", err)
	}
	return syncFolder(filepath.Dir(out))
}

func ignoreMissing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// aside opens a database beside whoever else has it open, and never makes one.
func aside(path string) (*sql.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path}).String()+"?mode=rw&_pragma=busy_timeout(10000)")
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

func run(ctx context.Context, path, query string, args ...any) (err error) {
	db, err := aside(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.ExecContext(ctx, query, args...)
	return err
}

// check reads a database from end to end.
func check(ctx context.Context, path string) (err error) {
	db, err := aside(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return errors.New(verdict)
	}
	return nil
}

// syncFolder makes a new name in a folder durable.
func syncFolder(path string) (err error) {
	f, err := os.Open(path) //nolint:gosec // the operator's path
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return f.Sync()
}
