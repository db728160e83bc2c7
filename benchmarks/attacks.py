"""Damages folders of ours and looks what their readers say: python -m benchmarks.attacks --count=1000

Each attempt takes a sound folder (a run, a prepared set, a TFDS build, files of weights, images), changes one file of
it at random and reads it. `different` is what must not be: other values than were written, without a word. Nor may
there be a traceback, or a reader that does not come back.
"""

from __future__ import annotations

import collections
import contextlib
import hashlib
import io
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from benchmarks.mutations import mutate
from zfjax.cli.flags import parse_flags
from zfjax.errors import InputError, exit_on_bad_input

Outcome = Literal["refused", "said", "same", "different", "allowed", "traceback", "hang"]
PATIENCE = 30  # seconds that a reader may take; a whole folder takes 0.1
MEMORY = 6 << 30  # bytes more than at its start, of address space, that it may ask for


@dataclass(frozen=True)
class Config:
    """Counts what readers make of damaged files. Ends with 1 where one was wrong."""

    targets: tuple[str, ...] = ()
    """Names of the folders to damage; none: all of them."""
    count: int = 1000
    """Attempts at each."""
    seed: int = 0
    """Of the first; the next ones follow. One attempt again: --count=1 --seed=SEED."""


class Target(NamedTuple):
    """make: writes a sound folder. read: what is seen of it, as bytes. checked: whether what was changed, in the words
    of `mutate`, has a checksum, so that another value without a word is wrong; elsewhere it is allowed."""

    make: Callable[[Path], None]
    read: Callable[[Path], bytes]
    checked: Callable[[str], bool] = lambda what: True


def main() -> None:
    config = parse_flags(Config)
    wrong = 0
    with exit_on_bad_input(), tempfile.TemporaryDirectory() as scratch:
        if unknown := set(config.targets) - set(TARGETS):
            raise InputError(f"no target is called {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
        for name in config.targets or TARGETS:
            counts = attack(name, Path(scratch), count=config.count, seed=config.seed)
            print(f"{name:14}", ", ".join(f"{counts[what]} {what}" for what in Outcome.__args__), flush=True)
            wrong += counts["different"] + counts["traceback"] + counts["hang"]
    sys.exit(wrong > 0)


def attack(name: str, scratch: Path, *, count: int, seed: int = 0) -> collections.Counter[Outcome]:
    """Counts how `count` attempts came out; prints those that went wrong, one line each with the seed."""
    counts: collections.Counter[Outcome] = collections.Counter()
    folder = scratch / name
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        TARGETS[name].make(folder)
    process = None
    for number in range(seed, seed + count):
        if process is None:
            process, pipe = _reader(name, folder)
        pipe.send(number)
        what = pipe.recv()
        if pipe.poll(PATIENCE):
            outcome, how = pipe.recv()
        else:
            outcome, how = "hang", f"no answer for {PATIENCE} s"
            process.kill()
            process = None
        counts[outcome] += 1
        if outcome in ("different", "traceback", "hang"):
            print(f"{name} --seed={number} {outcome}: {what}; {how}", flush=True)
    if process:
        process.kill()
    return counts


def _reader(name: str, folder: Path):
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(name, folder, there), daemon=True)
    process.start()
    if not here.poll(120) or here.recv() != "ready":
        raise InputError(f"the sound {name} cannot be read")
    return process, here


def _serve(name: str, folder: Path, pipe: Connection) -> None:
    """Reads what it is told to, in a process of its own that may be killed."""
    import resource

    target = TARGETS[name]
    sound = target.read(folder)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
    pipe.send("ready")
    while True:
        rng, copy = random.Random(pipe.recv()), folder.with_name(f"{folder.name}-damaged")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder, copy)
        what = mutate(copy, rng)
        pipe.send(what)
        pipe.send(_read(target, copy, sound, target.checked(what)))


def _read(target: Target, folder: Path, sound: bytes, checked: bool) -> tuple[Outcome, str]:
    start = time.monotonic()
    with warnings.catch_warnings(record=True) as said, contextlib.redirect_stderr(io.StringIO()) as printed:
        warnings.simplefilter("always", UserWarning)
        try:
            seen = target.read(folder)
        except InputError as error:
            return ("refused" if len(str(error).splitlines()) == 1 else "traceback"), str(error)
        except BaseException as error:  # whatever it is, a user would see it whole
            return "traceback", f"{type(error).__name__}: {str(error)[:200]}"
    if (took := time.monotonic() - start) > PATIENCE / 3:
        return "hang", f"took {took:.0f} s"
    if seen == sound:
        return "same", ""
    if any(issubclass(each.category, UserWarning) for each in said) or printed.getvalue():
        return "said", printed.getvalue()
    return ("different" if checked else "allowed"), "other values without a word"


