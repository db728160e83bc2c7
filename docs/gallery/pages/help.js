"use strict";
/* The dialog that names the keys, and the switch that turns the letters off. */
(() => {
  const zf = (window.zf = window.zf || {});

  zf.lettersOn = () => zf.recall("letters", true) === true;

  zf.help = () => {
    const dialog = document.getElementById("keys");
    const rows = zf.KEYS.map(([keys, does]) =>
      zf.el(
        "div",
        {},
        zf.el("dt", {}, ...keys.split(/([ ,]+)/).map((part) => (/[^ ,]/.test(part) ? zf.el("kbd", {}, part) : part))),
        zf.el("dd", {}, does),
      ),
    );
    const box = zf.el("input", {
      type: "checkbox",
      checked: zf.lettersOn(),
      onchange: () => zf.remember("letters", box.checked),
    });
    dialog.replaceChildren(
      zf.el("h2", { id: "keys-title" }, "Keys"),
      zf.el("dl", { class: "keys" }, ...rows),
      zf.el(
        "label",
        { class: "switch" },
        box,
        " single letters do things (turn off if you dictate or they get in your way)",
      ),
      zf.el("form", { method: "dialog" }, zf.el("button", {}, "Close")),
    );
    if (!dialog.open) dialog.showModal();
  };
})();
