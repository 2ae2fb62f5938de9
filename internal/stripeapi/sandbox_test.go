package stripeapi

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/customer"

	"stripe-connector/internal/spec"
	"stripe-connector/internal/stripetest"
)

// These tests run against Stripe's own judgement of our requests.

func TestSandboxLostAnswersWriteOnce(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]*stripetest.Fault{
		"lost":     stripetest.LostAnswer(),
		"cut":      stripetest.CutBody(),
		"reset":    stripetest.Reset(),
		"throttle": stripetest.RateLimited(0).Times(2),
		"lock":     stripetest.LockTimeout(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := stripetest.New(t)
			s.Fault(fault)
			c := newClient(t, s.URL)
			session := Session{Connection: "conn_1", Key: stripetest.Key, IdempotencyKey: "caller-1"}
			res, err := c.Run(t.Context(), session, []spec.Step{createCustomer("Ann")})
			if err != nil {
				t.Fatal(err)
			}
			account := s.Account(stripetest.Key)
			if ids := account.IDs("customer"); len(ids) != 1 || ids[0] != idOf(res.Body) {
				t.Errorf("customers are %v, the answer is about %s", ids, idOf(res.Body))
			}
			wantReplay := name == "lost" || name == "cut"
			if res.Replayed != wantReplay {
				t.Errorf("replayed is %v, want %v", res.Replayed, wantReplay)
			}
			again, err := c.Run(t.Context(), session, []spec.Step{createCustomer("Ann")})
			if err != nil || !again.Replayed {
				t.Errorf("the same action again: %+v, %v", again, err)
			}
			_, err = c.Run(t.Context(), session, []spec.Step{createCustomer("Bob")})
			if failed := wantError(t, err); failed.Status != 400 || failed.Stripe.Type != "idempotency_error" {
				t.Errorf("another action with the same key: %v", failed)
			}
		})
	}
}

// TestSandboxReplaysSeveralSteps: an action that ends with a read was repeated if its writes were.
func TestSandboxReplaysSeveralSteps(t *testing.T) {
	t.Parallel()
	s := stripetest.New(t)
	c := newClient(t, s.URL)
	id := s.Account(stripetest.Key).Seed("customer", 1, nil)[0]
	read := spec.Step{Name: "read the customer", Call: func(b stripe.Backend) error {
		_, err := customer.Client{B: b}.Get(id, nil)
		return err
	}}
	session := Session{Connection: "conn_1", Key: stripetest.Key, IdempotencyKey: "caller-1"}
	for i, want := range []bool{false, true} {
		res, err := c.Run(t.Context(), session, []spec.Step{createCustomer("Ann"), createCustomer("Bob"), read})
		if err != nil || res.Replayed != want {
			t.Errorf("time %d: replayed = %v, %v, want %v", i+1, res.Replayed, err, want)
		}
	}
}

func TestSandboxSearch(t *testing.T) {
	t.Parallel()
	s := stripetest.New(t)
	account := s.Account(stripetest.Key)
	want := account.Seed("customer", 1000, nil)
	slices.Reverse(want)
	c := newClient(t, s.URL)
	session := Session{Connection: "conn_1", Key: stripetest.Key}
	q := spec.Query{Sources: []spec.Source{customers(nil)}}
	var got []string
	cursor := ""
	for range 4 {
		r, err := c.Search(session, q, 250, cursor)
		if err != nil {
			t.Fatal(err)
		}
		for _, object := range collect(t, r) {
			id := idOf([]byte(object))
			if object != strings.TrimSpace(string(account.Object(id))) {
				t.Fatalf("%s is not byte for byte Stripe's", id)
			}
			got = append(got, id)
		}
		cursor = r.NextCursor()
	}
	if diff := cmp.Diff(want, got); diff != "" || cursor != "" {
		t.Errorf("cursor %q, customers (-want +got):\n%s", cursor, diff)
	}
}

func TestSandboxUnknownCursorPosition(t *testing.T) {
	t.Parallel()
	s := stripetest.NewWith(t, stripetest.Options{Strict: true})
	account := s.Account(stripetest.Key)
	ids := account.Seed("customer", 3, nil)
	c := newClient(t, s.URL)
	session := Session{Connection: "conn_1", Key: stripetest.Key}
	q := spec.Query{Sources: []spec.Source{customers(nil)}}
	r, err := c.Search(session, q, 1, "")
	if err != nil {
		t.Fatal(err)
	}
	collect(t, r)
	account.Remove(ids...)
	r, err = c.Search(session, q, 1, r.NextCursor())
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range r.All(t.Context()) {
		if faults := wantFaults(t, err); faults[0].Field != "cursor" {
			t.Errorf("faults are %v", faults)
		}
	}
}

func TestSandboxKeys(t *testing.T) {
	t.Parallel()
	s := stripetest.New(t)
	s.Restrict(stripetest.KeyRestricted, "charge_read")
	c := newClient(t, s.URL)
	if account, livemode, err := c.Check(t.Context(), stripetest.KeyLive); account != "acct_alpha" || !livemode || err != nil {
		t.Errorf("live key: %q, %v, %v", account, livemode, err)
	}
	if account, livemode, err := c.Check(t.Context(), stripetest.KeyRestricted); account != "" || livemode || err != nil {
		t.Errorf("restricted key: %q, %v, %v", account, livemode, err)
	}
	if _, _, err := c.Check(t.Context(), stripetest.KeyRevoked); !errors.Is(err, ErrKeyRefused) {
		t.Errorf("revoked key: %v, want ErrKeyRefused", err)
	}
	_, err := c.Run(t.Context(), Session{Key: stripetest.KeyRestricted}, []spec.Step{createCustomer("Ann")})
	if failed := wantError(t, err); failed.Status != 403 || !strings.Contains(failed.Detail, "rak_customer_write") {
		t.Errorf("error is %v, want the permission that is missing", failed)
	}
}

func TestSandboxRaw(t *testing.T) {
	t.Parallel()
	s := stripetest.New(t)
	c := newClient(t, s.URL)
	session := Session{Connection: "conn_1", Key: stripetest.Key}
	for body, want := range map[string]int{
		`{"name":"Ann","address":{"city":"Wien"},"preferred_locales":["de","en"],"metadata":{"a":"b"},"balance":-100}`: 200,
		`"name=Ann&address[city]=Wien"`: 200,
		`{"no_such_param":"x"}`:         400,
	} {
		res, err := c.Raw(t.Context(), session, RawRequest{Method: "POST", URL: "/v1/customers", Body: []byte(body)})
		if err != nil || res.Status != want {
			t.Errorf("%s: %+v, %v, want %d", body, res, err, want)
		}
	}
}
