// Package webhooks is the event line: from a webhook that somebody attaches to a signed event at every subscriber that
// wants it.
//
//	service.go    what users do: attach, change, pause, rotate, detach; form.go judges what they fill in
//	endpoint.go   what Stripe must send us: one endpoint for all webhooks of a connection, connect and API version
//	receive.go    Stripe's POST: verify the raw bytes (signature.go), read the outside (envelope.go), store, acknowledge
//	dispatch.go   claim what is due, attempt it, take the outcome back; backoff.go says when to try again
//	lanes.go      what is claimed of each webhook: so many attempts at once, more claimed ahead for who answers quickly
//	deliver.go    one attempt: sign, dial public addresses only, POST, judge the answer
//	keeper.go     every few minutes, for each endpoint: reconcile.go mends what differs at Stripe, catchup.go takes in the events
//	              that did not arrive; health.go says how that goes
//	guard.go      subscribers that take nothing any more: marked, disabled, and operations.go tells the workspace
//	rescue.go     replay and retry in bulk, in the background; sample.go posts a sample
//
// An event lies in the store before Stripe is told that we have it, and a delivery stays there until its outcome is
// committed. So a crash at any point loses nothing, and at worst has a subscriber see an event twice, under the same
// webhook-id.
//
// Stripe and the store cannot change in one step. So the wish is stored before Stripe is called and forgotten after it, and
// whatever a crash leaves in between is found by its mark and mended by the reconciler.
//
// The package knows no HTTP routes and no SQL. It never decodes events into stripe-go's structs: they are stored and
// passed on as Stripe wrote them, whatever their API version.
package webhooks
