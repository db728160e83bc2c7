"""The other strategy of section 5: every layer reset to random weights and trained on the new images alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import jax
import numpy as np

from zfjax.data import Dataset, Source
from zfjax.data.sources.pool import Subset
from zfjax.errors import InputError
from zfjax.paper.evaluation.measure import probabilities
from zfjax.paper.transfer.measure import Fold, mean_class_accuracy
from zfjax.runs.folder import versions
from zfjax.runs.run import Run, load_run
from zfjax.train.loop import train
from zfjax.train.settings import described


def train_from_scratch(
    run: Run,
    source: Source,
    labels: np.ndarray,
    names: tuple[str, ...],
    fold: Fold,
    workdir: Path,
    *,
    about: dict,
    epochs: int | None = None,
    crops: int = 1,
    seed: int = 0,
) -> dict[str, float]:
    """Accuracy on a fold of the run's architecture, trained by the run's recipe on the fold's training images.

    labels: int [N] of all images of the source. about: what else the run folder records. epochs: None for the recipe's.
    A stopped training goes on where it was. Its validation images are its training images again: a schedule that
    watches them must not see what the network is tested on.
    """
    arch = dataclasses.replace(run.arch, num_classes=len(names), recipe=_recipe(run, len(fold.train), epochs))
    learnt = Subset(source, fold.train, labels=labels[fold.train], class_names=names)
    config = {"arch_name": arch.name, **about, "seed": seed, **described(arch), "versions": versions()}
    data = Dataset(about["dataset"], learnt, learnt, names, f"{len(learnt)} images")
    train(arch, data, workdir, config=config, seed=seed, precision=run.config.get("precision", "fp32"))
    tested = Subset(source, fold.test, labels=labels[fold.test], class_names=names)
    answers, right = probabilities(load_run(workdir), tested, crops=crops, progress=True)
    accuracy = mean_class_accuracy(answers.argmax(axis=1), right)
    return {"accuracy": accuracy, "train": len(learnt), "test": len(tested)}


def _recipe(run: Run, images: int, epochs: int | None):
    """The run's own, with batches no larger than the training set."""
    recipe, devices = run.arch.recipe, jax.device_count()
    batch_size = min(recipe.batch_size, images) // devices * devices
    if not batch_size:
        raise InputError(f"{images} training images are too few for {devices} devices; raise --train_per_class")
    return dataclasses.replace(recipe, batch_size=batch_size, epochs=epochs or recipe.epochs)
