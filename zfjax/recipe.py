"""How a network is trained: a value that an architecture carries, since its initial weights follow it. No JAX."""

from __future__ import annotations

from dataclasses import dataclass, fields

from zfjax import checks


@dataclass(frozen=True)
class Recipe:
    """How a network is trained unless flags say otherwise. The defaults are the paper's (section 3), but
    for weight_decay, which is of Krizhevsky et al. 2012."""

    optimizer: str = "sgd"  # "sgd" (momentum 0.9) or "adam"
    learning_rate: float = 0.01
    weight_decay: float = 5e-4  # not in the paper; Krizhevsky et al. 2012
    batch_size: int = 128
    epochs: int = 70
    init: str = "paper"  # "paper": N(0, 0.01^2); "he": N(0, 2 / fan_in)
    schedule: str = "plateau"  # "plateau": a tenth whenever validation stalls; "cosine": to zero; "constant"
    warmup_steps: int = 0
    rate_scale: float = 1.0  # by what the rate is multiplied for a batch of another size than it was chosen for
    crops: str = "ten"  # "ten": corners and centre, flipped or not; "random"; "whole": the image as it is
    subtract_mean: bool = True
    filter_rms: float = 0.1  # radius that convolution filters are scaled back to; 0 turns it off
    auxiliary: tuple[str, ...] = ()  # layers that answer too, while training: classifiers half-way up
    auxiliary_weight: float = 0.3  # of each one's loss beside the network's own (Szegedy et al. 2014, section 5)

    def __post_init__(self):
        what = 'auxiliary must be a tuple of names of layers, such as ("loss1/classifier",)'
        object.__setattr__(self, "auxiliary", checks.require(checks.names, self.auxiliary, what))
        checks.require(checks.number(0), self.rate_scale, "rate_scale must be a finite number from 0 on")
        what = "auxiliary_weight must be a finite number from 0 on"
        checks.require(checks.number(0), self.auxiliary_weight, what)

    def in_words(self) -> str:
        """All of it, by the names of the flags that change it; what is off is left out."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        off = {"rate_scale": self.rate_scale == 1, "warmup_steps": not self.warmup_steps}
        off |= dict.fromkeys(("auxiliary", "auxiliary_weight"), not self.auxiliary)
        return ", ".join(f"{name} {_shown(value)}" for name, value in values.items() if not off.get(name))

    @property
    def top_rate(self) -> float:
        """The learning rate when it has risen and not yet fallen."""
        return self.learning_rate * self.rate_scale


def _shown(value: object) -> str:
    return " ".join(value) if isinstance(value, tuple) else f"{value:g}" if isinstance(value, float) else str(value)
