"""The per-pixel mean image of a data set (section 3)."""

from __future__ import annotations

from typing import Any

import numpy as np

from zfjax.data.pipeline.batches import eval_batches
from zfjax.data.source import Source
from zfjax.terminal import meter


def mean_image(
    source: Source, *, batch_size: int = 256, progress: bool = False, process_index: int = 0, process_count: int = 1
) -> np.ndarray:
    """Float32 [S, S, C] in 0..255: the mean over all images of a source, each counted once.

    progress: shows a bar with rate and time left. Of several processes each reads its share, and all get the same mean.
    Sums are whole numbers (uint64), so the order does not matter. Raises InputError for an image that cannot be read.
    """
    from zfjax.runtime.processes import summed

    total, count = np.zeros(source[0]["image"].shape, np.uint64), 0
    share: dict[str, Any] = {"process_index": process_index, "process_count": process_count}
    batch_size = max(1, min(batch_size, len(source)) // process_count) * process_count
    with meter(total=len(source), desc="mean image", unit="image", disable=not progress) as bar:
        for batch in eval_batches(source, batch_size=batch_size, **share):
            images = batch["image"][batch["mask"]]
            total += images.sum(axis=0, dtype=np.uint64)
            count += len(images)
            bar.update(min(batch_size, len(source) - bar.n))
    return (summed(total) / summed(np.array([count], np.uint64))).astype(np.float32)
