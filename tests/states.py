"""The state that a training begins with."""

import functools

import jax

from zfjax.arch import Arch
from zfjax.runtime.xla import options_for_one_run
from zfjax.train.step import TrainState, init_state


def begun(arch: Arch, tx) -> TrainState:
    """Compiled as trainings compile it: operation by operation each array takes a second."""
    create = functools.partial(init_state, arch=arch, tx=tx)
    return jax.jit(create, compiler_options=options_for_one_run("cpu"))(jax.random.key(0))
