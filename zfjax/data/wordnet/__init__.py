"""ImageNet's 1,000 classes: their numbers in WordNet 3.0 and its names for them (LICENSE beside the table)."""

from __future__ import annotations

import functools
from pathlib import Path


@functools.cache
def imagenet_synsets() -> dict[str, tuple[str, ...]]:
    """{WordNet number: names, the most usual first}, in the order of the labels: {"n01440764": ("tench", ...), ...}."""
    lines = Path(__file__).with_name("imagenet.tsv").read_text(encoding="utf-8").splitlines()
    return {wnid: tuple(names.split(", ")) for wnid, names in (line.split("\t") for line in lines)}


def imagenet_names() -> tuple[str, ...]:
    """The most usual name of each class, in the order of the labels; "crane" and "maillot" occur twice."""
    return tuple(names[0] for names in imagenet_synsets().values())
