// Package config is everything that can be set from outside: one struct, read once from the environment at the start and
// handed on by value.
package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"
	"github.com/rs/zerolog"
)

// Prefix begins the name of every variable.
const Prefix = "CONNECTOR"

// Config is the configuration of the service. The tags are its documentation: Table prints them.
type Config struct {
	Listen              string        `env:"LISTEN" default:":8080" desc:"address to listen on"`
	PublicURL           string        `env:"PUBLIC_URL" desc:"base URL at which Stripe reaches the service; without it no webhook can be attached"`
	DatabaseURL         Secret        `env:"DATABASE_URL" default:"sqlite:data/connector.db" desc:"sqlite:PATH or postgres://…"`
	SecretKeys          Keys          `env:"SECRET_KEYS" desc:"id:base64 of 32 bytes, comma-separated; the first seals, all open. Empty with SQLite: generated once beside the database file"`
	AdminToken          Secret        `env:"ADMIN_TOKEN" desc:"first admin token; empty: one is made and printed once"`
	StripeAPIBase       string        `env:"STRIPE_API_BASE" default:"https://api.stripe.com" desc:"scheme and host of Stripe, or of a stand-in"`
	StripeRateTest      float64       `env:"STRIPE_RATE_TEST" default:"25" desc:"calls to Stripe per second and connection with test keys"`
	StripeRateLive      float64       `env:"STRIPE_RATE_LIVE" default:"100" desc:"the same with live keys"`
	RequestTimeout      time.Duration `env:"REQUEST_TIMEOUT" default:"35s" desc:"budget of one module call, retries included"`
	MaxLimit            int           `env:"MAX_LIMIT" default:"1000" desc:"ceiling of a search's limit"`
	AllowPrivateTargets bool          `env:"ALLOW_PRIVATE_TARGETS" default:"false" desc:"let webhooks target http and private addresses (development)"`
	DeliveryTimeout     time.Duration `env:"DELIVERY_TIMEOUT" default:"30s" desc:"one delivery attempt, to the last byte of the answer"`
	RetrySchedule       Schedule      `env:"RETRY_SCHEDULE" default:"5s,30s,2m,10m,30m,1h,2h,4h,4h,4h,4h,4h,4h,4h,4h,4h,4h,4h,4h,4h,4h,4h,4h,4h" desc:"waits between the attempts of a delivery, comma-separated"`
	CatchupInterval     time.Duration `env:"CATCHUP_INTERVAL" default:"5m" desc:"how often Stripe's event list is compared with what arrived"`
	Retention           time.Duration `env:"RETENTION" default:"720h" desc:"how long delivered events are kept"`
	LogLevel            zerolog.Level `env:"LOG_LEVEL" default:"info" desc:"trace, debug, info, warn, error or disabled"`
	LogFormat           string        `env:"LOG_FORMAT" default:"json" desc:"json, or console for people"`
}

// A Secret prints as stars wherever it is printed.
type Secret string

const stars = "*****"

// String keeps the secret.
func (s Secret) String() string { return stars }

// GoString keeps the secret.
func (s Secret) GoString() string { return stars }

// MarshalText keeps the secret from JSON and from zerolog.
func (s Secret) MarshalText() ([]byte, error) { return []byte(stars), nil }

// Reveal is the secret itself.
func (s Secret) Reveal() string { return string(s) }

// A Key seals secrets at rest.
type Key struct {
	ID    string
	Bytes [32]byte
}

// String names the key and keeps it.
func (k Key) String() string { return k.ID + ":" + stars }

// GoString names the key and keeps it.
func (k Key) GoString() string { return k.String() }

// Keys are the keys of the ring; the first seals.
type Keys []Key

// keyIDMax is the longest id of a key, in characters.
const keyIDMax = 32

// ParseKeys reads "id:base64,id:base64". Its errors never hold the text.
func ParseKeys(text string) (Keys, error) {
	var keys Keys
	for i, entry := range strings.Split(text, ",") {
		id, encoded, ok := strings.Cut(strings.TrimSpace(entry), ":")
		raw, err := base64.StdEncoding.DecodeString(encoded)
		switch {
		case !ok || id == "" || len(id) > keyIDMax || strings.Trim(id, idLetters) != "":
			return nil, fmt.Errorf("entry %d must be id:base64, with an id of at most %d letters, digits, _ and -", i+1, keyIDMax)
		case err != nil || len(raw) != 32:
			return nil, fmt.Errorf("entry %d must have 32 bytes in base64", i+1)
		}
		for _, k := range keys {
			if k.ID == id {
				return nil, fmt.Errorf("entry %d has the id of an earlier one", i+1)
			}
		}
		keys = append(keys, Key{ID: id, Bytes: [32]byte(raw)})
	}
	return keys, nil
}

const idLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

// Decode is envconfig's.
func (k *Keys) Decode(text string) (err error) {
	*k, err = ParseKeys(text)
	return err
}

// A Schedule is the waits between the attempts of a delivery.
type Schedule []time.Duration

// Decode is envconfig's.
func (s *Schedule) Decode(text string) error {
	var waits Schedule
	for entry := range strings.SplitSeq(text, ",") {
		d, err := time.ParseDuration(strings.TrimSpace(entry))
		if err != nil || d < 0 {
			return errors.New("must be waits such as 30s or 2h, comma-separated")
		}
		waits = append(waits, d)
	}
	*s = waits
	return nil
}

