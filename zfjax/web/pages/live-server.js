// The microscope's server: one place that asks it, says what it refused, and notices when it is gone.
(function () {
  "use strict";
  const zf = (window.zf = window.zf || {});
  const live = (zf.live = zf.live || {});
  const RETRY_MS = 1500;
  const BUSY_MS = 500;
  const page = crypto.getRandomValues(new Uint32Array(4)).join("-"); // the server computes the newest click of a page
  const token = taken();
  let lost = false;

  // The token of a server that more than this machine reaches: once in the address, then kept for this tab.
  function taken() {
    const found = /[#&]token=([\w-]+)/.exec(window.location.hash);
    if (found) {
      window.sessionStorage.setItem("zf:token", found[1]);
      window.history.replaceState(null, "", window.location.pathname);
    }
    return window.sessionStorage.getItem("zf:token") || "";
  }

  class Refusal extends Error {
    constructor(status, sentence) {
      super(sentence);
      this.status = status;
    }
  }

  async function refusal(reply) {
    let sentence = "";
    try {
      sentence = (await reply.json()).error;
    } catch (error) {
      sentence = ""; // no JSON: an answer of something in between
    }
    return new Refusal(reply.status, sentence || `The server answered with status ${reply.status}.`);
  }

  // fetch, with refusals as errors that hold the server's sentence. Raises AbortError when `signal` says so.
  async function call(path, options) {
    let reply;
    for (const last of [false, true]) {
      try {
        reply = await fetch(path, { cache: "no-store", ...options, headers: headers(options.type) });
      } catch (error) {
        if (error.name !== "AbortError") lose();
        throw error;
      }
      if (reply.status !== 503 || last) break;
      await new Promise((done) => window.setTimeout(done, BUSY_MS)); // too much at once: one more try
    }
    if (!reply.ok) throw await refusal(reply);
    return reply;
  }

  function headers(type) {
    const made = {};
    if (type) made["Content-Type"] = type;
    if (token) made["X-Zf-Token"] = token;
    return made;
  }

  const get = (path, signal) => call(path, { signal });

  const send = (path, body, type, signal) => call(path, { method: "POST", body, type, signal });

  const post = (path, value, signal) => send(path, JSON.stringify(value), "application/json", signal);

  const upload = (path, bytes, signal) => send(path, bytes, "application/octet-stream", signal);

  function lose() {
    if (lost) return;
    lost = true;
    live.notice.say("The server does not answer. Is explore.py still running? This page goes on as soon as it is.");
    window.setTimeout(seek, RETRY_MS);
  }

  async function seek() {
    try {
      const reply = await fetch("/ready", { cache: "no-store", headers: headers() });
      if (!reply.ok || !(await reply.json()).ready) throw new Error("not yet");
    } catch (error) {
      window.setTimeout(seek, RETRY_MS);
      return;
    }
    lost = false;
    live.notice.clear();
    live.returned();
  }

  // One request at a time, and of those that wait only the newest: a burst of clicks costs two projections and ends on
  // the last. The one in flight is left to end, as the server computes it anyway; `drop` gives it up where its answer
  // would be of no use, as after a new picture. `ask` resolves when its work is done or overtaken, and, to false, when
  // it failed.
  function lane(work) {
    let waiting = null;
    let flight = null;

    async function run() {
      while (waiting) {
        const { job, done } = waiting;
        waiting = null;
        flight = new AbortController();
        try {
          await work(job, flight.signal);
          done(true);
        } catch (error) {
          live.failed(error);
          done(false);
        }
      }
      flight = null;
    }

    return {
      ask(job) {
        if (waiting) waiting.done(true);
        return new Promise((done) => {
          waiting = { job, done };
          if (!flight) run();
        });
      },
      drop() {
        if (waiting) waiting.done(true);
        waiting = null;
        if (flight) flight.abort();
      },
      get waiting() {
        return waiting !== null;
      },
      get busy() {
        return flight !== null;
      },
    };
  }

  async function maps(id, layer, signal) {
    const reply = await get(`/image/${id}/maps/${layer}`, signal);
    const { channels, height, width } = JSON.parse(reply.headers.get("X-Zf"));
    const body = await reply.arrayBuffer();
    return {
      layer,
      channels,
      height,
      width,
      high: new Float32Array(body, 0, channels),
      low: new Float32Array(body, 4 * channels, channels),
      places: new Int32Array(body, 8 * channels, channels),
      levels: new Uint8Array(body, 12 * channels, channels * height * width),
    };
  }

  async function picture(id, signal) {
    return new Uint8Array(await (await get(`/image/${id}/picture`, signal)).arrayBuffer());
  }

  async function project(asked, signal) {
    const reply = await post("/project", { ...asked, page }, signal);
    const facts = JSON.parse(reply.headers.get("X-Zf"));
    return { ...facts, asked, pixels: new Uint8Array(await reply.arrayBuffer()) };
  }

  const json = async (reply) => (await reply).json();

  live.server = {
    lane,
    maps,
    picture,
    project,
    arch: () => json(get("/arch")),
    file: (bytes, signal) => json(upload("/image", bytes, signal)),
    sample: (number, signal) => json(post("/sample", { number }, signal)),
    cover: (id, mask, signal) => json(upload(`/cover?image=${id}`, mask, signal)),
    get lost() {
      return lost;
    },
  };
})();
