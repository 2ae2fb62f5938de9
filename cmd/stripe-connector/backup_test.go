package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"stripe-connector/internal/stripetest"
)

// A backup that is taken under load, restored with its key, has every event that was acknowledged before it began.
func TestBackupUnderLoad(t *testing.T) {
	t.Parallel()
	b := &bench{stripe: stripetest.New(t)}
	b.program = newProgram(t, b.stripe)
	s := b.start()
	b.conn = b.connect(stripetest.Key)
	target := newSubscriber(t, nil)
	w := b.attach(b.conn, target.url, "payment_intent.succeeded")
	from := b.sender(b.stripe, stripetest.Key, w)
	const before = 50
	for i := range before {
		from.accept(t, event(fmt.Sprintf("evt_before_%d", i), "payment_intent.succeeded"))
	}
	ctx, enough := context.WithCancel(t.Context())
	var load sync.WaitGroup
	under := make(chan struct{})
	load.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			if status, _, err := from.send(ctx, event(fmt.Sprintf("evt_under_%d", i), "payment_intent.succeeded")); err == nil && status != http.StatusOK {
				t.Errorf("event %d under the backup: status %d", i, status)
			}
			if i == 10 {
				close(under)
			}
		}
	})
	<-under
	out := filepath.Join(b.dir, "copy.db")
	if got := b.run("backup", "--out", out); got.code != 0 || !strings.Contains(got.stdout, "secret.key") {
		t.Errorf("backup: %+v", got)
	}
	enough()
	load.Wait()
	if got := b.run("backup", "--out", out); got.code == 0 || !strings.Contains(got.stderr, "exists already") {
		t.Errorf("a second backup to the same file: %+v", got)
	}
	if info, err := os.Stat(out); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy: %v, %v", info, err)
	}
	s.stop()

	restored := newProgram(t, b.stripe)
	copyFile(t, out, restored.database())
	if got := restored.run("serve"); got.code == 0 || !strings.Contains(got.stderr, "secret.key is missing") {
		t.Errorf("serve without the key file: %+v", got)
	}
	copyFile(t, filepath.Join(b.dir, "secret.key"), filepath.Join(restored.dir, "secret.key"))
	r := restored.start()
	defer r.stop()
	found := map[string]bool{}
	for cursor := ""; ; {
		var page struct {
			Data []struct{ ID string }
			Next *string `json:"next_cursor"`
		}
		restored.call(http.MethodGet, "/v1/events?limit=100&cursor="+url.QueryEscape(cursor), nil).want(http.StatusOK).into(&page)
		for _, e := range page.Data {
			found[e.ID] = true
		}
		if page.Next == nil {
			break
		}
		cursor = *page.Next
	}
	for i := range before {
		if id := fmt.Sprintf("evt_before_%d", i); !found[id] {
			t.Errorf("%s was acknowledged before the backup and is not in it", id)
		}
	}
	if !found["evt_under_0"] {
		t.Error("what was acknowledged while nothing was copied yet is not in the backup")
	}
	restored.call(http.MethodPost, "/v1/connections/"+b.conn+"/check", nil).want(http.StatusOK)
	restored.call(http.MethodGet, "/v1/webhooks/"+w.ID, nil).want(http.StatusOK)
}

func TestBackupRefuses(t *testing.T) {
	t.Parallel()
	p := newProgram(t, stripetest.New(t))
	if got := p.run("backup"); got.code != 2 || !strings.Contains(got.stderr, "--out FILE") {
		t.Errorf("without a file: %+v", got)
	}
	out := filepath.Join(p.dir, "copy.db")
	if got := p.run("backup", "--out", out); got.code != 1 || !strings.Contains(got.stderr, "finding the database") || exists(out) {
		t.Errorf("without a database: %+v", got)
	}
	p.set("DATABASE_URL=postgres://localhost/x", "SECRET_KEYS=k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	if got := p.run("backup", "--out", out); got.code != 1 || !strings.Contains(got.stderr, "pg_dump") {
		t.Errorf("of PostgreSQL: %+v", got)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	must(t, err)
	must(t, os.WriteFile(to, content, 0o600))
}
