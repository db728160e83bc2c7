"""What scripts that train are told by flags, and what it comes to. Starts no JAX: a wrong flag is answered at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from zfjax.arch import Arch
from zfjax.errors import InputError
from zfjax.layers import Dropout
from zfjax.recipe import Recipe
from zfjax.runs.config import placed, whole_path
from zfjax.runs.folder import versions
from zfjax.runs.size import check_size
from zfjax.runtime.ranges import WHOLE, check_flags
from zfjax.zoo import get_arch

if TYPE_CHECKING:
    from zfjax.data import Dataset

# What may change when a run goes on: none of it touches the numbers that come out, but for the width and the scaled
# rate, and those the recorded network tells, by its layers and its recipe.
MAY_DIFFER = ("versions", "workdir", "data_dir", "bad_images", "checkpoint_secs", "keep_epochs", "other_data")
MAY_DIFFER += ("width", "scale_rate")
PAPER_EPOCHS = (1, 2, 5, 10, 20, 30, 40, 64)  # those of Fig. 4


@dataclass(frozen=True)
class Settings:
    """Flags of every training. Those that are None take the architecture's recipe."""

    dataset: str | None = None
    """scenes | folder:PATH (PATH/{train,val}/CLASS/*.jpg) | prepared:PATH (by zfjax.data.prepare) | TFDS name; None:
    imagenet2012 where it is found, else scenes."""
    data_dir: str | None = None
    """Where TFDS keeps its data sets, or a folder with ImageNet's class folders; None: ~/tensorflow_datasets."""
    image_size: int | None = None
    """Side of the network's input in pixels; None: the architecture's own."""
    width: float | None = None
    """Factor on the features of every hidden layer, e.g. 0.25 for small data; None: 1."""
    epochs: int | None = None
    """Passes over the training images."""
    batch_size: int | None = None
    """Images per update, over all devices together."""
    learning_rate: float | None = None
    """Initial step size."""
    scale_rate: bool = False
    """For a larger --batch_size: multiplies the rate by how many times the recipe's batch it is, risen to over the
    first 5 epochs (Goyal et al. 2017, who show it up to 8,192 for a ResNet-50). Networks without BatchNorm follow it
    less far: AlexNet to about 1,024 (You et al. 2017)."""
    optimizer: Literal["sgd", "adam"] | None = None
    """sgd has momentum 0.9."""
    weight_decay: float | None = None
    """Of kernels; the paper does not mention one, Krizhevsky et al. have 5e-4. With adam it is decoupled (AdamW)."""
    init: Literal["paper", "he", "glorot"] | None = None
    """paper: N(0, 0.01^2), by which a small data set does not leave its first plateau; he, by which it does."""
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
    grad_accum: int = 1
    """Parts that a batch is computed in, one after the other, where memory is small; dropout is drawn for each."""
    bad_images: Literal["stop", "skip"] = "stop"
    """What a broken image does. skip: the next one takes its place, and the end of the training lists them."""
    other_data: Literal["stop", "accept"] = "stop"
    """What a training that goes on does where its images are not those that it began with: their number, names or
    sizes. accept: goes on with these; the mean image stays."""
    checkpoint_secs: float = 300.0
    """Seconds between checkpoints within an epoch; there is one at the end of each epoch anyway."""

    @property
    def chosen_dataset(self) -> str:
        """The data set, of settings in which a scale or the user has named one."""
        assert self.dataset is not None, "filled in before"
        return self.dataset


def resolve(settings: Settings, name: str) -> Arch:
    """The architecture of a name, with the flags in place of the parts of its recipe that they name.

    Raises InputError for flags that cannot be, and as `get_arch` does.
    """
    check_flags(settings)
    width = 1.0 if settings.width is None else settings.width
    arch = get_arch(name, image_size=settings.image_size, width=width)
    flags = {name: getattr(settings, name) for name in _recipe_flags()}
    given = {flag: value for flag, value in flags.items() if value is not None}
    if settings.scale_rate:
        given["rate_scale"] = _rate_scale(dataclasses.replace(arch.recipe, **given), arch.recipe.batch_size)
    scale = arch.input_scale if settings.input_scale is None else settings.input_scale
    check_size(arch, "to train on one image", "give a smaller --width or --image_size", copies=3)
    return dataclasses.replace(arch, recipe=dataclasses.replace(arch.recipe, **given), input_scale=scale)


