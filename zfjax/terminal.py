"""What people see while a command runs: lines and progress bars, in which no name gives orders and which never fail.

Names of files, classes and layers come from others, and whoever reads may be gone: output must not stop the work.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO, TypeAlias

if TYPE_CHECKING:
    from tqdm import tqdm

Meter: TypeAlias = "tqdm"  # one that goes over nothing, or over items of any kind

# Control characters, what turns the direction of writing round, what cannot be seen or encoded, ends of lines.
_SPEAKING = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
# Ours, for terminals that lack them: signs in our sentences, and the frames of --help.
_PLAIN = str.maketrans(
    {"−": "-", "–": "-", "—": "-", "±": "+-", "×": "x", "…": "...", "’": "'", "“": '"', "”": '"', "²": "^2"}
    | {"─": "-", "│": "|", "╭": "+", "╮": "+", "╰": "+", "╯": "+"}
)


def visible(text: str, *, keep: str = "") -> str:
    r"""The text with whatever a terminal, a page or a reader of lines would obey as an escape: \x1b, \n, \u202e.

    keep: characters that stay as they are.
    """
    return _SPEAKING.sub(lambda found: found[0] if found[0] in keep else _escape(found[0]), text)


def some(names: Sequence[str]) -> str:
    """The first three, and a sign that there are more: "a, b, c, ..."."""
    return ", ".join([*names[:3], *["..."] * (len(names) > 3)])


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()


def say(*lines: str, error: bool = False) -> None:
    """Prints lines at once, above progress bars; what would break out of its line is shown as an escape.

    error: to stderr. Never raises: whom nobody hears, goes on.
    """
    stream = _unfailing(sys.stderr if error else sys.stdout)
    bars: Any = sys.modules.get("tqdm")  # where it was never imported, there is no bar
    with bars.tqdm.external_write_mode(stream) if bars else contextlib.nullcontext():
        stream.write("".join(f"{visible(line)}\n" for line in lines))
        stream.flush()


def meter(items: Iterable | None = None, desc: str = "", **options) -> Meter:
    """tqdm's progress bar, which fails no more than `say`."""
    from tqdm import tqdm

    with guarded():  # a new bar flushes both streams
        return tqdm(items, visible(desc), file=sys.stderr, **options)


@contextmanager
def guarded() -> Iterator[Unfailing]:
    """Within the block nothing that is printed raises, whoever prints; given what stands in for stdout."""
    for number in range(3):  # a closed one would be the next file that is opened, and others' words land in it
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    before = sys.stdout, sys.stderr
    out, err = map(_unfailing, before)
    streams: Any = out, err
    sys.stdout, sys.stderr = streams
    try:
        yield out
    finally:
        out.flush()
        err.flush()
        sys.stdout, sys.stderr = before


class Unfailing:
    """A stream to which writing never raises. After the first failure, which it keeps, all is lost without a word."""

    def __init__(self, stream: TextIO):
        self.stream = stream
        self.failure: Exception | None = None

    def write(self, text: str) -> int:
        try:
            self.stream.write(text)
        except UnicodeEncodeError:
            encoding = self.stream.encoding
            self.write(text.translate(_PLAIN).encode(encoding, "backslashreplace").decode(encoding))
        except (OSError, ValueError) as error:
            self._lose(error)
        return len(text)

    def flush(self) -> None:
        try:
            self.stream.flush()
        except (OSError, ValueError) as error:
            self._lose(error)

    def _lose(self, error: Exception) -> None:
        if isinstance(error, BlockingIOError):
            return  # the reader is slow, not gone
        self.failure = self.failure or error
        with contextlib.suppress(OSError, ValueError):  # or what is in the buffer fails again when Python ends
            sink = os.open(os.devnull, os.O_WRONLY)
            os.dup2(sink, self.stream.fileno())
            os.close(sink)
            self.stream.flush()

    @property
    def lost(self) -> bool:
        """Whether something could not be written that somebody still waits for: a pipe that is closed wants no more."""
        return self.failure is not None and getattr(self.failure, "errno", None) not in (None, errno.EPIPE, errno.EIO)

    def __eq__(self, other: object) -> bool:
        return self.stream is getattr(other, "stream", other)  # as tqdm asks whether a bar is on the terminal

    def __hash__(self) -> int:
        return hash(self.stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def _unfailing(stream: TextIO | None) -> Unfailing:
    """None is what Python makes of a stream that was closed when it began."""
    return stream if isinstance(stream, Unfailing) else Unfailing(stream or io.StringIO())
