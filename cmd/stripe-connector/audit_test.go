package main

import (
	"testing"

	"stripe-connector/internal/stripetest"
)

// What the operator does without a token is in the audit trail like everything else.
func TestOperatorIsAudited(t *testing.T) {
	t.Parallel()
	p := newProgram(t, stripetest.New(t))
	p.start().stop() // the first start makes the admin token
	p.newToken("default", "run")
	p.start()
	type deed struct{ Action, Subject, Token string }
	trail := func() []deed {
		t.Helper()
		var page struct{ Data []deed }
		p.get("/v1/audit", &page)
		return page.Data
	}
	got := trail()
	if len(got) != 1 || got[0].Action != "token.create" || got[0].Token != "" {
		t.Fatalf("after a command: %+v", got)
	}
	if revoked := p.run("token", "revoke", "--url", p.url, "--token", adminToken, got[0].Subject); revoked.code != 0 {
		t.Fatalf("revoking through the service: %+v", revoked)
	}
	if got := trail(); len(got) != 2 || got[0].Action != "token.delete" || got[0].Token == "" {
		t.Errorf("after a command through the service: %+v", got)
	}
}
