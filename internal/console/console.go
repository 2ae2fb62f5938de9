// Package console is the web console for the people who run the connector: see it, try it, repair it.
//
// It is a client of the API in the same process. What a page shows and what a button does is a request to the API's
// handler with the token that the person signed in with, so roles, workspaces, limits and words are the API's, and there
// is no second path to the store. What the API does not tell is [Activity], counted as it happens.
//
//	console.go      the table of pages, and what surrounds each of them: headers, session, CSRF, role
//	session.go      signing in and out
//	api.go          requests to the API, and its answers as pages need them
//	render.go       pages from their parts: layout.templ, parts.templ, and a .templ file beside each noun; assets, embedded
//	overview.go     activity.go, chart.go: what is going on, and what needs attention
//	modules.go      form.go: the form of a module, from its declaration to a bundle and back; json.go shows answers
//	connections.go, webhooks.go, operations.go, events.go, deliveries.go: one file, one noun
//
// Pages work without scripts but for what comes alive by itself. Scripts and styles are files of ours
// (htmx, 0BSD, https://htmx.org, exchanges parts of pages; uPlot, MIT, https://github.com/leeoniya/uPlot, draws charts); nothing
// inline, nothing from elsewhere.
package console

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"stripe-connector/internal/connection"
	"stripe-connector/internal/spec"
	"stripe-connector/internal/store"
	"stripe-connector/webhooks"
)

// Config is what a console works with. All fields are needed but PublicURL.
type Config struct {
	API       http.Handler // of the whole service; its log should be quiet, since one page asks it many things
	Tokens    Authenticator
	Secrets   Sealer // of the cookies; replicas share its keys
	Jobs      Jobs
	Catalogue *spec.Catalogue
	Activity  *Activity
	PublicURL string // where people reach the API, for calls that they copy; empty: where they reach the console
	Now       func() time.Time
	Log       zerolog.Logger
}

// An Authenticator finds out for whom a token speaks; [store.ErrNotFound] means nobody. AuthenticateFrom also judges from
// where it comes, and refuses addresses that guess with [connection.ErrGuessing].
type Authenticator interface {
	Authenticate(ctx context.Context, token string) (connection.Caller, error)
	AuthenticateFrom(ctx context.Context, address, token string) (connection.Caller, error)
}

// A Sealer encrypts what only the console is to read. Owner and purpose are bound to the seal: it opens for nothing else.
type Sealer interface {
	Seal(owner, purpose string, plain []byte) ([]byte, error)
	Open(owner, purpose string, sealed []byte) ([]byte, error)
}

// Jobs tells which background jobs a webhook has, newest first.
type Jobs interface {
	Jobs(workspace, webhook string) []webhooks.Job
}

type console struct {
	Config
	sessions *sessions
	keys     *keyChecks
}

// New makes the handler of every path below /console.
func New(cfg Config) http.Handler {
	c := &console{Config: cfg, sessions: newSessions(cfg.Secrets, cfg.Now), keys: newKeyChecks()}
	mux := http.NewServeMux()
	mux.Handle("GET /console/assets/{file}", http.HandlerFunc(c.asset))
	mux.Handle("GET /console", http.RedirectHandler(root, http.StatusSeeOther))
	for _, at := range c.routes() {
		mux.Handle(at.pattern, c.serve(at))
	}
	// A form on another site cannot be posted here, whatever the cookies and tokens.
	return secure(http.NewCrossOriginProtection().Handler(mux))
}

const (
	root   = "/console/"
	signIn = "/console/sign-in"
)

// A route is one line of the table: what is asked for, who may ask, and who answers.
type route struct {
	pattern string
	role    connection.Role
	handle  func(*visit) error
}

// public pages need no session.
const public connection.Role = ""

func (c *console) routes() []route {
	const run, manage, admin = connection.RoleRun, connection.RoleManage, connection.RoleAdmin
	return []route{
		{"GET " + signIn, public, c.showSignIn},
		{"POST " + signIn, public, c.doSignIn},
		{"POST /console/sign-out", run, c.signOut},
		{"POST /console/theme", public, c.setTheme},

		{"GET /console/{$}", run, c.overview},
		{"GET /console/overview", manage, c.liveOverview},
		{"GET /console/keys", manage, c.checkKeys},

		{"GET /console/modules", run, c.listModules},
		{"GET /console/modules/{key}", run, c.showModule},
		{"POST /console/modules/{key}", run, c.runModule},
		{"POST /console/modules/{key}/form", run, c.changeForm},
		{"POST /console/modules/{key}/curl", run, c.showCurl},
		{"POST /console/lookups/{lookup}", run, c.look},

		{"GET /console/connections", manage, c.listConnections},
		{"POST /console/connections", manage, c.addConnection},
		{"GET /console/connections/{id}", manage, c.showConnection},
		{"POST /console/connections/{id}", manage, c.changeConnection},
		{"POST /console/connections/{id}/check", manage, c.checkConnection},
		{"POST /console/connections/{id}/mend", manage, c.mendConnection},
		{"POST /console/connections/{id}/delete", manage, c.deleteConnection},

		{"GET /console/webhooks", manage, c.listWebhooks},
		{"GET /console/webhooks/new", manage, c.newWebhook},
		{"POST /console/webhooks", manage, c.attachWebhook},
		{"GET /console/webhooks/{id}", manage, c.showWebhook},
		{"POST /console/webhooks/{id}/{action}", manage, c.actOnWebhook},

		{"POST /console/operations", admin, c.setOperations},
		{"POST /console/operations/{action}", admin, c.actOnOperations},

		{"GET /console/events", manage, c.listEvents},
		{"GET /console/events/{id}", manage, c.showEvent},

		{"GET /console/deliveries", manage, c.listDeliveries},
		{"GET /console/deliveries/{id}", manage, c.showDelivery},
		{"POST /console/deliveries/{id}/retry", manage, c.retryDelivery},

		{"/console/", run, func(*visit) error { return errNoPage }},
	}
}

