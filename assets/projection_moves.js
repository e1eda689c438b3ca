/* The Projection panel: what it fetches, and what the pointer and the keys do. The pictures are made in projection.js. */
(function () {
  "use strict";
  const ns = (window.dash_clientside = window.dash_clientside || {});
  const api = window.cutawayProjection, { state, byId } = api;
  const REACH = 12, KEPT = 300, CLICK = 5, WAIT_MS = 60, MOST_ZOOM = 400;
  const said = new Map();
  let frame = 0, timer = 0, press = null;

  /* Drawn once a frame, however many events there are. */
  function later(what) {
    state.busy = Math.max(state.busy, what === "all" ? 2 : 1);
    if (frame) return;
    frame = window.requestAnimationFrame(() => {
      frame = 0;
      const all = state.busy > 1;
      state.busy = 0;
      if (all) api.draw();
      else api.over();
    });
  }

  /* The instances of a row of the matrix stand out while it is pointed at. */
  document.addEventListener("cutaway-row", (event) => {
    state.pointed = (event.detail && event.detail.bits) || null;
    state.pointedAt = (state.pointedAt || 0) + 1;
    if (state.map && state.spec && state.view) later("all");
  });

  async function bytes(address) {
    const answer = await fetch(address, { credentials: "same-origin" });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.arrayBuffer();
  }
  /* New places and colours appear together; what is there stays until then. */
  async function load(spec) {
    try {
      const points = state.pointsOf === spec.points ? null : bytes(spec.points);
      const colours = !spec.colours || state.codesOf === spec.colours ? null : bytes(spec.colours);
      const [places, codes] = await Promise.all([points, colours]);
      if (state.wanted !== spec) return;
      if (places) {
        const before = state.map;
        state.map = api.decode(places);
        state.pointsOf = spec.points;
        state.hover = -1;
        state.fullOf = "";
        if (!before || spec.revision !== (state.spec || {}).revision) state.view = null;
      }
      if (codes) state.codes = new Uint8Array(codes);
      if (!spec.colours) state.codes = null;
      state.codesOf = spec.colours;
      state.spec = spec;
      if (!state.view) api.fit();
      byId("box").setAttribute("aria-busy", "false");
      tell();
      later("all");
    } catch (error) {
      if (state.wanted === spec) byId("tip").textContent = "The points cannot be fetched. Reload the page.";
    }
  }
  function show(spec) {
    state.wanted = spec;
    if (!spec) {
      Object.assign(state, { spec: null, map: null, pointsOf: "", codesOf: "", hover: -1 });
      return;
    }
    attach();
    byId("canvas").setAttribute("aria-label", spec.label);
    byId("box").setAttribute("aria-busy", "true");
    load(spec);
  }

  /* The point nearest to a place of the canvas, within reach; -1 if there is none. */
  function nearest(px, py, reach) {
    const { map, view } = state;
    if (!map || !view) return -1;
    const [u, v] = api.unitAt(px, py), radius = reach / view.scale;
    const low = (value) => Math.max(0, Math.min(255, Math.floor((value - radius) / 256)));
    const high = (value) => Math.max(0, Math.min(255, Math.floor((value + radius) / 256)));
    let best = -1, least = radius * radius;
    for (let row = low(v); row <= high(v); row++) for (let column = low(u); column <= high(u); column++) {
      const cell = row * 256 + column;
      for (let at = map.first[cell]; at < map.first[cell + 1]; at++) {
        const i = map.order[at], dx = map.x[i] - u, dy = map.y[i] - v, gap = dx * dx + dy * dy;
        if (gap <= least) [best, least] = [i, gap];
      }
    }
    return best;
  }

  /* What is said of a point: fetched once, kept for a while. */
  async function about(row) {
    if (said.has(row.key)) return said.get(row.key);
    const answer = await fetch(row.key, { credentials: "same-origin" });
    if (!answer.ok) return null;
    const found = await answer.json();
    said.set(row.key, found);
    if (said.size > KEPT) said.delete(said.keys().next().value);
    return found;
  }
  const keyOf = (i) => ({ key: state.spec.point + state.map.row[i] });
  function name(label) {
    return label < 0 ? "no label" : state.spec.names[label] || "class " + label;
  }
  function words(found) {
    const parts = ["instance " + found.index.toLocaleString("en"), "label " + name(found.label), "predicted " + name(found.prediction)];
    if (found.confidence !== null) parts[2] += ", " + Math.round(100 * found.confidence) + " %";
    if (found.label >= 0) parts.push(found.label === found.prediction ? "right" : "wrong");
    return parts;
  }
  function value(i) {
    const { spec } = state, code = api.codeOf(i);
    if (!spec.colours || !spec.title) return "";
    if (spec.groups.length) return spec.groups[code] && spec.own ? "" : spec.title + ": " + (spec.groups[code] || [])[2];
    if (!code) return spec.title + ": no value";
    const number = spec.low + ((code - 1) / 254) * (spec.high - spec.low);
    return spec.title + " about " + number.toLocaleString("en", { maximumSignificantDigits: 3 }) + spec.unit;
  }
  /* The line below the map and the card at the pointer. */
  async function tell() {
    const tip = byId("tip"), card = byId("card"), i = state.hover;
    if (i < 0 || !state.spec) {
      card.hidden = true;
      tip.textContent = state.spec ? state.spec.hint : "";
      return;
    }
    const found = await about(keyOf(i));
    if (state.hover !== i || !found) return;
    const lines = [...words(found), value(i)].filter(Boolean);
    tip.textContent = lines.join(" · ");
    card.replaceChildren();
    if (found.picture) {
      const picture = new Image();
      picture.alt = "";
      picture.src = found.picture;
      card.appendChild(picture);
    }
    for (const text of [lines[0], lines.slice(1).join(" · "), found.text || ""]) {
      if (!text) continue;
      const line = document.createElement("p");
      line.textContent = text;
      card.appendChild(line);
    }
    const box = byId("box"), x = api.across(state.map.x[i]), y = api.down(state.map.y[i]);
    card.hidden = false;
    card.style.left = (x > box.clientWidth / 2 ? Math.max(0, x - card.offsetWidth - 14) : x + 14) + "px";
    card.style.top = Math.max(0, Math.min(box.clientHeight - card.offsetHeight, y - card.offsetHeight / 2)) + "px";
  }
  function hover(i) {
    if (i === state.hover) return;
    state.hover = i;
    if (i < 0) byId("card").hidden = true;
    /* The matrix shows its row for as long. */
    document.dispatchEvent(new CustomEvent("cutaway-point", { detail: i < 0 ? null : { row: state.map.row[i] } }));
    window.clearTimeout(timer);
    timer = window.setTimeout(tell, WAIT_MS);
    later("over");
  }
  async function choose(i) {
    if (i < 0 || !state.spec) return;
    const found = await about(keyOf(i));
    if (found) window.cutaway.navigate({ instances: found.index });
  }

  function zoom(factor, px, py) {
    const { view } = state;
    if (!view) return;
    const [u, v] = api.unitAt(px, py);
    const scale = Math.min(view.whole * MOST_ZOOM, Math.max(view.whole * 0.5, view.scale * factor));
    view.x = u - (u - view.x) * (view.scale / scale);
    view.y = v - (v - view.y) * (view.scale / scale);
    view.scale = scale;
    later("all");
  }
  function middle(factor) {
    zoom(factor, byId("box").clientWidth / 2, byId("box").clientHeight / 2);
  }
  function whole() {
    api.fit();
    later("all");
  }

  /* The outline goes into the address; the server finds what lies in it. */
  function lasso(path) {
    const corners = window.cutaway.simplified(path.map(([x, y]) => api.toData(...api.unitAt(x, y))));
    if (corners.length >= 3) window.cutaway.navigate({ plasso: corners.flat().map((value) => Number(value.toPrecision(5))).join(",") });
  }

  const place = (event) => {
    const box = byId("canvas").getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  function down(event) {
    if (event.button || !state.map) return;
    const at = place(event), moves = state.mode === "move" || event.shiftKey;
    press = { at, last: at, moves, far: 0 };
    state.path = moves || !state.spec.ready ? null : [at];
    byId("canvas").setPointerCapture(event.pointerId);
  }
  function moved(event) {
    const at = place(event);
    if (!press) return hover(nearest(...at, REACH));
    press.far = Math.max(press.far, Math.hypot(at[0] - press.at[0], at[1] - press.at[1]));
    if (press.far < CLICK) return;
    hover(-1);
    if (press.moves) {
      state.view.x -= (at[0] - press.last[0]) / state.view.scale;
      state.view.y += (at[1] - press.last[1]) / state.view.scale;
      later("all");
    } else if (state.path) {
      state.path.push(at);
      later("over");
    }
    press.last = at;
  }
  function up(event) {
    if (!press) return;
    const { far } = press, path = state.path;
    press = null;
    state.path = null;
    if (far < CLICK) choose(nearest(...place(event), REACH));
    else if (path && path.length > 2) lasso(path);
    later("over");
  }
  function wheel(event) {
    if (!event.ctrlKey && state.mode !== "move") return; // the page scrolls
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 400), ...place(event));
  }

  /* The next point in a direction: near, and not far off to the side. */
  function toward(dx, dy) {
    const { map, view } = state;
    if (!map || !map.count) return -1;
    const from = state.hover >= 0 ? [map.x[state.hover], map.y[state.hover]] : [view.x, view.y];
    let best = -1, least = Infinity;
    for (let i = 0; i < map.count; i++) {
      const u = map.x[i] - from[0], v = map.y[i] - from[1];
      const along = u * dx + v * dy, aside = Math.abs(u * dy) + Math.abs(v * dx);
      if (i === state.hover || (state.hover >= 0 && (along <= 0 || aside > along))) continue;
      const gap = state.hover >= 0 ? along + 2 * aside : Math.hypot(u, v);
      if (gap < least) [best, least] = [i, gap];
    }
    return best;
  }
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  function key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = ARROWS[event.key];
    if (arrow) {
      const next = toward(...arrow);
      if (next >= 0) hover(next);
    } else if (event.key === "Enter" || event.key === " ") choose(state.hover);
    else if (event.key === "+" || event.key === "=") middle(1.5);
    else if (event.key === "-") middle(1 / 1.5);
    else if (event.key === "0") whole();
    else if (event.key === "Escape" && press) {
      press = null;
      state.path = null;
      later("over");
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  let attached = null;
  function attach() {
    const canvas = byId("canvas");
    if (!canvas || canvas === attached) return;
    attached = canvas;
    canvas.addEventListener("pointerdown", down);
    canvas.addEventListener("pointermove", moved);
    canvas.addEventListener("pointerup", up);
    canvas.addEventListener("pointercancel", () => { press = null; state.path = null; later("over"); });
    canvas.addEventListener("pointerleave", () => { if (!press) hover(-1); });
    canvas.addEventListener("dblclick", whole);
    canvas.addEventListener("wheel", wheel, { passive: false });
    canvas.addEventListener("keydown", key);
    canvas.addEventListener("blur", () => hover(-1));
    for (const [id, act] of [["in", () => middle(1.5)], ["out", () => middle(1 / 1.5)], ["fit", whole]]) {
      byId(id).addEventListener("click", act);
    }
    let size = "";
    new ResizeObserver(() => {
      const box = byId("box"), now = box.clientWidth + "x" + box.clientHeight;
      if (now === size || !box.clientWidth) return;
      size = now;
      if (!state.view || state.view.scale === state.view.whole) api.fit();
      later("all");
    }).observe(byId("box"));
    new MutationObserver(() => later("all")).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  }

  /* What is drawn is text in the page: a clientside callback would wait for as long as the pulse asks the server anew. */
  let known = null;
  function read() {
    const text = byId("data").textContent;
    if (text === known) return;
    known = text;
    show(text ? JSON.parse(text) : null);
  }
  const waiting = new MutationObserver(() => {
    if (!byId("data") || !byId("canvas")) return;
    waiting.disconnect();
    new MutationObserver(read).observe(byId("data"), { childList: true, characterData: true, subtree: true });
    read();
  });
  waiting.observe(document.documentElement, { childList: true, subtree: true });

  Object.assign(api, { nearest, toward, show, lasso, zoom, whole });
  ns.projection = {
    /* What a drag does. */
    drag(mode) {
      state.mode = mode;
      const canvas = byId("canvas");
      if (canvas) canvas.style.cursor = mode === "move" ? "grab" : "crosshair";
      return window.dash_clientside.no_update;
    },
  };
})();
