package stripetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stripe/stripe-mock/spec"
)

// space is what one account holds in one mode. Server.mu guards it.
type space struct {
	spaceKey
	server    *Server
	objects   map[string]*object   // by id, deleted ones included
	shelves   map[string][]*object // by kind, oldest first, deleted ones not
	replies   map[string]*reply    // by idempotency key
	connected map[string]bool      // accounts that this one may act on
	platforms map[*space]bool      // accounts that may act on this one
}

// object is one stored object. Its fields are replaced as a whole, never changed, so that the bytes stay true.
type object struct {
	extras
	id, kind string
	fields   map[string]any
	deleted  bool
}

// extras is what Stripe knows of an object and does not show.
type extras struct {
	raw     []byte // the bytes it is answered with
	parent  string // the object below whose path it was created
	secret  string // of a webhook endpoint
	connect bool   // of a webhook endpoint
	source  string // of a balance transaction: the payout it was paid out with
}

// spaceOf returns the space of an account, making it on first use. Server.mu must be held.
func (s *Server) spaceOf(where spaceKey) *space {
	sp := s.spaces[where]
	if sp == nil {
		sp = &space{
			spaceKey: where, server: s,
			objects: make(map[string]*object), shelves: make(map[string][]*object), replies: make(map[string]*reply),
			connected: make(map[string]bool), platforms: make(map[*space]bool),
		}
		s.spaces[where] = sp
	}
	return sp
}

// insert stores an object under its id, or under its kind if it has none.
func (sp *space) insert(kind string, fields map[string]any, x extras) *object {
	id, _ := fields["id"].(string)
	if id == "" {
		id = kind
	}
	if x.raw == nil {
		x.raw = encode(fields)
	}
	if o := sp.objects[id]; o != nil && !o.deleted && o.kind == kind {
		o.extras, o.fields = x, fields
		return o
	}
	o := &object{extras: x, id: id, kind: kind, fields: fields}
	sp.objects[id] = o
	sp.shelves[kind] = append(sp.shelves[kind], o)
	return o
}

// remove takes an object off its shelf and leaves a tombstone.
func (sp *space) remove(o *object) {
	o.deleted = true
	if i := slices.Index(sp.shelves[o.kind], o); i >= 0 {
		sp.shelves[o.kind] = slices.Delete(sp.shelves[o.kind], i, i+1)
	}
}

// live returns the object of a kind under an id, or nil.
func (sp *space) live(kind, id string) *object {
	if o := sp.objects[id]; o != nil && !o.deleted && o.kind == kind {
		return o
	}
	return nil
}

// knows reports whether an unknown id of the kind is an error, see Options.Strict.
func (sp *space) knows(kind string) bool {
	_, stored := sp.shelves[kind]
	return stored || sp.server.opts.Strict
}

func (o *object) replace(fields map[string]any) {
	o.fields, o.raw = fields, encode(fields)
}

// encode writes JSON as Stripe does: indented, and with <, > and & as they are.
func encode(v any) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		panic(fmt.Sprintf("stripetest: encoding an object: %v", err)) // only decoded JSON and plain values get here
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

// clone copies a JSON object in depth.
func clone(fields map[string]any) map[string]any {
	next := make(map[string]any, len(fields))
	for name, value := range fields {
		next[name] = cloneValue(value)
	}
	return next
}

func cloneValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return clone(v)
	case []any:
		next := make([]any, len(v))
		for i := range v {
			next[i] = cloneValue(v[i])
		}
		return next
	}
	return v
}

// text is the form in which values are compared: objects by their id, null as nothing.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case map[string]any:
		id, _ := v["id"].(string)
		return id
	}
	return fmt.Sprint(v)
}

// number reads an integer, 0 for anything else.
func number(v any) int64 {
	switch v := v.(type) {
	case int:
		return int64(v)
	case int64:
		return v
	case float64:
		return int64(v)
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64() // 1.0e3, and 0 for what is no number
		return int64(f)
	}
	return 0
}

