"""Tables 4 to 7 and Fig. 9: a run and another data set by their flags, measured and reported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from zfjax.errors import InputError
from zfjax.paper.default_layers import below_answer, numbered_layers
from zfjax.paper.transfer.options import CLUTTER, Options
from zfjax.terminal import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from zfjax.arch import Arch
    from zfjax.data import Source
    from zfjax.paper.transfer.study import Study
    from zfjax.runs.run import Run


def transfer(options: Options) -> None:
    """Measures what is not measured yet, then writes the table and the curve."""
    from zfjax.data import canvases_of
    from zfjax.data.sources.pool import open_pool
    from zfjax.paper.transfer.report import report_folds
    from zfjax.paper.transfer.study import find_overlaps

    run = _run(options)
    layers = choose_layers(run.arch, options.layers)
    pool = open_pool(options.dataset, data_dir=options.data_dir, **canvases_of(run))
    say(pool.origin)
    study = study_of(options, run, pool.source)
    found = find_overlaps(study, options.overlap_threshold, options.overlap_with) if options.overlap != "ignore" else []
    left_out = found if options.overlap == "drop" else []
    labels, names = _without(options, study.seen.labels, left_out, pool.source.class_names)
    records = records_of(options, study, layers, labels, names, left_out)
    folds = f"{options.folds} fold{'s' * (options.folds > 1)}"
    images = f"{len(names)} classes, {int((labels >= 0).sum()):,} images of {options.name}, {folds}, up to"
    about = f"{_origin(options, run)} {images} {options.test_per_class} test images a class."
    theirs = options.paper or (options.name if options.name in ("caltech101", "caltech256") else None)
    _print(report_folds(study, records, about, theirs))


def pascal(options: Options) -> None:
    """Measures average precision on PASCAL VOC, trained on its training and tested on its validation images."""
    from zfjax.data import canvases_of
    from zfjax.data.sources.pool import JoinedSource
    from zfjax.data.sources.voc import open_voc
    from zfjax.paper.transfer.measure import Cell
    from zfjax.paper.transfer.report import report_pascal
    from zfjax.paper.transfer.study import measure_pascal, measured

    run = _run(options)
    layers = choose_layers(run.arch, options.layers)
    train, test = open_voc(options.dataset, data_dir=options.data_dir, **canvases_of(run))
    study = study_of(options, run, JoinedSource((train, test)))
    images = f"Trained on {len(train):,} images of {options.dataset}, tested on {len(test):,} validation images."
    say(images)
    ledger = study.ledger(train.class_names)
    cells = [Cell(layer, kind, 0, 0) for layer in layers for kind in options.chosen]
    measure_pascal(study, len(train), ledger, cells)
    results = measured(ledger)
    _print(report_pascal(study, [results[cell] for cell in cells], f"{_origin(options, run)} {images}"))


def choose_layers(arch: Arch, text: str) -> list[str]:
    """ "1..3,5,fc7,fire*/concat" -> names of layers; empty: the one below the classifier.

    Raises InputError for any other.
    """
    if not text:
        return [below_answer(arch)]
    outputs = numbered_layers(arch)
    chosen: list[str] = []
    for part in filter(None, text.split(",")):
        first, dots, last = part.partition("..")
        if first.isdigit() and (last.isdigit() if dots else True):
            numbers = range(int(first), int(last if dots else first) + 1)
            if wrong := [n for n in (*numbers, int(last or first)) if not 1 <= n <= len(outputs)]:
                raise InputError(f"{arch.name} has layers 1 to {len(outputs)}; --layers asks for {wrong[0]}")
            if not numbers:
                raise InputError(f"--layers={part} counts down; write {last}..{first}")
            chosen += [outputs[n - 1] for n in numbers]
        else:
            chosen += arch.select(part)
    return list(dict.fromkeys(chosen))


def study_of(options: Options, run: Run, source: Source) -> Study:
    """The run and the images, to be studied as the options say."""
    from zfjax.paper.transfer.study import Study

    same = ("dataset", "data_dir", "grids", "crops", "test_per_class", "batch_size", "seed")
    flags = {name: getattr(options, name) for name in same}
    folders = {"out": options.folder, "scratch": options.folder / "scratch"}
    cache = Path(options.cache or Path(options.ckpt) / "features")
    return Study(run, source, **folders, cache=cache, epochs=options.scratch_epochs, **flags)


def records_of(
    options: Options,
    study: Study,
    layers: Sequence[str],
    labels: np.ndarray,
    names: Sequence[str],
    left_out: Sequence[int] = (),
) -> list[dict]:
    """One record a layer, classifier, number of training images and fold, then those of trainings from scratch.

    What an earlier call has measured is not measured again. labels: int [N], below 0 for images that take no part.
    names: of the classes. left_out: numbers of images that take no part though their class does.
    Raises InputError for a class with too few images.
    """
    from zfjax.paper.transfer.measure import Cell, check_counts
    from zfjax.paper.transfer.study import measure_folds, measured, train_folds

    for count in options.counts:
        check_counts(labels, names, count)
    ledger = study.ledger(names, left_out)
    rounds = [(count, fold) for count in options.counts for fold in range(options.folds)]
    cells = [Cell(layer, kind, *each) for layer in layers for each in rounds for kind in options.chosen]
    measure_folds(study, labels, ledger, cells)
    if options.scratch:
        epochs = options.scratch_epochs or study.run.arch.recipe.epochs
        trained = [Cell(f"{epochs} epochs", "from scratch", *each) for each in rounds]
        train_folds(study, labels, names, ledger, trained)
        cells += trained
    results = measured(ledger)
    return [results[cell] for cell in cells]


def _origin(options: Options, run: Run) -> str:
    trained = "its weights random" if options.random_weights else f"step {run.step:,}"
    return f"Run {Path(options.ckpt).resolve().name} ({run.arch.name}), {trained}, {options.crops} crop(s)."


def _print(paths: list[Path]) -> None:
    for path in paths:
        say(str(path))


def _run(options: Options) -> Run:
    from zfjax.runs.run import load_run

    run = load_run(options.ckpt, options.step)
    if not options.random_weights:
        return run
    from zfjax.convnet import init_params, seed_key

    return run._replace(params=init_params(seed_key(options.seed), run.arch), step=0)


def _without(options: Options, labels, left_out: list[int], names: tuple[str, ...]) -> tuple[np.ndarray, list]:
    """Labels counted anew, -1 for images that take no part, and the names of the classes that stay."""
    import numpy as np

    unwanted = options.exclude.split(",")
    if options.exclude != CLUTTER and (unknown := sorted({*unwanted} - {*names, ""})):
        raise InputError(f"--exclude names {unknown[0]}, which is no class of {options.dataset}")
    kept = [label for label, name in enumerate(names) if name not in unwanted]
    if gone := [name for name in names if name in unwanted]:
        say(f"left out: {', '.join(gone)} ({int((~np.isin(labels, kept)).sum())} images)")
    renumbered = np.full(len(names), -1)
    renumbered[kept] = np.arange(len(kept))
    renumbered = renumbered[labels]
    renumbered[left_out] = -1
    return renumbered, [names[label] for label in kept]
