// My picture against its nine: what the chosen unit responded to most in the gallery's data, where there is a gallery.
(function () {
  "use strict";
  const zf = (window.zf = window.zf || {});
  const live = (zf.live = zf.live || {});
  const $ = (id) => document.getElementById(id);
  const REST_MS = 120;
  const HOME = "/gallery/";
  let run = null; // the gallery's, of the network that is looked at
  let wanted = null; // {layer: slug, unit}
  let shown = "";
  let timer = 0;

  // The gallery's files, asked for from this page.
  zf.url = (file) => HOME + file.split("/").map(encodeURIComponent).join("/");
  zf.warn = live.notice.say;

  // arch.gallery: the run's slug in the gallery, or "".
  function listen(slug) {
    if (!slug) return;
    const script = zf.el("script", { src: zf.url("data/gallery.js"), onload: start });
    document.head.append(script);

    function start() {
      if (!zf.gallery() || !zf.findRun(slug)) return;
      $("gallery").hidden = false;
      run = zf.findRun(slug);
      if (wanted) load();
    }
  }

  // Shows the nine of the unit whose projection is shown, once the cursor rests there.
  function show(asked) {
    wanted = asked;
    window.clearTimeout(timer);
    timer = window.setTimeout(load, REST_MS);
  }

  async function load() {
    const { layer: slug, unit } = wanted;
    if (!run || shown === `${slug}/${unit}`) return;
    shown = `${slug}/${unit}`;
    const layer = zf.findLayer(run, slug);
    $("nine").hidden = true;
    if (!layer) return;
    try {
      const data = await zf.needLayer(run, layer);
      if (shown === `${slug}/${unit}`) fill(layer, data, unit);
    } catch (error) {
      live.notice.say(error.message);
    }
  }

  function fill(layer, data, unit) {
    const top = data.top[unit] || [];
    const { name, split } = zf.gallery().data;
    const where = `${name}${split ? `, ${split}` : ""}`;
    $("nine-title").textContent = top.length
      ? `Its ${top.length} strongest of ${where}${zf.gallery().photos ? ": patch and projection" : ", projected"}`
      : `None of the pictures of ${where} makes it respond`;
    $("nine-pictures").replaceChildren(...top.map((found, rank) => one(layer, data, unit, found, rank)));
    $("nine-link").href = `${HOME}index.html#/${run.slug}/${layer.slug}/${unit}`;
    $("nine").hidden = false;
  }

  function one(layer, data, unit, found, rank) {
    const source = zf.sourceOf(found[0]);
    return zf.el(
      "figure",
      { class: "pairing" },
      ...zf.pictures({ run, data, row: layer, unit, query: {} }, "u", rank, found),
      zf.el("figcaption", {}, zf.number(found[3], 3), " ", zf.name(zf.className(source.label))),
    );
  }

  live.nine = { listen, show };
})();
