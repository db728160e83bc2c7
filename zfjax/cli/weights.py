"""Published weights as a run folder: python -m zfjax.weights FILE --arch=resnet18"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zfjax.arch import Arch
from zfjax.cli.flags import parse_flags, positional
from zfjax.errors import InputError, exit_on_bad_input, why
from zfjax.terminal import say

if TYPE_CHECKING:
    import numpy as np

    from zfjax.preprocess import Preprocess

File = positional()


@dataclass(frozen=True, kw_only=True)
class WeightsConfig:
    """Makes a run folder of published weights, for visualize.py, evaluate.py and transfer.py.

    Reads PyTorch's state dicts (.pth, .pt), .safetensors, .npz and ONNX; nothing in them is run.
    """

    file: File  # type: ignore[valid-type]
    """The file, or torchvision:NAME, which is downloaded, such as torchvision:alexnet."""
    arch: str = ""
    """Architecture; `python -m zfjax.arch` lists them. An ONNX file brings its own."""
    workdir: str = ""
    """Run folder; empty: runs/ARCH, or runs/ and the name of an ONNX file."""
    width: float = 1.0
    """Factor on the features of every hidden layer, as train.py's. Not for ONNX."""
    image_size: int | None = None
    """Side of the network's input in pixels; None: the architecture's own. Not for ONNX."""
    preset: str = ""
    """How pictures are prepared: torchvision (mean and std of ImageNet), caffe (less the mean pixel; weights for blue
    first are turned to red first), zero_to_one or minus_one_to_one; empty: as the architecture's published weights
    want it."""
    smallest_side: int | None = None
    """Pixels to which a picture's smallest side is resized before the centre is cut out; None: 8/7 of the input, 256
    for 224 and 227."""
    classes: str = ""
    """File with a class name a line, or imagenet; empty: imagenet for 1,000 classes, else numbers."""


def main() -> None:
    config = parse_flags(WeightsConfig)
    with exit_on_bad_input():
        run(config)


def run(config: WeightsConfig) -> None:
    """Reads the file, and writes the run folder or finds it made."""
    from zfjax.runs.folder import CONFIG, read_config
    from zfjax.runs.save import write_run
    from zfjax.weights.presets import PRESETS, default_preset, described, preprocessing, red_first

    if config.preset and config.preset not in PRESETS:
        raise InputError(f"--preset is {', '.join(PRESETS)}, not {config.preset!r}")
    path, arch, params = _read(config)
    preset = config.preset or default_preset(arch)
    preprocess, params = preprocessing(preset, arch, config.smallest_side), red_first(preset, arch, params)
    names = _class_names(config.classes, arch.num_classes)
    workdir = Path(config.workdir or Path("runs") / arch.name)
    say(f"{path.name}: {arch.name}, {arch.param_count():,} parameters, {arch.num_classes:,} classes")
    chosen = "" if config.preset else " (by default; --preset takes another)"
    say(f"pictures as {preset} has them{chosen}: {described(preprocess)}")
    if (workdir / CONFIG).exists() and "weights" not in read_config(workdir):
        raise InputError(f"{workdir} holds a run that was made otherwise; give another folder by --workdir")
    write_run(workdir, _record(path, arch, preprocess, preset), names, params, preprocess)
    say(f"wrote {workdir}; next: python visualize.py --ckpt={workdir} --dataset=folder:PATH")


def _read(config: WeightsConfig) -> tuple[Path, Arch, dict[str, dict[str, np.ndarray]]]:
    path, known = _found(config.file)
    if path.suffix.lower() in (".caffemodel", ".prototxt"):
        raise InputError(
            f"{path}: Caffe's files are not read; convert them to ONNX (.onnx), which brings the network too"
        )
    if _is_onnx(path):
        from zfjax.weights.onnx import read_onnx

        if config.arch or config.image_size or config.width != 1:
            raise InputError(f"{path} is ONNX and brings its own network; leave out --arch, --width and --image_size")
        return path, *read_onnx(path)
    from zfjax.weights.match import match
    from zfjax.weights.reader import read_tensors
    from zfjax.zoo import get_arch

    if not (arch := config.arch or known):
        raise InputError(f"{path} holds weights without their network; say which by --arch, such as --arch=resnet18")
    found = match(
        read_tensors(path), get_arch(arch, image_size=config.image_size, width=config.width), source=path.name
    )
    if found.note:
        say(f"note: {found.note}")
    return path, found.arch, found.params


def _found(file: str) -> tuple[Path, str]:
    """Where the file is, and whose weights it holds as far as that is known."""
    from zfjax.runtime.places import user_path

    kind, _, name = file.partition(":")
    if kind == "torchvision":
        from zfjax.weights.published import fetch, published

        known = published(name)
        return fetch(known.file, known.arch), known.arch
    return user_path(file), ""


def _is_onnx(path: Path) -> bool:
    """By its ending: a protocol buffer has no mark of its own."""
    return path.suffix.lower() == ".onnx"


def _class_names(asked: str, count: int) -> tuple[str, ...]:
    from zfjax.data.wordnet import imagenet_names
    from zfjax.runtime.files import read_bytes
    from zfjax.runtime.places import user_path

    if asked == "imagenet" or (not asked and count == len(imagenet_names())):
        names = imagenet_names()
    elif asked:
        try:
            names = tuple(read_bytes(user_path(asked)).decode("utf-8-sig").splitlines())
        except (OSError, ValueError) as error:
            raise InputError(f"--classes: cannot read {asked} ({why(error)})") from error
    else:
        names = tuple(f"class {number}" for number in range(count))
    if len(names) != count:
        raise InputError(f"--classes={asked} has {len(names):,} names; the network has {count:,} classes")
    return names


def _record(path: Path, arch: Arch, preprocess: Preprocess, preset: str) -> dict:
    """What the run folder records."""
    from zfjax.runs.save import recorded

    with open(path, "rb") as file:
        weights = {"file": path.name, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
    return recorded(arch, preprocess, weights=weights, preset=preset, dataset=None)
