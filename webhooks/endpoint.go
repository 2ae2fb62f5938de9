package webhooks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/webhookendpoint"

	"stripe-connector/internal/spec"
	"stripe-connector/internal/store"
	"stripe-connector/internal/stripeapi"
)

const (
	// endpointMark is the metadata key by which we know our endpoints at Stripe; its value is the pool's id.
	endpointMark = "connector_endpoint"

	// lateDeliveries is how long the secrets of a replaced endpoint stay valid: Stripe tries for three days.
	lateDeliveries = 72 * time.Hour

	// sameCreation is how long a creation that was not completed can be taken up again.
	sameCreation = 10 * time.Minute
)

// A Caller makes calls to Stripe. A [stripeapi.Client] is one.
type Caller interface {
	Run(ctx context.Context, s stripeapi.Session, steps []spec.Step) (*stripeapi.Response, error)
}

// EndpointStore is what the registrar asks of the store.
type EndpointStore interface {
	store.Endpoints
	Lock(ctx context.Context, name string) (release func(), err error)
	Webhooks(ctx context.Context, workspace string, f store.WebhookFilter, p store.Page) (store.List[store.Webhook], error)
}

// A SetupError says what the operator has to set up before events can be received.
type SetupError string

func (e SetupError) Error() string { return string(e) }

// A registrar makes Stripe's endpoints what a pool's webhooks want. All its methods but lock expect the pool to be locked.
type registrar struct {
	store     EndpointStore
	stripe    Caller
	secrets   Sealer
	publicURL string
	observe   func(Action) // may be nil
	now       func() time.Time
	log       zerolog.Logger
}

// A pool names an endpoint by what its webhooks have in common.
type pool struct {
	connection string
	connect    bool
	apiVersion string
}

func (p pool) String() string {
	return fmt.Sprintf("endpoint/%s/%t/%s", p.connection, p.connect, p.apiVersion)
}

// lock holds pools for one caller of all replicas: between reading what webhooks want and telling Stripe, nobody else may
// change it. The order is fixed, so that two callers with the same two pools do not wait for each other.
func (r *registrar) lock(ctx context.Context, pools ...pool) (release func(), err error) {
	names := make([]string, len(pools))
	for i, p := range pools {
		names[i] = p.String()
	}
	slices.Sort(names)
	var held []func()
	release = func() {
		for _, free := range slices.Backward(held) {
			free()
		}
	}
	for _, name := range slices.Compact(names) {
		free, err := r.store.Lock(ctx, name)
		if err != nil {
			release()
			return nil, fmt.Errorf("locking an endpoint: %w", err)
		}
		held = append(held, free)
	}
	return release, nil
}

// checkURL says whether Stripe can reach us for events of a connection.
func (r *registrar) checkURL(conn *store.Connection) error {
	base, err := url.Parse(r.publicURL)
	switch {
	case r.publicURL == "":
		return SetupError("CONNECTOR_PUBLIC_URL is not set, so Stripe cannot be told where to send events.")
	case err != nil, base.Host == "", base.Scheme != "https" && base.Scheme != "http":
		return SetupError("CONNECTOR_PUBLIC_URL is not an http or https URL, so Stripe cannot be told where to send events.")
	case base.Scheme == "http" && conn.Livemode:
		return SetupError("CONNECTOR_PUBLIC_URL begins with http://, where Stripe sends test events only; this connection is live.")
	}
	return nil
}

// url is where Stripe sends the events of a pool.
func (r *registrar) url(id string) string {
	return strings.TrimRight(r.publicURL, "/") + "/stripe/" + id
}

// ensure returns the pool's endpoint as stored, which need not exist at Stripe yet, and whether it was stored just now.
func (r *registrar) ensure(ctx context.Context, conn *store.Connection, p pool) (e store.Endpoint, fresh bool, err error) {
	now := r.now()
	id := store.NewID(store.PrefixEndpoint, now)
	e, err = r.store.EnsureEndpoint(ctx, store.Endpoint{
		ID: id, Workspace: conn.Workspace, Connection: conn.ID, Connect: p.connect,
		APIVersion: p.apiVersion, Livemode: conn.Livemode, State: store.EndpointAbsent, Created: now,
	})
	return e, e.ID == id, err
}

