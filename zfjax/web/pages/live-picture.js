// The picture as the network sees it; over it the projection at its place, and what the chosen unit can see.
(function () {
  "use strict";
  const live = ((window.zf = window.zf || {}).live = window.zf.live || {});
  const SIDE = 640; // pixels of the canvas at least, so that lines are thin beside small pictures
  const GROUND = 0.5; // how much of the picture a projection's zero greys out, so that the rest stands out
  const shown = { source: null, height: 0, width: 0, scale: 1, box: null, frozen: null, projection: null };

  const canvas = () => document.getElementById("picture");

  // source: a canvas of the picture, [height, width]. What lay over the one before is taken away.
  function show(source) {
    Object.assign(shown, { source, height: source.height, width: source.width, projection: null });
    shown.scale = Math.max(1, Math.ceil(SIDE / Math.max(source.height, source.width)));
    canvas().height = source.height * shown.scale;
    canvas().width = source.width * shown.scale;
    draw();
  }

  function draw() {
    const context = canvas().getContext("2d");
    const { source, scale, projection } = shown;
    if (!source) return;
    context.imageSmoothingEnabled = !live.state.sharp;
    context.drawImage(source, 0, 0, source.width * scale, source.height * scale);
    if (projection && live.state.opacity && !live.brush.on) {
      const { veil, left, top } = projection;
      const place = [left * scale, top * scale, veil.width * scale, veil.height * scale];
      context.fillStyle = "#808080";
      context.globalAlpha = (GROUND * live.state.opacity) / 100;
      context.fillRect(...place);
      context.globalAlpha = live.state.opacity / 100;
      context.drawImage(veil, ...place);
      context.globalAlpha = 1;
    }
    live.brush.draw(context, scale);
    if (shown.frozen) outline(context, shown.frozen, [8, 6]);
    if (shown.box) outline(context, shown.box, []);
  }

  // Two lines, dark about light, show on every picture; what sticks out is drawn at the edge.
  function outline(context, { top, left, height, width }, dashes) {
    const { scale } = shown;
    const clip = (from, size, most) => [Math.max(0, from) * scale, Math.min(most, from + size) * scale];
    const [y0, y1] = clip(top, height, shown.height);
    const [x0, x1] = clip(left, width, shown.width);
    for (const [colour, line] of [
      ["#000", 6],
      ["#fff", 3],
    ]) {
      context.setLineDash(dashes);
      context.strokeStyle = colour;
      context.lineWidth = line;
      context.strokeRect(x0 + 3, y0 + 3, Math.max(1, x1 - x0 - 6), Math.max(1, y1 - y0 - 6));
    }
    context.setLineDash([]);
  }

  // Row and column of the picture's pixel under a pointer.
  function pixel(event) {
    const rect = canvas().getBoundingClientRect();
    const clip = (part, most) => Math.min(most - 1, Math.max(0, Math.floor(part * most)));
    return [
      clip((event.clientY - rect.top) / rect.height, shown.height),
      clip((event.clientX - rect.left) / rect.width, shown.width),
    ];
  }

  // A press or a drag chooses the cell that looks at that place; the brush paints instead.
  function listen() {
    const point = (event) => (live.brush.on ? live.brush.stroke(pixel(event), event) : live.lookAt(pixel(event)));
    let tap = false; // a finger may be about to scroll: it chooses when it is lifted
    canvas().addEventListener("pointerdown", (event) => {
      tap = event.pointerType === "touch" && !live.brush.on;
      if (!shown.source || event.button !== 0 || tap) return;
      canvas().setPointerCapture(event.pointerId);
      point(event);
    });
    canvas().addEventListener("click", (event) => tap && shown.source && point(event));
    canvas().addEventListener("pointermove", (event) => {
      if (event.buttons === 1 && canvas().hasPointerCapture(event.pointerId)) point(event);
    });
  }

  function project(projection) {
    shown.projection = projection;
    draw();
  }

  // box: what the chosen cell sees; frozen: what the frozen one sees, or null.
  function boxes(box, frozen) {
    Object.assign(shown, { box, frozen });
    draw();
  }

  live.picture = {
    show,
    draw,
    project,
    boxes,
    pixel,
    listen,
    get source() {
      return shown.source;
    },
    get projection() {
      return shown.projection;
    },
  };
})();
