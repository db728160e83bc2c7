"""Tables 4 to 7 and Fig. 9: from a run and another data set to results that a stop does not lose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zfjax.runtime.files import write_text
from zfjax.terminal import meter, say

if TYPE_CHECKING:
    from zfjax.data import Source
    from zfjax.paper.transfer.extraction import Survey
    from zfjax.paper.transfer.measure import Cell, Read
    from zfjax.runs.results import Ledger
    from zfjax.runs.run import Run


@dataclass(frozen=True)
class Study:
    """A run, the images that it is to serve, and how: what all measurements have in common.

    out: folder of the results. scratch: folder of the trainings from scratch. cache: folder of the features of all runs
    and data sets. grids: values of C to choose from, by classifier. epochs: of trainings from scratch; None for the
    recipe's. The rest are transfer.py's flags.
    """

    run: Run
    source: Source
    dataset: str
    data_dir: str | None
    out: Path
    scratch: Path
    cache: Path
    grids: Mapping[str, Sequence[float]]
    crops: int
    test_per_class: int
    epochs: int | None
    batch_size: int
    seed: int

    @cached_property
    def seen(self) -> Survey:
        """Labels and fingerprint of all images; looks at them once."""
        from zfjax.paper.transfer.extraction import survey

        return survey(self.source, progress=True)

    @property
    def drawing(self) -> dict[str, int]:
        """How folds are drawn, as `zfjax.paper.transfer.measure.draw_fold` takes it."""
        return {"test_per_class": self.test_per_class, "seed": self.seed}

    def ledger(self, names: Sequence[str], left_out: Sequence[int] = ()) -> Ledger:
        """Results so far of this network on these images under these settings."""
        from zfjax.runs.fingerprint import run_fingerprint
        from zfjax.runs.results import Ledger

        images = {"images": self.seen.fingerprint, "classes": list(names), "left_out": list(left_out)}
        settings = {"network": run_fingerprint(self.run), **images, "c": self.grids, "crops": self.crops}
        return Ledger(self.out / "results.jsonl", {**settings, **self.drawing}, _is_result)

    def features(self, layers: Sequence[str]) -> dict[str, np.ndarray]:
        """{layer: float32 [N, D]} for all images, from the cache or computed."""
        from zfjax.paper.transfer.extraction import extract
        from zfjax.runs.fingerprint import run_fingerprint

        folder = self.cache / f"{run_fingerprint(self.run)}-{self.seen.fingerprint}-{self.crops}"
        options = {"crops": self.crops, "batch_size": self.batch_size, "progress": True}
        return extract(self.run, self.source, layers, folder, **options)


def measured(ledger: Ledger) -> dict[Cell, dict]:
    """The records that there are."""
    from zfjax.paper.transfer.measure import Cell

    return {Cell(*(record[name] for name in Cell._fields)): record for record in ledger.records}


def measure_folds(study: Study, labels: np.ndarray, ledger: Ledger, cells: Sequence[Cell]) -> None:
    """Adds to the ledger those cells that it lacks. labels: int [N], below 0 for images that take no part."""
    from zfjax.paper.transfer.measure import measure_layer

    done = len(cells) - len(_missing(ledger, cells))
    with meter(total=len(cells), initial=done, desc="classifiers", unit=" fits") as bar:
        for here, read in _by_layer(study, ledger, cells):
            for cell, result in measure_layer(read, here, labels, study.grids, **study.drawing):
                ledger.append({**cell._asdict(), **result})
                bar.update()


def measure_pascal(study: Study, training: int, ledger: Ledger, cells: Sequence[Cell]) -> None:
    """Adds to the ledger those cells that it lacks. The first `training` images are learnt, the others tested on."""
    from zfjax.paper.transfer import pascal
    from zfjax.paper.transfer.measure import Fold

    fold = Fold(*np.split(np.arange(len(study.source)), [training]))
    for here, read in _by_layer(study, ledger, cells):
        for cell in here:
            grid = study.grids[cell.classifier]
            result = pascal.measure_pascal(read, study.seen.labels, fold, cell.classifier, grid, seed=study.seed)
            ledger.append({**cell._asdict(), **result})


def train_folds(study: Study, labels: np.ndarray, names: Sequence[str], ledger: Ledger, cells: Sequence[Cell]) -> None:
    """Trains the run's architecture from random weights for those cells that the ledger lacks."""
    from zfjax.paper.transfer.measure import draw_fold
    from zfjax.paper.transfer.scratch import train_from_scratch

    about = {"dataset": study.dataset, "data_dir": study.data_dir, "images": study.seen.fingerprint}
    options = {"about": about, "epochs": study.epochs, "crops": study.crops, "seed": study.seed}
    for cell in _missing(ledger, cells):
        fold = draw_fold(labels, cell.train_per_class, cell.fold, **study.drawing)
        folder = study.scratch / f"{cell.train_per_class}-a-class-fold-{cell.fold}-{cell.layer.replace(' ', '-')}"
        say(f"from scratch: {cell.train_per_class} images a class, fold {cell.fold}")
        result = train_from_scratch(study.run, study.source, labels, tuple(names), fold, folder, **options)
        ledger.append({**cell._asdict(), **result})


