package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A series is one kind of request at a fixed rate. What it takes is measured from when it was due and not from when it
// began, so that a connector that stalls is charged for everyone who waits.
type series struct {
	began time.Time
	every time.Duration

	mu     sync.Mutex
	took   []time.Duration // of what went well
	failed int
	first  error // of what did not
}

func (s *series) begin(at time.Time, perSecond int) {
	s.began, s.every = at, time.Second/time.Duration(perSecond)
}

func (s *series) due(n int) time.Time { return s.began.Add(time.Duration(n) * s.every) }

// send begins each request when it is due, whether or not those before it have ended, and returns when all have.
func (s *series) send(ctx context.Context, length time.Duration, request func(ctx context.Context, n int) error) {
	var underWay sync.WaitGroup
	defer underWay.Wait()
	for n := 0; time.Duration(n)*s.every < length; n++ {
		select {
		case <-time.After(time.Until(s.due(n))):
			underWay.Go(func() { s.note(n, request(ctx, n)) })
		case <-ctx.Done():
			return
		}
	}
}

// note counts the end of the nth request.
func (s *series) note(n int, err error) {
	took := time.Since(s.due(n))
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.took = append(s.took, took)
		return
	}
	s.failed++
	if s.first == nil {
		s.first = err
	}
}

// count is how many went well.
func (s *series) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.took)
}

// spread is the middle, the 99th of 100 and the longest.
func (s *series) spread() [3]time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	took, n := slices.Sorted(slices.Values(s.took)), len(s.took)
	if n == 0 {
		return [3]time.Duration{}
	}
	return [3]time.Duration{took[n/2], took[n*99/100], took[n-1]}
}

func (s *series) errors() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// sample is what the connector holds at one moment.
type sample struct {
	rss   int // KiB
	files int // open descriptors
}

func (s sample) mebibytes() float64 { return float64(s.rss) / 1024 }

// look asks Linux about a process.
func look(pid int) (sample, error) {
	process := os.DirFS(filepath.Join("/proc", strconv.Itoa(pid)))
	status, err := fs.ReadFile(process, "status")
	if err != nil {
		return sample{}, fmt.Errorf("looking at the connector, which needs Linux: %w", err)
	}
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	kibibytes, _, _ := strings.Cut(strings.TrimSpace(after), " ")
	rss, err := strconv.Atoi(kibibytes)
	if err != nil {
		return sample{}, fmt.Errorf("reading the connector's memory: %w", err)
	}
	files, err := fs.ReadDir(process, "fd")
	if err != nil {
		return sample{}, fmt.Errorf("looking at the connector's files: %w", err)
	}
	return sample{rss, len(files)}, nil
}

// A report is what a soak comes to.
type report struct {
	length                    time.Duration
	events, calls, deliveries *series
	lost, again               int // deliveries
	warnings                  int // lines of log
	samples                   []sample
}

func (l *load) report() report {
	r := report{events: &l.events, calls: &l.calls, deliveries: &l.deliveries, lost: l.lost(), samples: l.samples}
	for _, in := range l.inboxes {
		_, again := in.count()
		r.again += again
	}
	return r
}

// The run is cut into twelve parts. The first one warms up; the second, the middle and the last are compared.
const parts = 12

// A part is what was seen in one part of the run: the middle of the memory, and the range of the open files.
type part struct {
	mebibytes    float64
	fewest, most int
}

func (r report) part(i int) part {
	from := i * len(r.samples) / parts
	seen := r.samples[from:max(from+1, (i+1)*len(r.samples)/parts)]
	memory := slices.SortedFunc(slices.Values(seen), func(a, b sample) int { return a.rss - b.rss })
	files := slices.SortedFunc(slices.Values(seen), func(a, b sample) int { return a.files - b.files })
	return part{memory[len(memory)/2].mebibytes(), files[0].files, files[len(files)-1].files}
}

func (r report) print(out io.Writer) {
	fmt.Fprintf(out, "\n%-12s %10s %8s %10s %10s %10s\n", "", "done", "errors", "p50", "p99", "max")
	for _, row := range []struct {
		name string
		of   *series
	}{{"events", r.events}, {"calls", r.calls}, {"deliveries", r.deliveries}} {
		fmt.Fprintf(out, "%-12s %10d %8d", row.name, row.of.count(), row.of.errors())
		for _, d := range row.of.spread() {
			fmt.Fprintf(out, " %7.1f ms", float64(d.Microseconds())/1000)
		}
		fmt.Fprintln(out)
	}
	fmt.Fprintf(out, "%d deliveries lost, %d made again, %d warnings in the log\n\n", r.lost, r.again, r.warnings)

	fmt.Fprintf(out, "%-12s %10s %10s %10s\n", "", "after "+short(r.length/parts), "middle", "end")
	columns := []part{r.part(1), r.part(parts / 2), r.part(parts - 1)}
	fmt.Fprintf(out, "%-12s", "RSS")
	for _, p := range columns {
		fmt.Fprintf(out, " %6.1f MiB", p.mebibytes)
	}
	fmt.Fprintf(out, "\n%-12s", "open files")
	for _, p := range columns {
		fmt.Fprintf(out, " %10s", fmt.Sprintf("%d–%d", p.fewest, p.most))
	}
	fmt.Fprint(out, "\n\n")
}

// short writes whole minutes as 5m.
func short(d time.Duration) string {
	if d%time.Minute == 0 {
		return strconv.Itoa(int(d/time.Minute)) + "m"
	}
	return d.Round(time.Second).String()
}

// What counts as flat between the second and the last part of a run. A shorter one than judgedFrom is all warming up.
const (
	judgedFrom = 10 * time.Minute
	moreMemory = 1.10 // times
)

// judge says everything that a soak must not show.
func (r report) judge() error {
	var faults []error
	for _, s := range []*series{r.events, r.calls, r.deliveries} {
		if s.first != nil {
			faults = append(faults, fmt.Errorf("%d requests failed, the first one with: %w", s.failed, s.first))
		}
	}
	if r.lost > 0 {
		faults = append(faults, fmt.Errorf("%d deliveries of acknowledged events are missing", r.lost))
	}
	if r.warnings > 0 {
		faults = append(faults, fmt.Errorf("the connector logged %d warnings", r.warnings))
	}
	if r.length >= judgedFrom {
		early, end := r.part(1), r.part(parts-1)
		if end.mebibytes > moreMemory*early.mebibytes {
			faults = append(faults, fmt.Errorf("memory grew from %.1f to %.1f MiB", early.mebibytes, end.mebibytes))
		}
		if end.fewest > early.most { // in between, connections come and go
			faults = append(faults, fmt.Errorf("open files grew from at most %d to at least %d", early.most, end.fewest))
		}
	}
	return errors.Join(faults...)
}
