package spec

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// A dateRange is a pair of fields, an operator and a date, that together limit a parameter.
type dateRange struct {
	operator, timestamp string // names of the fields
	param               string // "created"; empty: the module filters by itself
	binds               rangeBinding
}

// DateFilter is an operator and a date that limit the parameter of the same name.
func DateFilter(param, label, timestampLabel string, change ...func(Field) Field) Part {
	return dateFilter(param, param, label, timestampLabel, change)
}

// LocalDateFilter is a DateFilter that Stripe has no parameter for: the module reads it with Bundle.Bounds.
func LocalDateFilter(name, label, timestampLabel string) Part {
	return dateFilter(name, "", label, timestampLabel, nil)
}

func dateFilter(name, param, label, timestampLabel string, change []func(Field) Field) Part {
	timestamp := Date("timestamp", timestampLabel).Local().RequiredWith("operator").
		Help("The moment to compare with. A date without a time stands for its midnight, or for the whole day with on.")
	for _, c := range change {
		timestamp = c(timestamp)
	}
	return Fields{
		Object(name,
			Select("operator", label, dateOperators()...).Local().RequiredWith("timestamp").
				Help("How "+strings.ToLower(label)+" compares with the timestamp."),
			timestamp,
		),
		partFunc(func(d *draft) {
			at := d.prefix + name
			d.ranges = append(d.ranges, &dateRange{operator: at + ".operator", timestamp: at + ".timestamp", param: param})
		}),
	}
}

// Bounds are the limits that a date filter sets.
func (b *Bundle) Bounds(name string) Bounds {
	operator, at := b.get(name+".operator"), b.get(name+".timestamp")
	if operator.state != given || at.state != given {
		return Bounds{}
	}
	return bounds(operator.text, moment{at: at.rest().at, day: at.day})
}

// An operand is what one condition of a filter is about, and where that goes.
type operand struct {
	name, label string
	dates       bool   // takes the date operators; the others take equals
	param       string // a parameter of the list call
	search      string // a field of Stripe's search language, for what lists cannot do
	keyed       bool   // name.KEY: one key of metadata
	options     []Option
	dateBinds   rangeBinding
	textBind    binding
}

// Operand is one thing that a filter can compare; see the functions that make one.
type Operand struct{ operand }

// ByDate compares a date, a range parameter of the list.
func ByDate(param, label string) Operand {
	return Operand{operand{name: param, label: label, dates: true, param: param, search: param}}
}

// ByValue compares a parameter of the list with a text.
func ByValue(param, label string, options ...Option) Operand {
	return Operand{operand{name: param, label: label, param: param, options: options}}
}

// BySearch compares something that only Stripe's search language knows.
func BySearch(field, label string) Operand {
	return Operand{operand{name: field, label: label, search: field}}
}

// ByMetadata compares a metadata key, written metadata.KEY, in Stripe's search language.
func ByMetadata(label string) Operand {
	return Operand{operand{name: "metadata", label: label, search: "metadata", keyed: true}}
}

// Filter is a list of conditions, all of which must hold.
func Filter(name, label string, operands ...Operand) Field {
	names := make([]Option, len(operands))
	inner := make([]operand, len(operands))
	operators := append(dateOperators(), Opt(opEquals, "equals", "text:equal"))
	for i, o := range operands {
		names[i], inner[i] = Opt(o.name, o.label), o.operand
	}
	f := Rows(name, label,
		Select("field", "Field", names...).Required().Open().Checked(anyText).Alias("a").Implied().Help("What the condition is about."),
		Select("operator", "Operator", operators...).Required().Alias("o").Implied().Help("How to compare."),
		Text("value", "Value").Required().Alias("b").Implied().Help("What to compare with: a date for dates, else a text."),
		Check(func(row *Bundle) { row.judgeCondition(inner) }),
	).Local()
	f.Type = KindFilter
	f.conditions = inner
	return f
}

// anyText leaves the judgement to judgeCondition: what may follow metadata. is the caller's.
func anyText(string) string { return "" }

// A condition is one row of a filter, resolved.
type condition struct {
	operand
	row      int
	key      string // of metadata
	operator string
	text     string
	bounds   Bounds
}

// resolve finds what a row of a filter is about. Stripe's metadata keys are case-sensitive, so the key is taken as it
// was written, not as the select folded it.
func (b *Bundle) resolve(operands []operand) (c condition, ok bool) {
	written := strings.TrimSpace(b.written("field"))
	name, key, keyed := strings.Cut(written, ".")
	for _, o := range operands {
		if strings.EqualFold(o.name, written) || strings.EqualFold(o.label, written) || keyed && o.keyed && strings.EqualFold(o.name, name) {
			return condition{operand: o, row: b.row, key: key, operator: b.Text("operator"), text: b.Text("value")}, true
		}
	}
	return condition{}, false
}

func (b *Bundle) judgeCondition(operands []operand) {
	if !b.Has("field") || !b.Has("operator") || !b.Has("value") {
		return
	}
	c, ok := b.resolve(operands)
	f := b.form.byName["field"]
	switch {
	case !ok:
		b.fault(f, CodeInvalid, "must be one of "+choices(f.Options))
	case c.keyed && c.key == "":
		b.fault(f, CodeInvalid, "must name the key, as in metadata.order_id")
	case !c.dates && c.operator != opEquals:
		b.fault(b.form.byName["operator"], CodeNotAllowed, "must be equals for "+c.label)
	case c.dates && c.operator == opEquals:
		b.fault(b.form.byName["operator"], CodeNotAllowed, "must be before, after, on, on_or_before or on_or_after for "+c.label)
	case c.dates:
		if _, problem := readDate(strings.TrimSpace(c.text), b.zone); problem != "" {
			b.fault(b.form.byName["value"], CodeInvalid, problem+echo(c.text))
		}
	case len(c.options) > 0:
		if _, known := (&field{Field: Field{Input: Input{Options: c.options}}}).option(c.text); !known {
			b.fault(b.form.byName["value"], CodeInvalid, "must be one of "+choices(c.options)+echo(c.text))
		}
	}
}

