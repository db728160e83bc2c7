"""Tables 4, 5 and 7, Fig. 9 as a section: new classifiers on frozen layers, and the same network from scratch.

Without a second data set, one half of the classes stands for it: a network is trained on the other half alone.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from zfjax.draw.markdown import Table
from zfjax.draw.words import words_of
from zfjax.paper.default_layers import numbered_layers
from zfjax.paper.report.document import Picture, Section
from zfjax.paper.report.plan import MAIN, Plan
from zfjax.paper.transfer.options import CLASSIFIERS, Options
from zfjax.terminal import say
from zfjax.train.settings import training

if TYPE_CHECKING:
    from zfjax.data import Dataset, Source
    from zfjax.paper.transfer.study import Study
    from zfjax.runs.run import Run

TITLE = "Tables 4, 5, 7, Fig. 9: transfer"
Rows = dict[str, dict[int, tuple[float, float]]]  # {classifier (layer): {training images a class: (mean, deviation)}}


class Task(NamedTuple):
    """A pretrained network and images of classes that it was not trained on."""

    run: Run
    folder: Path  # the run's
    source: Source
    about: str


def section(plan: Plan) -> Section:
    """What is measured is kept in OUT/transfer, the trainings from scratch in OUT/runs-scratch, features in
    OUT/features. Raises InputError for a data set with too few images a class."""
    from zfjax.paper.transfer.command import records_of
    from zfjax.paper.transfer.draw import draw_transfer

    task = _other_data(plan) if plan.transfer else _half_of_the_classes(plan)
    options, study = _study(plan, task)
    layers = numbered_layers(task.run.arch)[:-1]
    records = records_of(options, study, layers, study.seen.labels, task.source.class_names)
    rows = _rows(records)
    path = plan.out / "figures" / "transfer.png"
    title = "Accuracy of new classifiers on frozen layers, and from scratch"
    curves = {name: row for name, row in rows.items() if not name.startswith("svm")}  # the table has both
    draw_transfer(curves, path, title=title, caption=task.about)
    most = max(plan.extent.train_per_class)
    by_layer = {layer: rows[f"softmax ({layer})"][most][0] for layer in layers}
    measures = {
        "pretrained": by_layer[layers[-1]],
        "scratch": rows["from scratch"][most][0],
        "train_per_class": most,
        "by_layer": by_layer,
        "test": min(record["test"] for record in records),
    }
    pictures = (Picture(os.path.relpath(path, plan.out), *words_of(path)),)
    return Section(TITLE, task.about, (_table(plan, rows),), pictures, measures)


def _study(plan: Plan, task: Task) -> tuple[Options, Study]:
    """As transfer.py would study the task, but for where the trainings from scratch go."""
    from zfjax.paper.transfer.command import study_of

    options = Options(
        ckpt=str(task.folder),
        dataset=plan.transfer or plan.settings.chosen_dataset,
        data_dir=plan.settings.data_dir,
        train_per_class=",".join(map(str, plan.extent.train_per_class)),
        folds=plan.extent.folds,
        scratch=True,
        scratch_epochs=plan.extent.scratch_epochs,
        out=str(plan.out / "transfer"),
        cache=str(plan.out / "features"),
    )
    return options, dataclasses.replace(study_of(options, task.run, task.source), scratch=plan.out / "runs-scratch")


def _rows(records: list[dict]) -> Rows:
    from zfjax.paper.transfer.measure import summarise

    found = {}
    for (layer, classifier), row in summarise(records).items():
        name = f"{classifier} ({layer})" if classifier in CLASSIFIERS else classifier
        found[name] = {count: (spread.mean, spread.deviation) for count, spread in row.items()}
    return found


def _other_data(plan: Plan) -> Task:
    from zfjax.data import canvases_of
    from zfjax.data.sources.pool import open_pool
    from zfjax.runs.run import load_run

    run = load_run(plan.run(MAIN))
    assert plan.transfer is not None, "the caller has looked"
    pool = open_pool(plan.transfer, data_dir=plan.settings.data_dir, **canvases_of(run))
    about = f"Pretrained on {plan.settings.dataset}; new classes: {pool.origin}."
    return Task(run, plan.run(MAIN), pool.source, about)


def _half_of_the_classes(plan: Plan) -> Task:
    from zfjax.data import open_for
    from zfjax.runs.run import load_run
    from zfjax.train.loop import train

    whole = load_run(plan.run(MAIN))
    data = open_for(whole, plan.settings.dataset, data_dir=plan.settings.data_dir)
    middle = len(data.class_names) // 2
    known = _of_classes(data, range(middle), plan.train_images)
    arch = dataclasses.replace(whole.arch, num_classes=middle)
    workdir = plan.out / "runs-half" / arch.name
    say(f"{arch.name} on {middle} of {len(data.class_names)} classes")
    part: dict = {} if plan.train_images is None else {"train_images": plan.train_images}
    train(dataset=known, **training(plan.settings, arch, known, workdir, classes=middle, **part))
    others = _of_classes(data, range(middle, len(data.class_names)), None).val
    about = (
        f"Pretrained on {', '.join(known.class_names)} of {data.name} alone ({len(known.train):,} images); new "
        f"classes: {', '.join(others.class_names)} ({len(others):,} validation images)."
    )
    return Task(load_run(workdir), workdir, others, about)


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


def _table(plan: Plan, rows: Rows) -> Table:
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
    return Table("Accuracy on new classes", columns, cells, (note,))
