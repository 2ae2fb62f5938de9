package modules

import (
	"net/http"
	"regexp"
	"testing"
)

// safePath is what a call may go to: an empty or a made-up step would be another call than the module's.
var safePath = regexp.MustCompile(`^/v1(/[A-Za-z0-9_-]+)+$`)

// FuzzModules: whatever a bundle holds, a module refuses it with faults or makes calls of its own kind.
func FuzzModules(f *testing.F) {
	c, err := Catalogue()
	if err != nil {
		f.Fatal(err)
	}
	all := c.Modules()
	for i, m := range all {
		bundles, _ := formOf(m).full()
		for _, b := range bundles {
			f.Add(uint8(i), b.json())
		}
	}
	f.Fuzz(func(t *testing.T, i uint8, body []byte) {
		m := all[int(i)%len(all)]
		b, err := m.Decode(body, maxLimit)
		if err != nil {
			return
		}
		made, err := run(m, b, http.HandlerFunc(empty))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range made {
			if !safePath.MatchString(r.Path) {
				t.Errorf("%s calls %s %s", m.Key, r.Method, r.Path)
			}
		}
	})
}