def find_overlaps(study: Study, threshold: float, trained_on: str | None = None) -> list[int]:
    """Numbers of the images that the run was trained on too; lists them in overlap.txt. Searches once.

    trained_on: the data set with those images; None: as the run records it.
    """
    from zfjax.data import open_for
    from zfjax.paper.transfer.overlap import Match, listing, overlaps
    from zfjax.runs.results import Ledger

    data = open_for(study.run, trained_on, data_dir=study.data_dir, bad_images="stop")
    others = data.train
    settings = {"images": study.seen.fingerprint, "others": [data.name, len(others)], "threshold": threshold}
    ledger = Ledger(study.out / "overlap.jsonl", settings, _is_overlap)
    if not ledger.records:
        ledger.append({"matches": overlaps(study.source, others, threshold=threshold, progress=True)})
    matches = [Match(*match) for match in ledger.records[0]["matches"]]
    text = listing(matches, study.source, others, study.seen.labels, threshold=threshold)
    path = study.out / "overlap.txt"
    write_text(path, text, advice="give another --out")
    say(f"{text.splitlines()[0]}: {path}")
    return sorted({match.image for match in matches})


def _is_result(record: dict) -> bool:
    from zfjax.paper.transfer.measure import Cell

    kinds = tuple(type(record.get(name)) for name in Cell._fields)
    return kinds == (str, str, int, int) and all(map(_is_share, record.get("precisions", [record.get("accuracy")])))


def _is_share(value: object) -> bool:
    return isinstance(value, float | int) and not (value < 0 or value > 1)  # NaN where no image tests a class


def _is_overlap(record: dict) -> bool:
    from zfjax.paper.transfer.overlap import Match

    matches = record.get("matches")
    return isinstance(matches, list) and all(
        isinstance(match, list) and len(match) == len(Match._fields) and type(match[0]) is type(match[1]) is int
        for match in matches
    )


def _missing(ledger: Ledger, cells: Sequence[Cell]) -> list[Cell]:
    done = measured(ledger)
    return [cell for cell in cells if cell not in done]


def _by_layer(study: Study, ledger: Ledger, cells: Sequence[Cell]) -> Iterator[tuple[list[Cell], Read]]:
    """The missing cells of one layer after the other, with what reads its features."""
    from zfjax.paper.transfer.coordinates import reader

    missing = _missing(ledger, cells)
    features = study.features(list(dict.fromkeys(cell.layer for cell in missing))) if missing else {}
    for layer, array in features.items():
        yield [cell for cell in missing if cell.layer == layer], reader(array)
