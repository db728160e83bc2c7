"""A gallery's folder in which every picture says what it is: for the tests of the page, without any network.

Every cell holds its unit's number in figures, and says in colours what it is, so that a screenshot can be read: the
upper half is `colour(unit)`, the lower half `colour(16 * kind + column)`, kind being what is drawn (KINDS) and column
its place in the strip.
"""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from zfjax.web.gallery.gallery_file import VERSION

PAGES = Path(__file__).resolve().parents[2] / "zfjax" / "web" / "pages"
KINDS = (
    "projection",
    "patch",
    "lower projection",
    "lower patch",
    "evolution",
    "method",
    "occlusion",
    "source",
    "cover",
)
HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)",
    "a\"b'c&d`",
    "../../x",
    "long" * 75,
    "\u202eright to left \u05e9\u05dc\u05d5\u05dd",
    "bell\x07 escape\x1b[31m",
    "%s {{7*7}} ${7*7}",
)
CLASSES = ("box", "dog", "face", "tree")
METHODS = ["deconvnet", "gradient", "guided", "gradient * input"]
MOMENTS = ["epoch 1", "epoch 2", "epoch 5", "epoch 10"]
LOWER = ("90 to 99 %", "50 to 90 %", "below 50 %")
GUTTER, IMAGES = 2, 300


