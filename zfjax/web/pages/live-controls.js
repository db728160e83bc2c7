// Buttons, lists and sliders: what they show is the state, what they change is the state.
(function () {
  "use strict";
  const zf = (window.zf = window.zf || {});
  const live = (zf.live = zf.live || {});
  const { state } = live;
  const $ = (id) => document.getElementById(id);

  const REDRAWS = {
    sort: () => live.maps.sort(),
    range: () => live.maps.draw(),
    zoom: () => live.maps.layout(),
    opacity: () => live.picture.draw(),
    sharp: () => live.picture.draw(),
  };

  // Changes what is drawn from what is here already; methods and overlaps go by live.choose.
  function set(name, value) {
    state[name] = value;
    if (REDRAWS[name]) REDRAWS[name]();
    show();
    live.address.write();
  }

  function options(id, names) {
    $(id).replaceChildren(...names.map((name) => zf.el("option", { value: name }, name)));
  }

  function fill(arch) {
    $("network").textContent = arch.text;
    $("rule").textContent = arch.rule;
    document.title = `${arch.run}: live microscope`;
    options(
      "method",
      arch.methods.map((method) => method.name),
    );
    options("overlap", arch.overlaps);
  }

  function show() {
    const { arch } = live.now;
    if (!arch) return;
    for (const name of ["method", "overlap", "sort", "range", "zoom", "opacity"]) $(name).value = String(state[name]);
    $("sharp").checked = state.sharp;
    $("method-text").textContent = arch.methods.find((method) => method.name === state.method).text;
    $("overlap-field").hidden = state.method !== "deconvnet";
    $("origin").setAttribute("aria-pressed", String(state.origin !== null));
    $("strongest").setAttribute("aria-pressed", String(state.at === null));
    if (document.activeElement !== $("sample")) $("sample").value = state.sample ?? "";
    if (document.activeElement !== $("unit")) $("unit").value = state.unit ?? "";
    live.lens.styles();
  }

  // A number, or the beginning of a class's name where the units are classes.
  function find(text) {
    const wanted = text.trim().toLowerCase();
    const { units } = live.now.layers[state.layer];
    const number = /^\d+$/.test(wanted) ? Number(wanted) : -1;
    if (number >= 0 && number < units) return number;
    const names = Array.from({ length: units }, (_, unit) => live.unitName(state.layer, unit).toLowerCase());
    return names.findIndex((name) => wanted && name.replace(/^\d+ /, "").startsWith(wanted));
  }

  function seek(text) {
    const unit = find(text);
    const { units } = live.now.layers[state.layer];
    if (unit >= 0) go(unit);
    else live.notice.say(`${live.layerName()} has units 0 to ${units - 1}; "${text}" is none of them.`);
  }

  // Chooses a unit at its strongest place, and brings it into view.
  function go(unit) {
    live.choose({ unit, at: null });
    live.maps.reveal(unit);
    live.maps.draw();
  }

  function origin() {
    if (!live.settled()) return;
    const { layer, unit } = state;
    live.choose({ origin: state.origin ? null : { layer, unit, at: live.place() } });
  }

  // The next of a control's options, from the last on to the first.
  function cycle(id, by) {
    const values = [...$(id).options].map((option) => option.value);
    const next = values[(values.indexOf(String(state[id])) + by + values.length) % values.length];
    if (id === "method" || id === "overlap") live.choose({ [id]: next });
    else set(id, id === "zoom" ? Number(next) : next);
  }

  function listen() {
    for (const id of ["method", "overlap"]) $(id).addEventListener("change", () => live.choose({ [id]: $(id).value }));
    for (const id of ["sort", "range"]) $(id).addEventListener("change", () => set(id, $(id).value));
    $("zoom").addEventListener("change", () => set("zoom", Number($("zoom").value)));
    $("opacity").addEventListener("input", () => set("opacity", Number($("opacity").value)));
    $("sharp").addEventListener("change", () => set("sharp", $("sharp").checked));
    $("unit").addEventListener("change", () => $("unit").value && seek($("unit").value));
    $("origin").addEventListener("click", origin);
    $("strongest").addEventListener("click", () => live.choose({ at: state.at ? null : live.place() }));
    $("notice-close").addEventListener("click", live.notice.clear);
  }

  live.controls = { listen, fill, show, set, go, origin, cycle };
})();
