"use strict";
/* Small charts as SVG: a histogram and a curve. */
(() => {
  const zf = (window.zf = window.zf || {});

  function axis(left, right, width, height, low, high) {
    return [
      zf.svg("line", { class: "axis", x1: left, x2: width - right, y1: height - 25.5, y2: height - 25.5 }),
      zf.svg("text", { class: "tick", x: left, y: height - 4 }, zf.number(low, 3)),
      zf.svg("text", { class: "tick end", x: width - right, y: height - 4 }, zf.number(high, 3)),
    ];
  }

  /* counts: one bar each from `low` to `high`. Options: log (bars by the logarithm of 1 + count), marks (values marked
     below the bars), label (what the chart shows, one sentence), href(i) (makes bar i a link), chosen(i), title(i). */
  zf.histogram = (counts, low, high, options) => {
    const [width, height, foot] = [320, 124, 25];
    const scale = options.log ? (value) => Math.log10(1 + value) : (value) => value;
    const tallest = Math.max(...counts.map(scale)) || 1;
    const step = width / counts.length;
    const bars = counts.map((count, i) => {
      const tall = count ? Math.max(2, (scale(count) / tallest) * (height - foot - 14)) : 0;
      const bar = zf.svg("rect", {
        class: "bar",
        x: i * step + 1,
        width: step - 2,
        y: height - foot - tall,
        height: tall,
      });
      const edges = [low + ((high - low) * i) / counts.length, low + ((high - low) * (i + 1)) / counts.length];
      const title = `${zf.number(edges[0], 3)} to ${zf.number(edges[1], 3)}: ${options.title(count)}`;
      if (!options.href) return zf.svg("g", {}, bar, zf.svg("title", {}, title));
      const area = zf.svg("rect", { class: "area", x: i * step, width: step, y: 0, height: height - foot });
      const chosen = options.chosen(i);
      const state = { class: chosen ? "pick chosen" : "pick", "aria-current": chosen ? "true" : null };
      return zf.svg(
        "a",
        { href: options.href(i), "aria-label": title, "data-key": `bar ${i}`, ...state },
        area,
        bar,
        zf.svg("title", {}, title),
      );
    });
    const marks = (options.marks || []).map((value) => {
      const x = high > low ? ((value - low) / (high - low)) * width : 0;
      return zf.svg("path", {
        class: "mark",
        d: `M${Math.min(width, Math.max(0, x))} ${height - foot} m0 1 l-3 7 h6 z`,
      });
    });
    const role = options.href ? "group" : "img";
    const chart = { class: "chart", viewBox: `0 0 ${width} ${height}`, role, "aria-label": options.label };
    return zf.svg("svg", chart, ...bars, ...axis(0, 0, width, height, low, high), ...marks);
  };

  /* values: a curve from left to right, over zero. current: the place of a dot. names: of the first and last place. */
  zf.curve = (values, current, { names, label }) => {
    const [width, height, foot] = [320, 110, 18];
    const high = Math.max(...values, 0) || 1;
    const low = Math.min(...values, 0);
    const x = (i) => 5 + (values.length > 1 ? (i / (values.length - 1)) * (width - 10) : (width - 10) / 2);
    const y = (value) => 6 + (1 - (value - low) / (high - low)) * (height - foot - 12);
    const points = values.map((value, i) => `${x(i)},${y(value)}`);
    return zf.svg(
      "svg",
      { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label },
      zf.svg("line", { class: "axis", x1: 0, x2: width, y1: y(0), y2: y(0) }),
      zf.svg("polyline", { class: "curve", points: points.join(" ") }),
      ...values.map((value, i) =>
        zf.svg(
          "circle",
          { class: i === current ? "dot now" : "dot", cx: x(i), cy: y(value), r: i === current ? 4.5 : 2.5 },
          zf.svg("title", {}, zf.number(value)),
        ),
      ),
      zf.svg("text", { class: "tick", x: 0, y: height - 3 }, names[0]),
      zf.svg("text", { class: "tick end", x: width, y: height - 3 }, names[names.length - 1]),
    );
  };
})();
