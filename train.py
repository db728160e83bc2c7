"""Trains a convnet of the paper: python train.py --arch=zf"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

from zfjax.arch import Arch, Recipe, get_arch
from zfjax.errors import InputError, exit_on_bad_input
from zfjax.flags import parse_flags
from zfjax.rundir import versions

# What may change when a run goes on: none of it touches the numbers that come out.
MAY_DIFFER = ("versions", "workdir", "data_dir", "checkpoint_secs", "keep_epochs")


@dataclass(frozen=True)
class TrainConfig:
    """Trains a convnet; stop it at any time with Ctrl-C, the same command goes on where it was.

    Flags that are None take the architecture's recipe: the paper's (section 3) for the ZF and AlexNet families.
    """

    arch: str = "zf"
    """Architecture; `python -m zfjax.arch` lists them."""
    dataset: str | None = None
    """scenes | folder:PATH (PATH/{train,val}/CLASS/*.jpg) | TFDS name; None: imagenet2012 if prepared, else scenes."""
    data_dir: str | None = None
    """Where TFDS keeps its data sets; None: ~/tensorflow_datasets."""
    workdir: str | None = None
    """Run folder; None: runs/ARCH."""
    image_size: int | None = None
    """Side of the network's input in pixels; None: the architecture's own."""
    epochs: int | None = None
    """Passes over the training images."""
    batch_size: int | None = None
    """Images per update, over all devices together."""
    learning_rate: float | None = None
    """Initial step size."""
    optimizer: Literal["sgd", "adam"] | None = None
    """sgd has momentum 0.9."""
    weight_decay: float | None = None
    """Of kernels; the paper does not mention one, Krizhevsky et al. have 5e-4. With adam it is decoupled (AdamW)."""
    init: Literal["paper", "he", "glorot"] | None = None
    """paper: N(0, 0.01^2); on small data sets it does not leave the plateau it starts on, he does."""
    schedule: Literal["plateau", "cosine", "constant"] | None = None
    """plateau: a tenth of the rate when validation stalls."""
    patience: int = 5
    """Epochs without progress after which plateau drops the rate."""
    warmup_steps: int | None = None
    """Updates over which the rate rises to its full value."""
    crops: Literal["ten", "random", "whole"] | None = None
    """ten: one of the paper's ten crops; random: any crop, flipped or not; whole: the image as it is."""
    subtract_mean: bool | None = None
    """Whether the mean image of the training set is removed."""
    filter_rms: float | None = None
    """Radius that convolution filters are scaled back to after every update; 0: off."""
    input_scale: float | None = None
    """Factor on pixels of 0..255 after the mean is removed."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """bf16: activations and gradients in bfloat16, parameters in float32."""
    seed: int = 0
    """Of the initial weights, the order of images, crops and dropout."""
    checkpoint_secs: float = 300.0
    """Seconds between checkpoints within an epoch; there is one at the end of each epoch anyway."""
    keep_epochs: tuple[int, ...] = (1, 2, 5, 10, 20, 30, 40, 64)
    """Epochs whose checkpoints are kept for ever (Fig. 4)."""


def resolve(config: TrainConfig) -> Arch:
    """The architecture, with the flags in place of the parts of its recipe that they name."""
    arch = get_arch(config.arch, image_size=config.image_size)
    flags = {field.name: getattr(config, field.name, None) for field in dataclasses.fields(Recipe)}
    given = {name: value for name, value in flags.items() if value is not None}
    for name in ("epochs", "batch_size", "learning_rate"):
        if given.get(name, 1) <= 0:
            raise InputError(f"--{name} must be above 0, not {given[name]}")
    return dataclasses.replace(arch, recipe=dataclasses.replace(arch.recipe, **given))


def run(config: TrainConfig) -> None:
    """Opens the data and trains."""
    arch = resolve(config)  # before the imports that take seconds, so that a wrong flag is answered at once
    from zfjax.data import default_dataset, open_dataset
    from zfjax.trainer import train

    name = config.dataset or default_dataset(config.data_dir)
    dataset = open_dataset(name, canvas_size=arch.canvas_size, channels=arch.channels, data_dir=config.data_dir)
    arch = dataclasses.replace(arch, num_classes=len(dataset.class_names))
    reason = "" if config.dataset else f" ({_why(name)}; choose with --dataset)"
    print(f"training {arch.name} at {arch.image_size}x{arch.image_size} on {dataset.origin}{reason}", flush=True)
    workdir = config.workdir or f"runs/{arch.name}"
    train(
        arch,
        dataset,
        workdir,
        config=_record(config, arch, {"dataset": name, "workdir": workdir}),
        # a cosine ends with the epochs, so that another number of them is another training
        may_differ=MAY_DIFFER if arch.recipe.schedule == "cosine" else (*MAY_DIFFER, "epochs", "arch.recipe.epochs"),
        seed=config.seed,
        precision=config.precision,
        patience=config.patience,
        checkpoint_secs=config.checkpoint_secs,
        keep_epochs=config.keep_epochs,
    )


def _record(config: TrainConfig, arch: Arch, resolved: dict) -> dict:
    """What config.json says: every flag with the value that it came to, the network, the versions."""
    flags = {**dataclasses.asdict(config), "image_size": arch.image_size, **dataclasses.asdict(arch.recipe), **resolved}
    return {"arch_name": arch.name, **flags, "arch": arch.to_dict(), "versions": versions()}


def _why(name: str) -> str:
    return "found by TFDS" if name == "imagenet2012" else "imagenet2012 is not prepared in the TFDS folder"


def main() -> None:
    config = parse_flags(TrainConfig)
    with exit_on_bad_input():
        run(config)


if __name__ == "__main__":
    main()
