package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	neturl "net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"stripe-connector/internal/child"
	"stripe-connector/internal/stripetest"
)

// demo is one run of the demo command.
type demo struct {
	once      bool
	connector string // path of the binary, see child.Connector
	listen    string // address of the connector; empty: a free port
	data      string // folder of its database; a temporary one if empty
	stripeKey string // a test key of the real Stripe, or empty for the sandbox
	stdout    io.Writer
	stderr    io.Writer
}

func (d *demo) run(ctx context.Context) (err error) {
	stripeBase, stripeName := "https://api.stripe.com", "Stripe, test mode"
	switch {
	case d.stripeKey == "":
		srv, err := startSandbox(ctx, "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer srv.Close()
		stripeBase, stripeName, d.stripeKey = srv.URL, "a local Stripe at "+srv.URL, stripetest.Key
	case strings.Contains(d.stripeKey, "_live_"):
		return errors.New("STRIPE_KEY is a live key; the walk creates and deletes customers, so it takes a test key only")
	}

	data := d.data
	if data == "" {
		if data, err = os.MkdirTemp("", "stripe-connector-"); err != nil {
			return fmt.Errorf("making a folder for the database: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	}
	if data, err = filepath.Abs(data); err != nil {
		return err
	}
	listen := d.listen
	if listen == "" {
		if listen, err = child.FreeAddress(ctx, "127.0.0.1"); err != nil {
			return err
		}
	}
	_, port, err := net.SplitHostPort(listen)
	if err != nil {
		return err
	}
	url := "http://127.0.0.1:" + port
	token := "sc_" + rand.Text() + rand.Text()
	c, err := child.Start(ctx, url, []string{
		"CONNECTOR_LISTEN=" + listen,
		"CONNECTOR_PUBLIC_URL=" + url,
		"CONNECTOR_STRIPE_API_BASE=" + stripeBase,
		"CONNECTOR_DATABASE_URL=sqlite:" + filepath.Join(data, "connector.db"),
		"CONNECTOR_ADMIN_TOKEN=" + token,
		"CONNECTOR_ALLOW_PRIVATE_TARGETS=true",
		"CONNECTOR_LOG_FORMAT=console",
		"CONNECTOR_LOG_LEVEL=warn",
	}, d.stderr, child.Connector(d.connector), "serve")
	if err != nil {
		return err
	}
	defer c.Stop()

	fmt.Fprintf(d.stdout, "The connector is up at %s, with %s behind it.\n", url, stripeName)
	w := &walk{base: url, token: token, stripeKey: d.stripeKey, out: d.stdout}
	// Stripe itself cannot reach a loopback address, so events are only shown with the sandbox.
	w.reachable = stripeBase != "https://api.stripe.com"
	if err := whileAlive(ctx, c, w.run); err != nil {
		return err
	}
	if d.once {
		return nil
	}

	fmt.Fprintf(d.stdout, `
It stays up until Ctrl-C.

  URL    %s
  token  %s

Go on with:

  curl %[1]s/v1/modules/search-customers -H 'Authorization: Bearer %[2]s' -d '{"connection":"%[3]s","limit":"3"}'

`, url, token, w.connection)
	select {
	case <-ctx.Done():
		return nil
	case <-c.Done():
		if ctx.Err() != nil {
			return nil
		}
		return c.Died()
	}
}

// whileAlive runs the walk, and stops it when the connector dies under it.
func whileAlive(ctx context.Context, c *child.Process, walk func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var err error
	walked := make(chan struct{})
	go func() {
		defer close(walked)
		err = walk(ctx)
	}()
	select {
	case <-walked:
	case <-c.Done():
		cancel()
		<-walked
		return c.Died()
	}
	if broken := new(neturl.Error); errors.As(err, &broken) {
		select { // a connection that broke is how the death of the connector shows first
		case <-c.Done():
			return c.Died()
		case <-time.After(time.Second):
		}
	}
	return err
}