def without_dropout(arch: Arch) -> Arch:
    """The network as it is when it answers, in training too: its Dropout layers stay, and drop nothing.

    With dropout zf-mini does not begin to learn 1,000 random labels in 25 epochs; without, in 6.
    """
    layers = (dataclasses.replace(each, rate=0.0) if isinstance(each, Dropout) else each for each in arch.layers)
    return dataclasses.replace(arch, layers=tuple(layers))


def _rate_scale(recipe: Recipe, batch_size: int) -> float:
    """By what the rate is multiplied that was chosen for batches of that size."""
    if recipe.optimizer != "sgd":
        raise InputError(
            f"--scale_rate is a rule for sgd, and the optimizer is {recipe.optimizer}; give a --learning_rate instead"
        )
    return recipe.batch_size / batch_size


def _recipe_flags() -> list[str]:
    """The parts of a recipe that a flag can set; which layers help to train is the architecture's alone."""
    settable = {field.name for field in fields(Settings)}
    return [field.name for field in fields(Recipe) if field.name in settable]


def fill(settings: Settings, defaults: dict) -> Settings:
    """The same settings, where flags that are None take the value that `defaults` has for them."""
    missing = {flag: value for flag, value in defaults.items() if getattr(settings, flag) is None}
    return dataclasses.replace(settings, **missing)


def training(
    settings: Settings,
    arch: Arch,
    dataset: Dataset,
    workdir: str | Path,
    *,
    seed: int = 0,
    keep_epochs: Collection[int] = (),
    **more: object,
) -> dict:
    """The keywords of `zfjax.train.loop.train` but for the opened data set.

    arch: as trained, with the data set's number of classes. more: what else the run folder records, such as the part of
    the data set that is used. Raises InputError for more updates than can be counted.
    """
    if (steps := arch.recipe.epochs * (len(dataset.train) // arch.recipe.batch_size)) > WHOLE:
        raise InputError(
            f"--epochs={arch.recipe.epochs} of {len(dataset.train):,} images in batches of {arch.recipe.batch_size} "
            f"are {steps:,} updates, and at most {WHOLE:,} are counted; give fewer --epochs"
        )
    flags = {field.name: getattr(settings, field.name) for field in fields(Settings)}
    flags |= {"workdir": str(workdir), "seed": seed, "keep_epochs": tuple(keep_epochs)}
    flags |= {"dataset": placed(dataset.name), "data_dir": settings.data_dir and whole_path(settings.data_dir)}
    flags |= {name: getattr(arch.recipe, name) for name in _recipe_flags()}
    flags |= {"image_size": arch.image_size, "input_scale": arch.input_scale, **more}
    known = {"data": data} if (data := dataset.fingerprint()) else {}
    # a cosine ends with the epochs, so that another number of them is another training
    free = () if arch.recipe.schedule == "cosine" else ("epochs", "arch.recipe.epochs")
    free += ("data",) if settings.other_data == "accept" else ()
    return {
        "arch": arch,
        "workdir": workdir,
        "config": {"arch_name": arch.name, **flags, **known, **described(arch), "versions": versions()},
        "may_differ": (*MAY_DIFFER, *free),
        "seed": seed,
        "precision": settings.precision,
        "grad_accum": settings.grad_accum,
        "patience": settings.patience,
        "checkpoint_secs": settings.checkpoint_secs,
        "keep_epochs": keep_epochs,
    }


def described(arch: Arch) -> dict:
    """What a run folder records of the network itself: {"arch", "preprocess"}."""
    from zfjax.preprocess import Preprocess

    return {"arch": arch.to_dict(), "preprocess": Preprocess.of(arch).to_dict()}
