/* Files of the Model view's graph, made in the page: the boxes shown as a table, and the whole drawing. */
(function () {
  "use strict";
  const api = window.cutawayGraph;
  const { shown, drawBox, drawFrame, drawWay, paintBox } = api;
  const COLUMNS = ["name", "type", "role", "shape", "dtype", "parameters", "trainable", "flops", "seconds", "layer", "calls", "frozen", "dead", "shared"];

  function save(name, type, text) {
    const address = URL.createObjectURL(new Blob([text], { type: type }));
    const link = document.createElement("a");
    Object.assign(link, { href: address, download: name });
    link.click();
    window.setTimeout(() => URL.revokeObjectURL(address), 10000);
  }
  /* A spreadsheet takes what begins with these for a formula. */
  function cell(value) {
    const text = value === null || value === undefined ? "" : String(value);
    const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? "'" + text : text;
    return /[",\n\r]/.test(safe) ? '"' + safe.replace(/"/g, '""') + '"' : safe;
  }
  function table() {
    const { items } = shown.payload;
    const moved = (item) => (shown.change && shown.change.items[item.id] ? shown.change.items[item.id].slice(0, 2) : ["", ""]);
    const rows = shown.order.map((index) => {
      const [verdict, relative] = moved(items[index]);
      return [...COLUMNS.map((name) => items[index][name]), verdict === "" ? "" : api.VERDICTS[verdict], relative].map(cell).join(",");
    });
    return [[...COLUMNS, "change", "relative_change"].join(","), ...rows].join("\r\n") + "\r\n";
  }
  /* The rules and colours of the page go with it. */
  function styles() {
    const root = window.getComputedStyle(document.documentElement), rules = [], names = new Set();
    for (const sheet of document.styleSheets) {
      for (const rule of sheet.cssRules) if (rule.selectorText && rule.selectorText.includes(".mdg-")) rules.push(rule.cssText);
    }
    const text = rules.join("\n");
    for (const [name] of text.matchAll(/--[\w-]+/g)) names.add(name);
    for (let i = 0; i < 10; i++) names.add("--mdg-s" + i).add("--mdg-" + i).add("--mdg-v" + i);
    const values = [...names].map((name) => [name, root.getPropertyValue(name).trim()]).filter(([, value]) => value);
    return `svg { ${values.map(([name, value]) => `${name}: ${value}`).join("; ")}; font-family: sans-serif; background: ${root.getPropertyValue("--panel")}; }\n${text}`;
  }
  function drawing() {
    const { payload, world } = shown, svg = world.ownerSVGElement.cloneNode(true), inner = svg.querySelector(".mdg-world"), far = shown.far;
    shown.far = false;
    inner.replaceChildren();
    inner.classList.remove("far");
    inner.setAttribute("transform", "translate(16,16)");
    payload.items.forEach((item, index) => { if (item.kind === "frame") inner.appendChild(drawFrame(item, index)); });
    payload.edges.forEach((_, index) => inner.appendChild(drawWay(index)));
    payload.items.forEach((item, index) => {
      if (item.kind === "frame") return;
      const node = inner.appendChild(drawBox(item, index));
      paintBox(index, node);
    });
    shown.far = far;
    const width = payload.width + 32, height = payload.height + 32;
    for (const [name, value] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}`, xmlns: "http://www.w3.org/2000/svg" })) svg.setAttribute(name, value);
    const style = document.createElementNS("http://www.w3.org/2000/svg", "style");
    style.textContent = styles();
    svg.prepend(style);
    return new XMLSerializer().serializeToString(svg);
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest && event.target.closest("#md-graph-csv, #md-graph-svg");
    if (!link) return;
    event.preventDefault();
    if (!shown.payload || !shown.world) return;
    if (link.id === "md-graph-csv") save("cutaway-graph.csv", "text/csv", table());
    else save("cutaway-graph.svg", "image/svg+xml", drawing());
  });
})();
