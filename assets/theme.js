/* Light, dark or the system's: chosen once, remembered by the browser, applied without a round trip. */
(function () {
  "use strict";
  const ns = (window.dash_clientside = window.dash_clientside || {});
  const ORDER = ["auto", "light", "dark"];
  const system = window.matchMedia("(prefers-color-scheme: dark)");

  function resolve(choice) {
    if (choice === "light" || choice === "dark") return choice;
    return system.matches ? "dark" : "light";
  }

  ns.theme = {
    apply(choice) {
      const scheme = resolve(choice);
      document.documentElement.setAttribute("data-theme", scheme);
      const button = document.getElementById("theme-button");
      if (button) {
        const name = { auto: "system", light: "light", dark: "dark" }[choice || "auto"];
        button.title = "Theme: " + name + " (t)";
        button.setAttribute("aria-label", "Theme: " + name);
      }
      return [scheme, scheme];
    },
    next(clicks, choice) {
      if (!clicks) return window.dash_clientside.no_update;
      return ORDER[(ORDER.indexOf(choice || "auto") + 1) % ORDER.length];
    },
  };

  system.addEventListener("change", () => {
    const stored = JSON.parse(window.localStorage.getItem("theme-choice") || "null");
    window.dash_clientside.set_props("scheme", { data: resolve(stored) });
    window.dash_clientside.set_props("mantine", { forceColorScheme: resolve(stored) });
    document.documentElement.setAttribute("data-theme", resolve(stored));
  });
})();
