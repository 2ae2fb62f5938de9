package connection_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"stripe-connector/internal/connection"
	"stripe-connector/internal/spec"
	"stripe-connector/internal/store"
	"stripe-connector/internal/store/sqlite"
	"stripe-connector/internal/stripeapi"
)

// stripe knows keys and their accounts. Others are refused; what is down is down.
type stripe struct {
	accounts map[string]string
	down     error
	asked    atomic.Int64
}

func (s *stripe) Check(_ context.Context, key string) (string, bool, error) {
	s.asked.Add(1)
	if s.down != nil {
		return "", false, s.down
	}
	account, known := s.accounts[key]
	if !known {
		return "", false, fmt.Errorf("asking: %w", stripeapi.ErrKeyRefused)
	}
	return account, strings.Contains(key, "_live_"), nil
}

const (
	testKey       = "sk_test_51Habcdefghijklmnop"
	otherTestKey  = "sk_test_51Hotherkeyofthesame"
	foreignKey    = "sk_test_51Jforeignaccountkey"
	liveKey       = "sk_live_51Habcdefghijklmnop"
	restrictedKey = "rk_test_51Hrestrictedkey1234"
)

func newStripe() *stripe {
	return &stripe{accounts: map[string]string{
		testKey: "acct_1", otherTestKey: "acct_1", foreignKey: "acct_2", liveKey: "acct_1", restrictedKey: "",
	}}
}

// counting counts the reads of the hot paths.
type counting struct {
	store.Store
	reads atomic.Int64
}

func (c *counting) Connection(ctx context.Context, workspace, id string) (store.Connection, error) {
	c.reads.Add(1)
	return c.Store.Connection(ctx, workspace, id)
}

func (c *counting) TokenByHash(ctx context.Context, hash [32]byte) (store.Token, error) {
	c.reads.Add(1)
	return c.Store.TokenByHash(ctx, hash)
}

func openStore(tb testing.TB, path string) *counting {
	tb.Helper()
	s, err := sqlite.Open(context.Background(), path, time.Now)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return &counting{Store: s}
}

func file(tb testing.TB) string {
	tb.Helper()
	return filepath.Join(tb.TempDir(), "connector.db")
}

func service(tb testing.TB) (*connection.Service, *stripe, *counting) {
	tb.Helper()
	s, st := newStripe(), openStore(tb, file(tb))
	return connection.NewService(st, ring(tb, key("k", 1)), s, time.Now), s, st
}

func create(tb testing.TB, s *connection.Service, workspace, key string) connection.View {
	tb.Helper()
	v, err := s.Create(tb.Context(), workspace, connection.Input{Name: "Shop", Key: key})
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

func wantFault(t *testing.T, err error, field, code string) {
	t.Helper()
	var faults spec.Faults
	if !errors.As(err, &faults) || len(faults) != 1 || faults[0].Field != field || faults[0].Code != code || faults[0].Label == "" {
		t.Errorf("got error %v, want the fault %s of %s", err, code, field)
	}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	s, _, _ := service(t)
	tests := []struct {
		name string
		in   connection.Input
		want connection.View
	}{
		{"secret", connection.Input{Name: " Shop ", Key: testKey}, connection.View{Name: "Shop", Account: "acct_1", Last4: "mnop"}},
		{"live", connection.Input{Key: " " + liveKey + "\n"}, connection.View{Name: "Stripe", Account: "acct_1", Livemode: true, Last4: "mnop"}},
		{"restricted", connection.Input{Name: "R", Key: restrictedKey}, connection.View{Name: "R", Last4: "1234"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := s.Create(t.Context(), "w", tt.in)
			if err != nil {
				t.Fatal(err)
			}
			again, err := s.Get(t.Context(), "w", got.ID)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(got, again); diff != "" {
				t.Errorf("created and got differ:\n%s", diff)
			}
			tt.want.ID, tt.want.Created = got.ID, got.Created
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("connection (-want +got):\n%s", diff)
			}
			session, err := s.Session(t.Context(), "w", got.ID)
			if err != nil || session.Key != strings.TrimSpace(tt.in.Key) || session.Livemode != tt.want.Livemode || session.Connection != got.ID {
				t.Errorf("got session %v of %v, %v", session, session.Livemode, err)
			}
		})
	}
}

