"""What every command does before it computes."""

from __future__ import annotations

from zfjax.runtime.compile_cache import keep_programs
from zfjax.runtime.cpu import tune_cpu
from zfjax.runtime.signals import obey_interrupts


def start(programs: str | None) -> None:
    """Keeps compiled programs (`keep_programs`), tunes the CPU and computes in 32 bits.

    32 bits whatever JAX_ENABLE_X64 says: the numbers of a run must not depend on where it is continued. Raises
    InputError as the first two do.
    """
    keep_programs(programs)
    tune_cpu()
    import jax

    jax.config.update("jax_enable_x64", False)
    obey_interrupts()
