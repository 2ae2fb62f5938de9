package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"unsafe"

	"stripe-connector/internal/stripetest"
)

// On a full disk events are refused, so that Stripe sends them again; nothing that was acknowledged is lost, and the first
// free space is enough to go on.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	t.Run("file system", func(t *testing.T) {
		t.Parallel()
		stripe := stripetest.New(t)
		p := newProgram(t, stripe, "RETRY_SCHEDULE=100ms*1000", "LOG_LEVEL=warn")
		err := syscall.Mount("none", p.dir, "tmpfs", 0, "size=16m")
		if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
			t.Skip("mounting takes root; the limit on the file size shows the same")
		}
		must(t, err)
		t.Cleanup(func() {
			if err := syscall.Unmount(p.dir, 0); err != nil {
				t.Error(err)
			}
		})
		ballast := filepath.Join(p.dir, "ballast")
		testFullDisk(t, stripe, p, func(*process) {
			must(t, os.WriteFile(ballast, nil, 0o600))
			f, err := os.OpenFile(ballast, os.O_WRONLY, 0)
			must(t, err)
			defer f.Close()
			for err == nil {
				_, err = f.Write(make([]byte, 4096))
			}
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatal(err)
			}
		}, func(*process) { must(t, os.Remove(ballast)) })
	})
	t.Run("limit on the file size", func(t *testing.T) {
		t.Parallel()
		stripe := stripetest.New(t)
		p := newProgram(t, stripe, "RETRY_SCHEDULE=100ms*1000", "LOG_LEVEL=warn")
		var was syscall.Rlimit
		testFullDisk(t, stripe, p, func(s *process) {
			size := int64(0)
			for _, suffix := range []string{"", "-wal"} {
				info, err := os.Stat(p.database() + suffix)
				must(t, err)
				size = max(size, info.Size())
			}
			was = limitFileSize(t, s, syscall.Rlimit{Cur: uint64(size)})
		}, func(s *process) { limitFileSize(t, s, was) })
	})
}

// limitFileSize changes how large the files of a running process may become, and returns how large they might be before. A
// hard limit of zero stays as it is.
func limitFileSize(t *testing.T, s *process, limit syscall.Rlimit) (was syscall.Rlimit) {
	t.Helper()
	prlimit := func(next, was *syscall.Rlimit) {
		_, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(s.cmd.Process.Pid), syscall.RLIMIT_FSIZE,
			uintptr(unsafe.Pointer(next)), uintptr(unsafe.Pointer(was)), 0, 0)
		if errno != 0 {
			t.Fatal(errno)
		}
	}
	prlimit(nil, &was)
	if limit.Max == 0 {
		limit.Max = was.Max
	}
	prlimit(&limit, nil)
	return was
}

func testFullDisk(t *testing.T, stripe *stripetest.Server, p *program, fill, free func(*process)) {
	t.Helper()
	s := p.start()
	target := newSubscriber(t, answering(http.StatusServiceUnavailable))
	w := p.attach(p.connect(stripetest.Key), target.url, "invoice.paid")
	from := p.sender(stripe, stripetest.Key, w)

	var acked, refused []string
	send := func(id string) bool {
		status, header, err := from.send(t.Context(), pad(event(id, "invoice.paid"), 10_000))
		must(t, err)
		switch {
		case status == http.StatusOK:
			acked = append(acked, id)
			return true
		case status != http.StatusServiceUnavailable || header.Get("Retry-After") == "":
			t.Fatalf("on a full disk: status %d, Retry-After %q; want 503 and a wait", status, header.Get("Retry-After"))
		}
		refused = append(refused, id)
		return false
	}
	for n := range 20 {
		if !send(fmt.Sprintf("evt_before_%d", n)) {
			t.Fatal("an event was refused while there was space")
		}
	}
	fill(s)
	// What SQLite has room for inside its files may still be taken.
	for n := 0; len(refused) < 20; n++ {
		send(fmt.Sprintf("evt_full_%d", n))
	}
	// What is there can still be looked at.
	if d := p.deliveries(w.ID, nil); len(d) == 0 {
		t.Error("nothing is shown while the disk is full")
	}
	target.now(answering(http.StatusOK))
	free(s)
	again := refused
	eventually(t, "events are taken again", func() bool { return send("evt_after") })
	for _, id := range again {
		if !send(id) {
			t.Fatal("an event was refused after there was space again")
		}
	}
	target.has(t, acked...)
	p.drained(w.ID)
	t.Logf("%d events acknowledged, %d refused", len(acked), len(again))
	s.stop()
	p.start()
	for _, id := range acked {
		if !p.stored(id) {
			t.Errorf("%s was acknowledged and is lost", id)
		}
	}
}