var errNoPage = &problem{Status: http.StatusNotFound, Title: "Not found", Detail: "There is no such page."}

// A visit is one request for a page.
type visit struct {
	*console
	w       http.ResponseWriter
	r       *http.Request
	session *session // nil on public pages
	caller  connection.Caller
}

// The largest forms, in bytes: the API takes as much, and who signs in needs little.
const (
	bodyMax   = 1 << 20
	publicMax = 8 << 10
)

// serve wraps a page: who may see it, whether a change was meant, how it fails.
func (c *console) serve(at route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := c.Now()
		seen := &statusWriter{ResponseWriter: w}
		v := &visit{console: c, w: seen, r: r}
		most := int64(bodyMax)
		if at.role == public {
			most = publicMax
		}
		r.Body = http.MaxBytesReader(w, r.Body, most)
		if err := v.answer(at); err != nil { //nolint:contextcheck // the request carries it
			v.fail(err) //nolint:contextcheck // likewise
		}
		level := zerolog.DebugLevel // pages that are alive ask every few seconds
		if r.Method != http.MethodGet {
			level = zerolog.InfoLevel
		}
		c.Log.WithLevel(level).Str("page", at.pattern).Str("workspace", v.caller.Workspace).Str("token_id", v.caller.TokenID).
			Int("status", seen.status).Dur("duration", c.Now().Sub(start)).Msg("console")
	})
}

func (v *visit) answer(at route) error {
	if at.role != public {
		if err := v.authenticate(); errors.Is(err, errSignedOut) {
			v.toSignIn()
			return nil
		} else if err != nil {
			return err
		}
		if v.r.Method != http.MethodGet && !v.session.meant(v.r) {
			return &problem{Status: http.StatusForbidden, Title: "Forbidden", Detail: "This form has expired. Go back, reload the page and try again."}
		}
		if !v.caller.Role.Allows(at.role) {
			return &problem{
				Status: http.StatusForbidden, Title: "Forbidden",
				Detail: "This needs a token with the role " + string(at.role) + "; yours has " + string(v.caller.Role) + ".",
			}
		}
	}
	return at.handle(v)
}

// fail shows what went wrong. What is not the API's word stands in the log alone.
func (v *visit) fail(err error) {
	var p *problem
	if !errors.As(err, &p) {
		p = &problem{Status: http.StatusInternalServerError, Title: "Internal error", Detail: "The console failed; the log has the reason."}
		if errors.Is(err, store.ErrUnavailable) {
			p = &problem{Status: http.StatusServiceUnavailable, Title: "Store unavailable", Detail: "The service cannot reach its store just now."}
		}
		if v.r.Context().Err() == nil {
			v.Log.Error().Err(err).Str("page", v.r.Pattern).Msg("console page failed")
		}
	}
	v.show(p.Status, "problem", p.Title, p)
}

// secure sets the headers of every answer. The policy lets nothing in but files of ours.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "+
			"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if !strings.HasPrefix(r.URL.Path, assetPath) {
			h.Set("Cache-Control", "no-store")
		}
		next.ServeHTTP(w, r)
	})
}

// htmx reports whether a script asks for a part of a page.
func (v *visit) htmx() bool { return v.r.Header.Get("HX-Request") == "true" }

// redirect sends the browser on after a change, so that a reload does not repeat it.
func (v *visit) redirect(to string) {
	if v.htmx() {
		v.w.Header().Set("HX-Redirect", to)
		return
	}
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
}

// tell is redirect with a message for the page that follows.
func (v *visit) tell(f flash, to string) error {
	if err := v.say(f); err != nil {
		return err
	}
	v.redirect(to)
	return nil
}

// back is where the person came from, if that is a page of ours, else the given page.
func (v *visit) back(otherwise string) string {
	if to := v.r.PostFormValue("back"); strings.HasPrefix(to, root) && !strings.ContainsAny(to, "\\\r\n") {
		return to
	}
	return otherwise
}
