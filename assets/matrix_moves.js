/* Pointing, choosing, moving and zooming in the matrix of assets/matrix.js, with the mouse and with keys. */
(function () {
  "use strict";
  const ns = (window.dash_clientside = window.dash_clientside || {});
  const NO = () => window.dash_clientside.no_update;
  const api = window.cutawayMatrix;
  const { shown, row, AXIS } = api;
  const WAIT = 90, MOST_KEPT = 400, STEP = 1.25, MOST_ROWS = 60;
  const kept = new Map(); // what the server said of cells
  const members = new Map(); // who belongs to rows
  let timer = 0, drag = null, followed = null;

  const picture = () => document.getElementById("md-matrix-picture");
  const blockOf = (target) => { const box = target.closest && target.closest(".mx-block"); return box ? box.mxBlock : null; };
  /* Further rows of the address; [] for what is no list. */
  function further() {
    try {
      const list = JSON.parse(api.said("xrows") || "[]");
      return Array.isArray(list) ? list.filter((one) => typeof one === "string") : [];
    } catch (error) {
      return [];
    }
  }

  /* --- what is said of a cell: at once from its byte, then exactly, by the server */
  async function ask(cell) {
    const address = `${shown.payload.cell}&row=${row(cell.at).place}&neuron=${api.neuron(cell.block, cell.column)}&of=${encodeURIComponent(cell.block.info.layer)}`;
    const key = cell.block.info.key + address;
    if (kept.has(key)) return kept.get(key);
    const answer = await fetch(address);
    const told = answer.ok ? await answer.json() : null;
    if (told) kept.set(key, told);
    if (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value);
    return told;
  }
  const same = (a, b) => a && b && a.block === b.block && a.at === b.at && a.column === b.column;
  let now = null;
  function tell(cell) {
    const of = cell || chosen();
    if (same(now, of) && of) return;
    now = of;
    window.clearTimeout(timer);
    api.showCell(of, null);
    if (!of) return;
    timer = window.setTimeout(async () => {
      try {
        const told = await ask(of);
        if (same(now, of) && told) api.showCell(of, told);
      } catch (error) {
        /* The server is away: the approximate value stays. */
      }
    }, WAIT);
  }
  /* The neuron and the row that are chosen, if both are in the matrix. */
  function chosen() {
    const at = shown.payload ? shown.payload.rows.findIndex((_, one) => api.isChosen(row(one))) : -1;
    for (const block of shown.blocks) {
      const column = api.chosenColumn(block);
      if (at >= 0 && column >= 0) return { block, at, column };
    }
    return null;
  }
  function point(cell) {
    if (same(cell, shown.over) || cell === shown.over) return;
    shown.over = cell;
    pointRow(cell ? cell.at : -1);
    tell(cell);
    api.draw();
  }
  /* Other panels may show the instances of the row that is pointed at: an event 'cutaway-row' tells them, null of none.
     bits: who belongs to it, a bit for each of the extraction's rows, the highest of a byte first. */
  let pointed = -1, later = 0;
  function pointRow(at) {
    if (at === pointed) return;
    pointed = at;
    window.clearTimeout(later);
    const tellAll = (detail) => document.dispatchEvent(new CustomEvent("cutaway-row", { detail }));
    if (at < 0) return tellAll(null);
    const one = row(at), key = shown.blocks[0].info.key + one.place;
    later = window.setTimeout(async () => {
      try {
        if (!members.has(key)) {
          const answer = await fetch(shown.payload.cell.replace("cell.json", "row.u1") + "&row=" + one.place);
          if (answer.status !== 200) return;
          members.set(key, new Uint8Array(await answer.arrayBuffer()));
          if (members.size > 40) members.delete(members.keys().next().value);
        }
        if (pointed === at) tellAll({ subset: one.text, instance: one.index, bits: members.get(key) });
      } catch (error) {
        /* The server is away: nothing is shown of it elsewhere. */
      }
    }, WAIT);
  }
  function cellAt(block, event) {
    const box = block.pane.getBoundingClientRect();
    const column = Math.floor(block.x0 + (event.clientX - box.left) / block.cw);
    const at = Math.floor(shown.view.y0 + (event.clientY - box.top - AXIS) / shown.view.rh);
    const inside = event.clientY - box.top >= AXIS && column >= 0 && column < block.columns && at >= 0 && at < shown.payload.rows.length;
    return inside ? { block, at, column } : null;
  }
  /* Persistent: the neuron, and the subset or the instance. */
  function choose({ block, at, column }) {
    const one = row(at), changes = { filter: String(api.neuron(block, column)) };
    if (api.said("layer") !== block.info.layer) changes.layer = block.info.layer;
    if (one.index === null) {
      changes.subset = one.text;
      /* The row of the subset chosen before stays: a click takes nothing away. */
      const last = shown.payload.rows.find((each) => each[8] === "subset" && each[1] !== one.text);
      if (last) changes.xrows = JSON.stringify([...further(), last[1]]);
    } else {
      const others = api.said("instances").split(",").filter((index) => index && index !== String(one.index));
      changes.instances = [one.index, ...others].join(",");
    }
    window.cutaway.navigate(changes);
  }

  /* --- moving and zooming */
  function zoom(block, by, x, y) {
    const { view } = shown;
    const column = block.x0 + x / block.cw, at = view.y0 + y / view.rh;
    const least = Math.min(api.fitColumns(block), 26);
    block.cw = Math.min(48, Math.max(least, block.cw * by));
    /* Rows that all fit stay as they are: one zooms to tell neurons apart. */
    if (api.fitRows() < api.LABEL) view.rh = Math.max(api.fitRows(), Math.min(30, view.rh * by));
    block.x0 = column - x / block.cw;
    view.y0 = at - y / view.rh;
    api.draw();
  }
  function all(block) {
    block.cw = api.fitColumns(block);
    shown.view.rh = api.fitRows();
    api.draw();
  }
  function press(block, what) {
    if (what === "all") return all(block);
    if (what === "reset") {
      api.home();
      return api.draw();
    }
    zoom(block, what === "in" ? STEP ** 2 : 1 / STEP ** 2, block.width / 2, shown.tall / 2);
  }
  function into(cell) {
    const { block } = cell, { view } = shown, wide = block.width / block.cw, tall = shown.tall / view.rh;
    if (cell.column < block.x0) block.x0 = cell.column;
    if (cell.column + 1 > block.x0 + wide) block.x0 = cell.column + 1 - wide;
    if (cell.at < view.y0) view.y0 = cell.at;
    if (cell.at + 1 > view.y0 + tall) view.y0 = cell.at + 1 - tall;
  }
  function goTo(block, event) {
    const box = block.over.getBoundingClientRect();
    block.x0 = ((event.clientX - box.left) / box.width) * block.columns - block.width / block.cw / 2;
    shown.view.y0 = ((event.clientY - box.top) / box.height) * shown.payload.rows.length - shown.tall / shown.view.rh / 2;
    api.draw();
  }

  document.addEventListener("pointerdown", (event) => {
    const block = blockOf(event.target);
    if (!block || event.button || !block.codes) return;
    if (event.target.closest(".mx-over")) drag = { block, over: true };
    else if (event.target.closest(".mx-pane")) drag = { block, x: event.clientX, y: event.clientY, x0: block.x0, y0: shown.view.y0, moved: false };
    else return;
    if (drag.over) goTo(block, event);
  });
  document.addEventListener("pointermove", (event) => {
    if (drag && shown.blocks.includes(drag.block)) {
      if (drag.over) return goTo(drag.block, event);
      const dx = event.clientX - drag.x, dy = event.clientY - drag.y;
      if (!drag.moved && Math.hypot(dx, dy) < 4) return;
      drag.moved = true;
      drag.block.pane.classList.add("dragging");
      drag.block.x0 = drag.x0 - dx / drag.block.cw;
      shown.view.y0 = drag.y0 - dy / shown.view.rh;
      return api.draw();
    }
    const block = shown.payload && event.target.closest ? blockOf(event.target) : null;
    const name = block && event.target.closest(".mx-row");
    if (name && !shown.over) pointRow(Number(name.dataset.at));
    else if (!shown.over) pointRow(-1);
    if (block && block.codes && event.target.closest(".mx-pane")) point(cellAt(block, event));
    else if (shown.over && !(document.activeElement && document.activeElement.classList.contains("mx-pane"))) point(null);
  });
  document.addEventListener("pointerup", (event) => {
    const { block, moved, over } = drag || {};
    if (drag && block.pane) block.pane.classList.remove("dragging");
    const click = drag && !moved && !over && shown.blocks.includes(block);
    drag = null;
    const cell = click && cellAt(block, event);
    if (cell) choose(cell);
  });
  document.addEventListener("pointercancel", () => { drag = null; });
  document.addEventListener("dblclick", (event) => {
    if (blockOf(event.target) && event.target.closest(".mx-pane, .mx-over")) press(blockOf(event.target), "reset");
  });
  document.addEventListener("wheel", (event) => {
    const block = blockOf(event.target);
    if (!block || !block.codes || !event.target.closest(".mx-pane")) return;
    const box = block.pane.getBoundingClientRect();
    if (event.ctrlKey || event.metaKey) zoom(block, Math.exp(-event.deltaY / 300), event.clientX - box.left, event.clientY - box.top - AXIS);
    else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      block.x0 += (event.deltaX || event.deltaY) / block.cw;
      api.draw();
    } else return; // the page scrolls
    event.preventDefault();
  }, { passive: false });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-mx-zoom]");
    if (button) press(blockOf(button), button.dataset.mxZoom);
  });

  /* --- keys: a cursor over cells */
  const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], PageUp: [0, -10], PageDown: [0, 10], Home: [-1e9, 0], End: [1e9, 0] };
  document.addEventListener("keydown", (event) => {
    const pane = event.target.closest && event.target.closest(".mx-pane");
    const block = pane && blockOf(pane);
    if (!block || !block.codes || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = shown.over && shown.over.block === block ? shown.over : null;
    const step = MOVES[event.key];
    if (step) {
      const first = chosen();
      const from = at || (first && first.block === block ? first : { block, at: 0, column: Math.ceil(block.x0) });
      const go = at ? step : [0, 0]; // the first key shows where the cursor is
      const cell = {
        block,
        column: Math.min(block.columns - 1, Math.max(0, from.column + go[0])),
        at: Math.min(shown.payload.rows.length - 1, Math.max(0, from.at + go[1])),
      };
      into(cell);
      point(cell);
      api.draw();
    } else if ((event.key === "Enter" || event.key === " ") && at) choose(at);
    else if (event.key === "s" && at) window.cutaway.navigate({ xsort: "row:" + row(at.at).place });
    else if (event.key === "+" || event.key === "=") press(block, "in");
    else if (event.key === "-") press(block, "out");
    else if (event.key === "0") all(block);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }, true);
  document.addEventListener("focusout", (event) => {
    if (event.target.classList && event.target.classList.contains("mx-pane")) point(null);
  });

  Object.assign(api, { further, tell, point, choose });

  /* --- the payload is text in the page: a clientside callback would wait for the pulse */
  function read() {
    const text = document.getElementById("md-matrix-data").textContent;
    if (text === shown.text) return;
    shown.text = text;
    now = null;
    api.show(text ? JSON.parse(text) : null);
  }
  const waiting = new MutationObserver(() => {
    const data = document.getElementById("md-matrix-data");
    if (!data || !picture()) return;
    waiting.disconnect();
    new MutationObserver(read).observe(data, { childList: true, characterData: true, subtree: true });
    new ResizeObserver(() => window.dispatchEvent(new Event("resize"))).observe(picture());
    read();
  });
  waiting.observe(document.documentElement, { childList: true, subtree: true });

  ns.matrix = {
    paint() {
      api.paint();
      return NO();
    },
    /* A subset chosen or an expression typed becomes a row. */
    add(value) {
      const text = (value || "").trim();
      if (!text) return NO();
      const list = further();
      if (!list.includes(text)) window.cutaway.navigate({ xrows: JSON.stringify([...list, text].slice(-MOST_ROWS)) });
      return window.dash_clientside.callback_context.outputs_list.id === "md-matrix-type" ? "" : null;
    },
    /* Layers stacked: a list in the address. */
    stack(values) {
      const text = (values || []).join(",");
      /* It followed the address, perhaps late: that asks for nothing. */
      if (text === followed) return NO();
      followed = null;
      if (text !== api.said("xlayers")) window.cutaway.navigate({ xlayers: text || null });
      return NO();
    },
    stacked() {
      followed = api.said("xlayers");
      return followed.split(",").filter(Boolean);
    },
  };
})();
