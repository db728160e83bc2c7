"""Checkpoints of a run, by step: saved in the background, checked when read, the damaged ones set aside.

    checkpoints/STEP/params   the parameters, so that they can be read alone
                     rest     everything else of the training state
                     about    JSON: shape, dtype and CRC-32 of every leaf, metrics, whether to keep it for ever
    checkpoints/trash         steps on their way out: a kill in mid-deletion must not leave half a step in the list
    checkpoints/damaged       steps that could not be restored, in case somebody can

Only this file imports orbax, and inside functions: that takes 0.4 s, and a mistyped path is answered without it.
"""

from __future__ import annotations

import gc
import logging
import re
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import jax

from zfjax.errors import InputError
from zfjax.runs.folder import CHECKPOINTS
from zfjax.runs.leaves import as_stored, flatten, join, manifest, placed, refuse_misfit, split
from zfjax.runs.steps import Retention, about_or_none, read_about, set_aside, steps


class DamagedCheckpoint(OSError):
    """The files of one step do not hold what was saved; the message says how that shows."""


class Restored(NamedTuple):
    """What a training goes on from."""

    state: Any
    step: int


class Checkpoints:
    """The checkpoints of a training: `save`, `restore_latest`, `wait`; a context manager that ends with `close`.

    Of several processes that train together one alone has it; state is what that process can see.
    Kept are the `keep_latest` newest steps, the best by the metric `val_top1` (a tie goes to the newer), and those
    saved with `keep=True`. Raises InputError when the folder cannot be used.
    """

    def __init__(self, workdir: str | Path, *, keep_latest: int = 2):
        import orbax.checkpoint as ocp

        logging.getLogger("absl").addFilter(_no_orbax_errors)
        self._workdir = Path(workdir).absolute()  # orbax takes no relative path
        self._folder = self._workdir / CHECKPOINTS
        self._about = {step: about_or_none(self._folder / str(step)) for step in steps(self._workdir)}
        self._current: int | None = None  # the step that the caller's state is at, as far as it was saved or restored
        options = ocp.CheckpointManagerOptions(
            preservation_policy=Retention(self._about, keep_latest),
            cleanup_tmp_directories=True,
            todelete_subdir="trash",
            multiprocessing_options=_alone(),
            create=False,  # for several processes orbax refuses to
        )
        about = ocp.JsonCheckpointHandler(multiprocessing_options=_alone())
        handlers = {"about": about, "params": _handler(), "rest": _handler()}
        with self._explained():
            self._folder.mkdir(parents=True, exist_ok=True)  # orbax would accept a file here until it saves
            self._empty_trash()
            self._manager = ocp.CheckpointManager(self._folder, options=options, item_handlers=handlers)

    def save(self, step: int, state: Any, *, metrics: dict[str, float] | None = None, keep=False) -> None:
        """Starts to save a state (a pytree of arrays, none of size 0, with a field or key `params`); returns at once.

        The arrays may be donated afterwards. keep: never delete it.
        Saving the step that was saved or restored last does nothing. Raises InputError when this or the previous
        save cannot be written, and ValueError for a step that is not after the newest.
        """
        import orbax.checkpoint as ocp

        if step == self._current:
            return
        leaves = flatten(state)
        metrics = {name: float(value) for name, value in (metrics or {}).items()}
        about = {"leaves": manifest(leaves), "metrics": metrics, "keep": bool(keep)}
        trees = {name: ocp.args.StandardSave(tree) for name, tree in split(leaves).items()}
        self.wait()
        with self._explained():
            self._empty_trash()
            self._about[step] = about
            saved = self._manager.save(step, args=ocp.args.Composite(about=ocp.args.JsonSave(about), **trees))
        if not saved:  # orbax says so in its result only
            raise ValueError(f"step {step} is not after {self._manager.latest_step()}, the newest in {self._folder}")
        self._current = step

    def restore_latest(self, abstract_state: Any) -> Restored | None:
        """The newest whole checkpoint, or None when there is none at all.

        abstract_state: the state as arrays or `jax.ShapeDtypeStruct`s; leaves are put where its shardings say.
        A damaged checkpoint is reported in one line of warning and moved to checkpoints/damaged, since it would
        stand in the way of later saves. Raises InputError, and moves nothing, when none can be restored or the
        state does not fit.
        """
        self.wait()
        damaged = {}
        for step in reversed(steps(self._workdir)):
            try:
                state = restore(self._folder / str(step), abstract_state)
            except DamagedCheckpoint as error:
                damaged[step] = str(error)
                continue
            self._set_aside(damaged)
            self._current = step
            return Restored(state, step)
        if damaged:
            step, why = next(iter(damaged.items()))
            raise InputError(f"none of the checkpoints in {self._folder} can be restored; step {step}: {why}")
        return None

    def latest_step(self) -> int | None:
        """The newest step that is whole on the disk."""
        self.wait()
        return self._manager.latest_step()

    def wait(self) -> None:
        """Returns when the save in progress is on the disk; raises InputError when it could not be written."""
        with self._explained():
            self._manager.wait_until_finished()

    def close(self) -> None:
        """Waits, and frees the threads."""
        with self._explained():
            try:
                self._manager.wait_until_finished()
                self._empty_trash()
            finally:
                self._manager.close()

    def __enter__(self) -> Checkpoints:
        return self

    def __exit__(self, kind, error, trace) -> None:
        try:
            self.close()
        except InputError:
            if kind is None:
                raise  # else the first error is the one to show

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            self._current = None
            if not isinstance(error, OSError) and not re.match("[A-Z_]+: ", str(error)):  # TensorStore's status codes
                raise
            raise InputError(
                f"cannot write checkpoints in {self._folder} ({_reason(error)}); the earlier ones are whole: "
                "make room and start again with the same flags"
            ) from error

    def _empty_trash(self) -> None:
        shutil.rmtree(self._folder / "trash", ignore_errors=True)

    def _set_aside(self, damaged: dict[int, str]) -> None:
        for step, why in damaged.items():
            warnings.warn(f"{self._workdir}: skipped the damaged checkpoint of step {step}: {why}", stacklevel=3)
        if damaged:
            set_aside(self._folder, damaged)
            self._manager.reload()


