"""How files are written: whole or not at all. Into a part beside them, flushed to the disk, renamed.

Whoever reads a file, even after a kill or a power cut, finds the old text or the new. Standard library only.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zfjax.errors import InputError

# network disks and those of virtual machines flush no folders, and one that may be written need not be readable
_NO_FLUSH = (errno.EBADF, errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOTTY, errno.EACCES)
OUT_ADVICE = "give another folder with --out"


@contextmanager
def whole(path: Path, *, part: Path | None = None) -> Iterator[Path]:
    """Where to write a file of any size: what lies there when the block ends takes the name `path`.

    part: a place on the same disk; None: NAME.part beside the file, which one process alone may write to. It is
    removed when the block fails. Raises OSError, as the block does.
    """
    part = part or _part(path)
    try:
        yield part
        _flush(part)
        commit(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def own_part(path: Path) -> Path:
    """A part that no other process writes to, for files that several may write at the same time."""
    return path.with_name(f"{path.name}.{os.getpid()}.part")


def stage(path: Path, data: bytes) -> Path:
    """Writes the part alone, which stays until `commit` gives it its name. Raises OSError."""
    part = _part(path)
    part.write_bytes(data)
    _flush(part)
    return part


def commit(part: Path, path: Path) -> None:
    """Gives a file that is whole on the disk its name, and waits until the name is there too. Raises OSError."""
    os.replace(part, path)
    _flush(path.parent)  # the rename itself is on the disk before the next file is begun


def write_bytes(path: Path, data: bytes) -> None:
    """Raises OSError."""
    with whole(path) as part:
        part.write_bytes(data)


def write_text(path: Path, text: str, *, advice: str = OUT_ADVICE) -> None:
    """In UTF-8. Raises InputError that ends with the advice."""
    try:
        write_bytes(path, text.encode())
    except OSError as error:
        raise InputError(f"cannot write {path} ({error.strerror}); {advice}") from error


def write_json(path: Path, data: dict) -> None:
    """Indented. Raises InputError."""
    write_text(path, json.dumps(data, indent=2) + "\n")


def parse_json(text: str | bytes) -> Any:
    """`json.loads` of what somebody else may have written: all that is wrong with it is a ValueError, depth too."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_json(path: Path) -> dict | None:
    """What `write_json` wrote; None where there is no such file. Raises InputError when it is damaged."""
    try:
        data = parse_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path} ({error}); remove it, and it is measured again") from error
    if not isinstance(data, dict):
        raise InputError(f"{path} must hold a JSON object, not {type(data).__name__}; remove it")
    return data


def make_folder(path: Path) -> Path:
    """Raises InputError where there can be no folder."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot use {path} as a folder ({error.strerror}); give another with --out") from error
    return path


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _flush(path: Path) -> None:
    try:
        number = os.open(path, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
    except OSError as error:
        if not (path.is_dir() and error.errno in _NO_FLUSH):
            raise
