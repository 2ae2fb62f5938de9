package stripeapi

import (
	"bytes"
	"encoding/json"
	"testing"
)

func FuzzValidJSON(f *testing.F) {
	for _, body := range []string{
		"", " ", "{}", "[]", "null", "nul", "tru", "1", "-", "-0", "01", "1.", "1.5e", "1e+9", ".5", "{", "}", "[1,]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}",
		"{a:1}", "\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\x\"", "\"a\nb\"", "\"\xff\"", "\ufeff{}", "{} x", " {\"a\" : [ 1 , \"b\" , { } ] } ", "[[[[]]]]", "{\"a\":{\"b\":[]}",
		"\x00", "{}\x00", "Infinity", "NaN", "'a'", "// c\n{}",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if got, want := ValidJSON(body), json.Valid(body); got != want {
			t.Errorf("ValidJSON(%q) = %v, want %v", body, got, want)
		}
	})
}

func TestValidJSONNestedDeep(t *testing.T) {
	t.Parallel()
	deep := bytes.Repeat([]byte("["), 32<<20) // deeper than a stack may grow
	if ValidJSON(deep) {
		t.Error("what never closes is valid")
	}
}
