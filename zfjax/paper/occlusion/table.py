"""What covering the object's box does to the class and to its map, as text (section 4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from zfjax.draw.markdown import Table

if TYPE_CHECKING:
    from zfjax.paper.occlusion.truth import Truth


def truth_table(truths: Sequence[Truth]) -> Table:
    """A row for the class's probability and one for the strongest map's activity; means over the images."""
    import jax
    import jax.numpy as jnp

    from zfjax.attribution.measures.bootstrap import confidence

    names = {"probability": "the class's probability", "activity": "the strongest map's activity"}
    columns = ("", "lowest in the box, %", "lost with the box covered, %", "lost elsewhere, %")
    values = [
        [getattr(truth, f"{what}_hit"), getattr(truth, what).inside, getattr(truth, what).elsewhere]
        for what in names
        for truth in truths
    ]
    by_image = jnp.asarray(values).reshape(len(names), len(truths), 3).swapaxes(0, 1)
    found = confidence(by_image, jax.random.key(0))
    means, lows, highs = (100 * np.asarray(each) for each in found[:3])
    rows = tuple(
        (name, *(f"{mean:.1f} ({low:.1f} to {high:.1f})" for mean, low, high in zip(*each, strict=True)))
        for name, *each in zip(names.values(), means, lows, highs, strict=True)
    )
    chance = 100 * float(np.mean([truth.chance for truth in truths]))
    together = float(np.nanmean([truth.correlation for truth in truths]))
    note = (
        f"{len(truths)} scenes whose objects' boxes are known; in brackets 95 % intervals (bootstrap over the scenes).",
        f"{chance:.1f} % of the square's places have their middle in the box: what chance would find there.",
        f"Correlation over places of activity and probability, mean over the scenes: {together:.2f}.",
    )
    return Table("The square against the objects' true boxes", columns, rows, note)
