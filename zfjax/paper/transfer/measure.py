"""Tables 4, 5 and 7, Fig. 9: a new classifier on the frozen layers of a trained network, over random folds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from zfjax.errors import InputError
from zfjax.paper.transfer.classifiers import choose_c, fit, hold_out
from zfjax.paper.transfer.coordinates import Coordinates

Read = Callable[[np.ndarray, np.ndarray], Coordinates]


class Fold(NamedTuple):
    """Numbers of the images to learn from and of those to be tested on."""

    train: np.ndarray
    test: np.ndarray


class Cell(NamedTuple):
    """One measurement: a classifier on a layer, trained on so many images of every class of one fold."""

    layer: str
    classifier: str
    train_per_class: int
    fold: int


class Spread(NamedTuple):
    """Mean and sample standard deviation over folds (NaN for one fold), in percent."""

    mean: float
    deviation: float
    folds: int


def draw_fold(labels: np.ndarray, train_per_class: int, fold: int, *, test_per_class: int = 50, seed: int = 0) -> Fold:
    """So many random images of every class to learn from, and up to `test_per_class` of its others to be tested on.

    labels: int [N]; images with a label below 0 are in no fold. The smaller training sets of a fold lie in its larger.
    """
    train, test = [], []
    for label in range(labels.max() + 1):
        order = np.random.default_rng((seed, fold, label)).permutation(np.flatnonzero(labels == label))
        train.append(order[:train_per_class])
        test.append(order[train_per_class:][:test_per_class])
    return Fold(np.concatenate(train), np.concatenate(test))


def check_counts(labels: np.ndarray, names: Sequence[str], train_per_class: int) -> None:
    """Raises InputError, naming the smallest class, when one has no image left to be tested on."""
    counts = np.bincount(labels[labels >= 0], minlength=len(names))
    smallest = int(counts.argmin())
    if counts[smallest] <= train_per_class:
        raise InputError(
            f"--train_per_class={train_per_class} leaves no image of {names[smallest]} to test on: "
            f"it has {counts[smallest]} in all"
        )


def mean_class_accuracy(answers: np.ndarray, labels: np.ndarray) -> float:
    """The mean over classes of the share of right answers: a class of three images counts like one of fifty."""
    right = answers == labels
    return float(np.mean([right[labels == label].mean() for label in np.unique(labels)]))


def measure_layer(
    read: Read,
    cells: Collection[Cell],
    labels: np.ndarray,
    grids: Mapping[str, Sequence[float]],
    *,
    test_per_class: int = 50,
    seed: int = 0,
) -> Iterator[tuple[Cell, dict[str, float]]]:
    """Each cell of one layer with its accuracy and chosen C, as they come; the classifiers of a fold share its images.

    read: of `zfjax.paper.transfer.coordinates.reader`. labels: int [N], below 0 for images that take no part.
    grids: values of C to choose from, by classifier.
    """
    for count, number in dict.fromkeys((cell.train_per_class, cell.fold) for cell in cells):
        fold = draw_fold(labels, count, number, test_per_class=test_per_class, seed=seed)
        here = [cell for cell in cells if (cell.train_per_class, cell.fold) == (count, number)]
        yield from zip(here, _measure_all(read, here, labels, fold, grids, seed), strict=True)


def _measure_all(read: Read, cells, labels, fold: Fold, grids, seed: int) -> Iterator[dict[str, float]]:
    own, others = labels[fold.train], labels[fold.test]
    images = read(fold.train, fold.test)
    targets = np.eye(labels.max() + 1, dtype=np.float32)[own]
    held = hold_out(own, np.random.default_rng((seed, cells[0].fold)))
    for cell in cells:
        c = choose_c(cell.classifier, images.train, targets, held, grids[cell.classifier], _accuracy)
        model = fit(cell.classifier, images.train, targets, c)
        accuracy = mean_class_accuracy(model.scores(images.test).argmax(axis=1), others)
        yield {"accuracy": accuracy, "c": c, "train": len(own), "test": len(others)}


def _accuracy(scores: np.ndarray, targets: np.ndarray) -> float:
    return mean_class_accuracy(scores.argmax(axis=1), targets.argmax(axis=1))


def summarise(records: Collection[dict]) -> dict[tuple[str, str], dict[int, Spread]]:
    """Records of cells -> {(layer, classifier): {training images a class: spread over folds}}, in order of arrival."""
    found: dict[tuple[str, str], dict[int, list[float]]] = {}
    for record in records:
        row = found.setdefault((record["layer"], record["classifier"]), {})
        row.setdefault(record["train_per_class"], []).append(100 * record["accuracy"])
    return {key: {count: _spread(row[count]) for count in sorted(row)} for key, row in found.items()}


def _spread(values: list[float]) -> Spread:
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
    return Spread(float(np.mean(values)), deviation, len(values))