// filterConditions are the conditions of a filter that passed judgement.
func (b *Bundle) filterConditions(f *field) []condition {
	rows := b.vals[f.index].rest().rows
	list := make([]condition, 0, len(rows))
	for _, row := range rows {
		c, ok := row.resolve(f.conditions)
		if !ok {
			continue
		}
		if c.dates {
			m, _ := readDate(strings.TrimSpace(c.text), row.zone)
			c.bounds = bounds(c.operator, m)
		}
		if len(c.options) > 0 {
			o, _ := (&field{Field: Field{Input: Input{Options: c.options}}}).option(c.text)
			c.text = o.Value
		}
		list = append(list, c)
	}
	return list
}

// judgeFilter refuses conditions that one list call cannot hold together.
func (b *Bundle) judgeFilter(f *field) {
	type side struct{ param, bound string }
	seen := map[side]bool{}
	twice := func(row int, param, bound string) {
		if seen[side{param, bound}] {
			b.faultAt(f, "["+strconv.Itoa(row)+"]", CodeDuplicate, "limits "+shorten(param)+" a second time")
		}
		seen[side{param, bound}] = true
	}
	for _, c := range b.filterConditions(f) {
		if same := b.form.byName[c.name]; same != nil && b.filled(same) {
			b.faultAt(f, "["+strconv.Itoa(c.row)+"]", CodeDuplicate, "limits "+c.name+", and so does "+same.named())
			continue
		}
		switch {
		case c.keyed:
			twice(c.row, c.name+"."+c.key, "")
		case !c.dates:
			twice(c.row, c.name, "")
		default:
			if c.bounds.GT != nil || c.bounds.GTE != nil {
				twice(c.row, c.name, "lower")
			}
			if c.bounds.LT != nil || c.bounds.LTE != nil {
				twice(c.row, c.name, "upper")
			}
		}
	}
}

// SearchQuery writes the bundle's filter, and the texts given beside it, in Stripe's search language
// (https://docs.stripe.com/search#search-query-language). It is empty unless a condition needs that language.
func (b *Bundle) SearchQuery(filter string, beside ...string) string {
	f := b.form.byName[filter]
	needed := false
	var clauses []string
	for _, c := range b.filterConditions(f) {
		needed = needed || c.param == ""
		switch {
		case c.keyed:
			clauses = append(clauses, "metadata["+quoteSearch(c.key)+"]:"+quoteSearch(c.text))
		case c.dates:
			for _, limit := range c.bounds.each() {
				clauses = append(clauses, c.search+limit.operator+strconv.FormatInt(limit.at, 10))
			}
		default:
			clauses = append(clauses, c.search+":"+quoteSearch(c.text))
		}
	}
	if !needed {
		return ""
	}
	for _, name := range beside {
		if text := b.Text(name); text != "" {
			clauses = append(clauses, name+":"+quoteSearch(text))
		}
	}
	return strings.Join(clauses, " AND ")
}

// Filters says that the filter has a condition on the operand.
func (b *Bundle) Filters(filter, operand string) bool {
	return slices.ContainsFunc(b.filterConditions(b.form.byName[filter]), func(c condition) bool { return c.name == operand })
}

// Meets says that an object, as Stripe wrote it, meets the conditions that the list call would have been sent: those of
// the filter, and the texts given beside it. It is for objects that come from elsewhere than the list.
func (b *Bundle) Meets(object []byte, filter string, beside ...string) bool {
	var has map[string]json.RawMessage
	if json.Unmarshal(object, &has) != nil {
		return false
	}
	for _, c := range b.filterConditions(b.form.byName[filter]) {
		if c.dates {
			var at *int64
			if json.Unmarshal(has[c.param], &at) != nil || at == nil || !c.bounds.Hold(*at) {
				return false
			}
		} else if textOf(has[c.param]) != c.text {
			return false
		}
	}
	for _, name := range beside {
		if b.Has(name) && textOf(has[name]) != b.Text(name) {
			return false
		}
	}
	return true
}

// textOf is a text of Stripe's, or the id of the object that was expanded in its place.
func textOf(raw json.RawMessage) (text string) {
	var expanded struct{ ID string }
	if json.Unmarshal(raw, &text) != nil && json.Unmarshal(raw, &expanded) == nil {
		return expanded.ID
	}
	return text
}

type limit struct {
	operator, param string
	at              int64
}

// each lists the limits that are set, with their sign in the search language and their parameter in a list.
func (b Bounds) each() []limit {
	var set []limit
	for _, l := range []struct {
		operator, param string
		at              *int64
	}{{">", "gt", b.GT}, {">=", "gte", b.GTE}, {"<", "lt", b.LT}, {"<=", "lte", b.LTE}} {
		if l.at != nil {
			set = append(set, limit{l.operator, l.param, *l.at})
		}
	}
	return set
}

// quoteSearch quotes a text for the search language; nothing in it can end the quotes.
func quoteSearch(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
