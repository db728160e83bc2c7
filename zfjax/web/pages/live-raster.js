// Raw numbers as canvases: pictures, and maps in a ramp from dark (nothing) over red to light (most).
(function () {
  "use strict";
  const live = ((window.zf = window.zf || {}).live = window.zf.live || {});
  const STOPS = [
    [6, 6, 18],
    [66, 10, 104],
    [147, 38, 103],
    [221, 81, 58],
    [252, 165, 10],
    [252, 255, 164],
  ];
  const ZERO = 128; // of a projection
  const VEIL = 4; // from half of full black or white on a projection hides the picture
  const OUTSIDE = 0xed; // beside the image, as in the figures' patches

  // The colour of a level 0..1, as 0xAABBGGRR: what a Uint32Array over an ImageData's bytes holds.
  function colour(level) {
    const at = Math.min(1, Math.max(0, level)) * (STOPS.length - 1);
    const from = Math.min(STOPS.length - 2, Math.floor(at));
    const [red, green, blue] = STOPS[from].map((value, i) =>
      Math.round(value + (STOPS[from + 1][i] - value) * (at - from)),
    );
    return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  }

  const RAMP = Uint32Array.from({ length: 256 }, (_, level) => colour(level / 255));

  function canvas(height, width) {
    const made = document.createElement("canvas");
    made.height = height;
    made.width = width;
    return made;
  }

  // uint8 [height, width, 1 or 3] as a canvas of that size.
  function picture(bytes, height, width) {
    const made = canvas(height, width);
    made.getContext("2d").putImageData(rgba(bytes, height, width), 0, 0);
    return made;
  }

  function rgba(bytes, height, width) {
    const image = new ImageData(width, height);
    const channels = bytes.length / (height * width);
    const step = channels === 3 ? 1 : 0;
    for (let from = 0, to = 0; to < image.data.length; from += channels, to += 4) {
      image.data[to] = bytes[from];
      image.data[to + 1] = bytes[from + step];
      image.data[to + 2] = bytes[from + 2 * step];
      image.data[to + 3] = 255;
    }
    return image;
  }

  // A projection to lay over its picture: what is grey, and so says nothing, lets the picture through.
  function veil(bytes, height, width) {
    const image = rgba(bytes, height, width);
    const { data } = image;
    const far = (i) => Math.abs(data[i] - ZERO);
    for (let i = 0; i < data.length; i += 4) data[i + 3] = VEIL * Math.max(far(i), far(i + 1), far(i + 2)); // or 255
    const made = canvas(height, width);
    made.getContext("2d").putImageData(image, 0, 0);
    return made;
  }

  // A canvas of the one quiet tone that a window takes outside of the picture.
  function outside(height, width) {
    const made = canvas(height, width);
    const context = made.getContext("2d");
    context.fillStyle = `rgb(${OUTSIDE}, ${OUTSIDE}, ${OUTSIDE})`;
    context.fillRect(0, 0, width, height);
    return made;
  }

  // The window of a canvas that may stick out over it.
  function window_(source, { top, left, height, width }) {
    const made = outside(height, width);
    made.getContext("2d").drawImage(source, -left, -top);
    return made;
  }

  // A projection, every level `contrast` times as far from grey, where its window lies on the picture, a canvas.
  function projection({ pixels, top, left, height, width }, source, contrast) {
    const strong = Uint8ClampedArray.from(pixels, (level) => ZERO + contrast * (level - ZERO));
    const on = [-left, -top, source.width, source.height];
    const made = outside(height, width);
    made.getContext("2d").drawImage(picture(strong, height, width), ...on, ...on);
    return made;
  }

  // The ends of what a map's levels 0..255 stand for: zero always lies between them.
  const ends = (maps, unit) => [Math.min(0, maps.low[unit]), Math.max(0, maps.high[unit])];

  // Writes unit's map into `image` (ImageData of the map's size): its own range, or levels of a range shared by all.
  function map(maps, unit, image, range) {
    const size = maps.height * maps.width;
    const levels = maps.levels.subarray(unit * size, (unit + 1) * size);
    const to = new Uint32Array(image.data.buffer);
    const [low, high] = ends(maps, unit);
    const own = !range || range.high <= range.low;
    const gain = own ? 1 : (high - low) / (range.high - range.low);
    const shift = own ? 0 : (255 * (low - range.low)) / (range.high - range.low);
    for (let i = 0; i < size; i++) to[i] = RAMP[Math.round(levels[i] * gain + shift)];
  }

  // What a map holds at a place, to the 255th part of its range.
  function value(maps, unit, row, col) {
    const [low, high] = ends(maps, unit);
    return low + ((high - low) * maps.levels[(unit * maps.height + row) * maps.width + col]) / 255;
  }

  // Row and column of a map's first maximum: the server's word, for many places share a level.
  const strongest = (maps, unit) => [Math.floor(maps.places[unit] / maps.width), maps.places[unit] % maps.width];

  // Units, strongest first.
  const ranked = (maps) => [...maps.high.keys()].sort((a, b) => maps.high[b] - maps.high[a] || a - b);

  live.raster = { ranked, canvas, picture, window: window_, projection, map, veil, value, strongest, RAMP };
})();
