"""Tables 4, 5 and 7, Fig. 9 as a section: new classifiers on frozen layers, and the same network from scratch.

Without a second data set, one half of the classes stands for it: a network is trained on the other half alone.
"""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from zfjax.paper.report.document import Picture, Section, Table
from zfjax.paper.report.plan import MAIN, Plan
from zfjax.train.settings import training

if TYPE_CHECKING:
    from zfjax.data import Dataset, Source
    from zfjax.paper.transfer.extraction import Survey
    from zfjax.runs.run import Run

# weights of the data against the penalty to choose from; the defaults of transfer.py
GRIDS = {"softmax": (1.0, 10.0, 100.0, 1000.0, 10000.0), "svm": (0.01, 0.1, 1.0, 10.0, 100.0)}
CLASSIFIERS = tuple(GRIDS)
TITLE = "Tables 4, 5, 7, Fig. 9: transfer"


class Task(NamedTuple):
    """A pretrained network and images of classes that it was not trained on."""

    run: Run
    source: Source
    seen: Survey
    names: tuple[str, ...]
    about: str

    @property
    def labels(self) -> np.ndarray:
        """Int [N]."""
        return self.seen.labels


def section(plan: Plan) -> Section:
    """Raises InputError for a data set with too few images a class."""
    from zfjax.paper.transfer.draw import draw_transfer
    from zfjax.paper.transfer.extraction import extract, numbered_layers
    from zfjax.paper.transfer.measure import check_counts, summarise

    task = _other_data(plan) if plan.transfer else _half_of_the_classes(plan)
    for count in plan.extent.train_per_class:
        check_counts(task.labels, task.names, count)
    layers = numbered_layers(task.run.arch)[:-1]
    features = extract(task.run, task.source, layers, plan.out / "features", progress=True)
    rows = {
        f"{classifier} ({layer})": {count: (spread.mean, spread.deviation) for count, spread in row.items()}
        for (layer, classifier), row in summarise(_records(plan, task, features)).items()
    }
    rows["from scratch"] = scratch = _from_scratch(plan, task)
    path = plan.out / "figures" / "transfer.png"
    title = "Accuracy of new classifiers on frozen layers, and from scratch"
    curves = {name: row for name, row in rows.items() if not name.startswith("svm")}  # the table has both
    draw_transfer(curves, path, title=title, caption=task.about)
    most = max(plan.extent.train_per_class)
    by_layer = {layer: rows[f"softmax ({layer})"][most][0] for layer in layers}
    measures = {
        "pretrained": by_layer[layers[-1]],
        "scratch": scratch[most][0],
        "train_per_class": most,
        "by_layer": by_layer,
    }
    pictures = (Picture(os.path.relpath(path, plan.out), "Accuracy against training images a class"),)
    return Section(TITLE, task.about, (_table(plan, rows),), pictures, measures)


def _records(plan: Plan, task: Task, features: dict[str, np.ndarray]) -> list[dict]:
    from tqdm import tqdm

    from zfjax.paper.transfer.coordinates import reader
    from zfjax.paper.transfer.extraction import run_fingerprint
    from zfjax.paper.transfer.measure import Cell, measure_layer
    from zfjax.paper.transfer.study import measured
    from zfjax.runs.results import Ledger

    rounds = [(count, fold) for count in plan.extent.train_per_class for fold in range(plan.extent.folds)]
    cells = [Cell(layer, kind, *each) for layer in features for each in rounds for kind in CLASSIFIERS]
    settings = {"network": run_fingerprint(task.run), "images": task.seen.fingerprint, "c": GRIDS}
    ledger = Ledger(plan.out / "transfer.jsonl", settings)
    missing = [cell for cell in cells if cell not in measured(ledger)]
    with tqdm(total=len(cells), initial=len(cells) - len(missing), desc="classifiers", unit=" fits") as bar:
        for layer, values in features.items():
            here = [cell for cell in missing if cell.layer == layer]
            for cell, result in measure_layer(reader(values), here, task.labels, GRIDS):
                ledger.append({**cell._asdict(), **result})
                bar.update()
    results = measured(ledger)
    return [results[cell] for cell in cells]


def _other_data(plan: Plan) -> Task:
    from zfjax.data import canvases_of
    from zfjax.data.sources.pool import open_pool
    from zfjax.paper.transfer.extraction import survey
    from zfjax.runs.run import load_run

    run = load_run(plan.run(MAIN))
    pool = open_pool(plan.transfer, data_dir=plan.settings.data_dir, **canvases_of(run))
    seen = survey(pool.source, progress=True)
    about = f"Pretrained on {plan.settings.dataset}; new classes: {pool.origin}."
    return Task(run, pool.source, seen, pool.source.class_names, about)


