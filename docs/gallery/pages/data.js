"use strict";
/* What data/*.js holds: loaded as classic scripts, since nothing else may be read from disk by a page. */
(() => {
  const zf = (window.zf = window.zf || {});
  const held = new Map();
  const asked = new Map();

  /* Called by every data file. */
  zf.load = (name, value) => {
    held.set(name, value);
  };

  zf.gallery = () => held.get("gallery");
  zf.layerData = (run, layer) => held.get(`${run.slug}/${layer.slug}`);

  /* A promise of the layer's data; its error says which file fails. */
  zf.needLayer = (run, layer) => {
    const name = `${run.slug}/${layer.slug}`;
    if (!asked.has(name)) asked.set(name, read(name));
    return asked.get(name);
  };

  function read(name) {
    const file = `data/${name}.js`;
    return new Promise((resolve, reject) => {
      const done = () => {
        const value = held.get(name);
        if (value) resolve(value);
        else reject(new Error(`${file} is empty or damaged: the numbers of this layer cannot be shown.`));
      };
      const missing = () => reject(new Error(`${file} is missing: the numbers of this layer cannot be shown.`));
      document.head.append(zf.el("script", { src: zf.url(file), onload: done, onerror: missing }));
    });
  }

  zf.findRun = (slug) => zf.gallery().runs.find((run) => run.slug === slug);
  zf.findLayer = (run, slug) => run.layers.find((layer) => layer.slug && layer.slug === slug);
  zf.shownLayers = (run) => run.layers.filter((layer) => layer.slug);

  zf.className = (number) => {
    const name = zf.gallery().data.classes[number];
    return name === undefined ? "" : name;
  };

  /* {place, name, label} of a source image; place is null where its thumbnail is not in the sheets. */
  zf.sourceOf = (image) => {
    const found = zf.gallery().sources.images[image];
    if (!found) return { place: null, name: `image ${image}`, label: -1 };
    return { place: found[0], name: found[1] || `image ${image}`, label: found[2] };
  };

  /* The part of the image that a unit sees from (row, col): {top, left, height, width} in pixels of the image. */
  zf.fieldOf = (layer, row, col, size) => {
    if (!layer.field) return { top: 0, left: 0, height: size, width: size };
    const [[height, down, above], [width, across, before]] = layer.field;
    return { top: row * down + above, left: col * across + before, height, width };
  };

  /* Small things that outlast the page, under the gallery's own prefix: all pages on disk share one store. */
  zf.remember = (key, value) => {
    try {
      localStorage.setItem(`zf:${zf.gallery().id}:${key}`, JSON.stringify(value));
    } catch (error) {
      zf.say("This browser keeps nothing for this page: pins live in the address only.");
    }
  };
  zf.recall = (key, otherwise) => {
    try {
      const text = localStorage.getItem(`zf:${zf.gallery().id}:${key}`);
      return text === null ? otherwise : JSON.parse(text);
    } catch (error) {
      return otherwise;
    }
  };
})();
