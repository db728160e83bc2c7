"use strict";
/* A unit's nine strongest images: patch above projection, and one of the nine looked at closely. */
(() => {
  const zf = (window.zf = window.zf || {});

  /* "strongest", "2nd", "11th", "23rd" */
  function ordinal(rank) {
    if (!rank) return "strongest";
    const last = Math.floor(rank / 10) % 10 === 1 ? 0 : (rank + 1) % 10;
    return `${rank + 1}${(rank + 1 > 10 && rank + 1 < 14 && "th") || ["th", "st", "nd", "rd"][last] || "th"}`;
  }

  /* Sources of the pictures of a column of a unit's strip, patch above projection: {file, box} each; the projection
     alone where the gallery keeps no photos. */
  zf.columnOf = (run, data, letter, unit, column, image) => {
    const file = zf.strip(data.pictures, letter, unit);
    const cell = (row) => ({ file, box: zf.box(data.pictures, column, row) });
    if (data.pictures.patches) return [cell(0), cell(1)];
    return zf.gallery().photos ? [zf.thumbnailOf(run, image), cell(0)] : [cell(0)];
  };

  /* "row 4, column 7", or nothing for units without a place. */
  zf.placeOf = (row, data, found) => (row.shape[0] * row.shape[1] > 1 ? `row ${found[1]}, column ${found[2]}` : "");

  /* The pictures of one activation: its patch, where there is one, and its projection. */
  zf.pictures = ({ run, data, row, unit, query }, letter, column, found) => {
    const sources = zf.columnOf(run, data, letter, unit, column, found[0]);
    const words = `${row.name} unit ${unit}, ${zf.number(found[3])}, ${zf.className(zf.sourceOf(found[0]).label)}`;
    const sharp = zf.isSharp(data, query);
    return sources.map((source, i) => {
      const projection = i === sources.length - 1;
      return zf.cell(source, { label: `${projection ? "projection" : "patch"}: ${words}`, projection, sharp });
    });
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
    const lead = zf.gallery().photos
      ? `Above, ${seen}; below, what in it made the unit respond.`
      : "What in each image made the unit respond; the images themselves are not in this gallery.";
    return zf.el(
      "section",
      { class: "wide" },
      zf.el("h2", {}, "What it responds to most"),
      zf.el(
        "p",
        { class: "lead" },
        `${lead} Strongest first, one an image.`,
      ),
      group,
    );
  };

  /* The thumbnail of the source image with a frame around what the unit sees. */
  function whole(at, found) {
    const size = at.run.image_size;
    const { top, left, height, width } = zf.fieldOf(at.row, found[1], found[2], size);
    const picture = zf.cell(zf.thumbnailOf(at.run, found[0]), { label: `source image ${zf.sourceOf(found[0]).name}` });
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
    const pictures = zf.pictures(at, "u", at.rank, found);
    const projection = pictures.pop();
    const { photos } = zf.gallery();
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
      zf.el("h2", {}, `A closer look: ${ordinal(at.rank)} of ${at.data.top[at.unit].length}`),
      zf.el(
        "div",
        { class: "three" },
        photos && figure(whole(at, found), at.data.whole ? "image" : "image, framed what it sees"),
        photos && !at.data.whole && figure(pictures[0], "patch"),
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
