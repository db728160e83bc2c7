"""The small files of a run folder: settings, class names, mean image, metrics. Standard library and numpy alone.

    runs/NAME/config.json     every resolved flag, "arch", "versions", and checksums of itself and of the next two;
                              written last, so its presence makes the run
              classes.txt     one name a line
              mean.npy        float32 [S, S, C]
              metrics.jsonl   one JSON object a line
              checkpoints/    zfjax.runs.checkpoint
              figures/

Each file is written whole or not at all (`zfjax.runtime.files`).
"""

from __future__ import annotations

import io
import json
import platform
from collections.abc import Collection, Iterator, Sequence
from importlib import metadata
from pathlib import Path

import numpy as np

from zfjax import checks
from zfjax.errors import InputError, why
from zfjax.runs.checksums import changed, is_sealed, sealed, unsealed
from zfjax.runs.config import as_today, config_differences, data_differences, plain, to_json
from zfjax.runs.results import refuse
from zfjax.runtime import files
from zfjax.runtime.arrays import check_mean, load_array
from zfjax.runtime.files import parse_json, read_bytes

CONFIG, CLASSES, MEAN, METRICS, CHECKPOINTS = "config.json", "classes.txt", "mean.npy", "metrics.jsonl", "checkpoints"


def open_run(workdir: str | Path, config: dict, *, may_differ: Collection[str] = ("versions",)) -> bool:
    """Makes the folder; True if it holds a run of this `config` to go on with, False if a run may be created in it:
    where there is none, or one of another config without a checkpoint.

    Call it before the mean image is computed, so that a wrong folder is refused at once.
    may_differ: keys ("epochs", "arch.recipe.epochs") that may change between restarts; what they are now replaces what
    was recorded.
    Raises InputError when the folder cannot be made or written, when it holds a run of another configuration or of
    other data (it says what differs), and when it holds files named like a run's that no run of ours has put there.
    """
    workdir = _writable(Path(workdir))
    if not (workdir / CONFIG).exists():
        _refuse_foreign(workdir)
        return False
    here = json.loads(to_json(config))
    recorded = read_config(workdir)
    there = as_today(recorded, here)
    free = ("data", "dataset") if "data" in recorded and "data" in here else ("data",)  # which data, not where it lies
    differing = config_differences(there, here, (*may_differ, *free))
    other = [] if "data" in may_differ else data_differences(there.get("data"), here.get("data"))
    if differing or other:
        if not any((workdir / CHECKPOINTS).glob("[0-9]*")):
            return False  # nothing was learnt yet: a run that failed to start must not stand in the way of the next
        advice = "repeat them or give another folder"
        if any(each.startswith("epochs: ") for each in differing):
            advice = f"a run whose rate falls to zero at its last epoch has one length: {advice}"
        twice = {f"arch.recipe.{each}" for each in differing}  # a flag, and what it came to
        differing = [each for each in differing if each not in twice]
        refuse(f"{workdir} holds a run with", differing, advice=advice)
        raise InputError(
            f"{workdir} was trained on other images ({'; '.join(other)}); put those back, give another folder, or go "
            "on with these by --other_data=accept"
        )
    check_files(workdir)
    if (now := sealed(here, CONFIG, _parts(workdir))) != _read_config(workdir):
        files.write_bytes(workdir / CONFIG, to_json(now))
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
    names = [checks.require(checks.line, name, "class names must be one line each") for name in class_names]
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(mean, np.float32))
    parts = {CLASSES: "".join(f"{name}\n" for name in names).encode(), MEAN: buffer.getvalue()}
    try:
        # the part's presence says whose the files beside it are
        part = files.stage(workdir / CONFIG, to_json(sealed(json.loads(to_json(config)), CONFIG, parts)))
        for name, data in parts.items():
            files.write_bytes(workdir / name, data)
        files.commit(part, workdir / CONFIG)
    except OSError as error:
        raise InputError(f"cannot write the run folder {workdir} ({error.strerror}); give another folder") from error
    return workdir


