"use strict";
/* The page of a layer: all its units as a grid of covers. */
(() => {
  const zf = (window.zf = window.zf || {});
  let page = null; // the grid that stands: its cells are used again when order, filter or look change

  const facts = (row, data) => [
    row.kind, row.shape.join(" × "), zf.field(row), zf.plural(row.parameters, "parameter"),
    zf.plural(data.units, "unit"), row.dead ? `${zf.count(row.dead)} dead` : "none dead",
  ].join(" · ");

  /* i: the picture, as a cell of a sheet in the background, placed by the custom properties of the grid. */
  function cells(row, data) {
    const { cell: [height, width], gutter, columns, rows } = data.covers;
    return Array.from({ length: data.units }, (_, unit) => {
      const picture = document.createElement("i");
      const place = unit % (columns * rows);
      const x = (place % columns) * (width + 2 * gutter) + gutter;
      const y = Math.floor(place / columns) * (height + 2 * gutter) + gutter;
      const sheet = Math.floor(unit / (columns * rows));
      picture.style.backgroundImage = `var(--sheet-${sheet})`;
      picture.style.backgroundSize = `var(--wide-${sheet}) auto`;
      picture.style.backgroundPosition = `calc(${-x} * var(--scale)) calc(${-y} * var(--scale))`;
      const cell = document.createElement("a");
      cell.className = zf.isDead(data, unit) ? "cell dead" : "cell";
      cell.dataset.unit = unit;
      const label = zf.className(data.class[unit]);
      cell.title = `unit ${unit}, ${zf.isDead(data, unit) ? "dead" : zf.number(data.statistics.max[unit])}${label ? `, ${label}` : ""}`;
      cell.setAttribute("aria-label", cell.title);
      const value = document.createElement("span");
      cell.append(picture, String(unit), value);
      return cell;
    });
  }

  /* The sheets as custom properties; a sheet that fails is named. */
  function dress(grid, data, query) {
    const { cell: [height, width] } = data.covers;
    const kind = zf.coverKind(query);
    const scale = zf.SIZES[zf.sizeOf(query)] / Math.max(height, width);
    const set = (name, value) => grid.style.setProperty(name, value);
    set("--scale", `${scale}px`);
    set("--width", `${width * scale}px`);
    set("--height", `${height * scale}px`);
    set("--gain", zf.gainOf(query));
    data.covers[kind].forEach((name, sheet) => {
      const file = `${data.pictures.dir}/${name}`;
      set(`--sheet-${sheet}`, `url("${zf.url(file)}")`);
      // by the sheet's own width: the last one of a layer may have fewer columns
      const fails = (error) => {
        set(`--sheet-${sheet}`, "none");
        zf.warn(`${error.message}: covers of this layer are not drawn.`);
      };
      zf.image(file).then((image) => set(`--wide-${sheet}`, `${image.naturalWidth * scale}px`), fails);
    });
    grid.classList.toggle("sharp", zf.isSharp(data, query));
    grid.classList.toggle("contrast", zf.gainOf(query) !== 1);
  }

  /* Small exact pictures are drawn as squares unless the reader says otherwise, others smoothly. */
  zf.isSharp = (data, query) => (query.x ? query.x === "1" : data.pictures.enlarged);

  function arrange(data, query) {
    const sort = zf.sortOf(query, data);
    const values = zf.statistic(data, sort, query);
    const units = zf.listOf(data, query);
    const { run, row } = page;
    const prefix = `${zf.link([run.slug, row.slug])}/`;
    const suffix = zf.link([], zf.keep(zf.VIEW, zf.LIST, ["b"])).slice(2);
    const pinned = zf.pinsOf(run, row);
    for (const unit of units) {
      const cell = page.cells[unit];
      cell.setAttribute("href", `${prefix}${unit}${suffix}`);
      cell.classList.toggle("pinned", pinned.has(unit));
      cell.lastChild.textContent = values ? zf.number(values[unit], 3) : "";
    }
    page.grid.replaceChildren(...units.map((unit) => page.cells[unit]));
    return units;
  }

  function statistics(data, query) {
    const sort = zf.sortOf(query, data);
    const shown = sort === "unit" ? "max" : sort;
    const [, name, meaning] = zf.SORTS.find(([each]) => each === shown);
    const { low, high, counts } = zf.barsOf(zf.statistic(data, shown, query));
    const range = zf.rangeOf(query);
    const edge = (i) => low + ((high - low) * i) / counts.length;
    const bar = (i) => `${shown}:${edge(i)}..${edge(i + 1)}`;
    const chosen = (i) => Boolean(range) && range.sort === shown && query.range === bar(i);
    const fields = { ...zf.keep(zf.VIEW, zf.LIST, ["b"]) };
    const chart = zf.histogram(counts, low, high, {
      label: `How many units have which ${name}`, title: (count) => zf.plural(count, "unit"), chosen,
      href: (i) => zf.link(zf.route.parts, { ...fields, range: chosen(i) ? null : bar(i) }),
    });
    zf.rove(() => [...chart.querySelectorAll("a")], () => counts.length);
    return zf.el("figure", { class: "overview" }, chart,
      zf.el("figcaption", {}, zf.el("b", {}, name[0].toUpperCase() + name.slice(1)), `: ${meaning}. Press a bar to see its units only.`));
  }

  const FILTERS = ["q", "show", "class", "range"];

  function summary(data, units, query) {
    const filtered = FILTERS.some((key) => query[key]);
    const count = filtered ? `${zf.count(units.length)} of ${zf.plural(data.units, "unit")}` : `All ${zf.plural(data.units, "unit")}`;
    const words = [query.q && `“${query.q}”`, query.show, query.class && zf.className(Number(query.class)),
      zf.rangeOf(query) && `${zf.rangeOf(query).sort} ${zf.number(zf.rangeOf(query).low, 3)} to ${zf.number(zf.rangeOf(query).high, 3)}`];
    const clear = zf.el("a", { href: zf.link(zf.route.parts, zf.keep(zf.VIEW, ["sort", "desc", "b"])), "data-key": "clear" }, "show all");
    return [zf.el("span", {}, count), ...words.filter(Boolean).map((word) => zf.el("span", { class: "chip" }, zf.name(word))), filtered && clear];
  }

  /* Draws the page of a layer, or brings the one that stands up to date. */
  zf.showLayer = (main, run, row, data, query) => {
    const key = `layer ${run.slug}/${row.slug}`;
    const arrived = !page || page.key !== key || !main.contains(page.grid);
    if (!page || page.key !== key) {
      const grid = zf.el("div", { class: "grid", role: "group", "aria-label": `Units of ${row.name}; arrow keys move among them` });
      page = { key, run, row, grid, cells: cells(row, data), top: zf.el("div", {}), count: zf.el("p", { class: "count", role: "status" }) };
    }
    if (arrived) {
      main.replaceChildren(
        zf.el("header", { class: "title" }, zf.el("h1", {}, zf.name(row.name)), zf.el("p", { class: "facts" }, facts(row, data))),
        zf.el("p", { class: "lead" }, "Each square is one unit: the picture of what made it respond most. Open one to see the nine images behind it."),
        page.top, page.count, page.grid);
    }
    dress(page.grid, data, query);
    page.top.replaceChildren(zf.tools(data, query), statistics(data, query));
    const units = arrange(data, query);
    page.count.replaceChildren(...summary(data, units, query).filter(Boolean));
    const rove = zf.rove(() => [...page.grid.children], () => zf.columnsOf(page.grid), true);
    const at = query.unit === undefined ? -1 : units.indexOf(Number(query.unit));
    if (at >= 0) rove.focus(at, { quietly: !arrived });
  };
})();
