package main

import (
	"bytes"
	"html"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"stripe-connector/internal/stripetest"
	"stripe-connector/internal/traces/tracestest"
)

// No secret can be read in the files of a killed process or in anything that it logged, at any level.
func TestSecretsStaySealed(t *testing.T) {
	t.Parallel()
	const key = "sk_test_alpha_never_to_be_seen"
	b := &bench{stripe: stripetest.New(t)}
	b.program = newProgram(t, b.stripe, "LOG_LEVEL=trace", "RETRY_SCHEDULE=1ms", "SECRET_KEYS=k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	collector := tracestest.New(t)
	b.traced(collector, "OTEL_EXPORTER_OTLP_HEADERS=x-key=key_of_the_collector")
	s := b.start()
	b.conn = b.connect(key)
	b.call(http.MethodPatch, "/v1/connections/"+b.conn, object{"key": key + "2"}).want(http.StatusOK)
	target := newSubscriber(t, failing(1, http.StatusInternalServerError))
	w := b.attach(b.conn, target.url+"?token=of-the-subscriber", "payment_intent.payment_failed")
	from := b.sender(b.stripe, key, w)
	from.accept(t, event("evt_1", "payment_intent.payment_failed"))
	b.settled(w.ID, "evt_1", "delivered")
	down := b.attach(b.conn, "http://"+freeAddress(t)+"/?token=of-the-subscriber", "payment_intent.payment_failed")
	from.accept(t, event("evt_2", "payment_intent.payment_failed"))
	failed := b.settled(down.ID, "evt_2", "dead")
	var rotated struct {
		SigningSecret string `json:"signing_secret"`
	}
	b.call(http.MethodPost, "/v1/webhooks/"+w.ID+"/rotate-secret", nil).want(http.StatusOK).into(&rotated)
	var operations webhook
	b.call(http.MethodPut, "/v1/operations", object{"url": "http://" + freeAddress(t) + "/?token=of-the-operator"}).want(http.StatusCreated).into(&operations)
	b.call(http.MethodPost, "/v1/operations/test", nil).want(http.StatusOK)
	// Refusals of Stripe's.
	b.stripe.Fault(stripetest.CardDeclined().On(http.MethodPost, "/v1/payment_intents"))
	b.call(http.MethodPost, "/v1/modules/create-payment-intent", object{
		"connection": b.conn, "amount": 100, "currency": "eur",
	}).want(http.StatusPaymentRequired)
	b.call(http.MethodPost, "/v1/connections", object{"key": "sk_test_revoked"}).want(http.StatusUnprocessableEntity)
	const card = "4000056655665556"
	b.call(http.MethodPost, "/v1/modules/create-customer", object{
		"connection": b.conn, "metadata": object{"card": card},
	}).want(http.StatusOK)
	// What nobody should put into a URL.
	const planted = "planted_in_a_url"
	b.call(http.MethodGet, "/v1/deliveries?token="+planted, nil)
	b.call(http.MethodPost, "/v1/modules/"+planted, object{}).want(http.StatusNotFound)
	b.call(http.MethodPost, "/v1/modules/make-an-api-call", object{
		"connection": b.conn, "method": "GET", "url": "/v1/customers/" + planted, "qs": []object{{"key": "token", "value": planted}},
	}).want(http.StatusOK)
	shown := map[string]string{}
	for _, path := range []string{"/metrics", "/v1/audit", "/v1/connections", "/v1/webhooks", "/v1/deliveries", "/v1/operations", "/v1/tokens"} {
		shown[path] = string(b.call(http.MethodGet, path, nil).want(http.StatusOK).body)
	}
	maps.Copy(shown, b.crawl())
	for _, page := range []string{"/console/connections/" + b.conn, "/console/webhooks/" + w.ID, "/console/events/evt_1", "/console/deliveries/" + failed.ID} {
		if shown[page] == "" {
			t.Errorf("no link leads to %s", page)
		}
	}
	for _, span := range []string{"GET /v1/tokens", "GET /v1/deliveries", "GET /v1/customers/{id}", "POST /v1/payment_intents", "deliver event"} {
		collector.Wait(t, span, 1, named(span))
	}
	if collector.Header().Get("X-Key") != "key_of_the_collector" {
		t.Error("the collector did not get its key")
	}
	shown["traces"] = string(collector.Raw())
	s.kill()

	secrets := map[string]string{
		"Stripe API key": key, "refused Stripe API key": "sk_test_revoked", "Stripe's signing secret": from.secret, "API token": adminToken,
		"card number": card, "signing secret": w.SigningSecret, "rotated signing secret": rotated.SigningSecret,
		"operations' signing secret": operations.SigningSecret, "sealing key": "MDEyMzQ1Njc4OTAx",
		"collector's key": "key_of_the_collector",
	}
	look := func(where string, content []byte) {
		t.Helper()
		for name, secret := range secrets {
			for _, form := range []string{secret, secret[len(secret)/2:]} { // and no half of it, for the head may be a prefix
				if bytes.Contains(content, []byte(form)) {
					t.Errorf("%s shows the %s", where, name)
				}
			}
		}
	}
	look("the log", []byte(s.log.String()))
	for path, text := range shown {
		look(path, []byte(text))
	}
	if !strings.Contains(shown["/metrics"], "connector_module_calls_total") || !strings.Contains(shown["/v1/audit"], "webhook.rotate-secret") {
		t.Error("the metrics or the audit trail show nothing at all")
	}
	for where, text := range map[string]string{"log": s.log.String(), "metrics": shown["/metrics"], "audit trail": shown["/v1/audit"], "traces": shown["traces"]} {
		for _, inURL := range []string{"of-the-subscriber", "of-the-operator", planted} {
			if strings.Contains(text, inURL) {
				t.Errorf("the %s shows %q, which stands in a URL", where, inURL)
			}
		}
	}
	files := 0
	must(t, filepath.WalkDir(b.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files++
		content, err := os.ReadFile(path)
		look(filepath.Base(path), content)
		return err
	}))
	if files < 2 {
		t.Errorf("there were only %d files to look at", files)
	}
}

// crawl signs in to the console and returns every page, by its path, that links lead to.
func (p *program) crawl() map[string]string {
	p.t.Helper()
	jar, err := cookiejar.New(nil)
	must(p.t, err)
	client := &http.Client{Transport: p.client.Transport, Jar: jar, Timeout: patience}
	ask := func(method, path string, form url.Values) string {
		p.t.Helper()
		req, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, strings.NewReader(form.Encode()))
		must(p.t, err)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		res, err := client.Do(req)
		must(p.t, err)
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		must(p.t, err)
		if res.StatusCode/100 != 2 {
			p.t.Fatalf("%s answered %d: %s", path, res.StatusCode, text)
		}
		return string(text)
	}
	ask(http.MethodPost, "/console/sign-in", url.Values{"token": {p.token}})
	links := regexp.MustCompile(`(?:href|hx-get)="(/console/[^"?#]*)`)
	pages := make(map[string]string)
	for left := []string{"/console/"}; len(left) > 0; left = left[1:] {
		if _, seen := pages[left[0]]; seen {
			continue
		}
		text := ask(http.MethodGet, left[0], nil)
		pages[left[0]] = text
		for _, link := range links.FindAllStringSubmatch(text, -1) {
			left = append(left, html.UnescapeString(link[1]))
		}
	}
	return pages
}
