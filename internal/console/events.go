package console

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"time"
)

type eventsPage struct {
	Events  []event
	In      url.Values // the filters as given
	Next    string
	Live    bool
	Scanned int // how many events were looked through for an object
	Faults  faultsByField
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
	object := strings.TrimSpace(in.Get("object"))
	if strings.HasPrefix(object, "evt_") {
		v.redirect("/console/events/" + url.PathEscape(object))
		return nil
	}
	p := eventsPage{In: in, Live: in.Get("cursor") == "" && in.Get("live") != "off" && object == ""}
	q := pick(in, "type", "cursor")
	p.Faults = times(in, q)
	q.Set("limit", "30")
	var err error
	switch {
	case len(p.Faults) > 0:
	case object != "":
		err = v.scan(object, q, &p)
	default:
		var l list[event]
		err = v.get("/v1/events", q, &l)
		p.Events, p.Next = l.Data, l.More()
	}
	if failed := refused(err); failed != nil && len(failed.Fields) > 0 {
		p.Faults = byField(failed.Fields)
	} else if err != nil {
		return err
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

const (
	scanPage = 50
	scanMost = 150 // events in one request; the payloads are read one by one
)

// scan looks for events whose payload mentions an object, newest first, through as many as one request may take.
func (v *visit) scan(object string, q url.Values, p *eventsPage) error {
	mention := []byte(`"` + object + `"`)
	q.Set("limit", "50")
	for p.Scanned < scanMost {
		var l list[event]
		if err := v.get("/v1/events", q, &l); err != nil {
			return err
		}
		for _, e := range l.Data {
			var full event
			if err := v.get(below("/v1/events", e.ID), nil, &full); err != nil {
				if failed := refused(err); failed != nil && failed.Status == http.StatusNotFound {
					continue // pruned meanwhile
				}
				return err
			}
			if bytes.Contains(full.Payload, mention) {
				p.Events = append(p.Events, e)
			}
		}
		p.Scanned += len(l.Data)
		if p.Next = l.More(); p.Next == "" || len(l.Data) < scanPage {
			return nil
		}
		q.Set("cursor", p.Next)
	}
	return nil
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
