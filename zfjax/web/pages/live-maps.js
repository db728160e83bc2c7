// All maps of a layer on one canvas. Only the rows in view are drawn, so that 4,096 cost no more than 24.
(function () {
  "use strict";
  const zf = (window.zf = window.zf || {});
  const live = (zf.live = zf.live || {});
  const SIDES = [44, 72, 144]; // CSS pixels of a map, by zoom
  const GAP = 8;
  const LABEL = 15;
  const BAR = { height: 12, width: 144 }; // of a unit that is one number
  let maps = null;
  let order = []; // units in the order shown
  let rank = []; // unit -> place in that order
  let range = null; // of the whole layer
  let grid = null;
  let hovered = null;

  const canvas = () => document.getElementById("maps");
  const frame = () => document.getElementById("maps-frame");
  const single = () => maps.height === 1 && maps.width === 1;

  function show(next, keepOrder) {
    const same = maps && maps.layer === next.layer;
    maps = next;
    range = { low: Math.min(0, ...extremes(maps.low)), high: Math.max(0, ...extremes(maps.high)) };
    if (!(same && keepOrder)) sort();
    if (!same) frame().scrollTop = 0;
    layout();
  }

  const extremes = (values) => [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];

  function sort() {
    order = live.state.sort === "strength" ? live.raster.ranked(maps) : [...maps.high.keys()];
    rank = [];
    order.forEach((unit, place) => (rank[unit] = place));
  }

  function layout() {
    if (!maps) return;
    const side = SIDES[live.state.zoom];
    const fit = side / Math.max(maps.height, maps.width);
    const scale = fit >= 1 ? Math.floor(fit) : fit;
    const cell = single() ? BAR : { height: maps.height * scale, width: maps.width * scale };
    const pitch = { y: cell.height + LABEL + GAP, x: Math.max(cell.width, single() ? 0 : 40) + GAP };
    const columns = Math.max(1, Math.floor((frame().clientWidth - GAP) / pitch.x));
    const rows = Math.ceil(maps.channels / columns);
    grid = { scale, cell, pitch, columns, rows };
    document.getElementById("maps-length").style.height = `${rows * pitch.y + GAP}px`;
    draw();
  }

  function draw() {
    if (!grid) return;
    const ratio = window.devicePixelRatio || 1;
    const height = frame().clientHeight;
    const width = frame().clientWidth;
    const made = canvas();
    if (made.height !== Math.round(height * ratio) || made.width !== Math.round(width * ratio)) {
      made.height = Math.round(height * ratio);
      made.width = Math.round(width * ratio);
      made.style.height = `${height}px`;
      made.style.width = `${width}px`;
    }
    const context = made.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const brush = { context, style: window.getComputedStyle(made), tile: live.raster.canvas(maps.height, maps.width) };
    brush.image = new ImageData(maps.width, maps.height);
    const first = Math.max(0, Math.floor((frame().scrollTop - GAP) / grid.pitch.y));
    const last = Math.min(grid.rows, Math.ceil((frame().scrollTop + height) / grid.pitch.y));
    const end = Math.min(maps.channels, last * grid.columns);
    for (let place = first * grid.columns; place < end; place++) cell(brush, place);
  }

  // Corner of a place on the canvas, as scrolled.
  function corner(place) {
    const row = Math.floor(place / grid.columns);
    return [GAP + row * grid.pitch.y - frame().scrollTop, GAP + (place % grid.columns) * grid.pitch.x];
  }

  function cell(brush, place) {
    const { context, style } = brush;
    const unit = order[place];
    const [top, left] = corner(place);
    const { height, width } = grid.cell;
    if (single()) bar(brush, unit, top, left);
    else {
      live.raster.map(maps, unit, brush.image, live.state.range === "layer" ? range : null);
      brush.tile.getContext("2d").putImageData(brush.image, 0, 0);
      context.imageSmoothingEnabled = grid.scale < 1;
      context.drawImage(brush.tile, left, top, width, height);
    }
    label(brush, unit, top + height, left);
    const chosen = unit === live.state.unit;
    if (chosen || (hovered && hovered.unit === unit)) {
      context.strokeStyle = style.getPropertyValue(chosen ? "--accent" : "--soft");
      context.lineWidth = chosen ? 3 : 1;
      context.strokeRect(left - 2.5, top - 2.5, width + 5, height + 5);
    }
    if (chosen && !single()) cross(context, top, left);
  }

  // A unit of one number: its bar from zero, to the right or, below zero, to the left.
  function bar({ context, style }, unit, top, left) {
    const { height, width } = grid.cell;
    const span = range.high - range.low || 1;
    const zero = (-range.low / span) * width;
    const length = (maps.high[unit] / span) * width;
    context.fillStyle = style.getPropertyValue("--line");
    context.fillRect(left, top, width, height);
    context.fillStyle = style.getPropertyValue("--accent");
    context.fillRect(left + zero, top, length, height);
  }

  function label({ context, style }, unit, top, left) {
    const silent = maps.high[unit] <= 0;
    context.font = "11px system-ui, sans-serif";
    context.textBaseline = "top";
    context.fillStyle = style.getPropertyValue(silent ? "--soft" : "--ink");
    context.textAlign = "left";
    context.fillText(single() ? live.unitName(maps.layer, unit) : String(unit), left, top + 4, grid.pitch.x * 0.66);
    if (grid.pitch.x < 64) return;
    context.textAlign = "right";
    context.fillStyle = style.getPropertyValue("--soft");
    context.fillText(zf.number(maps.high[unit], 3), left + grid.pitch.x - GAP, top + 4);
  }

  // The chosen cell, in two lines that show on dark and light.
  function cross(context, top, left) {
    const { scale } = grid;
    const [row, col] = live.place();
    const side = Math.max(scale, 5);
    const y = top + (row + 0.5) * scale - side / 2;
    const x = left + (col + 0.5) * scale - side / 2;
    for (const [colour, grow] of [
      ["#000", 1],
      ["#fff", 0],
    ]) {
      context.strokeStyle = colour;
      context.lineWidth = 1;
      context.strokeRect(x - grow - 0.5, y - grow - 0.5, side + 2 * grow + 1, side + 2 * grow + 1);
    }
  }

  // {unit, row, col} under a pointer, or null. On a label it is the unit's strongest place.
  function hit(event) {
    if (!grid) return null;
    const rect = canvas().getBoundingClientRect();
    const y = event.clientY - rect.top + frame().scrollTop - GAP;
    const x = event.clientX - rect.left - GAP;
    const column = Math.floor(x / grid.pitch.x);
    const place = Math.floor(y / grid.pitch.y) * grid.columns + column;
    if (y < 0 || x < 0 || column >= grid.columns || place >= maps.channels) return null;
    const unit = order[place];
    const row = Math.floor((y % grid.pitch.y) / grid.scale);
    const col = Math.floor((x % grid.pitch.x) / grid.scale);
    if (single()) return { unit, at: [0, 0], value: maps.high[unit] };
    if (row >= maps.height || col >= maps.width) return { unit, at: null, value: maps.high[unit] };
    return { unit, at: [row, col], value: live.raster.value(maps, unit, row, col) };
  }

  function hover(found) {
    hovered = found;
    canvas().style.cursor = found ? "crosshair" : "default";
    live.readout(found);
    draw();
  }

  // Of maps that are about to be replaced by another layer's, nothing is chosen.
  function choose(found) {
    if (!found || maps.layer !== live.state.layer) return false;
    live.choose({ unit: found.unit, at: found.at });
    return true;
  }

  function listen() {
    let tap = false; // a finger may be about to scroll: it chooses when it is lifted
    canvas().addEventListener("pointerdown", (event) => {
      tap = event.pointerType === "touch";
      if (event.button !== 0 || tap || !choose(hit(event))) return;
      canvas().setPointerCapture(event.pointerId);
    });
    canvas().addEventListener("click", (event) => tap && choose(hit(event)));
    canvas().addEventListener("pointermove", (event) => {
      const found = hit(event);
      hover(found);
      const drag = event.buttons === 1 && canvas().hasPointerCapture(event.pointerId);
      if (drag && found && found.at && found.unit === live.state.unit) live.choose({ at: found.at });
    });
    canvas().addEventListener("pointerleave", () => hover(null));
    frame().addEventListener("scroll", draw);
    new ResizeObserver(layout).observe(frame());
  }

  // Scrolls until a unit is in view.
  function reveal(unit) {
    if (!grid || unit === null) return;
    const top = Math.floor(rank[unit] / grid.columns) * grid.pitch.y;
    if (top < frame().scrollTop) frame().scrollTop = top;
    const most = top + grid.pitch.y + GAP - frame().clientHeight;
    if (most > frame().scrollTop) frame().scrollTop = most;
  }

  // The unit that stands `steps` further on in the order shown.
  const neighbour = (unit, steps) => order[Math.min(order.length - 1, Math.max(0, (rank[unit] || 0) + steps))];

  live.maps = {
    show,
    draw,
    layout,
    listen,
    reveal,
    neighbour,
    sort() {
      if (!maps) return;
      sort();
      draw();
    },
    get now() {
      return maps;
    },
    get order() {
      return order;
    },
    get columns() {
      return grid ? grid.columns : 1;
    },
    corner: (unit) => corner(rank[unit]),
    get cell() {
      return grid.cell;
    },
  };
})();
