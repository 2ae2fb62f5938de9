package stripeapi

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
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

// TestBodiesAreWhole: what Stripe is sent says how long it is, also when it is sent again.
func TestBodiesAreWhole(t *testing.T) {
	t.Parallel()
	var got []int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.ContentLength)
		status := http.StatusOK
		if len(got) == 1 {
			status = http.StatusInternalServerError
		}
		respond(w, status, `{}`)
	}))
	t.Cleanup(s.Close)
	steps := []spec.Step{createCustomer("Ann"), getCustomer("cus_1")}
	if _, err := newClient(t, s.URL).Run(t.Context(), testSession, steps); err != nil {
		t.Fatal(err)
	}
	length := int64(len("name=Ann"))
	if want := []int64{length, length, 0}; !slices.Equal(got, want) {
		t.Errorf("lengths are %v, want %v", got, want)
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
