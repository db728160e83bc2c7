"""Flat shapes in unit coordinates, and how they become pixels. Numpy and pillow only."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
Place = Sequence[float] | np.ndarray  # x, y

SUPERSAMPLE = 3  # each pixel averages 3x3 samples: nine coverage levels hide the jaggies at 73 and at 224 pixels


class Shape(NamedTuple):
    """A filled polygon: points [n, 2] as (x, y), y downwards, and its colour in 0..255."""

    points: np.ndarray
    colour: Colour


class Drawing(NamedTuple):
    """Many shapes, their points in one array [n, 2] that a single operation moves."""

    points: np.ndarray
    lengths: list[int]
    colours: list[Colour]

    @classmethod
    def of(cls, shapes: list[Shape]) -> Drawing:
        points = [shape.points for shape in shapes]
        return cls(np.concatenate(points), [len(part) for part in points], [shape.colour for shape in shapes])

    def move(self, matrix: np.ndarray | float, shift: np.ndarray) -> Drawing:
        """The drawing with its points scaled or turned by `matrix`, then shifted."""
        turned = self.points @ matrix if isinstance(matrix, np.ndarray) else self.points * matrix
        return self._replace(points=turned + shift)


class Palette(NamedTuple):
    """Colours of one scene. None of them depends on the class, so that colour does not give it away."""

    ground: Colour
    ground2: Colour
    paint: Colour
    accent: Colour
    light: Colour
    dark: Colour


def draw_palette(rng: np.random.Generator) -> Palette:
    """Any hues; the object differs from its ground in brightness, and the accent differs from the object."""
    hues, saturations = rng.random(4), rng.uniform(0.25, 0.85, 4)
    bright, dim = rng.uniform(0.75, 1.0, 2), rng.uniform(0.28, 0.5, 2)
    over, under = (bright, dim) if rng.random() < 0.5 else (dim, bright)
    accent = 0.3 if over[0] > 0.6 else 0.95
    return Palette(
        ground=_rgb(hues[0], saturations[0] * 0.7, under[0]),
        ground2=_rgb(hues[0] + rng.uniform(-0.12, 0.12), saturations[1] * 0.7, under[1] * rng.uniform(0.7, 0.9)),
        paint=_rgb(hues[1], saturations[2], over[0]),
        accent=_rgb(hues[2], saturations[3], accent),
        light=_rgb(hues[3], 0.12, 0.98),
        dark=_rgb(hues[3], 0.4, 0.13),
    )


def tint(colour: Colour, factor: float) -> Colour:
    """The colour made darker (factor < 1) or lighter (factor > 1, towards white)."""
    if factor <= 1:
        red, green, blue = (int(value * factor) for value in colour)
    else:
        red, green, blue = (int(255 - (255 - value) / factor) for value in colour)
    return red, green, blue


def _rgb(hue: float, saturation: float, value: float) -> Colour:
    red, green, blue = (int(round(255 * part)) for part in colorsys.hsv_to_rgb(hue % 1, saturation, value))
    return red, green, blue


_CIRCLES = {n: np.exp(2j * np.pi * np.arange(n) / n).view(float).reshape(n, 2) for n in (3, 8, 12, 16, 24, 32, 48)}


def ellipse(x: float, y: float, rx: float, ry: float | None = None, turn: float = 0.0, n: int = 24) -> np.ndarray:
    """[n, 2] points of an ellipse about (x, y), turned by `turn` radians."""
    points = _CIRCLES[n] * (rx, rx if ry is None else ry)
    return (points @ rotation(turn) if turn else points) + (x, y)


def rotation(turn: float) -> np.ndarray:
    """[2, 2]: `points @ rotation(turn)` turns [n, 2] points by `turn` radians, clockwise on the screen."""
    sine, cosine = math.sin(turn), math.cos(turn)
    return np.array([(cosine, sine), (-sine, cosine)])


def bar(start: Place, end: Place, width: float, end_width: float | None = None):
    """[4, 2] points of a straight bar, tapering from `width` to `end_width`."""
    (x, y), (dx, dy) = start, (end[0] - start[0], end[1] - start[1])
    near = width / (2 * math.hypot(dx, dy))
    far = near if end_width is None else near * end_width / width
    edge = [(x - dy * near, y + dx * near), (x + dx - dy * far, y + dy + dx * far)]
    return np.array([*edge, (x + dx + dy * far, y + dy - dx * far), (x + dy * near, y - dx * near)])


def quad(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)])


def polar(angles: np.ndarray | float, radii: np.ndarray | float) -> np.ndarray:
    """[..., 2] points at the angles (radians) and radii given, about the origin."""
    points = np.empty((*np.shape(angles), 2))
    points[..., 0], points[..., 1] = radii * np.cos(angles), radii * np.sin(angles)
    return points


def paint(drawing: Drawing, size: int) -> np.ndarray:
    """Float32 [4, size, size]: red, green, blue in 0..255 times coverage, and coverage in 0..1.

    Later shapes lie on top. Planes, not pixels: numpy is several times slower on a last axis of three.
    The points are in unit coordinates, (0, 0) to (1, 1) being the whole image.
    """
    scale = size * SUPERSAMPLE
    # Four plain bytes a pixel. Not RGBA: pillow divides its averages by the coverage, which leaves white rims.
    canvas = Image.new("CMYK", (scale, scale))
    draw = ImageDraw.Draw(canvas)
    flat, start = (drawing.points * scale - 0.5).ravel().tolist(), 0
    for length, colour in zip(drawing.lengths, drawing.colours, strict=True):
        draw.polygon(flat[start : start + 2 * length], fill=(*colour, 255))
        start += 2 * length
    layer = np.asarray(canvas.reduce(SUPERSAMPLE)).transpose(2, 0, 1).astype(np.float32, order="C")
    layer[3] *= 1 / 255
    return layer
