package modules

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"stripe-connector/internal/spec"
	"stripe-connector/internal/stripetest"
)

// maxLimit is the ceiling of limit in these tests.
const maxLimit = 1000

func catalogue(t *testing.T) *spec.Catalogue {
	t.Helper()
	c, err := Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func module(t *testing.T, key string) *spec.Module {
	t.Helper()
	m, ok := catalogue(t).Module(key)
	if !ok {
		t.Fatalf("no module %s", key)
	}
	return m
}

// A request is one call to Stripe as it is on the wire.
type request struct {
	Method, Path string
	Form         url.Values
}

func (r request) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", r.Method, r.Path)
	for _, key := range slices.Sorted(maps.Keys(r.Form)) {
		for _, v := range r.Form[key] {
			fmt.Fprintf(&b, "  %s=%s\n", key, v)
		}
	}
	return b.String()
}

// A wire records what stripe-go sends, and has it answered.
type wire struct {
	answer   http.Handler
	requests []request
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	body := []byte{}
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	raw := string(body)
	if r.Method == http.MethodGet {
		raw = r.URL.RawQuery
	}
	form, err := url.ParseQuery(raw)
	if err != nil {
		return nil, err
	}
	w.requests = append(w.requests, request{r.Method, r.URL.Path, form})
	again := r.Clone(r.Context())
	again.Body = io.NopCloser(bytes.NewReader(body))
	again.Header.Set("Authorization", "Bearer "+stripetest.Key)
	recorder := httptest.NewRecorder()
	w.answer.ServeHTTP(recorder, again)
	return recorder.Result(), nil
}

func (w *wire) backend() stripe.Backend {
	return stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{
		HTTPClient:        &http.Client{Transport: w},
		LeveledLogger:     &stripe.LeveledLogger{},
		MaxNetworkRetries: new(int64(0)),
		EnableTelemetry:   new(false),
		URL:               new("http://stripe.test"),
	})
}

// judge answers as Stripe's OpenAPI document has it. That there is no such object, or not in that state, is found out
// after the parameters were judged.
func judge(t *testing.T) http.Handler {
	t.Helper()
	server := stripetest.New(t)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		server.ServeHTTP(answer, r)
		var problem struct {
			Error struct{ Code string }
		}
		_ = json.Unmarshal(answer.Body.Bytes(), &problem)
		switch problem.Error.Code {
		case "resource_missing", "payment_intent_unexpected_state":
			empty(w, r)
			return
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	})
}

// empty answers every call with nothing in it.
func empty(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }

// run makes the calls of a decoded bundle, the first page of each list, and returns them.
func run(m *spec.Module, b *spec.Bundle, answer http.Handler) ([]request, error) {
	w := &wire{answer: answer}
	switch m.Type {
	case spec.Action:
		for _, step := range m.Steps(b) {
			if err := step.Call(w.backend()); err != nil {
				return w.requests, fmt.Errorf("%s: %w", step.Name, err)
			}
		}
	case spec.Search:
		for _, source := range m.Query(b).Sources {
			if err := source.Call(w.backend(), spec.Page{Limit: 100}); err != nil {
				return w.requests, err
			}
		}
	default: // makes no call by itself
	}
	return w.requests, nil
}

// requests are the calls that a body makes.
func requests(t *testing.T, m *spec.Module, body string) []request {
	t.Helper()
	b, err := m.Decode([]byte(body), maxLimit)
	if err != nil {
		t.Fatalf("%s refuses %s: %v", m.Key, body, err)
	}
	return requestsOf(t, m, b)
}

