package spec

import (
	"regexp"
	"slices"
	"strings"
)

// Kind is what a field holds, and so how its value is read.
type Kind string

// The kinds of fields.
const (
	KindConnection  Kind = "connection"  // id of a stored connection
	KindText        Kind = "text"        // kept as it is
	KindID          Kind = "id"          // a Stripe id, outer blanks dropped
	KindInteger     Kind = "integer"     // exact: never rounded, never scaled
	KindBoolean     Kind = "boolean"     //
	KindSelect      Kind = "select"      // one of the options, by value or label
	KindMultiselect Kind = "multiselect" // some of the options
	KindDate        Kind = "date"        // Unix seconds once read
	KindEmail       Kind = "email"       //
	KindURL         Kind = "url"         // absolute
	KindTexts       Kind = "array"       // a list of texts
	KindRows        Kind = "collection"  // a list of objects, each with the fields in Items
	KindMetadata    Kind = "metadata"    // key-value pairs
	KindFilter      Kind = "filter"      // conditions that must all hold
	KindAny         Kind = "any"         // JSON as it came
)

// An Option is one choice of a select.
type Option struct {
	Value string `json:"value"` // as sent to Stripe
	Label string `json:"label"`

	aliases []string
	refused string // why a documented choice can no longer be sent
}

// Opt is an option of a select. Each alias is another spelling that callers may send.
func Opt(value, label string, aliases ...string) Option {
	return Option{Value: value, Label: label, aliases: aliases}
}

// Refused marks a choice that the form shows and Stripe does not take; the reason is the fault's message.
func (o Option) Refused(reason string) Option {
	o.refused = reason
	return o
}

// A LookupRef says where a form finds the values of a field.
type LookupRef struct {
	Name string   `json:"name"`           // of GET /v1/lookups/{lookup}
	By   []string `json:"by,omitempty"`   // inputs that narrow it
	Only *Cond    `json:"only,omitempty"` // which objects make sense here, by a field of theirs
}

// Must says in a sentence which objects make sense; nothing if all of them do.
func (r LookupRef) Must() string {
	if r.Only == nil {
		return ""
	}
	in := r.Only.In
	text := in[len(in)-1]
	if len(in) > 1 {
		text = strings.Join(in[:len(in)-1], ", ") + " or " + text
	}
	return "Its " + r.Only.Field + " must be " + text + "."
}

// Narrows is the input of the lookup that leaves only what makes sense, and its value, where there is one.
func (r LookupRef) Narrows(l *Lookup) (input Input, value string, ok bool) {
	if r.Only == nil || len(r.Only.In) != 1 {
		return Input{}, "", false
	}
	f := l.form.byName[r.Only.Field]
	if f == nil {
		return Input{}, "", false
	}
	return f.Input, r.Only.In[0], true
}

// An Input describes one field to whoever shows or checks the form: the manifest, OpenAPI, the Make export.
type Input struct {
	Name        string     `json:"name"` // path in the bundle
	Label       string     `json:"label"`
	Type        Kind       `json:"type"`
	Required    bool       `json:"required"` // whenever the field is visible
	Help        string     `json:"help,omitempty"`
	Section     string     `json:"section,omitempty"`
	Options     []Option   `json:"options,omitempty"`
	Open        bool       `json:"open,omitempty"` // other values than the options pass too
	Min         *int64     `json:"min,omitempty"`
	Max         *int64     `json:"max,omitempty"`
	MinLength   int        `json:"min_length,omitempty"` // characters
	MaxLength   int        `json:"max_length,omitempty"`
	MaxItems    int        `json:"max_items,omitempty"`
	Pattern     string     `json:"pattern,omitempty"`
	Default     any        `json:"default,omitempty"`
	Clearable   bool       `json:"clearable,omitempty"` // null (and [] for lists) empties it at Stripe
	Lookup      *LookupRef `json:"lookup,omitempty"`
	VisibleWhen []AnyOf    `json:"visible_when,omitempty"` // all must hold
	Items       []Input    `json:"items,omitempty"`
	Hidden      bool       `json:"-"` // accepted, but not part of the documented form
	Implied     bool       `json:"-"` // not a documented row, but asked for by one
	conditions  []operand  `json:"-"` // of a filter
}

// A Cond holds while the field has one of the values.
type Cond struct {
	Field string   `json:"field"`
	In    []string `json:"in"`
}

// AnyOf holds if one of its conditions does.
type AnyOf []Cond

// A Field is one input of a module: what the form shows, and where its value goes. Its methods return a changed copy,
// so that a field can be shared and adapted.
type Field struct {
	Input

	to      []target            // where it goes; empty: its own name
	with    []string            // required as soon as one of these is given
	refused string              // why any value is an error
	aliases []string            // other keys for it
	infer   inference           // how an empty control is worked out
	parts   Fields              // of Rows
	check   func(string) string // a further check; answers what is wrong, or nothing
	path    bool                // goes into the URL
	local   bool                // never sent
	steers  bool                // says how the call is made, and so is nothing that Stripe keeps
	within  bool                // required as soon as a field beside it is given
	lower   bool                // sent in lower case
	upper   bool                // sent in upper case
	emptied bool                // "" clears, as documented
	utcDay  bool                // a date-only value is a day in UTC, whatever the bundle's time zone
}

