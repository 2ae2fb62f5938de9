package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"stripe-connector/internal/child"
	"stripe-connector/internal/stripetest"
)

// asProgram in its environment makes the test binary be the program, so that what is tested runs as a process of its own,
// can be killed, and is under the race detector if the test is.
const asProgram = "CONNECTOR_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		_ = os.Unsetenv(asProgram) // or it would be warned of as a misspelt setting
		main()
	}
	os.Exit(m.Run())
}

// patience bounds every wait for something that is sure to come, so that a failure says what did not.
const patience = 90 * time.Second

// A program is the connector as its operator has it: an environment, a folder for data, and an address.
type program struct {
	t      *testing.T
	url    string
	dir    string   // of the database and of the key file
	env    []string // later entries win
	token  string   // admin of the workspace "default"
	client *http.Client
}

const adminToken = "sc_admin_token_of_the_tests"

// newProgram prepares a connector in front of a Stripe, on a folder and a port of its own. The settings, NAME=VALUE without
// the prefix, come on top.
func newProgram(t *testing.T, stripe *stripetest.Server, settings ...string) *program {
	t.Helper()
	address := freeAddress(t)
	p := &program{t: t, url: "http://" + address, dir: t.TempDir(), token: adminToken, client: newClient(t)}
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "CONNECTOR_") && !strings.HasPrefix(entry, "OTEL_") {
			p.env = append(p.env, entry)
		}
	}
	p.set("TEST_MAIN=1", "LISTEN="+address, "PUBLIC_URL="+p.url, "DATABASE_URL=sqlite:"+p.database(), "ADMIN_TOKEN="+adminToken,
		"STRIPE_API_BASE="+stripe.URL, "STRIPE_RATE_TEST=10000", "STRIPE_RATE_LIVE=10000", "ALLOW_PRIVATE_TARGETS=true", "RATE_LIMIT=0",
		"SHUTDOWN_DELAY=0s")
	p.set(settings...)
	return p
}

// replica is the same connector on another port.
func (p *program) replica() *program {
	p.t.Helper()
	address := freeAddress(p.t)
	r := *p
	r.url, r.env, r.client = "http://"+address, slices.Clone(p.env), newClient(p.t)
	r.set("LISTEN=" + address)
	return &r
}

func (p *program) set(settings ...string) {
	for _, s := range settings {
		p.env = append(p.env, "CONNECTOR_"+s)
	}
}

// database is the path of the SQLite file.
func (p *program) database() string { return filepath.Join(p.dir, "connector.db") }

func newClient(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := child.FreeAddress(t.Context(), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func (p *program) command(ctx context.Context, args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env, cmd.Dir = p.env, p.dir
	return cmd
}

// ended is what a command printed, and its exit code.
type ended struct {
	stdout, stderr string
	code           int
}

// run runs a command to its end.
func (p *program) run(args ...string) ended {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	cmd := p.command(ctx, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		p.t.Fatalf("%q: %v", args, err)
	}
	return ended{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// newToken makes a token, and its workspace with it. The program must not be running.
func (p *program) newToken(workspace, role string) string {
	p.t.Helper()
	got := p.run("token", "create", "--workspace", workspace, "--role", role)
	if got.code != 0 {
		p.t.Fatalf("token create: %+v", got)
	}
	return strings.TrimSpace(got.stdout)
}

// A process is a running serve.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	log  *transcript
	gone chan struct{} // closed when it has ended
	once sync.Once     // of looking at how it ended
}

// start runs serve and returns when it is ready. A process that still runs at the end of the test is stopped.
func (p *program) start() *process {
	p.t.Helper()
	s := &process{t: p.t, cmd: p.command(context.Background(), "serve"), log: &transcript{changed: make(chan struct{})}, gone: make(chan struct{})}
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() {
		defer close(s.gone)
		_ = s.cmd.Wait() // how it ended is in its state
	}()
	p.t.Cleanup(func() {
		select {
		case <-s.gone:
		default:
			s.kill()
		}
		if p.t.Failed() {
			p.t.Logf("log of process %d:\n%s", s.cmd.Process.Pid, s.log.tail(8<<10))
		}
	})
	eventually(p.t, "the process is ready", func() bool {
		select {
		case <-s.gone:
			p.t.Fatalf("the process ended before it was ready:\n%s", s.log)
		default:
		}
		return p.ready()
	})
	return s
}

func (p *program) ready() bool {
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.url+"/readyz", http.NoBody)
	if err != nil {
		p.t.Fatal(err)
	}
	res, err := p.client.Do(req)
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// signal sends a signal and does not wait.
func (s *process) signal(sig os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// wait returns the exit code once the process has ended by itself.
func (s *process) wait() int {
	s.t.Helper()
	select {
	case <-s.gone:
	case <-time.After(patience):
		s.t.Fatalf("the process did not end:\n%s", s.log.tail(8<<10))
	}
	s.once.Do(s.inspect)
	return s.cmd.ProcessState.ExitCode()
}

// stop ends the process as an orchestrator does, and fails the test if it did not go cleanly.
func (s *process) stop() {
	s.t.Helper()
	s.signal(syscall.SIGTERM)
	if code := s.wait(); code != 0 {
		s.t.Errorf("the process ended with code %d:\n%s", code, s.log.tail(8<<10))
	}
}

// kill ends the process with kill -9.
func (s *process) kill() {
	_ = s.cmd.Process.Kill() // it may have ended meanwhile
	<-s.gone
	s.once.Do(s.inspect)
}

// inspect looks for what no process may log.
func (s *process) inspect() {
	for _, bad := range []string{"DATA RACE", "panic", "goroutine 1 ["} {
		if strings.Contains(s.log.String(), bad) {
			s.t.Errorf("the process logged %q:\n%s", bad, s.log)
			return
		}
	}
}

// A transcript is what a process writes.
type transcript struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{} // closed and replaced at each write
}

func (l *transcript) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.changed)
	l.changed = make(chan struct{})
	return l.text.Write(p)
}

func (l *transcript) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *transcript) tail(n int) string {
	text := l.String()
	return text[max(0, len(text)-n):]
}

// await returns when the text has been written.
func (l *transcript) await(t *testing.T, text string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		l.mu.Lock()
		found, changed := strings.Contains(l.text.String(), text), l.changed
		l.mu.Unlock()
		if found {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("the process did not write %q:\n%s", text, l)
		}
	}
}

// eventually looks again and again until something holds that no signal tells of.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for !holds() {
		select {
		case <-look.C:
		case <-ctx.Done():
			t.Fatalf("it never came that %s", what)
		}
	}
}

// scaled is a load that takes bearable time.
func scaled(n int) int {
	if underRace {
		return n / 10
	}
	return n
}

// must is for steps that prepare a test.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
