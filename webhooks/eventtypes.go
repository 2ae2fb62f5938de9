package webhooks

import (
	"slices"
	"strings"

	"stripe-connector/modules/watchevents"
)

// allEvents is Stripe's word for all types, but for the few that have to be asked for by name.
const allEvents = "*"

// eventTypes returns the types of a group as Stripe is asked for them, or false when there is no such group.
func eventTypes(group string) ([]string, bool) {
	if group == watchevents.All {
		return []string{allEvents}, true
	}
	i := slices.IndexFunc(watchevents.Groups, func(g watchevents.Group) bool { return g.Key == group })
	if i < 0 {
		return nil, false
	}
	var types []string
	for _, event := range watchevents.Groups[i].Events {
		types = append(types, event.Type)
	}
	return types, true
}

func inGroup(name, group string) bool { return strings.HasPrefix(name, group+".") }

// unknownTypes returns those types that are in no group: new at Stripe, or misspelt.
func unknownTypes(types []string) []string {
	var unknown []string
	for _, name := range types {
		group, _, _ := strings.Cut(name, ".")
		if known, _ := eventTypes(group); name != allEvents && !slices.Contains(known, name) {
			unknown = append(unknown, name)
		}
	}
	return unknown
}

// wellFormedType holds for words of lower-case letters, digits and underscores with dots between them, two words at least.
func wellFormedType(name string) bool {
	if len(name) > 255 || !strings.Contains(name, ".") {
		return false
	}
	for word := range strings.SplitSeq(name, ".") {
		if word == "" {
			return false
		}
		for _, c := range []byte(word) {
			if c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
				return false
			}
		}
	}
	return true
}
