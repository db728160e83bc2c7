"""Layer-wise relevance propagation: an output shared out over the pixels by what each of them contributed.

A layer's relevance R_j is shared out over its inputs by their parts z_ij = a_i * w_ij in its sums z_j: Bach et al.
2015, https://doi.org/10.1371/journal.pone.0130140. The rules have the names of Montavon et al. 2018 (1706.07979) and
2019 (https://doi.org/10.1007/978-3-030-28954-6_10).
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal, assert_never

import jax
import jax.numpy as jnp

from zfjax import checks
from zfjax import layers as kinds
from zfjax.arch import Arch
from zfjax.arguments import check_arch, check_images, check_params
from zfjax.attribution.targets import Targets, check_targets, in_batches, scores
from zfjax.convnet import apply_layer, forward
from zfjax.descent import Descent, adjoint
from zfjax.errors import InputError
from zfjax.layers import IMAGE
from zfjax.rows import Row

Rule = Literal["epsilon", "z+"]
# (walk, row, relevance, inputs, outputs) -> a part for each input, of layers that add up
Linear = Callable[[Descent, Row, jax.Array, Sequence[jax.Array], jax.Array], Sequence[jax.Array]]


def lrp(
    arch: Arch,
    params: dict,
    images: jax.Array,
    targets: Targets,
    *,
    rule: Rule = "epsilon",
    epsilon: float = 1e-6,
    layer: str | None = None,
    batch_size: int = 32,
) -> jax.Array:
    """How much each pixel contributed to one output of its image: float32 [N, size, size, channels].

    images: float32 [N, size, size, channels], preprocessed. targets: int [N], of the logits; with `layer`, a unit of
    its map for each image, int [N, 3]: row, column, channel. batch_size: images at a time, which bounds the memory.

    rule: "epsilon", R_i = sum_j z_ij / (z_j + epsilon * sign(z_j)) R_j (Bach et al. 2015, formula 58): z_j holds the
    bias, which keeps its part; without biases and with a small epsilon the relevance of the pixels adds up to the
    output, and in a network of ReLUs, convolutions and pools it is gradient x input (Ancona et al. 2018, 1711.06104,
    proposition 1). "z+", R_i = sum_j z+_ij / sum_i z+_ij R_j (Montavon et al. 2018, formula 24, alpha 1 and beta 0 in
    Bach et al., formula 60), over the positive parts alone, those of negative inputs with negative weights too, biases
    left out: it adds up to the output where each sum that has relevance has a positive part, and has the output's sign
    everywhere. A sum without any loses its relevance: one alive by its bias alone, or a mean of negative values.

    ReLU passes relevance on, as do contrast normalisation, dropout and Concat; a max pool gives all to its winner; an
    average is a sum of equal weights; an Add shares by what its inputs contribute. BatchNorm becomes part of the Conv
    or Dense before it where nothing else reads that: with "epsilon" the result is the same but for roundings, and the
    z+ rule, on its own, would see the signs of the kernel and not those of the product. Any other BatchNorm shares by
    the rule as a layer with one input for each place.

    Raises InputError for another rule, for an epsilon below 0, and for targets, images or parameters that do not fit.
    """
    check_arch(arch)
    check_images(arch, images)
    check_params(arch, params)
    if rule not in ("epsilon", "z+"):
        raise InputError(f"rule is 'epsilon' or 'z+', not {rule!r}")
    checks.require(checks.number(0), epsilon, "epsilon must be a number from 0 on")
    shape = (math.prod(arch.rows[-1].shape),) if layer is None else arch.row(layer).shape
    check_targets(jax.ShapeDtypeStruct((len(images), *shape), images.dtype), len(images), targets)
    by_parts = functools.partial(_by_positive_parts, _unsigned(arch))
    linear = by_parts if rule == "z+" else functools.partial(_by_epsilon, epsilon)
    explain = functools.partial(_explain, arch, params, layer, linear)
    return in_batches(explain, (images, jnp.asarray(targets)), batch_size)


def _explain(
    arch: Arch, params: dict, layer: str | None, linear: Linear, images: jax.Array, targets: jax.Array
) -> jax.Array:
    """One batch."""
    out, top = forward(arch, params, images), layer or arch.layer_names[-1]
    maps = {IMAGE: images, **out.activations}
    outputs = out.logits if layer is None else maps[layer]
    value, place = jax.vjp(scores(lambda outputs: outputs, targets), outputs)
    relevance = {top: place(value)[0].reshape(maps[top].shape)}
    below = dict.fromkeys(arch.spans(top))
    walk = Descent(arch, params, out, below, None, jnp.arange(len(images)), "sum", "identity")
    merged = _merged(arch, top)
    products = {before.name: {"kernel": _product(walk, before, arch.row(norm))} for norm, before in merged.items()}
    walk = dataclasses.replace(walk, params={**params, **products})
    for row in reversed(arch.rows):
        if row.name not in relevance:
            continue
        reads = merged.get(row.name, row)
        inputs = [maps[name] for name in reads.inputs]
        parts = _shared(walk, reads, relevance.pop(row.name), inputs, maps[row.name], linear)
        for name, part in zip(reads.inputs, parts, strict=True):
            relevance[name] = relevance[name] + part if name in relevance else part
    return relevance[IMAGE].astype(jnp.float32)


def _merged(arch: Arch, top: str) -> dict[str, Row]:
    """{BatchNorm: the Conv or Dense that it becomes one layer with}."""
    readers = Counter(name for row in arch.rows for name in row.inputs)
    found = {}
    for row in arch.rows:
        if isinstance(row.layer, kinds.BatchNorm) and row.inputs[0] not in (IMAGE, top):
            before = arch.row(row.inputs[0])
            linear = isinstance(before.layer, kinds.Conv | kinds.Dense) and not before.layer.relu
            if linear and readers[before.name] == 1:
                found[row.name] = before
    return found


def _product(walk: Descent, before: Row, norm: Row) -> jax.Array:
    """The kernel of a layer and the BatchNorm after it as one: its last axis scaled."""
    kernel = walk.params[before.name]["kernel"]
    (scaled,) = adjoint(walk, norm, kernel.reshape(1, 1, -1, kernel.shape[-1]))
    return scaled.reshape(kernel.shape)


def _shared(
    walk: Descent, row: Row, relevance: jax.Array, inputs: Sequence[jax.Array], outputs: jax.Array, linear: Linear
) -> Sequence[jax.Array]:
    """What each input of a layer has of the layer's relevance."""
    match row.layer:
        case kinds.MaxPool() | kinds.LRN() | kinds.Dropout() | kinds.Concat() | kinds.Identity():
            return adjoint(walk, row, relevance)
        case kinds.Conv() | kinds.Dense() | kinds.AvgPool() | kinds.GlobalAvgPool() | kinds.Add() | kinds.BatchNorm():
            return linear(walk, row, relevance, inputs, outputs)
        case _:
            assert_never(row.layer)


