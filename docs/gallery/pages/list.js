"use strict";
/* Which units of a layer are shown, and in which order: pure functions of the layer's data and the address. */
(() => {
  const zf = (window.zf = window.zf || {});

  /* Sorts, in the order of key s: name in the address, name on the page, and what it means. */
  zf.SORTS = [
    ["unit", "number", "the unit's number in its layer, from 0"],
    ["max", "largest activation", "the largest activation over all images"],
    ["mean", "mean activation", "the mean over all places of all images"],
    ["p99", "99th percentile", "the 99th percentile over images of the image's largest activation"],
    ["density", "density", "the share of places at which the unit responds"],
    ["share", "one class", "the share of the strongest images that are of one class"],
    ["match", "agreement", "the correlation with the best match in the other run"],
  ];

  zf.sortOf = (query, data) => {
    const found = zf.SORTS.find(([name]) => name === query.sort);
    if (!found || (found[0] === "match" && !zf.otherRun(query, data))) return "unit";
    return found[0];
  };

  /* The slug of the run that is compared with: the one of the address, else the first other one; "" where there is
     none. */
  zf.otherRun = (query, data) => {
    const slug = (query.b || "").split("/")[0];
    return Object.hasOwn(data.matches, slug) ? slug : Object.keys(data.matches)[0] || "";
  };

  zf.descends = (query, sort) => (query.desc ? query.desc === "1" : sort !== "unit");
  zf.isDead = (data, unit) => data.top[unit].length === 0;

  /* One number a unit, null of a unit that has none. */
  zf.statistic = (data, sort, query) => {
    if (sort === "unit") return data.top.map((found, unit) => unit);
    if (sort !== "match") return data.statistics[sort];
    return data.matches[zf.otherRun(query, data)].units.map((found) => (found.length ? found[0][1] : null));
  };

  /* "12, 40-60, dog": a test of units. Numbers and ranges name units; other words are looked for in the class names. */
  function matcher(text, data) {
    const tests = text
      .toLowerCase()
      .split(",")
      .map((word) => word.trim())
      .filter(Boolean)
      .map((word) => {
        const range = word.match(/^(\d+)(?:\s*[-–]\s*(\d+))?$/);
        if (!range) return (unit) => zf.className(data.class[unit]).toLowerCase().includes(word);
        const [low, high] = [Number(range[1]), Number(range[2] || range[1])];
        return (unit) => unit >= low && unit <= high;
      });
    return tests.length ? (unit) => tests.some((test) => test(unit)) : () => true;
  }

  /* "max:1.5..3" -> {sort, low, high} or null where there is no such statistic. */
  zf.rangeOf = (query, data) => {
    const found = (query.range || "").match(/^(\w+):(-?[\d.e+-]+?)\.\.(-?[\d.e+-]+)$/);
    if (!found || zf.sortOf({ ...query, sort: found[1] }, data) !== found[1]) return null;
    return { sort: found[1], low: Number(found[2]), high: Number(found[3]) };
  };

  /* A test of units: from `low` up to `high`, which is a part of the last bar alone, or a unit would be in two. */
  function within(data, query) {
    const range = zf.rangeOf(query, data);
    if (!range) return () => true;
    const values = zf.statistic(data, range.sort, query);
    const last = Math.max(...values.filter((value) => value !== null)) <= range.high;
    return (unit) => values[unit] !== null && values[unit] >= range.low && (values[unit] < range.high || last);
  }

  /* The units to show, in order. */
  zf.listOf = (data, query) => {
    const sort = zf.sortOf(query, data);
    const values = zf.statistic(data, sort, query);
    const named = matcher(query.q || "", data);
    const ranged = within(data, query);
    const label = query.class === undefined ? null : Number(query.class);
    const units = [];
    for (let unit = 0; unit < data.units; unit++) {
      if (query.show === "alive" && zf.isDead(data, unit)) continue;
      if (query.show === "dead" && !zf.isDead(data, unit)) continue;
      if (label !== null && data.class[unit] !== label) continue;
      if (ranged(unit) && named(unit)) units.push(unit);
    }
    const sign = zf.descends(query, sort) ? -1 : 1;
    const lacks = (unit) => values[unit] === null; // last, whatever the order
    units.sort((a, b) => lacks(a) - lacks(b) || sign * (values[a] - values[b]) || a - b);
    return units;
  };

  const BARS = 12; // wide enough for a finger

  /* Bars of a statistic over the units that have it: {edges, counts}, one edge more than counts. */
  zf.barsOf = (values) => {
    const there = values.filter((value) => value !== null);
    const [low, high] = there.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [0, 0]);
    const end = high > low ? high : low + 1;
    const edges = Array.from({ length: BARS + 1 }, (_, i) => (i === BARS ? end : low + ((end - low) * i) / BARS));
    const counts = new Array(BARS).fill(0);
    for (const value of there) counts[Math.max(0, edges.findLastIndex((edge, i) => i < BARS && edge <= value))]++;
    return { edges, counts };
  };
})();
