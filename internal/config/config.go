// Package config reads the service's settings from the environment, once: one struct, every variable prefixed with
// CONNECTOR_, every fault reported at the same time, and no value ever repeated in a message, since a secret may stand in
// the wrong variable.
//
//	config.go   the struct, Load, and what goes together
//	kinds.go    the kinds of settings that need reading of their own
//	table.go    the table of variables, for `stripe-connector config` and the README
package config

import (
	"encoding"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"
	"github.com/rs/zerolog"
)

// Prefix begins the name of every variable.
const Prefix = "CONNECTOR"

// unset is a prefix that no variable has, to get a default.
const unset = Prefix + "__UNSET"

// Config is everything that can be set. Pass it by value.
type Config struct {
	Listen              string        `split_words:"true" default:":8080" desc:"Address to listen on."`
	PublicURL           string        `split_words:"true" desc:"Base URL at which Stripe reaches the service. Without it no webhook can be attached."`
	DatabaseURL         Secret        `split_words:"true" default:"sqlite:data/connector.db" desc:"Where the data is kept: sqlite:FILE or postgres://…"`
	SecretKeys          Keys          `split_words:"true" desc:"Keys that seal secrets at rest, as ID:BASE64 of 32 bytes, separated by commas. The first one seals, all of them open. With SQLite, one is generated beside the database file if this is empty; PostgreSQL needs it."`
	AdminToken          Secret        `split_words:"true" desc:"The first admin token, of 16 characters or more. If empty, one is generated and printed at the first start."`
	StripeAPIBase       string        `split_words:"true" default:"https://api.stripe.com" desc:"Base URL of Stripe's API, to use another one such as the sandbox."`
	StripeRateTest      float64       `split_words:"true" default:"25" desc:"Calls per second and connection with test keys."`
	StripeRateLive      float64       `split_words:"true" default:"100" desc:"Calls per second and connection with live keys."`
	RequestTimeout      time.Duration `split_words:"true" default:"35s" desc:"Time for one module call, retries included."`
	MaxLimit            int           `split_words:"true" default:"1000" desc:"The highest limit that a search may ask for."`
	RateLimit           int           `split_words:"true" default:"5000" desc:"Requests per second and API token; more are answered 429. 0 means any number."`
	MaxConcurrent       int           `split_words:"true" default:"1024" desc:"Requests under way at once, of callers and of Stripe each; more are answered 503."`
	ShutdownDelay       time.Duration `split_words:"true" default:"5s" desc:"For how long everything goes on after SIGTERM while /readyz says no, so that balancers can go elsewhere."`
	AllowPrivateTargets bool          `split_words:"true" default:"false" desc:"Let webhooks target http URLs and private addresses. For development only."`
	DeliveryTimeout     time.Duration `split_words:"true" default:"30s" desc:"Time for one attempt to deliver an event."`
	RetrySchedule       Schedule      `split_words:"true" default:"5s,30s,2m,10m,30m,1h,2h,4h*17" desc:"Schedule between attempts to deliver, separated by commas; 4h*17 is seventeen times 4h. After the last one a delivery is dead."`
	CatchupInterval     time.Duration `split_words:"true" default:"5m" desc:"How often Stripe's list of events is compared with what was received."`
	Retention           time.Duration `split_words:"true" default:"720h" desc:"How long delivered events are kept."`
	LogLevel            zerolog.Level `split_words:"true" default:"info" desc:"One of trace, debug, info, warn, error, disabled."`
	LogFormat           string        `split_words:"true" default:"json" desc:"json, or console for people."`
}

// Load reads the environment of the process, where an empty variable counts as unset, as people mean it in compose files. The
// error lists everything that is wrong, one line each.
func Load() (Config, error) {
	var c Config
	faults := make(map[string]string)
	all := reflect.ValueOf(&c).Elem()
	for i := range all.NumField() {
		// envconfig stops at the first fault, so it gets the fields one by one.
		field := all.Type().Field(i)
		one := reflect.New(reflect.StructOf([]reflect.StructField{field}))
		prefix := Prefix
		if os.Getenv(variable(field)) == "" {
			prefix = unset
		}
		if err := envconfig.Process(prefix, one.Interface()); err != nil {
			faults[field.Name] = explain(field, err)
			continue
		}
		all.Field(i).Set(one.Elem().Field(0))
	}
	c.PublicURL, c.StripeAPIBase = strings.TrimRight(c.PublicURL, "/"), strings.TrimRight(c.StripeAPIBase, "/")
	for _, rule := range c.rules() {
		if _, known := faults[rule.field]; !known && !rule.holds {
			faults[rule.field] = rule.message
		}
	}
	var errs []error
	for i := range all.NumField() { // in the order of the struct
		field := all.Type().Field(i)
		if message, found := faults[field.Name]; found {
			errs = append(errs, fmt.Errorf("%s %s", variable(field), message))
		}
	}
	return c, errors.Join(errs...)
}