// requestsOf are the calls that a decoded bundle makes.
func requestsOf(t *testing.T, m *spec.Module, b *spec.Bundle) []request {
	t.Helper()
	made, err := run(m, b, http.HandlerFunc(empty))
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// A form makes bundles that its module accepts, from nothing but the declaration. Inputs inside a list of objects are
// those of its first entry: discounts[0].coupon.
type form struct {
	*spec.Module

	paths  []string
	inputs map[string]spec.Input
}

func formOf(m *spec.Module) *form {
	f := &form{Module: m, inputs: map[string]spec.Input{}}
	var add func(prefix string, inputs []spec.Input)
	add = func(prefix string, inputs []spec.Input) {
		for _, in := range inputs {
			f.paths = append(f.paths, prefix+in.Name)
			f.inputs[prefix+in.Name] = in
			add(prefix+in.Name+"[0].", in.Items)
		}
	}
	add("", m.Inputs())
	return f
}

// A bundle holds values by path.
type bundle map[string]any

// has says that the path, or an entry of the list there, holds something.
func (b bundle) has(path string) bool {
	for p := range b {
		if p == path || strings.HasPrefix(p, path+"[0].") {
			return true
		}
	}
	return false
}

func (b bundle) with(path string, v any) bundle {
	b = maps.Clone(b)
	b[path] = v
	return b
}

func (b bundle) without(path string) bundle {
	b = maps.Clone(b)
	maps.DeleteFunc(b, func(p string, _ any) bool { return p == path || strings.HasPrefix(p, path+"[0].") })
	return b
}

// json writes the bundle as nested objects.
func (b bundle) json() []byte {
	root, objects := map[string]any{}, map[string]map[string]any{}
	for _, path := range slices.Sorted(maps.Keys(b)) {
		at, last := root, path
		for {
			step, rest, deeper := strings.Cut(last, ".")
			if !deeper {
				break
			}
			name, listed := strings.CutSuffix(step, "[0]")
			below, ok := objects[path[:len(path)-len(rest)]]
			if !ok {
				below = map[string]any{}
				objects[path[:len(path)-len(rest)]] = below
				at[name] = below
				if listed {
					at[name] = []any{below}
				}
			}
			at, last = below, rest
		}
		if v := b[path]; v != nil {
			at[last] = v
		}
	}
	raw, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic(err)
	}
	return raw
}

func (f *form) decode(b bundle) (*spec.Bundle, spec.Faults) {
	decoded, err := f.Decode(b.json(), maxLimit)
	var faults spec.Faults
	if err != nil && !errors.As(err, &faults) {
		faults = spec.Faults{{Message: err.Error()}}
	}
	return decoded, faults
}

// fill gives a path its first sample, and makes it visible. It fails where a select already says otherwise.
func (f *form) fill(b bundle, path string) error {
	in, known := f.inputs[path]
	if !known { // a detail of an open object
		b[path] = "sample"
		return nil
	}
	switch in.Type {
	case spec.KindRows, spec.KindFilter:
		for i, item := range in.Items {
			if at := path + "[0]." + item.Name; (item.Required || i == 0) && b[at] == nil {
				b[at] = samples(item)[0]
			}
		}
	case spec.KindAny: // the body of a call made by hand
		b["method"], b[path] = "POST", samples(in)[0]
	default:
		b[path] = samples(in)[0]
	}
	for _, either := range in.VisibleWhen {
		if slices.ContainsFunc(either, func(c spec.Cond) bool { v, _ := b[c.Field].(string); return slices.Contains(c.In, v) }) {
			continue
		}
		i := slices.IndexFunc(either, func(c spec.Cond) bool { return b[c.Field] == nil })
		if i < 0 {
			return fmt.Errorf("%s is hidden", path)
		}
		if err := f.fill(b, either[i].Field); err != nil {
			return err
		}
		b[either[i].Field] = either[i].In[0]
	}
	return nil
}

// extend adds paths to a bundle, and whatever else they need.
func (f *form) extend(b bundle, paths ...string) (bundle, error) {
	b = maps.Clone(b)
	for _, path := range paths {
		if !b.has(path) {
			if err := f.fill(b, path); err != nil {
				return nil, err
			}
		}
	}
	tried := map[string]int{}
	for range 50 {
		_, faults := f.decode(b)
		if len(faults) == 0 {
			return b, nil
		}
		for _, fault := range faults {
			choices := samples(f.inputs[fault.Field])
			tried[fault.Field]++
			switch {
			case fault.Code == spec.CodeRequired && !b.has(fault.Field):
				if err := f.fill(b, fault.Field); err != nil {
					return nil, err
				}
			case fault.Code != spec.CodeRequired && b[fault.Field] != nil && tried[fault.Field] < len(choices) && !f.decides(fault.Field):
				b[fault.Field] = choices[tried[fault.Field]]
			default:
				return nil, faults
			}
		}
	}
	return nil, fmt.Errorf("no bundle has %v", paths)
}

// decides says that what other fields are shown depends on this one.
func (f *form) decides(path string) bool {
	for _, in := range f.inputs {
		for _, c := range slices.Concat(in.VisibleWhen...) {
			if c.Field == path {
				return true
			}
		}
	}
	return false
}

