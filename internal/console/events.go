package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"
)

// filters are those of a list as given, and where in the list one is.
type filters struct {
	In     url.Values
	Next   string
	Live   bool
	Faults faultsByField
}

func filtersOf(in url.Values) filters {
	return filters{In: in, Live: in.Get("cursor") == "" && in.Get("live") != "off"}
}

// Filter is a query string with the filters and what else is given.
func (f filters) Filter(pairs ...string) string {
	q := f.used()
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return "?" + q.Encode()
}

// Filtered reports whether not everything is shown.
func (f filters) Filtered() bool { return len(f.used()) > 0 }

func (f filters) used() url.Values {
	q := url.Values{}
	for name := range f.In {
		if name != "cursor" && name != "live" && f.In.Get(name) != "" {
			q.Set(name, f.In.Get(name))
		}
	}
	return q
}

type eventsPage struct {
	filters
	Events []event
}

func (c *console) listEvents(v *visit) error {
	in := v.r.URL.Query()
	if id := strings.TrimSpace(in.Get("object")); strings.HasPrefix(id, "evt_") {
		v.redirect("/console/events/" + url.PathEscape(id))
		return nil
	}
	p := eventsPage{filters: filtersOf(in)}
	q := pick(in, "type", "object", "cursor")
	q.Set("limit", "30")
	if p.Faults = times(in, q); len(p.Faults) == 0 {
		var l list[event]
		err := v.get("/v1/events", q, &l)
		if failed := refused(err); failed != nil && len(failed.Fields) > 0 {
			p.Faults = byField(failed.Fields)
		} else if err != nil {
			return err
		}
		p.Events, p.Next = l.Data, l.More()
	}
	if v.htmx() {
		return v.part(p.list(v.view()))
	}
	v.show(http.StatusOK, "events", "Events", &p)
	return nil
}

// times moves the filters from and to into the query for the API, and says what is wrong with them.
func times(in, q url.Values) faultsByField {
	faults := faultsByField{}
	for _, name := range []string{"from", "to"} {
		text := in.Get(name)
		if text == "" {
			continue
		}
		at, err := parseLocal(text)
		if err != nil {
			faults[name] = "must be a date and a time"
			continue
		}
		q.Set(name, at.Format(time.RFC3339))
	}
	return faults
}

type eventPage struct {
	event
	Ways []way
}

// Live reports whether there is more to come.
func (p eventPage) Live() bool {
	return slices.ContainsFunc(p.Ways, func(w way) bool { return w.State == "pending" })
}

// A way is what became of the event at one webhook, with every attempt.
type way struct {
	fate
	Delivery *delivery
}

// maxWays is for how many webhooks an event's page shows every attempt.
const maxWays = 20

func (c *console) showEvent(v *visit) error {
	var p eventPage
	if err := v.get(below("/v1/events", v.r.PathValue("id")), nil, &p.event); err != nil {
		return err
	}
	for i, f := range p.Webhooks {
		w := way{fate: f}
		if f.Delivery != "" && i < maxWays {
			w.Delivery = &delivery{}
			if err := v.get(below("/v1/deliveries", f.Delivery), nil, w.Delivery); err != nil {
				return err
			}
		}
		p.Ways = append(p.Ways, w)
	}
	if v.htmx() {
		return v.part(p.live(v.view()))
	}
	v.show(http.StatusOK, "event", p.Type, &p)
	return nil
}

// refresh has a list that follows what happens ask for itself again.
func (f filters) refresh(path string) templ.Attributes {
	if !f.Live {
		return nil
	}
	return templ.Attributes{"hx-get": path + f.Filter(), "hx-trigger": "every 2s", "hx-swap": "outerHTML"}
}
