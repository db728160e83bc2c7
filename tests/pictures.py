"""Every picture that there is to draw, small: a call for each `draw_...` of the package."""

import importlib.util
import pkgutil
from collections.abc import Callable
from pathlib import Path

import nets
import numpy as np
from PIL import Image

import zfjax.paper
from zfjax.draw.tiles import OUTSIDE
from zfjax.paper.correspondence.measure import Result
from zfjax.paper.evolution.measure import Evolution, LayerEvolution, Moment
from zfjax.paper.first_layers.measure import Selection
from zfjax.paper.invariance.measure import Invariance
from zfjax.paper.methods.measure import Explained
from zfjax.paper.occlusion.measure import Occlusion
from zfjax.paper.optimised.measure import Optimised
from zfjax.paper.sanity.table import Mean
from zfjax.paper.top_activations import FeatureMap
from zfjax.paper.units.measure import Strongest

RNG = np.random.default_rng(0)
PATCHES, SIGNED = RNG.uniform(0, 255, (4, 9, 9, 3)), RNG.normal(size=(4, 9, 9, 3))
FILTERS = RNG.normal(size=(5, 5, 3, 4))


def half_outside(*shape: int) -> np.ndarray:
    """Patches of this shape, [..., h, w, C], whose left half lies outside of the image."""
    patches = np.full(shape, 99.0)
    patches[..., : shape[-2] // 2, :] = np.nan
    return patches


def tones(path: Path) -> tuple[int, int]:
    """How many dots of a PNG have the tone of what lies outside of the image, and that of a projection's zero."""
    dots = np.asarray(Image.open(path).convert("RGB"))
    outside, zero = (int((dots == round(255 * tone)).all(axis=-1).sum()) for tone in (OUTSIDE, 0.5))
    return outside, zero


def painters() -> dict[str, Callable]:
    """All functions `draw_...` of the modules named draw."""
    folders = [each.name for each in pkgutil.iter_modules(zfjax.paper.__path__, "zfjax.paper.") if each.ispkg]
    modules = [importlib.import_module(f"{name}.draw") for name in folders if importlib.util.find_spec(f"{name}.draw")]
    return {name: each for module in modules for name, each in vars(module).items() if name.startswith("draw_")}


def arguments(name: str) -> dict[str, tuple]:
    """What each of the painters needs besides the path, title and caption, where all that has a name is called so."""
    rng = np.random.default_rng(1)
    moments = tuple(Moment(f"{name} {epoch}", epoch, epoch) for epoch in (1, 2))
    pictures, patches = SIGNED.reshape(2, 2, 9, 9, 3), PATCHES.reshape(2, 2, 9, 9, 3)
    measures = np.ones(1), np.ones(2), 1, np.ones((2, 4))
    layer = LayerEvolution(None, 0, [1, 3], pictures, np.eye(2, dtype=int), *measures, patches)
    evolution = Evolution(moments, {name: layer}, 0.9)
    curves = {name: np.arange(6.0).reshape(2, 3)}
    amounts, shown = np.array([-5.0, 0, 5]), rng.uniform(0, 255, (2, 3, 9, 9, 3))
    moved = Invariance(amounts, curves, {name: np.ones(2)}, curves[name] / 9, shown)
    places = (np.arange(4), np.arange(4), 1, rng.uniform(size=(4, 4)), 0.5)
    answers = (rng.uniform(size=(4, 4, 3)), np.ones(3) / 3)
    covered = Occlusion(PATCHES[0], PATCHES[1], 1, *places, *answers, SIGNED[0], PATCHES[0])
    boxes = np.array([[1, 2, 4, 4], [-2, 3, 5, 5]])
    parts = Result([name], {name: {}}, {}, {}, {}, [name], 3, 1, PATCHES.reshape(2, 2, 9, 9, 3))
    selection = Selection((name, name), FILTERS, 2, 0.0, 0.0, 0.0, np.ones(3) / 3, 1.0, 0.5, [0], SIGNED, PATCHES)
    tested = {f"{kind}:{name}": Mean(0.5, 0.4, 0.6) for kind in ("rank", "size", "ssim")} | {
        "edges": Mean(0.5, 0.4, 0.6)
    }
    return {
        "draw_activations": (PATCHES[0], np.abs(SIGNED[0])),
        "draw_architecture": (nets.TINY,),
        "draw_confusion": (np.arange(9).reshape(3, 3), [name, "cat", "dog"]),
        "draw_convergence": (evolution,),
        "draw_correspondence": (parts,),
        "draw_evolution": (evolution, name),
        "draw_features": ([FeatureMap(3, SIGNED, PATCHES, np.arange(4.0)[::-1])],),
        "draw_filters": (FILTERS,),
        "draw_invariance": ({"shift": moved}, [name, "cat"]),
        "draw_maximal_activations": ([Strongest(name, PATCHES[:2], boxes, np.array([2.0, 1.0]), np.arange(2))],),
        "draw_methods": ([Explained(PATCHES[0], name, name, {"rise": SIGNED[0, ..., 0]})], {"rise": name}),
        "draw_occlusion": (
            [covered],
            [FeatureMap(1, SIGNED[1:], PATCHES[1:], np.ones(3))],
            [name],
            [name, "cat", "dog"],
        ),
        "draw_optimised": (
            {name: Optimised(FeatureMap(3, SIGNED, PATCHES, np.arange(4.0)[::-1]), PATCHES, np.ones(4))},
        ),
        "draw_sanity": ({name: tested}, {name: name}, [name]),
        "draw_selection": ({name: selection, "other": selection},),
        "draw_transfer": ({f"svm ({name})": {5: (10.0, 0.5), 15: (20.0, 1.0)}},),
    }


def draw_all(folder, *, name: str = "a name", suffix: str = ".png") -> dict[str, bytes]:
    """{painter: the bytes of its picture}."""
    given, found = arguments(name), {}
    for painter, draw in painters().items():
        path = folder / f"{painter}{suffix}"
        draw(*given[painter], path, title=f"About {name}", caption=f"Of {name}.")
        found[painter] = path.read_bytes()
    return found
