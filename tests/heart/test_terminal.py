"""What is printed: names that give no orders, and streams that are gone, full, closed or of few letters."""

import errno
import io
import os
import subprocess
import sys

import pytest
from runs import ROOT

from zfjax.errors import InputError, exit_on_bad_input
from zfjax.terminal import Unfailing, guarded, meter, say, visible

ORDERS = {
    "clear": ("\x1b[2J", r"\x1b[2J"),
    "title": ("\x1b]0;t\x07", r"\x1b]0;t\x07"),
    "C1": ("\x9b2J", r"\x9b2J"),
    "back": ("a\b\rb", r"a\x08\rb"),
    "line": ("a\nerror: b", r"a\nerror: b"),
    "separators": ("a\u2028b\x85c\x0bd", r"a\u2028b\x85c\x0bd"),
    "turned": ("\u202egnp.exe\u2066", r"\u202egnp.exe\u2066"),
    "unseen": ("a\u200bb\ufeffc\U000e0041", r"a\u200bb\ufeffc\U000e0041"),
    "bytes": ("caf\udce9", r"caf\udce9"),
    "null": ("\0", r"\x00"),
}
SOUND = "Käse 狗 كلب Ω ½ 👩\u200d🔬 a\\b $x$ − ± <b>"


@pytest.mark.parametrize("name", ORDERS)
def test_orders_are_shown_and_not_obeyed(name, capsys):
    order, shown = ORDERS[name]
    say(f"a {order} b", "next")
    say(order, error=True)
    said = capsys.readouterr()
    assert said.out == f"a {shown} b\nnext\n" and said.err == f"{shown}\n"


def test_other_letters_stay(capsys):
    say(SOUND)
    assert capsys.readouterr().out == f"{SOUND}\n"
    assert visible("a\nb\t\x1b", keep="\n\t") == "a\nb\t\\x1b"


def test_an_error_is_one_line(capsys):
    with pytest.raises(SystemExit) as stop, exit_on_bad_input():
        raise InputError("no class 'a\nerror: all is well\x1b[1A'")
    assert stop.value.code == 2
    assert capsys.readouterr().err == "error: no class 'a\\nerror: all is well\\x1b[1A'\n"


class Gone(io.StringIO):
    """Fails as it is told, the first time and each time."""

    def __init__(self, error: Exception):
        super().__init__()
        self.error, self.tries = error, 0

    def write(self, text: str) -> int:
        self.tries += 1
        raise self.error

    def flush(self) -> None:
        self.write("")


FAILURES = {
    "pipe": BrokenPipeError(errno.EPIPE, "Broken pipe"),
    "disk": OSError(errno.ENOSPC, "No space left on device"),
    "terminal": OSError(errno.EIO, "Input/output error"),
    "closed": ValueError("I/O operation on closed file"),
    "slow": BlockingIOError(errno.EAGAIN, "try again"),
}


@pytest.mark.parametrize("name", [*FAILURES, "None"])
def test_what_cannot_be_printed_stops_nothing(name, monkeypatch):
    for stream in ("stdout", "stderr"):
        monkeypatch.setattr(sys, stream, None if name == "None" else Gone(FAILURES[name]))
    before, done = (sys.stdout, sys.stderr), []
    for number in meter(range(3), "bars\n", mininterval=0):
        say("above", "them")
        done.append(number)
    with guarded() as out, meter(total=2, mininterval=0) as bar:
        print("another's")
        bar.update()
        say("words", error=True)
        assert out.lost == (name == "disk") and not sys.stderr.isatty()
    assert done == [0, 1, 2] and (sys.stdout, sys.stderr) == before


@pytest.mark.parametrize(("name", "code"), [("disk", 1), ("pipe", 0)])
def test_lost_numbers_are_no_success(name, code, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", Gone(FAILURES[name]))
    try:
        with exit_on_bad_input():
            say("12.3 %")
        ended = 0
    except SystemExit as stop:
        ended = stop.code
    assert ended == code and ("what was printed is lost" in capsys.readouterr().err) == bool(code)


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", "−1 ± 2 … 狗 é │"),
        ("latin-1", "-1 +- 2 ... \\u72d7 é |"),
        ("cp1252", "-1 +- 2 ... \\u72d7 é |"),
        ("ascii", "-1 +- 2 ... \\u72d7 \\xe9 |"),
    ],
)
def test_terminals_of_few_letters(encoding, shown, monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    say("−1 ± 2 … 狗 é │")
    with guarded():
        print("−1 ± 2 … 狗 é │")
    assert sys.stdout.buffer.getvalue().decode(encoding).splitlines() == [shown, shown]


def test_a_bar_gives_way_to_lines(monkeypatch):
    """As tqdm knows its bars: by the stream, which must be that of the terminal."""
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setattr(sys, "stdout", sys.stderr)
    assert Unfailing(sys.stderr) == sys.stderr and Unfailing(sys.stderr) != io.StringIO()
    with meter(total=2, mininterval=0) as bar:
        bar.refresh()
        say("a line")
    assert any(part.strip(" \r") == "a line" for part in sys.stderr.getvalue().replace("\r", "\n").split("\n"))


def test_pipes_that_nobody_reads_and_streams_that_are_closed():
    """Quietly, and with the exit code of success; a file that is opened later is not taken for the terminal."""
    arch = f"{sys.executable} -m zfjax.arch"
    ways = [f"{arch} | true; echo ${{PIPESTATUS[0]}}", f"{arch} >&-; echo $?", f"{arch} vgg16 >&- 2>&- <&-; echo $?"]
    ways.append(f"PYTHONIOENCODING=ascii {arch} none; echo $?")
    command = "\n".join(ways)
    ended = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, env=dict(os.environ))
    assert ended.stdout.split() == ["0", "0", "0", "2"]
    assert ended.stderr.count("\n") == 1 and ended.stderr.startswith("error: unknown architecture 'none'")
