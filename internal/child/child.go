// Package child runs the connector as a process of its own, for programs that show, load or measure it.
package child

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// How long a process may take to become ready and to stop.
const (
	startTimeout = time.Minute
	stopTimeout  = 30 * time.Second
)

// A Process is a running service that says on /readyz when it can serve.
type Process struct {
	url    string
	cmd    *exec.Cmd
	done   chan struct{} // closed when the process has ended
	err    error         // why, once done is closed
	cancel context.CancelFunc
}

// Start runs a command that will listen at a base URL and waits until it is ready. Its environment is ours without what
// belongs to the connector, and with settings; it stops without delay, since nobody balances over it. Its output goes to log.
func Start(ctx context.Context, url string, settings []string, log io.Writer, command string, args ...string) (*Process, error) {
	life, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(life, command, args...)
	cmd.Env = append(append(environment(os.Environ()), "CONNECTOR_SHUTDOWN_DELAY=0s"), settings...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTimeout
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("starting %s: %w", filepath.Base(command), err)
	}
	p := &Process{url: url, cmd: cmd, done: make(chan struct{}), cancel: cancel}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := p.ready(ctx); err != nil {
		p.Stop()
		return nil, err
	}
	return p, nil
}

// environment drops what would make a run depend on the caller's own settings, and the Stripe key, which the connector is
// given through its API.
func environment(all []string) []string {
	kept := make([]string, 0, len(all))
	for _, setting := range all {
		if !strings.HasPrefix(setting, "CONNECTOR_") && !strings.HasPrefix(setting, "STRIPE_KEY=") {
			kept = append(kept, setting)
		}
	}
	return kept
}

// ready waits until the process can serve.
func (p *Process) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/readyz", http.NoBody)
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
		case <-p.done:
			return p.Died()
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s to become ready: %w", p.name(), ctx.Err())
		}
	}
}

func (p *Process) name() string { return filepath.Base(p.cmd.Path) }

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Died is the error of a process that ended by itself. Its log has been shown as it was written.
func (p *Process) Died() error {
	if p.err == nil {
		return fmt.Errorf("%s stopped by itself; its log is above", p.name())
	}
	return fmt.Errorf("%s died, its log is above: %w", p.name(), p.err)
}

// Stop sends SIGTERM and waits for the end.
func (p *Process) Stop() {
	p.cancel()
	<-p.done
}

// Connector finds the connector's binary: as named, else beside this program, else where make puts it.
func Connector(named string) string {
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

// FreeAddress finds a port of a host that is free and stays so while the context lasts: it is below the range that systems take
// the ports of outgoing connections from, and chosen at random, since tests run side by side. Two that choose the same one
// find out by its UDP port, which each of them holds.
func FreeAddress(ctx context.Context, host string) (string, error) {
	var err error
	for range 100 {
		address := net.JoinHostPort(host, strconv.Itoa(10_000+rand.IntN(20_000)))
		var held net.PacketConn
		if held, err = new(net.ListenConfig).ListenPacket(ctx, "udp", address); err != nil {
			continue
		}
		var listener net.Listener
		if listener, err = new(net.ListenConfig).Listen(ctx, "tcp", address); err != nil {
			held.Close()
			continue
		}
		context.AfterFunc(ctx, func() { held.Close() })
		return address, listener.Close()
	}
	return "", fmt.Errorf("looking for a free port: %w", err)
}
