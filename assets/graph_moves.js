/* Pointing, keys, moving, searching, overview, words and legend of the graph that assets/graph.js draws. */
(function () {
  "use strict";
  const api = window.cutawayGraph;
  const { shown, home, said, look, count, short, duration, percent, tone, ends, VERDICTS, LEVELS } = api;
  const MOST_TEXT = 3900; // of the list of expanded modules in the address
  const DRAG = 4, PAN = 60;
  const get = (name) => document.getElementById(name);
  const alive = () => shown.payload && shown.world && home() && home().clientWidth;

  function node(name, className, text, parent) {
    const found = document.createElement(name);
    if (className) found.className = className;
    if (text !== undefined) found.textContent = text;
    if (parent) parent.appendChild(found);
    return found;
  }

  /* --- words on what is pointed at, has the focus or is selected: hover is not the only way to a fact */
  function facts(item) {
    const { total } = shown.payload, parts = [];
    const module = item.kind === "group" || item.kind === "frame";
    if (module) parts.push(count(item.calls, "call") + " inside");
    if (item.shape) parts.push(`${item.role === "input" ? "is" : "yields"} ${item.shape} ${item.dtype}`);
    if (item.parameters) {
      const trained = item.trainable === item.parameters ? "all trained" : item.trainable ? short(item.trainable) + " of them trained" : "none trained (frozen)";
      parts.push(`${count(item.parameters, "parameter")}, ${trained}`);
    } else parts.push(item.shared ? `the weights of ${item.shared}` : "no parameters");
    if (item.kind !== "end") {
      const part = (value, of) => (value && of ? ` (${percent(value / of)} of the model)` : "");
      parts.push(short(item.flops, "FLOPs") + part(item.flops, total.flops));
      parts.push(duration(item.seconds) + part(item.seconds, total.seconds));
    }
    if (module && item.frozen) parts.push(`${item.frozen} of ${count(item.frozen_of, "layer")} with parameters frozen`);
    if (item.dead) parts.push(item.dead === item.calls ? "dead: no output depends on it" : `${item.dead} dead inside`);
    const moved = shown.change && shown.change.items[item.id];
    if (look() === "change" && moved) {
      const where = module ? `, most in ${moved[3]}` : "";
      const largest = moved[2] ? `; largest of one parameter ${Number(moved[2].toPrecision(3))} standard deviations` : "";
      parts.push(moved[0] ? `change ${percent(moved[1])} (${VERDICTS[moved[0]]}${where})${largest}` : "weights are the same");
    }
    if (shown.found && shown.found.get(shown.payload.items.indexOf(item)) && module) parts.push(`found inside: ${shown.found.get(shown.payload.items.indexOf(item))}`);
    return parts;
  }
  api.tell = function () {
    const told = get("md-graph-told");
    if (!told || !shown.payload) return;
    const chosen = api.chosen();
    const index = shown.over >= 0 ? shown.over : chosen;
    told.replaceChildren();
    if (index < 0) return void node("span", "quiet", "Point at a box, or go through them with the arrow keys: what it is, its shape, parameters, work and time.", told);
    const item = shown.payload.items[index];
    const selected = shown.over < 0 && item.layer !== said("layer");
    node("b", "", item.name || item.type, told);
    node("span", "mdg-kind", ` ${item.type}${selected ? `, holds the selected layer ${said("layer")}` : ""}`, told);
    const list = node("span", "mdg-facts", "", told);
    for (const fact of facts(item)) node("span", "", fact, list);
  };

  /* --- legend */
  function scale(home_, title, low, high, note) {
    const line = node("p", "mdg-key", undefined, home_);
    node("b", "", title + " ", line);
    node("span", "mdg-end", low, line);
    const bar = node("span", "mdg-scale", "", line);
    for (let i = 0; i < LEVELS; i++) node("i", "", "", bar).style.background = `var(--mdg-s${i})`;
    node("span", "mdg-end", high, line);
    node("span", "quiet", " " + note, line);
  }
  function types(home_) {
    const line = node("p", "mdg-key", undefined, home_), counts = new Map();
    for (const item of shown.payload.items) if (item.kind !== "frame") counts.set(item.family, (counts.get(item.family) || 0) + 1);
    node("b", "", "Type ", line);
    for (const [number, total] of [...counts].sort((a, b) => a[0] - b[0])) {
      const pair = node("span", "mdg-pair", "", line);
      node("span", "mdg-dot", "", pair).style.background = `var(--mdg-${number})`;
      node("span", "", ` ${shown.payload.families[number]} (${total})`, pair);
    }
  }
  function changes(home_) {
    const line = node("p", "mdg-key", undefined, home_);
    node("b", "", "Change of the weights ", line);
    if (!shown.change) return void node("span", "quiet", "not compared yet", line);
    VERDICTS.forEach((name, rank) => {
      const pair = node("span", "mdg-pair", "", line);
      node("span", "mdg-dot", "", pair).style.background = `var(--mdg-v${rank})`;
      node("span", "", ` ${name} (${count(shown.change.counts[rank], "layer")})`, pair);
    });
  }
  api.legend = function () {
    const box = get("md-graph-legend");
    if (!box || !shown.payload) return;
    box.replaceChildren();
    const by = look();
    if (by === "type") types(box);
    else if (by === "parameters") scale(box, "Parameters", short(ends.parameters[0]), short(ends.parameters[1]), "of a box, by its logarithm; grey: none");
    else if (by === "time") scale(box, "Time of a box", "0", duration(ends.time), "per instance; grey: not measured");
    else changes(box);
    const line = node("p", "mdg-key", undefined, box);
    const { frozen, dead } = shown.payload;
    for (const [name, text] of [["stack", "module: a click expands it"], ["frozen", `frozen, none of its parameters is trained (${frozen})`], ["dead", `dead, no output depends on it (${dead})`], ["selected", "selected layer"]]) {
      const pair = node("span", "mdg-pair", "", line);
      node("span", "mdg-mark " + name, "", pair);
      node("span", "", " " + text, pair);
    }
  };

  /* --- overview: everything in a strip, with the window's place in it */
  const strip = { canvas: null, still: null, key: "" };
  function stroke() {
    const node_ = get("md-graph-overview"), style = window.getComputedStyle(document.documentElement), known = new Map();
    return { node: node_, ink: (text) => {
      const name = (text.match(/--[\w-]+/) || [""])[0];
      if (!known.has(name)) known.set(name, style.getPropertyValue(name).trim() || "#888");
      return known.get(name);
    } };
  }
  function picture(pen, wide, tall, ink) {
    const { items, width, height } = shown.payload, sx = wide / width, sy = Math.min(tall - 6, Math.max(14, height * sx)) / height, top = (tall - height * sy) / 2;
    pen.clearRect(0, 0, wide, tall);
    items.forEach((item, index) => {
      const at = [item.x * sx, top + item.y * sy, Math.max(1, item.w * sx), Math.max(1.5, item.h * sy)];
      if (item.kind === "frame") {
        pen.globalAlpha = 0.08;
        pen.fillStyle = ink("--ink");
      } else {
        const { fill } = tone(item);
        pen.globalAlpha = shown.found && !shown.found.has(index) ? 0.15 : fill ? 0.9 : 0.45;
        pen.fillStyle = ink(fill || "--mdg-none");
      }
      pen.fillRect(...at);
    });
    pen.globalAlpha = 1;
    const at = api.chosen();
    if (at >= 0) {
      pen.strokeStyle = ink("--accent");
      pen.lineWidth = 2;
      pen.strokeRect(items[at].x * sx - 1, top + items[at].y * sy - 1, Math.max(3, items[at].w * sx) + 2, Math.max(3, items[at].h * sy) + 2);
    }
    return { sx, sy, top };
  }
  api.overview = function () {
    const { node: box, ink } = stroke();
    if (!alive() || !box || !box.clientWidth) return;
    if (!strip.canvas || !strip.canvas.isConnected) {
      strip.canvas = node("canvas", "", undefined, box);
      strip.still = document.createElement("canvas");
      strip.key = "";
    }
    const wide = box.clientWidth, tall = box.clientHeight, dots = window.devicePixelRatio || 1;
    const key = [shown.payload.key, said("gopen"), look(), said("layer"), wide, tall, dots, document.documentElement.dataset.theme, Boolean(shown.change), shown.found && [...shown.found.keys()].join(), shown.payload.items.length].join("|");
    if (key !== strip.key) {
      strip.key = key;
      for (const canvas of [strip.canvas, strip.still]) Object.assign(canvas, { width: wide * dots, height: tall * dots });
      const pen = strip.still.getContext("2d");
      pen.setTransform(dots, 0, 0, dots, 0, 0);
      strip.scale = picture(pen, wide, tall, ink);
    }
    const { sx, sy, top } = strip.scale, { view } = shown, pen = strip.canvas.getContext("2d");
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, strip.canvas.width, strip.canvas.height);
    pen.drawImage(strip.still, 0, 0);
    pen.setTransform(dots, 0, 0, dots, 0, 0);
    pen.strokeStyle = ink("--ink");
    pen.lineWidth = 1.5;
    const left = Math.max(1, (-view.x / view.k) * sx), up = Math.max(1, top + (-view.y / view.k) * sy);
    const right = Math.min(wide - 1, ((shown.width - view.x) / view.k) * sx), down = Math.min(tall - 1, top + ((shown.height - view.y) / view.k) * sy);
    pen.strokeRect(left, up, Math.max(4, right - left), Math.max(4, down - up));
  };
  function jump(event) {
    const box = get("md-graph-overview").getBoundingClientRect(), { view } = shown, { sx, sy, top } = strip.scale;
    view.x = shown.width / 2 - ((event.clientX - box.left) / sx) * view.k;
    view.y = shown.height / 2 - ((event.clientY - box.top - top) / sy) * view.k;
    api.move();
  }

  /* --- moving: drag, wheel, buttons */
  const drag = { on: null, moved: false };
  document.addEventListener("pointerdown", (event) => {
    if (!alive() || event.button || !event.target.closest) return;
    if (event.target.closest("#md-graph-overview")) {
      drag.on = "strip";
      jump(event);
    } else if (event.target.closest("#md-graph-picture")) Object.assign(drag, { on: "picture", moved: false, x: event.clientX, y: event.clientY, from: { ...shown.view } });
  });
  document.addEventListener("pointermove", (event) => {
    if (!drag.on || !alive()) return;
    if (drag.on === "strip") return jump(event);
    const dx = event.clientX - drag.x, dy = event.clientY - drag.y;
    if (!drag.moved && Math.hypot(dx, dy) < DRAG) return;
    drag.moved = true;
    home().classList.add("moving");
    Object.assign(shown.view, { x: drag.from.x + dx, y: drag.from.y + dy });
    api.move();
  });
  function drop() {
    if (home()) home().classList.remove("moving");
    drag.on = null;
  }
  document.addEventListener("pointerup", drop);
  document.addEventListener("pointercancel", drop);
  /* The wheel scrolls the page; with Ctrl, by a pinch, and where nothing scrolls it zooms. */
  document.addEventListener("wheel", (event) => {
    if (!alive() || !event.target.closest || !event.target.closest("#md-graph-picture")) return;
    const box = home().getBoundingClientRect();
    const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey;
    if (event.ctrlKey || event.metaKey || (home().closest(".panel.maximised") && !sideways)) {
      api.zoom(Math.exp(-Math.max(-60, Math.min(60, event.deltaY)) / 180), event.clientX - box.left, event.clientY - box.top);
    } else if (sideways) {
      shown.view.x -= event.deltaX || event.deltaY;
      api.move();
    } else return;
    event.preventDefault();
  }, { passive: false });

  /* --- modules that are expanded */
  const list = () => said("gopen").split(",").filter(Boolean);
  function change(expand, names) {
    const { auto } = shown.payload;
    let now = list();
    for (const name of names) {
      now = now.filter((one) => one !== name && one !== "-" + name);
      const open = auto.includes(name) || now.includes("*");
      if (expand && !open) now.push(name);
      if (!expand && open) now.push("-" + name);
    }
    const text = now.join(",");
    if (text.length > MOST_TEXT) return void (get("md-graph-matches").textContent = "Too many modules one by one: use 'Expand all'.");
    window.cutaway.navigate({ gopen: text || null });
  }
  function toggle(index) {
    const item = shown.payload.items[index];
    if (item.kind !== "group" && item.kind !== "frame") return false;
    shown.anchor = { id: item.id, x: item.x * shown.view.k + shown.view.x, y: item.y * shown.view.k + shown.view.y };
    change(item.kind === "group", [item.name]);
    return true;
  }
  document.addEventListener("click", (event) => {
    const inside = event.target.closest && event.target.closest("#md-graph-picture");
    if (inside && drag.moved) { // it was a drag
      drag.moved = false;
      event.stopPropagation();
      return event.preventDefault();
    }
    const item = inside && event.target.closest(".mdg-item");
    if (item && !event.shiftKey && !event.metaKey && !event.ctrlKey) toggle(Number(item.dataset.at));
    const button = event.target.closest && event.target.closest("[data-graph-do]");
    if (!button || !alive()) return;
    const what = button.dataset.graphDo;
    if (what === "expand") window.cutaway.navigate({ gopen: "*" });
    else if (what === "collapse") window.cutaway.navigate({ gopen: null });
    else if (what === "fit") api.fit();
    else api.zoom(what === "in" ? 1.3 : 1 / 1.3);
  }, true);

  /* --- pointing and keys */
  const at = (event) => {
    const item = event.target.closest ? event.target.closest("#md-graph-picture .mdg-item") : null;
    return item ? Number(item.dataset.at) : -1;
  };
  let due = 0;
  function point(index) {
    if (shown.over === index || !shown.payload) return;
    shown.over = index;
    window.cancelAnimationFrame(due);
    due = window.requestAnimationFrame(() => { api.paint(); api.tell(); });
  }
  const focused = () => (document.activeElement && document.activeElement.closest("#md-graph-picture .mdg-item") ? shown.at : -1);
  document.addEventListener("pointerover", (event) => {
    if (drag.on) return;
    const index = at(event);
    if (index >= 0 || shown.over >= 0) point(index >= 0 ? index : focused());
  });
  document.addEventListener("focusin", (event) => {
    const index = at(event);
    if (index < 0) return;
    const before = api.focusable(shown.at);
    if (before) before.setAttribute("tabindex", "-1");
    shown.at = index;
    event.target.closest(".mdg-item").setAttribute("tabindex", "0");
    point(index);
  });
  document.addEventListener("focusout", (event) => { if (at(event) >= 0) point(-1); });
  function reach(index) {
    if (index === undefined || index < 0) return;
    const before = api.focusable(shown.at);
    if (before) before.setAttribute("tabindex", "-1");
    shown.at = index;
    api.reveal(index);
    const next = api.focusable(index);
    next.setAttribute("tabindex", "0");
    next.focus({ preventScroll: true });
  }
  /* The nearest box above or below. */
  function beside(index, by) {
    const { items } = shown.payload, own = items[index];
    const middle = (item) => item.y + (item.kind === "frame" ? 10 : item.h / 2);
    let best = -1, least = Infinity;
    items.forEach((item, number) => {
      const away = by * (middle(item) - middle(own)), apart = Math.max(0, item.x - own.x - own.w, own.x - item.x - (item.kind === "frame" ? 200 : item.w));
      if (number !== index && away > 1 && apart < 200 && away + 2 * apart < least) [best, least] = [number, away + 2 * apart];
    });
    return best;
  }
  document.addEventListener("keydown", (event) => {
    const index = at(event);
    if (index < 0 || event.metaKey || event.ctrlKey || event.altKey) return;
    const { order } = shown, here = order.indexOf(index);
    const to = { ArrowRight: () => order[here + 1], ArrowLeft: () => order[here - 1], ArrowDown: () => beside(index, 1), ArrowUp: () => beside(index, -1), Home: () => order[0], End: () => order[order.length - 1] };
    if (event.key in to) reach(to[event.key]());
    else if (event.key === "Enter" || event.key === " ") event.target.closest(".mdg-item").dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true }));
    else if (event.key === "+" || event.key === "=") api.zoom(1.3);
    else if (event.key === "-") api.zoom(1 / 1.3);
    else if (event.key === "0") api.fit();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }, true);

  /* --- searching: all calls, also those inside collapsed modules */
  const hits = { list: [], at: -1 };
  function search(next) {
    const field = get("md-graph-search"), told = get("md-graph-matches");
    const text = field.value.trim().toLowerCase();
    if (!shown.payload) return;
    if (!text) {
      shown.found = null;
      Object.assign(hits, { list: [], at: -1 });
      told.textContent = "";
    } else {
      hits.list = shown.payload.all.flatMap((one, number) => (one[0].toLowerCase().includes(text) || one[1].toLowerCase().includes(text) ? [number] : []));
      shown.found = new Map();
      for (const number of hits.list) {
        const box = shown.payload.all[number][2];
        shown.found.set(box, (shown.found.get(box) || 0) + 1);
      }
      const hidden = hits.list.filter((number) => shown.payload.items[shown.payload.all[number][2]].kind === "group").length;
      const more = hidden ? `, ${hidden.toLocaleString("en")} inside collapsed modules` : "";
      told.textContent = `${hits.list.length.toLocaleString("en")} of ${shown.payload.all.length.toLocaleString("en")} match${more}` + (hits.list.length ? "; Enter goes to the next." : ".");
      if (next && hits.list.length) go();
    }
    if (shown.world) shown.world.classList.toggle("searching", Boolean(shown.found));
    api.paint();
    api.overview();
  }
  function go() {
    hits.at = (hits.at + 1) % hits.list.length;
    const [name, , box, , parent] = shown.payload.all[hits.list[hits.at]];
    get("md-graph-matches").textContent = `${hits.at + 1} of ${hits.list.length}: ${name}`;
    if (shown.payload.items[box].kind === "group") {
      const path = parent.split(".").map((_, depth, parts) => parts.slice(0, depth + 1).join("."));
      shown.wanted = hits.list[hits.at];
      return change(true, path);
    }
    arrive(box);
  }
  function arrive(box) {
    shown.at = box;
    api.reveal(box, true);
    point(box);
  }
  api.arrived = function () {
    if (shown.found) {
      const told = get("md-graph-matches").textContent;
      search(false);
      get("md-graph-matches").textContent = told;
    }
    if (shown.wanted === null) return;
    const box = shown.payload.all[shown.wanted][2];
    shown.wanted = null;
    arrive(box);
  };
  document.addEventListener("input", (event) => {
    if (event.target.id !== "md-graph-search") return;
    hits.at = -1;
    search(false);
  });
  document.addEventListener("keydown", (event) => {
    if (event.target.id !== "md-graph-search") return;
    if (event.key === "Enter") search(true);
    else if (event.key === "Escape" && event.target.value) {
      event.target.value = "";
      search(false);
    } else return;
    event.stopPropagation();
  }, true);

  new MutationObserver(() => { if (alive()) api.overview(); }).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
})();
