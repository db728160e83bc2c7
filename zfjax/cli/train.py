"""Trains a convnet of the paper: python train.py --arch=zf"""

from __future__ import annotations

import dataclasses
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zfjax.arch import Arch
from zfjax.cli.flags import parse_flags
from zfjax.errors import InputError, exit_on_bad_input
from zfjax.runtime.compile_cache import Programs
from zfjax.runtime.start import start
from zfjax.terminal import say
from zfjax.train.settings import PAPER_EPOCHS, Settings, resolve, training, without_dropout

if TYPE_CHECKING:
    from zfjax.data import Dataset
    from zfjax.paper.watch.command import Watcher


@dataclass(frozen=True)
class Which:
    """What is trained and where to; a class of its own so that --help begins with it."""

    arch: str = "zf"
    """Architecture; `python -m zfjax.arch` lists them."""
    workdir: str | None = None
    """Run folder; None: runs/ARCH."""
    seed: int = 0
    """Of the initial weights, the order of images, crops and dropout."""
    random_labels: bool = False
    """Trains on labels drawn by the seed, which mean nothing, and without dropout: the other network of
    visualize.py --figure=sanity. Validation keeps its own labels. To learn images by heart takes many --epochs,
    --crops=whole and --weight_decay=0."""
    keep_epochs: tuple[int, ...] = PAPER_EPOCHS
    """Epochs whose checkpoints are kept for ever (Fig. 4)."""
    watch: str = ""
    """Layers to look at while they learn, names and patterns, e.g. conv1,conv5. After every epoch the first layer's
    filters, and of each of these layers 8 maps with their 4 strongest of 64 validation images taken down to pixels, go
    to figures/watch in the run folder and to TensorBoard. The training comes out the same to the bit."""
    profile: int = 0
    """Steps of which a trace is written, after the first two, which compile: what the devices and the host do when."""
    coordinator: str | None = None
    """HOST:PORT of process 0 where several processes train together; None: alone, or what a TPU pod or Slurm tells."""
    num_processes: int | None = None
    """How many processes train together; the batch is divided among all their devices."""
    process_id: int | None = None
    """Which of them this one is, from 0; process 0 alone writes and reports."""


@dataclass(frozen=True)
class TrainConfig(Programs, Settings, Which):
    """Trains a convnet; stop it at any time with Ctrl-C, the same command goes on where it was.

    Flags that are None take the architecture's recipe: the paper's (section 3) for the ZF and AlexNet families.
    """


def run(config: TrainConfig) -> None:
    """Finds the other processes, opens the data and trains."""
    arch = resolve(config, config.arch)  # before the imports that take seconds: a wrong flag is answered at once
    _watched(config, arch)
    start(config.programs, training=True)
    from zfjax.runtime.processes import ending_together, join

    join(config.coordinator, config.num_processes, config.process_id)
    with ending_together():  # where one process finds no data, the others must not wait for it
        _train(config, arch)


def _train(config: TrainConfig, arch: Arch) -> None:
    from zfjax.data import default_dataset, open_dataset
    from zfjax.data.pipeline.batches import left_over
    from zfjax.data.random_labels import with_random_labels
    from zfjax.preprocess import Preprocess
    from zfjax.runtime.processes import leads
    from zfjax.train.loop import train

    if config.dataset == "":
        raise InputError("--dataset is empty; leave it out for the default, or give scenes, folder:PATH or a TFDS name")
    name = config.dataset or default_dataset(config.data_dir)
    options = {"data_dir": config.data_dir, "bad_images": config.bad_images}
    dataset = open_dataset(name, canvas_size=Preprocess.of(arch).smallest_side, channels=arch.channels, **options)
    if config.random_labels:
        dataset, arch = with_random_labels(dataset, config.seed), without_dropout(arch)
    arch = dataclasses.replace(arch, num_classes=len(dataset.class_names))
    reason = "" if config.dataset else f" ({_why(name)}; choose with --dataset)"
    if leads():
        say(f"training {arch.name} at {arch.image_size}x{arch.image_size} on {dataset.origin}{reason}")
        say(arch.training_in_words())
        if left := left_over(len(dataset.train), arch.recipe.batch_size):
            say(left)
    workdir = config.workdir or f"runs/{arch.name}"
    options = {"seed": config.seed, "keep_epochs": config.keep_epochs}
    options |= {"random_labels": True} if config.random_labels else {}  # runs of before do not have the key
    looks = {"profile": config.profile, "after_epoch": _watcher(config, arch, dataset, workdir)}
    train(dataset=dataset, **looks, **training(config, arch, dataset, workdir, **options))
    if leads():
        say(f"draw its figures: {_command('visualize')} --ckpt={shlex.quote(str(workdir))}")


def _watched(config: TrainConfig, arch: Arch) -> list[str]:
    try:
        return arch.select(config.watch)
    except InputError as error:
        raise InputError(f"--watch: {error}") from None


def _watcher(config: TrainConfig, arch: Arch, dataset: Dataset, workdir: str) -> Watcher | None:
    if not (layers := _watched(config, arch)):
        return None
    from zfjax.paper.watch.command import Watcher
    from zfjax.runtime.processes import leads

    if leads():
        say(f"watching {', '.join(layers)}: pictures of each epoch in {workdir}/figures/watch and in TensorBoard")
    return Watcher(dataset.val, workdir, layers)


def _command(name: str) -> str:
    """How another command is called by whoever called this one."""
    script = Path(sys.argv[0])
    if script.suffix != ".py":
        return f"zfjax {name}"
    return f"python {shlex.quote(str(script.with_name(f'{name}.py')))}"


def _why(name: str) -> str:
    return "found in --data_dir" if name == "imagenet2012" else "imagenet2012 is not in the data folder"


def main() -> None:
    config = parse_flags(TrainConfig)
    with exit_on_bad_input(skips=True):
        run(config)


if __name__ == "__main__":
    main()
