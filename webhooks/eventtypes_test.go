package webhooks

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEventTypes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		group string
		want  []string
		known bool
	}{
		{"all", []string{"*"}, true},
		{"coupon", []string{"coupon.created", "coupon.deleted", "coupon.updated"}, true},
		{"coupons", nil, false},
		{"", nil, false},
	}
	for _, tt := range tests {
		got, known := eventTypes(tt.group)
		if diff := cmp.Diff(tt.want, got); diff != "" || known != tt.known {
			t.Errorf("eventTypes(%q) = known: %t, differs (-want +got):\n%s", tt.group, known, diff)
		}
	}
}

func TestUnknownTypes(t *testing.T) {
	t.Parallel()
	got := unknownTypes([]string{"*", "invoice.paid", "invoice.teleported", "v1.billing.meter.no_meter_found"})
	if diff := cmp.Diff([]string{"invoice.teleported", "v1.billing.meter.no_meter_found"}, got); diff != "" {
		t.Errorf("unknownTypes() differs (-want +got):\n%s", diff)
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
