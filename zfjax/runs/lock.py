"""One writer a folder: a lock that ends with the process that holds it, however that ends."""

from __future__ import annotations

import fcntl
import os
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zfjax.errors import InputError

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
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write to {folder} ({error.strerror}); give another folder") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise InputError(f"{holder} is writing to {folder}; wait for it, stop it, or give another folder") from None
        except OSError as error:
            warnings.warn(
                f"{folder} cannot be locked ({error.strerror}): see that nobody else writes to it", stacklevel=3
            )
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        yield
