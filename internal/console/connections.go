package console

import (
	"cmp"
	"net/http"
	"net/url"

	"stripe-connector/internal/spec"
)

type connectionsPage struct {
	Connections []connectionLine
	Next        string
	Name        string // as typed, if adding failed; a key is never shown again
	Faults      faultsByField
	Problem     *problem
}

type connectionLine struct {
	connectionView
	Refused bool // Stripe said so lately
}

// faultsByField are messages by the name of their field.
type faultsByField map[string]string

func byField(faults spec.Faults) faultsByField {
	m := faultsByField{}
	for _, f := range faults {
		if m[f.Field] == "" {
			m[f.Field] = f.Message
		}
	}
	return m
}

func (v *visit) connectionsPage() (connectionsPage, error) {
	var l list[connectionView]
	err := v.get("/v1/connections", url.Values{"limit": {"50"}, "cursor": {v.r.URL.Query().Get("cursor")}}, &l)
	p := connectionsPage{Next: l.More()}
	for _, conn := range l.Data {
		p.Connections = append(p.Connections, connectionLine{conn, v.keys.refused(conn.ID)})
	}
	return p, err
}

func (c *console) listConnections(v *visit) error {
	p, err := v.connectionsPage()
	if err != nil {
		return err
	}
	v.show(http.StatusOK, "connections", "Connections", &p)
	return nil
}

func (c *console) addConnection(v *visit) error {
	name := v.r.PostFormValue("connection_name")
	var made connectionView
	err := v.do(http.MethodPost, "/v1/connections", map[string]string{"connection_name": name, "key": v.r.PostFormValue("key")}, &made)
	if failed := refused(err); failed != nil {
		p, err := v.connectionsPage()
		if err != nil {
			return err
		}
		p.Name, p.Problem, p.Faults = name, failed, byField(failed.Fields)
		v.show(failed.Status, "connections", "Connections", &p)
		return nil
	} else if err != nil {
		return err
	}
	return v.tell(flash{Good: true, Text: made.Name + " is connected.", Detail: "Its key works in " + mode(made.Livemode) + " mode, is stored sealed, and is never shown again."}, "/console/connections")
}

type connectionPage struct {
	connectionView
	Refused bool
	Faults  faultsByField
	Problem *problem
}

func (v *visit) connectionPage() (connectionPage, error) {
	var p connectionPage
	err := v.get(below("/v1/connections", v.r.PathValue("id")), nil, &p.connectionView)
	p.Refused = v.keys.refused(p.ID)
	return p, err
}

func (c *console) showConnection(v *visit) error {
	p, err := v.connectionPage()
	if err != nil {
		return err
	}
	v.show(http.StatusOK, "connection", p.Name, &p)
	return nil
}

// changeConnection renames a connection or replaces its key, whichever the form held.
func (c *console) changeConnection(v *visit) error {
	id := v.r.PathValue("id")
	change := map[string]string{}
	done := "The name is changed."
	if name := v.r.PostFormValue("connection_name"); name != "" {
		change["connection_name"] = name
	}
	if v.r.PostForm.Has("key") {
		change["key"] = v.r.PostFormValue("key")
		done = "The key is replaced. The new one works."
	}
	var changed connectionView
	err := v.do(http.MethodPatch, below("/v1/connections", id), change, &changed)
	if failed := refused(err); failed != nil && failed.Status != http.StatusNotFound {
		return v.connectionProblem(failed)
	} else if err != nil {
		return err
	}
	if _, ok := change["key"]; ok {
		c.keys.note(id, c.Now(), nil)
	}
	return v.tell(flash{Good: true, Text: done}, "/console/connections/"+url.PathEscape(id))
}

func (v *visit) connectionProblem(failed *problem) error {
	p, err := v.connectionPage()
	if err != nil {
		return err
	}
	p.Problem, p.Faults = failed, byField(failed.Fields)
	v.show(failed.Status, "connection", p.Name, &p)
	return nil
}

func (c *console) checkConnection(v *visit) error {
	err := v.check(v.r.PathValue("id"))
	failed := refused(err)
	said := flash{Good: true, Text: "Stripe takes the key."}
	switch {
	case err != nil && (failed == nil || failed.Status == http.StatusNotFound):
		return err
	case failed == nil:
	case len(failed.Fields) > 0:
		said = flash{Text: "Stripe refuses the key.", Detail: "It is wrong, expired or revoked. Replace it below."}
	default:
		said = flash{Text: failed.Title + ".", Detail: failed.Detail}
	}
	return v.tell(said, v.back("/console/connections/"+url.PathEscape(v.r.PathValue("id"))))
}

// mendConnection makes the endpoints of a connection at Stripe what its webhooks need, now rather than in a few minutes.
func (c *console) mendConnection(v *visit) error {
	var done struct {
		Actions []healthAction `json:"actions"`
	}
	said := flash{Good: true, Text: "Stripe sends events again."}
	err := v.do(http.MethodPost, below("/v1/connections", v.r.PathValue("id"), "reconcile"), nil, &done)
	if failed := refused(err); failed != nil && failed.Status != http.StatusNotFound {
		said = flash{Text: "The endpoint could not be mended.", Detail: cmp.Or(firstFault(failed), failed.Detail)}
	} else if err != nil {
		return err
	} else if len(done.Actions) == 0 {
		said.Text, said.Detail = "Nothing had to be mended.", "Stripe has what the webhooks of this connection need."
	}
	return v.tell(said, v.back(root))
}

func (c *console) deleteConnection(v *visit) error {
	err := v.do(http.MethodDelete, below("/v1/connections", v.r.PathValue("id")), nil, nil)
	if failed := refused(err); failed != nil && failed.Status == http.StatusConflict {
		return v.connectionProblem(failed)
	} else if err != nil {
		return err
	}
	return v.tell(flash{Good: true, Text: "The connection is deleted."}, "/console/connections")
}