// settle makes Stripe send the endpoint exactly these types, and waits for its word. With no types the endpoint is deleted.
// When Stripe refuses, its endpoint and the stored one are as they were.
func (r *registrar) settle(ctx context.Context, conn *store.Connection, e store.Endpoint, types []string) (store.Endpoint, error) {
	switch {
	case len(types) == 0:
		return r.remove(ctx, conn, e)
	case e.StripeID == "":
		return r.create(ctx, conn, e, types)
	case e.State == store.EndpointEnabled && slices.Equal(e.EventTypes, types):
		return e, nil
	}
	e, err := r.update(ctx, conn, e, types)
	if isMissing(err) { // It was deleted behind our back.
		return r.create(ctx, conn, e, types)
	}
	return e, err
}

// create makes a new endpoint, and then deletes those that earlier tries may have left. If we crash before the secret is
// stored, the same idempotency key gets the same endpoint with its secret when the pool is tried again soon; Stripe tells it
// nowhere else.
func (r *registrar) create(ctx context.Context, conn *store.Connection, e store.Endpoint, types []string) (store.Endpoint, error) {
	params := &stripe.WebhookEndpointParams{
		URL:           new(r.url(e.ID)),
		EnabledEvents: stripe.StringSlice(types),
		Description:   new("stripe-connector: " + conn.Name),
		Metadata:      map[string]string{endpointMark: e.ID},
	}
	if e.Connect {
		params.Connect = new(true)
	}
	if e.APIVersion != "" {
		params.APIVersion = new(e.APIVersion)
	}
	made, err := r.createOnce(ctx, conn, params, creationKey(e, params, types, r.now()))
	if isFull(err) && r.deleteOthers(ctx, conn, e) > 0 {
		// What an earlier try left took the last place.
		made, err = r.createOnce(ctx, conn, params, "")
	}
	if err != nil {
		return e, r.plain(err, types)
	}
	sealed, err := r.secrets.Seal(e.ID, store.PurposeEndpoint, []byte(made.Secret))
	if err != nil {
		return e, fmt.Errorf("sealing the endpoint's secret: %w", err)
	}
	stored, err := r.store.UpdateEndpoint(ctx, e.Workspace, e.ID, func(e *store.Endpoint) error {
		e.Secrets = succeed(e.Secrets, sealed, r.now(), lateDeliveries)
		e.StripeID, e.EventTypes, e.State, e.Reason = made.ID, types, store.EndpointEnabled, ""
		return nil
	})
	if err != nil {
		if errors.Is(err, store.ErrNotFound) {
			r.orphaned(ctx, conn, e.ID, made.ID)
		}
		return e, fmt.Errorf("storing the endpoint: %w", err)
	}
	r.log.Info().Str("endpoint", e.ID).Str("stripe_id", made.ID).Int("types", len(types)).Msg("created an endpoint at Stripe")
	r.deleteOthers(ctx, conn, stored)
	return stored, nil
}

// creationKey is the same for the same creation of the same endpoint, and another one for what replaces it. It does not hold
// for longer than sameCreation, because Stripe also remembers under it that it refused.
func creationKey(e store.Endpoint, p *stripe.WebhookEndpointParams, types []string, now time.Time) string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%q", []string{
		e.ID, e.StripeID, *p.URL, *p.Description, strconv.FormatBool(e.Connect), e.APIVersion,
		now.Truncate(sameCreation).Format(time.RFC3339),
	})
	fmt.Fprintf(sum, "%q", types)
	return "endpoint-" + hex.EncodeToString(sum.Sum(nil)[:16])
}

// createOnce creates with an idempotency key. If Stripe only repeats what it answered to an earlier try, the endpoint may have
// been deleted since, and then it is created with another key.
func (r *registrar) createOnce(
	ctx context.Context, conn *store.Connection, params *stripe.WebhookEndpointParams, key string,
) (stripe.WebhookEndpoint, error) {
	create := func(b stripe.Backend) error {
		_, err := webhookendpoint.Client{B: b}.New(params)
		return err
	}
	made, replayed, err := r.call(ctx, conn, key, "create the webhook endpoint", create)
	if err != nil || !replayed {
		return made, err
	}
	_, _, err = r.call(ctx, conn, "", "read the webhook endpoint", func(b stripe.Backend) error {
		_, err := webhookendpoint.Client{B: b}.Get(made.ID, nil)
		return err
	})
	if isMissing(err) {
		made, _, err = r.call(ctx, conn, "", "create the webhook endpoint", create)
	}
	return made, err
}

