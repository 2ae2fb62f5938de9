// The console's main journeys in a real browser, with the whole connector and a local Stripe behind it; then every page, light
// and dark, for a picture, for axe-core, and at 400 pixels. Pictures go to SCREENSHOTS, if that names a folder.
import assert from "node:assert/strict";
import {execFileSync} from "node:child_process";
import {mkdir} from "node:fs/promises";
import {join} from "node:path";
import {after, before, test} from "node:test";
import {faults, key, start, token} from "./rig.mjs";

let rig, page;
const broken = []; // what the browser complained about

const watch = (context) => {
	context.setDefaultTimeout(15_000);
	context.on("page", (p) => {
		p.on("pageerror", (e) => broken.push(`${p.url()}: ${e}`));
		p.on("console", (m) => {
			// A form that is answered with 4xx is shown, and a lookup that is overtaken by typing is given up: no faults of the page.
			if (m.type() === "error" && !/^Failed to load resource|^htmx:(sendAbort|afterRequest)/.test(m.text())) broken.push(`${p.url()}: ${m.text()}`);
		});
		p.on("request", (r) => { if (!r.url().startsWith(rig.url)) broken.push(`${p.url()} asks for ${r.url()}`); });
	});
	return context;
};

before(async () => {
	rig = await start();
	const context = watch(await rig.browser.newContext({viewport: {width: 1360, height: 900}}));
	await context.grantPermissions(["clipboard-read", "clipboard-write"], {origin: rig.url});
	page = await context.newPage();
});
after(async () => {
	await rig?.end();
	assert.deepEqual(broken, []);
});

const visible = (locator) => locator.waitFor({state: "visible"});
const go = (path) => page.goto(rig.url + path);

test("sign in with the keyboard", async () => {
	await go("/console/connections");
	await page.keyboard.type("sc_wrong"); // the field has the focus
	await page.keyboard.press("Enter");
	await visible(page.getByRole("alert").getByText("not valid"));
	await page.keyboard.type(token);
	await page.keyboard.press("Enter");
	await visible(page.getByRole("heading", {name: "Connections", exact: true}));
	await page.keyboard.press("Tab");
	await page.keyboard.press("Enter"); // skips to the content
	assert.equal(await page.evaluate(() => document.activeElement.id), "main");
});

test("day one: the overview tells the first steps", async () => {
	await go("/console/");
	await visible(page.getByText("Three steps to the first event"));
	await page.getByRole("link", {name: "Attach a webhook"}).click();
	await page.getByRole("link", {name: "Add a connection"}).click(); // which comes first
	await visible(page.getByRole("heading", {name: "Add the first connection"}));
});

test("add a connection", async () => {
	await go("/console/connections");
	await page.getByLabel("Name").fill("Shop");
	await page.getByLabel("Secret or restricted key").fill("sk_test_revoked");
	await page.keyboard.press("Enter");
	await visible(page.getByText("is refused by Stripe"));
	assert.equal(await page.getByLabel("Secret or restricted key").inputValue(), "");
	await page.getByLabel("Secret or restricted key").fill(key);
	await page.keyboard.press("Enter");
	await visible(page.getByText("Shop is connected."));
	await page.getByRole("button", {name: "Check Shop"}).click();
	await visible(page.getByText("Stripe takes the key."));
});

test("a module with faults, then done", async () => {
	await go("/console/modules");
	await page.getByLabel("Find a module").fill("payment intent");
	assert.equal(await page.getByRole("link", {name: "Create a Refund"}).isVisible(), false);
	await page.getByRole("link", {name: "Create a Payment Intent"}).click();
	await page.getByLabel("Amount", {exact: false}).first().fill("12.50");
	await page.getByRole("button", {name: "Run"}).click();
	await visible(page.locator("#faults"));
	const amount = page.locator("#in-amount");
	assert.equal(await amount.getAttribute("aria-invalid"), "true");
	assert.equal(await amount.inputValue(), "12.50");
	await page.waitForFunction(() => document.activeElement.matches("[id^=in-][aria-invalid]")); // the first faulty field
	await amount.fill("1250");
	await page.locator("#in-currency").fill("usd");
	for (const label of await page.locator("#faults a").allTextContents()) {
		if (/payment method/i.test(label)) await page.getByLabel(label).first().selectOption({index: 1});
	}
	await page.getByRole("button", {name: "Run"}).click();
	await visible(page.locator("#answer").getByText("200", {exact: true}));
	assert.match(await page.locator("#curl").textContent(), /curl 'http.*create-payment-intent'[\s\S]*"amount": 1250/);
	await page.locator("#in-description").fill("it's $HOME");
	await page.waitForFunction(() => document.getElementById("curl").textContent.includes("HOME")); // the command follows the form
	await page.getByRole("region", {name: "The same call with curl"}).getByRole("button", {name: "Copy"}).click();
	await visible(page.getByText("Copied", {exact: true}).last());
	const answer = await paste(await page.evaluate(() => navigator.clipboard.readText()));
	assert.equal(answer.status, 200);
	assert.equal((await answer.json()).description, "it's $HOME");
});

