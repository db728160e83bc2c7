"""How well a run's features serve another data set: python transfer.py --ckpt=runs/zf --dataset=caltech101"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from zfjax.errors import InputError, exit_on_bad_input
from zfjax.flags import parse_flags

if TYPE_CHECKING:
    import numpy as np

    from zfjax.data.pool import Pool
    from zfjax.experiments.transfer import Cell
    from zfjax.ledger import Ledger
    from zfjax.run import Run

CLASSIFIERS = ("softmax", "svm")
CLUTTER = "BACKGROUND_Google,background_google,257.clutter,clutter"


@dataclass(frozen=True)
class TransferConfig:
    """Trains new classifiers on the frozen layers of a run (section 5: Tables 4, 5 and 7, Fig. 9).

    All images of the data set, whatever their split, are the pool that random folds are drawn from: so many training
    images of every class, of the others up to --test_per_class to test on. Accuracy is the mean over classes.
    Features are scaled to unit length. Stop it at any time; the same command goes on where it was.
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
    softmax_c: str = "1,10,100"
    """Weights C of the data against the penalty; what does best on a held-out third of the training images is taken."""
    svm_c: str = "0.1,1,10"
    """The same for svm."""
    crops: Literal[1, 10] = 1
    """Views of each image: the centre, or the ten of section 3, whose features are averaged."""
    exclude: str = CLUTTER
    """Classes to leave out, by name: the background of Caltech-101 and 256."""
    paper: Literal["caltech101", "caltech256"] | None = None
    """Show the paper's numbers beside ours; None: where the data set is called so."""
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
        transfer(config)


def transfer(config: TransferConfig) -> None:
    """Measures what is not measured yet, then writes the table and the curve."""
    from zfjax.data.pool import open_pool
    from zfjax.experiments.extraction import choose_layers, run_fingerprint, survey
    from zfjax.experiments.transfer import Cell, check_counts
    from zfjax.ledger import Ledger

    run = _run(config)
    layers = choose_layers(run.arch, config.layers)
    sizes = {"canvas_size": run.mean.shape[0], "channels": run.arch.channels}
    pool = open_pool(config.dataset, data_dir=config.data_dir, **sizes)
    print(pool.origin, flush=True)
    seen = survey(pool.source, progress=True)
    labels, names = _without(config, seen.labels, pool)
    for count in config.counts:
        check_counts(labels, names, count)
    settings = {
        "network": run_fingerprint(run),
        "images": seen.fingerprint,
        "classes": list(names),
        "c": config.grids,
        **{name: getattr(config, name) for name in ("crops", "test_per_class", "seed")},
    }
    ledger = Ledger(config.folder / "results.jsonl", settings)
    cells = [
        Cell(layer, classifier, count, fold)
        for layer in layers
        for count in config.counts
        for fold in range(config.folds)
        for classifier in config.chosen
    ]
    _measure(config, run, pool, seen.fingerprint, labels, ledger, cells)
    _report(config, run, ledger, cells, f"{len(names)} classes, {int((labels >= 0).sum()):,} images of {config.name}")


def _run(config: TransferConfig) -> Run:
    from zfjax.run import load_run

    run = load_run(config.ckpt, config.step)
    if not config.random_weights:
        return run
    import jax

    from zfjax.convnet import init_params

    return run._replace(params=init_params(jax.random.key(config.seed), run.arch), step=0)


def _without(config: TransferConfig, labels: np.ndarray, pool: Pool) -> tuple[np.ndarray, list[str]]:
    """Labels counted anew, -1 where the class is left out, and the names of the classes that stay."""
    import numpy as np

    names, unwanted = pool.source.class_names, config.exclude.split(",")
    if config.exclude != CLUTTER and (unknown := sorted({*unwanted} - {*names, ""})):
        raise InputError(f"--exclude names {unknown[0]}, which is no class of {config.dataset}")
    kept = [label for label, name in enumerate(names) if name not in unwanted]
    if gone := [name for name in names if name in unwanted]:
        print(f"left out: {', '.join(gone)} ({int((~np.isin(labels, kept)).sum())} images)", flush=True)
    renumbered = np.full(len(names), -1)
    renumbered[kept] = np.arange(len(kept))
    return renumbered[labels], [names[label] for label in kept]


def _measure(config, run: Run, pool: Pool, images: str, labels, ledger: Ledger, cells: list[Cell]) -> None:
    from tqdm import tqdm

    from zfjax.experiments.coordinates import reader
    from zfjax.experiments.extraction import extract, run_fingerprint
    from zfjax.experiments.transfer import Cell, measure_layer

    done = {Cell(*(record[name] for name in Cell._fields)) for record in ledger.records}
    missing = [cell for cell in cells if cell not in done]
    layers = list(dict.fromkeys(cell.layer for cell in missing))
    if not missing:
        return
    folder = Path(config.cache or Path(config.ckpt) / "features") / f"{run_fingerprint(run)}-{images}-{config.crops}"
    options = {"crops": config.crops, "batch_size": config.batch_size, "progress": True}
    features = extract(run, pool.source, layers, folder, **options)
    options = {"test_per_class": config.test_per_class, "seed": config.seed}
    with tqdm(total=len(cells), initial=len(cells) - len(missing), desc="classifiers", unit=" fits") as bar:
        for layer in layers:
            here = [cell for cell in missing if cell.layer == layer]
            for cell, result in measure_layer(reader(features[layer]), here, labels, config.grids, **options):
                ledger.append({**cell._asdict(), **result})
                bar.update()


def _report(config: TransferConfig, run: Run, ledger: Ledger, cells: list[Cell], images: str) -> None:
    from zfjax.experiments.extraction import numbered_layers
    from zfjax.experiments.transfer import Cell, summarise
    from zfjax.figures.transfer import PAPER, draw_transfer, paper_tables, transfer_table

    wanted = {*cells}
    records = [record for record in ledger.records if Cell(*(record[name] for name in Cell._fields)) in wanted]
    numbers = {name: number for number, name in enumerate(numbered_layers(run.arch), start=1)}
    rows = {
        f"{classifier} ({layer}{f', layer {numbers[layer]}' if layer in numbers else ''})": {
            count: (spread.mean, spread.deviation) for count, spread in row.items()
        }
        for (layer, classifier), row in summarise(records).items()
    }
    trained = "its weights random" if config.random_weights else f"step {run.step:,}"
    about = (
        f"Run {Path(config.ckpt).resolve().name} ({run.arch.name}), {trained}; {images}; {config.folds} folds, up to "
        f"{config.test_per_class} test images a class, {config.crops} crop(s)."
    )
    text = f"{about}\n\n{transfer_table(rows, head='accuracy, %, mean ± standard deviation over folds')}\n"
    theirs = config.paper or (config.name if config.name in PAPER else None)
    if theirs:
        text += f"\n{paper_tables(theirs)}\n"
    print(f"\n{text}")
    config.folder.joinpath("transfer.md").write_text(text, encoding="utf-8")
    curves = {"paper": PAPER[theirs][1], "paper_name": f"Table {PAPER[theirs][0]}, {theirs}"} if theirs else {}
    path = config.folder / "transfer.png"
    draw_transfer(rows, path, title="Accuracy of new classifiers on frozen layers", caption=about, **curves)
    for file in (config.folder / "transfer.md", path):
        print(file)


def _check(config: TransferConfig) -> None:
    for name in ("folds", "test_per_class", "batch_size"):
        if getattr(config, name) < 1:
            raise InputError(f"--{name} must be at least 1, not {getattr(config, name)}")
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
