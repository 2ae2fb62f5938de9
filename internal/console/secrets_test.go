package console

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"stripe-connector/internal/stripetest"
)

// No page shows a secret that it was given, nor one that it gave out twice.
func TestPagesShowNoSecrets(t *testing.T) {
	t.Parallel()
	s := newService(t)
	x := s.one("Orders")
	const key, replaced, refused, wrong, card = "sk_test_alpha_never_to_be_seen", "sk_test_alpha_neither_to_be_seen", "sk_test_revoked", "sc_wrong_and_not_shown", "4000056655665556"
	secrets := []string{key, replaced, refused, wrong, adminToken}
	endpoints, err := s.db.AllEndpoints(t.Context())
	if err != nil || len(endpoints) == 0 {
		t.Fatalf("the endpoints are %v, %v", endpoints, err)
	}
	for _, e := range endpoints {
		secrets = append(secrets, s.stripe.Account(stripetest.Key).Secret(e.StripeID))
	}
	given := map[string]bool{} // signing secrets of ours
	look := func(what string, p shown) shown {
		t.Helper()
		text := p.body + fmt.Sprint(p.header)
		for _, secret := range secrets {
			if strings.Contains(text, secret[len(secret)/2:]) { // the head may be a prefix
				t.Errorf("%s shows %s", what, secret)
			}
		}
		for _, secret := range regexp.MustCompile(`whsec_[A-Za-z0-9+/=]+`).FindAllString(text, -1) {
			if given[secret] {
				t.Errorf("%s shows a signing secret once more", what)
			}
			given[secret] = true
		}
		return p
	}
	look("a wrong token", s.browser().post(signIn, url.Values{"token": {wrong}}).want(http.StatusUnauthorized))
	look("the session", s.browser().post(signIn, url.Values{"token": {adminToken}}).want(http.StatusSeeOther))
	b := s.signedIn(adminToken)
	look("a key", b.post("/console/connections", url.Values{"connection_name": {"Beta"}, "key": {key}}).want(http.StatusSeeOther))
	look("a refused key", b.post("/console/connections", url.Values{"connection_name": {"Gamma"}, "key": {refused}}).want(http.StatusUnprocessableEntity))
	look("a key of another account", b.post("/console/connections/"+s.conn, url.Values{"connection_name": {"Alpha"}, "key": {replaced}}))
	b.post("/console/modules/create-payment-intent", url.Values{
		"in.connection": {s.conn}, "in.amount": {"100"}, "in.currency": {"eur"}, "in.metadata[0].key": {"card"}, "in.metadata[0].value": {card},
	}).want(http.StatusOK).has(">200<", card) // Stripe's answer, to who has sent it
	secrets = append(secrets, card)

	type request struct{ method, path string }
	var all, last []request
	for _, at := range (&console{}).routes() {
		method, paths := x.paths(at)
		for _, path := range paths {
			if end := path[strings.LastIndex(path, "/")+1:]; slices.Contains([]string{"sign-out", "detach", "delete"}, end) {
				last = append([]request{{method, path}}, last...) // signing out stands first
			} else {
				all = append(all, request{method, path})
			}
		}
	}
	for _, r := range slices.Concat(all, all, last) { // twice, since each tells what was done before it
		for _, headers := range [][]string{nil, {"HX-Request", "true"}} {
			form := x.filled()
			form.Set("csrf", b.csrf)
			p := look(r.path, b.send(r.method, r.path, form, headers...))
			if p.status >= http.StatusInternalServerError {
				t.Errorf("%s %s = %d: %s", r.method, r.path, p.status, p.body)
			}
			if to := p.header.Get("Location") + p.header.Get("HX-Redirect"); to != "" {
				look("what follows "+r.path, b.get(to))
			}
		}
	}
	if len(given) < 4 {
		t.Errorf("%d signing secrets were given out, want those of webhooks and the operations URL, and rotated ones", len(given))
	}
}
