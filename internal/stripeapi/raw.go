package stripeapi

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/form"

	"stripe-connector/internal/spec"
)

// A RawRequest is a call that the user wrote: Make an API Call.
type RawRequest struct {
	Method  string // GET, POST, PUT, PATCH or DELETE
	URL     string // a path under /v1/ or /v2/, with or without the slash in front, with or without a query
	Headers [][2]string
	Query   [][2]string // added to the query of URL
	// Body is the JSON value that the bundle holds: a text, sent as it is, or an object. For v1 an object takes Stripe's
	// bracket form, also one that was written into a text. For v2, or with a Content-Type of the user's that is not the
	// form's, nothing is changed. Empty, null, "" and {} mean no body.
	Body json.RawMessage
}

// RawOf reads the request from a bundle of Make an API Call. Rows that nobody filled keep their place, so that a fault
// names the row as it was written.
func RawOf(b *spec.Bundle) RawRequest {
	pairs := func(field string) [][2]string {
		var list [][2]string
		for _, row := range b.Rows(field) {
			list = append(list, make([][2]string, row.Row()-len(list))...)
			list = append(list, [2]string{row.Text("key"), row.Text("value")})
		}
		return list
	}
	in := RawRequest{Method: b.Text("method"), URL: b.Text("url"), Headers: pairs("headers"), Query: pairs("qs"), Body: b.JSON("body")}
	for _, path := range b.Expand() {
		in.Query = append(in.Query, [2]string{"expand[]", *path})
	}
	return in
}

// Faults is all for which the request must not be sent.
func (in RawRequest) Faults() spec.Faults {
	_, faults := in.read(&url.URL{Scheme: "https", Host: "api.stripe.com"})
	return faults
}

// Raw makes the call and answers whatever Stripe answers, 4xx and 5xx included. A request that must not be sent is
// reported as [spec.Faults], all of them at once; an [*Error] means that there is no answer.
//
// The headers Stripe-Version, Stripe-Account and Idempotency-Key win over the session's. Those that the service or the
// connection itself decides, such as Authorization, are dropped.
func (c *Client) Raw(ctx context.Context, s Session, in RawRequest) (*Response, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	ctx, cancel := c.withBudget(ctx)
	defer cancel()
	x := &exchange{connection: s.Connection, livemode: s.Livemode}
	req, err := c.rawRequest(x.in(ctx), s, in)
	if err != nil {
		return nil, err
	}
	res, err := c.http.Do(req)
	if err == nil {
		err = res.Body.Close()
	}
	idempotencyKey := req.Header.Get("Idempotency-Key")
	if x.answer != nil {
		return newResponse(x.answer, idempotencyKey), nil
	}
	if failed := failure(x, err); failed != nil {
		failed.IdempotencyKey = idempotencyKey
		return nil, failed
	}
	return nil, fmt.Errorf("sending an API call: %w", cause(err))
}

// A rawCall is a request that was read: what to send, but for what the session adds.
type rawCall struct {
	target      *url.URL
	header      http.Header
	body        []byte
	contentType string // of the body, if the user gave none
}

func (in RawRequest) read(base *url.URL) (rawCall, spec.Faults) {
	var faults spec.Faults
	fault := func(field, label, code, message string) {
		faults = append(faults, spec.Fault{Field: field, Label: label, Code: code, Message: message})
	}

	target, reason := rawURL(base, in.URL)
	switch {
	case strings.TrimSpace(in.URL) == "":
		fault("url", "URL", spec.CodeRequired, "is required")
	case reason != "":
		fault("url", "URL", spec.CodeInvalid, reason)
	}
	method := in.Method
	if !slices.Contains([]string{"GET", "POST", "PUT", "PATCH", "DELETE"}, method) {
		fault("method", "Method", spec.CodeInvalid, "must be one of GET, POST, PUT, PATCH, DELETE")
	}
	header := http.Header{}
	for i, h := range in.Headers {
		field := fmt.Sprintf("headers[%d]", i)
		name, value := headerName(strings.TrimSpace(h[0])), strings.TrimSpace(h[1])
		switch reason := headerFault(name, value); {
		case strings.TrimSpace(h[0]) == "" && value == "": // a row left empty
		case strings.TrimSpace(h[0]) == "":
			fault(field+".key", "Key", spec.CodeRequired, "is required")
		case name == "":
			fault(field+".key", "Key", spec.CodeInvalid, "is not a header name: letters, digits and hyphens")
		case dropped(name):
		case reason != "":
			fault(field+".value", "Value", spec.CodeInvalid, reason)
		case strings.HasPrefix(name, "Stripe-") || name == "Content-Type" || name == "Idempotency-Key":
			header.Set(name, value)
		default:
			header.Add(name, value)
		}
	}
	var query form.Values
	for i, q := range in.Query {
		switch {
		case q[0] == "" && q[1] == "":
		case q[0] == "":
			fault(fmt.Sprintf("qs[%d].key", i), "Key", spec.CodeRequired, "is required")
		default:
			query.Add(q[0], q[1])
		}
	}
	v1 := target == nil || strings.HasPrefix(target.Path, "/v1/")
	body, contentType, reason := rawBody(in.Body, v1, header.Get("Content-Type"))
	switch {
	case reason != "":
		fault("body", "Body", spec.CodeInvalid, reason)
	case len(body) > 0 && method == http.MethodGet:
		fault("body", "Body", spec.CodeNotAllowed, "does not go with GET; use Query String")
	}
	if faults != nil {
		return rawCall{}, faults
	}
	if !query.Empty() {
		target.RawQuery = strings.TrimPrefix(target.RawQuery+"&"+query.Encode(), "&")
	}
	return rawCall{target, header, body, contentType}, nil
}

