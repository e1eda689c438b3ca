/* The Projection panel: points on a canvas of its own, two bytes an axis and one a colour. 1,000,000 stay usable.
   What is drawn is in #md-projection-data as text; places and colours are fetched as bytes and kept by the browser. */
(function () {
  "use strict";
  const CELLS = 256, NOWHERE = 65535, FULL = 65534, SHAPES = 2000, EDGE = 18, NAMED = 12;
  const FADED = { light: 0.18, dark: 0.3 };
  const state = {
    spec: null, map: null, codes: null, codesOf: "", pointsOf: "", view: null, full: null, fullOf: "", hover: -1, busy: 0,
    mode: "lasso", path: null, failed: "",
  };

  const byId = (id) => document.getElementById("md-projection-" + id);
  const theme = () => (document.documentElement.dataset.theme === "dark" ? "dark" : "light");
  const ink = (name) => window.getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const rgb = (text) => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));

  /* Bytes as dashboard/pictures/points.py writes them -> points in random order, so that no class lies on top. */
  function decode(buffer) {
    const head = new DataView(buffer);
    const total = head.getUint32(0, true);
    const whole = new Uint16Array(buffer, 16, 2 * total);
    let count = 0, right = 0, top = 0;
    const row = new Uint32Array(total);
    for (let i = 0; i < total; i++) if (whole[2 * i] !== NOWHERE) row[count++] = i;
    let seed = 12345;
    for (let i = count - 1; i > 0; i--) {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      const j = Math.floor((seed / 4294967296) * (i + 1));
      const kept = row[i];
      row[i] = row[j];
      row[j] = kept;
    }
    const x = new Uint16Array(count), y = new Uint16Array(count), place = new Int32Array(total).fill(-1);
    for (let i = 0; i < count; i++) {
      x[i] = whole[2 * row[i]];
      y[i] = whole[2 * row[i] + 1];
      place[row[i]] = i;
      if (x[i] > right) right = x[i];
      if (y[i] > top) top = y[i];
    }
    const corner = [head.getFloat32(4, true), head.getFloat32(8, true)], step = head.getFloat32(12, true);
    return Object.assign({ total, count, row: row.subarray(0, count), x, y, place, corner, step, right, top }, grid(x, y));
  }
  /* Points by cell: those of cell c are order[first[c]] ... order[first[c + 1] - 1]. */
  function grid(x, y) {
    const first = new Uint32Array(CELLS * CELLS + 1), order = new Uint32Array(x.length);
    const cell = (i) => (x[i] >> 8) + (y[i] >> 8) * CELLS;
    for (let i = 0; i < x.length; i++) first[cell(i) + 1]++;
    for (let c = 0; c < CELLS * CELLS; c++) first[c + 1] += first[c];
    const next = first.slice();
    for (let i = 0; i < x.length; i++) order[next[cell(i)]++] = i;
    return { first, order };
  }

  /* Where things are: a unit of the map (1 / 65,534 of its longer side) has view.scale pixels. */
  function fit() {
    const box = byId("box"), { map } = state;
    if (!map || !box.clientWidth) return;
    const wide = box.clientWidth - 2 * EDGE, tall = box.clientHeight - 2 * EDGE;
    const scale = Math.min(wide / Math.max(map.right, 1), tall / Math.max(map.top, 1));
    state.view = { x: map.right / 2, y: map.top / 2, scale: Math.max(scale, 1e-6), whole: Math.max(scale, 1e-6) };
  }
  const across = (u) => (u - state.view.x) * state.view.scale + byId("box").clientWidth / 2;
  const down = (v) => byId("box").clientHeight / 2 - (v - state.view.y) * state.view.scale;
  function unitAt(px, py) {
    const box = byId("box"), { view } = state;
    return [(px - box.clientWidth / 2) / view.scale + view.x, (box.clientHeight / 2 - py) / view.scale + view.y];
  }
  const toData = (u, v) => [state.map.corner[0] + u * state.map.step, state.map.corner[1] + v * state.map.step];
  const toUnit = (x, y) => [(x - state.map.corner[0]) / state.map.step, (y - state.map.corner[1]) / state.map.step];

  /* Which points have their full colour: those of the row that the matrix is pointed at, else of the subset, else of the
     lasso, else all (null). */
  function standing() {
    const { spec, map } = state;
    const key = [state.pointsOf, state.pointed ? "row" + state.pointedAt : spec.subset, (spec.lasso || []).join()].join("|");
    if (key === state.fullOf) return state.full;
    state.fullOf = key;
    state.full = null;
    const told = state.pointed ? null : spec.subset && window.atob(spec.subset);
    if (state.pointed || told) {
      const byte = told ? (at) => told.charCodeAt(at) : (at) => state.pointed[at];
      state.full = new Uint8Array(map.count);
      for (let i = 0; i < map.count; i++) state.full[i] = (byte(map.row[i] >> 3) >> (7 - (map.row[i] & 7))) & 1;
    } else if (spec.lasso && spec.lasso.length >= 6) state.full = inside(spec.lasso);
    return state.full;
  }
  function inside(outline) {
    const { map } = state, corners = [];
    for (let i = 0; i + 1 < outline.length; i += 2) corners.push(toUnit(outline[i], outline[i + 1]));
    const [us, vs] = [corners.map((c) => c[0]), corners.map((c) => c[1])];
    const [left, right, low, high] = [Math.min(...us), Math.max(...us), Math.min(...vs), Math.max(...vs)];
    const found = new Uint8Array(map.count);
    for (let i = 0; i < map.count; i++) {
      const u = map.x[i], v = map.y[i];
      if (u < left || u > right || v < low || v > high) continue;
      let odd = 0;
      for (let a = 0, b = us.length - 1; a < us.length; b = a++) {
        if (vs[a] <= v !== vs[b] <= v && u < us[a] + ((v - vs[a]) * (us[b] - us[a])) / (vs[b] - vs[a])) odd ^= 1;
      }
      found[i] = odd;
    }
    return found;
  }

  /* Colours of the codes: of groups, or a ramp with 0 for no value. */
  function palette() {
    const { spec } = state;
    if (!spec.groups.length && !spec.ramp) return [[138, 148, 163]];
    if (spec.groups.length) return spec.groups.map((group) => rgb(group[0]));
    const stops = spec.ramp[theme()].map(rgb), made = [[138, 148, 163]];
    for (let code = 1; code < 256; code++) {
      const share = ((code - 1) / 254) * (stops.length - 1), at = Math.min(stops.length - 2, Math.floor(share));
      made.push(stops[at].map((value, i) => Math.round(value + (stops[at + 1][i] - value) * (share - at))));
    }
    return made;
  }
  const mixed = (colour, paper, share) => colour.map((value, i) => Math.round(paper[i] + (value - paper[i]) * share));

  function pen(canvas) {
    const box = byId("box"), ratio = window.devicePixelRatio || 1;
    const width = Math.round(box.clientWidth * ratio), height = Math.round(box.clientHeight * ratio);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const found = canvas.getContext("2d");
    found.setTransform(ratio, 0, 0, ratio, 0, 0);
    return found;
  }
  /* Side of a point in pixels: small where there are many, larger as one zooms in. */
  function side() {
    const { count } = state.map, zoom = state.view.scale / state.view.whole;
    const least = count <= SHAPES ? 8 : count <= 10000 ? 5 : count <= 50000 ? 3 : count <= 250000 ? 2 : 1;
    return Math.min(9, least * Math.max(1, Math.sqrt(zoom)));
  }
  const codeOf = (i) => (state.codes ? state.codes[state.map.row[i]] || 0 : 0);

  function draw() {
    const box = byId("box"), { spec, map, view } = state;
    if (!box || !box.clientWidth || !spec) return;
    const to = pen(byId("canvas"));
    to.clearRect(0, 0, box.clientWidth, box.clientHeight);
    if (!map || !view) return over();
    const began = performance.now(), full = standing(), colours = palette(), paper = rgb(ink("--panel"));
    const faded = colours.map((colour) => mixed(colour, paper, FADED[theme()]));
    if (map.count <= SHAPES) shapes(to, full, colours, faded);
    else pixels(to, full, colours, faded);
    state.milliseconds = performance.now() - began;
    box.dataset.drawn = String(map.count);
    over();
  }
  /* Many points: squares written into the picture itself, the faded ones below. */
  function pixels(to, full, colours, faded) {
    const { map, view } = state, canvas = to.canvas, ratio = window.devicePixelRatio || 1;
    const image = to.createImageData(canvas.width, canvas.height), out = new Uint32Array(image.data.buffer);
    const packed = (list) => Uint32Array.from({ length: 256 }, (_, i) => {
      const [r, g, b] = list[Math.min(i, list.length - 1)];
      return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
    });
    const strong = packed(colours), weak = packed(faded), size = Math.max(1, Math.round(side() * ratio));
    const scale = view.scale * ratio, dx = canvas.width / 2 - view.x * scale - size / 2, dy = canvas.height / 2 + view.y * scale - size / 2;
    const { codes } = state, { row, x, y, count } = map, wide = canvas.width, tall = canvas.height;
    for (let pass = full ? 0 : 1; pass < 2; pass++) {
      const table = pass ? strong : weak;
      for (let i = 0; i < count; i++) {
        if (full && full[i] !== pass) continue;
        const left = Math.round(x[i] * scale + dx), top = Math.round(dy - y[i] * scale);
        if (left < 0 || top < 0 || left + size > wide || top + size > tall) continue;
        const colour = table[codes ? codes[row[i]] : 0];
        for (let line = top * wide + left, end = line + size * wide; line < end; line += wide) {
          for (let at = line; at < line + size; at++) out[at] = colour;
        }
      }
    }
    to.putImageData(image, 0, 0);
  }
  /* Few points: every class has its shape. */
  function shapes(to, full, colours, faded) {
    const { map, spec } = state, half = side() / 2, paper = ink("--panel");
    for (let pass = full ? 0 : 1; pass < 2; pass++) {
      for (let i = 0; i < map.count; i++) {
        if (full && full[i] !== pass) continue;
        const code = codeOf(i), group = spec.groups[code];
        const colour = "rgb(" + (pass ? colours : faded)[Math.min(code, colours.length - 1)].join() + ")";
        const open = group && /open|^x/.test(group[1]);
        to.beginPath();
        trace(to, group ? group[1] : "circle", across(map.x[i]), down(map.y[i]), half);
        to.lineWidth = open ? 1.7 : 0.6;
        to.strokeStyle = open ? colour : paper;
        to.fillStyle = colour;
        if (!open) to.fill();
        to.stroke();
      }
    }
  }
  const ANGLES = { "triangle-up": [3, 1], "triangle-down": [3, -1], pentagon: [5, 1], diamond: [4, 1] };
  /* The outline of a sign around a place. */
  function trace(to, symbol, x, y, half) {
    if (symbol.startsWith("x")) {
      const arm = half * 0.8;
      to.moveTo(x - arm, y - arm);
      to.lineTo(x + arm, y + arm);
      to.moveTo(x + arm, y - arm);
      to.lineTo(x - arm, y + arm);
    } else if (symbol === "square") to.rect(x - half * 0.85, y - half * 0.85, half * 1.7, half * 1.7);
    else if (symbol === "star" || symbol === "hexagram") {
      const tips = symbol === "star" ? 5 : 6;
      corners(to, x, y, 2 * tips, (k) => half * (k % 2 ? 0.5 : 1.25), -Math.PI / 2);
    } else if (ANGLES[symbol]) corners(to, x, y, ANGLES[symbol][0], () => half * 1.2, (-Math.PI / 2) * ANGLES[symbol][1]);
    else to.arc(x, y, half, 0, 2 * Math.PI);
  }
  function corners(to, x, y, count, radius, turn) {
    for (let k = 0; k < count; k++) {
      const angle = turn + (2 * Math.PI * k) / count;
      to[k ? "lineTo" : "moveTo"](x + radius(k) * Math.cos(angle), y + radius(k) * Math.sin(angle));
    }
    to.closePath();
  }

  /* Above the points: axes, the lasso, the chosen instance with its neighbours, the point at the pointer. */
  function over() {
    const box = byId("box"), { spec, map, view } = state, to = pen(byId("over"));
    to.clearRect(0, 0, box.clientWidth, box.clientHeight);
    if (!spec || !map || !view) return;
    to.font = "11px system-ui, sans-serif";
    to.fillStyle = ink("--ink-2");
    to.textAlign = "right";
    to.fillText(spec.axes[0] + " →", box.clientWidth - 6, box.clientHeight - 6);
    to.save();
    to.translate(12, 6);
    to.rotate(-Math.PI / 2);
    to.fillText(spec.axes[1] + " →", 0, 0);
    to.restore();
    if (!state.path) names(to);
    outline(to);
    for (const row of spec.near || []) ring(to, row, "arc", ink("--ink"), 7);
    if (spec.chosen !== null) ring(to, spec.chosen, "rect", "#d9822b", 8);
    if (state.hover >= 0) ring(to, map.row[state.hover], "arc", ink("--accent"), 6);
  }
  /* Names of few groups at their medians; none if two of them would touch: then they do not stand apart. */
  function names(to) {
    const { spec, map } = state, groups = spec.groups;
    if (!spec.direct || groups.length < 2 || groups.length > NAMED || !map.count) return;
    if (state.namesOf !== state.pointsOf + state.codesOf) {
      const places = groups.map(() => [[], []]);
      for (let i = 0; i < Math.min(map.count, 20000); i++) { // in random order: the first are a sample
        const of = places[codeOf(i)];
        if (of) [map.x[i], map.y[i]].forEach((value, axis) => of[axis].push(value));
      }
      const middle = (list) => list.sort((a, b) => a - b)[list.length >> 1];
      state.names = places.map((of, code) => of[0].length > 2 && [middle(of[0]), middle(of[1]), groups[code][2].slice(0, 18)]).filter(Boolean);
      state.namesOf = state.pointsOf + state.codesOf;
    }
    to.font = "600 13px system-ui, sans-serif";
    const boxes = state.names.map(([u, v, text]) => [across(u), down(v), to.measureText(text).width / 2 + 3, text]);
    for (let a = 0; a < boxes.length; a++) for (let b = 0; b < a; b++) {
      const [p, q] = [boxes[a], boxes[b]];
      if (Math.abs(p[0] - q[0]) < p[2] + q[2] && Math.abs(p[1] - q[1]) < 17) return;
    }
    to.textAlign = "center";
    for (const [x, y, half, text] of boxes) {
      to.globalAlpha = 0.78;
      to.fillStyle = ink("--panel");
      to.fillRect(x - half, y - 9, 2 * half, 17);
      to.globalAlpha = 1;
      to.fillStyle = ink("--ink");
      to.fillText(text, x, y + 4);
    }
  }
  function outline(to) {
    const { spec, path } = state, points = [];
    if (path) points.push(...path);
    else if (spec.lasso) for (let i = 0; i + 1 < spec.lasso.length; i += 2) {
      const [u, v] = toUnit(spec.lasso[i], spec.lasso[i + 1]);
      points.push([across(u), down(v)]);
    }
    if (points.length < 2) return;
    to.beginPath();
    points.forEach(([x, y], i) => to[i ? "lineTo" : "moveTo"](x, y));
    if (!path) to.closePath();
    to.strokeStyle = "#d9822b";
    to.lineWidth = 1.8;
    to.setLineDash([4, 3]);
    to.stroke();
    to.setLineDash([]);
  }
  function ring(to, row, kind, colour, half) {
    const i = state.map.place[row];
    if (i === undefined || i < 0) return;
    const x = across(state.map.x[i]), y = down(state.map.y[i]);
    to.beginPath();
    if (kind === "rect") to.rect(x - half, y - half, 2 * half, 2 * half);
    else to.arc(x, y, half, 0, 2 * Math.PI);
    to.strokeStyle = colour;
    to.lineWidth = 2;
    to.stroke();
  }

  window.cutawayProjection = { state, byId, decode, inside, fit, draw, over, across, down, unitAt, toData, theme, rgb, palette, codeOf, FULL };
})();