def _digest(*values: Any) -> bytes:
    total = hashlib.sha256()
    for value in values:
        total.update(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
    return total.digest()


def _make_run(folder: Path) -> None:
    import jax

    from zfjax.arch import Arch
    from zfjax.data import Dataset, open_dataset
    from zfjax.data.sources.pool import Subset
    from zfjax.layers import Conv, Dense, MaxPool
    from zfjax.recipe import Recipe
    from zfjax.train.loop import train
    from zfjax.train.settings import described

    layers = (Conv("conv1", 4, kernel=5, strides=2), MaxPool("pool1", window=2), Dense("fc2", relu=False))
    arch = Arch(layers, image_size=16, num_classes=10, recipe=Recipe(batch_size=8, epochs=2))
    scenes = open_dataset("scenes", canvas_size=18)
    few = [Subset(scenes.train, range(16)), Subset(scenes.val, range(8))]
    data = Dataset("scenes", *few, scenes.class_names, "16 + 8 scenes")
    train(arch, data, folder, config={"dataset": "scenes", "data_dir": None, **described(arch)})
    for path in folder.glob("events*"):
        path.unlink()
    jax.clear_caches()


def _read_run(folder: Path) -> bytes:
    import jax

    from zfjax.runs.folder import read_metrics
    from zfjax.runs.run import load_run

    run = load_run(folder)
    read_metrics(folder)  # a line that is cut is left out, by design
    leaves = jax.tree_util.tree_leaves_with_path(run.params)
    arrays = [part for path, leaf in leaves for part in (str(path), np.asarray(leaf))]
    return _digest(run.arch, run.mean, run.preprocess.to_dict(), run.class_names, run.config, run.step, *arrays)


def _make_images(folder: Path, count: int = 6) -> None:
    from PIL import Image

    from zfjax.data import render

    modes = {"jpg": "RGB", "png": "RGB", "gif": "P", "bmp": "RGB", "webp": "RGB", "tiff": "I;16", "ppm": "RGB"}
    for number, (suffix, mode) in enumerate(modes.items()):
        picture = Image.fromarray(render(number, size=24, split="train").image)
        for split in ("train", "val"):
            path = folder / split / f"class{number % 2}" / f"{number}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.convert("L" if mode == "I;16" else mode).convert(mode).save(path)


def _read_all(dataset) -> bytes:
    values = [dataset.class_names]
    for source in (dataset.train, dataset.val):
        for index in range(len(source)):
            values += [np.asarray(source[index]["image"]), int(source[index]["label"])]
    return _digest(*values)


def _read_images(folder: Path) -> bytes:
    from zfjax.data import open_dataset

    return _read_all(open_dataset(f"folder:{folder}", canvas_size=18))


def _make_prepared(folder: Path) -> None:
    from zfjax.data.prepare import PrepareConfig, prepare

    images = folder.with_name("prepared-from")
    _make_images(images)
    prepare(PrepareConfig(out=str(folder), dataset=f"folder:{images}", size=18))


def _read_prepared(folder: Path) -> bytes:
    from zfjax.data import open_dataset

    dataset = open_dataset(f"prepared:{folder}", canvas_size=18)
    return _digest(_read_all(dataset), dataset.mean)


def _make_array_record(folder: Path) -> None:
    from tests.tfrecords import Dots, prepare

    prepare(Dots, folder, num_shards=2)


def _make_tfrecord(folder: Path) -> None:
    from tests.tfrecords import Dots, as_tfrecord, prepare

    as_tfrecord(prepare(Dots, folder.with_name("array-record-first"), num_shards=2), folder)
    (folder / "dots" / "1.2.0").exists() or shutil.move(folder / "1.2.0", folder / "dots" / "1.2.0")


def _read_tfds(folder: Path) -> bytes:
    from zfjax.data import open_dataset

    return _read_all(open_dataset("dots", canvas_size=8, data_dir=folder))


def _is_shard(what: str) -> bool:
    """Shards have checksums, of each record; one in the place of another, of as many records, is sound."""
    return "-of-" in what and "exchanged" not in what


def _make_weights(folder: Path) -> None:
    from safetensors.numpy import save_file

    from tests import torch_files

    rng = np.random.default_rng(0)
    shapes = {"features.0.weight": (4, 3, 5, 5), "features.0.bias": (4,), "classifier.1.weight": (10, 64)}
    arrays = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    folder.mkdir(parents=True)
    torch_files.write_zip(folder / "zip.pth", *torch_files.state_dict(arrays))
    torch_files.write_legacy(folder / "old.pth", *torch_files.state_dict(arrays))
    save_file(arrays, folder / "w.safetensors")
    np.savez(folder / "w.npz", **arrays)


def _read_weights(folder: Path) -> bytes:
    from zfjax.weights.reader import read_tensors

    names = ("zip.pth", "old.pth", "w.safetensors", "w.npz")
    return _digest(*(part for name in names for item in sorted(read_tensors(folder / name).items()) for part in item))


TARGETS = {
    "run": Target(_make_run, _read_run, lambda what: "metrics.jsonl" not in what),
    "prepared": Target(_make_prepared, _read_prepared),
    "tfrecord": Target(_make_tfrecord, _read_tfds, _is_shard),
    "array_record": Target(_make_array_record, _read_tfds, _is_shard),
    "weights": Target(_make_weights, _read_weights, lambda what: what.startswith(("zip.pth", "w.npz"))),
    "images": Target(_make_images, _read_images, lambda what: False),
}

if __name__ == "__main__":
    main()
