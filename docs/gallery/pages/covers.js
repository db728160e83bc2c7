"use strict";
/* The cells of a grid: a link for every unit, and the part of a sheet that is its cover. */
(() => {
  const zf = (window.zf = window.zf || {});

  const heldBy = ({ columns, rows }) => columns * rows;

  /* i: the picture, a part of a sheet in the background. The link says no more than which unit it is: what else goes on
     with the reader is added when it is followed, since thousands of links cannot be rewritten with every sort. */
  zf.coverCells = (run, row, data) => {
    const prefix = `${zf.link([run.slug, row.slug])}/`;
    return Array.from({ length: data.units }, (_, unit) => {
      const dead = zf.isDead(data, unit);
      const label = zf.className(data.class[unit]);
      const words = `unit ${unit}, ${dead ? "dead" : zf.number(data.statistics.max[unit])}${label ? `, ${label}` : ""}`;
      const cell = document.createElement("a");
      cell.className = `cell sheet-${Math.floor(unit / heldBy(data.covers))}${dead ? " dead" : ""}`;
      cell.href = prefix + unit;
      cell.tabIndex = -1;
      cell.dataset.unit = unit;
      cell.title = words;
      cell.setAttribute("aria-label", words);
      cell.append(document.createElement("i"), String(unit), document.createElement("span"));
      return cell;
    });
  };

  const looks = new CSSStyleSheet(); // one rule a sheet instead of one style a cell
  let dressed = null; // the page that the rules are for
  document.adoptedStyleSheets = [looks];

  /* The rules of all cells. images: the loaded sheets, null where one failed or has not come. */
  function rules(data, scale, files, images) {
    const [height, width] = data.covers.cell.map((side) => `${side * scale}px`);
    const sheets = images.map(
      (image, sheet) =>
        image &&
        `.cell.sheet-${sheet} i { background-image: url("${zf.url(files[sheet])}"); ` +
          `background-size: ${image.naturalWidth * scale}px auto; }`,
    ); // its own width: the last sheet may have fewer columns
    return [
      `.grid { grid-template-columns: repeat(auto-fill, ${width}); }`,
      `.cell, .cell i { width: ${width}; }`,
      `.cell i { height: ${height}; }`,
      ...sheets.filter(Boolean),
    ].join("\n");
  }

  /* Each cell's own part of its sheet. */
  function place(page, data, scale) {
    if (page.scale === scale) return;
    page.scale = scale;
    const {
      cell: [height, width],
      gutter,
      columns,
    } = data.covers;
    page.cells.forEach((cell, unit) => {
      const at = unit % heldBy(data.covers);
      const x = (at % columns) * (width + 2 * gutter) + gutter;
      const y = Math.floor(at / columns) * (height + 2 * gutter) + gutter;
      cell.firstChild.style.backgroundPosition = `${-x * scale}px ${-y * scale}px`;
    });
  }

  /* How the covers of a page {grid, cells} look; a sheet that fails is named. */
  zf.dressCovers = (page, data, query) => {
    const { grid } = page;
    const kind = zf.coverKind(query);
    const scale = zf.SIZES[zf.sizeOf(query)] / Math.max(...data.covers.cell);
    const files = data.covers[kind].map((name) => `${data.pictures.dir}/${name}`);
    grid.classList.toggle("sharp", zf.isSharp(data, query));
    grid.classList.toggle("contrast", zf.gainOf(query) !== 1);
    dressed = page;
    place(page, data, scale);
    const look = `${kind} ${scale}`;
    if (page.look === look && page.whole) return;
    if (page.look !== look) looks.replaceSync(rules(data, scale, files, []));
    Object.assign(page, { look, whole: false });
    grid.classList.add("waiting");
    Promise.all(
      files.map((file) => zf.image(file).catch((error) => zf.warn(`${error.message}: its covers are not drawn.`))),
    ).then((images) => {
      if (dressed !== page || page.look !== look) return;
      looks.replaceSync(rules(data, scale, files, images));
      grid.classList.remove("waiting");
      page.whole = images.every(Boolean);
    });
  };
})();
