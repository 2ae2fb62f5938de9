// Package connection keeps the credentials of the service: connections, which hold sealed Stripe API keys, and the API tokens
// of callers, which say in which workspace they may do what.
//
//	connection.go   connections: create, check, change, use
//	token.go        tokens and roles
//	seal.go         the key ring that seals everything secret at rest
//	cache.go        what keeps the hot path away from the store for a second
//
// It is the only package that sees a Stripe API key in the clear, for as long as a call needs it. No key or token reaches a
// log, an error, an answer, or the disk.
package connection

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"stripe-connector/internal/spec"
	"stripe-connector/internal/store"
	"stripe-connector/internal/stripeapi"
)

// A Checker asks Stripe whose key this is. A key that Stripe refuses is stripeapi.ErrKeyRefused. A restricted key that may
// not read its account is fine, and has no account here.
type Checker interface {
	Check(ctx context.Context, key string) (account string, livemode bool, err error)
}

// Service is what can be done with connections. It is safe for concurrent use.
type Service struct {
	store   store.Connections
	ring    *Ring
	checker Checker
	now     func() time.Time
	opened  cache[connectionKey, opened]
}

type connectionKey struct{ workspace, id string }

// opened is a connection that can be used.
type opened struct {
	key      secret
	livemode bool
}

// NewService makes a service.
func NewService(s store.Connections, ring *Ring, checker Checker, now func() time.Time) *Service {
	return &Service{store: s, ring: ring, checker: checker, now: now, opened: cache[connectionKey, opened]{now: now}}
}

// A View is what may be seen of a connection. There is no key in it.
type View struct {
	ID       string    `json:"id"`
	Name     string    `json:"connection_name"`
	Account  string    `json:"account"` // empty if the key may not read it
	Livemode bool      `json:"livemode"`
	Last4    string    `json:"last4"`
	Created  time.Time `json:"created"`
}

func view(c store.Connection) View {
	return View{ID: c.ID, Name: c.Name, Account: c.Account, Livemode: c.Livemode, Last4: c.Last4, Created: c.Created}
}

// Input is the form of a connection.
type Input struct {
	Name string `json:"connection_name"`
	Key  string `json:"key"`
}

// Change is what of a connection is to be changed. What is nil stays.
type Change struct {
	Name *string `json:"connection_name"`
	Key  *string `json:"key"`
}

const (
	defaultName = "Stripe"
	maxName     = 255 // characters
	maxKey      = 255
)

// Create checks the key with Stripe and stores it sealed. Faults: the form is wrong, or Stripe refuses the key. Other errors
// of the check come as they are.
func (s *Service) Create(ctx context.Context, workspace string, in Input) (View, error) {
	name, faults := readName(in.Name)
	key, livemode, keyFaults := readKeyField(in.Key)
	if faults = append(faults, keyFaults...); len(faults) > 0 {
		return View{}, faults
	}
	account, err := s.check(ctx, key)
	if err != nil {
		return View{}, err
	}
	now := s.now()
	c := store.Connection{
		ID: store.NewID(store.PrefixConnection, now), Workspace: workspace, Name: name, Account: account, Livemode: livemode,
		Last4: last4(key), Created: now.UTC().Truncate(time.Microsecond),
	}
	if c.Key, err = s.ring.Seal(c.ID, store.PurposeKey, []byte(key)); err != nil {
		return View{}, fmt.Errorf("sealing a key: %w", err)
	}
	if err := s.store.CreateConnection(ctx, c); err != nil {
		return View{}, err
	}
	return view(c), nil
}

// List returns a page of the workspace's connections.
func (s *Service) List(ctx context.Context, workspace string, p store.Page) (store.List[View], error) {
	l, err := s.store.Connections(ctx, workspace, p)
	views := make([]View, len(l.Data))
	for i, c := range l.Data {
		views[i] = view(c)
	}
	return store.List[View]{Data: views, Next: l.Next}, err
}

// Get returns one connection.
func (s *Service) Get(ctx context.Context, workspace, id string) (View, error) {
	c, err := s.store.Connection(ctx, workspace, id)
	return view(c), err
}

// Update renames a connection or replaces its key, which must be of the same mode and, where both keys may read it, of the
// same account.
func (s *Service) Update(ctx context.Context, workspace, id string, change Change) (View, error) {
	if _, err := s.store.Connection(ctx, workspace, id); err != nil {
		return View{}, err // before a stranger learns anything about a key
	}
	var faults spec.Faults
	var name, key, account string
	var livemode bool
	if change.Name != nil {
		name, faults = readName(*change.Name)
	}
	if change.Key != nil {
		var wrong spec.Faults
		key, livemode, wrong = readKeyField(*change.Key)
		faults = append(faults, wrong...)
	}
	if len(faults) > 0 {
		return View{}, faults
	}
	var sealed []byte
	var err error
	if change.Key != nil {
		if account, err = s.check(ctx, key); err != nil {
			return View{}, err
		}
		if sealed, err = s.ring.Seal(id, store.PurposeKey, []byte(key)); err != nil {
			return View{}, fmt.Errorf("sealing a key: %w", err)
		}
	}
	c, err := s.store.UpdateConnection(ctx, workspace, id, func(c *store.Connection) error {
		if change.Name != nil {
			c.Name = name
		}
		if change.Key == nil {
			return nil
		}
		if c.Livemode != livemode {
			return keyFault(spec.CodeNotAllowed, "must be of the same mode as before, "+mode(c.Livemode))
		}
		if c.Account != "" && account != "" && c.Account != account {
			return keyFault(spec.CodeNotAllowed, "must be of the same account as before, "+c.Account)
		}
		if account != "" {
			c.Account = account
		}
		c.Key, c.Last4 = sealed, last4(key)
		return nil
	})
	s.opened.forget()
	return view(c), err
}

