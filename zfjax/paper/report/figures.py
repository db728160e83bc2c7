"""The figures of the paper as sections of a report, drawn from the main network's run."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

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
        Picture(os.path.relpath(path, plan.out), path.stem.replace("_", " "))
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
        return {"similarity": similarity, "epochs": [moment.epoch for moment in result.moments]}

    text = "The strongest training image of each map at the epochs that the run kept."
    draw = functools.partial(evolution.draw, _view(plan, MAIN), evolution.Options())
    return _section(plan, "Fig. 4: evolution during training", text, draw, measure)


def feature_invariance(plan: Plan) -> Section:
    def measure(result: dict) -> dict:
        from zfjax.paper.invariance.sensitivity import sensitivity

        found = sensitivity("shift", result["shift"])
        early, linearity = (
            [float(np.nanmean(getattr(each, name))) for each in found.values()] for name in ("early", "linearity")
        )
        return {"layers": list(found), "early": early, "linearity": linearity}

    view = _view(plan, MAIN)
    text = "What shift, scale and rotation do to the features of two layers and to the probability of the class."
    options = invariance.Options(num_images=max(5, plan.extent.images))
    draw = functools.partial(invariance.draw, view, options)
    return _section(plan, "Fig. 5: invariance", text, draw, measure)


def two_architectures(plan: Plan) -> Section:
    def measure(result: list[Selection]) -> dict:
        return {
            name: {
                "dead": each.dead,
                "extreme": float(1 - each.bands[1]),
                "dominance": each.dominance,
                "aliasing": each.aliasing,
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
    text = "A square over the image: the strongest map's activity, its projections, the class, the answer."
    draw = functools.partial(occlusion.draw, _view(plan, MAIN), occlusion.Options())
    section = _section(plan, "Fig. 7: occlusion", text, draw, _occlusion_measures)
    return Section(**{**vars(section), "measures": {**section.measures, **_against_truth(plan)}})


def _occlusion_measures(result: list) -> dict:
    from zfjax.paper.occlusion.truth import correlation

    values = [correlation(each.activity, each.probabilities[..., each.label]) for each, _ in result]
    return {"correlation": float(np.nanmean(values)), "images": len(values)}


def _against_truth(plan: Plan) -> dict:
    """Over as many rightly classified scenes, whose objects' boxes are known."""
    from zfjax.paper.occlusion.measure import occlude_images
    from zfjax.paper.occlusion.truth import against_scenes
    from zfjax.paper.pictures import choose_pictures

    view, count = _view(plan, MAIN), plan.extent.truth
    if view.dataset.name != "scenes" or not count:
        return {}
    pictures = choose_pictures(view, count)
    found = occlude_images(view.run, pictures.canvases, pictures.labels, progress=True)
    truths = against_scenes(found, pictures.numbers, view.split, view.run.preprocess)
    mean = {part: [[getattr(getattr(t, what), part) for t in truths] for what in ("probability", "activity")]
            for part in ("inside", "elsewhere")}  # fmt: skip
    return {
        "images": len(truths),
        "correlation": float(np.nanmean([truth.correlation for truth in truths])),
        "lost_inside": [float(np.nanmean(values)) for values in mean["inside"]],
        "lost_elsewhere": [float(np.nanmean(values)) for values in mean["elsewhere"]],
        "minimum_in_box": float(np.mean([truth.probability_hit for truth in truths])),
        "chance": float(np.mean([truth.chance for truth in truths])),
    }


def corresponding_parts(plan: Plan) -> Section:
    def measure(result: correspondence.Result) -> dict:
        layer = result.layers[0]
        return {
            "layer": layer,
            "images": len(result.images),
            "parts": {part: row[layer].mean for part, row in result.parts.items()},
            "random": result.controls["random"][layer].mean,
        }

    options = correspondence.Options(keypoints=plan.keypoints or "", count=plan.extent.keypoint_images)
    view = _view(plan, MAIN)
    try:
        drawn = correspondence.draw(view, options)
    except LeftOut as reason:
        return Section("Table 1, Fig. 8: correspondence", f"Left out: {reason}.", measures={"left_out": str(reason)})
    section = _section(plan, "Table 1, Fig. 8: correspondence", "", lambda: drawn, measure)
    return Section(**{**vars(section), "tables": (text_table(drawn.result),)})


def unit_pictures(plan: Plan) -> Section:
    def draw() -> Drawn:
        view = _view(plan, MAIN)
        strongest = units.maximal_activations(view, units.MaximalOptions())
        return Drawn([*strongest.paths, *units.activations(view, units.ActivationsOptions()).paths], None)

    return _section(plan, "Units: their strongest images, and all maps for one image", "", draw)
