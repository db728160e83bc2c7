"""PASCAL VOC of TensorFlow Datasets: images that may show several classes (Table 6)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from zfjax.canvas import Resampling, to_canvas
from zfjax.data.source import Record, class_numbers
from zfjax.data.sources.tfds import Records, prepared_builder
from zfjax.errors import BadImage, InputError

SPLITS = ("train", "validation")  # the labels of VOC 2012's test images are not public


class VocSource:
    """The images of one split; a label is int8 [classes]: 1 present, 0 absent, -1 if only there as "difficult"."""

    def __init__(self, name: str, records: Any, class_names: tuple[str, ...], **canvas: Any):
        self.name, self.records, self.class_names = name, records, class_names
        self.canvas = canvas  # size, channels, resampling, as `to_canvas` takes them

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Record:
        try:
            record = self.records[int(index)]
            image = to_canvas(record["image"], **self.canvas)
            shown, clear = (
                class_numbers(record.get(key), len(self.class_names), ndim=1)
                for key in ("labels", "labels_no_difficult")
            )
        except InputError as error:
            raise BadImage(f"{self.describe(index)} ({self.records.describe(int(index))}): {error}") from error
        label = np.zeros(len(self.class_names), np.int8)
        label[shown] = -1
        label[clear] = 1
        return {"image": image, "label": label, "index": np.int32(index)}

    def describe(self, index: int) -> str:
        return f"{self.name} record {index}"


def open_voc(
    name: str,
    *,
    canvas_size: int,
    channels: int = 3,
    resampling: Resampling = "bilinear",
    data_dir: str | Path | None = None,
) -> tuple[VocSource, VocSource]:
    """Training and validation images of "voc/2012" or another of its years; prepared if absent.

    Raises InputError as `zfjax.data.open_dataset` does, and for a set that is made otherwise.
    """
    builder = prepared_builder(name, data_dir)
    features: Any = builder.info.features
    if wrong := [key for key in ("image", "labels", "labels_no_difficult") if key not in features]:
        raise InputError(f"{name} has no {wrong[0]}; only TFDS sets made like voc/2012 will do")
    class_names = tuple(features["labels"].feature.names)
    train, val = (
        VocSource(
            f"{name} {split}",
            Records(builder, split, ("image",)),
            class_names,
            size=canvas_size,
            channels=channels,
            resampling=resampling,
        )
        for split in SPLITS
    )
    return train, val
