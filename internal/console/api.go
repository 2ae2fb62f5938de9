package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"stripe-connector/internal/connection"
	"stripe-connector/internal/spec"
	"stripe-connector/internal/stripeapi"
)

// A problem is how the API says that a request failed.
type problem struct {
	Status    int                    `json:"status"`
	Title     string                 `json:"title"`
	Detail    string                 `json:"detail"`
	ErrorType string                 `json:"error_type"`
	Retryable bool                   `json:"retryable"`
	Fields    spec.Faults            `json:"fields"`
	Stripe    *stripeapi.StripeError `json:"stripe"`
	RequestID string                 `json:"request_id"`
}

func (p *problem) Error() string { return p.Title + ": " + p.Detail }

// refused is a request that the API answered with a problem, or nothing.
func refused(err error) *problem {
	p, _ := errors.AsType[*problem](err)
	return p
}

// An answer is what the API said. It is the ResponseWriter of a request that stays in the process.
type answer struct {
	status int
	header http.Header
	body   bytes.Buffer
	took   time.Duration
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// ask makes a request to the API as the person who visits. Whatever it answers is no error.
func (v *visit) ask(method, path string, body []byte) (*answer, error) {
	r, err := http.NewRequestWithContext(v.r.Context(), method, path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("asking the API: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+v.session.Token)
	r.Header.Set("Content-Type", "application/json")
	r.RemoteAddr = v.r.RemoteAddr
	a := &answer{header: http.Header{}}
	start := v.Now()
	v.API.ServeHTTP(a, r)
	a.took = v.Now().Sub(start)
	a.WriteHeader(http.StatusOK)
	return a, nil
}

// do makes a request with in as its JSON body, if that is not nil, and reads the answer into out, if that is not nil. A
// refusal is a *problem.
func (v *visit) do(method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return fmt.Errorf("writing a request to the API: %w", err)
		}
	}
	a, err := v.ask(method, path, body)
	if err != nil {
		return err
	}
	if a.status >= http.StatusBadRequest {
		return a.problem()
	}
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(&a.body).Decode(out); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading an answer of the API: %w", err)
	}
	return nil
}

func (a *answer) problem() *problem {
	p := &problem{}
	if json.Unmarshal(a.body.Bytes(), p) != nil || p.Status == 0 {
		p.Status, p.Title = a.status, http.StatusText(a.status)
	}
	return p
}

func (v *visit) get(path string, query url.Values, out any) error {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return v.do(http.MethodGet, path, nil, out)
}

// below is a path of the API with an id that may be anything.
func below(path, id string, rest ...string) string {
	return strings.Join(append([]string{path, url.PathEscape(id)}, rest...), "/")
}

// A list is a page of any of the API's lists.
type list[T any] struct {
	Data []T     `json:"data"`
	Next *string `json:"next_cursor"`
}

// More is the cursor of the next page, or empty.
func (l list[T]) More() string {
	if l.Next == nil {
		return ""
	}
	return *l.Next
}

type connectionView = connection.View

// A webhook is one as the API shows it.
type webhook struct {
	ID            string    `json:"id"`
	Name          string    `json:"webhook_name"`
	Connection    string    `json:"connection"`
	Group         string    `json:"group"`
	EnabledEvents []string  `json:"enabled_events"`
	Connect       bool      `json:"connect"`
	APIVersion    string    `json:"api_version"`
	URL           string    `json:"url"`
	State         string    `json:"state"`
	Reason        string    `json:"reason"`
	Created       time.Time `json:"created"`
	Endpoint      struct {
		ID       string `json:"id"`
		StripeID string `json:"stripe_id"`
		State    string `json:"state"`
		Reason   string `json:"reason"`
		Livemode bool   `json:"livemode"`
	} `json:"endpoint"`
	Health struct {
		Reconciled     *time.Time     `json:"reconciled"`
		Problem        string         `json:"problem"`
		NextTry        *time.Time     `json:"next_try"`
		Actions        []healthAction `json:"actions"`
		CaughtUp       *time.Time     `json:"caught_up"`
		CatchUpProblem string         `json:"catch_up_problem"`
	} `json:"health"`
	SigningSecret string   `json:"signing_secret"`
	Warnings      []string `json:"warnings"`
}

// A healthAction is something that was mended at Stripe.
type healthAction struct {
	At       time.Time `json:"at"`
	StripeID string    `json:"stripe_id"`
	Action   string    `json:"action"`
	Reason   string    `json:"reason"`
}

// All reports whether the webhook wants every event.
func (w webhook) All() bool { return len(w.EnabledEvents) == 1 && w.EnabledEvents[0] == "*" }

// Held reports whether its deliveries wait, even if they are due.
func (w webhook) Held() bool { return w.State == "paused" || w.State == "disabled" }

// Silent reports whether Stripe sends nothing for it.
func (w webhook) Silent() bool {
	return w.Endpoint.State == "disabled" || w.Endpoint.State == "refused"
}

type event struct {
	ID         string          `json:"id"`
	Type       string          `json:"type"`
	Endpoint   string          `json:"endpoint"`
	Object     string          `json:"object"`
	Account    string          `json:"account"`
	Livemode   bool            `json:"livemode"`
	APIVersion string          `json:"api_version"`
	Source     string          `json:"source"`
	Created    time.Time       `json:"created"`
	Received   time.Time       `json:"received"`
	Webhooks   []fate          `json:"webhooks"`
	Payload    json.RawMessage `json:"payload"`
}

// A fate is what became of an event at one webhook.
type fate struct {
	Webhook  string `json:"webhook"`
	Name     string `json:"webhook_name"`
	Reason   string `json:"reason"`
	State    string `json:"state"`
	Delivery string `json:"delivery"`
}

type delivery struct {
	ID         string     `json:"id"`
	Event      string     `json:"event"`
	Type       string     `json:"type"`
	Webhook    string     `json:"webhook"`
	State      string     `json:"state"`
	Reason     string     `json:"reason"`
	Attempts   int        `json:"attempts"`
	LastStatus *int       `json:"last_status"`
	NextAt     *time.Time `json:"next_at"`
	Created    time.Time  `json:"created"`
	Log        []attempt  `json:"log"`
}

// Failed reports whether its last attempt did. What is sent again came through before.
func (d delivery) Failed() bool {
	return d.Attempts > 0 && (d.LastStatus == nil || *d.LastStatus/100 != 2)
}

type attempt struct {
	At         time.Time `json:"at"`
	DurationMS float64   `json:"duration_ms"`
	Status     *int      `json:"status"`
	Answer     string    `json:"answer"`
	Phase      string    `json:"phase"`
	Error      string    `json:"error"`
}

// took is how long it took, and where it got stuck.
func (a attempt) took() string {
	if a.Phase == "" {
		return milliseconds(a.DurationMS)
	}
	return milliseconds(a.DurationMS) + ", while " + words(a.Phase)
}

// Good reports whether the subscriber took the event.
func (a attempt) Good() bool { return a.Status != nil && *a.Status/100 == 2 }

// connections are all of the workspace that a form can offer; nil if the person may not list them.
func (v *visit) connections() ([]connectionView, error) {
	if !v.caller.Role.Allows(connection.RoleManage) {
		return nil, nil
	}
	var l list[connectionView]
	err := v.get("/v1/connections", url.Values{"limit": {"100"}}, &l)
	return l.Data, err
}
