package stripetest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// onCreate is what a kind does beyond being stored when an object of it is made.
func (c *change) onCreate() *apiError {
	switch c.kind {
	case "account":
		c.space.connected[text(c.fields["id"])] = true
		c.server.spaceOf(spaceKey{account: text(c.fields["id"]), livemode: c.space.livemode}).platforms[c.space] = true
	case "customer":
		c.createCustomer()
	case "invoice":
		return c.createInvoice()
	case "invoiceitem":
		return c.createInvoiceItem()
	case "payment_intent":
		return c.createPaymentIntent()
	case "payment_link":
		c.createPaymentLink()
	case "payment_method":
		c.describePaymentMethod()
	case "payout":
		c.createPayout()
	case "price":
		c.createPrice()
	case "product":
		c.fields["default_price"] = nil
	case "refund":
		return c.createRefund()
	case "webhook_endpoint":
		return c.createEndpoint()
	}
	return nil
}

// onUpdate is what a kind does beyond taking over the parameters of an update.
func (c *change) onUpdate() *apiError {
	switch c.kind {
	case "invoice":
		if c.old["status"] != "draft" && (c.has("collection_method") || c.has("days_until_due") || c.has("due_date")) {
			return invalid("Finalized invoices can't be updated in this way.").with("invoice_not_editable", "")
		}
		if days, ok := c.params["days_until_due"]; ok {
			c.fields["due_date"] = c.server.now().Unix() + number(days)*day
		}
	case "invoiceitem":
		if e := c.price(); e != nil {
			return e
		}
		if id := text(c.fields["invoice"]); id != "" {
			c.putLine(id)
			c.totalInvoice(id)
		}
	case "payment_intent":
		if c.old["status"] == "succeeded" && c.has("amount") {
			return unexpected("This PaymentIntent's amount could not be updated because it has a status of succeeded.")
		}
		if c.old["status"] == "requires_payment_method" && c.fields["payment_method"] != nil {
			c.fields["status"] = "requires_confirmation"
		}
	case "webhook_endpoint":
		if disabled, ok := c.params["disabled"]; ok {
			c.fields["status"] = "enabled"
			if disabled == true {
				c.fields["status"] = "disabled"
			}
		}
	}
	return nil
}

// onDelete may refuse.
func (c *change) onDelete() *apiError {
	switch c.kind {
	case "invoice":
		if c.fields["status"] != "draft" {
			return invalid("You can only delete draft invoices.").with("invoice_not_editable", "")
		}
		for _, o := range slices.Clone(c.space.shelves["invoiceitem"]) {
			if text(o.fields["invoice"]) == text(c.fields["id"]) {
				c.space.remove(o)
			}
		}
	case "invoiceitem":
		if id := text(c.fields["invoice"]); id != "" {
			for _, o := range slices.Clone(c.space.shelves["line_item"]) {
				if o.fields["invoice_item"] == c.fields["id"] {
					c.space.remove(o)
				}
			}
			c.totalInvoice(id)
		}
	}
	return nil
}

// onAction carries out an action and reports whether it is modelled.
func (c *change) onAction(action string) (modelled bool, refusal *apiError) {
	status := text(c.fields["status"])
	now := c.server.now().Unix()
	switch c.kind + " " + action {
	case "payment_intent confirm":
		return true, c.confirm()
	case "payment_intent capture":
		return true, c.capture()
	case "payment_intent cancel":
		if status == "succeeded" || status == "canceled" {
			return true, unexpected("You cannot cancel this PaymentIntent because it has a status of " + status + ".")
		}
		c.fields["status"], c.fields["canceled_at"], c.fields["amount_capturable"] = "canceled", now, 0
		c.fields["cancellation_reason"] = c.params["cancellation_reason"]
		c.emit("payment_intent.canceled")
	case "payout cancel":
		if status != "pending" {
			return true, invalid("Only pending payouts can be canceled; this one is " + status + ".")
		}
		c.fields["status"] = "canceled"
		c.emit("payout.canceled")
	case "refund cancel":
		if status != "requires_action" {
			return true, invalid("Only refunds that require action can be canceled.")
		}
		c.fields["status"] = "canceled"
		c.emit("refund.updated")
	case "invoice finalize":
		return true, c.finalize()
	case "invoice void":
		if status != "open" && status != "uncollectible" {
			return true, invalid("You can only pass in open or uncollectible invoices to void; this one is " + status + ".")
		}
		c.fields["status"] = "void"
		c.transition("voided_at")
		c.emit("invoice.voided", "invoice.updated")
	case "invoice mark_uncollectible":
		if status != "open" {
			return true, invalid("You can only mark open invoices uncollectible.")
		}
		c.fields["status"] = "uncollectible"
		c.transition("marked_uncollectible_at")
		c.emit("invoice.marked_uncollectible", "invoice.updated")
	case "invoice send":
		if status == "draft" {
			if e := c.finalize(); e != nil {
				return true, e
			}
		}
		c.emit("invoice.sent")
	case "invoice pay":
		if status == "draft" {
			if e := c.finalize(); e != nil {
				return true, e
			}
			status = text(c.fields["status"])
		}
		switch status {
		case "open":
			c.pay()
		case "paid":
			return true, invalid("Invoice is already paid").with("invoice_already_paid", "")
		default:
			return true, invalid("This invoice cannot be paid: it is " + status + ".")
		}
	case "payment_method attach":
		c.fields["customer"] = c.params["customer"]
		c.emit("payment_method.attached")
	case "payment_method detach":
		c.fields["customer"] = nil
		c.emit("payment_method.detached")
	default:
		return false, nil
	}
	return true, nil
}

