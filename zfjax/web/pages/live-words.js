// Numbers and names as the page writes them.
(function () {
  "use strict";
  const zf = (window.zf = window.zf || {});
  const live = (zf.live = zf.live || {});

  const className = (index) => live.now.arch.classes[index] || `class ${index}`;

  function layerName(slug = live.state.layer) {
    const { layers } = live.now;
    return layers[slug] ? layers[slug].name : slug;
  }

  // Layers whose units are the classes: the last one, and those before it that it only pools or adds up.
  function ofClasses(shown, classes) {
    const other = shown.map((layer) => layer.units === classes.length).lastIndexOf(false);
    return new Set(classes.length ? shown.slice(other + 1).map((layer) => layer.slug) : []);
  }

  // A unit's number, with its class where the layer's units are the classes.
  const unitName = (slug, unit) => (live.now.named.has(slug) ? `${unit} ${className(unit)}` : String(unit));

  // What a pointer is over, or, over nothing, what the maps are.
  function readout(found) {
    const { maps } = live;
    if (!maps.now) return;
    const { height, width } = maps.now;
    const where = found && found.at && height * width > 1 ? `, row ${found.at[0]}, column ${found.at[1]}` : "";
    const most = found && !found.at ? " at most" : "";
    document.getElementById("readout").textContent = found
      ? `unit ${unitName(maps.now.layer, found.unit)}${where}: ${zf.number(found.value, 3)}${most}`
      : `Click ${height * width > 1 ? "a place in a map" : "a unit"} to project it; point at it to read its value.`;
  }

  Object.assign(live, { className, layerName, ofClasses, unitName, readout });
})();
