package makeapp_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stripe-connector/internal/makeapp"
	"stripe-connector/internal/spec"
	"stripe-connector/modules"
)

//go:generate go test -run Golden . -update

var update = flag.Bool("update", false, "write the golden files anew")

const (
	testName = "stripe-connector"
	testBase = "https://connector.example.com"
)

func catalogue(t *testing.T) *spec.Catalogue {
	t.Helper()
	c, err := modules.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wholeApp is the app of the whole catalogue, which takes a while to make.
var wholeApp = sync.OnceValues(func() (*makeapp.App, error) {
	c, err := modules.Catalogue()
	if err != nil {
		return nil, err
	}
	return makeapp.New(makeapp.Config{Name: testName, BaseURL: testBase, Catalogue: c})
})

func newApp(t *testing.T) *makeapp.App {
	t.Helper()
	app, err := wholeApp()
	if err != nil {
		t.Fatal(err)
	}
	return app
}

// some is a catalogue with a module of each type.
func some(t *testing.T) *spec.Catalogue {
	t.Helper()
	whole := catalogue(t)
	group := spec.Group{Label: "Some"}
	for _, key := range []string{"watch-events", "make-an-api-call", "create-customer", "list-all-payouts"} {
		m, ok := whole.Module(key)
		if !ok {
			t.Fatalf("there is no module %s", key)
		}
		group.Modules = append(group.Modules, m)
	}
	c, err := spec.NewCatalogue(whole.Lookups(), group)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func someApp(t *testing.T) *makeapp.App {
	t.Helper()
	app, err := makeapp.New(makeapp.Config{Name: testName, BaseURL: testBase, Catalogue: some(t)})
	if err != nil {
		t.Fatal(err)
	}
	return app
}

func TestExportsFollowTheRules(t *testing.T) {
	t.Parallel()
	app := newApp(t)
	for _, breach := range judgeArchive(testName, app.Archive()) {
		t.Errorf("archive: %s", breach)
	}
	for _, breach := range judgeProject(app.Project()) {
		t.Errorf("project: %s", breach)
	}
}

// The rules themselves are tested by breaking them.
func TestRulesAreEnforced(t *testing.T) {
	t.Parallel()
	app := someApp(t)
	const action = "modules/create-customer/create-customer"
	tests := []struct {
		name, file, old, replacement, want string
	}{
		{"unknown type of a parameter", action + ".mappable-params.iml.json", `"type": "email"`, `"type": "mail"`, "mail is none of"},
		{"unknown key of a parameter", action + ".mappable-params.iml.json", `"label": "Email"`, `"title": "Email"`, "title is no key of it"},
		{"enum on a text", action + ".mappable-params.iml.json", `"max": 5000`, `"enum": 5000`, "enum is no key of it"},
		{"a name twice", action + ".mappable-params.iml.json", `"name": "phone"`, `"name": "name"`, "a second name"},
		{"a missing RPC", action + ".mappable-params.iml.json", `rpc://listCoupons`, `rpc://listVouchers`, "refers to listVouchers"},
		{"a write without body", action + ".communication.iml.json", `"body"`, `"temp"`, "POST has no body"},
		{"unknown key of a request", action + ".communication.iml.json", `"method"`, `"verb"`, "verb is no key of it"},
		{"unknown key of a response", action + ".communication.iml.json", `"output"`, `"result"`, "result is no key of it"},
		{"an action with many bundles", action + ".communication.iml.json", `"output"`, `"iterate": "{{body}}", "output"`, "answers once"},
		{"unknown type of error", "modules/make-an-api-call/make-an-api-call.communication.iml.json", `"type": "{{if`, `"type": "SadError", "message": "{{if`, "SadError is none of"},
		{"a list where an object is wanted", action + ".samples.iml.json", `{`, `[{`, "is no JSON"},
		{"a missing file", "makecomapp.json", "create-customer.samples", "create-customer.sample", "create-customer.sample"},
		{"a missing section", "makecomapp.json", `"samples": "` + action, `"sample": "` + action, "samples is missing"},
		{"an unlisted module", "modules/groups.json", `"createCustomer",`, ``, "createCustomer is listed 0 times"},
		{"a bad id", "makecomapp.json", `"createCustomer": {`, `"create-customer": {`, "create-customer is no id"},
		{"a missing connection", "makecomapp.json", `"connection": "connector"`, `"connection": "other"`, "there is no connection other"},
		{"an unknown type of module", "makecomapp.json", `"moduleType": "action"`, `"moduleType": "task"`, "is no key of it"},
		{"the token in the log", "general/base.iml.json", `"request.headers.authorization"`, `"request.headers.accept"`, "lets the token into the log"},
		{"the token in the log of attaching", "webhooks/events/events.attach.iml.json", `"request.headers.authorization"`, `"request.body.key"`, "lets the token into the log"},
		{"a connection below the base", "connections/connector/connector.communication.iml.json", `"url": "https://connector.example.com`, `"url": "`, "a connection has no base"},
		{"more choices than a menu bears", "rpcs/list-customers/list-customers.communication.iml.json", `"limit": 300`, `"limit": 501`, "at most 500 choices"},
		{"choices without names", "rpcs/list-customers/list-customers.communication.iml.json", `"label"`, `"title"`, "label is missing"},
		{"detaching by parameters", "webhooks/events/events.detach.iml.json", `webhook.webhookId`, `parameters.webhook`, "knows what was kept"},
		{"a password in a form", "rpcs/list-customers/list-customers.params.iml.json", `"type": "email"`, `"type": "password"`, "passwords belong"},
		{"no calls made by hand", "makecomapp.json", `"moduleType": "universal"`, `"moduleType": "action"`, "calls made by hand"},
		{"an API that is not Make's", "makecomapp.json", `make.com/api`, `make.com`, "is no API of Make"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			files := app.Project()
			i := slices.IndexFunc(files, func(f makeapp.File) bool { return f.Path == tt.file })
			if i < 0 || !bytes.Contains(files[i].Data, []byte(tt.old)) {
				t.Fatalf("%s does not hold %s", tt.file, tt.old)
			}
			files[i].Data = bytes.Replace(files[i].Data, []byte(tt.old), []byte(tt.replacement), 1)
			breaches := judgeProject(files)
			if !slices.ContainsFunc(breaches, func(b string) bool { return strings.Contains(b, tt.want) }) {
				t.Errorf("breaches = %q, want one with %q", breaches, tt.want)
			}
		})
	}
}

func TestArchiveRulesAreEnforced(t *testing.T) {
	t.Parallel()
	app := someApp(t)
	tests := []struct {
		name, file, old, replacement, want string
	}{
		{"another name than the folder's", "modules/createCustomer/metadata.json", `"createCustomer"`, `"customer"`, "not that of the folder"},
		{"a number as type", "modules/createCustomer/metadata.json", `"action"`, `4`, "is no type"},
		{"the old layout", ".sdk", "2", "1", "version is 1"},
		{"a connection of another app", "rpcs/listCustomers/metadata.json", testName, "other", "there is no connection other"},
		{"an object where a list is wanted", "modules/createCustomer/scope.imljson", "[]", "{}", "must be a list"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			files := app.Archive()
			i := slices.IndexFunc(files, func(f makeapp.File) bool { return f.Path == testName+"/"+tt.file })
			if i < 0 || !bytes.Contains(files[i].Data, []byte(tt.old)) {
				t.Fatalf("%s does not hold %s", tt.file, tt.old)
			}
			files[i].Data = bytes.Replace(files[i].Data, []byte(tt.old), []byte(tt.replacement), 1)
			breaches := judgeArchive(testName, files)
			if !slices.ContainsFunc(breaches, func(b string) bool { return strings.Contains(b, tt.want) }) {
				t.Errorf("breaches = %q, want one with %q", breaches, tt.want)
			}
		})
	}
}