// paste makes the call of a curl command as a shell would read it.
const paste = (command) => {
	const words = execFileSync("sh", ["-c", `curl() { printf '%s\\0' "$@"; }; ${command}`], {encoding: "utf8", env: {CONNECTOR_TOKEN: token}}).split("\0");
	const headers = {};
	let body;
	for (let i = 1; i + 1 < words.length; i += 2) {
		if (words[i] === "-H") headers[words[i + 1].split(": ")[0]] = words[i + 1].split(": ")[1];
		else if (words[i] === "-d") body = words[i + 1];
		else assert.fail("curl is given " + words[i]);
	}
	return fetch(words[0], {method: "POST", headers, body});
};

test("a module with rows, by keyboard", async () => {
	await go("/console/modules/create-customer");
	await page.locator("#in-name").fill("<b>Ann</b>");
	await page.getByRole("button", {name: "Add to Metadata"}).focus();
	await page.keyboard.press("Enter");
	await page.getByLabel("Key").fill("note");
	await page.getByLabel("Value").fill("<script>alert(1)</script>");
	await page.locator("#in-name").focus();
	await page.keyboard.press("Enter");
	await visible(page.locator("#answer").getByText("200", {exact: true}));
	assert.match(await page.locator("#answer-json").textContent(), /<script>alert\(1\)<\/script>/);
	await page.waitForFunction(() => document.activeElement.id === "answer-head"); // the focus follows the answer
});

test("a lookup and a nested choice", async () => {
	await go("/console/modules/create-invoice");
	const customer = page.locator("#in-customer");
	await customer.fill("ann");
	const offer = page.getByRole("option").filter({hasText: "Ann"}).first();
	await visible(offer);
	await page.keyboard.press("ArrowDown");
	await page.keyboard.press("Enter");
	assert.match(await customer.inputValue(), /^cus_/);
	const days = page.locator("#in-days_until_due");
	const method = page.locator("#in-collection_method");
	await method.selectOption("charge_automatically");
	await days.waitFor({state: "detached"});
	await method.focus();
	await method.selectOption("send_invoice");
	await visible(days);
	await page.waitForFunction(() => document.activeElement.id === "in-collection_method"); // kept over the exchange
	assert.match(await customer.inputValue(), /^cus_/);
	await days.fill("30");
	await page.getByRole("button", {name: "Run"}).click();
	await visible(page.locator("#answer"));
});

test("choices bring fields, and sections stay as they were opened", async () => {
	await go("/console/modules/confirm-payment-intent");
	const city = page.locator("#in-shipping-address-city");
	assert.equal(await city.isVisible(), false);
	await page.getByText("Shipping", {exact: true}).focus();
	await page.keyboard.press("Enter");
	await city.fill("Rotterdam");
	await page.getByText("Payment Method Options", {exact: true}).click();
	const how = page.locator("#in-payment_method_mode");
	await how.selectOption("create");
	const kind = page.locator("#in-payment_method_data-type");
	await visible(kind);
	assert.equal(await city.inputValue(), "Rotterdam");
	await visible(page.locator("#in-payment_method_types"));
	// Whoever is faster than the page gets what was chosen last.
	await how.evaluate((select) => {
		for (const value of ["", "create", "existing"]) {
			select.value = value;
			select.dispatchEvent(new Event("change", {bubbles: true}));
		}
	});
	await visible(page.locator("#in-payment_method"));
	assert.equal(await how.inputValue(), "existing");
	assert.equal(await kind.count(), 0);
	await page.getByRole("button", {name: "Run"}).click();
	await visible(page.locator("#faults"));
	await page.locator("#faults a").last().click();
	await page.waitForFunction(() => document.activeElement.id === "in-shipping-name"); // required once there is an address
});

