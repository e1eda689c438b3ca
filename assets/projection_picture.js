/* The menu's picture of the projection: points, lasso and rings on the panel's paper, with a line that says what it is. */
(function () {
  "use strict";
  const LINE = 20;

  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-picture='md-projection']")) return;
    const { byId } = window.cutawayProjection, layers = [byId("canvas"), byId("over")];
    if (!layers[0] || !layers[0].width) return;
    const ratio = window.devicePixelRatio || 1, made = document.createElement("canvas");
    const style = window.getComputedStyle(document.documentElement);
    const legend = [byId("subtitle").textContent, byId("legend").textContent];
    Object.assign(made, { width: layers[0].width, height: layers[0].height + legend.length * LINE * ratio });
    const to = made.getContext("2d");
    to.fillStyle = style.getPropertyValue("--panel");
    to.fillRect(0, 0, made.width, made.height);
    for (const layer of layers) to.drawImage(layer, 0, 0);
    to.fillStyle = style.getPropertyValue("--ink");
    to.font = 11 * ratio + "px system-ui, sans-serif";
    legend.forEach((text, line) => to.fillText(text, 8 * ratio, layers[0].height + (LINE * (line + 0.7)) * ratio, made.width - 16 * ratio));
    made.toBlob((blob) => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = "cutaway-projection.png";
      link.click();
      window.setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });
  });
})();