def find_run(path: str | Path) -> Path:
    """The run folder at `path`; raises InputError, with what may have been meant, when there is none."""
    path = Path(path)
    if (path / CONFIG).is_file():
        return path
    if path.is_file():
        advice = f"if it holds weights, python -m zfjax.weights {path} --arch=NAME makes a run folder of them"
        raise InputError(f"no run folder at {path}: there is a file there; {advice}")
    if not path.is_dir():
        raise InputError(f"no run folder at {path}: there is nothing there")
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
    """What the run was started with; raises InputError when the file is damaged, or another program's."""
    return unsealed(_read_config(Path(workdir)))


def check_files(workdir: Path) -> None:
    """Raises InputError that names the first small file that is not what the training wrote; earlier runs do not tell.
    Call it last: what does not fit together has been said in words of its own."""
    if name := changed(_read_config(workdir), CONFIG, _parts(workdir)):
        own = ", or take its keys checked and checksums out if you changed it yourself" if name == CONFIG else ""
        raise InputError(
            f"{workdir / name} is not what the training wrote: its checksum differs; put that file back{own}"
        )


def read_class_names(workdir: str | Path) -> tuple[str, ...]:
    """The class names in the order of the logits; raises InputError when the file is missing."""
    path = Path(workdir) / CLASSES
    try:
        names = tuple(read_bytes(path).decode().splitlines())
        if not names or not all(name.strip() for name in names):
            raise ValueError("a line is blank")
        return names
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path} ({why(error)}); it should hold one class name a line") from error


def read_mean(workdir: str | Path) -> np.ndarray:
    """The mean image, [S, S, C] in 0..255; raises InputError when the file is missing or damaged."""
    path = Path(workdir) / MEAN
    try:
        return check_mean(load_array(path))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path} ({why(error)}); it should hold the mean image [S, S, C]") from error


def append_metrics(workdir: str | Path, record: dict) -> None:
    """Adds one JSON line; numbers of numpy and JAX become plain ones. Raises InputError when it cannot be written."""
    path = Path(workdir) / METRICS
    try:
        with files.open_to_write(path, "ab") as file:
            file.write((json.dumps(record, default=plain) + "\n").encode())
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
        files.write_text(path, kept, advice="free some space and start again")


def _metric_lines(path: Path) -> Iterator[tuple[str, dict]]:
    try:
        lines = read_bytes(path).decode(errors="replace").splitlines() if path.exists() else []
    except OSError as error:
        raise InputError(f"cannot read {path} ({error.strerror}); it should hold a line for each epoch") from error
    for line in lines:
        try:
            record = parse_json(line)
        except ValueError:
            continue
        # the first digits of a cut line parse too
        if isinstance(record, dict) and all(type(record.get(key, 0)) is int for key in ("step", "epoch")):
            yield line, record


def _read_config(workdir: Path) -> dict:
    """With its checksums."""
    path = workdir / CONFIG
    try:
        config = parse_json(read_bytes(path))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path} ({why(error)}); put back the file that the training wrote") from error
    if not isinstance(config, dict):
        raise InputError(f"{path} must hold a JSON object; got {type(config).__name__}")
    if not (is_sealed(config) or "arch" in config):  # earlier runs are not sealed
        raise InputError(f"{path} is no run's: it records no architecture; give another folder")
    return config


def _parts(workdir: Path) -> dict[str, bytes]:
    """The files whose checksums stand in config.json."""
    try:
        return {name: read_bytes(workdir / name) for name in (CLASSES, MEAN)}
    except OSError as error:
        path = error.filename or workdir
        raise InputError(f"cannot read {path} ({why(error)}); put back the file that the training wrote") from error


def _writable(workdir: Path) -> Path:
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        probe = workdir / ".probe.part"  # os.access knows neither read-only mounts nor that root may do all
        probe.unlink(missing_ok=True)
        files.open_to_write(probe, "wb").close()
        probe.unlink()
    except OSError as error:
        raise InputError(f"cannot use {workdir} as a run folder ({error.strerror}); give another folder") from error
    return workdir


def _refuse_foreign(workdir: Path) -> None:
    if (workdir / f"{CONFIG}.part").exists():
        return  # half created by us: what lies there is ours to write again
    if taken := [name for name in (CLASSES, MEAN, METRICS, CHECKPOINTS) if (workdir / name).exists()]:
        raise InputError(f"{workdir} has {', '.join(taken)} but no {CONFIG}: it is not a run; give another folder")
