"""A trace of a few steps of a training: what its devices and its host do when."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import jax

from zfjax.errors import why
from zfjax.runtime.files import own_folder
from zfjax.runtime.processes import leads
from zfjax.terminal import say

COMPILING = 2  # steps: the first compiles itself, the second the sum with the first


def profiled(
    steps: Iterator[int], count: int, workdir: str | Path, settle: Callable[[], object]
) -> Generator[int, None, None]:
    """The same steps; the leader writes a trace of `count` of them, after those that compile, into WORKDIR/profile.

    steps: numbers of steps, each made when it is asked for. settle: returns when those have been computed that were
    begun. To be closed. Raises InputError where a link stands in the place of that folder. A trace that cannot be made
    is said and costs the training nothing.
    """
    if not (count and leads()):
        yield from steps
        return
    folder = Path(workdir) / "profile"
    for below in ("", "plugins", "plugins/profile"):  # as the profiler calls them
        own_folder(folder / below)
    yield from itertools.islice(steps, COMPILING)
    settle()
    options, made = jax.profiler.ProfileOptions(), []
    options.python_tracer_level = 0  # each call of a Python function would be an event: more of them than of all else
    try:
        jax.profiler.start_trace(folder, profiler_options=options)
    except RuntimeError as error:
        say(f"--profile: no trace is made ({why(error)})")
    else:
        try:
            for step in itertools.islice(steps, count):
                made.append(step)
                yield step
            settle()
        finally:
            _stop(folder, made)
    yield from steps


def _stop(folder: Path, made: list[int]) -> None:
    try:
        jax.profiler.stop_trace()
    except (OSError, RuntimeError) as error:
        return say(f"--profile: the trace cannot be written to {folder} ({why(error)})")
    if not made:
        return say(f"--profile: no step is left after the first {COMPILING}, which compile; give more --epochs")
    files = f"{folder}/plugins/profile"
    say(
        f"a trace of steps {made[0]} to {made[-1]} is in {files}: pip install xprof and xprof "
        f"--logdir={shlex.quote(str(folder))}, or open its .trace.json.gz at https://ui.perfetto.dev"
    )
