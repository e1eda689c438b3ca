/* The table of runs: a click opens a run, two ticked rows open as a comparison. */
(function () {
  "use strict";
  const ns = (window.dash_clientside = window.dash_clientside || {});
  ns.runs = {
    open(cell, clicks, ticked) {
      const which = window.dash_clientside.callback_context.triggered_id;
      if (which === "runs-compare") {
        const ids = (ticked || []).slice(0, 2).map((row) => row.id);
        if (clicks && ids.length) window.cutaway.navigate({ view: "training", runs: ids.join(","), layer: null });
        return;
      }
      if (cell && cell.rowId && cell.colId === "name") {
        window.cutaway.navigate({ view: "training", runs: cell.rowId, layer: null });
      }
    },
  };
})();
