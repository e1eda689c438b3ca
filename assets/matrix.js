/* The Model view's neuron activation matrix: bytes become pixels; rows in a gutter, an overview above what is zoomed. */
(function () {
  "use strict";
  const EMPTY = 255, TOP = 254, AXIS = 18, TALL = 420, TALL_EACH = 250, OVER = 56, LABEL = 15;
  const CELL = [5, 26, 48], ROW = [15, 16, 30]; // px: least and most at first, most when zoomed
  const MOST_BYTES = 64 << 20;
  const shown = { payload: null, text: null, blocks: [], view: { y0: 0, rh: 0 }, rows: "", over: null, scale: "", dark: false };
  const bytes = new Map(); // key of a block -> its file
  const picture = () => document.getElementById("md-matrix-picture");
  const said = (name) => window.cutaway.params().get(name) || "";
  const look = (name) => said(name) || window.cutaway.DEFAULTS[name];
  const api = (window.cutawayMatrix = { shown, said, look, AXIS, EMPTY, TOP });

  function node(name, className, parent, text) {
    const found = document.createElement(name);
    if (className) found.className = className;
    if (text !== undefined) found.textContent = text;
    if (parent) parent.append(found);
    return found;
  }
  /* A row of the payload by names; row 0 is the topmost one. */
  function row(at) {
    const [place, text, title, n, index, mark, colour, entry, source] = shown.payload.rows[at];
    return { place, text, title, n, index, mark, colour, entry, source };
  }
  function isChosen(one) {
    if (one.index === null) return one.text !== "" && one.text === said("subset");
    return said("instances").split(",").includes(String(one.index));
  }
  const chosenLayer = () => said("layer") || shown.payload.own;
  const neuron = (block, column) => (block.order ? block.order[column] : column);
  function chosenColumn(block) {
    if (said("filter") === "" || chosenLayer() !== block.info.layer) return -1;
    const number = Number(said("filter"));
    return block.order ? block.order.indexOf(number) : number < block.columns ? number : -1;
  }
  /* What a cell holds, as far as its byte tells: null for none. */
  function value(block, at, column) {
    const one = neuron(block, column);
    const code = block.codes[row(at).place * block.info.filters + one];
    return code === EMPTY ? null : block.low[one] + (code / TOP) * (block.high[one] - block.low[one]);
  }

  /* --- colours */
  function rgb(text) {
    const hex = text.trim().match(/^#(..)(..)(..)$/);
    return hex ? hex.slice(1).map((part) => parseInt(part, 16)) : [128, 128, 128];
  }
  const css = (name) => window.getComputedStyle(document.documentElement).getPropertyValue(name);
  const pixel = ([r, g, b]) => (255 << 24) | (Math.round(b) << 16) | (Math.round(g) << 8) | Math.round(r);
  const mix = (a, b, share) => a.map((part, i) => part + (b[i] - part) * share);
  function palette() {
    const { gradient, ramp, signs } = shown.payload;
    const stops = ramp[shown.dark ? "dark" : "light"].map(rgb), paper = rgb(css("--panel"));
    const [lowers, raises] = signs.map(rgb);
    const found = new Uint32Array(256);
    for (let code = 0; code <= TOP; code++) {
      const share = code / TOP;
      if (gradient) found[code] = pixel(share < 0.5 ? mix(paper, lowers, 1 - 2 * share) : mix(paper, raises, 2 * share - 1));
      else {
        const at = share * (stops.length - 1), low = Math.min(stops.length - 2, Math.floor(at));
        found[code] = pixel(mix(stops[low], stops[low + 1], at - low));
      }
    }
    found[EMPTY] = pixel(rgb(css("--line")));
    return found;
  }

  /* --- from bytes to what is drawn: rows and columns in their order, on the scale chosen */
  function lay(block) {
    const { info, low, high, codes, order } = block;
    const wide = block.columns, filters = info.filters, rows = shown.payload.rows;
    const [first, last] = info.ends, span = last - first || 1, common = shown.scale === "layer";
    const found = new Uint8Array(rows.length * wide);
    for (let at = 0; at < rows.length; at++) {
      const from = rows[at][0] * filters, to = at * wide;
      for (let column = 0; column < wide; column++) {
        const one = order ? order[column] : column, code = codes[from + one];
        if (!common || code === EMPTY) found[to + column] = code;
        else {
          const share = (low[one] + (code / TOP) * (high[one] - low[one]) - first) / span;
          found[to + column] = Math.round(TOP * Math.min(1, Math.max(0, share)));
        }
      }
    }
    block.levels = new Map([["1,1", { data: found, columns: wide, rows: rows.length }]]);
  }
  /* Means over fc columns and fr rows (powers of 2), so that a pixel never has to read many cells. */
  function level(block, fc, fr) {
    const key = fc + "," + fr;
    if (block.levels.has(key)) return block.levels.get(key);
    const along = fc > 1, from = along ? level(block, fc / 2, fr) : level(block, fc, fr / 2);
    const columns = along ? Math.ceil(from.columns / 2) : from.columns, rows = along ? from.rows : Math.ceil(from.rows / 2);
    const data = new Uint8Array(columns * rows), step = along ? 1 : from.columns;
    for (let y = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++) {
        const place = (along ? y : 2 * y) * from.columns + (along ? 2 * x : x);
        const one = from.data[place], there = along ? 2 * x + 1 < from.columns : 2 * y + 1 < from.rows;
        const other = there ? from.data[place + step] : EMPTY;
        data[y * columns + x] = one === EMPTY ? other : other === EMPTY ? one : (one + other + 1) >> 1;
      }
    }
    const found = { data, columns, rows };
    block.levels.set(key, found);
    return found;
  }
  const factor = (perPixel) => 2 ** Math.max(0, Math.floor(Math.log2(Math.max(1, perPixel))));

  /* Pixels of a canvas: x0, y0: first column and row; cw, rh: px of one. */
  function fill(block, canvas, x0, y0, cw, rh) {
    const ratio = canvas.width / canvas.clientWidth || 1;
    const wide = canvas.width, tall = canvas.height, colours = shown.colours;
    const fc = factor(1 / (cw * ratio)), fr = factor(1 / (rh * ratio));
    const { data, columns, rows } = level(block, fc, fr);
    const axis = (length, start, size, count, by) => Int32Array.from({ length }, (_, at) => {
      const exact = start + (at + 0.5) / ratio / size, one = Math.floor(exact);
      if (one < 0 || one >= count) return -1;
      return size >= 8 && (exact - one) * size > size - 1 ? -1 : Math.floor(one / by); // a gap of one px
    });
    const across = axis(wide, x0, cw, block.columns, fc), down = axis(tall, y0, rh, shown.payload.rows.length, fr);
    const image = new ImageData(wide, tall), out = new Uint32Array(image.data.buffer);
    const hatch = Math.max(1, Math.round(2 * ratio)), lines = 3 * hatch;
    for (let y = 0; y < tall; y++) {
      if (down[y] < 0 || down[y] >= rows) continue;
      const from = down[y] * columns, to = y * wide;
      for (let x = 0; x < wide; x++) {
        if (across[x] < 0) continue;
        const code = data[from + across[x]];
        if (code !== EMPTY || (x + y) % lines < hatch) out[to + x] = colours[code];
      }
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
  }
  function size(canvas, wide, tall) {
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    const [w, h] = [Math.max(1, Math.round(wide * ratio)), Math.max(1, Math.round(tall * ratio))];
    if (canvas.width !== w) canvas.width = w;
    if (canvas.height !== h) canvas.height = h;
    canvas.style.height = tall + "px";
    return ratio;
  }

  /* --- where everything stands */
  const fitColumns = (block) => block.width / block.columns;
  const fitRows = () => shown.tall / shown.payload.rows.length;
  function reset(block) {
    block.cw = Math.min(CELL[1], Math.max(CELL[0], fitColumns(block)));
    block.x0 = 0;
  }
  function measure() {
    const count = shown.payload.rows.length, maximised = picture().closest(".panel.maximised");
    const each = shown.blocks.length > 1 ? TALL_EACH : TALL;
    const room = maximised ? Math.max(each, window.innerHeight - 420) : each;
    const rh = Math.min(ROW[1], Math.max(ROW[0], room / count));
    shown.tall = Math.round(Math.min(room, rh * count));
    for (const block of shown.blocks) block.width = Math.max(60, block.pane.clientWidth);
    return rh;
  }
  function clamp() {
    const { view } = shown, count = shown.payload.rows.length;
    view.rh = Math.min(Math.max(ROW[2], fitRows()), Math.max(Math.min(fitRows(), ROW[1]), view.rh));
    view.y0 = Math.max(0, Math.min(view.y0, count - shown.tall / view.rh));
    for (const block of shown.blocks) {
      block.cw = Math.min(CELL[2], Math.max(Math.min(fitColumns(block), CELL[1]), block.cw));
      block.x0 = Math.max(0, Math.min(block.x0, block.columns - block.width / block.cw));
    }
  }
  function home() {
    shown.view.rh = measure();
    shown.view.y0 = 0;
    shown.blocks.forEach(reset);
  }

  /* --- drawing */
  function drawBlock(block) {
    if (!block.codes) return;
    const { view } = shown, count = shown.payload.rows.length;
    const ratio = size(block.cells, block.width, shown.tall);
    fill(block, block.cells, block.x0, view.y0, block.cw, view.rh);
    marks(block, ratio);
    api.axis(block);
    const whole = block.columns * block.cw <= block.width + 1 && count * view.rh <= shown.tall + 1;
    block.over.hidden = whole;
    if (!whole) overview(block);
    const merged = Math.max(1, 1 / (block.cw * ratio)) * Math.max(1, 1 / (view.rh * ratio));
    block.note.textContent = merged >= 1.5 ? `a pixel is the mean of about ${Math.round(merged)} cells` : "";
  }
  function frame(pen, x, y, wide, tall, colour, thick) {
    pen.lineWidth = thick;
    pen.strokeStyle = colour;
    pen.strokeRect(x, y, wide, tall);
  }
  /* What is chosen and what is pointed at lies over the pixels. */
  function marks(block, ratio) {
    const pen = block.cells.getContext("2d"), { view, over } = shown;
    pen.save();
    pen.scale(ratio, ratio);
    const x = (column) => (column - block.x0) * block.cw, y = (at) => (at - view.y0) * view.rh;
    const ink = css("--ink").trim(), accent = css("--accent").trim(), wide = Math.min(block.width, block.columns * block.cw);
    const column = chosenColumn(block), cw = Math.max(2, block.cw), rh = Math.max(2, view.rh), paper = css("--panel").trim();
    const both = (...box) => {
      frame(pen, ...box, paper, 3.5);
      frame(pen, ...box, accent, 1.8);
    };
    shown.payload.rows.forEach((_, at) => {
      if (y(at) > -rh && y(at) < shown.tall && isChosen(row(at))) both(1, y(at), wide - 2, rh - (rh >= 8 ? 1 : 0));
    });
    if (column >= 0) both(x(column) - 0.5, 0.5, cw, Math.min(shown.tall, shown.payload.rows.length * view.rh) - 1);
    if (over && over.block === block) {
      frame(pen, x(over.column) - 0.5, y(over.at) - 0.5, cw, rh, paper, 3);
      frame(pen, x(over.column) - 0.5, y(over.at) - 0.5, cw, rh, ink, 1.5);
    }
    pen.restore();
  }
  function overview(block) {
    const count = shown.payload.rows.length, tall = Math.min(OVER, Math.max(14, 2 * count)), canvas = block.small;
    const ratio = size(canvas, block.width, tall), { view } = shown;
    fill(block, canvas, 0, 0, block.width / block.columns, tall / count);
    const pen = canvas.getContext("2d");
    pen.save();
    pen.scale(ratio, ratio);
    const wide = Math.min(block.columns, block.width / block.cw), rows = Math.min(count, shown.tall / view.rh);
    const box = [(block.x0 / block.columns) * block.width, (view.y0 / count) * tall, (wide / block.columns) * block.width, (rows / count) * tall];
    frame(pen, ...box, css("--panel").trim(), 4);
    frame(pen, ...box, css("--ink").trim(), 1.6);
    pen.restore();
  }
  let asked = false;
  function draw() {
    if (asked) return;
    asked = true;
    window.requestAnimationFrame(() => {
      asked = false;
      if (!shown.payload || !picture() || !picture().clientWidth) return;
      clamp();
      shown.blocks.forEach(drawBlock);
      api.gutters();
    });
  }

  /* --- a new payload */
  function decode(text) {
    const raw = window.atob(text), found = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) found[i] = raw.charCodeAt(i);
    return found;
  }
  function take(block, file) {
    const filters = block.info.filters;
    block.low = new Float32Array(file.buffer, file.byteOffset, filters);
    block.high = new Float32Array(file.buffer, file.byteOffset + 4 * filters, filters);
    block.codes = file.subarray(8 * filters);
    lay(block);
    draw();
    if (api.guest) api.guest();
  }
  async function fetched(block) {
    try {
      const answer = await fetch(block.info.address);
      if (answer.status !== 200) return; // rows have changed: the next payload is on its way
      const file = new Uint8Array(await answer.arrayBuffer());
      keep(block.info.key, file);
      if (shown.blocks.includes(block)) take(block, file);
    } catch (error) {
      block.note.textContent = "The cells could not be fetched: reload the page.";
    }
  }
  function keep(key, file) {
    bytes.delete(key);
    bytes.set(key, file);
    let sum = 0;
    for (const one of bytes.values()) sum += one.length;
    for (const [old, one] of bytes) {
      if (sum <= MOST_BYTES || old === key) break;
      bytes.delete(old);
      sum -= one.length;
    }
  }
  function show(payload) {
    const before = shown.blocks;
    const pane = document.activeElement && document.activeElement.closest(".mx-pane");
    const focus = pane && before.find((block) => block.pane === pane), over = shown.over;
    const cursor = over && [over.block.info.layer, row(over.at).place, neuron(over.block, over.column)].join();
    shown.payload = payload;
    shown.over = null;
    if (!payload) {
      shown.blocks = [];
      picture().replaceChildren();
      return;
    }
    look_();
    shown.blocks = payload.blocks.map((info) => {
      const order = info.order ? new Uint32Array(decode(info.order).buffer) : null;
      return { info, order, columns: order ? order.length : info.filters, levels: new Map(), codes: null };
    });
    api.build();
    const rows = payload.rows.map((one) => one[0] + one[1] + one[2]).join("\u0001");
    const same = (block) => before.find((one) => one.info.layer === block.info.layer && one.columns === block.columns && one.cw);
    const rh = measure(), stays = rows === shown.rows && shown.view.rh && before.length === shown.blocks.length;
    if (!stays) shown.view = { y0: 0, rh: rh };
    shown.rows = rows;
    for (const block of shown.blocks) {
      const old = same(block);
      if (old) Object.assign(block, { x0: old.x0, cw: old.cw });
      else reset(block);
      const file = bytes.get(block.info.key) || (block.info.data ? decode(block.info.data) : null);
      if (file) {
        keep(block.info.key, file);
        take(block, file);
      } else fetched(block);
    }
    const again = focus && shown.blocks.find((block) => block.info.layer === focus.info.layer);
    if (again) {
      again.pane.focus({ preventScroll: true });
      shown.over = found(again, cursor);
    }
    api.legend();
    api.tell(shown.over);
    draw();
  }
  /* The cell that the cursor was on, if it is still there. */
  function found(block, cursor) {
    const [layer, place, one] = (cursor || "").split(",");
    const at = shown.payload.rows.findIndex((each) => String(each[0]) === place);
    const column = block.order ? block.order.indexOf(Number(one)) : Number(one);
    return layer === block.info.layer && at >= 0 && column >= 0 && column < block.columns ? { block, at, column } : null;
  }
  function look_() {
    shown.scale = look("xscale");
    shown.dark = document.documentElement.dataset.theme === "dark";
    shown.colours = palette();
  }
  /* Another choice, scale or theme: the same numbers. */
  function paint() {
    if (!shown.payload) return;
    const scale = shown.scale;
    look_();
    if (scale !== shown.scale) shown.blocks.filter((block) => block.codes).forEach(lay);
    shown.gutter = "";
    api.legend();
    api.tell(shown.over);
    draw();
  }

  Object.assign(api, { node, row, isChosen, neuron, value, level, chosenColumn, chosenLayer, draw, home, css, fitColumns, fitRows, paint, show, LABEL });

  window.addEventListener("resize", () => window.requestAnimationFrame(() => {
    if (!shown.payload || !picture() || !picture().clientWidth) return;
    const wide = shown.blocks.map((block) => block.width), tall = shown.tall;
    const rh = measure();
    if (tall !== shown.tall) shown.view.rh = rh;
    shown.blocks.forEach((block, at) => { if (block.width !== wide[at]) reset(block); });
    draw();
  }));
  new MutationObserver(paint).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
})();
