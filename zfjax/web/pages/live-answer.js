// What the network says: its five likeliest classes as bars, and under the brush those from before it as well.
(function () {
  "use strict";
  const zf = (window.zf = window.zf || {});
  const live = (zf.live = zf.live || {});
  const $ = (id) => document.getElementById(id);

  function percent(part) {
    const all = 100 * part;
    if (all < 0.1) return "< 0.1 %";
    return all > 99.9 && all < 100 ? "> 99.9 %" : `${all.toFixed(1)} %`;
  }

  function row([number, probability], truth) {
    const name = live.className(number);
    const part = zf.el("span", { class: "part" });
    part.style.width = `${100 * probability}%`;
    return zf.el(
      "li",
      {},
      zf.el(
        "span",
        { class: "class", title: number === truth ? `${name}: the true class` : name },
        zf.el("bdi", {}, name),
      ),
      zf.el("span", { class: "percent" }, number === truth ? `✓ ${percent(probability)}` : percent(probability)),
      zf.el("span", { class: "track" }, part),
    );
  }

  // It has no other answer than these, whatever it is shown.
  const ofAll = (names) => `one of ${names.length} classes${names.length <= 12 ? `: ${names.join(", ")}` : ""}`;

  const fill = (id, top, truth) => $(id).replaceChildren(...top.map((each) => row(each, truth)));

  // image: what is shown; before: the image as it was without the brush, or null.
  function show(image, before) {
    const named = before || image;
    const truth = named.class ?? -1;
    fill("answer", image.top, truth);
    $("before").hidden = !before;
    $("answer-title").textContent = before ? "With the brush the network says" : "The network says";
    $("answer-classes").textContent = ofAll(live.now.arch.classes);
    $("picture-name").textContent = named.name + (truth >= 0 ? `: ${live.className(truth)}` : "");
    if (!before) return;
    fill("answer-before", before.top, truth);
    const [was, is] = [before, image].map(({ top: [[number, part]] }) => `${live.className(number)} ${percent(part)}`);
    live.notice.aloud(`Without the brush: ${was}; with it: ${is}.`);
  }

  live.answer = { show };
})();
