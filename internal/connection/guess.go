package connection

import (
	"context"
	"crypto/sha256"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// ErrGuessing means that too many tokens from one address were wrong lately, so that this one was not even looked up.
var ErrGuessing = errors.New("too many wrong tokens")

const (
	// GuessWait is how long an address is remembered.
	GuessWait = time.Minute

	maxGuesses   = 100     // wrong tokens from one address in GuessWait, before unknown ones are no longer looked up
	maxGuessers  = 100_000 // addresses; those beyond share one count
	sharedSource = ""
)

// AuthenticateFrom is Authenticate for a caller at an address, as net/http writes it. Once an address has sent many wrong
// tokens, only those that have been valid in this process are looked up: guessing then costs the store nothing, and callers
// behind the same proxy go on. Forwarding headers are not read, since anybody can write them.
func (t *Tokens) AuthenticateFrom(ctx context.Context, address, token string) (Caller, error) {
	hash := sha256.Sum256([]byte(token))
	t.mu.Lock()
	seen := t.seen[hash]
	t.mu.Unlock()
	from := source(address)
	if !seen && t.guesses.many(from, t.now()) {
		return Caller{}, ErrGuessing
	}
	caller, err := t.Authenticate(ctx, token)
	if unknown(err) {
		t.guesses.add(from, t.now())
	}
	return caller, err
}

// source is what addresses are counted by: one of IPv4, or the network of one subscriber of IPv6 (RFC 6177).
func source(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return sharedSource
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return sharedSource
	}
	if ip = ip.Unmap(); ip.Is4() {
		return ip.String()
	}
	network, _ := ip.WithZone("").Prefix(64) // never fails for 64 bits of IPv6
	return network.String()
}

// guesses counts wrong tokens by source, in the span of GuessWait that runs.
type guesses struct {
	mu    sync.Mutex
	span  time.Time
	wrong map[string]int
}

func (g *guesses) many(from string, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.turn(now)
	return g.wrong[g.slot(from)] >= maxGuesses
}

func (g *guesses) add(from string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.turn(now)
	g.wrong[g.slot(from)]++
}

// turn forgets everything when a new span begins.
func (g *guesses) turn(now time.Time) {
	if span := now.Truncate(GuessWait); g.wrong == nil || !span.Equal(g.span) {
		g.span, g.wrong = span, make(map[string]int)
	}
}

func (g *guesses) slot(from string) string {
	if _, known := g.wrong[from]; !known && len(g.wrong) >= maxGuessers {
		return sharedSource
	}
	return from
}
