package httpapi

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"stripe-connector/internal/connection"
	"stripe-connector/internal/store"
	"stripe-connector/internal/stripeapi"
)

// A keyring is a store of tokens in memory: a token's name is its role.
type keyring struct {
	store.Access

	listing chan struct{} // if there is one, listing tokens waits for it to be closed
}

func (k keyring) TokenByHash(_ context.Context, hash [32]byte) (store.Token, error) {
	for _, token := range []string{"sc_one", "sc_two"} {
		if hash == sha256.Sum256([]byte(token)) {
			return store.Token{ID: token, Role: "admin", Workspace: "default"}, nil
		}
	}
	return store.Token{}, store.ErrNotFound
}

func (k keyring) Tokens(ctx context.Context, _ string, _ store.Page) (store.List[store.Token], error) {
	if k.listing != nil {
		select {
		case <-k.listing:
		case <-ctx.Done():
		}
	}
	return store.List[store.Token]{}, ctx.Err()
}

// A tally is a Meter that remembers what was turned away.
type tally struct {
	unmetered

	limits []string
}

func (t *tally) Limited(limit string) { t.limits = append(t.limits, limit) }

func limited(k keyring, change func(*Config)) (http.Handler, *tally) {
	turned := &tally{}
	cfg := Config{
		Tokens: connection.NewTokens(k, time.Now, zerolog.Nop()), Ready: func(context.Context) error { return nil },
		Meter: turned, Log: zerolog.Nop(), Now: time.Now,
	}
	change(&cfg)
	return New(cfg), turned
}

func ask(h http.Handler, token, path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func wantProblem(t *testing.T, w *httptest.ResponseRecorder, status int, retryAfter string) {
	t.Helper()
	p := answer{t, w.Code, w.Header(), w.Body.String()}.want(status).problem()
	if p.ErrorType != stripeapi.RateLimitError || !p.Retryable || w.Header().Get("Retry-After") != retryAfter {
		t.Errorf("got %s with Retry-After %q, want to hear after %q seconds", w.Body, w.Header().Get("Retry-After"), retryAfter)
	}
}

func TestRateOfATokenIsLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, turned := limited(keyring{}, func(c *Config) { c.RateLimit = 3 })
		for range 3 {
			if w := ask(h, "sc_one", "/v1/tokens"); w.Code != http.StatusOK {
				t.Fatalf("status = %d: %s", w.Code, w.Body)
			}
		}
		wantProblem(t, ask(h, "sc_one", "/v1/tokens"), http.StatusTooManyRequests, "1")
		if w := ask(h, "sc_two", "/v1/tokens"); w.Code != http.StatusOK {
			t.Errorf("another token is answered %d", w.Code)
		}
		<-time.After(2 * time.Second)
		if w := ask(h, "sc_one", "/v1/tokens"); w.Code != http.StatusOK {
			t.Errorf("two seconds later: status = %d", w.Code)
		}
		if diff := cmp.Diff([]string{limitRate}, turned.limits); diff != "" {
			t.Errorf("counted (-want +got):\n%s", diff)
		}
	})
}

func TestRequestsAtOnceAreLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := keyring{listing: make(chan struct{})}
		h, turned := limited(k, func(c *Config) { c.MaxAtOnce = 2 })
		answers := make(chan int, 2)
		for range 2 {
			go func() { answers <- ask(h, "sc_one", "/v1/tokens").Code }()
		}
		synctest.Wait()
		wantProblem(t, ask(h, "sc_two", "/v1/tokens"), http.StatusServiceUnavailable, "1")
		for _, probe := range []string{"/healthz", "/readyz"} {
			if w := ask(h, "", probe); w.Code != http.StatusOK {
				t.Errorf("%s of a busy service is answered %d", probe, w.Code)
			}
		}
		close(k.listing)
		for range 2 {
			if got := <-answers; got != http.StatusOK {
				t.Errorf("status = %d", got)
			}
		}
		if w := ask(h, "sc_two", "/v1/tokens"); w.Code != http.StatusOK {
			t.Errorf("with room again: status = %d", w.Code)
		}
		if diff := cmp.Diff([]string{limitBusy}, turned.limits); diff != "" {
			t.Errorf("counted (-want +got):\n%s", diff)
		}
	})
}

// Long bodies are held as a whole, so there are only so many at once; short ones go on beside them.
func TestLongBodiesAtOnceAreLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, turned := limited(keyring{}, func(*Config) {})
		post := func(body io.Reader) *httptest.ResponseRecorder {
			r := httptest.NewRequest(http.MethodPost, "/v1/tokens", body)
			r.Header.Set("Authorization", "Bearer sc_one")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w
		}
		text := `{"role":"nobody","name":"` + strings.Repeat("x", long) + `"}`
		var slow []*io.PipeWriter
		answers := make(chan int, maxLong)
		for range maxLong {
			body, w := io.Pipe()
			slow = append(slow, w)
			go func() { answers <- post(body).Code }()
			_, _ = io.WriteString(w, text)
		}
		synctest.Wait()
		wantProblem(t, post(strings.NewReader(text)), http.StatusServiceUnavailable, "1")
		if w := post(strings.NewReader(`{"role":"nobody"}`)); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("a short body beside long ones is answered %d", w.Code)
		}
		for _, w := range slow {
			_ = w.Close()
		}
		for range maxLong {
			if got := <-answers; got != http.StatusUnprocessableEntity {
				t.Errorf("status = %d", got)
			}
		}
		if w := post(strings.NewReader(text)); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("with room again: status = %d", w.Code)
		}
		if diff := cmp.Diff([]string{limitBodies}, turned.limits); diff != "" {
			t.Errorf("counted (-want +got):\n%s", diff)
		}
	})
}

func TestWideSearchesAtOnceAreLimited(t *testing.T) {
	t.Parallel()
	l := newLimits(0, 0)
	var leave func()
	for i := range maxWide {
		var ok bool
		if leave, ok = l.hold(wide + 1); !ok {
			t.Fatalf("wide search %d finds no room", i)
		}
	}
	if _, ok := l.hold(wide + 1); ok {
		t.Errorf("wide search %d finds room", maxWide)
	}
	if _, ok := l.hold(wide); !ok {
		t.Error("a search for a page finds no room")
	}
	leave()
	if _, ok := l.hold(wide + 1); !ok {
		t.Error("the room of a search that is over is not free")
	}
}

func TestGuessingIsLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, turned := limited(keyring{}, func(*Config) {})
		ask(h, "sc_one", "/v1/tokens")
		var last *httptest.ResponseRecorder
		for i := range 150 {
			last = ask(h, fmt.Sprintf("sc_guess_%d", i), "/v1/tokens")
		}
		wantProblem(t, last, http.StatusTooManyRequests, "60")
		if w := ask(h, "sc_one", "/v1/tokens"); w.Code != http.StatusOK {
			t.Errorf("whoever is known already is answered %d", w.Code)
		}
		if len(turned.limits) == 0 || turned.limits[0] != limitTokens {
			t.Errorf("counted %v", turned.limits)
		}
	})
}