func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	s, stripe, _ := service(t)
	tests := []struct{ name, key, code string }{
		{"empty", " ", spec.CodeRequired},
		{"publishable", "pk_test_abc", spec.CodeInvalid},
		{"odd prefix", "xx_test_abc", spec.CodeInvalid},
		{"no mode", "sk_abc", spec.CodeInvalid},
		{"header injection", "sk_test_abc\r\nX: y", spec.CodeInvalid},
		{"blank inside", "sk_test_a b", spec.CodeInvalid},
		{"too long", "sk_test_" + strings.Repeat("a", 300), spec.CodeTooLong},
		{"refused", "sk_test_revoked", spec.CodeRefused},
	}
	for _, tt := range tests {
		_, err := s.Create(t.Context(), "w", connection.Input{Key: tt.key})
		wantFault(t, err, "key", tt.code)
		if len(tt.key) > 8 && strings.Contains(err.Error(), tt.key[3:]) {
			t.Errorf("%s: the error %v repeats the key", tt.name, err)
		}
	}
	if got := stripe.asked.Load(); got != 1 {
		t.Errorf("Stripe was asked %d times, want once", got)
	}
	_, err := s.Create(t.Context(), "w", connection.Input{Name: strings.Repeat("ä", 256), Key: "nonsense"})
	var faults spec.Faults
	if !errors.As(err, &faults) || len(faults) != 2 {
		t.Errorf("got %v, want both faults at once", err)
	}
	stripe.down = errors.New("unreachable")
	if _, err := s.Create(t.Context(), "w", connection.Input{Key: testKey}); !errors.Is(err, stripe.down) {
		t.Errorf("got error %v, want %v", err, stripe.down)
	}
	if l, err := s.List(t.Context(), "w", store.Page{}); err != nil || len(l.Data) != 0 {
		t.Errorf("got %v, %v, want nothing stored", l, err)
	}
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	s, stripe, _ := service(t)
	c := create(t, s, "w", testKey)
	name, other, foreign, live, refused, unknown := "New", otherTestKey, foreignKey, liveKey, "sk_test_revoked", restrictedKey
	update := func(change connection.Change) (connection.View, error) {
		return s.Update(t.Context(), "w", c.ID, change)
	}
	open := func() string {
		session, err := s.Session(t.Context(), "w", c.ID)
		if err != nil {
			t.Error(err)
		}
		return session.Key
	}
	if got := open(); got != testKey {
		t.Errorf("got key %s", got)
	}
	_, err := update(connection.Change{Key: &foreign})
	wantFault(t, err, "key", spec.CodeNotAllowed)
	_, err = update(connection.Change{Key: &live})
	wantFault(t, err, "key", spec.CodeNotAllowed)
	_, err = update(connection.Change{Name: &name, Key: &refused})
	wantFault(t, err, "key", spec.CodeRefused)
	if got, err := s.Get(t.Context(), "w", c.ID); err != nil || got != c {
		t.Errorf("got %v, %v, want it unchanged", got, err)
	}
	got, err := update(connection.Change{Name: &name})
	if err != nil || got.Name != name || got.Last4 != c.Last4 {
		t.Errorf("renamed: got %v, %v", got, err)
	}
	got, err = update(connection.Change{Key: &other})
	if err != nil || got.Last4 != "same" || got.Name != name {
		t.Errorf("with another key: got %v, %v", got, err)
	}
	if got := open(); got != otherTestKey { // at once, although the old one was opened just now
		t.Errorf("got key %s, want the new one", got)
	}
	got, err = update(connection.Change{Key: &unknown})
	if err != nil || got.Account != "acct_1" {
		t.Errorf("with a restricted key: got %v, %v", got, err)
	}

	asked := stripe.asked.Load()
	if _, err := s.Update(t.Context(), "other", c.ID, connection.Change{Key: &other}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("from outside: got error %v", err)
	}
	if stripe.asked.Load() != asked {
		t.Error("a stranger had Stripe asked")
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	s, stripe, _ := service(t)
	c := create(t, s, "w", restrictedKey)
	stripe.accounts[restrictedKey] = "acct_9"
	got, err := s.Check(t.Context(), "w", c.ID)
	if err != nil || got.Account != "acct_9" {
		t.Errorf("got %v, %v, want the account that can be read now", got, err)
	}
	delete(stripe.accounts, restrictedKey)
	_, err = s.Check(t.Context(), "w", c.ID)
	wantFault(t, err, "key", spec.CodeRefused)
	if _, err := s.Check(t.Context(), "other", c.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("from outside: got error %v", err)
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	s, _, st := service(t)
	c := create(t, s, "w", testKey)
	if _, err := s.Session(t.Context(), "w", c.ID); err != nil {
		t.Fatal(err)
	}
	e, err := st.EnsureEndpoint(t.Context(), store.Endpoint{ID: "ep_1", Workspace: "w", Connection: c.ID})
	if err != nil {
		t.Fatal(err)
	}
	w, _, err := st.CreateWebhook(t.Context(), store.Webhook{ID: "whk_1", Workspace: "w", Connection: c.ID, Endpoint: e.ID})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), "w", c.ID); !errors.Is(err, store.ErrConflict) {
		t.Errorf("while a webhook uses it: got error %v, want %v", err, store.ErrConflict)
	}
	if err := st.DeleteWebhook(t.Context(), "w", w.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), "other", c.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("from outside: got error %v, want %v", err, store.ErrNotFound)
	}
	if err := s.Delete(t.Context(), "w", c.ID); err != nil {
		t.Error(err)
	}
	if _, err := s.Session(t.Context(), "w", c.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("opened after it was deleted: got error %v", err)
	}
}

