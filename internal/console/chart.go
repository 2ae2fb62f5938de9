package console

import (
	"fmt"
	"math"
	"time"
)

// A chart is a row of stacked bars, drawn as SVG by the template. Its unit is one bar wide and 100 high; the page stretches it.
type chart struct {
	Label string // what a screen reader says of it
	Bars  []bar
	Width int
	Top   string   // of the scale
	Ticks []string // below, evenly spread
}

type bar struct {
	X     int
	Parts []part
	Title string
}

type part struct {
	Class string
	Y, H  float64
}

// A series is one colour of a chart.
type series struct {
	name, class string
	value       func(span) int
}

// draw makes a chart of counts a minute.
func draw(s *summary, label string, all ...series) chart {
	c := chart{Width: len(s.Spans)}
	perMinute := 1 / s.Step.Minutes()
	most := 0
	totals := make([]int, len(all))
	for _, at := range s.Spans {
		sum := 0
		for i, one := range all {
			sum += one.value(at)
			totals[i] += one.value(at)
		}
		most = max(most, sum)
	}
	top := niceCeil(float64(most) * perMinute)
	c.Top = fmt.Sprintf("%g/min", top)
	c.Label = label
	for i, one := range all {
		c.Label += fmt.Sprintf(", %d %s", totals[i], one.name)
	}
	for i, at := range s.Spans {
		b := bar{X: i, Title: at.From.UTC().Format("15:04") + "–" + at.From.Add(s.Step).UTC().Format("15:04")}
		y := 100.0
		for _, one := range all {
			n := one.value(at)
			b.Title += fmt.Sprintf(", %d %s", n, one.name)
			if n == 0 {
				continue
			}
			h := max(float64(n)*perMinute/top*100, 1.5)
			y -= h
			b.Parts = append(b.Parts, part{one.class, math.Round(y*10) / 10, math.Round(h*10) / 10})
		}
		c.Bars = append(c.Bars, b)
	}
	for i := 0; i < len(s.Spans); i += len(s.Spans) / 4 {
		c.Ticks = append(c.Ticks, s.Spans[i].From.UTC().Format("15:04"))
	}
	c.Ticks = append(c.Ticks, s.Spans[len(s.Spans)-1].From.Add(s.Step).UTC().Format("15:04"))
	return c
}

// niceCeil is the next number that people like at the end of a scale.
func niceCeil(v float64) float64 {
	if v <= 0 {
		return 1
	}
	magnitude := math.Pow(10, math.Floor(math.Log10(v)))
	for _, step := range []float64{1, 2, 5, 10} {
		if v <= step*magnitude*(1+1e-9) {
			return step * magnitude
		}
	}
	return 10 * magnitude
}

// Whole reports whether the summary covers all 24 hours before now.
func (s *summary) Whole(now time.Time) bool { return now.Sub(s.Since) >= 24*time.Hour-time.Minute }
