/* The Sequences view's picture of words and units: boxes of words, chips of units, links between them. */
(function () {
  "use strict";
  const ns = (window.dash_clientside = window.dash_clientside || {});
  const NO = () => window.dash_clientside.no_update;
  const make = window.cutaway.svg;
  const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";
  const HUES = 8, CLUSTERS = 2, HEAD = 20, PAD = 6, GAP = 8, LEAST = 10.5, TALLEST = 700, MOST_WORDS = 6, CELLS = [5, 22];
  const shown = { payload: null, codes: null, width: 0, tall: 0, chosen: null, over: "", at: 0 };
  const pen = document.createElement("canvas").getContext("2d");

  /* --- what is known of it */
  const picture = () => document.getElementById("sq-clusters-picture");
  const said = (name) => window.cutaway.params().get(name) || "";
  const look = (name) => said(name) || window.cutaway.DEFAULTS[name];
  const sign = (value) => (value > 0 ? "+" : value < 0 ? "−" : "");
  const digits = (value) => sign(value) + Number(Math.abs(value).toPrecision(3));
  const words = (count) => count.toLocaleString("en") + (count === 1 ? " word" : " words");
  const units = (count) => count.toLocaleString("en") + (count === 1 ? " unit" : " units");
  const hue = (number) => (number < 0 ? "var(--ink-2)" : "var(--sq-" + (number % HUES) + ")");
  const clusterHue = (number) => hue(number + CLUSTERS); // so that the first cluster and the first class differ
  const chosenWords = () => said("word").split(",").filter(Boolean).map(Number);
  /* A unit of another layer, chosen elsewhere, is none of these. */
  const chosenUnit = () => (["", shown.payload.layer].includes(said("layer")) && said("filter") !== "" ? Number(said("filter")) : -1);

  function decode(payload) {
    const raw = window.atob(payload.codes);
    const codes = new Int8Array(raw.length);
    for (let i = 0; i < raw.length; i++) codes[i] = raw.charCodeAt(i);
    return codes;
  }
  /* A row of responses: of a word drawn (by place), or of the mean of a box. */
  function row(place) {
    const { payload, codes } = shown;
    return Array.from(codes.subarray(place * payload.units, (place + 1) * payload.units), (code) => code * payload.scale[place]);
  }
  const rowOfWord = (place) => (place < shown.payload.coded ? row(place) : null);
  const rowOfBox = (number) => row(shown.payload.coded + number);
  function groupOf(place) {
    const { w, classes, parts } = shown.payload;
    const by = look("scolor");
    if (by === "cluster") return { hue: w.cluster[place] + CLUSTERS, name: "W" + w.cluster[place] };
    if (by === "pos") return { hue: w.pos[place], name: w.pos[place] < 0 ? "not known" : parts[w.pos[place]] };
    const label = by === "label" ? w.label[place] : w.cls[place];
    return { hue: label, name: label < 0 ? (by === "label" ? "no label" : "no clear class") : classes[label] };
  }

  /* --- where everything stands */
  function boxes(payload, width, height, least) {
    const spare = Math.max(0, height - payload.k * (least + GAP));
    let top = 0;
    return payload.boxes.map((box) => {
      const tall = box.size ? least + (spare * box.size) / payload.total : HEAD + 4;
      const found = { y: top, h: tall, w: width };
      top += tall + GAP;
      return found;
    });
  }
  /* Words in rows, the strongest first, in the largest type with which all of a box fit; else those that fit. */
  function cloud(payload, places, box, sizes) {
    let found = null;
    for (const factor of [1.3, 1.15, 1, 0.9, 0.8, 0.7, 0.6]) {
      found = flow(payload, places, box, sizes, factor);
      if (found.length === places.length) break;
    }
    return found;
  }
  function flow(payload, places, box, sizes, factor) {
    const found = [];
    let x = PAD, y = HEAD, tall = 0;
    for (const place of places) {
      const size = sizes(place, factor);
      if (x + size.w > box.w - PAD && x > PAD) {
        x = PAD;
        y += tall + 1;
        tall = 0;
      }
      if (y + size.h > box.h - 2) return found;
      found.push({ place: place, x: x, y: y, w: size.w, h: size.h, font: size.font });
      x += size.w + (payload.pictures ? 6 : 0.55 * size.font);
      tall = Math.max(tall, size.h);
    }
    return found;
  }
  function sizer(payload) {
    const least = Math.min(...payload.w.size), most = Math.max(...payload.w.size);
    const share = (place) => (most > least ? (payload.w.size[place] - least) / (most - least) : 0.5);
    const form = payload.pictures && payload.pictures.form;
    pen.font = "100px " + FONT;
    const wide = payload.w.name.map((name) => pen.measureText(name).width / 100);
    const lanes = form === "curve" ? payload.pictures.channels.length : 0;
    return (place, factor) => {
      if (form === "curve") {
        const scale = factor * (0.8 + 0.4 * share(place));
        return { w: Math.max(60, 84 * scale), h: 16 + Math.max(24, 15 * lanes) * scale, font: 11 };
      }
      const font = Math.max(LEAST, factor * (10 + 13 * share(place)));
      if (form === "range") return { w: Math.max(wide[place] * font, 46), h: 1.25 * font + 7, font: font };
      return { w: wide[place] * font, h: 1.25 * font, font: font };
    };
  }
  function chips(payload, width, height) {
    const lists = payload.chips;
    const tall = (cell) => lists.reduce((sum, list) => sum + HEAD + GAP + PAD + cell * Math.ceil(list.length / columns(cell)), 0);
    const columns = (cell) => Math.max(1, Math.floor((width - 2 * PAD) / cell));
    let cell = CELLS[1];
    while (cell > CELLS[0] && tall(cell) > height) cell -= 1;
    const spare = Math.max(0, height - tall(cell)) / lists.length;
    let top = 0;
    return lists.map((list) => {
      const h = HEAD + PAD + cell * Math.ceil(list.length / columns(cell));
      const found = { y: top + spare / 2, h: h, cell: cell, columns: columns(cell) };
      top += h + GAP + spare;
      return found;
    });
  }

  /* --- drawing */
  function item(parent, kind, id, label, attributes) {
    const role = { role: "button", tabindex: "-1", "aria-label": label, "aria-pressed": "false", ["data-sq-" + kind]: id };
    const node = make("g", Object.assign(role, { class: "sq-item sq-" + kind }, attributes), parent);
    make("title", {}, node, label);
    return node;
  }
  function drawBox(svg, number, box, x) {
    const { boxes: all, classes } = shown.payload;
    const about = all[number];
    const group = make("g", { class: "sq-box", "data-box": "w" + number, transform: `translate(${x},${box.y})` }, svg);
    make("rect", { class: "sq-frame", x: 0.5, y: 0.5, width: box.w - 1, height: box.h - 1, rx: 4 }, group);
    const lean = about.cls < 0 ? "" : " · leans to " + classes[about.cls];
    const name = `W${number} · ${words(about.size)}${lean}`;
    const head = item(group, "pin", "w" + number, `Word cluster ${name}`);
    make("rect", { class: "sq-hit", width: box.w, height: HEAD - 2 }, head);
    make("rect", { class: "sq-mark", x: 6, y: 6, width: 9, height: 9, rx: 2, style: "fill:" + clusterHue(number) }, head);
    make("text", { class: "sq-name", x: 20, y: 14.5 }, head, name);
    return group;
  }
  function drawWord(group, spot) {
    const { payload } = shown;
    const { w, pictures } = payload;
    const place = spot.place;
    const label = `${w.name[place]}: ${w.count[place].toLocaleString("en")} times, size of its response ${digits(w.size[place]).slice(1)}`;
    const node = item(group, "word", String(w.id[place]), label, { "data-place": place, transform: `translate(${spot.x.toFixed(1)},${spot.y.toFixed(1)})` });
    make("rect", { class: "sq-hit", width: spot.w.toFixed(1), height: spot.h.toFixed(1) }, node);
    if (pictures && pictures.form === "curve") return curve(node, pictures, place, spot);
    make("text", { class: "sq-text", y: (spot.font * 0.98).toFixed(1), style: `font-size:${spot.font.toFixed(1)}px` }, node, w.name[place]);
    if (!pictures) return;
    const [, low, high] = pictures.spans[place];
    const y = 1.25 * spot.font;
    make("rect", { class: "sq-track", y: y, width: spot.w, height: 4 }, node);
    make("rect", { class: "sq-range", x: low * spot.w, y: y, width: Math.max(2, (high - low) * spot.w), height: 4 }, node);
  }
  function curve(node, pictures, place, spot) {
    const lanes = pictures.curves[place];
    const name = shown.payload.w.name[place].split(":")[0];
    make("rect", { class: "sq-tile", x: 0.5, y: 0.5, width: spot.w - 1, height: spot.h - 2, rx: 3 }, node);
    make("text", { class: "sq-text", x: 4, y: 11, style: "font-size:10.5px" }, node, name);
    const tall = (spot.h - 19) / lanes.length;
    lanes.forEach((heights, lane) => {
      const step = (spot.w - 8) / Math.max(1, heights.length - 1);
      const points = heights.map((value, i) => `${(4 + i * step).toFixed(1)},${(15 + tall * (lane + 0.92 - 0.84 * (value / 99))).toFixed(1)}`);
      make("polyline", { class: "sq-curve", points: points.join(" ") }, node);
    });
  }
  function drawChips(svg, number, chip, x, width) {
    const list = shown.payload.chips[number];
    const group = make("g", { class: "sq-box", "data-box": "u" + number, transform: `translate(${x},${chip.y.toFixed(1)})` }, svg);
    make("rect", { class: "sq-frame", x: 0.5, y: 0.5, width: width - 1, height: chip.h - 1, rx: 4 }, group);
    const head = item(group, "pin", "u" + number, `Unit cluster U${number} · ${units(list.length)}`);
    make("rect", { class: "sq-hit", width: width, height: HEAD - 2 }, head);
    make("rect", { class: "sq-mark", x: 6, y: 6, width: 9, height: 9, rx: 2, style: "fill:" + clusterHue(number) }, head);
    make("text", { class: "sq-name", x: 20, y: 14.5 }, head, `U${number} · ${units(list.length)}`);
    const side = chip.cell > 8 ? chip.cell - 2 : chip.cell - 1;
    list.forEach((unit, at) => {
      const place = { x: PAD + (at % chip.columns) * chip.cell, y: HEAD + Math.floor(at / chip.columns) * chip.cell };
      make("rect", {
        class: "sq-item sq-unit", role: "button", tabindex: "-1", "aria-pressed": "false", "aria-label": `Unit ${unit} of U${number}`,
        "data-sq-unit": unit, x: place.x, y: place.y, width: side, height: side, rx: side > 8 ? 2 : 0,
      }, group);
    });
  }
  function drawLinks(svg, left, right, from, to) {
    const { links, k } = shown.payload;
    const most = Math.max(1e-12, ...links.flat().map(Math.abs));
    const group = make("g", { class: "sq-links" }, svg);
    const pairs = links.flatMap((line, i) => line.map((value, j) => ({ i, j, value })));
    for (const { i, j, value } of pairs.sort((a, b) => Math.abs(a.value) - Math.abs(b.value))) {
      if (!value || !shown.payload.boxes[i].size || !shown.payload.chips[j].length) continue;
      const y0 = left[i].y + (left[i].h * (j + 0.5)) / k, y1 = right[j].y + (right[j].h * (i + 0.5)) / k, bend = (to - from) / 2;
      const share = Math.abs(value) / most;
      const node = make("path", {
        class: "sq-link " + (value > 0 ? "raise" : "lower"), "data-i": i, "data-j": j, "data-share": share,
        d: `M${from},${y0.toFixed(1)}C${from + bend},${y0.toFixed(1)} ${to - bend},${y1.toFixed(1)} ${to},${y1.toFixed(1)}`,
        "stroke-width": (0.8 + 9 * share).toFixed(1),
      }, group);
      make("title", {}, node, `W${i} on U${j}: mean change ${digits(value)}`);
    }
  }
  function layout() {
    const { payload } = shown;
    const home = picture();
    const focus = document.activeElement && home.contains(document.activeElement) ? shown.at : -1;
    const wide = shown.width, left = Math.round(wide * (payload.units > 300 ? 0.46 : 0.52)), gap = Math.round(wide * 0.14);
    const sizes = sizer(payload);
    const area = payload.w.id.reduce((sum, _id, place) => { const s = sizes(place, 1); return sum + (s.w + 8) * (s.h + 1); }, 0);
    const maximised = home.closest(".panel.maximised") ? window.innerHeight - 330 : 0;
    const tile = payload.pictures ? Math.max(...payload.w.id.map((_id, place) => sizes(place, payload.k > 6 ? 0.72 : 1).h)) : 20;
    const least = HEAD + 6 + tile, floor = Math.max(maximised, payload.k * (least + GAP));
    const wanted = ((payload.pictures ? 1.7 : 1.1) * area) / left + payload.k * (HEAD + 14);
    let tall = Math.max(floor, Math.min(TALLEST, Math.max(280, wanted)));
    const own = boxes(payload, left, tall, least), right = chips(payload, wide - left - gap, tall);
    tall = Math.max(own[payload.k - 1].y + own[payload.k - 1].h, right[payload.k - 1].y + right[payload.k - 1].h) + 1;
    const svg = make("svg", { width: wide, height: Math.ceil(tall), role: "group", "aria-label": "Clusters of words and units: arrow keys move, Enter chooses, Shift and Enter adds a word" });
    drawLinks(svg, own, right, left, left + gap);
    shown.left = own.map((box, number) => {
      const group = drawBox(svg, number, box, 0);
      const members = payload.w.cluster.flatMap((one, place) => (one === number ? [place] : []));
      const spots = cloud(payload, members, box, sizes);
      for (const spot of spots) drawWord(group, spot);
      const away = payload.boxes[number].size - spots.length;
      if (away) make("text", { class: "sq-more", x: left - 6, y: 14.5, "text-anchor": "end" }, group, `${away.toLocaleString("en")} more not drawn`);
      return spots.length;
    });
    right.forEach((chip, number) => drawChips(svg, number, chip, left + gap, wide - left - gap));
    home.replaceChildren(svg);
    shown.items = [...svg.querySelectorAll(".sq-item")];
    shown.at = Math.min(Math.max(0, shown.at), shown.items.length - 1);
    shown.items[shown.at].setAttribute("tabindex", "0");
    if (focus >= 0) shown.items[shown.at].focus();
  }

  const api = (window.cutawaySequences = {
    shown, look, said, digits, words, units, hue, chosenWords, chosenUnit, groupOf, rowOfWord, rowOfBox, picture, MOST_WORDS, paint() {},
  });

  function draw() {
    const home = picture();
    if (!home || !shown.payload || !home.clientWidth) return;
    shown.width = home.clientWidth;
    layout();
    api.paint();
  }
  /* Drawn when its box gets a width (it has none while it is hidden), another width, or the whole window. */
  function fit() {
    const home = picture();
    if (!home || !shown.payload || !home.clientWidth) return;
    const tall = home.closest(".panel.maximised") ? window.innerHeight : 0;
    if (home.firstChild && home.clientWidth === shown.width && tall === shown.tall) return;
    shown.tall = tall;
    draw();
  }
  const watcher = new ResizeObserver(() => window.requestAnimationFrame(fit));
  window.addEventListener("resize", fit);

  /* A new answer is laid out; another choice only colours it. */
  function show(payload, rows) {
    const home = picture();
    if (!payload || !payload.w) {
      shown.payload = null;
      if (home) home.replaceChildren();
      return;
    }
    shown.chosen = rows || null;
    if (payload !== shown.payload) {
      Object.assign(shown, { payload: payload, codes: decode(payload), over: "", at: 0 });
      home.replaceChildren();
      watcher.observe(home);
      fit();
    } else api.paint();
  }
  /* Payloads are text in the page. A clientside callback would wait for as long as the pulse asks the server anew. */
  const texts = ["sq-clusters-data", "sq-clusters-chosen"];
  const known = { text: null, payload: null };
  function read() {
    const [made, chosen] = texts.map((name) => document.getElementById(name).textContent);
    if (made !== known.text) Object.assign(known, { text: made, payload: made ? JSON.parse(made) : null });
    show(known.payload, chosen ? JSON.parse(chosen) : null);
  }
  const waiting = new MutationObserver(() => {
    const nodes = texts.map((name) => document.getElementById(name));
    if (!nodes.every(Boolean) || !picture()) return;
    waiting.disconnect();
    const reader = new MutationObserver(read);
    for (const node of nodes) reader.observe(node, { childList: true, characterData: true, subtree: true });
    read();
  });
  waiting.observe(document.documentElement, { childList: true, subtree: true });

  ns.sequences = {
    paint() {
      api.paint();
      return NO();
    },
    /* A source chosen in the panel -> the address; what the server resolved stays out of it. */
    source(layer, state, depth, vocabulary, now) {
      if (!now || !now.layer) return NO();
      const changes = {};
      if (layer && layer !== now.layer) changes.layer = layer;
      if (state && state !== now.state) changes.sstate = state === "hidden" ? null : state;
      if (depth && depth !== now.depth) changes.sdepth = depth === "-1" ? null : depth;
      if (vocabulary && vocabulary !== now.words) changes.swords = vocabulary;
      if (Object.keys(changes).length) window.cutaway.navigate(changes);
      return NO();
    },
    texts(links, clip) {
      return [Math.round(100 * links) + " % of strongest", clip + " % of responses"];
    },
  };
})();
