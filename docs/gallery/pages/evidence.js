"use strict";
/* What else is known of a unit, section by section: each takes {run, row, data, unit, query, side}. */
(() => {
  const zf = (window.zf = window.zf || {});

  zf.numbers = ({ data, unit }) => {
    const { max, mean, p99, density, share } = data.statistics;
    const label = zf.className(data.class[unit]);
    const pairs = [
      ["largest activation", zf.number(max[unit])],
      ["99th percentile of images", zf.number(p99[unit])],
      ["mean of all places", zf.number(mean[unit])],
      ["responds at", `${zf.percent(density[unit])} of places`],
    ];
    if (label) pairs.push(["of the strongest", `${Math.round(share[unit] * data.top[unit].length)} are ${label}`]);
    return zf.facts(pairs);
  };

  /* Of a large data set some images stand for all: said wherever it is so. */
  const drawn = (data) => (data.sampled < zf.gallery().data.count ? ", drawn at random" : "");

  zf.responses = (at) => {
    const { data, unit } = at;
    if (zf.isDead(data, unit)) return null;
    const low = data.histogram.low ? data.histogram.low[unit] : 0;
    const marks = data.top[unit].map((found) => found[3]);
    const chart = zf.histogram(data.histogram.counts[unit], low, data.histogram.high[unit], {
      log: true,
      marks,
      title: (count) => zf.plural(count, "image"),
      label: `Histogram of the unit's largest activation in each of ${zf.plural(data.sampled, "image")}`,
    });
    return zf.el(
      "section",
      {},
      zf.el("h2", {}, "How strongly, how often"),
      chart,
      zf.el(
        "p",
        { class: "note" },
        `Largest activation in each of ${zf.plural(data.sampled, "image")}${drawn(data)}; `,
        "bars grow with the logarithm of the number of images. Triangles: the strongest images.",
      ),
      zf.numbers(at),
    );
  };

  zf.lower = (at) => {
    const { data, unit } = at;
    if (!data.lower.length || zf.isDead(data, unit)) return null;
    const rows = data.lower.map(({ name, units }, row) =>
      zf.el(
        "div",
        { class: "lower" },
        zf.el("h3", {}, name),
        units[unit].length
          ? zf.el(
              "div",
              { class: "trio" },
              ...units[unit].map((found, i) =>
                zf.el(
                  "figure",
                  { class: "pairing" },
                  ...zf.pictures(at, "q", 3 * row + i, found),
                  zf.el(
                    "figcaption",
                    {},
                    zf.el("b", {}, zf.number(found[3])),
                    " ",
                    zf.name(zf.className(zf.sourceOf(found[0]).label)),
                  ),
                ),
              ),
            )
          : zf.el("p", { class: "note" }, "no image"),
      ),
    );
    return zf.el(
      "section",
      { class: "weaker" },
      zf.el("h2", {}, "Weaker responses"),
      zf.el(
        "p",
        { class: "note" },
        "The strongest images are extremes. Here are some from lower parts of the unit's range, ",
        `of ${zf.plural(data.sampled, "image")}${drawn(data)}.`,
      ),
      ...rows,
    );
  };

  /* One large picture and all of a strip small, each a button: for pictures that are compared by flipping. */
  function flip(at, letter, names, key, chosen, captions) {
    const file = zf.strip(at.data.pictures, letter, at.unit);
    const picture = (i) =>
      zf.cell(
        { file, box: zf.box(at.data.pictures, i, 0) },
        {
          label: `${at.row.name} unit ${at.unit}, ${names[i]}`,
          projection: true,
          sharp: zf.isSharp(at.data, at.query),
        },
      );
    const small = names.map((name, i) => {
      const button = zf.button("", {
        class: "small",
        "data-key": `${at.side} ${key} ${i}`,
        "aria-pressed": String(i === chosen),
        onclick: () => zf.change({ [key]: i }, { replace: true }),
      });
      button.append(picture(i), zf.el("span", {}, name));
      return button;
    });
    const large = zf.el(
      "figure",
      { class: "large" },
      picture(chosen),
      zf.el("figcaption", {}, zf.el("b", {}, names[chosen]), captions ? ` ${captions[chosen]}` : ""),
    );
    return zf.el("div", { class: "flip" }, large, zf.el("div", { class: "row" }, ...small));
  }

  const within = (text, count, otherwise) =>
    /^\d+$/.test(text || "") && Number(text) < count ? Number(text) : otherwise;
  zf.momentOf = (data, query) => within(query.moment, data.evolution.moments.length, data.evolution.moments.length - 1);
  zf.methodOf = (data, query) => within(query.method, data.methods.length, 0);

  zf.evolution = (at) => {
    const { data, unit, query } = at;
    if (!data.evolution || zf.isDead(data, unit)) return null;
    const { moments, values } = data.evolution;
    const now = zf.momentOf(data, query);
    const slider = zf.el("input", {
      type: "range",
      min: 0,
      max: moments.length - 1,
      "data-key": `${at.side} slider`,
      "aria-label": "Moment of training",
      "aria-valuetext": moments[now],
      oninput: (event) => zf.change({ moment: event.target.value }, { replace: true, soon: true }),
    });
    slider.value = now;
    const play = zf.button("Play", { "data-key": `${at.side} play`, onclick: () => zf.play() });
    return zf.el(
      "section",
      {},
      zf.el("h2", {}, "While it was trained"),
      flip(
        at,
        "e",
        moments,
        "moment",
        now,
        values[unit].map((value) => zf.number(value)),
      ),
      zf.el("div", { class: "slide" }, play, slider),
      zf.curve(values[unit], now, {
        names: moments,
        label: `Largest activation from ${moments[0]} to ${moments[moments.length - 1]}`,
      }),
      zf.el("p", { class: "note" }, "The strongest activation at each moment, projected; the curve shows its value."),
    );
  };

  zf.methods = (at) => {
    const { data, unit, query } = at;
    if (!data.methods || zf.isDead(data, unit)) return null;
    return zf.el(
      "section",
      {},
      zf.el("h2", {}, "Other methods, same activation"),
      flip(at, "m", data.methods, "method", zf.methodOf(data, query)),
      zf.el(
        "p",
        { class: "note" },
        "The unit's strongest image, traced back in different ways. Press b to flip through them.",
      ),
    );
  };

  zf.occlusion = (at) => {
    const { data, unit, row } = at;
    if (!data.occlusion || zf.isDead(data, unit)) return null;
    const file = zf.strip(data.pictures, "o", unit);
    const cell = (i, label) =>
      zf.cell({ file, box: zf.box(data.pictures, i, 0) }, { label: `${row.name} unit ${unit}, ${label}` });
    const [low, high] = [zf.number(data.occlusion.low[unit]), zf.number(data.occlusion.high[unit])];
    return zf.el(
      "section",
      {},
      zf.el("h2", {}, "Where it matters"),
      zf.el(
        "div",
        { class: "two" },
        zf.gallery().photos &&
          zf.el("figure", {}, cell(0, "its strongest patch"), zf.el("figcaption", {}, "strongest patch")),
        zf.el(
          "figure",
          {},
          cell(1, "activation by place of the occluder"),
          zf.el("figcaption", {}, `${low} to ${high}`),
        ),
      ),
      zf.el(
        "p",
        { class: "note" },
        "A grey square was moved over the image: the map shows the unit's activation by where the square lay, ",
        `from ${low} to ${high}.`,
      ),
    );
  };

  /* What every picture of the page means, and where it comes from. */
  zf.caption = ({ run, data }) => {
    const { data: set, rule, notice } = zf.gallery();
    const [height, width] = data.window;
    const split = set.split ? `, ${set.split} split` : "";
    return zf.el(
      "section",
      { class: "caption wide" },
      zf.el("h2", {}, "About these pictures"),
      zf.el("p", {}, rule),
      zf.el(
        "p",
        {},
        data.whole
          ? "These units see all of the image."
          : `Patch and projection are ${height} × ${width} pixels of the image.`,
      ),
      zf.el("p", {}, "Network: ", zf.name(run.text)),
      zf.el("p", {}, "Data: ", zf.name(set.name), `${split}, ${zf.plural(set.count, "image")} searched.`),
      data.sampled < set.count &&
        zf.el(
          "p",
          {},
          `Histogram, 99th percentile, weaker responses and units like it are of ${zf.plural(data.sampled, "image")} `,
          "of these, drawn at random; all else is of all.",
        ),
      notice && zf.el("p", { class: "notice" }, notice),
    );
  };
})();
