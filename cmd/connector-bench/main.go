// Command connector-bench measures the connector on this machine, against what this machine can do at best, in one run.
// Absolute figures move by a factor of two from one machine to the next, and on a shared one from minute to minute; a share
// of a ceiling holds.
//
//	main.go        which measurements there are, and the flags
//	calls.go       the request line: module calls, lists; beside a bare reverse proxy
//	events.go      the event line: acknowledged, delivered, how late; beside a forwarder without a store
//	floods.go      what strangers do to the service while others go on
//	fill.go        a store that has been in use
//	footprint.go   size, start, memory
//	load.go        closed and open loops; latency counts from when a job was due
//	standin.go     Stripe, in this process; pages.go: lists of large objects
//	subscriber.go  the subscribers, in this process
//	service.go     the connector and the ceilings, each a process of its own
//	ceiling.go     the ceilings themselves
//	report.go      medians, table, JSON
//
// The load, Stripe and the subscribers share the processors with what is measured, in every case alike. The connector
// logs as it does by default and commits to the disk as it always does.
package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"stripe-connector/internal/child"
	"stripe-connector/internal/store/postgres/pgtest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "connector-bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) > 1 { // started by ourselves, see bench.ceiling
		switch args[0] {
		case "proxy":
			return proxy(ctx, args[1], args[2])
		case "forward":
			return forward(ctx, args[1], args[2], args[3], args[4:])
		}
	}
	b := bench{stderr: stderr}
	flags := flag.NewFlagSet("connector-bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	only := flags.String("only", "", "measure only what this regular expression matches: "+strings.Join(names(&b), ", "))
	connector := flags.String("connector", "", "the connector's binary; beside this one if empty")
	save := flags.String("json", "", "write the report to this file too")
	markdown := flags.Bool("markdown", false, "print the table as Markdown")
	pageTime := flags.Duration("page", 50*time.Millisecond, "what Stripe takes for a page of a list")
	flags.IntVar(&b.runs, "runs", 3, "interleaved runs of which the median counts")
	flags.DurationVar(&b.length, "length", 5*time.Second, "of one run's load")
	flags.IntVar(&b.webhooks, "webhooks", 10_000, "in the store that is full")
	flags.IntVar(&b.stored, "stored", 1_000_000, "events in the store that is full, those that wait included")
	flags.IntVar(&b.backlog, "backlog", 300_000, "deliveries that wait for a subscriber that hangs")
	if err := flags.Parse(args); err != nil {
		return err
	}
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	b.connector = child.Connector(*connector)
	version, err := exec.CommandContext(ctx, b.connector, "version").Output()
	if err != nil {
		return fmt.Errorf("asking %s for its version: %w", b.connector, err)
	}
	found, err := b.measure(ctx, wanted, *pageTime, strings.TrimSpace(string(version)))
	// What was measured before a failure is worth showing.
	if *save != "" {
		err = errors.Join(err, found.save(*save))
	}
	if *markdown {
		found.markdown(stdout)
		return err
	}
	return errors.Join(err, found.table(stdout))
}

// A bench is what the measurements share.
type bench struct {
	connector string
	runs      int
	length    time.Duration
	webhooks  int
	stored    int
	backlog   int
	stderr    io.Writer

	dir         string // of databases and logs
	made        int    // databases
	log         *os.File
	key         [32]byte // seals what is stored
	stripe      *standIn
	subscribers *subscribers
	postgres    *pgtest.Server // nil: not installed
}

// A measurement finds some rows of the table.
type measurement struct {
	name string
	run  func(context.Context) ([]row, error)
}

func (b *bench) measurements() []measurement {
	return []measurement{
		{"binding", b.measureBinding},
		{"calls", b.measureCalls},
		{"list", b.measureList},
		{"events-sqlite", b.measureThroughput(sqliteKind, 0.50, 0.60)},
		{"latency-sqlite", b.measureLatency(sqliteKind, 1.5, 5)},
		{"loaded-sqlite", b.measureLoaded(sqliteKind)},
		{"events-postgresql", b.measureThroughput(postgresKind, 0.35, 0.45)},
		{"latency-postgresql", b.measureLatency(postgresKind, 2, 8)},
		{"loaded-postgresql", b.measureLoaded(postgresKind)},
		{"peers", b.measurePeers},
		{"floods", b.measureFloods},
		{"disk", b.measureDisk},
		{"footprint", b.measureFootprint},
	}
}

func names(b *bench) []string {
	var all []string
	for _, m := range b.measurements() {
		all = append(all, m.name)
	}
	return all
}

// measure sets the stage and makes the wanted measurements.
func (b *bench) measure(ctx context.Context, wanted *regexp.Regexp, pageTime time.Duration, version string) (r report, err error) {
	if b.dir, err = os.MkdirTemp("", "connector-bench-"); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if b.log, err = os.Create(filepath.Join(b.dir, "log")); err != nil {
		return r, err
	}
	defer b.log.Close()
	_, _ = rand.Read(b.key[:]) // never fails
	if b.stripe, err = newStandIn(ctx, pageTime); err != nil {
		return r, err
	}
	defer b.stripe.close()
	if b.subscribers, err = newSubscribers(ctx); err != nil {
		return r, err
	}
	defer b.subscribers.close()
	r = newReport(version)
	for _, m := range b.measurements() {
		if !wanted.MatchString(m.name) {
			continue
		}
		if strings.HasSuffix(m.name, "-postgresql") {
			//nolint:contextcheck // the server lives until it is closed
			if ok, err := b.needPostgres(); err != nil || !ok {
				if err != nil {
					return r, err
				}
				continue
			}
		}
		rows, err := m.run(ctx)
		if err != nil {
			return r, errors.Join(fmt.Errorf("%s: %w", m.name, err), b.tail())
		}
		r.Rows = append(r.Rows, rows...)
	}
	if b.postgres != nil {
		b.postgres.Close()
	}
	return r, nil
}

// needPostgres starts a server, or says that there is none.
func (b *bench) needPostgres() (bool, error) {
	if b.postgres != nil {
		return true, nil
	}
	server, err := pgtest.Start()
	if errors.Is(err, pgtest.ErrMissing) {
		b.progress("left out: %v", err)
		return false, nil
	}
	b.postgres = server
	return err == nil, err
}

// tail is the end of what the services logged.
func (b *bench) tail() error {
	text, err := os.ReadFile(b.log.Name())
	if err != nil {
		return err
	}
	return fmt.Errorf("the last of the log:\n%s", text[max(0, len(text)-2000):])
}

func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(b.stderr, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

// warmUp is the load before a run that does not count.
func (b *bench) warmUp() time.Duration { return b.length / 5 }

func (b *bench) sealingKey() string { return base64.StdEncoding.EncodeToString(b.key[:]) }
