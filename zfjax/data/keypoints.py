"""Parts of objects by place: from a file, or from the scenes' faces; and where they end up in a network's input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zfjax.canvas import Resampling, to_canvas
from zfjax.data.scenes.scenes import CLASS_NAMES, render
from zfjax.errors import InputError
from zfjax.image_files import identify, read_image
from zfjax.runtime.files import parse_json, read_bytes

Point = tuple[float, float]  # (x, y): a pixel at column j covers x in [j, j + 1)


class Portrait(NamedTuple):
    """An image as a canvas and the places of its parts in the centre crop that a network sees."""

    name: str
    canvas: np.ndarray  # uint8 [S, S, C]
    parts: dict[str, Point]


class Record(NamedTuple):
    """One image of a file of keypoints."""

    path: Path
    parts: dict[str, Point]  # in pixels of the image file
    recommended: bool


def to_network(point: Point, width: int, height: int, *, canvas_size: int, image_size: int) -> Point:
    """A place of an image in its centre crop, after `to_canvas` has resized and cut it; may lie outside.

    point: (x, y) in the upright image of width x height pixels.
    """
    side, margin = min(width, height), (canvas_size - image_size) // 2
    x, y = (
        (place - (length - side) // 2) * canvas_size / side - margin
        for place, length in zip(point, (width, height), strict=True)
    )
    return x, y


def read_keypoints(path: str | Path) -> list[Record]:
    """The images of a JSON file with the places of their parts; image files are looked for beside it.

    The file is a list of records {"file": ..., part: [x, y], ...} or a dict {file: {part: [x, y], ...}}. Pairs of
    numbers are parts unless their names begin with "original_"; "recommended" may be false. Raises InputError.
    """
    try:
        data = parse_json(read_bytes(Path(path)))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read keypoints from {path}: {getattr(error, 'strerror', None) or error}") from error
    entries = [{**fields, "file": file} for file, fields in data.items()] if _is_table(data) else data
    if not isinstance(entries, list) or not entries or not all(isinstance(each, dict) for each in entries):
        raise InputError(f'{path} should be a list of {{"file": ..., part: [x, y]}} or a dict file -> {{part: [x, y]}}')
    return [_record(Path(path), entry) for entry in entries]


def _is_table(data) -> bool:
    return isinstance(data, dict) and all(isinstance(fields, dict) for fields in data.values())


def _record(path: Path, entry: dict) -> Record:
    parts = {name: (float(at[0]), float(at[1])) for name, at in entry.items() if _is_part(name, at)}
    file = entry.get("file")
    if not isinstance(file, str) or not parts:
        raise InputError(f"{path}: an image needs a file and a part [x, y], got {json.dumps(entry)[:80]}")
    if Path(file).is_absolute() or ".." in Path(file).parts:
        raise InputError(f"{path}: images lie beside it or in folders there, and {file[:80]!r} does not")
    return Record(path.parent / file, parts, bool(entry.get("recommended", True)))


def _is_part(name: str, at) -> bool:
    numbers = isinstance(at, list) and [type(x) in (int, float) and abs(x) < 1e9 for x in at] == [True, True]
    return numbers and not name.startswith("original_")


def load_portrait(
    record: Record,
    parts: tuple[str, ...],
    *,
    canvas_size: int,
    image_size: int,
    channels: int,
    resampling: Resampling = "bilinear",
) -> Portrait:
    """The image of a record and the named parts. Raises InputError for a broken image and a part that is not seen."""
    try:
        data = read_image(record.path)
        canvas = to_canvas(data, canvas_size, channels, resampling)
    except InputError as error:
        raise InputError(f"{record.path}: {error}") from error
    sizes = {"canvas_size": canvas_size, "image_size": image_size}
    width, height = _upright_size(data)
    places = {part: to_network(record.parts[part], width, height, **sizes) for part in parts}
    for part, place in places.items():
        if not _inside(place, image_size):
            x, y = record.parts[part]
            raise InputError(
                f"{record.path}: {part} at ({x:g}, {y:g}) of {width}x{height} pixels is outside the centre crop"
            )
    return Portrait(record.path.name, canvas, places)


def scene_portrait(index: int, split: str, *, canvas_size: int, image_size: int) -> Portrait | None:
    """A face of the embedded scenes; None for other scenes, and where the centre crop cuts off a part."""
    if index % len(CLASS_NAMES) != CLASS_NAMES.index("face"):  # the labels take turns
        return None
    scene = render(index, size=canvas_size, split=split)
    sizes = {"canvas_size": canvas_size, "image_size": image_size}
    places = {part: to_network(at, canvas_size, canvas_size, **sizes) for part, at in (scene.keypoints or {}).items()}
    seen = all(_inside(place, image_size) for place in places.values())
    return Portrait(f"{split} {index}", scene.image, places) if seen else None


def _inside(place: Point, size: int) -> bool:
    return all(0 <= number < size for number in place)


def _upright_size(data: bytes) -> tuple[int, int]:
    """(width, height) after EXIF orientation; `to_canvas` has read these bytes already."""
    with identify(data) as image:
        width, height = image.size
        try:
            turned = image.getexif().get(0x0112) in (5, 6, 7, 8)
        except Exception:  # as in to_canvas: the pixels are taken as they lie
            turned = False
    return (height, width) if turned else (width, height)
