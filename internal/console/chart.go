package console

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// A chart is what assets/charts.js draws with uPlot: one value of each series for every span. Its fields are named for that.
type chart struct {
	ID     string   `json:"-"`
	Title  string   `json:"-"`
	Per    string   `json:"-"` // what is counted, below the title
	Label  string   `json:"label"`
	Unit   string   `json:"unit"`
	From   int64    `json:"from"` // Unix seconds
	Step   int64    `json:"step"` // seconds
	Series []series `json:"series"`
	Empty  bool     `json:"-"`
}

// Units of charts.
const (
	unitRate = "/min" // stacked bars
	unitMS   = "ms"   // lines, over a scale of decades
)

// A series is one colour of a chart, c1 to c5 of the stylesheet.
type series struct {
	Name   string  `json:"name"`
	Colour string  `json:"colour"`
	Values []value `json:"values"`
}

// A value is a number of a chart; NaN: there is none.
type value float64

// MarshalJSON writes four digits that count, or null.
func (v value) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(v)) {
		return []byte("null"), nil
	}
	return fmt.Appendf(nil, "%.4g", float64(v)), nil
}

// JSON is the chart for the script.
func (c chart) JSON() (string, error) {
	b, err := json.Marshal(c)
	return string(b), err
}

// A counter is what a series counts.
type counter struct {
	name, colour string
	of           func(*span) int
}

var (
	eventCounters   = []counter{{"received", "c1", func(s *span) int { return s.Received }}}
	attemptCounters = []counter{
		{"delivered", "c2", func(s *span) int { return s.Delivered }}, {"failed", "c3", func(s *span) int { return s.Failed }},
	}
	callCounters = []counter{
		{"done", "c2", func(s *span) int { return s.Calls[callDone] }},
		{"refused", "c4", func(s *span) int { return s.Calls[callRefused] }},
		{"failed", "c3", func(s *span) int { return s.Calls[callFailed] }},
	}
)

// rates makes a chart of counts a minute.
func (s *summary) rates(id, title string, counters []counter) chart {
	c := s.chart(id, title, unitRate)
	c.Per = "per minute"
	for _, one := range counters {
		values := make([]value, len(s.Spans))
		for i := range s.Spans {
			values[i] = value(float64(one.of(&s.Spans[i])) / s.minutes(i))
		}
		total := one.of(&s.span)
		c.Empty = c.Empty && total == 0
		c.Label += fmt.Sprintf(", %d %s", total, one.name)
		c.Series = append(c.Series, series{one.name, one.colour, values})
	}
	return c
}

// latencies makes the chart of how long deliveries took.
func (s *summary) latencies(id, title string) chart {
	c := s.chart(id, title, unitMS)
	c.Per, c.Empty = "received to delivered", s.P50() == 0
	if !c.Empty {
		c.Label += fmt.Sprintf(", p50 %s, p99 %s", milliseconds(s.P50()), milliseconds(s.P99()))
	}
	p50, p99 := make([]value, len(s.Spans)), make([]value, len(s.Spans))
	for i := range s.Spans {
		p50[i], p99[i] = value(math.NaN()), value(math.NaN())
		if at := &s.Spans[i]; at.P50() > 0 {
			p50[i], p99[i] = value(at.P50()), value(at.P99())
		}
	}
	c.Series = []series{{"p99", "c4", p99}, {"p50", "c1", p50}}
	return c
}

func (s *summary) chart(id, title, unit string) chart {
	return chart{ID: id, Title: title, Label: title, Unit: unit, From: s.Spans[0].From.Unix(), Step: int64(s.Step / time.Second), Empty: true}
}

// minutes is how long a span has lasted. That of the last one is what has passed of it, but at least a minute.
func (s *summary) minutes(i int) float64 {
	if i < len(s.Spans)-1 {
		return s.Step.Minutes()
	}
	return max(1, s.Now.Sub(s.Spans[i].From).Minutes())
}
