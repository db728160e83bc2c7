"use strict";
/* A unit's nine strongest images: patch above projection, and one of the nine looked at closely. */
(() => {
  const zf = (window.zf = window.zf || {});
  const ORDER = ["strongest", "2nd", "3rd", "4th", "5th", "6th", "7th", "8th", "9th"];

  /* Sources of the two pictures of a column of a unit's strip: {patch, projection}, each {file, box}. */
  zf.pairOf = (data, letter, unit, column, image) => {
    const file = zf.strip(data.pictures, letter, unit);
    const cell = (row) => ({ file, box: zf.box(data.pictures, column, row) });
    if (data.pictures.patches) return { patch: cell(0), projection: cell(1) };
    return { patch: zf.thumbnailOf(image), projection: cell(0) };
  };

  /* "row 4, column 7", or nothing for units without a place. */
  zf.placeOf = (row, data, found) => (row.shape[0] * row.shape[1] > 1 ? `row ${found[1]}, column ${found[2]}` : "");

  /* The two pictures of one activation, [patch, projection]. */
  zf.pictures = (at, letter, column, found) => {
    const { data, row, unit, query } = at;
    const pair = zf.pairOf(data, letter, unit, column, found[0]);
    const words = `${row.name} unit ${unit}, ${zf.number(found[3])}, ${zf.className(zf.sourceOf(found[0]).label)}`;
    const sharp = zf.isSharp(data, query);
    return [
      zf.cell(pair.patch, { label: `patch: ${words}`, sharp }),
      zf.cell(pair.projection, { label: `projection: ${words}`, projection: true, sharp }),
    ];
  };

  function one(at, found, rank) {
    const source = zf.sourceOf(found[0]);
    const button = zf.button("", {
      class: "one",
      "data-key": `${at.side} rank ${rank}`,
      "aria-pressed": String(rank === at.rank),
      onclick: () => zf.change({ at: rank || null }, { replace: true }),
    });
    const small = (...words) => zf.el("small", {}, ...words);
    button.append(
      ...zf.pictures(at, "u", rank, found),
      zf.el(
        "span",
        { class: "words" },
        zf.el("b", {}, zf.number(found[3])),
        zf.name(zf.className(source.label)),
        small(zf.name(source.name)),
        small(zf.placeOf(at.row, at.data, found)),
      ),
    );
    return button;
  }

  zf.nine = (at) => {
    const found = at.data.top[at.unit];
    if (!found.length) {
      return zf.el(
        "section",
        { class: "wide" },
        zf.el("h2", {}, "A dead unit"),
        zf.el(
          "p",
          {},
          `None of the ${zf.count(zf.gallery().data.count)} images makes it respond, so there is nothing to project.`,
        ),
      );
    }
    const group = zf.el(
      "div",
      { class: "nine", role: "group", "aria-label": "The strongest images; arrow keys move" },
      ...found.map((each, rank) => one(at, each, rank)),
    );
    zf.rove(
      () => [...group.children],
      () => zf.columnsOf(group),
    ).focus(at.rank, { quietly: true });
    const seen = at.data.whole ? "the whole image" : "the part of the image that the unit sees";
    return zf.el(
      "section",
      { class: "wide" },
      zf.el("h2", {}, "What it responds to most"),
      zf.el(
        "p",
        { class: "lead" },
        `Above, ${seen}; below, what in it made the unit respond. Strongest first, one an image.`,
      ),
      group,
    );
  };

  /* The thumbnail of the source image with a frame around what the unit sees. */
  function whole(at, found) {
    const size = at.run.image_size;
    const { top, left, height, width } = zf.fieldOf(at.row, found[1], found[2], size);
    const picture = zf.cell(zf.thumbnailOf(found[0]), { label: `source image ${zf.sourceOf(found[0]).name}` });
    if (at.data.whole) return picture;
    const frame = { x: left, y: top, width, height };
    picture.append(
      zf.svg(
        "svg",
        { class: "field-frame", viewBox: `0 0 ${size} ${size}`, "aria-hidden": "true" },
        zf.svg("rect", { ...frame, class: "halo" }),
        zf.svg("rect", frame),
      ),
    );
    return picture;
  }

  zf.closer = (at) => {
    const found = at.data.top[at.unit][at.rank];
    if (!found) return null;
    const source = zf.sourceOf(found[0]);
    const [patch, projection] = zf.pictures(at, "u", at.rank, found);
    const figure = (picture, words) => zf.el("figure", {}, picture, zf.el("figcaption", {}, words));
    const facts = [
      ["activation", zf.number(found[3], 6)],
      ["class", zf.className(source.label) || "none"],
      ["image", source.name],
      ["number in the data", String(found[0])],
      ["place in the map", zf.placeOf(at.row, at.data, found) || "the only one"],
    ];
    return zf.el(
      "section",
      { class: "closer" },
      zf.el("h2", {}, `A closer look: ${ORDER[at.rank]} of ${at.data.top[at.unit].length}`),
      zf.el(
        "div",
        { class: "three" },
        figure(whole(at, found), at.data.whole ? "image" : "image, framed what it sees"),
        !at.data.whole && figure(patch, "patch"),
        figure(projection, "projection"),
      ),
      zf.facts(facts),
    );
  };

  zf.facts = (pairs) =>
    zf.el(
      "dl",
      { class: "facts" },
      ...pairs.map(([term, value]) => zf.el("div", {}, zf.el("dt", {}, term), zf.el("dd", {}, zf.name(value)))),
    );
})();
