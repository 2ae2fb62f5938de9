package spec

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A Pair is one entry of metadata.
type Pair struct{ Key, Value string }

// A value is what a field was given, once read.
type value struct {
	state  state
	truth  bool   // booleans
	day    bool   // a date without a time
	text   string // texts, ids, selects, JSON
	number int64  // integers, dates (Unix seconds)
	more   *more  // nil: nothing
}

// more is what only few fields have in their values. It stands apart, since a bundle has a value for each field of the form.
type more struct {
	at    time.Time // dates
	list  []string  // multiselects, lists of texts
	pairs []Pair    // metadata
	rows  []*Bundle
}

func (v *value) rest() more {
	if v.more == nil {
		return more{}
	}
	return *v.more
}

type state uint8

const (
	absent  state = iota
	cleared       // to be emptied at Stripe
	faulty        // given, but not readable
	given
)

// trouble is a fault in the making: where below the field it is, what kind it is and what it says.
type trouble struct{ below, code, message string }

func invalid(message string) []trouble { return []trouble{{code: CodeInvalid, message: message}} }

// read coerces what a bundle holds for the field. Automation platforms send text for everything, so reading is lenient
// about form and exact about value.
func (f *field) read(n node, b *Bundle) (v value, wrong []trouble) {
	switch f.emptiness(n, b.form.update) {
	case absent:
		return value{}, nil
	case cleared:
		if !f.Clearable {
			return value{state: faulty}, []trouble{{code: CodeNoClear, message: "cannot be emptied; leave it out to keep it as it is"}}
		}
		return value{state: cleared}, nil
	default:
		v.state = given
	}
	switch f.Type {
	case KindInteger:
		v.number, wrong = f.readInteger(n)
	case KindBoolean:
		v.truth, wrong = readBoolean(n)
	case KindDate:
		zone := b.zone
		if f.utcDay {
			zone = time.UTC
		}
		v, wrong = readMoment(n, zone)
	case KindSelect:
		v.text, wrong = f.readOption(n)
	case KindMultiselect, KindTexts:
		v.more = new(more)
		if v.more.list, wrong = f.readList(n); len(v.more.list) == 0 && wrong == nil {
			return value{}, nil // nothing but rows that nobody filled
		}
	case KindMetadata:
		v.more = new(more)
		v.more.pairs, wrong = f.readPairs(n, b.form.update)
	case KindRows, KindFilter:
		v.more = new(more)
		if v.more.rows, wrong = f.readRows(n, b); len(v.more.rows) == 0 && wrong == nil {
			return value{}, nil
		}
	case KindAny:
		v.text = n.raw
	default:
		v.text, wrong = f.readText(n)
	}
	if len(wrong) > 0 {
		v.state = faulty
	}
	return v, wrong
}

// emptiness tells a field that was left empty from one that is to be emptied. The rules are the contract's: "" is what
// platforms send for every box that nobody filled, so it never wipes data but where its documentation says so.
func (f *field) emptiness(n node, update bool) state {
	switch {
	case n.kind == isNull:
		if update && f.stored() {
			return cleared
		}
		return absent
	case n.kind == isString && (n.text == "" || f.trims() && strings.TrimSpace(n.text) == ""):
		if update && f.emptied && n.text == "" {
			return cleared
		}
		return absent
	case f.Type == KindAny:
		return given
	case n.kind == isObject && len(n.keys) == 0:
		return absent
	case n.kind == isArray && len(n.list) == 0:
		switch {
		case !update || f.steers || f.Type == KindMetadata:
			// An emptied list of pairs is a platform's unfilled box, never a wish to unset every key.
			return absent
		case f.stored() && f.lists():
			return cleared
		}
	}
	return given
}

// stored says that Stripe keeps a value for the field, which could be emptied: not for what only steers the call, what
// each call needs anew, or what is refused anyway.
func (f *field) stored() bool {
	return !f.steers && !f.Input.Required && f.refused == ""
}

// lists says that the field takes several values.
func (f *field) lists() bool {
	switch f.Type {
	case KindMultiselect, KindTexts, KindRows:
		return true
	default:
		return false
	}
}

// trims says that blanks around a value mean nothing. Only plain text keeps them.
func (f *field) trims() bool { return f.Type != KindText || f.lower || f.upper }