test("a lookup offers what fits", async () => {
	const [{id: connection}] = (await rig.api("GET", "/v1/connections")).data;
	const run = (module, bundle) => rig.api("POST", "/v1/modules/" + module, {connection, ...bundle});
	const invoice = async (customer, description) => {
		await run("create-invoice-item", {customer, amount_mode: "total_amount", amount: 500, currency: "usd"});
		return run("create-invoice", {customer, description});
	};
	const ida = await run("create-customer", {name: "Ida"}), jon = await run("create-customer", {name: "Jon"});
	const draft = await invoice(ida.id, "draft"), open = await invoice(ida.id, "open"), other = await invoice(jon.id, "draft");
	await run("finalize-draft-invoice", {invoice: open.id});
	await go("/console/modules/create-invoice-item");
	const customer = page.locator("#in-customer");
	await customer.focus();
	await page.keyboard.type("ida", {delay: 40});
	await visible(page.getByRole("option").filter({hasText: "Ida"}));
	await page.keyboard.press("ArrowDown");
	await page.keyboard.press("Enter");
	assert.equal(await customer.inputValue(), ida.id);
	await page.keyboard.press("Tab");
	await page.keyboard.press("ArrowDown"); // opens the menu of Invoice ID
	const offers = page.locator("#in-invoice-menu [role=option]");
	await visible(offers.filter({hasText: draft.id}));
	assert.deepEqual(await offers.filter({hasText: new RegExp(open.id + "|" + other.id)}).count(), 0);
	await page.keyboard.press("Escape");
	await page.locator("#in-amount_mode").selectOption("unit_amount_quantity");
	await visible(page.locator("#in-quantity"));
	await page.locator("#in-amount_mode").selectOption("total_amount");
	await page.locator("#in-quantity").waitFor({state: "detached"});
});

test("any call of Stripe's", async () => {
	await go("/console/modules/make-an-api-call");
	await page.locator("#in-url").fill("/v1/customers");
	await page.getByRole("button", {name: "Add to Query String"}).focus();
	await page.keyboard.press("Enter");
	await page.getByLabel("Key").fill("limit");
	await page.getByLabel("Value").fill("1");
	await page.keyboard.press("Enter");
	await visible(page.locator("#answer-head").getByText("200"));
	const answer = JSON.parse(await page.locator("#answer-json").textContent());
	assert.equal(answer.body.data.length, 1);
});

test("attach a webhook", async () => {
	await go("/console/webhooks/new");
	await page.getByLabel("Name").fill("Orders");
	await page.getByLabel("URL").fill(rig.subscriber.url);
	await page.getByLabel("Find an event").fill("customer.created");
	await page.getByRole("checkbox", {name: "customer.created", exact: true}).check();
	await page.getByLabel("Find an event").fill("product");
	await page.getByRole("checkbox", {name: "All of Products"}).check();
	await visible(page.getByText("4 events chosen"));
	await page.getByRole("button", {name: "Attach"}).click();
	await visible(page.getByText("Orders is attached."));
	assert.match(await page.locator("#secret").textContent(), /^whsec_/);
	await page.getByRole("button", {name: "Send a test"}).click();
	await visible(page.getByText("The subscriber took the test."));
	assert.equal(await page.locator("#secret").count(), 0);
});

const customer = async (name) => {
	const [{id}] = (await rig.api("GET", "/v1/connections")).data;
	return rig.api("POST", "/v1/modules/create-customer", {connection: id, name});
};

test("an event arrives while one looks", async () => {
	await go("/console/events");
	const {id} = await customer("Live");
	await visible(page.getByRole("link", {name: "customer.created"}).first());
	await page.getByLabel("Object or event id").fill(id);
	await page.keyboard.press("Enter");
	await page.getByRole("link", {name: "customer.created"}).click();
	await visible(page.locator("#body").getByText(id).first());
	await visible(page.getByText("delivered").first());
	await page.getByRole("link", {name: id}).click(); // all events about it
	await page.waitForURL("**/console/events?object=" + id);
	assert.equal(await page.getByLabel("Object or event id").inputValue(), id);
	await page.getByRole("row").last().hover();
	await page.getByRole("button", {name: /^Copy evt_/}).click();
	await page.waitForFunction(() => document.getElementById("said").textContent === "Copied");
	assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^evt_/);
});

