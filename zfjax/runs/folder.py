"""The small files of a run folder: settings, class names, mean image, metrics. Standard library and numpy alone.

    runs/NAME/config.json     every resolved flag, "arch", "versions"; written last, so its presence makes the run
              classes.txt     one name a line
              mean.npy        float32 [S, S, C]
              metrics.jsonl   one JSON object a line
              checkpoints/    zfjax.runs.checkpoint
              figures/

Each file is written whole or not at all (`zfjax.runtime.files`).
"""

from __future__ import annotations

import contextlib
import io
import json
import platform
from collections.abc import Collection, Iterator, Sequence
from importlib import metadata
from pathlib import Path

import numpy as np

from zfjax.arch import Arch
from zfjax.errors import InputError
from zfjax.runs.results import differences, refuse
from zfjax.runtime import files
from zfjax.runtime.files import parse_json

CONFIG, CLASSES, MEAN, METRICS, CHECKPOINTS = "config.json", "classes.txt", "mean.npy", "metrics.jsonl", "checkpoints"


def open_run(workdir: str | Path, config: dict, *, may_differ: Collection[str] = ("versions",)) -> bool:
    """Makes the folder; True if it holds a run of this `config` to go on with, False if a run may be created in it:
    where there is none, or one of another config without a checkpoint.

    Call it before the mean image is computed, so that a wrong folder is refused at once.
    may_differ: keys ("epochs", "arch.recipe.epochs") that may change between restarts; what they are now replaces what
    was recorded.
    Raises InputError when the folder cannot be made or written, when it holds a run of another configuration (it
    says which keys differ), and when it holds files named like a run's that no run of ours has put there.
    """
    workdir = _writable(Path(workdir))
    if not (workdir / CONFIG).exists():
        _refuse_foreign(workdir)
        return False
    here = json.loads(_json(config))
    there = _as_today(read_config(workdir), here)
    if differing := _differences(there, here, may_differ):
        if not any((workdir / CHECKPOINTS).glob("[0-9]*")):
            return False  # nothing was learnt yet: a run that failed to start must not stand in the way of the next
        refuse(f"{workdir} holds a run with", differing, advice="repeat them or give another folder")
    if there != here:
        files.write_bytes(workdir / CONFIG, _json(config))
    return True


def create_run(
    workdir: str | Path,
    config: dict,
    class_names: Sequence[str],
    mean: np.ndarray,
    *,
    may_differ: Collection[str] = ("versions",),
) -> Path:
    """Writes the small files of a new run, or goes on with the one that is there; returns the folder.

    mean: [S, S, C]. A kill at any moment leaves no run (and the next call completes it) or a whole one.
    Raises InputError as `open_run` does, and for a class name of two lines.
    """
    workdir = Path(workdir)
    if open_run(workdir, config, may_differ=may_differ):
        return workdir
    if bad := [name for name in class_names if not name.strip() or name.splitlines() != [name]]:
        raise InputError(f"class names must be one line each; got {bad[0]!r}")
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(mean, np.float32))
    try:
        part = files.stage(workdir / CONFIG, _json(config))  # its presence says whose the files beside it are
        files.write_bytes(workdir / CLASSES, "".join(f"{name}\n" for name in class_names).encode())
        files.write_bytes(workdir / MEAN, buffer.getvalue())
        files.commit(part, workdir / CONFIG)
    except OSError as error:
        raise InputError(f"cannot write the run folder {workdir} ({error.strerror}); give another folder") from error
    return workdir


def find_run(path: str | Path) -> Path:
    """The run folder at `path`; raises InputError, with what may have been meant, when there is none."""
    path = Path(path)
    if (path / CONFIG).is_file():
        return path
    if not path.is_dir():
        raise InputError(f"no run folder at {path}: there is {'a file' if path.exists() else 'nothing'} there")
    runs = sorted(child.name for child in path.iterdir() if (child / CONFIG).is_file())
    above = next((parent for parent in path.absolute().parents[:2] if (parent / CONFIG).is_file()), None)
    hint = f"it holds the runs {', '.join(runs)}" if runs else f"the run is {above}" if above else "give a run folder"
    raise InputError(f"{path} is not a run folder: it has no {CONFIG}; {hint}")


def versions() -> dict[str, str]:
    """What a run was made with: Python and the packages that its numbers may depend on."""
    packages = ("zfjax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "numpy", "pillow")
    return {"python": platform.python_version(), **{name: _version(name) for name in packages}}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"  # a checkout that is run in place


def read_config(workdir: str | Path) -> dict:
    """What the run was started with; raises InputError when the file is damaged."""
    path = Path(workdir) / CONFIG
    try:
        config = parse_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path} ({error}); put back the file that the training wrote") from error
    if not isinstance(config, dict):
        raise InputError(f"{path} must hold a JSON object; got {type(config).__name__}")
    return config


