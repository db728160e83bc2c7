"""The ten things of the embedded scenes, each a list of shapes about the origin, drawn from a random generator.

Every class has parts and a texture of its own, and takes its colours from the palette of the scene.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from zfjax.data.scenes.face import face
from zfjax.data.scenes.paint import Palette, Shape, bar, ellipse, polar, quad, tint

Rng = np.random.Generator


def ball(rng: Rng, palette: Palette) -> list[Shape]:
    """A ball with wavy stripes like a zebra's."""
    shapes = [Shape(ellipse(0, 0, 1, n=48), palette.paint)]
    stripes, wave, phase = rng.integers(4, 7), rng.uniform(0.15, 0.3), rng.uniform(0, 6.3)
    across = np.linspace(-1, 1, 15)
    edges = np.linspace(-1.35, 1.35, 2 * stripes + 1)
    for low, high in zip(edges[0::2], edges[1::2], strict=False):
        sides = []
        for latitude, way in ((low, 1), (high, -1)):
            x = across[::way]
            y = np.sin(np.clip(latitude + wave * np.sin(4 * x + phase), -1.5, 1.5))
            sides.append(np.stack([x * np.sqrt(1 - y**2), y], axis=1))  # stays on the ball for every x and y
        shapes.append(Shape(np.concatenate(sides), palette.accent))
    return shapes