// money writes an amount for people.
func money(amount int64) string { return "$" + strconv.FormatFloat(float64(amount)/100, 'f', 2, 64) }

const day = 24 * 60 * 60 // seconds

func (c *change) has(name string) bool {
	_, ok := c.params[name]
	return ok
}

// fresh makes another object in the same space, now.
func (c *change) fresh(kind string) map[string]any {
	return c.server.spec.fresh(kind, c.space, c.server.now().Unix())
}

func unexpected(message string) *apiError {
	return invalid(message).with("payment_intent_unexpected_state", "")
}

// Customers.

func (c *change) createCustomer() {
	id := text(c.fields["id"])
	c.fields["invoice_prefix"] = newID("", 8)
	ids, _ := c.params["tax_id_data"].([]any)
	for _, item := range ids {
		data, _ := item.(map[string]any)
		taxID := c.fresh("tax_id")
		taxID["customer"], taxID["type"], taxID["value"] = id, data["type"], data["value"]
		taxID["owner"] = map[string]any{"type": "customer", "customer": id}
		country, _, _ := strings.Cut(text(data["type"]), "_")
		if taxID["country"] = strings.ToUpper(country); country == "eu" {
			taxID["country"] = text(data["value"])[:min(2, len(text(data["value"])))]
		}
		c.put("tax_id", taxID, extras{parent: id}, "customer.tax_id.created")
	}
	if method, ok := c.params["payment_method"].(string); ok {
		if o := c.space.live("payment_method", method); o != nil {
			attached := clone(o.fields)
			attached["customer"] = id
			c.put("payment_method", attached, extras{}, "payment_method.attached")
		}
	}
}

// Payments.

// mintPaymentMethod makes an object of one of Stripe's test payment methods (pm_card_visa), as attaching one does.
func (q *request) mintPaymentMethod() {
	id := q.target()
	brand, ok := strings.CutPrefix(id, "pm_card_")
	if !ok || q.space.live("payment_method", id) != nil {
		return
	}
	fields := q.server.spec.fresh("payment_method", q.space, q.server.now().Unix())
	if card, ok := fields["card"].(map[string]any); ok && brand != "" {
		card["brand"] = brand
	}
	q.values[len(q.values)-1] = q.space.insert("payment_method", fields, extras{}).id
}

// describePaymentMethod keeps of the sample's details only those of the type asked for.
func (c *change) describePaymentMethod() {
	if _, given := c.params["billing_details"]; !given && c.kind == "payment_method" {
		c.fields["billing_details"] = map[string]any{
			"address": map[string]any{"city": nil, "country": nil, "line1": nil, "line2": nil, "postal_code": nil, "state": nil},
			"email":   nil, "name": nil, "phone": nil,
		}
	}
	typ := text(c.fields["type"])
	if typ == "card" {
		return
	}
	delete(c.fields, "card")
	if c.fields[typ] == nil {
		c.fields[typ] = map[string]any{}
	}
}

