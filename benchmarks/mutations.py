"""What a disk, a careless copy or a stranger may do to a folder of files: one change, drawn from a seed."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

TEXTS = ["", "a\nb", "../../up", "/etc/passwd", "\x1b]0;title\x07", "<script>", "$\\frac{$", "\u202e", "x" * 100_000]
NUMBERS = [-1, 0, 1, 2, 255, 2**31, 2**63, 2**64, -0.5, 1e-300, 1e308, float("nan"), float("inf")]
OTHERS = [None, True, [], {}, [[[]]], {"kind": "Conv"}]


def mutate(folder: Path, rng: random.Random) -> str:
    """Changes one file below `folder`, and says what was done to which."""
    path = folder
    while path.is_dir():  # by folder, or the many files of a checkpoint would draw all
        path = rng.choice(sorted(each for each in path.iterdir() if each.is_file() or _holds_files(each)))
    structured = path.suffix == ".json" or path.name == "metadata"
    name, change = rng.choice([*BYTES.items(), *FILES.items(), *([("json", _json)] * 8 if structured else [])])
    return f"{path.relative_to(folder)}: {name}{change(path, rng) or ''}"


def _holds_files(folder: Path) -> bool:
    return any(path.is_file() for path in folder.rglob("*"))


def _bytes(change: Callable[[bytearray, random.Random], bytes | bytearray]) -> Callable[[Path, random.Random], None]:
    def on_file(path: Path, rng: random.Random) -> None:
        path.write_bytes(change(bytearray(path.read_bytes() or b"\0"), rng))

    return on_file


def _flip(data: bytearray, rng: random.Random) -> bytearray:
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return data


def _noise(data: bytearray, rng: random.Random) -> bytearray:
    start = rng.randrange(len(data))
    end = min(len(data), start + rng.choice([1, 4, 64]))
    data[start:end] = rng.randbytes(end - start)
    return data


def _zeros(data: bytearray, rng: random.Random) -> bytearray:
    start = rng.randrange(len(data))
    end = min(len(data), start + 512)
    data[start:end] = bytes(end - start)
    return data


def _moved(data: bytearray, rng: random.Random) -> bytearray:
    cut = rng.randrange(len(data))
    return data[cut:] + data[:cut]


def _lines(data: bytearray, rng: random.Random) -> bytes:
    lines = bytes(data).splitlines(keepends=True)
    rng.shuffle(lines)
    return b"".join(lines)


BYTES: dict[str, Callable[[Path, random.Random], Any]] = {
    "a bit": _bytes(_flip),
    "several bits": _bytes(lambda data, rng: [_flip(data, rng) for _ in range(9)][-1]),
    "noise": _bytes(_noise),
    "zeros": _bytes(_zeros),
    "turned round": _bytes(_moved),
    "lines shuffled": _bytes(_lines),
    "cut": _bytes(lambda data, rng: data[: rng.randrange(len(data))]),
    "empty": _bytes(lambda data, rng: b""),
    "twice": _bytes(lambda data, rng: data * 2),
    "longer": _bytes(lambda data, rng: data + rng.randbytes(rng.choice([1, 100, 5000]))),
}


def _as_folder(path: Path, rng: random.Random) -> None:
    path.unlink()
    path.mkdir()


def _as_pipe(path: Path, rng: random.Random) -> None:
    path.unlink()
    os.mkfifo(path)


def _as_link(target: str) -> Callable[[Path, random.Random], None]:
    def on_file(path: Path, rng: random.Random) -> None:
        path.unlink()
        path.symlink_to(path if target == "itself" else target)

    return on_file


def _exchanged(path: Path, rng: random.Random) -> str:
    other = rng.choice(sorted(each for each in path.parent.iterdir() if each.is_file()))
    shutil.copyfile(other, path) if other != path else path.unlink()
    return f" by {other.name}"


FILES: dict[str, Callable[[Path, random.Random], Any]] = {
    "gone": lambda path, rng: path.unlink(),
    "a folder": _as_folder,
    "a pipe": _as_pipe,
    "a link to itself": _as_link("itself"),
    "a link to nothing": _as_link("/nowhere/at/all"),
    "a link to an endless device": _as_link("/dev/zero"),
    "exchanged": _exchanged,
}


def _json(path: Path, rng: random.Random) -> str:
    """Another value at one place of a JSON file, or a place less."""
    data = json.loads(path.read_bytes())
    holder, key = rng.choice(list(_places(data)) or [({}, "new")])
    if rng.random() < 0.15:
        del holder[key]
        what = "removed"
    elif rng.random() < 0.05:
        path.write_text('{"a":' * 20_000)
        return " nested"
    else:
        holder[key] = value = rng.choice([*TEXTS, *NUMBERS, *OTHERS])
        what = f"= {str(value)[:20]!r}"
    path.write_text(json.dumps(data))
    return f" {key} {what}"


def _places(data: Any):
    keys = data if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else ()
    for key in keys:
        yield data, key
        yield from _places(data[key])
