"""Nobody but the page itself gets anything from the live server: not by another name, not from another page."""

import http.client
import socket

import pytest
from live_server import serving

from zfjax.web.gallery.scripts import script
from zfjax.web.live.desk import PAGES
from zfjax.web.live.fence import ANSWER_HEADERS, LOOPBACK, Gate, refusal

GATE = Gate(LOOPBACK, 8000)
TOKEN = Gate(("box", *LOOPBACK), 8000, token="secret")
REFUSED = (400, 403, 404, 405, 415, 421)


def asked(gate=GATE, method="GET", path="/arch", host="127.0.0.1:8000", **headers):
    """The status of the refusal; None for a request that may pass."""
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    found = refusal(method, path, [(b"host", host.encode()), *named], gate)
    return found and found.status


@pytest.mark.parametrize("name", ["127.0.0.1:8000", "localhost:8000", "[::1]:8000"])
def test_its_own_names(name):
    own = {"origin": f"http://{name}", "sec_fetch_site": "same-origin"}
    assert asked(host=name) is None and asked(host=name, sec_fetch_site="none") is None
    assert asked(host=name, method="POST", content_type="application/json", **own) is None
    assert asked(host=name, method="POST", content_type="Application/Octet-Stream; a=b", **own) is None


@pytest.mark.parametrize(
    "name",
    [
        *("", "127.0.0.1", "localhost", "127.0.0.1:80", "127.0.0.1:80000", "evil.test:8000", "evil.test", ":8000"),
        *("127.0.0.1.evil.test:8000", "localhost.:8000", "LOCALHOST:8000", "127.1:8000", "2130706433:8000"),
        *("[::ffff:127.0.0.1]:8000", "0.0.0.0:8000", "127.0.0.1:8000.evil.test", "127.0.0.1:8000@evil.test"),
        *("10.0.0.1:8000", "localhost:8000, evil.test", "127.0.0.1:8000:8000", "\xe9:8000"),
    ],
)
def test_any_other_name_is_refused(name):
    assert asked(host=name) == 421


def test_a_host_is_named_once():
    twice = [(b"host", b"127.0.0.1:8000"), (b"host", b"127.0.0.1:8000")]
    for headers in ([], twice):
        found = refusal("GET", "/", headers, GATE)
        assert found and found.status == 421


@pytest.mark.parametrize(
    "status, headers",
    [
        (403, {"origin": "http://127.0.0.1:8001"}),
        (403, {"origin": "http://localhost:8000"}),  # another one for a browser than 127.0.0.1
        (403, {"origin": "https://127.0.0.1:8000"}),
        (403, {"origin": "null"}),
        (403, {"origin": ""}),
        (403, {"origin": "http://evil.test"}),
        (403, {"sec_fetch_site": "same-site"}),
        (403, {"sec_fetch_site": "cross-site"}),
        (403, {"sec_fetch_site": ""}),
        (415, {"content_type": "text/plain"}),
        (415, {"content_type": "application/x-www-form-urlencoded"}),
        (415, {"content_type": "multipart/form-data; boundary=application/json"}),
        (415, {"content_type": "text/plain; application/json"}),
        (415, {"content_type": ""}),
    ],
)
def test_other_pages_are_refused(status, headers):
    assert asked(method="POST", **{"content_type": "application/json", **headers}) == status


def test_no_other_method_and_no_post_without_a_content_type():
    assert [asked(method=method) for method in ("OPTIONS", "PUT", "DELETE", "TRACE", "CONNECT")] == [405] * 5
    assert asked(method="POST") == 415


def test_a_token_opens_what_is_not_the_page():
    assert asked(TOKEN, path="/") is asked(TOKEN, path="/pages/live.js") is None
    for path in ("/arch", "/pages", "/image/1/picture", "/gallery/index.html", "//", ""):
        assert asked(TOKEN, path=path) == asked(TOKEN, path=path, x_zf_token="secre") == 403
        assert asked(TOKEN, path=path, x_zf_token="secret") is None
    assert asked(TOKEN, x_zf_token="secret", host="10.0.0.1:8000") is None  # an address, which nobody can rebind
    assert asked(TOKEN, x_zf_token="secret", host="box:8000") is None
    assert asked(TOKEN, x_zf_token="secret", host="[fe80::1]:8000") is None
    assert asked(TOKEN, x_zf_token="secret", host="evil.test:8000") == 421
    assert asked(TOKEN, x_zf_token="secret", host="10.0.0.1:8000", origin="http://evil.test") == 403
    twice = [(b"host", b"box:8000"), (b"x-zf-token", b"secret"), (b"x-zf-token", b"secret")]
    found = refusal("GET", "/arch", twice, TOKEN)
    assert found and found.status == 403


STRANGE = (  # in place of a layer's data
    b'fetch("/image/1/picture");\n',
    script("run/conv", {}) + b'fetch("/ready");\n',
    b'fetch("/ready");' + script("run/conv", {}),
    b'zf.load("run/conv", JSON.parse("{}" + fetch("/ready")));\n',
    b'zf.load("run/conv", JSON.parse("\\"" + fetch("/ready") + "\\""));\n',
    b'zf.load("x", JSON.parse("{}"), fetch("/ready"), JSON.parse("{}"));\n',
    b'zf.load("run/conv", JSON.parse("[NaN]"));\n',
    b'zf.load("run/conv", JSON.parse("' + b"[" * 100_000 + b'"));\n',
)


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    folder = tmp_path_factory.mktemp("live")
    gallery = folder / "run" / "figures" / "gallery"
    (gallery / "img").mkdir(parents=True)
    (gallery / "data" / "run").mkdir(parents=True)
    (gallery / "index.html").write_text("<script>fetch('/ready')</script>")
    (gallery / "link").symlink_to("../../config.json")
    (gallery / "img" / "link.png").symlink_to("../../../config.json")
    (gallery / "img" / "u0000.webp").write_bytes(b"picture")
    (gallery / "img" / "page.html").write_text("<script>fetch('/ready')</script>")
    (gallery / "data" / "gallery.js").write_bytes(script("gallery", {"name": "</script>"}))
    for number, code in enumerate(STRANGE):
        (gallery / "data" / "run" / f"conv{number}.js").write_bytes(code)
    with serving(folder, gallery=gallery) as live:
        yield live


