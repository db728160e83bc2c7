"""What every command does before it computes."""

from __future__ import annotations

import os
import re

from zfjax.errors import InputError
from zfjax.runtime.compile_cache import keep_programs
from zfjax.runtime.cpu import tune_cpu
from zfjax.runtime.signals import obey_interrupts
from zfjax.terminal import say

# Settings of JAX and Flax that change the numbers, or make errors of programs that are right. What says where they
# compute, what they keep and what they tell stays the user's.
_UNHEEDED = re.compile(
    "JAX_(DEFAULT_PRNG_IMPL|ENABLE_CUSTOM_PRNG|LEGACY_PRNG_KEY|RANDOM_SEED_OFFSET|THREEFRY_.*|(ENABLE|EXPLICIT)_X64.*"
    "|NUMPY_.*|DEFAULT_MATMUL_PRECISION|DISABLE_(JIT|MOST_OPTIMIZATIONS)|NO_(TRACING|EXECUTION)|TRANSFER_GUARD.*"
    "|DEBUG_(NANS|INFS|KEY_REUSE|LEAKED_.*)|ERROR_CHECKING_.*|CHECK_TRACER_LEAKS|ARRAY_GARBAGE_.*"
    "|COMPILATION_CACHE_CHECK_CONTENTS)=.*|FLAX_.*",
    re.DOTALL,
)
# tqdm makes arguments of every bar of its variables; these suit ours.
_BARS = re.compile(r"TQDM_(DISABLE|LEAVE)=.*|TQDM_ASCII=(..+)?|TQDM_(MIN|MAX)INTERVAL=\d+(\.\d*)?|TQDM_NCOLS=\d+")


def settle_environment() -> None:
    """Takes out of the environment what would change the numbers of a command or end it; call it before JAX is loaded.

    A run must not depend on where it is made and continued. Says what it takes no notice of.
    """
    given = [f"{name}={value}" for name, value in os.environ.items()]
    unheeded = [each for each in given if _UNHEEDED.fullmatch(each)]
    unheeded += [each for each in given if each.startswith("TQDM_") and not _BARS.fullmatch(each)]
    for each in unheeded:
        del os.environ[each.partition("=")[0]]
    if unheeded:
        say(f"taking no notice of {', '.join(sorted(unheeded))}: no result may depend on that", error=True)


def start(programs: str | None, *, training: bool = False) -> None:
    """Keeps compiled programs (`keep_programs`), tunes the CPU and computes in 32 bits.

    32 bits whatever the caller's JAX does: the numbers of a run must not depend on where it is continued. But for a
    training, that is so of products too, which JAX rounds to 10 bits on a GPU and to 8 on a TPU: on an H200 0.13 % of
    pool5's switches were others then, and projections by 4 % of their peak (ZFNet, median of 64 units of conv5).
    Raises InputError as the first two do, and where JAX refuses a setting in the environment.
    """
    try:
        import jax
    except ValueError as error:  # a variable of its own that it cannot read
        raise InputError(f"JAX does not start: {error}") from error
    keep_programs(programs)
    tune_cpu()
    jax.config.update("jax_enable_x64", False)
    jax.config.update("jax_default_matmul_precision", None if training else "highest")
    obey_interrupts()
