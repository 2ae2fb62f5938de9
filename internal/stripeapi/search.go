package stripeapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"

	"github.com/stripe/stripe-go/v79"

	"stripe-connector/internal/spec"
)

// pageMax is Stripe's limit of objects a page.
const pageMax = 100

// Results are the objects of one search, in the order of Stripe's lists: newest first. They are for one goroutine.
type Results struct {
	c       *Client
	s       Session
	q       spec.Query
	limit   int
	shape   string
	sources []*source
	cut     bool
}

// Search prepares a search for at most limit objects; [Results.All] makes it. It continues behind cursor if that is not
// empty. A cursor that is not one of this search's is reported as [spec.Faults].
func (c *Client) Search(s Session, q spec.Query, limit int, cursor string) (*Results, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	shape, err := shapeOf(q)
	if err != nil {
		return nil, err
	}
	r := &Results{c: c, s: s, q: q, limit: limit, shape: shape}
	for _, from := range q.Sources {
		r.sources = append(r.sources, &source{Source: from})
	}
	if cursor != "" {
		if err := r.seek(cursor); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// All makes the calls and yields each object as Stripe wrote it. A page is fetched when its first object is asked for,
// so at most one page of each list is held. After an error, which is an [*Error] or [spec.Faults], nothing follows. All is
// for one loop.
func (r *Results) All(ctx context.Context) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		ctx, cancel := r.c.withBudget(ctx)
		defer cancel()
		looked := 0
		for found := 0; found < r.limit; {
			room := pageMax
			if r.q.Scan > 0 {
				if looked == r.q.Scan {
					r.cut = r.HasMore()
					return
				}
				room = min(room, r.q.Scan-looked)
			}
			if r.q.Keep == nil {
				room = min(room, r.limit-found)
			}
			from, err := r.newest(ctx, room)
			if err != nil {
				yield(nil, err)
				return
			}
			if from == nil {
				return
			}
			object := from.take()
			looked++
			if r.q.Keep != nil && !r.q.Keep(object) {
				continue
			}
			found++
			if !yield(object, nil) {
				return
			}
		}
	}
}

// HasMore says whether objects may follow the ones that All has yielded.
func (r *Results) HasMore() bool {
	for _, from := range r.sources {
		if !from.last {
			return true
		}
		for _, object := range from.page {
			if r.q.Keep == nil || r.q.Keep(object) {
				return true
			}
		}
	}
	return false
}

// Cut says that All stopped because the query bounds how many objects it may look at.
func (r *Results) Cut() bool { return r.cut }

// newest returns the source whose next object is the newest, the first of them if several are, and nil if none has
// any. Sources with nothing in hand are asked for up to room objects.
func (r *Results) newest(ctx context.Context, room int) (*source, error) {
	var newest *source
	for _, from := range r.sources {
		if len(from.page) == 0 && !from.last {
			if err := r.fetch(ctx, from, room); err != nil {
				return nil, err
			}
		}
		if len(from.page) == 0 {
			continue
		}
		if len(r.sources) == 1 {
			return from, nil
		}
		from.date()
		if newest == nil || from.created > newest.created {
			newest = from
		}
	}
	return newest, nil
}

// A source is a list and how far it is read.
type source struct {
	spec.Source
	position
	resumed bool // the position came with the request, and no call was made with it yet

	page    elements // in hand, not yet taken
	behind  []byte   // the object taken last, if its id is the position
	next    string   // the token of the page that follows, of a search result
	tokens  bool     // pages are named by tokens, not by their last object
	last    bool     // no page follows
	dated   bool     // created is that of page[0]
	created float64
}

// A position is where reading goes on. In lists that is behind an object. Search results have tokens, but only for
// whole pages, so the objects taken of the page are counted.
type position struct {
	After string `json:"a,omitempty"`
	Taken int    `json:"n,omitempty"`
	End   bool   `json:"x,omitempty"` // nothing is left
}

func (from *source) take() []byte {
	object := from.page[0]
	from.page, from.dated = from.page[1:], false
	switch {
	case from.One:
	case !from.tokens:
		from.behind = object
	case len(from.page) == 0 && !from.last:
		from.After, from.Taken = from.next, 0
	default:
		from.Taken++
	}
	return object
}

