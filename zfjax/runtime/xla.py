"""What the compiler is told before it starts: which convolutions to use on CPU."""

import os

import jaxlib.version

from zfjax.errors import InputError

FLAG = "--xla_cpu_experimental_ynn_fusion_type"


def convolve_with_eigen() -> None:
    """Takes convolutions on CPU away from YNNPACK and gives them back to Eigen, for programs compiled from now on.

    It appends to XLA_FLAGS, which XLA reads when JAX computes for the first time; later the call changes nothing, nor
    does it where the user has set this flag. A training step of ZFNet takes twice as long with YNNPACK (4,027 instead
    of 1,994 ms), the gradient of conv1's kernel eight times. GPU and TPU never look at the flag. Raises InputError
    where XLA_FLAGS names a file that cannot be read.
    """
    # XLA ends the process over a flag that it does not know, and this one is experimental: only where it was tried.
    if jaxlib.version.__version_info__[:2] == (0, 10) and FLAG not in (flags := _flags()):
        os.environ["XLA_FLAGS"] = f"{flags} {FLAG}=-LIBRARY_FUSION_TYPE_INDIVIDUAL_CONVOLUTION".strip()


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
