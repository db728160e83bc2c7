"""A folder that was opened: by a name that the array store takes as it is, and whether its path still leads to it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from zfjax.errors import InputError
from zfjax.runs.folder import CLASSES, CONFIG, MEAN
from zfjax.runtime.files import read_bytes

# The array store takes a backslash for a slash, orbax looks for files by a glob, epath takes gs:/ for another machine,
# and what is not UTF-8 reaches neither.
_MISREAD = re.compile(r"[\\\[\]*?]|\w:/|[\udc80-\udcff]")


class Opened:
    """An open folder; a context manager that ends with `close`.

    path: absolute; where the folder's own would be misread, the one that Linux has for every open file.
    Raises OSError when it cannot be opened, and InputError where its path would be misread and there is no other.
    """

    def __init__(self, folder: str | Path):
        self._folder = Path(folder).absolute()
        there = [name for name in (CONFIG, CLASSES, MEAN) if (self._folder / name).exists()]
        self._files = {name: read_bytes(self._folder / name) for name in there}  # a mean image has less than 1 MB
        self._number = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        self.path = self._folder
        if _MISREAD.search(f"{self._folder}/"):
            self.path = Path(f"/proc/self/fd/{self._number}")
            if not self.path.is_dir():
                self.close()
                raise InputError(
                    rf"{str(self._folder)!r}: the store of checkpoints misreads \ [ ] * ? and names that are not "
                    "UTF-8; give a folder without them"
                )

    def check(self) -> None:
        """Raises InputError when the path leads elsewhere by now, or a run's small files are not what they were."""
        try:
            # the open descriptor keeps file systems in user space from giving the folder another number meanwhile
            same = os.path.samestat(os.stat(self._folder), os.fstat(self._number))
        except OSError:
            same = False
        if not same:
            raise InputError(
                f"the run folder {self._folder} was removed, moved or replaced during the training; nothing more is "
                "written: put it back, or start anew"
            )
        if other := [name for name, content in self._files.items() if _content(self._folder / name) != content]:
            raise InputError(
                f"{self._folder} has lost {', '.join(other)} during the training, or holds others by now, and would "
                "not be the run that was begun; put back what was there, or start anew"
            )

    def close(self) -> None:
        """Lets go of the folder; not to be used afterwards."""
        os.close(self._number)

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *_) -> None:
        self.close()


def _content(path: Path) -> bytes | None:
    try:
        return read_bytes(path)
    except OSError:
        return None
