"""Which image stands at which place of a training run, and how it is cut: numbers that a seed fixes for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import SupportsInt

import numpy as np

# Grain gives each step of a pipeline a seed of its own, by how many steps it stands behind .seed().
_SHUFFLE, _RANDOM_MAP = 1, 3

Crop = tuple[SupportsInt, SupportsInt, SupportsInt]  # top, left, flip


class Order:
    """The order of Grain's pipeline source.seed(seed).shuffle().repeat().random_map(draw), and what it draws.

    To the bit, so that runs go on which were begun when it was that pipeline; but asked for many places at once, for
    going through Grain's steps one image after the other takes 30 us of Python each, and this 8.
    """

    def __init__(self, images: int, seed: int):
        self.images = images
        self._shuffle_seed, self._draw_seed = (
            int(np.random.SeedSequence((seed, steps)).generate_state(1)[0]) for steps in (_SHUFFLE, _RANDOM_MAP)
        )

    def indices(self, places: Iterable[int]) -> list[int]:
        """The image at each place, counted from the first of the first epoch; every epoch has each image once."""
        from grain.experimental import index_shuffle

        last, indices = self.images - 1, []
        for place in places:
            epoch, place = divmod(place, self.images)
            seed = (self._shuffle_seed + epoch) % 2**32
            indices.append(index_shuffle(place, max_index=last, seed=seed, rounds=4))
        return indices

    def crops(self, places: Iterable[int], draw: Callable[[np.random.Generator], Crop]) -> np.ndarray:
        """Int32 [places, 3]: what `draw` makes of each place's own random numbers, whichever image stands there."""
        rng, crops = np.random.Generator(np.random.Philox(self._draw_seed)), []
        start = rng.bit_generator.state
        for place in places:
            start["state"]["counter"][3] = place
            rng.bit_generator.state = start
            crops.append(draw(rng))
        return np.array(crops, np.int32)
