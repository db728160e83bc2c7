// Filming: the next frame is sent when the one before is drawn, so that a slow network only means fewer frames.
(function () {
  "use strict";
  const live = ((window.zf = window.zf || {}).live = window.zf.live || {});
  const $ = (id) => document.getElementById(id);
  const SIDE = 480; // pixels of a frame's shorter side at most: more than most networks see
  const REFUSED_MS = 500;
  const film = { stream: null, video: null, frozen: false, looping: false, starting: false };

  const REASONS = {
    NotAllowedError: "The browser was not allowed to use the camera: allow it beside the address, then film again.",
    NotFoundError: "No camera was found.",
    NotReadableError: "The camera is in use by another program.",
  };

  async function start() {
    if (film.stream) return stop();
    if (film.starting) return; // the browser is still asking
    if (!navigator.mediaDevices)
      return live.notice.say("This browser films only pages from this machine, or over https.");
    film.starting = true;
    try {
      film.stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 640 } }, audio: false });
    } catch (error) {
      return live.notice.say(REASONS[error.name] || `The camera did not start: ${error.message}`);
    } finally {
      film.starting = false;
    }
    film.video = document.createElement("video");
    film.video.muted = film.video.playsInline = true;
    film.video.srcObject = film.stream;
    await film.video.play();
    film.frozen = false;
    buttons();
    if (document.activeElement === $("film")) $("freeze").focus(); // so that Space freezes, as everywhere
    loop();
  }

  // The frame now as a JPEG file, no larger than a network needs.
  function frame() {
    const { videoHeight: height, videoWidth: width } = film.video;
    const scale = Math.min(1, SIDE / Math.min(height, width));
    const canvas = live.raster.canvas(Math.round(height * scale), Math.round(width * scale));
    canvas.getContext("2d").drawImage(film.video, 0, 0, canvas.width, canvas.height);
    return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
  }

  const pause = () => new Promise((done) => window.setTimeout(done, REFUSED_MS));

  async function loop() {
    if (film.looping) return;
    film.looping = true;
    while (film.stream && !film.frozen && !live.server.lost) {
      const bytes = await frame();
      const wanted = bytes && film.stream && !film.frozen;
      if (wanted && !(await live.open({ file: bytes, filmed: true }))) await pause();
      await new Promise((done) => window.requestAnimationFrame(done));
    }
    film.looping = false;
  }

  function stop() {
    if (!film.stream) return;
    for (const track of film.stream.getTracks()) track.stop();
    Object.assign(film, { stream: null, video: null, frozen: false });
    buttons();
  }

  function freeze(on = true) {
    if (!film.stream) return;
    film.frozen = on;
    buttons();
    if (!on) loop();
  }

  function buttons() {
    $("film").setAttribute("aria-pressed", String(film.stream !== null));
    $("freeze").hidden = !film.stream;
    $("freeze").setAttribute("aria-pressed", String(film.frozen));
  }

  function listen() {
    $("film").addEventListener("click", start);
    $("freeze").addEventListener("click", () => freeze(!film.frozen));
  }

  live.camera = {
    listen,
    start,
    stop,
    freeze,
    resume: () => film.stream && !film.frozen && loop(),
    toggle: () => freeze(!film.frozen),
    get running() {
      return film.stream !== null && !film.frozen;
    },
  };
})();
