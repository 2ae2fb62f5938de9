package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// How long the connector may take to become ready and to stop.
const (
	startTimeout = time.Minute
	stopTimeout  = 20 * time.Second
)

// child is a running connector.
type child struct {
	url    string
	done   chan struct{} // closed when the process has ended
	err    error         // why, once done is closed
	cancel context.CancelFunc
}

// startConnector starts the connector with the given settings and waits until it is ready.
func startConnector(ctx context.Context, path, url string, settings []string, log io.Writer) (*child, error) {
	life, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(life, path, "serve")
	cmd.Env = append(environment(os.Environ()), settings...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTimeout
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("starting the connector: %w", err)
	}
	c := &child{url: url, done: make(chan struct{}), cancel: cancel}
	go func() {
		c.err = cmd.Wait()
		close(c.done)
	}()
	if err := c.ready(ctx); err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}

// environment drops what would make the walk depend on the caller's own settings, and the Stripe key, which the
// connector is given through its API.
func environment(all []string) []string {
	kept := make([]string, 0, len(all))
	for _, setting := range all {
		if !strings.HasPrefix(setting, "CONNECTOR_") && !strings.HasPrefix(setting, "STRIPE_KEY=") {
			kept = append(kept, setting)
		}
	}
	return kept
}

// ready waits until the connector can serve.
func (c *child) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+"/readyz", http.NoBody)
		if err != nil {
			return err
		}
		if response, err := client.Do(r); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-poll.C:
		case <-c.done:
			return c.died()
		case <-ctx.Done():
			return fmt.Errorf("waiting for the connector to become ready: %w", ctx.Err())
		}
	}
}

// died is the error of a connector that ended by itself. Its log has been shown as it was written.
func (c *child) died() error {
	if c.err == nil {
		return errors.New("the connector stopped by itself; its log is above")
	}
	return fmt.Errorf("the connector died, its log is above: %w", c.err)
}

// stop sends SIGTERM and waits for the end.
func (c *child) stop() {
	c.cancel()
	<-c.done
}

// connectorPath finds the binary: as named, else beside this one, else where make puts it.
func connectorPath(named string) string {
	if named != "" {
		return named
	}
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), "stripe-connector")
		if _, err := os.Stat(beside); err == nil {
			return beside
		}
	}
	return filepath.Join("bin", "stripe-connector")
}

// freeAddress turns an address with port 0 into one with a port that is free now.
func freeAddress(ctx context.Context, address string) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return "", fmt.Errorf("looking for a free port: %w", err)
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}
