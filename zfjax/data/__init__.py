"""Images in, batches out: data sets by name, their mean image, and what happens to them on the device.

Names load when first used: looking at a folder starts neither JAX nor Grain nor TFDS.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zfjax.data.dataset import Dataset, canvases_of, default_dataset, open_dataset, open_for
    from zfjax.data.pipeline.batches import check_batch, eval_batches, train_batches
    from zfjax.data.pipeline.mean import mean_image
    from zfjax.data.scenes.scenes import CLASS_NAMES, Scene, render
    from zfjax.data.source import Source

_HOME = {
    "CLASS_NAMES": "scenes.scenes",
    "Dataset": "dataset",
    "Scene": "scenes.scenes",
    "Source": "source",
    "canvases_of": "dataset",
    "check_batch": "pipeline.batches",
    "default_dataset": "dataset",
    "eval_batches": "pipeline.batches",
    "mean_image": "pipeline.mean",
    "open_dataset": "dataset",
    "open_for": "dataset",
    "render": "scenes.scenes",
    "train_batches": "pipeline.batches",
}

__all__ = [
    "CLASS_NAMES",
    "Dataset",
    "Scene",
    "Source",
    "canvases_of",
    "check_batch",
    "default_dataset",
    "eval_batches",
    "mean_image",
    "open_dataset",
    "open_for",
    "render",
    "train_batches",
]


def __getattr__(name: str):
    if name in _HOME:
        return getattr(importlib.import_module(f"zfjax.data.{_HOME[name]}"), name)
    raise AttributeError(f"module 'zfjax.data' has no attribute {name!r}")
