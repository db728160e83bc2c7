"use strict";
/* The drawing of a network: one box a layer, those that can be opened with room for pictures of their units. */
(() => {
  const zf = (window.zf = window.zf || {});
  const WIDE = [236, 92];
  const SMALL = [150, 28];
  const WIDEST = 340; /* beyond it words are cut: the title says them whole */
  const PICTURES = 76;

  zf.shape = (shape) => (shape[0] === 1 && shape[1] === 1 ? `${zf.count(shape[2])}` : shape.join(" × "));
  zf.field = (layer) => {
    if (!layer.field) return "sees all of the image";
    const [[height], [width]] = layer.field;
    return height === width ? `sees ${height} px` : `sees ${height} × ${width} px`;
  };

  function text(x, y, style, content) {
    return zf.svg("text", { x, y, class: style }, content);
  }

  function facts(layer, options) {
    const fact = options.fact ? options.fact(layer) : "";
    return [`${layer.kind} ${zf.shape(layer.shape)}`, zf.field(layer), fact];
  }

  /* Wide enough for its words, by the widest letters that names of layers have on the average. */
  function size(layer, options) {
    const [[least, height], needed] = layer.slug
      ? [WIDE, 98 + Math.max(9.5 * layer.name.length, ...facts(layer, options).map((fact) => 7 * fact.length))]
      : [SMALL, 32 + 7.5 * layer.name.length + 7 * layer.kind.length];
    return [Math.min(Math.max(least, Math.ceil(needed)), WIDEST), height];
  }

  function box(node, options) {
    const { layer, width, height } = node;
    const open = Boolean(layer.slug);
    const lines = open
      ? [
          text(90, 22, "box-name", layer.name),
          ...facts(layer, options).map((fact, i) => text(90, 41 + 17 * i, "box-fact", fact)),
        ]
      : [text(12, 18, "box-name", layer.name), text(width - 10, 18, "box-kind", layer.kind)];
    const title = `${layer.name}: ${layer.kind}, ${layer.shape.join(" × ")}, ${zf.field(layer)}`;
    const slot = open && zf.svg("g", { transform: "translate(8 8)" });
    const frame = zf.svg("rect", { class: "frame", x: 0.5, y: 0.5, width: width - 1, height: height - 1, rx: 6 });
    const inner = zf.svg("svg", { width, height }, zf.svg("title", {}, title), frame, ...lines, slot);
    const group = open
      ? zf.svg(
          "a",
          { href: options.href(layer), class: "box open", "aria-label": title, "data-key": `box ${layer.slug}` },
          inner,
        )
      : zf.svg("g", { class: "box" }, inner);
    if (options.current === layer.slug && open) group.setAttribute("aria-current", "true");
    group.setAttribute("transform", `translate(${node.x - width / 2} ${node.y})`);
    if (slot) {
      slot.append(zf.svg("rect", { class: "slot", width: PICTURES, height: PICTURES, rx: 2 }));
      options.boxes.set(layer.slug, slot);
    }
    return group;
  }

  function line(path) {
    let d = "";
    path.forEach((node, i) => {
      if (!i) {
        d = `M${node.x} ${node.y + node.height}`;
        return;
      }
      const before = path[i - 1];
      const from = before.y + before.height;
      const half = (node.y - from) / 2;
      d += ` C${before.x} ${from + half} ${node.x} ${node.y - half} ${node.x} ${node.y}`;
      if (node.standIn) d += ` V${node.y + node.height}`;
    });
    return zf.svg("path", { class: "wire", d });
  }

  /* layers: rows of the table {name, slug, kind, inputs, shape, field}; those with a slug can be opened.
     options: href(layer), fact(layer) (the last line of a box, optional), current (a slug).
     Returns {svg, boxes}: boxes is a Map from slug to the group for `zf.drawCovers`, `zf.PICTURES` pixels a side. */
  zf.drawNetwork = (layers, options) => {
    const boxes = new Map();
    const first = { name: "image", kind: "Input", slug: "", inputs: [], shape: options.image, field: null };
    const table = [first, ...layers.map((layer) => ({ ...layer, inputs: layer.inputs.length ? layer.inputs : null }))];
    const { nodes, edges, width, height } = zf.layOut(table, (layer) => size(layer, options));
    const svg = zf.svg("svg", {
      class: "network",
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: "group",
      "aria-label": "The network's layers",
    });
    svg.style.setProperty("--natural", `${width}px`);
    svg.append(...edges.map(line), ...nodes.map((node) => box(node, { ...options, boxes })));
    return { svg, boxes, width };
  };

  /* pictures: up to nine parts of pictures, drawn 3 x 3: {href, sheet: [width, height], box: [x, y, width, height]}. */
  zf.drawCovers = (slot, pictures) => {
    const side = (PICTURES - 4) / 3;
    pictures.forEach(({ href, sheet, box }, i) => {
      const [x, y] = [(i % 3) * (side + 2), Math.floor(i / 3) * (side + 2)];
      const place = { x, y, width: side, height: side, preserveAspectRatio: "xMidYMid slice" };
      slot.append(zf.cut(href, sheet, box, place));
    });
  };
})();
