"""What the study of another data set is told by flags. No JAX: a wrong flag is answered at once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zfjax.errors import InputError
from zfjax.runtime.files import own_folder

CLASSIFIERS = ("softmax", "svm")
CLUTTER = "BACKGROUND_Google,background_google,257.clutter,clutter"


@dataclass(frozen=True, kw_only=True)
class Options:
    """Which layers of which run, which images, and how they are learnt and tested on."""

    ckpt: str
    """Run folder."""
    dataset: str
    """TFDS name (caltech101) | folder:PATH (PATH/CLASS/*.jpg or PATH/{train,val}/CLASS/*.jpg) | scenes."""
    layers: str = ""
    """Numbers as the paper counts, names and patterns, e.g. 1..7 or 5,7 or pool5,fc7 or fire*/concat; empty: the one
    below the classifier."""
    train_per_class: str = "15,30"
    """Training images of every class; several with commas between."""
    folds: int = 5
    """Random divisions of the pool."""
    test_per_class: int = 50
    """At most so many images of a class are tested on."""
    classifiers: str = "softmax,svm"
    """softmax: multinomial logistic regression; svm: linear, squared hinge, one class against the rest. Both with an
    L2 penalty."""
    softmax_c: str = "1,10,100,1000,10000"
    """Weights C of the data against the penalty; what does best on a held-out third of the training images is taken."""
    svm_c: str = "0.01,0.1,1,10,100"
    """The same for svm."""
    crops: Literal[1, 10] = 1
    """Views of each image: the centre, or the ten of section 3, whose features are averaged."""
    exclude: str = CLUTTER
    """Classes to leave out, by name: the background of Caltech-101 and 256."""
    paper: Literal["caltech101", "caltech256"] | None = None
    """Show the paper's numbers beside ours; None: where the data set is called so."""
    scratch: bool = False
    """Also reset every layer and train the whole network on each fold's training images, by the run's own recipe; the
    trainings stand in scratch/ and go on where they were stopped."""
    scratch_epochs: int | None = None
    """Passes over the training images of a fold; None: the recipe's."""
    overlap: Literal["ignore", "list", "drop"] = "ignore"
    """list: search the run's training images for these, by normalised correlation of grey 32x32 images, and list what
    is found in overlap.txt. drop: leave those images out of the data set here (the paper takes them out of ImageNet
    instead and trains again)."""
    overlap_threshold: float = 0.95
    """Correlation from which two images are taken for the same."""
    overlap_with: str | None = None
    """The run's training images where they lie now, e.g. folder:PATH; None: where the run records them."""
    random_weights: bool = False
    """Read the layers of the untrained network instead: what its shape alone is worth."""
    step: int | None = None
    """Checkpoint to take; None: the newest."""
    data_dir: str | None = None
    """Where TFDS keeps its data sets; None: ~/tensorflow_datasets."""
    out: str | None = None
    """Folder for results.jsonl, the table and the curve; None: transfer/DATASET in the run folder."""
    cache: str | None = None
    """Folder for features, which are computed once for every run, layer and set of images; None: features/ in the run
    folder."""
    batch_size: int = 32
    """Images passed through the network at a time."""
    seed: int = 0
    """Of the folds and of random weights."""

    @property
    def counts(self) -> list[int]:
        return [int(value) for value in _numbers(self.train_per_class, "train_per_class", whole=True)]

    @property
    def grids(self) -> dict[str, list[float]]:
        return {name: _numbers(getattr(self, f"{name}_c"), f"{name}_c", whole=False) for name in CLASSIFIERS}

    @property
    def chosen(self) -> list[str]:
        return list(dict.fromkeys(filter(None, self.classifiers.split(","))))

    @property
    def name(self) -> str:
        """The data set's, short enough for a folder."""
        path = self.dataset.partition(":")[2].rstrip("/")
        return re.sub(r"[^\w.-]+", "-", Path(path).resolve().name if path else self.dataset)

    @property
    def folder(self) -> Path:
        untrained = "-random-weights" if self.random_weights else ""
        if self.out:
            return Path(self.out)
        return own_folder(own_folder(Path(self.ckpt) / "transfer") / f"{self.name}{untrained}")


def _numbers(text: str, flag: str, *, whole: bool) -> list[float]:
    try:
        values = [(int if whole else float)(value) for value in text.split(",") if value]
    except ValueError:
        values = []
    if not values or not all(0 < value < float("inf") for value in values):
        kind = "whole numbers" if whole else "numbers"
        raise InputError(f"--{flag} takes {kind} above 0 with commas between, not {text!r}")
    return list(dict.fromkeys(values))
