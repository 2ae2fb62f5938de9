package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A row is one figure that is held against something.
type row struct {
	Name   string      `json:"name"` // of the measurement
	What   string      `json:"what"`
	Unit   string      `json:"unit"`
	Ours   float64     `json:"ours"`
	Beside float64     `json:"beside,omitempty"` // the ceiling, or the case that ours is compared with
	Judged judged      `json:"judged,omitempty"`
	Value  float64     `json:"value"` // what is judged
	Target float64     `json:"target,omitempty"`
	Met    bool        `json:"met"`
	Runs   [][]float64 `json:"runs"` // ours and beside, run by run
}

// judged says how ours is held against what is beside it.
type judged string

const (
	share  judged = "of" // ours / beside, at least the target
	times  judged = "×"  // ours / beside, at most the target
	excess judged = "+"  // ours - beside, at most the target
	limit  judged = "≤"  // ours, at most the target
	floor  judged = "≥"  // ours, at least the target
	shown  judged = ""   // for information
)

// judge makes a row of interleaved runs: medians, and of the comparisons the median too, so that a machine that drifts
// from run to run does not tilt them.
func judge(name, what, unit string, how judged, target float64, runs ...[]float64) row {
	ours, beside, values := make([]float64, len(runs)), make([]float64, len(runs)), make([]float64, len(runs))
	for i, run := range runs {
		ours[i] = run[0]
		if len(run) > 1 {
			beside[i] = run[1]
		}
		switch how {
		case share, times:
			values[i] = ours[i] / beside[i]
		case excess:
			values[i] = ours[i] - beside[i]
		default:
			values[i] = ours[i]
		}
	}
	r := row{
		Name: name, What: what, Unit: unit, Ours: median(ours), Beside: median(beside), Judged: how, Value: median(values), Target: target,
		Runs: runs,
	}
	switch how {
	case share, floor:
		r.Met = r.Value >= target
	case times, excess, limit:
		r.Met = r.Value <= target
	default:
		r.Met = true
	}
	return r
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// cells are a row as people read it.
func (r row) cells() []string {
	beside, value, target, met := "", "", "", ""
	if r.Beside != 0 {
		beside = number(r.Beside)
	}
	switch r.Judged {
	case share:
		value, target = fmt.Sprintf("%.2f", r.Value), fmt.Sprintf("≥ %.2f", r.Target)
	case times:
		value, target = fmt.Sprintf("%.2f", r.Value), fmt.Sprintf("≤ %.2f", r.Target)
	case excess:
		value, target = fmt.Sprintf("%+.2f", r.Value), fmt.Sprintf("≤ %+.2f", r.Target)
	case limit:
		value, target = number(r.Value), "≤ "+number(r.Target)
	case floor:
		value, target = number(r.Value), "≥ "+number(r.Target)
	case shown:
	}
	if r.Judged != shown {
		met = "yes"
		if !r.Met {
			met = "NO"
		}
	}
	return []string{r.What, r.Unit, number(r.Ours), beside, value, target, met}
}

var head = []string{"what", "unit", "ours", "beside", "judged", "target", "met"}

func number(v float64) string {
	switch {
	case v >= 1000:
		return fmt.Sprintf("%.0f", v)
	case v >= 10 || v == float64(int(v)):
		return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0")
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

// A report is all that one run of the program found.
type report struct {
	Date      string `json:"date"`
	Machine   string `json:"machine"`
	Connector string `json:"connector"`
	Command   string `json:"command"`
	Rows      []row  `json:"rows"`
}

func newReport(version string) report {
	return report{
		Date:      time.Now().UTC().Format(time.DateOnly),
		Machine:   fmt.Sprintf("%d × %s, %s, %s/%s", runtime.NumCPU(), processor(), runtime.Version(), runtime.GOOS, runtime.GOARCH),
		Connector: version,
		Command:   strings.Join(append([]string{"connector-bench"}, os.Args[1:]...), " "),
	}
}

func processor() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "processors"
	}
	for line := range strings.Lines(string(info)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "processors"
}

// table writes the report for a terminal.
func (r report) table(w io.Writer) error {
	fmt.Fprintf(w, "%s\n%s\n%s\n%s\n\n", r.Date, r.Machine, r.Connector, r.Command)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, cells := range append([][]string{head}, r.cells()...) {
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	return t.Flush()
}

func (r report) cells() [][]string {
	all := make([][]string, len(r.Rows))
	for i, row := range r.Rows {
		all[i] = row.cells()
	}
	return all
}

// markdown writes the report as the README has it.
func (r report) markdown(w io.Writer) {
	fmt.Fprintf(w, "%s, %s, %s; `%s`\n\n", r.Date, r.Machine, r.Connector, r.Command)
	line := func(cells []string) { fmt.Fprintln(w, "| "+strings.Join(cells, " | ")+" |") }
	line(head)
	line(slices.Repeat([]string{"---"}, len(head)))
	for _, cells := range r.cells() {
		line(cells)
	}
}

func (r report) save(file string) error {
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}
