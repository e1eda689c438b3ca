/* The Sequences view's rows of glyphs: what every step does to each cluster of units, and what is kept of before. */
(function () {
  "use strict";
  const ns = (window.dash_clientside = window.dash_clientside || {});
  const make = window.cutaway.svg;
  const GUTTER = 52, RIGHT = 10, GAUGE = 10, TALL = 84, LINE = 40, LANE = 44, TURN = 16, TEXT = 22, OVER = 56;
  const MOST = 60; /* glyphs in a row; of longer sequences a window */
  const shown = { payload: null, rows: [], width: 0, marking: false, anchor: null };
  const pen = document.createElement("canvas").getContext("2d");

  const box = () => document.getElementById("sq-glyphs-rows");
  const said = (name) => window.cutaway.params().get(name) || "";
  const digits = (value) => (value < 0 ? "−" : "") + Number(Math.abs(value).toPrecision(3));
  const signed = (value) => (value > 0 ? "+" : "") + digits(value);
  const percent = (value) => (Number.isFinite(value) ? Math.round(100 * value) + " %" : "not defined");
  const seen = (token) => (token === "" ? "␣" : token.replace(/ /g, "␣").replace(/\n/g, "⏎").replace(/[\u0000-\u001f\u007f-\u009f]/g, "·"));
  const cut = (text, most) => (text.length > most ? text.slice(0, most - 1) + "…" : text);
  const hue = (number) => "var(--sq-" + ((number + 2) % 8) + ", var(--ink-2))"; /* as cluster_colour: the first two are classes */

  function tag(name, className, parent, text) {
    const node = document.createElement(name);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    if (parent) parent.appendChild(node);
    return node;
  }
  function numbers(text, Kind) {
    const raw = window.atob(text || "");
    const bytes = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
    return new Kind(bytes.buffer);
  }

  /* --- what is known of a row */
  function read(given, payload) {
    const row = { given: given, steps: given.steps, k: payload.clusters.length, from: 0, to: given.steps, at: 0 };
    row.planes = given.planes.map((one) => ({ way: one.way, ends: numbers(one.ends, Int16Array) }));
    for (const name of ["kept", "change", "prefix"]) row[name] = numbers(given[name], Float32Array);
    row.word = numbers(given.word, Int32Array);
    row.lanes = given.word.length && row.steps ? row.word.length / row.steps : 1;
    row.channels = given.channels.map((one) => ({ name: one.name, values: numbers(one.values, Float32Array) }));
    return row;
  }
  /* Ends of the bars of some steps taken as one: now and before, of each cluster. The backward half runs the other way. */
  function ends(row, first, end, cluster) {
    const found = [0, 0, 0, 0], size = row.steps * row.k;
    for (const plane of row.planes) {
      const [now, before] = plane.way > 0 ? [end - 1, first] : [first, end - 1];
      for (let part = 0; part < 4; part++) {
        found[part] += plane.ends[part * size + (part < 2 ? now : before) * row.k + cluster];
      }
    }
    return found.map((value) => (value / 32767) * row.given.scale);
  }
  function mean(values, first, end) {
    let sum = 0, count = 0;
    for (let at = first; at < end; at++) if (Number.isFinite(values[at])) { sum += values[at]; count++; }
    return count ? sum / count : NaN;
  }
  function lastKnown(values, first, end) {
    for (let at = end - 1; at >= first; at--) if (Number.isFinite(values[at])) return values[at];
    return NaN;
  }
  function wordsAt(row, step) {
    return Array.from(row.word.subarray(step * row.lanes, (step + 1) * row.lanes)).filter((number) => number >= 0);
  }
  const timed = (row) => row.channels.length > 0;
  const unitOfTime = (row) => (row.given.rate ? 1 / row.given.rate : 1);
  function when(row, first, end) {
    const unit = unitOfTime(row), digitsOf = (value) => Number((value * unit).toPrecision(4));
    if (timed(row) && row.given.rate) return digitsOf(first) + "–" + digitsOf(end) + " s";
    return end - first > 1 ? "steps " + (first + 1) + "–" + end : "step " + (first + 1);
  }

  /* --- where everything stands */
  const least = (row) => GAUGE + Math.max(18, 4.5 * row.k + 4);
  function cellsOf(row, width) {
    const cells = [], room = width - GUTTER - RIGHT, own = least(row);
    if (timed(row)) {
      const count = row.to - row.from;
      const together = Math.max(1, Math.ceil(count / Math.max(1, Math.min(MOST, Math.floor(room / own)))));
      const step = room / count;
      for (let first = row.from; first < row.to; first += together) {
        const end = Math.min(row.to, first + together);
        cells.push({ first: first, end: end, x: GUTTER + (first - row.from) * step, w: (end - first) * step });
      }
      row.together = together;
      const last = cells[cells.length - 1];
      if (cells.length > 1 && last.w < own) { /* a rest too narrow for bars joins the glyph before it */
        cells.pop();
        Object.assign(cells[cells.length - 1], { end: last.end, w: last.x + last.w - cells[cells.length - 1].x });
      }
      return cells;
    }
    pen.font = "12px system-ui, sans-serif";
    let x = GUTTER;
    row.together = 1;
    for (let at = row.from; at < row.steps && cells.length < MOST; at++) {
      const text = cut(seen(row.given.tokens[at] || ""), 14);
      const wide = Math.min(110, Math.max(own, pen.measureText(text).width + 10 + (row.given.unknown.includes(at) ? 8 : 0)));
      if (x + wide > width - RIGHT && cells.length) break;
      cells.push({ first: at, end: at + 1, x: x, w: wide, text: text });
      x += wide;
    }
    row.to = cells.length ? cells[cells.length - 1].end : row.from;
    if (row.to === row.steps && row.from === 0) { /* all of it fits: a little air */
      const factor = Math.min(1.5, (width - RIGHT - GUTTER) / (x - GUTTER));
      for (const cell of cells) { cell.x = GUTTER + (cell.x - GUTTER) * factor; cell.w *= factor; }
    }
    return cells;
  }
  /* A window that begins too late would leave room. */
  function fit(row, width) {
    let cells = cellsOf(row, width);
    while (!timed(row) && row.from > 0 && row.to === row.steps) {
      const before = row.from;
      row.from--;
      const more = cellsOf(row, width);
      if (row.to < row.steps) { row.from = before; cells = cellsOf(row, width); break; }
      cells = more;
    }
    return cells;
  }

  /* --- drawing */
  function head(row, host, payload) {
    const given = row.given, line = tag("div", "sqg-head", host);
    tag("strong", "", line, given.title);
    const about = (name, one, extra) => {
      if (one) tag("span", "", line, name + " " + one.sign + " " + one.name + (extra || ""));
    };
    about("label", given.label);
    about("predicted", given.prediction, given.share === null ? "" : ", " + percent(given.share));
    if (given.outcome) tag("span", "verdict" + (given.outcome === "wrong" ? " wrong" : ""), line, given.outcome === "right" ? "✓ correct" : "✗ wrong");
    const notes = [];
    const last = row.cells[row.cells.length - 1], rest = last ? last.end - last.first : row.together;
    if (row.together > 1) notes.push("each glyph is " + row.together + " steps" + (rest === row.together ? "" : ", the last " + rest));
    if (given.unknown.length) notes.push(given.unknown.length + (given.unknown.length === 1 ? " token is" : " tokens are") + " unknown to the model (dotted)");
    if (!row.prefix.length && given.reason) notes.push("no prediction per step: " + given.reason);
    if (given.channels_in_all > row.channels.length) notes.push(row.channels.length + " of " + given.channels_in_all + " channels drawn");
    if (notes.length) tag("span", "quiet", line, notes.join(" · "));
    if (payload.rows.length > 1 || given.instance === null) {
      const others = payload.rows.filter((one) => one.instance !== null && one !== given).map((one) => one.instance);
      const away = tag("button", "sqg-away", line, "×");
      away.type = "button";
      away.title = "Take it away";
      away.setAttribute("aria-label", "Take away: " + given.title);
      away.dataset.nav = JSON.stringify(given.instance === null ? { stext: null } : { instances: others.join(",") || null });
    }
  }
  function overview(row, host, width, again) {
    const svg = make("svg", { class: "sqg-overview", width: width, height: OVER, role: "slider", tabindex: 0,
      "aria-label": "Window of " + row.given.title, "aria-valuemin": 1, "aria-valuemax": row.steps,
      "aria-valuenow": row.from + 1, "aria-valuetext": "steps " + (row.from + 1) + " to " + row.to + " of " + row.steps }, host);
    const room = width - GUTTER - RIGHT, x = (step) => GUTTER + (room * step) / row.steps;
    const top = 4, tall = OVER - 22, most = row.change.reduce((a, b) => (b > a ? b : a), 1e-12);
    const bins = Math.min(row.steps, Math.floor(room / 2));
    let path = "";
    for (let bin = 0; bin < bins; bin++) {
      const first = Math.floor((bin * row.steps) / bins), end = Math.max(first + 1, Math.floor(((bin + 1) * row.steps) / bins));
      let high = 0;
      for (let at = first; at < end; at++) high = Math.max(high, row.change[at]);
      const y = top + tall * (1 - high / most);
      make("rect", { class: "sqg-change", x: x(first), y: y, width: Math.max(0.8, x(end) - x(first) - 0.4), height: top + tall - y }, svg);
      const kept = mean(row.kept, first, end);
      if (Number.isFinite(kept)) path += (path ? "L" : "M") + x((first + end) / 2).toFixed(1) + " " + (top + tall * (1 - kept)).toFixed(1);
    }
    make("path", { class: "sqg-kept-line", d: path || "M0 0" }, svg);
    make("text", { class: "sqg-axis", x: GUTTER - 5, y: top + 8, "text-anchor": "end" }, svg, "100 %");
    make("text", { class: "sqg-axis", x: GUTTER - 5, y: top + tall, "text-anchor": "end" }, svg, "0");
    make("text", { class: "sqg-axis", x: GUTTER, y: OVER - 3 }, svg, "line: share kept · bars: mean |change| of a unit, up to " + digits(most));
    const last = timed(row) && row.given.rate ? Number((row.steps / row.given.rate).toPrecision(4)) + " s" : row.steps.toLocaleString("en") + " steps";
    make("text", { class: "sqg-axis", x: width - RIGHT, y: OVER - 3, "text-anchor": "end" }, svg, last);
    const pane = make("rect", { class: "sqg-window", x: x(row.from), y: 1, width: Math.max(4, x(row.to) - x(row.from)), height: tall + 6, rx: 3 }, svg);
    const stepAt = (event) => {
      const place = (event.clientX - svg.getBoundingClientRect().left - GUTTER) / room;
      return Math.min(row.steps, Math.max(0, Math.round(place * row.steps)));
    };
    const go = (from, to) => {
      const least = Math.min(row.steps, 5);
      if (timed(row)) {
        const wide = Math.max(least, Math.min(row.steps, to - from));
        row.from = Math.max(0, Math.min(row.steps - wide, from));
        row.to = row.from + wide;
      } else row.from = Math.max(0, Math.min(row.steps - 1, from));
      again();
    };
    svg.addEventListener("pointerdown", (event) => {
      const start = stepAt(event), was = [row.from, row.to];
      const moving = start > was[0] && start < was[1] && (was[1] - was[0] < row.steps || !timed(row));
      event.preventDefault();
      let fresh = null;
      const move = (other) => {
        const now = stepAt(other);
        fresh = moving ? [was[0] + now - start, was[1] + now - start]
          : timed(row) ? [Math.min(start, now), Math.max(start, now)] : [now - Math.floor((was[1] - was[0]) / 2), 0];
        pane.setAttribute("x", x(Math.max(0, fresh[0])));
        if (timed(row)) pane.setAttribute("width", Math.max(2, x(fresh[1]) - x(fresh[0])));
      };
      const up = () => {
        window.removeEventListener("pointermove", move);
        if (!fresh && !timed(row)) fresh = [start - Math.floor((was[1] - was[0]) / 2), 0];
        if (fresh && !(timed(row) && fresh[0] === fresh[1])) go(fresh[0], fresh[1]);
      };
      window.addEventListener("pointermove", move);
      window.addEventListener("pointerup", up, { once: true });
    });
    svg.addEventListener("dblclick", () => { row.from = 0; row.to = row.steps; again(); });
    svg.addEventListener("keydown", (event) => {
      const wide = row.to - row.from, by = Math.max(1, Math.round(wide / 4));
      const to = { ArrowLeft: [row.from - by, row.to - by], ArrowRight: [row.from + by, row.to + by], Home: [0, wide],
        End: [row.steps - wide, row.steps], "+": [row.from + by, row.to - by], "-": [row.from - by, row.to + by] }[event.key];
      if (!to) return;
      event.preventDefault();
      event.stopPropagation();
      go(to[0], to[1]);
      const fresh = host.querySelector(".sqg-overview");
      if (fresh) fresh.focus();
    });
  }
  function lanes(row, svg, width, top, cells) {
    const count = row.to - row.from, room = width - GUTTER - RIGHT, x = (step) => GUTTER + (room * (step - row.from)) / count;
    row.channels.forEach((channel, number) => {
      const y0 = top + number * LANE + 12, tall = LANE - 16;
      let low = Infinity, high = -Infinity;
      for (const value of channel.values) if (Number.isFinite(value)) { low = Math.min(low, value); high = Math.max(high, value); }
      if (!(high > low)) { low = (Number.isFinite(low) ? low : 0) - 0.5; high = low + 1; }
      const y = (value) => y0 + tall * (1 - (value - low) / (high - low));
      make("text", { class: "sqg-axis", x: GUTTER - 5, y: y0 + 7, "text-anchor": "end" }, svg, digits(high));
      make("text", { class: "sqg-axis", x: GUTTER - 5, y: y0 + tall, "text-anchor": "end" }, svg, digits(low));
      make("rect", { class: "sqg-lane-box", x: GUTTER, y: y0, width: room, height: tall }, svg);
      let path = "", open = false;
      const bins = Math.min(count, Math.max(1, Math.floor(room)));
      for (let bin = 0; bin < bins; bin++) {
        const first = row.from + Math.floor((bin * count) / bins), end = row.from + Math.max(Math.floor(((bin + 1) * count) / bins), Math.floor((bin * count) / bins) + 1);
        const part = Array.from(channel.values.subarray(first, end)).filter(Number.isFinite);
        if (!part.length) { open = false; continue; }
        const at = x((first + end) / 2).toFixed(1), ends = part.length > 2 ? [Math.min(...part), Math.max(...part)] : part;
        for (const value of ends) { path += (open ? "L" : "M") + at + " " + y(value).toFixed(1); open = true; }
      }
      if (row.lanes === row.channels.length) {
        for (const cell of cells) {
          const word = row.word[(cell.end - 1) * row.lanes + number];
          if (word < 0) continue;
          const hit = make("rect", { class: "sqg-lane-word", x: cell.x, y: y0, width: cell.w, height: tall, "data-word": word }, svg);
          make("title", {}, hit, shown.payload.names[word] || "word " + word);
        }
      }
      make("path", { class: "sqg-signal", d: path || "M0 0" }, svg);
      make("text", { class: "sqg-lane", x: GUTTER, y: y0 - 2 }, svg, cut(channel.name, 40));
    });
  }
  function axis(row, svg, width, y) {
    const unit = unitOfTime(row), from = row.from * unit, to = row.to * unit, room = width - GUTTER - RIGHT;
    const rough = (to - from) / 8, size = Math.pow(10, Math.floor(Math.log10(rough)));
    let step = [1, 2, 5, 10].map((one) => one * size).find((one) => one >= rough) || rough;
    if (!row.given.rate) step = Math.max(1, Math.round(step));
    for (let at = Math.ceil(from / step - 1e-9) * step; at <= to + 1e-9; at += step) {
      const x = GUTTER + (room * (at - from)) / (to - from);
      make("path", { class: "sqg-tick", d: `M${x.toFixed(1)} ${y}v4` }, svg);
      make("text", { class: "sqg-axis", x: x, y: y + 14, "text-anchor": x < GUTTER + 12 ? "start" : x > width - RIGHT - 12 ? "end" : "middle" }, svg, String(Number(at.toPrecision(6))));
    }
    make("text", { class: "sqg-axis", x: GUTTER - 6, y: y + 14, "text-anchor": "end" }, svg, row.given.rate ? "time (s)" : "step");
  }
  function prediction(row, svg, cells, top, width) {
    const y = (value) => top + TURN + (LINE - 6) * (1 - value), middle = (cell) => cell.x + GAUGE + (cell.w - GAUGE) / 2;
    make("text", { class: "sqg-axis", x: GUTTER - 5, y: y(1) + 6, "text-anchor": "end" }, svg, "100 %");
    make("text", { class: "sqg-axis", x: GUTTER - 5, y: y(0), "text-anchor": "end" }, svg, "0 %");
    for (const level of [0, 0.5, 1]) make("path", { class: "sqg-grid", d: `M${GUTTER} ${y(level)}H${width - RIGHT}` }, svg);
    let path = "";
    for (const cell of cells) {
      const value = lastKnown(row.prefix, cell.first, cell.end);
      if (!Number.isFinite(value)) continue;
      path += (path ? "L" : "M") + middle(cell).toFixed(1) + " " + y(value).toFixed(1);
      make("circle", { class: "sqg-dot", cx: middle(cell), cy: y(value), r: cells.length > 40 ? 1.6 : 2.4 }, svg);
    }
    make("path", { class: "sqg-line", d: path || "M0 0" }, svg);
    const caption = "line: P(" + cut(row.given.prediction.name, 24) + ") from the steps so far; above it, what they predict";
    pen.font = "11px system-ui, sans-serif";
    const end = width - RIGHT - pen.measureText(caption).width - 8;
    make("text", { class: "sqg-axis", x: width - RIGHT, y: top + 11, "text-anchor": "end" }, svg, caption);
    const turns = row.given.turns;
    let free = GUTTER;
    turns.forEach((turn, number) => {
      const next = number + 1 < turns.length ? turns[number + 1][0] : row.steps;
      if (next <= row.from || turn[0] >= row.to) return;
      const cell = cells.find((one) => one.end > turn[0]) || cells[0];
      const at = Math.max(free, middle(cell) - 5);
      const text = turn[1].sign + " " + cut(turn[1].name, 18);
      if (turn[0] >= row.from) make("path", { class: "sqg-turn", d: `M${middle(cell).toFixed(1)} ${top + TURN - 3}V${top + TURN + LINE - 6}` }, svg);
      const wide = pen.measureText(text).width;
      if (at + wide > end || (at > middle(cell) + 60 && number)) return;
      make("text", { class: "sqg-class", x: at, y: top + 11 }, svg, text);
      free = at + wide + 8;
    });
  }
  function glyph(row, svg, cell, top, scale) {
    const group = make("g", { class: "sqg-cell", role: "button", tabindex: -1, "data-step": cell.first, "data-end": cell.end,
      "aria-label": spoken(row, cell) }, svg);
    const bottom = top + TALL, zero = top + TALL / 2, y = (value) => zero - ((value / scale) * TALL) / 2;
    make("rect", { class: "sqg-back", x: cell.x, y: top - 2, width: cell.w, height: TALL + TEXT + 4, rx: 3 }, group);
    const kept = mean(row.kept, cell.first, cell.end), gauge = cell.x + 3;
    make("rect", { class: "sqg-gauge", x: gauge, y: top + 4, width: 4, height: TALL - 8 }, group);
    if (Number.isFinite(kept)) make("rect", { class: "sqg-kept", x: gauge, y: bottom - 4 - (TALL - 8) * kept, width: 4, height: (TALL - 8) * kept }, group);
    const room = cell.w - GAUGE - 4, each = Math.max(0.5, Math.min(14, (row.narrow - GAUGE - 4) / row.k)), wide = Math.max(1.2, each - (each > 4 ? 1.5 : 0.6));
    const start = cell.x + GAUGE + Math.max(0, (room - each * row.k) / 2);
    make("path", { class: "sqg-zero", d: `M${cell.x + GAUGE} ${zero}h${Math.max(2, room + 2)}` }, group);
    for (let cluster = 0; cluster < row.k; cluster++) {
      const [high, low, high0, low0] = ends(row, cell.first, cell.end, cluster), x = start + each * cluster;
      const bar = (name, from, to) => {
        const tall = Math.abs(y(from) - y(to));
        if (tall < 0.3) return;
        const inset = name.includes("hollow") && wide > 3 ? 0.5 : 0;
        make("rect", { class: name, x: x + inset, y: Math.min(y(from), y(to)), width: wide - 2 * inset, height: tall }, bars);
      };
      const bars = make("g", { class: "sqg-bars", "data-cluster": "u" + shown.payload.clusters[cluster].id }, group);
      make("rect", { class: "sqg-bar-back", x: x - 0.5, y: top, width: each, height: TALL }, bars);
      bar("sqg-span", high, low);
      if (high > high0) bar("sqg-raised", high0, high); else bar("sqg-lowered sqg-hollow", high, high0);
      if (low < low0) bar("sqg-lowered", low, low0); else bar("sqg-raised sqg-hollow", low0, low);
      if (shown.payload.grouped) make("rect", { x: x, y: bottom - 1, width: wide, height: 2.5, style: "fill:" + hue(shown.payload.clusters[cluster].id) }, bars);
    }
    if (!timed(row)) {
      const unknown = row.given.unknown.includes(cell.first);
      const text = make("text", { class: "sqg-token" + (unknown ? " unknown" : ""), x: cell.x + GAUGE + room / 2, y: bottom + 16, "text-anchor": "middle" }, group, cell.text + (unknown ? " ?" : ""));
      make("title", {}, text, seen(row.given.tokens[cell.first]) + (unknown ? ": unknown to the model" : ""));
    }
    return group;
  }
  function spoken(row, cell) {
    const parts = [when(row, cell.first, cell.end)];
    if (!timed(row)) parts[0] += " “" + seen(row.given.tokens[cell.first]) + "”" + (row.given.unknown.includes(cell.first) ? " (unknown)" : "");
    else if (row.lanes === 1 && wordsAt(row, cell.end - 1).length) {
      const word = wordsAt(row, cell.end - 1)[0];
      parts.push(shown.payload.names[word] || "word " + word);
    }
    const several = cell.end - cell.first > 1;
    parts.push((several ? "kept per step " : "kept ") + percent(mean(row.kept, cell.first, cell.end)));
    parts.push("a unit changes by " + digits(mean(row.change, cell.first, cell.end)) + (several ? " a step in the mean" : " in the mean"));
    const now = lastKnown(row.prefix, cell.first, cell.end);
    if (Number.isFinite(now)) parts.push("P(" + row.given.prediction.name + ") " + percent(now));
    return parts.join(" · ");
  }
  function tellCluster(row, cell, name) {
    const number = shown.payload.clusters.findIndex((one) => "u" + one.id === name);
    if (number < 0) return "";
    const [high, low, high0, low0] = ends(row, cell.first, cell.end, number), by = high + low - high0 - low0;
    return " · " + shown.payload.clusters[number].name + ": " + digits(low) + " to " + digits(high) + ", mean " + (by >= 0 ? "raised" : "lowered") + " by " + digits(Math.abs(by));
  }
  function drawRow(row, payload, width, scale) {
    const host = row.host;
    host.textContent = "";
    const cells = fit(row, width);
    row.cells = cells;
    row.narrow = Math.min(...cells.map((cell) => cell.w)); /* bars are as wide in every glyph */
    head(row, host, payload);
    const again = () => { drawRow(row, payload, width, scale); window.cutaway.glyphs.paint(); };
    if (row.steps > row.to - row.from || (timed(row) && (row.steps > MOST || row.together > 1))) overview(row, host, width, again);
    const lanesTall = timed(row) ? row.channels.length * LANE + 20 : 0, lineTall = row.prefix.length ? LINE + TURN + 4 : 4;
    const top = lanesTall + lineTall + 4, height = top + TALL + (timed(row) ? 8 : TEXT) + 4;
    const svg = make("svg", { class: "sqg-main", width: width, height: height, role: "group",
      "aria-label": row.given.title + ", " + cells.length + " glyphs. Arrow keys move, Enter chooses the word, Shift with arrows a span." }, host);
    make("rect", { class: "sqg-chosen-span", x: 0, y: 0, width: 0, height: height, visibility: "hidden" }, svg);
    if (timed(row)) { lanes(row, svg, width, 0, cells); axis(row, svg, width, row.channels.length * LANE); }
    if (row.prefix.length) prediction(row, svg, cells, lanesTall, width);
    for (const [value, place] of [[scale, 9], [0, TALL / 2 + 4], [-scale, TALL]]) {
      make("text", { class: "sqg-axis", x: GUTTER - 5, y: top + place, "text-anchor": "end" }, svg, digits(value));
    }
    make("text", { class: "sqg-axis", x: 2, y: top + TALL / 2 + 4 }, svg, "state");
    cells.forEach((cell) => glyph(row, svg, cell, top, scale));
    const focus = svg.querySelector('.sqg-cell[data-step="' + row.at + '"]') || svg.querySelector(".sqg-cell");
    if (focus) focus.setAttribute("tabindex", 0);
    const line = tag("p", "sqg-readout quiet", host, "");
    line.setAttribute("aria-live", "polite");
    row.svg = svg;
  }
  function draw(payload) {
    const host = box();
    if (!host) return;
    const width = Math.max(320, host.clientWidth);
    if (!payload) { host.textContent = ""; shown.payload = null; shown.rows = []; return; }
    const before = new Map(shown.rows.map((row) => [row.given.key, row]));
    const focused = document.activeElement && document.activeElement.closest && document.activeElement.closest(".sqg-cell");
    const had = focused && { key: focused.closest(".sqg-row").dataset.key, step: focused.dataset.step };
    Object.assign(shown, { payload: payload, width: width });
    shown.rows = payload.rows.map((given) => {
      const row = read(given, payload), old = before.get(given.key);
      if (old && old.steps === row.steps) Object.assign(row, { from: old.from, to: old.to, at: old.at });
      return row;
    });
    host.textContent = "";
    const scale = shown.rows.reduce((most, row) => Math.max(most, row.given.scale), 1e-12);
    for (const row of shown.rows) {
      row.host = tag("div", "sqg-row", host);
      row.host.dataset.key = row.given.key;
      drawRow(row, payload, width, scale);
    }
    window.cutaway.glyphs.paint();
    if (had) {
      const again = host.querySelector('[data-key="' + had.key + '"] .sqg-cell[data-step="' + had.step + '"]');
      if (again) again.focus();
    }
  }

  /* The payload is text in the page. It is drawn when it changes, and when the panel's width does. */
  function follow(source) {
    const read = () => draw(source.textContent ? JSON.parse(source.textContent) : null);
    new MutationObserver(read).observe(source, { childList: true, characterData: true, subtree: true });
    new ResizeObserver(() => {
      const host = box();
      if (shown.payload && host.clientWidth && Math.max(320, host.clientWidth) !== shown.width) draw(shown.payload);
    }).observe(box());
    read();
  }
  const waiting = new MutationObserver(() => {
    const source = document.getElementById("sq-glyphs-data");
    if (!source || !box()) return;
    waiting.disconnect();
    follow(source);
  });
  waiting.observe(document.documentElement, { childList: true, subtree: true });
  window.cutaway.glyphs = { shown, said, wordsAt, when, spoken, tellCluster };
})();