// update changes the endpoint in place. A missing one is isMissing.
func (r *registrar) update(ctx context.Context, conn *store.Connection, e store.Endpoint, types []string) (store.Endpoint, error) {
	_, _, err := r.call(ctx, conn, "", "update the webhook endpoint", func(b stripe.Backend) error {
		params := &stripe.WebhookEndpointParams{EnabledEvents: stripe.StringSlice(types), Disabled: new(false)}
		if r.publicURL != "" { // It may have been another when the endpoint was created.
			params.URL = new(r.url(e.ID))
		}
		_, err := webhookendpoint.Client{B: b}.Update(e.StripeID, params)
		return err
	})
	if err != nil {
		return e, r.plain(err, types)
	}
	stored, err := r.store.UpdateEndpoint(ctx, e.Workspace, e.ID, func(e *store.Endpoint) error {
		e.EventTypes, e.State, e.Reason = types, store.EndpointEnabled, ""
		return nil
	})
	if err != nil {
		return e, fmt.Errorf("storing the endpoint: %w", err)
	}
	r.log.Info().Str("endpoint", e.ID).Int("types", len(types)).Msg("changed the events of an endpoint at Stripe")
	return stored, nil
}

// remove deletes the endpoint at Stripe. A key that Stripe no longer takes must not hold the user back: then the endpoint
// stays stored as refused, to be deleted with a better key.
func (r *registrar) remove(ctx context.Context, conn *store.Connection, e store.Endpoint) (store.Endpoint, error) {
	if e.StripeID == "" {
		return e, nil
	}
	err := r.delete(ctx, conn, e.StripeID)
	refused := errors.Is(err, stripeapi.ErrKeyRefused)
	if err != nil && !refused {
		return e, r.plain(err, nil)
	}
	stored, err := r.store.UpdateEndpoint(ctx, e.Workspace, e.ID, func(e *store.Endpoint) error {
		if refused {
			e.State, e.Reason = store.EndpointRefused, "Stripe refuses the API key, so the endpoint could not be deleted."
			return nil
		}
		e.StripeID, e.EventTypes, e.State, e.Reason = "", nil, store.EndpointAbsent, ""
		return nil
	})
	if err != nil {
		return e, fmt.Errorf("storing the endpoint: %w", err)
	}
	r.log.Info().Str("endpoint", e.ID).Bool("refused", refused).Msg("deleted an endpoint at Stripe")
	return stored, nil
}

// forget drops an endpoint that neither Stripe nor a webhook has, once Stripe lists none with its mark: without the row nobody
// would look for what an earlier change left. Whatever goes wrong is left to the reconciler.
func (r *registrar) forget(ctx context.Context, conn *store.Connection, e store.Endpoint) {
	if e.StripeID != "" {
		return
	}
	r.deleteOthers(ctx, conn, e)
	all, err := r.marked(ctx, conn)
	if err != nil || slices.ContainsFunc(all, func(w *stripe.WebhookEndpoint) bool { return w.Metadata[endpointMark] == e.ID }) {
		r.log.Warn().Err(err).Str("endpoint", e.ID).Msg("an endpoint cannot be forgotten yet")
		return
	}
	r.drop(ctx, e)
}

// drop deletes the row of an endpoint that no webhook uses.
func (r *registrar) drop(ctx context.Context, e store.Endpoint) {
	err := r.store.DeleteEndpoint(ctx, e.Workspace, e.ID)
	if err != nil && !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrNotFound) {
		r.log.Warn().Err(err).Str("endpoint", e.ID).Msg("forgetting an endpoint")
	}
}

// abandon forgets an endpoint, if it is fresh, that could not be created. When nobody knows whether Stripe made it, it stays stored: then it
// is the note from which the reconciler learns what to delete.
func (r *registrar) abandon(ctx context.Context, e store.Endpoint, fresh bool, cause error) {
	var failed *stripeapi.Error
	var faults spec.Faults
	refused := errors.As(cause, &faults) || errors.Is(cause, stripeapi.ErrKeyRefused) ||
		errors.As(cause, &failed) && failed.Stripe != nil && failed.Status < http.StatusInternalServerError
	if refused && fresh && e.StripeID == "" {
		r.drop(ctx, e)
	}
}

