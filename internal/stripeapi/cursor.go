package stripeapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/form"

	"stripe-connector/internal/spec"
)

// cursorMax is longer than any cursor: a handful of sources, each with an id or a token of Stripe's.
const cursorMax = 8192

// A cursor is what the user holds of a search: where each of its lists goes on, and the shape of the search, which tells
// a cursor of another search.
type cursor struct {
	Shape   string     `json:"q"`
	Sources []position `json:"s"`
}

// NextCursor continues the search behind the last object that All has yielded, also if the loop was left early or
// failed. It is empty if there is nothing more.
func (r *Results) NextCursor() string {
	if !r.HasMore() {
		return ""
	}
	next := cursor{Shape: r.shape}
	for _, from := range r.sources {
		next.Sources = append(next.Sources, from.at())
	}
	text, err := json.Marshal(next)
	if err != nil {
		panic(err) // strings and numbers
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// seek puts the sources where a cursor left off.
func (r *Results) seek(text string) error {
	const unusable = "is not a cursor of this search; leave it empty to start from the newest"
	if len(text) > cursorMax {
		return badCursor(unusable)
	}
	plain, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return badCursor(unusable)
	}
	var from cursor
	dec := json.NewDecoder(bytes.NewReader(plain))
	dec.DisallowUnknownFields()
	if dec.Decode(&from) != nil || from.Shape != r.shape || len(from.Sources) != len(r.sources) {
		return badCursor(unusable)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return badCursor(unusable)
	}
	for i, at := range from.Sources {
		if at.Taken < 0 || at.Taken >= pageMax || !visible(at.After) {
			return badCursor(unusable)
		}
		r.sources[i].position, r.sources[i].last, r.sources[i].resumed = at, at.End, at.After != ""
	}
	return nil
}

func badCursor(message string) spec.Faults {
	return spec.Faults{{Field: "cursor", Label: "Cursor", Code: spec.CodeInvalid, Message: message}}
}

// shapeOf says in a few letters which lists a query asks and by which filters, so that a cursor is refused where its
// positions mean nothing. Values are left out: a filter such as "since yesterday" may move between two pages.
func shapeOf(q spec.Query) (string, error) {
	hash := sha256.New()
	for _, source := range q.Sources {
		asked := false
		err := source.Call(backend(func(method, path string, body *form.Values, _ *stripe.Params) error {
			asked = true
			fmt.Fprintf(hash, "%s %s\n", method, path)
			if body == nil {
				return errDryRun
			}
			var names []string
			for name := range body.ToValues() {
				switch base, _, _ := strings.Cut(name, "["); base {
				case "limit", "starting_after", "page", "expand":
				default:
					names = append(names, name)
				}
			}
			slices.Sort(names)
			fmt.Fprintln(hash, names)
			return errDryRun
		}), spec.Page{Limit: 1})
		if !asked {
			return "", fmt.Errorf("preparing a search: a source makes no call: %w", err)
		}
	}
	return base64.RawURLEncoding.EncodeToString(hash.Sum(nil)[:6]), nil
}

// errDryRun ends a call that is only looked at.
var errDryRun = errors.New("not sent")
