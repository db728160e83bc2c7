"""Records of a source as the rows of one batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zfjax.data.source import Source
from zfjax.errors import InputError

Batch = dict[str, np.ndarray]


def read_rows(source: Source, indices: Sequence[int]) -> Batch:
    """Every entry of these records as an array with one row a record; raises InputError for a broken image.

    Each image goes to its row when it is read, or, by a source that has `read_into`, is read into its row: as a heap of
    single images a batch would be in memory twice, and leave the processor's cache before it is copied.
    """
    # Asked of its class: a source around another one may have the other's methods by __getattr__.
    read_into = getattr(type(source), "read_into", None)
    images, entries = np.empty(0, np.uint8), []
    for row, index in enumerate(indices):
        if row and read_into:
            entries.append(read_into(source, index, images[row]))
            continue
        record = source[index]
        if not row:
            images = np.empty((len(indices), *record["image"].shape), record["image"].dtype)
        image = record["image"]
        if (image.shape, image.dtype) != (images.shape[1:], images.dtype):
            raise InputError(
                f"image {index} is {image.dtype} {list(image.shape)}, and the first one of its batch {images.dtype} "
                f"{list(images.shape[1:])}: all images of a source must be alike"
            )
        images[row] = image
        entries.append({key: value for key, value in record.items() if key != "image"})
    return {"image": images, **{key: np.array([entry[key] for entry in entries]) for key in entries[0]}}
