"""The embedded data set: textured objects on cluttered grounds, rendered from (seed, split, index) with no files.

Everything is drawn in unit coordinates, so one index shows the same scene at every size, and the truth about it (class,
bounding box, the eyes, nose and mouth of a face) is known exactly.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFilter

from zfjax.data.scenes.objects import OBJECTS
from zfjax.data.scenes.paint import (
    Drawing,
    Palette,
    Shape,
    bar,
    draw_palette,
    ellipse,
    paint,
    polar,
    rotation,
)
from zfjax.data.source import Record
from zfjax.errors import InputError

CLASS_NAMES = tuple(OBJECTS)
SPLITS = {"train": 5000, "val": 1000}  # images in each by default

FACE_SIDE = (0.5, 0.75)  # faces stay large, so that eyes are several units of a middle layer
SIDE = (0.35, 0.75)  # longer side of the object's box, as a part of the image's side


class Scene(NamedTuple):
    """One picture and the truth about it. A pixel at column j covers x in [j, j + 1).

    image: uint8 [size, size, 3]. label: index into CLASS_NAMES. box: (top, left, bottom, right) in pixels, as floats.
    keypoints: left_eye, right_eye (as the viewer sees them), nose, mouth -> (x, y) in pixels; None but for faces.
    """

    image: np.ndarray
    label: int
    box: tuple[float, float, float, float]
    keypoints: dict[str, tuple[float, float]] | None


def render(index: int, *, size: int, seed: int = 0, split: str = "train") -> Scene:
    """Scene number `index` of a split at size x size pixels: a pure function of its arguments.

    Classes take turns: the label is index modulo ten. Raises InputError for an unknown split.
    """
    if split not in SPLITS:
        raise InputError(f"unknown split {split!r} of scenes; choose one of {', '.join(SPLITS)}")
    rng = np.random.default_rng([seed, list(SPLITS).index(split), index])
    label = index % len(CLASS_NAMES)
    palette = draw_palette(rng)
    drawing, keypoints = _draw_object(CLASS_NAMES[label], rng, palette)
    (left, top), (right, bottom) = drawing.points.min(axis=0).tolist(), drawing.points.max(axis=0).tolist()
    box, sun, grain = (top, left, bottom, right), polar(rng.uniform(0, 2 * np.pi), 1.0).tolist(), _noise(rng, 56, size)
    picture = _ground(rng, palette, size, grain)
    _lay_over(picture, paint(_clutter(rng), size))
    layer = paint(drawing, size)
    picture *= _shadow(layer[3], sun)
    layer[:3] *= _shade(box, sun, grain)
    _lay_over(picture, layer)
    picture *= _light(rng, size)
    image = np.ascontiguousarray(np.minimum(picture, 255, out=picture).astype(np.uint8).transpose(1, 2, 0))
    scaled = {name: (x * size, y * size) for name, (x, y) in keypoints.items()}
    return Scene(image, label, tuple(size * edge for edge in box), scaled or None)


def _draw_object(name: str, rng: np.random.Generator, palette: Palette) -> tuple[Drawing, dict]:
    """The object of a class, turned, scaled to its part of the image and put somewhere inside; and its keypoints."""
    draw, max_turn = OBJECTS[name]
    drawn = draw(rng, palette)
    shapes, keypoints = drawn if isinstance(drawn, tuple) else (drawn, {})
    matrix = rotation(rng.uniform(-max_turn, max_turn))
    drawing = Drawing.of(shapes).move(matrix, np.zeros(2))
    low, high = drawing.points.min(axis=0), drawing.points.max(axis=0)
    smallest, largest = FACE_SIDE if name == "face" else SIDE
    scale = (smallest + (largest - smallest) * math.sqrt(rng.random())) / (high - low).max()  # more large than small
    shift = (1 - (high - low) * scale) * rng.triangular(0.02, 0.5, 0.98, 2) - low * scale  # more in the middle
    moved = {key: tuple((np.array(point) @ matrix * scale + shift).tolist()) for key, point in keypoints.items()}
    return drawing.move(scale, shift), moved


def _clutter(rng: np.random.Generator) -> Drawing:
    """Small discs, bars, triangles and crosses anywhere, as likely with one class as with another."""
    count, shapes = rng.integers(5, 12), []
    colours, kinds = rng.integers(40, 256, (count, 3)).tolist(), rng.integers(0, 4, count).tolist()
    for (x, y, size, turn), colour, kind in zip(rng.random((count, 4)).tolist(), colours, kinds, strict=True):
        radius = 0.02 + 0.035 * size
        dx, dy = radius * math.cos(6.28 * turn), radius * math.sin(6.28 * turn)
        match kind:
            case 0:
                outlines = [ellipse(x, y, radius, n=16)]
            case 1:
                outlines = [bar((x, y), (x + 1.6 * dx, y + 1.6 * dy), radius * 0.5)]
            case 2:
                outlines = [ellipse(x, y, radius, turn=turn * 6.28, n=3)]
            case _:
                outlines = [bar((x - u, y - v), (x + u, y + v), radius * 0.4) for u, v in ((dx, dy), (-dy, dx))]
        shapes += [Shape(outline, tuple(colour)) for outline in outlines]
    return Drawing.of(shapes)


def _ground(rng: np.random.Generator, palette: Palette, size: int, grain: np.ndarray) -> np.ndarray:
    """Float32 [3, size, size]: two related colours mixed by cloud, stripes, tiles or ripples."""
    cloud = _noise(rng, 6, size) + 0.5 * _noise(rng, 20, size) + 0.3 * grain
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size
    turn, frequency = rng.uniform(0, np.pi), rng.uniform(20, 60)
    along, across = axis * (frequency * math.cos(turn)), axis * (frequency * math.sin(turn))
    u, v = along[None, :] + across[:, None], along[:, None] - across[None, :]
    pattern = rng.uniform(0.2, 0.5)
    match rng.integers(4):
        case 0:
            mix = cloud
        case 1:
            mix = cloud + pattern * np.sin(u + 2 * cloud)
        case 2:
            mix = cloud + pattern * np.clip(3 * np.sin(u) * np.sin(v), -1, 1)
        case _:
            mix = cloud + pattern * np.sin(np.hypot(u - 10, v - 10))
    mix = np.clip(0.5 + 0.35 * mix, 0, 1)
    first, second = np.array([palette.ground, palette.ground2], np.float32)[..., None, None]
    return first + mix * (second - first)


def _noise(rng: np.random.Generator, cells: int, size: int) -> np.ndarray:
    """Smooth noise [size, size] of deviation about 1: drawn on a fixed grid, so that every size shows the same."""
    grid = Image.fromarray(3.5 * rng.random((cells, cells), np.float32) - 1.75)
    return np.asarray(grid.resize((size, size), Image.Resampling.BICUBIC))


def _lay_over(picture: np.ndarray, layer: np.ndarray) -> None:
    """Puts the layer on top of the picture, in place; its colours are already multiplied by its coverage."""
    picture *= 1 - layer[3]
    picture += layer[:3]


def _shadow(cover: np.ndarray, sun: list[float]) -> np.ndarray:
    """[size, size] factor: the object's outline, moved away from the light and blurred."""
    size = len(cover)
    mask = Image.fromarray((cover * 255).astype(np.uint8))
    moved = Image.new("L", mask.size)
    moved.paste(mask, (round(-0.03 * size * sun[0]), round(-0.03 * size * sun[1])))
    blurred = moved.filter(ImageFilter.BoxBlur(0.025 * size))
    return 1 - np.asarray(blurred, np.float32) * (0.5 / 255)


