"use strict";
/* Pinned units: kept by the browser for this gallery, and in the address of their page. A pin is "run/layer/unit". */
(() => {
  const zf = (window.zf = window.zf || {});

  /* Those that this gallery has: it may have been made anew since. */
  const stored = () => {
    const found = zf.recall("pins", []);
    return Array.isArray(found) ? found.filter((pin) => typeof pin === "string" && find(pin)) : [];
  };

  function store(pins) {
    zf.remember("pins", pins);
    zf.countPins();
  }

  zf.countPins = () => {
    const count = stored().length;
    document.getElementById("pins").textContent = count ? `Pins (${count})` : "Pins";
  };

  zf.isPinned = (run, layer, unit) => stored().includes(`${run}/${layer}/${unit}`);

  /* The units among a layer's that are pinned. */
  zf.pinsOf = (run, layer) => {
    const start = `${run.slug}/${layer.slug}/`;
    return new Set(
      stored()
        .filter((pin) => pin.startsWith(start))
        .map((pin) => Number(pin.slice(start.length))),
    );
  };

  /* Pins the unit that the page shows or the focused cell stands for, or takes its pin away. */
  zf.pin = () => {
    const { parts } = zf.route;
    const cell = document.activeElement.closest("[data-unit]");
    const unit = parts.length === 3 ? parts[2] : cell && cell.dataset.unit;
    if (parts[0] === "pins" || !unit) return;
    const pin = `${parts[0]}/${parts[1]}/${Number(unit)}`;
    if (!find(pin)) return;
    const pins = stored();
    const has = pins.includes(pin);
    store(has ? pins.filter((each) => each !== pin) : [...pins, pin]);
    zf.say(has ? `Unit ${Number(unit)} is no longer pinned` : `Unit ${Number(unit)} is pinned`);
    zf.show();
  };

  zf.copyLink = async () => {
    zf.settle();
    try {
      await navigator.clipboard.writeText(location.href);
      zf.say("The link is copied");
    } catch (error) {
      zf.say("This browser does not let the page copy: take the link from the address bar");
    }
  };

  /* {run, row, unit} of a pin, or null where this gallery has no such unit. */
  function find(pin) {
    const [slug, layer, number, ...rest] = pin.split("/");
    const run = zf.findRun(slug);
    const row = run && zf.findLayer(run, layer);
    const known = row && !rest.length && /^(0|[1-9]\d*)$/.test(number || "") && Number(number) < row.units;
    return known ? { run, row, unit: Number(number) } : null;
  }

  const address = (pins) => ["pins", ...pins.join(",").split("/").filter(Boolean)];

  function card(pin, pins, own) {
    const { run, row, unit } = find(pin);
    const link = zf.unitCard(run, row, unit, "", zf.keep(zf.VIEW), `pin ${pin}`);
    link.querySelector("b").prepend(zf.name(row.name), " ");
    link.append(zf.el("small", {}, zf.name(run.name)));
    const remove = () => {
      const left = pins.filter((each) => each !== pin);
      if (own) store(left);
      zf.go(address(left), zf.route.query);
    };
    return zf.el(
      "li",
      {},
      link,
      zf.button("remove", {
        "data-key": `remove ${pin}`,
        "aria-label": `remove ${row.name} unit ${unit}`,
        onclick: remove,
      }),
    );
  }

  zf.showPins = (main, text, query) => {
    const kept = stored();
    if (!text && kept.length) return zf.go(address(kept), query, { replace: true });
    const named = text ? text.split(",").filter(Boolean) : [];
    const pins = [...new Set(named)].filter(find);
    const own = pins.length === kept.length && pins.every((pin) => kept.includes(pin));
    const unknown = new Set(named).size - pins.length;
    if (unknown)
      zf.warn(`${zf.plural(unknown, "pin")} of this link ${unknown === 1 ? "is" : "are"} not in this gallery.`);
    const lead = !pins.length
      ? "Nothing is pinned yet. Press f on a unit, or its pin button: this page is then a list to send as a link."
      : own
        ? "Kept by this browser; the address holds the list too, so it can be sent."
        : "This list came with the link; your own pins are untouched.";
    main.replaceChildren(
      zf.el(
        "header",
        { class: "title" },
        zf.el("h1", {}, "Pinned units"),
        zf.el("p", { class: "lead" }, lead),
        zf.el(
          "div",
          { class: "actions" },
          pins.length > 0 && zf.button("copy link", { "data-key": "copy", onclick: zf.copyLink }),
          pins.length > 0 &&
            zf.button("save list (JSON)", {
              "data-key": "save",
              onclick: () => zf.save("pins.json", `${JSON.stringify(pins, null, 1)}\n`),
            }),
          pins.length > 0 &&
            !own &&
            zf.button("add to my pins", {
              "data-key": "adopt",
              onclick: () => (store([...new Set([...kept, ...pins])]), zf.go(address(stored()), query)),
            }),
          pins.length > 0 &&
            own &&
            zf.button("remove all", { "data-key": "clear", onclick: () => (store([]), zf.go(["pins"], query)) }),
        ),
      ),
      zf.el("ul", { class: "cards pins" }, ...pins.map((pin) => card(pin, pins, own))),
    );
    return null;
  };
})();
