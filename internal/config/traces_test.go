package config_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stripe-connector/internal/config"
)

func otel(t *testing.T, variables ...string) {
	t.Helper()
	for _, entry := range append(os.Environ(), variables...) {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "OTEL_") {
			t.Setenv(name, "")
		}
	}
	for _, entry := range variables {
		name, value, _ := strings.Cut(entry, "=")
		t.Setenv(name, value)
	}
}

func TestTraces(t *testing.T) {
	secret := config.NewSecret
	tests := []struct {
		name      string
		variables []string
		want      *config.Traces
	}{
		{"nothing", nil, nil},
		{"the SDK is disabled", []string{"OTEL_SDK_DISABLED=TRUE", "OTEL_EXPORTER_OTLP_ENDPOINT=http://c"}, nil},
		{"no exporter", []string{"OTEL_TRACES_EXPORTER=none", "OTEL_EXPORTER_OTLP_ENDPOINT=http://c"}, nil},
		{"for another signal", []string{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://c", "OTEL_SERVICE_NAME=shop"}, nil},
		{"an exporter", []string{"OTEL_TRACES_EXPORTER=otlp"}, &config.Traces{
			Endpoint: secret("http://localhost:4318/v1/traces"), Headers: map[string]config.Secret{}, Timeout: 10 * time.Second,
		}},
		{"an endpoint", []string{"OTEL_EXPORTER_OTLP_ENDPOINT=https://c:4318/base/"}, &config.Traces{
			Endpoint: secret("https://c:4318/base/v1/traces"), Headers: map[string]config.Secret{}, Timeout: 10 * time.Second,
		}},
		{"everything, the one for traces first", []string{
			"OTEL_EXPORTER_OTLP_ENDPOINT=http://c", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://d/here", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc",
			"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf", "OTEL_EXPORTER_OTLP_HEADERS=a=b", "OTEL_EXPORTER_OTLP_TRACES_HEADERS=c=d%2C%20e , f=g=",
			"OTEL_EXPORTER_OTLP_TIMEOUT=1500", "OTEL_EXPORTER_OTLP_COMPRESSION=gzip", "OTEL_EXPORTER_OTLP_CERTIFICATE=ca.pem",
			"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE=c.pem", "OTEL_EXPORTER_OTLP_CLIENT_KEY=k.pem",
		}, &config.Traces{
			Endpoint: secret("http://d/here"), Headers: map[string]config.Secret{"c": secret("d, e"), "f": secret("g=")},
			Timeout: 1500 * time.Millisecond, Gzip: true, Authority: "ca.pem", Certificate: "c.pem", ClientKey: "k.pem",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			otel(t, tt.variables...)
			got, err := config.LoadTraces()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("LoadTraces() (-want +got):\n%s", diff)
			}
		})
	}
}

// Every fault is named at once, and no value.
func TestFaultyTraces(t *testing.T) {
	otel(t, "OTEL_TRACES_EXPORTER=secret1", "OTEL_EXPORTER_OTLP_ENDPOINT=secret2", "OTEL_EXPORTER_OTLP_PROTOCOL=secret3",
		"OTEL_EXPORTER_OTLP_TRACES_COMPRESSION=secret4", "OTEL_EXPORTER_OTLP_TIMEOUT=secret5", "OTEL_EXPORTER_OTLP_HEADERS=secret6")
	got, err := config.LoadTraces()
	if got != nil || err == nil {
		t.Fatalf("LoadTraces() = %v, %v", got, err)
	}
	want := strings.Join([]string{
		"OTEL_TRACES_EXPORTER must be otlp or none",
		"OTEL_EXPORTER_OTLP_ENDPOINT must be an absolute http or https URL",
		"OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf",
		"OTEL_EXPORTER_OTLP_TRACES_COMPRESSION must be gzip or none",
		"OTEL_EXPORTER_OTLP_TIMEOUT must be a number of milliseconds",
		"OTEL_EXPORTER_OTLP_HEADERS must be NAME=VALUE, separated by commas, with percent-encoded values",
	}, "\n")
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("the faults (-want +got):\n%s", diff)
	}
}
