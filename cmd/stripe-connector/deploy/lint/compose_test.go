package lint

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// load reads a file as `docker compose config` does.
func load(t *testing.T, file string, environment types.Mapping) (*types.Project, error) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir: filepath.Dir(file), ConfigFiles: []types.ConfigFile{{Filename: file, Content: content}},
		Environment: maps.Clone(environment), // the loader adds to it
	})
}

func TestCompose(t *testing.T) {
	t.Parallel()
	tests := []struct {
		file     string
		needs    types.Mapping
		replicas int
		volume   string // where the connector may write
	}{
		{"../compose.sqlite.yaml", types.Mapping{"CONNECTOR_PUBLIC_URL": "https://connector.example.com"}, 1, "/data"},
		{"../compose.postgres.yaml", types.Mapping{"SITE": "connector.example.com", "POSTGRES_PASSWORD": "secret", "CONNECTOR_SECRET_KEYS": "k1:key"}, 2, ""},
	}
	for _, tt := range tests {
		t.Run(filepath.Base(tt.file), func(t *testing.T) {
			t.Parallel()
			project, err := load(t, tt.file, tt.needs)
			if err != nil {
				t.Fatal(err)
			}
			c := project.Services["connector"]
			if !c.ReadOnly || !slices.Equal(c.CapDrop, []string{"ALL"}) || !slices.Equal(c.SecurityOpt, []string{"no-new-privileges:true"}) {
				t.Error("want a read-only root, no capabilities and no way to more")
			}
			if c.StopGracePeriod == nil || time.Duration(*c.StopGracePeriod) < 30*time.Second {
				t.Error("it is killed before it has drained, which takes up to 25 s")
			}
			if c.Environment["GOMEMLIMIT"] == nil || c.MemLimit == 0 {
				t.Error("its memory has no limit")
			}
			if got := c.GetScale(); got != tt.replicas {
				t.Errorf("%d replicas, want %d", got, tt.replicas)
			}
			var writes []string
			for _, v := range c.Volumes {
				writes = append(writes, v.Target)
			}
			if got := strings.Join(writes, " "); got != tt.volume {
				t.Errorf("it may write to %q, want %q", got, tt.volume)
			}
			if got := *c.Environment["CONNECTOR_PUBLIC_URL"]; got != "https://connector.example.com" {
				t.Errorf("CONNECTOR_PUBLIC_URL = %s", got)
			}
			if len(c.Ports) > 0 && c.Ports[0].HostIP != "127.0.0.1" {
				t.Error("plain HTTP is open to the network")
			}
			if proxy, ok := project.Configs["proxy"]; ok && !strings.HasPrefix(proxy.Content, "{$SITE} {\n") {
				t.Errorf("the proxy is told:\n%s", proxy.Content)
			}
			// What has no default is asked for by name.
			for name := range tt.needs {
				without := maps.Clone(tt.needs)
				delete(without, name)
				if _, err := load(t, tt.file, without); err == nil || !strings.Contains(err.Error(), name) {
					t.Errorf("without %s: %v", name, err)
				}
			}
		})
	}
}