// An inference works out what an empty control must be; nothing if the bundle does not say.
type inference func(b *Bundle, control *field) string

// A target is a parameter path with the condition under which the value goes there.
type target struct {
	path   string
	when   AnyOf
	prefix string // the value begins with it
}

func (f Field) addTo(d *draft) { d.field(f) }

func newField(kind Kind, name, label string) Field {
	return Field{Input: Input{Name: name, Label: label, Type: kind}}
}

// stripeTextMax is what Stripe takes for a text without a limit of its own, in characters.
const stripeTextMax = 5000

// Text is a text, sent as it is. null clears it in update modules.
func Text(name, label string) Field {
	f := newField(KindText, name, label)
	f.MaxLength = stripeTextMax
	f.Clearable = true
	return f
}

// ID is the id of a Stripe object.
func ID(name, label string) Field {
	f := newField(KindID, name, label)
	f.MaxLength = stripeTextMax
	return f
}

// PathID is the id of the object that the module is about.
func PathID(name, label string) Field { return newField(KindID, name, label).InPath() }

// Email is an email address.
func Email(name, label string) Field {
	f := newField(KindEmail, name, label)
	f.check = checkEmail
	f.Clearable = true
	return f
}

// URL is an absolute URL; apps' own schemes count.
func URL(name, label string) Field {
	f := newField(KindURL, name, label)
	f.check = checkURL
	return f
}

// Integer is a whole number, exact. Amounts are in the smallest currency unit.
func Integer(name, label string) Field { return newField(KindInteger, name, label) }

// Boolean is yes or no.
func Boolean(name, label string) Field { return newField(KindBoolean, name, label) }

// Date is a point in time, sent as Unix seconds.
func Date(name, label string) Field { return newField(KindDate, name, label) }

// Select is a choice of one option.
func Select(name, label string, options ...Option) Field {
	f := newField(KindSelect, name, label)
	f.Options = options
	return f
}

// Control is a select that decides which other fields are shown and is never sent. Left empty, it is worked out from
// those that are filled.
func Control(name, label string, options ...Option) Field {
	f := Select(name, label, options...).steering()
	f.infer = inferFromVisible
	return f
}

// Multiselect is a choice of several options.
func Multiselect(name, label string, options ...Option) Field {
	f := newField(KindMultiselect, name, label)
	f.Options = options
	return f
}

// Texts is a list of texts or ids; one value counts as a list of one.
func Texts(name, label string) Field { return newField(KindTexts, name, label) }

// Rows is a list of objects with the given fields; one object counts as a list of one.
func Rows(name, label string, items ...Part) Field {
	f := newField(KindRows, name, label)
	f.parts = items
	return f
}

// Compiled once for the many fields that have them.
var (
	currencyForm = regexp.MustCompile(`^[A-Za-z]{3}$`)
	countryForm  = regexp.MustCompile(`^[A-Za-z]{2}$`)
)

// Currency is a three-letter ISO 4217 code in any case, sent in lower case.
func Currency(name, label string) Field {
	f := newField(KindText, name, label).matching(currencyForm, "must be a three-letter currency code such as usd")
	f.lower = true
	return f
}

// Country is a two-letter ISO 3166-1 code in any case, sent in upper case.
func Country(name, label string) Field {
	f := Text(name, label).matching(countryForm, "must be a two-letter country code such as US")
	f.upper = true
	return f
}

// Metadata limits, https://docs.stripe.com/api/metadata.
const (
	metadataMaxKeys  = 50
	metadataMaxKey   = 40  // characters
	metadataMaxValue = 500 // characters
)

// Metadata is a set of key-value pairs. In update modules an empty value unsets its key and an empty text unsets all.
func Metadata(name, label string) Field {
	f := newField(KindMetadata, name, label)
	f.MaxItems = metadataMaxKeys
	f.Clearable, f.emptied = true, true
	return f
}

// Any is JSON that the module passes on as it came.
func Any(name, label string) Field { return newField(KindAny, name, label).Local() }

// Required makes an empty field a fault whenever the field is visible.
func (f Field) Required() Field {
	f.Input.Required = true
	return f
}

// RequiredWithin makes an empty field a fault as soon as any field of the same object is given.
func (f Field) RequiredWithin() Field {
	f.within = true
	return f
}

// RequiredWith makes an empty field a fault as soon as one of the named fields (in the same object) is given.
func (f Field) RequiredWith(names ...string) Field {
	f.with = names
	return f
}

// Help is the sentence under the field.
func (f Field) Help(text string) Field {
	f.Input.Help = text
	return f
}

