/* The Model view's computation graph: boxes, frames of expanded modules, ways of tensors; what is near the window is in
   the page, the rest is not, so that hundreds of layers move smoothly. */
(function () {
  "use strict";
  const ns = (window.dash_clientside = window.dash_clientside || {});
  const NO = () => window.dash_clientside.no_update;
  const make = window.cutaway.svg;
  const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";
  const FAR = 0.42, READABLE = 0.62, TALLEST = 430, LEAST = 140, EDGE = 14, LEVELS = 10, LARGEST = 2.5, SMALLEST = 0.12;
  const VERDICTS = ["same", "barely", "changed", "rewritten"];
  const shown = {
    payload: null, change: null, view: { x: 0, y: 0, k: 1 }, width: 0, height: 0, boxes: new Map(), ways: new Map(), over: -1, at: 0, found: null,
    wanted: null, anchor: null, far: null, order: [], key: "",
  };
  const pen = document.createElement("canvas").getContext("2d");

  const home = () => document.getElementById("md-graph-picture");
  const said = (name) => window.cutaway.params().get(name) || "";
  const look = () => said("gcolor") || "type";
  const count = (value, noun) => value.toLocaleString("en") + " " + noun + (value === 1 ? "" : "s");

  /* --- words */
  function short(value, unit) {
    if (value === null || value === undefined) return "not known";
    for (const [size, letter] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
      if (Math.abs(value) >= size) return Number((value / size).toPrecision(3)) + " " + letter + (unit || "");
    }
    return Number(value.toPrecision(3)) + (unit ? " " + unit : "");
  }
  function duration(seconds) {
    if (seconds === null || seconds === undefined) return "not measured";
    for (const [size, unit] of [[1, "s"], [1e-3, "ms"]]) if (seconds >= size) return Number((seconds / size).toPrecision(3)) + " " + unit;
    return Number((seconds / 1e-6).toPrecision(2)) + " µs";
  }
  function percent(share) {
    if (share === null || share === undefined) return "not known";
    return (100 * share >= 100 ? Math.round(100 * share).toLocaleString("en") : Number((100 * share).toPrecision(2))) + " %";
  }
  const cuts = new Map();
  function cut(text, room, font) {
    const key = font + room + text;
    if (cuts.has(key)) return cuts.get(key);
    pen.font = font + " " + FONT;
    let found = text;
    while (found.length > 1 && pen.measureText(found).width > room) found = found.slice(0, found.endsWith("…") ? -2 : -1).trimEnd() + "…";
    cuts.set(key, found);
    return found;
  }

  /* --- what colour means. Returns {fill, text}: '' where there is nothing to tell. */
  const ends = { parameters: [1, 1], time: 1 };
  function measure() {
    const own = shown.payload.items.filter((item) => item.kind !== "frame");
    const sizes = own.map((item) => item.parameters).filter((value) => value > 0);
    ends.parameters = sizes.length ? [Math.min(...sizes), Math.max(...sizes)] : [0, 0];
    ends.time = Math.max(0, ...own.map((item) => item.seconds || 0));
  }
  const level = (share) => `var(--mdg-s${Math.min(LEVELS - 1, Math.max(0, Math.floor(share * LEVELS)))})`;
  const none = (item) => (item.shared ? "shared weights" : item.h < 50 ? item.shape : "no parameters");
  function tone(item) {
    const by = look();
    if (by === "type") return { fill: `var(--mdg-${item.family})`, text: item.shape };
    if (by === "parameters") {
      const [low, high] = ends.parameters;
      if (!item.parameters) return { fill: "", text: none(item) };
      return { fill: level(high > low ? Math.log(item.parameters / low) / Math.log(high / low) : 1), text: short(item.parameters) + (item.parameters === 1 ? " parameter" : " parameters") };
    }
    if (by === "time") {
      if (item.seconds === null) return { fill: "", text: item.kind === "end" ? item.shape : "not measured" };
      return { fill: level(ends.time ? item.seconds / ends.time : 0), text: duration(item.seconds) };
    }
    const moved = shown.change && shown.change.items[item.id];
    if (!moved) return { fill: "", text: item.parameters ? (shown.change ? "not compared" : "") : none(item) };
    return { fill: `var(--mdg-v${moved[0]})`, text: moved[0] ? percent(moved[1]) + " " + (moved[0] === 1 ? "(barely)" : moved[0] === 2 ? "" : "(rewritten)") : "same" };
  }

  /* --- boxes */
  function words(item) {
    const parts = [item.name, item.type, item.shape && "yields " + item.shape + " " + item.dtype];
    if (item.kind === "group" || item.kind === "frame") parts.splice(2, 1, count(item.calls, "call"));
    if (item.parameters) parts.push(count(item.parameters, "parameter"));
    if (item.flops) parts.push(short(item.flops, "FLOPs"));
    if (item.seconds !== null) parts.push(duration(item.seconds));
    if (item.frozen) parts.push(item.frozen === item.frozen_of ? "frozen" : `${item.frozen} of ${item.frozen_of} layers frozen`);
    if (item.dead) parts.push(item.dead === item.calls ? "dead: no output depends on it" : `${item.dead} dead inside`);
    return parts.filter(Boolean).join(", ");
  }
  function marks(group, item) {
    let x = item.w - 8;
    const part = (number, of) => {
      if (number === of) return;
      const text = make("text", { class: "mdg-part", x: x, y: 13, "text-anchor": "end" }, group, String(number));
      x -= 7 * text.textContent.length + 2;
    };
    if (item.frozen) {
      part(item.frozen, item.frozen_of);
      make("path", { class: "mdg-flake", d: `M${x - 8},9h8M${x - 6},5.5l4,7M${x - 2},5.5l-4,7` }, group);
      x -= 13;
    }
    if (item.dead) {
      part(item.dead, item.calls);
      make("path", { class: "mdg-cross", d: `M${x - 7},5.5l7,7M${x},5.5l-7,7` }, group);
      x -= 12;
    }
    return x - 4;
  }
  function role(item, index) {
    const group = item.kind === "group" || item.kind === "frame";
    const found = { role: "button", tabindex: index === shown.at ? "0" : "-1", "aria-label": words(item), "data-at": index };
    if (group) found["aria-expanded"] = item.kind === "frame" ? "true" : "false";
    else if (item.layer) {
      found["data-nav"] = JSON.stringify({ layer: item.layer });
      found["aria-pressed"] = "false";
    }
    return found;
  }
  function drawFrame(item, index) {
    const group = make("g", { class: "mdg-frame", transform: `translate(${item.x},${item.y})` });
    make("rect", { class: "mdg-ground", width: item.w, height: item.h, rx: 5 }, group);
    const head = make("g", Object.assign(role(item, index), { class: "mdg-item mdg-head" }), group);
    make("title", {}, head, "Collapse " + words(item));
    make("rect", { class: "mdg-hit", width: Math.min(item.w, 600), height: 21, rx: 4 }, head);
    if (!shown.far) {
      make("path", { class: "mdg-sign", d: "M8,11h8" }, head);
      const text = make("text", { class: "mdg-name", x: 22, y: 15 }, head, cut(item.short, item.w - 30, "600 12px"));
      make("tspan", { class: "mdg-type", dx: 6 }, text, cut(item.type, Math.max(0, item.w - 50 - 7 * item.short.length), "11px"));
    }
    return group;
  }
  function drawBox(item, index) {
    const group = make("g", Object.assign(role(item, index), { class: `mdg-item mdg-box mdg-${item.kind}`, transform: `translate(${item.x},${item.y})` }));
    make("title", {}, group, words(item));
    const round = item.kind === "function" || item.kind === "end" ? 10 : 4;
    if (item.kind === "group") make("rect", { class: "mdg-behind", x: 4, y: -4, width: item.w, height: item.h, rx: 4 }, group);
    make("rect", { class: "mdg-ground", width: item.w, height: item.h, rx: round }, group);
    make("rect", { class: "mdg-tint", width: item.w, height: item.h, rx: round }, group);
    if (item.frozen && item.frozen === item.frozen_of) make("rect", { class: "mdg-hatched", width: item.w, height: item.h, rx: round, fill: "url(#mdg-hatch)" }, group);
    make("rect", { class: "mdg-outline", width: item.w, height: item.h, rx: round }, group);
    group.classList.toggle("dead", item.dead > 0 && item.dead === item.calls);
    if (shown.far) return group;
    make("rect", { class: "mdg-strip", x: 4, y: 5, width: 5, height: item.h - 10, rx: 2 }, group);
    const right = marks(group, item), low = item.h < 50;
    make("text", { class: "mdg-name", x: 15, y: low ? 16 : 18 }, group, cut(item.short, right - 15, "600 12px"));
    if (!low) make("text", { class: "mdg-type", x: 15, y: 33 }, group, cut(item.type, item.w - 22, "11px"));
    make("text", { class: "mdg-value", x: 15, y: low ? 30 : 47 }, group);
    if (item.kind === "group") make("path", { class: "mdg-sign", d: `M${item.w - 18},${item.h / 2 + 6}h9m-4.5,-4.5v9` }, group);
    return group;
  }
  function paintBox(index, node) {
    const item = shown.payload.items[index];
    const nodes = shown.payload.all;
    const chosen = said("layer");
    if (item.layer) node.setAttribute("aria-pressed", item.layer === chosen ? "true" : "false");
    const holds = item.kind === "group" && chosen && nodes.some((one) => one[2] === index && one[3] === chosen);
    node.classList.toggle("holds", Boolean(holds));
    node.classList.toggle("dim", Boolean(shown.found) && !shown.found.has(index) && item.kind !== "frame");
    node.classList.toggle("found", Boolean(shown.found) && shown.found.has(index));
    if (item.kind === "frame") return;
    const { fill, text } = tone(item);
    node.style.setProperty("--tone", fill || "var(--mdg-none)");
    node.classList.toggle("blank", !fill);
    const value = node.querySelector(".mdg-value");
    const inside = item.kind === "group" && look() === "type" ? count(item.calls, "call") : text;
    if (value) value.textContent = cut(inside, item.w - (item.kind === "group" ? 38 : 22), "11px");
  }

  /* --- ways */
  function path(points) {
    let text = `M${points[0]},${points[1]}`;
    for (let i = 2; i < points.length; i += 2) {
      const x0 = points[i - 2], y0 = points[i - 1], x = points[i], y = points[i + 1];
      if (Math.abs(y - y0) < 0.2) text += `H${x}`;
      else if (Math.abs(x - x0) < 0.2) text += `V${y}`;
      else text += `C${(x0 + x) / 2},${y0} ${(x0 + x) / 2},${y} ${x},${y}`;
    }
    return text;
  }
  function extent(points) {
    const found = [Infinity, Infinity, -Infinity, -Infinity];
    for (let i = 0; i < points.length; i += 2) {
      found[0] = Math.min(found[0], points[i]);
      found[1] = Math.min(found[1], points[i + 1]);
      found[2] = Math.max(found[2], points[i]);
      found[3] = Math.max(found[3], points[i + 1]);
    }
    return found;
  }
  function drawWay(index) {
    const [from, to, points] = shown.payload.edges[index];
    const dead = [from, to].some((one) => shown.payload.items[one].dead && shown.payload.items[one].dead === shown.payload.items[one].calls);
    const found = make("path", { class: "mdg-way" + (dead ? " dead" : ""), d: path(points) });
    if (!shown.far) found.setAttribute("marker-end", "url(#mdg-arrow)");
    return found;
  }
  function paintWay(index, node) {
    const [from, to] = shown.payload.edges[index];
    node.classList.toggle("near", shown.over >= 0 && (from === shown.over || to === shown.over));
  }

  /* --- the window onto it */
  function frameSvg() {
    const svg = make("svg", { class: "mdg-svg", width: shown.width, height: shown.height });
    const defs = make("defs", {}, svg);
    const hatch = make("pattern", { id: "mdg-hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" }, defs);
    make("rect", { class: "mdg-hatch", width: 1.2, height: 6 }, hatch);
    const arrow = make("marker", { id: "mdg-arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, markerUnits: "userSpaceOnUse", orient: "auto-start-reverse" }, defs);
    make("path", { class: "mdg-tip", d: "M0,0L8,4L0,8z" }, arrow);
    const world = make("g", { class: "mdg-world" }, svg);
    shown.layers = [0, 1, 2].map(() => make("g", {}, world));
    shown.world = world;
    return svg;
  }
  const inside = ([x0, y0, x1, y1], [a, b, c, d]) => x0 <= c && x1 >= a && y0 <= d && y1 >= b;
  function sync(table, total, spot, draw, layer, kept) {
    const { x, y, k } = shown.view, spare = 0.3 * shown.width;
    const room = [(-x - spare) / k, (-y - spare) / k, (shown.width - x + spare) / k, (shown.height - y + spare) / k];
    for (let index = 0; index < total; index++) {
      const wanted = index === kept || inside(spot(index), room), node = table.get(index);
      if (wanted && !node) {
        const made = draw(index);
        table.set(index, made);
        layer(index).appendChild(made);
      } else if (!wanted && node) {
        node.remove();
        table.delete(index);
      }
    }
  }
  /* What came into the window is drawn, what left it goes; all anew when it becomes readable or stops to be. */
  function place() {
    const { payload, view } = shown;
    if (!payload || !shown.world) return;
    const far = view.k < FAR;
    if (far !== shown.far) {
      shown.far = far;
      for (const layer of shown.layers) layer.replaceChildren();
      shown.boxes.clear();
      shown.ways.clear();
      shown.world.classList.toggle("far", far);
    }
    const held = document.activeElement && home().contains(document.activeElement);
    const box = ({ x, y, w, h }) => [x, y - 5, x + w + 5, y + h];
    sync(shown.ways, payload.edges.length, (at) => shown.extents[at], (at) => { const node = drawWay(at); paintWay(at, node); return node; }, () => shown.layers[1], -1);
    sync(shown.boxes, payload.items.length, (at) => box(payload.items[at]), (at) => {
      const item = payload.items[at], node = item.kind === "frame" ? drawFrame(item, at) : drawBox(item, at);
      paintBox(at, node);
      return node;
    }, (at) => shown.layers[payload.items[at].kind === "frame" ? 0 : 2], shown.at);
    shown.world.setAttribute("transform", `translate(${view.x.toFixed(2)},${view.y.toFixed(2)}) scale(${view.k.toFixed(5)})`);
    if (held && !home().contains(document.activeElement)) focusable(shown.at).focus({ preventScroll: true });
    api.overview();
  }
  const focusable = (index) => { const node = shown.boxes.get(index); return node && (node.matches(".mdg-item") ? node : node.querySelector(".mdg-item")); };
  /* As small as all of it, but never a mere line: the strip below shows all of a long one. */
  const smallest = () => Math.max(SMALLEST, Math.min(0.5, (shown.width - 2 * EDGE) / shown.payload.width, (shown.height - 2 * EDGE) / shown.payload.height));
  function clamp() {
    const { view, payload, width, height } = shown;
    view.k = Math.min(LARGEST, Math.max(smallest(), view.k));
    const hold = (value, room, size) => (size + 2 * EDGE <= room ? (room - size) / 2 : Math.min(EDGE + room / 3, Math.max(room - size - EDGE - room / 3, value)));
    view.x = hold(view.x, width, payload.width * view.k);
    view.y = hold(view.y, height, payload.height * view.k);
  }
  let due = 0;
  function move() {
    clamp();
    if (!due) due = window.requestAnimationFrame(() => { due = 0; place(); });
  }
  function zoom(factor, x, y) {
    const { view } = shown, before = view.k;
    const cx = x === undefined ? shown.width / 2 : x, cy = y === undefined ? shown.height / 2 : y;
    view.k = Math.min(LARGEST, Math.max(smallest(), before * factor));
    view.x = cx - ((cx - view.x) * view.k) / before;
    view.y = cy - ((cy - view.y) * view.k) / before;
    move();
  }
  const whole = () => Math.min(1, (shown.width - 2 * EDGE) / shown.payload.width, (shown.height - 2 * EDGE) / shown.payload.height);
  function fit() {
    const { view } = shown, k = Math.max(SMALLEST, whole());
    zoom(k / view.k);
  }
  /* Where it starts: all of it if that can be read, else its left end, or what is selected. */
  function start() {
    const all = whole();
    shown.view = { k: all, x: EDGE, y: EDGE };
    if (all < READABLE) {
      shown.view.k = Math.max(READABLE, Math.min(1, (shown.height - 2 * EDGE) / shown.payload.height));
      shown.view.y = (shown.height - shown.payload.height * shown.view.k) / 2;
      const at = api.chosen();
      if (at >= 0) center(at);
    }
    move();
  }
  function center(index) {
    const item = shown.payload.items[index], { view } = shown;
    view.x = shown.width / 2 - (item.x + Math.min(item.w, shown.width / view.k) / 2) * view.k;
    view.y = shown.height / 2 - (item.y + (item.kind === "frame" ? 12 : item.h / 2)) * view.k;
    move();
  }
  /* Moves only as far as it takes to see a box. */
  function reveal(index, readable) {
    const { x, y, w, h, kind } = shown.payload.items[index], { view } = shown;
    if (readable && view.k < READABLE) {
      view.k = 0.9;
      center(index);
    }
    const tall = kind === "frame" ? 22 : h, wide = Math.min(w, 200);
    const left = x * view.k + view.x, top = y * view.k + view.y;
    if (left < EDGE || left + wide * view.k > shown.width - EDGE || top < EDGE || top + tall * view.k > shown.height - EDGE) center(index);
    window.cancelAnimationFrame(due);
    due = 0;
    place();
  }

  const api = (window.cutawayGraph = {
    shown, home, said, look, count, short, duration, percent, tone, ends, VERDICTS, LEVELS, zoom, move, fit, reveal, center, focusable, path, drawBox, drawFrame, drawWay, paintBox,
    chosen() {
      const key = said("layer"), own = shown.payload ? shown.payload.all.find((one) => key && one[3] === key) : null;
      return own ? own[2] : -1;
    },
    paint() {
      for (const [index, node] of shown.boxes) paintBox(index, node);
      for (const [index, node] of shown.ways) paintWay(index, node);
    },
    overview() {}, tell() {}, legend() {}, arrived() {},
  });

  /* --- a new graph, other modules expanded, another size */
  function height() {
    if (home().closest(".panel.maximised")) return Math.max(LEAST, window.innerHeight - (look() === "change" ? 400 : 350));
    const all = Math.min(1, (shown.width - 2 * EDGE) / shown.payload.width), k = all < READABLE ? 1 : all;
    return Math.round(Math.min(TALLEST, Math.max(LEAST, shown.payload.height * k + 4 * EDGE)));
  }
  function layout(fresh) {
    const { payload } = shown, node = home();
    if (!node || !payload || !node.clientWidth) return;
    const focused = node.contains(document.activeElement);
    shown.width = node.clientWidth;
    shown.height = height();
    shown.far = null;
    shown.boxes.clear();
    shown.ways.clear();
    const svg = frameSvg();
    node.replaceChildren(svg);
    const spot = shown.anchor && payload.items.findIndex((item) => item.id === shown.anchor.id);
    if (fresh || shown.first) start();
    else if (shown.anchor && spot >= 0) {
      const item = payload.items[spot], { view, anchor } = shown;
      view.x = anchor.x - item.x * view.k;
      view.y = anchor.y - item.y * view.k;
      shown.at = spot;
    }
    shown.first = false;
    shown.anchor = null;
    clamp();
    place();
    api.arrived();
    if (focused && focusable(shown.at)) focusable(shown.at).focus({ preventScroll: true });
    api.tell();
    api.legend();
  }
  function show(payload) {
    const fresh = !payload || payload.key !== shown.key;
    const before = shown.payload && shown.payload.items[shown.at];
    Object.assign(shown, { payload: payload, over: -1, key: payload ? payload.key : "", first: shown.first || fresh });
    if (!payload) return home().replaceChildren();
    shown.extents = payload.edges.map((edge) => extent(edge[2]));
    shown.order = payload.items.map((_, index) => index).sort((a, b) => payload.items[a].x - payload.items[b].x || payload.items[a].y - payload.items[b].y);
    const same = before ? payload.items.findIndex((item) => item.id === before.id) : -1;
    shown.at = same >= 0 ? same : shown.order[0];
    measure();
    layout(fresh);
  }
  const watcher = new ResizeObserver(() => window.requestAnimationFrame(resized));
  function resized() {
    const node = home();
    if (!node || !shown.payload || !node.clientWidth) return;
    const now = Boolean(node.closest(".panel.maximised"));
    if (node.firstChild && node.clientWidth === shown.width && now === shown.maximised) return;
    shown.maximised = now;
    layout(false);
  }
  window.addEventListener("resize", resized);
  const known = { graph: null, change: null };
  function read() {
    const texts = ["md-graph-data", "md-graph-change"].map((name) => document.getElementById(name).textContent);
    if (texts[1] !== known.change) {
      known.change = texts[1];
      shown.change = texts[1] ? JSON.parse(texts[1]) : null;
    }
    if (texts[0] !== known.graph) {
      known.graph = texts[0];
      show(texts[0] ? JSON.parse(texts[0]) : null);
    }
    painted();
  }
  function painted() {
    if (!shown.payload || !shown.world) return;
    api.paint();
    api.overview();
    api.tell();
    api.legend();
  }
  const waiting = new MutationObserver(() => {
    const nodes = ["md-graph-data", "md-graph-change"].map((name) => document.getElementById(name));
    if (!nodes.every(Boolean) || !home()) return;
    waiting.disconnect();
    const reader = new MutationObserver(read);
    for (const node of nodes) reader.observe(node, { childList: true, characterData: true, subtree: true });
    watcher.observe(home());
    read();
  });
  waiting.observe(document.documentElement, { childList: true, subtree: true });

  ns.graph = {
    paint(_view, _graph, layer) {
      const picker = document.getElementById("md-graph-other");
      if (picker) picker.hidden = look() !== "change";
      if (shown.payload && shown.world) {
        painted();
        const at = api.chosen();
        if (layer !== shown.layer && at >= 0 && home().clientWidth) reveal(at);
      }
      shown.layer = layer;
      return NO();
    },
  };
})();
