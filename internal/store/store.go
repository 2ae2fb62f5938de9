// Package store says what the connector remembers and how it is asked for it: plain nouns and the Store interface.
// It holds no SQL; sqlite and postgres implement it, and storetest holds both to this contract.
//
// Both lines end here. The request line reads connections and tokens. The event line writes events and their deliveries
// in one transaction (Ingest), takes due deliveries (Claim) and notes how they went (Finish).
//
// Common to all methods:
//
//   - What belongs to a workspace is asked for with the workspace's id; anything foreign is ErrNotFound, exactly as if it
//     did not exist. The few methods without one serve callers that know none: Stripe, the dispatcher, the operator.
//   - Secrets arrive sealed or hashed. The store never sees one in the clear.
//   - A method that returns nil has made its change durable; only what Finish noted may be lost when the machine itself fails
//     right after, and then the delivery is attempted again. A cancelled context may leave the outcome open, never halved.
//   - Times are stored to the microsecond, in UTC. What the event line schedules is measured on the store's own clock, so
//     callers hand in durations, not moments.
//   - Returned values belong to the caller, except what is shared behind them, which nobody may change: bodies, sealed bytes,
//     and what Work points to.
package store

import (
	"context"
	"errors"
	"slices"
	"time"
)

var (
	// ErrNotFound means that there is no such thing in this workspace.
	ErrNotFound = errors.New("not found")
	// ErrConflict means that something else stands in the way: it exists already, or it is in use.
	ErrConflict = errors.New("conflict")
	// ErrUnavailable means that the store cannot write or read now: closed, unreachable, disk full. Nothing was changed;
	// the same call may succeed later.
	ErrUnavailable = errors.New("store unavailable")
	// ErrCursor means that a page was asked for with a cursor that no list of this kind has given out.
	ErrCursor = errors.New("unusable cursor")
)

// Store is everything at once, for the one who wires the program. Consumers state the few methods that they need.
type Store interface {
	Access
	Audit
	Connections
	Endpoints
	Webhooks
	Events
	Deliveries
	Queue
	Operations

	// Lock waits until the caller alone, of all processes on this store, holds name. The lock ends with release, with the
	// process, or unnoticed with the way to the store. It returns the context's error when that ends first.
	Lock(ctx context.Context, name string) (release func(), err error)

	// Reseal passes every sealed value through seal and stores what comes back, in bounded batches, and returns how many it
	// changed. A value for which seal returns the same bytes is left alone. It can be repeated after an error.
	Reseal(ctx context.Context, seal func(owner, purpose string, sealed []byte) ([]byte, error)) (int, error)

	// Observe has begun told of every transaction of the event line and of every change from now on, with the number of calls
	// that share it, and what begun returns when it has ended, for better or worse. Both must be quick, since writes wait for
	// them.
	Observe(begun func(calls int) (ended func()))

	// Ping reports whether the store can be read and its migrations are done.
	Ping(ctx context.Context) error

	// Close finishes what was accepted and lets go of the store. Every later call is ErrUnavailable.
	Close() error
}

// A Page asks for part of a list. Lists run from the newest to the oldest.
type Page struct {
	Limit  int    // 1 to MaxPage; anything else means MaxPage
	Cursor string // List.Next of the page before; empty for the first
}

// MaxPage is the most items that one page holds.
const MaxPage = 100

// A List is one page. What is stored while a caller turns pages never makes it see an item twice or miss one that was
// there when it began.
type List[T any] struct {
	Data []T
	Next string // cursor of the following page; empty when this is the last
}

// A Workspace separates tenants. Its id is the name that the operator gave it.
type Workspace struct {
	ID      string
	Created time.Time
}

