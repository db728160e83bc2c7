// The projection large, the patch that it answers for beside it, and the sentence that says what one sees.
(function () {
  "use strict";
  const zf = (window.zf = window.zf || {});
  const live = (zf.live = zf.live || {});
  const SMALL = 64; // pixels of a window that is never smoothed
  const STEP = 1.35; // of the contrast
  const shown = { projection: null, source: null };
  const $ = (id) => document.getElementById(id);

  function paint(id, pixels) {
    const canvas = $(id);
    canvas.height = pixels.height;
    canvas.width = pixels.width;
    canvas.getContext("2d").drawImage(pixels, 0, 0);
  }

  // projection: the server's answer; source: the picture it belongs to, a canvas.
  function show(projection, source) {
    Object.assign(shown, { projection, source });
    paint("patch", live.raster.window(source, projection));
    const { layer, unit, row, col } = projection.asked;
    const name = `${live.layerName(layer)} unit ${live.unitName(layer, unit)}`;
    const [rows, cols] = live.now.layers[layer].shape;
    const place = rows * cols > 1 ? ` at row ${row}, column ${col}` : "";
    const silent = projection.gain === 0;
    const sentence =
      `${name}${place}: ${zf.number(projection.value)}` +
      (silent
        ? "; silent here, nothing to project."
        : `; projection of ${projection.height} x ${projection.width} pixels.`);
    styles();
    $("lens-title").textContent = `Projection: ${name}`;
    $("caption").textContent = sentence;
    $("gain").textContent = silent ? "" : `Full black or white stands for ${zf.number(projection.gain)}.`;
    $("projection").setAttribute("aria-label", `Projection of ${sentence}`);
    $("patch").setAttribute("aria-label", `What ${name} sees of the picture`);
  }

  function styles() {
    const { projection, source } = shown;
    if (projection) paint("projection", live.raster.projection(projection, source, STEP ** live.state.contrast));
    $("picture").classList.toggle("sharp", live.state.sharp);
    for (const id of ["projection", "patch"]) $(id).classList.toggle("sharp", live.state.sharp || $(id).width < SMALL);
  }

  const wait = (on) => $("lens").classList.toggle("waiting", on);

  const aloud = () => live.notice.aloud($("caption").textContent);

  live.lens = { show, aloud, styles, wait };
})();