// Check asks Stripe whether the stored key still works, and remembers the account if it has become readable. A key that
// Stripe refuses is a fault of the field key.
func (s *Service) Check(ctx context.Context, workspace, id string) (View, error) {
	c, err := s.store.Connection(ctx, workspace, id)
	if err != nil {
		return View{}, err
	}
	key, err := s.ring.Open(c.ID, store.PurposeKey, c.Key)
	if err != nil {
		return View{}, fmt.Errorf("opening the key of %s: %w", c.ID, err)
	}
	account, err := s.check(ctx, string(key))
	if err != nil {
		return View{}, err
	}
	if c.Account != "" || account == "" {
		return view(c), nil
	}
	c, err = s.store.UpdateConnection(ctx, workspace, id, func(c *store.Connection) error {
		if c.Account == "" {
			c.Account = account
		}
		return nil
	})
	return view(c), err
}

// Delete forgets a connection. It is store.ErrConflict while webhooks use it.
func (s *Service) Delete(ctx context.Context, workspace, id string) error {
	err := s.store.DeleteConnection(ctx, workspace, id)
	s.opened.forget()
	return err
}

// Session opens a connection for calls to Stripe. It is the hot path: what it read is good for a second, and for no moment
// longer than an Update or Delete of this service.
func (s *Service) Session(ctx context.Context, workspace, id string) (stripeapi.Session, error) {
	o, err := s.opened.get(connectionKey{workspace, id}, func() (opened, error) {
		c, err := s.store.Connection(ctx, workspace, id)
		if err != nil {
			return opened{}, err
		}
		key, err := s.ring.Open(c.ID, store.PurposeKey, c.Key)
		if err != nil {
			return opened{}, fmt.Errorf("opening the key of %s: %w", c.ID, err)
		}
		return opened{key: secret(key), livemode: c.Livemode}, nil
	})
	if err != nil {
		return stripeapi.Session{}, err
	}
	return stripeapi.Session{Connection: id, Key: string(o.key), Livemode: o.livemode}, nil
}

// check turns a refusal into a fault. The mode is told by the key itself, which readKeyField has read.
func (s *Service) check(ctx context.Context, key string) (account string, err error) {
	account, _, err = s.checker.Check(ctx, key)
	if errors.Is(err, stripeapi.ErrKeyRefused) {
		return "", keyFault(spec.CodeRefused, "is refused by Stripe: it is wrong, expired or revoked")
	}
	if err != nil {
		return "", fmt.Errorf("checking a key: %w", err)
	}
	return account, nil
}

func readName(name string) (string, spec.Faults) {
	name = strings.TrimSpace(name)
	if name == "" {
		name = defaultName
	}
	return name, spec.CheckName("connection_name", "Connection name", name, maxName)
}

var keyForm = regexp.MustCompile(`^(?:sk|rk)_(test|live)_[A-Za-z0-9_]+$`)

// readKeyField judges a key by its form alone, which also tells its mode (https://docs.stripe.com/keys). Blanks around it are
// a slip of copying.
func readKeyField(text string) (key string, livemode bool, _ spec.Faults) {
	key = strings.TrimSpace(text)
	m := keyForm.FindStringSubmatch(key)
	switch {
	case key == "":
		return "", false, keyFault(spec.CodeRequired, "is required")
	case strings.HasPrefix(key, "pk_"):
		return "", false, keyFault(spec.CodeInvalid, "is a publishable key; a secret key (sk_…) or a restricted one (rk_…) is needed")
	case m == nil:
		return "", false, keyFault(spec.CodeInvalid, "must be a secret or restricted API key: sk_test_…, sk_live_…, rk_test_… or rk_live_…")
	case len(key) > maxKey:
		return "", false, keyFault(spec.CodeTooLong, fmt.Sprintf("must be at most %d characters", maxKey))
	}
	return key, m[1] == "live", nil
}

func keyFault(code, message string) spec.Faults {
	return spec.Faults{{Field: "key", Label: "Key", Code: code, Message: message}}
}

func mode(live bool) string {
	if live {
		return "live"
	}
	return "test"
}

// last4 returns the end of a key, or less of one that is so short that its end would be most of it.
func last4(key string) string {
	secretPart := key[len("sk_test_"):]
	return secretPart[len(secretPart)-min(4, len(secretPart)/2):]
}
