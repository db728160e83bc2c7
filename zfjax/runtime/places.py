"""Where this machine keeps what can be made again, and how much of it this process may use. Standard library only."""

from __future__ import annotations

import os
from pathlib import Path

from zfjax.errors import InputError


def cache_folder(name: str) -> Path | None:
    """zfjax/NAME in the user's cache folder; None where the user has none: no HOME, and a number without a name."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "zfjax" / name
    except RuntimeError:
        return None


def user_path(path: str | Path) -> Path:
    """A path as people type it, with ~ for a home folder; raises InputError where there is no such home."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise InputError(f"{path}: there is no such home folder here; give the whole path") from None


def cores() -> int:
    """How many cores this process may run on: taskset, Slurm and containers give a part of the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory() -> int:
    """Bytes of this machine's memory, of which a process may get fewer."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
