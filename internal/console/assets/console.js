// What pages do by themselves, beside htmx: copy, search as one types, menus of lookups, and the tree of events.
(() => {
	"use strict";

	// On a small screen the tabs scroll.
	document.querySelector("nav [aria-current]")?.scrollIntoView({block: "nearest", inline: "center"});

	const say = (text) => { document.getElementById("said").textContent = text; };

	// Filters take the first screen of a small one; unused, they are folded away.
	if (matchMedia("(max-width: 800px)").matches) document.querySelector(".filters:not([data-used])")?.removeAttribute("open");

	// A button copies the text that it names, or that stands before it.
	document.addEventListener("click", async (e) => {
		const button = e.target.closest("[data-copy]");
		if (!button) return;
		const source = button.dataset.copy ? document.getElementById(button.dataset.copy) : button.previousElementSibling;
		const label = (text) => { if (!button.matches(".copy")) button.textContent = text; };
		const tell = (text) => {
			say(text);
			label(text);
			button.classList.add("copied");
		};
		try {
			await navigator.clipboard.writeText(source.textContent);
			tell("Copied");
		} catch { // no clipboard without https: mark the text, and copy what is marked
			getSelection().selectAllChildren(source);
			tell(document.execCommand("copy") ? "Copied" : "Press Ctrl+C");
		}
		setTimeout(() => {
			label("Copy");
			button.classList.remove("copied");
		}, 1500);
	});

	// A page that nobody sees does not ask for news.
	document.addEventListener("htmx:beforeRequest", (e) => {
		const polls = (e.target.getAttribute("hx-trigger") || "").startsWith("every");
		// News must not pull the page from under somebody who marks text on it.
		if (polls && (document.hidden || !getSelection().isCollapsed && e.target.contains(getSelection().anchorNode))) e.preventDefault();
	});

	// A page that gets no news says so, and goes on asking.
	const reached = (yes) => {
		if (document.body.classList.contains("offline") === !yes) return;
		document.body.classList.toggle("offline", !yes);
		say(yes ? "The service answers again" : "The service does not answer");
	};
	for (const trouble of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) document.addEventListener(trouble, () => reached(false));
	document.addEventListener("htmx:afterSwap", () => reached(true));

	// Find: items whose words hold what was typed; groups without any go.
	const find = (input) => {
		const scope = document.querySelector(input.dataset.find);
		const typed = input.value.trim().toLowerCase();
		let left = 0;
		for (const group of scope.querySelectorAll("[data-group]")) {
			let some = 0;
			for (const item of group.querySelectorAll("[data-item]")) {
				item.hidden = !item.dataset.item.toLowerCase().includes(typed);
				if (!item.hidden) some++;
			}
			group.hidden = some === 0;
			if (group.tagName === "DETAILS") {
				if (group.dataset.was === undefined) group.dataset.was = group.open;
				group.open = typed !== "" || group.querySelector("[name=event]:checked") !== null;
			}
			left += some;
		}
		scope.querySelector("[data-none]").hidden = left > 0;
	};
	document.addEventListener("input", (e) => { if (e.target.matches("[data-find]")) find(e.target); });
	document.addEventListener("keydown", (e) => {
		if (e.key === "Enter" && e.target.matches("[data-find]")) e.preventDefault(); // it would send the form around it
	});

	// The tree of events: all of a group at once, and how many are chosen.
	const tree = document.getElementById("tree");
	if (tree) {
		const events = (within) => [...within.querySelectorAll("[name=event]")];
		const count = () => {
			const n = events(tree).filter((box) => box.checked).length;
			tree.querySelector("[data-count]").textContent = n === 0 ? "" : n === 1 ? "1 event chosen" : n + " events chosen";
			for (const group of tree.querySelectorAll("[data-group]")) {
				const boxes = events(group), on = boxes.filter((box) => box.checked).length;
				const all = group.querySelector("[data-all]");
				all.checked = on === boxes.length;
				all.indeterminate = on > 0 && on < boxes.length;
			}
		};
		for (const each of tree.querySelectorAll(".each")) each.hidden = false;
		tree.addEventListener("change", (e) => {
			if (e.target.matches("[data-all]")) {
				for (const box of events(e.target.closest("[data-group]"))) if (!box.closest("[hidden]")) box.checked = e.target.checked;
			}
			if (e.target.matches("[data-all], [name=event]")) document.querySelector("[name=scope][value=some]").checked = true;
			count();
		});
		const scope = () => { tree.hidden = document.querySelector("[name=scope][value=all]").checked; };
		for (const radio of document.querySelectorAll("[name=scope]")) radio.addEventListener("change", scope);
		scope();
		count();
	}

	// Menus of lookups: https://www.w3.org/WAI/ARIA/apg/patterns/combobox/ with a list.
	const menuOf = (input) => document.getElementById(input.getAttribute("aria-controls"));
	const options = (menu) => [...menu.querySelectorAll("[role=option]:not([aria-disabled])")];
	const show = (input, on) => {
		menuOf(input).hidden = !on;
		input.setAttribute("aria-expanded", on);
		if (!on) input.removeAttribute("aria-activedescendant");
	};
	const mark = (input, option) => {
		for (const o of options(menuOf(input))) o.setAttribute("aria-selected", o === option);
		input.setAttribute("aria-activedescendant", option.id);
		option.scrollIntoView({block: "nearest"});
	};
	const take = (input, option) => {
		input.value = option.dataset.value;
		input.dispatchEvent(new Event("change", {bubbles: true}));
		say(option.querySelector("strong").textContent + " chosen");
		show(input, false);
		input.focus();
	};
	const combo = (e) => e.target instanceof Element && e.target.closest("[role=combobox]");
	document.addEventListener("keydown", (e) => {
		const input = combo(e);
		if (!input) return;
		const open = input.getAttribute("aria-expanded") === "true";
		const all = options(menuOf(input));
		const at = all.findIndex((o) => o.id === input.getAttribute("aria-activedescendant"));
		switch (e.key) {
		case "ArrowDown":
		case "ArrowUp":
			e.preventDefault();
			if (!open) htmx.trigger(input, "lookup");
			else if (all.length > 0) mark(input, all[(at + (e.key === "ArrowDown" ? 1 : at < 0 ? 0 : -1) + all.length) % all.length]);
			break;
		case "Enter":
			if (open && at >= 0) {
				e.preventDefault();
				take(input, all[at]);
			}
			break;
		case "Escape":
			if (open) {
				e.preventDefault();
				show(input, false);
			}
			break;
		}
	});
	document.addEventListener("click", (e) => {
		const input = combo(e);
		if (input && input.getAttribute("aria-expanded") !== "true") htmx.trigger(input, "lookup");
	});
	document.addEventListener("mousedown", (e) => {
		const option = e.target.closest(".menu [role=option]");
		if (!option) return;
		e.preventDefault(); // the focus stays in the input
		if (!option.hasAttribute("aria-disabled")) take(option.closest(".combo").querySelector("input"), option);
	});
	document.addEventListener("focusout", (e) => {
		const input = combo(e);
		if (input) show(input, false);
	});
	document.addEventListener("htmx:afterSwap", (e) => {
		if (!e.target.matches(".menu")) return;
		const input = e.target.closest(".combo").querySelector("input");
		if (document.activeElement === input) show(input, e.target.children.length > 0);
	});

	// Sections of a form that were opened stay so when the form is exchanged.
	let opened = [];
	document.addEventListener("htmx:beforeSwap", () => { opened = [...document.querySelectorAll(".section[open]")].map((s) => s.id); });
	document.addEventListener("htmx:afterSwap", () => { for (const id of opened) document.getElementById(id)?.setAttribute("open", ""); });

	// The answer of a module stands beside the form, or below it on a small screen.
	document.addEventListener("htmx:afterSettle", (e) => {
		if (e.target.id !== "module") return;
		const to = document.querySelector("#module [autofocus]");
		if (to) to.scrollIntoView({block: "nearest"});
	});
})();