test("a failure is seen and repaired", async () => {
	rig.subscriber.status = 500;
	rig.subscriber.words = "the shop is closed <script>alert(1)</script>";
	await go("/console/");
	for (const name of ["Ben", "Cleo", "Dora"]) await customer(name);
	await visible(page.getByText("3 deliveries are dead."));
	assert.equal(await page.title(), "(1) Overview · Stripe connector");
	const concern = page.getByRole("listitem").filter({hasText: "Orders is failing"});
	await visible(concern.getByText("lastly with 500 Internal Server Error"));
	await concern.getByRole("button", {name: "Send a test"}).click();
	await visible(page.getByText("The subscriber did not take the test."));
	await concern.getByRole("link", {name: "Look at it"}).click();
	await visible(page.getByRole("heading", {name: "Orders failing"}));
	await page.locator("#dead").click();
	await page.getByRole("link", {name: "customer.created"}).first().click();
	await visible(page.getByText("the shop is closed <script>").first());
	await visible(page.getByText("Given up"));
	rig.subscriber.status = 200;
	await page.getByRole("button", {name: "Retry now"}).click();
	await visible(page.locator("#live").getByText("delivered", {exact: true}));
	await go("/console/");
	await visible(page.getByText("2 deliveries are dead for Orders")); // what is left of it
	await page.getByRole("button", {name: "Retry all dead"}).click();
	await visible(page.getByText("All that is dead is queued again."));
	await visible(page.getByText("All is well."));
	assert.equal(await page.title(), "Overview · Stripe connector");
});

test("charts are read with the mouse and with the keyboard", async () => {
	await go("/console/");
	const chart = page.getByRole("img", {name: /^Delivery attempts, \d+ delivered, \d+ failed/});
	const reading = chart.locator(".reading");
	assert.equal(await reading.isVisible(), false);
	const {x, y, width, height} = await chart.locator(".u-over").boundingBox();
	await page.mouse.move(x + width / 2, y + height / 2);
	await visible(reading.getByText("delivered 0 /min"));
	await page.mouse.move(0, 0);
	await reading.waitFor({state: "hidden"});
	await chart.focus();
	await page.keyboard.press("ArrowLeft"); // the newest
	await visible(reading.getByText(/UTC$/));
	await page.waitForFunction(() => /UTC, delivered .* failed /.test(document.getElementById("said").textContent));
	const news = page.waitForResponse((r) => r.url().endsWith("/console/overview"));
	await chart.evaluate((box) => { box.dataset.mark = "kept"; });
	await news;
	await page.waitForFunction(() => document.querySelector("[data-mark=kept]") === document.activeElement); // news do not take it away
});

test("a replay survives a reload", async () => {
	await go("/console/webhooks");
	await page.getByRole("link", {name: "Orders"}).click();
	const before = rig.subscriber.took.length;
	await page.getByRole("button", {name: "Replay"}).click();
	await visible(page.getByText("The replay has begun."));
	await page.reload();
	await visible(page.locator(".job").getByText("done"));
	assert.equal(await page.locator(".job progress").getAttribute("value"), "100");
	while (rig.subscriber.took.length < before + 4) await new Promise(setImmediate);
});

test("pause, resume, rotate", async () => {
	await page.getByRole("button", {name: "Pause"}).click();
	await visible(page.getByText("Paused."));
	await page.getByRole("button", {name: "Resume"}).click();
	await visible(page.getByText("Resumed."));
	await page.getByText("Rotate the signing secret").click();
	await page.getByRole("button", {name: "Make a new secret"}).click();
	await visible(page.getByText("There is a new signing secret."));
});

test("the operations URL", async () => {
	await page.getByRole("link", {name: "Webhooks"}).first().click();
	await page.getByRole("textbox", {name: "URL"}).fill(rig.subscriber.url + "/operations");
	await page.getByRole("button", {name: "Set"}).click();
	await visible(page.getByText("The operations URL is set."));
	assert.match(await page.locator("#secret").textContent(), /^whsec_/);
	await page.getByRole("button", {name: "Send a test"}).click();
	await visible(page.getByText("The subscriber took the test."));
});

