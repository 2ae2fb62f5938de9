package webhooks

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"time"

	"stripe-connector/internal/store"
)

// rotation is how long an old signing secret of ours goes on signing beside the new one.
const rotation = 24 * time.Hour

// An Opener opens what a Sealer sealed for the same owner and purpose.
type Opener interface {
	Open(owner, purpose string, sealed []byte) ([]byte, error)
}

// A Sealer encrypts secrets for the store. Owner and purpose are bound to the seal: it opens for nothing else.
type Sealer interface {
	Opener
	Seal(owner, purpose string, plain []byte) ([]byte, error)
}

// newSigningSecret returns what a subscriber verifies our signatures with: 256 random bits in the form of
// Standard Webhooks.
func newSigningSecret() string {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails, it rather ends the program
	return "whsec_" + base64.StdEncoding.EncodeToString(key[:])
}

// openLive opens the secrets that have not ended. It fails as soon as one does not open: signing or verifying with the
// others alone would hide that the key ring has lost a key.
func openLive(opener Opener, owner, purpose string, secrets []store.Secret, now time.Time) ([]string, error) {
	live := make([]string, 0, len(secrets))
	for _, secret := range secrets {
		if ended(secret, now) {
			continue
		}
		plain, err := opener.Open(owner, purpose, secret.Sealed)
		if err != nil {
			return nil, fmt.Errorf("opening a signing secret: %w", err)
		}
		live = append(live, string(plain))
	}
	return live, nil
}

func ended(secret store.Secret, now time.Time) bool {
	return !secret.NotAfter.IsZero() && now.After(secret.NotAfter)
}

// succeed puts a new secret first. The others end after overlap, unless they end earlier anyway; those that have ended
// are dropped.
func succeed(secrets []store.Secret, sealed []byte, now time.Time, overlap time.Duration) []store.Secret {
	next := []store.Secret{{Sealed: sealed}}
	for _, old := range secrets {
		if ended(old, now) {
			continue
		}
		if end := now.Add(overlap); old.NotAfter.IsZero() || old.NotAfter.After(end) {
			old.NotAfter = end
		}
		next = append(next, old)
	}
	return next
}
