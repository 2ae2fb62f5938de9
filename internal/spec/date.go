package spec

import (
	"strings"
	"time"
	_ "time/tzdata" // the image has no zone files
)

// A moment is a date as read. A day has no time of its own; its instant is the midnight that begins it.
type moment struct {
	at  time.Time
	day bool
}

// The written forms of a date: with slashes the year may come last and then the month comes first, with dots the day does.
var (
	dayLayouts   = []string{"2006-1-2", "2006/1/2", "1/2/2006", "2.1.2006"}
	clockLayouts = []string{"15:04:05", "15:04", "3:04:05 PM", "3:04 PM", "3:04:05PM", "3:04PM"}
	zoneLayouts  = []string{"", "Z07:00", " Z07:00", "Z0700", " Z0700", " MST"}
)

const (
	// Unix seconds below are years before 1973: a count or an amount that was mapped into the wrong field.
	secondsMin = 100_000_000
	// Numbers from here on are milliseconds: as seconds they would lie beyond the year 5000.
	millisMin = 100_000_000_000
	// millisMax is the end of the year 9999.
	millisMax = 253_402_300_799_999
)

// readDate reads a date in one of the forms that callers write. Without a zone it is in the given one.
func readDate(s string, zone *time.Location) (moment, string) {
	if unsigned := strings.TrimSuffix(s, ".0"); unsigned != "" && digits(unsigned) {
		n, problem := whole(unsigned)
		switch {
		case problem != "" || n > millisMax:
			return moment{}, "is out of range"
		case n < secondsMin:
			return moment{}, "must be a date; a number this small is no Unix time"
		case n >= millisMin:
			return moment{at: time.UnixMilli(n)}, ""
		}
		return moment{at: time.Unix(n, 0)}, ""
	}
	day, clock := splitClock(s)
	for _, dl := range dayLayouts {
		if clock == "" {
			if t, err := time.ParseInLocation(dl, day, zone); err == nil {
				return moment{at: t, day: true}, inRange(t)
			}
			continue
		}
		if _, err := time.Parse(dl, day); err != nil {
			continue
		}
		for _, cl := range clockLayouts {
			for _, zl := range zoneLayouts {
				if t, ok := parseClock(dl+" "+cl+zl, day+" "+clock, zone); ok {
					return moment{at: t}, inRange(t)
				}
			}
		}
	}
	return moment{}, "must be a date such as 2024-06-20T15:04:05Z, 2024-06-20 or Unix seconds"
}

// parseClock takes a zone name only where it can mean but one offset: time.Parse makes up a zone of offset zero for
// any three letters that it does not know.
func parseClock(layout, s string, zone *time.Location) (time.Time, bool) {
	t, err := time.ParseInLocation(layout, s, zone)
	if err != nil {
		return time.Time{}, false
	}
	if strings.HasSuffix(layout, "MST") {
		if name, _ := t.Zone(); name != "UTC" && name != "GMT" {
			return time.Time{}, false
		}
		t = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
	}
	return t, true
}

func inRange(t time.Time) string {
	if t.Unix() < secondsMin || t.UnixMilli() > millisMax {
		return "is out of range"
	}
	return ""
}

// splitClock cuts a date into its day and its time of day, which a T or a blank parts.
func splitClock(s string) (day, clock string) {
	i := strings.IndexAny(s, "Tt ")
	if i < 0 {
		return s, ""
	}
	return s[:i], strings.ToUpper(strings.TrimSpace(s[i+1:]))
}

// Bounds are the limits of a date range in Unix seconds; nil is open.
type Bounds struct{ GT, GTE, LT, LTE *int64 }

// Hold says that t lies within the bounds.
func (b Bounds) Hold(t int64) bool {
	return (b.GT == nil || t > *b.GT) && (b.GTE == nil || t >= *b.GTE) && (b.LT == nil || t < *b.LT) && (b.LTE == nil || t <= *b.LTE)
}

// The operators of a date.
const (
	opBefore     = "before"
	opAfter      = "after"
	opOn         = "on"
	opOnOrBefore = "on_or_before"
	opOnOrAfter  = "on_or_after"
	opEquals     = "equals"
)

func dateOperators() []Option {
	return []Option{
		Opt(opBefore, "before", "date:less"), Opt(opAfter, "after", "date:greater"), Opt(opOn, "on", "date:equal"),
		Opt(opOnOrBefore, "on or before", "date:lessorequal"), Opt(opOnOrAfter, "on or after", "date:greaterorequal"),
	}
}

// bounds are the limits that an operator puts on a moment. On is the calendar day of a date, or the 24 hours that begin
// at a point in time: a platform's date picker sends the midnight of its user's zone.
func bounds(operator string, m moment) Bounds {
	t := m.at.Unix()
	next := m.at.Add(24 * time.Hour).Unix()
	if m.day {
		next = m.at.AddDate(0, 0, 1).Unix()
	}
	switch operator {
	case opBefore:
		return Bounds{LT: &t}
	case opAfter:
		return Bounds{GT: &t}
	case opOnOrAfter:
		return Bounds{GTE: &t}
	case opOnOrBefore:
		if m.day {
			return Bounds{LT: &next}
		}
		return Bounds{LTE: &t}
	default:
		return Bounds{GTE: &t, LT: &next}
	}
}
