package main

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// A spread is how long things took, to three digits. It is safe for concurrent use.
type spread struct {
	mu   sync.Mutex
	hist *hdrhistogram.Histogram // microseconds
}

func newSpread() *spread {
	return &spread{hist: hdrhistogram.New(1, time.Minute.Microseconds(), 3)}
}

func (s *spread) add(took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.hist.RecordValue(min(max(took.Microseconds(), 1), time.Minute.Microseconds())) // always in range
}

// at is a percentile in milliseconds.
func (s *spread) at(percent float64) float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return float64(s.hist.ValueAtPercentile(percent)) / 1000
}

// A job does the nth piece of work. due is when it should begin.
type job func(ctx context.Context, n int, due time.Time) error

// closed has so many workers do one job after the other for a while, and returns how many they did a second. It finds how
// much can be done, and says little about latency, since workers that wait ask for nothing.
func closed(ctx context.Context, workers int, length time.Duration, do job) (perSecond float64, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		mu      sync.Mutex
		next    int
		running sync.WaitGroup
	)
	begun := time.Now()
	for range workers {
		running.Go(func() {
			for time.Since(begun) < length && ctx.Err() == nil {
				mu.Lock()
				n := next
				next++
				mu.Unlock()
				if err := do(ctx, n, time.Now()); err != nil {
					cancel(fmt.Errorf("job %d: %w", n, err))
				}
			}
		})
	}
	running.Wait()
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	return float64(next) / time.Since(begun).Seconds(), nil
}

// open begins jobs at a steady rate, whether or not earlier ones are done. What a job measures from due on includes the
// time for which the whole machine did not come round to it, so no slowness hides.
func open(ctx context.Context, perSecond int, length time.Duration, do job) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// Go's timers are a millisecond late on an idle machine; a thread's own sleep is not.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var running sync.WaitGroup
	begun := time.Now()
	for n := range int(length.Seconds() * float64(perSecond)) {
		due := begun.Add(time.Duration(n) * time.Second / time.Duration(perSecond))
		sleepUntil(due)
		if ctx.Err() != nil {
			break
		}
		running.Go(func() {
			if err := do(ctx, n, due); err != nil {
				cancel(fmt.Errorf("job %d: %w", n, err))
			}
		})
	}
	running.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

func sleepUntil(due time.Time) {
	for wait := time.Until(due); wait > 0; wait = time.Until(due) {
		pause := syscall.NsecToTimespec(wait.Nanoseconds())
		_ = syscall.Nanosleep(&pause, nil) // interrupted: sleep the rest
	}
}
