package config_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"stripe-connector/internal/config"
)

// The environment belongs to the whole process, so tests that set it do not run in parallel.

// clean empties the environment of our variables until the test ends, and then sets the given ones.
func clean(t *testing.T, set map[string]string) {
	t.Helper()
	for _, entry := range os.Environ() {
		if name, value, _ := strings.Cut(entry, "="); strings.HasPrefix(name, config.Prefix+"_") {
			t.Setenv(name, value) // so that it comes back
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, value := range set {
		t.Setenv(config.Prefix+"_"+name, value)
	}
}

func TestDefaults(t *testing.T) {
	clean(t, nil)
	t.Setenv("LISTEN", "nonsense") // another program's
	t.Setenv("CONNECTOR_MAX_LIMIT", "")
	got, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	const hours = time.Hour
	waits := config.Schedule{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, hours, 2 * hours}
	var total time.Duration
	for range 17 {
		waits = append(waits, 4*hours)
	}
	for _, w := range waits {
		total += w
	}
	if total < 71*hours || total > 72*hours {
		t.Errorf("the schedule takes %v, want three days", total)
	}
	want := config.Config{
		Listen: ":8080", DatabaseURL: config.NewSecret("sqlite:data/connector.db"), StripeAPIBase: "https://api.stripe.com",
		StripeRateTest: 25, StripeRateLive: 100, RequestTimeout: 35 * time.Second, MaxLimit: 1000, RateLimit: 5000, MaxConcurrent: 1024,
		ShutdownDelay:   5 * time.Second,
		DeliveryTimeout: 30 * time.Second, RetrySchedule: waits, CatchupInterval: 5 * time.Minute, Retention: 720 * hours,
		LogLevel: zerolog.InfoLevel, LogFormat: "json",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	if path, ok := got.SQLite(); path != "data/connector.db" || !ok {
		t.Errorf("got SQLite file %q, %v", path, ok)
	}
}

func TestSet(t *testing.T) {
	key := bytes.Repeat([]byte{0xfb}, 32)
	clean(t, map[string]string{
		"PUBLIC_URL": "https://hooks.example.com/base/", "DATABASE_URL": "postgres://u:p@db/x", "STRIPE_API_BASE": "http://127.0.0.1:1/",
		"SECRET_KEYS": " b:" + base64.StdEncoding.EncodeToString(key) + ", a-1:" + base64.RawURLEncoding.EncodeToString(key),
		"ADMIN_TOKEN": "sc_0123456789abcdefghijklmn", "RETRY_SCHEDULE": "1s, 2s * 2", "ALLOW_PRIVATE_TARGETS": "true",
	})
	got, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	if got.PublicURL != "https://hooks.example.com/base" || got.StripeAPIBase != "http://127.0.0.1:1" || !got.AllowPrivateTargets {
		t.Errorf("got %+v", got)
	}
	wantKeys := config.Keys{{ID: "b", Bytes: config.NewSecret(string(key))}, {ID: "a-1", Bytes: config.NewSecret(string(key))}}
	if diff := cmp.Diff(wantKeys, got.SecretKeys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(config.Schedule{time.Second, 2 * time.Second, 2 * time.Second}, got.RetrySchedule); diff != "" {
		t.Errorf("waits (-want +got):\n%s", diff)
	}
	if path, ok := got.SQLite(); ok {
		t.Errorf("got SQLite file %q, want none", path)
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	const secret = "hunter2"
	set := map[string]string{
		"LISTEN": secret, "PUBLIC_URL": "ftp://" + secret, "DATABASE_URL": "mysql://" + secret, "SECRET_KEYS": "a:" + secret,
		"ADMIN_TOKEN": secret, "STRIPE_API_BASE": secret, "STRIPE_RATE_TEST": secret, "STRIPE_RATE_LIVE": "0",
		"REQUEST_TIMEOUT": secret, "MAX_LIMIT": "-1", "RATE_LIMIT": "-1", "MAX_CONCURRENT": "0", "SHUTDOWN_DELAY": "-1s", "ALLOW_PRIVATE_TARGETS": secret, "DELIVERY_TIMEOUT": "0s",
		"RETRY_SCHEDULE": "5s," + secret, "CATCHUP_INTERVAL": "1ms", "RETENTION": secret, "LOG_LEVEL": secret, "LOG_FORMAT": secret,
	}
	clean(t, set)
	_, err := config.Load()
	if err == nil {
		t.Fatal("got no error")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != len(set) {
		t.Errorf("got %d lines, want %d:\n%v", len(lines), len(set), err)
	}
	for name := range set {
		if !strings.Contains(err.Error(), config.Prefix+"_"+name+" must ") {
			t.Errorf("nothing is said about %s:\n%v", name, err)
		}
	}
	if strings.Contains(err.Error(), secret) {
		t.Errorf("a value is repeated:\n%v", err)
	}
}

func TestRefused(t *testing.T) {
	key := base64.StdEncoding.EncodeToString(make([]byte, 32))
	tests := []struct{ name, variable, value string }{
		{"no port", "LISTEN", "localhost"},
		{"port too high", "LISTEN", ":70000"},
		{"relative URL", "PUBLIC_URL", "/hooks"},
		{"URL with a user", "PUBLIC_URL", "https://u:p@example.com"},
		{"URL with a query", "PUBLIC_URL", "https://example.com/?a=b"},
		{"no file", "DATABASE_URL", "sqlite:"},
		{"file as a host", "DATABASE_URL", "sqlite://data/x.db"},
		{"no host", "DATABASE_URL", "postgres://"},
		{"short key", "SECRET_KEYS", "a:" + key[:20]},
		{"key without id", "SECRET_KEYS", key},
		{"odd id", "SECRET_KEYS", "ä:" + key},
		{"id twice", "SECRET_KEYS", "a:" + key + ",a:" + key},
		{"empty entry", "SECRET_KEYS", "a:" + key + ","},
		{"short token", "ADMIN_TOKEN", "sc_short"},
		{"token with a space", "ADMIN_TOKEN", "sc_ 0123456789abcdefghijklmn"},
		{"too many waits", "RETRY_SCHEDULE", "1s*1001"},
		{"no times", "RETRY_SCHEDULE", "1s*0"},
		{"negative wait", "RETRY_SCHEDULE", "-1s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clean(t, map[string]string{tt.variable: tt.value})
			_, err := config.Load()
			if err == nil || !strings.HasPrefix(err.Error(), config.Prefix+"_"+tt.variable+" must ") || strings.Contains(err.Error(), "\n") {
				t.Errorf("got error %v, want one about %s", err, tt.variable)
			}
		})
	}
}

func TestPostgresNeedsKeys(t *testing.T) {
	clean(t, map[string]string{"DATABASE_URL": "postgres://u:p@db/x"})
	_, err := config.Load()
	if err == nil || !strings.Contains(err.Error(), "CONNECTOR_SECRET_KEYS must be set") {
		t.Errorf("got error %v, want one that asks for SECRET_KEYS", err)
	}
}

func TestUnknown(t *testing.T) {
	clean(t, map[string]string{"RETENTON": "1h", "RETENTION": "1h", "STRIPE_API_BASE": "https://example.com"})
	if diff := cmp.Diff([]string{"CONNECTOR_RETENTON"}, config.Unknown()); diff != "" {
		t.Errorf("unknown variables (-want +got):\n%s", diff)
	}
}

func TestSecretIsNeverPrinted(t *testing.T) {
	t.Parallel()
	type holder struct {
		Shown  config.Secret
		hidden config.Secret
	}
	const text = "hunter2"
	s := config.NewSecret(text)
	printed := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%t", "%e", "%c", "%p", "%10s"} {
		printed[verb] = fmt.Sprintf(verb, s)
		printed["holder "+verb] = fmt.Sprintf(verb, holder{s, s})
		printed["pointer "+verb] = fmt.Sprintf(verb, &holder{s, s})
		printed["keys "+verb] = fmt.Sprintf(verb, config.Keys{{ID: "a", Bytes: s}})
	}
	raw, err := json.Marshal(map[string]any{"s": s, "p": &s, "h": holder{s, s}})
	if err != nil {
		t.Fatal(err)
	}
	printed["json"] = string(raw)
	var log bytes.Buffer
	l := zerolog.New(&log)
	l.Info().Interface("i", s).Stringer("s", s).Any("h", holder{s, s}).Str("f", fmt.Sprint(s)).Msg("")
	printed["zerolog"] = log.String()
	text16 := fmt.Sprintf("%x", text)
	for how, got := range printed {
		if strings.Contains(got, text) || strings.Contains(strings.ToLower(got), text16) {
			t.Errorf("%s prints %s", how, got)
		}
	}
	if got := fmt.Sprintf("%v|%#v|%d", s, s, s); got != "*****|*****|*****" {
		t.Errorf("got %s, want stars", got)
	}
	if s.Reveal() != text || config.NewSecret("").String() != "" || !(config.Secret{}).IsZero() {
		t.Error("a secret does not hold what it should")
	}
}

// TestTable sets every variable of the table to nonsense or zero, so that a name that Load does not know stands out.
func TestTable(t *testing.T) {
	names := []string{}
	for _, line := range strings.Split(strings.TrimSpace(config.Table()), "\n")[2:] {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || strings.TrimSpace(cells[3]) == "" {
			t.Errorf("odd line: %s", line)
			continue
		}
		names = append(names, strings.Trim(cells[1], " `"))
	}
	if len(names) != 20 {
		t.Errorf("got %d variables, want 20", len(names))
	}
	for _, name := range names {
		clean(t, map[string]string{strings.TrimPrefix(name, config.Prefix+"_"): "\x01:"})
		if _, err := config.Load(); err == nil || !strings.HasPrefix(err.Error(), name+" ") {
			t.Errorf("%s: got error %v", name, err)
		}
	}
}

func TestReadmeHasTheTable(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), "-->\n"+config.Table()+"<!--") {
		t.Error("the table in the README is not the one of the code; make generate writes it")
	}
}