def _half_of_the_classes(plan: Plan) -> Task:
    from zfjax.data import open_for
    from zfjax.paper.transfer.extraction import survey
    from zfjax.runs.run import load_run
    from zfjax.train.loop import train

    whole = load_run(plan.run(MAIN))
    data = open_for(whole, plan.settings.dataset, data_dir=plan.settings.data_dir)
    middle = len(data.class_names) // 2
    known = _of_classes(data, range(middle), plan.train_images)
    arch = dataclasses.replace(whole.arch, num_classes=middle)
    workdir = plan.out / "runs-half" / arch.name
    print(f"{arch.name} on {middle} of {len(data.class_names)} classes", flush=True)
    part = {} if plan.train_images is None else {"train_images": plan.train_images}
    train(dataset=known, **training(plan.settings, arch, data.name, workdir, classes=middle, **part))
    others = _of_classes(data, range(middle, len(data.class_names)), None).val
    seen = survey(others, progress=True)
    about = (
        f"Pretrained on {', '.join(known.class_names)} of {data.name} alone ({len(known.train):,} images); new "
        f"classes: {', '.join(others.class_names)} ({len(others):,} validation images)."
    )
    return Task(load_run(workdir), others, seen, others.class_names, about)


def _of_classes(data: Dataset, classes: range, train_images: int | None) -> Dataset:
    """The images of some classes, counted anew."""
    from zfjax.data.sources.pool import Subset
    from zfjax.paper.ablation.measure import fixed_sample
    from zfjax.paper.transfer.extraction import survey

    names = data.class_names[classes.start : classes.stop]
    parts = {}
    for split in ("train", "val"):
        source = getattr(data, split)
        labels = survey(source).labels
        own = np.flatnonzero((labels >= classes.start) & (labels < classes.stop))
        if split == "train" and train_images is not None:
            own = own[fixed_sample(len(own), train_images)]
        parts[split] = Subset(source, own, labels=labels[own] - classes.start, class_names=names)
    return dataclasses.replace(data, class_names=names, **parts)


def _from_scratch(plan: Plan, task: Task) -> dict[int, tuple[float, float]]:
    """{training images a class: (mean, deviation) over folds} of the same network trained on the new images alone."""
    from zfjax.paper.transfer.measure import draw_fold
    from zfjax.paper.transfer.scratch import train_from_scratch

    found = {}
    for count in plan.extent.train_per_class:
        values = []
        for number in range(plan.extent.folds):
            print(f"from scratch: {count} images a class, fold {number + 1}", flush=True)
            result = train_from_scratch(
                task.run,
                task.source,
                task.labels,
                task.names,
                draw_fold(task.labels, count, number),
                plan.out / "runs-scratch" / f"{count}-{number}",
                about={"dataset": plan.transfer or plan.settings.dataset, "train_per_class": count, "fold": number},
                epochs=plan.extent.scratch_epochs,
            )
            values.append(100 * result["accuracy"])
        found[count] = (float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else float("nan"))
    return found


def _table(plan: Plan, rows: dict) -> Table:
    from zfjax.paper.numbers import CALTECH101, LAYERS

    def text(pair: tuple | None) -> str:
        if pair is None:
            return "-"
        mean, spread = pair
        return f"{mean:.1f}" if spread is None or np.isnan(spread) else f"{mean:.1f} ± {spread:.1f}"

    counts = plan.extent.train_per_class
    columns = ("classifier (layer)", *(f"{count} a class" for count in counts), "paper: Caltech-101, 30 a class")
    paper = {"from scratch": CALTECH101["from scratch"][30]}
    for kind in CLASSIFIERS:
        names = [name for name in rows if name.startswith(f"{kind} (")]
        printed = {"softmax": "softmax", "svm": "SVM"}[kind]
        paper |= {name: LAYERS.get(f"{printed} ({n})", (None,))[0] for n, name in enumerate(names, start=1)}
    cells = tuple((name, *(text(row.get(count)) for count in counts), text(paper[name])) for name, row in rows.items())
    note = (
        f"Mean of the classes' accuracies in percent, ± standard deviation over {plan.extent.folds} folds; features of "
        f"unit length; C by a third of the training images held out; from "
        f"scratch: {plan.extent.scratch_epochs} epochs of the same recipe."
    )
    return Table("Accuracy on new classes", columns, cells, note)
