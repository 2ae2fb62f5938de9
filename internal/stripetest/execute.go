package stripetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
)

// execute lets a judged request take effect and answers it.
func (q *request) execute() answer {
	q.server.mu.Lock()
	defer q.server.mu.Unlock()
	body, refusal := q.dispatch()
	if refusal != nil {
		return refusal.answer()
	}
	return answer{status: http.StatusOK, body: body}
}

// dispatch reads from the operation's path and reply what it does. The shapes are the same all over Stripe's API:
// a collection is listed and created in, what stands below it is one object, and what stands below that is an
// action on it or a collection of its own.
func (q *request) dispatch() ([]byte, *apiError) {
	kind, page := q.server.spec.kindOf(q.route.reply)
	_, last, _ := cutLast(q.route.pattern)
	item := strings.HasPrefix(last, "{")
	method := q.route.method
	switch {
	case kind == "":
		return nil, invalid("This operation is not modelled: " + method + " " + q.route.pattern)
	case method == http.MethodGet && kind == "account" && !page:
		return q.account()
	case method == http.MethodGet && last == "search":
		return q.search(kind)
	case method == http.MethodGet && page:
		return q.list(kind)
	case method == http.MethodGet && (item || len(q.values) == 0):
		return q.retrieve(kind)
	case method == http.MethodPost && q.server.spec.creates[q.route.pattern]:
		return q.create(kind)
	case method == http.MethodPost && item:
		return q.update(kind)
	case method == http.MethodDelete && item:
		return q.remove(strings.TrimPrefix(kind, "deleted_"))
	case method == http.MethodPost && len(q.values) == 1:
		return q.act(kind, last)
	}
	return q.sampled(kind)
}

// target is the id that the path names: /v1/invoices/{invoice}, /v1/invoices/{invoice}/pay.
func (q *request) target() string {
	if len(q.values) == 0 {
		return ""
	}
	return q.values[len(q.values)-1]
}

// sampled answers with Stripe's sample of the kind, the parameters written into it. Nothing is stored.
func (q *request) sampled(kind string) ([]byte, *apiError) {
	fields := q.server.spec.fresh(kind, q.space, q.server.now().Unix())
	if id := q.target(); id != "" && fields["id"] != nil {
		fields["id"] = id
	}
	q.space.assign(q.server.spec.schema(kind), fields, q.params)
	return q.show(kind, fields, nil)
}

// show encodes one object as an answer, expanded as asked for. The bytes, if any, are those of the object as stored.
func (q *request) show(kind string, fields map[string]any, raw []byte) ([]byte, *apiError) {
	paths := expansions(q.params)
	if len(paths) == 0 && raw != nil {
		return raw, nil
	}
	fields = clone(fields)
	for _, path := range paths {
		if e := q.space.expand(q.server.spec.schema(kind), fields, path); e != nil {
			return nil, e
		}
	}
	return encode(fields), nil
}

// find returns the object that the path names. It returns neither object nor error if the kind is unknown and a
// sample will do.
func (q *request) find(kind, id string) (*object, *apiError) {
	o := q.space.objects[id]
	if o != nil && !o.deleted && (o.kind == kind || kind == "payment_source" || kind == "external_account") {
		return o, nil
	}
	if q.space.knows(kind) || o != nil {
		return nil, missing(kind, id, "id")
	}
	return nil, nil
}

func (q *request) retrieve(kind string) ([]byte, *apiError) {
	id := q.target()
	if id == "" { // one per account, such as the balance
		if o := q.space.live(kind, kind); o != nil {
			return q.show(kind, o.fields, o.raw)
		}
		return q.sampled(kind)
	}
	if o := q.space.objects[id]; o != nil && o.deleted && o.kind == kind && q.showsDeleted(kind) {
		return encode(tombstone(o)), nil
	}
	o, e := q.find(kind, id)
	if e != nil {
		return nil, e
	}
	if o == nil {
		return q.sampled(kind)
	}
	return q.show(kind, o.fields, o.raw)
}

// showsDeleted reports whether the operation may answer with a deleted object, as retrieving a customer does.
func (q *request) showsDeleted(kind string) bool {
	for _, alternative := range q.route.reply.AnyOf {
		if alternative.Ref == componentPrefix+"deleted_"+kind {
			return true
		}
	}
	return false
}

func tombstone(o *object) map[string]any {
	return map[string]any{"id": o.id, "object": o.kind, "deleted": true}
}

