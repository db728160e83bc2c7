"""What the compiler is told: which convolutions to use on CPU, and where its trouble would be lost."""

import hashlib
import os
import platform
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import jaxlib.version

from zfjax.errors import InputError
from zfjax.runtime import files
from zfjax.runtime.places import cache_folder

FLAG = "--xla_cpu_experimental_ynn_fusion_type"
_SETTING = f"{FLAG}=-LIBRARY_FUSION_TYPE_INDIVIDUAL_CONVOLUTION"
_PROBE_SECS = 60  # 1 to 5 on two busy cores
_DOUBT_SECS = 24 * 3600  # a No may come from a machine that was full


def convolve_with_eigen() -> None:
    """Takes convolutions on CPU away from YNNPACK and gives them back to Eigen, for programs compiled from now on.

    It appends to XLA_FLAGS, which XLA reads when JAX computes for the first time; later the call changes nothing, nor
    does it where the user has set this flag, nor where JAX is to compute on a GPU or TPU, which never look at it. A
    training step of ZFNet takes twice as long with YNNPACK (4,027 instead of 1,994 ms), the gradient of conv1's kernel
    eight times. Whether XLA knows the flag is tried once for each jaxlib, in a process of its own. Raises InputError
    where XLA_FLAGS names a file that cannot be read.
    """
    if FLAG not in (flags := _flags()) and _on_cpu() and _known():
        os.environ["XLA_FLAGS"] = f"{flags} {_SETTING}".strip()


def options_for_one_run(platform: str) -> dict[str, int]:
    """What the compiler is told of a program that will run once: on CPU to take less trouble over the machine code.

    The initial weights of zf-mini are compiled in 1.3 s of processor time instead of 5.3, those of resnet18 in 3.0
    instead of 8.5; drawn they are as fast, and to the same bits.
    """
    return {"xla_backend_optimization_level": 1} if platform == "cpu" else {}


def _on_cpu() -> bool:
    """Whether JAX will compute on the CPU, told without starting it: plugins of accelerators come as these packages."""
    if platforms := os.environ.get("JAX_PLATFORMS"):
        return platforms.split(",")[0] == "cpu"
    return not any(map(find_spec, ("jax_plugins", "libtpu")))


def _known() -> bool:
    """Whether this XLA takes the setting; the answer is kept in the user's cache folder, if that can be written."""
    jaxlib_version = jaxlib.version.__version__
    key = hashlib.sha256(f"{_SETTING} {platform.machine()}".encode()).hexdigest()[:12]
    folder = cache_folder("flags")
    kept = folder / f"{jaxlib_version}-{key}" if folder else None
    if kept and (answer := _kept(kept)):
        return answer == "yes"
    known = _tried()
    if kept:
        try:
            kept.parent.mkdir(parents=True, exist_ok=True)
            with files.whole(kept, part=files.own_part(kept)) as part:
                part.write_text("yes" if known else "no", encoding="utf-8")
        except OSError:
            pass  # then the next process tries again
    return known


def _kept(path: Path) -> str | None:
    try:
        answer = files.read_bytes(path, limit=100).decode()
        age = time.time() - path.stat().st_mtime
    except (OSError, UnicodeError):
        return None
    return answer if answer == "yes" or (answer == "no" and age < _DOUBT_SECS) else None


def _tried() -> bool:
    """Starts XLA with the setting in another process: it ends the process over what it does not know."""
    environment = {**os.environ, "XLA_FLAGS": _SETTING, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-P", "-c", "import jax; jax.devices()"]
    nothing = subprocess.DEVNULL
    try:
        ended = subprocess.run(
            command, env=environment, stdin=nothing, stdout=nothing, stderr=nothing, timeout=_PROBE_SECS
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):  # no Python to start, or it hangs
        return False
    return ended.returncode == 0


def _flags() -> str:
    """Those of XLA_FLAGS, or of the file that it names: XLA takes what does not begin with a dash for a file."""
    flags = os.environ.get("XLA_FLAGS", "")
    if flags.strip(" \t\r\n")[:1] in ("", "-"):
        return flags
    try:
        with open(flags, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError as error:
        raise InputError(
            f"XLA_FLAGS names the file {flags!r}, since it begins with no dash, and that cannot be read "
            f"({error.strerror}); unset it, or give flags"
        ) from error
