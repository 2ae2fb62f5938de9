package webhooks

import (
	"slices"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79"
)

func TestEventGroups(t *testing.T) {
	t.Parallel()
	groups := EventGroups()
	if got, want := groups[0].Key, "all"; got != want {
		t.Errorf("first group = %q, want %q", got, want)
	}
	count := 0
	seen := map[string]bool{}
	for _, group := range groups[1:] {
		types, ok := eventTypes(group.Key)
		if !ok || len(types) == 0 {
			t.Errorf("eventTypes(%q) = %v, %t", group.Key, types, ok)
		}
		for i, event := range group.Types {
			count++
			if event.Type != types[i] || seen[event.Type] || !wellFormedType(event.Type) {
				t.Errorf("%s: faulty or doubled type %q", group.Key, event.Type)
			}
			seen[event.Type] = true
		}
	}
	if want := 237; count != want {
		t.Errorf("%d types, want %d", count, want)
	}
	if !slices.IsSortedFunc(groups[1:], func(a, b EventGroup) int { return strings.Compare(a.Key, b.Key) }) {
		t.Error("the groups are not sorted")
	}
	for _, known := range []stripe.EventType{
		stripe.EventTypeCustomerSubscriptionPendingUpdateApplied, stripe.EventTypeInvoicePaid, stripe.EventTypeTreasuryReceivedDebitCreated,
	} {
		if !seen[string(known)] {
			t.Errorf("%s is missing", known)
		}
	}
}

func TestEventLabel(t *testing.T) {
	t.Parallel()
	got, want := eventLabel("customer.subscription.pending_update_applied"), "Customer subscription: pending update applied"
	if got != want {
		t.Errorf("eventLabel() = %q, want %q", got, want)
	}
}

func TestWellFormedType(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		want bool
	}{
		{"customer.created", true},
		{"v1.billing.meter.no_meter_found", true},
		{"customer", false},
		{"*", false},
		{"customer.*", false},
		{"customer..created", false},
		{".created", false},
		{"Customer.created", false},
		{"customer.created ", false},
		{"", false},
	}
	for _, tt := range tests {
		if got := wellFormedType(tt.name); got != tt.want {
			t.Errorf("wellFormedType(%q) = %t, want %t", tt.name, got, tt.want)
		}
	}
}
