package makeapp

import "strings"

// readme tells whoever imports the app what to do with it.
func readme(a *App) string {
	var b strings.Builder
	b.WriteString("# " + a.label + "\n\n" + a.description + " Its modules call " + a.base.BaseURL + `, which calls Stripe.

## Import

The app comes in two formats, exported by ` + "`stripe-connector export make`" + `. Both need Make's extension for Visual Studio Code.

* Archive: run *Import app* and choose the zip file. Make asks for the final name and creates everything. The format
  carries no groups, and does not say what an action does: set the action of each module that updates something to
  *update*, so that Make offers to erase a field.
* Project: create an app at Make, write its name and your zone into ` + "`origins` of `makecomapp.json`" + `, put your Make API
  key into ` + "`.secrets/apikey`" + `, then choose *Deploy to Make* on ` + "`makecomapp.json`" + ` and let it create what is missing.

## Connect

A connection of the app takes a token of the connector with the role manage, made by
` + "`stripe-connector token create --role manage`" + `, and one of

* a secret or restricted key of your Stripe account: it goes to the connector, which keeps it sealed, or
* a connection that the connector holds already.

Runs of modules send the token and the id of the connection, never the key.

## Modules
`)
	labels := map[string]string{}
	for _, c := range a.modules {
		labels[c.id] = c.label
	}
	for _, g := range a.groups {
		b.WriteString("\n### " + g.Label + "\n\n")
		for _, id := range g.Modules {
			b.WriteString("* " + labels[id] + "\n")
		}
	}
	return b.String()
}
