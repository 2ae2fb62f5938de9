package console

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

type eventsPage struct {
	Events []event
	In     url.Values // the filters as given
	Next   string
	Live   bool
	Faults faultsByField
}

// Filter is a query string with the filters and what else is given.
func (p eventsPage) Filter(pairs ...string) string { return filterQuery(p.In, pairs) }

func filterQuery(in url.Values, pairs []string) string {
	q := url.Values{}
	for name := range in {
		if name != "cursor" && name != "live" && in.Get(name) != "" {
			q.Set(name, in.Get(name))
		}
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return "?" + q.Encode()
}

func (c *console) listEvents(v *visit) error {
	in := v.r.URL.Query()
	if id := strings.TrimSpace(in.Get("object")); strings.HasPrefix(id, "evt_") {
		v.redirect("/console/events/" + url.PathEscape(id))
		return nil
	}
	p := eventsPage{In: in, Live: in.Get("cursor") == "" && in.Get("live") != "off"}
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
		return v.part("events", "list", p)
	}
	v.show(http.StatusOK, "events", "Events", p)
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
	v.show(http.StatusOK, "event", p.Type, p)
	return nil
}
