/* Small habits of the page: connection, clipboard, maximise, keyboard, inspector, pictures. */
(function () {
  "use strict";
  const ns = (window.dash_clientside = window.dash_clientside || {});
  const HEALTH_MS = 5000;
  let connected = true;

  function base() {
    const config = JSON.parse(document.getElementById("_dash-config").textContent);
    return config.requests_pathname_prefix || "/";
  }

  function say(text) {
    const live = document.getElementById("connection-text");
    if (!live) return;
    const before = connected ? "connected" : "reconnecting…";
    live.textContent = text;
    window.setTimeout(() => { live.textContent = connected ? "connected" : before; }, 1800);
  }

  /* Polling stops while the tab is hidden or the server is away, and goes on by itself. */
  function setPolling() {
    if (!window.dash_clientside || !window.dash_clientside.set_props || !document.getElementById("connection")) return;
    window.dash_clientside.set_props("tick", { disabled: document.hidden || !connected });
  }

  async function health() {
    if (document.hidden) return;
    let ok = false;
    try {
      const answer = await fetch(base() + "healthz", { cache: "no-store" });
      await answer.text(); // unread answers would stay open until the page goes
      ok = answer.ok;
    } catch (error) {
      ok = false;
    }
    const dot = document.getElementById("connection");
    if (!dot || ok === connected) return;
    /* What was asked while the server was away is lost: the address holds the whole view, so ask for it anew. */
    if (ok && !connected) return window.location.reload();
    connected = ok;
    dot.classList.toggle("lost", !ok);
    document.getElementById("connection-text").textContent = ok ? "connected" : "reconnecting…";
    setPolling();
  }

  document.addEventListener("visibilitychange", () => { setPolling(); health(); });
  window.setInterval(health, HEALTH_MS);

  async function copyLink() {
    const address = window.location.href;
    try {
      await navigator.clipboard.writeText(address);
      say("link copied");
    } catch (error) {
      window.prompt("Copy this link", address);
    }
  }

  function maximise(id) {
    const panel = document.getElementById(id);
    const on = panel.classList.toggle("maximised");
    document.body.classList.toggle("has-maximised", on);
    window.setTimeout(() => window.dispatchEvent(new Event("resize")), 0);
  }

  function picture(name) {
    const plot = document.querySelector("#" + name + "-panel .js-plotly-plot");
    if (plot && window.Plotly) {
      window.Plotly.downloadImage(plot, { format: "png", filename: "cutaway-" + name, scale: 2 });
    }
  }

  function inspector(show) {
    const open = show === undefined ? !document.body.classList.contains("inspector-open") : show;
    document.body.classList.toggle("inspector-open", open);
    window.localStorage.setItem("cutaway-inspector", open ? "open" : "closed");
    window.setTimeout(() => window.dispatchEvent(new Event("resize")), 0);
  }

  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-copy-link],[data-maximise],[data-picture],#inspector-button");
    if (!target) return;
    if (target.id === "inspector-button") inspector();
    else if (target.dataset.copyLink) copyLink();
    else if (target.dataset.maximise) maximise(target.dataset.maximise);
    else if (target.dataset.picture) picture(target.dataset.picture);
  });

  /* An open (i) or menu closes by a click elsewhere, by Escape, and after an action. */
  function closeDisclosures(except) {
    for (const open of document.querySelectorAll("details.disclosure[open]")) {
      if (open !== except) open.open = false;
    }
  }
  document.addEventListener("click", (event) => {
    const inside = event.target.closest("details.disclosure");
    closeDisclosures(event.target.closest(".menu-link") ? null : inside);
  });

  /* Typing into a picker replaces what it shows, as in any search field. */
  document.addEventListener("focusin", (event) => {
    if (event.target.matches(".mantine-Select-input")) event.target.select();
  });

  function clearLast() {
    if (document.querySelector("details.disclosure[open]")) return closeDisclosures(null);
    const maximised = document.querySelector(".panel.maximised");
    if (maximised) return maximise(maximised.id);
    const query = window.cutaway.params();
    for (const name of ["plasso", "lasso", "drill", "filters", "instances", "subset"]) {
      if (query.get(name)) return window.cutaway.navigate({ [name]: null });
    }
    if (query.get("filter")) return window.cutaway.navigate({ filter: null });
    if (query.get("layer")) return window.cutaway.navigate({ layer: null });
    const runs = (query.get("runs") || "").split(",");
    if (runs.length > 1) window.cutaway.navigate({ runs: runs[0] });
  }

  /* In the Layers view the arrow keys go through filters, else through instances; how many there are is said there. */
  function step(by, event) {
    const layers = document.getElementById("view-layers");
    if (!layers || layers.hidden) return window.cutaway.step(by, event);
    const query = window.cutaway.params();
    const name = query.get("filter") !== null ? "filter" : query.get("instances") !== null ? "instances" : null;
    if (!name) return;
    event.preventDefault();
    const said = layers.querySelector(name === "filter" ? "[data-filters]" : "[data-instances]");
    const count = said ? Number(said.dataset[name === "filter" ? "filters" : "instances"]) : Infinity;
    const next = Number(query.get(name).split(",")[0]) + by;
    if (next >= 0 && next < count) window.cutaway.navigate({ [name]: String(next) });
  }

  /* A button that cancels or repeats a job; the same job may be shown by several panels. */
  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-job-cancel],[data-job-retry]");
    if (!target) return;
    const cancel = target.dataset.jobCancel;
    target.disabled = true;
    window.dash_clientside.set_props("job-command", {
      data: { do: cancel ? "cancel" : "retry", id: cancel || target.dataset.jobRetry, at: Date.now() },
    });
  });

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, [contenteditable], [role=dialog], [role=listbox], [role=slider], [role=radiogroup]");
    if (typing || event.metaKey || event.ctrlKey || event.altKey) return;
    if (event.key === "Escape") clearLast();
    else if (event.key === "ArrowLeft") step(-1, event);
    else if (event.key === "ArrowRight") step(1, event);
    else if (event.key === "t") document.getElementById("theme-button").click();
    else if (event.key === "i") inspector();
    else if (event.key === "?") document.getElementById("help-open").click();
    else if (event.key === "/") {
      event.preventDefault();
      const search = document.getElementById("ctl-layer");
      if (search) search.focus();
    }
  });

  ns.page = {
    open(clicks) { return clicks ? true : window.dash_clientside.no_update; },
  };

  /* Small multiples stand two abreast on a narrow page. */
  let narrow = null;
  function measure() {
    const now = window.innerWidth < 1280;
    if (now === narrow || !document.getElementById("connection")) return;
    narrow = now;
    window.dash_clientside.set_props("narrow", { data: now });
  }
  window.addEventListener("resize", measure);

  const stored = window.localStorage.getItem("cutaway-inspector");
  /* Notices that the reader has seen, in this visit. */
  let dismissed = [];
  document.addEventListener("click", (event) => {
    const notice = event.target.closest("[data-dismiss]");
    if (!notice) return;
    dismissed = [...dismissed, notice.dataset.dismiss].slice(-50);
    window.dash_clientside.set_props("notices-dismissed", { data: dismissed });
  });

  document.addEventListener("DOMContentLoaded", () => {
    document.body.classList.toggle("inspector-open", stored ? stored === "open" : window.innerWidth >= 1280);
  });
})();