func (c *change) createPaymentIntent() *apiError {
	id := text(c.fields["id"])
	c.fields["client_secret"] = id + "_secret_" + newID("", 25)
	c.fields["status"] = "requires_payment_method"
	if automatic, ok := c.params["automatic_payment_methods"].(map[string]any); ok {
		c.fields["automatic_payment_methods"] = map[string]any{"enabled": automatic["enabled"], "allow_redirects": "always"}
	}
	if c.has("payment_method") || c.has("payment_method_data") {
		c.fields["status"] = "requires_confirmation"
	}
	if c.params["confirm"] == true {
		return c.confirm()
	}
	c.takePaymentMethod()
	return nil
}

// takePaymentMethod makes the payment method that payment_method_data describes.
func (c *change) takePaymentMethod() {
	data, ok := c.params["payment_method_data"].(map[string]any)
	if !ok {
		return
	}
	method := c.fresh("payment_method")
	c.space.assign(c.server.spec.schema("payment_method"), method, data)
	(&change{request: c.request, fields: method}).describePaymentMethod()
	c.fields["payment_method"] = method["id"]
	c.put("payment_method", method, extras{})
}

// confirm tries the payment. Stripe's test cards that are declined (pm_card_visa_chargeDeclined) are declined.
func (c *change) confirm() *apiError {
	c.takePaymentMethod()
	c.space.assign(c.server.spec.schema("payment_intent"), c.fields, c.params)
	status, method := text(c.fields["status"]), text(c.fields["payment_method"])
	switch {
	case status == "succeeded" || status == "canceled" || status == "requires_capture" || status == "processing":
		return unexpected("You cannot confirm this PaymentIntent because it has a status of " + status + ".")
	case method == "":
		return unexpected("You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a payment method or ConfirmationToken.")
	case strings.Contains(method, "chargeDeclined"):
		e := declined("generic_decline")
		if strings.Contains(method, "InsufficientFunds") {
			e = declined("insufficient_funds")
		}
		c.fields["status"], c.fields["payment_method"] = "requires_payment_method", nil
		c.fields["last_payment_error"] = map[string]any{"code": e.Code, "decline_code": e.DeclineCode, "message": e.Message, "type": e.Type}
		events := []string{"payment_intent.payment_failed"}
		if c.old == nil {
			events = append([]string{"payment_intent.created"}, events...)
		}
		c.put("payment_intent", c.fields, c.hidden, events...)
		return e
	}
	c.fields["last_payment_error"], c.fields["next_action"] = nil, nil

	amount := c.fields["amount"]
	charge := c.fresh("charge")
	for _, name := range [...]string{"amount", "currency", "customer", "description", "payment_method", "receipt_email", "shipping", "statement_descriptor", "transfer_group"} {
		charge[name] = cloneValue(c.fields[name])
	}
	charge["metadata"] = cloneValue(c.fields["metadata"])
	charge["payment_intent"], charge["paid"], charge["status"] = c.fields["id"], true, "succeeded"
	c.fields["latest_charge"] = charge["id"]
	if c.fields["capture_method"] == "manual" {
		c.fields["status"], c.fields["amount_capturable"] = "requires_capture", amount
		charge["captured"], charge["amount_captured"], charge["balance_transaction"] = false, 0, nil
		c.put("charge", charge, extras{}, "charge.succeeded")
		c.emit("payment_intent.amount_capturable_updated")
		return nil
	}
	c.fields["status"], c.fields["amount_received"] = "succeeded", amount
	charge["captured"], charge["amount_captured"] = true, amount
	charge["balance_transaction"] = c.book("charge", text(charge["id"]), number(amount), charge["currency"])
	c.put("charge", charge, extras{}, "charge.succeeded")
	c.emit("payment_intent.succeeded")
	return nil
}

func (c *change) capture() *apiError {
	if status := text(c.fields["status"]); status != "requires_capture" {
		return unexpected("This PaymentIntent could not be captured because it has a status of " + status + ". Only a PaymentIntent with one of the following statuses may be captured: requires_capture.")
	}
	amount := number(c.fields["amount_capturable"])
	if given, ok := c.params["amount_to_capture"]; ok {
		if number(given) > amount {
			return invalid(fmt.Sprintf("The payment could not be captured because the requested capture amount is greater than the amount you can capture for this charge (%s).", money(amount))).with("amount_too_large", "amount_to_capture")
		}
		amount = number(given)
	}
	c.space.assign(c.server.spec.schema("payment_intent"), c.fields, c.params)
	c.fields["status"], c.fields["amount_received"], c.fields["amount_capturable"] = "succeeded", amount, 0
	if o := c.space.live("charge", text(c.fields["latest_charge"])); o != nil {
		charge := clone(o.fields)
		charge["captured"], charge["amount_captured"] = true, amount
		charge["balance_transaction"] = c.book("charge", o.id, amount, charge["currency"])
		c.put("charge", charge, extras{}, "charge.captured")
	}
	c.emit("payment_intent.succeeded")
	return nil
}

