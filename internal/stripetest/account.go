package stripetest

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
)

// spaceKey names the smallest world of Stripe: one account in one mode.
type spaceKey struct {
	account  string
	livemode bool
}

// caller is who a request comes from and where it acts.
type caller struct {
	key      string
	platform spaceKey // the account of the key
	space    *space   // where the request acts: the platform, or an account connected to it
}

// accountOf reads an API key; ok is false for anything that is none.
func accountOf(key string) (where spaceKey, ok bool) {
	kind, rest, _ := strings.Cut(key, "_")
	mode, name, _ := strings.Cut(rest, "_")
	name, _, _ = strings.Cut(name, "_")
	if (kind != "sk" && kind != "rk") || (mode != "test" && mode != "live") || name == "" {
		return spaceKey{}, false
	}
	return spaceKey{account: "acct_" + name, livemode: mode == "live"}, true
}

// authenticate finds the key of a request, as a bearer token or the user of basic authentication, and the account it
// acts on.
func (s *Server) authenticate(r *http.Request) (caller, *apiError) {
	key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		key, _, _ = r.BasicAuth()
	}
	refuse := func(code, message string) (caller, *apiError) {
		return caller{}, &apiError{Status: http.StatusUnauthorized, Type: "invalid_request_error", Code: code, Message: message}
	}
	if key == "" {
		return refuse("", "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').")
	}
	where, ok := accountOf(key)
	if !ok {
		return refuse("", "Invalid API Key provided: "+redact(key))
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.revoked[key] {
		return refuse("api_key_expired", "Expired API Key provided: "+redact(key))
	}
	platform := s.spaceOf(where)
	who := caller{key: key, platform: where, space: platform}
	if on := r.Header.Get("Stripe-Account"); on != "" && on != where.account {
		if !platform.connected[on] {
			return caller{}, &apiError{
				Status: http.StatusForbidden, Type: "invalid_request_error", Code: "account_invalid",
				Message: fmt.Sprintf("The provided key '%s' does not have access to account '%s' (or that account does not exist). Application access may have been revoked.", redact(key), on),
			}
		}
		who.space = s.spaceOf(spaceKey{account: on, livemode: where.livemode})
	}
	return who, nil
}

// redact shows a key as Stripe does in its errors.
func redact(key string) string {
	if len(key) <= 12 {
		return strings.Repeat("*", len(key))
	}
	return key[:8] + strings.Repeat("*", len(key)-12) + key[len(key)-4:]
}

// permit refuses what a restricted key was not allowed. A permission is the kind of object that the first path
// segment names and read or write: customer_read, payment_intent_write.
func (s *Server) permit(who caller, r *route) *apiError {
	s.mu.Lock()
	allowed, restricted := s.permissions[who.key]
	s.mu.Unlock()
	if !restricted {
		return nil
	}
	resource, _, _ := strings.Cut(strings.TrimPrefix(r.pattern, "/v1/"), "/")
	permission := strings.TrimSuffix(resource, "s")
	if r.method == http.MethodGet {
		if allowed[permission+"_read"] || allowed[permission+"_write"] {
			return nil
		}
		permission += "_read"
	} else {
		if allowed[permission+"_write"] {
			return nil
		}
		permission += "_write"
	}
	return &apiError{
		Status: http.StatusForbidden, Type: "invalid_request_error",
		Message: fmt.Sprintf("The provided key '%s' does not have the required permissions for this endpoint on account '%s'. Having the 'rak_%s' permission would allow this request to continue.", redact(who.key), who.platform.account, permission),
	}
}

