package connection_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"stripe-connector/internal/connection"
)

func key(id string, b byte) connection.Key {
	return connection.NewKey(id, bytes.Repeat([]byte{b}, 32))
}

func ring(tb testing.TB, keys ...connection.Key) *connection.Ring {
	tb.Helper()
	r, err := connection.NewRing(time.Now, keys...)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func TestSeal(t *testing.T) {
	t.Parallel()
	r := ring(t, key("new", 1), key("old", 2))
	const plain = "sk_test_plain"
	sealed, err := r.Seal("conn_1", "key", []byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte(plain)) {
		t.Error("the sealed form holds the secret")
	}
	again, err := r.Seal("conn_1", "key", []byte(plain))
	if err != nil || bytes.Equal(again, sealed) {
		t.Errorf("sealing twice gives the same bytes, %v", err)
	}
	got, err := r.Open("conn_1", "key", sealed)
	if err != nil || string(got) != plain {
		t.Errorf("got %q, %v, want %q", got, err, plain)
	}
	refused := map[string]struct {
		ring           *connection.Ring
		owner, purpose string
		sealed         []byte
	}{
		"another owner":          {r, "conn_2", "key", sealed},
		"another purpose":        {r, "conn_1", "webhook", sealed},
		"parts moved":            {r, "conn_1k", "ey", sealed},
		"a ring without the key": {ring(t, key("old", 2)), "conn_1", "key", sealed},
		"another key's bytes":    {ring(t, key("new", 3)), "conn_1", "key", sealed},
		"nothing":                {r, "conn_1", "key", nil},
	}
	for i := range sealed {
		refused[fmt.Sprintf("cut to %d", i)] = struct {
			ring           *connection.Ring
			owner, purpose string
			sealed         []byte
		}{r, "conn_1", "key", sealed[:i]}
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		refused[fmt.Sprintf("byte %d changed", i)] = struct {
			ring           *connection.Ring
			owner, purpose string
			sealed         []byte
		}{r, "conn_1", "key", changed}
	}
	for name, tt := range refused {
		got, err := tt.ring.Open(tt.owner, tt.purpose, tt.sealed)
		if !errors.Is(err, connection.ErrSeal) || got != nil {
			t.Errorf("%s: got %q, %v, want %v", name, got, err, connection.ErrSeal)
		}
	}
}

// The oldest seal of all that was sealed or opened is known.
func TestOldest(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	clock := func() time.Time { return now }
	ringOf := func(keys ...connection.Key) *connection.Ring {
		t.Helper()
		r, err := connection.NewRing(clock, keys...)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	before := ringOf(key("old", 1))
	if got := before.Oldest(); !got.IsZero() {
		t.Errorf("of nothing: got %v", got)
	}
	sealed, err := before.Seal("conn_1", "key", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	both := ringOf(key("new", 2), key("old", 1))
	if _, err := both.Open("conn_2", "key", sealed); err == nil || !both.Oldest().IsZero() {
		t.Errorf("of what does not open: got %v, %v", both.Oldest(), err)
	}
	fresh, err := both.Reseal("conn_1", "key", sealed)
	if want := now.Add(-time.Hour); err != nil || !both.Oldest().Equal(want) {
		t.Errorf("got %v, %v, want %v", both.Oldest(), err, want)
	}
	after := ringOf(key("new", 2))
	if _, err := after.Open("conn_1", "key", fresh); err != nil || !after.Oldest().Equal(now) {
		t.Errorf("sealed anew: got %v, %v, want %v", after.Oldest(), err, now)
	}
}

func TestReseal(t *testing.T) {
	t.Parallel()
	before, both, after := ring(t, key("old", 1)), ring(t, key("new", 2), key("old", 1)), ring(t, key("new", 2))
	sealed, err := before.Seal("conn_1", "key", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := both.Reseal("conn_1", "key", sealed)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := after.Open("conn_1", "key", fresh); err != nil || string(got) != "secret" {
		t.Errorf("got %q, %v", got, err)
	}
	if same, err := both.Reseal("conn_1", "key", fresh); err != nil || !bytes.Equal(same, fresh) {
		t.Errorf("what is sealed by the first key was sealed again, %v", err)
	}
	if _, err := after.Reseal("conn_1", "key", sealed); !errors.Is(err, connection.ErrSeal) {
		t.Errorf("got error %v, want %v", err, connection.ErrSeal)
	}
}

func TestBadRings(t *testing.T) {
	t.Parallel()
	tests := map[string][]connection.Key{
		"no key":    nil,
		"short key": {connection.NewKey("a", []byte("SHORTKEY"))},
		"no id":     {key("", 1)},
		"twice":     {key("a", 1), key("a", 2)},
	}
	for name, keys := range tests {
		if _, err := connection.NewRing(time.Now, keys...); err == nil || strings.Contains(err.Error(), "SHORTKEY") {
			t.Errorf("%s: got error %v", name, err)
		}
	}
	k := connection.NewKey("the-id", []byte("SHORTKEY"))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		if got := fmt.Sprintf(verb, k) + fmt.Sprintf(verb, []connection.Key{k}); strings.Contains(got, "SHORT") || strings.Contains(got, "53484f") {
			t.Errorf("%s prints %s", verb, got)
		}
	}
}

func TestKeyFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "connector.key")
	sealed := make([][]byte, 8)
	var wg sync.WaitGroup
	for i := range sealed {
		wg.Go(func() {
			k, err := connection.KeyFile(path)
			if err != nil {
				t.Error(err)
				return
			}
			r, err := connection.NewRing(time.Now, k)
			if err != nil {
				t.Error(err)
				return
			}
			if sealed[i], err = r.Seal("o", "p", []byte("x")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	k, err := connection.KeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := ring(t, k)
	for i := range sealed {
		if _, err := r.Open("o", "p", sealed[i]); err != nil {
			t.Errorf("caller %d got another key: %v", i, err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("got files %v, %v, want the key file alone", entries, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v, %v, want 600", info.Mode(), err)
	}

	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := connection.KeyFile(path); err == nil || !strings.Contains(err.Error(), "600") {
		t.Errorf("a file that others may read: got error %v", err)
	}
	damaged := filepath.Join(dir, "damaged")
	if err := os.WriteFile(damaged, []byte("k1:c2hvcnQ="), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := connection.KeyFile(damaged); err == nil || strings.Contains(err.Error(), "c2hv") {
		t.Errorf("a damaged file: got error %v", err)
	}
	if _, err := connection.KeyFile(filepath.Join(dir, "none", "key")); err == nil {
		t.Error("no folder: got no error")
	}
}

func FuzzOpen(f *testing.F) {
	r := ring(f, key("a", 1))
	sealed, err := r.Seal("o", "p", []byte("x"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add([]byte{255})
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := r.Open("o", "p", b); (err == nil) != bytes.Equal(b, sealed) || err != nil && got != nil {
			t.Errorf("got %q, %v", got, err)
		}
	})
}
