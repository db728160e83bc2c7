"use strict";
/* The row of controls over a grid: sort, filter, how the pictures look. */
(() => {
  const zf = (window.zf = window.zf || {});

  zf.SIZES = [48, 64, 96, 144]; // px of a cover, by z
  zf.GAINS = [1, 1.5, 2, 3, 5]; // of the contrast, by gain

  zf.choice = (label, name, options, chosen, change) =>
    zf.el(
      "label",
      { class: "field" },
      zf.el("span", {}, label),
      zf.el(
        "select",
        { "data-key": name, onchange: (event) => change(event.target.value) },
        ...options.map(([value, text]) => zf.el("option", { value, selected: value === chosen }, text)),
      ),
    );

  zf.button = (text, attributes) => zf.el("button", { type: "button", ...attributes }, text);

  /* Classes that are the commonest of a unit's strongest images, with how many units have them. */
  function classes(data) {
    const counts = new Map();
    for (const label of data.class) if (label >= 0) counts.set(label, (counts.get(label) || 0) + 1);
    const named = [...counts].map(([label, count]) => [String(label), `${zf.className(label)} (${count})`]);
    return named.sort((a, b) => a[1].localeCompare(b[1]));
  }

  function sorting(data, query) {
    const sort = zf.sortOf(query, data);
    const down = zf.descends(query, sort);
    const sorts = zf.SORTS.filter(([name]) => name !== "match" || zf.otherRun(query, data));
    const turn = down ? "largest first" : "smallest first";
    return [
      zf.choice(
        "Sort by",
        "sort",
        sorts.map(([name, text]) => [name, text]),
        sort,
        (value) => zf.change({ sort: value === "unit" ? null : value, desc: null }),
      ),
      zf.button(down ? "↓" : "↑", {
        class: "icon",
        "data-key": "turn",
        title: `${turn}; press to turn round`,
        "aria-label": `Order: ${turn}`,
        onclick: zf.turnSort,
      }),
    ];
  }

  function filters(data, query) {
    const dead = data.top.filter((found) => !found.length).length;
    const known = classes(data);
    return [
      zf.choice(
        "Show",
        "show",
        [
          ["", "all units"],
          ["alive", `alive (${data.units - dead})`],
          ["dead", `dead (${dead})`],
        ],
        query.show || "",
        (value) => zf.change({ show: value }),
      ),
      known.length &&
        zf.choice("Class of the strongest", "class", [["", "any"], ...known], query.class || "", (value) =>
          zf.change({ class: value }),
        ),
    ];
  }

  function looks(query) {
    const cover = zf.coverKind(query);
    const press = (kind, text) =>
      zf.button(text, {
        "data-key": `cover ${kind}`,
        "aria-pressed": String(cover === kind),
        onclick: () => zf.change({ cover: kind === "projection" ? null : kind }),
      });
    const size = zf.sizeOf(query);
    return [
      zf.gallery().photos &&
        zf.el(
          "div",
          { class: "field" },
          zf.el("span", {}, "Picture"),
          zf.el(
            "div",
            { class: "pair", role: "group", "aria-label": "Picture of a unit" },
            press("projection", "projection"),
            press("patch", "patch"),
          ),
        ),
      zf.el(
        "div",
        { class: "field" },
        zf.el("span", {}, "Size"),
        zf.el(
          "div",
          { class: "pair", role: "group", "aria-label": "Size of the pictures" },
          zf.button("−", {
            class: "icon",
            "data-key": "smaller",
            "aria-label": "smaller",
            disabled: size === 0,
            onclick: () => zf.resize(size - 1),
          }),
          zf.button("+", {
            class: "icon",
            "data-key": "larger",
            "aria-label": "larger",
            disabled: size === zf.SIZES.length - 1,
            onclick: () => zf.resize(size + 1),
          }),
        ),
      ),
    ];
  }

  const whole = (text, most, otherwise) => (/^\d$/.test(text || "") ? Math.min(most, Number(text)) : otherwise);
  zf.sizeOf = (query) => whole(query.z, zf.SIZES.length - 1, 1);
  zf.gainOf = (query) => zf.GAINS[whole(query.gain, zf.GAINS.length - 1, 0)];
  zf.coverKind = (query) => (query.cover === "patch" && zf.gallery().photos ? "patch" : "projection");
  zf.resize = (size) => zf.change({ z: size === 1 ? null : Math.max(0, Math.min(zf.SIZES.length - 1, size)) });

  zf.turnSort = () => {
    const { query } = zf.route;
    const down = zf.descends(query, query.sort || "unit");
    zf.change({ desc: down ? "0" : "1" });
  };

  let open = false; // on a narrow screen the controls fold away

  zf.tools = (data, query) => {
    const panel = zf.el(
      "div",
      { class: "panel", hidden: null },
      ...sorting(data, query),
      ...filters(data, query),
      ...looks(query),
    );
    const fold = zf.button("Sort, filter, look", {
      class: "fold",
      "data-key": "fold",
      "aria-expanded": String(open),
      onclick: () => {
        open = !open;
        fold.setAttribute("aria-expanded", String(open));
        bar.classList.toggle("open", open);
      },
    });
    const bar = zf.el(
      "section",
      { class: open ? "tools open" : "tools", "aria-label": "Sort and filter" },
      fold,
      panel,
    );
    return bar;
  };
})();
