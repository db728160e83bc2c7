"""The folder checkpoints/ of a run: which steps there are, which of them stay, and those that are set aside."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zfjax.errors import InputError
from zfjax.runs.folder import CHECKPOINTS
from zfjax.runtime.files import parse_json, read_bytes


def steps(path: str | Path) -> list[int]:
    """The steps of a run folder that have a checkpoint, oldest first. Raises InputError where they cannot be listed."""
    folder = Path(path) / CHECKPOINTS
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise InputError(f"cannot read {folder} ({error.strerror})") from error
    return sorted(int(name) for name in names if re.fullmatch("0|[1-9][0-9]*", name))  # an unfinished one has a suffix


def read_about(folder: Path) -> dict:
    """What a step says of itself: its leaves, its metrics, whether it is kept. Raises OSError and ValueError."""
    return parse_json(read_bytes(folder / "about" / "metadata"))


def about_or_none(folder: Path) -> dict | None:
    """The same; None where it cannot be read."""
    try:
        return read_about(folder)
    except (OSError, ValueError):
        return None


def sums_of(about: dict | None) -> dict[str, float]:
    """The sums that a step says it was saved with; none where it has none, as in earlier versions, or no numbers."""
    sums = (about or {}).get("sums")
    if not isinstance(sums, dict) or not all(isinstance(value, float) for value in sums.values()):
        return {}
    return sums if all(map(math.isfinite, sums.values())) else {}


@dataclass(frozen=True)
class Retention:
    """orbax's preservation policy: the newest, the best, the marked, and those of which nothing is known.

    Not orbax's BestN: it reads the metrics of all steps when it starts, and one damaged file would end every start.
    about: what each step says of itself. latest: how many of the newest stay.
    """

    about: dict[int, dict | None]
    latest: int

    def should_preserve(self, checkpoints: Sequence, *, context: Any) -> list[bool]:
        """For each of the checkpoints, oldest first, whether it stays."""
        steps = [checkpoint.step for checkpoint in checkpoints]
        scores = {step: (self.about.get(step) or {}).get("metrics", {}).get("val_top1", math.nan) for step in steps}
        ranked = sorted((score, step) for step, score in scores.items() if not math.isnan(score))
        keep = {*steps[-self.latest :], *(step for _, step in ranked[-1:])}
        return [step in keep or (self.about.get(step) or {"keep": True})["keep"] for step in steps]


def set_aside(folder: Path, damaged: Iterable[int]) -> None:
    """Moves steps of checkpoints/ into its folder damaged/."""
    aside = folder / "damaged"
    aside.mkdir(exist_ok=True)
    for step in damaged:
        again = sum(path.name.split(".")[0] == str(step) for path in aside.iterdir())
        (folder / str(step)).rename(aside / (f"{step}.{again}" if again else str(step)))
