package spec

import (
	"strconv"
	"strings"
)

// whole reads an integer that is written as a JSON number or as text: 100, "100", 100.0, 1e2. Anything that would have
// to be rounded, and any separator, is refused: money is never guessed at.
func whole(literal string) (n int64, problem string) {
	const notWhole = "must be a whole number"
	sign, rest := "", literal
	switch {
	case strings.HasPrefix(rest, "-"):
		sign, rest = "-", rest[1:]
	case strings.HasPrefix(rest, "+"):
		rest = rest[1:]
	}
	mantissa, exponent, scientific := strings.Cut(strings.ToLower(rest), "e")
	integer, fraction, _ := strings.Cut(mantissa, ".")
	if integer == "" || !digits(integer) || !digits(fraction) || strings.HasSuffix(mantissa, ".") {
		return 0, notWhole
	}
	shift := 0
	if scientific {
		var err error
		// An int64 has 19 digits; more of a shift can only be zero or too large.
		if shift, err = strconv.Atoi(exponent); err != nil || shift < -40 || shift > 40 {
			return 0, notWhole
		}
	}
	fraction = strings.TrimRight(fraction, "0")
	all := integer + fraction
	switch point := len(integer) + shift; {
	case point >= len(all):
		all += strings.Repeat("0", point-len(all))
	case point <= 0:
		if strings.Trim(all, "0") != "" {
			return 0, notWhole + ", without a fraction"
		}
		all = "0"
	default:
		if strings.Trim(all[point:], "0") != "" {
			return 0, notWhole + ", without a fraction"
		}
		all = all[:point]
	}
	n, err := strconv.ParseInt(sign+all, 10, 64)
	if err != nil {
		return 0, "is out of range"
	}
	return n, ""
}

// digits says that there is nothing but ASCII digits in s.
func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }
