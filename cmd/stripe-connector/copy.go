package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/rs/zerolog"

	"stripe-connector/internal/store/postgres"
	"stripe-connector/internal/store/sqlite"
	"stripe-connector/internal/store/transfer"
)

// copyStore copies everything from a SQLite file into an empty PostgreSQL database while serve is stopped. When it is
// interrupted, the same command goes on where it was. The file is left as it is.
func copyStore(ctx context.Context, in invocation) (err error) {
	set := in.flags("copy")
	from := set.String("from", "sqlite:data/connector.db", "sqlite:FILE to copy")
	to := set.String("to", "", "postgres://… to copy into; CONNECTOR_DATABASE_URL if empty, which keeps the password out of the list of processes")
	if err := in.parse(set); err != nil {
		return err
	}
	if *to == "" {
		*to = os.Getenv("CONNECTOR_DATABASE_URL")
	}
	path, ok := strings.CutPrefix(*from, "sqlite:")
	if !ok || !strings.HasPrefix(*to, "postgres://") && !strings.HasPrefix(*to, "postgresql://") {
		fmt.Fprintf(in.stderr, "%s: a store is copied --from sqlite:FILE --to postgres://…\n", set.Name())
		return errUsage
	}
	if !exists(path) {
		return fmt.Errorf("there is no file %s", path)
	}
	source, err := sqlite.Open(ctx, path, time.Now)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	log := zerolog.New(zerolog.ConsoleWriter{Out: in.stderr, TimeFormat: time.TimeOnly}).With().Timestamp().Logger()
	target, err := postgres.OpenTarget(ctx, *to, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()

	bar := newBar(in.stderr)
	results, err := transfer.Copy(ctx, source, target, bar.show)
	bar.end()
	if err != nil {
		return fmt.Errorf("copying: %w", err)
	}
	table := tabwriter.NewWriter(in.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TABLE\tROWS\tSHA-256 ON BOTH SIDES")
	for _, r := range results {
		fmt.Fprintf(table, "%s\t%d\t%x\n", r.Table, r.Rows, r.Sum[:12])
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if key := filepath.Join(filepath.Dir(path), "secret.key"); exists(key) {
		_, err = fmt.Fprintf(in.stdout, "\nThe secrets in it are sealed with the key in %s: set CONNECTOR_SECRET_KEYS to what stands there.\n", key)
	}
	return err
}

// A bar shows progress: on a terminal as a bar that moves, elsewhere as a line for each table.
type bar struct {
	out      io.Writer
	terminal bool
	drawn    time.Time
	began    time.Time
	now      transfer.Progress
	open     bool // the cursor stands at the end of a bar
}

func newBar(out io.Writer) *bar {
	b := &bar{out: out}
	if f, ok := out.(*os.File); ok {
		info, err := f.Stat()
		b.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return b
}

func (b *bar) show(p transfer.Progress) {
	if p.Table != b.now.Table || p.Checking != b.now.Checking {
		b.end()
		b.began = time.Now()
		b.drawn = time.Time{}
	}
	b.now = p
	last := p.Done >= p.Total
	if !b.terminal || !last && time.Since(b.drawn) < 100*time.Millisecond {
		return
	}
	b.drawn = time.Now()
	b.draw()
}

// end finishes the line of the pass that was shown last.
func (b *bar) end() {
	if b.now.Table != "" && !b.terminal {
		b.draw()
	}
	if b.open {
		fmt.Fprintln(b.out)
		b.open = false
	}
}

func (b *bar) draw() {
	const width = 30
	p, part := b.now, 1.0
	if p.Total > 0 {
		part = min(1, float64(p.Done)/float64(p.Total))
	}
	doing := "copying "
	if p.Checking {
		doing = "checking"
	}
	full := int(part * width)
	start := ""
	if b.terminal {
		start = "\r"
	}
	fmt.Fprintf(b.out, "%s%s %-12s [%s%s] %3.0f %%  %d of %d rows", start, doing, p.Table,
		strings.Repeat("#", full), strings.Repeat(".", width-full), part*100, p.Done, p.Total)
	if took := time.Since(b.began); b.terminal && took > time.Second {
		fmt.Fprintf(b.out, ", %.0f a second ", float64(p.Done)/took.Seconds())
	}
	b.open = true
}
