package console

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"stripe-connector/internal/connection"
	"stripe-connector/internal/store"
)

const (
	cookieSession = "connector_session"
	cookieTheme   = "connector_theme"

	sessionTime = 12 * time.Hour // after signing in
	maxSessions = 10_000
)

// A session is a person at a browser. The token stays in memory and is authenticated anew with every request, so that
// revoking it ends the session.
type session struct {
	token string
	csrf  string
	ends  time.Time

	mu    sync.Mutex
	flash *flash
}

// A flash is what the page after a change says once.
type flash struct {
	Good   bool
	Text   string
	Detail string
	Secret string // a signing secret, shown this once
}

// meant reports whether a change was asked for by a page of this session.
func (s *session) meant(r *http.Request) bool {
	given := r.Header.Get("X-CSRF-Token")
	if given == "" {
		given = r.PostFormValue("csrf")
	}
	return subtle.ConstantTimeCompare([]byte(given), []byte(s.csrf)) == 1
}

func (s *session) say(f flash) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flash = &f
}

func (s *session) said() *flash {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.flash
	s.flash = nil
	return f
}

// sessions are all that are signed in at this process.
type sessions struct {
	now func() time.Time
	mu  sync.Mutex
	all map[string]*session
}

func newSessions(now func() time.Time) *sessions {
	return &sessions{now: now, all: map[string]*session{}}
}

// begin makes a session and returns its id.
func (s *sessions) begin(token string) string {
	id := rand.Text()
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for old, other := range s.all {
		if now.After(other.ends) || len(s.all) >= maxSessions {
			delete(s.all, old)
		}
	}
	s.all[id] = &session{token: token, csrf: rand.Text(), ends: now.Add(sessionTime)}
	return id
}

func (s *sessions) find(id string) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.all[id]
	if found == nil || s.now().After(found.ends) {
		return nil
	}
	return found
}

func (s *sessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, id)
}

var errSignedOut = errors.New("signed out")

func (v *visit) authenticate() error {
	cookie, err := v.r.Cookie(cookieSession)
	if err != nil {
		return errSignedOut
	}
	s := v.sessions.find(cookie.Value)
	if s == nil {
		return errSignedOut
	}
	caller, err := v.Tokens.Authenticate(v.r.Context(), s.token)
	if errors.Is(err, store.ErrNotFound) {
		v.sessions.end(cookie.Value)
		return errSignedOut
	}
	if err != nil {
		return fmt.Errorf("authenticating a session: %w", err)
	}
	v.session, v.caller = s, caller
	return nil
}

// toSignIn asks for a token, and remembers which page was wanted.
func (v *visit) toSignIn() {
	to := signIn
	if v.r.Method == http.MethodGet && !v.htmx() && v.r.URL.Path != root {
		to += "?" + url.Values{"back": {v.r.URL.RequestURI()}}.Encode()
	}
	v.redirect(to)
}

type signInForm struct{ Back, Error string }

func (c *console) showSignIn(v *visit) error {
	v.show(http.StatusOK, "sign-in", "Sign in", signInForm{Back: v.r.URL.Query().Get("back")})
	return nil
}

func (c *console) doSignIn(v *visit) error {
	token := strings.TrimSpace(v.r.PostFormValue("token"))
	if _, err := c.Tokens.AuthenticateFrom(v.r.Context(), v.r.RemoteAddr, token); errors.Is(err, connection.ErrGuessing) {
		v.show(http.StatusTooManyRequests, "sign-in", "Sign in", signInForm{Back: v.back(""), Error: "Too many tokens were not valid. Try again in a minute."})
		return nil
	} else if errors.Is(err, store.ErrNotFound) {
		v.show(http.StatusUnauthorized, "sign-in", "Sign in", signInForm{Back: v.back(""), Error: "This token is not valid. It may have been revoked."})
		return nil
	} else if err != nil {
		return fmt.Errorf("authenticating a token: %w", err)
	}
	if old, err := v.r.Cookie(cookieSession); err == nil {
		c.sessions.end(old.Value)
	}
	v.setCookie(cookieSession, c.sessions.begin(token), sessionTime)
	v.redirect(v.back(root))
	return nil
}

func (c *console) signOut(v *visit) error {
	if cookie, err := v.r.Cookie(cookieSession); err == nil {
		c.sessions.end(cookie.Value)
	}
	v.setCookie(cookieSession, "", -time.Second)
	v.redirect(signIn)
	return nil
}

// setTheme remembers whether the person prefers light or dark pages, whatever the system says.
func (c *console) setTheme(v *visit) error {
	theme := v.r.PostFormValue("theme")
	if theme != "light" && theme != "dark" {
		theme = ""
	}
	v.setCookie(cookieTheme, theme, 365*24*time.Hour)
	v.redirect(v.back(root))
	return nil
}

func (v *visit) setCookie(name, value string, life time.Duration) {
	http.SetCookie(v.w, &http.Cookie{ //nolint:gosec // a console on plain http needs a cookie too; see Secure
		Name: name, Value: value, Path: root, MaxAge: int(life.Seconds()), HttpOnly: true, SameSite: http.SameSiteStrictMode,
		// Behind a proxy only its word tells; whoever forges it keeps but their own cookie from themselves.
		Secure: v.r.TLS != nil || strings.EqualFold(v.r.Header.Get("X-Forwarded-Proto"), "https"),
	})
}
