package spec

import (
	"math"
	"testing"
)

func TestWhole(t *testing.T) {
	t.Parallel()
	good := map[string]int64{
		"0": 0, "-0": 0, "100": 100, "+7": 7, "-250": -250, "100.0": 100, "100.000": 100, "1e2": 100, "1.5e1": 15, "1E+3": 1000, "2000e-3": 2,
		"007": 7, "9223372036854775807": math.MaxInt64, "-9223372036854775808": math.MinInt64, "0e40": 0, "0.0e-40": 0,
	}
	for in, want := range good {
		if got, problem := whole(in); problem != "" || got != want {
			t.Errorf("whole(%q) = %d, %q, want %d", in, got, problem, want)
		}
	}
	for _, in := range []string{
		"", " ", "-", ".", "1.", ".5", "12.5", "0.1", "1,000", "1 000", "1_000", "0x10", "١٢", "1e", "1e1.5", "1e99999999999", "--1", "ten",
		"15e-1", "1e-40", "NaN", "Infinity", "1e19", "9223372036854775808", "$10", "10€",
	} {
		if got, problem := whole(in); problem == "" {
			t.Errorf("whole(%q) = %d, want a problem", in, got)
		}
	}
}
