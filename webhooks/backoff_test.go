package webhooks

import (
	"testing"
	"time"
)

func TestDefaultSchedule(t *testing.T) {
	t.Parallel()
	schedule := DefaultSchedule()
	var sum time.Duration
	for _, wait := range schedule {
		sum += wait
	}
	if sum > 72*time.Hour || sum+4*time.Hour <= 72*time.Hour {
		t.Errorf("the waits sum to %s, want the last multiple of 4 h within three days", sum)
	}
	if got, want := schedule[6], 2*time.Hour; got != want {
		t.Errorf("seventh wait = %s, want %s", got, want)
	}
	if got, want := schedule[7], 4*time.Hour; got != want {
		t.Errorf("eighth wait = %s, want %s", got, want)
	}
}

func TestScheduleWait(t *testing.T) {
	t.Parallel()
	schedule := Schedule{10 * time.Second, time.Minute}
	tests := []struct {
		name     string
		attempts int
		random   float64
		want     time.Duration
		wantMore bool
	}{
		{"after the first attempt", 1, 0.5, 10 * time.Second, true},
		{"jitter down", 1, 0, 8 * time.Second, true},
		{"jitter up", 2, 0.9999999999, 72 * time.Second, true},
		{"two waits are three attempts", 3, 0.5, 0, false},
		{"before the first attempt", 0, 0.5, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, more := schedule.wait(tt.attempts, tt.random)
			if got.Round(time.Millisecond) != tt.want || more != tt.wantMore {
				t.Errorf("wait(%d, %v) = %s, %t, want %s, %t", tt.attempts, tt.random, got, more, tt.want, tt.wantMore)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		header string
		want   time.Duration
	}{
		{"", 0},
		{"0", 0},
		{"120", 2 * time.Minute},
		{"-5", 0},
		{"12.5", 0},
		{"soon", 0},
		{"9223372036854775807", 24 * time.Hour},
		{"99999999999999999999999", 24 * time.Hour},
		{"-9223372036854775807", 0},
		{"-9223372036", 0},
		{"Sun, 01 Mar 2026 12:01:00 GMT", time.Minute},
		{"Sunday, 01-Mar-26 12:01:00 GMT", time.Minute},
		{"Sun, 01 Mar 2026 11:59:00 GMT", 0},
		{"Wed, 01 Apr 2026 12:00:00 GMT", 24 * time.Hour},
	}
	for _, tt := range tests {
		t.Run(tt.header, func(t *testing.T) {
			t.Parallel()
			if got := retryAfter(tt.header, now); got != tt.want {
				t.Errorf("retryAfter(%q) = %s, want %s", tt.header, got, tt.want)
			}
		})
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"", "1", "-1", "99999999999999999999", "Sun, 01 Mar 2026 12:01:00 GMT"} {
		f.Add(seed)
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, header string) {
		if got := retryAfter(header, now); got < 0 || got > maxRetryAfter {
			t.Errorf("retryAfter(%q) = %s, out of bounds", header, got)
		}
	})
}
