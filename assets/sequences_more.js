/* The Sequences view: tests that are asked for, steps typed in, and two co-clusterings side by side. */
(function () {
  "use strict";
  const ns = (window.dash_clientside = window.dash_clientside || {});
  const NO = () => window.dash_clientside.no_update;
  const make = window.cutaway.svg;
  const FONT = "11px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";
  const MOST_WANTED = 200, HEAD = 18, PAD = 6, GAP = 6;
  const pen = document.createElement("canvas").getContext("2d");
  const shown = { payload: null, width: 0 };

  /* What a visitor asked to be tested. */
  let wanted = [];
  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-sq-want]");
    if (!target) return;
    const asked = target.dataset.sqWant.split(" ").filter(Boolean);
    wanted = [...wanted.filter((one) => !asked.includes(one)), ...asked].slice(-MOST_WANTED);
    window.dash_clientside.set_props("sq-wanted", { data: wanted });
  });

  const hue = (number) => shown.payload.colours[number];
  const sign = (value) => (value > 0 ? "+" : value < 0 ? "−" : "");
  const digits = (value) => sign(value) + Number(Math.abs(value).toPrecision(3));
  const many = (count, word) => count.toLocaleString("en") + " " + word + (count === 1 ? "" : "s");

  /* Words in rows, as many as fit. */
  function flow(words, width, height) {
    pen.font = FONT;
    const found = [];
    let x = PAD, y = HEAD + 11;
    for (const [id, name] of words) {
      const wide = pen.measureText(name).width;
      if (x + wide > width - PAD && x > PAD) {
        x = PAD;
        y += 14;
      }
      if (y > height - 3) break;
      found.push({ id: id, name: name, x: x, y: y });
      x += wide + 7;
    }
    return found;
  }
  function squares(count, width, height) {
    let cell = 13;
    while (cell > 3 && Math.floor((width - 2 * PAD) / cell) * Math.floor((height - HEAD - 2) / cell) < count) cell -= 1;
    return { cell: cell, columns: Math.max(1, Math.floor((width - 2 * PAD) / cell)) };
  }
  function frame(svg, x, y, width, height, number, title) {
    const group = make("g", { transform: `translate(${x.toFixed(1)},${y.toFixed(1)})` }, svg);
    make("rect", { class: "sq-frame", x: 0.5, y: 0.5, width: width - 1, height: height - 1, rx: 4 }, group);
    make("rect", { x: 6, y: 5, width: 9, height: 9, rx: 2, style: "fill:" + hue(number) }, group);
    make("text", { class: "sq-name", x: 20, y: 13.5 }, group, title);
    return group;
  }
  function drawSide(svg, side, word, left, width, tall, mirrored) {
    const wide = { w: Math.round(width * 0.46), u: Math.round(width * 0.34) };
    const at = { w: mirrored ? left + width - wide.w : left, u: mirrored ? left : left + width - wide.u };
    const from = mirrored ? at.w : at.w + wide.w, to = mirrored ? at.u + wide.u : at.u;
    const top = (number) => number * (tall + GAP);
    const links = make("g", {}, svg);
    const flat = side.links.flatMap((line, i) => line.map((value, j) => ({ i, j, value }))).filter((one) => one.value);
    const most = Math.max(1e-12, ...flat.map((one) => Math.abs(one.value)));
    const rows = side.boxes.length;
    for (const { i, j, value } of flat.sort((a, b) => Math.abs(a.value) - Math.abs(b.value))) {
      const share = Math.abs(value) / most;
      if (share < 0.1 || !side.boxes[i].size || !side.chips[j].length) continue;
      const y0 = top(i) + (tall * (j + 0.5)) / rows, y1 = top(j) + (tall * (i + 0.5)) / rows, bend = (to - from) / 2;
      const node = make("path", {
        class: "sq-link " + (value > 0 ? "raise" : "lower"), "stroke-width": (0.8 + 6 * share).toFixed(1),
        d: `M${from},${y0.toFixed(1)}C${from + bend},${y0.toFixed(1)} ${to - bend},${y1.toFixed(1)} ${to},${y1.toFixed(1)}`,
      }, links);
      make("title", {}, node, `W${i} on U${j}: mean change ${digits(value)}`);
    }
    side.boxes.forEach((box, number) => {
      if (!box.size) return;
      const group = frame(svg, at.w, top(number), wide.w, tall, number, `W${number} · ${many(box.size, "word")}`);
      for (const spot of flow(box.words, wide.w, tall)) {
        const more = { "data-nav": JSON.stringify({ word: String(spot.id) }), style: "cursor:pointer" };
        make("text", Object.assign({ class: "sqm-word" + (spot.id === word ? " chosen" : ""), x: spot.x.toFixed(1), y: spot.y }, more), group, spot.name);
      }
    });
    side.chips.forEach((units, number) => {
      if (!units.length) return;
      const group = frame(svg, at.u, top(number), wide.u, tall, number, `U${number} · ${many(units.length, "unit")}`);
      const grid = squares(units.length, wide.u, tall);
      units.forEach((unit, place) => {
        const value = side.response ? side.response[unit] : null;
        const x = PAD + (place % grid.columns) * grid.cell, y = HEAD + Math.floor(place / grid.columns) * grid.cell;
        const edge = Math.max(2, grid.cell - 1.5);
        const square = { x: x, y: y, width: edge, height: edge };
        make("rect", Object.assign({ style: "fill:var(--sq-chip)" }, square), group);
        if (value === null) return;
        const share = Math.min(1, Math.abs(value) / side.limit);
        const node = make("rect", Object.assign({ style: `fill:var(--sq-${value > 0 ? "raise" : "lower"});fill-opacity:${share.toFixed(2)}` }, square), group);
        make("title", {}, node, `Unit ${unit}: ${digits(value)}`);
      });
    });
  }
  function draw() {
    const home = document.getElementById("sq-compare-picture");
    const payload = shown.payload;
    if (!home || !payload || !home.clientWidth) return;
    shown.width = home.clientWidth;
    const gap = 28, half = (shown.width - gap) / 2;
    /* As tall as the words need, within reason. */
    const fits = (tall) => payload.sides.every((side) => side.boxes.every((box) => flow(box.words, Math.round(half * 0.46), tall).length === box.words.length));
    const offered = [40, 54, 68, 82, 96].filter((tall) => tall * payload.rows <= 560 || tall === 40);
    const tall = offered.find(fits) || offered[offered.length - 1], height = payload.rows * (tall + GAP) + HEAD * 2;
    const label = "Words and units of " + payload.sides[0].name + " on the left, of " + payload.sides[1].name + " mirrored on the right; the numbers are below";
    const svg = make("svg", { width: shown.width, height: height, role: "img", "aria-label": label });
    payload.sides.forEach((side, number) => {
      const x = number ? half + gap : 0;
      const title = make("text", { class: "sq-name", x: number ? shown.width : 0, y: 13, "text-anchor": number ? "end" : "start" }, svg, side.name);
      make("title", {}, title, side.name);
      const group = make("g", { transform: `translate(0,${HEAD + 2})` }, svg);
      drawSide(group, side, payload.word, x, half, tall, number === 1);
      const legend = "full colour from ±" + Number(side.limit.toPrecision(3)) + " on: orange raises, blue lowers";
      make("text", { class: "sq-more", x: number ? shown.width : 0, y: height - 4, "text-anchor": number ? "end" : "start" }, svg, legend);
    });
    home.replaceChildren(svg);
  }
  const fit = () => {
    const home = document.getElementById("sq-compare-picture");
    if (home && home.clientWidth && (home.clientWidth !== shown.width || !home.firstChild)) draw();
  };
  const watcher = new ResizeObserver(() => window.requestAnimationFrame(fit));

  ns.sequencesMore = {
    /* Steps typed, counted from 1 -> the address, from 0; nothing until both are there and in order. */
    span(first, last, told) {
      const set = told ? told.fields : ["", ""];
      if (String(first) === String(set[0]) && String(last) === String(set[1])) return NO();
      const now = window.cutaway.params().get("sspan") || "";
      if (first === "" && last === "" && now) window.cutaway.navigate({ sspan: null });
      const ends = [first, last].map(Number);
      if (first === "" || last === "" || !ends.every((end) => Number.isInteger(end) && end >= 1) || ends[0] > ends[1]) return NO();
      const text = `${ends[0] - 1}-${ends[1] - 1}`;
      if (text !== now) window.cutaway.navigate({ sspan: text });
      return NO();
    },
    beside() {
      return window.cutaway.params().get("scompare");
    },
    compare(payload, _view) {
      const home = document.getElementById("sq-compare-picture");
      shown.payload = payload || null;
      if (!payload && home) home.replaceChildren();
      if (home) watcher.observe(home);
      draw();
      return NO();
    },
  };
})();
