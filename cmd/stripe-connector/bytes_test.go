package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"stripe-connector/internal/stripetest"
)

// A subscriber gets Stripe's bytes, however they are written, and the reference library of another language takes our
// signatures for them.
func TestBytesAndSignatures(t *testing.T) {
	t.Parallel()
	stripe := stripetest.New(t)
	p := newProgram(t, stripe)
	p.start()
	target := newSubscriber(t, nil)
	w := p.attach(p.connect(stripetest.Key), target.url, "invoice.paid")
	from := p.sender(stripe, stripetest.Key, w)

	bodies := map[string][]byte{}
	for i, form := range []string{
		`{"id":"%s","type":"invoice.paid","livemode":false,"created":%d}`,
		"{\n  \"id\": \"%s\",\r\n\t\"type\" : \"invoice.paid\" , \"livemode\":false,\n  \"created\":%d\n}\n\n",
		`{"id":"%s","type":"invoice.paid","livemode":false,"created":%d,"data":{"object":{"n":1.50,"e":1E+2,"big":12345678901234567890,"small":-0.0}}}`,
		`{"id":"%s","type":"invoice.paid","livemode":false,"created":%d,"data":{"a":null,"b":[],"c":{},"b":"twice","":"","z":0,"a2":1}}`,
		`{"id":"%s","type":"invoice.paid","livemode":false,"created":%d,"data":"\u00e9 é \ud83d\ude00 😀 \/ < > & \u2028 \u0000"}`,
		"{\"id\":\"%s\",\"type\":\"invoice.paid\",\"livemode\":false,\"created\":%d,\"data\":\"\u2028\u2029\ufeff\x7f\"}",
		`{"\u0069d":"%s","type":"invoice.paid","livemode":false,"created":%d,"future":[[[{"deep":true}]]]}`,
	} {
		id := fmt.Sprintf("evt_odd_%d", i)
		bodies[id] = fmt.Appendf(nil, form, id, time.Now().Unix())
		from.accept(t, bodies[id])
	}
	// One as the local Stripe writes it, on Stripe's own way.
	own, err := stripe.Account(stripetest.Key).Emit("invoice.paid", `{"id":"in_1","object":"invoice","lines":null,"tax":0.0}`)
	must(t, err)
	bodies[own] = stripe.Account(stripetest.Key).Object(own)
	must(t, stripe.Flush(t.Context()))

	var lines bytes.Buffer
	secrets := []string{w.SigningSecret}
	check := func(ids ...string) {
		t.Helper()
		target.has(t, ids...)
		for _, id := range ids {
			a := target.of(id)[0]
			if !bytes.Equal(a.body, bodies[id]) {
				t.Errorf("%s was changed on its way:\n got %q\nwant %q", id, a.body, bodies[id])
			}
			if got := a.header.Get("Content-Type"); got != "application/json" {
				t.Errorf("Content-Type = %q", got)
			}
			for _, secret := range secrets {
				a.verify(t, id, secret)
				must(t, json.NewEncoder(&lines).Encode(object{"secret": secret, "body": a.body, "headers": map[string]string{
					"webhook-id": a.header.Get("webhook-id"), "webhook-timestamp": a.header.Get("webhook-timestamp"),
					"webhook-signature": a.header.Get("webhook-signature"),
				}}))
			}
		}
	}
	for id := range bodies {
		check(id)
	}
	// While a secret is being replaced, both verify.
	var rotated struct {
		SigningSecret string `json:"signing_secret"`
	}
	p.call(http.MethodPost, "/v1/webhooks/"+w.ID+"/rotate-secret", nil).want(http.StatusOK).into(&rotated)
	if rotated.SigningSecret == w.SigningSecret {
		t.Error("the signing secret was not replaced")
	}
	secrets = append(secrets, rotated.SigningSecret)
	bodies["evt_rotated"] = event("evt_rotated", "invoice.paid")
	from.accept(t, bodies["evt_rotated"])
	check("evt_rotated")
	if got := strings.Fields(target.of("evt_rotated")[0].header.Get("webhook-signature")); len(got) != 2 {
		t.Errorf("while a secret is replaced there are the signatures %q, want two", got)
	}

	want := bytes.Count(lines.Bytes(), []byte("\n"))
	if got := verifyWithNPM(t, lines.Bytes()); got != fmt.Sprintln(want) {
		t.Errorf("the npm library found %q good, want %d", got, want)
	}
}

// verifyWithNPM hands deliveries to the Standard Webhooks library for JavaScript, and returns what came of it.
func verifyWithNPM(t *testing.T, lines []byte) string {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("npm is missing; CI promises it")
		}
		t.Skip("npm is missing")
	}
	dir := t.TempDir()
	must(t, os.CopyFS(dir, os.DirFS("testdata/npm")))
	run := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir, cmd.Stdin = dir, bytes.NewReader(lines)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Run(); err != nil {
			t.Fatalf("%s %q: %v\n%s%s", name, args, err, &stdout, &stderr)
		}
		return stdout.String()
	}
	run("npm", "ci", "--ignore-scripts", "--prefer-offline")
	good := run("node", "verify.js")
	// It would say so if something were wrong.
	lines = bytes.Replace(lines, []byte(`"webhook-id":"evt_`), []byte(`"webhook-id":"evt-`), 1)
	cmd := exec.CommandContext(t.Context(), "node", "verify.js")
	cmd.Dir, cmd.Stdin = dir, bytes.NewReader(lines)
	if out, err := cmd.CombinedOutput(); err == nil || !bytes.Contains(out, []byte("No matching signature found")) {
		t.Errorf("the npm library takes a wrong signature: %v\n%s", err, out)
	}
	return good
}