// book stores a balance transaction and returns its id. Money that leaves is negative.
func (c *change) book(typ, source string, amount int64, currency any) string {
	entry := c.fresh("balance_transaction")
	entry["type"], entry["source"], entry["currency"] = typ, source, currency
	entry["amount"], entry["net"], entry["fee"], entry["fee_details"] = amount, amount, 0, []any{}
	entry["reporting_category"] = typ
	entry["available_on"] = c.server.now().Unix()
	c.put("balance_transaction", entry, extras{})
	return text(entry["id"])
}

func (c *change) createRefund() *apiError {
	id := text(c.params["charge"])
	if intent := text(c.params["payment_intent"]); intent != "" {
		if o := c.space.live("payment_intent", intent); o != nil {
			if id = text(o.fields["latest_charge"]); id == "" {
				return invalid("This PaymentIntent ("+intent+") does not have a successful charge to refund.").with("payment_intent_unexpected_state", "")
			}
		}
	} else if id == "" {
		return invalid("One of the following params should be provided for this request: payment_intent or charge.").with("parameter_missing", "")
	}
	c.fields["charge"] = id
	if id == "" {
		c.fields["charge"] = nil
	}
	o := c.space.live("charge", id)
	if o == nil {
		return nil // not stored, so there is nothing to keep account of
	}
	left := number(o.fields["amount_captured"]) - number(o.fields["amount_refunded"])
	if left <= 0 {
		return invalid("Charge "+id+" has already been refunded.").with("charge_already_refunded", "")
	}
	amount := left
	if given, ok := c.params["amount"]; ok {
		amount = number(given)
	}
	if amount > left {
		return invalid(fmt.Sprintf("Refund amount (%s) is greater than unrefunded amount on charge (%s)", money(amount), money(left))).with("", "amount")
	}
	charge := clone(o.fields)
	charge["amount_refunded"] = number(charge["amount_refunded"]) + amount
	charge["refunded"] = amount == left
	c.put("charge", charge, extras{}, "charge.refunded")
	c.fields["amount"], c.fields["currency"], c.fields["payment_intent"] = amount, charge["currency"], charge["payment_intent"]
	c.fields["status"] = "succeeded"
	c.fields["balance_transaction"] = c.book("refund", text(c.fields["id"]), -amount, charge["currency"])
	return nil
}

func (c *change) createPayout() {
	now := c.server.now().Unix()
	c.fields["automatic"], c.fields["status"], c.fields["reconciliation_status"] = false, "pending", "not_applicable"
	c.fields["arrival_date"] = now - now%day + 2*day
	c.fields["balance_transaction"] = c.book("payout", text(c.fields["id"]), -number(c.fields["amount"]), c.fields["currency"])
}

// Catalogue.

func (c *change) createPrice() {
	c.fields["unit_amount_decimal"] = strconv.FormatInt(number(c.fields["unit_amount"]), 10)
	if !c.has("recurring") {
		c.fields["recurring"], c.fields["type"] = nil, "one_time"
	}
	if data, ok := c.params["product_data"].(map[string]any); ok {
		product := c.fresh("product")
		c.space.assign(c.server.spec.schema("product"), product, data)
		c.fields["product"] = product["id"]
		c.put("product", product, extras{}, "product.created")
	}
}

func (c *change) createPaymentLink() {
	id := text(c.fields["id"])
	c.fields["url"] = "https://buy.stripe.com/test_" + newID("", 18)
	items, _ := c.params["line_items"].([]any)
	for _, given := range items {
		data, _ := given.(map[string]any)
		item := c.fresh("item")
		price := c.space.lookUp("price", text(data["price"]))
		quantity := max(1, number(data["quantity"]))
		total := number(price["unit_amount"]) * quantity
		item["price"], item["quantity"], item["currency"] = clone(price), quantity, price["currency"]
		item["amount_subtotal"], item["amount_total"] = total, total
		c.put("item", item, extras{parent: id})
	}
}

