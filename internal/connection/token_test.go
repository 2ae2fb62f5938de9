package connection_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"stripe-connector/internal/connection"
	"stripe-connector/internal/spec"
	"stripe-connector/internal/store"
)

func TestRoles(t *testing.T) {
	t.Parallel()
	const run, manage, admin = connection.RoleRun, connection.RoleManage, connection.RoleAdmin
	tests := []struct {
		role, needed connection.Role
		want         bool
	}{
		{run, run, true},
		{run, manage, false},
		{run, admin, false},
		{manage, run, true},
		{manage, manage, true},
		{manage, admin, false},
		{admin, run, true},
		{admin, manage, true},
		{admin, admin, true},
		{"", run, false},
		{"root", run, false},
		{admin, "", false},
		{"", "", false},
	}
	for _, tt := range tests {
		if got := tt.role.Allows(tt.needed); got != tt.want {
			t.Errorf("%q allows %q: got %v, want %v", tt.role, tt.needed, got, tt.want)
		}
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	st := openStore(t, file(t))
	tokens := connection.NewTokens(st, time.Now, zerolog.Nop())
	v, token, err := tokens.Create(t.Context(), "shop", connection.RoleManage, "ci")
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^sc_[a-z2-7]{40}$`).MatchString(token) || !strings.HasPrefix(token, v.Prefix) || len(v.Prefix) != 7 {
		t.Errorf("got a token of %d characters with the prefix %q", len(token), v.Prefix)
	}
	got, err := tokens.Authenticate(t.Context(), token)
	want := connection.Caller{Workspace: "shop", Role: connection.RoleManage, TokenID: v.ID}
	if err != nil || got != want {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	for _, wrong := range []string{"", "sc_", token + "a", token[:len(token)-1], strings.ToUpper(token), strings.Repeat("x", 1<<16)} {
		if got, err := tokens.Authenticate(t.Context(), wrong); !errors.Is(err, store.ErrNotFound) || got != (connection.Caller{}) {
			t.Errorf("a wrong token: got %v, %v, want %v", got, err, store.ErrNotFound)
		}
	}
	l, err := tokens.List(t.Context(), "shop", store.Page{})
	if err != nil || len(l.Data) != 1 || l.Data[0] != v || l.Data[0].LastUsed != nil {
		t.Errorf("got %+v, %v, want %+v", l, err, v)
	}
	if err := tokens.Revoke(t.Context(), "other", v.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("revoking from outside: got error %v, want %v", err, store.ErrNotFound)
	}
	if err := tokens.Revoke(t.Context(), "shop", v.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := tokens.Authenticate(t.Context(), token); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("revoked: got error %v, want %v", err, store.ErrNotFound)
	}
}

func TestTokenFaults(t *testing.T) {
	t.Parallel()
	tokens := connection.NewTokens(openStore(t, file(t)), time.Now, zerolog.Nop())
	_, token, err := tokens.Create(t.Context(), "No spaces", "root", strings.Repeat("x", 300))
	var faults spec.Faults
	if !errors.As(err, &faults) || len(faults) != 3 || token != "" {
		t.Errorf("got %v, want three faults", err)
	}
}

func TestBootstrap(t *testing.T) {
	t.Parallel()
	const configured = "sc_configured-by-the-operator"
	t.Run("made up", func(t *testing.T) {
		t.Parallel()
		tokens := connection.NewTokens(openStore(t, file(t)), time.Now, zerolog.Nop())
		token, err := tokens.Bootstrap(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		got, err := tokens.Authenticate(t.Context(), token)
		if err != nil || got.Workspace != "default" || got.Role != connection.RoleAdmin {
			t.Errorf("got %v, %v, want an admin of default", got, err)
		}
		if again, err := tokens.Bootstrap(t.Context(), configured); again != "" || err != nil {
			t.Errorf("the second time: got %q, %v, want nothing", again, err)
		}
		if _, err := tokens.Authenticate(t.Context(), configured); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a token that came too late: got error %v", err)
		}
	})
	t.Run("configured", func(t *testing.T) {
		t.Parallel()
		tokens := connection.NewTokens(openStore(t, file(t)), time.Now, zerolog.Nop())
		if token, err := tokens.Bootstrap(t.Context(), configured); token != "" || err != nil {
			t.Errorf("got %q, %v, want nothing to print", token, err)
		}
		if got, err := tokens.Authenticate(t.Context(), configured); err != nil || got.Role != connection.RoleAdmin {
			t.Errorf("got %v, %v, want an admin", got, err)
		}
	})
}

func TestRevokedElsewhereWithinASecond(t *testing.T) {
	t.Parallel()
	path := file(t)
	synctest.Test(t, func(t *testing.T) {
		st := openStore(t, path)
		here := connection.NewTokens(st, time.Now, zerolog.Nop())
		replica := connection.NewTokens(st, time.Now, zerolog.Nop())
		v, token, err := replica.Create(t.Context(), "w", connection.RoleRun, "")
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			if _, err := here.Authenticate(t.Context(), token); err != nil {
				t.Fatal(err)
			}
		}
		if got := st.reads.Load(); got != 1 {
			t.Errorf("the store was read %d times, want once", got)
		}
		if err := replica.Revoke(t.Context(), "w", v.ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if _, err := here.Authenticate(t.Context(), token); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got error %v, want %v", err, store.ErrNotFound)
		}
	})
}

// TestRevokeRacesAuthenticate: an answer that was read before a revocation is not kept after it.
func TestRevokeRacesAuthenticate(t *testing.T) {
	t.Parallel()
	st := openStore(t, file(t))
	slow := &slowReads{Store: st, read: make(chan struct{}), proceed: make(chan struct{})}
	tokens := connection.NewTokens(slow, time.Now, zerolog.Nop())
	v, token, err := tokens.Create(t.Context(), "w", connection.RoleRun, "")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = tokens.Authenticate(t.Context(), token) })
	<-slow.read
	if err := tokens.Revoke(t.Context(), "w", v.ID); err != nil {
		t.Fatal(err)
	}
	close(slow.proceed)
	wg.Wait()
	go func() { <-slow.read }()
	if _, err := tokens.Authenticate(t.Context(), token); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("got error %v, want %v", err, store.ErrNotFound)
	}
}

// slowReads holds an answer back.
type slowReads struct {
	store.Store
	read, proceed chan struct{}
}

func (s *slowReads) TokenByHash(ctx context.Context, hash [32]byte) (store.Token, error) {
	t, err := s.Store.TokenByHash(ctx, hash)
	s.read <- struct{}{}
	<-s.proceed
	return t, err
}

// failingTouch fails until it is mended.
type failingTouch struct {
	store.Store
	failure error
	mended  atomic.Bool
}

func (s *failingTouch) TouchTokens(ctx context.Context, used map[string]time.Time) error {
	if !s.mended.Load() {
		return s.failure
	}
	return s.Store.TouchTokens(ctx, used)
}

func TestLastUse(t *testing.T) {
	t.Parallel()
	path := file(t)
	synctest.Test(t, func(t *testing.T) {
		st := &failingTouch{Store: openStore(t, path), failure: errors.New("disk full")}
		tokens := connection.NewTokens(st, time.Now, zerolog.Nop())
		_, token, err := tokens.Create(t.Context(), "w", connection.RoleRun, "")
		if err != nil {
			t.Fatal(err)
		}
		lastUse := func() time.Time {
			l, err := tokens.List(t.Context(), "w", store.Page{})
			if err != nil || l.Data[0].LastUsed == nil {
				return time.Time{}
			}
			return *l.Data[0].LastUsed
		}
		use := func() time.Time {
			if _, err := tokens.Authenticate(t.Context(), token); err != nil {
				t.Fatal(err)
			}
			return time.Now()
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { tokens.Run(ctx) })
		first := use()
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if got := lastUse(); !got.IsZero() {
			t.Errorf("while it cannot be stored: got %v, want never", got)
		}
		st.mended.Store(true)
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if got := lastUse(); !got.Equal(first) {
			t.Errorf("got %v, want %v, from before the failure", got, first)
		}
		last := use()
		cancel()
		wg.Wait()
		if got := lastUse(); !got.Equal(last) {
			t.Errorf("after the end: got %v, want %v", got, last)
		}
	})
}
