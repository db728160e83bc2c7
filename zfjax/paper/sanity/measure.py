"""What can be said of an explanation without believing it: five tests of each method on the same images.

Adebayo et al. 2018 ("Sanity checks for saliency maps", arXiv 1810.03292): a map must change when the network forgets
what it has learnt. Petsiuk et al. 2018 (arXiv 1806.07421): what it marks must matter to the answer. Zhang et al. 2016
(arXiv 1608.00507): it should lie on the object. Mahendran & Vedaldi 2016: another class must give another picture.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zfjax.arch import Arch
from zfjax.attribution.measures.baselines import centre_first, random_order
from zfjax.attribution.measures.curves import deletion, insertion
from zfjax.attribution.measures.likeness import class_likeness, edges
from zfjax.attribution.measures.localisation import outside_drop, pointing_game, share_inside
from zfjax.attribution.measures.places import inside_boxes, magnitude, strongest
from zfjax.attribution.measures.randomisation import cascade
from zfjax.attribution.measures.ranks import rank_correlation
from zfjax.attribution.measures.ssim import structural_similarity
from zfjax.convnet import forward
from zfjax.paper.methods.methods import METHODS, Question, explain
from zfjax.runs.fingerprint import run_fingerprint
from zfjax.runs.results import Ledger
from zfjax.runs.run import Run
from zfjax.terminal import meter

RANDOM, CENTRE, BOX = "random places", "centre first", "the box itself"
BASELINES = (RANDOM, CENTRE)
ANEW = 1
OTHER_CLASSES = 3  # the most probable ones besides the image's own

Values = dict[str, list[float]]  # {measure: a number for each image, NaN where it has none}


class Trial(NamedTuple):
    """What is tested on which images. boxes: the objects' [N, 4], or None where they are not known. unlearnt: a network
    of the same architecture that was trained on random labels, or None."""

    asked: Question
    images: jax.Array  # [N, S, S, C] as the network takes them
    labels: jax.Array  # int [N]
    boxes: jax.Array | None
    stages: int  # of the cascade: so many of the layers, from the top one to the lowest
    unlearnt: Run | None


def measure(trial: Trial, methods: Sequence[str], ledger: Ledger, *, progress: bool = False) -> dict[str, Values]:
    """{method or baseline: {measure: values}}, of what is not in the ledger yet the rest, part by part.

    A stopped run goes on with the part that it was in. Measures: "rank:LAYER", "size:LAYER", "ssim:LAYER" - the rank
    correlation of a map's numbers, of their sizes, and the SSIM of these, with the map of the network whose layers from
    the top down to LAYER were drawn anew; "rank:labels" and so on of the one trained on random labels; "deletion",
    "insertion": areas; "inside", "hit", "drop": share of the map in the box, whether its peak hits it, what the answer
    loses without all but the map's strongest places, as many as the box has; "classes": likeness of maps of several
    classes; "edges": rank correlation with the image's edges.
    """
    known = {(record["method"], record["part"]): record["values"] for record in ledger.records}
    networks = _networks(trial)
    parts = [(method, part) for part in (*networks, "intact", "classes") for method in methods]
    parts += [(baseline, "intact") for baseline in (*BASELINES, *([BOX] if trial.boxes is not None else []))]
    names = {part: _kept_as(trial, part) for _, part in parts}
    kept = {(method, part): (method, names[part]) for method, part in parts}
    missing = [pair for pair in parts if kept[pair] not in known]
    there = len(parts) - len(missing)
    with meter(total=len(parts), initial=there, desc="testing", unit=" parts", disable=not progress) as bar:
        for pair, values in _parts(trial, networks, missing):
            method, part = kept[pair]
            ledger.append({"method": method, "part": part, "values": values})
            known[kept[pair]] = values
            bar.update()
    found: dict[str, Values] = {}
    for pair in parts:
        found.setdefault(pair[0], {}).update(known[kept[pair]])
    return found


def _kept_as(trial: Trial, part: str) -> str:
    """The name under which a part is kept: with another unlearnt network that part alone is measured anew."""
    return f"labels of {run_fingerprint(trial.unlearnt)}" if trial.unlearnt and part == "labels" else part


def _parts(
    trial: Trial, networks: dict[str, dict], wanted: Sequence[tuple[str, str]]
) -> Iterator[tuple[tuple[str, str], Values]]:
    """The wanted parts one by one, method by method: the maps of one at a time are held."""
    for method in dict.fromkeys(method for method, _ in wanted):
        intact = functools.cache(functools.partial(explain, method, trial.asked, trial.images, trial.labels))
        for part in [part for name, part in wanted if name == method]:
            yield (method, part), _part(trial, networks, method, part, intact)


def _part(trial: Trial, networks: dict[str, dict], method: str, part: str, intact: Callable[[], jax.Array]) -> Values:
    if part == "intact":
        return _intact(trial, method, intact)
    if part == "classes":
        return {part: _numbers(_classes(trial, method, intact()))}
    other = explain(method, trial.asked._replace(params=networks[part]), trial.images, trial.labels)
    return _changed(intact(), other, part)


def _networks(trial: Trial) -> dict[str, dict]:
    """Parameters of networks that know less: {the lowest layer that was drawn anew, or "labels": all of them}."""
    # Not the seed's own key: a training with that seed began with its draws, which what it has learnt still resembles
    # (rank correlation of gradients 0.98 with the top layer drawn so).
    every = list(cascade(trial.asked.arch, trial.asked.params, jax.random.fold_in(trial.asked.key, ANEW)))
    chosen = np.unique(np.linspace(0, len(every) - 1, min(trial.stages, len(every))).round().astype(int))
    networks = dict(every[number] for number in chosen) | ({"labels": trial.unlearnt.params} if trial.unlearnt else {})
    place = jax.tree.leaves(trial.asked.params)[0].sharding  # where arrays lie is part of what is compiled for them
    return {name: jax.device_put(params, place) for name, params in networks.items()}


def _changed(maps: jax.Array, others: jax.Array, layer: str) -> Values:
    return {f"{kind}:{layer}": _numbers(values) for kind, values in _likeness(maps, others).items()}


@jax.jit
def _likeness(maps: jax.Array, others: jax.Array) -> dict[str, jax.Array]:
    return {
        "rank": rank_correlation(maps, others),
        "size": rank_correlation(maps, others, values="absolute"),
        "ssim": structural_similarity(maps, others, values="absolute"),
    }


def _intact(trial: Trial, method: str, intact: Callable[[], jax.Array]) -> Values:
    """What a map, or a baseline, says of the places of its image."""
    count, size = len(trial.images), (trial.asked.arch.image_size, trial.asked.arch.image_size)
    if method == BOX:
        return {"drop": _numbers(_drop(trial, inside_boxes(trial.boxes, size)))}
    if method == RANDOM:
        weights = random_order(trial.asked.key, count, size)
    else:
        weights = centre_first(count, size) if method == CENTRE else magnitude(intact())
    arrays = trial.asked.params, trial.images, trial.labels, weights
    falls, rises = _curves(trial.asked.arch, trial.asked.effort.batch_size, *arrays)
    values = {"deletion": _numbers(falls), "insertion": _numbers(rises)}
    if method in METHODS:
        values["edges"] = _numbers(_outlines(weights, trial.images))
    if trial.boxes is not None:
        inside, hit, kept = _placed(weights, trial.boxes)
        values |= {"inside": _numbers(inside), "hit": _numbers(hit), "drop": _numbers(_drop(trial, kept))}
    return values


@jax.jit
def _outlines(weights: jax.Array, images: jax.Array) -> jax.Array:
    return rank_correlation(weights, edges(images))


@jax.jit
def _placed(weights: jax.Array, boxes: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The share of each map in its box, whether its peak hits it, and its strongest places, as many as the box has."""
    counts = inside_boxes(boxes, (weights.shape[1], weights.shape[2])).sum(axis=(1, 2))
    return share_inside(weights, boxes), pointing_game(weights, boxes), strongest(weights, counts)


