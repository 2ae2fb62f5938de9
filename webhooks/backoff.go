package webhooks

import (
	"errors"
	"net/http"
	"strconv"
	"time"
)

const (
	// jitter is how far a wait strays from the schedule, as a part of it, so that what failed together does not come
	// back together.
	jitter = 0.2

	// maxRetryAfter is the longest that a subscriber may put us off; more is cut to it.
	maxRetryAfter = 24 * time.Hour
)

// A Schedule holds the waits between the attempts of a delivery. A delivery is given one attempt more than there are
// waits; then it is dead.
type Schedule []time.Duration

// DefaultSchedule waits 5 s, 30 s, 2 min, 10 min, 30 min, 1 h and 2 h, then 4 h again and again until three days have
// passed since the first attempt.
func DefaultSchedule() Schedule {
	s := Schedule{
		5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour,
	}
	var sum time.Duration
	for _, wait := range s {
		sum += wait
	}
	for sum += 4 * time.Hour; sum <= 72*time.Hour; sum += 4 * time.Hour {
		s = append(s, 4*time.Hour)
	}
	return s
}

// wait is how long to wait after the given number of attempts, strayed by random, which is in [0, 1). It reports false
// when there are no more attempts.
func (s Schedule) wait(attempts int, random float64) (time.Duration, bool) {
	if attempts < 1 || attempts > len(s) {
		return 0, false
	}
	return time.Duration(float64(s[attempts-1]) * (1 + jitter*(2*random-1))), true
}

// retryAfter reads the header of that name, in either of its forms; it is zero when there is none, or none in the future.
// See https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3.
func retryAfter(header string, now time.Time) time.Duration {
	if header == "" {
		return 0
	}
	var wait time.Duration
	if seconds, err := strconv.ParseUint(header, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) { // then it is the most that there is
		// Multiplying first would overflow.
		wait = time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}
