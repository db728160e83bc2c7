"""Frozen features: what the layers of a trained network make of the images of another data set (section 5)."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import math
import os
import shutil
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zfjax.data import Source, eval_batches
from zfjax.errors import InputError
from zfjax.model import Model, network
from zfjax.preprocess import Preprocess
from zfjax.runs.run import Run
from zfjax.runtime.allocation import allocate
from zfjax.runtime.files import file_name, open_to_write, own_part, whole
from zfjax.terminal import meter


class Survey(NamedTuple):
    """What one look at every image of a source tells."""

    labels: np.ndarray  # int [N]
    fingerprint: str  # of all pixels and labels, in order


def survey(source: Source, *, batch_size: int = 256, progress: bool = False) -> Survey:
    """Looks at every image once: at its label, and at its pixels for a fingerprint of the whole."""
    labels, digest = [], hashlib.sha256()
    with meter(total=len(source), desc="looking", unit=" images", disable=not progress) as bar:
        for batch in eval_batches(source, batch_size=min(batch_size, len(source))):
            images = batch["image"][batch["mask"]]
            labels.append(batch["label"][batch["mask"]])
            digest.update(images.tobytes())
            bar.update(len(images))
    found = np.concatenate(labels).astype(int)
    digest.update(found.tobytes())
    return Survey(found, digest.hexdigest()[:16])


def extract(
    run: Run,
    source: Source,
    layers: Sequence[str],
    folder: Path,
    *,
    crops: int = 1,
    batch_size: int = 32,
    progress: bool = False,
) -> dict[str, np.ndarray]:
    """The outputs of the layers for every image: {layer: float32 [N, h * w * C], read from files as needed}.

    folder: of this run and this source alone; layers that lie there already are not computed again, unless a file is
    damaged, which a warning says. The others take one pass together, and each file appears when it is whole.
    crops: 1, the centre, or 10 whose features are averaged. Raises InputError when the disk has no room for them.
    """
    files = {layer: folder / f"{file_name(layer)}.npy" for layer in layers}
    sizes = {layer: math.prod(run.arch.shapes()[layer]) for layer in files}
    missing = [layer for layer, file in files.items() if not _is_whole(file, (len(source), sizes[layer]))]
    if missing:
        _compute(run, source, {layer: files[layer] for layer in missing}, crops, batch_size, progress)
    return {layer: np.load(file, mmap_mode="r") for layer, file in files.items()}


def _is_whole(file: Path, shape: tuple[int, int]) -> bool:
    """Whether the features are there as they were written: one look at all of them, 1 s a GB."""
    if not os.path.lexists(file):
        return False
    if wrong := _damage(file, shape):
        warnings.warn(f"{file} is damaged ({wrong}): it is computed again", stacklevel=3)
    return not wrong


def _damage(file: Path, shape: tuple[int, int]) -> str:
    if not file.is_file():
        return "no file"
    try:
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # a damaged header comes as one of ten types, tokenize's and the memory's among them
        return next(iter(str(error).splitlines()), type(error).__name__)
    if not isinstance(array, np.memmap) or (array.shape, array.dtype) != (shape, np.float32) or array.flags.fnc:
        return f"no float32 {shape}"
    with file.open("rb") as opened:
        opened.seek(array.offset + array.nbytes)
        seal = opened.read(len(_seal(0)) + 1)
    chunks = np.array_split(array, max(1, array.nbytes >> 26))
    if not seal and not all(np.isfinite(chunk).all() for chunk in chunks):  # of an earlier version
        return "it holds values that are not finite"
    checksum = functools.reduce(lambda checksum, chunk: zlib.crc32(chunk.data, checksum), chunks, 0) if seal else 0
    return "its checksum differs" if seal and seal != _seal(checksum) else ""


def _seal(checksum: int) -> bytes:
    """What stands behind the array: nothing that reads .npy files looks there."""
    return b"crc32 %08x\n" % checksum


def _compute(run: Run, source: Source, files: dict[str, Path], crops: int, batch_size: int, progress: bool) -> None:
    sizes = {layer: math.prod(run.arch.shapes()[layer]) for layer in files}
    folder = next(iter(files.values())).parent
    _make_room(folder, 4 * len(source) * sum(sizes.values()))
    model = network(run.arch)
    try:
        with contextlib.ExitStack() as stack:
            parts = {layer: stack.enter_context(whole(file, part=own_part(file))) for layer, file in files.items()}
            arrays = {
                layer: np.lib.format.open_memmap(part, mode="w+", dtype=np.float32, shape=(len(source), sizes[layer]))
                for layer, part in parts.items()
            }
            for part in parts.values():
                allocate(part, part.stat().st_size)
            row, checksums = 0, dict.fromkeys(files, 0)
            with meter(total=len(source), desc="features", unit=" images", disable=not progress) as bar:
                for batch in eval_batches(source, batch_size=min(batch_size, len(source))):
                    count = int(batch["mask"].sum())
                    found = _outputs(run.variables, batch["image"], model=model, layers=tuple(files), crops=crops)
                    for layer, values in found.items():
                        arrays[layer][row : row + count] = rows = np.ascontiguousarray(values[:count])
                        checksums[layer] = zlib.crc32(rows.data, checksums[layer])
                    row += count
                    bar.update(count)
            for layer, part in parts.items():
                arrays[layer].flush()
                with open_to_write(part, "ab") as file:
                    file.write(_seal(checksums[layer]))
    except OSError as error:
        raise InputError(f"cannot write features into {folder} ({error.strerror}); give another --cache") from error


@functools.partial(jax.jit, static_argnames=("model", "layers", "crops"))
def _outputs(
    variables: tuple[dict, Preprocess], canvases: jax.Array, *, model: Model, layers: tuple[str, ...], crops: int
) -> dict[str, jax.Array]:
    """{layer: [N, h * w * C]} of canvases [N, S, S, C]."""
    params, preprocess = variables

    def look(view: jax.Array) -> dict[str, jax.Array]:
        activations = model(params, view).activations
        return {layer: activations[layer].reshape(len(view), -1) for layer in layers}

    if crops == 1:
        return look(preprocess.centre(canvases))
    views = preprocess.ten(canvases)
    # added up one after the other: ten at once would hold ten times the features
    nothing = jax.tree.map(jnp.zeros_like, jax.eval_shape(look, views[0]))
    total, _ = jax.lax.scan(lambda total, view: (jax.tree.map(jnp.add, total, look(view)), None), nothing, views)
    return jax.tree.map(lambda features: features / len(views), total)


def _make_room(folder: Path, size: int) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for part in folder.glob("*.part"):
            process = part.suffixes[-2:][0][1:]
            if process.isdecimal() and not _alive(int(process)):
                part.unlink()  # of a process that was killed
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise InputError(f"cannot write features into {folder} ({error.strerror}); give another --cache") from error
    if size > free:
        raise InputError(
            f"the features take {size / 1e9:.1f} GB and {folder} has {free / 1e9:.1f} GB left; "
            f"give another --cache or fewer --layers"
        )


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
