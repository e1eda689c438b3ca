/* The Instances view: squares of instances by class, the field of the subset, moves by keyboard. */
(function () {
  "use strict";
  const NO = () => window.dash_clientside.no_update;

  function make(name, attributes, parent, text) {
    const node = document.createElement(name);
    for (const key in attributes) node.setAttribute(key, attributes[key]);
    if (text !== undefined) node.textContent = text;
    if (parent) parent.appendChild(node);
    return node;
  }

  function visible() {
    const view = document.getElementById("view-instances");
    return view && !view.hidden;
  }

  /* ---- squares ---- */
  const BORDERS = ["solid", "double", "dashed", "dotted"];
  let drawn = "";
  const spoken = new WeakMap(); /* square -> what its tooltip says */

  function percent(score) {
    return score === null ? "undefined" : (100 * score).toFixed(score > 0.9995 ? 0 : 1) + " %";
  }

  function square(one, label, spec, parent) {
    const [index, prediction, score] = one;
    const own = spec.classes[label] || ["", "#999", ""];
    const other = spec.classes[prediction] || [String(prediction), "#999", ""];
    const right = prediction === label;
    const said = "Instance " + index.toLocaleString("en") + ": " + (label < 0 ? "no label" : "label " + own[0]) +
      ", predicted " + other[0] + ", score " + percent(score);
    const node = make("button", {
      type: "button", class: "in-square " + (right ? "right" : "wrong"), "data-index": index, "aria-label": said,
      tabindex: "-1",
    }, parent);
    const style = spec.pictures[index];
    if (style) {
      node.classList.add("pictured");
      Object.assign(make("span", { class: "in-tile" }, node).style, style);
      node.style.borderColor = other[1];
      node.style.boxShadow = "inset 0 -4px 0 " + own[1];
    } else {
      node.style.backgroundColor = own[1];
      node.style.borderColor = other[1];
    }
    /* Beyond eight classes colours repeat, with another border. */
    node.style.borderStyle = BORDERS[Math.floor(Math.max(0, prediction) / 8) % BORDERS.length];
    spoken.set(node, said);
    return node;
  }

  function side(group, kind, spec, row) {
    const box = make("div", { class: "in-squares " + kind }, row);
    for (const one of group[kind]) square(one, group.label, spec, box);
    const total = group[kind + "s"];
    if (total > group[kind].length) {
      make("span", { class: "quiet" }, box, "and " + (total - group[kind].length).toLocaleString("en") + " more");
    }
    if (!total) make("span", { class: "quiet" }, box, kind === "right" ? "none right" : "none wrong");
  }

  function draw(text) {
    const holder = document.getElementById("in-members-drawn");
    if (!holder || text === drawn) return;
    drawn = text;
    holder.replaceChildren();
    if (!text) return;
    const spec = JSON.parse(text);
    if (!spec.groups.length) return;
    const table = make("div", { class: "in-groups", role: "group", "aria-label": "Instances by class; arrow keys move, Enter chooses" }, holder);
    /* Room by what there is: of the wrong ones alone, the right side needs none. */
    const most = (side_) => Math.max(...spec.groups.map((group) => group[side_].length));
    const share = Math.min(0.72, Math.max(0.14, most("right") / Math.max(1, most("right") + most("wrong"))));
    table.style.setProperty("--in-right", share.toFixed(3) + "fr");
    table.style.setProperty("--in-wrong", (1 - share).toFixed(3) + "fr");
    const labelled = spec.groups.some((group) => group.label >= 0);
    const head = make("div", { class: "in-group in-group-head" + (labelled ? "" : " in-unknown") }, table);
    const heads = labelled ? ["Predicted as labelled", "Misclassified"] : ["Right or wrong: undefined without labels"];
    for (const text_ of ["Label", ...heads]) make("span", {}, head, text_);
    for (const group of spec.groups) {
      /* Without a label nothing is right or wrong: one cell for all of them. */
      const row = make("div", { class: group.label < 0 ? "in-group in-unknown" : "in-group" }, table);
      const own = spec.classes[group.label];
      const name = make("div", { class: "in-group-name" }, row);
      const mark = make("span", { class: "class-mark", "aria-hidden": "true" }, name, own[2]);
      mark.style.color = own[1];
      make("span", { class: "in-group-label", title: own[0] }, name, own[0]);
      const n = group.rights + group.wrongs;
      const share = group.label < 0 ? "" : ", " + (100 * group.rights / n).toFixed(0) + " % right";
      make("span", { class: "quiet" }, name, n.toLocaleString("en") + share);
      if (group.label >= 0) side(group, "right", spec, row);
      side(group, "wrong", spec, row);
    }
    const first = table.querySelector(".in-square");
    if (first) first.tabIndex = 0;
    mark();
  }

  /* The chosen instances have a ring. */
  function mark() {
    const chosen = new Set((window.cutaway.params().get("instances") || "").split(",").filter(Boolean));
    for (const node of document.querySelectorAll("#in-members-drawn .in-square")) {
      const on = chosen.has(node.dataset.index);
      node.classList.toggle("chosen", on);
      if (on) node.setAttribute("aria-current", "true"); else node.removeAttribute("aria-current");
    }
  }

  /* ---- tooltip ---- */
  let tip = null;
  function tell(node) {
    if (!tip) tip = make("div", { class: "in-tip", role: "presentation", hidden: "" }, document.getElementById("main"));
    const said = node && spoken.get(node);
    tip.hidden = !said;
    if (!said) return;
    tip.replaceChildren();
    const tile = node.querySelector(".in-tile");
    if (tile) {
      const larger = tile.cloneNode();
      larger.style.width = 3 * parseFloat(tile.style.width) + "px";
      larger.style.height = 3 * parseFloat(tile.style.height) + "px";
      tip.appendChild(larger);
    }
    const [first, ...rest] = said.split(": ");
    make("strong", {}, tip, first);
    make("span", {}, tip, rest.join(": "));
    const at = node.getBoundingClientRect(), size = tip.getBoundingClientRect();
    const left = Math.min(window.innerWidth - size.width - 8, Math.max(8, at.left + at.width / 2 - size.width / 2));
    const below = at.bottom + 6 + size.height < window.innerHeight;
    tip.style.left = left + "px";
    tip.style.top = (below ? at.bottom + 6 : at.top - size.height - 6) + "px";
  }
  document.addEventListener("pointerover", (event) => tell(event.target.closest && event.target.closest(".in-square")));
  document.addEventListener("focusin", (event) => tell(event.target.closest(".in-square")));
  document.addEventListener("focusout", () => tell(null));
  document.addEventListener("scroll", () => tell(null), true);

  document.addEventListener("click", (event) => {
    const node = event.target.closest(".in-square");
    if (!node) return;
    const now = (window.cutaway.params().get("instances") || "").split(",").filter(Boolean);
    const index = node.dataset.index;
    const several = event.shiftKey || event.ctrlKey || event.metaKey;
    const next = several ? (now.includes(index) ? now.filter((id) => id !== index) : [...now, index]) : [index];
    window.cutaway.navigate({ instances: next.length ? next.join(",") : null });
  });

  /* One square can be reached by Tab; arrow keys, Home and End move among them, up and down to the nearest one. */
  document.addEventListener("keydown", (event) => {
    const node = event.target.closest && event.target.closest(".in-square");
    if (!node) return;
    const all = [...document.querySelectorAll("#in-members-drawn .in-square")];
    const at = all.indexOf(node);
    let next = null;
    if (event.key === "ArrowRight") next = all[at + 1];
    else if (event.key === "ArrowLeft") next = all[at - 1];
    else if (event.key === "Home") next = all[0];
    else if (event.key === "End") next = all[all.length - 1];
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") next = beside(node, all, event.key === "ArrowDown" ? 1 : -1);
    else return;
    event.preventDefault();
    event.stopPropagation();
    if (!next) return;
    node.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }, true);

  function beside(node, all, way) {
    const at = node.getBoundingClientRect();
    let best = null, least = Infinity;
    for (const other of all) {
      const box = other.getBoundingClientRect();
      const down = way * (box.top - at.top);
      if (down < at.height / 2) continue;
      const far = down * 4 + Math.abs(box.left - at.left);
      if (far < least) { least = far; best = other; }
    }
    return best;
  }

  function observe(id, act) {
    const holder = document.getElementById(id);
    if (!holder) return window.setTimeout(() => observe(id, act), 200);
    new MutationObserver(() => act(holder.textContent)).observe(holder, { childList: true, characterData: true, subtree: true });
    act(holder.textContent);
  }

  /* What the server decided, after it read an expression: the address takes it. */
  let gone = "";
  function goTo(text) {
    if (!text || text === gone) return;
    gone = text;
    const { changes } = JSON.parse(text);
    window.cutaway.navigate(changes);
  }

  document.addEventListener("DOMContentLoaded", () => {
    observe("in-members-spec", draw);
    observe("in-go", goTo);
    const others = window.cutaway.step;
    window.cutaway.step = (by, event) => {
      if (!visible()) return others && others(by, event);
      const all = [...document.querySelectorAll("#in-members-drawn .in-square")].map((node) => node.dataset.index);
      const first = (window.cutaway.params().get("instances") || "").split(",")[0];
      if (!all.length) return;
      event.preventDefault();
      const at = all.indexOf(first);
      const next = at < 0 ? all[0] : all[Math.min(all.length - 1, Math.max(0, at + by))];
      window.cutaway.navigate({ instances: next });
    };
  });

  /* ---- the field of the subset ---- */
  const FIELD = "in-subset-text";
  const set = (id, props) => window.dash_clientside.set_props(id, props);
  const now = () => window.cutaway.params().get("subset") || "";
  const written = (id) => { const node = document.getElementById(id); return node ? node.value : ""; };

  function apply() {
    set("in-subset-asked", { data: { text: written(FIELD), at: Date.now() } });
  }

  function write(text, whole) {
    const field = document.getElementById(FIELD);
    if (!field) return;
    const from = whole ? 0 : field.selectionStart, to = whole ? field.value.length : field.selectionEnd;
    const before = field.value.slice(0, from), after = field.value.slice(to);
    const gap = before && !/[\s(\[,]$/.test(before) ? " " : "";
    const next = before + gap + text + (after && !/^[\s)\],]/.test(after) ? " " : "") + after;
    set(FIELD, { value: next });
    window.setTimeout(() => {
      field.focus();
      field.setSelectionRange(before.length + gap.length + text.length, before.length + gap.length + text.length);
    }, 50);
  }

  document.addEventListener("keydown", (event) => {
    const id = event.target.id;
    if (event.key !== "Enter" || event.isComposing) return;
    if (id === FIELD && !event.shiftKey) { event.preventDefault(); apply(); }
    if (id === "in-save-name") { event.preventDefault(); save(); }
  });

  function save() {
    const name = written("in-save-name").trim();
    const taken = [...document.querySelectorAll("#in-subset-saved [data-book=delete]")].some((node) => node.dataset.name === name);
    if (taken && !window.confirm("There is a subset called '" + name + "'. Replace it?")) return;
    set("in-book-command", { data: { do: "save", name, again: taken, at: Date.now() } });
  }

  document.addEventListener("click", (event) => {
    const target = event.target.closest("#in-subset-apply, #in-save, #in-compare-keep, [data-insert], [data-example], [data-combine], [data-book]");
    if (!target || !visible()) return;
    if (target.id === "in-subset-apply") apply();
    else if (target.id === "in-save") save();
    else if (target.id === "in-compare-keep") keep();
    else if (target.dataset.insert) write(target.dataset.insert, false);
    else if (target.dataset.example) write(target.dataset.example, true);
    else if (target.dataset.combine) {
      set("in-subset-asked", { data: { how: target.dataset.combine, with: combined, at: Date.now() } });
    } else book(target.dataset.book, target.dataset.name);
  });

  function book(act, name) {
    if (act === "delete" && !window.confirm("Delete the subset '" + name + "'?")) return;
    const next = act === "rename" ? window.prompt("A new name for '" + name + "'", name) : null;
    if (act === "rename" && (!next || next === name)) return;
    set("in-book-command", { data: { do: act, name, new: next, at: Date.now() } });
  }

  /* What is shown stays beside what is chosen next. */
  function keep() {
    let rows = [];
    try { rows = JSON.parse(window.cutaway.params().get("xrows") || "[]"); } catch (error) { rows = []; }
    if (!Array.isArray(rows)) rows = [];
    const text = now() || "all";
    if (!rows.includes(text)) window.cutaway.navigate({ xrows: JSON.stringify([...rows, text]) });
  }

  let combined = null;
  const ns = (window.dash_clientside = window.dash_clientside || {});
  ns.instances = {
    mark() { mark(); return NO(); },
    /* The field follows the address. */
    follow() { return now() === "all" ? "" : now(); },
    /* A shortcut is chosen; the picker is ready for the next one. */
    pick(value) {
      if (!value) return NO();
      window.cutaway.navigate({ subset: value === "all" ? null : value });
      return null;
    },
    other(value) { combined = value; return NO(); },
  };
})();
