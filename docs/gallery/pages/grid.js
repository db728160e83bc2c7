"use strict";
/* The page of a layer: all its units as a grid of covers. */
(() => {
  const zf = (window.zf = window.zf || {});
  const PART = 500; // cells laid out in one frame
  let page = null; // the grid that stands: its cells are used again when order, filter or look change

  const facts = (row, data) =>
    [
      row.kind,
      row.shape.join(" × "),
      zf.field(row),
      zf.plural(row.parameters, "parameter"),
      zf.plural(data.units, "unit"),
      row.dead ? `${zf.count(row.dead)} dead` : "none dead",
    ].join(" · ");

  function arrange(data, query, arrived) {
    const sort = zf.sortOf(query, data);
    const values = zf.statistic(data, sort, query);
    const units = zf.listOf(data, query);
    const pinned = zf.pinsOf(page.run, page.row);
    const worded = (unit) => {
      const cell = page.cells[unit];
      const value = sort === "unit" ? null : values[unit];
      const words = value === null ? "" : zf.number(value, Math.abs(value) < 0.1 ? 2 : 3);
      if (cell.lastChild.textContent !== words) cell.lastChild.textContent = words;
      if (pinned.has(unit) !== cell.classList.contains("pinned")) cell.classList.toggle("pinned");
      return cell;
    };
    lay(units, worded, arrived);
    return units;
  }

  /* The first screens at once, the others frame by frame: a sort of thousands answers before they are laid out. All at
     once where the reader comes from elsewhere and is led to a place far down. */
  function lay(units, worded, whole) {
    const { grid } = page;
    page.units = units;
    const next = () => {
      if (page.units !== units || !grid.isConnected) return;
      const laid = grid.childElementCount;
      grid.append(...units.slice(laid, laid + PART).map(worded));
      if (grid.childElementCount < units.length) requestAnimationFrame(next);
      else grid.style.minHeight = "";
    };
    grid.style.minHeight = whole || units.length <= PART ? "" : `${grid.offsetHeight}px`;
    grid.replaceChildren(...units.slice(0, whole ? units.length : PART).map(worded));
    requestAnimationFrame(next);
  }

  /* Follows a link to a unit with the list that it was picked from. */
  function follow(event) {
    const cell = event.target.closest("[data-unit]");
    if (!cell || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    zf.go([page.run.slug, page.row.slug, cell.dataset.unit], zf.keep(zf.VIEW, zf.LIST, ["b"]));
  }

  function statistics(data, query) {
    const sort = zf.sortOf(query, data);
    const shown = sort === "unit" ? "max" : sort;
    const [, name, meaning] = zf.SORTS.find(([each]) => each === shown);
    const { edges, counts } = zf.barsOf(zf.statistic(data, shown, query));
    const range = zf.rangeOf(query, data);
    const bar = (i) => `${shown}:${edges[i]}..${edges[i + 1]}`;
    const chosen = (i) => Boolean(range) && range.sort === shown && query.range === bar(i);
    const fields = { ...zf.keep(zf.VIEW, zf.LIST, ["b"]) };
    const chart = zf.histogram(counts, edges[0], edges[counts.length], {
      label: `How many units have which ${name}`,
      title: (count) => zf.plural(count, "unit"),
      chosen,
      href: (i) => zf.link(zf.route.parts, { ...fields, range: chosen(i) ? null : bar(i) }),
    });
    zf.rove(
      () => [...chart.querySelectorAll("a")],
      () => counts.length,
    );
    return zf.el(
      "figure",
      { class: "overview" },
      chart,
      zf.el(
        "figcaption",
        {},
        zf.el("b", {}, name[0].toUpperCase() + name.slice(1)),
        `: ${meaning}. Press a bar to see its units only.`,
      ),
    );
  }

  const FILTERS = ["q", "show", "class", "range"];

  function summary(data, units, query) {
    const range = zf.rangeOf(query, data);
    const filtered = FILTERS.some((key) => (key === "range" ? range : query[key]));
    const count = filtered
      ? `${zf.count(units.length)} of ${zf.plural(data.units, "unit")}`
      : `All ${zf.plural(data.units, "unit")}`;
    const words = [
      query.q && `“${query.q}”`,
      query.show,
      query.class && zf.className(Number(query.class)),
      range && `${range.sort} ${zf.number(range.low, 3)} to ${zf.number(range.high, 3)}`,
    ];
    const clear = zf.el(
      "a",
      { href: zf.link(zf.route.parts, zf.keep(zf.VIEW, ["sort", "desc", "b"])), "data-key": "clear" },
      "show all",
    );
    return [
      zf.el("span", {}, count),
      ...words.filter(Boolean).map((word) => zf.el("span", { class: "chip" }, zf.name(word))),
      filtered && clear,
    ];
  }

  /* Draws the page of a layer, or brings the one that stands up to date. */
  zf.showLayer = (main, run, row, data, query) => {
    const key = `layer ${run.slug}/${row.slug}`;
    const arrived = !page || page.key !== key || !main.contains(page.grid);
    if (!page || page.key !== key) {
      const grid = zf.el("div", {
        class: "grid",
        role: "group",
        "aria-label": `Units of ${row.name}; arrow keys move among them`,
        onclick: follow,
      });
      page = {
        key,
        run,
        row,
        grid,
        cells: zf.coverCells(run, row, data),
        top: zf.el("div", {}),
        count: zf.el("p", { class: "count", role: "status" }),
      };
    }
    if (arrived) {
      main.replaceChildren(
        zf.el(
          "header",
          { class: "title" },
          zf.el("h1", {}, zf.name(row.name)),
          zf.el("p", { class: "facts" }, facts(row, data)),
        ),
        zf.el(
          "p",
          { class: "lead" },
          "Each square is one unit: the picture of what made it respond most. ",
          "Open one to see the images behind it.",
        ),
        page.top,
        page.count,
        page.grid,
      );
    }
    zf.dressCovers(page, data, query);
    page.top.replaceChildren(zf.tools(data, query), statistics(data, query));
    const units = arrange(data, query, arrived);
    page.count.replaceChildren(...summary(data, units, query).filter(Boolean));
    const rove = zf.rove(
      () => [...page.grid.children],
      () => zf.columnsOf(page.grid),
      true,
    );
    const at = query.unit === undefined ? -1 : units.indexOf(Number(query.unit));
    if (at >= 0) rove.focus(at, { quietly: !arrived });
  };
})();
