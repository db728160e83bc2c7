"use strict";
/* Two units side by side, of one run or of two: one selection for both. */
(() => {
  const zf = (window.zf = window.zf || {});

  /* A partner that is the best match follows the unit; one that was chosen by number stays. */
  zf.followed = (query) => (query.b && !query.b.includes("/") ? query.b : null);

  /* {run, row, unit, text} of what the unit is compared with, or {error}. */
  zf.partnerOf = (run, row, data, unit, text) => {
    const [slug, layer, number] = text.split("/");
    const other = zf.findRun(slug);
    if (!other) return { error: `There is no run “${slug}” in this gallery.` };
    if (layer === undefined) {
      const match = data.matches[slug];
      const found = match && match.units[unit][0];
      if (!found) return { error: `Unit ${unit} of ${row.name} has no match in ${other.name}.` };
      return { run: other, row: zf.findLayer(other, match.layer), unit: found[0] };
    }
    const found = zf.findLayer(other, layer);
    if (!found) return { error: `There is no layer “${layer}” in ${other.name}.` };
    if (!/^\d+$/.test(number || "") || Number(number) >= found.units)
      return { error: `There is no unit “${number}” in ${found.name} of ${other.name}: it has ${found.units}.` };
    return { run: other, row: found, unit: Number(number) };
  };

  function agreement(a, b) {
    const match = a.data.matches[b.run.slug];
    const found = match && match.layer === b.row.slug && match.units[a.unit].findIndex(([unit]) => unit === b.unit);
    if (found === false || found === undefined || found < 0) return "not among its best matches";
    return `${found ? `match ${found + 1}` : "best match"}, agreement ${zf.number(match.units[a.unit][found][1], 2)}`;
  }

  zf.showPair = (main, run, row, data, unit, query, partner, theirs) => {
    const a = zf.unitAt(run, row, data, unit, query, "a");
    const b = zf.unitAt(partner.run, partner.row, theirs, partner.unit, query, "b");
    zf.showing(a, b);
    const here = [run.slug, row.slug, String(unit)];
    const same = zf.findLayer(partner.run, row.slug);
    const column = (at) =>
      zf.el(
        "section",
        { class: "column", "aria-label": `${at.row.name} unit ${at.unit} of ${at.run.name}` },
        zf.el(
          "h2",
          { class: "head" },
          zf.el(
            "a",
            {
              href: zf.link([at.run.slug, at.row.slug, String(at.unit)], zf.keep(zf.VIEW, zf.LIST)),
              "data-key": `${at.side} alone`,
            },
            ...zf.heading(at),
          ),
          zf.el("small", {}, zf.name(at.run.name)),
        ),
        ...zf.sectionsOf(at),
      );
    main.replaceChildren(
      zf.el(
        "header",
        { class: "title" },
        zf.el("h1", {}, ...zf.heading(a), zf.el("span", { class: "sep" }, " and "), ...zf.heading(b)),
        zf.walk(a),
        zf.el(
          "div",
          { class: "actions" },
          zf.el("span", { class: "chip" }, agreement(a, b)),
          zf.el(
            "a",
            {
              class: "button",
              href: zf.link(here, { ...zf.keep(zf.VIEW, zf.LIST), b: partner.run.slug }),
              "data-key": "best",
            },
            "best match",
          ),
          same &&
            unit < same.units &&
            zf.el(
              "a",
              {
                class: "button",
                "data-key": "same",
                href: zf.link(here, { ...zf.keep(zf.VIEW, zf.LIST), b: `${partner.run.slug}/${row.slug}/${unit}` }),
              },
              "same number",
            ),
          zf.el("a", { class: "button", href: zf.link(here, zf.keep(zf.VIEW, zf.LIST)), "data-key": "close" }, "close"),
        ),
      ),
      zf.el("div", { class: "columns" }, column(a), column(b)),
      zf.el("div", { class: "sections" }, ...zf.matches(a).filter(Boolean), zf.caption(a)),
    );
    zf.readyNeighbours(a);
  };
})();
