// The layers as tabs: one tab stop, arrows between them.
(function () {
  "use strict";
  const zf = (window.zf = window.zf || {});
  const live = (zf.live = zf.live || {});
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
    return zf.el(
      "button",
      {
        type: "button",
        id: `layer-${layer.slug}`,
        role: "tab",
        "aria-controls": "maps-panel",
        title: `${layer.kind}, ${zf.shape(layer.shape)}`,
        onclick: () => live.choose({ layer: layer.slug }),
      },
      layer.name,
    );
  }

  function mark() {
    for (const layer of layers) {
      const made = document.getElementById(`layer-${layer.slug}`);
      const chosen = layer.slug === live.state.layer;
      if (chosen && made.getAttribute("aria-selected") !== "true") {
        const bar = $("layers"); // not scrollIntoView: that would move the page as well
        const pitch = made.offsetHeight + 4;
        bar.scrollTop = made.offsetTop - bar.offsetTop - pitch - 3; // the row before stays in view
      }
      made.setAttribute("aria-selected", String(chosen));
      made.tabIndex = chosen ? 0 : -1;
    }
    const { shape, units, ...layer } = live.now.layers[live.state.layer];
    const maps =
      shape[0] * shape[1] > 1 ? `${zf.plural(units, "map")} of ${shape[0]} × ${shape[1]}` : zf.plural(units, "unit");
    $("layer-facts").textContent = `${layer.name}: ${maps}, each ${zf.field(layer)}`;
    $("maps-panel").setAttribute("aria-labelledby", `layer-${live.state.layer}`);
  }

  // The next or previous layer; past the ends one stays.
  function step(by) {
    const at = layers.findIndex((layer) => layer.slug === live.state.layer);
    live.choose({ layer: layers[Math.min(layers.length - 1, Math.max(0, at + by))].slug });
  }

  live.layers = { listen, mark, step };
})();
