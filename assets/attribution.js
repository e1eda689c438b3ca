/* The Attribution view: its controls write the address, opacity needs no server, arrow keys move. */
(function () {
  "use strict";
  const ns = (window.dash_clientside = window.dash_clientside || {});
  const NO = () => window.dash_clientside.no_update;
  const NAME = /^([a-z_]+)\.(\w+)=([^;]+)$/;

  function query(name) {
    return window.cutaway.params().get(name);
  }
  function shown() {
    const view = document.getElementById("view-attribution");
    return view && !view.hidden;
  }

  /* 'method.name=value;...' as [[name, value], ...], in the order of the address. */
  function chosen() {
    const parts = (query("params") || "").split(";").map((part) => part.match(NAME)).filter(Boolean);
    return new Map(parts.map((part) => [part[1] + "." + part[2], part[3]]));
  }
  function text(value) {
    return typeof value === "number" ? String(value) : value === null || value === undefined ? "" : String(value);
  }
  function same(a, b) {
    return a === b || (a !== "" && b !== "" && Number(a) === Number(b));
  }

  /* The methods that the address means at this moment: the list from the server may be older than the last click. */
  function ticked() {
    const known = [...document.querySelectorAll("#at-methods [data-at-method]")];
    const names = known.map((box) => box.dataset.atMethod);
    const page = document.getElementById("at-methods-known");
    const defaults = page ? page.dataset.atDefaults.split(",").filter(Boolean) : [];
    const most = page ? Number(page.dataset.atMost) : names.length;
    const asked = [...new Set((query("methods") || "").split(","))].filter((name) => names.includes(name));
    return { names: (asked.length ? asked : defaults).slice(0, most), most, known, usual: !query("methods") };
  }
  function put(box, name, value) {
    if (box.getAttribute(name) !== value) box.setAttribute(name, value);
  }
  /* Ticks follow the address, whatever the server drew last. */
  function paint() {
    const { names, most, known, usual } = ticked();
    if (!known.length) return;
    const full = names.length >= most;
    for (const box of known) {
      const on = names.includes(box.dataset.atMethod);
      put(box, "aria-checked", on ? "true" : "false");
      put(box, "aria-disabled", !on && (full || box.dataset.atFits === "no") ? "true" : "false");
    }
    const note = document.getElementById("at-methods-note");
    if (!note) return;
    const said = full ? names.length + " shown, the most there can be: untick one to choose another"
      : names.length + " shown, at most " + most;
    const line = said + (usual ? "; these are the defaults." : ".");
    if (note.textContent !== line) note.textContent = line;
    note.classList.toggle("at-full", full);
  }
  function watch() {
    const list = document.getElementById("at-methods");
    if (!list || list.dataset.watched) return;
    list.dataset.watched = "yes";
    const filter = ["aria-checked", "aria-disabled", "data-at-method", "data-at-defaults"];
    new MutationObserver(paint).observe(list.parentElement, {
      subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: filter,
    });
  }

  ns.attribution = {
    /* After every move in the address, and everything the server draws. */
    followMethods() {
      watch();
      window.setTimeout(paint, 0);
      return NO();
    },
    /* A class picked by hand. A contrast is between two numbers: what is predicted is known for the sample. */
    target(first, minus, spec) {
      if (!shown() || !first) return;
      const number = first === "predicted" || first === "true" ? spec && spec[first] : Number(first);
      let target = first;
      if (minus && number !== null && number !== undefined && String(number) !== minus) target = number + "-" + minus;
      const now = query("target") || "predicted";
      if (target !== now) window.cutaway.navigate({ target: target === "predicted" ? null : target });
      else if (minus && target === first) window.dash_clientside.set_props("at-minus", { value: null });
    },
    followTarget() {
      const [first, minus] = (query("target") || "predicted").split("-");
      return [first, minus || null];
    },
    /* A parameter changed by hand: at its default it leaves the address. */
    params(values, spec) {
      const found = chosen();
      const defaults = (spec && spec.defaults) || {};
      let changed = false;
      for (const item of window.dash_clientside.callback_context.triggered || []) {
        const name = JSON.parse(item.prop_id.slice(0, item.prop_id.lastIndexOf("."))).name;
        const value = text(item.value);
        const now = found.has(name) ? found.get(name) : defaults[name] || "";
        if (value === "" || same(value, now)) continue;
        if (same(value, defaults[name] || "")) found.delete(name);
        else found.set(name, value);
        changed = true;
      }
      if (!changed) return;
      window.cutaway.navigate({ params: [...found].map((pair) => pair.join("=")).join(";") || null });
    },
    followParams(_explain, before, spec) {
      const found = chosen();
      const defaults = (spec && spec.defaults) || {};
      return window.dash_clientside.callback_context.outputs_list.map((output, index) => {
        const name = output.id.name;
        const value = found.has(name) ? found.get(name) : defaults[name];
        if (value === undefined || same(text(before[index]), value)) return NO();
        return typeof before[index] === "number" ? Number(value) : value || null;
      });
    },
    /* The overlays are there already: only how they are laid over the picture changes. */
    look(clip, opacity) {
      const panel = document.getElementById("at-maps-panel");
      if (panel) panel.style.setProperty("--at-opacity", String(opacity));
      return [clip >= 100 ? "the largest" : clip + " %", Number(opacity).toFixed(2)];
    },
    instance(value) {
      if (!shown() || value === "" || value === null || value === undefined) return;
      if ((query("instances") || "").split(",")[0] !== String(value)) window.cutaway.navigate({ instances: value });
    },
    firstPage() {
      return null;
    },
    inView() {
      window.setTimeout(() => {
        const list = document.getElementById("at-tiles");
        const tile = list && list.querySelector(".at-tile.chosen");
        if (!tile) return;
        const left = tile.offsetLeft - list.offsetLeft;
        if (left < list.scrollLeft || left + tile.offsetWidth > list.scrollLeft + list.clientWidth) {
          list.scrollLeft = left - list.clientWidth / 3;
        }
        const top = tile.offsetTop - list.offsetTop;
        if (top < list.scrollTop || top + tile.offsetHeight > list.scrollTop + list.clientHeight) {
          list.scrollTop = top - list.clientHeight / 3;
        }
      }, 0);
    },
  };

  document.addEventListener("click", (event) => {
    const page = event.target.closest("[data-at-page]");
    if (page) return window.dash_clientside.set_props("at-page", { data: Number(page.dataset.atPage) });
    const method = event.target.closest("[data-at-method]");
    if (!method || method.getAttribute("aria-disabled") === "true") return;
    const { names, most } = ticked();
    const name = method.dataset.atMethod;
    const next = names.includes(name) ? names.filter((other) => other !== name) : [...names, name];
    if (next.length > most) return;
    window.cutaway.navigate({ methods: next.join(",") || null });
    paint();
  });

  window.addEventListener("popstate", () => window.setTimeout(paint, 0));

  /* Inside a text the arrow keys go from token to token; its value is said below. */
  function say(token) {
    const line = token.closest(".at-tokens").nextElementSibling;
    if (line) line.textContent = token.getAttribute("aria-label");
  }

  /* Inside a picture: the value of the pixel under the pointer, or where the arrow keys are. */
  const numbers = new Map(); /* address -> promise of {height, width, values}; the newest few */
  function load(address) {
    if (!numbers.has(address)) {
      const asked = window.fetch(address, { credentials: "same-origin" }).then((answer) => {
        if (!answer.ok) throw new Error("gone");
        return answer.arrayBuffer();
      }).then((content) => {
        const [height, width] = new Uint32Array(content, 0, 2);
        return { height, width, values: new Float32Array(content, 8) };
      });
      asked.catch(() => numbers.delete(address));
      numbers.set(address, asked);
      if (numbers.size > 24) numbers.delete(numbers.keys().next().value);
    }
    return numbers.get(address);
  }
  function written(value) {
    if (!Number.isFinite(value)) return "undefined";
    if (value === 0) return "0";
    const size = Math.abs(value);
    const digits = size >= 1e-4 && size < 1e6 ? String(Number(size.toPrecision(3))) : size.toExponential(2);
    return (value < 0 ? "\u2212" : "+") + digits;
  }
  /* at: (row, column) in pixels of the instance; the numbers may be coarser. */
  function tell(canvas, at) {
    const size = [Number(canvas.dataset.height), Number(canvas.dataset.width)];
    const [row, column] = at.map((value, axis) => Math.min(size[axis] - 1, Math.max(0, value)));
    canvas.dataset.at = row + "," + column;
    const cursor = canvas.querySelector(".at-cursor");
    cursor.hidden = false;
    cursor.style.left = (100 * column) / size[1] + "%";
    cursor.style.top = (100 * row) / size[0] + "%";
    cursor.style.width = 100 / size[1] + "%";
    cursor.style.height = 100 / size[0] + "%";
    const line = canvas.closest(".at-frame").nextElementSibling;
    const rate = Number(canvas.dataset.rate);
    const place = rate ? Number((column / rate).toPrecision(4)) + " s, bin " + row : "row " + row + ", column " + column;
    load(canvas.dataset.atNumbers).then((found) => {
      if (canvas.dataset.at !== row + "," + column) return;
      const [down, across] = [Math.floor((row * found.height) / size[0]), Math.floor((column * found.width) / size[1])];
      line.textContent = place + ": " + written(found.values[down * found.width + across]);
    }).catch(() => { line.textContent = "The values are gone. Reload the page: they are computed again."; });
  }
  function canvasOf(event) {
    return event.target.closest ? event.target.closest("[data-at-numbers]") : null;
  }
  document.addEventListener("pointermove", (event) => {
    const canvas = canvasOf(event);
    if (!canvas) return;
    const box = canvas.getBoundingClientRect();
    tell(canvas, [
      Math.floor(((event.clientY - box.top) / box.height) * Number(canvas.dataset.height)),
      Math.floor(((event.clientX - box.left) / box.width) * Number(canvas.dataset.width)),
    ]);
  });
  document.addEventListener("pointerout", (event) => {
    const canvas = canvasOf(event);
    if (canvas && !canvas.contains(event.relatedTarget)) canvas.querySelector(".at-cursor").hidden = document.activeElement !== canvas;
  });
  document.addEventListener("focusout", (event) => {
    const canvas = canvasOf(event);
    if (canvas) canvas.querySelector(".at-cursor").hidden = true;
  });
  window.addEventListener("keydown", (event) => {
    const canvas = canvasOf(event);
    const by = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!canvas || !by) return;
    event.preventDefault();
    event.stopPropagation();
    const middle = [canvas.dataset.height, canvas.dataset.width].map((side) => Math.floor(Number(side) / 2));
    const now = canvas.dataset.at ? canvas.dataset.at.split(",").map(Number) : null;
    tell(canvas, now ? now.map((value, axis) => value + by[axis]) : middle);
  }, true);

  function move(event) {
    const token = event.target.closest && event.target.closest(".at-token");
    if (!token) return;
    const all = [...token.parentElement.querySelectorAll(".at-token")];
    const at = all.indexOf(token);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    if (!all[next]) return;
    token.tabIndex = -1;
    all[next].tabIndex = 0;
    all[next].focus();
  }
  window.addEventListener("keydown", move, true);
  for (const kind of ["mouseover", "focusin"]) {
    document.addEventListener(kind, (event) => {
      const token = event.target.closest && event.target.closest(".at-token");
      if (token) say(token);
    });
  }

  /* Arrow keys elsewhere: the instance before and after, in the order of the list. */
  document.addEventListener("DOMContentLoaded", () => {
    const others = window.cutaway.step;
    window.cutaway.step = (by, event) => {
      if (!shown()) return others && others(by, event);
      event.preventDefault();
      const buttons = document.querySelectorAll("#at-steps button");
      const button = buttons[by < 0 ? 0 : 1];
      if (button && !button.disabled) button.click();
    };
  });
})();