// resettle brings Stripe back to what the stored webhooks want, after a change that was not completed. It outlives
// the request that failed; what it cannot do is left to the reconciler.
func (r *registrar) resettle(ctx context.Context, conn *store.Connection, e store.Endpoint) {
	ctx = context.WithoutCancel(ctx)
	was := e
	e, err := r.store.Endpoint(ctx, e.Workspace, e.ID)
	if errors.Is(err, store.ErrNotFound) {
		r.orphaned(ctx, conn, was.ID, was.StripeID)
		return
	}
	var types []string
	if err == nil {
		types, err = r.store.WantedTypes(ctx, e.Workspace, e.ID)
	}
	if err == nil {
		e, err = r.settle(ctx, conn, e, types)
	}
	if err != nil {
		r.log.Warn().Err(err).Str("endpoint", e.ID).Msg("settling an endpoint")
		return
	}
	if len(types) == 0 {
		r.forget(ctx, conn, e)
	}
}

// orphaned deletes an endpoint at Stripe whose row went with its connection while we worked: nobody would look for it.
func (r *registrar) orphaned(ctx context.Context, conn *store.Connection, id, stripeID string) {
	if stripeID == "" {
		return
	}
	if err := r.delete(context.WithoutCancel(ctx), conn, stripeID); err != nil {
		r.log.Warn().Err(err).Str("endpoint", id).Str("stripe_id", stripeID).Msg("deleting the endpoint of a deleted connection")
	}
}

// wanted is the union of what the endpoint's webhooks want, but for one of them.
func (r *registrar) wanted(ctx context.Context, e store.Endpoint, except string) ([]string, error) {
	var types []string
	page := store.Page{Limit: store.MaxPage}
	for {
		list, err := r.store.Webhooks(ctx, e.Workspace, store.WebhookFilter{Endpoint: e.ID}, page)
		if err != nil {
			return nil, fmt.Errorf("listing the endpoint's webhooks: %w", err)
		}
		for _, w := range list.Data {
			if w.ID != except {
				types = append(types, w.EventTypes...)
			}
		}
		if list.Next == "" {
			return union(types), nil
		}
		page.Cursor = list.Next
	}
}

