"use strict";
/* The address: what stands behind # says all that the page shows, and the page shows nothing else. */
(() => {
  const zf = (window.zf = window.zf || {});
  // What goes on with a reader from page to page: how pictures look, and the list that units were picked from.
  zf.VIEW = ["cover", "z", "x", "gain"];
  zf.LIST = ["sort", "desc", "q", "show", "class", "range"];

  const PAUSE = 160; // ms between addresses: a browser takes some 200 in 30 s, and a held key gives more

  const encode = (text) => encodeURIComponent(text).replace(/%2F/g, "/").replace(/%2C/g, ",");

  function decode(text) {
    try {
      return decodeURIComponent(text.replace(/\+/g, " "));
    } catch (error) {
      return text;
    }
  }

  /* "#/zf/conv5/12?sort=max" -> {parts: ["zf", "conv5", "12"], query: {sort: "max"}} */
  zf.parse = (hash) => {
    const [path, ...rest] = hash.replace(/^#\/?/, "").split("?");
    const query = {};
    for (const pair of rest.join("?").split("&")) {
      const [key, ...value] = pair.split("=");
      if (key) query[decode(key)] = decode(value.join("="));
    }
    return { parts: path.split("/").filter(Boolean).map(decode), query };
  };

  zf.link = (parts, query) => {
    const pairs = Object.entries(query || {}).filter(
      ([, value]) => value !== undefined && value !== null && value !== "",
    );
    const tail = pairs.map(([key, value]) => `${encode(key)}=${encode(String(value))}`).join("&");
    return `#/${parts.map((part) => encodeURIComponent(part).replace(/%2C/g, ",")).join("/")}${tail ? `?${tail}` : ""}`;
  };

  /* The fields of the present address that the named groups list. */
  zf.keep = (...groups) => {
    const query = zf.route ? zf.route.query : {};
    return Object.fromEntries(
      groups
        .flat()
        .filter((key) => key in query)
        .map((key) => [key, query[key]]),
    );
  };

  let waiting = null;

  function write(hash, replace) {
    waiting = null;
    if (hash === location.hash) return;
    if (replace) history.replaceState(null, "", hash);
    else history.pushState(null, "", hash);
  }

  zf.settle = () => {
    if (!waiting) return;
    clearTimeout(waiting.timer);
    write(waiting.hash, waiting.replace);
  };

  /* Shows a state, and writes its address: at once, or with `soon` when no other came for a moment. */
  zf.go = (parts, query, { replace = false, soon = false } = {}) => {
    const hash = zf.link(parts, query);
    const first = !waiting;
    if (waiting) clearTimeout(waiting.timer);
    const replaces = waiting ? waiting.replace && replace : replace;
    if (soon) waiting = { hash, replace: replaces, timer: setTimeout(() => write(hash, replaces), PAUSE) };
    else write(hash, first ? replace : replaces);
    zf.route = zf.parse(hash);
    zf.show();
  };

  /* Changes fields of the present address; null takes one away. */
  zf.change = (fields, options) => zf.go(zf.route.parts, { ...zf.route.query, ...fields }, options);

  const scrolled = new Map(); // address -> where its page was scrolled to when it was left
  let clicked = false;

  zf.listen = () => {
    const read = () => {
      if (waiting) clearTimeout(waiting.timer);
      waiting = null;
      zf.route = zf.parse(location.hash);
      zf.show(clicked ? undefined : scrolled.get(location.hash) || 0);
      clicked = false;
    };
    // by hand within the document; a reload is left to the browser, which goes back to where it was
    window.addEventListener("load", () => (history.scrollRestoration = "manual"));
    window.addEventListener("pagehide", () => (history.scrollRestoration = "auto"));
    window.addEventListener("popstate", read);
    window.addEventListener("scroll", () => scrolled.set(location.hash, window.scrollY), { passive: true });
    document.addEventListener(
      "click",
      (event) => {
        zf.settle();
        clicked = !event.ctrlKey && !event.metaKey && Boolean(event.target.closest("a[href^='#']"));
      },
      true,
    );
    zf.route = zf.parse(location.hash);
  };
})();
