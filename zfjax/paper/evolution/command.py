"""Fig. 4: the features of some maps at the epochs that the run kept, and how soon each layer settles."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zfjax.errors import InputError
from zfjax.paper.view import Drawn, Figure, LeftOut, View, numbers
from zfjax.runtime.ranges import check_flags
from zfjax.train.settings import PAPER_EPOCHS

if TYPE_CHECKING:
    from zfjax.paper.evolution.measure import Evolution, Moment


@dataclass(frozen=True)
class Options:
    """Fig. 4, from the training images; --layers, --maps and --limit choose too."""

    epochs: str = ""
    """Epochs to show, e.g. 1,5,20; empty: those of 1,2,5,10,20,30,40,64 that the run kept, and its last state."""
    num_maps: int = 6
    """How many maps to choose for each layer, among those that respond at the end."""
    sample: int = 512
    """Images, at random, on which the responses of all maps are compared with those at the end."""
    threshold: float = 0.9
    """Mean correlation with the end from which on a layer counts as settled."""


def draw(view: View, options: Options) -> Drawn:
    """One picture a layer, and the curves of all. Raises LeftOut for a run that kept but one state, and InputError
    for epochs that it has not kept and maps that there are not, before the search."""
    from zfjax.paper.evolution.draw import draw_convergence
    from zfjax.paper.evolution.measure import evolve

    check_flags(options, "evolution")
    moments, layers, source = moments_of(view, options), view.chosen_layers(), view.dataset.train
    chosen = dataclasses.replace(view, num_maps=options.num_maps)
    for layer in layers:
        view.chosen_maps(layer)
    evolution = evolve(
        lambda step: _load(view, step),
        moments,
        source,
        layers,
        chosen.responding_maps,
        indices=view.searched(source),
        sample=options.sample,
        threshold=options.threshold,
        seed=view.seed,
        overlap=view.overlap,
        norm=view.norm,
        batch_size=view.batch_size,
        progress=view.progress,
    )
    paths = [_draw_layer(view, layer, evolution) for layer in evolution.layers]
    paths.append(view.path("evolution"))
    words = ", ".join(f"{layer} {_when(found.settled, moments)}" for layer, found in evolution.layers.items())
    sample = min(options.sample, len(view.searched(source)))
    caption = f"At {options.threshold:g} or above from epoch: {words}. Sample: {sample} images."
    caption = f"{caption} {view.origin} {view.about(source)}"
    title = f"{view.name}: how soon each layer responds as it does at {moments[-1].name}"
    draw_convergence(evolution, paths[-1], title=title, caption=caption)
    return Drawn(paths, evolution)


def _when(epoch: float, moments: list[Moment]) -> str:
    return "only at the end" if epoch == moments[-1].epoch else f"{epoch:g}"


def moments_of(view: View, options: Options) -> list[Moment]:
    """The epochs asked for, or those of the paper that are there and the state that the view looks at."""
    from zfjax.paper.evolution.measure import Moment

    kept = _kept(view)
    has = f"the run {view.name} kept {', '.join(f'{epoch}' for epoch in kept) if kept else 'none'}"
    wanted = sorted(set(numbers(options.epochs, "evolution.epochs")))
    if missing := [epoch for epoch in wanted if epoch not in kept]:
        raise InputError(f"there is no checkpoint of epoch {missing[0]}: {has}; train.py's --keep_epochs says which")
    moments = [Moment(f"epoch {epoch}", epoch, kept[epoch]) for epoch in wanted or PAPER_EPOCHS if epoch in kept]
    if not wanted and view.run.step not in [moment.step for moment in moments]:
        moments.append(_last(view, kept))
    if len(moments) < 2:
        raise LeftOut(f"the evolution of features needs the checkpoints of two epochs; {has}")
    return moments


def _kept(view: View) -> dict[int, int]:
    """{epoch: step} of the whole epochs that have a checkpoint, up to the one that the view looks at."""
    from zfjax.runs.folder import read_metrics
    from zfjax.runs.steps import steps

    there = {step for step in steps(view.ckpt) if step <= view.run.step}
    whole = [record for record in read_metrics(view.ckpt) if {"epoch", "step"} <= record.keys()]
    return {record["epoch"]: record["step"] for record in whole if record["step"] in there}


def _last(view: View, kept: dict[int, int]) -> Moment:
    """The view's own state: the end of an epoch, or a stop somewhere within."""
    from zfjax.paper.evolution.measure import Moment

    step = view.run.step
    for epoch, end in kept.items():
        if end == step:
            return Moment(f"epoch {epoch}", epoch, step)
    epochs_a_step = next((epoch / end for epoch, end in kept.items()), 0.0)
    return Moment(f"step {step:,}", round(step * epochs_a_step, 2), step)


def _load(view: View, step: int):
    from zfjax.runs.run import load_run

    return view.run if step == view.run.step else load_run(view.ckpt, step)


def _draw_layer(view: View, layer: str, evolution: Evolution) -> Path:
    from zfjax.paper.evolution.draw import draw_evolution
    from zfjax.paper.patches import sees_all

    found, moments = evolution.layers[layer], evolution.moments
    there = found.winners.value.shape[1]
    which = (
        f"all {there}, which respond"
        if found.responding == there
        else f"the {found.responding} of {there} that respond"
    )
    chosen = "" if view.maps else f"{len(found.maps)} maps at random of {which}. "
    path = view.path(f"evolution_{layer}")
    title = f"{layer}: {len(found.maps)} maps from {moments[0].name} to {moments[-1].name}"
    caption = f"{chosen}{view.origin} {view.about(view.dataset.train)}"
    style = {"percentile": view.percentile, "whole": sees_all(view.run.arch, layer)}
    draw_evolution(evolution, layer, path, title=title, caption=caption, **style)
    return path


FIGURE = Figure(
    "Fig. 4, those of training images at the epochs that the run kept.", Options, draw, takes=("layers", "maps")
)
