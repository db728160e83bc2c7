// Two places for sentences: the notice that everybody sees, and the line that is read aloud.
(function () {
  "use strict";
  const live = ((window.zf = window.zf || {}).live = window.zf.live || {});
  const ALOUD_MS = 250; // only where the cursor comes to rest is worth a sentence
  let timer = 0;

  const box = () => document.getElementById("notice");

  function say(sentence) {
    document.getElementById("notice-text").textContent = sentence;
    box().hidden = false;
  }

  function clear() {
    box().hidden = true;
  }

  function aloud(sentence) {
    window.clearTimeout(timer);
    timer = window.setTimeout(() => {
      document.getElementById("aloud").textContent = sentence;
    }, ALOUD_MS);
  }

  live.notice = { say, clear, aloud };
})();
