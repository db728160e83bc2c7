"""Forms of one operator: what is fast on a CPU is slow on a TPU, and the other way round; all of them agree.

The form is chosen when a program is compiled, by the platform that it is compiled for.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import jax
from jax import lax

_pretended: ContextVar[str | None] = ContextVar("platform", default=None)


def by_platform(*operands: Any, default: Callable, **forms: Callable) -> Any:
    """Calls the form for the platform ("cpu", "cuda", "rocm", "tpu"), or the default, on arrays (and pytrees of them).

    All forms return arrays of the same shapes and types. Arrays that are divided along explicit axes of a mesh get the
    default: JAX traces every form, and asks at every reshape of one how its parts lie.
    """
    if any(any(jax.typeof(each).sharding.spec) for each in jax.tree.leaves(operands)):
        return default(*operands)
    if (platform := _pretended.get()) is not None:
        return forms.get(platform, default)(*operands)
    named = {name: functools.partial(_within, name, form) for name, form in forms.items()}
    return lax.platform_dependent(*operands, default=default, **named)


def _within(platform: str, form: Callable, *operands: Any) -> Any:
    """The form of a platform, and its forms alone of what it calls: the others would be traced for nothing."""
    with forms_of(platform):
        return form(*operands)


def apart(*arrays: jax.Array) -> Any:
    """The same arrays, and on a GPU a border: XLA fuses nothing across it.

    There a value that several need is computed anew in each of their kernels, or kept in a wider type, whatever memory
    that takes: ZFNet's contrast normalisation and its gradient wrote two maps of float32.
    """
    return by_platform(*arrays, cuda=_behind_barriers, rocm=_behind_barriers, default=_as_they_are)


def _behind_barriers(*arrays):
    # one each: of several behind one barrier none can be left out
    return tuple(map(lax.optimization_barrier, arrays))


def _as_they_are(*arrays):
    return arrays


@contextlib.contextmanager
def forms_of(platform: str) -> Iterator[None]:
    """Takes the forms for another platform than the one at hand in what is traced meanwhile: to compare them.

    What was traced before, and is cached, stays as it is.
    """
    token = _pretended.set(platform)
    try:
        yield
    finally:
        _pretended.reset(token)
