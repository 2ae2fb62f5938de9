package webhooks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"stripe-connector/internal/spec"
	"stripe-connector/modules/watchevents"
)

// The fields of [watchevents.WatchEvents].
const (
	fieldName       = "webhook_name"
	fieldConnection = "connection"
	fieldGroup      = "group"
	fieldEvents     = "enabled_events"
	fieldConnect    = "connect"
	fieldAPIVersion = "api_version"
	fieldURL        = "url"
)

const (
	maxName   = 5000
	maxTarget = 2048
	maxTypes  = 500
)

// An Attachment is the form of Watch Events.
type Attachment struct {
	Name       string
	Connection string
	Group      string   // key of a [watchevents.Group], or [watchevents.All]
	Events     []string // types of the group; none: all of it
	Connect    bool     // events of connected accounts
	APIVersion string   // in which Stripe renders the events; empty: the account's default
	URL        string   // the subscriber
}

// FormOf reads an Attachment out of a bundle of [watchevents.WatchEvents].
func FormOf(b *spec.Bundle) Attachment {
	return Attachment{
		Name: b.Text(fieldName), Connection: b.Connection(), Group: b.Text(fieldGroup), Events: b.List(fieldEvents),
		Connect: b.Bool(fieldConnect), APIVersion: b.Text(fieldAPIVersion), URL: b.Text(fieldURL),
	}
}

func (a Attachment) pool() pool {
	return pool{connection: a.Connection, connect: a.Connect, apiVersion: a.APIVersion}
}

// A Change is what is to become of a webhook. What is nil stays.
type Change struct {
	Name       *string
	Group      *string
	Events     *[]string // empty: all of the group
	Connect    *bool
	APIVersion *string // empty: the account's default
	URL        *string
}

// ParseChange reads a JSON object with the fields of Watch Events but the connection, which stays. As in every bundle "" means
// not given; null goes back to what an empty form means, where it means anything. Its errors are [spec.Faults].
func ParseChange(body []byte) (Change, error) {
	var c Change
	var faults spec.Faults
	fault := func(field, code, message string) {
		faults = append(faults, spec.Fault{Field: field, Label: label(field), Code: code, Message: message})
	}
	given := map[string]any{}
	decoder := json.NewDecoder(bytes.NewReader(body))
	if err := decoder.Decode(&given); err != nil || given == nil {
		fault("", spec.CodeInvalid, "must be a JSON object")
		return c, faults
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		fault("", spec.CodeInvalid, "must be one JSON object and nothing after it")
		return c, faults
	}
	for _, input := range watchevents.WatchEvents.Inputs() {
		field := input.Name
		value, ok := given[field]
		delete(given, field)
		text, isText := value.(string)
		switch {
		case !ok, isText && text == "":
		case field == fieldConnection:
			fault(field, spec.CodeNotAllowed, "cannot be changed; attach another webhook")
		case field == fieldEvents:
			if c.Events = texts(value); c.Events == nil {
				fault(field, spec.CodeInvalid, "must be a list of event types")
			}
		case field == fieldConnect:
			if c.Connect = truth(value); c.Connect == nil {
				fault(field, spec.CodeInvalid, "must be true or false")
			}
		case field == fieldAPIVersion && value == nil:
			c.APIVersion = &text
		case value == nil:
			fault(field, spec.CodeNoClear, "cannot be emptied")
		case !isText:
			fault(field, spec.CodeInvalid, "must be a text")
		case field == fieldName:
			c.Name = &text
		case field == fieldGroup:
			c.Group = &text
		case field == fieldAPIVersion:
			c.APIVersion = &text
		case field == fieldURL:
			c.URL = &text
		}
	}
	for _, unknown := range slices.Sorted(maps.Keys(given)) {
		if !strings.HasPrefix(unknown, "__IMT") {
			fault(unknown, spec.CodeUnknown, "is not a field of a webhook")
		}
	}
	if len(faults) > 0 {
		return Change{}, faults
	}
	return c, nil
}

// texts reads a list of texts, or a single one. null is an empty list; nil is neither.
func texts(value any) *[]string {
	list := []string{}
	switch value := value.(type) {
	case nil:
	case string:
		list = append(list, value)
	case []any:
		for _, item := range value {
			text, ok := item.(string)
			if !ok {
				return nil
			}
			list = append(list, text)
		}
	default:
		return nil
	}
	return &list
}