def _shade(box: tuple, sun: list[float], grain: np.ndarray) -> np.ndarray:
    """[size, size] factor: brighter towards the light, darker away from it, and a little grain."""
    top, left, bottom, right = box
    axis = (np.arange(len(grain), dtype=np.float32) + 0.5) / len(grain)
    x, y = (axis - (left + right) / 2) / (right - left), (axis - (top + bottom) / 2) / (bottom - top)
    sides = (0.35 * sun[0] * x)[None, :] + (1 + 0.35 * sun[1] * y)[:, None]
    return np.clip(sides + 0.05 * grain, 0.5, 1.3)


def _light(rng: np.random.Generator, size: int) -> np.ndarray:
    """[size, size] factor: exposure, and light that falls off across the image."""
    axis = np.linspace(-0.5, 0.5, size, dtype=np.float32)
    slope = rng.uniform(-0.3, 0.3, 2).astype(np.float32)
    return rng.uniform(0.8, 1.08) + slope[0] * axis[:, None] + slope[1] * axis[None, :]


class SceneSource:
    """Scenes of one split, in Grain's random-access protocol. Same seed, same pictures, at any size."""

    class_names = CLASS_NAMES

    def __init__(self, split: str, *, size: int, channels: int = 3, seed: int = 0, count: int | None = None):
        self.split, self.size, self.channels, self.seed = split, size, channels, seed
        self.count = SPLITS[split] if count is None else count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Record:
        scene = render(int(index), size=self.size, seed=self.seed, split=self.split)
        image = scene.image
        if self.channels == 1:
            image = np.asarray(Image.fromarray(image).convert("L"))[..., None]
        return {"image": image, "label": np.int32(scene.label), "index": np.int32(index)}

    def describe(self, index: int) -> str:
        return f"scenes/{self.split}/{index} (seed {self.seed})"
