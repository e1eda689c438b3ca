/* The Layers view's pictures: feature maps on one canvas, the instance with an overlay, lassos, arrow keys. */
(function () {
  "use strict";
  const ns = (window.dash_clientside = window.dash_clientside || {});
  const NO = () => window.dash_clientside.no_update;
  /* The same samples as dashboard/theme.py (tested). */
  const VIRIDIS = ["#440154", "#482878", "#3e4a89", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6dcd59", "#b4de2c", "#fde725"];
  const LOWERS = "#3b7dd8", RAISES = "#d9822b", MISSING = [138, 148, 163, 110];
  const PAPER = { light: "#ffffff", dark: "#1b1f26" };
  const TALLEST = 430, MOST_CORNERS = 64, MOST_TEXT = 3000;
  const sheet = { spec: null, scheme: "light", image: null, tiles: null, place: null, cursor: 0, chosen: null };

  function rgb(text) {
    return [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));
  }
  function between(stops, share) {
    const at = Math.min(stops.length - 2, Math.floor(share * (stops.length - 1)));
    const rest = share * (stops.length - 1) - at;
    return stops[at].map((value, i) => Math.round(value + (stops[at + 1][i] - value) * rest));
  }
  /* 256 colours: 0 is 'not finite', 1 to 255 go from the low end to the high one. */
  function colours(scheme, signed) {
    let stops = VIRIDIS.map(rgb);
    if (signed) stops = [rgb(LOWERS), rgb(PAPER[scheme]), rgb(RAISES)];
    else if (scheme === "light") stops.reverse();
    const table = [MISSING];
    for (let value = 1; value < 256; value++) table.push([...between(stops, (value - 1) / 254), 255]);
    return table;
  }

  function pixels(image) {
    const canvas = document.createElement("canvas");
    canvas.width = image.naturalWidth;
    canvas.height = image.naturalHeight;
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    pen.drawImage(image, 0, 0);
    return pen.getImageData(0, 0, canvas.width, canvas.height);
  }
  /* The grey sprite in the colours of the theme; `alpha` makes strength opacity instead. */
  function coloured(grey, table, alpha) {
    const canvas = document.createElement("canvas");
    canvas.width = grey.width;
    canvas.height = grey.height;
    const out = new ImageData(grey.width, grey.height);
    for (let i = 0; i < grey.data.length; i += 4) {
      const value = grey.data[i];
      const colour = table[value];
      out.data[i] = colour[0];
      out.data[i + 1] = colour[1];
      out.data[i + 2] = colour[2];
      out.data[i + 3] = alpha ? alpha(value) : colour[3];
    }
    canvas.getContext("2d").putImageData(out, 0, 0);
    return canvas;
  }

  /* A canvas of this size in CSS pixels, sharp on every screen. */
  function pen(canvas, width, height) {
    const ratio = window.devicePixelRatio || 1;
    canvas.style.width = width + "px";
    canvas.style.height = height + "px";
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const found = canvas.getContext("2d");
    found.setTransform(ratio, 0, 0, ratio, 0, 0);
    return found;
  }
  function ink(name) {
    return window.getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  /* The largest tiles with which all filters fit; when even small ones do not, the box scrolls. */
  function arrange(spec, width) {
    const shape = spec.height / spec.width;
    const most = Math.max(16, Math.min(132, spec.width * 8));
    let found = null;
    for (let side = most; side >= 6; side--) {
      const gap = side >= 12 ? 3 : 1;
      const label = side >= 24 ? 13 : 0;
      const columns = Math.max(1, Math.min(spec.filters, Math.floor((width + gap) / (side + gap))));
      const step = Math.max(2, Math.round(side * shape)) + gap + label;
      const height = Math.ceil(spec.filters / columns) * step;
      found = { side, tall: step - gap - label, gap, label, columns, step, height };
      if (height <= TALLEST) break;
    }
    return found;
  }

  function drawSheet() {
    const { spec, tiles } = sheet;
    const canvas = document.getElementById("maps-sheet");
    const box = document.getElementById("maps-sheet-box");
    if (!canvas || !spec || !spec.source || !box.clientWidth) return;
    const place = (sheet.place = arrange(spec, box.clientWidth - 18));
    const width = place.columns * (place.side + place.gap);
    const to = pen(canvas, width, place.height);
    to.clearRect(0, 0, width, place.height);
    if (!tiles) return;
    to.imageSmoothingEnabled = place.side < spec.width;
    to.font = "10px system-ui, sans-serif";
    to.textAlign = "center";
    for (let filter = 0; filter < spec.filters; filter++) {
      const [x, y] = corner(filter);
      const left = (filter % spec.columns) * spec.width, top = Math.floor(filter / spec.columns) * spec.height;
      to.drawImage(tiles, left, top, spec.width, spec.height, x, y, place.side, place.tall);
      if (place.label) {
        to.fillStyle = ink("--ink-2");
        to.fillText(String(filter), x + place.side / 2, y + place.tall + 10);
      }
    }
    if (place.gap > 1) {
      to.strokeStyle = ink("--line");
      to.lineWidth = 1;
      for (let filter = 0; filter < spec.filters; filter++) {
        const [x, y] = corner(filter);
        to.strokeRect(x - 0.5, y - 0.5, place.side + 1, place.tall + 1);
      }
    }
    if (sheet.chosen !== null && sheet.chosen < spec.filters) outline(to, sheet.chosen, RAISES, []);
    if (document.activeElement === canvas) outline(to, sheet.cursor, ink("--accent"), [4, 2]);
  }
  function corner(filter) {
    const { place } = sheet;
    const row = Math.floor(filter / place.columns);
    return [(filter % place.columns) * (place.side + place.gap) + 1, row * place.step + 1];
  }
  function outline(to, filter, colour, dash) {
    const [x, y] = corner(filter);
    to.save();
    to.strokeStyle = colour;
    to.lineWidth = 2;
    to.setLineDash(dash);
    to.strokeRect(x - 1, y - 1, sheet.place.side + 2, sheet.place.tall + 2);
    to.restore();
  }

  /* The instance; over it the chosen filter's map, where its receptive fields lie, the stronger the more opaque. */
  function drawInput() {
    const { spec } = sheet;
    const canvas = document.getElementById("maps-input");
    if (!canvas) return;
    canvas.hidden = !spec || !spec.picture;
    if (canvas.hidden) return;
    const wide = 200;
    const aspect = spec.aspect || (sheet.picture ? sheet.picture.naturalWidth / sheet.picture.naturalHeight : 1);
    const width = aspect >= 1 ? wide : Math.max(40, wide * aspect);
    const height = aspect >= 1 ? Math.max(40, wide / aspect) : wide;
    const to = pen(canvas, width, height);
    to.imageSmoothingEnabled = false;
    if (sheet.picture) to.drawImage(sheet.picture, 0, 0, width, height);
    const shown = spec.overlay && sheet.chosen !== null && sheet.veil && sheet.chosen < spec.filters;
    let label = "Instance " + spec.instance;
    if (shown) {
      const left = (sheet.chosen % spec.columns) * spec.width, top = Math.floor(sheet.chosen / spec.columns) * spec.height;
      const [x0, y0, x1, y1] = spec.extent;
      to.fillStyle = "rgba(128,128,128,.3)";
      to.fillRect(0, 0, width, height);
      to.drawImage(sheet.veil, left, top, spec.width, spec.height, x0 * width, y0 * height, (x1 - x0) * width, (y1 - y0) * height);
      label += " under the map of " + spec.word + " " + sheet.chosen;
    }
    canvas.setAttribute("aria-label", label);
    const note = document.getElementById("maps-input-note");
    const choose = "Choose a " + spec.word + " to lay its map over the picture.";
    note.textContent = !spec.overlay || !spec.veil ? "" : shown ? "Map of " + spec.word + " " + sheet.chosen + ", on its own scale." : choose;
  }

  function load(address, done) {
    if (!address) return done(null);
    const image = new Image();
    image.onload = () => done(image);
    image.onerror = () => done(null);
    image.src = address;
  }
  function recolour() {
    const { spec, grey, scheme } = sheet;
    if (!grey || !spec) return;
    const table = colours(scheme, spec.signed);
    sheet.tiles = coloured(grey, table, null);
  }
  /* Over the picture a map is on its own scale, the stronger the more opaque; the dark theme's colours read best. */
  function veiled(image) {
    const { spec } = sheet;
    const table = colours("dark", spec.signed);
    const strength = (value) => (value ? Math.round(215 * (spec.signed ? Math.abs(value - 128) / 127 : (value - 1) / 254)) : 0);
    return coloured(pixels(image), table, strength);
  }

  function say(filter) {
    const { spec } = sheet;
    const line = document.getElementById("maps-readout");
    if (!line || !spec) return;
    const top = spec.tops[filter];
    line.textContent = filter === null ? "" : spec.word + " " + filter + " · largest activation " + (top === null ? "not finite" : top.toLocaleString("en", { maximumSignificantDigits: 4 }));
  }
  function at(event) {
    const { place, spec } = sheet;
    if (!place || !spec) return null;
    const column = Math.floor(event.offsetX / (place.side + place.gap)), row = Math.floor(event.offsetY / place.step);
    const filter = row * place.columns + column;
    return column < place.columns && filter >= 0 && filter < spec.filters ? filter : null;
  }
  /* A change inside the layer shown: what else is chosen in it stays, also where the address does not name it yet. */
  function within(layer, changes) {
    const query = window.cutaway.params();
    if (!layer || query.get("layer") === layer) return window.cutaway.navigate(changes);
    const kept = {};
    if (query.get("layer") === null) for (const name of ["filter", "filters", "lasso", "drill"]) kept[name] = query.get(name);
    window.cutaway.navigate(Object.assign({ layer: layer }, kept, changes));
  }
  function choose(filter) {
    if (filter !== null && sheet.spec) within(sheet.spec.layer, { filter: filter });
  }

  function moves(event) {
    const { place, spec } = sheet;
    if (!place || !spec) return;
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -place.columns, ArrowDown: place.columns, Home: -1e9, End: 1e9 }[event.key];
    if (by !== undefined) {
      const next = Math.min(spec.filters - 1, Math.max(0, sheet.cursor + by));
      /* Up and down stay in their column. */
      if (Math.abs(by) === place.columns && (next - sheet.cursor) % place.columns) return event.preventDefault();
      sheet.cursor = next;
      say(next);
      drawSheet();
      const box = document.getElementById("maps-sheet-box");
      const y = corner(next)[1];
      if (y < box.scrollTop || y + place.step > box.scrollTop + box.clientHeight) box.scrollTop = y - box.clientHeight / 2;
    } else if (event.key === "Enter" || event.key === " ") choose(sheet.cursor);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  let attached = null;
  function attach() {
    const canvas = document.getElementById("maps-sheet");
    if (!canvas || canvas === attached) return;
    attached = canvas;
    canvas.addEventListener("mousemove", (event) => {
      const filter = at(event);
      canvas.style.cursor = filter === null ? "default" : "pointer";
      say(filter);
    });
    canvas.addEventListener("mouseleave", () => say(sheet.chosen));
    canvas.addEventListener("click", (event) => {
      const filter = at(event);
      if (filter !== null) sheet.cursor = filter;
      choose(filter);
    });
    canvas.addEventListener("keydown", moves);
    canvas.addEventListener("focus", () => { say(sheet.cursor); drawSheet(); });
    canvas.addEventListener("blur", drawSheet);
    new ResizeObserver(() => { drawSheet(); drawInput(); }).observe(document.getElementById("maps-sheet-box"));
  }

  /* A long lasso with at most 64 corners: those that matter most to its outline (Douglas and Peucker, 1973). */
  function simplified(points) {
    const keep = (list, limit) => {
      if (list.length < 3) return list;
      const [ax, ay] = list[0], [bx, by] = list[list.length - 1];
      const length = Math.hypot(bx - ax, by - ay);
      let worst = 0, where = 0;
      list.forEach(([x, y], i) => {
        const away = length ? Math.abs((bx - ax) * (ay - y) - (ax - x) * (by - ay)) / length : Math.hypot(x - ax, y - ay);
        if (away > worst) [worst, where] = [away, i];
      });
      if (worst <= limit) return [list[0], list[list.length - 1]];
      return [...keep(list.slice(0, where + 1), limit).slice(0, -1), ...keep(list.slice(where), limit)];
    };
    const xs = points.map((p) => p[0]), ys = points.map((p) => p[1]);
    let limit = Math.hypot(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys)) / 1000;
    let found = points;
    while (found.length > MOST_CORNERS || found === points) {
      found = keep(points, limit);
      limit *= 1.5;
    }
    return found;
  }
  window.cutaway.simplified = simplified; // the Projection panel has a lasso too
  function ranges(numbers) {
    const list = [...new Set(numbers)].sort((a, b) => a - b);
    const parts = [];
    for (let i = 0; i < list.length; ) {
      let j = i;
      while (j + 1 < list.length && list[j + 1] === list[j] + 1) j++;
      parts.push(j - i > 1 ? list[i] + "-" + list[j] : list.slice(i, j + 1).join(","));
      i = j + 1;
    }
    return parts;
  }
  function plot(id) {
    return document.querySelector("#" + id + " .js-plotly-plot");
  }

  ns.layers = {
    /* The maps of an instance: pictures on the canvas, or a figure beside it. */
    maps(spec, scheme) {
      attach();
      const before = sheet.spec;
      const chosen = window.cutaway.params().get("filter");
      sheet.chosen = chosen === null ? null : Number(chosen);
      if (sheet.chosen !== null) sheet.cursor = sheet.chosen;
      if (!spec) {
        Object.assign(sheet, { spec: null, tiles: null, grey: null, picture: null, veil: null, veilOf: null });
        return NO();
      }
      const canvas = document.getElementById("maps-sheet");
      document.getElementById("maps-sheet-box").hidden = !spec.source;
      document.getElementById("maps-figure-outer").hidden = Boolean(spec.source);
      document.getElementById("maps-input-box").hidden = false;
      canvas.setAttribute("aria-label", "Maps of " + spec.filters + " " + spec.word + "s of " + spec.layer + ". Arrow keys move, Enter chooses one.");
      const recoloured = sheet.scheme !== scheme || !before || before.signed !== spec.signed;
      sheet.scheme = scheme === "dark" ? "dark" : "light";
      sheet.spec = spec;
      sheet.cursor = Math.min(sheet.cursor, spec.filters - 1);
      if (!before || before.picture !== spec.picture) {
        load(spec.picture, (image) => {
          if (sheet.spec === null || sheet.spec.picture !== spec.picture) return;
          sheet.picture = image;
          drawInput();
        });
      }
      if (!before || before.source !== spec.source) {
        load(spec.source, (image) => {
          if (sheet.spec === null || sheet.spec.source !== spec.source) return;
          sheet.grey = image ? pixels(image) : null;
          sheet.tiles = null;
          recolour();
          drawSheet();
          drawInput();
        });
      } else if (recoloured) recolour();
      if (spec.overlay && spec.veil && sheet.veilOf !== spec.veil) {
        sheet.veil = null;
        load(spec.veil, (image) => {
          if (sheet.spec === null || sheet.spec.veil !== spec.veil) return;
          sheet.veil = image ? veiled(image) : null;
          sheet.veilOf = spec.veil;
          drawInput();
        });
      }
      if (spec.source) say(sheet.chosen);
      drawSheet();
      drawInput();
      if (!spec.source) window.setTimeout(() => window.dispatchEvent(new Event("resize")), 0);
      return NO();
    },
    /* A click on a strip or a bar chooses its filter. */
    pickMap(click, spec) {
      const point = click && click.points && click.points[0];
      if (!point || !spec) return;
      const filter = point.data && point.data.type === "heatmap" ? point.y : point.data && point.data.yaxis === "y2" ? null : point.x;
      if (filter !== null) within(spec.layer, { filter: Number(filter) });
    },
    /* A field of another view that shows *the* instance. */
    followInstance() {
      const text = (window.cutaway.params().get("instances") || "").split(",")[0];
      return text === "" ? "" : Number(text);
    },
    /* The outline of a lasso goes into the address; the server finds what lies in it. */
    lasso(selected, ready) {
      if (!selected || !ready) return;
      let points = null;
      if (selected.lassoPoints) points = selected.lassoPoints.x.map((x, i) => [x, selected.lassoPoints.y[i]]);
      else if (selected.range) {
        const [[x0, x1], [y0, y1]] = [selected.range.x, selected.range.y];
        points = [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
      }
      if (!points || points.length < 3) return;
      const corners = simplified(points);
      if (corners.length < 3) return;
      window.cutaway.navigate({ lasso: corners.flat().map((value) => Number(value.toPrecision(5))).join(",") });
    },
    /* A click on a point of the input map chooses its instance. */
    pickPatch(click) {
      const point = click && click.points && click.points[0];
      if (point && point.customdata !== undefined) window.cutaway.navigate({ instances: [].concat(point.customdata)[0] });
    },
    pickFilter(click, layer) {
      const point = click && click.points && click.points[0];
      if (point && point.customdata !== undefined) within(layer, { filter: [].concat(point.customdata)[0] });
    },
    /* Filters lassoed in the filter map, as ranges; as many as an address can hold. */
    lassoFilters(selected, layer) {
      if (!selected || !selected.points || !(selected.lassoPoints || selected.range)) return;
      const numbers = selected.points.map((point) => [].concat(point.customdata)[0]).filter((n) => n !== undefined);
      if (!numbers.length) return;
      const parts = ranges(numbers);
      let text = parts.shift();
      while (parts.length && text.length < MOST_TEXT) text += "," + parts.shift();
      within(layer, { filters: text });
    },
    /* What a drag does in a map. Drawings that follow get it from the server. */
    drag(mode, ready, id) {
      const gd = plot(id);
      if (gd && gd.layout && ready && window.Plotly) window.Plotly.relayout(gd, { dragmode: mode });
    },
    keepLasso(figure, id) {
      const gd = plot(id);
      if (gd && gd.on && figure && figure.layout && figure.layout.meta) follow(gd);
    },
  };

  /* A double click ends a zoom also where a drag draws a lasso; the lasso stays until another replaces it. */
  function follow(gd) {
    if (gd.dataset.lasso) return;
    gd.dataset.lasso = "1";
    const restore = () => {
      if (!gd.data) return;
      const points = gd.data.map((trace) => (trace.meta && trace.meta.selected !== undefined ? trace.meta.selected : null));
      window.Plotly.restyle(gd, { selectedpoints: points });
    };
    gd.on("plotly_deselect", () => window.setTimeout(restore, 0));
    gd.addEventListener("dblclick", () => {
      window.setTimeout(() => window.Plotly.relayout(gd, { "xaxis.autorange": true, "yaxis.autorange": true }), 0);
    });
  }

  /* Arrow keys: through the filters while one is chosen, else through the instances. */
  document.addEventListener("DOMContentLoaded", () => {
    const others = window.cutaway.step;
    window.cutaway.step = (by, event) => {
      const view = document.getElementById("view-layers");
      if (!view || view.hidden) return others && others(by, event);
      event.preventDefault();
      const query = window.cutaway.params();
      if (query.get("filter") !== null && sheet.spec) {
        const next = Math.min(sheet.spec.filters - 1, Math.max(0, Number(query.get("filter")) + by));
        return window.cutaway.navigate({ filter: next });
      }
      const buttons = document.querySelectorAll("#maps-steps button");
      const button = buttons[by < 0 ? 0 : 1];
      if (button && !button.disabled) button.click();
    };
  });
})();
