"use strict";
/* Units that respond to the same images: in the same layer, and in the other runs. */
(() => {
  const zf = (window.zf = window.zf || {});

  /* A link to a unit with its cover; the cover comes when the data of its layer have. */
  zf.unitCard = (run, row, unit, words, query, key) => {
    const frame = zf.el("span", { class: "picture projection" });
    const draw = (data) => {
      if (unit >= data.units) return;
      const kind = zf.coverKind(zf.route.query);
      const label = `${kind} of ${row.name} unit ${unit}`;
      frame.replaceWith(
        zf.cell(zf.coverOf(data, unit, kind), {
          label,
          projection: kind === "projection",
          sharp: zf.isSharp(data, zf.route.query),
        }),
      );
    };
    const held = zf.layerData(run, row);
    const card = zf.el(
      "a",
      { class: "card", href: zf.link([run.slug, row.slug, String(unit)], query), "data-key": key },
      frame,
      zf.el("b", {}, String(unit)),
      zf.el("span", {}, words),
    );
    if (held) draw(held);
    else zf.needLayer(run, row).then(draw, (error) => zf.warn(error.message));
    return card;
  };

  zf.nearest = ({ run, row, data, unit, side }) => {
    const found = data.nearest[unit];
    if (!found.length || zf.isDead(data, unit)) return null;
    const cards = found.map(([other, value], i) =>
      zf.unitCard(run, row, other, zf.number(value, 2), zf.keep(zf.VIEW, zf.LIST), `${side} near ${i}`),
    );
    return zf.el(
      "section",
      {},
      zf.el("h2", {}, "Units like it"),
      zf.el("div", { class: "cards" }, ...cards),
      zf.el(
        "p",
        { class: "note" },
        "Units of this layer that respond to the same images; the number is the correlation.",
      ),
    );
  };

  /* One section for each other run, with links that show both side by side. */
  zf.matches = ({ run, row, data, unit, side }) =>
    Object.entries(data.matches).map(([slug, match]) => {
      const other = zf.findRun(slug);
      const layer = other && zf.findLayer(other, match.layer);
      if (!layer || !match.units[unit].length || zf.isDead(data, unit)) return null;
      const here = [run.slug, row.slug, String(unit)];
      const cards = match.units[unit].map(([number, value], i) => {
        const card = zf.unitCard(
          other,
          layer,
          number,
          zf.number(value, 2),
          zf.keep(zf.VIEW, zf.LIST),
          `${side} match ${slug} ${i}`,
        );
        card.href = zf.link(here, { ...zf.keep(zf.VIEW, zf.LIST), b: `${slug}/${layer.slug}/${number}` });
        return card;
      });
      return zf.el(
        "section",
        {},
        zf.el("h2", {}, "Its match in ", zf.name(other.name)),
        zf.el("div", { class: "cards" }, ...cards),
        zf.el(
          "p",
          { class: "note" },
          "Units of ",
          zf.name(layer.name),
          " there that respond to the same images. Open one to see both side by side.",
        ),
      );
    });
})();
