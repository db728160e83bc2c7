"""Compiled programs kept on the disk, so that the second run of a command begins at once."""

from __future__ import annotations

import hashlib
import os
import platform
from dataclasses import dataclass
from pathlib import Path

from zfjax.errors import InputError
from zfjax.runtime.places import cache_folder

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
        path.mkdir(parents=True, exist_ok=True)
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


def _processor() -> str:
    """A name for this kind of processor: machines that share a home folder may lack each other's instructions."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = [platform.processor()]
    kinds = {line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))} or set(lines)
    return f"{platform.machine()}-{hashlib.sha256(''.join(sorted(kinds)).encode()).hexdigest()[:12]}"
