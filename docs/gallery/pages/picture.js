"use strict";
/* Pictures that stand as cells in strips and sheets. */
(() => {
  const zf = (window.zf = window.zf || {});
  const KEPT = 40; // strips and sheets held ready, the newest
  const LARGE = 500000; // pixels of a sheet: the page's own thread would take too long over decoding it
  const images = new Map();

  function loaded(file) {
    const image = new Image();
    return new Promise((resolve, reject) => {
      image.onload = () => resolve(image);
      image.onerror = () => reject(new Error(`${file} is missing or damaged`));
      image.src = zf.url(file);
    });
  }

  /* A browser draws what there is of a truncated file and calls it loaded: only taking out the last pixel fails. */
  async function check(image, file) {
    try {
      (await createImageBitmap(image, image.naturalWidth - 1, image.naturalHeight - 1, 1, 1)).close();
    } catch (error) {
      throw new Error(`${file} is missing or damaged`);
    }
  }

  async function read(file) {
    const image = await loaded(file);
    const warn = (error) => zf.warn(`${error.message}: parts of it are not drawn.`);
    if (image.naturalWidth * image.naturalHeight < LARGE) await check(image, file);
    else zf.idle(() => check(image, file).catch(warn));
    return image;
  }

  /* A promise of a loaded image; its error names the file. */
  zf.image = (file) => {
    let found = images.get(file);
    images.delete(file);
    if (!found) {
      found = read(file);
      found.catch(() => {});
    }
    images.set(file, found);
    if (images.size > KEPT) images.delete(images.keys().next().value);
    return found;
  };

  /* Names from the gallery are relative to its folder; the folder's own name may hold anything. */
  zf.url = (file) => new URL(file.split("/").map(encodeURIComponent).join("/"), document.baseURI.split("#")[0]).href;

  zf.strip = (pictures, letter, unit) => `${pictures.dir}/${letter}${String(unit).padStart(4, "0")}.${pictures.ext}`;

  /* The box [x, y, width, height] of cell (column, row) of a strip or sheet of `cell` [height, width]. */
  zf.box = ({ cell: [height, width], gutter }, column, row) => [
    column * (width + 2 * gutter) + gutter,
    row * (height + 2 * gutter) + gutter,
    width,
    height,
  ];

  /* Small exact pictures are drawn as squares unless the reader says otherwise, others smoothly. */
  zf.isSharp = (data, query) => (query.x ? query.x === "1" : data.pictures.enlarged);

  /* {file, box} of a unit's cover. kind: "projection" or "patch". */
  zf.coverOf = (layer, unit, kind) => {
    const { covers, pictures } = layer;
    const held = covers.columns * covers.rows;
    const place = unit % held;
    const box = zf.box(covers, place % covers.columns, Math.floor(place / covers.columns));
    return { file: `${pictures.dir}/${covers[kind][Math.floor(unit / held)]}`, box };
  };

  /* {file, box} of the thumbnail of a source image as a run's network sees it, or null. */
  zf.thumbnailOf = (run, image) => {
    const { sources } = zf.gallery();
    const { place } = zf.sourceOf(image);
    if (place === null || place < 0) return null;
    const held = sources.columns * sources.rows;
    const inner = place % held;
    const sheet = { cell: [sources.cell, sources.cell], gutter: sources.gutter };
    const box = zf.box(sheet, inner % sources.columns, Math.floor(inner / sources.columns));
    return { file: sources.sheets[run.slug][Math.floor(place / held)], box };
  };

  /* A picture of one cell, drawn when its file has come. source: {file, box} or null. Options: label (its text),
     projection (keeps mid-grey around it, takes the reader's contrast), sharp (pixels stay squares). */
  zf.cell = (source, { label, projection = false, sharp = false }) => {
    const style = `picture waiting${projection ? " projection" : ""}${sharp ? " sharp" : ""}`;
    const frame = zf.el("span", { class: style });
    const fail = (sentence) => {
      frame.classList.replace("waiting", "hole");
      frame.replaceChildren(zf.el("span", {}, sentence));
    };
    if (!source || !source.file) {
      fail("no picture");
      return frame;
    }
    const [x, y, width, height] = source.box;
    frame.style.aspectRatio = `${width} / ${height}`;
    zf.image(source.file).then(
      (image) => {
        if (x + width > image.naturalWidth || y + height > image.naturalHeight) {
          zf.warn(`${source.file} is smaller than its table says.`);
          fail(`not drawn: ${source.file.split("/").pop()} is too small`);
          return;
        }
        frame.classList.remove("waiting");
        const size = [image.naturalWidth, image.naturalHeight];
        frame.prepend(zf.cut(zf.url(source.file), size, source.box, { role: "img", "aria-label": label }));
      },
      (error) => {
        zf.warn(`${error.message}: its pictures cannot be shown.`);
        fail(`not drawn: ${error.message.split("/").pop()}`);
      },
    );
    return frame;
  };
})();
