package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"stripe-connector/internal/store"
)

func token(workspace string, n byte) store.Token {
	return store.Token{
		ID: id(store.PrefixToken), Workspace: workspace, Role: "admin", Name: "ops", Prefix: "sc_abcd",
		Hash: [32]byte{n, 31: 1}, Created: born.Add(time.Duration(n) * time.Second),
	}
}

func access() suite {
	return suite{
		"Tokens": func(t *testing.T, s store.Store) {
			a, b := token("a", 1), token("b", 2)
			mustDo(t, s.CreateToken(t.Context(), a))
			mustDo(t, s.CreateToken(t.Context(), b))
			wantErr(t, "the same hash", s.CreateToken(t.Context(), token("a", 1)), store.ErrConflict)
			same := token("a", 3)
			same.ID = a.ID
			wantErr(t, "the same id", s.CreateToken(t.Context(), same), store.ErrConflict)

			wantEqual(t, "found", must[store.Token](t)(s.TokenByHash(t.Context(), b.Hash)), b)
			_, err := s.TokenByHash(t.Context(), [32]byte{9})
			wantErr(t, "unknown hash", err, store.ErrNotFound)

			mustDo(t, s.TouchTokens(t.Context(), map[string]time.Time{b.ID: born.Add(time.Hour), "tok_gone": born}))
			mustDo(t, s.TouchTokens(t.Context(), map[string]time.Time{b.ID: born}))
			wantEqual(t, "last use", must[store.Token](t)(s.TokenByHash(t.Context(), b.Hash)).LastUsed, born.Add(time.Hour))

			wantEqual(t, "list of a", must[store.List[store.Token]](t)(s.Tokens(t.Context(), "a", store.Page{})).Data, []store.Token{a})
			wantErr(t, "deleting a foreign token", s.DeleteToken(t.Context(), "b", a.ID), store.ErrNotFound)
			mustDo(t, s.DeleteToken(t.Context(), "a", a.ID))
			_, err = s.TokenByHash(t.Context(), a.Hash)
			wantErr(t, "deleted", err, store.ErrNotFound)
			workspaces := must[[]store.Workspace](t)(s.Workspaces(t.Context()))
			wantEqual(t, "workspaces", workspaces, []store.Workspace{{ID: "a", Created: a.Created}, {ID: "b", Created: b.Created}})
		},
		"Audit": func(t *testing.T, s store.Store) {
			deed := func(workspace, action string, after time.Duration) store.Deed {
				return store.Deed{
					ID: id(store.PrefixDeed), Workspace: workspace, Token: "tok_1", Action: action, Subject: "whk_1", Request: "req_1",
					Created: born.Add(after),
				}
			}
			first, second, foreign := deed("a", "webhook.pause", 0), deed("a", "webhook.resume", time.Second), deed("b", "token.create", 0)
			for _, d := range []store.Deed{first, second, foreign} {
				mustDo(t, s.Note(t.Context(), d))
			}
			wantErr(t, "the same id", s.Note(t.Context(), first), store.ErrConflict)
			page := must[store.List[store.Deed]](t)(s.Deeds(t.Context(), "a", store.Page{Limit: 1}))
			wantEqual(t, "newest", page.Data, []store.Deed{second})
			page = must[store.List[store.Deed]](t)(s.Deeds(t.Context(), "a", store.Page{Limit: 1, Cursor: page.Next}))
			wantEqual(t, "the one before", page, store.List[store.Deed]{Data: []store.Deed{first}})
		},
		"Bootstrap": func(t *testing.T, s store.Store) {
			results := make(chan bool)
			for n := range byte(5) {
				go func() {
					created, err := s.Bootstrap(t.Context(), token("default", n))
					if err != nil {
						t.Error(err)
					}
					results <- created
				}()
			}
			n := 0
			for range 5 {
				if <-results {
					n++
				}
			}
			wantEqual(t, "how many were the first", n, 1)
			wantEqual(t, "tokens", len(must[store.List[store.Token]](t)(s.Tokens(t.Context(), "default", store.Page{})).Data), 1)
		},
	}
}