// Access keeps workspaces and API tokens.
type Access interface {
	// CreateToken stores t and makes its workspace if that is new. ErrConflict: the id or the hash exists.
	CreateToken(ctx context.Context, t Token) error
	// Bootstrap is CreateToken if the store holds no token at all, and reports whether it was.
	Bootstrap(ctx context.Context, t Token) (created bool, err error)
	// TokenByHash finds a token of any workspace.
	TokenByHash(ctx context.Context, hash [32]byte) (Token, error)
	// TouchTokens notes last uses, by token id. Unknown ids are ignored; time never runs backwards.
	TouchTokens(ctx context.Context, used map[string]time.Time) error
	DeleteToken(ctx context.Context, workspace, id string) error
	Tokens(ctx context.Context, workspace string, p Page) (List[Token], error)
	// Workspaces returns all of them, by id.
	Workspaces(ctx context.Context) ([]Workspace, error)
}

// A Token lets a caller act in one workspace. Only its SHA-256 is kept.
type Token struct {
	ID        string // tok_…
	Workspace string
	Role      string // run, manage or admin; the store does not judge it
	Name      string // what it is for; may be empty
	Prefix    string // its first characters, to tell tokens apart
	Hash      [32]byte
	Created   time.Time
	LastUsed  time.Time // zero: never
}

// Audit keeps who did what. Its entries are never changed, and stay.
type Audit interface {
	// Note stores an entry. ErrConflict: the id exists.
	Note(ctx context.Context, d Deed) error
	Deeds(ctx context.Context, workspace string, p Page) (List[Deed], error)
}

// A Deed is something that was done in a workspace. It holds ids and no values.
type Deed struct {
	ID        string // aud_…
	Workspace string
	Token     string // id of the token with which it was done; empty: by the operator, on the command line
	Action    string // what and to which kind of thing: "webhook.pause"
	Subject   string // id of the thing
	Request   string // id of the request in the log
	Created   time.Time
}

// Connections keeps the credentials of Stripe accounts.
type Connections interface {
	// CreateConnection makes the workspace too, if that is new. ErrConflict: the id exists.
	CreateConnection(ctx context.Context, c Connection) error
	Connection(ctx context.Context, workspace, id string) (Connection, error)
	// UpdateConnection runs change on the stored connection and stores the result, as one step. change must be quick and
	// without effects outside its argument, since it may run again; its error is returned and nothing is changed. Id,
	// workspace and creation time stay as they are. The same holds for UpdateEndpoint, UpdateWebhook
	// and UpdateOperationsURL.
	UpdateConnection(ctx context.Context, workspace, id string, change func(*Connection) error) (Connection, error)
	// DeleteConnection also forgets the connection's endpoints. ErrConflict: a webhook uses it.
	DeleteConnection(ctx context.Context, workspace, id string) error
	Connections(ctx context.Context, workspace string, p Page) (List[Connection], error)
}

// A Connection is a sealed Stripe API key and what is known of its account.
type Connection struct {
	ID        string // conn_…
	Workspace string
	Name      string
	Account   string // acct_…; empty if the key may not read it
	Livemode  bool
	Last4     string // of the key
	Key       []byte // sealed; owner is ID, purpose PurposeKey
	Created   time.Time
}

// What a sealed value is for. With the id of its owner it is the associated data of the seal.
const (
	PurposeKey        = "key"        // Connection.Key
	PurposeEndpoint   = "endpoint"   // Endpoint.Secrets: Stripe's signing secrets
	PurposeWebhook    = "webhook"    // Webhook.Secrets: our signing secrets
	PurposeOperations = "operations" // OperationsURL.Secrets: ours too
)

// A Secret is a sealed signing secret.
type Secret struct {
	Sealed   []byte
	NotAfter time.Time // zero: no end
}