// placeholder stands in Stripe's samples for every time.
const placeholder = json.Number("1234567890")

// sample returns Stripe's sample object of a kind, decoded once. It must not be changed.
func (d *description) sample(kind string) map[string]any {
	if cached, ok := d.sources.Load(kind); ok {
		fields, _ := cached.(map[string]any)
		return fields
	}
	fields, err := decode(d.fixtures[kind])
	if err != nil { // some kinds have no sample
		fields = map[string]any{"object": kind}
		if s := d.schema(kind); s != nil {
			d.blank(s, fields)
		}
	}
	d.sources.Store(kind, fields)
	return fields
}

// fresh makes a new object of a kind from its sample, with an id and times of its own.
func (d *description) fresh(kind string, sp *space, now int64) map[string]any {
	fields := clone(d.sample(kind))
	schema := d.schema(kind)
	for name, value := range fields {
		if value != placeholder {
			continue
		}
		fields[name] = now
		if p := property(schema, name); p != nil && p.Nullable {
			fields[name] = nil
		}
	}
	// The samples belong to somebody and say something; a new object does not.
	for _, name := range [...]string{"charge", "customer", "description", "invoice", "payment_intent"} {
		if p := property(schema, name); p != nil && p.Nullable {
			fields[name] = nil
		}
	}
	if id, ok := fields["id"].(string); ok {
		prefix := id[:strings.LastIndexByte(id, '_')+1]
		if strings.HasPrefix(id[len(prefix):], "1") {
			prefix += "1" // Stripe's longer ids begin so
		}
		fields["id"] = newID(prefix, max(8, len(id)-len(prefix)))
	}
	if _, ok := fields["livemode"]; ok {
		fields["livemode"] = sp.livemode
	}
	if fields["metadata"] != nil {
		fields["metadata"] = map[string]any{}
	}
	return fields
}

func property(s *spec.Schema, name string) *spec.Schema {
	if s == nil {
		return nil
	}
	return s.Properties[name]
}

// assign writes parameters into an object where the object's schema has a property of the same name and a fitting
// type; other parameters say what to do rather than what to be, and are left to the kind's own code.
func (sp *space) assign(schema *spec.Schema, fields, params map[string]any) {
	for name, value := range params {
		p := property(schema, name)
		if p == nil {
			continue
		}
		if name == "metadata" {
			fields[name] = mergeMetadata(fields[name], value)
			continue
		}
		if next, ok := sp.fit(p, fields[name], value); ok {
			fields[name] = next
		}
	}
}

// mergeMetadata follows https://docs.stripe.com/api/metadata: keys are added or overwritten, an empty value deletes
// its key, and an empty string in place of the pairs deletes all.
func mergeMetadata(old, given any) map[string]any {
	next := map[string]any{}
	pairs, ok := given.(map[string]any)
	if !ok {
		return next
	}
	if existing, ok := old.(map[string]any); ok {
		maps.Copy(next, existing)
	}
	for key, value := range pairs {
		if value == "" || value == nil {
			delete(next, key)
		} else {
			next[key] = text(value)
		}
	}
	return next
}

// fit turns a parameter into the value of a property; ok is false if the types do not fit.
func (sp *space) fit(p *spec.Schema, old, value any) (next any, ok bool) {
	d := sp.server.spec
	switch v := value.(type) {
	case string:
		switch {
		case v == "" && p.Nullable:
			return nil, true
		case d.allows(p, spec.TypeString):
			return v, true
		case v != "":
			return sp.reference(p, v)
		}
	case bool:
		return v, d.allows(p, spec.TypeBoolean)
	case int:
		return v, d.allows(p, spec.TypeInteger) || d.allows(p, spec.TypeNumber)
	case float64:
		return v, d.allows(p, spec.TypeNumber)
	case []any:
		list := d.arm(p, spec.TypeArray)
		if list == nil {
			return nil, false
		}
		items := make([]any, 0, len(v))
		for _, item := range v {
			if list.Items != nil {
				if fitted, ok := sp.fit(list.Items, nil, item); ok {
					item = fitted
				}
			}
			items = append(items, item)
		}
		return items, true
	case map[string]any:
		hash := d.arm(p, spec.TypeObject)
		if hash == nil || hash.XResourceID != "" || hash.Properties["object"] != nil {
			return nil, false // an object of its own, or a list of them
		}
		if len(hash.Properties) == 0 {
			return clone(v), true
		}
		merged := map[string]any{}
		d.blank(hash, merged)
		if existing, ok := old.(map[string]any); ok {
			maps.Copy(merged, existing)
		}
		sp.assign(hash, merged, v)
		return merged, true
	}
	return nil, false
}

