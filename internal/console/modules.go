package console

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"stripe-connector/internal/connection"
	"stripe-connector/internal/spec"
)

type moduleList []moduleGroup

type moduleGroup struct {
	Label   string
	Modules []*spec.Module
}

func (c *console) listModules(v *visit) error {
	var groups moduleList
	for _, m := range c.Catalogue.Modules() {
		if m.Type == spec.Trigger && !v.caller.Role.Allows(connection.RoleManage) {
			continue
		}
		if len(groups) == 0 || groups[len(groups)-1].Label != m.Group {
			groups = append(groups, moduleGroup{Label: m.Group})
		}
		last := &groups[len(groups)-1]
		last.Modules = append(last.Modules, m)
	}
	v.show(http.StatusOK, "modules", "Modules", groups)
	return nil
}

// A modulePage is a module with its form as filled, and what came of it.
type modulePage struct {
	*spec.Module
	Form   []control
	Faults []formFault // all of them, for the list above the form
	Answer *moduleAnswer
	Curl   string

	Unconnected bool // there is no connection to run it against
}

// A formFault is a fault with the id of the input that it is about, if there is one.
type formFault struct {
	spec.Fault
	Target string
}

type moduleAnswer struct {
	Status  int
	Took    time.Duration
	Request string // Stripe's id of it
	Key     string // idempotency key
	Body    []byte
	Problem *problem
	Bundles int    // of a search
	Cursor  string // of its next page
	Search  bool
}

// Good reports whether the call did what it was to do.
func (a *moduleAnswer) Good() bool { return a.Problem == nil }

func (a *moduleAnswer) Milliseconds() float64 { return float64(a.Took.Microseconds()) / 1000 }

// module finds the module of the path. Watch Events has a page of its own.
func (v *visit) module() (*spec.Module, error) {
	m, ok := v.Catalogue.Module(v.r.PathValue("key"))
	if !ok {
		return nil, errNoPage
	}
	return m, nil
}

func (c *console) showModule(v *visit) error {
	m, err := v.module()
	if err != nil {
		return err
	}
	if m.Type == spec.Trigger {
		v.redirect("/console/webhooks/new")
		return nil
	}
	connections, err := v.connections()
	if err != nil {
		return err
	}
	in := url.Values{}
	if len(connections) > 0 {
		try := max(0, slices.IndexFunc(connections, func(c connectionView) bool { return !c.Livemode })) // none with real money, if there is another
		in.Set(inPrefix+"connection", connections[try].ID)
	}
	p, err := v.modulePage(m, filling{Values: in, update: m.Update}, connections)
	if err != nil {
		return err
	}
	v.show(http.StatusOK, "module", m.Label, &p)
	return nil
}

func (v *visit) modulePage(m *spec.Module, f filling, connections []connectionView) (modulePage, error) {
	p := modulePage{
		Module: m, Form: f.controls(formOf(m), "", "", connections),
		Unconnected: len(connections) == 0 && v.caller.Role.Allows(connection.RoleManage),
	}
	shown := map[string]string{}
	mapControls(p.Form, shown)
	f.faultDetails(p.Form, shown)
	markFirst(p.Form)
	for _, fault := range f.faults {
		p.Faults = append(p.Faults, formFault{fault, shown[shownAt(shown, fault.Field)]})
	}
	var err error
	p.Curl, err = v.curl(m, f)
	return p, err
}

// markFirst marks the first field with a fault, to which the page goes, and reports whether there is one.
func markFirst(form []control) bool {
	for i := range form {
		c := &form[i]
		if c.First = len(c.Faults) > 0; c.First || markFirst(c.Below) {
			return true
		}
		for _, r := range c.Rows {
			if markFirst(r.Fields) {
				return true
			}
		}
	}
	return false
}

// mapControls collects the ids of all inputs by path.
func mapControls(form []control, ids map[string]string) {
	for _, c := range form {
		ids[c.Path] = c.ID()
		mapControls(c.Below, ids)
		for _, r := range c.Rows {
			mapControls(r.Fields, ids)
		}
	}
}