// Endpoints keeps what should be, and what is, registered at Stripe. An endpoint is a pool: one for each connection,
// connect and API version, shared by all webhooks that ask for the same.
type Endpoints interface {
	// EnsureEndpoint returns the endpoint for e's connection, connect and API version; if there is none it stores e.
	// ErrNotFound: no such connection in e.Workspace.
	EnsureEndpoint(ctx context.Context, e Endpoint) (Endpoint, error)
	Endpoint(ctx context.Context, workspace, id string) (Endpoint, error)
	UpdateEndpoint(ctx context.Context, workspace, id string, change func(*Endpoint) error) (Endpoint, error)
	// DeleteEndpoint forgets an endpoint. Its events stay until they are pruned. ErrConflict: a webhook uses it.
	DeleteEndpoint(ctx context.Context, workspace, id string) error
	// Receiver finds an endpoint of any workspace by the id in the URL that Stripe calls.
	Receiver(ctx context.Context, id string) (Endpoint, error)
	// AllEndpoints returns every endpoint of every workspace, oldest first, for reconciling and catching up.
	AllEndpoints(ctx context.Context) ([]Endpoint, error)
	// WantedTypes returns the union, sorted, of the event types that the endpoint's webhooks want: just "*" if one of them
	// wants all, nothing if there are no webhooks. Paused and disabled webhooks count.
	WantedTypes(ctx context.Context, workspace, id string) ([]string, error)
}

// An Endpoint is a we_… object at Stripe, or the wish for one.
type Endpoint struct {
	ID         string // ep_…; part of the URL that Stripe calls, and the mark in the object's metadata
	Workspace  string
	Connection string
	Connect    bool   // events of connected accounts
	APIVersion string // empty: the account's default
	Livemode   bool   // the connection's; an event must agree
	StripeID   string // we_…; empty while there is none
	Secrets    []Secret
	EventTypes []string // what Stripe was last told; "*" for all
	State      EndpointState
	Reason     string    // for State, in plain words
	Caught     time.Time // how far catch-up has come in Stripe's list; zero: it has not begun
	Created    time.Time
}

// An EndpointState says how an endpoint stands at Stripe.
type EndpointState string

// The states of an endpoint.
const (
	EndpointAbsent   EndpointState = "absent"   // Stripe has none
	EndpointEnabled  EndpointState = "enabled"  // Stripe sends
	EndpointDisabled EndpointState = "disabled" // Stripe has it but stopped sending
	EndpointRefused  EndpointState = "refused"  // Stripe will not have it; see Reason
)

// Webhooks keeps what triggers' users attached.
type Webhooks interface {
	// CreateWebhook stores w unless a webhook with the same URL, endpoint and event types exists in the workspace: then it
	// returns that one, and created is false. ErrNotFound: no such endpoint in w.Workspace.
	CreateWebhook(ctx context.Context, w Webhook) (stored Webhook, created bool, err error)
	Webhook(ctx context.Context, workspace, id string) (Webhook, error)
	// UpdateWebhook changes a webhook: its settings, secrets, endpoint or state. Deliveries of a paused or disabled webhook
	// wait, and are due again when it becomes active. Another URL or state ends a hold. ErrConflict: it would equal another webhook; ErrNotFound also for
	// an endpoint that is not there.
	UpdateWebhook(ctx context.Context, workspace, id string, change func(*Webhook) error) (Webhook, error)
	// DeleteWebhook detaches. What is pending is never sent; it shows as skipped, of a very long queue only after Prune. The
	// log stays until it is pruned.
	DeleteWebhook(ctx context.Context, workspace, id string) error
	Webhooks(ctx context.Context, workspace string, f WebhookFilter, p Page) (List[Webhook], error)
}

// A Webhook is one subscriber's wish for events.
type Webhook struct {
	ID         string // whk_…
	Workspace  string
	Connection string
	Endpoint   string
	Name       string
	Group      string
	EventTypes []string // sorted by the store; just "*" for all
	URL        string
	State      WebhookState
	Reason     string // for State, in plain words
	Secrets    []Secret
	Since      time.Time // events that Stripe created before it, in whole seconds, come only by replay
	Created    time.Time
}

// Wants reports whether the webhook asks for events of this type.
func (w *Webhook) Wants(eventType string) bool {
	for _, t := range w.EventTypes {
		if t == "*" || t == eventType {
			return true
		}
	}
	return false
}

