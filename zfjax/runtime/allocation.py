"""Room on the disk for a file, before anything is written through a map of it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

_STRIDE = 1 << 20  # bytes


def allocate(path: Path, size: int) -> None:
    """Takes the room for a file that is there and is to be written through a map; raises OSError where there is none.

    A map of a file with holes ends the process by SIGBUS when the disk is full.
    """
    with open(path, "r+b") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
                raise
            for start in range(0, size, _STRIDE):  # the file system cannot: holes are filled by what is read there
                file.seek(start)
                data = file.read(_STRIDE)
                file.seek(start)
                file.write(data)
