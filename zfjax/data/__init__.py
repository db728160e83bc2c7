"""Images in, batches out: data sets by name, their mean image, and what happens to them on the device.

Names load when first used: looking at a folder starts neither JAX nor Grain nor TFDS.
"""

import importlib

_HOME = {
    "CLASS_NAMES": "scenes",
    "Dataset": "sources",
    "Scene": "scenes",
    "Source": "sources",
    "centre_crop": "preprocess",
    "check_batch": "loader",
    "crop_images": "preprocess",
    "default_dataset": "sources",
    "eval_batches": "loader",
    "mean_image": "mean",
    "open_dataset": "sources",
    "render": "scenes",
    "ten_crops": "preprocess",
    "to_canvas": "images",
    "train_batches": "loader",
}
_MODULES = (
    "array_record",
    "cache",
    "face",
    "folder",
    "imagenet",
    "images",
    "loader",
    "mean",
    "objects",
    "paint",
    "pool",
    "prepare",
    "prepared",
    "prepared_writer",
    "preprocess",
    "records",
    "scenes",
    "sources",
    "tfds_source",
    "tfrecord",
    "voc",
)

__all__ = [*_HOME]


def __getattr__(name: str):
    if name in _MODULES:
        return importlib.import_module(f"zfjax.data.{name}")
    if name in _HOME:
        return getattr(importlib.import_module(f"zfjax.data.{_HOME[name]}"), name)
    raise AttributeError(f"module 'zfjax.data' has no attribute {name!r}")
