"""Fig. 4: the features of some maps at the epochs that the run kept, and how soon each layer settles."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from zfjax.errors import InputError
from zfjax.paper.view import Drawn, LeftOut, View, numbers
from zfjax.train.settings import PAPER_EPOCHS

if TYPE_CHECKING:
    from zfjax.paper.evolution.measure import Evolution


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


class Moment(NamedTuple):
    """A state of the network that a run has kept."""

    name: str
    epoch: float
    step: int


class Result(NamedTuple):
    """What Fig. 4 shows, and when each layer was settled."""

    moments: list[Moment]
    evolution: Evolution
    settled: dict[str, float]  # {layer: epoch}; that of the last moment where it was never so before


def draw(view: View, options: Options) -> Drawn:
    """One picture a layer, and the curves of all. Raises LeftOut for a run that kept but one state, and InputError
    for epochs that it has not kept and maps that there are not, before the search."""
    from zfjax.paper.evolution.draw import draw_convergence
    from zfjax.paper.evolution.measure import evolve, settled_at

    _check(options)
    moments, layers, source = _moments(view, options), view.chosen_layers(), view.dataset.train
    chosen = dataclasses.replace(view, num_maps=options.num_maps)
    for layer in layers:
        view.chosen_maps(layer)
    evolution = evolve(
        view.run.arch,
        lambda step: _load(view, step),
        [moment.step for moment in moments],
        source,
        layers,
        chosen.responding_maps,
        indices=view.searched(source),
        sample=options.sample,
        seed=view.seed,
        overlap=view.overlap,
        norm=view.norm,
        batch_size=view.batch_size,
        progress=view.progress,
    )
    settled = {layer: moments[settled_at(evolution.similarity[layer], options.threshold)].epoch for layer in layers}
    paths = [_draw_layer(view, layer, moments, evolution) for layer in layers]
    paths.append(view.path("evolution"))
    words = ", ".join(f"{layer} {_when(settled[layer], moments)}" for layer in layers)
    sample = min(options.sample, len(view.searched(source)))
    caption = f"At {options.threshold:g} or above from epoch: {words}. Sample: {sample} images."
    caption = f"{caption} {view.origin} {view.about(source)}"
    title = f"{view.name}: how soon each layer responds as it does at {moments[-1].name}"
    curves = evolution.similarity, evolution.jumps, paths[-1]
    draw_convergence(
        [moment.epoch for moment in moments], *curves, title=title, caption=caption, threshold=options.threshold
    )
    return Drawn(paths, Result(moments, evolution, settled))


def _when(epoch: float, moments: list[Moment]) -> str:
    return "only at the end" if epoch == moments[-1].epoch else f"{epoch:g}"


def _check(options: Options) -> None:
    for name, least in {"num_maps": 1, "sample": 2}.items():
        if getattr(options, name) < least:
            raise InputError(f"--evolution.{name} must be at least {least}, not {getattr(options, name)}")
    if not -1 <= options.threshold <= 1:
        raise InputError(f"--evolution.threshold is a correlation, -1 to 1, not {options.threshold}")


def _moments(view: View, options: Options) -> list[Moment]:
    """The epochs asked for, or those of the paper that are there and the state that the view looks at."""
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
    return {record["epoch"]: record["step"] for record in read_metrics(view.ckpt) if record.get("step") in there}


def _last(view: View, kept: dict[int, int]) -> Moment:
    """The view's own state: the end of an epoch, or a stop somewhere within."""
    step = view.run.step
    for epoch, end in kept.items():
        if end == step:
            return Moment(f"epoch {epoch}", epoch, step)
    epochs_a_step = next((epoch / end for epoch, end in kept.items()), 0.0)
    return Moment(f"step {step:,}", round(step * epochs_a_step, 2), step)


def _load(view: View, step: int):
    from zfjax.runs.run import load_run

    return view.run if step == view.run.step else load_run(view.ckpt, step)


def _draw_layer(view: View, layer: str, moments: list[Moment], evolution: Evolution):
    from zfjax.paper.evolution.draw import draw_evolution

    maps, winners = evolution.maps[layer], evolution.winners[layer]
    images = np.where(winners.value == 0, -1, winners.image)[:, maps].T
    there = winners.value.shape[1]
    chosen = (
        "" if view.maps else f"Maps at random of the {int((winners.value[-1] != 0).sum())} of {there} that respond. "
    )
    path, source = view.path(f"evolution_{layer}"), view.dataset.train
    title = f"{layer}: {len(maps)} maps from {moments[0].name} to {moments[-1].name}"
    caption = f"{chosen}{view.origin} {view.about(source)}"
    names = [moment.name for moment in moments]
    projections = evolution.projections[layer]
    draw_evolution(maps, projections, images, names, path, title=title, caption=caption, percentile=view.percentile)
    return path
