package stripetest

import (
	"bytes"
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
