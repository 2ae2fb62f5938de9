// The rig of the browser tests: a local Stripe, the connector, a subscriber, and Chromium, each on a free port of this machine.
import {spawn} from "node:child_process";
import {once} from "node:events";
import {mkdtemp, readFile, rm} from "node:fs/promises";
import {createServer} from "node:http";
import {createRequire} from "node:module";
import {createServer as listen} from "node:net";
import {tmpdir} from "node:os";
import {join} from "node:path";
import {fileURLToPath} from "node:url";
import {chromium} from "playwright-core";

const bin = (name) => fileURLToPath(new URL("../../../bin/" + name, import.meta.url));

export const token = "sc_browser_test_admin_token";
export const key = "sk_test_alpha"; // every local Stripe knows it

const freePort = async () => {
	const server = listen().listen(0, "127.0.0.1");
	await once(server, "listening");
	const {port} = server.address();
	server.close();
	return port;
};

// program starts a program and returns it with what it printed until ready matches.
const program = (command, args, env, ready) => new Promise((resolve, reject) => {
	const child = spawn(command, args, {env: {...process.env, ...env}, stdio: ["ignore", "pipe", "pipe"]});
	let out = "";
	child.on("error", reject);
	child.on("exit", (code) => reject(new Error(`${command} ended with ${code}:\n${out}`)));
	for (const stream of [child.stdout, child.stderr]) {
		stream.on("data", (chunk) => {
			out += chunk;
			const found = out.match(ready);
			if (found) resolve({child, found});
		});
	}
});

const stop = async (child) => {
	if (child.exitCode !== null) return;
	const ended = once(child, "exit");
	child.kill("SIGTERM");
	await ended;
};

export const start = async () => {
	const ends = [];
	const stripe = await program(bin("stripe-sandbox"), ["serve", "--listen", "127.0.0.1:0"], {}, /URL\s+(http:\S+)/);
	ends.push(() => stop(stripe.child));

	// The subscriber answers as the test says, and remembers what it took.
	const subscriber = {status: 200, words: "", took: []};
	const server = createServer((req, res) => {
		req.resume().on("end", () => {
			subscriber.took.push(req.headers["webhook-id"]);
			res.writeHead(subscriber.status).end(subscriber.words);
		});
	}).listen(0, "127.0.0.1");
	await once(server, "listening");
	subscriber.url = `http://127.0.0.1:${server.address().port}/hook`;
	ends.push(() => { server.closeAllConnections(); server.close(); });

	const data = await mkdtemp(join(tmpdir(), "console-browser-"));
	ends.push(() => rm(data, {recursive: true}));
	const port = await freePort();
	const url = `http://127.0.0.1:${port}`;
	const connector = await program(bin("stripe-connector"), ["serve"], {
		CONNECTOR_LISTEN: `127.0.0.1:${port}`, CONNECTOR_PUBLIC_URL: url, CONNECTOR_STRIPE_API_BASE: stripe.found[1],
		CONNECTOR_DATABASE_URL: "sqlite:" + join(data, "connector.db"), CONNECTOR_ADMIN_TOKEN: token,
		CONNECTOR_ALLOW_PRIVATE_TARGETS: "true", CONNECTOR_RETRY_SCHEDULE: "100ms,200ms", CONNECTOR_LOG_FORMAT: "json",
	}, /"message":"serving"/);
	ends.push(() => stop(connector.child));

	const browser = await chromium.launch({
		executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
		args: process.getuid() === 0 ? ["--no-sandbox"] : [], // Chromium's own sandbox does not work for root
	});
	ends.push(() => browser.close());
	const api = async (method, path, body) => {
		const res = await fetch(url + path, {method, headers: {Authorization: "Bearer " + token}, body: body && JSON.stringify(body)});
		if (!res.ok) throw new Error(`${method} ${path}: ${res.status} ${await res.text()}`);
		return res.status === 204 ? null : res.json();
	};
	return {url, browser, subscriber, api, end: async () => { for (const end of ends.reverse()) await end(); }};
};

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

// faults are what axe-core calls serious or critical on the page as it is.
export const faults = async (page) => {
	await page.evaluate(axe);
	const {violations} = await page.evaluate(() => axe.run(document, {resultTypes: ["violations"]}));
	return violations.filter((v) => v.impact === "serious" || v.impact === "critical")
		.map((v) => `${v.id}: ${v.help}\n${v.nodes.map((n) => "    " + n.html + "\n      " + n.any.concat(n.all).map((c) => c.message).join("; ")).join("\n")}`);
};