func (c *Client) rawRequest(ctx context.Context, s Session, in RawRequest) (*http.Request, error) {
	call, faults := in.read(c.base)
	if faults != nil {
		return nil, faults
	}
	req, err := http.NewRequestWithContext(ctx, in.Method, call.target.String(), bytes.NewReader(call.body))
	if err != nil {
		return nil, errors.New("building an API call: the URL was not understood") // the inner error would repeat it
	}
	header := call.header
	req.Header = header
	setDefault := func(name, value string) {
		if header.Get(name) == "" && value != "" {
			header.Set(name, value)
		}
	}
	setDefault("Stripe-Account", s.Account)
	setDefault("Stripe-Version", s.Version)
	setDefault("Stripe-Version", stripe.APIVersion)
	if len(call.body) > 0 {
		setDefault("Content-Type", call.contentType)
	}
	if in.Method != http.MethodGet {
		setDefault("Idempotency-Key", s.IdempotencyKey)
		setDefault("Idempotency-Key", rand.Text())
	}
	header.Set("Authorization", "Bearer "+s.Key)
	return req, nil
}

// The content types of Stripe's two APIs.
const (
	formType = "application/x-www-form-urlencoded"
	jsonType = "application/json"
)

// rawBody gives the bytes to send for a bundle's body and the content type they have if the user gave none.
func rawBody(body json.RawMessage, v1 bool, userType string) (encoded []byte, contentType, reason string) {
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return nil, "", ""
	}
	if !json.Valid(body) {
		return nil, "", "is not JSON"
	}
	isText := body[0] == '"'
	if isText {
		var text string
		if err := json.Unmarshal(body, &text); err != nil {
			return nil, "", "is not a text"
		}
		body = []byte(text)
	} else if string(body) == "null" || isEmptyObject(body) {
		return nil, "", ""
	}

	mediaType, _, _ := strings.Cut(userType, ";")
	mediaType = strings.ToLower(strings.TrimSpace(mediaType))
	asForm := v1 && mediaType == "" || mediaType == formType
	switch written := bytes.TrimSpace(body); {
	case !asForm:
		return body, jsonType, ""
	case bytes.HasPrefix(written, []byte("{")) && json.Valid(written):
		values, reason := bracketForm(written)
		return []byte(values.Encode()), formType, reason
	case !isText:
		return nil, "", "must be an object or form-encoded text"
	}
	return body, formType, ""
}

func isEmptyObject(body []byte) bool {
	return body[0] == '{' && len(bytes.TrimSpace(body[1:len(body)-1])) == 0
}

// nestingMax is deeper than any parameter of Stripe's.
const nestingMax = 32

// bracketForm writes a JSON object, known to be valid, as Stripe's v1 parameters: a[b][0]=c. Numbers keep their digits,
// null and [] clear and so become empty texts, an empty object says nothing.
func bracketForm(object []byte) (values form.Values, reason string) {
	dec := json.NewDecoder(bytes.NewReader(object))
	dec.UseNumber()
	var tooDeep bool
	var walk func(path []string)
	walk = func(path []string) {
		token, err := dec.Token()
		if err != nil || tooDeep {
			return
		}
		if tooDeep = len(path) > nestingMax; tooDeep {
			return
		}
		switch token := token.(type) {
		case json.Delim:
			if token == '[' && !dec.More() {
				values.Add(form.FormatKey(path), "")
			}
			for i := 0; dec.More() && !tooDeep; i++ {
				key := strconv.Itoa(i)
				if token == '{' {
					name, _ := dec.Token()
					key = fmt.Sprint(name)
				}
				walk(append(slices.Clip(path), key))
			}
			_, _ = dec.Token() // the closing bracket
		case nil:
			values.Add(form.FormatKey(path), "")
		default:
			values.Add(form.FormatKey(path), fmt.Sprint(token))
		}
	}
	walk(nil)
	if tooDeep {
		return values, "nests too deep"
	}
	return values, ""
}