// reference resolves an id given for a property that holds the whole object.
func (sp *space) reference(p *spec.Schema, id string) (any, bool) {
	d := sp.server.spec
	kind, _ := d.kindOf(p)
	if target := d.schema(kind); target == nil || target.XResourceID == "" {
		return nil, false
	}
	return clone(sp.lookUp(kind, id)), true
}

// lookUp returns the fields of a stored object, or of Stripe's sample under that id.
func (sp *space) lookUp(kind, id string) map[string]any {
	if o := sp.objects[id]; o != nil {
		return o.fields
	}
	fields := clone(sp.server.spec.sample(kind))
	fields["id"] = id
	return fields
}

// blank gives every property that may be null its null.
func (d *description) blank(s *spec.Schema, fields map[string]any) {
	for name, p := range s.Properties {
		if p.Nullable {
			fields[name] = nil
		}
	}
}

// arm returns the alternative of a schema that has the given type, or nil.
func (d *description) arm(s *spec.Schema, typ string) *spec.Schema {
	if s = d.resolve(s); s == nil {
		return nil
	}
	if s.Type == typ {
		return s
	}
	for _, alternative := range s.AnyOf {
		if found := d.arm(alternative, typ); found != nil {
			return found
		}
	}
	return nil
}

func (d *description) allows(s *spec.Schema, typ string) bool { return d.arm(s, typ) != nil }

// expand replaces the id at a path (customer, latest_charge.balance_transaction) by the object that it names, see
// https://docs.stripe.com/api/expanding_objects. The value is changed in place.
func (sp *space) expand(s *spec.Schema, value any, path string) *apiError {
	d := sp.server.spec
	if list, ok := value.([]any); ok {
		for _, item := range list {
			if e := sp.expand(s, item, path); e != nil {
				return e
			}
		}
		return nil
	}
	fields, ok := value.(map[string]any)
	if !ok {
		return nil
	}
	name, rest, deeper := strings.Cut(path, ".")
	p := property(d.arm(s, spec.TypeObject), name)
	if p == nil {
		return cannotExpand(path)
	}
	next := p
	if list := d.arm(p, spec.TypeArray); list != nil {
		next = list.Items
	}
	if e := next.XExpansionResources; e != nil && len(e.OneOf) > 0 {
		kind, _ := d.kindOf(e.OneOf[0])
		switch v := fields[name].(type) {
		case string:
			fields[name] = clone(sp.lookUp(kind, v))
		case []any:
			for i := range v {
				if id, ok := v[i].(string); ok {
					v[i] = clone(sp.lookUp(kind, id))
				}
			}
		}
		next = d.schema(kind)
	} else if !deeper {
		return cannotExpand(path)
	}
	if !deeper || fields[name] == nil {
		return nil
	}
	return sp.expand(next, fields[name], rest)
}

func cannotExpand(path string) *apiError {
	return invalid(fmt.Sprintf("This property cannot be expanded (%s).", path)).with("", "expand")
}

// expansions reads the expand parameter.
func expansions(params map[string]any) []string {
	list, _ := params["expand"].([]any)
	paths := make([]string, 0, len(list))
	for _, item := range list {
		paths = append(paths, text(item))
	}
	return paths
}
