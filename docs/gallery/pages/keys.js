"use strict";
/* The keyboard: single letters, never with Ctrl or Alt, and none while a reader types. */
(() => {
  const zf = (window.zf = window.zf || {});
  const ARROWS = {
    i: "ArrowUp",
    j: "ArrowLeft",
    k: "ArrowDown",
    l: "ArrowRight",
    I: "ArrowUp",
    J: "ArrowLeft",
    K: "ArrowDown",
    L: "ArrowRight",
  };

  zf.KEYS = [
    ["arrows, i j k l", "move among boxes, units, images; with Shift by five"],
    ["Home End PgUp PgDn", "ends of the row, a screen; with Ctrl ends of the grid"],
    ["Enter", "open"],
    ["Esc, Backspace", "up one level"],
    ["n p", "next, previous unit of the list; beside the images also → ←"],
    ["u o", "previous, next layer"],
    ["g r", "next unit that is not dead, a random unit"],
    ["/", "search"],
    ["s S", "next sort, turn the order round"],
    ["v", "covers: projection or patch"],
    ["z", "larger pictures"],
    ["x", "pixels as squares or smooth"],
    ["t T", "more, less contrast of projections"],
    ["b", "next method"],
    ["e, Space", "next moment of training, play"],
    ["c", "compare with the other run, or stop"],
    ["m", "go to the match in the other run"],
    ["f", "pin"],
    ["y", "copy link"],
    ["h ?", "these keys"],
  ];

  /* ---- where the reader is ---- */
  const onUnit = () => zf.route.parts.length === 3 && zf.shown().length > 0;
  const onLayer = () => zf.route.parts.length === 2 && zf.route.parts[0] !== "pins";

  function layerHere() {
    const run = zf.findRun(zf.route.parts[0]);
    const row = run && zf.findLayer(run, zf.route.parts[1]);
    return row ? { run, row, data: zf.layerData(run, row) } : null;
  }

  function unitHere() {
    if (onUnit()) return zf.shown()[0].unit;
    const cell = document.activeElement.closest("[data-unit]");
    return cell ? Number(cell.dataset.unit) : null;
  }

  const toUnit = (run, row, unit, more) =>
    zf.go(
      [run.slug, row.slug, String(unit)],
      { ...zf.keep(zf.VIEW, zf.LIST, ["at", "moment", "method"]), b: zf.followed(zf.route.query), ...more },
      { soon: true },
    );

  /* ---- what keys do ---- */
  function up() {
    const { parts, query } = zf.route;
    if (parts[0] === "pins") return zf.go([], zf.keep(zf.VIEW));
    if (query.b && parts.length === 3) return zf.change({ b: null });
    if (parts.length === 3) return zf.go(parts.slice(0, 2), { ...zf.keep(zf.VIEW, zf.LIST), unit: parts[2] });
    if (parts.length === 2) {
      zf.go(parts.slice(0, 1), zf.keep(zf.VIEW));
      const box = document.querySelector(`[data-key="box ${CSS.escape(parts[1])}"]`);
      if (box) box.focus();
    }
    return null;
  }

  function step(by) {
    if (!onUnit()) return;
    const [at] = zf.shown();
    const { units, at: now } = zf.steps(at);
    if (units[now + by] === undefined)
      zf.say(by > 0 ? "This is the last unit of the list" : "This is the first unit of the list");
    else toUnit(at.run, at.row, units[now + by]);
  }

  function layer(by) {
    const here = layerHere();
    if (!here) return;
    const rows = zf.shownLayers(here.run);
    const next = rows[rows.indexOf(here.row) + by];
    if (!next) return zf.say(by > 0 ? "This is the last layer" : "This is the first layer");
    const unit = unitHere();
    const kept = unit === null ? null : Math.min(unit, next.units - 1);
    const query = zf.keep(zf.VIEW, ["sort", "desc", "b"]);
    if (zf.route.parts.length === 3)
      zf.go([here.run.slug, next.slug, String(kept)], { ...query, b: zf.followed(query) });
    else zf.go([here.run.slug, next.slug], { ...query, unit: kept });
    return null;
  }

  function anyUnit(choose) {
    const here = layerHere();
    if (!here || !here.data) return;
    const units = zf.listOf(here.data, zf.route.query).filter((unit) => !zf.isDead(here.data, unit));
    if (units.length) toUnit(here.run, here.row, choose(units, here.data));
  }

  const random = (units) => units[Math.floor(Math.random() * units.length)];
  function nextAlive(units, data) {
    const all = zf.listOf(data, zf.route.query);
    const after = all.slice(all.indexOf(unitHere()) + 1).find((unit) => !zf.isDead(data, unit));
    return after === undefined ? units[0] : after;
  }

  function sort() {
    const here = layerHere();
    if (!here || !here.data) return;
    const { query } = zf.route;
    const names = zf.SORTS.map(([name]) => name).filter((name) => name !== "match" || zf.otherRun(query, here.data));
    const next = names[(names.indexOf(zf.sortOf(query, here.data)) + 1) % names.length];
    zf.change({ sort: next === "unit" ? null : next, desc: null });
    zf.say(`Sorted by ${zf.SORTS.find(([name]) => name === next)[1]}`);
  }

  function turnOver(key, field, now) {
    if (!onUnit()) return;
    const [at] = zf.shown();
    if (at.data[key])
      zf.change(
        { [field]: (now(at.data, at.query) + 1) % (at.data[key].moments || at.data[key]).length },
        { replace: true, soon: true },
      );
  }

  function otherRun() {
    const here = layerHere();
    return here && here.data ? Object.keys(here.data.matches)[0] : undefined;
  }

  function compare() {
    const other = otherRun();
    if (!other) return zf.say("There is no other run to compare with");
    return zf.change({ b: zf.route.query.b ? null : other });
  }

  function match() {
    const unit = unitHere();
    const other = otherRun();
    if (unit === null || !other) return zf.say(other ? "Choose a unit first" : "There is no other run to compare with");
    const { run, row, data } = layerHere();
    const partner = zf.partnerOf(run, row, data, unit, zf.route.query.b || other);
    if (partner.error) return zf.say(partner.error);
    return zf.go([partner.run.slug, partner.row.slug, String(partner.unit)], zf.keep(zf.VIEW, zf.LIST));
  }

  function contrast(by) {
    const now = zf.GAINS.indexOf(zf.gainOf(zf.route.query));
    const next = Math.max(0, Math.min(zf.GAINS.length - 1, now + by));
    zf.change({ gain: next || null }, { replace: true });
    zf.say(`Contrast of projections × ${zf.GAINS[next]}`);
  }

  function sharp() {
    const here = layerHere();
    if (here && here.data) zf.change({ x: zf.isSharp(here.data, zf.route.query) ? "0" : "1" }, { replace: true });
  }

  let playing = null;
  zf.play = () => {
    if (playing) playing = clearInterval(playing);
    else if (onUnit() && zf.shown()[0].data.evolution)
      playing = setInterval(() => (onUnit() ? moment() : zf.play()), 700);
  };
  const moment = () => turnOver("evolution", "moment", zf.momentOf);

  const DOES = {
    Escape: up,
    Backspace: up,
    n: () => step(1),
    p: () => step(-1),
    u: () => layer(-1),
    o: () => layer(1),
    g: () => anyUnit(nextAlive),
    r: () => anyUnit(random),
    "/": () => document.getElementById("q").focus(),
    s: sort,
    S: () => onLayer() && zf.turnSort(),
    b: () => turnOver("methods", "method", zf.methodOf),
    v: () => zf.change({ cover: zf.coverKind(zf.route.query) === "patch" ? null : "patch" }, { replace: true }),
    z: () => zf.resize((zf.sizeOf(zf.route.query) + 1) % zf.SIZES.length),
    x: sharp,
    t: () => contrast(1),
    T: () => contrast(-1),
    e: moment,
    " ": () => zf.play(),
    c: compare,
    m: match,
    f: () => zf.pin(),
    y: () => zf.copyLink(),
    h: () => zf.help(),
    "?": () => zf.help(),
  };

  function arrow(event, key) {
    const inside = zf.roves().find((rove) => rove.items().includes(document.activeElement));
    if (inside) return inside.move(key, event.shiftKey, event.ctrlKey);
    if (onUnit()) return (key === "ArrowLeft" || key === "ArrowRight") && (step(key === "ArrowLeft" ? -1 : 1), true);
    const first = zf.roves().find((rove) => rove.main);
    if (!first || !key.startsWith("Arrow")) return false;
    first.focus(first.at);
    return true;
  }

  function pressed(event) {
    const { key, target } = event;
    if (event.altKey || event.metaKey || event.defaultPrevented || document.querySelector("dialog[open]")) return;
    if (target.matches("input[type=search]")) {
      if (key === "Escape") document.getElementById("main").focus();
      return;
    }
    if (target.matches("input[type=range]") && /^(Arrow|Home|End|Page)/.test(key)) return;
    if (target.matches("select, textarea, input[type=text]") && key !== "Escape") return;
    const letter = key.length === 1 && key !== " ";
    if (letter && !zf.lettersOn()) return;
    const move = ARROWS[key] || key;
    if (/^(Arrow|Home|End|Page)/.test(move)) {
      if (event.ctrlKey && !/^(Home|End)$/.test(move)) return;
      if (arrow(event, move)) event.preventDefault();
      return;
    }
    if (event.ctrlKey || !(key in DOES)) return;
    if (key === " " && (target.closest("a, button, input, select") || !onUnit())) return;
    event.preventDefault();
    DOES[key]();
  }

  zf.listenToKeys = () => document.addEventListener("keydown", pressed);
})();