func nouns() suite {
	return suite{
		"Connections": func(t *testing.T, s store.Store) {
			c := connection("a")
			c.Livemode = true
			mustDo(t, s.CreateConnection(t.Context(), c))
			wantErr(t, "the same id", s.CreateConnection(t.Context(), c), store.ErrConflict)
			wantEqual(t, "stored", must[store.Connection](t)(s.Connection(t.Context(), "a", c.ID)), c)

			want := c
			want.Name, want.Key, want.Last4 = "New", []byte("other"), "1234"
			got := must[store.Connection](t)(s.UpdateConnection(t.Context(), "a", c.ID, func(c *store.Connection) error {
				c.Name, c.Key, c.Last4 = want.Name, want.Key, want.Last4
				c.ID, c.Workspace, c.Created = "conn_other", "b", time.Time{}
				return nil
			}))
			wantEqual(t, "changed", got, want)
			wantEqual(t, "changed and stored", must[store.Connection](t)(s.Connection(t.Context(), "a", c.ID)), want)

			refused := errors.New("refused")
			_, err := s.UpdateConnection(t.Context(), "a", c.ID, func(c *store.Connection) error {
				c.Name = "half"
				return refused
			})
			wantErr(t, "a change that fails", err, refused)
			wantEqual(t, "after it", must[store.Connection](t)(s.Connection(t.Context(), "a", c.ID)), want)
			mustDo(t, s.DeleteConnection(t.Context(), "a", c.ID))
			_, err = s.Connection(t.Context(), "a", c.ID)
			wantErr(t, "deleted", err, store.ErrNotFound)
		},
		"ChangePanics": func(t *testing.T, s store.Store) {
			c := connection("a")
			mustDo(t, s.CreateConnection(t.Context(), c))
			func() {
				defer func() { wantEqual(t, "panic", recover(), any("oops")) }()
				_, _ = s.UpdateConnection(t.Context(), "a", c.ID, func(*store.Connection) error { panic("oops") })
			}()
			wantEqual(t, "afterwards", must[store.Connection](t)(s.Connection(t.Context(), "a", c.ID)), c)
			mustDo(t, s.CreateConnection(t.Context(), connection("a")))
		},
		"Endpoints": func(t *testing.T, s store.Store) {
			c := connection("a")
			mustDo(t, s.CreateConnection(t.Context(), c))
			e := endpoint(c)
			wantEqual(t, "stored", must[store.Endpoint](t)(s.EnsureEndpoint(t.Context(), e)), e)
			again := must[store.Endpoint](t)(s.EnsureEndpoint(t.Context(), endpoint(c)))
			wantEqual(t, "the same pool", again, e)
			connect := endpoint(c)
			connect.Connect = true
			versioned := endpoint(c)
			versioned.APIVersion = "2024-06-20"
			wantEqual(t, "for connect", must[store.Endpoint](t)(s.EnsureEndpoint(t.Context(), connect)).ID, connect.ID)
			wantEqual(t, "for a version", must[store.Endpoint](t)(s.EnsureEndpoint(t.Context(), versioned)).ID, versioned.ID)
			foreign := endpoint(c)
			foreign.Workspace, foreign.APIVersion = "b", "other"
			_, err := s.EnsureEndpoint(t.Context(), foreign)
			wantErr(t, "on a foreign connection", err, store.ErrNotFound)

			want := e
			want.StripeID, want.State, want.Reason, want.Livemode = "we_1", store.EndpointEnabled, "fine", true
			want.EventTypes = []string{"a.b", "c.d"}
			want.Secrets = []store.Secret{{Sealed: []byte{0, 1, 2}}, {Sealed: []byte("old"), NotAfter: born}}
			want.Caught = born
			got := must[store.Endpoint](t)(s.UpdateEndpoint(t.Context(), "a", e.ID, func(e *store.Endpoint) error {
				*e = want
				e.EventTypes = []string{"c.d", "a.b", "c.d"}
				e.Connect, e.Connection = true, "conn_other"
				return nil
			}))
			wantEqual(t, "changed", got, want)
			wantEqual(t, "for the receiver", must[store.Endpoint](t)(s.Receiver(t.Context(), e.ID)), want)
			wantEqual(t, "all", len(must[[]store.Endpoint](t)(s.AllEndpoints(t.Context()))), 3)
			mustDo(t, s.DeleteEndpoint(t.Context(), "a", connect.ID))
			_, err = s.Receiver(t.Context(), connect.ID)
			wantErr(t, "deleted", err, store.ErrNotFound)
			mustDo(t, s.DeleteConnection(t.Context(), "a", c.ID))
			wantEqual(t, "all, without the connection", len(must[[]store.Endpoint](t)(s.AllEndpoints(t.Context()))), 0)
		},
		"EnsureEndpointAtOnce": func(t *testing.T, s store.Store) {
			c := connection("a")
			mustDo(t, s.CreateConnection(t.Context(), c))
			ids := make(chan string)
			for range 20 {
				go func() {
					e, err := s.EnsureEndpoint(t.Context(), endpoint(c))
					if err != nil {
						t.Error(err)
					}
					ids <- e.ID
				}()
			}
			first := <-ids
			for range 19 {
				wantEqual(t, "endpoint", <-ids, first)
			}
		},
		"Webhooks": func(t *testing.T, s store.Store) {
			l := newLine(t, s, "a")
			w := webhook(l.endpoint, 0, "c.d", "a.b")
			want := w
			want.EventTypes = []string{"a.b", "c.d"}
			got, created, err := s.CreateWebhook(t.Context(), w)
			mustDo(t, err)
			wantEqual(t, "created", created, true)
			wantEqual(t, "stored", got, want)
			got, created, err = s.CreateWebhook(t.Context(), webhook(l.endpoint, 0, "a.b", "c.d"))
			mustDo(t, err)
			wantEqual(t, "created again", created, false)
			wantEqual(t, "the first", got, want)
			other := webhook(l.endpoint, 1, "*", "a.b")
			_, _, err = s.CreateWebhook(t.Context(), other)
			mustDo(t, err)
			wantEqual(t, "wanted", must[[]string](t)(s.WantedTypes(t.Context(), "a", l.endpoint.ID)), []string{"*"})

			wantErr(t, "deleting its connection", s.DeleteConnection(t.Context(), "a", w.Connection), store.ErrConflict)
			wantErr(t, "deleting its endpoint", s.DeleteEndpoint(t.Context(), "a", w.Endpoint), store.ErrConflict)
			_, err = s.UpdateWebhook(t.Context(), "a", other.ID, func(o *store.Webhook) error {
				o.URL, o.EventTypes = w.URL, w.EventTypes
				return nil
			})
			wantErr(t, "making two equal", err, store.ErrConflict)

			want.Name, want.State, want.Reason, want.URL = "New", store.WebhookPaused, "by hand", "https://example.com/new"
			want.EventTypes, want.Secrets = []string{"e.f"}, []store.Secret{{Sealed: []byte("new")}}
			got = must[store.Webhook](t)(s.UpdateWebhook(t.Context(), "a", w.ID, func(w *store.Webhook) error {
				*w = want
				return nil
			}))
			wantEqual(t, "changed", got, want)
			wantEqual(t, "changed and stored", must[store.Webhook](t)(s.Webhook(t.Context(), "a", w.ID)), want)
			_, err = s.UpdateWebhook(t.Context(), "a", w.ID, func(w *store.Webhook) error {
				w.Endpoint = "ep_none"
				return nil
			})
			wantErr(t, "moving to nowhere", err, store.ErrNotFound)

			mustDo(t, s.DeleteWebhook(t.Context(), "a", other.ID))
			wantErr(t, "deleting it again", s.DeleteWebhook(t.Context(), "a", other.ID), store.ErrNotFound)
			wantEqual(t, "wanted by the other", must[[]string](t)(s.WantedTypes(t.Context(), "a", l.endpoint.ID)), []string{"e.f"})
			mustDo(t, s.DeleteWebhook(t.Context(), "a", w.ID))
			wantEqual(t, "wanted by nobody", len(must[[]string](t)(s.WantedTypes(t.Context(), "a", l.endpoint.ID))), 0)
			_, created, err = s.CreateWebhook(t.Context(), webhook(l.endpoint, 0, "e.f"))
			mustDo(t, err)
			wantEqual(t, "created after detaching", created, true)
		},
		"OperationsURL": func(t *testing.T, s store.Store) {
			mine, foreign := operationsURL("a"), operationsURL("b")
			wantEqual(t, "stored", must[store.OperationsURL](t)(s.SetOperationsURL(t.Context(), mine)), mine)
			must[store.OperationsURL](t)(s.SetOperationsURL(t.Context(), foreign))
			other := operationsURL("a")
			other.URL, other.Secrets = "https://example.com/other", []store.Secret{{Sealed: []byte("other")}}
			mine.URL = other.URL
			wantEqual(t, "stored again", must[store.OperationsURL](t)(s.SetOperationsURL(t.Context(), other)), mine)

			mine.URL, mine.Secrets = "https://example.com/new", []store.Secret{{Sealed: []byte("new")}, {Sealed: []byte("old"), NotAfter: born}}
			got := must[store.OperationsURL](t)(s.UpdateOperationsURL(t.Context(), "a", func(o *store.OperationsURL) error {
				o.URL, o.Secrets = mine.URL, mine.Secrets
				o.ID, o.Workspace, o.Created = "ops_other", "c", time.Time{}
				return nil
			}))
			wantEqual(t, "changed", got, mine)
			wantEqual(t, "changed and stored", must[store.OperationsURL](t)(s.OperationsURL(t.Context(), "a")), mine)
			refused := errors.New("refused")
			_, err := s.UpdateOperationsURL(t.Context(), "a", func(o *store.OperationsURL) error {
				o.URL = "half"
				return refused
			})
			wantErr(t, "a change that fails", err, refused)
			wantEqual(t, "after it", must[store.OperationsURL](t)(s.OperationsURL(t.Context(), "a")), mine)

			wantEqual(t, "deleted", must[string](t)(s.DeleteOperationsURL(t.Context(), "a")), mine.ID)
			_, err = s.DeleteOperationsURL(t.Context(), "a")
			wantErr(t, "deleting it again", err, store.ErrNotFound)
			_, err = s.OperationsURL(t.Context(), "a")
			wantErr(t, "reading what is deleted", err, store.ErrNotFound)
			_, err = s.UpdateOperationsURL(t.Context(), "a", func(*store.OperationsURL) error { return nil })
			wantErr(t, "changing what is deleted", err, store.ErrNotFound)
			wantEqual(t, "another workspace's", must[store.OperationsURL](t)(s.OperationsURL(t.Context(), "b")), foreign)
		},
		"OddText": func(t *testing.T, s store.Store) {
			const odd = "a\x00b\xffc"
			c := connection("a")
			c.Name = odd
			mustDo(t, s.CreateConnection(t.Context(), c))
			wantEqual(t, "name of a connection", must[store.Connection](t)(s.Connection(t.Context(), "a", c.ID)).Name, "abc")
			e := must[store.Endpoint](t)(s.EnsureEndpoint(t.Context(), endpoint(c)))
			w := webhook(e, 0, "*")
			w.Name = odd
			w, _, err := s.CreateWebhook(t.Context(), w)
			mustDo(t, err)
			wantEqual(t, "name of a webhook", w.Name, "abc")
		},
		"Isolation": func(t *testing.T, s store.Store) {
			ctx := t.Context()
			l := newLine(t, s, "a", []string{"*"})
			e := l.event("a.b")
			l.ingest(t, e)
			d := l.deliveries(t, store.DeliveryFilter{})[0].ID
			c, ep, w := l.endpoint.Connection, l.endpoint.ID, l.webhooks[0].ID
			calls := map[string]func(workspace string) error{
				"Connection": func(ws string) error { _, err := s.Connection(ctx, ws, c); return err },
				"UpdateConnection": func(ws string) error {
					_, err := s.UpdateConnection(ctx, ws, c, func(*store.Connection) error { return nil })
					return err
				},
				"Endpoint": func(ws string) error { _, err := s.Endpoint(ctx, ws, ep); return err },
				"UpdateEndpoint": func(ws string) error {
					_, err := s.UpdateEndpoint(ctx, ws, ep, func(*store.Endpoint) error { return nil })
					return err
				},
				"WantedTypes": func(ws string) error { _, err := s.WantedTypes(ctx, ws, ep); return err },
				"Webhook":     func(ws string) error { _, err := s.Webhook(ctx, ws, w); return err },
				"UpdateWebhook": func(ws string) error {
					_, err := s.UpdateWebhook(ctx, ws, w, func(*store.Webhook) error { return nil })
					return err
				},
				"Event":     func(ws string) error { _, err := s.Event(ctx, ws, e.ID); return err },
				"Fates":     func(ws string) error { _, err := s.Fates(ctx, ws, ep, e.ID); return err },
				"Delivery":  func(ws string) error { _, err := s.Delivery(ctx, ws, d); return err },
				"Attempts":  func(ws string) error { _, err := s.Attempts(ctx, ws, d); return err },
				"Retry":     func(ws string) error { _, err := s.Retry(ctx, ws, d); return err },
				"RetryDead": func(ws string) error { _, err := s.RetryDead(ctx, ws, w, 1); return err },
				"Replay":    func(ws string) error { _, err := s.Replay(ctx, ws, w, store.EventFilter{}, "", 1); return err },
			}
			for name, call := range calls {
				wantErr(t, name+" from outside", call("b"), store.ErrNotFound)
				wantErr(t, name+" from inside", call("a"), nil)
			}
			wantErr(t, "DeleteWebhook", s.DeleteWebhook(ctx, "b", w), store.ErrNotFound)
			wantErr(t, "DeleteEndpoint", s.DeleteEndpoint(ctx, "b", ep), store.ErrNotFound)
			wantErr(t, "DeleteConnection", s.DeleteConnection(ctx, "b", c), store.ErrNotFound)
			foreign := webhook(l.endpoint, 7, "*")
			foreign.Workspace = "b"
			_, _, err := s.CreateWebhook(ctx, foreign)
			wantErr(t, "CreateWebhook on a foreign endpoint", err, store.ErrNotFound)
			lengths := map[string]int{
				"connections": len(must[store.List[store.Connection]](t)(s.Connections(ctx, "b", store.Page{})).Data),
				"webhooks":    len(must[store.List[store.Webhook]](t)(s.Webhooks(ctx, "b", store.WebhookFilter{Endpoint: ep}, store.Page{})).Data),
				"events":      len(must[store.List[store.Event]](t)(s.Events(ctx, "b", store.EventFilter{Endpoint: ep}, store.Page{})).Data),
				"deliveries":  len(must[store.List[store.Delivery]](t)(s.Deliveries(ctx, "b", store.DeliveryFilter{Webhook: w}, store.Page{})).Data),
				"count":       must[int](t)(s.CountEvents(ctx, "b", store.EventFilter{Endpoint: ep}, 10)),
			}
			for what, n := range lengths {
				wantEqual(t, what+" seen from outside", n, 0)
			}
		},
	}
}

