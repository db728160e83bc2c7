// The network's drawing, each layer with the nine maps that the picture excites most; a box leads to its layer.
(function () {
  "use strict";
  const zf = (window.zf = window.zf || {});
  const live = (zf.live = zf.live || {});
  const $ = (id) => document.getElementById(id);
  const NINE = 9;
  const fill = live.server.lane(draw);

  function open() {
    if (!live.now.arch) return;
    const { arch, image } = live.now;
    const { svg, boxes } = zf.drawNetwork(arch.layers, {
      href: (layer) => live.address.format({ ...live.state, layer: layer.slug, unit: null, at: null }),
      fact: (layer) => zf.plural(layer.units, "unit"),
      current: live.state.layer,
      image: [arch.image_size, arch.image_size, arch.channels],
    });
    $("drawing-place").replaceChildren(svg);
    $("drawing").showModal();
    const current = svg.querySelector('[aria-current="true"]');
    if (current) {
      current.scrollIntoView({ block: "center" });
      current.focus();
    }
    if (image) fill.ask({ id: image.id, boxes });
  }

  // One layer after the other, the chosen one first, for as long as the drawing is open.
  async function draw({ id, boxes }, signal) {
    const order = [...boxes.keys()].sort((a, b) => (b === live.state.layer) - (a === live.state.layer));
    for (const slug of order) {
      if (!$("drawing").open) return;
      const maps = await live.server.maps(id, slug, signal);
      if (maps.height * maps.width > 1) zf.drawCovers(boxes.get(slug), covers(maps));
    }
  }

  // The strongest maps as one sheet in a data: address, and where each stands on it.
  function covers(maps) {
    const units = live.raster.ranked(maps).slice(0, NINE);
    const { height, width } = maps;
    const sheet = live.raster.canvas(height, width * units.length);
    const image = new ImageData(width, height);
    units.forEach((unit, i) => {
      live.raster.map(maps, unit, image, null);
      sheet.getContext("2d").putImageData(image, i * width, 0);
    });
    const href = sheet.toDataURL();
    return units.map((_, i) => ({ href, sheet: [sheet.width, sheet.height], box: [i * width, 0, width, height] }));
  }

  // A box is chosen as a tab is: the unit looked at last in that layer, the same place of the picture.
  function follow(event) {
    const box = event.target.closest("a[data-key]");
    if (!box || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    $("drawing").close();
    live.choose({ layer: box.getAttribute("data-key").replace("box ", "") });
  }

  function listen() {
    $("network-open").addEventListener("click", open);
    $("drawing-place").addEventListener("click", follow);
    $("drawing").addEventListener("close", fill.drop);
  }

  live.network = { listen, open };
})();