// account answers with the account itself or one connected to it.
func (q *request) account() ([]byte, *apiError) {
	id := q.target()
	if id == "" {
		id = q.space.account
	}
	if o := q.space.live("account", id); o != nil {
		return q.show("account", o.fields, o.raw)
	}
	if id != q.space.account && !q.space.connected[id] {
		e := missing("account", id, "account")
		e.Status = http.StatusForbidden
		return nil, e.with("account_invalid", "account")
	}
	fields := clone(q.server.spec.sample("account"))
	fields["id"] = id
	return q.show("account", fields, nil)
}

// change is one object on its way from one state to the next.
type change struct {
	*request
	kind   string
	old    map[string]any // nil on creation
	fields map[string]any
	events []string
	hidden extras
	shown  map[string]any // fields of the answer that are not kept, such as the secret of a new endpoint
}

func (c *change) emit(types ...string) { c.events = append(c.events, types...) }

// references are parameters that must name an object that exists.
var references = [...]struct{ param, kind string }{
	{"charge", "charge"},
	{"customer", "customer"},
	{"default_payment_method", "payment_method"},
	{"invoice", "invoice"},
	{"payment_intent", "payment_intent"},
	{"payment_method", "payment_method"},
	{"price", "price"},
	{"product", "product"},
}

// checkReferences refuses parameters that name what does not exist.
func (q *request) checkReferences() *apiError {
	for _, r := range references {
		id, ok := q.params[r.param].(string)
		if !ok || id == "" || strings.HasPrefix(id, "pm_card_") || q.space.live(r.kind, id) != nil || !q.space.knows(r.kind) {
			continue
		}
		e := missing(r.kind, id, r.param)
		e.Status = http.StatusBadRequest
		return e
	}
	return nil
}

// checkOwner refuses a collection of something that does not exist, and names the path parameter of the owner:
// customer in /v1/customers/{customer}/tax_ids.
func (q *request) checkOwner() (name string, refusal *apiError) {
	segments := strings.SplitN(q.path, "/", 5)
	owner, _ := q.server.spec.find(http.MethodGet, strings.Join(segments[:4], "/"))
	if owner == nil {
		return q.route.params[0], nil
	}
	kind, _ := q.server.spec.kindOf(owner.reply)
	if _, e := q.find(kind, q.values[0]); e != nil {
		return "", e.with(e.Code, q.route.params[0])
	}
	return q.route.params[0], nil
}

func (q *request) create(kind string) ([]byte, *apiError) {
	if e := q.checkReferences(); e != nil {
		return nil, e
	}
	c := &change{request: q, kind: kind, fields: q.server.spec.fresh(kind, q.space, q.server.now().Unix())}
	if parent := q.target(); parent != "" {
		name, e := q.checkOwner()
		if e != nil {
			return nil, e
		}
		c.hidden.parent = parent
		if _, ok := c.fields[name]; ok {
			c.fields[name] = parent
		}
	}
	q.space.assign(q.server.spec.schema(kind), c.fields, q.params)
	if id, ok := q.params["id"].(string); ok && q.space.live(kind, id) != nil {
		return nil, invalid(strings.ToUpper(kind[:1])+kind[1:]+" already exists.").with("resource_already_exists", "id")
	}
	c.emit(eventName(kind) + ".created")
	if e := c.onCreate(); e != nil {
		return nil, e
	}
	return c.commit()
}

func (q *request) update(kind string) ([]byte, *apiError) {
	if e := q.checkReferences(); e != nil {
		return nil, e
	}
	o, e := q.find(kind, q.target())
	if e != nil {
		return nil, e
	}
	if o == nil {
		return q.sampled(kind)
	}
	c := &change{request: q, kind: o.kind, old: o.fields, fields: clone(o.fields), hidden: o.extrasOnly()}
	q.space.assign(q.server.spec.schema(kind), c.fields, q.params)
	c.emit(eventName(o.kind) + ".updated")
	if e := c.onUpdate(); e != nil {
		return nil, e
	}
	return c.commit()
}

// act carries out an action: POST /v1/payment_intents/{intent}/capture.
func (q *request) act(kind, action string) ([]byte, *apiError) {
	if e := q.checkReferences(); e != nil {
		return nil, e
	}
	if kind == "payment_method" && action == "attach" {
		q.mintPaymentMethod()
	}
	o, e := q.find(kind, q.target())
	if e != nil {
		return nil, e
	}
	if o == nil {
		return q.sampled(kind)
	}
	c := &change{request: q, kind: o.kind, old: o.fields, fields: clone(o.fields), hidden: o.extrasOnly()}
	modelled, e := c.onAction(action)
	if e != nil {
		return nil, e
	}
	if !modelled {
		return q.sampled(kind)
	}
	return c.commit()
}

