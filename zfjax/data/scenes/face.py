"""The face of the embedded scenes: the one object whose parts are known by place."""

from __future__ import annotations

import numpy as np

from zfjax.data.scenes.paint import Colour, Palette, Shape, bar, ellipse, polar, tint

Rng = np.random.Generator
Keypoints = dict[str, tuple[float, float]]


def face(rng: Rng, palette: Palette) -> tuple[list[Shape], Keypoints]:
    """A frontal face: hair, ears, eyes, brows, nose, mouth; and where the parts are.

    left_eye and right_eye are as the viewer sees them: left_eye has the smaller x.
    """
    wide, eye_x, eye_y = rng.uniform(0.74, 0.86), rng.uniform(0.3, 0.38), rng.uniform(-0.22, -0.08)
    nose_y, mouth_y, smile = rng.uniform(0.14, 0.24), rng.uniform(0.5, 0.6), rng.uniform(0.03, 0.16)
    hair, skin, eye = palette.accent, palette.paint, rng.uniform(0.13, 0.17)
    look, mouth_x = rng.uniform(-0.04, 0.04), rng.uniform(0.28, 0.4)
    shapes = [Shape(ellipse(0, -0.15, wide + 0.14, rng.uniform(0.95, 1.1), n=32), hair)]
    shapes += [Shape(ellipse(side * wide, 0.05, 0.13, 0.2, n=16), tint(skin, 0.8)) for side in (-1, 1)]
    shapes.append(Shape(ellipse(0, 0.08, wide, 0.98, n=48), skin))
    shapes.append(_fringe(rng, wide, hair))
    for side in (-1, 1):
        x = side * eye_x
        shapes.append(Shape(ellipse(x, eye_y, eye * 1.3, eye), palette.light))
        shapes.append(Shape(ellipse(x + look, eye_y, eye * 0.72, n=16), palette.dark))
        shapes.append(Shape(ellipse(x + look + 0.04, eye_y - 0.05, eye * 0.22, n=8), (255, 255, 255)))
        brow = bar((x - side * 0.2, eye_y - 0.24), (x + side * 0.22, eye_y - 0.24 + smile * 0.6), 0.1, 0.05)
        shapes.append(Shape(brow, tint(hair, 0.7)))
        shapes.append(Shape(ellipse(side * 0.5 * wide / 0.8, 0.36, 0.13, 0.09, n=16), tint(skin, 0.88)))
    bridge = np.array([(0, eye_y + 0.1), (0.14, nose_y + 0.06), (0.05, nose_y + 0.1), (-0.05, nose_y + 0.1)])
    shapes.append(Shape(bridge, tint(skin, 0.68)))
    shapes.append(Shape(ellipse(0, nose_y + 0.03, 0.1, 0.075, n=16), tint(skin, 0.78)))
    shapes += _mouth(mouth_x, mouth_y, smile, palette)
    keypoints = {"left_eye": (-eye_x, eye_y), "right_eye": (eye_x, eye_y), "nose": (0.0, nose_y)}
    return shapes, {**keypoints, "mouth": (0.0, mouth_y)}


def _fringe(rng: Rng, wide: float, colour: Colour) -> Shape:
    angles = np.linspace(np.pi * 1.12, np.pi * 1.88, 14)
    top = polar(angles, 1.0) * (wide, 1.0) + (0, 0.06)
    below = np.stack([np.linspace(0.78, -0.78, 9) * wide, -0.5 + 0.09 * (np.arange(9) % 2)], axis=1)
    below[:, 1] -= 0.12 * rng.uniform(-1, 1) * below[:, 0]
    return Shape(np.concatenate([top, below]), colour)


def _mouth(half: float, y: float, smile: float, palette: Palette) -> list[Shape]:
    x = np.linspace(-half, half, 11)
    bow = 1 - (x / half) ** 2

    def between(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
        return np.concatenate([np.stack([x, y + upper], 1), np.stack([x, y + lower], 1)[::-1]])

    lips = between((smile - 0.09) * bow - smile / 2, (smile + 0.16) * bow - smile / 2)
    inside = between((smile - 0.03) * bow - smile / 2, (smile + 0.09) * bow - smile / 2)
    teeth = between((smile - 0.03) * bow - smile / 2, (smile + 0.03) * bow - smile / 2)
    return [Shape(lips, tint(palette.accent, 0.6)), Shape(inside, palette.dark), Shape(teeth, palette.light)]