// scalar is the text of a string or number.
func (f *field) scalar(n node) (string, []trouble) {
	switch n.kind {
	case isString:
		if f.trims() {
			return strings.TrimSpace(n.text), nil
		}
		return n.text, nil
	case isNumber:
		return n.text, nil
	case isBool:
		return "", invalid("must be a text, not yes or no")
	default:
		return "", invalid("must be one text")
	}
}

func (f *field) readText(n node) (string, []trouble) {
	s, wrong := f.scalar(n)
	if wrong != nil {
		return "", wrong
	}
	if f.lower {
		s = strings.ToLower(s)
	}
	if f.upper {
		s = strings.ToUpper(s)
	}
	return s, f.judgeText(s)
}

func (f *field) judgeText(s string) []trouble {
	length := utf8.RuneCountInString(s)
	switch {
	case f.MaxLength > 0 && length > f.MaxLength:
		return []trouble{{code: CodeTooLong, message: "must be at most " + strconv.Itoa(f.MaxLength) + " characters"}}
	case length < f.MinLength:
		return []trouble{{code: CodeTooShort, message: "must be at least " + strconv.Itoa(f.MinLength) + " characters"}}
	case f.check != nil:
		if problem := f.check(s); problem != "" {
			return invalid(problem)
		}
	}
	return nil
}

func (f *field) readInteger(n node) (int64, []trouble) {
	if n.kind != isNumber && n.kind != isString {
		return 0, invalid("must be a whole number")
	}
	i, problem := whole(strings.TrimSpace(n.text))
	switch {
	case problem != "":
		return 0, invalid(problem + echo(n.text))
	case f.Input.Min != nil && i < *f.Input.Min:
		return 0, []trouble{{code: CodeTooSmall, message: "must be at least " + strconv.FormatInt(*f.Input.Min, 10)}}
	case f.Input.Max != nil && i > *f.Input.Max:
		return 0, []trouble{{code: CodeTooLarge, message: "must be at most " + strconv.FormatInt(*f.Input.Max, 10)}}
	}
	return i, nil
}

func readBoolean(n node) (bool, []trouble) {
	switch strings.ToLower(strings.TrimSpace(n.text)) {
	case "true", "yes", "1", "on":
		return true, nil
	case "false", "no", "0", "off":
		return false, nil
	}
	return false, invalid("must be yes or no" + echo(n.text))
}

func readMoment(n node, zone *time.Location) (value, []trouble) {
	if n.kind != isNumber && n.kind != isString {
		return value{}, invalid("must be a date")
	}
	m, problem := readDate(strings.TrimSpace(n.text), zone)
	if problem != "" {
		return value{}, invalid(problem + echo(n.text))
	}
	return value{state: given, number: m.at.Unix(), day: m.day, more: &more{at: m.at}}, nil
}

func (f *field) readOption(n node) (string, []trouble) {
	s, wrong := f.scalar(n)
	if wrong != nil {
		return "", wrong
	}
	o, ok := f.option(s)
	switch {
	case !ok:
		return "", invalid(f.problem(s) + echo(s))
	case o.refused != "":
		return "", []trouble{{code: CodeNotAllowed, message: o.refused}}
	}
	return o.Value, nil
}

// option finds a choice by value or label, whatever their case; EU-VAT is eu_vat.
func (f *field) option(s string) (Option, bool) {
	for _, o := range f.Options {
		if o.Value == s {
			return o, true
		}
	}
	folded := strings.ReplaceAll(s, "-", "_")
	for _, o := range f.Options {
		if strings.EqualFold(o.Value, folded) || strings.EqualFold(o.Label, s) || slices.ContainsFunc(o.aliases, func(a string) bool { return strings.EqualFold(a, s) }) {
			return o, true
		}
	}
	if f.Input.Open {
		return Option{Value: strings.ToLower(s)}, f.problem(s) == ""
	}
	return Option{}, false
}

// problem is what is wrong with a choice that is not listed, or nothing if it may pass.
func (f *field) problem(s string) string {
	switch {
	case f.Input.Open && f.check != nil:
		return f.check(s)
	case f.Input.Open && openOption(s):
		return ""
	}
	return "must be one of " + choices(f.Options)
}