// commit stores the change, makes its events, and answers with the object.
func (c *change) commit() ([]byte, *apiError) {
	o := c.space.insert(c.kind, c.fields, c.hidden)
	for _, typ := range c.events {
		c.space.event(typ, o.fields, changed(c.old, o.fields), c.request)
	}
	if c.shown == nil {
		return c.show(c.kind, o.fields, o.raw)
	}
	fields := clone(o.fields)
	maps.Copy(fields, c.shown)
	return c.show(c.kind, fields, nil)
}

func (q *request) remove(kind string) ([]byte, *apiError) {
	o, e := q.find(kind, q.target())
	if e != nil {
		return nil, e
	}
	if o == nil {
		return encode(tombstone(&object{id: q.target(), kind: kind})), nil
	}
	c := &change{request: q, kind: o.kind, fields: o.fields}
	if e := c.onDelete(); e != nil {
		return nil, e
	}
	q.space.remove(o)
	c.space.event(eventName(o.kind)+".deleted", o.fields, nil, q)
	return encode(tombstone(o)), nil
}

// put stores an object that a change brings with it, such as the charge of a payment, and makes an event of it.
func (c *change) put(kind string, fields map[string]any, x extras, events ...string) {
	o := c.space.objects[text(fields["id"])]
	var old map[string]any
	if o != nil {
		old = o.fields
	}
	stored := c.space.insert(kind, fields, x)
	for _, typ := range events {
		c.space.event(typ, stored.fields, changed(old, stored.fields), c.request)
	}
}

// changed returns what an update replaced, in the shape of an event's previous_attributes, or nil.
func changed(old, next map[string]any) map[string]any {
	if old == nil {
		return nil
	}
	previous := map[string]any{}
	for name, now := range next {
		before := old[name]
		a, aok := before.(map[string]any)
		b, bok := now.(map[string]any)
		if aok && bok {
			if nested := changed(a, b); len(nested) > 0 {
				previous[name] = nested
			}
		} else if !bytes.Equal(encode(before), encode(now)) {
			previous[name] = before
		}
	}
	for name, before := range old {
		if _, kept := next[name]; !kept {
			previous[name] = before
		}
	}
	return previous
}

// Page sizes, see https://docs.stripe.com/api/pagination.
const (
	defaultLimit = 10
	maxLimit     = 100
)

func (q *request) limit() (int, *apiError) {
	limit, given := q.params["limit"]
	if !given {
		return defaultLimit, nil
	}
	n := int(number(limit))
	switch {
	case n < 1:
		return 0, invalid("This value must be greater than or equal to 1.").with("parameter_invalid_integer", "limit")
	case n > maxLimit:
		return 0, invalid(fmt.Sprintf("This value must be less than or equal to %d (it currently is '%d').", maxLimit, n)).with("parameter_invalid_integer", "limit")
	}
	return n, nil
}

// list answers with a page of a collection, newest first, narrowed by every parameter that is not about paging.
func (q *request) list(kind string) ([]byte, *apiError) {
	limit, e := q.limit()
	if e != nil {
		return nil, e
	}
	parent, owner := "", ""
	if len(q.values) > 0 {
		parent = q.values[0]
		if owner, e = q.checkOwner(); e != nil {
			return nil, e
		}
	}
	if !q.remembered(kind) {
		return q.page(kind, []*object{{id: "", kind: kind, fields: q.server.spec.fresh(kind, q.space, q.server.now().Unix())}}, false, nil)
	}

	wanted := q.filters(kind)
	matches := func(o *object) bool {
		if parent != "" && o.parent != parent && text(o.fields[owner]) != parent {
			return false
		}
		for _, want := range wanted {
			if !want(o) {
				return false
			}
		}
		return true
	}
	shelf := q.space.shelves[kind]
	step := -1 // newest first; the lines of a document stand in their order
	if kind == "item" || kind == "line_item" {
		step = 1
	}
	start, backwards := -1, false
	for _, name := range [...]string{"starting_after", "ending_before"} {
		id, ok := q.params[name].(string)
		if !ok {
			continue
		}
		for i, o := range shelf {
			if o.id == id {
				start = i
			}
		}
		if start < 0 {
			e := missing(kind, id, name)
			e.Status = http.StatusBadRequest
			return nil, e
		}
		backwards = name == "ending_before"
	}
	if backwards {
		step = -step
	}
	if start < 0 && step < 0 {
		start = len(shelf)
	}

	found := make([]*object, 0, limit)
	more := false
	for i := start + step; i >= 0 && i < len(shelf); i += step {
		if !matches(shelf[i]) {
			continue
		}
		if len(found) == limit {
			more = true
			break
		}
		found = append(found, shelf[i])
	}
	if backwards {
		for i, j := 0, len(found)-1; i < j; i, j = i+1, j-1 {
			found[i], found[j] = found[j], found[i]
		}
	}
	return q.page(kind, found, more, nil)
}

