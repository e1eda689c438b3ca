/* Around the pixels of assets/matrix.js: names of rows, numbers of neurons, legend, and what is said of a cell. */
(function () {
  "use strict";
  const api = window.cutawayMatrix;
  const { shown, node, row, AXIS, LABEL } = api;
  const make = window.cutaway.svg;
  const FONT = "10.5px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";
  const STRIP = { wide: 320, tall: 92, left: 4, right: 4, top: 4, base: 58 };
  const picture = () => document.getElementById("md-matrix-picture");
  const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
  const digits = (value) => (value < 0 ? "−" : "") + Number(Math.abs(value).toPrecision(4)).toLocaleString("en", { maximumSignificantDigits: 4 });

  /* --- the boxes of all blocks */
  function build() {
    const home = picture();
    home.replaceChildren();
    shown.gutter = "";
    for (const block of shown.blocks) {
      const { info } = block;
      const box = node("section", "mx-block", home);
      box.setAttribute("aria-label", `Layer ${info.layer}`);
      const head = node("p", "mx-head", box);
      node("b", "", head, info.layer);
      node("span", "", head, info.head);
      if (info.score !== null) score(head, info);
      block.note = node("span", "quiet", head);
      const zoom = node("span", "mx-zoom", head);
      for (const [text, label, by] of [["−", "Zoom out", "out"], ["+", "Zoom in", "in"], ["All", "Show all rows and neurons", "all"], ["Reset", "Readable rows and neurons", "reset"]]) {
        const button = node("button", "bar-button", zoom, text);
        button.type = "button";
        button.title = label;
        button.setAttribute("aria-label", `${label}: ${info.layer}`);
        button.dataset.mxZoom = by;
      }
      block.over = node("div", "mx-over", box);
      block.over.hidden = true;
      block.over.title = "The whole layer; the frame is what is shown below. Drag it.";
      block.small = node("canvas", "", block.over);
      block.small.setAttribute("aria-hidden", "true");
      const body = node("div", "mx-body", box);
      block.gutter = node("div", "mx-gutter", body);
      block.pane = node("div", "mx-pane", body);
      block.pane.tabIndex = 0;
      block.pane.setAttribute("role", "application");
      block.pane.setAttribute("aria-label", `Cells of ${info.layer}: ${shown.payload.rows.length} rows, ${block.columns} ${info.noun}s. Arrow keys move, Enter chooses, s sorts by the row, plus and minus zoom, 0 shows all.`);
      block.numbers = node("canvas", "", block.pane);
      block.cells = node("canvas", "", block.pane);
      for (const canvas of [block.numbers, block.cells]) canvas.setAttribute("aria-hidden", "true");
      /* Room for a row that is there for a moment, so that nothing moves under the pointer. */
      if (info.layer === shown.payload.own) {
        block.guest = node("div", "mx-guest", box);
        node("span", "quiet", block.guest);
        node("canvas", "", block.guest).setAttribute("aria-hidden", "true");
      }
      block.box = box;
      box.mxBlock = block;
    }
  }
  function score(head, info) {
    const bar = node("span", "mx-score", head);
    bar.title = `kNN purity ${info.score.toFixed(3)}, from 0 to 1` + (info.chance === null ? "" : `; the mark is chance, ${info.chance.toFixed(3)}`);
    node("span", "", bar).style.width = 100 * Math.max(0, Math.min(1, info.score)) + "%";
    if (info.chance !== null) node("i", "", bar).style.left = 100 * info.chance + "%";
  }

  /* --- names of the rows in sight; of rows that are too low for text, every so many */
  function gutters() {
    const { view, payload } = shown, count = payload.rows.length;
    const every = Math.max(1, Math.ceil((LABEL - 0.01) / view.rh)), first = Math.floor(view.y0), last = Math.min(count, Math.ceil(view.y0 + shown.tall / view.rh));
    const at = shown.over ? shown.over.at : -1;
    const now = [view.y0, view.rh, shown.tall, at, count, payload.sorted, window.location.search].join();
    if (now === shown.gutter) return;
    shown.gutter = now;
    const places = named(first, last, every, at);
    for (const block of shown.blocks) {
      const focus = block.gutter.contains(document.activeElement) ? document.activeElement.dataset.place + document.activeElement.className : "";
      block.gutter.style.height = AXIS + shown.tall + "px";
      block.gutter.replaceChildren(...places.map((one) => label(one, AXIS + (one + 0.5 - view.y0) * view.rh, one === at)));
      const again = focus && [...block.gutter.querySelectorAll("button")].find((button) => button.dataset.place + button.className === focus);
      if (again) again.focus({ preventScroll: true });
    }
  }
  /* Rows that have their name written: those pointed at, sorting and chosen, then every so many between them. */
  function named(first, last, every, over) {
    const { view, payload } = shown;
    const inside = (one) => one >= first && one < last && (one + 0.5 - view.y0) * view.rh >= 0 && (one + 0.5 - view.y0) * view.rh <= shown.tall;
    const places = [];
    const add = (one) => { if (inside(one) && places.every((other) => Math.abs(other - one) * view.rh >= LABEL - 0.5)) places.push(one); };
    if (every > 1) {
      add(over);
      for (let one = first; one < last; one++) if (payload.rows[one][0] === payload.sorted || api.isChosen(row(one))) add(one);
    }
    for (let one = Math.ceil(first / every) * every; one < last; one += every) add(one);
    return places.sort((a, b) => a - b);
  }
  function label(at, middle, near) {
    const one = row(at), sorted = shown.payload.sorted === one.place;
    const box = node("div", "mx-row" + (api.isChosen(one) ? " chosen" : "") + (near ? " near" : ""));
    box.style.top = middle + "px";
    box.dataset.at = at;
    const button = node("button", "mx-label", box);
    button.type = "button";
    button.dataset.place = one.place;
    const mark = node("span", "mx-mark", button, one.mark);
    if (one.colour) mark.style.color = one.colour;
    mark.setAttribute("aria-hidden", "true");
    node("span", "", button, (sorted ? "▸ " : "") + one.title);
    if (one.index === null) node("span", "mx-n", button, one.n.toLocaleString("en"));
    button.title = `${one.title}${one.index === null ? ` (n = ${one.n.toLocaleString("en")})` : ""}: click to ${sorted ? "put neurons back in their own order" : "sort neurons by it"}`;
    button.setAttribute("aria-pressed", sorted ? "true" : "false");
    button.setAttribute("aria-label", button.title);
    button.dataset.nav = JSON.stringify({ xsort: sorted ? null : "row:" + one.place });
    const out = removal(one);
    if (out) {
      const cross = node("button", "mx-x", box, "×");
      cross.type = "button";
      cross.dataset.place = one.place;
      cross.title = `Take out ${one.title}`;
      cross.setAttribute("aria-label", cross.title);
      cross.dataset.nav = JSON.stringify(out);
    }
    return box;
  }
  function removal(one) {
    if (one.entry) {
      const left = api.further().filter((text) => text !== one.entry);
      return { xrows: left.length ? JSON.stringify(left) : null };
    }
    if (one.source === "subset") return { subset: null };
    if (one.source !== "instance") return null;
    return { instances: api.said("instances").split(",").filter((index) => index !== String(one.index)).join(",") || null };
  }

  /* --- numbers of the neurons above their columns */
  function axis(block) {
    const canvas = block.numbers, ratio = Math.min(2, window.devicePixelRatio || 1), pen = canvas.getContext("2d");
    canvas.width = Math.max(1, Math.round(block.width * ratio));
    canvas.height = Math.round(AXIS * ratio);
    canvas.style.height = AXIS + "px";
    pen.scale(ratio, ratio);
    pen.font = FONT;
    pen.textAlign = "center";
    const last = Math.min(block.columns, Math.ceil(block.x0 + block.width / block.cw));
    const wide = pen.measureText(String(block.info.filters)).width + 8;
    const steps = [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 2500, 5000, 10000];
    const every = steps.find((step) => step * block.cw >= wide) || 20000;
    const taken = [];
    const write = (column, colour) => {
      const x = (column + 0.5 - block.x0) * block.cw, text = String(api.neuron(block, column)), half = pen.measureText(text).width / 2;
      if (x < 0 || x > block.width) return;
      const place = Math.max(half, Math.min(block.width - half, x));
      if (taken.some(([from, to]) => place + half > from - 3 && place - half < to + 3)) return;
      taken.push([place - half, place + half]);
      pen.fillStyle = colour;
      pen.fillText(text, place, 11);
      pen.fillRect(x - 0.5, 14, 1, 4);
    };
    if (shown.over && shown.over.block === block) write(shown.over.column, api.css("--ink").trim());
    const chosen = api.chosenColumn(block);
    if (chosen >= 0) write(chosen, api.css("--accent").trim());
    const start = Math.ceil(block.x0 / every) * every;
    for (let column = start; column < last; column += every) write(column, api.css("--ink-2").trim());
  }

  /* --- legend */
  function legend() {
    const home = document.getElementById("md-matrix-legend");
    home.replaceChildren();
    const line = node("p", "mx-key", home), { gradient, of, blocks } = shown.payload;
    node("b", "", line, "Colour");
    node("span", "", line, of + ":");
    const common = shown.scale === "layer", each = common && blocks.length > 1;
    const end = blocks[0] ? blocks[0].ends : [0, 1];
    const whose = each ? "the layer's" : "the neuron's";
    const low = common && !each ? digits(end[0]) : gradient ? "−" : "0";
    const high = common && !each ? digits(end[1]) : `${whose} largest ${gradient ? "size, + or −" : "cell"}`;
    node("span", "", line, low);
    const ramp = node("canvas", "", line);
    ramp.setAttribute("aria-hidden", "true");
    ramp.width = 130;
    ramp.height = 1;
    const image = new ImageData(130, 1), out = new Uint32Array(image.data.buffer);
    for (let x = 0; x < 130; x++) out[x] = shown.colours[Math.round((254 * x) / 129)];
    ramp.getContext("2d").putImageData(image, 0, 0);
    node("span", "", line, high);
    if (each) node("span", "", line, "(" + blocks.map((one) => `${one.layer} ${digits(one.ends[1])}`).join(", ") + ")");
    node("span", "", line, `in units of ${gradient ? "the score" : "the activation"}`);
    if (gradient) node("span", "", line, "· blue works against the class, orange drives it");
    const empty = node("span", "mx-empty-sign", line);
    empty.setAttribute("aria-hidden", "true");
    node("span", "", line, "no value: an empty subset, or the layer was not called");
  }

  /* --- a cell in words, and the distribution behind it */
  function roughly(cell) {
    const { block, at, column } = cell, one = row(at), number = api.neuron(block, column);
    const found = block.codes ? api.value(block, at, column) : null;
    const text = found === null ? "no value" : (one.index === null ? "mean " : "") + "about " + digits(found);
    return `${capital(block.info.noun)} ${number} of ${block.info.layer} on ${one.title}${one.index === null ? ` (n = ${one.n.toLocaleString("en")})` : ""}: ${text}`;
  }
  /* cell: what is pointed at, else what is chosen. told: what the server knows of it. */
  function show(cell, told) {
    const home = document.getElementById("md-matrix-told");
    home.classList.toggle("has-cell", Boolean(cell));
    home.classList.toggle("pointed", Boolean(shown.over));
    if (!cell) {
      home.replaceChildren();
      const text = node("div", "", home);
      node("p", "quiet", text, "Point at a cell for its exact value and the distribution behind it; click to keep its neuron and row.");
      return;
    }
    const drawn = told && told.bins && told.bins.own.length + told.bins.rest.length ? strip(told) : node("div", "mx-strip");
    const text = node("div", "");
    node("p", "mx-title", text, told && told.title ? told.title : roughly(cell));
    if (told) node("p", "", text, told.words);
    if (told && told.bins && told.own.n) {
      const own = told.own.n === 1 ? "▲ this instance" : "Bars: the row's instances, below them 5th to 95th percentile, quartiles and median · ▲ mean";
      node("p", "quiet", text, own + (told.rest.n ? " · line: all others" : "") + ". Heights: root of the share.");
    }
    home.replaceChildren(drawn, text);
  }
  function strip(told) {
    const { bins, own } = told, { wide, tall, left, right, top, base } = STRIP;
    const svg = make("svg", { class: "mx-strip", viewBox: `0 0 ${wide} ${tall}`, role: "img", "aria-label": told.words });
    const span = bins.high - bins.low || 1, room = wide - left - right;
    const x = (value) => left + (room * Math.min(1, Math.max(0, (value - bins.low) / span)));
    const count = Math.max(bins.own.length, bins.rest.length), step = room / count, single = own.n === 1;
    const most = Math.max(...bins.rest, ...(single ? [0] : bins.own), 1e-9);
    const y = (share) => base - (base - top) * Math.sqrt(share / most); // so that a small second mode is seen
    if (!single) bins.own.forEach((share, i) => { if (share) make("rect", { class: "own", x: left + i * step, y: y(share), width: Math.max(1, step - 1), height: base - y(share) }, svg); });
    if (bins.rest.length) make("polyline", { class: "rest", points: bins.rest.flatMap((share, i) => [`${left + i * step},${y(share)}`, `${left + (i + 1) * step},${y(share)}`]).join(" ") }, svg);
    make("line", { class: "axis", x1: left, x2: wide - right, y1: base + 0.5, y2: base + 0.5 }, svg);
    if (own.n > 1) {
      const [p5, p25, p50, p75, p95] = own.percentiles.map(x);
      make("line", { class: "whisker", x1: p5, x2: p95, y1: base + 8, y2: base + 8 }, svg);
      make("rect", { class: "box", x: p25, y: base + 4, width: Math.max(1, p75 - p25), height: 8 }, svg);
      make("line", { class: "median", x1: p50, x2: p50, y1: base + 3, y2: base + 13 }, svg);
      if (own.modes.length > 1) for (const mode of own.modes) make("line", { class: "mode", x1: x(mode), x2: x(mode), y1: top, y2: base }, svg);
    }
    if (own.n) {
      const at = x(own.mean);
      make("path", { class: "mean", d: `M${at},${base + 1}l-4,6h8z` }, svg);
      if (single) make("line", { class: "median", x1: at, x2: at, y1: top, y2: base }, svg);
    }
    make("text", { x: left, y: base + 24 }, svg, digits(bins.low));
    make("text", { x: wide - right, y: base + 24, "text-anchor": "end" }, svg, digits(bins.high));
    return svg;
  }

  Object.assign(api, { build, gutters, axis, legend, showCell: show });
})();