// union sorts types and drops doubles. All events are all events.
func union(types ...[]string) []string {
	all := slices.Concat(types...)
	if slices.Contains(all, allEvents) {
		return []string{allEvents}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// deleteOthers deletes the endpoints at Stripe that carry the pool's mark but are not its endpoint any more, and returns
// how many it did. Those that it cannot delete are left to the reconciler.
func (r *registrar) deleteOthers(ctx context.Context, conn *store.Connection, e store.Endpoint) (deleted int) {
	all, err := r.marked(ctx, conn)
	if err != nil {
		r.log.Warn().Err(err).Str("endpoint", e.ID).Msg("looking for left endpoints")
		return 0
	}
	for _, found := range all {
		if found.Metadata[endpointMark] != e.ID || found.ID == e.StripeID {
			continue
		}
		if err := r.delete(ctx, conn, found.ID); err != nil {
			r.log.Warn().Err(err).Str("endpoint", e.ID).Str("stripe_id", found.ID).Msg("deleting a left endpoint")
			continue
		}
		deleted++
		r.log.Info().Str("endpoint", e.ID).Str("stripe_id", found.ID).Msg("deleted a left endpoint at Stripe")
	}
	return deleted
}

// marked lists all endpoints at Stripe that carry a mark of ours.
func (r *registrar) marked(ctx context.Context, conn *store.Connection) ([]*stripe.WebhookEndpoint, error) {
	var all []*stripe.WebhookEndpoint
	after := ""
	for {
		page, err := r.list(ctx, conn, after)
		if err != nil {
			return nil, err
		}
		for _, found := range page.Data {
			if found.Metadata[endpointMark] != "" {
				all = append(all, found)
			}
		}
		if !page.HasMore || len(page.Data) == 0 {
			return all, nil
		}
		after = page.Data[len(page.Data)-1].ID
	}
}

// delete deletes at Stripe; one that is missing is deleted.
func (r *registrar) delete(ctx context.Context, conn *store.Connection, stripeID string) error {
	_, _, err := r.call(ctx, conn, "", "delete the webhook endpoint", func(b stripe.Backend) error {
		_, err := webhookendpoint.Client{B: b}.Del(stripeID, nil)
		return err
	})
	if isMissing(err) {
		return nil
	}
	return err
}

func (r *registrar) list(ctx context.Context, conn *store.Connection, after string) (stripe.WebhookEndpointList, error) {
	var page stripe.WebhookEndpointList
	params := &stripe.WebhookEndpointListParams{ListParams: stripe.ListParams{Limit: stripe.Int64(100)}}
	if after != "" {
		params.StartingAfter = new(after)
	}
	// One page at a time: the iterator would fetch more than it is asked for.
	params.Single = true
	_, err := r.run(ctx, conn, stripeapi.Session{}, "list the webhook endpoints", &page, func(b stripe.Backend) error {
		return webhookendpoint.Client{B: b}.List(params).Err()
	})
	return page, err
}

// call makes a call that answers an endpoint.
func (r *registrar) call(
	ctx context.Context, conn *store.Connection, key, name string, call spec.Call,
) (made stripe.WebhookEndpoint, replayed bool, err error) {
	res, err := r.run(ctx, conn, stripeapi.Session{IdempotencyKey: key}, name, &made, call)
	return made, err == nil && res.Replayed, err
}

// run makes a call with the connection's key, in a session that says what else there is to say, and reads the answer into out.
func (r *registrar) run(
	ctx context.Context, conn *store.Connection, session stripeapi.Session, name string, out any, call spec.Call,
) (*stripeapi.Response, error) {
	apiKey, err := r.secrets.Open(conn.ID, store.PurposeKey, conn.Key)
	if err != nil {
		return nil, fmt.Errorf("opening the connection's key: %w", err)
	}
	session.Connection, session.Key, session.Livemode = conn.ID, string(apiKey), conn.Livemode
	res, err := r.stripe.Run(ctx, session, []spec.Step{{Name: name, Call: call}})
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(res.Body, out); err != nil {
		return nil, errors.New("reading what Stripe answered: it has another form") // the cause may quote a secret
	}
	return res, nil
}

func isMissing(err error) bool {
	var failed *stripeapi.Error
	return errors.As(err, &failed) && failed.Status == http.StatusNotFound
}

// isFull says that the account has all the endpoints it may have.
func isFull(err error) bool {
	var failed *stripeapi.Error
	return errors.As(err, &failed) && failed.Stripe != nil && limitWords.MatchString(failed.Stripe.Message)
}

// limitWords is how Stripe says that an account has all the endpoints it may have. There is no code for it.
var limitWords = regexp.MustCompile(`(?i)(maximum|limit)\b.*\bwebhook endpoints?|webhook endpoints?\b.*\b(maximum|limit)`)

// plain puts Stripe's refusal of an endpoint into words for the one who attaches a webhook and never saw an endpoint.
func (r *registrar) plain(err error, types []string) error {
	var failed *stripeapi.Error
	if !errors.As(err, &failed) || failed.Stripe == nil || isMissing(err) {
		return err
	}
	said := failed.Stripe
	plain := *failed
	switch {
	case failed.Status == http.StatusForbidden:
		plain.Detail = "The API key of this connection may not manage webhook endpoints. Give it the permission " +
			"\"Webhook Endpoints: Write\" in the Stripe dashboard, or use another key. Stripe says: " + said.Message
	case isFull(err):
		plain.Detail = "This Stripe account has as many webhook endpoints as Stripe allows it. Delete one that nobody uses " +
			"in the Stripe dashboard, under Developers, Webhooks, and attach again. Stripe says: " + said.Message
	case said.Param == "url":
		plain.Detail = "Stripe does not send events to " + r.publicURL + ", which is the CONNECTOR_PUBLIC_URL of this service: it " +
			"has to be an address that Stripe can reach from the internet. Stripe says: " + said.Message
	case strings.HasPrefix(said.Param, "enabled_events"):
		message := "Stripe does not know one of these event types"
		if unknown := unknownTypes(types); len(unknown) > 0 {
			message += "; not known here either: " + strings.Join(unknown, ", ")
		}
		return spec.Faults{{Field: fieldEvents, Label: label(fieldEvents), Code: spec.CodeRefused, Message: message}}
	case said.Param == "api_version":
		return spec.Faults{{
			Field: fieldAPIVersion, Label: label(fieldAPIVersion), Code: spec.CodeRefused, Message: "Stripe does not know this API version",
		}}
	default:
		return err
	}
	return &plain
}
