"""Checksums of small files that belong together, kept in a JSON file among them: is what is read what was written?

Files of earlier versions have none.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from zfjax.runtime.files import json_crc32

CHECKSUMS, CHECKED = "checksums", "checked"


def sealed(data: dict, name: str, files: Mapping[str, bytes]) -> dict:
    """The object of a JSON file with two more keys: the checksums of the files, and of itself as `name`.

    data: as JSON gives it back, with lists for tuples.
    """
    data = {**data, CHECKED: True}  # so that damage to the one key cannot hide the other
    sums = {file: zlib.crc32(content) for file, content in files.items()}
    return {**data, CHECKSUMS: {**sums, name: checksum(data)}}


def unsealed(data: dict) -> dict:
    """The object without the two keys."""
    return {key: value for key, value in data.items() if key not in (CHECKED, CHECKSUMS)}


def is_sealed(data: dict) -> bool:
    """Whether it has either key: damage takes one of them at the most."""
    return CHECKED in data or CHECKSUMS in data


def changed(data: dict, name: str, files: Mapping[str, bytes]) -> str | None:
    """The first file that is not what was written, if any: `name` itself or one of the others."""
    if not is_sealed(data):
        return None
    sums = data.get(CHECKSUMS)
    if not isinstance(sums, dict) or sums.get(name) != checksum(data):
        return name
    return next((file for file, content in files.items() if sums.get(file) != zlib.crc32(content)), None)


def checksum(data: dict) -> int:
    """Of the values of a JSON file, but for its checksums."""
    return json_crc32({key: value for key, value in data.items() if key != CHECKSUMS})
