/* The instance table: rows are fetched as it is scrolled; what is ticked is in the address, and the other way round. */
(function () {
  "use strict";
  const GRID = "in-table-grid";
  const cells = (window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {});
  const functions = (window.dashAgGridFunctions = window.dashAgGridFunctions || {});
  const MOST = 5000; /* instances in an address */
  const element = (...parts) => window.React.createElement(...parts);
  let grid = null;
  let current = null; /* what is shown */
  let own = null; /* the source of rows that was given to the grid */
  let waiting = 0;
  let problem = false;

  functions.instanceNumber = function (value) {
    if (value === null || value === undefined) return "–";
    if (Number.isInteger(value)) return value.toLocaleString("en");
    const size = Math.abs(value);
    return size !== 0 && (size < 1e-3 || size >= 1e6) ? value.toExponential(2) : String(Number(value.toPrecision(4)));
  };

  /* Shares stand below each other with the same decimals. */
  functions.instanceShare = function (value) {
    return value === null || value === undefined ? "–" : value.toFixed(4);
  };

  cells.InstancePicture = function (props) {
    if (!props.value) return element("span", { className: "quiet" }, "…");
    return element("img", { src: props.value, alt: "", className: "in-cell-picture", loading: "lazy" });
  };

  cells.InstanceClass = function (props) {
    if (props.value === null || props.value === undefined) return element("span", { className: "quiet" }, "–");
    const mark = (props.marks || {})[props.value] || ["", ""];
    return element(
      "span",
      { title: props.value },
      element("span", { className: "class-mark", style: { color: mark[1] }, "aria-hidden": "true" }, mark[0]),
      props.value,
    );
  };

  cells.InstanceCorrect = function (props) {
    const said = { yes: ["✓", "right", "right"], no: ["✗", "wrong", "wrong"] }[props.value] || ["○", "no label", "unlabelled"];
    return element("span", { className: "in-sign " + said[2] }, said[0] + " " + said[1]);
  };

  function say(text) {
    const note = document.getElementById("in-table-note");
    if (note) note.textContent = text;
  }

  function chosen() {
    return (window.cutaway.params().get("instances") || "").split(",").filter(Boolean);
  }

  /* Rows that are loaded take the tick that the address gives them. */
  function follow() {
    if (!grid || grid.isDestroyed()) return;
    const wanted = new Set(chosen());
    grid.forEachNode((node) => {
      if (node.id !== undefined && node.data && node.isSelected() !== wanted.has(node.id)) {
        node.setSelected(wanted.has(node.id), false, "api");
      }
    });
  }

  function ticked(event) {
    if (!["rowClicked", "checkboxSelected", "spaceKey"].includes(event.source)) return;
    const now = grid.getSelectedNodes().map((node) => node.id).filter((id) => id !== undefined);
    const loaded = new Set();
    grid.forEachNode((node) => { if (node.data) loaded.add(node.id); });
    /* What is chosen but not loaded stays, unless one row was clicked alone. */
    const kept = chosen().filter((id) => now.includes(id) || (event.source !== "rowClicked" && !loaded.has(id)));
    const ids = [...kept, ...now.filter((id) => !kept.includes(id))].slice(0, MOST);
    window.cutaway.navigate({ instances: ids.length ? ids.join(",") : null });
  }

  function source(spec) {
    return {
      async getRows(params) {
        const query = new URLSearchParams(spec.query);
        query.set("start", params.startRow);
        query.set("stop", params.endRow);
        query.set("filters", JSON.stringify(params.filterModel || {}));
        query.set("sorts", JSON.stringify((params.sortModel || []).map((one) => ({ colId: one.colId, sort: one.sort }))));
        try {
          const answer = await fetch(spec.rows + "?" + query.toString(), { headers: { Accept: "application/json" } });
          const found = await answer.json();
          if (current !== spec) return params.failCallback();
          if (!answer.ok) throw new Error([found.message, found.remedy].filter(Boolean).join(" "));
          problem = false;
          params.successCallback(found.rows, found.count);
          counted(found.count);
        } catch (error) {
          params.failCallback();
          problem = true;
          if (current === spec) say("The rows could not be read. " + (error.message || "Reload the page."));
        }
      },
    };
  }

  function counted(count) {
    const filters = grid ? Object.keys(grid.getFilterModel() || {}).length : 0;
    for (const id of ["in-table-use", "in-table-clear"]) {
      const button = document.getElementById(id);
      if (button) button.hidden = !filters;
    }
    if (!problem) say(filters ? count.toLocaleString("en") + " of " + current.count.toLocaleString("en") + " instances pass the filters." : "");
  }

  /* The grid as it is now: a script of its own brings it, and a view is laid out when it is first visited. */
  function there() {
    try {
      const found = window.dash_ag_grid && window.dash_ag_grid.getApi(GRID);
      return found && !found.isDestroyed() ? found : null;
    } catch (error) {
      return null;
    }
  }

  /* Rows come from here instead of from a property of the component, which answers one request at a time. */
  function attach() {
    const found = there();
    if (!current) return;
    window.clearTimeout(waiting);
    try {
      if (found) return take(found);
    } catch (error) {
      /* It is being made, or taken away. */
    }
    waiting = window.setTimeout(attach, 300);
  }

  function take(found) {
    if (found !== grid) {
      grid = found;
      grid.addEventListener("selectionChanged", ticked);
      grid.addEventListener("modelUpdated", () => {
        if (grid.getGridOption("datasource") !== own) attach();
        else follow();
      });
    }
    own = source(current);
    document.getElementById("in-table-box").style.setProperty("--in-row", current.height - 2 + "px");
    grid.setGridOption("rowHeight", current.height);
    grid.setGridOption("datasource", own);
  }

  function show(text) {
    const spec = JSON.parse(text);
    if (current && current.key === spec.key && current.query === spec.query) return;
    current = spec;
    attach();
  }

  function watch() {
    const holder = document.getElementById("in-table-spec");
    if (!holder) return window.setTimeout(watch, 200);
    const look = () => {
      if (holder.textContent) show(holder.textContent);
    };
    new MutationObserver(look).observe(holder, { childList: true, characterData: true, subtree: true });
    look();
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("#in-table-clear, #in-table-use");
    if (!button || !grid) return;
    if (button.id === "in-table-clear") return grid.setFilterModel(null);
    window.dash_clientside.set_props("in-table-asked", { data: { filters: grid.getFilterModel() || {}, at: Date.now() } });
  });

  /* The page's address changed: by a click elsewhere, or back and forward. */
  const ns = (window.dash_clientside = window.dash_clientside || {});
  ns.instancesTable = {
    /* The component asks for rows by itself when it is made anew. */
    asked() {
      if (current && there() && there().getGridOption("datasource") !== own) attach();
      return window.dash_clientside.no_update;
    },
    follow() {
      follow();
      return window.dash_clientside.no_update;
    },
  };

  document.addEventListener("DOMContentLoaded", watch);
})();