// Load reads the environment. The error names every variable that is wrong, and no value, since that could be secret.
func Load() (Config, error) {
	var c Config
	var faults []error
	unreadable := map[string]bool{}
	v := reflect.ValueOf(&c).Elem()
	for i, at := range Variables() {
		if err := at.read(v.Field(i)); err != nil {
			unreadable[at.Name] = true
			faults = append(faults, fmt.Errorf("%s %w", at.Name, err))
		}
	}
	for name, problem := range c.judge {
		if !unreadable[name] {
			faults = append(faults, fmt.Errorf("%s must be %s", name, problem))
		}
	}
	return c, errors.Join(faults...)
}

// A Variable is one environment variable that the service reads.
type Variable struct {
	Name, Default, Meaning string

	field reflect.StructField
}

// Variables lists all of them in the order of Config.
func Variables() []Variable {
	t := reflect.TypeFor[Config]()
	list := make([]Variable, t.NumField())
	for i := range list {
		f := t.Field(i)
		list[i] = Variable{Name: Prefix + "_" + f.Tag.Get("env"), Default: f.Tag.Get("default"), Meaning: f.Tag.Get("desc"), field: f}
	}
	return list
}

// read hands one variable to envconfig, which by itself would stop at the first fault and repeat the value in its
// error. An empty variable counts as unset, as people mean it in compose files.
func (v Variable) read(into reflect.Value) error {
	name := v.Name
	if os.Getenv(name) == "" {
		name = Prefix + "_UNSET"
	}
	one := reflect.New(reflect.StructOf([]reflect.StructField{{
		Name: v.field.Name, Type: v.field.Type, Tag: reflect.StructTag(fmt.Sprintf("envconfig:%q default:%q", name, v.Default)),
	}}))
	err := envconfig.Process("", one.Interface())
	into.Set(one.Elem().Field(0))
	var wrong *envconfig.ParseError
	switch {
	case !errors.As(err, &wrong):
		return err
	case v.field.Type == reflect.TypeFor[time.Duration]():
		return errors.New("must be a duration such as 30s or 5m")
	case v.field.Type == reflect.TypeFor[zerolog.Level]():
		return errors.New("must be trace, debug, info, warn, error or disabled")
	case v.field.Type.Kind() == reflect.Bool:
		return errors.New("must be true or false")
	case v.field.Type.Kind() == reflect.Int, v.field.Type.Kind() == reflect.Float64:
		return errors.New("must be a number")
	}
	return wrong.Err
}

// judge yields what is wrong with well-formed values: the variable, and what it must be.
func (c *Config) judge(yield func(name, problem string) bool) {
	more := true
	must := func(ok bool, name, what string) {
		if !ok && more {
			more = yield(Prefix+"_"+name, what)
		}
	}
	database := c.DatabaseURL.Reveal()
	_, port, err := net.SplitHostPort(c.Listen)
	must(err == nil && port != "", "LISTEN", "host:port or :port")
	must(c.PublicURL == "" || isBase(c.PublicURL), "PUBLIC_URL", "an http or https URL without query")
	must(isBase(c.StripeAPIBase), "STRIPE_API_BASE", "an http or https URL without query")
	scheme, rest, _ := strings.Cut(database, ":")
	must(rest != "" && (scheme == "sqlite" || scheme == "postgres" || scheme == "postgresql"), "DATABASE_URL", "sqlite:PATH or postgres://…")
	must(strings.HasPrefix(database, "sqlite:") || len(c.SecretKeys) > 0, "SECRET_KEYS", "set with PostgreSQL: all replicas need the same keys")
	must(c.AdminToken == "" || strings.HasPrefix(c.AdminToken.Reveal(), "sc_") && len(c.AdminToken) >= adminTokenMin, "ADMIN_TOKEN",
		fmt.Sprintf("sc_ and more, at least %d characters in all", adminTokenMin))
	must(c.StripeRateTest > 0, "STRIPE_RATE_TEST", "more than 0")
	must(c.StripeRateLive > 0, "STRIPE_RATE_LIVE", "more than 0")
	must(c.RequestTimeout > 0, "REQUEST_TIMEOUT", "more than 0")
	must(c.DeliveryTimeout > 0, "DELIVERY_TIMEOUT", "more than 0")
	must(c.CatchupInterval > 0, "CATCHUP_INTERVAL", "more than 0")
	must(c.Retention > 0, "RETENTION", "more than 0")
	must(c.MaxLimit > 0, "MAX_LIMIT", "at least 1")
	must(c.LogFormat == "json" || c.LogFormat == "console", "LOG_FORMAT", "json or console")
}

// adminTokenMin keeps out tokens that can be guessed, in characters.
const adminTokenMin = 24

func isBase(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

// Table is the list of variables in Markdown.
func Table() string {
	var b strings.Builder
	b.WriteString("| variable | default | meaning |\n| --- | --- | --- |\n")
	for _, v := range Variables() {
		value := "–"
		if v.Default != "" {
			value = "`" + v.Default + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", v.Name, value, v.Meaning)
	}
	return b.String()
}
