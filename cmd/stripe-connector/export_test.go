package main

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// exportMake runs the command in this process.
func exportMake(t *testing.T, args ...string) (code int, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(t.Context(), invocation{args: append([]string{"export", "make"}, args...), stdout: &out, stderr: &err})
	if out.Len() > 0 {
		t.Errorf("wrote %q to standard output, want nothing", out.String())
	}
	return code, err.String()
}

func TestExportArchive(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "folder")
	var zips [2][]byte
	for i := range zips {
		if code, stderr := exportMake(t, "--out", dir, "--base-url", "https://connector.example.com", "--name", "my-stripe"); code != 0 || stderr != "" {
			t.Fatalf("ended with code %d: %s", code, stderr)
		}
		data, err := os.ReadFile(filepath.Join(dir, "my-stripe.zip"))
		if err != nil {
			t.Fatal(err)
		}
		zips[i] = data
	}
	if !bytes.Equal(zips[0], zips[1]) {
		t.Error("the second export differs from the first")
	}
	r, err := zip.NewReader(bytes.NewReader(zips[0]), int64(len(zips[0])))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.File {
		if !strings.HasPrefix(f.Name, "my-stripe/") {
			t.Errorf("%s is not in the app's folder", f.Name)
		}
	}
}

func TestExportProject(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	kept := filepath.Join(dir, ".secrets", "apikey")
	if err := os.MkdirAll(filepath.Dir(kept), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(kept, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // over itself
		if code, stderr := exportMake(t, "--out", dir, "--format", "project", "--base-url", "https://connector.example.com/"); code != 0 {
			t.Fatalf("ended with code %d: %s", code, stderr)
		}
	}
	base, err := os.ReadFile(filepath.Join(dir, "general", "base.iml.json"))
	if err != nil {
		t.Fatal(err)
	}
	if want := `"baseUrl": "https://connector.example.com",`; !strings.Contains(string(base), want) {
		t.Errorf("the base is %s, want %s in it", base, want)
	}
	if data, err := os.ReadFile(kept); err != nil || string(data) != "secret" {
		t.Errorf("the API key beside the project became %q, %v", data, err)
	}
}

func TestExportIsRefused(t *testing.T) {
	t.Parallel()
	const base = "https://connector.example.com"
	tests := []struct {
		name   string
		args   []string
		code   int
		stderr string
	}{
		{"no folder", []string{"--base-url", base}, 2, "--out must be given"},
		{"unknown format", []string{"--out", "DIR", "--base-url", base, "--format", "tar"}, 2, "--format must be archive or project"},
		{"a bad name", []string{"--out", "DIR", "--base-url", base, "--name", "My App"}, 1, `the name "My App"`},
		{"a bad base URL", []string{"--out", "DIR", "--base-url", "connector.example.com"}, 1, "the base URL must be"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for i, arg := range tt.args {
				tt.args[i] = strings.Replace(arg, "DIR", dir, 1)
			}
			code, stderr := exportMake(t, tt.args...)
			if code != tt.code || !strings.Contains(stderr, tt.stderr) {
				t.Errorf("ended with code %d and said %q, want %d and %q", code, stderr, tt.code, tt.stderr)
			}
			if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
				t.Errorf("left %v behind, %v", files, err)
			}
		})
	}
}

func TestExportWarnsOfHTTP(t *testing.T) {
	t.Parallel()
	code, stderr := exportMake(t, "--out", t.TempDir(), "--base-url", "http://localhost:8080")
	if code != 0 || !strings.Contains(stderr, "in the clear") {
		t.Errorf("ended with code %d and said %q, want 0 and a warning", code, stderr)
	}
}
