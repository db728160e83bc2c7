"""The figures of the paper as sections of a report, drawn from the main network's run."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zfjax.draw.words import words_of
from zfjax.paper.architecture import command as architecture
from zfjax.paper.correspondence import command as correspondence
from zfjax.paper.correspondence.table import text_table
from zfjax.paper.evolution import command as evolution
from zfjax.paper.features import command as features
from zfjax.paper.first_layers import command as first_layers
from zfjax.paper.invariance import command as invariance
from zfjax.paper.occlusion import command as occlusion
from zfjax.paper.report.document import Picture, Section
from zfjax.paper.report.plan import MAIN, RIVAL, Plan
from zfjax.paper.units import command as units
from zfjax.paper.view import Drawn, LeftOut, View
from zfjax.runtime.files import own_folder

if TYPE_CHECKING:
    from zfjax.paper.evolution.measure import Evolution
    from zfjax.paper.first_layers.measure import Selection


def _finite(values: np.ndarray) -> list[float]:
    return values[np.isfinite(values)].tolist()


@functools.lru_cache(maxsize=2)  # the figures of one run share its parameters and its images
def _view(plan: Plan, name: str) -> View:
    from zfjax.runs.run import load_run

    extent, folder = plan.extent, plan.out / "figures"
    own_folder(folder).mkdir(parents=True, exist_ok=True)
    ckpt = str(plan.run(name))
    shown = {"limit": extent.searched, "num_maps": extent.maps, "num_images": extent.images}
    return View(ckpt=ckpt, run=load_run(ckpt), out=folder, data_dir=plan.settings.data_dir, **shown)


def _section(
    plan: Plan, title: str, text: str, draw: Callable[[], Drawn], measure: Callable[[Any], dict] = lambda result: {}
) -> Section:
    """What a figure draws and says; its reason where the run cannot have it."""
    try:
        drawn = draw()
    except LeftOut as reason:
        return Section(title, f"Left out: {reason}.", measures={"left_out": str(reason)})
    pictures = tuple(
        Picture(os.path.relpath(path, plan.out), *words_of(path))
        for path in map(Path, drawn.paths)
        if path.suffix in (".png", ".svg")
    )
    return Section(title, text, pictures=pictures, measures=measure(drawn.result))


def the_network(plan: Plan) -> Section:
    text = "The main network of this report, with its sizes, receptive fields and parameters."
    draw = functools.partial(architecture.draw, _view(plan, MAIN), architecture.Options())
    return _section(plan, "Fig. 3: the network", text, draw)


def strongest_activations(plan: Plan) -> Section:
    text = "Each map's strongest activations projected down to pixels, beside the patches that caused them."
    draw = functools.partial(features.draw, _view(plan, MAIN), features.Options())
    return _section(plan, "Fig. 2: features of a trained network", text, draw)


def feature_evolution(plan: Plan) -> Section:
    def measure(result: Evolution) -> dict:
        similarity = {layer: float(np.mean(each.similarity[:-1])) for layer, each in result.layers.items()}
        maps = [_finite(each.map_similarity[:-1].mean(axis=0)) for each in result.layers.values()]
        ends = {"first_maps": maps[0], "last_maps": maps[-1]}
        return {"similarity": similarity, **ends, "epochs": [moment.epoch for moment in result.moments]}

    text = "The strongest training image of each map at the epochs that the run kept."
    draw = functools.partial(evolution.draw, _view(plan, MAIN), evolution.Options())
    return _section(plan, "Fig. 4: evolution during training", text, draw, measure)


def feature_invariance(plan: Plan) -> Section:
    view = _view(plan, MAIN)
    text = "What shift, scale and rotation do to the features of two layers and to the probability of the class."
    options = invariance.Options(num_images=max(5, plan.extent.images))
    draw = functools.partial(invariance.draw, view, options)
    return _section(plan, "Fig. 5: invariance", text, draw, lambda result: _shifted(plan, view, options))


def _shifted(plan: Plan, view: View, options: invariance.Options) -> dict:
    """How features follow a shift, over more images than are drawn."""
    from zfjax.paper.invariance.measure import measure_invariance
    from zfjax.paper.invariance.sensitivity import sensitivity
    from zfjax.paper.pictures import choose_pictures

    pictures = choose_pictures(view, plan.extent.judged)
    amounts = invariance.amounts(options, view.run.arch.image_size)  # all: what was compiled for the figure serves
    measured = measure_invariance(view.run, pictures.canvases, pictures.labels, amounts, progress=True)
    found = sensitivity("shift", measured["shift"])
    early, linear = ([getattr(each, name).tolist() for each in found.values()] for name in ("early", "linearity"))
    return {"layers": list(found), "early_changes": early, "linearities": linear}


def two_architectures(plan: Plan) -> Section:
    def measure(result: list[Selection]) -> dict:
        return {
            name: {
                "dead": each.dead,
                "extreme": float(1 - each.bands[1]),
                "dominance": each.dominance,
                "aliasing": each.aliasing,
                "filters": each.filters.shape[-1],
            }
            for name, each in zip((MAIN, RIVAL), result, strict=True)
        }

    if RIVAL not in plan.archs:
        reason = f"{RIVAL} was not trained"
        return Section("Fig. 6: two architectures", f"Left out: {reason}.", measures={"left_out": reason})
    text = "The first two layers of both networks, trained alike, and the measures behind the paper's diagnosis."
    views, options = [_view(plan, MAIN), _view(plan, RIVAL)], first_layers.SelectionOptions()
    draw = functools.partial(first_layers.selection, views, options)
    return _section(plan, "Fig. 6: two architectures", text, draw, measure)


def first_filters(plan: Plan) -> Section:
    draw = functools.partial(first_layers.filters, _view(plan, MAIN), first_layers.FiltersOptions(order="rms"))
    return _section(plan, "Fig. 6c: filters of the first layer", "", draw)


def occlusions(plan: Plan) -> Section:
    view = _view(plan, MAIN)
    text = "A square over the image: the strongest map's activity, its projections, the class, the answer."
    draw = functools.partial(occlusion.draw, view, occlusion.Options())
    section = _section(plan, "Fig. 7: occlusion", text, draw)
    return section if "left_out" in section.measures else _with_truth(plan, view, section)


def _with_truth(plan: Plan, view: View, section: Section) -> Section:
    """Over more images than are drawn; of scenes the objects' boxes are known."""
    from zfjax.paper.occlusion.measure import occlude_images
    from zfjax.paper.occlusion.table import truth_table
    from zfjax.paper.occlusion.truth import correlation
    from zfjax.paper.pictures import choose_pictures

    if view.dataset.name != "scenes":
        pictures = choose_pictures(view, plan.extent.judged)
        found = occlude_images(view.run, pictures.canvases, pictures.labels, progress=True)
        together = [correlation(each.activity, each.probabilities[..., each.label]) for each in found]
        return dataclasses.replace(section, measures={"correlations": together})
    truths = occlusion.against_boxes(view, plan.extent.judged, progress=True)
    whats = ("probability", "activity")
    inside, elsewhere = ([[getattr(getattr(truth, what), part) for truth in truths] for what in whats]
                         for part in ("inside", "elsewhere"))  # fmt: skip
    together = [truth.correlation for truth in truths]
    measures = {"correlations": together, "lost_inside": inside, "lost_elsewhere": elsewhere}
    return dataclasses.replace(section, tables=(truth_table(truths),), measures=measures)