// A WebhookState says whether a webhook's deliveries go out.
type WebhookState string

// The states of a webhook.
const (
	WebhookActive   WebhookState = "active"
	WebhookFailing  WebhookState = "failing"  // goes out, but the subscriber does not take it
	WebhookPaused   WebhookState = "paused"   // deliveries wait
	WebhookDisabled WebhookState = "disabled" // deliveries wait, new events are skipped
)

// A WebhookFilter narrows a list of webhooks. Empty fields do not.
type WebhookFilter struct {
	Connection string
	Endpoint   string
	State      WebhookState
}

// Events keeps what Stripe told us.
type Events interface {
	// Ingest stores events and a delivery for each webhook that is to have them, in one transaction: all of them or, with
	// an error, none. An event that its endpoint's pool has already is left as it is, and nothing is sent again.
	// The results are in the order of events. As far as lease allows, new deliveries are born claimed and returned.
	// ErrNotFound: an event names an unknown endpoint or webhook.
	Ingest(ctx context.Context, events []NewEvent, lease Lease) ([]Ingested, error)
	// Event returns the event with Stripe's id, once for each endpoint of the workspace at which it arrived, newest first.
	Event(ctx context.Context, workspace, id string) ([]Event, error)
	// Events lists by the time at which Stripe created them. The bodies are left out.
	Events(ctx context.Context, workspace string, f EventFilter, p Page) (List[Event], error)
	// Fates says, for every webhook of the endpoint and every other one that it was delivered to, what became of an event.
	Fates(ctx context.Context, workspace, endpoint, event string) ([]Fate, error)
	// CountEvents counts at most limit events.
	CountEvents(ctx context.Context, workspace string, f EventFilter, limit int) (int, error)
	// Prune forgets events that were received longer ago than keep and have no pending or dead delivery, with their
	// deliveries and attempts, and what detached webhooks left behind. It takes at most step of them at once, so that live
	// traffic gets in between, and returns how many there were, also when it fails half-way.
	Prune(ctx context.Context, keep time.Duration, step int) (int, error)
}

// A NewEvent is an event on its way in.
type NewEvent struct {
	Endpoint   string
	ID         string // Stripe's, evt_…; unique within the endpoint
	Type       string
	Body       []byte // as received, byte for byte
	Account    string // of a Connect event; else empty
	Livemode   bool
	APIVersion string
	Created    time.Time // by Stripe
	Source     Source
	Object     string // Stripe's id of what the event is about; empty if that has none, such as a balance
	Webhook    string // only for this webhook, whatever its types and since; empty: for all of the pool
	Trace      string // of its arrival, as in a traceparent header; empty: nobody follows it
}

// A Source says how an event came in.
type Source string

// The sources of an event.
const (
	SourceWebhook Source = "webhook" // Stripe sent it
	SourceCatchUp Source = "catch_up"
	SourceTest    Source = "test" // made by us
)

// An Event is a stored event.
type Event struct {
	ID         string // Stripe's
	Workspace  string
	Endpoint   string
	Type       string
	Body       []byte // empty in lists
	Trace      string // the same as NewEvent's; empty in lists
	Object     string // the same as NewEvent's
	Account    string
	Livemode   bool
	APIVersion string
	Source     Source
	Created    time.Time // by Stripe
	Received   time.Time
}

// Ingested is what became of one NewEvent.
type Ingested struct {
	New        bool   // false: it was there already
	Deliveries int    // how many deliveries were made, skipped ones included
	Work       []Work // those that the caller now holds
}

// An EventFilter narrows a list of events. Empty fields do not.
type EventFilter struct {
	Endpoint string
	Object   string
	Types    []string
	From, To time.Time // by Stripe's creation time; From is included, To is not
}

// A Fate says what became of one event at one webhook.
type Fate struct {
	Webhook  string
	Name     string    // the webhook's
	Delivery *Delivery // nil: there is none, for Reason
	Reason   string    // one of the Reason constants; empty: it is or was sent as usual
}

