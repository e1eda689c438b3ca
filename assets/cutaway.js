/* The selection lives in the URL. Controls write it through `navigate`; stores called sel-* are read from it. */
(function () {
  "use strict";
  const ns = (window.dash_clientside = window.dash_clientside || {});
  const NO = () => window.dash_clientside.no_update;

  function params() {
    return new URLSearchParams(window.location.search);
  }

  /* Change some parameters; null removes one, an array repeats it. `replace` adds no step to the history. */
  function navigate(changes, replace) {
    const query = params();
    for (const [name, value] of Object.entries(changes)) {
      query.delete(name);
      for (const item of Array.isArray(value) ? value : [value]) {
        if (item !== null && item !== undefined && item !== "") query.append(name, item);
      }
    }
    const text = query.toString();
    const search = text ? "?" + text : "";
    if (search === window.location.search) return;
    const address = window.location.pathname + search;
    window.history[replace ? "replaceState" : "pushState"]({}, "", address);
    window.dash_clientside.set_props("url", { data: search });
  }

  /* What a plain link to a place inside the page means for the rest of the selection. */
  function complete(changes) {
    const full = Object.assign({}, changes);
    if ("runs" in full) Object.assign(full, { step: null, range: null, page: null, checkpoint: null }, changes);
    /* A zoom is in units of the x-axis: it means nothing on another one. */
    if ("axis" in full) full.range = null;
    if ("layer" in full && !("filter" in full)) full.filter = null;
    if ("layer" in full && !("filters" in full)) full.filters = null;
    /* An edit is of one instance, so is a span. */
    if ("instances" in full && !("edit" in full)) full.edit = null;
    if ("instances" in full && !("sspan" in full)) full.sspan = null;
    /* A cluster is one of a clustering, a state one of a layer. */
    const states = ["layer", "sstate", "sdepth", "swords"].some((name) => name in full);
    const clustering = states || ["sweight", "sk", "sleast", "snorm"].some((name) => name in full);
    if (clustering && !("cluster" in full)) full.cluster = null;
    if ("swords" in full && !("word" in full)) full.word = null;
    if ("layer" in full && !("sdepth" in full)) full.sdepth = null;
    const projected = ["layer", "checkpoint", "n", "include", "pmethod"].some((name) => name in full);
    if (projected && !("plasso" in full)) full.plasso = null;
    /* A polygon is in the coordinates of one map: it means nothing on another one. */
    const other = ["layer", "embed", "checkpoint", "n", "include"].some((name) => name in full);
    if (other && !("drill" in full)) full.drill = null;
    if ((other || "drill" in full) && !("lasso" in full)) full.lasso = null;
    return full;
  }

  function go(changes, replace) {
    navigate(complete(changes), replace);
  }

  /* What `follow` last wrote into each control. A control that changes because it followed the URL asks for nothing:
     on a slow page that change arrives after the next navigation, and would undo it. */
  const followed = new Map();

  /* Views that were visited since the page was loaded. */
  const opened = new Set();

  ns.selection = {
    start() { return window.location.search; },
    /* The query -> the sel-* stores; a store changes only when one of its parameters did. */
    groups(search, table, ...before) {
      const query = new URLSearchParams(search || "");
      const names = Object.keys(table);
      return names.map((name, index) => {
        const value = table[name].map((key) => query.getAll(key).join("\u0001")).join("\u0002");
        return value === before[index] ? NO() : value;
      });
    },
    /* ctl-NAME changed by hand -> the URL parameter NAME. */
    intent() {
      const context = window.dash_clientside.callback_context;
      const inputs = context.triggered || [];
      const query = params();
      const changes = {};
      for (const item of inputs) {
        const name = item.prop_id.split(".")[0].slice(4);
        const spec = DEFAULTS[name];
        let value = item.value;
        if (value === undefined || followed.get(name) === JSON.stringify(value)) continue;
        followed.delete(name);
        if (name === "runa" || name === "runb") {
          const runs = (query.get("runs") || "").split(",").filter(Boolean);
          if (name === "runa") {
            if (!value || value === runs[0]) continue;
            changes.runs = [value, runs[1] === value ? null : runs[1]].filter(Boolean).join(",");
          } else {
            if (!runs[0] || (value || undefined) === runs[1] || value === runs[0]) continue;
            changes.runs = [runs[0], value].filter(Boolean).join(",");
            changes.step = query.get("step");
          }
          continue;
        }
        if (Array.isArray(value)) value = value.map(String);
        else if (value !== null) value = String(value);
        const now = Array.isArray(value) ? query.getAll(name) : query.get(name);
        if (!Array.isArray(value) && (value === spec || value === "")) value = null;
        if (JSON.stringify(now) === JSON.stringify(value)) continue;
        changes[name] = value;
        /* A checkpoint is a moment: the step slider goes there. */
        const saved = name === "checkpoint" && value && value.match(/^step-0*(\d+)/);
        if (saved) changes.step = saved[1];
      }
      if (Object.keys(changes).length) go(changes);
    },
    /* Controls follow the URL: every Output ctl-NAME takes the URL's parameter NAME, or its default. */
    follow() {
      const query = params();
      const runs = (query.get("runs") || "").split(",").filter(Boolean);
      const first = (query.get("instances") || "").split(",")[0];
      const shown = (name) => {
        if (name === "runa") return runs[0] || null;
        if (name === "runb") return runs[1] || null;
        if (name === "tag") return query.getAll("tag");
        if (name === "instances") return first === "" ? "" : Number(first);
        const text = query.get(name) === null ? DEFAULTS[name] : query.get(name);
        return NUMBERS.includes(name) && text !== null ? Number(text) : text;
      };
      const values = [].concat(window.dash_clientside.callback_context.outputs_list).map((output) => {
        const name = output.id.slice(4);
        const value = shown(name);
        followed.set(name, JSON.stringify(value === undefined ? null : value));
        return value;
      });
      return values.length === 1 ? values[0] : values;
    },
    /* Show the chosen view, which is laid out at its first visit, mark it in the rail, and say why a view is grey. */
    show(view, runs) {
      const known = [...document.querySelectorAll(".view")].map((box) => box.dataset.view);
      const chosen = known.includes(view) ? view : runs ? "training" : "runs";
      for (const box of document.querySelectorAll(".view, .beside")) box.hidden = box.dataset.view !== chosen;
      for (const item of document.querySelectorAll(".rail-item")) {
        const subject = document.getElementById("rail").dataset.subject === "yes";
        const reason = item.dataset.needs === "run" && !runs ? "Choose a run first"
          : item.dataset.needs === "subject" && !subject ? "Start the server with --subject FILE.py" : "";
        item.classList.toggle("chosen", item.dataset.view === chosen);
        item.setAttribute("aria-current", item.dataset.view === chosen ? "page" : "false");
        item.classList.toggle("grey", reason !== "");
        item.setAttribute("aria-disabled", reason ? "true" : "false");
        item.dataset.reason = reason;
      }
      window.setTimeout(() => window.dispatchEvent(new Event("resize")), 0);
      return window.dash_clientside.callback_context.outputs_list.map((output) => {
        const first = output.id === "open-" + chosen && !opened.has(chosen);
        if (first) opened.add(chosen);
        return first || NO();
      });
    },
    /* The first visit: nothing in the URL, but there are runs. */
    arrive(runs, search) {
      const query = new URLSearchParams(search || "");
      if (!query.get("view") && !query.get("runs") && runs && runs.arrive) {
        go({ view: "training", runs: runs.arrive }, true);
      } else if (!query.get("view") && !query.get("runs") && runs && runs.subject) {
        go({ view: "subject" }, true);
      }
      return NO();
    },
  };

  /* Defaults of the controls: at its default a parameter leaves the URL. Mirrors dashboard/selection.py (tested). */
  const DEFAULTS = {
    axis: "step", scale: "linear", smooth: "0.6", mode: "maximum", sort: "index", limit: "0.1", page: "1",
    base: "first", layer: null, checkpoint: null,
    n: "1000", lmode: "value", lsort: "index", by: null, color: "label", embed: "pca", undetected: "0.1",
    mapscale: "common", overlay: "off",
    target: "predicted", explain: "output", baseline: "zero", asign: "signed", aclip: "99.5", aopacity: "0.7",
    aoutline: "off", ascale: "own", aorder: "wrong", alist: "strip", subset: null,
    sstate: "hidden", sdepth: null, swords: null, sweight: "signed", sk: "0", sleast: "5", snorm: "0.25",
    scolor: "class", slinks: "0.3", sclip: "99", son: "0.5", scompare: null,
    gcolor: "type", gother: null, xvalue: "activation", xsort: "index", xtop: "0", xby: "given", xscale: "neuron", pmethod: "pca", pcolor: "label",
    rkind: "rules", rof: "prediction",
  };

  const NUMBERS = ["smooth", "limit", "page", "n", "undetected", "aclip", "aopacity", "sleast", "snorm", "slinks",
    "sclip", "son", "xtop"];

  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-nav]");
    if (!target || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    event.preventDefault();
    if (target.getAttribute("aria-disabled") === "true") return;
    const changes = JSON.parse(target.dataset.nav);
    if (changes.view === null && Object.keys(changes).length === 1) return go({ view: "runs" });
    go(changes);
  });

  window.addEventListener("popstate", () => {
    window.dash_clientside.set_props("url", { data: window.location.search });
  });

  /* An element of a picture, with its attributes, behind the others of its parent. */
  function svg(name, attributes, parent, text) {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const key in attributes) node.setAttribute(key, attributes[key]);
    if (text !== undefined) node.textContent = text;
    if (parent) parent.appendChild(node);
    return node;
  }

  window.cutaway = { navigate: go, params, svg, DEFAULTS };
})();