def box(rng: Rng, palette: Palette) -> list[Shape]:
    """A chequered box in parallel perspective: top and two sides."""
    cells = rng.integers(3, 5)
    lean, height = rng.uniform(0.35, 0.6), rng.uniform(0.85, 1.15)
    left, right, down = np.array([-0.87, -lean]), np.array([0.87, -lean]), np.array([0, height])
    corner = np.array([(i, j) for i in range(cells) for j in range(cells)])[:, None] / cells
    squares = corner + quad(0, 0, 1, 1) / cells  # [cells^2, 4, 2] in each side's own coordinates
    shapes = []
    for u, v, light in ((left, right, 1.25), (left, down, 0.62), (right, down, 1.0)):
        colours = [tint(colour, light) for colour in (palette.paint, palette.accent)]
        for n, points in enumerate(squares @ np.stack([u, v])):
            shapes.append(Shape(points, colours[(n // cells + n % cells) % 2]))
    return shapes


def butterfly(rng: Rng, palette: Palette) -> list[Shape]:
    """Two pairs of mirrored wings with borders and spots, a segmented body, feelers."""
    spread, spots = rng.uniform(0.45, 0.7), rng.integers(3, 5)
    upper, lower = rng.uniform(0.55, 0.65), rng.uniform(0.38, 0.46)
    wings: list[tuple[np.ndarray, tuple]] = []
    for y, length, width, turn in ((0.5, lower, 0.27, -spread), (-0.38, upper, 0.34, spread)):
        middle = np.array([0.08 + 0.9 * length, y])
        for size, colour in ((1.0, palette.dark), (0.86, palette.paint), (0.45, palette.accent)):
            wings.append((ellipse(middle[0], middle[1], length * size, width * size * 1.2, -turn, n=24), colour))
        for place in np.linspace(-0.5, 0.5, spots):
            centre = middle + 0.88 * polar(place * 1.7 - turn, length)
            wings.append((ellipse(centre[0], centre[1], 0.055, n=8), palette.light))
    shapes = [Shape(points * (side, 1), colour) for points, colour in wings for side in (-1, 1)]
    shapes += [Shape(bar((0, -0.4), (side * 0.28, -1.0), 0.05, 0.03), palette.dark) for side in (-1, 1)]
    shapes += [Shape(ellipse(side * 0.28, -1.0, 0.05, n=8), palette.dark) for side in (-1, 1)]
    shapes += [Shape(ellipse(0, y, 0.1, 0.13, n=12), palette.dark) for y in np.linspace(-0.4, 0.65, 7)]
    return shapes


def fish(rng: Rng, palette: Palette) -> list[Shape]:
    """A fish from the side: lens-shaped body with rows of scales, rayed fins and tail, gill, eye."""
    height, side = rng.uniform(0.42, 0.55), rng.choice([-1, 1])
    x = np.linspace(-0.7, 1, 16)
    edge = height * np.sqrt(np.clip(1 - ((x - 0.15) / 0.86) ** 2, 0, 1))
    body = np.concatenate([np.stack([x, -edge], 1), np.stack([x, edge], 1)[::-1]])
    fins = [[(-0.3, -height * 0.7), (-0.15, -height - 0.32), (0.35, -height - 0.2), (0.45, -height * 0.8)]]
    fins += [[(-0.1, height * 0.8), (-0.25, height + 0.25), (0.2, height * 0.9)]]
    shapes = [Shape(np.array(points), palette.accent) for points in fins]
    tail = np.array([(-0.6, 0), (-1.05, -0.5), (-0.9, 0), (-1.05, 0.5)])
    shapes += [Shape(tail, palette.accent)]
    shapes += [
        Shape(bar((-0.68, 0), (-0.97, 0.4 * t), 0.02, 0.05), tint(palette.accent, 0.6)) for t in (-0.8, -0.3, 0.3, 0.8)
    ]
    shapes.append(Shape(body, palette.paint))
    for column, cx in enumerate(np.arange(-0.5, 0.42, 0.155)):
        room = height * np.sqrt(1 - ((cx - 0.15) / 0.86) ** 2) - 0.1
        rows = np.arange(-4, 5) * 0.19 + 0.095 * (column % 2)
        for cy in rows[np.abs(rows) < room]:
            shapes.append(Shape(ellipse(cx, cy, 0.1, n=12), tint(palette.paint, 0.62)))
            shapes.append(Shape(ellipse(cx + 0.035, cy, 0.085, n=12), tint(palette.paint, 1.3)))
    gill = polar(np.linspace(-1.1, 1.1, 8), 0.36) * (0.45, height / 0.42) + (0.42, 0)
    shapes.append(Shape(np.concatenate([gill, (gill - (0.06, 0))[::-1]]), palette.dark))
    shapes.append(Shape(np.array([(0.25, 0.1), (-0.12, 0.32), (0.05, 0.06)]), palette.accent))
    for radius, colour in ((0.115, palette.light), (0.065, palette.dark)):
        shapes.append(Shape(ellipse(0.74, -0.13, radius, n=16), colour))
    shapes.append(Shape(bar((0.83, 0.13), (1.0, 0.05), 0.04), palette.dark))
    return [Shape(shape.points * (side, 1), shape.colour) for shape in shapes]


def flower(rng: Rng, palette: Palette) -> list[Shape]:
    """Two rings of veined petals about a heart of seeds."""
    petals, width = rng.integers(7, 11), rng.uniform(0.85, 1.05)
    shapes = []
    for ring, (reach, colour) in enumerate(((0.62, tint(palette.paint, 0.72)), (0.52, palette.paint))):
        for angle in 2 * np.pi * (np.arange(petals) + ring / 2) / petals:
            middle = polar(angle, reach)
            across = width * np.pi * reach / petals
            shapes.append(Shape(ellipse(middle[0], middle[1], 1 - reach, across, angle, n=16), colour))
            vein = (*middle * 0.5, *middle * 1.45)
            shapes.append(Shape(bar(vein[:2], vein[2:], 0.07, 0.02), tint(colour, 0.75)))
    shapes += [Shape(ellipse(0, 0, 0.33), tint(palette.accent, 0.7)), Shape(ellipse(0, 0, 0.29), palette.accent)]
    golden = np.arange(1, 22)
    for x, y in polar(golden * 2.39996, 0.057 * np.sqrt(golden)):  # the golden angle, as in a sunflower
        shapes.append(Shape(ellipse(x, y, 0.028, n=8), palette.dark if palette.accent[1] > 110 else palette.light))
    return shapes


def house(rng: Rng, palette: Palette) -> list[Shape]:
    """A gabled brick house with a tiled roof, chimney, door and barred windows."""
    wide, top, ridge = rng.uniform(0.72, 0.85), rng.uniform(-0.2, 0.0), rng.uniform(-0.95, -0.8)
    door = rng.choice([-0.42, 0.0, 0.42]) * wide
    shapes = [Shape(quad(0.34, ridge - 0.05, 0.54, top), tint(palette.accent, 0.6))]
    shapes.append(Shape(quad(-wide, top, wide, 0.9), palette.paint))
    for row, y in enumerate(np.arange(top + 0.12, 0.88, 0.14)):
        shapes.append(Shape(quad(-wide, y, wide, y + 0.025), tint(palette.paint, 0.7)))
        for x in np.arange(-wide + 0.12 + 0.12 * (row % 2), wide, 0.24):
            shapes.append(Shape(quad(x, y, x + 0.025, min(y + 0.14, 0.9)), tint(palette.paint, 0.7)))
    eaves, peak = wide + 0.17, rng.uniform(0.1, 0.45)
    roof = np.array([(-eaves, top), (-peak, ridge), (peak, ridge), (eaves, top)])
    shapes.append(Shape(roof, palette.accent))
    for t in (0.25, 0.5, 0.75):
        y, half = ridge + t * (top - ridge), peak + t * (eaves - peak)
        shapes.append(Shape(quad(-half, y, half, y + 0.04), tint(palette.accent, 0.6)))
    shapes.append(Shape(quad(door - 0.17, 0.32, door + 0.17, 0.9), palette.dark))
    shapes.append(Shape(quad(door - 0.13, 0.37, door + 0.13, 0.9), tint(palette.accent, 0.8)))
    shapes.append(Shape(ellipse(door + 0.08, 0.64, 0.03, n=8), palette.light))
    for x in (-0.48 * wide, 0.48 * wide) if door == 0 else (-np.sign(door) * 0.42 * wide,):
        shapes += _window(x, 0.38)
    return [*shapes, *_window(0.0, top + 0.12 if door == 0 else top + 0.1)] if door == 0 else shapes


def _window(x: float, y: float) -> list[Shape]:
    return [
        Shape(quad(x - 0.17, y - 0.15, x + 0.17, y + 0.19), (250, 248, 240)),
        *(
            Shape(quad(x + dx - 0.06, y + dy - 0.06, x + dx + 0.06, y + dy + 0.07), (40, 45, 60))
            for dx in (-0.075, 0.075)
            for dy in (-0.065, 0.1)
        ),
    ]


def star(rng: Rng, palette: Palette) -> list[Shape]:
    """A five-pointed star of folded facets, light and dark, with a bordered rim."""
    inner = rng.uniform(0.38, 0.48)
    angles = np.pi / 5 * np.arange(10) - np.pi / 2
    radii = np.where(np.arange(10) % 2, inner, 1.0)
    shapes = []
    for size, light, dark in ((1.0, palette.dark, palette.dark), (0.86, palette.paint, tint(palette.paint, 0.55))):
        rim = polar(angles, radii * size)
        for i in range(10):
            facet = np.array([(0, 0), rim[i], rim[(i + 1) % 10]])
            shapes.append(Shape(facet, dark if i % 2 else light))
    shapes += [
        Shape(ellipse(0.62 * point[0], 0.62 * point[1], 0.06, n=12), palette.accent)
        for point in polar(angles[::2], 1.0)
    ]
    return [*shapes, Shape(ellipse(0, 0, 0.14, n=16), palette.accent)]


def tree(rng: Rng, palette: Palette) -> list[Shape]:
    """A forked trunk under a crown of leaf clusters, lit from above, with fruit."""
    trunk = tint(palette.accent, 0.7)
    shapes = [Shape(bar((0, 1), (0, 0), 0.34, 0.2), trunk)]
    shapes += [Shape(bar((0, 0.35), (side * 0.42, -0.2), 0.13, 0.08), trunk) for side in (-1, 1)]
    shapes += [Shape(bar((x, 0.98), (x * 0.6, 0.3), 0.03), tint(trunk, 0.55)) for x in (-0.07, 0.02, 0.1)]
    angles = 2 * np.pi * np.arange(9) / 9 + rng.uniform(0, 0.7)
    clusters = polar(angles, rng.uniform(0.42, 0.56, 9)) * (1.15, 0.8) + (0, -0.38)
    clusters = np.concatenate([clusters, [(0, -0.38), (0.2, -0.55), (-0.22, -0.5)]])
    leaves = polar(np.pi / 9 * np.arange(18), np.where(np.arange(18) % 2, 0.84, 1.0))
    for x, y in clusters[np.argsort(-clusters[:, 1])].tolist():
        light, outline = 0.8 - 0.45 * (y + 0.38), leaves * rng.uniform(0.22, 0.3)
        shapes.append(Shape(outline + (x, y), tint(palette.paint, light * 0.78)))
        shapes.append(Shape(outline * 0.78 + (x - 0.03, y - 0.05), tint(palette.paint, light)))
    fruits = polar(rng.uniform(0, 6.28, 8), rng.uniform(0.1, 0.55, 8)) * (1.1, 0.8) + (0, -0.38)
    return shapes + [Shape(ellipse(x, y, 0.055, n=12), palette.accent) for x, y in fruits.tolist()]


def wheel(rng: Rng, palette: Palette) -> list[Shape]:
    """A treaded tyre, a rim, spokes that taper outwards, and a hub with nuts."""
    spokes, treads = rng.integers(5, 8), 28
    shapes = [
        Shape(polar(np.pi / treads * np.arange(2 * treads), np.tile([1.0, 1.0, 0.94, 0.94], treads // 2)), palette.dark)
    ]
    shapes += [
        Shape(ellipse(0, 0, 0.84, n=48), tint(palette.dark, 1.35)),
        Shape(ellipse(0, 0, 0.72, n=48), palette.paint),
    ]
    shapes.append(Shape(ellipse(0, 0, 0.6, n=32), tint(palette.accent, 0.5)))
    for angle in 2 * np.pi * np.arange(spokes) / spokes:
        tip = polar(angle, 0.64)
        shapes.append(Shape(bar((0, 0), tip, 0.2, 0.12), palette.paint))
        shapes.append(Shape(bar(tip * 0.3, tip, 0.04, 0.03), tint(palette.paint, 0.7)))
    shapes += [Shape(ellipse(0, 0, 0.23), palette.paint), Shape(ellipse(0, 0, 0.16, n=16), tint(palette.paint, 0.6))]
    nuts = polar(2 * np.pi * np.arange(5) / 5, 0.1)
    return shapes + [Shape(ellipse(x, y, 0.035, n=8), palette.light) for x, y in nuts]


# Class name -> how it is drawn, and how far it may turn either way (radians): a fallen house is not a house.
OBJECTS: dict[str, tuple[Callable, float]] = {
    "ball": (ball, 0.6),
    "box": (box, 0.2),
    "butterfly": (butterfly, 0.4),
    "face": (face, 0.14),
    "fish": (fish, 0.25),
    "flower": (flower, np.pi),
    "house": (house, 0.12),
    "star": (star, 0.3),
    "tree": (tree, 0.15),
    "wheel": (wheel, np.pi),
}
