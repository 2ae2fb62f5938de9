// Package watchevents declares the instant trigger, and which events there are.
package watchevents

import (
	"regexp"

	"stripe-connector/internal/spec"
)

// All is the group of every event.
const All = "all"

// WatchEvents is the form of a webhook. What becomes of it is the package webhooks' to do, and so is judging which
// events belong to which group.
var WatchEvents = spec.NewTrigger(spec.Def{
	Key: "watch-events", Label: "Watch Events", Docs: "https://docs.stripe.com/api/webhook_endpoints/create",
	Help: "Sends each of the chosen events to a URL as soon as it happens.",
	Fields: spec.Fields{
		spec.Text("webhook_name", "Webhook Name").Required().Keeps().Local().Help("What the webhook is called here."),
		spec.Connection(),
		spec.Select("group", "Group", groups()...).Required().Local().Help("Which family of events to watch."),
		spec.Multiselect("enabled_events", "Events", events()...).Open().Checked(checkType).Local().Implied().
			Help("Which events of the group to watch. Empty: all of them."),
		spec.Boolean("connect", "Connect").Local().
			Help("Yes: events of connected accounts. No, or empty: events of the account itself."),
		spec.Select("api_version", "Force different API Version", apiVersions...).Open().Checked(checkVersion).Local().
			Help("Version of its API that Stripe writes the events in. Empty: the account's own."),
		spec.URL("url", "URL").Required().Local().Implied().Help("Where the events are sent."),
	},
	Out: "event",
})

func groups() []spec.Option {
	options := []spec.Option{spec.Opt(All, "All events")}
	for _, g := range Groups {
		options = append(options, spec.Opt(g.Key, g.Label))
	}
	return options
}

func events() []spec.Option {
	var options []spec.Option
	for _, g := range Groups {
		for _, e := range g.Events {
			options = append(options, spec.Opt(e.Type, e.Label))
		}
	}
	return options
}

var (
	typeForm    = regexp.MustCompile(`^[a-z0-9_]+(\.[a-z0-9_]+)+$`)
	versionForm = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}(\.[a-z]+)?$`)
)

// checkType lets events through that Stripe has added since.
func checkType(s string) string {
	if typeForm.MatchString(s) && len(s) <= 255 {
		return ""
	}
	return "must be an event type such as customer.created"
}

// checkVersion lets versions through that Stripe has added since.
func checkVersion(s string) string {
	if versionForm.MatchString(s) {
		return ""
	}
	return "must be a version such as 2024-06-20"
}
