"""What every command does before it computes."""

from __future__ import annotations

from zfjax.runtime.compile_cache import keep_programs
from zfjax.runtime.cpu import tune_cpu
from zfjax.runtime.signals import remember_interrupts


def start(programs: str | None) -> None:
    """Keeps compiled programs (`keep_programs`), tunes the CPU, computes in 32 bits and loses no Ctrl-C.

    32 bits whatever JAX_ENABLE_X64 says: the numbers of a run must not depend on where it is continued. Raises
    InputError as the first two do.
    """
    remember_interrupts()
    keep_programs(programs)
    tune_cpu()
    import jax

    jax.config.update("jax_enable_x64", False)