// at is the position behind the objects taken.
func (from *source) at() position {
	at := from.position
	switch {
	case from.last && len(from.page) == 0:
		return position{End: true}
	case from.behind != nil:
		at.After = idOf(from.behind)
	}
	return at
}

// date reads the created of the object in front. One without counts as the oldest.
func (from *source) date() {
	if from.dated {
		return
	}
	var object struct {
		Created float64 `json:"created"`
	}
	if json.Unmarshal(from.page[0], &object) != nil {
		object.Created = 0
	}
	from.created, from.dated = object.Created, true
}

func idOf(raw []byte) string {
	var object struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(raw, &object) != nil {
		return ""
	}
	return object.ID
}

// fetch fills the empty page of a source, unless the list is at its end.
func (r *Results) fetch(ctx context.Context, from *source, room int) error {
	for len(from.page) == 0 && !from.last {
		page := spec.Page{After: from.at().After, Limit: int64(min(pageMax, room+from.Taken))}
		from.After, from.behind, from.page = page.After, nil, nil // the page before need not be kept for its last object
		x, err := r.c.call(ctx, r.s, func(b stripe.Backend) error { return from.Call(b, page) })
		resumed := from.resumed
		from.resumed = false
		var failed *Error
		switch {
		case err == nil:
		case !errors.As(err, &failed):
			return fmt.Errorf("asking for a page: %w", err)
		case from.One && failed.Status == http.StatusNotFound:
			from.last = true
			return nil
		case resumed && failed.ErrorType == DataError && failed.Stripe != nil &&
			(failed.Stripe.Param == "starting_after" || failed.Stripe.Param == "page"):
			return badCursor("Stripe does not know the position that this cursor names; start again without it")
		default:
			return failed
		}
		if from.One {
			from.page, from.last = elements{x.answer.body}, true
			return nil
		}
		if err := from.fill(x.answer.body, page.After); err != nil {
			return err
		}
	}
	return nil
}

// fill reads a page of Stripe's.
// See https://docs.stripe.com/api/pagination and https://docs.stripe.com/api/pagination/search.
func (from *source) fill(body []byte, after string) error {
	var page struct {
		Object   string   `json:"object"`
		Data     elements `json:"data"`
		HasMore  bool     `json:"has_more"`
		NextPage string   `json:"next_page"`
	}
	if err := json.Unmarshal(body, &page); err != nil || page.Data == nil {
		return &Error{
			Status: http.StatusBadGateway, ErrorType: ConnectionError, Retryable: true,
			Detail: "A page of the list is not in Stripe's form.",
		}
	}
	from.tokens = page.Object == "search_result"
	from.page, from.next, from.last = page.Data, page.NextPage, !page.HasMore || len(page.Data) == 0
	if from.tokens {
		from.last = from.last || page.NextPage == "" || page.NextPage == after
		from.page = from.page[min(from.Taken, len(from.page)):]
		if len(from.page) == 0 && !from.last {
			from.After, from.Taken = from.next, 0
		}
		return nil
	}
	// Without an id behind which to go on, the same page would come again and again.
	if !from.last {
		if end := idOf(page.Data[len(page.Data)-1]); end == "" || end == after {
			return errors.New("paging a list: its last object has no id of its own")
		}
	}
	return nil
}

// elements are those of a JSON array as they were written, each a part of the array's own bytes: a page is held once.
type elements [][]byte

// UnmarshalJSON divides an array, which encoding/json has found to be valid and hands over as a part of what it was given.
func (e *elements) UnmarshalJSON(array []byte) error {
	if array[0] != '[' {
		return errors.New("not an array")
	}
	list := make(elements, 0, pageMax)
	depth, start := 0, 1
	for i := 1; i < len(array); i++ {
		switch array[i] {
		case '"':
			for i++; array[i] != '"'; i++ {
				if array[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
		case '}':
			depth--
		case ']', ',':
			if array[i] == ']' && depth > 0 {
				depth--
				continue
			}
			if depth > 0 {
				continue
			}
			if object := bytes.TrimSpace(array[start:i]); len(object) > 0 {
				list = append(list, slices.Clip(object))
			}
			start = i + 1
		}
	}
	*e = list
	return nil
}
