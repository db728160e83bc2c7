"""Checkpoints of a run, by step: saved in the background, checked when read, the damaged ones set aside.

    checkpoints/STEP/params   the parameters, so that they can be read alone
                     rest     everything else of the training state
                     about    JSON: shape, dtype and CRC-32 of every leaf, metrics, whether to keep it for ever, by
                              which orbax it was written
    checkpoints/trash         steps on their way out: a kill in mid-deletion must not leave half a step in the list
    checkpoints/damaged       steps that could not be restored, in case somebody can

orbax is imported inside functions: that takes 0.4 s, and a mistyped path is answered without it.
"""

from __future__ import annotations

import errno
import re
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from zfjax.errors import InputError
from zfjax.runs.diagnosis import ORBAX, reason
from zfjax.runs.folder import CHECKPOINTS
from zfjax.runs.hushed import quiet
from zfjax.runs.leaves import flatten, manifest, placeholders, split
from zfjax.runs.opened import Opened
from zfjax.runs.steps import Retention, about_or_none, read_about, set_aside, steps, sums_of
from zfjax.runs.stored import DamagedCheckpoint, alone, handler, read_leaves, restore
from zfjax.runtime.files import own_folder
from zfjax.terminal import visible


class Restored(NamedTuple):
    """What a training goes on from."""

    state: Any
    step: int
    sums: dict[str, float] = {}  # of the epoch that it is in the middle of, as they were saved


class Checkpoints:
    """The checkpoints of a training: `save`, `restore_latest`, `verify`; a context manager that ends with `close`.

    Of several processes that train together one alone has it; state is what that process can see.
    Kept are the `keep_latest` newest steps, the best by the metric `val_top1` (a tie goes to the newer), and those
    saved with `keep=True`. Raises InputError when the folder cannot be used.
    """

    def __init__(self, workdir: str | Path, *, keep_latest: int = 2):
        import orbax.checkpoint as ocp

        quiet()
        self._workdir = Path(workdir).absolute()  # orbax takes no relative path
        self._folder = self._workdir / CHECKPOINTS
        self._opened: Any = None
        with self._explained():
            own_folder(self._folder).mkdir(parents=True, exist_ok=True)  # orbax would accept a file until it saves
            for below in self._folder.iterdir():  # steps, unfinished ones, trash, damaged
                own_folder(below)
            self._opened = Opened(self._workdir)
            self._empty_trash()
        self._about = {step: about_or_none(self._folder / str(step)) for step in steps(self._workdir)}
        self._current: int | None = None  # the step that the caller's state is at, as far as it was saved or restored
        options = ocp.CheckpointManagerOptions(
            preservation_policy=Retention(self._about, keep_latest),
            cleanup_tmp_directories=True,
            todelete_subdir="trash",
            multiprocessing_options=alone(),
            create=False,  # for several processes orbax refuses to
        )
        about = ocp.JsonCheckpointHandler(multiprocessing_options=alone())
        handlers = {"about": about, "params": handler(), "rest": handler()}
        with self._explained():
            folder = self._opened.path / CHECKPOINTS
            self._manager = ocp.CheckpointManager(folder, options=options, item_handlers=handlers)

    def save(
        self,
        step: int,
        state: Any,
        *,
        metrics: Mapping[str, Any] | None = None,
        sums: Mapping[str, Any] | None = None,
        keep=False,
    ) -> None:
        """Starts to save a state (a pytree of arrays, none of size 0, with a field or key `params`); returns at once.

        The arrays may be donated afterwards. keep: never delete it. sums: numbers that come back with it.
        Saving the step that was saved or restored last does nothing. Raises InputError when this or the previous
        save cannot be written or the folder is no longer the one that was opened, and ValueError for a step that is
        not after the newest.
        """
        import orbax.checkpoint as ocp

        if step == self._current:
            return
        leaves = flatten(state)
        about = {
            "leaves": manifest(leaves),
            "metrics": {name: float(value) for name, value in (metrics or {}).items()},
            "sums": {name: float(value) for name, value in (sums or {}).items()},
            "keep": bool(keep),
            "orbax": metadata.version(ORBAX),
        }
        trees = {name: ocp.args.StandardSave(tree) for name, tree in split(leaves).items()}
        self.wait()
        self.check()
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
        stand in the way of later saves. Raises InputError, and moves nothing, when none can be restored, when one that
        may be whole cannot be read, and when the state does not fit.
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
            return Restored(state, step, sums_of(self._about.get(step)))
        if damaged:
            step, why = next(iter(damaged.items()))
            raise InputError(f"none of the checkpoints in {self._folder} can be restored; step {step}: {why}")
        return None

    def verify(self) -> None:
        """Reads back what was saved last; raises InputError when it is not on the disk as it was saved."""
        self.wait()
        self.check()
        step = self._current
        about = None if step is None else self._about.get(step)
        if about is None:
            return
        folder = self._opened.path / CHECKPOINTS / str(step)
        try:
            if read_about(folder)["leaves"] != about["leaves"]:
                raise OSError("it is not what was saved")
            read_leaves(folder, placeholders(about["leaves"]), about["leaves"])
        except Exception as error:
            raise InputError(
                f"the checkpoint of step {step} was written to {self._folder} and cannot be read back "
                f"({reason(error)}); see to the disk, and start again with the same flags"
            ) from error

    def check(self) -> None:
        """Raises InputError when the run folder is no longer the one that was opened, whole."""
        self._opened.check()

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
                self._opened.close()

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
        except InputError:
            raise
        except Exception as error:
            self._current = None
            if self._opened is not None:
                self._opened.check()  # where the folder is not there any more, libraries say anything but that
            full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
            full = full or re.search("ENOSPC|EDQUOT|RESOURCE_EXHAUSTED", str(error))
            earlier = "the earlier ones are whole" if steps(self._workdir) else "there is no earlier one"
            raise InputError(
                f"cannot write checkpoints in {self._folder} ({reason(error)}); {earlier}: "
                f"{'make room' if full else 'mend that'} and start again with the same flags"
            ) from error

    def _empty_trash(self) -> None:
        shutil.rmtree(self._folder / "trash", ignore_errors=True)

    def _set_aside(self, damaged: dict[int, str]) -> None:
        for step, why in damaged.items():
            text = visible(f"{self._workdir}: skipped the damaged checkpoint of step {step}: {why}")
            warnings.warn(text, stacklevel=3)
        if damaged:
            with self._explained():
                set_aside(self._folder, damaged)
            self._manager.reload()
