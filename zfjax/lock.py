"""One writer a folder: a lock that ends with the process that holds it, however that ends."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zfjax.errors import InputError

LOCK = "lock"


@contextmanager
def locked(folder: str | Path) -> Iterator[None]:
    """Holds the folder for this process; the folder must be there.

    The kernel holds the lock (flock on FOLDER/lock) and lets go of it when the process dies: the file that stays
    behind locks nothing. Raises InputError, which names the holder, when another process has it.
    """
    path = Path(folder) / LOCK
    try:
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot use {folder} ({error.strerror} for {LOCK}); give another folder") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise InputError(f"{holder} is writing to {folder}; wait for it, stop it, or give another folder") from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        yield