// picture takes the page as a whole, in a window that is as tall, so that what sticks to its edges is where it belongs.
const picture = async (at, path) => {
	const size = at.viewportSize();
	await at.setViewportSize({width: size.width, height: Math.max(size.height, await at.evaluate(() => document.documentElement.scrollHeight))});
	await at.screenshot({path});
	await at.setViewportSize(size);
};

test("every page in light, dark and 400 pixels", async (t) => {
	// Something of everything to look at: a failing webhook with what it gave up, and one that is paused.
	rig.subscriber.status = 503;
	const [{id: conn}] = (await rig.api("GET", "/v1/connections")).data;
	await rig.api("POST", "/v1/modules/watch-events", {webhook_name: "Warehouse", connection: conn, group: "all", url: rig.subscriber.url + "/warehouse"});
	const paused = await rig.api("POST", "/v1/modules/watch-events", {webhook_name: "Newsletter", connection: conn, group: "customer", url: rig.subscriber.url + "/news"});
	await rig.api("POST", `/v1/webhooks/${paused.id}/pause`);
	for (const name of ["Eva", "Finn"]) await customer(name);
	const hook = (await rig.api("GET", "/v1/webhooks")).data.find((w) => w.webhook_name === "Warehouse");
	await go(`/console/deliveries?state=dead&webhook=${hook.id}`);
	await visible(page.getByRole("row").filter({hasText: "dead"}).nth(1));
	const dead = (await rig.api("GET", `/v1/deliveries?state=dead&webhook=${hook.id}`)).data;
	const pages = {
		overview: "/console/", modules: "/console/modules", module: "/console/modules/create-invoice", connections: "/console/connections",
		connection: "/console/connections/" + conn, webhooks: "/console/webhooks", attach: "/console/webhooks/new",
		webhook: "/console/webhooks/" + hook.id, events: "/console/events", event: "/console/events/" + dead[0].event,
		deliveries: "/console/deliveries", dead: `/console/deliveries?state=dead&webhook=${hook.id}`, delivery: "/console/deliveries/" + dead[0].id,
		refund: "/console/modules/create-refund", confirm: "/console/modules/confirm-payment-intent",
		object: "/console/events?object=cus_nobody", missing: "/console/webhooks/whk_nothing", "sign-in": "/console/sign-in",
	};
	const folder = process.env.SCREENSHOTS;
	if (folder) await mkdir(folder, {recursive: true});
	const state = await page.context().storageState();
	for (const [look, options] of Object.entries({
		light: {colorScheme: "light", viewport: {width: 1360, height: 900}},
		dark: {colorScheme: "dark", viewport: {width: 1360, height: 900}},
		small: {colorScheme: "light", viewport: {width: 400, height: 800}},
	})) {
		const context = watch(await rig.browser.newContext({...options, storageState: state, reducedMotion: "reduce"}));
		const at = await context.newPage();
		for (const [name, path] of Object.entries(pages)) {
			await t.test(`${name}, ${look}`, async () => {
				await at.goto(rig.url + path);
				if (name === "refund") { // with its faults
					await at.getByRole("button", {name: "Run"}).click();
					await visible(at.locator("#faults"));
				}
				if (folder) await picture(at, join(folder, `${name}-${look}.png`));
				assert.deepEqual(await faults(at), [], "axe-core");
				const over = await at.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
				assert.ok(over <= 0, `the page is ${over} pixels too wide`);
			});
		}
		await context.close();
	}
});

test("the theme is the person's", async () => {
	await go("/console/");
	await page.getByRole("button", {name: "Dark"}).click();
	await page.waitForFunction(() => document.documentElement.dataset.theme === "dark");
	await page.getByRole("button", {name: "Light"}).click();
	await page.waitForFunction(() => document.documentElement.dataset.theme === "light");
});

test("sign out", async () => {
	await page.getByRole("button", {name: "Sign out"}).click();
	await visible(page.getByRole("heading", {name: "Sign in"}));
	await go("/console/webhooks");
	await visible(page.getByRole("heading", {name: "Sign in"}));
});
