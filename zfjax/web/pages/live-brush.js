// The brush paints an occluder over the picture; the server computes the picture again without what is covered.
(function () {
  "use strict";
  const live = ((window.zf = window.zf || {}).live = window.zf.live || {});
  const $ = (id) => document.getElementById(id);
  const COVERED = 255;
  const brush = { on: false, radius: 0.06, mask: null, tint: null, height: 0, width: 0, last: null, cursor: null };

  // A picture of another size, or another picture: nothing is painted on it yet.
  function reset(height, width) {
    Object.assign(brush, { height, width, mask: new Uint8Array(height * width), tint: null, last: null });
    $("brush-clear").disabled = true;
  }

  const pixels = () => Math.max(0.5, brush.radius * Math.max(brush.height, brush.width));

  function dab([row, col]) {
    const radius = pixels();
    const reach = Math.ceil(radius);
    for (let y = Math.max(0, row - reach); y <= Math.min(brush.height - 1, row + reach); y++)
      for (let x = Math.max(0, col - reach); x <= Math.min(brush.width - 1, col + reach); x++)
        if ((y - row) ** 2 + (x - col) ** 2 <= radius ** 2) brush.mask[y * brush.width + x] = COVERED;
  }

  function line([row, col], [toRow, toCol]) {
    const steps = Math.max(Math.abs(toRow - row), Math.abs(toCol - col), 1);
    for (let i = 0; i <= steps; i++)
      dab([Math.round(row + ((toRow - row) * i) / steps), Math.round(col + ((toCol - col) * i) / steps)]);
  }

  // place: [row, col] of the picture; a drag paints a line from where the pointer was.
  function stroke(place, event) {
    if (!brush.mask) return;
    const drag = event && event.type === "pointermove" && brush.last;
    line(drag ? brush.last : place, place);
    brush.last = place;
    tint();
    live.picture.draw();
    live.cover(brush.mask.slice());
  }

  // What is painted, half see-through, until the server's own picture arrives.
  function tint() {
    const image = new ImageData(brush.width, brush.height);
    new Uint32Array(image.data.buffer).forEach((_, i, to) => (to[i] = brush.mask[i] ? 0xb4808080 : 0));
    brush.tint = live.raster.canvas(brush.height, brush.width);
    brush.tint.getContext("2d").putImageData(image, 0, 0);
    $("brush-clear").disabled = false;
  }

  function draw(context, scale) {
    if (brush.tint) context.drawImage(brush.tint, 0, 0, brush.width * scale, brush.height * scale);
    if (!brush.on || !brush.cursor) return;
    const [row, col] = brush.cursor;
    for (const [colour, line] of [
      ["#000", 5],
      ["#fff", 2],
    ]) {
      context.strokeStyle = colour;
      context.lineWidth = line;
      context.beginPath();
      context.arc((col + 0.5) * scale, (row + 0.5) * scale, pixels() * scale, 0, 2 * Math.PI);
      context.stroke();
    }
  }

  function toggle(on = !brush.on) {
    brush.on = on;
    if (on && !brush.cursor) brush.cursor = [Math.floor(brush.height / 2), Math.floor(brush.width / 2)];
    $("brush").setAttribute("aria-pressed", String(on));
    $("stage").classList.toggle("painting", on);
    if (on) live.camera.freeze();
    live.picture.draw();
  }

  function clear() {
    reset(brush.height, brush.width);
    live.uncover();
  }

  // With the keys: the arrows move the brush, Enter paints.
  function move(rows, cols) {
    const clip = (value, most) => Math.min(most - 1, Math.max(0, value));
    const step = Math.max(1, Math.round(pixels()));
    const [row, col] = brush.cursor;
    brush.cursor = [clip(row + rows * step, brush.height), clip(col + cols * step, brush.width)];
    live.picture.draw();
  }

  function resize(part) {
    brush.radius = Math.min(0.25, Math.max(0.01, part));
    $("brush-size").value = String(Math.round(100 * brush.radius));
    live.picture.draw();
  }

  function listen() {
    $("brush").addEventListener("click", () => toggle());
    $("brush-clear").addEventListener("click", clear);
    $("brush-size").addEventListener("input", (event) => resize(Number(event.target.value) / 100));
    $("picture").addEventListener("pointermove", (event) => {
      if (!brush.on) return;
      brush.cursor = live.picture.pixel(event);
      live.picture.draw();
    });
  }

  live.brush = {
    reset,
    draw,
    stroke,
    toggle,
    clear,
    move,
    listen,
    paint: () => stroke(brush.cursor, null),
    grow: (factor) => resize(brush.radius * factor),
    settled() {
      brush.tint = null; // the picture itself is covered now
    },
    get on() {
      return brush.on;
    },
    // What is painted, or null.
    get painted() {
      return brush.mask && brush.mask.includes(COVERED) ? brush.mask.slice() : null;
    },
  };
})();
