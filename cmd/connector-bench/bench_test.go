package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestMain makes the test binary a ceiling when it is started as one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "proxy" || os.Args[1] == "forward") {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestAll makes every measurement, with so little load that its figures mean nothing, and looks at the report.
func TestAll(t *testing.T) {
	t.Parallel()
	connector := filepath.Join(t.TempDir(), "stripe-connector")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-tags", "timetzdata", "-o", connector, "../stripe-connector")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as make builds it
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the connector: %v\n%s", err, out)
	}
	file := filepath.Join(t.TempDir(), "report.json")
	var table, progress bytes.Buffer
	err := run(t.Context(), []string{
		"-connector", connector, "-json", file, "-runs", "1", "-length", "100ms", "-page", "1ms", "-webhooks", "20", "-stored", "2000", "-backlog", "200",
	}, &table, &progress)
	if err != nil {
		t.Fatalf("%v\n%s", err, &progress)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var found report
	if err := json.Unmarshal(text, &found); err != nil {
		t.Fatal(err)
	}
	for _, r := range found.Rows {
		if r.Ours <= 0 || len(r.Runs) == 0 {
			t.Errorf("%s: got %+v, want a figure", r.What, r)
		}
		if !strings.Contains(table.String(), r.What) {
			t.Errorf("the table has no line %q", r.What)
		}
		if r.Name == "list" && r.Unit == "pages" && !r.Met {
			t.Errorf("streaming holds %.1f pages, want at most %.0f", r.Value, r.Target)
		}
	}
	for _, m := range new(bench).measurements() {
		if strings.HasSuffix(m.name, "-postgresql") && strings.Contains(progress.String(), "left out") && os.Getenv("CI") != "true" {
			continue
		}
		if !slices.ContainsFunc(found.Rows, func(r row) bool { return r.Name == m.name }) {
			t.Errorf("nothing was measured for %s", m.name)
		}
	}
}

// TestJudge: comparisons are made run by run, and only then is the median taken.
func TestJudge(t *testing.T) {
	t.Parallel()
	runs := [][]float64{{50, 100}, {10, 10}, {30, 100}}
	for _, c := range []struct {
		how    judged
		target float64
		value  float64
		met    bool
	}{
		{share, 0.5, 0.5, true},
		{share, 0.51, 0.5, false},
		{times, 0.4, 0.5, false},
		{times, 0.5, 0.5, true},
		{excess, -50, -50, true},
		{excess, -51, -50, false},
		{limit, 30, 30, true},
		{limit, 29, 30, false},
		{floor, 30, 30, true},
		{floor, 31, 30, false},
		{shown, 0, 30, true},
	} {
		r := judge("name", "what", "ms", c.how, c.target, runs...)
		if r.Value != c.value || r.Met != c.met || r.Ours != 30 || r.Beside != 100 {
			t.Errorf("%q with target %v: got %+v, want value %v, met %v", c.how, c.target, r, c.value, c.met)
		}
	}
}

// TestOpen: a job that takes long delays no other, and its lateness is counted from when it was due.
func TestOpen(t *testing.T) {
	t.Parallel()
	first := make(chan struct{})
	var begun atomic.Int64
	err := open(t.Context(), 1000, 20*time.Millisecond, func(_ context.Context, n int, due time.Time) error {
		if n == 19 {
			close(first) // reached only if the first job is not waited for
		}
		if n == 0 {
			<-first
		}
		if begun.Add(1); due.IsZero() {
			t.Error("a job was not told when it was due")
		}
		return nil
	})
	if err != nil || begun.Load() != 20 {
		t.Errorf("got %d jobs, %v, want 20", begun.Load(), err)
	}
}

// BenchmarkBind is the row "without network" for benchstat.
func BenchmarkBind(b *testing.B) {
	body := fmt.Appendf(nil, intentBundle, "conn_1")
	b.ReportAllocs()
	for b.Loop() {
		if err := bind(body); err != nil {
			b.Fatal(err)
		}
	}
}
