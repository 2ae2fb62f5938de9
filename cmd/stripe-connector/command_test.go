package main

import (
	"fmt"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stripe-connector/internal/config"
	"stripe-connector/internal/stripetest"
)

func TestHelp(t *testing.T) {
	t.Parallel()
	p := newProgram(t, stripetest.New(t))
	for _, args := range [][]string{nil, {"help"}, {"-h"}, {"--help"}} {
		got := p.run(args...)
		if got.code != 0 || got.stderr != "" {
			t.Errorf("%q ended with code %d and said %q", args, got.code, got.stderr)
		}
		for _, c := range commands() {
			if !strings.Contains(got.stdout, "\n  "+c.name+" ") || !strings.Contains(got.stdout, c.help) {
				t.Errorf("%q does not tell of %s:\n%s", args, c.name, got.stdout)
			}
		}
	}
	for _, c := range commands() {
		if got := p.run(c.name, "-h"); got.code != 0 && got.code != 2 || strings.Contains(got.stderr, "panic") {
			t.Errorf("%s -h ended with code %d: %s", c.name, got.code, got.stderr)
		}
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	p := newProgram(t, stripetest.New(t))
	tests := []struct {
		args   []string
		stderr string
	}{
		{[]string{"frobnicate"}, `there is no command "frobnicate"`},
		{[]string{"serve", "now"}, `what is "now"?`},
		{[]string{"serve", "--fast"}, "-fast"},
		{[]string{"config", "LISTEN"}, `what is "LISTEN"?`},
		{[]string{"token"}, "Usage: stripe-connector token create"},
		{[]string{"token", "frobnicate"}, "Usage: stripe-connector token create"},
		{[]string{"token", "revoke"}, "Usage: stripe-connector token create"},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			t.Parallel()
			got := p.run(tt.args...)
			if got.code != 2 || got.stdout != "" || !strings.Contains(got.stderr, tt.stderr) {
				t.Errorf("ended with code %d, want 2\nstdout: %s\nstderr: %s\nwant %q in it", got.code, got.stdout, got.stderr, tt.stderr)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	got := newProgram(t, stripetest.New(t)).run("version")
	if want := (ended{stdout: "stripe-connector dev (unknown)\n"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestConfigTable(t *testing.T) {
	t.Parallel()
	got := newProgram(t, stripetest.New(t)).run("config")
	if diff := cmp.Diff(ended{stdout: config.Table()}, got, cmp.AllowUnexported(ended{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestBadConfiguration(t *testing.T) {
	t.Parallel()
	const secret = "misplaced-sk_live_0123456789"
	bad := []string{
		"LISTEN", "PUBLIC_URL", "DATABASE_URL", "SECRET_KEYS", "STRIPE_RATE_TEST", "REQUEST_TIMEOUT", "MAX_LIMIT", "ALLOW_PRIVATE_TARGETS",
		"DELIVERY_TIMEOUT", "RETRY_SCHEDULE", "LOG_LEVEL", "LOG_FORMAT",
	}
	p := newProgram(t, stripetest.New(t))
	for _, name := range bad {
		p.set(name + "=" + secret)
	}
	for _, args := range [][]string{{"serve"}, {"token", "list"}, {"healthcheck"}} {
		got := p.run(args...)
		if got.code != 1 || got.stdout != "" {
			t.Errorf("%q ended with code %d, want 1; stdout: %q", args, got.code, got.stdout)
		}
		for _, name := range bad {
			if !strings.Contains(got.stderr, "CONNECTOR_"+name+" ") {
				t.Errorf("%q does not complain of %s:\n%s", args, name, got.stderr)
			}
		}
		if strings.Contains(got.stderr, secret) {
			t.Errorf("%q repeats a value:\n%s", args, got.stderr)
		}
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	p := newProgram(t, stripetest.New(t))
	create := func(args ...string) string {
		got := p.run(append([]string{"token", "create"}, args...)...)
		if got.code != 0 || got.stderr != "" || !regexp.MustCompile(`^sc_[A-Za-z0-9_-]{20,}\n$`).MatchString(got.stdout) {
			t.Fatalf("token create %q printed %+v, want a token alone", args, got)
		}
		return strings.TrimSpace(got.stdout)
	}
	list := func() string {
		got := p.run("token", "list", "--workspace", "acme")
		if got.code != 0 || got.stderr != "" {
			t.Fatalf("token list: %+v", got)
		}
		return got.stdout
	}
	runner := create("--workspace", "acme", "--name", "nightly job")
	admin := create("--workspace", "acme", "--role", "admin")
	if got := p.run("token", "create", "--role", "king"); got.code != 1 || got.stdout != "" || !strings.Contains(got.stderr, "role") {
		t.Errorf("an unknown role: %+v", got)
	}
	listed := list()
	for _, want := range []string{runner[:7] + "…", "run", "nightly job", admin[:7] + "…", "admin", "acme", "never"} {
		if !strings.Contains(listed, want) {
			t.Errorf("token list does not show %q:\n%s", want, listed)
		}
	}
	for _, token := range []string{runner, admin} {
		if strings.Contains(listed, token) {
			t.Errorf("token list shows a whole token:\n%s", listed)
		}
	}

	s := p.start()
	p.token = admin
	p.call(http.MethodGet, "/v1/tokens", nil).want(http.StatusOK)
	// While serve runs, it holds the store; the command goes through it.
	if got := p.run("token", "list"); got.code != 1 || !strings.Contains(got.stderr, "another process") {
		t.Errorf("beside serve, token list: %+v", got)
	}
	remote := p.run("token", "create", "--url", p.url, "--token", admin, "--role", "manage", "--name", "by url")
	if remote.code != 0 || !strings.HasPrefix(remote.stdout, "sc_") {
		t.Errorf("token create --url: %+v", remote)
	}
	p.token = strings.TrimSpace(remote.stdout)
	p.call(http.MethodGet, "/v1/webhooks", nil).want(http.StatusOK)
	p.token = runner
	p.call(http.MethodGet, "/v1/webhooks", nil).want(http.StatusForbidden)
	s.stop()

	id := regexp.MustCompile(`tok_\S+`).FindString(regexp.MustCompile(`.*nightly job`).FindString(list()))
	if got := p.run("token", "revoke", "--workspace", "default", id); got.code != 1 {
		t.Errorf("revoking another workspace's token: %+v", got)
	}
	if got := p.run("token", "revoke", "--workspace", "acme", id); got != (ended{}) {
		t.Errorf("token revoke: %+v", got)
	}
	if strings.Contains(list(), "nightly job") {
		t.Error("the revoked token is still listed")
	}
	p.start()
	p.call(http.MethodGet, "/v1/event-types", nil).want(http.StatusUnauthorized)
}

func TestFirstTokenIsPrinted(t *testing.T) {
	t.Parallel()
	p := newProgram(t, stripetest.New(t), "ADMIN_TOKEN=")
	s := p.start()
	found := regexp.MustCompile(`sc_[A-Za-z0-9_-]{20,}`).FindAllString(s.log.String(), -1)
	if len(found) != 1 {
		t.Fatalf("the first start showed %d tokens, want 1:\n%s", len(found), s.log)
	}
	p.token = found[0]
	p.call(http.MethodGet, "/v1/tokens", nil).want(http.StatusOK)
	s.stop()
	if again := p.start(); strings.Contains(again.log.String(), "sc_") {
		t.Errorf("the second start shows a token:\n%s", again.log)
	}
	p.call(http.MethodGet, "/v1/tokens", nil).want(http.StatusOK)
}

func TestHealthcheck(t *testing.T) {
	t.Parallel()
	p := newProgram(t, stripetest.New(t))
	if got := p.run("healthcheck"); got.code != 1 || got.stderr == "" {
		t.Errorf("without a service: %+v, want code 1 and a reason", got)
	}
	s := p.start()
	if got := p.run("healthcheck"); got != (ended{}) {
		t.Errorf("beside a service: %+v, want code 0 and silence", got)
	}
	s.stop()
	if got := p.run("healthcheck"); got.code != 1 {
		t.Errorf("after the service: %+v, want code 1", got)
	}
}

// Whatever keeps the service from starting is said in one line that names it.
func TestCannotStart(t *testing.T) {
	t.Parallel()
	stripe := stripetest.New(t)
	running := newProgram(t, stripe)
	running.start()
	address := strings.TrimPrefix(running.url, "http://")
	tests := []struct {
		name    string
		prepare func(t *testing.T, p *program)
		words   string
	}{
		{"the address is taken", func(_ *testing.T, p *program) { p.set("LISTEN=" + address) }, address},
		{"the database is none", func(t *testing.T, p *program) {
			t.Helper()
			must(t, os.WriteFile(p.database(), []byte(strings.Repeat("no database ", 1000)), 0o600))
			p.set("SECRET_KEYS=one:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
		}, "connector.db"},
		{"the database is a folder", func(t *testing.T, p *program) {
			t.Helper()
			must(t, os.Mkdir(p.database(), 0o700))
			p.set("SECRET_KEYS=one:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
		}, "connector.db"},
		{"the folder is a file", func(t *testing.T, p *program) {
			t.Helper()
			must(t, os.WriteFile(filepath.Join(p.dir, "file"), nil, 0o600))
			p.set("DATABASE_URL=sqlite:" + filepath.Join(p.dir, "file", "connector.db"))
		}, "file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newProgram(t, stripe)
			tt.prepare(t, p)
			got := p.run("serve")
			if got.code != 1 || got.stdout != "" || !strings.Contains(got.stderr, tt.words) || strings.Contains(got.stderr, "goroutine") {
				t.Errorf("%+v, want code 1 and a message with %q", got, tt.words)
			}
		})
	}
}

func TestSecondProcessOnTheSameData(t *testing.T) {
	t.Parallel()
	p := newProgram(t, stripetest.New(t))
	first := p.start()
	got := p.replica().run("serve")
	if got.code != 1 || !strings.Contains(got.stderr, "another process (pid ") || !strings.Contains(got.stderr, p.database()) {
		t.Errorf("a second process: %+v, want a message that names the first", got)
	}
	p.call(http.MethodGet, "/v1/webhooks", nil).want(http.StatusOK)
	// However the first one ended, it is no longer in the way.
	first.kill()
	p.start()
}

func TestKeyFile(t *testing.T) {
	t.Parallel()
	p := newProgram(t, stripetest.New(t))
	s := p.start()
	conn := p.connect(stripetest.Key)
	s.stop()
	path := filepath.Join(p.dir, "secret.key")
	for _, file := range []string{path, p.database()} {
		info, err := os.Stat(file)
		must(t, err)
		if got := info.Mode().Perm(); got != 0o600 {
			t.Errorf("mode of %s = %o, want 600", file, got)
		}
	}
	key, err := os.ReadFile(path)
	must(t, err)

	refused := func(what, word string) {
		t.Helper()
		got := p.run("serve")
		if got.code != 1 || !strings.Contains(got.stderr, path) || !strings.Contains(got.stderr, word) {
			t.Errorf("%s: %+v, want code 1 and a message with the path and %q", what, got, word)
		}
		if strings.Contains(got.stderr, strings.TrimSpace(string(key))) {
			t.Errorf("%s: the message shows the key", what)
		}
	}
	must(t, os.Chmod(path, 0o644))
	refused("a file that others may read", "600")
	must(t, os.Chmod(path, 0o600))
	must(t, os.WriteFile(path, []byte("k1:dG9vIHNob3J0"), 0o600))
	refused("a damaged file", "32 bytes")
	must(t, os.Remove(path))
	refused("a lost file", "missing")
	if _, err := os.Stat(path); err == nil {
		t.Error("a new key was made in the place of the lost one")
	}

	must(t, os.WriteFile(path, key, 0o600))
	p.start()
	p.call(http.MethodPost, "/v1/connections/"+conn+"/check", nil).want(http.StatusOK)
}

// The keys in the environment must open what is there.
func TestWrongSecretKeys(t *testing.T) {
	t.Parallel()
	const one, two = "one:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "two:YWJjZGVmZ2hpamFiY2RlZmdoaWphYmNkZWZnaGlqYWI="
	p := newProgram(t, stripetest.New(t), "SECRET_KEYS="+one)
	s := p.start()
	conn := p.connect(stripetest.Key)
	s.stop()
	p.set("SECRET_KEYS=" + two)
	if got := p.run("serve"); got.code != 1 || !strings.Contains(got.stderr, "CONNECTOR_SECRET_KEYS") || !strings.Contains(got.stderr, `"one"`) {
		t.Errorf("with another key: %+v, want a message that names the missing one", got)
	}
	p.set("SECRET_KEYS=" + two + "," + one)
	p.start()
	p.call(http.MethodPost, "/v1/connections/"+conn+"/check", nil).want(http.StatusOK)
}

// At first a shutdown only makes balancers go elsewhere: it tells them, hears whoever still comes, and lets no connection stay
// that would have to be cut later.
func TestStopHearsLateRequests(t *testing.T) {
	t.Parallel()
	stripe := stripetest.New(t)
	p := newProgram(t, stripe, "SHUTDOWN_DELAY=1h")
	s := p.start()
	w := p.attach(p.connect(stripetest.Key), newSubscriber(t, nil).url, "invoice.paid")
	from := p.sender(stripe, stripetest.Key, w)
	from.accept(t, event("evt_before", "invoice.paid")) // and keeps a connection
	s.signal(syscall.SIGTERM)
	s.log.await(t, `"stopping"`)
	for i, kept := range []bool{true, false, false} {
		trace := &httptrace.ClientTrace{GotConn: func(on httptrace.GotConnInfo) {
			if on.Reused != kept {
				t.Errorf("event %d after the signal: a connection was kept: %v, want %v", i, on.Reused, kept)
			}
		}}
		status, _, err := from.send(httptrace.WithClientTrace(t.Context(), trace), event(fmt.Sprintf("evt_%d", i), "invoice.paid"))
		must(t, err)
		if status != http.StatusOK {
			t.Errorf("event %d after the signal: status %d, want 200", i, status)
		}
	}
	p.call(http.MethodGet, "/readyz", nil).want(http.StatusServiceUnavailable)
	p.call(http.MethodGet, "/healthz", nil).want(http.StatusOK)
}

// A shutdown lets a delivery under way finish: it is noted, and not made again.
func TestStopFinishesDeliveries(t *testing.T) {
	t.Parallel()
	stripe := stripetest.New(t)
	p := newProgram(t, stripe)
	s := p.start()
	let := make(chan struct{})
	target := newSubscriber(t, hanging(let))
	w := p.attach(p.connect(stripetest.Key), target.url, "invoice.paid")
	p.sender(stripe, stripetest.Key, w).accept(t, event("evt_1", "invoice.paid"))
	target.until(t, "the delivery is under way", func() bool { return target.busy() == 1 })
	s.signal(syscall.SIGTERM)
	s.log.await(t, `"stopping"`)
	close(let)
	if code := s.wait(); code != 0 {
		t.Errorf("exit code = %d, want 0", code)
	}
	p.start()
	if d := p.settled(w.ID, "evt_1", "delivered"); d.Attempts != 1 {
		t.Errorf("attempts = %d, want 1", d.Attempts)
	}
}

// A delivery that outlasts the shutdown is cut and released: it counts as no attempt and is made again.
func TestStopReleasesDeliveries(t *testing.T) {
	t.Parallel() // it waits for the whole drain
	stripe := stripetest.New(t)
	p := newProgram(t, stripe)
	s := p.start()
	target := newSubscriber(t, hanging(nil))
	w := p.attach(p.connect(stripetest.Key), target.url, "invoice.paid")
	p.sender(stripe, stripetest.Key, w).accept(t, event("evt_1", "invoice.paid"))
	target.until(t, "the delivery is under way", func() bool { return target.busy() == 1 })
	s.stop()
	target.now(answering(http.StatusOK))
	p.start()
	if d := p.settled(w.ID, "evt_1", "delivered"); d.Attempts != 1 {
		t.Errorf("attempts = %d, want 1", d.Attempts)
	}
	if got := len(target.of("evt_1")); got != 2 {
		t.Errorf("the event arrived %d times, want 2", got)
	}
}
