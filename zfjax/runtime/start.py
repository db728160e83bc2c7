"""What every command does before it computes."""

from __future__ import annotations

from zfjax.runtime.compile_cache import keep_programs
from zfjax.runtime.cpu import tune_cpu


def start(programs: str | None) -> None:
    """Keeps compiled programs (`keep_programs`), tunes the CPU and computes in 32 bits; raises InputError.

    32 bits whatever JAX_ENABLE_X64 says: the numbers of a run must not depend on where it is continued.
    """
    keep_programs(programs)
    tune_cpu()
    import jax

    jax.config.update("jax_enable_x64", False)
