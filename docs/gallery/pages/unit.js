"use strict";
/* The page of a unit, and of two units side by side. */
(() => {
  const zf = (window.zf = window.zf || {});
  let shown = []; // the units that the page shows: one, or two

  /* What the sections of one unit need. side: "a" or "b". */
  zf.unitAt = (run, row, data, unit, query, side) => {
    const asked = /^\d+$/.test(query.at || "") ? Number(query.at) : 0;
    return { run, row, data, unit, query, side, rank: Math.max(0, Math.min(asked, data.top[unit].length - 1)) };
  };

  zf.sectionsOf = (at) =>
    [
      zf.nine(at),
      zf.closer(at),
      zf.responses(at),
      zf.lower(at),
      zf.evolution(at),
      zf.methods(at),
      zf.occlusion(at),
    ].filter(Boolean);

  const lists = () => zf.keep(zf.VIEW, zf.LIST);
  zf.heading = (at) => [zf.name(at.row.name), zf.el("span", { class: "sep" }, " unit "), String(at.unit)];

  /* Where the unit stands in the list that it was picked from; the whole layer where it is not in it. */
  zf.steps = ({ data, unit, query }) => {
    let units = zf.listOf(data, query);
    let at = units.indexOf(unit);
    if (at < 0) [units, at] = [zf.listOf(data, { sort: query.sort, desc: query.desc, b: query.b }), -1];
    if (at < 0) at = units.indexOf(unit);
    return { units, at };
  };

  zf.walk = (at) => {
    const { run, row, data, query } = at;
    const { units, at: now } = zf.steps(at);
    const sort = zf.sortOf(query, data);
    const [, name] = zf.SORTS.find(([each]) => each === sort);
    const turn = (by, text, key) => {
      const unit = units[now + by];
      if (unit === undefined) return zf.el("span", { class: "button off", "aria-hidden": "true" }, text);
      return zf.el(
        "a",
        {
          class: "button",
          href: zf.link([run.slug, row.slug, String(unit)], {
            ...lists(),
            ...zf.keep(["at", "moment", "method"]),
            b: zf.followed(query),
          }),
          "data-key": key,
          "aria-label": `${key} unit, ${unit}`,
        },
        text,
      );
    };
    return zf.el(
      "div",
      { class: "walk" },
      turn(-1, "←", "previous"),
      zf.el("span", { class: "where" }, `${zf.count(now + 1)} of ${zf.count(units.length)} by ${name}`),
      turn(1, "→", "next"),
    );
  };

  /* The microscope serves the gallery of its own run, which is the first, beside itself; elsewhere there is none. */
  function microscope({ run, row, unit }) {
    const served =
      /^(127\.0\.0\.1|localhost|\[::1\])$/.test(location.hostname) && location.pathname.startsWith("/gallery/");
    if (!served || run !== zf.gallery().runs[0]) return null;
    return zf.el(
      "a",
      { class: "button", href: `/${zf.link([row.slug, String(unit)])}`, "data-key": "try" },
      "try my own picture",
    );
  }

  function actions(at) {
    const { run, row, unit, data } = at;
    const others = zf.gallery().runs.filter((other) => Object.hasOwn(data.matches, other.slug));
    const pinned = zf.isPinned(run.slug, row.slug, unit);
    const strip = zf.strip(data.pictures, "u", unit);
    return zf.el(
      "div",
      { class: "actions" },
      zf.button(pinned ? "★ pinned" : "☆ pin", {
        "data-key": "pin",
        "aria-pressed": String(pinned),
        onclick: () => zf.pin(),
      }),
      zf.button("copy link", { "data-key": "copy", onclick: () => zf.copyLink() }),
      microscope(at),
      ...others.map((other) =>
        zf.el(
          "a",
          {
            class: "button",
            "data-key": `compare ${other.slug}`,
            href: zf.link([run.slug, row.slug, String(unit)], { ...lists(), b: other.slug }),
          },
          "compare with ",
          zf.name(other.name),
        ),
      ),
      zf.button("numbers (JSON)", { "data-key": "json", onclick: () => zf.saveUnit(at) }),
      data.top[unit].length > 0 &&
        zf.el("a", { class: "button", href: zf.url(strip), target: "_blank", rel: "noopener" }, "picture file"),
    );
  }

  /* All that the data say of one unit, as a file. */
  zf.saveUnit = ({ run, row, unit, data }) => {
    const of = (values) => Object.fromEntries(Object.entries(values).map(([name, each]) => [name, each[unit]]));
    const value = {
      run: run.name,
      layer: row.name,
      unit,
      data: zf.gallery().data.name,
      statistics: of(data.statistics),
      class: zf.className(data.class[unit]),
      columns: ["image", "row", "col", "value"],
      top: data.top[unit],
      lower: data.lower.map(({ name, units }) => ({ name, images: units[unit] })),
      nearest: data.nearest[unit],
      evolution: data.evolution && { moments: data.evolution.moments, values: data.evolution.values[unit] },
    };
    zf.save(`${row.slug}-${unit}.json`, `${JSON.stringify(value, null, 1)}\n`);
  };

  zf.save = (name, text) => {
    const href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    zf.el("a", { href, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(href), 10000);
  };

  zf.showUnit = (main, run, row, data, unit, query) => {
    const at = zf.unitAt(run, row, data, unit, query, "a");
    zf.showing(at);
    main.replaceChildren(
      zf.el("header", { class: "title" }, zf.el("h1", {}, ...zf.heading(at)), zf.walk(at), actions(at)),
      zf.el(
        "div",
        { class: "sections" },
        ...zf.sectionsOf(at),
        zf.nearest(at),
        ...zf.matches(at).filter(Boolean),
        zf.caption(at),
      ),
    );
    zf.readyNeighbours(at);
  };

  /* The strips of the neighbours in the list, read ahead when nothing else is to do: a step then shows them at once. */
  zf.readyNeighbours = (at) => {
    const { units, at: now } = zf.steps(at);
    const { data } = at;
    const letters = ["u", data.evolution && "e", data.methods && "m", data.occlusion && "o"].filter(Boolean);
    zf.idle(() => {
      if (shown[0] !== at) return;
      for (const unit of [units[now + 1], units[now - 1]]) {
        if (unit === undefined || zf.isDead(data, unit)) continue;
        for (const letter of letters) zf.image(zf.strip(data.pictures, letter, unit)).catch(() => {});
      }
    });
  };

  zf.shown = () => shown;
  zf.showing = (...units) => (shown = units);
})();
