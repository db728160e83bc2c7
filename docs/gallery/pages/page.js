"use strict";
/* The one page: what stands around every view, and which view an address shows. */
(() => {
  const zf = (window.zf = window.zf || {});
  const byId = (id) => document.getElementById(id);
  const warned = new Set();
  let asked = 0; // a view whose data come late is dropped when another was asked for

  /* A fault that the reader should know of, once a page: the page goes on. */
  zf.warn = (sentence) => {
    if (warned.has(sentence)) return;
    warned.add(sentence);
    byId("warnings").append(zf.el("li", {}, sentence));
  };

  let quiet = null;
  zf.say = (sentence) => {
    const line = byId("said");
    line.textContent = sentence;
    line.classList.add("shown");
    clearTimeout(quiet);
    quiet = setTimeout(() => line.classList.remove("shown"), 2500);
  };

  /* ---- where we are ---- */
  function crumbs(run, row, unit) {
    const { runs } = zf.gallery();
    const lists = zf.keep(zf.VIEW, zf.LIST, ["b"]);
    const view = zf.keep(zf.VIEW);
    const parts = [
      zf.el(
        "a",
        { href: zf.link(run ? [run.slug] : [], view), "data-key": "crumb run" },
        zf.name(run ? run.name : runs[0].name),
      ),
    ];
    if (row)
      parts.push(
        zf.el(
          "a",
          { href: zf.link([run.slug, row.slug], { ...lists, unit }), "data-key": "crumb layer" },
          zf.name(row.name),
        ),
      );
    if (unit !== null) parts.push(zf.el("span", { "aria-current": "page" }, `unit ${unit}`));
    const items = parts.map((part) => zf.el("li", {}, part));
    const others = runs
      .filter((other) => run && other !== run)
      .map((other) => {
        const layer = row && zf.findLayer(other, row.slug);
        const to = layer ? [other.slug, layer.slug] : [other.slug];
        return zf.el(
          "a",
          { class: "other", href: zf.link(to, view), "data-key": `run ${other.slug}` },
          "switch to ",
          zf.name(other.name),
        );
      });
    byId("crumbs").replaceChildren(zf.el("ol", {}, ...items), ...others);
  }

  /* ---- views ---- */
  function lost(main, sentence, run, row) {
    const home = run || zf.gallery().runs[0];
    const layers = zf
      .shownLayers(home)
      .map((layer) => zf.el("li", {}, zf.el("a", { href: zf.link([home.slug, layer.slug]) }, zf.name(layer.name))));
    const shown =
      row && zf.el("p", {}, zf.el("a", { href: zf.link([home.slug, row.slug]) }, "All units of ", zf.name(row.name)));
    main.replaceChildren(
      zf.el(
        "div",
        { class: "lost" },
        zf.el("h1", {}, "Nothing here"),
        zf.el("p", { class: "lead" }, sentence),
        shown || "",
        zf.el(
          "p",
          {},
          zf.el("a", { href: zf.link([home.slug]) }, "The network ", zf.name(home.name)),
          " has these layers:",
        ),
        zf.el("ul", { class: "names" }, ...layers),
      ),
    );
  }

  function unitView(main, run, row, data, number, query) {
    if (!/^\d+$/.test(number) || Number(number) >= data.units) {
      lost(main, `There is no unit “${number}” in ${row.name}: its units are 0 to ${data.units - 1}.`, run, row);
      return null;
    }
    const unit = Number(number);
    if (!query.b) {
      zf.showUnit(main, run, row, data, unit, query);
      return null;
    }
    const partner = zf.partnerOf(run, row, data, unit, query.b);
    if (partner.error) {
      zf.showUnit(main, run, row, data, unit, query);
      zf.warn(partner.error);
      return null;
    }
    return partner;
  }

  /* The data that a route needs and how it is drawn: resolves when it stands. */
  async function draw(main, { parts, query }, ticket) {
    if (parts[0] === "pins") return zf.showPins(main, parts.slice(1).join("/"), query);
    const run = parts.length ? zf.findRun(parts[0]) : zf.gallery().runs[0];
    if (!run) return lost(main, `There is no run “${parts[0]}” in this gallery.`);
    if (parts.length < 2) return zf.showNetwork(main, run);
    const row = zf.findLayer(run, parts[1]);
    if (!row) return lost(main, `There is no layer “${parts[1]}” with units in ${run.name}.`, run);
    const data = zf.layerData(run, row) || (await zf.needLayer(run, row));
    if (ticket !== asked) return null;
    if (parts.length === 2) return zf.showLayer(main, run, row, data, query);
    const partner = unitView(main, run, row, data, parts[2], query);
    if (!partner) return null;
    const theirs = zf.layerData(partner.run, partner.row) || (await zf.needLayer(partner.run, partner.row));
    if (ticket === asked) zf.showPair(main, run, row, data, Number(parts[2]), query, partner, theirs);
    return null;
  }

  function title({ parts }) {
    const run = zf.findRun(parts[0]) || zf.gallery().runs[0];
    const row = parts[1] === undefined ? undefined : zf.findLayer(run, parts[1]);
    const unit = row && /^\d+$/.test(parts[2] || "") ? parts[2] : null;
    crumbs(parts[0] === "pins" ? null : run, parts[0] === "pins" ? undefined : row, unit);
    const words = parts[0] === "pins" ? ["pinned units"] : [unit !== null && `unit ${unit}`, row && row.name, run.name];
    document.title = words.filter(Boolean).join(" · ");
  }

  /* A step from unit to unit, or a change within a view, leaves the page where it is. */
  function goesOn(before, parts) {
    const after = parts.join("/");
    const layer = (path) => path.split("/").slice(0, 2).join("/");
    return before === after || (parts.length === 3 && before.split("/").length === 3 && layer(before) === layer(after));
  }

  /* Shows what zf.route says. The focus stays on what it was on, where the new view has it too. scroll: where the page
     was when the reader left it, undefined for a view that is entered. */
  zf.show = async (scroll) => {
    const main = byId("main");
    const ticket = ++asked;
    const focused = document.activeElement;
    const inside = main.contains(focused);
    const key = focused && focused.dataset ? focused.dataset.key : null;
    const { parts, query } = zf.route;
    const before = main.dataset.page || "";
    main.dataset.page = parts.join("/");
    if (main.dataset.page !== before) {
      warned.clear();
      byId("warnings").replaceChildren();
    }
    zf.showing();
    zf.clearRoves();
    title(zf.route);
    main.style.setProperty("--gain", zf.gainOf(query));
    main.classList.toggle("contrast", zf.gainOf(query) !== 1);
    try {
      await draw(main, zf.route, ticket);
    } catch (error) {
      lost(main, error.message, zf.findRun(parts[0]));
    }
    if (ticket !== asked) return;
    zf.fillSearch();
    zf.countPins();
    if (document.activeElement === document.body) {
      const again = key && [...document.querySelectorAll("[data-key]")].find((each) => each.dataset.key === key);
      const next = again || (focused !== document.body && focused.isConnected ? focused : inside && main);
      if (next) next.focus({ preventScroll: true });
    }
    if (scroll !== undefined) window.scrollTo(0, scroll);
    else if (before && !goesOn(before, parts) && query.unit === undefined) window.scrollTo(0, 0);
  };

  document.addEventListener("DOMContentLoaded", () => {
    if (!zf.gallery()) {
      byId("main").replaceChildren(
        zf.el("h1", {}, "This gallery is not whole"),
        zf.el(
          "p",
          {},
          "data/gallery.js is missing, empty or damaged: without it nothing can be shown. ",
          "Copy the whole folder, or make the gallery again.",
        ),
      );
      return;
    }
    zf.listen();
    zf.listenToKeys();
    zf.listenToSearch();
    byId("help").addEventListener("click", zf.help);
    zf.show();
  });
})();