// Restrict allows a key the given permissions and nothing else: a resource, as the first path segment without its
// plural s, and _read or _write, where write includes read. Without permissions the key may do nothing at all. A
// restricted key that was never given here may do everything.
func (s *Server) Restrict(key string, permissions ...string) {
	allowed := make(map[string]bool, len(permissions))
	for _, permission := range permissions {
		allowed[permission] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.permissions[key] = allowed
}

// Revoke makes every further call with the key a 401.
func (s *Server) Revoke(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked[key] = true
}

// Account is the test's own hand inside one account and mode. Nothing that it does is judged or makes an event,
// unless the method says so.
type Account struct {
	ID string // acct_…

	server *Server
	space  *space
}

// Account returns the account and mode that a key belongs to. It panics if the key is malformed.
func (s *Server) Account(key string) *Account {
	where, ok := accountOf(key)
	if !ok {
		panic("stripetest: malformed key " + redact(key))
	}
	return s.at(where)
}

func (s *Server) at(where spaceKey) *Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &Account{ID: where.account, server: s, space: s.spaceOf(where)}
}

// Connect makes an account act-on-able through the Stripe-Account header of this one's keys, and its events visible
// to this one's Connect endpoints. It returns the connected account.
func (a *Account) Connect(account string) *Account {
	a.server.mu.Lock()
	a.space.connected[account] = true
	a.server.mu.Unlock()
	connected := a.server.at(spaceKey{account: account, livemode: a.space.livemode})
	a.server.mu.Lock()
	connected.space.platforms[a.space] = true
	a.server.mu.Unlock()
	return connected
}

// Seed stores n objects of a kind ("customer", "invoice") and returns their ids, oldest first. Each is Stripe's
// sample with an id of its own and the fields that each returns for its index laid over it; each may be nil. Their
// created times end now and are one second apart.
func (a *Account) Seed(kind string, n int, each func(i int) map[string]any) []string {
	ids := make([]string, 0, n)
	now := a.server.now().Unix()
	a.server.mu.Lock()
	defer a.server.mu.Unlock()
	for i := range n {
		fields := a.server.spec.fresh(kind, a.space, now-int64(n-1-i))
		if each != nil {
			maps.Copy(fields, each(i))
		}
		ids = append(ids, a.space.insert(kind, fields, extras{}).id)
	}
	return ids
}

// Put stores a whole object under its id and returns that. As long as nobody changes the object, it is answered with
// exactly these bytes, alone and in lists. One that exists is replaced. Objects without an id, such as the balance,
// are found by their kind.
func (a *Account) Put(raw string) (string, error) {
	fields, err := decode([]byte(raw))
	if err != nil {
		return "", err
	}
	kind, _ := fields["object"].(string)
	if kind == "" {
		return "", errors.New(`putting an object: it has no "object"`)
	}
	a.server.mu.Lock()
	defer a.server.mu.Unlock()
	return a.space.insert(kind, fields, extras{raw: []byte(raw)}).id, nil
}

// Set overwrites fields of a stored object, as somebody in Stripe's dashboard would, and reports whether it exists.
func (a *Account) Set(id string, fields map[string]any) bool {
	a.server.mu.Lock()
	defer a.server.mu.Unlock()
	o := a.space.objects[id]
	if o == nil || o.deleted {
		return false
	}
	next := clone(o.fields)
	maps.Copy(next, fields)
	o.replace(next)
	return true
}

// Object returns the bytes with which an object is answered, nil if there is none.
func (a *Account) Object(id string) []byte {
	a.server.mu.Lock()
	defer a.server.mu.Unlock()
	if o := a.space.objects[id]; o != nil && !o.deleted {
		return o.raw
	}
	return nil
}

// IDs returns the ids of all objects of a kind, oldest first.
func (a *Account) IDs(kind string) []string {
	a.server.mu.Lock()
	defer a.server.mu.Unlock()
	ids := make([]string, 0, len(a.space.shelves[kind]))
	for _, o := range a.space.shelves[kind] {
		ids = append(ids, o.id)
	}
	return ids
}

// Remove makes objects vanish without a trace.
func (a *Account) Remove(ids ...string) {
	a.server.mu.Lock()
	defer a.server.mu.Unlock()
	for _, id := range ids {
		if o := a.space.objects[id]; o != nil {
			a.space.remove(o)
			delete(a.space.objects, id)
		}
	}
}