def read_class_names(workdir: str | Path) -> tuple[str, ...]:
    """The class names in the order of the logits; raises InputError when the file is missing."""
    path = Path(workdir) / CLASSES
    try:
        names = tuple(path.read_text(encoding="utf-8").splitlines())
        if not all(name.strip() for name in names):
            raise ValueError("a line is blank")
        return names
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path} ({error}); it should hold one class name a line") from error


def read_mean(workdir: str | Path) -> np.ndarray:
    """The mean image, float32 [S, S, C]; raises InputError when the file is missing or damaged."""
    path = Path(workdir) / MEAN
    try:
        mean = np.load(path, allow_pickle=False)
        if not isinstance(mean, np.ndarray) or mean.dtype.kind not in "fiu":
            raise ValueError("it holds no numbers")
        return mean
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"cannot read {path} ({error}); it should hold the mean image [S, S, C]") from error


def append_metrics(workdir: str | Path, record: dict) -> None:
    """Adds one JSON line; numbers of numpy and JAX become plain ones. Raises InputError when it cannot be written."""
    path = Path(workdir) / METRICS
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record, default=_plain) + "\n")
    except OSError as error:
        raise InputError(f"cannot write {path} ({error.strerror}); free some space and start again") from error


def read_metrics(workdir: str | Path) -> list[dict]:
    """All records in order; a line that a kill has cut short is left out, and no file is no records."""
    return [record for _, record in _metric_lines(Path(workdir) / METRICS)]


def truncate_metrics(workdir: str | Path, step: int) -> None:
    """Drops the records with a "step" above `step`, and cut lines: what a resumed run will write again."""
    path = Path(workdir) / METRICS
    kept = "".join(f"{line}\n" for line, record in _metric_lines(path) if record.get("step", 0) <= step)
    if path.exists() and kept.encode() != path.read_bytes():
        files.write_bytes(path, kept.encode())


def _metric_lines(path: Path) -> Iterator[tuple[str, dict]]:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    for line in lines:
        try:
            record = parse_json(line)
        except ValueError:
            continue
        if isinstance(record, dict):  # the first digits of a cut line parse too
            yield line, record


def _writable(workdir: Path) -> Path:
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        probe = workdir / ".probe.part"  # os.access knows neither read-only mounts nor that root may do all
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(f"cannot use {workdir} as a run folder ({error.strerror}); give another folder") from error
    return workdir


def _as_today(there: dict, here: dict) -> dict:
    """A recorded configuration in the words of this version: earlier ones had fewer fields in a layer, the scale of the
    input in the recipe, and no preprocessing, which followed from the rest."""
    with contextlib.suppress(
        AttributeError, IndexError, KeyError, TypeError, ValueError
    ):  # not an architecture: then it differs, as it should
        there = {**there, "arch": json.loads(_json(Arch.from_dict(there["arch"]).to_dict()))}
    return {**{key: here[key] for key in ("preprocess",) if key in here}, **there}


def _refuse_foreign(workdir: Path) -> None:
    if (workdir / f"{CONFIG}.part").exists():
        return  # half created by us: what lies there is ours to write again
    if taken := [name for name in (CLASSES, MEAN, METRICS, CHECKPOINTS) if (workdir / name).exists()]:
        raise InputError(f"{workdir} has {', '.join(taken)} but no {CONFIG}: it is not a run; give another folder")


def _differences(there: dict, here: dict, may_differ: Collection[str]) -> list[str]:
    """Every leaf that differs, also one that only one of them has; flags before the insides of the architecture."""
    old, new = dict(_leaves(there)), dict(_leaves(here))
    keys = sorted({**old, **new}, key=lambda key: key.count("."))
    keys = [key for key in keys if not any(f"{key}.".startswith(f"{free}.") for free in may_differ)]
    return differences(*({key: _shown(leaves, key) for key in keys} for leaves in (old, new)), show=str)


def _leaves(value, prefix: str = "") -> Iterator[tuple[str, object]]:
    match value:
        case dict() if value:
            for key, child in value.items():
                yield from _leaves(child, f"{prefix}.{key}" if prefix else str(key))
        case list() if value:
            for index, child in enumerate(value):
                yield from _leaves(child, f"{prefix}.{index}")
        case _:
            yield prefix, value


def _shown(leaves: dict, key: str) -> str:
    return json.dumps(leaves[key]) if key in leaves else "nothing"


def _plain(value):
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _json(config: dict) -> bytes:
    return (json.dumps(config, indent=2, default=_plain) + "\n").encode()
