// The conductor: a picture comes in, its maps are fetched, a unit is chosen, its projection is asked for.
(function () {
  "use strict";
  const zf = (window.zf = window.zf || {});
  const live = (zf.live = zf.live || {});
  const { state, server } = live;
  const RENEW_MS = 2000; // a picture that the server has forgotten is sent again, but not in circles
  const SLOW_MS = 150;
  const SMALL = 128; // pixels of a picture's side up to which one wants to see each
  const now = {
    arch: null,
    layers: Object.create(null), // by slug; an address may ask for "constructor"
    shown: [],
    named: new Set(),
    image: null,
    plain: null,
    source: null,
    own: null, // the job of the user's own picture that was opened last, for the history's sake
    asked: null,
    renewed: 0,
  };
  const units = new Map(); // layer -> the unit chosen there last

  const pictures = server.lane(develop);
  const maps = server.lane(async (job, signal) => {
    const found = await server.maps(job.image, job.layer, signal);
    if (now.image && now.image.id === job.image && state.layer === job.layer) arrive(found, false);
  });
  const projections = server.lane(project);

  // One of {file: bytes}, {sample: number}, {cover: mask} or {plain: true}, the picture without its cover. Resolves to
  // false where the server refuses it: then the picture before stays.
  function open(job) {
    if (!job.filmed) clearNotice();
    return load(job);
  }

  // The same, and what was said stays.
  function load(job) {
    if (!job.cover && !job.plain) now.asked = job;
    return pictures.ask(job);
  }

  async function develop(job, signal) {
    const image = await developed(job, signal);
    const layer = state.layer;
    const [bytes, found] = await Promise.all([server.picture(image.id, signal), server.maps(image.id, layer, signal)]);
    const [height, width] = image.size;
    const canvas = live.raster.picture(bytes, height, width);
    projections.drop();
    now.image = image;
    if (job.again) now.plain = image;
    else if (!job.cover && !job.plain) {
      Object.assign(now, { source: job, plain: image });
      if (job.file && !job.filmed) now.own = job;
      state.sample = job.sample ?? null;
      live.brush.reset(height, width);
    } else if (!pictures.waiting) live.brush.settled();
    live.picture.show(canvas, Boolean(job.filmed || job.cover));
    document.body.classList.remove("empty");
    live.answer.show(image, job.cover ? now.plain : null);
    if (job.again && live.brush.painted) live.cover(live.brush.painted);
    live.controls.show();
    if (layer === state.layer) arrive(found, job.filmed || job.cover);
    else askMaps();
  }

  function developed(job, signal) {
    if (job.plain) return now.plain;
    if (job.cover) return server.cover(now.plain.id, job.cover, signal);
    return job.file ? server.file(job.file, signal) : server.sample(job.sample, signal);
  }

  const askMaps = () => now.image && maps.ask({ image: now.image.id, layer: state.layer });

  // The maps of the layer in view are here. With keepOrder they stay where they are, as while filming.
  function arrive(found, keepOrder) {
    live.maps.show(found, keepOrder);
    if (state.unit !== null && state.unit >= found.channels) {
      live.notice.say(`${live.layerName()} has units 0 to ${found.channels - 1}, none is called ${state.unit}.`);
      state.unit = null;
    }
    state.unit ??= live.maps.order[0];
    if (state.at && (state.at[0] >= found.height || state.at[1] >= found.width)) {
      const places = `${found.height} x ${found.width} places`;
      live.notice.say(`The maps of ${live.layerName()} have ${places}, none at ${state.at}.`);
      state.at = null;
    }
    if (!keepOrder) live.maps.reveal(state.unit);
    live.readout(null);
    follow(keepOrder);
  }

  // The chosen cell: where the address names none, the unit's strongest.
  const place = () => state.at || live.raster.strongest(live.maps.now, state.unit);

  const settled = () => now.image && live.maps.now && live.maps.now.layer === state.layer && state.unit !== null;

  // Asks for the projection of what is chosen, and meanwhile draws the choice. quiet: nothing is read aloud, as of a
  // film or under the brush.
  function follow(quiet) {
    if (settled()) {
      ask(quiet);
      live.maps.draw();
      const sees = ({ layer, at }) => zf.fieldOf(now.layers[layer], ...at, now.arch.image_size);
      live.picture.boxes(sees({ layer: state.layer, at: place() }), state.origin && sees(state.origin));
    }
    live.layers.mark();
    live.controls.show();
    live.address.write();
  }

  function ask(quiet) {
    const { layer, unit, at } = state.origin || { layer: state.layer, unit: state.unit, at: place() };
    const [row, col] = at;
    const { method, overlap } = state;
    projections.ask({ asked: { image: now.image.id, layer, unit, row, col, method, overlap }, quiet });
  }

  async function project({ asked, quiet }, signal) {
    const slow = window.setTimeout(() => live.lens.wait(true), SLOW_MS);
    try {
      const projection = await server.project(asked, signal);
      if (asked.image !== now.image.id) return;
      projection.veil = live.raster.veil(projection.pixels, projection.height, projection.width);
      live.picture.project(projection);
      live.lens.show(projection, live.picture.source);
      if (!quiet) live.lens.aloud();
      live.nine.show(asked);
    } finally {
      window.clearTimeout(slow);
      live.lens.wait(false);
    }
  }

  // change: parts of the state. Another layer brings the unit chosen there before, at the same place of the picture.
  function choose(change) {
    clearNotice();
    const to = change.layer;
    if (to && to !== state.layer) {
      units.set(state.layer, state.unit);
      const at = state.at && live.field.same(now.layers[state.layer], state.at, now.layers[to]);
      change = { unit: units.get(to) ?? null, at, ...change };
      Object.assign(state, change);
      askMaps();
    } else Object.assign(state, change);
    follow();
  }

  function lookAt(pixel) {
    if (!settled()) return;
    const at = live.field.cell(now.layers[state.layer], pixel);
    if (at) choose({ at });
    else live.notice.say(`Every unit of ${live.layerName()} sees the whole picture: there is no place to choose.`);
  }

  const clearNotice = () => !server.lost && live.notice.clear();

  function failed(error) {
    if (!pictures.waiting) now.asked = now.source;
    if (error.name === "AbortError" || error.status === 409 || server.lost) return;
    if (error.status === 410 && now.source && Date.now() - now.renewed > RENEW_MS) return renew();
    if (error.status === undefined) console.error(error);
    live.notice.say(error.message);
  }

  function renew() {
    now.renewed = Date.now();
    pictures.ask({ ...now.source, again: true });
  }

  // The server is back: with the same network the page goes on, else it begins anew.
  async function returned() {
    try {
      const arch = await server.arch();
      if (!now.arch || ["run", "arch", "step"].some((name) => arch[name] !== now.arch[name]))
        return window.location.reload();
      if (now.source) renew();
      live.camera.resume();
    } catch (error) {
      failed(error);
    }
  }

  // What an address names and this network does not have is said in one sentence; instead of a layer, the deepest one
  // with places is shown.
  function correct() {
    const { methods } = now.arch;
    if (!methods.some((method) => method.name === state.method)) {
      live.notice.say(`There is no method ${state.method}; the list has those that there are.`);
      state.method = methods[0].name;
    }
    if (state.origin && !now.layers[state.origin.layer]) state.origin = null;
    if (now.layers[state.layer]) return;
    if (state.layer) live.notice.say(`This network has no layer ${state.layer}; choose one of the tabs.`);
    const spatial = now.shown.filter((layer) => layer.shape[0] > 1);
    state.layer = (spatial.filter((layer) => layer.kind === "Conv").pop() || spatial.pop() || now.shown[0]).slug;
    state.unit = state.at = null;
  }

  async function start() {
    for (const part of ["picture", "maps", "brush", "camera", "network", "keys", "controls"]) live[part].listen();
    try {
      now.arch = await server.arch();
    } catch (error) {
      return server.lost ? undefined : failed(error);
    }
    const { arch } = now;
    now.shown = arch.layers.filter((layer) => layer.slug);
    now.named = live.ofClasses(now.shown, arch.classes);
    for (const layer of now.shown) now.layers[layer.slug] = layer;
    live.address.suit({ sharp: arch.image_size < SMALL });
    live.address.read();
    correct();
    live.controls.fill(arch);
    live.layers.listen(now.shown);
    live.source.listen(arch.samples);
    live.nine.listen(arch.gallery);
    follow();
    if (arch.samples) load({ sample: Math.min(state.sample ?? 0, arch.samples - 1) });
  }

  window.addEventListener("hashchange", () => {
    const { sample } = state;
    live.address.read();
    if (!now.arch) return;
    correct();
    if (state.sample === null && sample !== null && !now.own) state.sample = sample; // there is no other picture
    if (state.sample === sample) askMaps();
    else if (state.sample === null) load(now.own);
    else if (now.arch.samples) load({ sample: state.sample });
    follow();
  });

  Object.assign(live, {
    open,
    choose,
    lookAt,
    place,
    failed,
    returned,
    now,
    cover: (mask) => open({ cover: mask }),
    uncover: () => open({ plain: true }),
    settled,
    busy: () => pictures.busy || maps.busy || projections.busy,
  });
  document.addEventListener("DOMContentLoaded", start);
})();