// alone is the smallest bundle with the path, one for each way to show it.
func (f *form) alone(path string) ([]bundle, error) {
	settings := []bundle{{}}
	if ways := f.inputs[path].VisibleWhen; len(ways) == 1 {
		settings = nil
		for _, c := range ways[0] {
			for _, v := range c.In {
				b := bundle{}
				if err := f.fill(b, c.Field); err != nil {
					return nil, err
				}
				settings = append(settings, b.with(c.Field, v))
			}
		}
	}
	var all []bundle
	for _, setting := range settings {
		b, err := f.extend(setting, "connection", path)
		if err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	return all, nil
}

// other gives the path another value that is accepted with the same others. A list it takes away.
func (f *form) other(b bundle, path string) (bundle, bool) {
	if f.inputs[path].Items != nil {
		less := b.without(path)
		_, faults := f.decode(less)
		return less, faults == nil
	}
	for _, v := range samples(f.inputs[path]) {
		if fmt.Sprint(v) == fmt.Sprint(b[path]) {
			continue
		}
		changed := b.with(path, v)
		if _, faults := f.decode(changed); len(faults) == 0 {
			return changed, true
		}
	}
	return nil, false
}

// full are bundles with as much in them as goes together: between them they have every field that the module accepts at
// all, and every choice that decides what else is shown.
func (f *form) full() (bundles []bundle, unheld []string) {
	grow := func(seed bundle, path string) error {
		b, err := f.extend(seed, "connection", path)
		if err != nil {
			return err
		}
		for _, path := range f.paths {
			if more, err := f.extend(b, path); err == nil {
				b = more
			}
		}
		if !slices.ContainsFunc(bundles, func(other bundle) bool { return bytes.Equal(other.json(), b.json()) }) {
			bundles = append(bundles, b)
		}
		return nil
	}
	for _, path := range f.paths {
		for _, o := range f.inputs[path].Options {
			seed := bundle{}
			if f.decides(path) && f.fill(seed, path) == nil {
				_ = grow(seed.with(path, o.Value), path) // a refused choice grows nothing
			}
		}
	}
	for _, path := range f.paths {
		held := slices.ContainsFunc(bundles, func(b bundle) bool { return b.has(path) })
		if !held && grow(bundle{}, path) != nil {
			unheld = append(unheld, path)
		}
	}
	return bundles, unheld
}

// samples are values that the input may take, as a caller might send them. Not every one goes with every form.
func samples(in spec.Input) []any {
	short := func(s string) any {
		if in.MaxLength > 0 && len(s) > in.MaxLength {
			s = s[:in.MaxLength]
		}
		return s
	}
	name := in.Name[strings.LastIndexByte(in.Name, '.')+1:]
	switch in.Type {
	case spec.KindConnection:
		return []any{"conn_sample"}
	case spec.KindInteger:
		least := int64(1)
		if in.Min != nil {
			least = *in.Min
		}
		return []any{least + 11, strconv.FormatInt(least+12, 10)}
	case spec.KindBoolean:
		return []any{true, "no"}
	case spec.KindSelect:
		return values(in.Options)
	case spec.KindMultiselect:
		var lists []any
		for _, v := range values(in.Options) {
			lists = append(lists, []any{v})
		}
		return lists
	case spec.KindDate:
		return []any{1_718_880_000, 1_718_793_600, 1_718_966_400}
	case spec.KindEmail:
		return []any{"jenny@example.com", "rosa@example.com"}
	case spec.KindURL:
		return []any{"https://example.com/back", "example-app://back"}
	case spec.KindTexts:
		return []any{[]any{name + "_1", name + "_2"}, name + "_3"}
	case spec.KindMetadata:
		return []any{map[string]any{"order_id": "6735"}, []any{map[string]any{"key": "order_id", "value": "6736"}}}
	case spec.KindAny:
		return []any{map[string]any{"amount": 1099}, "amount=1099"}
	case spec.KindID:
		return []any{name + "_1", name + "_2"}
	default: // a text
	}
	texts := []any{short("Sample " + in.Label), short("Other " + in.Label)}
	special := []any{"usd", "jpy", "US", "DE", "ABC1", "ABC2", "192.0.2.7", "2001:db8::7", "2024-06-20", "2024-06-21", "/v1/charges"}
	if in.Pattern == "" {
		return slices.Concat(texts, special)
	}
	match := regexp.MustCompile(in.Pattern)
	return slices.DeleteFunc(slices.Concat(texts, special), func(v any) bool { return !match.MatchString(fmt.Sprint(v)) })
}

func values(options []spec.Option) []any {
	list := make([]any, len(options))
	for i, o := range options {
		list[i] = o.Value
	}
	return list
}