// Both formats are one app: every section is the same in both.
func TestFormatsAgree(t *testing.T) {
	t.Parallel()
	app := newApp(t)
	archived := map[string]int{}
	for _, f := range app.Archive() {
		if strings.HasSuffix(f.Path, ".imljson") {
			archived[string(f.Data)]++
		}
	}
	for _, f := range app.Project() {
		if strings.HasSuffix(f.Path, ".iml.json") && archived[string(f.Data)] == 0 {
			t.Errorf("%s is not in the archive", f.Path)
		}
	}
}

// Outputs and samples follow from the descriptions of objects, which are kept under review themselves, and are long: the
// golden files hold their digest.
func TestGolden(t *testing.T) {
	t.Parallel()
	app := newApp(t)
	for format, files := range map[string][]makeapp.File{"project": app.Project(), "archive": app.Archive()} {
		var b bytes.Buffer
		for _, f := range files {
			fmt.Fprintf(&b, "-- %s --\n", f.Path)
			isLong := strings.Contains(f.Path, "interface") || strings.Contains(f.Path, "samples")
			isShown := format == "project" || strings.HasSuffix(f.Path, "metadata.json")
			if isShown && !isLong {
				b.Write(f.Data)
			} else {
				fmt.Fprintf(&b, "%d bytes, SHA-256 %x\n", len(f.Data), sha256.Sum256(f.Data))
			}
		}
		golden := filepath.Join("testdata", format+".golden")
		if *update {
			if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(b.String(), "\n")); diff != "" {
			t.Errorf("%s has changed; see the difference, then run go test -update (-want +got):\n%s", golden, diff)
		}
	}
}

