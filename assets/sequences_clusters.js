/* Colours, pointing, keys and legend of the picture that assets/sequences.js lays out. */
(function () {
  "use strict";
  const api = window.cutawaySequences;
  const { shown, look, said, digits, hue, chosenWords, chosenUnit, groupOf, rowOfWord, rowOfBox, picture, MOST_WORDS } = api;
  const NOTABLE = 0.4; // of the largest response to a unit: words that move it less fade
  const MOST_KEYS = 9;

  function parse(over) {
    const [kind, id] = over.split(":");
    return { kind: kind, id: Number(id) };
  }
  function quoted(name) {
    return "“" + name + "”";
  }
  /* Largest colour: the chosen percentile of all responses, between whole percentiles a line. */
  function limit() {
    const at = Math.min(50, Math.max(0, Number(look("sclip")) - 50));
    const low = Math.floor(at), rest = at - low, table = shown.payload.limits;
    return (table[low] + (table[Math.min(50, low + 1)] - table[low]) * rest) || Math.max(...table) || 1;
  }
  function mean(rows) {
    return rows[0].map((_, unit) => rows.reduce((sum, row) => sum + row[unit], 0) / rows.length);
  }

  /* What the units show: the response to what is pointed at, else to the words chosen, else to the cluster pinned. */
  function shownRow() {
    const { payload, over, chosen } = shown;
    const { kind, id } = parse(over);
    if (kind === "word" && rowOfWord(id)) return { row: rowOfWord(id), of: quoted(payload.w.name[id]) };
    if (kind === "pin-w") return { row: rowOfBox(id), of: "the words of W" + id + ", in the mean" };
    const same = chosen && chosen.rows.length && chosen.ids.join(",") === said("word");
    if (same) {
      const of = chosen.names.length > 1 ? `${chosen.names.length} words, in the mean` : quoted(chosen.names[0]);
      return { row: mean(chosen.rows), of: of };
    }
    const drawn = same ? [] : chosenWords().map((word) => payload.w.id.indexOf(word)); // until the server's exact rows come
    if (drawn.length && drawn.every((place) => place >= 0 && rowOfWord(place))) {
      return { row: mean(drawn.map(rowOfWord)), of: drawn.length > 1 ? `${drawn.length} words, in the mean` : quoted(payload.w.name[drawn[0]]) };
    }
    const pinned = said("cluster").match(/^w(\d+)$/);
    if (pinned && Number(pinned[1]) < payload.k) return { row: rowOfBox(Number(pinned[1])), of: "the words of W" + pinned[1] + ", in the mean" };
    return null;
  }
  /* Responses of the words drawn to one unit, null where they are not here. */
  function column(unit) {
    const { payload, codes } = shown;
    return payload.w.id.map((_, place) => (place < payload.coded ? codes[place * payload.units + unit] * payload.scale[place] : null));
  }
  function focus() {
    const { payload, over } = shown;
    const { kind, id } = parse(over);
    if (kind === "word") return { side: "w", number: payload.w.cluster[id] };
    if (kind === "pin-w" || kind === "pin-u") return { side: kind.slice(4), number: id };
    if (kind === "unit") return { side: "u", number: payload.chips.findIndex((list) => list.includes(id)) };
    const pinned = said("cluster").match(/^([wu])(\d+)$/);
    return pinned && Number(pinned[2]) < payload.k ? { side: pinned[1], number: Number(pinned[2]) } : null;
  }

  function paintUnits(found) {
    const most = limit(), chosen = chosenUnit();
    for (const node of picture().querySelectorAll(".sq-unit")) {
      const unit = Number(node.dataset.sqUnit);
      const value = found ? found.row[unit] : 0;
      node.style.fill = value ? (value > 0 ? "var(--sq-raise)" : "var(--sq-lower)") : "var(--sq-chip)";
      node.style.fillOpacity = value ? (0.08 + 0.92 * Math.min(1, Math.abs(value) / most)).toFixed(3) : "1";
      node.setAttribute("aria-pressed", unit === chosen ? "true" : "false");
      const own = shown.payload.layer;
      const nav = { filter: unit === chosen ? null : String(unit) };
      // A unit is one of a layer: the address has to name it. What depends on the layer stays, as it is the same one.
      if (said("layer") !== own) Object.assign(nav, { layer: own, sdepth: said("sdepth"), cluster: said("cluster") });
      node.dataset.nav = JSON.stringify(nav);
    }
  }
  function paintWords() {
    const { over } = shown;
    const { kind, id } = parse(over);
    const unit = kind === "unit" ? id : kind === "" || kind === "word" ? chosenUnit() : -1;
    const values = unit >= 0 && unit < shown.payload.units ? column(unit) : null;
    const most = values ? Math.max(1e-12, ...values.map((value) => Math.abs(value || 0))) : 1;
    const chosen = chosenWords();
    for (const node of picture().querySelectorAll(".sq-word")) {
      const place = Number(node.dataset.place), word = Number(node.dataset.sqWord);
      const value = values ? values[place] : null;
      const strong = values && value !== null && Math.abs(value) >= NOTABLE * most;
      node.style.color = strong ? (value > 0 ? "var(--sq-raise-ink)" : "var(--sq-lower-ink)") : values ? "var(--ink-2)" : hue(groupOf(place).hue);
      node.classList.toggle("faint", Boolean(values) && !strong);
      node.setAttribute("aria-pressed", chosen.includes(word) ? "true" : "false");
      node.dataset.nav = JSON.stringify({ word: chosen.length === 1 && chosen[0] === word ? null : String(word) });
    }
    return values ? { unit: unit, values: values, most: most } : null;
  }
  function paintLinks() {
    const at = focus();
    const least = Number(look("slinks"));
    const near = { w: new Set(), u: new Set() };
    if (at) near[at.side].add(at.number);
    let count = 0, all = 0;
    for (const node of picture().querySelectorAll(".sq-link")) {
      const i = Number(node.dataset.i), j = Number(node.dataset.j), on = Number(node.dataset.share) >= least;
      const own = !at || (at.side === "w" ? i === at.number : j === at.number);
      node.style.display = on ? "" : "none";
      node.classList.toggle("faint", !own);
      all += 1;
      count += on ? 1 : 0;
      if (at && own && on) near[at.side === "w" ? "u" : "w"].add(at.side === "w" ? j : i);
    }
    for (const node of picture().querySelectorAll(".sq-box")) {
      const side = node.dataset.box[0], number = Number(node.dataset.box.slice(1));
      node.classList.toggle("faint", Boolean(at) && !near[side].has(number));
      node.classList.toggle("near", Boolean(at) && at.side === side && at.number === number);
    }
    for (const node of picture().querySelectorAll(".sq-pin")) {
      const pinned = node.dataset.sqPin === said("cluster");
      node.setAttribute("aria-pressed", pinned ? "true" : "false");
      node.dataset.nav = JSON.stringify({ cluster: pinned ? null : node.dataset.sqPin });
    }
    return [count, all];
  }

  /* --- what it says */
  function node(name, className, text, parent) {
    const found = document.createElement(name);
    if (className) found.className = className;
    if (text !== undefined) found.textContent = text;
    if (parent) parent.appendChild(found);
    return found;
  }
  function legendUnits(home, found) {
    const line = node("p", "sq-key", undefined, home);
    node("b", "", "Units ", line);
    if (!found) return node("span", "", "show how a word moves them: point at one, or choose one", line);
    const most = limit();
    node("span", "", "mean change of the state at " + found.of + " ", line);
    node("span", "sq-end", digits(-most), line);
    node("span", "sq-scale", "", line);
    node("span", "sq-end", digits(most), line);
    node("span", "quiet", ` or more; ${look("sclip")} % of all responses are smaller`, line);
  }
  function legendLinks(home, [count, all]) {
    const values = shown.payload.links.flat();
    const line = node("p", "sq-key", undefined, home);
    node("b", "", "Links ", line);
    node("span", "", "mean response of a cluster's units to a cluster's words ", line);
    for (const [kind, value] of [["raise", Math.max(0, ...values)], ["lower", Math.min(0, ...values)]]) {
      if (!value) continue;
      node("span", "sq-stroke " + kind, "", line);
      node("span", "", ` ${kind}s, ${digits(value)} at most; `, line);
    }
    node("span", "quiet", `${count} of ${all} are drawn`, line);
  }
  function legendWords(home, strong) {
    const { w, pictures } = shown.payload;
    const line = node("p", "sq-key", undefined, home);
    node("b", "", "Words ", line);
    const ends = [Math.min(...w.size), Math.max(...w.size)].map((value) => digits(value).slice(1));
    node("span", "", `size: ‖s‖, the length of the response, ${ends[0]} to ${ends[1]}; `, line);
    if (strong) {
      node("span", "", `colour: how they move unit ${strong.unit}, `, line);
      node("span", "sq-dot raise", "", line);
      node("span", "", " raise ", line);
      node("span", "sq-dot lower", "", line);
      node("span", "", ` lower, of ${digits(NOTABLE * strong.most).slice(1)} to ${digits(strong.most).slice(1)}`, line);
    } else colours(line);
    if (pictures) node("p", "quiet", pictureNote(pictures), home);
  }
  function colours(line) {
    const counts = new Map();
    shown.payload.w.id.forEach((_, place) => {
      const group = groupOf(place);
      const known = counts.get(group.name) || { hue: group.hue, count: 0 };
      counts.set(group.name, { hue: group.hue, count: known.count + 1 });
    });
    const titles = { class: "class that they go with (z of 1.96 or more)", label: "label of most sequences with it", pos: "part of speech, most frequent", cluster: "cluster" };
    node("span", "", "colour: " + titles[look("scolor")] + " ", line);
    const sorted = [...counts].sort((a, b) => (a[1].hue < 0) - (b[1].hue < 0) || a[1].hue - b[1].hue);
    for (const [name, group] of sorted.slice(0, MOST_KEYS)) {
      const pair = node("span", "sq-pair", "", line);
      node("span", "sq-dot", "", pair).style.background = hue(group.hue);
      node("span", "", ` ${name} (${group.count})`, pair);
      line.append(" ");
    }
    if (sorted.length > MOST_KEYS) node("span", "quiet", `and ${sorted.length - MOST_KEYS} more`, line);
  }
  function pictureNote(pictures) {
    const ends = pictures.channels.map((name, at) => `${name} ${pictures.ends[at].join(" to ").replace(/-/g, "−")}`);
    const more = pictures.left_out ? `; ${pictures.left_out} more channels are not drawn` : "";
    const what = pictures.form === "curve" ? "Curves, from top to bottom, each over its own range: " : "Bars, each over its channel's range: ";
    return what + ends.slice(0, 12).join(", ") + (ends.length > 12 ? ", …" : "") + more + ".";
  }
  function strongest(row) {
    let up = 0, down = 0;
    row.forEach((value, unit) => {
      if (value > row[up]) up = unit;
      if (value < row[down]) down = unit;
    });
    const parts = [];
    if (row[up] > 0) parts.push(`raises unit ${up} most (${digits(row[up])})`);
    if (row[down] < 0) parts.push(`lowers unit ${down} most (${digits(row[down])})`);
    return parts.join(", ");
  }
  /* One line on what is pointed at, has the focus or is chosen: hover is not the only way to it. */
  function tell(found) {
    const { payload, over } = shown;
    const { w } = payload;
    const { kind, id } = parse(over);
    if (kind === "word") {
      const lean = w.cls[id] < 0 ? "goes with no class clearly" : `goes with ${payload.classes[w.cls[id]]} (z ${digits(w.z[id])})`;
      const moves = rowOfWord(id) ? "; " + strongest(rowOfWord(id)) : "";
      return `${quoted(w.name[id])}, W${w.cluster[id]}: ${w.count[id].toLocaleString("en")} times in ${w.held[id].toLocaleString("en")} sequences; ${lean}${moves}.`;
    }
    if (kind === "unit") {
      const values = column(id).map((value, place) => [value || 0, place]).sort((a, b) => b[0] - a[0]);
      const list = (pairs) => pairs.map(([value, place]) => `${quoted(w.name[place])} ${digits(value)}`).join(", ");
      const up = values.filter(([value]) => value > 0).slice(0, 3), down = values.filter(([value]) => value < 0).slice(-3).reverse();
      return `Unit ${id}, U${focus().number}: ` + [up.length && "raised by " + list(up), down.length && "lowered by " + list(down)].filter(Boolean).join("; ") + ".";
    }
    if (kind === "pin-w") return `W${id}: ${api.words(payload.boxes[id].size)}; in the mean it ${strongest(rowOfBox(id)) || "moves nothing"}.`;
    if (kind === "pin-u") {
      const list = payload.chips[id];
      return `U${id}: ${api.units(list.length)}: ${list.slice(0, 24).join(", ")}${list.length > 24 ? ", …" : ""}.`;
    }
    if (found && shown.chosen && shown.chosen.ids.length) return `${found.of}: ${strongest(found.row)}.`;
    return "Point at a word, a unit or a cluster, or go through them with the arrow keys.";
  }
  api.paint = function () {
    const legend = document.getElementById("sq-clusters-legend"), told = document.getElementById("sq-clusters-told");
    if (!shown.payload || !picture() || !picture().firstChild || !legend) return;
    const found = shownRow();
    paintUnits(found);
    const strong = paintWords();
    const links = paintLinks();
    legend.replaceChildren();
    legendUnits(legend, found);
    legendLinks(legend, links);
    legendWords(legend, strong);
    const chosen = shown.chosen;
    const missing = chosen && chosen.missing.length ? ` Of the words chosen, the sample does not hold ${chosen.missing.join(", ")}.` : "";
    told.textContent = tell(found) + missing;
  };

  /* --- pointing and keys */
  const nameOf = (item) => (item.dataset.place !== undefined ? "word:" + item.dataset.place
    : item.dataset.sqUnit !== undefined ? "unit:" + item.dataset.sqUnit
    : "pin-" + item.dataset.sqPin[0] + ":" + item.dataset.sqPin.slice(1));
  let waiting = 0;
  function point(over) {
    if (shown.over === over || !shown.payload) return;
    shown.over = over;
    window.cancelAnimationFrame(waiting);
    waiting = window.requestAnimationFrame(api.paint);
  }
  const itemOf = (event) => (event.target.closest ? event.target.closest("#sq-clusters-picture .sq-item") : null);
  document.addEventListener("pointerover", (event) => {
    const item = itemOf(event);
    if (item) point(nameOf(item));
    else if (shown.over && !document.activeElement.closest(".sq-item")) point("");
    else if (shown.over) point(nameOf(document.activeElement.closest(".sq-item")));
  });
  document.addEventListener("focusin", (event) => {
    const item = itemOf(event);
    if (!item) return;
    reach(shown.items.indexOf(item), false);
    point(nameOf(item));
  });
  document.addEventListener("focusout", (event) => {
    if (itemOf(event)) point("");
  });
  function reach(at, focused) {
    const next = shown.items[at];
    if (!next) return;
    shown.items[shown.at].setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    shown.at = at;
    if (focused) next.focus();
  }
  function jump(item, by) {
    const heads = shown.items.flatMap((one, at) => (one.dataset.sqPin ? [at] : []));
    const here = shown.items.indexOf(item);
    return by > 0 ? heads.find((at) => at > here) : heads.filter((at) => at < here).pop();
  }
  document.addEventListener("keydown", (event) => {
    const item = itemOf(event);
    if (!item || event.metaKey || event.ctrlKey || event.altKey) return;
    const here = shown.items.indexOf(item);
    const to = { ArrowRight: here + 1, ArrowDown: here + 1, ArrowLeft: here - 1, ArrowUp: here - 1, Home: 0, End: shown.items.length - 1, PageDown: jump(item, 1), PageUp: jump(item, -1) };
    if (event.key === "Escape") {
      if (!said("cluster") && !said("word")) return;
      window.cutaway.navigate(said("cluster") ? { cluster: null } : { word: null });
    } else if (event.key in to) reach(to[event.key], true);
    else if (event.key === "Enter" || event.key === " ") item.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, shiftKey: event.shiftKey }));
    else return;
    event.preventDefault();
    event.stopPropagation();
  }, true);
  /* Shift adds a word to those chosen, or takes it out; a plain click is what data-nav says. */
  document.addEventListener("click", (event) => {
    const item = itemOf(event);
    if (!item || !event.shiftKey || item.dataset.sqWord === undefined) return;
    event.preventDefault();
    const word = Number(item.dataset.sqWord), now = chosenWords();
    if (!now.includes(word) && now.length >= MOST_WORDS) {
      document.getElementById("sq-clusters-told").textContent = `At most ${MOST_WORDS} words are compared: take one out first (Shift and click on it).`;
      return;
    }
    const list = now.includes(word) ? now.filter((one) => one !== word) : [...now, word];
    window.cutaway.navigate({ word: list.length ? list.join(",") : null });
  });
})();
