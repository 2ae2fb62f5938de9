package traces

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"stripe-connector/internal/config"
)

const (
	firstWait = time.Second // before a batch is sent again; then twice as long each time
	maxAnswer = 64 << 10
)

// A client sends spans to a collector, as OTLP over HTTP. OpenTelemetry's own, otlptracehttp, would bring all of gRPC into the
// program: a fifth of its size.
// See https://opentelemetry.io/docs/specs/otlp/#otlphttp.
type client struct {
	cfg  *config.Traces
	http *http.Client
	ctx  context.Context //nolint:containedctx // of what is under way when it is cut
	cut  context.CancelFunc
}

func newClient(cfg *config.Traces) (*client, error) {
	secure := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.Authority != "" {
		pem, err := os.ReadFile(cfg.Authority)
		if err != nil {
			return nil, fmt.Errorf("reading OTEL_EXPORTER_OTLP_CERTIFICATE: %w", err)
		}
		secure.RootCAs = x509.NewCertPool()
		if !secure.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("OTEL_EXPORTER_OTLP_CERTIFICATE holds no certificate")
		}
	}
	if cfg.Certificate != "" || cfg.ClientKey != "" {
		own, err := tls.LoadX509KeyPair(cfg.Certificate, cfg.ClientKey)
		if err != nil {
			return nil, errors.New("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY cannot be read, or do not fit each other")
		}
		secure.Certificates = []tls.Certificate{own}
	}
	c := &client{cfg: cfg, http: &http.Client{
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: secure, ForceAttemptHTTP2: true, IdleConnTimeout: 90 * time.Second},
		Timeout:   cfg.Timeout,
		// Following a redirect would carry the headers to wherever it points.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	c.ctx, c.cut = context.WithCancel(context.Background())
	return c, nil
}

// Start has nothing to do.
func (*client) Start(context.Context) error { return nil }

// Stop closes the connections that idle.
func (c *client) Stop(context.Context) error {
	c.http.CloseIdleConnections()
	return nil
}

// UploadTraces sends a batch, and again while the collector says that it is only busy, until ctx is done.
func (c *client) UploadTraces(ctx context.Context, spans []*otlp.ResourceSpans) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)()                           //nolint:contextcheck // whichever ends first
	body, err := proto.Marshal(&otlp.TracesData{ResourceSpans: spans}) // the same bytes as ExportTraceServiceRequest, which is gRPC's
	if err != nil {
		return errors.New("the spans cannot be encoded")
	}
	if c.cfg.Gzip {
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		_, _ = w.Write(body)
		if err := w.Close(); err != nil {
			return fmt.Errorf("compressing spans: %w", err)
		}
		body = packed.Bytes()
	}
	for wait := firstWait; ; wait *= 2 {
		after, err := c.post(ctx, body)
		if _, busy := errors.AsType[busyError](err); !busy {
			return err
		}
		timer := time.NewTimer(max(wait, after))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

// A busyError says why a batch should be sent again. It names no URL, which may hold a password.
type busyError string

func (e busyError) Error() string { return string(e) }

// post sends a batch once. after is how long the collector wants to be left alone.
func (c *client) post(ctx context.Context, body []byte) (after time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.cfg.Endpoint.Reveal(), bytes.NewReader(body))
	if err != nil {
		return 0, errors.New("the collector's URL is malformed")
	}
	req.Header.Set("User-Agent", "stripe-connector")
	for name, value := range c.cfg.Headers {
		req.Header.Set(name, value.Reveal())
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	if c.cfg.Gzip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	res, err := c.http.Do(req)
	if err != nil {
		return 0, busyError("the collector cannot be reached")
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxAnswer)) // so that the connection can be used again
	switch res.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		if seconds, err := strconv.ParseUint(res.Header.Get("Retry-After"), 10, 31); err == nil {
			after = time.Duration(seconds) * time.Second
		}
		return after, busyError("the collector answers " + strconv.Itoa(res.StatusCode))
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return 0, fmt.Errorf("the collector answers %d", res.StatusCode)
	}
	return 0, nil
}