def raw(live, head: str, body: str = "") -> tuple[int, str]:
    """Status and all text of the answer to a request as it is written here, with PORT filled in."""
    with socket.create_connection(("127.0.0.1", live.port), timeout=60) as line:
        line.sendall(f"{head}\r\n\r\n{body}".replace("PORT", str(live.port)).encode("latin-1"))
        answer = http.client.HTTPResponse(line)
        answer.begin()
        return answer.status, f"{answer.headers}{answer.read().decode()}"


@pytest.mark.parametrize(
    "head",
    [
        "GET /arch HTTP/1.1",
        "GET /arch HTTP/1.0",
        "GET /arch HTTP/1.1\r\nHost:",
        "GET /arch HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nHost: 127.0.0.1:PORT",
        "GET /arch HTTP/1.1\r\nHost: evil.test:PORT\r\nHost: 127.0.0.1:PORT",
        "GET /arch HTTP/1.1\r\nHost: 127.0.0.1.evil.test:PORT",
        "GET /arch HTTP/1.1\r\nHost: localhost.:PORT",
        "GET /arch HTTP/1.1\r\nHost: evil.test:PORT\r\nX-Forwarded-Host: 127.0.0.1:PORT",
        "GET http://127.0.0.1:PORT/arch HTTP/1.1\r\nHost: evil.test:PORT",
        "GET /arch HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nOrigin: null",
        "OPTIONS /sample HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nOrigin: http://evil.test",
    ],
)
def test_the_server_refuses_with_no_data(live, head):
    status, said = raw(live, head)
    assert status in REFUSED
    assert "conv1" not in said and "access-control" not in said.lower()


def test_a_refused_question_does_no_work_and_its_body_is_not_waited_for(live):
    before = live.ask("/ready").json
    head = "POST /sample HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nContent-Length: 13\r\n"
    for header in ("Content-Type: text/plain", "Content-Type: application/json\r\nOrigin: http://evil.test"):
        assert raw(live, head + header, '{"number": 1}')[0] in (403, 415)
        assert raw(live, head + header)[0] in (403, 415)
    assert live.ask("/ready").json == before


def test_every_answer_has_the_headers(live):
    for answer in (live.ask("/"), live.ask("/arch"), live.ask("/none"), live.ask("/arch", Host="evil.test")):
        assert ANSWER_HEADERS.items() <= answer.headers.items()
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert answer.headers["cache-control"] == "no-store"
    assert live.ask("/gallery/index.html").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("start", ["/gallery/", "/pages/"])
@pytest.mark.parametrize(
    "path",
    [
        *("../../config.json", "%2e%2e/%2e%2e/config.json", "..%2f..%2fconfig.json", "..%5c..%5cconfig.json", "link"),
        *("//etc/passwd", "/etc/passwd", "%2fetc%2fpasswd", "a%00", "%00", "../__init__.py", "....//__init__.py"),
        *("../live/fence.py", "%c0%ae%c0%ae/fence.py", "x" * 5000, "index.html/../../../config.json"),
    ],
)
def test_no_path_leads_out_of_a_folder(live, start, path):
    status, said = raw(live, f"GET {start}{path} HTTP/1.1\r\nHost: 127.0.0.1:PORT")
    assert status == 404 and said.endswith('{"error":"Not Found"}')


def test_of_a_gallery_only_pictures_and_numbers_are_served_beside_pages_of_our_own(live):
    page = (PAGES / "index.html").read_bytes()
    assert live.ask("/gallery/index.html").body == live.ask("/gallery/").body == page
    assert live.ask("/gallery/pages/unit.js").body == (PAGES / "unit.js").read_bytes()
    assert live.ask("/gallery/data/gallery.js").body == script("gallery", {"name": "</script>"})
    picture = live.ask("/gallery/img/u0000.webp")
    assert picture.body == b"picture" and picture.headers["content-type"] == "image/webp"
    for name in ("img/link.png", "img/page.html", "settings.json", "data/run"):
        assert live.ask(f"/gallery/{name}").status == 404


@pytest.mark.parametrize("number", range(len(STRANGE)))
def test_a_script_of_data_that_does_anything_else_is_not_served(live, number):
    told = live.ask(f"/gallery/data/run/conv{number}.js")
    assert told.status == 404 and b"fetch" not in told.body


def test_idle_connections_stop_no_click(live):
    lines = [socket.create_connection(("127.0.0.1", live.port)) for _ in range(200)]
    try:
        for line in lines[::2]:
            line.sendall(b"POST /sample HTTP/1.1\r\nHost: ")
        told = live.ask("/sample", {"number": 3})
        place = {"image": told.json["id"], "layer": "conv2", "unit": 1, "row": 2, "col": 3}
        assert live.ask("/project", place).status == 200
    finally:
        for line in lines:
            line.close()
