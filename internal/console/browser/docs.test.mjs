// The pages under /docs in a real browser: a person who knows nothing else comes from the list of modules to a confirmed payment
// by copying; then the pages, light, dark and at 400 pixels, for axe-core and for a picture.
import assert from "node:assert/strict";
import {execFile} from "node:child_process";
import {mkdir} from "node:fs/promises";
import {join} from "node:path";
import {after, before, test} from "node:test";
import {promisify} from "node:util";
import {faults, key, start, token} from "./rig.mjs";

let rig, page;
const broken = []; // what the browser complained about, or fetched from elsewhere

const watch = (context) => {
	context.setDefaultTimeout(60_000);
	context.on("page", (p) => {
		p.on("pageerror", (e) => broken.push(`${p.url()}: ${e}`));
		p.on("console", (m) => {
			if (m.type() === "error" && !m.text().startsWith("Failed to load resource")) broken.push(`${p.url()}: ${m.text()}`);
		});
		p.on("request", (r) => { if (!/^(data|blob):/.test(r.url()) && !r.url().startsWith(rig.url)) broken.push(`${p.url()} asks for ${r.url()}`); });
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

// copy presses the button of a block and answers what is on the clipboard then.
const copy = async (title) => {
	const bar = page.locator(".bar").filter({hasText: title});
	await bar.getByRole("button").click();
	await bar.getByText("Copied").waitFor();
	return page.evaluate(() => navigator.clipboard.readText());
};

// shell runs a command as it was copied, and answers the JSON that it printed.
const shell = async (command) => JSON.parse((await promisify(execFile)("sh", ["-c", command.replace(/^curl /, "curl -sS ")])).stdout);

// find comes from the list to a module by searching.
const find = async (words, name) => {
	await page.goto(rig.url + "/docs");
	await page.keyboard.type(words); // the search has the focus
	await page.getByRole("link", {name}).waitFor();
	await page.keyboard.press("Enter");
	await page.getByRole("heading", {level: 1, name}).waitFor();
	await page.getByLabel("API token").fill(token);
};

test("from the list to a confirmed payment", async () => {
	await page.goto(rig.url + "/docs");
	const connection = await shell((await copy("Add a connection")).replace("YOUR_TOKEN", token).replace("sk_test_…", key));
	assert.match(connection.id, /^conn_/);

	await find("create payment intent amount", "Create a Payment Intent");
	await page.getByLabel("Connection").fill(connection.id);
	const intent = await shell(await copy("Shortest call"));
	assert.equal(intent.status, "requires_payment_method");

	await find("confirm mandate", "Confirm a Payment Intent");
	await page.getByLabel("Connection").fill(connection.id);
	const shortest = await copy("Shortest call");
	assert.ok(!shortest.includes("receipt_email"), "the shortest call has what the payment does not need");
	const withIntent = shortest.replace(/pi_\w+/, intent.id);
	assert.equal((await shell(withIntent)).error_type, "DataError", "there is no payment method yet");
	// The form says where a saved payment method goes.
	const field = page.locator(".option").filter({hasText: "With existing"}).locator("li").filter({hasText: "Payment Method ID"});
	const name = await field.locator(".head code").textContent();
	const confirmed = await shell(withIntent.replace(/\n\}'$/, `,\n  "${name}": "pm_card_visa"\n}'`));
	assert.equal(confirmed.status, "succeeded", JSON.stringify(confirmed));
});

test("every page in light, dark and 400 pixels", async (t) => {
	const pages = {
		"docs-index": "/docs", "docs-confirm": "/docs/modules/confirm-payment-intent", "docs-watch": "/docs/modules/watch-events",
		"docs-call": "/docs/modules/make-an-api-call", "docs-missing": "/docs/nowhere",
	};
	const folder = process.env.SCREENSHOTS;
	if (folder) await mkdir(folder, {recursive: true});
	for (const [look, options] of Object.entries({
		light: {colorScheme: "light", viewport: {width: 1360, height: 900}},
		dark: {colorScheme: "dark", viewport: {width: 1360, height: 900}},
		small: {colorScheme: "light", viewport: {width: 400, height: 800}},
	})) {
		const context = watch(await rig.browser.newContext({...options, reducedMotion: "reduce"}));
		const at = await context.newPage();
		for (const [name, path] of Object.entries(pages)) {
			await t.test(`${name}, ${look}`, async () => {
				await at.goto(rig.url + path);
				if (folder) await at.screenshot({path: join(folder, `${name}-${look}.png`), fullPage: true});
				assert.deepEqual(await faults(at), [], "axe-core");
				const over = await at.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
				assert.ok(over <= 0, `the page is ${over} pixels too wide`);
			});
		}
		await context.close();
	}
});

test("the reference needs nothing from elsewhere", async () => {
	await page.goto(rig.url + "/docs/reference");
	await page.getByRole("heading", {name: "stripe-connector"}).first().waitFor();
	await page.getByText("Bundles", {exact: true}).first().waitFor();
});
