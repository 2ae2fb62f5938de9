package stripeapi

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"stripe-connector/internal/spec"
)

func TestDefaultTransportSpeaksHTTP2(t *testing.T) {
	t.Parallel()
	protocols := make(chan string, 1)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protocols <- r.Proto
		respond(w, 200, `{}`)
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	own := newHTTPTransport()
	own.TLSClientConfig = &tls.Config{RootCAs: x509.NewCertPool()}
	own.TLSClientConfig.RootCAs.AddCert(s.Certificate())
	c := newClient(t, s.URL, func(cfg *Config) { cfg.Transport = own })
	if _, err := c.Run(t.Context(), testSession, []spec.Step{createCustomer("Ann")}); err != nil {
		t.Fatal(err)
	}
	if got := <-protocols; got != "HTTP/2.0" {
		t.Errorf("protocol is %s, want HTTP/2.0", got)
	}
}

func TestUntrustedCertificateIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the key went to a server that nobody vouches for")
	}))
	t.Cleanup(s.Close)
	tries := 0
	own := newHTTPTransport()
	t.Cleanup(own.CloseIdleConnections)
	c := newClient(t, s.URL, func(cfg *Config) {
		cfg.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
			tries++
			return own.RoundTrip(r)
		})
	})
	_, err := c.Run(t.Context(), testSession, []spec.Step{getCustomer("cus_1")})
	if failed := wantError(t, err); failed.Status != 502 || tries != 1 {
		t.Errorf("status %d after %d tries, want 502 after 1", failed.Status, tries)
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok {
		t.Errorf("the log is not told why: %v", err)
	}
}