def colour(number: int) -> tuple[int, int, int]:
    """A colour for every number below 4,096, apart from its neighbours'."""
    return (number % 16 * 16 + 8, number // 16 % 16 * 16 + 8, number // 256 * 16 + 8)


@functools.cache
def _cell(unit: int, kind: str, column: int, height: int, width: int) -> np.ndarray:
    """uint8 [height + 4, width + 4, 3]: one cell with its gutter of repeated edge pixels."""
    picture = Image.new("RGB", (width, height), colour(unit))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, height // 2, width, height), fill=colour(16 * KINDS.index(kind) + column))
    if height > 20:
        font = ImageFont.load_default(height // 4)
        draw.text((width / 2, height / 2), str(unit), "white", font, "mm", stroke_width=2, stroke_fill="black")
    return np.pad(np.asarray(picture), ((GUTTER, GUTTER), (GUTTER, GUTTER), (0, 0)), mode="edge")


def _save(path: Path, rows: Sequence[Sequence[np.ndarray]]) -> None:
    """Cells row by row, lossless; a row that is shorter is filled up with black."""
    longest = max(map(len, rows))
    blank = np.zeros_like(rows[0][0])
    rows = [[*row, *[blank] * (longest - len(row))] for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate([np.concatenate(row, axis=1) for row in rows])).save(path, lossless=True, method=0)


def _data(folder: Path, name: str, value: dict[str, Any]) -> None:
    path = folder / "data" / f"{name}.js"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = f"zf.load({json.dumps(name)}, JSON.parse({json.dumps(json.dumps(value))}));\n"
    path.write_text(text, encoding="utf-8")


def table(units: dict[str, int], hostile: bool) -> list[dict[str, Any]]:
    """A network with branches: conv1, two ways that a Concat joins, a wide layer, a dense one and the answer."""
    left, right = HOSTILE[:2] if hostile else ("fire/left", "fire/right")

    def row(name: str, kind: str, inputs: list[str], shape: list[int], field: int, slug: str = "") -> dict[str, Any]:
        seen = None if kind == "Dense" else [[field, 2, -(field // 2)]] * 2
        count = units.get(slug, 0)
        return {
            "name": name,
            "slug": slug,
            "kind": kind,
            "inputs": inputs,
            "shape": shape,
            "field": seen,
            "parameters": 1_234 if slug else 0,
            "relu": bool(slug),
            "units": count,
            "dead": min(count, 1),
            "cover": list(range(min(count, 9))),
        }

    return [
        row("conv1", "Conv", ["image"], [31, 31, units["conv1"]], 7, "conv1"),
        row("pool1", "MaxPool", ["conv1"], [15, 15, units["conv1"]], 11),
        row(left, "Conv", ["pool1"], [15, 15, units["left"]], 11, "left"),
        row(right, "Conv", ["pool1"], [15, 15, units["right"]], 19, "right"),
        row("fire/join", "Concat", [left, right], [15, 15, units["left"] + units["right"]], 19),
        row("conv5", "Conv", ["fire/join"], [15, 15, units["conv5"]], 31, "conv5"),
        row("fc6", "Dense", ["conv5"], [1, 1, units["fc6"]], 0, "fc6"),
        row("fc7", "Dense", ["fc6"], [1, 1, 4], 0),
    ]


def _winners(rng: np.random.Generator, units: int, k: int, high: float) -> list[list[list[float]]]:
    """k activations of every unit, [image, row, col, value], strongest first; none of unit 3, which is dead."""
    values = -np.sort(-rng.uniform(0.1, high, (units, k)), axis=1)
    images, places = rng.integers(0, IMAGES, (units, k)), rng.integers(0, 15, (2, units, k))
    return [
        [] if unit == 3 else [[int(images[unit, i]), *map(int, places[:, unit, i]), float(values[unit, i])]
        for i in range(k)]
        for unit in range(units)
    ]  # fmt: skip


def _layer(run: str, others: list[str], slug: str, units: int, kind: str, k: int, photos: bool) -> dict[str, Any]:
    """The data of one layer: every number drawn from its own seed."""
    rng = np.random.default_rng([units, len(run), *slug.encode()])
    whole, small = kind == "Dense", slug == "conv1"
    top, alive = _winners(rng, units, k, 40), np.arange(units) != 3
    cell = [20, 20] if small else [64, 64] if whole else [96, 96]
    cover = [20, 20] if small else [48, 48]
    columns, rows = (32, 32) if units > 500 else (5, 4)
    sheets = range(-(-units // (columns * rows)))
    maxima = [float(found[0][3]) if found else 0.0 for found in top]
    partners = [[[(unit + 1 + i) % units, 0.9 - 0.1 * i] for i in range(min(5, units - 1))] for unit in range(units)]
    matches = {
        other: {
            "layer": slug,
            "units": [[[units - 1 - unit, 0.95], [unit, 0.4]] * (unit != 3) for unit in range(units)],
        }
        for other in others
    }
    return {
        "units": units,
        "window": [64, 64] if whole else [7, 7] if small else [31, 31],
        "whole": whole,
        "statistics": {
            "max": maxima,
            "mean": (rng.uniform(0, 1, units) * alive).tolist(),
            "p99": [0.8 * value for value in maxima],
            "density": (rng.uniform(0, 0.3, units) * alive).tolist(),
            "share": (rng.integers(1, 10, units) / 9 * alive).tolist(),
        },
        "sampled": 200,
        "class": np.where(alive, rng.integers(0, len(CLASSES), units), -1).tolist(),
        "histogram": {
            "high": maxima,
            "counts": [[int(2000 / (i + 1) ** 2) * int(alive[unit]) for i in range(16)] for unit in range(units)],
        },
        "top": top,
        "lower": [
            {"name": name, "units": _winners(rng, units, 3, 20 / (i + 1))} for i, name in enumerate(LOWER)
        ],
        "evolution": {"moments": MOMENTS, "values": [[value * t / 4 for t in range(1, 5)] for value in maxima]},
        "methods": METHODS,
        "occlusion": {"low": [0.2 * value for value in maxima], "high": maxima},
        "nearest": partners,
        "matches": matches,
        "pictures": {
            "dir": f"img/{run}/{slug}",
            "ext": "webp",
            "cell": cell,
            "gutter": GUTTER,
            "enlarged": small,
            "patches": photos and not whole,
        },
        "covers": {
            "cell": cover,
            "gutter": GUTTER,
            "columns": columns,
            "rows": rows,
            "projection": [f"covers-p{sheet:02d}.webp" for sheet in sheets],
            "patch": [f"covers-i{sheet:02d}.webp" for sheet in sheets],
        },
    }  # fmt: skip


def _strips(folder: Path, layer: dict[str, Any], units: int) -> None:
    """The strips of the first units, and the sheets of all covers."""
    place, size = folder / layer["pictures"]["dir"], layer["pictures"]["cell"]
    both = layer["pictures"]["patches"]
    for unit in range(units):
        if not layer["top"][unit]:
            continue

        def row(kind: str, count: int, unit: int = unit) -> list[np.ndarray]:
            return [_cell(unit, kind, column, *size) for column in range(count)]

        ranks = len(layer["top"][unit])
        _save(place / f"u{unit:04d}.webp", [row("patch", ranks)] * both + [row("projection", ranks)])
        _save(place / f"q{unit:04d}.webp", [row("lower patch", 9)] * both + [row("lower projection", 9)])
        _save(place / f"e{unit:04d}.webp", [row("evolution", len(MOMENTS))])
        _save(place / f"m{unit:04d}.webp", [row("method", len(METHODS))])
        _save(place / f"o{unit:04d}.webp", [row("occlusion", 2)])
    covers = layer["covers"]
    columns, held = covers["columns"], covers["columns"] * covers["rows"]
    for sheet, names in enumerate(zip(covers["projection"], covers["patch"], strict=True)):
        here = range(sheet * held, min(layer["units"], (sheet + 1) * held))
        for name, kind in zip(names, ("cover", "patch"), strict=True):
            cells = [_cell(unit, kind, 0, *covers["cell"]) for unit in here]
            _save(place / name, [cells[start : start + columns] for start in range(0, len(cells), columns)])


def _sources(folder: Path, hostile: bool) -> dict[str, Any]:
    """Two sheets of source images; image i is painted with its number."""
    for sheet in range(2):
        here = range(256 * sheet, min(IMAGES, 256 * (sheet + 1)))
        cells = [_cell(image, "source", 0, 64, 64) for image in here]
        _save(folder / f"img/src/s{sheet:02d}.webp", [cells[start : start + 16] for start in range(0, len(cells), 16)])
    names = HOSTILE if hostile else ("val/box_01.png",)
    images = {str(i): [i, f"{names[i % len(names)]}", i % len(CLASSES)] for i in range(IMAGES)}
    sheets = dict.fromkeys(("zf", "zf-again"), ["img/src/s00.webp", "img/src/s01.webp"])
    return {"cell": 64, "gutter": GUTTER, "columns": 16, "rows": 16, "sheets": sheets, "images": images}


def write_gallery(
    folder: Path,
    *,
    wide: int = 47,
    strips: int = 12,
    runs: int = 2,
    hostile: bool = False,
    top: int = 9,
    photos: bool = True,
) -> Path:
    """Writes a gallery into a folder that is made; returns its index.html.

    wide: units of conv5. strips: how many units of each layer have pictures of their own beside their covers. Unit 3
    of every layer is dead.
    """
    units = {"conv1": 6, "left": 24, "right": 7, "conv5": wide, "fc6": 23}
    names = (HOSTILE[2:4] if hostile else ("zf", "zf again"))[:runs]
    slugs = ("zf", "zf-again")[:runs]
    (folder / "pages").mkdir(parents=True)
    shutil.copy(PAGES / "index.html", folder)
    for page in [*PAGES.glob("*.js"), PAGES / "gallery.css"]:
        shutil.copy(page, folder / "pages")
    layers = table(units, hostile)
    for slug in slugs:
        others = [other for other in slugs if other != slug]
        for row in layers:
            if row["slug"]:
                layer = _layer(slug, others, row["slug"], row["units"], row["kind"], top, photos)
                _data(folder, f"{slug}/{row['slug']}", layer)
                _strips(folder, layer, min(strips, row["units"]))
    described = [
        {"name": name, "slug": slug, "arch": "zf", "step": 1200, "text": f"{name}: eight layers, step 1,200",
         "image_size": 64, "channels": 3, "layers": layers}
        for name, slug in zip(names, slugs, strict=True)
    ]  # fmt: skip
    gallery = {
        "version": VERSION,
        "id": hashlib.sha256(folder.name.encode()).hexdigest()[:12],
        "data": {"name": "painted numbers", "split": "validation", "count": IMAGES,
                 "classes": list(HOSTILE[4:]) if hostile else list(CLASSES)},
        "rule": "Grey is zero; each picture has its own gain: the 99.5th percentile is black or white.",
        "notice": HOSTILE[0] if hostile else "",
        "top": top,
        "photos": photos,
        "sources": _sources(folder, hostile),
        "runs": described,
    }  # fmt: skip
    _data(folder, "gallery", gallery)
    return folder / "index.html"


@pytest.fixture(scope="session")
def gallery(tmp_path_factory) -> Path:
    """The index.html of a gallery in a folder whose name would break an address put together by hand."""
    return write_gallery(tmp_path_factory.mktemp("galleries") / "a b#1 %20ü")
