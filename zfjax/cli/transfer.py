"""How well a run's features serve another data set: python transfer.py --ckpt=runs/zf --dataset=caltech101"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from zfjax.cli.flags import parse_flags
from zfjax.errors import InputError, exit_on_bad_input
from zfjax.runtime.compile_cache import Programs, keep_programs
from zfjax.runtime.cpu import tune_cpu

if TYPE_CHECKING:
    import numpy as np

    from zfjax.data import Source
    from zfjax.paper.transfer.study import Study
    from zfjax.runs.run import Run

CLASSIFIERS = ("softmax", "svm")
CLUTTER = "BACKGROUND_Google,background_google,257.clutter,clutter"


@dataclass(frozen=True)
class TransferConfig(Programs):
    """Trains new classifiers on the frozen layers of a run (section 5: Tables 4, 5 and 7, Fig. 9).

    All images of the data set, whatever their split, are the pool that random folds are drawn from: so many training
    images of every class, of the others up to --test_per_class to test on. Accuracy is the mean over classes.
    Features are brought to unit length, and then to a root mean square distance of one from the mean of the training
    images. Stop it at any time; the same command goes on where it was.
    """

    ckpt: str
    """Run folder."""
    dataset: str
    """TFDS name (caltech101) | folder:PATH (PATH/CLASS/*.jpg or PATH/{train,val}/CLASS/*.jpg) | scenes."""
    layers: str = ""
    """Numbers as the paper counts and names, e.g. 1..7 or 5,7 or pool5,fc7; empty: the one below the classifier."""
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
        return Path(self.out or Path(self.ckpt) / "transfer" / f"{self.name}{untrained}")


def main() -> None:
    config = parse_flags(TransferConfig)
    with exit_on_bad_input():
        _check(config)
        keep_programs(config.programs)
        tune_cpu()
        (pascal if config.dataset.partition("/")[0] == "voc" else transfer)(config)


def transfer(config: TransferConfig) -> None:
    """Measures what is not measured yet, then writes the table and the curve."""
    from zfjax.data import canvases_of
    from zfjax.data.sources.pool import open_pool
    from zfjax.paper.transfer.extraction import choose_layers
    from zfjax.paper.transfer.measure import Cell, check_counts
    from zfjax.paper.transfer.report import report_folds
    from zfjax.paper.transfer.study import find_overlaps, measure_folds, measured, train_folds

    run = _run(config)
    layers = choose_layers(run.arch, config.layers)
    pool = open_pool(config.dataset, data_dir=config.data_dir, **canvases_of(run))
    print(pool.origin, flush=True)
    study = _study(config, run, pool.source)
    found = find_overlaps(study, config.overlap_threshold) if config.overlap != "ignore" else []
    left_out = found if config.overlap == "drop" else []
    labels, names = _without(config, study.seen.labels, left_out, pool.source.class_names)
    for count in config.counts:
        check_counts(labels, names, count)
    ledger = study.ledger(names, left_out)
    rounds = [(count, fold) for count in config.counts for fold in range(config.folds)]
    cells = [Cell(layer, kind, *each) for layer in layers for each in rounds for kind in config.chosen]
    measure_folds(study, labels, ledger, cells)
    if config.scratch:
        epochs = config.scratch_epochs or run.arch.recipe.epochs
        trained = [Cell(f"{epochs} epochs", "from scratch", *each) for each in rounds]
        train_folds(study, labels, names, ledger, trained)
        cells += trained
    folds = f"{config.folds} fold{'s' * (config.folds > 1)}"
    images = f"{len(names)} classes, {int((labels >= 0).sum()):,} images of {config.name}, {folds}, up to"
    about = f"{_origin(config, run)} {images} {config.test_per_class} test images a class."
    theirs = config.paper or (config.name if config.name in ("caltech101", "caltech256") else None)
    results = measured(ledger)
    _print(report_folds(study, [results[cell] for cell in cells], about, theirs))


def pascal(config: TransferConfig) -> None:
    """Measures average precision on PASCAL VOC, trained on its training and tested on its validation images."""
    from zfjax.data import canvases_of
    from zfjax.data.sources.pool import JoinedSource
    from zfjax.data.sources.voc import open_voc
    from zfjax.paper.transfer.extraction import choose_layers
    from zfjax.paper.transfer.measure import Cell
    from zfjax.paper.transfer.report import report_pascal
    from zfjax.paper.transfer.study import measure_pascal, measured

    run = _run(config)
    layers = choose_layers(run.arch, config.layers)
    train, test = open_voc(config.dataset, data_dir=config.data_dir, **canvases_of(run))
    study = _study(config, run, JoinedSource((train, test)))
    images = f"Trained on {len(train):,} images of {config.dataset}, tested on {len(test):,} validation images."
    print(images, flush=True)
    ledger = study.ledger(train.class_names)
    cells = [Cell(layer, kind, 0, 0) for layer in layers for kind in config.chosen]
    measure_pascal(study, len(train), ledger, cells)
    results = measured(ledger)
    _print(report_pascal(study, [results[cell] for cell in cells], f"{_origin(config, run)} {images}"))


def _study(config: TransferConfig, run: Run, source: Source) -> Study:
    from zfjax.paper.transfer.study import Study

    same = ("dataset", "data_dir", "grids", "crops", "test_per_class", "batch_size", "seed")
    flags = {name: getattr(config, name) for name in same}
    cache = Path(config.cache or Path(config.ckpt) / "features")
    return Study(run, source, out=config.folder, cache=cache, epochs=config.scratch_epochs, **flags)


def _origin(config: TransferConfig, run: Run) -> str:
    trained = "its weights random" if config.random_weights else f"step {run.step:,}"
    return f"Run {Path(config.ckpt).resolve().name} ({run.arch.name}), {trained}, {config.crops} crop(s)."


def _print(paths: list[Path]) -> None:
    for path in paths:
        print(path)


def _run(config: TransferConfig) -> Run:
    from zfjax.runs.run import load_run

    run = load_run(config.ckpt, config.step)
    if not config.random_weights:
        return run
    import jax

    from zfjax.convnet import init_params

    return run._replace(params=init_params(jax.random.key(config.seed), run.arch), step=0)


def _without(config: TransferConfig, labels, left_out: list[int], names: tuple[str, ...]) -> tuple[np.ndarray, list]:
    """Labels counted anew, -1 for images that take no part, and the names of the classes that stay."""
    import numpy as np

    unwanted = config.exclude.split(",")
    if config.exclude != CLUTTER and (unknown := sorted({*unwanted} - {*names, ""})):
        raise InputError(f"--exclude names {unknown[0]}, which is no class of {config.dataset}")
    kept = [label for label, name in enumerate(names) if name not in unwanted]
    if gone := [name for name in names if name in unwanted]:
        print(f"left out: {', '.join(gone)} ({int((~np.isin(labels, kept)).sum())} images)", flush=True)
    renumbered = np.full(len(names), -1)
    renumbered[kept] = np.arange(len(kept))
    renumbered = renumbered[labels]
    renumbered[left_out] = -1
    return renumbered, [names[label] for label in kept]


def _check(config: TransferConfig) -> None:
    for name in ("folds", "test_per_class", "batch_size", "scratch_epochs"):
        if getattr(config, name) is not None and getattr(config, name) < 1:
            raise InputError(f"--{name} must be at least 1, not {getattr(config, name)}")
    if not 0 < config.overlap_threshold <= 1:
        raise InputError(f"--overlap_threshold is a correlation above 0 and at most 1, not {config.overlap_threshold}")
    if config.seed < 0:
        raise InputError(f"--seed must be 0 or more, not {config.seed}")
    if wrong := [name for name in config.chosen if name not in CLASSIFIERS] or not config.chosen:
        raise InputError(f"--classifiers takes softmax,svm, not {wrong[0] if config.chosen else config.classifiers!r}")
    for name in config.chosen:
        if len(config.grids[name]) > 1 and min(config.counts) < 2:
            raise InputError(f"--train_per_class=1 leaves no image to choose C by; give a single value as --{name}_c")


def _numbers(text: str, flag: str, *, whole: bool) -> list[float]:
    try:
        values = [(int if whole else float)(value) for value in text.split(",") if value]
    except ValueError:
        values = []
    if not values or not all(0 < value < float("inf") for value in values):
        kind = "whole numbers" if whole else "numbers"
        raise InputError(f"--{flag} takes {kind} above 0 with commas between, not {text!r}")
    return list(dict.fromkeys(values))


if __name__ == "__main__":
    main()