// Invoices.

func (c *change) createInvoice() *apiError {
	id := text(c.fields["id"])
	now := c.server.now().Unix()
	c.fields["status"], c.fields["number"] = "draft", nil
	c.fields["auto_advance"] = c.params["auto_advance"] == true
	if customer := c.space.live("customer", text(c.fields["customer"])); customer != nil {
		for _, name := range [...]string{"address", "email", "name", "phone", "shipping"} {
			c.fields["customer_"+name] = cloneValue(customer.fields[name])
		}
	}
	if c.fields["collection_method"] == "send_invoice" {
		if !c.has("days_until_due") && !c.has("due_date") {
			return invalid("If invoice collection method is `send_invoice`, one of `days_until_due` or `due_date` must be provided.").with("parameter_missing", "")
		}
		if days, ok := c.params["days_until_due"]; ok {
			c.fields["due_date"] = now + number(days)*day
		}
	}
	// Stripe's default is to leave them out since 2022-08-01.
	if c.params["pending_invoice_items_behavior"] == "include" {
		for _, o := range c.space.shelves["invoiceitem"] {
			if o.fields["invoice"] != nil || text(o.fields["customer"]) != text(c.fields["customer"]) || text(o.fields["currency"]) != text(c.fields["currency"]) && c.has("currency") {
				continue
			}
			taken := clone(o.fields)
			taken["invoice"] = id
			(&change{request: c.request, fields: taken}).putLine(id)
			c.put("invoiceitem", taken, extras{})
		}
	}
	c.space.total(c.fields)
	return nil
}

func (c *change) createInvoiceItem() *apiError {
	now := c.server.now().Unix()
	c.fields["date"] = now
	c.fields["quantity"] = 1
	if quantity, ok := c.params["quantity"]; ok {
		c.fields["quantity"] = quantity
	}
	if !c.has("period") {
		c.fields["period"] = map[string]any{"start": now, "end": now}
	}
	if e := c.price(); e != nil {
		return e
	}
	invoice := text(c.params["invoice"])
	if o := c.space.live("invoice", invoice); o != nil {
		if o.fields["status"] != "draft" {
			return invalid("Invoice "+invoice+" is no longer a draft.").with("invoice_not_editable", "invoice")
		}
		c.fields["customer"] = o.fields["customer"]
		c.putLine(invoice)
		c.totalInvoice(invoice)
	}
	return nil
}

// price works out the amount of an invoice item.
func (c *change) price() *apiError {
	quantity := max(1, number(c.fields["quantity"]))
	unit := number(c.fields["unit_amount"])
	switch {
	case c.has("amount"):
		unit = number(c.params["amount"]) / quantity
		c.fields["amount"] = c.params["amount"]
	case c.has("price"):
		price := c.space.lookUp("price", text(c.params["price"]))
		unit = number(price["unit_amount"])
		c.fields["price"], c.fields["currency"], c.fields["amount"] = clone(price), price["currency"], unit*quantity
	case c.has("unit_amount"), c.has("quantity"):
		c.fields["amount"] = unit * quantity
	case c.old == nil && !c.has("unit_amount_decimal") && !c.has("price_data"):
		c.fields["amount"], unit = 0, 0
	}
	c.fields["unit_amount"], c.fields["unit_amount_decimal"] = unit, strconv.FormatInt(unit, 10)
	return nil
}

// putLine writes the line that an invoice item is on its invoice.
func (c *change) putLine(invoice string) {
	line := c.fresh("line_item")
	line["id"] = newID("il_", 24)
	for _, o := range c.space.shelves["line_item"] {
		if o.fields["invoice_item"] == c.fields["id"] {
			line["id"] = o.id
		}
	}
	for _, name := range [...]string{"amount", "currency", "description", "discountable", "metadata", "period", "price", "quantity", "tax_rates"} {
		if value, ok := c.fields[name]; ok {
			line[name] = cloneValue(value)
		}
	}
	line["amount_excluding_tax"], line["unit_amount_excluding_tax"] = c.fields["amount"], c.fields["unit_amount_decimal"]
	line["invoice"], line["invoice_item"] = invoice, c.fields["id"]
	c.put("line_item", line, extras{parent: invoice})
}

