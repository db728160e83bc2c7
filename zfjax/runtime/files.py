"""How files are written: whole or not at all. Into a part beside them, flushed to the disk, renamed.

Whoever reads a file, even after a kill or a power cut, finds the old text or the new. Folders come from others too: no
link in the place of a file of ours is written through, and no pipe is waited for. Standard library only.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal

from zfjax.errors import InputError, why

# network disks and those of virtual machines flush no folders, and one that may be written need not be readable
_NO_FLUSH = (errno.EBADF, errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOTTY, errno.EACCES)
OUT_ADVICE = "give another folder with --out"
MAX_BYTES = 256 << 20  # of a small file; one with holes may have many more, and takes no room on the disk
_NAME_BYTES = 160  # most file systems take 255, and what makes a part of a name needs some too


def file_name(text: str) -> str:
    """A file name without suffix for any text: no folder, not hidden, not too long; the text itself where that will do.

    Distinct texts have distinct names: what is changed gets "~" and a digest, and no text stays as it is with a "~".
    """
    if re.fullmatch(r"\w[^/\\:~]*", text) and text.isprintable() and len(text.encode()) <= _NAME_BYTES:
        return text
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:12]
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", text).lstrip(".-")[: _NAME_BYTES // 2]
    return f"{plain or 'name'}~{digest}"


def listed(text: str) -> list[str]:
    """ "a, b" -> ["a", "b"]; one that is there as it is given is no list, for names of files may have commas."""
    return [text] if os.path.exists(text) else [part for part in map(str.strip, text.split(",")) if part]


def open_to_write(path: Path, mode: Literal["wb", "ab", "ab+"]) -> BinaryIO:
    """The built-in `open` of a regular file, which is made if it is not there; raises OSError for anything else.

    Everything that we write is opened here: a link is not followed, and a pipe not waited for.
    """
    if what := _in_the_way(path):
        raise OSError(errno.EINVAL, f"{path.name} is {what}", str(path))
    return open(path, mode, opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666))


@contextmanager
def open_to_read(path: Path, *, limit: int | None = None) -> Iterator[BinaryIO]:
    """A regular file, or the one that a link leads to; raises OSError for anything else, without waiting, and for more
    than `limit` bytes."""
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, f"{path.name} is {_OTHER}", str(path))
        if limit is not None and status.st_size > limit:
            raise OSError(errno.EFBIG, f"{path.name} has {status.st_size:,} bytes, and may have {limit:,}", str(path))
        yield file


def read_bytes(path: Path, *, limit: int = MAX_BYTES) -> bytes:
    """Of a file as `open_to_read` takes it."""
    with open_to_read(path, limit=limit) as file:
        return file.read()


def no_file(folder: Path) -> Path | None:
    """The first thing below a folder that is neither a file nor a folder, nor a link to one, for other libraries would
    wait for it: a pipe, or a device, which may have no end."""
    found = (path for path in folder.rglob("*") if path.exists() and not (path.is_file() or path.is_dir()))
    return next(found, None)


@contextmanager
def whole(path: Path, *, part: Path | None = None) -> Iterator[Path]:
    """Where to write a file of any size: what lies there when the block ends takes the name `path`.

    part: a place on the same disk; None: NAME.part beside the file, which one process alone may write to. It is empty
    at first, and removed when the block fails. Raises OSError, as the block does.
    """
    part = part or _part(path)
    try:
        _begin(part)
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
    _begin(part)
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
    """Indented, with a checksum. Raises InputError."""
    write_text(path, json.dumps(sealed(data), indent=2) + "\n")


def sealed(data: dict) -> dict:
    """A JSON object with its checksum, and a key that says so: damage to one of the two does not hide the other."""
    data = {**json.loads(json.dumps(data)), "checked": True}
    return {**data, "crc32": json_crc32(data)}


def unsealed(data: dict) -> dict:
    """What `sealed` was given; raises ValueError if it is another. Objects of earlier versions have no checksum."""
    data = dict(data)
    checksum = data.pop("crc32", None)
    if ("checked" in data or checksum is not None) and checksum != json_crc32(data):
        raise ValueError("its checksum differs")
    data.pop("checked", None)
    return data


def parse_json(text: str | bytes) -> Any:
    """`json.loads` of what somebody else may have written: all that is wrong with it is a ValueError, depth too."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_json(path: Path) -> dict | None:
    """What `write_json` wrote; None where there is no such file. Raises InputError when it is damaged."""
    try:
        data = parse_json(read_bytes(path))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path} ({why(error)}); remove it, and it is measured again") from error
    if not isinstance(data, dict):
        raise InputError(f"{path} must hold a JSON object, not {type(data).__name__}; remove it")
    try:
        return unsealed(data)
    except ValueError:
        raise InputError(f"{path} was changed: its checksum differs; remove it, and it is measured again") from None


def make_folder(path: Path) -> Path:
    """Raises InputError where there can be no folder."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot use {path} as a folder ({error.strerror}); give another with --out") from error
    return path


def own_folder(path: Path) -> Path:
    """The path of a folder of ours in one that the user named; raises InputError where there is a link in its place.

    What is written, moved and removed in it must not lie elsewhere, and a run folder may come from a stranger.
    """
    if path.is_symlink():
        raise InputError(f"{path} is {_LINK}; remove it (a run folder on another disk may itself be a link)")
    return path


_LINK = "a link, which is not followed"
_OTHER = "a pipe or a device, not a file"


def _in_the_way(path: Path) -> str:
    """What there is in the place of a regular file; "" for such a file, and for nothing."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return ""
    kinds = {stat.S_IFREG: "", stat.S_IFLNK: _LINK, stat.S_IFDIR: "a folder"}
    return kinds.get(stat.S_IFMT(mode), _OTHER)


def _begin(part: Path) -> None:
    """An empty file of ours in that place, whatever a killed process, or somebody else, has left there."""
    if _in_the_way(part) and not stat.S_ISDIR(os.lstat(part).st_mode):
        part.unlink()  # the link itself; a file stays, since config.json's part says whose the files beside it are
    open_to_write(part, "wb").close()


def json_crc32(data: dict) -> int:
    """Of the values of a JSON object: spaces and the order of keys do not count."""
    return zlib.crc32(json.dumps(data, sort_keys=True).encode())


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
