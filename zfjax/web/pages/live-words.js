// Numbers and names as the page writes them.
(function () {
  "use strict";
  const live = ((window.zf = window.zf || {}).live = window.zf.live || {});

  // Three figures, without an exponent where one can read it so.
  function number(value) {
    if (value === 0 || !Number.isFinite(value)) return String(value);
    const size = Math.abs(value);
    if (size >= 1e6 || size < 1e-3) return value.toExponential(1);
    return size >= 100 ? value.toFixed(0) : value.toPrecision(3);
  }

  const className = (index) => live.now.arch.classes[index] || `class ${index}`;

  // A unit's number, with its class where the layer's units are the classes.
  function unitName(slug, unit) {
    const { arch, layers, shown } = live.now;
    const last = shown[shown.length - 1].slug === slug && layers[slug].units === arch.classes.length;
    return last ? `${unit} ${className(unit)}` : String(unit);
  }

  // What a pointer is over, or, over nothing, what the maps are.
  function readout(found) {
    const { maps } = live;
    if (!maps.now) return;
    const { channels, height, width } = maps.now;
    const where = found && found.at && height * width > 1 ? `, row ${found.at[0]}, column ${found.at[1]}` : "";
    const shape = height * width > 1 ? `${channels} maps of ${height} x ${width} places` : `${channels} units`;
    document.getElementById("readout").textContent = found
      ? `unit ${unitName(maps.now.layer, found.unit)}${where}: ${number(found.value)}${found.at ? "" : " at most"}`
      : `${shape}; point at one to read its values`;
  }

  Object.assign(live, { number, className, unitName, readout });
})();
