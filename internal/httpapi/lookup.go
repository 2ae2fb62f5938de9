package httpapi

import (
	"encoding/json"
	"net/http"

	"github.com/go-chi/chi/v5"

	"stripe-connector/internal/connection"
)

// A choice is one entry of a form's menu.
type choice struct {
	Value string `json:"value"`
	Label string `json:"label"`
}

// choices are a page of a menu.
type choices struct {
	Options    []choice `json:"options"`
	NextCursor *string  `json:"next_cursor"`
}

// look answers a form's menu: a page of Stripe's objects, with the names that people know them by. Its inputs are query
// parameters and are judged like a bundle.
func (s *server) look(w http.ResponseWriter, r *http.Request, caller connection.Caller) error {
	l, ok := s.Catalogue.Lookup(chi.URLParam(r, "lookup"))
	if !ok {
		return refuse(http.StatusNotFound, "Unknown lookup", "There is no lookup of this name; GET /v1/modules names those of each field.")
	}
	inputs := map[string]any{}
	for name, values := range r.URL.Query() {
		inputs[name] = values[0]
		if len(values) > 1 {
			inputs[name] = values
		}
	}
	body, err := json.Marshal(inputs)
	if err != nil {
		return err
	}
	b, err := l.Decode(body, s.MaxLimit)
	if err != nil {
		return err
	}
	session, err := s.session(r, caller, b)
	if err != nil {
		return err
	}
	results, err := s.Stripe.Search(session, l.Query(b), b.Limit(), b.Cursor())
	if err != nil {
		return err
	}
	page := choices{Options: []choice{}}
	for object, err := range results.All(r.Context()) {
		if err != nil {
			return err
		}
		var id struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(object, &id); err != nil {
			return err
		}
		page.Options = append(page.Options, choice{id.ID, l.Name(object)})
	}
	page.NextCursor = orNull(results.NextCursor())
	writeJSON(w, http.StatusOK, page)
	return nil
}
