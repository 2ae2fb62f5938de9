package spec

import "github.com/stripe/stripe-go/v79"

// A Call makes one Stripe call with params that are already bound. The backend it is given carries the API key, the
// headers and the context, and keeps Stripe's answer as it came; what stripe-go decodes from it is dropped.
type Call func(stripe.Backend) error

// A Step is one call of an action. Most actions have one; the answer of the last is the action's.
type Step struct {
	Name string // what the step does, for the report of a half-done action: "attach the payment method"
	Call Call
}

// A Page asks a list for the objects after a position, at most Limit (1 to 100) of them.
type Page struct {
	After string // id of the last object seen, or the next_page token of a search result; empty: from the start
	Limit int64
}

// A Source is one Stripe list.
type Source struct {
	Call func(stripe.Backend, Page) error
	// One says that Call answers a single object, not a page: that object is the list, and a 404 means an empty one.
	One bool
}

// A Query is what a search asks of Stripe.
type Query struct {
	Sources []Source // several are merged, newest first by their created
	// Keep filters what Stripe cannot; nil keeps all. It is given the object as Stripe wrote it.
	Keep func(object []byte) bool
	// Scan bounds how many objects are looked at for a Keep that seldom says yes; 0 is no bound.
	Scan int
}
