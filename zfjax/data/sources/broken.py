"""Broken images of a data set: passed over and remembered, where the user asks for that."""

from __future__ import annotations

import numpy as np

from zfjax import terminal
from zfjax.data.source import Record, Source
from zfjax.errors import BadImage, InputError
from zfjax.terminal import visible

_SHOWN = 20
_IN_A_ROW = 1000  # so many broken images one after the other are no accident


class Broken:
    """What was found broken while images were read: {file or record: what is wrong}, each once."""

    def __init__(self):
        self.found: dict[str, str] = {}

    def report(self) -> str:
        """Several lines for the user; empty when all was well."""
        if not self.found:
            return ""
        messages = sorted(self.found.values())
        more = [f"  and {len(messages) - _SHOWN} more"] * (len(messages) > _SHOWN)
        head = f"{len(messages)} broken image{'s' * (len(messages) > 1)} left out:"
        return "\n".join([head, *(f"  {visible(message)}" for message in messages[:_SHOWN]), *more])

    def say(self, who: str = "") -> None:
        """Prints the report, if there is any. who: put before it."""
        if text := self.report():
            terminal.say(*f"{who}{text}".split("\n"))


class SoundSource:
    """A source in which the next sound image stands in for a broken one, so that numbers and batches stay as they are.

    Its records have "sound": False for a stand-in, which is no image of that number and does not count in evaluation.
    """

    def __init__(self, source: Source, broken: Broken):
        self.source, self.broken, self.class_names = source, broken, source.class_names

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> Record:
        index = range(len(self))[int(index)]
        for step in range(min(len(self), _IN_A_ROW)):
            other = (index + step) % len(self)
            try:
                record = self.source[other]
            except BadImage as error:
                self.broken.found[self.source.describe(other)] = last = str(error)
                continue
            return {**record, "index": np.int32(index), "sound": np.bool_(step == 0)}
        raise InputError(f"{step + 1} images in a row are broken, the last: {last}")

    def describe(self, index: int) -> str:
        return self.source.describe(index)
