package httpapi

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stripe-connector/internal/connection"
)

// Every change is noted with who made it, and nothing else is.
func TestAuditTrail(t *testing.T) {
	t.Parallel()
	s := newService(t)
	subscriber := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(subscriber.Close)
	var hook, token struct{ ID, Token string }
	attach := `{"webhook_name":"W","group":"customer","url":"` + subscriber.URL + `"}`
	s.run("watch-events", attach).want(http.StatusCreated).into(&hook)
	s.run("watch-events", attach).want(http.StatusOK) // there already
	s.call(http.MethodPatch, "/v1/webhooks/"+hook.ID, `{"webhook_name":"value_of_the_caller"}`).want(http.StatusOK)
	s.call(http.MethodPost, "/v1/webhooks/"+hook.ID+"/pause", nil, "X-Request-Id", "mine-1").want(http.StatusOK)
	s.call(http.MethodPost, "/v1/tokens", `{"role":"manage","name":"value_of_the_caller"}`).want(http.StatusCreated).into(&token)
	var operations struct{ ID string }
	s.call(http.MethodPut, "/v1/operations", map[string]string{"url": subscriber.URL + "/value_of_the_caller"}).want(http.StatusCreated).into(&operations)
	s.call(http.MethodPost, "/v1/operations/rotate-secret", nil).want(http.StatusOK)
	s.call(http.MethodPost, "/v1/operations/test", nil).want(http.StatusOK)
	s.call(http.MethodDelete, "/v1/operations", nil).want(http.StatusNoContent)
	s.call(http.MethodDelete, "/v1/operations", nil).want(http.StatusNoContent)
	s.as(token.Token, http.MethodDelete, "/v1/webhooks/"+hook.ID, nil).want(http.StatusNoContent)
	s.as(token.Token, http.MethodDelete, "/v1/webhooks/value_of_the_caller", nil).want(http.StatusNoContent)
	s.call(http.MethodDelete, "/v1/tokens/tok_value", nil).want(http.StatusNotFound)
	s.run("list-all-customers", `{}`).want(http.StatusOK)

	var trail struct {
		Data []struct {
			Token, Action, Subject string
			Request                string `json:"request_id"`
		}
	}
	text := s.call(http.MethodGet, "/v1/audit", nil).want(http.StatusOK)
	text.into(&trail)
	var got []string
	for _, d := range slices.Backward(trail.Data) {
		who := "admin"
		if d.Token == token.ID {
			who = "manager"
		}
		got = append(got, fmt.Sprint(who, " ", d.Action, " ", d.Subject))
		if d.Action == "webhook.pause" && d.Request != "mine-1" {
			t.Errorf("request_id = %q, want mine-1", d.Request)
		}
	}
	want := []string{
		"admin connection.create " + s.conn, "admin webhook.attach " + hook.ID, "admin webhook.update " + hook.ID,
		"admin webhook.pause " + hook.ID, "admin token.create " + token.ID,
		"admin operations.set " + operations.ID, "admin operations.rotate-secret " + operations.ID, "admin operations.test " + operations.ID,
		"admin operations.delete " + operations.ID, "manager webhook.delete " + hook.ID,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("audit trail (-want +got):\n%s", diff)
	}
	if strings.Contains(text.body, "value_of_the_caller") {
		t.Errorf("the audit trail holds values: %s", text.body)
	}
	s.as(s.newToken("other", connection.RoleAdmin), http.MethodGet, "/v1/audit", nil).want(http.StatusOK).into(&trail)
	if len(trail.Data) != 0 {
		t.Errorf("another workspace sees %v", trail.Data)
	}
}

// TestActions is for who adds a route: what it does is noted under this name.
func TestActions(t *testing.T) {
	t.Parallel()
	var got []string
	for _, at := range (&server{}).routes() {
		if action := actionOf(at); action != "" {
			got = append(got, action)
		}
	}
	want := []string{
		"connection.create", "connection.update", "connection.delete", "connection.check", "connection.reconcile",
		"webhook.update", "webhook.delete", "webhook.pause", "webhook.resume", "webhook.rotate-secret", "webhook.roll-endpoint",
		"webhook.test", "webhook.replay", "webhook.retry-dead",
		"operations.set", "operations.delete", "operations.rotate-secret", "operations.test", "token.create", "token.delete",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("actions (-want +got):\n%s", diff)
	}
}
