// Command stripe-sandbox is a local Stripe for trying the connector without an account, and a guided tour of it.
//
//	main.go   the commands and their flags
//	serve.go  serve: the local Stripe by itself, with something in it
//	demo.go   demo: sandbox, connector and walk together; what `make run` calls
//	walk.go   the walk: the main job, request by request
//	show.go   how requests and answers are shown
//	soak.go   soak: a steady load on the connector, watched from outside
//	report.go what a soak measures, shows and judges
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
	"time"
)

const usage = `A local Stripe for trying stripe-connector without an account.

Usage:

  stripe-sandbox serve [--listen 127.0.0.1:12111]
        runs the local Stripe and prints its URL and a test key

  stripe-sandbox demo [--once] [--connector PATH] [--listen ADDR] [--data DIR]
        runs the local Stripe and the connector, walks once through the main
        job, and stays up; with STRIPE_KEY=sk_test_… it uses the real Stripe

  stripe-sandbox soak [--for 1h] [--events 100] [--calls 20] [--connector PATH]
        keeps the connector under a steady load of events and module calls a
        second; fails if anything is lost or refused, or memory or open files
        grow (Linux)
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "stripe-sandbox:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return errors.New("no command given")
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage) }
	var command func() error
	switch args[0] {
	case "serve":
		listen := flags.String("listen", "127.0.0.1:12111", "")
		command = func() error { return serve(ctx, *listen, stdout) }
	case "demo":
		d := demo{stripeKey: getenv("STRIPE_KEY"), stdout: stdout, stderr: stderr}
		flags.BoolVar(&d.once, "once", false, "")
		flags.StringVar(&d.connector, "connector", "", "")
		flags.StringVar(&d.listen, "listen", "", "")
		flags.StringVar(&d.data, "data", "", "")
		command = func() error { return d.run(ctx) }
	case "soak":
		s := soak{stdout: stdout, stderr: stderr}
		flags.DurationVar(&s.length, "for", time.Hour, "")
		flags.IntVar(&s.events, "events", 100, "")
		flags.IntVar(&s.calls, "calls", 20, "")
		flags.StringVar(&s.connector, "connector", "", "")
		command = func() error { return s.run(ctx) }
	case "help", "-h", "-help", "--help":
		fmt.Fprint(stdout, usage)
		return nil
	default:
		fmt.Fprint(stderr, usage)
		return fmt.Errorf("unknown command %q", args[0])
	}
	if err := flags.Parse(args[1:]); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err // the flag set has shown the usage
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	return command()
}
