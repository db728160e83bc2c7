"""Whether a network fits into this machine, asked before XLA ends the process or the machine is out of memory."""

from __future__ import annotations

import math

from zfjax.arch import Arch
from zfjax.errors import InputError
from zfjax.runtime.places import memory

_WHOLE = 10**18  # numbers above it are not shown digit by digit: a table can make ones of thousands of digits


def check_size(arch: Arch, what: str, advice: str, *, copies: int = 1) -> None:
    """Raises InputError, "ARCH ... needs N bytes WHAT, and this machine has M; ADVICE", for more than its memory.

    copies: of the parameters; 3 for a training, whose gradients and momentum are as many. The layers of one image
    are added.
    """
    numbers = copies * arch.param_count() + sum(map(math.prod, arch.shapes().values()))
    if 4 * numbers > (there := memory()):
        raise InputError(
            f"{arch.name} at {arch.image_size}x{arch.image_size} with {_shown(arch.param_count())} parameters needs "
            f"{_shown(4 * numbers)} bytes {what}, and this machine has {there:,}; {advice}"
        )


def _shown(number: int) -> str:
    return f"{number:,}" if number <= _WHOLE else "more than 10^18"
