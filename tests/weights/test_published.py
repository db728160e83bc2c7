"""Weights fetched from a server on this machine: whole, in pieces, damaged, and not at all."""

import contextlib
import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from zfjax.errors import InputError
from zfjax.weights.published import PUBLISHED, fetch, published
from zfjax.zoo import ARCHS

CONTENT = bytes(range(256)) * 5000
NAME = f"net-{hashlib.sha256(CONTENT).hexdigest()[:8]}.pth"


class Server(BaseHTTPRequestHandler):
    """Serves one file; `ranges`: whether it can go on in the middle, `cut`: after how many bytes it hangs up."""

    ranges, cut, content = True, None, CONTENT
    asked: list[str] = []

    def do_GET(self):
        self.asked.append(self.headers.get("Range", ""))
        if not self.path.endswith(NAME):
            return self.send_error(404, "Not Found")
        found = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(found[1]) if found and self.ranges else 0
        if start >= len(self.content):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(self.content) - start))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(self.content[start : start + (self.cut or len(self.content))])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    for name, value in {"ranges": True, "cut": None, "content": CONTENT, "asked": []}.items():
        monkeypatch.setattr(Server, name, value)
    running = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    thread.join()
    running.server_close()


def test_a_file_is_fetched_once(server, tmp_path):
    path = fetch(NAME, base=server, folder=tmp_path / "kept")
    assert path == tmp_path / "kept" / NAME and path.read_bytes() == CONTENT
    assert fetch(NAME, base=server, folder=tmp_path / "kept") == path and Server.asked == [""]
    assert [each.name for each in path.parent.iterdir()] == [NAME]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_fetch_that_was_cut_goes_on(server, ranges, tmp_path, monkeypatch):
    monkeypatch.setattr(Server, "ranges", ranges)
    monkeypatch.setattr(Server, "cut", 700_000)
    with pytest.raises(InputError, match=r"cannot fetch http.*it ended after 700,000 of 1,280,000 bytes"):
        fetch(NAME, base=server, folder=tmp_path)
    monkeypatch.setattr(Server, "cut", None)
    assert fetch(NAME, base=server, folder=tmp_path).read_bytes() == CONTENT
    assert Server.asked == ["", "bytes=700000-"]


def test_a_part_that_is_whole_already_is_taken(server, tmp_path):
    (tmp_path / f"{NAME}.part").write_bytes(CONTENT)
    assert fetch(NAME, base=server, folder=tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("where", ["server", "part", "kept"])
def test_what_is_not_the_file_is_taken_away(server, where, tmp_path, monkeypatch):
    wrong = b"x" + CONTENT[1:]
    if where == "server":
        monkeypatch.setattr(Server, "content", wrong)
    else:
        (tmp_path / (f"{NAME}.part" if where == "part" else NAME)).write_bytes(wrong)
    with pytest.raises(InputError, match=f"is not {NAME}: its SHA-256 begins with .*taken away"):
        fetch(NAME, base=server, folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_without_a_network_it_says_what_to_fetch(server, tmp_path):
    with pytest.raises(InputError, match=r"cannot fetch .*/other-12345678.pth \(Not Found\); .*zfjax.weights other-1"):
        fetch("other-12345678.pth", base=server, folder=tmp_path)
    with pytest.raises(InputError, match=r"cannot fetch http://127.0.0.1:1/.*refused"):
        fetch(NAME, base="http://127.0.0.1:1", folder=tmp_path)


def test_a_linked_part_is_not_written_through(server, tmp_path):
    mine = tmp_path / "mine"
    mine.write_bytes(b"my own")
    (tmp_path / f"{NAME}.part").symlink_to(mine)
    with pytest.raises(InputError, match="is a link, which is not followed"):
        fetch(NAME, base=server, folder=tmp_path)
    assert mine.read_bytes() == b"my own"


def test_the_table_names_networks_of_the_zoo():
    assert all(each.arch in ARCHS and re.search(r"-[0-9a-f]{8}\.pth$", each.file) for each in PUBLISHED.values())
    with pytest.raises(InputError, match="no weights torchvision:zfnet are known; there are alexnet, googlenet"):
        published("zfnet")
    assert not Path(published("resnet18").file).is_absolute()
