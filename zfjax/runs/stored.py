"""One step's files, read by orbax and checked; what does not fit, what is damaged and what cannot be read."""

from __future__ import annotations

import gc
import warnings
from pathlib import Path
from typing import Any

import jax

from zfjax.errors import InputError
from zfjax.runs.diagnosis import obstacle, reason
from zfjax.runs.leaves import as_stored, flatten, join, manifest, placed, refuse_misfit, split
from zfjax.runs.opened import Opened
from zfjax.runs.steps import about_or_none, read_about
from zfjax.runtime import devices
from zfjax.runtime.files import no_file


class DamagedCheckpoint(OSError):
    """The files of one step do not hold what was saved; the message says how that shows."""


def restore(folder: Path, abstract: Any) -> Any:
    """`abstract` filled with the values of one step's folder, checked.

    If it has only "params", only those are read. Raises InputError when the shapes do not fit or the files cannot be
    read though they may be whole, and DamagedCheckpoint when they do not hold what was saved.
    """
    devices.start()  # here, where its error is no damage
    if path := no_file(folder):
        raise DamagedCheckpoint(f"{path.relative_to(folder)} is a pipe or a device, not a file")
    with warnings.catch_warnings():
        # orbax leaves the readers of other leaves behind when one fails, and Python tells so when they are collected
        warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
        try:
            with Opened(folder) as opened:
                return _restore(opened.path, abstract, folder)
        except InputError:
            raise
        except Exception as error:  # orbax raises seven kinds of exception for a broken file
            why, other = reason(error), obstacle(folder, error, about_or_none(folder))
        gc.collect()
    if other:
        raise InputError(f"cannot read the checkpoint {folder} ({other}); it may be whole, and was left where it is")
    raise DamagedCheckpoint(why)


def _restore(opened: Path, abstract: Any, folder: Path) -> Any:
    stored = read_about(opened)["leaves"]
    wanted = as_stored(flatten(abstract), stored)
    if all(name.startswith("params/") for name in wanted):
        stored = {name: leaf for name, leaf in stored.items() if name.startswith("params/")}
    refuse_misfit(folder, stored, wanted)
    leaves = read_leaves(opened, {name: placed(leaf) for name, leaf in wanted.items()}, stored)
    return jax.tree.unflatten(jax.tree.structure(abstract), [leaves[name] for name in wanted])


def read_leaves(folder: Path, wanted: dict[str, Any], stored: dict[str, dict]) -> dict[str, Any]:
    """The leaves of one step, which match their checksums."""
    import orbax.checkpoint as ocp

    leaves = {}
    with ocp.Checkpointer(handler(), multiprocessing_options=alone()) as checkpointer:
        for item, tree in split(wanted).items():
            restored = checkpointer.restore(folder / item, args=ocp.args.StandardRestore(tree))
            leaves |= join(item, restored)
    for name, leaf in manifest(leaves).items():
        if leaf["crc32"] != stored[name]["crc32"]:
            raise OSError(f"{name} does not match its checksum")
    return leaves


def handler() -> Any:
    import orbax.checkpoint as ocp

    return ocp.StandardCheckpointHandler(multiprocessing_options=alone())


def alone() -> Any:
    """Keeps orbax from waiting for the other processes of a training, which never call it."""
    import orbax.checkpoint as ocp

    here = jax.process_index()
    several = jax.process_count() > 1
    return ocp.options.MultiprocessingOptions(primary_host=here, active_processes={here} if several else None)
