/* The Training view's own moves: extend curves, zoom, step slider and play, picking layers and filters. */
(function () {
  "use strict";
  const ns = (window.dash_clientside = window.dash_clientside || {});
  const NO = () => window.dash_clientside.no_update;
  let later = 0;

  function plot(id) {
    return document.querySelector("#" + id + " .js-plotly-plot");
  }

  ns.training = {
    /* Append what the server sent; a delta that belongs to an older drawing is dropped. */
    extend(delta, cursors) {
      const gd = plot("curves");
      if (!delta || !cursors || !gd || delta.rev !== cursors.rev || !window.Plotly) return NO();
      const indices = delta.traces.map((t) => t.index);
      if (indices.some((i) => i >= gd.data.length)) return NO();
      if (indices.length) {
        window.Plotly.extendTraces(gd, { x: delta.traces.map((t) => t.x), y: delta.traces.map((t) => t.y) }, indices);
      }
      window.dash_clientside.set_props("curves-subtitle", { children: delta.subtitle });
      return Object.assign({}, cursors, { counts: delta.counts, cursors: delta.cursors, appended: cursors.appended + delta.added });
    },
    /* A zoom is part of the selection: the server answers that stretch in full detail. */
    zoom(event) {
      if (!event) return;
      if (event["xaxis.range[0]"] !== undefined) {
        const ends = [event["xaxis.range[0]"], event["xaxis.range[1]"]].map((v) => Number(Number(v).toPrecision(9)));
        window.cutaway.navigate({ range: ends.join("~") });
      } else if (event["xaxis.autorange"] !== undefined) {
        window.cutaway.navigate({ range: null });
      }
    },
    /* The slider follows the URL's step, and the latest record when there is none. */
    place(found) {
      const steps = (found && found.steps) || [];
      const wanted = window.cutaway.params().get("step");
      let at = steps.length - 1;
      if (wanted !== null && steps.length) {
        const after = steps.findIndex((step) => step > Number(wanted));
        if (after >= 0) at = Math.max(0, after - 1);
      }
      return [Math.max(1, steps.length - 1), Math.max(0, at), steps.length < 2];
    },
    frame(value, found, before) {
      const steps = (found && found.steps) || [];
      if (!steps.length) return [before === null || before === undefined ? { step: null } : NO(), "no record yet"];
      const at = Math.min(value, steps.length - 1);
      const latest = at === steps.length - 1;
      const step = latest ? null : steps[at];
      const text = steps[at].toLocaleString("en") + (latest ? " (latest)" : "") + " · record " + (at + 1) + " of " + steps.length;
      /* While the slider moves only the panels follow; the link is written when it rests. */
      window.clearTimeout(later);
      const triggered = (window.dash_clientside.callback_context.triggered_id || "") === "ctl-frame";
      if (triggered) later = window.setTimeout(() => window.cutaway.navigate({ step: step }), 350);
      const same = before && before.step === step;
      return [same ? NO() : { step: step }, text];
    },
    /* The step shown below is marked in the curves, where x is the step. */
    mark(frame, figure, found) {
      const gd = plot("curves");
      if (!gd || !gd.layout || !window.Plotly) return;
      const steps = (found && found.steps) || [];
      const step = frame && frame.step !== null ? frame.step : steps[steps.length - 1];
      const usable = steps.length && (window.cutaway.params().get("axis") || "step") === "step" && gd.data.length;
      const line = { color: "#8a94a3", width: 1 };
      const shapes = usable
        ? [{ type: "line", xref: "x", x0: step, x1: step, yref: "paper", y0: 0, y1: 1, line: line }]
        : [];
      window.Plotly.relayout(gd, { shapes: shapes });
    },
    play(clicks, ticks, disabled, value, max) {
      const button = document.getElementById("play");
      const starting = window.dash_clientside.callback_context.triggered_id === "play";
      const label = (on) => {
        button.classList.toggle("playing", on);
        button.setAttribute("aria-label", on ? "Pause" : "Play the records");
      };
      if (starting) {
        label(disabled);
        if (disabled && value >= max) window.dash_clientside.set_props("ctl-frame", { value: 0 });
        return !disabled;
      }
      if (value >= max) {
        label(false);
        return true;
      }
      window.dash_clientside.set_props("ctl-frame", { value: value + 1 });
      return NO();
    },
    /* A click on a bar, a line or a title selects its layer; on the stability panel also the step. */
    pick(click, title, figure, id) {
      const which = window.dash_clientside.callback_context.triggered[0].prop_id;
      if (which.endsWith("clickAnnotationData")) {
        const note = title && (title.annotation || title.fullAnnotation);
        if (note && note.name) window.cutaway.navigate({ layer: note.name });
        return;
      }
      const point = click && click.points && click.points[0];
      if (!point) return;
      const name = figure.data[point.curveNumber].name;
      const changes = { layer: name };
      if (id === "stability") changes.step = point.x;
      window.cutaway.navigate(changes);
    },
    pickFilter(click, figure, layer) {
      const point = click && click.points && click.points[0];
      if (!point) return;
      const filter = figure.data[0].customdata[point.y][point.x];
      if (filter >= 0) window.cutaway.navigate({ layer: layer, filter: filter });
    },
  };

  /* Arrow keys go through the filters of a layer while one is selected, else through the recorded steps. */
  window.cutaway.step = (by, event) => {
    const query = window.cutaway.params();
    if (document.getElementById("view-training").hidden) return;
    event.preventDefault();
    if (query.get("filter") !== null) {
      const cells = plot("heatmap").data[0].customdata.flat();
      const last = Math.max(...cells);
      const next = Math.min(last, Math.max(0, Number(query.get("filter")) + by));
      window.cutaway.navigate({ filter: next });
      return;
    }
    const slider = document.querySelector("#ctl-frame [role=slider]");
    const next = Number(slider.getAttribute("aria-valuenow")) + by;
    if (next >= 0 && next <= Number(slider.getAttribute("aria-valuemax"))) {
      window.dash_clientside.set_props("ctl-frame", { value: next });
    }
  };

  /* One cursor: a hover in the curves shows in the stability panel, and the other way round, where both count steps. */
  let leading = null;

  /* Values under the cursor, below the figure: they hide no curve and do not jump. */
  function readout(event) {
    const line = document.getElementById("curves-readout");
    if (!line || !event.points.length) return;
    const axis = window.cutaway.params().get("axis") || "step";
    const runs = new Map();
    for (const point of [...event.points].sort((a, b) => a.curveNumber - b.curveNumber)) {
      const meta = point.data.meta;
      if (!meta) continue;
      const value = point.data.text ? point.data.text[point.pointNumber] : Number(point.y.toPrecision(4));
      const row = runs.get(meta.run) || { colour: point.data.line && point.data.line.color, groups: new Map() };
      const words = row.groups.get(meta.group) || [];
      words.push((meta.role ? meta.role + " " : "") + value + (meta.smoothed ? " (smoothed)" : ""));
      row.groups.set(meta.group, words);
      runs.set(meta.run, row);
    }
    const rows = [...runs].map(([name, row]) => {
      const item = document.createElement("span");
      const mark = document.createElement("i");
      const label = document.createElement("b");
      mark.style.background = row.colour || "currentColor";
      label.textContent = name;
      const text = [...row.groups].map(([group, words]) => group + ": " + words.sort().join(", ")).join(" · ");
      item.append(mark, label, "  " + text);
      return item;
    });
    const first = document.createElement("span");
    first.textContent = (axis === "wall" ? "minute" : axis) + " " + Number(event.points[0].x.toPrecision(7)).toLocaleString("en");
    line.replaceChildren(first, ...rows);
  }

  function follow(from, to) {
    const gd = plot(from);
    if (!gd || !gd.on || gd.dataset.cursor) return;
    gd.dataset.cursor = "1";
    gd.on("plotly_hover", (event) => {
      if (from === "curves") readout(event);
      const other = plot(to);
      if (leading && leading !== from) return;
      if (!other || !other.data || !other.data.length || !event.xvals) return;
      if ((window.cutaway.params().get("axis") || "step") !== "step") return;
      leading = from;
      const rows = Object.keys(other._fullLayout._plots).filter((name) => !/y5\d$/.test(name));
      window.Plotly.Fx.hover(other, { xval: event.xvals[0] }, rows);
    });
    gd.on("plotly_unhover", () => {
      const other = plot(to);
      if (leading === from && other) window.Plotly.Fx.unhover(other);
      leading = null;
    });
  }
  window.setInterval(() => {
    follow("curves", "stability");
    follow("stability", "curves");
  }, 1000);
})();