func TestSessionIsFreshWithinASecond(t *testing.T) {
	t.Parallel()
	path := file(t)
	synctest.Test(t, func(t *testing.T) {
		st := openStore(t, path)
		r := ring(t, key("k", 1))
		here := connection.NewService(st, r, newStripe(), time.Now)
		replica := connection.NewService(st, r, newStripe(), time.Now)
		c := create(t, here, "w", testKey)
		st.reads.Store(0)
		for range 100 {
			if _, err := here.Session(t.Context(), "w", c.ID); err != nil {
				t.Fatal(err)
			}
		}
		if got := st.reads.Load(); got != 1 {
			t.Errorf("the store was read %d times, want once", got)
		}
		if _, err := here.Session(t.Context(), "other", c.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("from outside: got error %v, want %v", err, store.ErrNotFound)
		}
		other := otherTestKey
		if _, err := replica.Update(t.Context(), "w", c.ID, connection.Change{Key: &other}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		got, err := here.Session(t.Context(), "w", c.ID)
		if err != nil || got.Key != other {
			t.Errorf("a second after a change elsewhere: got the old key, %v", err)
		}
	})
}

func TestViewsHoldNoKey(t *testing.T) {
	t.Parallel()
	s, _, _ := service(t)
	c := create(t, s, "w", testKey)
	l, err := s.List(t.Context(), "w", store.Page{})
	if err != nil || len(l.Data) != 1 {
		t.Fatalf("got %v, %v", l, err)
	}
	session, err := s.Session(t.Context(), "w", c.ID)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range []string{string(text), fmt.Sprintf("%+v %#v", c, l), fmt.Sprintf("%v %+v %#v", session, session, session)} {
		if strings.Contains(got, testKey[:len(testKey)-4]) {
			t.Errorf("a key is shown: %s", got)
		}
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"id", "connection_name", "account", "livemode", "last4", "created"} {
		if _, found := fields[name]; !found {
			t.Errorf("%s lacks %s", text, name)
		}
	}
	if len(fields) != 6 {
		t.Errorf("got fields %v, want 6", fields)
	}
}

// TestNothingSecretOnDisk reads the raw files of a store after everything that is secret went through it.
func TestNothingSecretOnDisk(t *testing.T) {
	t.Parallel()
	path := file(t)
	st := openStore(t, path)
	s := connection.NewService(st, ring(t, key("new", 7), key("old", 8)), newStripe(), time.Now)
	tokens := connection.NewTokens(st, time.Now, zerolog.Nop())
	first, err := tokens.Bootstrap(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	_, token, err := tokens.Create(t.Context(), "w", connection.RoleRun, "runner")
	if err != nil {
		t.Fatal(err)
	}
	c := create(t, s, "w", testKey)
	other := otherTestKey
	if _, err := s.Update(t.Context(), "w", c.ID, connection.Change{Key: &other}); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), "w", create(t, s, "w", liveKey).ID); err != nil {
		t.Fatal(err)
	}
	for _, tok := range []string{first, token} {
		if _, err := tokens.Authenticate(t.Context(), tok); err != nil {
			t.Fatal(err)
		}
	}
	files := 0
	look := func() {
		t.Helper()
		for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
			raw, err := os.ReadFile(path + suffix)
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			files++
			secrets := []string{testKey, otherTestKey, liveKey, first, token, first[8:], testKey[8:], string(bytes.Repeat([]byte{7}, 32))}
			for _, secret := range secrets {
				if bytes.Contains(raw, []byte(secret)) {
					t.Errorf("connector.db%s holds a secret", suffix)
				}
			}
		}
	}
	look()
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	look()
	if files < 5 {
		t.Errorf("looked into %d files", files)
	}
}

func BenchmarkSession(b *testing.B) {
	s, _, _ := service(b)
	c, err := s.Create(context.Background(), "w", connection.Input{Key: testKey})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.Session(context.Background(), "w", c.ID); err != nil {
			b.Fatal(err)
		}
	}
}