// truth reads the spellings of a boolean that bundles may have. null is false; nil is none of them.
func truth(value any) *bool {
	yes := false
	switch strings.ToLower(fmt.Sprint(value)) {
	case "true", "yes", "on", "1":
		yes = true
	case "false", "no", "off", "0", "<nil>":
	default:
		return nil
	}
	return &yes
}

// apply is the form as it is after the change.
func (c *Change) apply(f *found) Attachment {
	a := Attachment{
		Name: f.webhook.Name, Connection: f.webhook.Connection, Group: f.webhook.Group, Events: f.webhook.EventTypes,
		Connect: f.endpoint.Connect, APIVersion: f.endpoint.APIVersion, URL: f.webhook.URL,
	}
	set(&a.Name, c.Name)
	set(&a.Connect, c.Connect)
	set(&a.APIVersion, c.APIVersion)
	set(&a.URL, c.URL)
	if c.Group != nil && *c.Group != a.Group {
		a.Group, a.Events = *c.Group, nil // The types of another group make no sense.
	}
	set(&a.Events, c.Events)
	return a
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// versionForm is a date, since 2024 with the name of a release after it.
var versionForm = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}(\.[a-z]+)?$`)

// check judges a form, also one that did not come out of a bundle, and says which event types it asks for, sorted.
func (a *Attachment) check(allowPrivate bool) (types, warnings []string, faults spec.Faults) {
	fault := func(field, code, message string) {
		faults = append(faults, spec.Fault{Field: field, Label: label(field), Code: code, Message: message})
	}
	if a.Name == "" {
		fault(fieldName, spec.CodeRequired, "is required")
	}
	faults = append(faults, spec.CheckName(fieldName, label(fieldName), a.Name, maxName)...)
	if a.Connection == "" {
		fault(fieldConnection, spec.CodeRequired, "is required")
	}
	types, known := eventTypes(a.Group)
	switch {
	case a.Group == "":
		fault(fieldGroup, spec.CodeRequired, "is required")
	case !known:
		fault(fieldGroup, spec.CodeInvalid, `is not one of Stripe's groups of events; "all" holds all events`)
	case len(a.Events) > maxTypes:
		fault(fieldEvents, spec.CodeTooMany, fmt.Sprintf("must have at most %d items", maxTypes))
	case len(a.Events) > 0:
		var message string
		if types, message = chosenTypes(a.Group, a.Events); message != "" {
			fault(fieldEvents, spec.CodeInvalid, message)
		}
		for _, name := range unknownTypes(types) {
			warnings = append(warnings, name+" is not an event type that is known here; it was passed on to Stripe.")
		}
	}
	if a.APIVersion != "" && !versionForm.MatchString(a.APIVersion) {
		fault(fieldAPIVersion, spec.CodeInvalid, "must be a Stripe API version such as 2024-06-20")
	}
	if code, message := judgeURL(a.URL, allowPrivate); code != "" {
		fault(fieldURL, code, message)
	}
	return types, warnings, faults
}

// judgeURL says what is wrong with a URL that we are to call; nothing if the code is empty.
func judgeURL(url string, allowPrivate bool) (code, message string) {
	switch {
	case url == "":
		return spec.CodeRequired, "is required"
	case len(url) > maxTarget:
		return spec.CodeTooLong, fmt.Sprintf("must have at most %d characters", maxTarget)
	}
	if target, ok := errors.AsType[targetError](checkTarget(url, allowPrivate)); ok {
		return spec.CodeRefused, string(target)
	}
	return "", ""
}

// chosenTypes judges types that were picked from a group; the message says what is wrong.
func chosenTypes(group string, picked []string) (types []string, message string) {
	for _, name := range picked {
		switch {
		case name == allEvents && group == watchevents.All:
		case !wellFormedType(name):
			return nil, "holds something that is not an event type such as customer.created"
		case group != watchevents.All && !inGroup(name, group):
			return nil, name + " is not in the group " + group
		}
	}
	return union(picked), ""
}

// label is what the form calls a field.
func label(field string) string {
	inputs := watchevents.WatchEvents.Inputs()
	if i := slices.IndexFunc(inputs, func(in spec.Input) bool { return in.Name == field }); i >= 0 {
		return inputs[i].Label
	}
	return ""
}
