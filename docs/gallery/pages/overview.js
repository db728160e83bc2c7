"use strict";
/* The first page: the network, drawn. */
(() => {
  const zf = (window.zf = window.zf || {});

  async function coverBox(slot, layer, data) {
    const kind = zf.coverKind(zf.route.query);
    const found = layer.cover.map((unit) => zf.coverOf(data, unit, kind));
    try {
      const sheets = await Promise.all(found.map(({ file }) => zf.image(file)));
      const sizes = sheets.map((image) => [image.naturalWidth, image.naturalHeight]);
      zf.drawCovers(
        slot,
        found.map(({ file, box }, i) => ({ href: zf.url(file), box, sheet: sizes[i] })),
      );
    } catch (error) {
      zf.warn(`${error.message}: the covers of ${layer.name} are not drawn.`);
    }
  }

  zf.showNetwork = (main, run) => {
    const { data, rule, notice } = zf.gallery();
    const { svg, boxes } = zf.drawNetwork(run.layers, {
      image: [run.image_size, run.image_size, run.channels],
      href: (layer) => zf.link([run.slug, layer.slug], zf.keep(zf.VIEW)),
      fact: (layer) => `${zf.plural(layer.units, "unit")}${layer.dead ? `, ${layer.dead} dead` : ""}`,
    });
    const about = zf.el(
      "div",
      { class: "about" },
      zf.el("h1", {}, zf.name(run.name)),
      zf.el("p", { class: "lead" }, zf.name(run.text)),
      zf.el(
        "p",
        {},
        "Each box is a layer of the network, from the image at the top to its answer below. ",
        "Open one to see all its units: what made each respond most, and what in the picture it was.",
      ),
      zf.el("p", {}, rule),
      notice && zf.el("p", { class: "notice" }, notice),
      zf.el(
        "p",
        {},
        "Data: ",
        zf.name(data.name),
        `${data.split ? `, ${data.split} split` : ""}, ${zf.plural(data.count, "image")}.`,
      ),
      zf.el("p", { class: "note" }, "Press ", zf.el("kbd", {}, "?"), " for the keys."),
    );
    const scroll = zf.el("div", { class: "scroll" }, svg);
    main.replaceChildren(zf.el("div", { class: "overview-page" }, about, scroll));
    scroll.scrollLeft = (scroll.scrollWidth - scroll.clientWidth) / 2;
    zf.rove(
      () => [...svg.querySelectorAll("a")],
      () => 1,
      true,
    );
    for (const layer of zf.shownLayers(run)) {
      zf.needLayer(run, layer).then(
        (held) => coverBox(boxes.get(layer.slug), layer, held),
        (error) => zf.warn(error.message),
      );
    }
  };
})();
