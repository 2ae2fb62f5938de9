package console

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
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
	cookieFlash   = "connector_said"
	cookieTheme   = "connector_theme"

	sessionTime = 12 * time.Hour // after signing in
	flashTime   = time.Minute
	flashDetail = 400 // characters; browsers drop cookies of more than 4 KiB
)

// A session is a person at a browser. It is kept sealed in the browser's cookie, so that every replica knows it and a restart
// ends none. The token is authenticated anew with every request, so that revoking it ends the session.
type session struct {
	ID    string    `json:"id"`
	Token string    `json:"token"`
	CSRF  string    `json:"csrf"`
	Ends  time.Time `json:"ends"`
}

// A flash is what the page after a change says once. It waits, sealed too, in a cookie of its own.
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
	return subtle.ConstantTimeCompare([]byte(given), []byte(s.CSRF)) == 1
}

// What is sealed, beside the store's purposes.
const (
	purposeSession = "console session"
	purposeFlash   = "console flash"
)

// say leaves a message for the next page.
func (v *visit) say(f flash) error {
	f.Detail = short(f.Detail, flashDetail)
	text, err := v.sessions.seal(v.session.ID, purposeFlash, f)
	if err == nil {
		v.setCookie(cookieFlash, text, flashTime)
	}
	return err
}

// said takes the message that waits for this session.
func (v *visit) said() *flash {
	cookie, err := v.r.Cookie(cookieFlash)
	if err != nil {
		return nil
	}
	v.setCookie(cookieFlash, "", -time.Second)
	var f flash
	if !v.sessions.open(v.session.ID, purposeFlash, cookie.Value, &f) {
		return nil // of a session before this one
	}
	return &f
}

// sessions seal and open what is in cookies.
type sessions struct {
	secrets Sealer
	now     func() time.Time
	mu      sync.Mutex
	ended   map[string]time.Time // by id, those that were signed out here before their time
}

func newSessions(secrets Sealer, now func() time.Time) *sessions {
	return &sessions{secrets: secrets, now: now, ended: map[string]time.Time{}}
}

func (s *sessions) seal(owner, purpose string, value any) (string, error) {
	plain, err := json.Marshal(value)
	if err != nil {
		return "", fmt.Errorf("writing a %s: %w", purpose, err)
	}
	sealed, err := s.secrets.Seal(owner, purpose, plain)
	if err != nil {
		return "", fmt.Errorf("sealing a %s: %w", purpose, err)
	}
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

// open reads what seal made for the same owner and purpose, and reports whether it is that.
func (s *sessions) open(owner, purpose, text string, into any) bool {
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return false
	}
	plain, err := s.secrets.Open(owner, purpose, sealed)
	return err == nil && json.Unmarshal(plain, into) == nil
}

// begin makes a session and returns its cookie.
func (s *sessions) begin(token string) (string, error) {
	return s.seal("", purposeSession, session{ID: rand.Text(), Token: token, CSRF: rand.Text(), Ends: s.now().Add(sessionTime)})
}

// find is the session of a cookie; nil: it is none, or over.
func (s *sessions) find(cookie string) *session {
	var found session
	if !s.open("", purposeSession, cookie, &found) || s.now().After(found.Ends) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, over := s.ended[found.ID]; over {
		return nil
	}
	return &found
}

// end makes the cookie worthless at this process; elsewhere it is, once its token is revoked.
func (s *sessions) end(cookie string) {
	over := s.find(cookie)
	if over == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	maps.DeleteFunc(s.ended, func(_ string, ends time.Time) bool { return now.After(ends) })
	s.ended[over.ID] = over.Ends
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
	caller, err := v.Tokens.Authenticate(v.r.Context(), s.Token)
	if errors.Is(err, store.ErrNotFound) {
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
	page := v.r.URL
	if v.htmx() { // the part is of no use by itself
		page, _ = url.Parse(v.r.Header.Get("HX-Current-URL"))
	}
	if page != nil && v.r.Method == http.MethodGet && strings.HasPrefix(page.Path, root) && page.Path != root {
		to += "?" + url.Values{"back": {page.RequestURI()}}.Encode()
	}
	v.redirect(to)
}

type signInForm struct{ Back, Error string }

func (c *console) showSignIn(v *visit) error {
	v.show(http.StatusOK, "sign-in", "Sign in", &signInForm{Back: v.r.URL.Query().Get("back")})
	return nil
}

func (c *console) doSignIn(v *visit) error {
	token := strings.TrimSpace(v.r.PostFormValue("token"))
	if _, err := c.Tokens.AuthenticateFrom(v.r.Context(), v.r.RemoteAddr, token); errors.Is(err, connection.ErrGuessing) {
		v.show(http.StatusTooManyRequests, "sign-in", "Sign in", &signInForm{Back: v.back(""), Error: "Too many tokens were not valid. Try again in a minute."})
		return nil
	} else if errors.Is(err, store.ErrNotFound) {
		v.show(http.StatusUnauthorized, "sign-in", "Sign in", &signInForm{Back: v.back(""), Error: "This token is not valid. It may have been revoked."})
		return nil
	} else if err != nil {
		return fmt.Errorf("authenticating a token: %w", err)
	}
	if old, err := v.r.Cookie(cookieSession); err == nil {
		c.sessions.end(old.Value)
	}
	cookie, err := c.sessions.begin(token)
	if err != nil {
		return err
	}
	v.setCookie(cookieSession, cookie, sessionTime)
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
