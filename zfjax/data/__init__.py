"""Images in, batches out: data sets by name, their mean image, and what happens to them on the device.

Names load when first used: looking at a folder starts neither JAX nor Grain nor TFDS.
"""

import importlib

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

__all__ = [*_HOME]


def __getattr__(name: str):
    if name in _HOME:
        return getattr(importlib.import_module(f"zfjax.data.{_HOME[name]}"), name)
    raise AttributeError(f"module 'zfjax.data' has no attribute {name!r}")