func TestZipIsReproducible(t *testing.T) {
	t.Parallel()
	var first, second bytes.Buffer
	for _, w := range []io.Writer{&first, &second} {
		if err := makeapp.WriteZip(w, someApp(t).Archive()); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("two exports differ")
	}
	r, err := zip.NewReader(bytes.NewReader(first.Bytes()), int64(first.Len()))
	if err != nil {
		t.Fatal(err)
	}
	want := someApp(t).Archive()
	if len(r.File) != len(want) {
		t.Fatalf("the zip has %d files, want %d", len(r.File), len(want))
	}
	for i, f := range r.File {
		content, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(content)
		if err != nil {
			t.Fatal(err)
		}
		if f.Name != want[i].Path || !bytes.Equal(data, want[i].Data) {
			t.Errorf("file %d is %s, want %s with its content", i, f.Name, want[i].Path)
		}
	}
}

func TestEveryModuleIsExported(t *testing.T) {
	t.Parallel()
	var index struct {
		Components struct {
			Module map[string]struct {
				Label, Description, ModuleType string
				ActionCrud                     string
			}
		}
	}
	read(t, newApp(t).Project(), "makecomapp.json", &index)
	got := map[string]string{}
	for _, m := range index.Components.Module {
		got[m.Label] = m.Description + " " + m.ModuleType + " " + m.ActionCrud
	}
	kinds := map[spec.Type]string{spec.Action: "action", spec.Search: "search", spec.Trigger: "instant_trigger", spec.Universal: "universal"}
	for _, m := range catalogue(t).Modules() {
		if want := m.Help + " " + kinds[m.Type] + " "; !strings.HasPrefix(got[m.Label], want) {
			t.Errorf("%s is %q, want %q", m.Label, got[m.Label], want)
		}
		if m.Update != strings.HasSuffix(got[m.Label], "update") {
			t.Errorf("%s: whether Make offers to erase is %v, want %v", m.Label, !m.Update, m.Update)
		}
		delete(got, m.Label)
	}
	if len(got) > 0 {
		t.Errorf("there are modules beside the catalogue's: %v", got)
	}
}

func TestNewNamesEveryFault(t *testing.T) {
	t.Parallel()
	c, err := spec.NewCatalogue(nil, spec.Group{Label: "Things", Modules: []*spec.Module{
		spec.NewUniversal(spec.Def{Key: "call", Label: "Call", Help: "Calls.", Docs: "-", Out: "any", Fields: spec.Fields{
			spec.Object("card", spec.Select("brand", "Brand", spec.Opt("a", "A")).Local()),
			spec.When("card.brand", spec.Only("a"), spec.Text("code", "Code").Local()),
		}}),
		spec.NewTrigger(spec.Def{Key: "watch", Label: "Watch", Help: "Watches.", Docs: "-", Out: "nothing"}),
	}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = makeapp.New(makeapp.Config{Name: "Stripe", BaseURL: "connector.example.com", Catalogue: c})
	if err == nil {
		t.Fatal("there is no error")
	}
	for _, want := range []string{`the name "Stripe"`, "the base URL", "call: field code: cannot be shown by a select within card", `watch: answers "nothing"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want it to hold %q", err, want)
		}
	}
}

func TestBaseURL(t *testing.T) {
	t.Parallel()
	tests := []struct {
		base, want string // empty: refused
	}{
		{"https://connector.example.com", "https://connector.example.com"},
		{"https://example.com/connector/", "https://example.com/connector"},
		{"http://localhost:8080", "http://localhost:8080"},
		{"", ""},
		{"ftp://example.com", ""},
		{"https://user:secret@example.com", ""},
		{"https://example.com/?a=b", ""},
		{"https://example.com/{{parameters.key}}", ""},
	}
	for _, tt := range tests {
		app, err := makeapp.New(makeapp.Config{Name: testName, BaseURL: tt.base, Catalogue: some(t)})
		if tt.want == "" {
			if err == nil || strings.Contains(err.Error(), "secret") {
				t.Errorf("%q: error = %v, want one without the password", tt.base, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", tt.base, err)
			continue
		}
		var base struct{ BaseURL string }
		read(t, app.Project(), "general/base.iml.json", &base)
		if base.BaseURL != tt.want {
			t.Errorf("%q: base URL = %q, want %q", tt.base, base.BaseURL, tt.want)
		}
	}
}

func read(t *testing.T, files []makeapp.File, name string, into any) {
	t.Helper()
	i := slices.IndexFunc(files, func(f makeapp.File) bool { return f.Path == name })
	if i < 0 {
		t.Fatalf("there is no file %s", name)
	}
	if err := json.Unmarshal(files[i].Data, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}
