package webhooks

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"
)

const (
	// signatureTolerance is how far the time of a signature may be from ours, in seconds and in both directions.
	signatureTolerance = 300

	// maxSignatureHeader bounds the work that an unsigned request can cause; Stripe's header has about 150 bytes.
	maxSignatureHeader = 4096
)

// ErrSignature means that a request was not signed by Stripe, or not lately.
var (
	ErrSignature = errors.New("the Stripe-Signature header does not sign this body")

	errNoSecret        = refusal("no signing secret is known for this endpoint")
	errHeaderMissing   = refusal("the Stripe-Signature header is missing")
	errHeaderMalformed = refusal("the Stripe-Signature header is malformed")
	errNoMatch         = refusal("no signature in the Stripe-Signature header fits the body")
	errExpired         = refusal("the signature is too old")
	errFuture          = refusal("the signature is from the future")
)

// A refusal is one reason for ErrSignature.
type refusal string

func (r refusal) Error() string { return string(r) }

func (refusal) Is(target error) bool { return target == ErrSignature }

// verify checks a Stripe-Signature header over the raw body, against every secret. Any signature made with any of them
// will do: Stripe signs with two while a secret is rolled. No secret at all is a refusal. All errors are ErrSignature.
// See https://docs.stripe.com/webhooks#verify-manually.
func verify(header string, body []byte, secrets []string, now time.Time) error {
	if len(secrets) == 0 {
		return errNoSecret
	}
	timestamp, signatures, err := parseSignature(header)
	if err != nil {
		return err
	}
	if !signedBy(secrets, timestamp, body, signatures) {
		return errNoMatch
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	switch {
	case err != nil:
		return errHeaderMalformed
	case seconds < now.Unix()-signatureTolerance:
		return errExpired
	case seconds > now.Unix()+signatureTolerance:
		return errFuture
	}
	return nil
}

// parseSignature splits "t=1492774577,v1=5257…,v1=…,v0=…". The timestamp stays text: it is signed as it was written.
func parseSignature(header string) (timestamp string, signatures [][]byte, err error) {
	if header == "" {
		return "", nil, errHeaderMissing
	}
	if len(header) > maxSignatureHeader {
		return "", nil, errHeaderMalformed
	}
	for pair := range strings.SplitSeq(header, ",") {
		key, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		switch {
		case !ok, strings.Contains(value, "="), key == "t" && timestamp != "":
			return "", nil, errHeaderMalformed
		case key == "t":
			timestamp = value
		case key == "v1":
			signature, err := hex.DecodeString(value)
			if err != nil || len(signature) != sha256.Size {
				continue // It can match nothing, and another one may.
			}
			signatures = append(signatures, signature)
		}
	}
	if timestamp == "" || len(signatures) == 0 {
		return "", nil, errHeaderMalformed
	}
	return timestamp, signatures, nil
}

// signedBy looks at every pair, so that its time tells nothing about which one fits.
func signedBy(secrets []string, timestamp string, body []byte, signatures [][]byte) bool {
	found := false
	for _, secret := range secrets {
		if secret == "" {
			continue // An empty key signs for everybody.
		}
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(timestamp))
		mac.Write([]byte{'.'})
		mac.Write(body)
		want := mac.Sum(nil)
		for _, signature := range signatures {
			if hmac.Equal(signature, want) {
				found = true
			}
		}
	}
	return found
}
