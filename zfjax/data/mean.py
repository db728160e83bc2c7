"""The per-pixel mean image of a data set (section 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zfjax.data.loader import eval_batches

if TYPE_CHECKING:
    from zfjax.data.sources import Source


def mean_image(source: Source, *, batch_size: int = 256, progress: bool = False) -> np.ndarray:
    """Float32 [S, S, C] in 0..255: the mean over all images of a source, each counted once.

    progress: shows a bar with rate and time left. Sums are whole numbers (uint64), so the order does not matter.
    Raises InputError for an image that cannot be read.
    """
    from tqdm import tqdm

    total: np.ndarray | int = 0
    batch_size = min(batch_size, len(source))
    with tqdm(total=len(source), desc="mean image", unit="image", disable=not progress) as bar:
        for batch in eval_batches(source, batch_size=batch_size):
            images = batch["image"][batch["mask"]]
            total = total + images.sum(axis=0, dtype=np.uint64)
            bar.update(len(images))
    return (total / len(source)).astype(np.float32)
