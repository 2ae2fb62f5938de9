package config

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// The tests set environment variables, so none of them is parallel.

func TestDefaults(t *testing.T) {
	t.Setenv("CONNECTOR_LISTEN", "") // empty counts as unset
	t.Setenv("DATABASE_URL", "postgres://not-ours")
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != ":8080" || c.DatabaseURL != "sqlite:data/connector.db" || c.RequestTimeout != 35*time.Second || c.MaxLimit != 1000 || c.LogLevel != zerolog.InfoLevel {
		t.Errorf("the defaults are %+v", c)
	}
	var total time.Duration
	for _, wait := range c.RetrySchedule {
		total += wait
	}
	if total < 68*time.Hour || total > 76*time.Hour {
		t.Errorf("the retry schedule spans %s, want about three days", total)
	}
}

func TestValues(t *testing.T) {
	key := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))
	for name, value := range map[string]string{
		"DATABASE_URL": "postgres://u:p@h/db", "SECRET_KEYS": "new:" + key + ", old:" + key, "ALLOW_PRIVATE_TARGETS": "true",
		"RETRY_SCHEDULE": "1s, 2m", "LOG_LEVEL": "warn", "STRIPE_RATE_LIVE": "0.5",
	} {
		t.Setenv("CONNECTOR_"+name, value)
	}
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	if len(c.SecretKeys) != 2 || c.SecretKeys[0].ID != "new" || string(c.SecretKeys[1].Bytes[:]) != strings.Repeat("k", 32) {
		t.Errorf("SecretKeys = %v", c.SecretKeys)
	}
	if len(c.RetrySchedule) != 2 || c.RetrySchedule[1] != 2*time.Minute || !c.AllowPrivateTargets || c.StripeRateLive != 0.5 || c.LogLevel != zerolog.WarnLevel {
		t.Errorf("the configuration is %+v", c)
	}
}

func TestEveryFaultAtOnceAndNoValue(t *testing.T) {
	const secret = "sk_live_secret"
	names := []string{}
	for _, v := range Variables() {
		t.Setenv(v.Name, secret+",")
		names = append(names, v.Name)
	}
	_, err := Load()
	if err == nil {
		t.Fatal("Load took it")
	}
	for _, name := range names {
		if !strings.Contains(err.Error(), name+" ") {
			t.Errorf("the error does not name %s", name)
		}
	}
	if strings.Contains(err.Error(), secret) {
		t.Errorf("the error repeats a value: %v", err)
	}
}

func TestPostgresNeedsKeys(t *testing.T) {
	t.Setenv("CONNECTOR_DATABASE_URL", "postgres://u:p@h/db")
	if _, err := Load(); err == nil || !strings.Contains(err.Error(), "CONNECTOR_SECRET_KEYS") {
		t.Errorf("Load = %v, want a fault of SECRET_KEYS", err)
	}
}

func TestSecretsPrintAsStars(t *testing.T) {
	t.Parallel()
	c := Config{AdminToken: "sc_hidden", DatabaseURL: "postgres://u:hidden@h/d", SecretKeys: Keys{{ID: "k1", Bytes: [32]byte([]byte(strings.Repeat("h", 32)))}}}
	marshalled, err := json.Marshal(c.AdminToken)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	logger := zerolog.New(&log)
	logger.Info().Interface("token", c.AdminToken).Stringer("again", c.AdminToken).Msg("")
	for _, got := range []string{fmt.Sprintf("%v %+v %#v %s %q", c, c, c, c.AdminToken, c.AdminToken), string(marshalled), log.String()} {
		if strings.Contains(got, "hidden") || strings.Contains(got, "hhhh") || strings.Contains(got, "104 104") || strings.Contains(got, "0x68, 0x68") {
			t.Errorf("a secret is printed: %s", got)
		}
	}
}
