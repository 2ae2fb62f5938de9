package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

type deliveriesPage struct {
	filters
	Deliveries []delivery
	Webhooks   []webhook // to choose from, and to name
}

// Hook is a webhook of the page's; one without a name is gone, or too old to be offered.
func (p deliveriesPage) Hook(id string) webhook {
	for _, w := range p.Webhooks {
		if w.ID == id {
			return w
		}
	}
	return webhook{ID: id}
}

// Dead are the webhooks whose dead deliveries are shown, if the page is about those.
func (p deliveriesPage) Dead() []webhook {
	var dead []webhook
	for _, d := range p.Deliveries {
		if w := p.Hook(d.Webhook); p.In.Get("state") == "dead" && w.Name != "" && !slices.ContainsFunc(dead, func(other webhook) bool { return other.ID == w.ID }) {
			dead = append(dead, w)
		}
	}
	return dead
}

func (c *console) listDeliveries(v *visit) error {
	in := v.r.URL.Query()
	id := strings.TrimSpace(in.Get("id"))
	if strings.HasPrefix(id, "dlv_") {
		v.redirect("/console/deliveries/" + url.PathEscape(id))
		return nil
	}
	p := deliveriesPage{filters: filtersOf(in)}
	var hooks list[webhook]
	if err := v.get("/v1/webhooks", url.Values{"limit": {"100"}}, &hooks); err != nil {
		return err
	}
	p.Webhooks = hooks.Data
	q := pick(in, "webhook", "event", "type", "state", "cursor")
	if strings.HasPrefix(id, "evt_") {
		q.Set("event", id)
	} else if id != "" {
		q.Set("object", id)
	}
	q.Set("limit", "30")
	if p.Faults = times(in, q); len(p.Faults) == 0 {
		var l list[delivery]
		err := v.get("/v1/deliveries", q, &l)
		if failed := refused(err); failed != nil && len(failed.Fields) > 0 {
			p.Faults = byField(failed.Fields)
		} else if err != nil {
			return err
		}
		p.Deliveries, p.Next = l.Data, l.More()
	}
	if v.htmx() {
		return v.part(p.list(v.view()))
	}
	v.show(http.StatusOK, "deliveries", "Deliveries", &p)
	return nil
}

type deliveryPage struct {
	delivery
	HookName string
	Sent     event
	Hold     string // why it waits, although it may be due
}

func (c *console) showDelivery(v *visit) error {
	var p deliveryPage
	if err := v.get(below("/v1/deliveries", v.r.PathValue("id")), nil, &p.delivery); err != nil {
		return err
	}
	var hook webhook
	if err := v.get(below("/v1/webhooks", p.Webhook), nil, &hook); err != nil && refused(err) == nil {
		return err // a webhook that is gone has left its deliveries behind
	}
	p.HookName = hook.Name
	if hook.Held() {
		p.Hold = "the webhook is " + hook.State
	}
	if err := v.get(below("/v1/events", p.Event), nil, &p.Sent); err != nil {
		return err
	}
	if v.htmx() {
		return v.part(p.live(v.view()))
	}
	v.show(http.StatusOK, "delivery", "Delivery of "+p.Type, &p)
	return nil
}

func (c *console) retryDelivery(v *visit) error {
	id := v.r.PathValue("id")
	said := flash{Good: true, Text: "It is tried again now."}
	err := v.do(http.MethodPost, below("/v1/deliveries", id, "retry"), nil, nil)
	if failed := refused(err); failed != nil && failed.Status != http.StatusNotFound {
		said = flash{Text: failed.Title + ".", Detail: failed.Detail}
	} else if err != nil {
		return err
	}
	return v.tell(said, v.back("/console/deliveries/"+url.PathEscape(id)))
}

func stateLabel(state string) string {
	if state == "dead" {
		return "dead, given up"
	}
	return state
}
