/* A row for a moment: the instance that is pointed at in the projection, under the rows that stay, on their scale. */
(function () {
  "use strict";
  const api = window.cutawayMatrix, { shown, EMPTY, TOP } = api;
  const WAIT = 120, TALL = 16, KEPT = 60, HINT = "pointed at: none";
  const kept = new Map();
  let wanted = null, timer = 0;

  const home = () => shown.blocks.find((block) => block.guest && block.codes);
  function code(block, neuron, value) {
    if (!Number.isFinite(value)) return EMPTY;
    const [low, high] = shown.scale === "layer" ? block.info.ends : [block.low[neuron], block.high[neuron]];
    return Math.round(TOP * Math.min(1, Math.max(0, (value - low) / (high - low || 1))));
  }
  function paint(found) {
    const block = home();
    if (!block) return;
    const [label, canvas] = block.guest.children, ratio = Math.min(2, window.devicePixelRatio || 1);
    label.textContent = found ? found.title : HINT;
    label.title = label.textContent;
    label.classList.toggle("quiet", !found);
    canvas.width = Math.max(1, Math.round(block.width * ratio));
    canvas.height = TALL * ratio;
    if (!found) return;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const last = Math.min(block.columns, Math.ceil(block.x0 + block.width / block.cw));
    for (let column = Math.max(0, Math.floor(block.x0)); column < last; column++) {
      const one = api.neuron(block, column), colour = shown.colours[code(block, one, found.values[one])];
      pen.fillStyle = `rgb(${colour & 255},${(colour >> 8) & 255},${(colour >> 16) & 255})`;
      pen.fillRect((column - block.x0) * block.cw, 0, Math.max(1, block.cw - (block.cw >= 8 ? 1 : 0)), TALL);
    }
  }
  function floats(text) {
    const raw = Uint8Array.from(window.atob(text), (letter) => letter.charCodeAt(0));
    return new Float32Array(raw.buffer);
  }
  async function fetched(block, row) {
    const address = shown.payload.cell.replace("cell.json", "instance.json") + "&layer=" + encodeURIComponent(block.info.layer) + "&row=" + row;
    const key = address + block.info.key;
    if (!kept.has(key)) {
      const answer = await fetch(address);
      if (answer.status !== 200) return null;
      const told = await answer.json();
      kept.set(key, { title: told.title, values: floats(told.values) });
      if (kept.size > KEPT) kept.delete(kept.keys().next().value);
    }
    return kept.get(key);
  }
  document.addEventListener("cutaway-point", (event) => {
    const row = event.detail ? event.detail.row : null, block = home();
    wanted = row;
    window.clearTimeout(timer);
    if (!block) return;
    if (row === null) return paint(null);
    timer = window.setTimeout(async () => {
      try {
        const found = await fetched(block, row);
        if (wanted === row && found) paint(found);
      } catch (error) {
        /* The server is away: the rows that are there stay. */
      }
    }, WAIT);
  });
  api.guest = () => paint(null);
})();
