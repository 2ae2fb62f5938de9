package spec

import (
	"testing"
	"time"
)

func TestReadDate(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		in   string
		zone *time.Location
		want string // RFC 3339; empty: refused
		day  bool
	}{
		{"2024-06-20T15:04:05Z", time.UTC, "2024-06-20T15:04:05Z", false},
		{"2024-06-20T15:04:05.123+02:00", time.UTC, "2024-06-20T13:04:05Z", false},
		{"2024-06-20t15:04:05z", time.UTC, "2024-06-20T15:04:05Z", false},
		{"2024-06-20", time.UTC, "2024-06-20T00:00:00Z", true},
		{"2024-06-20", berlin, "2024-06-19T22:00:00Z", true},
		{"2024-06-20 15:04", berlin, "2024-06-20T13:04:00Z", false},
		{"2024-06-20 15:04:05", time.UTC, "2024-06-20T15:04:05Z", false},
		{"2024-06-20 15:04:05 +0100", berlin, "2024-06-20T14:04:05Z", false},
		{"2024-06-20 15:04:05+01:00", berlin, "2024-06-20T14:04:05Z", false},
		{"2024-06-20 15:04 UTC", berlin, "2024-06-20T15:04:00Z", false},
		{"2024/06/20 15:04", time.UTC, "2024-06-20T15:04:00Z", false},
		{"06/20/2024", time.UTC, "2024-06-20T00:00:00Z", true},
		{"6/2/2024 5:26 PM", time.UTC, "2024-06-02T17:26:00Z", false},
		{"6/2/2024 5:26 pm", time.UTC, "2024-06-02T17:26:00Z", false},
		{"20.6.2024", time.UTC, "2024-06-20T00:00:00Z", true},
		{"02.06.2024 17:26:10", time.UTC, "2024-06-02T17:26:10Z", false},
		{"1718895845", berlin, "2024-06-20T15:04:05Z", false},
		{"1718895845.0", berlin, "2024-06-20T15:04:05Z", false},
		{"1718895845123", berlin, "2024-06-20T15:04:05Z", false},
		{"100000000", time.UTC, "1973-03-03T09:46:40Z", false},
		{"99999999", time.UTC, "", false},
		{"0", time.UTC, "", false},
		{"-1718895845", time.UTC, "", false},
		{"1718895845.5", time.UTC, "", false},
		{"9999999999999999", time.UTC, "", false},
		{"20/06/2024", time.UTC, "", false},
		{"6.20.2024", time.UTC, "", false},
		{"2024-02-30", time.UTC, "", false},
		{"2024-06-20 25:00", time.UTC, "", false},
		{"2024-06-20 15:04 XYZ", time.UTC, "", false},
		{"tomorrow", time.UTC, "", false},
		{"1960-01-01", time.UTC, "", false},
		{"", time.UTC, "", false},
	}
	for _, tt := range tests {
		got, problem := readDate(tt.in, tt.zone)
		if tt.want == "" {
			if problem == "" {
				t.Errorf("readDate(%q) = %s, want a problem", tt.in, got.at.UTC())
			}
			continue
		}
		if at := got.at.UTC().Truncate(time.Second).Format(time.RFC3339); problem != "" || at != tt.want || got.day != tt.day {
			t.Errorf("readDate(%q, %s) = %s, day %t, %q, want %s, day %t", tt.in, tt.zone, at, got.day, problem, tt.want, tt.day)
		}
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	// On the last Sunday of March 2024, the clocks of Berlin went forward: the day has 23 hours.
	start := time.Date(2024, 3, 31, 0, 0, 0, 0, berlin)
	at := start.Unix()
	tests := []struct {
		operator string
		day      bool
		inside   []int64
		outside  []int64
	}{
		{opBefore, true, []int64{at - 1}, []int64{at, at + 1}},
		{opAfter, true, []int64{at + 1}, []int64{at, at - 1}},
		{opOn, true, []int64{at, at + 23*3600 - 1}, []int64{at - 1, at + 23*3600}},
		{opOn, false, []int64{at, at + 24*3600 - 1}, []int64{at - 1, at + 24*3600}},
		{opOnOrBefore, true, []int64{at, at + 23*3600 - 1}, []int64{at + 23*3600}},
		{opOnOrBefore, false, []int64{at}, []int64{at + 1}},
		{opOnOrAfter, false, []int64{at, at + 1}, []int64{at - 1}},
	}
	for _, tt := range tests {
		limits := bounds(tt.operator, moment{at: start, day: tt.day})
		for _, s := range tt.inside {
			if !limits.Hold(s) {
				t.Errorf("%s, day %t: %d is outside, want it inside", tt.operator, tt.day, s-at)
			}
		}
		for _, s := range tt.outside {
			if limits.Hold(s) {
				t.Errorf("%s, day %t: %d is inside, want it outside", tt.operator, tt.day, s-at)
			}
		}
	}
}
