"""The range of every number that a flag takes, of all commands, in one table. Imports nothing heavy: a flag that
cannot be is answered at once, by every command in the same words."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from zfjax.errors import InputError

WHOLE = 2**31 - 1  # counts are kept in 32 bits


@dataclass(frozen=True)
class Range:
    """Numbers in low..high; above: low itself is none of them."""

    low: float
    high: float = WHOLE
    above: bool = False

    def wrong(self, value: float) -> str | None:
        """What the value must be and is not; None where it lies within. An infinite one never does, nor NaN."""
        if not (isinstance(value, int) or math.isfinite(value)):
            return "a finite number"
        if value < self.low or (self.above and value == self.low):
            return f"above {self.low:g}" if self.above else f"at least {self.low:g}"
        return f"at most {self.high}" if value > self.high else None


_COUNT, _FROM_ZERO = Range(1), Range(0)
_SEED = Range(0, WHOLE)  # what JAX makes a key of in 32 bits
_ABOVE_ZERO, _SIDE = Range(0, 1e30, above=True), Range(1, 2**17)
_STEPS = Range(2, 10_000)  # of a curve
RANGES: dict[str, Range] = {
    "batch_size": _COUNT,
    "checkpoint_secs": Range(0, 1e30),
    "epochs": Range(1, 10**6),
    "filter_rms": Range(0, 1e30),
    "folds": Range(1, 10**6),
    "grad_accum": _COUNT,
    "image_size": _SIDE,
    "input_scale": _ABOVE_ZERO,
    "keep_epochs": _FROM_ZERO,
    "learning_rate": _ABOVE_ZERO,
    "limit": _COUNT,
    "num_images": _COUNT,
    "num_maps": _COUNT,
    "num_processes": _COUNT,
    "num_threads": Range(1, 10_000),
    "overlap_threshold": Range(0, 1, above=True),
    "patience": _FROM_ZERO,
    "percentile": Range(0, 100, above=True),
    "process_id": _FROM_ZERO,
    "port": Range(0, 65535),
    "profile": Range(0, 1000),  # a trace of more would not open any more
    "scratch_epochs": Range(1, 10**6),
    "seed": _SEED,
    "seeds": _SEED,
    "size": _SIDE,
    "smallest_side": Range(1, 4096),  # of canvases, whose mean image a run keeps
    "step": _FROM_ZERO,
    "test_per_class": _COUNT,
    "top": Range(1, 10**6),
    "train_images": _COUNT,
    "train_sample": _COUNT,
    "warmup_steps": Range(0, 10**9),
    "weight_decay": Range(0, 1e30),
    "width": _ABOVE_ZERO,
    "compare_methods.masks": _COUNT,
    "compare_methods.samples": _COUNT,
    "correspondence.count": _COUNT,
    "correspondence.draws": Range(1, 10**6),
    "correspondence.examples": Range(0, 10_000),
    "correspondence.size": _SIDE,
    "evolution.num_maps": _COUNT,
    "evolution.sample": Range(2),
    "evolution.threshold": Range(-1, 1),
    "gallery.thumb": Range(16, 512),
    "invariance.num_images": _COUNT,
    "invariance.rotation": Range(0, 1e6, above=True),
    "invariance.rotation_steps": _STEPS,
    "invariance.scale": Range(1, 1000, above=True),
    "invariance.scale_steps": _STEPS,
    "invariance.shift": Range(0, 1e6, above=True),
    "invariance.shift_steps": Range(1, 10_000),
    "maximal_activations.directions": Range(0, 10_000),
    "maximal_activations.units": _COUNT,
    "occlusion.others": Range(0, 10_000),
    "occlusion.size": _SIDE,
    "occlusion.stride": _SIDE,
    "occlusion.truth": Range(0, 10**6),
    "optimised.decay": Range(0, 10),
    "optimised.diversity": Range(0, 1e6),
    "optimised.rate": _ABOVE_ZERO,
    "optimised.steps": Range(1, 10**6),
    "optimised.units": _COUNT,
    "optimised.variants": Range(1, 16),
    "sanity.images": _COUNT,
    "sanity.masks": _COUNT,
    "sanity.samples": _COUNT,
    "sanity.stages": Range(2, WHOLE),  # of one the top layer and all layers would be the same
    "selection.faint": Range(0, 1),
    "selection.images": _COUNT,
}


def check_flags(config: Any, group: str = "") -> None:
    """Raises InputError for the first number in the fields of a dataclass, and of those in it, that is out of range.

    group: the name of the flags' group on the command line, such as "occlusion". None is no number.
    """
    for each in fields(config):
        value, name = getattr(config, each.name), f"{group}.{each.name}" if group else each.name
        if is_dataclass(value):
            check_flags(value, each.name)
        elif name in RANGES:
            check_flag(name, *(value if isinstance(value, tuple | list) else (value,)))


def check_flag(name: str, *values: Any) -> None:
    """The same for one flag by its name; what is no number, such as text that is taken apart later, passes."""
    for value in values:
        if isinstance(value, int | float) and (wrong := RANGES[name].wrong(value)):
            raise InputError(f"--{name} must be {wrong}, not {value}")
