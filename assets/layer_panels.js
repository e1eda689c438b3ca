/* The Layers view's panels about layers and filters: picking filters, lists of numbers, tests, copying code. */
(function () {
  "use strict";
  const ns = (window.dash_clientside = window.dash_clientside || {});
  const NO = () => window.dash_clientside.no_update;
  const RANGES = /^\d{1,9}(-\d{1,9})?(,\d{1,9}(-\d{1,9})?)*$/;
  const MOST_TESTS = 24;
  let shift = false;

  window.addEventListener("mousedown", (event) => { shift = event.shiftKey; }, true);

  /* "1,3-5" -> [1, 3, 4, 5]; no more than a few thousand. */
  function expand(text) {
    const found = new Set();
    for (const part of (text || "").split(",").filter(Boolean)) {
      const ends = part.split("-").map(Number);
      for (let at = ends[0]; at <= (ends.length > 1 ? ends[1] : ends[0]) && found.size < 5000; at++) found.add(at);
    }
    return [...found].sort((a, b) => a - b);
  }

  function filterOf(point, trace) {
    const meta = trace.meta || {};
    const [row, column] = Array.isArray(point.pointNumber) ? point.pointNumber : [point.y, point.x];
    if (meta.along === "cells") return trace.customdata[row][column];
    return meta.filters[meta.along === "x" ? column : row];
  }

  ns.layerPanels = {
    /* A click on a cell chooses its filter; with shift it joins or leaves the filters chosen together. */
    pickFilter(click, figure, layer) {
      const point = click && click.points && click.points[0];
      if (!point || !layer || !figure.data.length) return;
      const filter = filterOf(point, figure.data[0]);
      if (filter === undefined || filter === null || filter < 0) return;
      if (!shift) return window.cutaway.navigate({ layer: layer, filter: filter });
      const query = window.cutaway.params();
      const same = (query.get("layer") || layer) === layer;
      const chosen = new Set(same ? expand(query.get("filters")) : []);
      if (!chosen.size && same && query.get("filter") !== null) chosen.add(Number(query.get("filter")));
      if (chosen.has(filter)) chosen.delete(filter); else chosen.add(filter);
      const text = [...chosen].sort((a, b) => a - b).join(",");
      window.cutaway.navigate({ layer: layer, filter: query.get("filter"), filters: text || null });
    },
    /* A list of numbers and ranges goes into the URL; what is none says so. */
    ranges(value, id) {
      const name = id.slice(4);
      const text = (value || "").replace(/\s*([,-])\s*/g, "$1").replace(/\s+/g, ",").replace(/^,+|,+$/g, "");
      if (text && !RANGES.test(text)) return "Numbers and ranges, such as 3, 17-20";
      if ((window.cutaway.params().get(name) || "") !== text) window.cutaway.navigate({ [name]: text || null });
      return null;
    },
    /* A control whose value is text follows the URL. */
    followText() {
      const id = window.dash_clientside.callback_context.outputs_list.id;
      const name = id.slice(4);
      const value = window.cutaway.params().get(name);
      return value === null ? window.cutaway.DEFAULTS[name] || "" : value;
    },
  };

  /* Tests asked for in this visit. They are kept here; their results are kept by the server for everyone. */
  let tests = [];
  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-layer-test]");
    if (!target) return;
    const text = target.dataset.layerTest;
    tests = [...tests.filter((item) => item !== text), text].slice(-MOST_TESTS);
    window.dash_clientside.set_props("layers-tests", { data: tests });
  });

  document.addEventListener("click", async (event) => {
    const target = event.target.closest("[data-copy-from]");
    if (!target) return;
    const source = document.getElementById(target.dataset.copyFrom);
    if (!source) return;
    const before = target.textContent;
    try {
      await navigator.clipboard.writeText(source.textContent);
      target.textContent = "Copied";
    } catch (error) {
      /* No clipboard without a secure address: select it, so that one key copies it. */
      const range = document.createRange();
      range.selectNodeContents(source);
      window.getSelection().removeAllRanges();
      window.getSelection().addRange(range);
      target.textContent = "Selected: press Ctrl+C";
    }
    window.setTimeout(() => { target.textContent = before; }, 2500);
  });

  /* Cells of the grid of layers. */
  const cells = (window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {});
  const element = (...parts) => window.React.createElement(...parts);

  function percent(value) {
    return Math.max(0, Math.min(100, 100 * value)) + "%";
  }

  cells.LayerName = function (props) {
    const row = props.data || {};
    if (row.reason) return element("span", { title: row.reason, className: "quiet" }, row.key);
    const place = props.view ? { view: props.view, layer: row.key } : { layer: row.key };
    return element(
      "button",
      { type: "button", className: "link layer-link", title: row.key, "data-nav": JSON.stringify(place) },
      /* A long dotted name keeps its end, which is what tells layers apart. */
      element("bdi", { dir: "ltr" }, row.key),
    );
  };

  function measured(props, low, high, chance) {
    const row = props.data || {};
    if (row.reason) return element("span", { title: row.reason, className: "quiet" }, "");
    const value = props.value;
    if (value === null || value === undefined) return element("span", { className: "quiet" }, "–");
    const at = (number) => (number - low) / (high - low);
    const zero = at(Math.max(low, 0));
    const end = at(value);
    const marks = [
      element("span", {
        key: "fill",
        className: value < 0 ? "cell-fill below" : "cell-fill",
        style: { left: percent(Math.min(zero, end)), width: percent(Math.abs(end - zero)) },
      }),
    ];
    if (low < 0) marks.push(element("span", { key: "zero", className: "cell-zero", style: { left: percent(zero) } }));
    if (chance !== null && chance !== undefined) {
      marks.push(element("span", { key: "chance", className: "cell-chance", style: { left: percent(at(chance)) } }));
    }
    return element("span", { className: "cell-measure" }, [
      element("span", { key: "bar", className: "cell-bar", "aria-hidden": "true" }, marks),
      element("span", { key: "text", className: "cell-number" }, value.toFixed(2).replace("-", "−")),
    ]);
  }

  cells.LayerPurity = (props) => measured(props, 0, 1, props.data && props.data.chance);
  cells.LayerSilhouette = (props) => measured(props, -1, 1, null);
})();
