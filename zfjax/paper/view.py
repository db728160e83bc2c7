"""A run, the images that it is shown, and where its pictures go: what all figures have in common."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from zfjax.errors import InputError
from zfjax.paper.default_layers import drawn_layers
from zfjax.paper.silent import Silent
from zfjax.runtime.files import file_name
from zfjax.terminal import some

if TYPE_CHECKING:
    from zfjax.data import Dataset, Source
    from zfjax.data.dataset import BadImages
    from zfjax.paper.top_activations import Winners
    from zfjax.runs.run import Run


class LeftOut(InputError):
    """This run or data set cannot have that figure; --figure=all goes on without it."""


class Figure(NamedTuple):
    """A figure as visualize.py offers it: each folder's command.py says which it has."""

    help: str  # one line for --help: what it shows
    options: type  # a frozen dataclass of flags, all with defaults; its docstring heads them in --help
    draw: Callable[..., Drawn]  # (view, options), or (views of all runs, options) of a comparison
    comparison: bool = False
    on_demand: bool = False  # left out of --figure=all: it takes much longer than the paper's figures
    takes: tuple[str, ...] = ()  # which of CHOOSING it heeds


CHOOSING = ("layers", "maps", "images")  # flags that choose what is shown, and that not every figure heeds


class Drawn(NamedTuple):
    """What a figure's `draw` leaves behind: the files, and the arrays that they show."""

    paths: list[Path]
    result: Any


@dataclass(frozen=True)
class View:
    """How a run is looked at. ckpt: its folder. out: folder of the pictures. The rest are visualize.py's flags."""

    ckpt: str
    run: Run
    out: Path
    layers: str = ""
    maps: str = ""
    num_maps: int = 16
    top: int = 9
    images: str = ""
    num_images: int = 3
    split: Literal["val", "train"] = "val"
    limit: int | None = None
    dataset_name: str | None = None
    data_dir: str | None = None
    bad_images: BadImages | None = None
    class_map: str | None = None
    overlap: Literal["sum", "max", "last"] = "sum"
    norm: Literal["identity", "vjp"] = "identity"
    percentile: float = 99.5
    format: Literal["png", "pdf", "svg"] = "png"
    batch_size: int = 32
    seed: int = 0
    progress: bool = True

    @property
    def name(self) -> str:
        """The run's, for captions."""
        return Path(self.ckpt).resolve().name

    @property
    def origin(self) -> str:
        """A sentence for captions: which network this is."""
        return f"Run {self.name} ({self.run.arch.name}), step {self.run.step:,}."

    @functools.cached_property
    def dataset(self) -> Dataset:
        """The images, by default of the data set that the run was trained on; opened once. Labels are the run's
        numbers where its classes are some of the run's."""
        from zfjax.data import open_for
        from zfjax.data.photos import is_flat, open_photos
        from zfjax.data.relabelled import in_classes_of

        if self.dataset_name and is_flat(self.dataset_name):
            return open_photos(self.run, self.dataset_name, bad_images=self.bad_images)
        data = open_for(self.run, self.dataset_name, data_dir=self.data_dir, bad_images=self.bad_images)
        try:
            return in_classes_of(data, self.run.class_names, self.class_map)
        except InputError:
            if self.class_map:
                raise
            return data  # most figures need no labels

    def say_broken(self) -> None:
        """Prints which broken images were left out, if any image was looked at."""
        if "dataset" in vars(self):
            self.dataset.broken.say()

    @property
    def has_dataset(self) -> bool:
        """Whether the user or the run names one; a run of published weights does not."""
        return bool(self.dataset_name or self.run.config.get("dataset"))

    @property
    def source(self) -> Source:
        """The split to look at."""
        return {"val": self.dataset.val, "train": self.dataset.train}[self.split]

    def searched(self, source: Source) -> range:
        """Numbers of the images to search: all, or the first `limit`."""
        return range(min(self.limit or len(source), len(source)))

    def about(self, source: Source) -> str:
        """A sentence for captions: how many images of which split of which data set."""
        split = self.split_name(source)
        part = f"the {split} split of " if split else ""
        count = len(self.searched(source))
        first = "the first " if count < len(source) else ""  # of class folders all may be of one class
        return f"Images: {first}{count:,} of {part}{self.dataset.name}."

    def split_name(self, source: Source) -> str:
        """As captions call it; "" of a flat folder, which has no splits."""
        if not self.dataset.class_names:
            return ""
        return "training" if source is self.dataset.train else "validation"

    def require_classes(self) -> None:
        """Raises LeftOut unless the data set has the run's classes, which a probability of the true label needs."""
        there, known = self.dataset.class_names, self.run.class_names
        if not there:
            raise LeftOut(f"{self.dataset.name} is a folder without classes; give PATH/val/CLASS/*.jpg and train alike")
        if there != known:
            raise LeftOut(
                f"{self.dataset.name} has other classes ({some(there)}) than the run {self.name} ({some(known)}); "
                "--class_map=FILE says which are the same"
            )

    def path(self, stem: str) -> Path:
        """The file of a picture; the stem may have names of layers, images and runs in it."""
        return self.out / f"{file_name(stem)}.{self.format}"

    def chosen_layers(self) -> list[str]:
        """The layers asked for, else `drawn_layers`."""
        return self.asked_layers() or drawn_layers(self.run.arch)

    def asked_layers(self) -> list[str]:
        """Those of --layers; raises InputError for a name or a pattern that the network lacks."""
        return self.run.arch.select(self.layers)

    def chosen_maps(self, layer: str) -> list[int]:
        """The maps asked for; empty: none in particular. Raises InputError for a number that the layer lacks."""
        there = self.run.arch.shapes()[layer][2]
        maps = numbers(self.maps, "maps")
        if wrong := [number for number in maps if not 0 <= number < there]:
            raise InputError(f"{layer} has maps 0 to {there - 1}; --maps asks for {wrong[0]}")
        return maps

    def responding_maps(self, layer: str, winners: Winners) -> list[int]:
        """The maps asked for, or a random choice of `num_maps` of those that respond to any image; raises Silent."""
        from zfjax.paper.top_activations import responds

        responding = np.flatnonzero(responds(winners)[:, 0])
        chosen = self.chosen_maps(layer)
        if not set(chosen or responding) & set(responding):
            which = f"the maps {self.maps}" if chosen else "all maps"
            raise Silent(f"{layer}: {which} are silent on every image, so there is nothing to project")
        count = min(self.num_maps, len(responding))
        return chosen or sorted(np.random.default_rng(self.seed).choice(responding, count, replace=False).tolist())


def numbers(text: str, flag: str) -> list[int]:
    """ "3,17,40" -> [3, 17, 40]. Raises InputError for anything else."""
    try:
        return [int(number) for number in text.split(",") if number]
    except ValueError:
        raise InputError(f"--{flag} takes numbers like 3,17,40, not {text!r}") from None
