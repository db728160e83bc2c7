"use strict";
/* Elements of HTML and SVG, and numbers as text. A name from a data set is always text, never markup. */
(() => {
  const zf = (window.zf = window.zf || {});
  const SVG = "http://www.w3.org/2000/svg";

  function fill(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
    return node;
  }

  /* zf.el("a", {href: "#/", class: "home"}, "text", child, [more]): null and false are left out; "onclick" listens. */
  zf.el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
  zf.svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

  /* The part `box` [x, y, width, height] of a picture of [width, height], as SVG: it is decoded and scaled beside the
     page's own thread. */
  zf.cut = (href, [width, height], box, attributes) =>
    zf.svg("svg", { viewBox: box.join(" "), ...attributes }, zf.svg("image", { href, width, height }));

  /* A name that others gave: cut by the page where it is too long, whole in its title, its direction kept inside. */
  zf.name = (text) => zf.el("bdi", { class: "name", title: text }, text);

  /* Four significant digits, no exponent between a millionth and ten million: 0.03125, 31.25, 3125. */
  zf.number = (value, digits = 4) => {
    if (value === null || value === undefined || !Number.isFinite(value)) return "–";
    const size = Math.abs(value);
    if (size !== 0 && (size < 1e-6 || size >= 1e7)) return value.toExponential(2);
    const shown = size >= 10 ** digits ? value.toFixed(0) : String(Number(value.toPrecision(digits)));
    return shown.replace("-", "−");
  };

  /* Calls back when nothing else is to do; Safari has no such call of its own. */
  zf.idle = (task) => (window.requestIdleCallback || ((later) => setTimeout(later, 200)))(task);

  zf.count = (value) => value.toLocaleString("en-US");
  zf.percent = (value) => `${zf.number(100 * value, 3)} %`;
  zf.plural = (count, noun) => `${zf.count(count)} ${noun}${count === 1 ? "" : "s"}`;
})();
