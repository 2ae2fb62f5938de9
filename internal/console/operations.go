package console

import (
	"net/http"

	"stripe-connector/internal/connection"
)

// operations is where the workspace is told of webhooks that fail, on the page of webhooks.
type operations struct {
	Shown  bool   // the person may set it
	URL    string `json:"url"` // empty: none is set
	Typed  string // what the form holds
	Faults faultsByField
}

func (v *visit) operations() (operations, error) {
	o := operations{Shown: v.caller.Role.Allows(connection.RoleAdmin)}
	if !o.Shown {
		return o, nil
	}
	err := v.get("/v1/operations", nil, &o)
	if failed := refused(err); failed != nil && failed.Status == http.StatusNotFound {
		err = nil
	}
	o.Typed = o.URL
	return o, err
}

func (c *console) setOperations(v *visit) error {
	var set struct {
		Secret string `json:"signing_secret"`
	}
	typed := v.r.PostFormValue("url")
	err := v.do(http.MethodPut, "/v1/operations", map[string]string{"url": typed}, &set)
	if failed := refused(err); failed != nil && failed.Fields != nil {
		p, err := v.webhooksPage()
		if err != nil {
			return err
		}
		p.Operations.Typed, p.Operations.Faults = typed, byField(failed.Fields)
		v.show(failed.Status, "webhooks", "Webhooks", &p)
		return nil
	} else if err != nil {
		return err
	}
	return v.tell(flash{Good: true, Text: "The operations URL is set.", Secret: set.Secret}, "/console/webhooks")
}

// actOnOperations does what a button beside the operations URL says.
func (c *console) actOnOperations(v *visit) error {
	const path = "/v1/operations"
	var said flash
	var err error
	switch v.r.PathValue("action") {
	case "test":
		said, err = v.test(path)
	case "rotate":
		said, err = v.rotate(path)
	case "delete":
		err = v.do(http.MethodDelete, path, nil, nil)
		said = flash{Good: true, Text: "The operations URL is deleted."}
	default:
		return errNoPage
	}
	if err != nil {
		return err
	}
	return v.tell(said, "/console/webhooks")
}
