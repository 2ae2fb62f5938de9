package webhooks

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79/webhook"
)

const (
	testSecret  = "whsec_test_secret"
	otherSecret = "whsec_other_secret"
)

// signatureOf signs as Stripe does, in hex, with Stripe's own code.
func signatureOf(body []byte, secret string, at time.Time) string {
	return hex.EncodeToString(webhook.ComputeSignature(at, body, secret))
}

// stripeHeader is a Stripe-Signature header with one signature.
func stripeHeader(body []byte, secret string, at time.Time) string {
	return fmt.Sprintf("t=%d,v1=%s,v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39", at.Unix(), signatureOf(body, secret, at))
}

func TestVerify(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_770_000_000, 0)
	body := []byte(`{"id":"evt_1"}`)
	good := signatureOf(body, testSecret, now)
	stamp := fmt.Sprintf("t=%d", now.Unix())
	tests := []struct {
		name    string
		header  string
		body    string
		secrets []string
		want    error
	}{
		{"signed", stripeHeader(body, testSecret, now), string(body), []string{testSecret}, nil},
		{"second secret", stripeHeader(body, testSecret, now), string(body), []string{otherSecret, testSecret}, nil},
		{"second signature", stamp + ",v1=" + signatureOf(body, "whsec_x", now) + ",v1=" + good, string(body), []string{testSecret}, nil},
		{"broken signature beside a good one", stamp + ",v1=zz,v1=" + good, string(body), []string{testSecret}, nil},
		{"spaces", stamp + ", v1=" + good, string(body), []string{testSecret}, nil},
		{"oldest allowed", stripeHeader(body, testSecret, now.Add(-300*time.Second)), string(body), []string{testSecret}, nil},
		{"newest allowed", stripeHeader(body, testSecret, now.Add(300*time.Second)), string(body), []string{testSecret}, nil},
		{"too old", stripeHeader(body, testSecret, now.Add(-301*time.Second)), string(body), []string{testSecret}, errExpired},
		{"from the future", stripeHeader(body, testSecret, now.Add(301*time.Second)), string(body), []string{testSecret}, errFuture},
		{"no secret", stripeHeader(body, testSecret, now), string(body), nil, errNoSecret},
		{"empty secret", stripeHeader(body, "", now), string(body), []string{""}, errNoMatch},
		{"wrong secret", stripeHeader(body, testSecret, now), string(body), []string{otherSecret}, errNoMatch},
		{"changed body", stripeHeader(body, testSecret, now), string(body) + " ", []string{testSecret}, errNoMatch},
		{"truncated body", stripeHeader(body, testSecret, now), string(body[:5]), []string{testSecret}, errNoMatch},
		{"changed timestamp", fmt.Sprintf("t=%d,v1=%s", now.Unix()+1, good), string(body), []string{testSecret}, errNoMatch},
		{"signed timestamp that is no number", "t=soon,v1=" + good, string(body), []string{testSecret}, errNoMatch},
		{"only v0", stamp + ",v0=" + good, string(body), []string{testSecret}, errHeaderMalformed},
		{"no timestamp", "v1=" + good, string(body), []string{testSecret}, errHeaderMalformed},
		{"two timestamps", stamp + "," + stamp + ",v1=" + good, string(body), []string{testSecret}, errHeaderMalformed},
		{"short signature", stamp + ",v1=" + good[:10], string(body), []string{testSecret}, errHeaderMalformed},
		{"pair with two signs", stamp + ",v1=" + good + ",==", string(body), []string{testSecret}, errHeaderMalformed},
		{"no pairs", "nonsense", string(body), []string{testSecret}, errHeaderMalformed},
		{"too long", stamp + ",v1=" + good + strings.Repeat(",v0=0", 1000), string(body), []string{testSecret}, errHeaderMalformed},
		{"missing", "", string(body), []string{testSecret}, errHeaderMissing},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := verify(tt.header, []byte(tt.body), tt.secrets, now)
			if !errors.Is(got, tt.want) {
				t.Errorf("verify() = %v, want %v", got, tt.want)
			}
			if got != nil && !errors.Is(got, ErrSignature) {
				t.Errorf("verify() = %v, want an ErrSignature", got)
			}
		})
	}
}

// FuzzVerify holds verify to Stripe's own library: whatever we accept, it accepts.
func FuzzVerify(f *testing.F) {
	now := time.Unix(1_770_000_000, 0)
	body := []byte(`{"id":"evt_1"}`)
	f.Add(stripeHeader(body, testSecret, now), body)
	f.Add(stripeHeader(body, testSecret, now)+",==", body)
	f.Add("t=,v1=", []byte(nil))
	f.Add("t=1770000000,v1=00,v1", body)
	f.Add("t=-9223372036854775808,v1="+signatureOf(body, testSecret, now), body)
	f.Fuzz(func(t *testing.T, header string, body []byte) {
		got := verify(header, body, []string{testSecret}, now)
		if got != nil {
			if !errors.Is(got, ErrSignature) {
				t.Errorf("verify(%q) = %v, want an ErrSignature", header, got)
			}
			return
		}
		// Stripe's library takes no spaces.
		header = strings.ReplaceAll(header, " ", "")
		if err := webhook.ValidatePayloadIgnoringTolerance(body, header, testSecret); err != nil {
			t.Errorf("verify(%q) accepts what Stripe's library refuses: %v", header, err)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	now := time.Unix(1_770_000_000, 0)
	body := []byte(strings.Repeat("x", 4<<10))
	header := stripeHeader(body, testSecret, now)
	secrets := []string{otherSecret, testSecret}
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if err := verify(header, body, secrets, now); err != nil {
			b.Fatal(err)
		}
	}
}