// Min is the smallest integer.
func (f Field) Min(n int64) Field {
	f.Input.Min = &n
	return f
}

// Max is the largest integer.
func (f Field) Max(n int64) Field {
	f.Input.Max = &n
	return f
}

// MaxLen is the longest text, in characters.
func (f Field) MaxLen(n int) Field {
	f.MaxLength = n
	return f
}

// AtMost is the longest list.
func (f Field) AtMost(items int) Field {
	f.MaxItems = items
	return f
}

// Matching is a pattern for the text; otherwise is the fault's message and begins with "must".
func (f Field) Matching(pattern, otherwise string) Field {
	return f.matching(regexp.MustCompile(pattern), otherwise)
}

func (f Field) matching(form *regexp.Regexp, otherwise string) Field {
	f.Pattern = form.String()
	f.check = func(s string) string {
		if form.MatchString(s) {
			return ""
		}
		return otherwise
	}
	return f
}

// idForm is what may stand in a URL path: stripe-go would turn an empty id into a list or a collection delete.
var idForm = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// maxID is the longest id, in bytes, judged apart: a regular expression that counts to 255 takes 80 KiB.
const maxID = 255

// PathSafe restricts an id to what may stand in a URL path. An API key that was pasted into the wrong box may not: paths
// are logged.
func (f Field) PathSafe() Field {
	f.Pattern = `^[A-Za-z0-9_-]{1,255}$`
	return f.Checked(func(s string) string {
		switch {
		case strings.HasPrefix(s, "sk_"), strings.HasPrefix(s, "rk_"):
			return "must be an id, not an API key"
		case len(s) > maxID, !idForm.MatchString(s):
			return "must be an id of letters, digits, _ and -, at most 255 of them"
		}
		return ""
	})
}

// InPath puts an id into the URL, where it is always required.
func (f Field) InPath() Field {
	f = f.Required().PathSafe()
	f.MaxLength, f.path = 0, true // the pattern says how long
	return f
}

// Checked adds a check of the text. It answers what is wrong, beginning with "must", or nothing.
func (f Field) Checked(check func(string) string) Field {
	f.check = check
	return f
}

// Lookup names where a form finds values for the field, and the inputs that narrow it.
func (f Field) Lookup(name string, by ...string) Field {
	f.Input.Lookup = &LookupRef{Name: name, By: by}
	return f
}

// Only says which of the looked-up objects make sense here: those whose field has one of the values.
func (f Field) Only(field string, in ...string) Field {
	l := *f.Input.Lookup
	l.Only = &Cond{Field: field, In: in}
	f.Input.Lookup = &l
	return f
}

// Default is taken when the field is empty.
func (f Field) Default(v any) Field {
	f.Input.Default = v
	return f
}

// Clears marks a field that null empties in update modules.
func (f Field) Clears() Field {
	f.Clearable = true
	return f
}

// Keeps marks a text that Stripe cannot empty.
func (f Field) Keeps() Field {
	f.Clearable = false
	return f
}

// ClearsOnEmpty marks a field that an empty text empties in update modules, as its documentation says.
func (f Field) ClearsOnEmpty() Field {
	f.Clearable, f.emptied = true, true
	return f
}

// Open lets other values than the options pass.
func (f Field) Open() Field {
	f.Input.Open = true
	return f
}

// Local keeps the field from Stripe.
func (f Field) Local() Field {
	f.local = true
	return f
}

// steering marks a field that says how the call is made.
func (f Field) steering() Field {
	f.local, f.steers = true, true
	return f
}

// To sends the value to another parameter path.
func (f Field) To(path string) Field {
	f.to = append(slices.Clone(f.to), target{path: path})
	return f
}

// ToIf sends the value to another parameter path if it begins with the prefix.
func (f Field) ToIf(prefix, path string) Field {
	f.to = append(slices.Clone(f.to), target{path: path, prefix: prefix})
	return f
}

// ToWhen sends the value to the path while the named field has one of the values.
func (f Field) ToWhen(path, field string, in ...string) Field {
	f.to = append(slices.Clone(f.to), target{path: path, when: AnyOf{{Field: field, In: in}}})
	return f
}

// Alias is another key under which bundles may carry the field.
func (f Field) Alias(keys ...string) Field {
	f.aliases = append(slices.Clone(f.aliases), keys...)
	return f
}

// Refused keeps the field in the form and makes any value an error that says why.
func (f Field) Refused(reason string) Field {
	f.refused = reason
	f.local = true
	return f
}

// InferredBy works out an empty control; it answers one of the options, or nothing.
func (f Field) InferredBy(infer func(*Bundle) string) Field {
	f.infer = func(b *Bundle, _ *field) string { return infer(b) }
	return f
}

// Implied marks a field that is not a documented row but is asked for by one.
func (f Field) Implied() Field {
	f.Input.Implied = true
	return f
}

// UTCDay reads a date-only value as a day in UTC, whatever the bundle's time zone.
func (f Field) UTCDay() Field {
	f.utcDay = true
	return f
}
