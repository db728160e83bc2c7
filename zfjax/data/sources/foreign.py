"""What a TFDS build may not do that somebody else has made: run code of its own, or keep TFDS waiting for ever."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zfjax.errors import InputError
from zfjax.runtime.files import no_file


def refuse_pipes(build: Path) -> None:
    """TFDS opens whatever lies there, and would wait for a pipe and read a device to its end, which it has not."""
    if path := no_file(build):
        raise InputError(f"{path} is a pipe or a device, not a file; take it away")


@contextmanager
def own_features() -> Iterator[None]:
    """Builds opened in it may name TFDS's own kinds of features alone: it would import a module of any name.

    At the one place where names become classes, since a build says them in two formats and at any depth.
    """
    import tensorflow_datasets as tfds

    connector: Any = tfds.features.FeatureConnector
    found = connector.__dict__["cls_from_name"]

    def own(cls: type, name: str) -> type:
        if not name.startswith("tensorflow_datasets."):
            raise ValueError(f"its features.json names {name[:80]!r}, which is no feature of TFDS and is not imported")
        return found.__func__(cls, name)

    connector.cls_from_name = classmethod(own)
    try:
        yield
    finally:
        connector.cls_from_name = found