def _drop(trial: Trial, kept: jax.Array) -> jax.Array:
    arrays = trial.asked.params, trial.images, trial.labels, kept
    return _dropped(trial.asked.arch, trial.asked.effort.batch_size, *arrays)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _curves(arch: Arch, batch_size: int, params: dict, images, labels, weights) -> tuple[jax.Array, jax.Array]:
    options = {"batch_size": batch_size}
    probabilities = functools.partial(_probabilities, arch, params)
    return (
        deletion(probabilities, images, labels, weights, **options).area,
        insertion(probabilities, images, labels, weights, **options).area,
    )


@functools.partial(jax.jit, static_argnums=(0, 1))
def _dropped(arch: Arch, batch_size: int, params: dict, images, labels, kept) -> jax.Array:
    return outside_drop(functools.partial(_probabilities, arch, params), images, labels, kept, batch_size=batch_size)


@functools.partial(jax.jit, static_argnums=0)
def _probabilities(arch: Arch, params: dict, images: jax.Array) -> jax.Array:
    return jax.nn.softmax(forward(arch, params, images).logits)


def _classes(trial: Trial, method: str, own: jax.Array) -> jax.Array:
    """Likeness of the maps of an image's own class and of the most probable others."""
    batch = trial.asked.effort.batch_size
    chunks = [trial.images[start : start + batch] for start in range(0, len(trial.images), batch)]
    shares = jnp.concatenate([_probabilities(trial.asked.arch, trial.asked.params, chunk) for chunk in chunks])
    others = jnp.argsort(shares.at[jnp.arange(len(shares)), trial.labels].set(-1), axis=1, descending=True)
    count = min(OTHER_CLASSES, shares.shape[1] - 1)
    maps = [own, *(explain(method, trial.asked, trial.images, others[:, number]) for number in range(count))]
    return class_likeness(jnp.stack(maps, axis=1))


def _numbers(values: jax.Array) -> list[float]:
    return np.asarray(values, np.float64).round(6).tolist()
