"""python explore.py from the first word to the last: what it refuses at once, what it prints, and how it ends."""

import http.client
import importlib.util
import signal
import socket
import threading
import urllib.request
import webbrowser

import pytest
from live_server import Live, serving
from runs import one_cpu, random_run, run_script
from runs import start as begin

from zfjax.cli import explore
from zfjax.errors import InputError
from zfjax.web.live import serving as life
from zfjax.web.live.command import Options, _gate
from zfjax.web.live.fence import LOOPBACK


def refused(arguments, monkeypatch, capsys) -> str:
    """What the command says before it ends with exit code 2."""
    with pytest.raises(SystemExit) as stop:
        run_script(explore, [*arguments, "--no_browser"], monkeypatch)
    said = capsys.readouterr()
    assert stop.value.code == 2 and not said.out
    return said.err


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    return random_run(tmp_path_factory.mktemp("explore") / "run")


def test_a_port_that_is_taken(workdir, monkeypatch, capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = refused([f"--ckpt={workdir}", f"--port={port}"], monkeypatch, capsys)
    assert said == f"error: --port={port} is taken by another program; give another number, or 0 for any\n"


@pytest.mark.parametrize(
    "flags, sentence",
    [
        (["--ckpt=nowhere"], "no run folder at nowhere"),
        (["--ckpt=RUN", "--step=3"], "has no checkpoint of step 3; it has 7"),
        (["--ckpt=RUN", "--dataset=nothing:here"], "unknown data set 'nothing:here'"),
        (["--ckpt=RUN", "--port=65536"], "--port must be at most 65535, not 65536"),
        (["--ckpt=RUN", "--host=0.0.0.0"], "--host=0.0.0.0 would let other machines in; leave it out"),
        (["--ckpt=RUN", "--host=203.0.113.7", "--yes_expose"], "cannot serve at 203.0.113.7, port 0 ("),
        (["--ckpt=RUN", "--host=no such host", "--yes_expose"], "cannot serve at no such host, port 0 ("),
        ([], "--ckpt is missing: Run folder"),
    ],
)
def test_what_cannot_be_is_told_in_one_sentence(workdir, flags, sentence, monkeypatch, capsys):
    said = refused([flag.replace("RUN", str(workdir)) for flag in flags], monkeypatch, capsys)
    assert sentence in said and said.startswith("error: ") and said.count("\n") == 1


def test_without_its_packages_it_says_how_to_get_them(workdir, monkeypatch, capsys):
    there = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: there(name, *more) if name != "uvicorn" else None
    )
    said = refused([f"--ckpt={workdir}"], monkeypatch, capsys)
    assert said == "error: uvicorn is missing, which serves the page: pip install '.[explore]'\n"


def test_it_is_bound_to_this_machine_alone():
    with life.bind(Options(ckpt="").host, 0) as bound:
        assert bound.getsockname()[0] == "127.0.0.1"
        assert bound.proto == socket.IPPROTO_TCP  # without, asyncio leaves Nagle's algorithm on: 40 ms an answer
        with pytest.raises(ConnectionRefusedError):  # it has its port, and nothing listens before all is compiled
            socket.create_connection(bound.getsockname())
        life.listen(bound)
        socket.create_connection(bound.getsockname()).close()


def test_a_port_that_is_taken_while_all_is_compiled():
    with life.bind("127.0.0.1", 0) as ours, life.bind("127.0.0.1", ours.getsockname()[1]) as other:
        life.listen(other)
        with pytest.raises(InputError, match="is taken by another program"):
            life.listen(ours)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_loopback_needs_no_token(host):
    gate, address = _gate(Options(ckpt="", host=host), 8000)
    assert gate.names == LOOPBACK and not gate.token
    assert gate.knows(address.removeprefix("http://").removesuffix("/"))


def test_another_address_has_a_token_that_nobody_guesses():
    (gate, address), (_, again) = (_gate(Options(ckpt="", host="0.0.0.0", yes_expose=True), 8000) for _ in range(2))
    assert address == f"http://{socket.gethostname()}:8000/#token={gate.token}" != again
    assert len(gate.token) >= 22 and gate.knows(f"{socket.gethostname()}:8000") and not gate.knows("evil.test:8000")


def test_with_a_token_the_page_is_open_and_nothing_else(tmp_path):
    with serving(tmp_path, token="abc") as live:
        assert live.ask("/").status == live.ask("/pages/live.html").status == 200
        assert live.ask("/arch").status == live.ask("/sample", {"number": 1}).status == 403
        assert live.ask("/sample", {"number": 1}, X_Zf_Token="abc").status == 200


@pytest.mark.parametrize("kind, opened", [(webbrowser.GenericBrowser, []), (webbrowser.Mozilla, ["http://x/"])])
def test_a_browser_with_a_window_is_opened_and_none_in_the_terminal(kind, opened, monkeypatch):
    seen = []
    monkeypatch.setattr(kind, "open", lambda browser, address: seen.append(address))
    monkeypatch.setattr(webbrowser, "get", lambda: kind("browser"))
    life._open("http://x/")
    assert seen == opened


def click(port: int, begun: threading.Event) -> None:
    """By a method that is compiled first; whoever asks does not mind that the server ends."""
    try:
        live = Live(port, desk=None, seen=[])
        image = live.ask("/sample", {"number": 1}).json["id"]
        begun.set()
        live.ask("/project", {"image": image, "layer": "fc5", "unit": 1, "row": 0, "col": 0, "method": "gradient"})
    except (OSError, http.client.HTTPException):
        pass


def test_it_prints_where_to_look_and_ends_with_ctrl_c(workdir):
    process = begin("explore.py", f"--ckpt={workdir}", "--no_browser", env=one_cpu())
    assert process.stdout is not None
    address = process.stdout.readline().removeprefix("open ").strip()
    assert process.stdout.readline() == "Ctrl-C ends it\n"
    with urllib.request.urlopen(f"{address}ready") as answer:
        assert b'"ready":true' in answer.read()
    port = int(address.split(":")[2].strip("/"))
    begun = threading.Event()
    threading.Thread(target=click, args=(port, begun), daemon=True).start()
    assert begun.wait(60)
    with socket.create_connection(("127.0.0.1", port)) as idle:  # which keeps nobody
        idle.sendall(b"POST /sample HTTP/1.1\r\n")
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and not said
    assert errors.splitlines()[-1] == "stopped" and "Traceback" not in errors
