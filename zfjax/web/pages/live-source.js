// Where pictures come from: dropped, pasted, picked, or of the data set.
(function () {
  "use strict";
  const live = ((window.zf = window.zf || {}).live = window.zf.live || {});
  const $ = (id) => document.getElementById(id);
  let samples = 0;

  function file(bytes) {
    live.camera.stop();
    live.open({ file: bytes });
  }

  function sample(number) {
    if (!samples) return;
    live.camera.stop();
    live.open({ sample: ((number % samples) + samples) % samples });
  }

  // From the picture that is asked for, shown already or not.
  function step(by) {
    const { asked } = live.now;
    sample(((asked && asked.sample) ?? (by > 0 ? -1 : 0)) + by);
  }

  // The first picture in what is dropped or pasted; text and folders hold none.
  function first(transfer) {
    return [...transfer.files].find((each) => each.type.startsWith("image/")) || transfer.files[0] || null;
  }

  function take(event) {
    const found = first(event.dataTransfer || event.clipboardData);
    if (found) {
      event.preventDefault();
      file(found);
    } else if (event.dataTransfer) {
      event.preventDefault();
      live.notice.say("That was no picture file: save the picture first, then drop the file here.");
    }
  }

  function listen(count) {
    samples = count;
    $("samples").hidden = !samples;
    $("sample-count").textContent = `of ${samples}`;
    $("sample").max = String(samples - 1);
    $("pick").addEventListener("click", () => $("file").click());
    $("file").addEventListener("change", (event) => {
      if (event.target.files[0]) file(event.target.files[0]);
      event.target.value = ""; // the same file again is a change, too
    });
    $("previous").addEventListener("click", () => step(-1));
    $("next").addEventListener("click", () => step(1));
    $("sample").addEventListener("change", (event) => {
      if (/^\d+$/.test(event.target.value)) sample(Number(event.target.value));
    });
    document.addEventListener("paste", take);
    document.addEventListener("dragover", (event) => {
      event.preventDefault();
      $("stage").classList.add("dropping");
    });
    document.addEventListener("dragleave", (event) => {
      if (!event.relatedTarget) $("stage").classList.remove("dropping");
    });
    document.addEventListener("drop", (event) => {
      $("stage").classList.remove("dropping");
      take(event);
    });
  }

  live.source = { listen, sample, step };
})();
