/* What can be done with the glyphs: choose a word, a cluster, a span of steps; with the pointer or with keys. */
(function () {
  "use strict";
  const ns = (window.dash_clientside = window.dash_clientside || {});
  const { shown, said, wordsAt, when, spoken, tellCluster } = window.cutaway.glyphs;

  /* --- what is chosen is marked without drawing anew */
  function spanOf(row) {
    if (row.draft) return row.draft;
    const found = /^(\d+)-(\d+)$/.exec(said("sspan"));
    return found && row === shown.rows[0] && row.given.instance !== null ? [Number(found[1]), Number(found[2]) + 1] : null;
  }
  function paint() {
    const words = said("word").split(",").filter(Boolean).map(Number), cluster = said("cluster");
    for (const chip of document.querySelectorAll("[data-sqg-cluster]")) {
      const on = chip.dataset.sqgCluster === cluster;
      chip.setAttribute("aria-pressed", on ? "true" : "false");
      chip.dataset.nav = JSON.stringify({ cluster: on ? null : chip.dataset.sqgCluster });
    }
    for (const row of shown.rows) {
      if (!row.svg) continue;
      for (const cell of row.svg.querySelectorAll(".sqg-cell")) {
        const [first, end] = [Number(cell.dataset.step), Number(cell.dataset.end)];
        let holds = false;
        for (let at = first; at < end && words.length; at++) holds = holds || wordsAt(row, at).some((one) => words.includes(one));
        cell.classList.toggle("holds", holds);
        cell.setAttribute("aria-pressed", holds ? "true" : "false");
      }
      for (const lane of row.svg.querySelectorAll(".sqg-lane-word")) lane.classList.toggle("holds", words.includes(Number(lane.dataset.word)));
      for (const bars of row.svg.querySelectorAll(".sqg-bars")) bars.classList.toggle("pinned", bars.dataset.cluster === cluster);
      const span = spanOf(row), mark = row.svg.querySelector(".sqg-chosen-span");
      const inside = span ? row.cells.filter((cell) => cell.end > span[0] && cell.first < span[1]) : [];
      mark.setAttribute("visibility", inside.length ? "visible" : "hidden");
      if (inside.length) {
        mark.setAttribute("x", inside[0].x);
        mark.setAttribute("width", inside[inside.length - 1].x + inside[inside.length - 1].w - inside[0].x);
      }
    }
    const toggle = document.getElementById("sq-glyphs-span");
    if (toggle) toggle.setAttribute("aria-pressed", shown.marking ? "true" : "false");
  }
  window.cutaway.glyphs.paint = paint;
  function rowOf(node) {
    const host = node.closest(".sqg-row");
    return host && shown.rows.find((row) => row.host === host);
  }
  function cellOf(event) {
    const node = event.target.closest ? event.target.closest(".sqg-cell") : null;
    const row = node && rowOf(node);
    return row ? { node: node, row: row, cell: row.cells.find((one) => String(one.first) === node.dataset.step) } : null;
  }
  function say(row, text) {
    const line = row.host.querySelector(".sqg-readout");
    if (line && line.textContent !== text) line.textContent = text;
  }
  /* Spans are of *the* instance: that of the row where they were chosen comes first. */
  function choose(row, first, end) {
    row.draft = null;
    shown.marking = false;
    shown.anchor = null;
    if (row.given.instance === null) { paint(); return say(row, "Spans are chosen in instances, not in a typed text."); }
    const rest = shown.payload.rows.map((one) => one.instance).filter((one) => one !== null && one !== row.given.instance);
    const move = { sspan: first + "-" + (end - 1) };
    if (row !== shown.rows[0]) move.instances = [row.given.instance, ...rest].join(",");
    window.cutaway.navigate(move);
    paint();
    say(row, "Chosen: " + when(row, first, end) + ". Similar moments are looked for from there.");
  }
  function word(found, target) {
    const lane = target && target.dataset ? target.dataset.word : undefined;
    const number = lane !== undefined ? Number(lane) : wordsAt(found.row, found.cell.end - 1)[0];
    if (number !== undefined && number >= 0) window.cutaway.navigate({ word: String(number) });
  }
  document.addEventListener("click", (event) => {
    const toggle = event.target.closest("#sq-glyphs-span");
    if (toggle) {
      shown.marking = !shown.marking;
      shown.anchor = null;
      if (!shown.marking) for (const row of shown.rows) row.draft = null;
      if (shown.rows[0]) say(shown.rows[0], shown.marking ? "Click the first step of the span, then the last." : "");
      return paint();
    }
    const lane = event.target.closest(".sqg-lane-word");
    if (lane) return window.cutaway.navigate({ word: lane.dataset.word });
    const found = cellOf(event);
    if (!found || event.shiftKey || shown.dragged) { shown.dragged = false; return; }
    if (shown.marking) {
      if (!shown.anchor || shown.anchor.row !== found.row) {
        shown.anchor = { row: found.row, cell: found.cell };
        found.row.draft = [found.cell.first, found.cell.end];
        paint();
        return say(found.row, "From " + when(found.row, found.cell.first, found.cell.end) + ": click the last step.");
      }
      const both = [shown.anchor.cell, found.cell];
      return choose(found.row, Math.min(...both.map((one) => one.first)), Math.max(...both.map((one) => one.end)));
    }
    const bars = event.target.closest(".sqg-bars");
    if (bars && shown.payload.grouped) return window.cutaway.navigate({ cluster: bars.dataset.cluster === said("cluster") ? null : bars.dataset.cluster });
    word(found);
  });
  document.addEventListener("pointerdown", (event) => {
    const found = event.shiftKey && cellOf(event);
    if (!found) return;
    event.preventDefault();
    const { row, cell } = found;
    row.draft = [cell.first, cell.end];
    paint();
    const over = (other) => {
      const now = cellOf(other);
      if (!now || now.row !== row) return;
      row.draft = [Math.min(cell.first, now.cell.first), Math.max(cell.end, now.cell.end)];
      paint();
    };
    window.addEventListener("pointerover", over);
    window.addEventListener("pointerup", () => {
      window.removeEventListener("pointerover", over);
      if (row.draft) choose(row, row.draft[0], row.draft[1]);
    }, { once: true });
  });
  for (const kind of ["mouseover", "focusin"]) {
    document.addEventListener(kind, (event) => {
      const found = cellOf(event);
      if (!found || shown.anchor) return;
      const bars = event.target.closest(".sqg-bars");
      say(found.row, spoken(found.row, found.cell) + (bars ? tellCluster(found.row, found.cell, bars.dataset.cluster)
        : said("cluster").startsWith("u") ? tellCluster(found.row, found.cell, said("cluster")) : ""));
    });
  }
  window.addEventListener("keydown", (event) => {
    const found = cellOf(event);
    if (!found) return;
    const { row, cell, node } = found, at = row.cells.indexOf(cell);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: row.cells.length - 1 }[event.key];
    const stop = () => { event.preventDefault(); event.stopPropagation(); };
    if (event.key === "Enter" || event.key === " ") {
      stop();
      if (row.draft) return choose(row, row.draft[0], row.draft[1]);
      return word(found);
    }
    if (event.key === "Escape" && (row.draft || shown.marking)) { stop(); row.draft = null; shown.marking = false; shown.anchor = null; return paint(); }
    if (next === undefined) return;
    stop();
    const to = row.cells[next];
    if (!to) return;
    row.at = to.first;
    node.setAttribute("tabindex", -1);
    const other = row.svg.querySelector('.sqg-cell[data-step="' + to.first + '"]');
    other.setAttribute("tabindex", 0);
    if (event.shiftKey) {
      if (!row.draft) row.fixed = cell;
      row.draft = [Math.min(row.fixed.first, to.first), Math.max(row.fixed.end, to.end)];
      paint();
    }
    other.focus();
    if (row.draft) say(row, when(row, row.draft[0], row.draft[1]) + ": Enter chooses this span, Escape drops it.");
  }, true);

  /* A number or an entry of the list: beside the others, or in their place. */
  function pick(_listed, _number, beside) {
    const moved = (window.dash_clientside.callback_context.triggered || [])[0];
    if (!moved || moved.value === null || moved.value === undefined || moved.value === "" || !visible()) return;
    const value = String(moved.value), now = said("instances").split(",").filter(Boolean);
    const first = shown.payload && shown.payload.rows.length ? String(shown.payload.rows[0].instance) : "";
    if (value === (now[0] || first)) return;
    if (!beside) return window.cutaway.navigate({ instances: value });
    const all = [...(now.length ? now : [first]).filter((one) => one && one !== "null" && one !== value), value];
    const move = { instances: all.slice(-4).join(",") };
    if (said("sspan") && all.slice(-4)[0] === (now[0] || first)) move.sspan = said("sspan");
    window.cutaway.navigate(move);
  }
  function visible() {
    const view = document.getElementById("view-sequences");
    return view && !view.hidden;
  }
  ns.sequenceGlyphs = {
    paint() { paint(); },
    pick: pick,
    type(text) {
      if (visible() && (text || "") !== said("stext")) window.cutaway.navigate({ stext: (text || "").slice(0, 2000) || null });
    },
    /* A word that the search found: alone, or over those shown. */
    word(value, beside, mark) {
      if (!value || !visible()) return;
      const now = beside && mark && Array.isArray(mark.words) ? mark.words.map(String) : [];
      window.cutaway.navigate({ word: [...now.filter((one) => one !== value), value].slice(-6).join(",") });
    },
    /* A click on a unit in a figure, or a number in the field. */
    unit(clicked) {
      const point = clicked && clicked.points && clicked.points.find((one) => one.customdata !== undefined);
      if (point) window.cutaway.navigate({ filter: String(point.customdata) });
    },
    unitNumber(value, mark) {
      if (value === "" || value === null || value === undefined || !visible()) return;
      if (mark && mark.unit === Number(value)) return;
      window.cutaway.navigate({ filter: String(value) });
    },
    followText(_store, now) {
      return said("stext") === (now || "") ? window.dash_clientside.no_update : said("stext");
    },
  };

  /* '/' finds a word; arrow keys elsewhere go through the instances as the list has them. */
  window.addEventListener("keydown", (event) => {
    const typing = event.target.closest && event.target.closest("input, textarea, [contenteditable]");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey || !visible()) return;
    const field = document.getElementById("sq-word-search");
    if (!field) return;
    event.preventDefault();
    event.stopPropagation();
    field.focus();
  }, true);
  document.addEventListener("DOMContentLoaded", () => {
    const others = window.cutaway.step;
    window.cutaway.step = (by, event) => {
      if (!visible()) return others && others(by, event);
      const button = document.querySelectorAll("#sq-glyphs-steps button")[by < 0 ? 0 : 1];
      event.preventDefault();
      if (button && !button.disabled) button.click();
    };
  });
  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-sqg-goto]");
    const panel = target && document.getElementById(target.dataset.sqgGoto);
    if (panel) panel.scrollIntoView({ block: "start" });
  });
})();
