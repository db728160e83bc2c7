// What the network says: its five likeliest classes as bars, and under the brush those from before it as well.
(function () {
  "use strict";
  const live = ((window.zf = window.zf || {}).live = window.zf.live || {});
  const $ = (id) => document.getElementById(id);

  function percent(part) {
    const all = 100 * part;
    if (all > 0 && all < 0.1) return "< 0.1 %";
    return `${all < 99.95 ? all.toFixed(1) : "100"} %`;
  }

  function row([number, probability], truth) {
    const item = document.createElement("li");
    const name = document.createElement("span");
    name.className = "class";
    name.textContent = live.className(number) + (number === truth ? " ✓" : "");
    name.title = number === truth ? `${live.className(number)}: the true class` : live.className(number);
    const value = document.createElement("span");
    value.className = "percent";
    value.textContent = percent(probability);
    const track = document.createElement("span");
    track.className = "track";
    const bar = document.createElement("span");
    bar.className = number === truth ? "bar true" : "bar";
    bar.style.width = `${100 * probability}%`;
    track.append(bar);
    item.append(name, value, track);
    return item;
  }

  const fill = (id, top, truth) => $(id).replaceChildren(...top.map((each) => row(each, truth)));

  // image: what is shown; before: the image as it was without the brush, or null.
  function show(image, before) {
    const truth = (before || image).class ?? -1;
    fill("answer", image.top, truth);
    $("before").hidden = $("after-title").hidden = !before;
    if (before) fill("answer-before", before.top, truth);
    const named = before || image;
    $("picture-name").textContent = named.name + (truth >= 0 ? `: ${live.className(truth)}` : "");
    if (before) {
      const [was, is] = [before.top[0], image.top[0]].map(
        ([number, part]) => `${live.className(number)} ${percent(part)}`,
      );
      live.notice.aloud(`Without the brush: ${was}; with it: ${is}.`);
    }
  }

  live.answer = { show };
})();