// totalInvoice adds up a stored invoice anew.
func (c *change) totalInvoice(id string) {
	if o := c.space.live("invoice", id); o != nil {
		invoice := clone(o.fields)
		c.space.total(invoice)
		c.put("invoice", invoice, o.extrasOnly(), "invoice.updated")
	}
}

// extrasOnly returns what is hidden of the object, without its bytes.
func (o *object) extrasOnly() extras {
	x := o.extras
	x.raw = nil
	return x
}

// total writes the lines and their sum into an invoice.
func (sp *space) total(invoice map[string]any) {
	id := text(invoice["id"])
	lines, sum, more := []any{}, int64(0), false
	for _, o := range sp.shelves["line_item"] {
		if o.parent != id {
			continue
		}
		sum += number(o.fields["amount"])
		if len(lines) == defaultLimit {
			more = true
			continue
		}
		lines = append(lines, clone(o.fields))
	}
	invoice["lines"] = map[string]any{"object": "list", "data": lines, "has_more": more, "url": "/v1/invoices/" + id + "/lines"}
	for _, name := range [...]string{"subtotal", "subtotal_excluding_tax", "total", "total_excluding_tax", "amount_due", "amount_remaining"} {
		invoice[name] = sum
	}
	invoice["amount_paid"] = 0
}

// transition notes when the invoice came into its status.
func (c *change) transition(name string) {
	transitions, _ := c.fields["status_transitions"].(map[string]any)
	transitions = clone(transitions)
	transitions[name] = c.server.now().Unix()
	c.fields["status_transitions"] = transitions
}

func (c *change) finalize() *apiError {
	if c.fields["status"] != "draft" {
		return invalid("This invoice is already finalized, you can't re-finalize a non-draft invoice.").with("invoice_not_editable", "")
	}
	id := text(c.fields["id"])
	numbered := 1
	for _, o := range c.space.shelves["invoice"] {
		if o.fields["number"] != nil {
			numbered++
		}
	}
	c.fields["status"] = "open"
	c.fields["number"] = fmt.Sprintf("%s-%04d", strings.ToUpper(strings.TrimPrefix(c.space.account, "acct_")), numbered)
	c.fields["effective_at"] = c.server.now().Unix()
	c.fields["hosted_invoice_url"] = "https://invoice.stripe.com/i/" + c.space.account + "/" + id
	c.fields["invoice_pdf"] = "https://pay.stripe.com/invoice/" + c.space.account + "/" + id + "/pdf"
	c.transition("finalized_at")
	c.emit("invoice.finalized", "invoice.updated")
	if number(c.fields["amount_due"]) == 0 {
		c.pay()
	}
	return nil
}

func (c *change) pay() {
	c.fields["status"], c.fields["paid"], c.fields["attempted"] = "paid", true, true
	c.fields["paid_out_of_band"] = c.params["paid_out_of_band"] == true
	c.fields["amount_paid"], c.fields["amount_remaining"] = c.fields["amount_due"], 0
	c.transition("paid_at")
	c.emit("invoice.paid", "invoice.payment_succeeded", "invoice.updated")
}

// Webhook endpoints.

func (c *change) createEndpoint() *apiError {
	mode := "test"
	if c.space.livemode {
		mode = "live"
	}
	if limit := c.server.opts.EndpointLimit; len(c.space.shelves["webhook_endpoint"]) >= limit {
		return &apiError{
			Status: http.StatusBadRequest, Type: "invalid_request_error",
			Message: fmt.Sprintf("You have reached the maximum of %d %s webhook endpoints.", limit, mode),
		}
	}
	if url := text(c.params["url"]); !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://") {
		return invalid("Invalid URL: An explicit scheme (such as https) must be provided.").with("url_invalid", "url")
	} else if c.space.livemode && !strings.HasPrefix(url, "https://") {
		return invalid("Invalid URL: URL must be HTTPS in live mode.").with("url_invalid", "url")
	}
	c.fields["status"], c.fields["application"] = "enabled", nil
	if !c.has("api_version") {
		c.fields["api_version"] = nil
	}
	c.hidden.connect = c.params["connect"] == true
	c.hidden.secret = newID("whsec_", 32)
	delete(c.fields, "secret") // shown once
	c.shown = map[string]any{"secret": c.hidden.secret}
	return nil
}