def corresponding_parts(plan: Plan) -> Section:
    def measure(result: correspondence.Result) -> dict:
        layer, parts = result.layers[0], list(result.parts)
        shares = result.shares[layer]
        return {
            "layer": layer,
            "images": len(result.images),
            "part_pairs": {part: shares[row].tolist() for row, part in enumerate(parts)},
            "random_pairs": shares[len(parts) : len(parts) + result.draws].mean(axis=0).tolist(),
        }

    options = correspondence.Options(keypoints=plan.keypoints or "", count=plan.extent.keypoint_images)
    view = _view(plan, MAIN)
    try:
        drawn = correspondence.draw(view, options)
    except LeftOut as reason:
        return Section("Table 1, Fig. 8: correspondence", f"Left out: {reason}.", measures={"left_out": str(reason)})
    section = _section(plan, "Table 1, Fig. 8: correspondence", "", lambda: drawn, measure)
    return dataclasses.replace(section, tables=(text_table(drawn.result),))


def unit_pictures(plan: Plan) -> Section:
    def draw() -> Drawn:
        view = _view(plan, MAIN)
        strongest = units.maximal_activations(view, units.MaximalOptions())
        return Drawn([*strongest.paths, *units.activations(view, units.ActivationsOptions()).paths], None)

    return _section(plan, "Units: their strongest images, and all maps for one image", "", draw)
