"""What a report is made from, and the sizes it comes in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zfjax.paper.numbers import ABLATIONS
from zfjax.train.settings import Settings

MAIN, RIVAL = "zf", "alexnet"  # the network of all figures, and the one that Fig. 6 compares it with

# of the networks of Table 3, by scale; smoke has those that the claims speak of
REPORTED = {
    "smoke": ("zf", "alexnet", "alexnet-no34", "alexnet-no7", "alexnet-no67", "alexnet-no3467"),
    "small": tuple(ABLATIONS),
    "imagenet": tuple(ABLATIONS),
}


@dataclass(frozen=True)
class Extent:
    """How much is looked at. None: all there is."""

    searched: int | None = None  # images that strongest activations are looked for in
    maps: int = 16
    images: int = 3  # a row each in Figs. 5 and 7
    judged: int = 50  # by which the claims on Figs. 5 and 7 are judged
    train_per_class: tuple[int, ...] = (15, 30)
    folds: int = 5
    scratch_epochs: int = 70  # of few images; the paper does not say how many
    keypoint_images: int = 50  # the paper has five, which decide nothing
    baseline_images: int | None = None  # to train the classifiers on


EXTENTS = {
    "smoke": Extent(
        searched=300,
        maps=4,
        images=2,
        judged=20,
        train_per_class=(5, 15),
        folds=2,
        scratch_epochs=30,
        keypoint_images=20,
        baseline_images=200,
    ),
    "small": Extent(judged=100, train_per_class=(5, 15), folds=3, keypoint_images=30),
    "imagenet": Extent(),
}


@dataclass(frozen=True)
class Plan:
    """A report in a folder. archs: the networks of Table 3. transfer: a data set with other classes, or None: half of
    the classes are kept back for that. keypoints: a file for Table 1, where the data set has none."""

    settings: Settings
    scale: str
    out: Path
    archs: tuple[str, ...]
    seeds: tuple[int, ...] = (0,)
    train_images: int | None = None
    transfer: str | None = None
    keypoints: str | None = None

    @property
    def extent(self) -> Extent:
        return EXTENTS[self.scale]

    @property
    def runs(self) -> Path:
        return self.out / "runs"

    def run(self, name: str) -> Path:
        """The folder of a network of Table 3, of the first seed."""
        return self.runs / (f"{name}-seed{self.seeds[0]}" if self.seeds[0] else name)
