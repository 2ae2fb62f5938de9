package connection_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"stripe-connector/internal/connection"
	"stripe-connector/internal/store"
)

// A countingStore counts how often it is asked for a token.
type countingStore struct {
	store.Store
	asked int
}

func (s *countingStore) TokenByHash(ctx context.Context, hash [32]byte) (store.Token, error) {
	s.asked++
	return s.Store.TokenByHash(ctx, hash)
}

func TestGuessingCostsNothing(t *testing.T) {
	t.Parallel()
	st := &countingStore{Store: openStore(t, file(t))}
	now := time.Date(2024, 6, 20, 12, 0, 0, 0, time.UTC)
	tokens := connection.NewTokens(st, func() time.Time { return now }, zerolog.Nop())
	issue := func() string {
		t.Helper()
		_, token, err := tokens.Create(t.Context(), "shop", connection.RoleRun, "")
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	known, other := issue(), issue()
	from := func(address, token string, want error) {
		t.Helper()
		if _, err := tokens.AuthenticateFrom(t.Context(), address, token); !errors.Is(err, want) {
			t.Errorf("from %s: got %v, want %v", address, err, want)
		}
	}
	const proxy = "192.0.2.1:1000"
	from(proxy, known, nil)
	last := store.ErrNotFound
	for i := range 1000 {
		_, last = tokens.AuthenticateFrom(t.Context(), "192.0.2.1:"+strconv.Itoa(2000+i), "sc_guess_"+strconv.Itoa(i))
	}
	if !errors.Is(last, connection.ErrGuessing) || st.asked > 200 {
		t.Errorf("after 1000 guesses: %v, and the store was asked %d times", last, st.asked)
	}
	from(proxy, other, connection.ErrGuessing) // never seen here
	now = now.Add(10 * time.Second)            // what was known is no longer fresh
	from(proxy, known, nil)                    // and still goes on behind the same proxy
	from("192.0.2.2:1", other, nil)
	from("[2001:db8::1]:1", "sc_guess", store.ErrNotFound)
	from("nonsense", "sc_guess", store.ErrNotFound)
	now = now.Add(time.Minute)
	from(proxy, "sc_guess", store.ErrNotFound)
}

// One subscriber of IPv6 has more addresses than anybody can count.
func TestGuessingFromANetwork(t *testing.T) {
	t.Parallel()
	now := time.Date(2024, 6, 20, 12, 0, 0, 0, time.UTC)
	tokens := connection.NewTokens(openStore(t, file(t)), func() time.Time { return now }, zerolog.Nop())
	var err error
	for i := range 1000 {
		_, err = tokens.AuthenticateFrom(t.Context(), "[2001:db8::"+strconv.FormatInt(int64(i), 16)+"%eth0]:1", "sc_guess_"+strconv.Itoa(i))
	}
	if !errors.Is(err, connection.ErrGuessing) {
		t.Errorf("after 1000 guesses from one network: %v", err)
	}
}
