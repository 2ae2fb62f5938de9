package modules

import (
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

//go:generate go test -run ^TestGolden$ . -update

var update = flag.Bool("update", false, "rewrite the golden files")

const goldenDir = "testdata/golden"

// TestGolden pins what every module sends for bundles that together hold all its fields.
func TestGolden(t *testing.T) {
	t.Parallel()
	owned := map[string]bool{}
	for _, m := range catalogue(t).Modules() {
		name := filepath.Join(goldenDir, m.Key+".txt")
		owned[name] = true
		t.Run(m.Key, func(t *testing.T) {
			t.Parallel()
			got := transcript(t, formOf(m))
			if *update {
				if err := os.WriteFile(name, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("-golden +sent; -update rewrites it\n%s", diff)
			}
		})
	}
	files, err := filepath.Glob(filepath.Join(goldenDir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if !owned[name] {
			t.Errorf("%s belongs to no module", name)
		}
	}
}

// transcript is the module's full bundles, each with the calls that it makes.
func transcript(t *testing.T, f *form) []byte {
	t.Helper()
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s: %s\n", f.Group, f.Label)
	bundles, unheld := f.full()
	for _, b := range bundles {
		fmt.Fprintf(&out, "\n%s\n\n", b.json())
		decoded, faults := f.decode(b)
		if faults != nil {
			t.Fatal(faults)
		}
		made, err := run(f.Module, decoded, http.HandlerFunc(empty))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range made {
			out.WriteString(r.String())
		}
		if len(made) == 0 {
			out.WriteString("No call.\n")
		}
	}
	if unheld != nil {
		fmt.Fprintf(&out, "\nRefused: %s\n", strings.Join(unheld, ", "))
	}
	return out.Bytes()
}