def restore(folder: Path, abstract: Any) -> Any:
    """`abstract` filled with the values of one step's folder, checked.

    If it has only "params", only those are read. Raises InputError when the shapes do not fit, and DamagedCheckpoint
    when the files do not hold what was saved.
    """
    with warnings.catch_warnings():
        # orbax leaves the readers of other leaves behind when one fails, and Python tells so when they are collected
        warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
        try:
            return _restore(folder, abstract)
        except InputError:
            raise
        except Exception as error:  # orbax raises seven kinds of exception for a broken file
            why = _reason(error)
        gc.collect()
    raise DamagedCheckpoint(why)


def _restore(folder: Path, abstract: Any) -> Any:
    import orbax.checkpoint as ocp

    stored = read_about(folder)["leaves"]
    wanted = as_stored(flatten(abstract), stored)
    if all(name.startswith("params/") for name in wanted):
        stored = {name: leaf for name, leaf in stored.items() if name.startswith("params/")}
    refuse_misfit(folder, stored, wanted)
    leaves = {}
    with ocp.Checkpointer(_handler(), multiprocessing_options=_alone()) as checkpointer:
        for item, tree in split({name: placed(leaf) for name, leaf in wanted.items()}).items():
            restored = checkpointer.restore(folder / item, args=ocp.args.StandardRestore(tree))
            leaves |= join(item, restored)
    for name, leaf in manifest(leaves).items():
        if leaf["crc32"] != stored[name]["crc32"]:
            raise OSError(f"{name} does not match its checksum")
    return jax.tree.unflatten(jax.tree.structure(abstract), [leaves[name] for name in wanted])


def _handler() -> Any:
    import orbax.checkpoint as ocp

    return ocp.StandardCheckpointHandler(multiprocessing_options=_alone())


def _alone() -> Any:
    """Keeps orbax from waiting for the other processes of a training, which never call it."""
    import orbax.checkpoint as ocp

    here = jax.process_index()
    several = jax.process_count() > 1
    return ocp.options.MultiprocessingOptions(primary_host=here, active_processes={here} if several else None)


def _no_orbax_errors(record: logging.LogRecord) -> bool:
    # orbax prints the traceback of every error, 300 lines for a full disk, and raises it all the same
    return record.levelno < logging.ERROR or "orbax" not in record.pathname


def _reason(error: BaseException) -> str:
    """The first line of an error, cut: orbax appends pages of TensorStore details."""
    line = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {line[:160]}"
