"""The configuration of a run: as text, in the words of this version, and compared with another."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Collection, Iterator
from typing import Any

from zfjax.arch import Arch
from zfjax.runs.results import differences

PLACES = ("folder", "prepared")  # kinds of data sets whose name has a path


def to_json(config: dict) -> bytes:
    """As config.json has it."""
    return (json.dumps(config, indent=2, default=plain) + "\n").encode()


def plain(value: Any) -> object:
    """What JSON does not know, as it is written: numbers of numpy and JAX as plain ones, all else as text."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def whole_path(path: str) -> str:
    """A path as it is recorded: from the root and without a slash at the end, so that it holds in any folder."""
    return os.path.abspath(os.path.expanduser(path))


def placed(name: str) -> str:
    """The name of a data set with its path, if it has one, as it is recorded."""
    kind, _, path = name.partition(":")
    return f"{kind}:{whole_path(path)}" if kind in PLACES and path else name


def as_today(there: dict, here: dict) -> dict:
    """A recorded configuration in the words of this version: earlier ones had fewer fields in a layer, the scale of the
    input in the recipe, no preprocessing, which followed from the rest, nothing that tells their data from other data,
    and its path as it had been typed."""
    with contextlib.suppress(
        AttributeError, IndexError, KeyError, TypeError, ValueError
    ):  # not an architecture: then it differs, as it should
        there = {**there, "arch": json.loads(to_json(Arch.from_dict(there["arch"]).to_dict()))}
    if isinstance(name := there.get("dataset"), str):
        there = {**there, "dataset": placed(name)}
    return {**{key: here[key] for key in ("preprocess", "data") if key in here}, **there}


def config_differences(there: dict, here: dict, may_differ: Collection[str]) -> list[str]:
    """Every leaf that differs, also one that only one of them has; flags before the insides of the architecture."""
    old, new = dict(_leaves(there)), dict(_leaves(here))
    keys = sorted({**old, **new}, key=lambda key: key.count("."))
    keys = [key for key in keys if not any(f"{key}.".startswith(f"{free}.") for free in may_differ)]
    return differences(*({key: _shown(leaves, key) for key in keys} for leaves in (old, new)), show=str)


def data_differences(there: object, here: object) -> list[str]:
    """In words, how the data of a run ("data" in its configuration) differs from other data; where one is not known,
    nothing."""
    old, new = dict(_leaves(there)), dict(_leaves(here))
    if not (there and here):
        return []
    if old.get("kind") != new.get("kind"):
        return [f"a data set of the kind {old.get('kind')} there, {new.get('kind')} here"]
    words = []
    for split in ("train", "val"):
        images, files = ([known.get(f"{split}.{key}") for known in (old, new)] for key in ("images", "files_crc32"))
        if images[0] != images[1]:
            words.append(f"{split}: {images[0]} images there, {images[1]} here")
        elif files[0] != files[1]:
            words.append(f"{split}: {images[0]} images there and here, but other names or sizes")
    return words


def _leaves(value, prefix: str = "") -> Iterator[tuple[str, object]]:
    match value:
        case dict() if value:
            for key, child in value.items():
                yield from _leaves(child, f"{prefix}.{key}" if prefix else str(key))
        case list() if value:
            for index, child in enumerate(value):
                yield from _leaves(child, f"{prefix}.{index}")
        case _:
            yield prefix, value


def _shown(leaves: dict, key: str) -> str:
    return json.dumps(leaves[key]) if key in leaves else "nothing"