// remembered reports whether lists of the kind come from memory. What nobody can create, such as country
// specifications, is sampled.
func (q *request) remembered(kind string) bool {
	if _, stored := q.space.shelves[kind]; stored || len(q.values) > 0 {
		return true
	}
	switch kind {
	case "event", "balance_transaction", "charge", "refund", "dispute":
		return true
	}
	return q.server.spec.creates[q.route.pattern]
}

// page encodes a list; the objects' own bytes stay as they are. More fields, if any, are those of a search.
func (q *request) page(kind string, objects []*object, more bool, extra map[string]any) ([]byte, *apiError) {
	paths := expansions(q.params)
	data := make([]json.RawMessage, 0, len(objects))
	for _, o := range objects {
		raw := o.raw
		if len(paths) > 0 || raw == nil {
			fields := clone(o.fields)
			for _, path := range paths {
				below, ok := strings.CutPrefix(path, "data.")
				if !ok {
					return nil, cannotExpand(path)
				}
				if e := q.space.expand(q.server.spec.schema(kind), fields, below); e != nil {
					return nil, e
				}
			}
			raw = encode(fields)
		}
		data = append(data, raw)
	}

	// Written by hand because encoding/json would reformat the objects' bytes.
	var b bytes.Buffer
	object := "list"
	if extra != nil {
		object = "search_result"
	}
	fmt.Fprintf(&b, "{\n  \"object\": %q,\n  \"data\": [", object)
	for i, raw := range data {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n")
		b.Write(raw)
	}
	fmt.Fprintf(&b, "\n  ],\n  \"has_more\": %t", more)
	for _, name := range [...]string{"next_page"} {
		if value, ok := extra[name]; ok {
			fmt.Fprintf(&b, ",\n  %q: %s", name, encode(value))
		}
	}
	fmt.Fprintf(&b, ",\n  \"url\": %s\n}", encode(q.path))
	return b.Bytes(), nil
}

// filters turns the parameters of a list into conditions on its objects.
func (q *request) filters(kind string) []func(*object) bool {
	schema := q.server.spec.schema(kind)
	var all []func(*object) bool
	for name, want := range q.params {
		switch name {
		case "limit", "starting_after", "ending_before", "expand", "page", "query":
			continue
		}
		if special := specialFilter(kind, name, want); special != nil {
			all = append(all, special)
			continue
		}
		known := property(schema, name) != nil
		all = append(all, func(o *object) bool {
			got, present := o.fields[name]
			return (!known && !present) || fits(got, want)
		})
	}
	return all
}

// specialFilter knows the filters that do not compare a field of the same name.
func specialFilter(kind, name string, want any) func(*object) bool {
	switch kind + "." + name {
	case "event.types":
		return func(o *object) bool { return fits(o.fields["type"], want) }
	case "event.type":
		prefix, wild := strings.CutSuffix(text(want), "*")
		return func(o *object) bool {
			got := text(o.fields["type"])
			return got == prefix || wild && strings.HasPrefix(got, prefix)
		}
	case "invoiceitem.pending":
		return func(o *object) bool { return (o.fields["invoice"] == nil) == (want == true) }
	case "balance_transaction.payout":
		return func(o *object) bool { return text(want) == o.source || text(want) == text(o.fields["source"]) }
	case "price.lookup_keys":
		return func(o *object) bool { return fits(o.fields["lookup_key"], want) }
	case "subscription.status":
		if want == "all" {
			return func(*object) bool { return true }
		}
	}
	if name == "ids" {
		return func(o *object) bool { return fits(o.id, want) }
	}
	return nil
}

// fits compares a field with a condition: a value, a list of which one must fit, a range, or fields of their own.
func fits(got, want any) bool {
	switch w := want.(type) {
	case []any:
		for _, one := range w {
			if fits(got, one) {
				return true
			}
		}
		return false
	case map[string]any:
		fields, _ := got.(map[string]any)
		for name, bound := range w {
			ok := got != nil
			switch name {
			case "gt":
				ok = ok && number(got) > number(bound)
			case "gte":
				ok = ok && number(got) >= number(bound)
			case "lt":
				ok = ok && number(got) < number(bound)
			case "lte":
				ok = ok && number(got) <= number(bound)
			default:
				ok = fits(fields[name], bound)
			}
			if !ok {
				return false
			}
		}
		return true
	}
	return text(got) == text(want)
}