def _by_epsilon(
    epsilon: float, walk: Descent, row: Row, relevance: jax.Array, inputs: Sequence[jax.Array], outputs: jax.Array
) -> list[jax.Array]:
    """outputs: after ReLU. Where that has cut something off no relevance arrives, since every part of such a place is
    zero in the layers above; elsewhere they are the sums z."""
    back = adjoint(walk, row, _ratio(relevance, outputs, epsilon))
    return [x * part for x, part in zip(inputs, back, strict=True)]


def _by_positive_parts(
    unsigned: frozenset[str],
    walk: Descent,
    row: Row,
    relevance: jax.Array,
    inputs: Sequence[jax.Array],
    outputs: jax.Array,
) -> Sequence[jax.Array]:
    """Positive inputs with positive weights, and negative ones, if there are any, with negative weights."""
    own = walk.params.get(row.name, {})
    signs = (_positive,) if not own or unsigned.issuperset(row.inputs) else (_positive, _negative)
    halves = [([sign(x) for x in inputs], {row.name: _of_one_sign(own, sign)}) for sign in signs]
    sums = [apply_layer(row.layer, params, part) for part, params in halves]
    ratio = _ratio(relevance, functools.reduce(jnp.add, sums), 0.0)
    backs = [adjoint(dataclasses.replace(walk, params=params), row, ratio) for _, params in halves]
    shares = [[x * back for x, back in zip(part, backs[n], strict=True)] for n, (part, _) in enumerate(halves)]
    return [functools.reduce(jnp.add, of_input) for of_input in zip(*shares, strict=True)]


def _of_one_sign(own: dict[str, jax.Array], sign: Callable[[jax.Array], jax.Array]) -> dict[str, jax.Array]:
    """A layer's parameters with the weights of one sign alone, and nothing added."""
    signed = {name: sign(array) for name, array in own.items() if name in ("kernel", "scale")}
    nothing = {name: jnp.zeros_like(array) for name, array in own.items() if name in ("bias", "mean")}
    return {**own, **nothing, **signed}


def _positive(x: jax.Array) -> jax.Array:
    return jnp.maximum(x, 0)


def _negative(x: jax.Array) -> jax.Array:
    return jnp.minimum(x, 0)


def _unsigned(arch: Arch) -> frozenset[str]:
    """Layers that are never negative, whatever the image."""
    found = set()
    for row in arch.rows:
        weighs = isinstance(row.layer, kinds.Conv | kinds.Dense | kinds.BatchNorm)
        if row.layer.relu or (not weighs and found.issuperset(row.inputs)):
            found.add(row.name)
    return frozenset(found)


def _ratio(relevance: jax.Array, sums: jax.Array, epsilon: float) -> jax.Array:
    """Relevance per unit of the sum; none where there is neither a sum nor an epsilon."""
    sums = sums + jnp.where(sums < 0, -epsilon, epsilon)
    return jnp.where(sums == 0, 0, relevance / jnp.where(sums == 0, 1, sums))
