"""One writer a folder: a lock that ends with the process that holds it, however that ends."""

from __future__ import annotations

import os
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from zfjax.errors import InputError
from zfjax.runtime.files import open_to_write, read_bytes
from zfjax.terminal import visible

LOCK = "lock"


@contextmanager
def locked(folder: str | Path) -> Iterator[None]:
    """Holds a folder, which is made if it is not there, for this process.

    The kernel holds the lock (flock on FOLDER/lock) and lets go of it when the process dies: the file that stays
    behind locks nothing. Raises InputError, which names the holder, when another process has it, and when the folder
    cannot be written. A file system that knows no locks gets a warning instead.
    """
    path = Path(folder) / LOCK
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        open_to_write(path, "ab").close()
    except OSError as error:
        raise InputError(f"cannot write to {folder} ({error.strerror}); give another folder") from error
    # preserved: without that, filelock falls back on a file whose presence is the lock, and that outlives a kill
    lock = FileLock(path, preserve_lock_file=True)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        holder = read_bytes(path).decode(errors="replace").strip() or "another process"
        raise InputError(f"{holder} is writing to {folder}; wait for it, stop it, or give another folder") from None
    except OSError as error:
        why = f"{visible(str(folder))} cannot be locked ({error.strerror})"
        warnings.warn(f"{why}: see that nobody else writes to it", stacklevel=3)
    try:
        _sign(path)
        yield
    finally:
        lock.release()


def _sign(path: Path) -> None:
    try:
        with open_to_write(path, "wb") as file:
            file.write(f"process {os.getpid()} on {socket.gethostname()}\n".encode())
    except OSError as error:
        raise InputError(f"cannot write {path} ({error.strerror}); give another folder") from error
