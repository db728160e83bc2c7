// What the page shows, all but the picture, and its form in the address: #/conv5/123?at=4,7&method=guided
(function () {
  "use strict";
  const live = ((window.zf = window.zf || {}).live = window.zf.live || {});
  const DEFAULTS = {
    layer: "", // slug
    unit: null, // null: the strongest one of the picture
    at: null, // [row, col]; null: wherever the unit is strongest, picture by picture
    method: "deconvnet",
    overlap: "sum",
    sort: "strength",
    range: "own",
    zoom: 1,
    opacity: 70,
    sharp: true,
    contrast: 0,
    origin: null, // {layer, unit, at}: what the projection stays with while the cursor walks on
    sample: null, // number of the data set's picture; null: the user's own
  };
  const WAIT_MS = 300; // Chromium counts changes of the address, and stops at 200 in half a minute
  const state = { ...DEFAULTS };
  let timer = 0;
  let written = null;

  const whole = (text) => (/^\d{1,7}$/.test(text || "") ? Number(text) : null);

  function pair(text) {
    const [row, col] = (text || "").split(",").map(whole);
    return row === null || col === null || col === undefined ? null : [row, col];
  }

  function choice(text, allowed, otherwise) {
    return allowed.includes(text) ? text : otherwise;
  }

  function origin(text) {
    const parts = (text || "").split("~");
    const unit = whole(parts[1]);
    const at = pair(parts[2]);
    return unit === null || !at ? null : { layer: parts[0], unit, at };
  }

  function decode(text) {
    try {
      return decodeURIComponent(text);
    } catch (error) {
      return text; // a lone % sign: no name of ours, said below
    }
  }

  // The state that an address holds; whatever is missing or not understood takes its default.
  function parse(hash) {
    const [path, query] = hash.replace(/^#\/?/, "").split("?");
    const [layer, unit] = path.split("/").map(decode);
    const given = new URLSearchParams(query || "");
    const number = (name, most) => Math.min(most, whole(given.get(name)) ?? DEFAULTS[name]);
    return {
      layer: layer || "",
      unit: whole(unit),
      at: pair(given.get("at")),
      method: given.get("method") || DEFAULTS.method,
      overlap: choice(given.get("overlap"), ["sum", "max", "last"], DEFAULTS.overlap),
      sort: choice(given.get("sort"), ["strength", "number"], DEFAULTS.sort),
      range: choice(given.get("range"), ["own", "layer"], DEFAULTS.range),
      zoom: number("zoom", 2),
      opacity: number("opacity", 100),
      sharp: given.has("sharp") ? given.get("sharp") !== "0" : DEFAULTS.sharp,
      contrast: number("contrast", 6),
      origin: origin(given.get("origin")),
      sample: whole(given.get("sample")),
    };
  }

  function format(from) {
    const query = new URLSearchParams();
    for (const name of ["method", "overlap", "sort", "range", "zoom", "opacity", "contrast"])
      if (from[name] !== DEFAULTS[name]) query.set(name, from[name]);
    if (from.sharp !== DEFAULTS.sharp) query.set("sharp", from.sharp ? "1" : "0");
    if (from.at) query.set("at", from.at.join(","));
    if (from.origin) query.set("origin", [from.origin.layer, from.origin.unit, from.origin.at.join(",")].join("~"));
    if (from.sample !== null) query.set("sample", from.sample);
    const unit = from.unit === null ? "" : `/${from.unit}`;
    const text = query.toString().replace(/%2C/g, ",").replace(/%7E/g, "~");
    return `#/${encodeURIComponent(from.layer)}${unit}${text ? `?${text}` : ""}`;
  }

  // Another layer or unit is a step of the history; all else changes the step that one is at.
  function write() {
    window.clearTimeout(timer);
    timer = window.setTimeout(() => {
      const next = format(state);
      if (next === window.location.hash) return;
      const step = written && (written.layer !== state.layer || written.unit !== state.unit);
      window.history[step ? "pushState" : "replaceState"](null, "", next);
      written = { ...state };
    }, WAIT_MS);
  }

  function read() {
    Object.assign(state, parse(window.location.hash));
    written = { ...state };
    return state;
  }

  // What is usual depends on the network.
  const suit = (usual) => Object.assign(DEFAULTS, usual);

  live.state = state;
  live.address = { suit, parse, format, read, write, link: () => window.location.href.split("#")[0] + format(state) };
})();
