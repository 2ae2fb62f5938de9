package httpapi

import (
	"cmp"
	"context"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog"

	"stripe-connector/internal/connection"
	"stripe-connector/internal/store"
)

// An Auditor keeps who did what.
type Auditor interface {
	Note(ctx context.Context, d store.Deed) error
	Deeds(ctx context.Context, workspace string, p store.Page) (store.List[store.Deed], error)
}

// audited are the parts of a path behind which changes are noted, and what one of their things is called.
var audited = map[string]string{"connections": "connection", "webhooks": "webhook", "operations": "operations", "tokens": "token"}

// actionOf names what a route does to one of these, such as "webhook.pause"; empty: nothing that is noted. It reads the table,
// so that a new route is noted from the day on which it is added.
func actionOf(at route) string {
	parts := strings.Split(strings.TrimPrefix(at.pattern, "/v1/"), "/")
	noun, last := audited[parts[0]], parts[len(parts)-1]
	switch {
	case noun == "", at.method == http.MethodGet:
		return ""
	case len(parts) > 1 && last != "{id}": // connections/{id}/check, operations/test
		return noun + "." + last
	}
	switch at.method {
	case http.MethodPost:
		return noun + ".create"
	case http.MethodPut:
		return noun + ".set"
	case http.MethodPatch:
		return noun + ".update"
	case http.MethodDelete:
		return noun + ".delete"
	default:
		return ""
	}
}

// did says what was done, and to what, where the route alone does not tell. An empty action is the route's.
func did(w http.ResponseWriter, action, subject string) {
	if seen, ok := w.(*statusWriter); ok {
		seen.action, seen.subject = action, subject
	}
}

// ourID is what an id of ours looks like. Anything else in a path names nothing, and could be anything.
var ourID = regexp.MustCompile(`^[a-z]{2,4}_[0-9a-z]{26}$`)

// noteTime bounds the note of what is done already, even if the caller has left by then.
const noteTime = 5 * time.Second

// note keeps what a request has done.
func (s *server) note(w http.ResponseWriter, r *http.Request, at route, caller connection.Caller) {
	seen, ok := w.(*statusWriter)
	if !ok {
		return
	}
	action, subject := cmp.Or(seen.action, actionOf(at)), cmp.Or(seen.subject, chi.URLParam(r, "id"))
	if action == "" || !ourID.MatchString(subject) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), noteTime)
	defer cancel()
	now := s.Now()
	err := s.Audit.Note(ctx, store.Deed{
		ID: store.NewID(store.PrefixDeed, now), Workspace: caller.Workspace, Token: caller.TokenID, Action: action, Subject: subject,
		Request: w.Header().Get(headerRequestID), Created: now.UTC().Truncate(time.Microsecond),
	})
	if err != nil {
		zerolog.Ctx(ctx).Error().Err(err).Str("token", caller.TokenID).Str("action", action).Str("subject", subject).
			Msg("what was done could not be added to the audit trail; this line is all that tells of it")
	}
}

// A deedView is an entry of the audit trail.
type deedView struct {
	ID      string    `json:"id"`
	Token   string    `json:"token"`
	Action  string    `json:"action"`
	Subject string    `json:"subject"`
	Request string    `json:"request_id"`
	Created time.Time `json:"created"`
}

func (s *server) listDeeds(w http.ResponseWriter, r *http.Request, caller connection.Caller) error {
	q := query{r: r}
	page := q.page()
	if err := q.err(); err != nil {
		return err
	}
	found, err := s.Audit.Deeds(r.Context(), caller.Workspace, page)
	if err != nil {
		return err
	}
	writeList(w, found, func(d store.Deed) deedView {
		return deedView{ID: d.ID, Token: d.Token, Action: d.Action, Subject: d.Subject, Request: d.Request, Created: d.Created}
	})
	return nil
}
