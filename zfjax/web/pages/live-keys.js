// The keyboard: single letters, never with Ctrl, Alt or Meta, never while one types; a switch turns them off.
(function () {
  "use strict";
  const zf = (window.zf = window.zf || {});
  const live = (zf.live = zf.live || {});
  const $ = (id) => document.getElementById(id);
  const { state } = live;
  const OFF = "zf:live:keys-off";
  const FAR = 5;

  function move(rows, cols, far) {
    const step = far ? FAR : 1;
    if (live.brush.on) return live.brush.move(rows * step, cols * step);
    if (!live.settled()) return;
    const { height, width } = live.maps.now;
    if (height * width === 1) return walk((cols + rows * live.maps.columns) * step);
    const [row, col] = live.place();
    live.choose({ at: [live.field.clip(row + rows * step, height), live.field.clip(col + cols * step, width)] });
  }

  const walk = (by) => live.settled() && live.controls.go(live.maps.neighbour(state.unit, by));

  function random() {
    if (!live.settled()) return;
    const { high } = live.maps.now;
    const alive = live.maps.order.filter((unit) => high[unit] > 0 && unit !== state.unit);
    if (alive.length) live.controls.go(alive[Math.floor(Math.random() * alive.length)]);
  }

  async function copy() {
    try {
      await navigator.clipboard.writeText(live.address.link());
      live.notice.aloud("The link is copied.");
    } catch (error) {
      live.notice.say(`The browser does not allow copying; the link is ${live.address.link()}`);
    }
  }

  function escape() {
    if (live.brush.on) return live.brush.toggle(false);
    if (state.origin) return live.choose({ origin: null });
    live.notice.clear();
  }

  const contrast = (by) => live.controls.set("contrast", Math.min(6, Math.max(0, state.contrast + by)));

  // [keys, what they do, the work, the keys' names where they are not the keys themselves]
  const KEYS = [
    [["ArrowLeft", "j"], "", (far) => move(0, -1, far)],
    [["ArrowRight", "l"], "", (far) => move(0, 1, far)],
    [["ArrowUp", "i"], "", (far) => move(-1, 0, far)],
    [
      ["ArrowDown", "k"],
      "move the cell in its map, or the brush; with Shift by five",
      (far) => move(1, 0, far),
      ["arrows", "i j k l"],
    ],
    [["n"], "next unit, in the order shown", () => walk(1)],
    [["p"], "previous unit", () => walk(-1)],
    [["o"], "next layer, at the same place", () => live.layers.step(1)],
    [["u"], "previous layer", () => live.layers.step(-1)],
    [["m"], "where the unit is strongest, picture by picture", () => live.choose({ at: null })],
    [["r"], "some unit that responds", random],
    [["/"], "type a unit's number or class", () => $("unit").focus()],
    [["s"], "order of the maps: by strength or number", () => live.controls.cycle("sort", 1)],
    [["z"], "size of the maps", () => live.controls.cycle("zoom", 1)],
    [["b"], "next method", () => live.controls.cycle("method", 1)],
    [["B"], "previous method", () => live.controls.cycle("method", -1)],
    [["v"], "projection over the picture: on, off", () => live.controls.set("opacity", state.opacity ? 0 : 70)],
    [["x"], "pixels sharp or smooth", () => live.controls.set("sharp", !state.sharp)],
    [["t"], "more contrast of the projection", () => contrast(1)],
    [["T"], "less contrast", () => contrast(-1)],
    [["d"], "freeze the projection on this cell while you walk on", () => live.controls.origin()],
    [["e"], "next picture of the data set", () => live.source.step(1)],
    [["w"], "previous picture", () => live.source.step(-1)],
    [["g"], "the network's drawing", () => live.network.open()],
    [["c"], "camera on, off", () => live.camera.start()],
    [[" "], "freeze the camera", () => live.camera.toggle(), ["Space"]],
    [["q"], "brush on, off; Enter paints", () => live.brush.toggle()],
    [["["], "smaller brush", () => live.brush.grow(1 / 1.3)],
    [["]"], "larger brush", () => live.brush.grow(1.3)],
    [["Backspace", "Delete"], "wipe off what is painted", () => live.brush.clear()],
    [["y"], "copy the link to what you see", copy],
    [["Escape"], "leave the brush, unfreeze", escape],
    [["h", "?"], "this list", () => $("help").showModal()],
  ];
  const WORK = new Map(KEYS.flatMap(([keys, , work]) => keys.map((key) => [key, work])));

  // Where one types, chooses from a list or moves a slider, keys are the control's own; a button has Space and Enter.
  function taken(event) {
    const at = event.target.closest ? event.target : document.body;
    if (at.closest("dialog")) return true;
    if (at.closest("input[type=checkbox]")) return event.key === " ";
    if (at.closest("input, select, textarea")) return true;
    return Boolean(at.closest("button, a, summary")) && (event.key === " " || event.key === "Enter");
  }

  const letter = (key) => key.length === 1;

  function press(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented || taken(event)) return;
    if (letter(event.key) && $("keys-off").checked) return;
    if (event.key === "Enter" && live.brush.on) live.brush.paint();
    else {
      const work =
        WORK.get(event.key) || (event.shiftKey && "IJKL".includes(event.key) && WORK.get(event.key.toLowerCase()));
      if (!work) return;
      work(event.shiftKey);
    }
    event.preventDefault();
  }

  function row([keys, text, , names]) {
    const shown = (names || keys).flatMap((key) => [zf.el("kbd", {}, key), " "]);
    return zf.el("div", {}, zf.el("span", {}, ...shown), zf.el("span", {}, text));
  }

  function listen() {
    $("key-list").replaceChildren(...KEYS.filter(([, text]) => text).map(row));
    $("keys-off").checked = window.localStorage.getItem(OFF) === "1";
    $("keys-off").addEventListener("change", () => window.localStorage.setItem(OFF, $("keys-off").checked ? "1" : "0"));
    $("help-open").addEventListener("click", () => $("help").showModal());
    document.addEventListener("keydown", press);
  }

  live.keys = { listen };
})();