// shownAt is the path of the input that a fault is about: its own, or the nearest above it.
func shownAt(shown map[string]string, path string) string {
	for path != "" {
		if _, ok := shown[path]; ok {
			return path
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return ""
}

// curl is the call as a command for a shell.
func (v *visit) curl(m *spec.Module, f filling) (string, error) {
	body, err := json.MarshalIndent(f.bundle(formOf(m), ""), "", "  ")
	if err != nil {
		return "", fmt.Errorf("writing a bundle: %w", err)
	}
	base := v.PublicURL
	if base == "" {
		scheme := "http"
		if v.r.TLS != nil || strings.EqualFold(v.r.Header.Get("X-Forwarded-Proto"), "https") {
			scheme = "https"
		}
		base = scheme + "://" + v.r.Host
	}
	return "curl " + quote(base+"/v1/modules/"+m.Key) + " \\\n  -H \"Authorization: Bearer $CONNECTOR_TOKEN\" \\\n" +
		"  -H 'Content-Type: application/json' \\\n  -d " + quote(string(body)), nil
}

// showCurl answers with the call that the form would make as it is filled now.
func (c *console) showCurl(v *visit) error {
	m, err := v.module()
	if err != nil {
		return err
	}
	f, err := v.filled(m)
	if err != nil {
		return err
	}
	call, err := v.curl(m, f)
	if err != nil {
		return err
	}
	return v.part(command(call))
}

// quote makes one word of a text for a POSIX shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// filled reads the posted form of a module.
func (v *visit) filled(m *spec.Module) (filling, error) {
	if err := v.r.ParseForm(); err != nil {
		return filling{}, &problem{Status: http.StatusBadRequest, Title: "Unreadable form", Detail: "The form could not be read."}
	}
	return filling{Values: v.r.PostForm, update: m.Update}, nil
}

// changeForm answers with the form that the choices made so far lead to, with a row more or less if that was asked for.
func (c *console) changeForm(v *visit) error {
	m, err := v.module()
	if err != nil {
		return err
	}
	f, err := v.filled(m)
	if err != nil {
		return err
	}
	f.blanks = true
	if drop := f.Get("drop"); drop != "" {
		for name := range f.Values {
			if strings.HasPrefix(name, inPrefix+drop+".") {
				f.Del(name)
			}
		}
	}
	if add := f.Get("add"); add != "" {
		f.addRow(add)
	}
	connections, err := v.connections()
	if err != nil {
		return err
	}
	p, err := v.modulePage(m, f, connections)
	if err != nil {
		return err
	}
	if v.htmx() {
		return v.part(p.fields())
	}
	v.show(http.StatusOK, "module", m.Label, &p)
	return nil
}

// addRow puts an empty row below the field at the path.
func (f filling) addRow(path string) {
	last := -1
	for _, at := range f.rows(path) {
		_, _ = fmt.Sscanf(at[strings.LastIndexByte(at, '['):], "[%d]", &last)
	}
	// One key is enough for the row to be there; which fields it has is the declaration's to say.
	f.Set(fmt.Sprintf("%s%s[%d].", inPrefix, path, last+1), "")
}

// runModule posts the form as a bundle to the API, and shows the answer or the faults at their fields.
func (c *console) runModule(v *visit) error {
	m, err := v.module()
	if err != nil {
		return err
	}
	f, err := v.filled(m)
	if err != nil {
		return err
	}
	if m.Type == spec.Trigger {
		return errNoPage
	}
	connections, err := v.connections()
	if err != nil {
		return err
	}
	bundle := f.bundle(formOf(m), "")
	if cursor := f.Get("cursor"); cursor != "" && m.Type == spec.Search {
		bundle.set("cursor", cursor)
	}
	body, err := json.Marshal(bundle)
	if err != nil {
		return fmt.Errorf("writing a bundle: %w", err)
	}
	a, err := v.ask(http.MethodPost, below("/v1/modules", m.Key), body)
	if err != nil {
		return err
	}
	shown := &moduleAnswer{
		Status: a.status, Took: a.took, Request: a.header.Get("Stripe-Request-Id"), Key: a.header.Get("Idempotency-Key"),
		Body: a.body.Bytes(), Search: m.Type == spec.Search,
	}
	if a.status >= http.StatusBadRequest {
		shown.Problem = a.problem()
		f.faults = shown.Problem.Fields
	} else if shown.Search {
		var page struct {
			Bundles []json.RawMessage `json:"bundles"`
			Next    string            `json:"next_cursor"`
		}
		if err := json.Unmarshal(shown.Body, &page); err != nil {
			return fmt.Errorf("reading the bundles: %w", err)
		}
		shown.Bundles, shown.Cursor = len(page.Bundles), page.Next
	}
	p, err := v.modulePage(m, f, connections)
	if err != nil {
		return err
	}
	p.Answer = shown
	if v.htmx() {
		return v.part(p.exchange(v.view()))
	}
	v.show(http.StatusOK, "module", m.Label, &p)
	return nil
}

// An offer is one line of a lookup's menu.
type offer struct{ ID, Value, Label string }

type offers struct {
	Found []offer
	Note  string // instead of, or below, what was found
}

const (
	maxOffers      = 20
	maxLookupPages = 5
)

// look answers with the menu of a field: objects at Stripe whose name or id has what was typed in it. It gets the whole
// form, since what is chosen elsewhere may narrow the list.
func (c *console) look(v *visit) error {
	if err := v.r.ParseForm(); err != nil {
		return &problem{Status: http.StatusBadRequest, Title: "Unreadable form", Detail: "The form could not be read."}
	}
	l, ok := c.Catalogue.Lookup(v.r.PathValue("lookup"))
	if !ok {
		return errNoPage
	}
	form := filling{Values: v.r.PostForm}
	field := v.r.PostForm.Get("lookup.field")
	typed := strings.ToLower(strings.TrimSpace(form.at(field)))
	siblings := field[:strings.LastIndexByte(field, '.')+1]
	q := url.Values{}
	for _, n := range l.Form() {
		if value := cmp.Or(form.Get("lookup."+n.Name), form.at(siblings+n.Name), form.at(n.Name)); value != "" && n.Name != "limit" && siblings+n.Name != field {
			q.Set(n.Name, value)
		}
	}
	out := offers{}
	if q.Get("connection") == "" {
		out.Note = "Choose a connection first."
		return v.part(out.menu())
	}
	for looked := 1; ; looked++ {
		var page struct {
			Options []struct{ Value, Label string } `json:"options"`
			Next    string                          `json:"next_cursor"`
		}
		if err := v.get(below("/v1/lookups", l.Key), q, &page); err != nil {
			p := refused(err)
			if p == nil {
				return err
			}
			out.Note = cmp.Or(firstFault(p), p.Detail)
			break
		}
		for _, o := range page.Options {
			if len(out.Found) < maxOffers && (strings.Contains(strings.ToLower(o.Label), typed) || strings.Contains(strings.ToLower(o.Value), typed)) {
				out.Found = append(out.Found, offer{fmt.Sprintf("%s-%d", elementID(inPrefix+field), len(out.Found)), o.Value, o.Label})
			}
		}
		if len(out.Found) >= maxOffers || page.Next == "" {
			break
		}
		if looked == maxLookupPages {
			out.Note = "Older ones were not looked through. An id can be pasted too."
			break
		}
		q.Set("cursor", page.Next)
	}
	if len(out.Found) == 0 && out.Note == "" {
		out.Note = "Nothing found. An id can be pasted too."
	}
	return v.part(out.menu())
}

func firstFault(p *problem) string {
	if len(p.Fields) == 0 {
		return ""
	}
	return cmp.Or(p.Fields[0].Label, p.Fields[0].Field) + " " + p.Fields[0].Message + "."
}

// Pretty is the answer as it is shown.
func (a *moduleAnswer) Pretty() []byte { return bytes.TrimSpace(a.Body) }

// path is the module's page.
func (p modulePage) path() string { return "/console/modules/" + p.Key }

// typeName is what people call a type of modules.
func typeName(t spec.Type) string {
	switch t {
	case spec.Action:
		return "action"
	case spec.Search:
		return "search"
	case spec.Trigger:
		return "instant trigger"
	default:
		return "universal"
	}
}
