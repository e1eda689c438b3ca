/* The Attribution view's lower panels: what is asked for by a click, picking places of an instance, editing it. */
(function () {
  "use strict";
  const ns = (window.dash_clientside = window.dash_clientside || {});
  const NO = () => window.dash_clientside.no_update;
  const set = (id, props) => window.dash_clientside.set_props(id, props);
  const MOST_WANTED = 200;
  const MOST_EDITS = 20;
  const MOST_MARKS = 50;

  /* Answers asked for in this visit. The list is kept here; the answers are kept by the server for everyone. */
  let wanted = [];
  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-at-want]");
    if (!target) return;
    const asked = target.dataset.atWant.split(" ").filter(Boolean);
    wanted = [...wanted.filter((one) => !asked.includes(one)), ...asked].slice(-MOST_WANTED);
    set("at-wanted", { data: wanted });
  });

  /* A box on a picture: drawn with a pointer, or by its four numbers. In pixels of the instance, half open. */
  const CORNERS = ["x0", "y0", "x1", "y1"];
  let drag = null;

  function spot(pick, event) {
    const box = pick.getBoundingClientRect();
    const along = (at, start, size, count) => Math.min(count, Math.max(0, ((at - start) / size) * count));
    return [
      along(event.clientX, box.left, box.width, Number(pick.dataset.width)),
      along(event.clientY, box.top, box.height, Number(pick.dataset.height)),
    ];
  }

  function between(pick, from, to) {
    const size = [Number(pick.dataset.width), Number(pick.dataset.height)];
    const low = [0, 1].map((i) => Math.min(size[i] - 1, Math.floor(Math.min(from[i], to[i]))));
    const high = [0, 1].map((i) => Math.min(size[i], Math.max(low[i] + 1, Math.ceil(Math.max(from[i], to[i])))));
    return [...low, ...high];
  }

  function frame(pick, corners) {
    const shown = pick.querySelector(".at-pick-box");
    const whole = corners.every((value) => Number.isFinite(value)) && corners[2] > corners[0] && corners[3] > corners[1];
    shown.hidden = !whole;
    if (!whole) return;
    const width = Number(pick.dataset.width), height = Number(pick.dataset.height);
    shown.style.left = (100 * corners[0]) / width + "%";
    shown.style.top = (100 * corners[1]) / height + "%";
    shown.style.width = (100 * (corners[2] - corners[0])) / width + "%";
    shown.style.height = (100 * (corners[3] - corners[1])) / height + "%";
  }

  document.addEventListener("pointerdown", (event) => {
    const pick = event.target.closest(".at-pick");
    if (!pick || event.button) return;
    event.preventDefault();
    drag = { pick: pick, from: spot(pick, event) };
    try { pick.setPointerCapture(event.pointerId); } catch (error) { /* a pointer that is gone already */ }
  });
  document.addEventListener("pointermove", (event) => {
    if (drag) frame(drag.pick, between(drag.pick, drag.from, spot(drag.pick, event)));
  });
  document.addEventListener("pointerup", (event) => {
    if (!drag) return;
    const corners = between(drag.pick, drag.from, spot(drag.pick, event));
    const prefix = drag.pick.dataset.atPick;
    drag = null;
    CORNERS.forEach((name, index) => set(prefix + "-" + name, { value: corners[index] }));
  });
  document.addEventListener("pointercancel", () => { drag = null; });

  /* A token or column: one at a time while editing, any number where they are marked. */
  document.addEventListener("click", (event) => {
    const chip = event.target.closest("[data-at-chip]");
    if (!chip) return;
    const list = chip.closest("[data-at-chips]");
    const prefix = list.dataset.atChips;
    const many = list.dataset.many === "yes";
    const on = chip.getAttribute("aria-pressed") !== "true";
    if (!many) for (const other of list.querySelectorAll("[data-at-chip]")) other.setAttribute("aria-pressed", "false");
    chip.setAttribute("aria-pressed", on ? "true" : "false");
    const chosen = [...list.querySelectorAll("[aria-pressed=true]")].map((one) => Number(one.dataset.atChip));
    set(prefix + "-chosen", { data: chosen });
    if (!many) set(prefix + "-token", { value: on ? chip.dataset.token : "" });
  });

  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-at-delete],[data-at-clear]");
    if (!target) return;
    if (target.dataset.atClear) set(target.dataset.atClear, { data: [] });
    else set("at-feedback-command", { data: { delete: target.dataset.atDelete, at: Date.now() } });
  });

  /* Edits: a list in the address. */
  function edits() {
    try {
      const found = JSON.parse(window.cutaway.params().get("edit") || "[]");
      return Array.isArray(found) ? found : [];
    } catch (error) {
      return [];
    }
  }

  function write(list) {
    window.cutaway.navigate({ edit: list.length ? JSON.stringify(list) : null });
  }

  function add(one) {
    const list = edits();
    if (list.length >= MOST_EDITS) return "At most " + MOST_EDITS + " changes at a time: undo one first.";
    write([...list, one]);
    return "";
  }

  function whole(values) {
    return values.every((value) => value !== "" && value !== null && value !== undefined && Number.isFinite(Number(value)));
  }

  /* What is wrong with a box on the picture, '' if nothing. */
  function wrongBox(prefix, box) {
    if (!whole(box)) return "Mark a box first: drag on the picture, or fill in its four numbers.";
    const [x0, y0, x1, y1] = box.map(Number);
    if (![x0, y0, x1, y1].every(Number.isInteger)) return "The ends of a box are whole pixels.";
    if (x1 <= x0 || y1 <= y0) return "The box is empty: right must be larger than left, bottom larger than top.";
    const pick = document.querySelector('.at-pick[data-at-pick="' + prefix + '"]');
    const width = pick ? Number(pick.dataset.width) : Infinity, height = pick ? Number(pick.dataset.height) : Infinity;
    if (x0 >= 0 && y0 >= 0 && x1 <= width && y1 <= height) return "";
    return "The box leaves the picture, which is " + width + " pixels wide and " + height + " high, counted from 0.";
  }

  /* The steps of a span given in the unit of the fields; or a sentence. */
  function stepsOf(from, to, rate, known) {
    if (!whole([from, to]) || Number(to) <= Number(from)) return "Give a span: from, and a larger to.";
    const steps = known && Number.isFinite(known.steps) ? known.steps : Infinity;
    const each = rate || 1;
    const unit = known && known.unit ? " " + known.unit : "";
    const end = "The signal goes from 0 to " + Number((steps / each).toPrecision(6)) + unit + ": ";
    if (Number(from) < 0) return "A span cannot begin before 0.";
    const last = Math.round(Number(to) * each);
    if (last > steps) return end + "the span ends after it.";
    const first = Math.round(Number(from) * each);
    if (first >= steps) return end + "the span begins after it.";
    return [first, Math.max(first + 1, last)];
  }

  /* One change is taken out, the others stay. */
  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-at-drop]");
    if (!target) return;
    const drop = Number(target.dataset.atDrop);
    write(edits().filter((_, index) => index !== drop));
  });

  function which() {
    const context = window.dash_clientside.callback_context;
    return context.triggered && context.triggered.length ? context.triggered[0].prop_id.split(".")[0] : "";
  }

  ns.attributionMore = {
    /* The frame follows the four numbers. */
    follow(x0, y0, x1, y1, _drawn, prefix) {
      const pick = document.querySelector('.at-pick[data-at-pick="' + prefix.slice(0, -3) + '"]');
      if (pick && !drag) frame(pick, whole([x0, y0, x1, y1]) ? [x0, y0, x1, y1].map(Number) : [NaN]);
      return NO();
    },
    picture(_paint, _blur, x0, y0, x1, y1, fill, sigma) {
      if (!which()) return NO();
      const wrong = wrongBox("at-edit", [x0, y0, x1, y1]);
      if (wrong) return wrong;
      const box = [x0, y0, x1, y1].map(Number);
      if (which() === "at-edit-blur") return add({ op: "blur", box: box, sigma: Number(sigma) || 3 });
      return add({ op: "paint", box: box, fill: fill });
    },
    text(_replace, _delete, _insert, chosen, token) {
      if (!which()) return NO();
      const at = Array.isArray(chosen) && chosen.length ? chosen[0] : null;
      if (at === null) return "Choose a token first.";
      if (which() === "at-edit-delete") {
        // The next token takes the place, and so the choice: the field has to name it.
        const next = document.querySelector('[data-at-chips="at-edit"] [data-at-chip="' + (at + 1) + '"]');
        const said = add({ op: "delete", at: at });
        if (!said) set("at-edit-token", { value: next ? next.dataset.token : "" });
        return said;
      }
      const word = (token || "").trim();
      if (!word) return "Write the token to put there.";
      return add({ op: which() === "at-edit-insert" ? "insert" : "replace", at: at, token: word });
    },
    /* Tokens drawn anew show what was chosen meanwhile. */
    pressed(_tokens, chosen) {
      for (const chip of document.querySelectorAll('[data-at-chips="at-edit"] [data-at-chip]')) {
        chip.setAttribute("aria-pressed", (chosen || []).includes(Number(chip.dataset.atChip)) ? "true" : "false");
      }
    },
    series(_mute, channel, from, to, fill, rate, known) {
      if (!which()) return NO();
      const span = stepsOf(from, to, rate, known);
      if (!Array.isArray(span)) return span;
      return add({ op: "mute", channel: channel === "all" || channel === null ? null : Number(channel), span: span, fill: fill });
    },
    /* A column's field or slider was moved. The last value given for a column is the one that counts. */
    table(_fields, _sliders, shown) {
      const context = window.dash_clientside.callback_context;
      const moved = (context.triggered || [])[0];
      if (!moved || !shown || !moved.prop_id.startsWith("{")) return NO();
      const column = JSON.parse(moved.prop_id.slice(0, moved.prop_id.lastIndexOf("."))).index;
      const text = String(moved.value === null || moved.value === undefined ? "" : moved.value).trim();
      const value = Number(text);
      if (!text) return "A column needs a number: the field is empty, so nothing was changed.";
      if (!Number.isFinite(value)) return "'" + text + "' is not a finite number (1e-3 and -2.5 are): nothing was changed.";
      const now = shown[String(column)];
      if (now === undefined || Math.abs(value - now) <= 1e-9 * Math.abs(now)) return "";
      const rest = edits().filter((one) => !(one.op === "set" && one.column === column));
      write([...rest, { op: "set", column: column, value: value }].slice(-MOST_EDITS));
      return "";
    },
    back(_undo, _reset) {
      if (!which()) return NO();
      write(which() === "at-edit-reset" ? [] : edits().slice(0, -1));
      return "";
    },
    whenWrong(verdict) {
      return verdict !== "wrong";
    },
    /* A box or a span that should not matter joins those marked before. */
    mark(_box, _span, x0, y0, x1, y1, channel, from, to, rate, marks, known) {
      if (!which()) return NO();
      const list = Array.isArray(marks) ? marks : [];
      if (list.length >= MOST_MARKS) return "At most " + MOST_MARKS + " marks: save, or clear them.";
      if (which() === "at-feedback-add-box") {
        const wrong = wrongBox("at-feedback", [x0, y0, x1, y1]);
        if (wrong) return wrong;
        set("at-feedback-marks", { data: [...list, [x0, y0, x1, y1].map(Number)] });
        return "";
      }
      const span = stepsOf(from, to, rate, known);
      if (!Array.isArray(span)) return span;
      const one = channel === "all" || channel === null || channel === undefined ? null : Number(channel);
      set("at-feedback-marks", { data: [...list, [one, ...span]] });
      return "";
    },
    forget() {
      return [[], []];
    },
    /* Whose attributions are averaged. */
    subset(value) {
      const now = window.cutaway.params().get("subset") || "all";
      if (value && value !== now) window.cutaway.navigate({ subset: value === "all" ? null : value });
    },
    followSubset() {
      return window.cutaway.params().get("subset") || "all";
    },
    /* Another layer to compare instances in. */
    layer(value, mark) {
      if (value && mark && mark.layer && value !== mark.layer) window.cutaway.navigate({ layer: value });
    },
    /* A span dragged in the figure fills the two fields. */
    span(selected) {
      const range = selected && selected.range && selected.range.x;
      if (!range) return [NO(), NO()];
      const round = (value) => Number(value.toPrecision(4));
      return [round(Math.max(0, Math.min(...range))), round(Math.max(...range))];
    },
  };
})();
