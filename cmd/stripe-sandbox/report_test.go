package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Requests begin when they are due, also behind one that hangs, and what they take counts from then.
func TestSeries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s series
		s.begin(time.Now(), 10)
		begun := make([]time.Duration, 10)
		s.send(t.Context(), time.Second, func(_ context.Context, n int) error {
			begun[n] = time.Since(s.began)
			switch n {
			case 0:
				time.Sleep(5 * time.Second)
			case 9:
				return errors.New("refused")
			}
			return nil
		})
		for n, at := range begun {
			if want := time.Duration(n) * 100 * time.Millisecond; at != want {
				t.Errorf("request %d began after %v, want %v", n, at, want)
			}
		}
		if got := [2]int{s.count(), s.errors()}; got != [2]int{9, 1} {
			t.Errorf("%d went well and %d failed, want 9 and 1", got[0], got[1])
		}
		if got, want := s.spread(), [3]time.Duration{0, 5 * time.Second, 5 * time.Second}; got != want {
			t.Errorf("spread = %v, want %v", got, want)
		}
	})
}

// What a soak must not show fails it, and says why.
func TestJudge(t *testing.T) {
	t.Parallel()
	// rising is an hour of samples that go from one to the other.
	rising := func(from, to sample) []sample {
		samples := make([]sample, samplings)
		for i := range samples {
			samples[i] = sample{from.rss + (to.rss-from.rss)*i/samplings, from.files + (to.files-from.files)*i/samplings}
		}
		return samples
	}
	flat := rising(sample{50_000, 60}, sample{50_000, 60})
	swinging := slices.Clone(flat)
	for i := range swinging {
		swinging[i] = sample{50_000 + 20_000*(i%2), 60 + 50*(i/7%2)}
	}
	tests := []struct {
		name string
		r    report
		want string // part of the error; none if empty
	}{
		{"nothing", report{samples: flat}, ""},
		{"what comes and goes", report{samples: swinging}, ""},
		{"memory that grows", report{samples: rising(sample{50_000, 60}, sample{60_000, 60})}, "memory grew from 50.0 to 58.2 MiB"},
		{"files that stay open", report{samples: rising(sample{50_000, 60}, sample{50_000, 90})}, "open files grew from at most 64 to at least 87"},
		{"a lost event", report{samples: flat, lost: 1}, "1 deliveries of acknowledged events are missing"},
		{"a warning", report{samples: flat, warnings: 2}, "the connector logged 2 warnings"},
		{"a refusal", report{samples: flat, calls: &series{failed: 3, first: errors.New("answered 503")}}, "3 requests failed, the first one with: answered 503"},
		{"a short run that warms up", report{samples: rising(sample{20_000, 10}, sample{60_000, 90}), length: time.Minute}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := tt.r
			if r.length == 0 {
				r.length = time.Hour
			}
			r.events, r.deliveries = &series{}, &series{}
			if r.calls == nil {
				r.calls = &series{}
			}
			err := r.judge()
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
