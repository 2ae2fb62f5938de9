// Command stripe-connector serves Stripe to automation platforms: 41 modules over HTTP, and webhooks that lose nothing.
//
// Each subcommand is a file of its own. serve.go is the only place that wires the parts together.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Set by the linker; see the Makefile.
var (
	version = "dev"
	commit  = "unknown"
)

// An invocation is what a command may know of the world.
type invocation struct {
	args   []string
	stdout io.Writer
	stderr io.Writer
}

// A command is one word on the command line.
type command struct {
	name, help string
	run        func(context.Context, invocation) error
}

func commands() []command {
	return []command{
		{"serve", "run the service", serve},
		{"config", "print the configuration variables", printConfig},
		{"token", "create, list and revoke API tokens", token},
		{"keys", "seal everything anew with the first of the keys", keys},
		{"migrate", "bring the database's tables up to date", migrate},
		{"backup", "copy the SQLite file, also while serve is running", backup},
		{"copy", "copy everything from SQLite to PostgreSQL", copyStore},
		{"replay", "send stored events to a webhook again", replay},
		{"openapi", "print the OpenAPI document", printOpenAPI},
		{"export", "write the service as a Make custom app", export},
		{"healthcheck", "ask the running service whether it is ready; for containers", healthcheck},
		{"version", "print the version", printVersion},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, invocation{args: os.Args[1:], stdout: os.Stdout, stderr: os.Stderr}))
}

// errUsage is a command line that cannot be understood; what is wrong with it has been said.
var errUsage = errors.New("usage")

func run(ctx context.Context, in invocation) int {
	name := "help"
	if len(in.args) > 0 {
		name = in.args[0]
		in.args = in.args[1:]
	}
	for _, c := range commands() {
		if c.name != name {
			continue
		}
		switch err := c.run(ctx, in); {
		case err == nil, errors.Is(err, flag.ErrHelp):
			return 0
		case errors.Is(err, errUsage):
			return 2
		default:
			fmt.Fprintf(in.stderr, "stripe-connector %s: %v\n", name, err)
			return 1
		}
	}
	out, status := in.stdout, 0
	if name != "help" && name != "-h" && name != "--help" {
		fmt.Fprintf(in.stderr, "stripe-connector: there is no command %q\n\n", name)
		out, status = in.stderr, 2
	}
	fmt.Fprint(out, "Usage: stripe-connector COMMAND [flags]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(out, "  %-12s %s\n", c.name, c.help)
	}
	return status
}

// flags is a flag set that speaks like the rest of the program.
func (in invocation) flags(name string) *flag.FlagSet {
	set := flag.NewFlagSet("stripe-connector "+name, flag.ContinueOnError)
	set.SetOutput(in.stderr)
	return set
}

// parse reads the flags of a command that takes nothing else.
func (in invocation) parse(set *flag.FlagSet) error {
	if err := set.Parse(in.args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage
	}
	if set.NArg() > 0 {
		fmt.Fprintf(in.stderr, "%s: what is %q?\n", set.Name(), set.Arg(0))
		return errUsage
	}
	return nil
}

func printVersion(_ context.Context, in invocation) error {
	if err := in.parse(in.flags("version")); err != nil {
		return err
	}
	_, err := fmt.Fprintf(in.stdout, "stripe-connector %s (%s)\n", version, commit)
	return err
}