// Why a webhook did not get an event, or not yet.
const (
	ReasonNotWanted = "type_not_wanted" // it did not ask for this type when the event arrived
	ReasonLater     = "attached_later"  // it was attached after Stripe created the event
	ReasonPaused    = "paused"          // it is paused; the delivery waits
	ReasonDisabled  = "disabled"        // it is disabled
	ReasonDetached  = "detached"        // it was detached before the delivery was made
)

// Deliveries keeps the log of what was sent, and the ways to send it again.
type Deliveries interface {
	Delivery(ctx context.Context, workspace, id string) (Delivery, error)
	// Attempts returns the tries of one delivery, oldest first.
	Attempts(ctx context.Context, workspace, delivery string) ([]Attempt, error)
	Deliveries(ctx context.Context, workspace string, f DeliveryFilter, p Page) (List[Delivery], error)
	// LongestDue returns since when the delivery has been due that is due longest, of all webhooks that go out; zero: nothing is
	// pending there. It may lie in the future, and costs one look for each webhook.
	LongestDue(ctx context.Context) (time.Time, error)
	// CountDead counts dead deliveries, at most limit of each workspace.
	CountDead(ctx context.Context, limit int) (int, error)
	// Retry makes a delivery in any state due now and starts its schedule anew, unless it is being tried at this moment. It ends
	// a hold of the webhook: who retries by hand knows better than the subscriber did.
	// ErrConflict: its webhook was detached.
	Retry(ctx context.Context, workspace, id string) (Delivery, error)
	// RetryDead does the same for at most limit dead deliveries of a webhook and returns how many; fewer than limit means
	// that none is left.
	RetryDead(ctx context.Context, workspace, webhook string, limit int) (int, error)
	// Replay sends stored events of the webhook's pool to it again: at most limit of those in f, oldest first, after the
	// position that the step before returned (empty at first). f.Endpoint is ignored. What is pending already stays so.
	Replay(ctx context.Context, workspace, webhook string, f EventFilter, after string, limit int) (ReplayStep, error)
}

// A ReplayStep is one bounded part of a replay.
type ReplayStep struct {
	Queued int    // deliveries made due
	Next   string // where the next step begins; empty: done
}

// A Delivery is one event to one webhook: queue and log in one.
type Delivery struct {
	ID         string // dlv_…
	Workspace  string
	Webhook    string
	Endpoint   string
	Event      string // Stripe's event id
	Type       string // the event's
	State      DeliveryState
	Reason     string    // of a skipped one: a Reason constant; of a dead one: in plain words
	Attempts   int       // tries in all
	Tries      int       // tries since the schedule last began
	LastStatus int       // HTTP status of the last try; 0: none or no answer
	NextAt     time.Time // of a pending one: when it is due, or while it is out perhaps the end of its lease; else zero
	Created    time.Time
}

// A DeliveryState says where a delivery is.
type DeliveryState string

// The states of a delivery.
const (
	DeliveryPending   DeliveryState = "pending"
	DeliveryDelivered DeliveryState = "delivered"
	DeliveryDead      DeliveryState = "dead"    // given up; can be retried
	DeliverySkipped   DeliveryState = "skipped" // never to be sent, for Reason
)

// A DeliveryFilter narrows a list of deliveries. Empty fields do not.
type DeliveryFilter struct {
	Webhook  string
	Event    string
	Object   string // the event's
	State    DeliveryState
	Type     string
	From, To time.Time // by the delivery's creation; From is included, To is not
}

// An Attempt is one POST of a delivery.
type Attempt struct {
	At       time.Time
	Duration time.Duration
	Status   int    // HTTP status; 0: no answer
	Answer   []byte // the first MaxAnswer bytes of it
	Phase    string // where it failed without an answer: "dial", "tls", "write", …; empty: there was one
	Error    string // the same in words that may be shown
}