// openOption says that an unlisted value at least looks like one of Stripe's.
func openOption(s string) bool {
	return s != "" && len(s) <= 100 && strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// choices lists the options of a select, as far as a message can bear.
func choices(options []Option) string {
	const most = 12
	var b strings.Builder
	for i, o := range options {
		if i == most {
			b.WriteString(" and " + strconv.Itoa(len(options)-most) + " more")
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(o.Value)
	}
	return b.String()
}

func (f *field) readList(n node) ([]string, []trouble) {
	elements := n.list
	if n.kind != isArray {
		elements = []node{n} // one value where a list is wanted is a list of one
	}
	read := f.readText
	if f.Type == KindMultiselect {
		read = f.readOption
	}
	list := make([]string, 0, len(elements))
	var wrong []trouble
	for i, e := range elements {
		if e.kind == isNull || e.kind == isString && strings.TrimSpace(e.text) == "" {
			continue // an unfilled row
		}
		s, bad := read(e)
		for _, t := range bad {
			t.below = "[" + strconv.Itoa(i) + "]"
			wrong = append(wrong, t)
		}
		list = append(list, s)
	}
	if f.MaxItems > 0 && len(list) > f.MaxItems {
		wrong = append(wrong, f.tooMany("entries"))
	}
	return list, wrong
}

// readPairs takes an object, or a list of {key, value}. Square brackets would reach into the form encoding, and Stripe
// refuses them too.
func (f *field) readPairs(n node, update bool) ([]Pair, []trouble) {
	var wrong []trouble
	pairs := make([]Pair, 0, len(n.list))
	add := func(below, k string, v node) {
		at := func(code, message string) { wrong = append(wrong, trouble{below: below, code: code, message: message}) }
		text, ok := v.text, true
		switch v.kind {
		case isNull, isString, isNumber, isBool:
		default:
			ok = false
		}
		if v.kind == isNull {
			text = ""
		}
		switch {
		case k == "":
			at(CodeRequired, "needs a key")
		case utf8.RuneCountInString(k) > metadataMaxKey:
			at(CodeTooLong, "must have keys of at most "+strconv.Itoa(metadataMaxKey)+" characters")
		case strings.ContainsAny(k, "[]"):
			at(CodeInvalid, "must have keys without square brackets")
		case slices.ContainsFunc(pairs, func(p Pair) bool { return p.Key == k }):
			at(CodeDuplicate, "has the key "+strconv.Quote(shorten(k))+" twice")
		case !ok:
			at(CodeInvalid, "must have texts as values")
		case utf8.RuneCountInString(text) > metadataMaxValue:
			at(CodeTooLong, "must have values of at most "+strconv.Itoa(metadataMaxValue)+" characters")
		case text == "" && !update: // nothing to unset yet
		default:
			pairs = append(pairs, Pair{k, text})
		}
	}
	switch n.kind {
	case isObject:
		for i, k := range n.keys {
			add("."+shorten(k), k, n.list[i])
		}
	case isArray:
		for i, row := range n.list {
			below := "[" + strconv.Itoa(i) + "]"
			k, v, ok := row.pair()
			if !ok {
				wrong = append(wrong, trouble{below: below, code: CodeInvalid, message: "must be {key, value}"})
				continue
			}
			if k == "" && v.kind == isString && v.text == "" || row.kind == isNull {
				continue // an unfilled row
			}
			add(below, k, v)
		}
	default:
		return nil, invalid("must be an object of texts, or a list of {key, value}")
	}
	if len(pairs) > f.MaxItems {
		wrong = append(wrong, f.tooMany("keys"))
	}
	return pairs, wrong
}

func (f *field) tooMany(what string) trouble {
	return trouble{code: CodeTooMany, message: "must have at most " + strconv.Itoa(f.MaxItems) + " " + what}
}

// pair reads a {key, value} object.
func (n node) pair() (k string, v node, ok bool) {
	if n.kind == isNull {
		return "", n, true
	}
	ok = n.kind == isObject
	v = node{kind: isString}
	for i, name := range n.keys {
		switch name {
		case "key":
			k = n.list[i].text
			ok = ok && (n.list[i].kind == isString || n.list[i].kind == isNumber)
		case "value":
			v = n.list[i]
		default:
			ok = ok && strings.HasPrefix(name, ignoredPrefix)
		}
	}
	return k, v, ok
}

func (f *field) readRows(n node, b *Bundle) ([]*Bundle, []trouble) {
	elements := n.list
	switch {
	case f.Type == KindFilter && (n.kind == isArray || n.kind == isObject):
		elements = conditions(n)
	case n.kind == isObject && f.takesPairs() && !slices.Contains(n.keys, "key"):
		elements = make([]node, len(n.keys))
		for i, k := range n.keys {
			elements[i] = node{kind: isObject, keys: []string{"key", "value"}, list: []node{{kind: isString, text: k}, n.list[i]}}
		}
	case n.kind == isObject:
		elements = []node{n}
	case n.kind != isArray:
		return nil, invalid("must be a list of objects")
	}
	var rows []*Bundle
	var wrong []trouble
	for i, e := range elements {
		below := "[" + strconv.Itoa(i) + "]"
		switch {
		case e.kind == isNull:
			continue // an unfilled row
		case e.kind == isArray && f.Type == KindFilter:
			wrong = append(wrong, trouble{below: below, code: CodeInvalid, message: "is one of several alternatives; Stripe takes only conditions that must all hold"})
			continue
		case e.kind != isObject:
			wrong = append(wrong, trouble{below: below, code: CodeInvalid, message: "must be an object"})
			continue
		}
		row := newBundle(f.items, b.zone)
		row.row = i
		row.take(e)
		if row.blank() {
			continue // another
		}
		row.judge()
		for _, fault := range row.faults() {
			wrong = append(wrong, trouble{below: below + "." + fault.Field, code: fault.Code, message: fault.Label + ": " + fault.Message})
		}
		rows = append(rows, row)
	}
	if f.MaxItems > 0 && len(rows) > f.MaxItems {
		wrong = append(wrong, f.tooMany("entries"))
	}
	return rows, wrong
}

// takesPairs says that the rows are {key, value}, so that an object of texts means the same.
func (f *field) takesPairs() bool {
	return len(f.Items) == 2 && f.Items[0].Name == "key" && f.Items[1].Name == "value"
}

// conditions takes a filter as a list of {field, operator, value}, or as Make writes it: one inner list of {a, o, b}.
func conditions(n node) []node {
	list := n.list
	if n.kind == isObject {
		list = []node{n}
	}
	if len(list) == 1 && list[0].kind == isArray {
		list = list[0].list
	}
	return list
}

func checkEmail(s string) string {
	at := strings.LastIndexByte(s, '@')
	if at <= 0 || at == len(s)-1 || strings.ContainsAny(s, " \t\r\n,;<>") {
		return "must be an email address"
	}
	return ""
}

func checkURL(s string) string {
	if u, err := url.Parse(s); err != nil || u.Scheme == "" || u.Host == "" && u.Path == "" && u.Opaque == "" || strings.ContainsAny(s, " \t\r\n") {
		return "must be an absolute URL such as https://example.com/back"
	}
	return ""
}

// echo shows a short value in a message, if it cannot be a secret.
func echo(s string) string {
	if s == "" || utf8.RuneCountInString(s) > echoMax || secretLike(s) {
		return ""
	}
	return ", not " + strconv.Quote(s)
}

// The most that a message repeats, in characters: of a value, and of a key, whose path has many parts.
const (
	echoMax = 40
	keyMax  = 100
)

// secretLike says that a text looks like a key, a secret or a card number that was pasted into the wrong field.
func secretLike(s string) bool {
	for _, mark := range []string{"sk_", "rk_", "pk_", "whsec_", "sc_", "_secret", "tok_", "Bearer"} {
		if strings.Contains(s, mark) {
			return true
		}
	}
	n := 0
	for _, r := range s {
		if r >= '0' && r <= '9' {
			n++
		}
	}
	return n >= 12
}

// shorten keeps a key that a caller made up from filling an answer.
func shorten(k string) string {
	if secretLike(k) {
		return "…"
	}
	if r := []rune(k); len(r) > keyMax {
		return string(r[:keyMax]) + "…"
	}
	return k
}
