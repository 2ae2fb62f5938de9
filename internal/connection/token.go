package connection

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"maps"
	"regexp"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"stripe-connector/internal/spec"
	"stripe-connector/internal/store"
)

// A Role says what a caller may do. Each includes the ones before it.
type Role string

// The roles.
const (
	RoleRun    Role = "run"    // modules, lookups
	RoleManage Role = "manage" // connections, webhooks, deliveries
	RoleAdmin  Role = "admin"  // tokens
)

func (r Role) rank() int {
	switch r {
	case RoleRun:
		return 1
	case RoleManage:
		return 2
	case RoleAdmin:
		return 3
	default:
		return 0
	}
}

// Allows reports whether the role includes the needed one. A role that does not exist allows nothing and is never allowed.
func (r Role) Allows(needed Role) bool {
	return needed.rank() > 0 && r.rank() >= needed.rank()
}

// DefaultWorkspace is the one that Bootstrap makes.
const DefaultWorkspace = "default"

// A Caller is who a token speaks for.
type Caller struct {
	Workspace string
	Role      Role
	TokenID   string
}

// Tokens is what can be done with API tokens. It is safe for concurrent use.
type Tokens struct {
	store store.Access
	now   func() time.Time
	log   zerolog.Logger
	known cache[[sha256.Size]byte, Caller]

	guesses guesses

	mu   sync.Mutex
	used map[string]time.Time       // by token id, since the last flush
	seen map[[sha256.Size]byte]bool // by hash: tokens that were valid when they were last looked up
}

// NewTokens makes the service of tokens. Run keeps their last uses.
func NewTokens(s store.Access, now func() time.Time, log zerolog.Logger) *Tokens {
	return &Tokens{
		store: s, now: now, log: log, known: cache[[sha256.Size]byte, Caller]{now: now},
		used: make(map[string]time.Time), seen: make(map[[sha256.Size]byte]bool),
	}
}

// A TokenView is what may be seen of a token.
type TokenView struct {
	ID        string     `json:"id"`
	Workspace string     `json:"workspace"`
	Role      Role       `json:"role"`
	Name      string     `json:"name"`
	Prefix    string     `json:"prefix"`
	Created   time.Time  `json:"created"`
	LastUsed  *time.Time `json:"last_used"` // to the minute or so; nil: never
}

func viewToken(t store.Token) TokenView {
	v := TokenView{ID: t.ID, Workspace: t.Workspace, Role: Role(t.Role), Name: t.Name, Prefix: t.Prefix, Created: t.Created}
	if !t.LastUsed.IsZero() {
		v.LastUsed = &t.LastUsed
	}
	return v
}

// Authenticate finds the caller of a token; an unknown token is store.ErrNotFound. The token is looked up by its hash, so the
// time that it takes tells nothing about other tokens. A revoked token is refused within a second by every replica, and at
// once by the one that revoked it.
func (t *Tokens) Authenticate(ctx context.Context, token string) (Caller, error) {
	hash := sha256.Sum256([]byte(token))
	caller, err := t.known.get(hash, func() (Caller, error) {
		stored, err := t.store.TokenByHash(ctx, hash)
		return Caller{Workspace: stored.Workspace, Role: Role(stored.Role), TokenID: stored.ID}, err
	})
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case unknown(err):
		delete(t.seen, hash)
	case err == nil:
		t.seen[hash] = true
		t.used[caller.TokenID] = t.now()
	}
	return caller, err
}

func unknown(err error) bool { return errors.Is(err, store.ErrNotFound) }

const (
	tokenStart  = "sc_"
	tokenBytes  = 25 // 200 random bits
	shownPrefix = 7  // characters
)

var tokenText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func newToken() string {
	raw := make([]byte, tokenBytes)
	_, _ = rand.Read(raw) // never fails, it rather ends the program
	return tokenStart + tokenText.EncodeToString(raw)
}

var workspaceForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)

const maxWorkspace = 63

// Create makes a token, and its workspace if that is new. The token itself is returned this once.
func (t *Tokens) Create(ctx context.Context, workspace string, role Role, name string) (TokenView, string, error) {
	var faults spec.Faults
	if len(workspace) > maxWorkspace || !workspaceForm.MatchString(workspace) {
		faults = append(faults, spec.Fault{
			Field: "workspace", Label: "Workspace", Code: spec.CodeInvalid,
			Message: "must be 1 to 63 lower-case letters, digits, - or _, and begin with a letter or digit",
		})
	}
	if role.rank() == 0 {
		faults = append(faults, spec.Fault{Field: "role", Label: "Role", Code: spec.CodeInvalid, Message: "must be run, manage or admin"})
	}
	if faults = append(faults, spec.CheckName("name", "Name", name, maxName)...); len(faults) > 0 {
		return TokenView{}, "", faults
	}
	token := newToken()
	record := t.record(workspace, role, name, token)
	if err := t.store.CreateToken(ctx, record); err != nil {
		return TokenView{}, "", err
	}
	return viewToken(record), token, nil
}

func (t *Tokens) record(workspace string, role Role, name, token string) store.Token {
	now := t.now()
	return store.Token{
		ID: store.NewID(store.PrefixToken, now), Workspace: workspace, Role: string(role), Name: name,
		Prefix: token[:min(shownPrefix, len(token)/4)], Hash: sha256.Sum256([]byte(token)), Created: now.UTC().Truncate(time.Microsecond),
	}
}

// Bootstrap makes the workspace "default" and an admin token in it, if the store holds no token at all. The token is the
// configured one if that is not empty. It returns a token only if it made one up.
func (t *Tokens) Bootstrap(ctx context.Context, configured string) (token string, err error) {
	token = configured
	if token == "" {
		token = newToken()
	}
	created, err := t.store.Bootstrap(ctx, t.record(DefaultWorkspace, RoleAdmin, "first", token))
	if err != nil || !created || configured != "" {
		return "", err
	}
	return token, nil
}

// List returns a page of the workspace's tokens.
func (t *Tokens) List(ctx context.Context, workspace string, p store.Page) (store.List[TokenView], error) {
	l, err := t.store.Tokens(ctx, workspace, p)
	views := make([]TokenView, len(l.Data))
	for i, token := range l.Data {
		views[i] = viewToken(token)
	}
	return store.List[TokenView]{Data: views, Next: l.Next}, err
}

// Revoke ends a token.
func (t *Tokens) Revoke(ctx context.Context, workspace, id string) error {
	err := t.store.DeleteToken(ctx, workspace, id)
	t.known.forget()
	return err
}

// flushEvery is how exact last uses are.
const flushEvery = 30 * time.Second

// Run stores last uses now and then, and once more when ctx ends. It returns when that is done.
func (t *Tokens) Run(ctx context.Context) {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			t.flush(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			t.flush(last)
			return
		}
	}
}

func (t *Tokens) flush(ctx context.Context) {
	t.mu.Lock()
	used := t.used
	t.used = make(map[string]time.Time)
	t.mu.Unlock()
	if len(used) == 0 {
		return
	}
	err := t.store.TouchTokens(ctx, used)
	if err == nil {
		return
	}
	t.log.Warn().Err(err).Msg("last uses of tokens could not be stored; they are kept for the next time")
	t.mu.Lock()
	maps.Copy(used, t.used) // the later ones win
	t.used = used
	t.mu.Unlock()
}
