"""Images that two data sets share, found by normalised correlation (section 5.1)."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from zfjax.data import Source, eval_batches
from zfjax.terminal import meter, visible

SIDE = 32  # pixels; the paper says neither at what size nor above what value it called two images the same
THRESHOLD = 0.95


class Match(NamedTuple):
    """Two images that look the same: their numbers, and how alike they are."""

    image: int
    other: int
    correlation: float


class _Signatures:
    """A source whose images are signatures: made where they are read, on as many threads."""

    def __init__(self, source: Source):
        self.source, self.class_names = source, source.class_names

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        record = self.source[index]
        return {**record, "image": signature(record["image"])}

    def describe(self, index: int) -> str:
        return self.source.describe(index)


def signature(image: np.ndarray) -> np.ndarray:
    """float32 [1024] of mean 0 and length 1 from uint8 [H, W, C]: the image in grey at 32x32; zeros for a flat one.

    The inner product of two signatures is the normalised correlation of the two small images.
    """
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).convert("L")
    small = np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BOX), np.float32).ravel()
    small = small - small.mean()
    length = np.linalg.norm(small)
    return small / length if length > 1e-3 else np.zeros_like(small)


def overlaps(
    source: Source, others: Source, *, threshold: float = THRESHOLD, batch_size: int = 256, progress: bool = False
) -> list[Match]:
    """All pairs, an image of `source` and one of `others`, whose correlation reaches the threshold, strongest first.

    Memory: the signatures of `source` (4 kB an image) and one batch of `others`, of which there may be a million.
    """
    theirs = jnp.asarray(np.concatenate([batch for _, batch in _batches(source, batch_size, progress, "signatures")]))
    matches = []
    for start, batch in _batches(others, batch_size, progress, "comparing"):
        found = np.asarray(_correlations(jnp.asarray(batch), theirs))
        for row, column in np.argwhere(found >= threshold).tolist():
            matches.append(Match(column, start + row, float(found[row, column])))
    return sorted(matches, key=lambda match: (-match.correlation, match.image, match.other))


@jax.jit
def _correlations(ours: jax.Array, theirs: jax.Array) -> jax.Array:
    return jnp.matmul(ours, theirs.T, precision="highest")  # a GPU's default would be off by more than a twin is


def _batches(source: Source, batch_size: int, progress: bool, what: str):
    """(number of the first, signatures [n, 1024]) of one batch after the other."""
    batches = eval_batches(_Signatures(source), batch_size=min(batch_size, len(source)))
    with meter(total=len(source), desc=what, unit=" images", disable=not progress) as bar:
        for start, batch in zip(itertools.count(0, min(batch_size, len(source))), batches, strict=False):
            yield start, batch["image"][batch["mask"]]
            bar.update(int(batch["mask"].sum()))


def listing(
    matches: list[Match], source: Source, others: Source, labels: np.ndarray, *, threshold: float = THRESHOLD
) -> str:
    """What was found, for a human to check: counts by class, then every pair with the places of its images."""
    images = sorted({match.image for match in matches})
    names, counts = source.class_names, np.bincount(labels[images], minlength=len(source.class_names))
    worst = sorted(np.flatnonzero(counts).tolist(), key=lambda label: (-counts[label], label))
    head = (
        f"{len(images)} of {len(source):,} images look like one of {len(others):,} training images of the network\n"
        f"(normalised correlation of grey {SIDE}x{SIDE} images of {threshold:g} or more)\n"
    )
    classes = "".join(f"{counts[label]:5}  {visible(names[label])}\n" for label in worst)
    rows = (f"{m.correlation:.4f}  {source.describe(m.image)}  {others.describe(m.other)}" for m in matches)
    pairs = "".join(f"{visible(row)}\n" for row in rows)
    return f"{head}\n{classes}\n{pairs}"
