"use strict";
/* The search box: "conv5 12" and "12" go to a unit, anything else filters the grid of a layer by number or class. */
(() => {
  const zf = (window.zf = window.zf || {});

  /* {parts, words} of the layer or unit that a text names, or null. run, row: where the reader is. */
  function find(text, run, row) {
    const typed = text.trim().toLowerCase();
    if (row && /^\d+$/.test(typed)) return unitOf(run, row, typed);
    const layers = zf.shownLayers(run).sort((a, b) => b.name.length - a.name.length);
    for (const layer of layers) {
      for (const name of [layer.name.toLowerCase(), layer.slug.toLowerCase()]) {
        if (!typed.startsWith(name)) continue;
        const rest = typed.slice(name.length).match(/^[\s/.:#]*(\d*)$/);
        if (!rest) continue;
        return rest[1]
          ? unitOf(run, layer, rest[1])
          : { parts: [run.slug, layer.slug], words: `all units of ${layer.name}` };
      }
    }
    return null;
  }

  function unitOf(run, row, number) {
    if (Number(number) >= row.units) return { words: `${row.name} has units 0 to ${row.units - 1}` };
    return { parts: [run.slug, row.slug, String(Number(number))], words: `unit ${Number(number)} of ${row.name}` };
  }

  function here() {
    const { parts } = zf.route;
    const run = zf.findRun(parts[0]) || zf.gallery().runs[0];
    return { run, row: parts[1] === undefined ? undefined : zf.findLayer(run, parts[1]), onGrid: parts.length === 2 };
  }

  const hint = (text) => (document.getElementById("hint").textContent = text);

  function typed(event) {
    const text = event.target.value;
    const { run, row, onGrid } = here();
    const found = text.trim() && find(text, run, row);
    if (found) hint(found.parts ? `Enter: ${found.words}` : found.words);
    else if (!text.trim()) hint("");
    else if (row) hint(onGrid ? "filters the grid" : `Enter: units of ${row.name} with “${text.trim()}”`);
    else hint("a layer's name, then a unit's number");
    const names = found && found.parts && !/^\s*\d+\s*$/.test(text);
    if (row && onGrid) zf.change({ q: names ? null : text, unit: null }, { replace: true, soon: true });
  }

  function entered(event) {
    event.preventDefault();
    const box = document.getElementById("q");
    const { run, row } = here();
    const found = find(box.value, run, row);
    if (!found && !row) return;
    if (found && !found.parts) return;
    const query = zf.keep(zf.VIEW, ["sort", "desc", "b"]);
    box.blur();
    document.getElementById("main").focus({ preventScroll: true });
    if (found) zf.go(found.parts, query);
    else zf.go([run.slug, row.slug], { ...query, q: box.value.trim() });
  }

  /* What the box says after the page has changed: the filter of a grid, else nothing. */
  zf.fillSearch = () => {
    const box = document.getElementById("q");
    const layers = zf.shownLayers(here().run);
    box.placeholder = layers.length ? `${layers[layers.length - 1].name} 12 or a class` : "a class";
    if (document.activeElement === box) return;
    box.value = zf.route.parts.length === 2 ? zf.route.query.q || "" : "";
    hint("");
  };

  zf.listenToSearch = () => {
    document.getElementById("q").addEventListener("input", typed);
    document.getElementById("search").addEventListener("submit", entered);
  };
})();