const levels = "must be trace, debug, info, warn, error or disabled"

// explain words a fault without the value, which envconfig's own message would hold.
func explain(field reflect.StructField, err error) string {
	var parse *envconfig.ParseError // does not unwrap
	var own fault
	if errors.As(err, &parse) && errors.As(parse.Err, &own) {
		return own.Error()
	}
	switch {
	case field.Type == reflect.TypeFor[time.Duration]():
		return "must be a duration such as 30s, 5m or 720h"
	case field.Type == reflect.TypeFor[zerolog.Level]():
		return levels
	case field.Type.Kind() == reflect.Int:
		return "must be a whole number"
	case field.Type.Kind() == reflect.Float64:
		return "must be a number"
	case field.Type.Kind() == reflect.Bool:
		return "must be true or false"
	default:
		return "cannot be read"
	}
}

type rule struct {
	field   string
	holds   bool
	message string
}

func (c *Config) rules() []rule {
	const positive = "must be more than 0"
	_, sqlite := c.SQLite()
	return []rule{
		{"Listen", isAddress(c.Listen), "must be an address such as :8080 or 127.0.0.1:8080"},
		{"PublicURL", c.PublicURL == "" || isBaseURL(c.PublicURL), "must be an absolute http or https URL without user, query or fragment"},
		{"DatabaseURL", sqlite || c.isPostgres(), "must be sqlite:FILE or postgres://USER:PASSWORD@HOST/DATABASE"},
		{"SecretKeys", len(c.SecretKeys) > 0 || !c.isPostgres(), "must be set when the database is PostgreSQL"},
		{"AdminToken", c.AdminToken.IsZero() || isToken(c.AdminToken.Reveal()), "must be 16 to 255 visible ASCII characters"},
		{"StripeAPIBase", isBaseURL(c.StripeAPIBase), "must be an absolute http or https URL without user, query or fragment"},
		{"StripeRateTest", c.StripeRateTest > 0, positive},
		{"StripeRateLive", c.StripeRateLive > 0, positive},
		{"RequestTimeout", c.RequestTimeout > 0, positive},
		{"MaxLimit", c.MaxLimit > 0, positive},
		{"RateLimit", c.RateLimit >= 0, "must not be negative"},
		{"MaxConcurrent", c.MaxConcurrent > 0, positive},
		{"ShutdownDelay", c.ShutdownDelay >= 0, "must not be negative"},
		{"DeliveryTimeout", c.DeliveryTimeout > 0, positive},
		{"CatchupInterval", c.CatchupInterval >= time.Second, "must be at least 1s"},
		{"Retention", c.Retention > 0, positive},
		{"LogLevel", c.LogLevel <= zerolog.ErrorLevel || c.LogLevel == zerolog.Disabled, levels},
		{"LogFormat", slices.Contains([]string{"json", "console"}, c.LogFormat), "must be json or console"},
	}
}

// SQLite returns the path of the database file, if the database is SQLite.
func (c *Config) SQLite() (path string, ok bool) {
	path, ok = strings.CutPrefix(c.DatabaseURL.Reveal(), "sqlite:")
	return path, ok && path != "" && !strings.HasPrefix(path, "//")
}

func (c *Config) isPostgres() bool {
	u, err := url.Parse(c.DatabaseURL.Reveal())
	return err == nil && (u.Scheme == "postgres" || u.Scheme == "postgresql") && (u.Host != "" || u.Query().Has("host"))
}

func isAddress(s string) bool {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return false
	}
	n, err := strconv.Atoi(port)
	return err == nil && n >= 0 && n <= 65535
}

func isBaseURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" &&
		u.User == nil && !strings.ContainsAny(s, "?#")
}

func isToken(s string) bool {
	return len(s) >= 16 && len(s) <= 255 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// Unknown returns the variables of the environment that have the prefix and no meaning, which are likely misspelt.
func Unknown() []string {
	known := make(map[string]bool)
	for field := range reflect.TypeFor[Config]().Fields() {
		known[variable(field)] = true
	}
	var unknown []string
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, Prefix+"_") && !known[name] {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return unknown
}

var (
	_ envconfig.Decoder      = (*Secret)(nil)
	_ envconfig.Decoder      = (*Keys)(nil)
	_ envconfig.Decoder      = (*Schedule)(nil)
	_ encoding.TextMarshaler = Secret{}
)
