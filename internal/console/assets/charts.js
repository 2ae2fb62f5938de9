// Charts, drawn by uPlot (https://github.com/leeoniya/uPlot) from the data-chart of the figure around them. A page that is alive
// exchanges the figure; the chart in it is kept (hx-preserve) and gets the new values.
(() => {
	"use strict";

	const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
	const two = (n) => String(n).padStart(2, "0");
	const clock = (seconds) => { const d = new Date(seconds * 1000); return two(d.getUTCHours()) + ":" + two(d.getUTCMinutes()); };
	const trim = (n, digits) => String(+n.toPrecision(digits));
	const spell = {
		"/min": (n, digits = 3) => n >= 1000 ? trim(n / 1000, digits) + "k" : trim(n, digits),
		"ms": (n, digits = 3) => n >= 600_000 ? trim(n / 60_000, digits) + " min" : n >= 1000 ? trim(n / 1000, digits) + " s" : trim(n, digits) + " ms",
	};

	// columns are what uPlot takes: the middle of each span, so that the cursor finds the span that it is over, and the series as they are
	// drawn. Bars are stacked: each begins where those before it end.
	const columns = (data) => {
		const times = data.series[0].values.map((_, i) => data.from + (i + .5) * data.step);
		if (data.unit === "ms") return [times, ...data.series.map((s) => s.values)];
		const sums = times.map(() => 0);
		const stacked = data.series.map((s) => s.values.map((v, i) => sums[i] += v));
		return [times, ...stacked.reverse()]; // the tallest lies at the back
	};

	const make = (box, data) => {
		const bars = data.unit !== "ms";
		const order = bars ? [...data.series].reverse() : data.series;
		const note = document.createElement("div");
		note.className = "reading";
		note.hidden = true;
		const axis = {stroke: () => colour("muted"), font: "12px system-ui, sans-serif", grid: {stroke: () => colour("line"), width: 1}, ticks: {show: false}};
		// Of a scale of decades, only these have a line and a label.
		const decades = (u, splits) => bars ? splits : splits.map((n) => Number.isInteger(Math.log10(n)) ? n : null);
		// A line has a dot where it would not be seen.
		const alone = (u, s) => u.data[s].flatMap((v, i, all) => v !== null && (all[i - 1] ?? all[i + 1] ?? null) === null ? [i] : []);
		const plot = new uPlot({
			width: box.clientWidth, height: box.clientHeight, legend: {show: false}, padding: [8, 18, 0, 0],
			tzDate: (t) => uPlot.tzDate(new Date(t * 1000), "Etc/UTC"),
			cursor: {y: false, points: {show: !bars, size: 7}, drag: {x: false, y: false}, sync: {key: "console"}},
			scales: {
				x: {range: () => [box.data.from, box.data.from + box.data.series[0].values.length * box.data.step]},
				y: bars ? {range: (u, low, high) => [0, high > 0 ? high * 1.15 : 1]}
					: {distr: 3, range: (u, low, high) => [10 ** Math.floor(Math.log10(low || 10)), 10 ** Math.ceil(Math.log10((high || 1000) * 1.01))]},
			},
			axes: [
				{...axis, grid: {show: false}, space: 48, size: 26, gap: 6, values: (u, splits) => splits.map(clock)},
				{...axis, grid: {...axis.grid, filter: decades}, filter: decades, size: bars ? 40 : 58, gap: 6, space: bars ? 32 : 24, values: (u, splits) => splits.map((n) => n === null ? "" : spell[data.unit](n))},
			],
			series: [{}, ...order.map((s) => ({
				label: s.name, stroke: () => colour(s.colour), points: {show: !bars, size: 5, filter: alone}, spanGaps: false,
				...bars ? {fill: () => colour(s.colour), width: 0, paths: uPlot.paths.bars({size: [.78, 40]})} : {width: 2},
			}))],
			hooks: {setCursor: [(u) => read(u)]},
		}, columns(data), box);
		plot.over.append(note);
		Object.assign(box, {plot, note});
		new ResizeObserver(() => plot.setSize({width: box.clientWidth, height: box.clientHeight})).observe(box);
	};

	// words are what stands at a time, as text.
	const words = (data, i) => clock(data.from + i * data.step) + "–" + clock(data.from + (i + 1) * data.step) + " UTC";

	// read shows the values at the cursor.
	const read = (u) => {
		const box = u.root.parentElement, {idx, left} = u.cursor;
		if (!box.note) return;
		box.note.hidden = idx === null || idx === undefined || left < 0;
		if (box.note.hidden) return;
		const time = document.createElement("strong");
		time.textContent = words(box.data, idx);
		box.note.replaceChildren(time, ...box.data.series.map((s) => {
			const line = document.createElement("span"), v = s.values[idx];
			line.className = s.colour;
			line.textContent = s.name + " " + (v === null ? "–" : spell[box.data.unit](v) + (box.data.unit === "ms" ? "" : " " + box.data.unit));
			return line;
		}));
		box.note.classList.toggle("flip", left > u.over.clientWidth / 2);
		box.note.style.left = left + "px";
	};

	// The arrow keys move the cursor of the chart that has the focus.
	document.addEventListener("keydown", (e) => {
		const box = e.target.closest?.(".chart"), step = {ArrowLeft: -1, ArrowRight: 1}[e.key];
		if (!box?.plot || !step) return;
		e.preventDefault();
		const last = box.data.series[0].values.length - 1, u = box.plot;
		const at = u.cursor.idx ?? (step > 0 ? -1 : last + 1);
		const to = Math.max(0, Math.min(last, at + step));
		u.setCursor({left: u.valToPos(u.data[0][to], "x"), top: 0});
		document.getElementById("said").textContent = [...box.note.children].map((c) => c.textContent).join(", ");
	});
	document.addEventListener("focusout", (e) => { if (e.target.matches?.(".chart")) e.target.plot?.setCursor({left: -10, top: -10}); });

	const draw = () => {
		for (const figure of document.querySelectorAll("[data-chart]")) {
			const box = figure.querySelector(".chart"), data = JSON.parse(figure.dataset.chart);
			box.data = data;
			box.setAttribute("aria-label", data.label);
			if (box.plot) box.plot.setData(columns(data));
			else make(box, data);
		}
	};
	draw();
	document.addEventListener("htmx:afterSettle", draw);
	matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
		for (const box of document.querySelectorAll(".chart")) box.plot?.redraw();
	});
})();
