// The layers as tabs: one tab stop, arrows between them.
(function () {
  "use strict";
  const live = ((window.zf = window.zf || {}).live = window.zf.live || {});
  const $ = (id) => document.getElementById(id);
  let layers = []; // those that can be looked at

  function listen(shown) {
    layers = shown;
    $("layers").replaceChildren(...layers.map(tab));
    $("layers").addEventListener("keydown", (event) => {
      const steps = { ArrowRight: 1, ArrowLeft: -1, Home: -layers.length, End: layers.length }[event.key];
      if (!steps || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      event.stopPropagation();
      step(steps);
      document.getElementById(`layer-${live.state.layer}`).focus();
    });
  }

  function tab(layer) {
    const made = document.createElement("button");
    made.type = "button";
    made.id = `layer-${layer.slug}`;
    made.setAttribute("role", "tab");
    made.setAttribute("aria-controls", "maps-panel");
    made.textContent = layer.name;
    made.title = `${layer.kind}, ${layer.units} units, ${layer.shape[0]} x ${layer.shape[1]} places`;
    made.addEventListener("click", () => live.choose({ layer: layer.slug }));
    return made;
  }

  function mark() {
    for (const layer of layers) {
      const made = document.getElementById(`layer-${layer.slug}`);
      const chosen = layer.slug === live.state.layer;
      if (chosen && made.getAttribute("aria-selected") !== "true") {
        const bar = $("layers"); // not scrollIntoView: that would move the page as well
        const middle = made.offsetLeft - bar.offsetLeft + made.offsetWidth / 2;
        bar.scrollLeft = middle - bar.clientWidth / 2;
      }
      made.setAttribute("aria-selected", String(chosen));
      made.tabIndex = chosen ? 0 : -1;
    }
    $("maps-panel").setAttribute("aria-labelledby", `layer-${live.state.layer}`);
  }

  // The next or previous layer; past the ends one stays.
  function step(by) {
    const at = layers.findIndex((layer) => layer.slug === live.state.layer);
    live.choose({ layer: layers[Math.min(layers.length - 1, Math.max(0, at + by))].slug });
  }

  live.layers = { listen, mark, step };
})();