func lists() suite {
	return suite{
		"PagesUnderInserts": func(t *testing.T, s store.Store) {
			var want []string
			for i := range 25 { // several share a creation time
				c := connection("a")
				c.Created = born.Add(time.Duration(i/3) * time.Second)
				mustDo(t, s.CreateConnection(t.Context(), c))
				want = append(want, fmt.Sprint(c.Created.Unix(), c.ID))
			}
			slices.Sort(want)
			slices.Reverse(want)
			got := pages(t, 4, func(p store.Page) (store.List[store.Connection], error) {
				newer := connection("a")
				newer.Created = born.Add(time.Hour)
				mustDo(t, s.CreateConnection(t.Context(), newer))
				l, err := s.Connections(t.Context(), "a", p)
				l.Data = slices.DeleteFunc(l.Data, func(c store.Connection) bool { return c.Created.Equal(newer.Created) })
				return l, err
			}, func(c store.Connection) string { return fmt.Sprint(c.Created.Unix(), c.ID) })
			wantEqual(t, "all pages", got, want)
		},
		"PageLimits": func(t *testing.T, s store.Store) {
			for range store.MaxPage + 1 {
				mustDo(t, s.CreateConnection(t.Context(), connection("a")))
			}
			for _, limit := range []int{-1, 0, store.MaxPage, store.MaxPage + 1} {
				l := must[store.List[store.Connection]](t)(s.Connections(t.Context(), "a", store.Page{Limit: limit}))
				wantEqual(t, fmt.Sprint("length for limit ", limit), len(l.Data), store.MaxPage)
			}
			l := must[store.List[store.Connection]](t)(s.Connections(t.Context(), "a", store.Page{Limit: 1}))
			wantEqual(t, "length for limit 1", len(l.Data), 1)
		},
		"BadCursors": func(t *testing.T, s store.Store) {
			for _, cursor := range []string{"x", "!", "AAAA", store.Position{Created: born}.Cursor()} {
				_, err := s.Connections(t.Context(), "a", store.Page{Cursor: cursor})
				wantErr(t, "connections after "+cursor, err, store.ErrCursor)
			}
			_, err := s.Events(t.Context(), "a", store.EventFilter{}, store.Page{Cursor: store.Position{Created: born, ID: "evt_1"}.Cursor()})
			wantErr(t, "events with the cursor of another list", err, store.ErrCursor)
		},
		"EventFilters": func(t *testing.T, s store.Store) {
			l := newLine(t, s, "a")
			other := newLine(t, s, "a")
			for i := range 6 {
				e := l.event([]string{"a.b", "c.d", "e.f"}[i%3])
				e.Object = []string{"cus_1", ""}[i%2]
				l.ingest(t, e)
				e.Endpoint = other.endpoint.ID // the same event at another endpoint
				l.ingest(t, e)
			}
			at := func(n int) time.Time { return born.Truncate(time.Second).Add(time.Duration(n) * time.Second) }
			tests := map[string]struct {
				filter store.EventFilter
				want   []string
			}{
				"none":     {store.EventFilter{}, []string{"6", "6", "5", "5", "4", "4", "3", "3", "2", "2", "1", "1"}},
				"endpoint": {store.EventFilter{Endpoint: l.endpoint.ID}, []string{"6", "5", "4", "3", "2", "1"}},
				"type":     {store.EventFilter{Endpoint: l.endpoint.ID, Types: []string{"a.b"}}, []string{"4", "1"}},
				"types":    {store.EventFilter{Endpoint: l.endpoint.ID, Types: []string{"a.b", "e.f"}}, []string{"6", "4", "3", "1"}},
				"time":     {store.EventFilter{Endpoint: l.endpoint.ID, From: at(2), To: at(4)}, []string{"3", "2"}},
				"object":   {store.EventFilter{Endpoint: l.endpoint.ID, Object: "cus_1"}, []string{"5", "3", "1"}},
				"both":     {store.EventFilter{Endpoint: l.endpoint.ID, Object: "cus_1", Types: []string{"a.b", "c.d"}}, []string{"5", "1"}},
				"nobody":   {store.EventFilter{Object: "cus_2"}, nil},
				"nothing":  {store.EventFilter{Types: []string{"x.y"}}, nil},
			}
			for name, tt := range tests {
				var want []string
				for _, n := range tt.want {
					want = append(want, "evt_00000"+n)
				}
				got := pages(t, 2, func(p store.Page) (store.List[store.Event], error) {
					return s.Events(t.Context(), "a", tt.filter, p)
				}, func(e store.Event) string { return e.ID })
				wantEqual(t, "filter "+name, got, want)
				n := must[int](t)(s.CountEvents(t.Context(), "a", tt.filter, 100))
				wantEqual(t, "count "+name, n, len(want))
			}
			wantEqual(t, "bounded count", must[int](t)(s.CountEvents(t.Context(), "a", store.EventFilter{}, 3)), 3)
		},
		"DeliveryFilters": func(t *testing.T, s store.Store) {
			l := newLine(t, s, "a", []string{"*"}, []string{"a.b"})
			l.fill(t, 1, "a.b")
			about := l.event("a.b")
			about.Object = "cus_1"
			l.ingest(t, about)
			l.fill(t, 1, "c.d")
			work := l.claim(t, lease, 100)
			l.finish(t, work[0], store.Outcome{Verdict: store.VerdictDead})
			dead := work[0].Delivery
			waiting := map[string]int{l.webhooks[0].ID: 3, l.webhooks[1].ID: 2}[dead.Webhook]
			tests := map[string]struct {
				filter store.DeliveryFilter
				want   int
			}{
				"none":                {store.DeliveryFilter{}, 5},
				"webhook":             {store.DeliveryFilter{Webhook: l.webhooks[0].ID}, 3},
				"type":                {store.DeliveryFilter{Type: "c.d"}, 1},
				"event":               {store.DeliveryFilter{Event: "evt_000001"}, 2},
				"object":              {store.DeliveryFilter{Object: "cus_1"}, 2},
				"object and webhook":  {store.DeliveryFilter{Object: "cus_1", Webhook: l.webhooks[0].ID}, 1},
				"other object":        {store.DeliveryFilter{Object: "cus_2"}, 0},
				"state":               {store.DeliveryFilter{State: store.DeliveryDead}, 1},
				"webhook and state":   {store.DeliveryFilter{Webhook: dead.Webhook, State: store.DeliveryDead}, 1},
				"state and type":      {store.DeliveryFilter{State: store.DeliveryDead, Type: dead.Type}, 1},
				"state, other type":   {store.DeliveryFilter{State: store.DeliveryDead, Type: "x.y"}, 0},
				"webhook, other type": {store.DeliveryFilter{Webhook: l.webhooks[1].ID, Type: "c.d"}, 0},
				"from the future":     {store.DeliveryFilter{From: dead.Created.Add(time.Hour)}, 0},
				"to the past":         {store.DeliveryFilter{To: dead.Created.Add(-time.Hour)}, 0},
				"around now":          {store.DeliveryFilter{From: dead.Created.Add(-time.Hour), To: dead.Created.Add(time.Hour)}, 5},
				"event and webhook":   {store.DeliveryFilter{Event: "evt_000001", Webhook: l.webhooks[1].ID}, 1},
				"event and state":     {store.DeliveryFilter{Event: dead.Event, State: store.DeliveryDead}, 1},
				"webhook and pending": {store.DeliveryFilter{Webhook: dead.Webhook, State: store.DeliveryPending}, waiting - 1},
				"unknown state":       {store.DeliveryFilter{State: "sent"}, 0},
			}
			other := newLine(t, s, "b", []string{"*"})
			foreign := other.event("a.b")
			foreign.ID, foreign.Object = about.ID, about.Object
			other.ingest(t, foreign)
			for name, tt := range tests {
				got := pages(t, 2, func(p store.Page) (store.List[store.Delivery], error) {
					return s.Deliveries(t.Context(), "a", tt.filter, p)
				}, func(d store.Delivery) string { return d.Created.Format(time.RFC3339Nano) + d.ID })
				wantEqual(t, "number for "+name, len(got), tt.want)
				newest := slices.Sorted(slices.Values(got))
				slices.Reverse(newest)
				wantEqual(t, "order for "+name, got, newest)
				wantEqual(t, "distinct for "+name, len(slices.Compact(newest)), tt.want)
			}
		},
		"WebhookFilters": func(t *testing.T, s store.Store) {
			l := newLine(t, s, "a", []string{"a.b"}, []string{"c.d"}, []string{"*"})
			newLine(t, s, "a", []string{"a.b"})
			l.setState(t, l.webhooks[1], store.WebhookPaused)
			tests := map[string]struct {
				filter store.WebhookFilter
				want   int
			}{
				"none":       {store.WebhookFilter{}, 4},
				"connection": {store.WebhookFilter{Connection: l.endpoint.Connection}, 3},
				"endpoint":   {store.WebhookFilter{Endpoint: l.endpoint.ID}, 3},
				"state":      {store.WebhookFilter{State: store.WebhookPaused}, 1},
			}
			for name, tt := range tests {
				got := pages(t, 2, func(p store.Page) (store.List[store.Webhook], error) {
					return s.Webhooks(t.Context(), "a", tt.filter, p)
				}, func(w store.Webhook) string { return w.ID })
				wantEqual(t, "number for "+name, len(got), tt.want)
			}
		},
	}
}
