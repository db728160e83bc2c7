"""The tutorial's table as text: ours beside the tutorial's, and where every number is from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from zfjax.arch import Arch
from zfjax.draw.markdown import Table
from zfjax.paper.ablation.table import short_name
from zfjax.paper.numbers import BASELINES
from zfjax.train.settings import Settings

if TYPE_CHECKING:
    from zfjax.data import Dataset

FEED_FORWARD, CNN = "feed-forward", "CNN"
TUTORIAL_TEST_IMAGES = 413


class Plan(NamedTuple):
    """What is compared, and where it goes. cnn: the architecture whose pixels all systems see."""

    settings: Settings
    out: Path
    cnn: str = "sign-cnn"
    split: str = "own"
    seed: int = 0
    train_images: int | None = None


def describe(plan: Plan, book: dict, data: Dataset, archs: dict[str, Arch]) -> Table:
    """The table of the systems scored so far, in the tutorial's order, and where the numbers are from."""
    columns = (f"accuracy %, {short_name(data.name)}", "right", "95 % interval", "seconds")
    systems = [system for system in BASELINES if system in book["systems"]]
    return Table(
        "A convnet and other classifiers on the same pixels",
        ("system", *columns, "tutorial: accuracy %, Sign Language Digits"),
        tuple(_cells(system, book["systems"][system]) for system in systems),
        _notes(plan, book, data, archs),
    )


def _cells(system: str, entry: dict) -> tuple[str, ...]:
    from zfjax.paper.evaluation.measure import wilson_interval

    hits, count = entry["hits"], entry["count"]
    low, high = wilson_interval(hits, count)
    interval = f"{100 * low:.1f} to {100 * high:.1f}"
    ours = (f"{100 * hits / count:.2f}", f"{hits:,} of {count:,}", interval, f"{entry['seconds']:.0f}")
    return (system, *ours, f"{BASELINES[system]:.2f}")


def _notes(plan: Plan, book: dict, data: Dataset, archs: dict[str, Arch]) -> tuple[str, ...]:
    cnn, plain = archs[CNN], archs[FEED_FORWARD]
    pixels = f"{cnn.image_size}x{cnn.image_size} {'grey' if cnn.channels == 1 else 'RGB'} pixels / 255"
    random = (
        "both splits pooled and divided again at random (a fifth for testing, random_state 8), as the tutorial does"
    )
    split = random if plan.split == "random" else "the data set's own split"
    entries = book["systems"].items()
    limits = [f"{system}: {entry['note']}." for system, entry in entries if entry.get("note")]
    return (
        f"Ours: {data.name}, {len(data.train):,} training and {len(data.val):,} test images in "
        f"{len(data.class_names)} classes, {split}; {pixels}, for the networks less their mean image.",
        f"Networks: {plain.name}, {plain.recipe.epochs} epochs; {cnn.name}, {cnn.recipe.epochs} epochs; seed "
        f"{plan.seed}; their seconds are those of the updates alone.",
        *limits,
        f"Tutorial: {TUTORIAL_TEST_IMAGES} test images of Sign Language Digits, a random split whose training and test "
        f"images share signers{', as in ours' if plan.split == 'random' else '; --split=random divides ours so too'}.",
    )