// MaxAnswer is how many bytes of a subscriber's answer are kept.
const MaxAnswer = 1024

// Queue hands out due deliveries and takes back how they went.
type Queue interface {
	// Claim takes due deliveries, at most limit, fairly over webhooks and oldest first within one. No other claimer gets them
	// until they are finished or the lease ends.
	Claim(ctx context.Context, lease Lease, limit int) (Claimed, error)
	// Finish notes outcomes, in one transaction, and ends their leases. An outcome whose lease was lost meanwhile still adds
	// its attempt to the log, and changes nothing else.
	Finish(ctx context.Context, outcomes []Outcome) error
	// Wake receives whenever something may have become due earlier than the last Claim foretold. One dispatcher listens.
	Wake() <-chan struct{}
	// Backlog tells how much is waiting, or was a moment ago. It is cheap enough to be asked for each received event.
	Backlog(ctx context.Context) (Backlog, error)
}

// A Lease is how deliveries are claimed. The zero Lease claims nothing.
type Lease struct {
	PerWebhook int           // the most that may be out at once for one webhook, over all claimers
	PerSlow    int           // the same for a webhook in Slow
	Slow       []string      // ids, sorted
	For        time.Duration // longer than a delivery may take
}

// Bound is the most that may be out at once for a webhook.
func (l *Lease) Bound(webhook string) int {
	if _, slow := slices.BinarySearch(l.Slow, webhook); slow {
		return l.PerSlow
	}
	return l.PerWebhook
}

// Claimed is what a Claim got.
type Claimed struct {
	Work []Work
	// Next is how long until something else falls due for which there is room; negative: nothing is foreseen. It is zero
	// when limit cut the claim short.
	Next time.Duration
}

// Work is one claimed delivery with all that is needed to make it. Several may share an Event or a Webhook.
type Work struct {
	Delivery Delivery // NextAt is the end of the lease
	Event    *Event
	Webhook  *Webhook
}

// An Outcome is how one claimed delivery went.
type Outcome struct {
	Delivery string
	Lease    time.Time // Work.Delivery.NextAt
	Verdict  Verdict
	After    time.Duration // for VerdictRetry: the wait
	Reason   string        // for VerdictDead, in plain words
	Hold     time.Duration // if not zero, nothing of this webhook is claimed for so long, or until Retry: the subscriber asked for it
	Attempt  *Attempt      // nil: nothing was tried
}

// A Verdict is the end of one claim.
type Verdict string

// The verdicts.
const (
	VerdictDelivered Verdict = "delivered"
	VerdictRetry     Verdict = "retry"
	VerdictDead      Verdict = "dead"
	VerdictRelease   Verdict = "release" // not tried; due again at once
)

// A Backlog counts what is not delivered yet.
type Backlog struct {
	Pending int   // deliveries of webhooks that go out
	Waiting int   // deliveries of paused and disabled webhooks
	Out     int   // of Pending, those that are claimed
	Bytes   int64 // what the store takes on disk, if it knows
}

// Operations keeps where each workspace wants to be told of what needs a person.
type Operations interface {
	// SetOperationsURL stores o. A workspace that has one already keeps it and gets only the URL of o. It returns what is stored.
	SetOperationsURL(ctx context.Context, o OperationsURL) (OperationsURL, error)
	OperationsURL(ctx context.Context, workspace string) (OperationsURL, error)
	// UpdateOperationsURL changes the URL or the secrets.
	UpdateOperationsURL(ctx context.Context, workspace string, change func(*OperationsURL) error) (OperationsURL, error)
	// DeleteOperationsURL returns the id of what it has deleted.
	DeleteOperationsURL(ctx context.Context, workspace string) (id string, err error)
}

// An OperationsURL is told, signed, when webhooks of its workspace fail. There is one for each workspace at most.
type OperationsURL struct {
	ID        string // ops_…
	Workspace string
	URL       string
	Secrets   []Secret
	Created   time.Time
}
