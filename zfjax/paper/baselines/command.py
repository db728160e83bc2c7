"""The tutorial's table: a convnet beside a feed-forward net and scikit-learn's classifiers on one data set."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from zfjax.arch import Arch
from zfjax.draw.markdown import Table, markdown
from zfjax.paper.baselines.table import CNN, FEED_FORWARD, Plan, describe
from zfjax.paper.numbers import BASELINES
from zfjax.runs.folder import open_run, read_metrics
from zfjax.runs.results import differences, refuse
from zfjax.runtime.files import make_folder, read_json, write_json, write_text
from zfjax.terminal import say
from zfjax.train.settings import resolve, training

if TYPE_CHECKING:
    from zfjax.data import Dataset
    from zfjax.paper.baselines.measure import Score

SCALES = {
    "smoke": {"dataset": "scenes", "epochs": 1},
    "small": {"dataset": "scenes"},
    "imagenet": {"dataset": "imagenet2012"},
}


def reproduce(plan: Plan) -> Table:
    """Trains and scores what is not in OUT/baselines.json yet, one system after the other, and writes OUT/baselines.md.

    Raises InputError for wrong flags, data, and results of other settings; SystemExit when it was stopped.
    """
    archs = _networks(plan)
    make_folder(plan.out)
    data = _open(plan, archs[CNN])
    archs = {system: dataclasses.replace(arch, num_classes=len(data.class_names)) for system, arch in archs.items()}
    book = _open_book(plan, data, archs[CNN])
    parts = None
    for system in BASELINES:
        if system in archs:
            score = _network(plan, system, archs[system], data, book)
        elif not (score := _known(book, system)):
            from zfjax.paper.baselines.measure import classifier, fit_and_score, pixels

            parts = parts or (pixels(data.train), pixels(data.val))
            say(f"{system} on {len(data.train):,} images")
            score = fit_and_score(classifier(system), *parts)
        book["systems"][system] = {**book["systems"].get(system, {}), **score._asdict()}
        table = describe(plan, book, data, archs)
        write_text(plan.out / "baselines.md", markdown(table))
        write_json(plan.out / "baselines.json", {**book, **dataclasses.asdict(table)})
    return table


def _networks(plan: Plan) -> dict[str, Arch]:
    """Both networks, for images of the same size and depth."""
    cnn = resolve(plan.settings, plan.cnn)
    plain = resolve(dataclasses.replace(plan.settings, image_size=cnn.image_size), "sign-mlp")
    return {FEED_FORWARD: dataclasses.replace(plain, channels=cnn.channels), CNN: cnn}


def _open(plan: Plan, arch: Arch) -> Dataset:
    from zfjax.data import open_dataset
    from zfjax.paper.ablation.measure import with_fewer
    from zfjax.paper.baselines.measure import random_split
    from zfjax.preprocess import Preprocess

    settings = plan.settings
    options = {
        "canvas_size": Preprocess.of(arch).smallest_side,
        "channels": arch.channels,
        "data_dir": settings.data_dir,
    }
    data = open_dataset(settings.chosen_dataset, **options)
    return with_fewer(random_split(data) if plan.split == "random" else data, plan.train_images)


def _open_book(plan: Plan, data: Dataset, arch: Arch) -> dict:
    """What was found so far. Raises InputError when that was on other images."""
    about = {
        "dataset": data.name,
        "split": plan.split,
        "train_images": len(data.train),
        "test_images": len(data.val),
        "image_size": arch.image_size,
        "channels": arch.channels,
    }
    path = plan.out / "baselines.json"
    there = read_json(path) or {"about": about}
    refuse(f"{path} holds results of", differences(there.get("about", {}), about))
    return {"about": about, "systems": there.get("systems", {})}


def _known(book: dict, system: str, **same: object) -> Score | None:
    from zfjax.paper.baselines.measure import Score

    entry = book["systems"].get(system, {})
    if "hits" not in entry or any(entry.get(key) != value for key, value in same.items()):
        return None
    return Score(*(entry[name] for name in Score._fields))


def _network(plan: Plan, system: str, arch: Arch, data: Dataset, book: dict) -> Score:
    """Trains in OUT/runs/ARCH unless it is there. The seconds are those of the updates, over all interruptions."""
    part: dict = {"split": plan.split} | ({} if plan.train_images is None else {"train_images": plan.train_images})
    workdir, same = plan.out / "runs" / arch.name, {"arch": arch.name, "epochs": arch.recipe.epochs}
    options = training(plan.settings, arch, data, workdir, seed=plan.seed, **part)
    there = open_run(workdir, options["config"], may_differ=options["may_differ"])
    if there and (known := _known(book, system, **same)):
        return known
    from zfjax.paper.baselines.measure import Score
    from zfjax.paper.evaluation.measure import probabilities
    from zfjax.runs.run import load_run
    from zfjax.train.loop import train

    say(f"{system} ({arch.name}) on {len(data.train):,} images")
    train(dataset=data, **options)
    shares, labels = probabilities(load_run(workdir), data.val, crops=1)
    steps = max(1, len(data.train) // arch.recipe.batch_size)
    seconds = sum(steps * arch.recipe.batch_size / line["images_per_sec"] for line in read_metrics(workdir))
    book["systems"][system] = same
    return Score(int((shares.argmax(axis=1) == labels).sum()), len(labels), seconds)
