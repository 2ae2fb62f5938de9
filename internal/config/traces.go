package config

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Traces says where traces go, in the words of OpenTelemetry's own variables. What is not here (the service's name, resource
// attributes, samplers, batches, limits) its SDK reads by itself.
// See https://opentelemetry.io/docs/specs/otel/protocol/exporter/.
type Traces struct {
	Endpoint                          Secret // the whole URL; it may hold a password
	Headers                           map[string]Secret
	Timeout                           time.Duration // of one request
	Gzip                              bool
	Authority, Certificate, ClientKey string // PEM files for TLS; empty: the system's authorities, no certificate of ours
}

// LoadTraces reads the environment, where an empty variable counts as unset. It returns nil unless traces are asked for:
// OTEL_TRACES_EXPORTER is otlp, or an endpoint is set. With an error, which lists everything that is wrong, too.
func LoadTraces() (*Traces, error) {
	exporter, base, whole := os.Getenv("OTEL_TRACES_EXPORTER"), os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"), os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || exporter == "none" || exporter+base+whole == "" {
		return nil, nil //nolint:nilnil // there is none, and nothing is wrong
	}
	var errs []error
	fault := func(name, message string) { errs = append(errs, fmt.Errorf("%s %s", name, message)) }
	if exporter != "" && exporter != "otlp" {
		fault("OTEL_TRACES_EXPORTER", "must be otlp or none")
	}
	name := "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	if whole == "" {
		name, whole = "OTEL_EXPORTER_OTLP_ENDPOINT", strings.TrimRight(orElse(base, "http://localhost:4318"), "/")+"/v1/traces"
	}
	if u, err := url.Parse(whole); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		fault(name, "must be an absolute http or https URL")
	}
	t := &Traces{Endpoint: NewSecret(whole), Headers: map[string]Secret{}, Timeout: 10 * time.Second}
	if name, value := otlp("PROTOCOL"); !slices.Contains([]string{"", "http/protobuf"}, value) {
		fault(name, "must be http/protobuf")
	}
	switch name, value := otlp("COMPRESSION"); value {
	case "", "none":
	case "gzip":
		t.Gzip = true
	default:
		fault(name, "must be gzip or none")
	}
	if name, value := otlp("TIMEOUT"); value != "" {
		milliseconds, err := strconv.ParseUint(value, 10, 31)
		if err != nil || milliseconds == 0 {
			fault(name, "must be a number of milliseconds")
		}
		t.Timeout = time.Duration(milliseconds) * time.Millisecond
	}
	var headers string
	name, headers = otlp("HEADERS")
	for _, pair := range list(headers) {
		key, value, ok := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if key = strings.TrimSpace(key); !ok || err != nil || key == "" {
			fault(name, "must be NAME=VALUE, separated by commas, with percent-encoded values")
			break
		}
		t.Headers[key] = NewSecret(value)
	}
	_, t.Authority = otlp("CERTIFICATE")
	_, t.Certificate = otlp("CLIENT_CERTIFICATE")
	_, t.ClientKey = otlp("CLIENT_KEY")
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return t, nil
}

// otlp reads a variable of the exporter: the one for traces, or else the one for all signals.
func otlp(setting string) (name, value string) {
	name = "OTEL_EXPORTER_OTLP_TRACES_" + setting
	if value = os.Getenv(name); value != "" {
		return name, value
	}
	name = "OTEL_EXPORTER_OTLP_" + setting
	return name, os.Getenv(name)
}

func orElse(value, preset string) string {
	if value == "" {
		return preset
	}
	return value
}
