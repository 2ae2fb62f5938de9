package webhooks

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stripe-connector/internal/spec"
	"stripe-connector/modules/watchevents"
)

func TestFormOf(t *testing.T) {
	t.Parallel()
	b, err := watchevents.WatchEvents.Decode([]byte(`{
		"webhook_name": "Hook", "connection": "conn_1", "group": "Customers", "enabled_events": "customer.created",
		"connect": "yes", "api_version": "2020-08-27", "url": "https://example.com/hook"
	}`), 100)
	if err != nil {
		t.Fatal(err)
	}
	want := Attachment{
		Name: "Hook", Connection: "conn_1", Group: "customer", Events: []string{"customer.created"}, Connect: true,
		APIVersion: "2020-08-27", URL: "https://example.com/hook",
	}
	if diff := cmp.Diff(want, FormOf(b)); diff != "" {
		t.Errorf("form differs (-want +got):\n%s", diff)
	}
}

func TestParseChange(t *testing.T) {
	t.Parallel()
	name, group, version, url, none := "Hook", "invoice", "2020-08-27", "https://example.com", ""
	yes, no := true, false
	tests := []struct {
		name, body string
		want       Change
		faults     []string // "field code"
	}{
		{"nothing", `{}`, Change{}, nil},
		{
			"everything", `{"webhook_name":"Hook","group":"invoice","enabled_events":["invoice.paid"],"connect":true,
			"api_version":"2020-08-27","url":"https://example.com"}`,
			Change{Name: &name, Group: &group, Events: &[]string{"invoice.paid"}, Connect: &yes, APIVersion: &version, URL: &url},
			nil,
		},
		{"empty texts are not given", `{"webhook_name":"","enabled_events":"","connect":"","api_version":"","url":"","connection":""}`, Change{}, nil},
		{"lenient", `{"enabled_events":"invoice.paid","connect":"no","__IMTLENGTH__":1}`, Change{Events: &[]string{"invoice.paid"}, Connect: &no}, nil},
		{"back to empty", `{"enabled_events":[],"connect":0,"api_version":null}`, Change{Events: &[]string{}, Connect: &no, APIVersion: &none}, nil},
		{"all wrong", `{"webhook_name":1,"connection":"conn_2","group":null,"enabled_events":[1],"connect":2,"url":null,"urll":"x"}`, Change{}, []string{
			"webhook_name invalid", "connection not_allowed", "group not_clearable", "enabled_events invalid", "connect invalid",
			"url not_clearable", "urll unknown",
		}},
		{"no object", `[]`, Change{}, []string{" invalid"}},
		{"null", `null`, Change{}, []string{" invalid"}},
		{"two objects", `{}{}`, Change{}, []string{" invalid"}},
		{"broken", `{`, Change{}, []string{" invalid"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseChange([]byte(tt.body))
			var faults spec.Faults
			errors.As(err, &faults)
			var codes []string
			for _, f := range faults {
				codes = append(codes, f.Field+" "+f.Code)
			}
			if diff := cmp.Diff(tt.faults, codes); diff != "" {
				t.Errorf("faults differ (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("change differs (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzParseChange(f *testing.F) {
	for _, seed := range []string{`{}`, `{"enabled_events":["a.b",null]}`, `{"connect":{"a":[1]},"api_version":null}`, `{"url":"` + "\xff" + `"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		change, err := ParseChange(body)
		var faults spec.Faults
		if err != nil && (!errors.As(err, &faults) || len(faults) == 0) {
			t.Errorf("ParseChange(%q) = %v, want faults", body, err)
		}
		if err != nil && change != (Change{}) {
			t.Errorf("ParseChange(%q) changes something beside its faults", body)
		}
	})
}
