"""Training on labels that mean nothing: what a network learns that can only learn its images by heart."""

from __future__ import annotations

import dataclasses

import numpy as np

from zfjax.data.dataset import Dataset
from zfjax.data.source import Record, Source


class RandomLabels:
    """A source whose labels the seed has drawn, in Grain's random-access protocol: a pure function of seed and number.

    Every class gets as many images as any other, or one more. The true labels are not asked for: to permute them they
    would have to be known, which of most data sets takes reading all images. Where another image stands in for a broken
    one (`zfjax.data.sources.broken`), it has the label of its place.
    """

    def __init__(self, source: Source, seed: int):
        self.source, self.class_names = source, source.class_names
        self.labels = (np.random.default_rng(seed).permutation(len(source)) % len(source.class_names)).astype(np.int32)

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> Record:
        return {**self.source[index], "label": self.labels[index]}

    def describe(self, index: int) -> str:
        return self.source.describe(index)


def with_random_labels(dataset: Dataset, seed: int) -> Dataset:
    """The data set to train on of the data randomisation test: Adebayo et al. 2018 (arXiv 1810.03292, section 4), after
    Zhang et al. 2016 (arXiv 1611.03530, section 2). Validation images keep their true labels."""
    origin = f"{dataset.origin}, the training labels drawn at random"
    return dataclasses.replace(dataset, train=RandomLabels(dataset.train, seed), origin=origin)
