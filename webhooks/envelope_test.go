package webhooks

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOpenEnvelope(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		body string
		want envelope
		bad  bool
	}{
		{
			name: "event of a connected account",
			body: `{"id":"evt_1","object":"event","account":"acct_1","api_version":"2024-06-20","created":1700000000,
				"data":{"object":{"id":"cus_1","type":"x","livemode":true}},"livemode":false,"type":"customer.created"}`,
			want: envelope{
				ID: "evt_1", Type: "customer.created", Account: "acct_1", APIVersion: "2024-06-20",
				Created: time.Unix(1700000000, 0).UTC(), Object: "cus_1",
			},
		},
		{
			name: "object without an id",
			body: `{"id":"evt_1","livemode":true,"type":"balance.available","data":{"object":{"object":"balance"}}}`,
			want: envelope{ID: "evt_1", Type: "balance.available", Livemode: true},
		},
		{
			name: "data of another form",
			body: `{"id":"evt_1","livemode":true,"type":"a.b","data":[{"object":{"id":7}}]}`,
			want: envelope{ID: "evt_1", Type: "a.b", Livemode: true},
		},
		{
			name: "object's id with a line break",
			body: `{"id":"evt_1","livemode":true,"type":"a.b","data":{"object":{"id":"cus_1\nx"}}}`,
			want: envelope{ID: "evt_1", Type: "a.b", Livemode: true},
		},
		{
			name: "nulls",
			body: `{"id":"evt_1","account":null,"api_version":null,"livemode":true,"type":"a.b","created":null}`,
			want: envelope{ID: "evt_1", Type: "a.b", Livemode: true},
		},
		{
			name: "created as text",
			body: `{"id":"evt_1","livemode":true,"type":"v1.billing.meter.no_meter_found","created":"2026-01-01T00:00:00Z"}`,
			want: envelope{ID: "evt_1", Type: "v1.billing.meter.no_meter_found", Livemode: true},
		},
		{
			name: "blanks, escapes and what looks like an end",
			body: "\t{ \"data\" : { \"object\" : {\"x\":[{\"id\":\"}\\\"]\"},[]] , \"id\" : \"cus_\\u0031\"} , \"y\":{} } ,\n\"type\":\"a.b\",\"id\":\"evt_1\"," +
				"\"livemode\" : true ,\"created\":1700000000 } \n",
			want: envelope{ID: "evt_1", Type: "a.b", Livemode: true, Created: time.Unix(1700000000, 0).UTC(), Object: "cus_1"},
		},
		{name: "very deep", body: `{"id":"evt_1","livemode":true,"type":"a.b","x":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`, bad: true},
		{name: "nothing in it", body: `{ }`, bad: true},
		{name: "id is a number", body: `{"id":1,"livemode":true,"type":"a.b"}`, bad: true},
		{name: "empty", body: ``, bad: true},
		{name: "truncated", body: `{"id":"evt_1","livemode":true,"type":"a.b"`, bad: true},
		{name: "trailing", body: `{"id":"evt_1","livemode":true,"type":"a.b"}}`, bad: true},
		{name: "no object", body: `["evt_1"]`, bad: true},
		{name: "no id", body: `{"livemode":true,"type":"a.b"}`, bad: true},
		{name: "id with a line break", body: `{"id":"evt_1\r\nx: y","livemode":true,"type":"a.b"}`, bad: true},
		{name: "no type", body: `{"id":"evt_1","livemode":true}`, bad: true},
		{name: "no livemode", body: `{"id":"evt_1","type":"a.b"}`, bad: true},
		{name: "livemode is text", body: `{"id":"evt_1","type":"a.b","livemode":"true"}`, bad: true},
		{name: "account with a space", body: `{"id":"evt_1","type":"a.b","livemode":true,"account":"a b"}`, bad: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := openEnvelope([]byte(tt.body))
			if errors.Is(err, ErrMalformed) != tt.bad || (err != nil) != tt.bad {
				t.Fatalf("openEnvelope() = %v, want an error: %t", err, tt.bad)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("openEnvelope() differs (-want +got):\n%s", diff)
			}
		})
	}
}

// mixed finds keys that encoding/json and openEnvelope understand differently.
var mixed = regexp.MustCompile(`[A-Z\\]|\xc5\xbf|\xe2\x84\xaa`)

func FuzzOpenEnvelope(f *testing.F) {
	f.Add([]byte(`{"id":"evt_1","account":"acct_1","livemode":false,"type":"customer.created","created":1}`))
	f.Add([]byte(`{"id":"evt_1","livemode":null,"type":"a.b","created":1e9}`))
	f.Add([]byte("{\"id\":\"\xff\"}"))
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := openEnvelope(body)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("openEnvelope() = %v, want an ErrMalformed", err)
			}
			return
		}
		var want struct {
			ID      string `json:"id"`
			Type    string `json:"type"`
			Account string `json:"account"`
		}
		// encoding/json takes keys in any case, hence mixed.
		if err := json.Unmarshal(body, &want); err != nil {
			t.Errorf("openEnvelope() took what is no JSON object of texts: %q", body)
		}
		if !mixed.Match(body) && (got.ID != want.ID || got.Type != want.Type || got.Account != want.Account) {
			t.Errorf("openEnvelope() took %+v for %+v", got, want)
		}
		if got.ID == "" || strings.ContainsAny(got.ID+got.Account+got.Type, "\r\n\x00 /") {
			t.Errorf("openEnvelope() took %+v", got)
		}
	})
}
