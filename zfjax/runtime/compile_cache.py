"""Compiled programs kept on the disk, so that the second run of a command begins at once."""

from __future__ import annotations

import hashlib
import os
import platform
import warnings
from dataclasses import dataclass
from pathlib import Path

from zfjax.errors import InputError
from zfjax.runtime.places import cache_folder

_PROGRAM, _TIME = "-cache", "-atime"  # JAX's names of a program and of when it was used last
MAX_BYTES = 2 << 30  # then those that were not used for longest go; a training of zf-mini leaves 1 MB


@dataclass(frozen=True, kw_only=True)
class Programs:
    """The flag of every script that computes."""

    programs: str | None = None
    """Folder that keeps compiled programs for the next run; None: ~/.cache/zfjax; off: compile each time."""


def keep_programs(folder: str | None = None) -> None:
    """Turns on JAX's persistent compilation cache; call it before anything is compiled.

    folder: where to; None: zfjax/programs in the user's cache folder, if that can be written and JAX's own setting
    (JAX_COMPILATION_CACHE_DIR) says nothing else; "off": nowhere. Raises InputError when a given folder cannot be made.
    """
    if folder == "off" or (folder is None and os.environ.get("JAX_COMPILATION_CACHE_DIR")):
        return
    home = Path(folder) if folder else cache_folder("programs")
    if home is None:
        return
    path = home / _processor()
    try:
        path = _usable(path)
    except OSError as error:
        if folder:
            raise InputError(
                f"--programs: cannot make {path} ({error.strerror}); give another folder, or off"
            ) from error
        return
    import jax

    jax.config.update("jax_compilation_cache_dir", str(path))
    jax.config.update("jax_compilation_cache_max_size", MAX_BYTES)
    # the many small programs of a script take seconds together; a file each is cheaper
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    _drop_unreadable(path)


def _usable(path: Path) -> Path:
    """The folder, or one of this user's own beside it where it has files of another, mended. Raises OSError.

    JAX keeps nothing more in a folder where one program lacks its time of use: JAX was killed before it wrote that,
    and the program may be cut short.
    """
    path.mkdir(parents=True, exist_ok=True)
    if not all(os.access(place, os.R_OK | os.W_OK) for place in (path, *path.iterdir())):
        path = path.with_name(f"{path.name}-{os.getuid()}")
        path.mkdir(exist_ok=True)
    names = os.listdir(path)
    for name in names:
        if name.endswith(_PROGRAM) and f"{name.removesuffix(_PROGRAM)}{_TIME}" not in names:
            (path / name).unlink(missing_ok=True)
    return path


def _drop_unreadable(path: Path) -> None:
    """From now on removes a program that JAX warns that it cannot read: it is compiled and kept again.

    JAX would leave it there, and warn each time.
    """
    show = warnings.showwarning

    def showwarning(message, *arguments, **options) -> None:
        if not str(message).startswith("Error reading persistent compilation cache entry"):
            return show(message, *arguments, **options)
        times = sorted(path.glob(f"*{_TIME}"), key=lambda time: time.stat().st_mtime_ns)
        for time in times[-1:]:  # written when it was read, a moment ago
            time.with_name(f"{time.name.removesuffix(_TIME)}{_PROGRAM}").unlink(missing_ok=True)

    warnings.showwarning = showwarning


def _processor() -> str:
    """A name for this kind of processor: machines that share a home folder may lack each other's instructions."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = [platform.processor()]
    kinds = {line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))} or set(lines)
    return f"{platform.machine()}-{hashlib.sha256(''.join(sorted(kinds)).encode()).hexdigest()[:12]}"
