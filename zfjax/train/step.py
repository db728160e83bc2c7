"""The paper's training (section 3) as pure functions: one step, one evaluation, and what changes between epochs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from zfjax.arch import Arch
from zfjax.convnet import ConvNet, init_params
from zfjax.errors import InputError
from zfjax.preprocess import Preprocess
from zfjax.recipe import Recipe

SCALING_EPOCHS = 5  # over which the rate of a larger batch rises
MAX_DROPS = 3  # the rate falls to a thousandth at most
SUMS = ("loss", "top1", "count")  # over a batch, by `train_step`
MIN_GAIN = 1e-3  # of validation top-1: less than a tenth of a percent is no progress


class Plateau(NamedTuple):
    """How long validation has not improved, and how often the learning rate was cut for it."""

    best_top1: jax.Array  # float32
    stale_epochs: jax.Array  # int32
    drops: jax.Array  # int32


class TrainState(NamedTuple):
    """All that a training is: saved whole, it goes on to the bit. No random state: keys are folded from the step."""

    step: jax.Array  # int32, updates made
    params: dict
    opt_state: Any
    plateau: Plateau


def make_optimizer(recipe: Recipe) -> optax.GradientTransformation:
    """SGD with momentum 0.9, or Adam; decay of kernels, with Adam decoupled. `train_step` applies the learning rate."""
    decay = optax.add_decayed_weights(recipe.weight_decay, mask=_kernels)
    match recipe.optimizer:
        case "sgd":
            return optax.chain(decay, optax.trace(decay=0.9))
        case "adam":
            return optax.chain(optax.scale_by_adam(), decay)
    raise InputError(f"optimizer is 'sgd' or 'adam', not {recipe.optimizer!r}")


def init_state(key: jax.Array, arch: Arch, tx: optax.GradientTransformation) -> TrainState:
    """A training that has not begun."""
    params = init_params(key, arch)
    plateau = Plateau(jnp.float32(0), jnp.int32(0), jnp.int32(0))
    return TrainState(jnp.int32(0), params, tx.init(params), plateau)


def learning_rate(recipe: Recipe, step: jax.Array | int, drops: jax.Array, total_steps: int) -> jax.Array:
    """The rate of one step: linear warm-up, then a tenth for every drop, a cosine to zero, or no change.

    Times `rate_scale`, which it rises to from 1, by as much with every step, over SCALING_EPOCHS (Goyal et al. 2017,
    section 2.2, "gradual warmup"); one below 1 holds from the first step.
    """
    match recipe.schedule:
        case "plateau":
            factor = 0.1**drops
        case "cosine":
            factor = 0.5 * (1 + jnp.cos(jnp.pi * jnp.minimum(1, step / total_steps)))
        case "constant":
            factor = 1.0
        case other:
            raise InputError(f"schedule is 'plateau', 'cosine' or 'constant', not {other!r}")
    rate = recipe.learning_rate * factor * jnp.minimum(1, (step + 1) / (recipe.warmup_steps + 1))
    if recipe.rate_scale == 1:
        return rate
    first, rising = min(1.0, recipe.rate_scale), SCALING_EPOCHS * total_steps / recipe.epochs
    return rate * (first + (recipe.rate_scale - first) * jnp.minimum(1, step / rising))


def train_step(
    state: TrainState,
    batch: dict[str, jax.Array],
    preprocess: Preprocess,
    key: jax.Array,
    *,
    net: ConvNet,
    tx: optax.GradientTransformation,
    total_steps: int,
    grad_accum: int = 1,
) -> tuple[TrainState, dict[str, jax.Array]]:
    """One update: crop, forward, backward, momentum, filters back to their radius.

    batch: "image" uint8 [N, S, S, C], "label" int32 [N], "crop" int32 [N, 3]. preprocess, key: the run's;
    the key is folded by the step. grad_accum: the batch goes through the network in so many parts, one after the other,
    and their gradients are averaged; it must divide N, and devices exchange the gradients of each part. BatchNorm's
    running statistics are replaced by what the forward pass says. Returns the next state and sums over the batch:
    "loss", "top1", "count".
    """
    recipe = net.arch.recipe
    dropout = jax.random.fold_in(key, state.step)
    measure = functools.partial(_gradients, state.params, preprocess=preprocess, net=net)
    if grad_accum == 1:
        (gradients, statistics), sums = measure(batch, dropout)
    else:
        (gradients, statistics), sums = _accumulate(measure, batch, dropout, grad_accum)
    updates, opt_state = tx.update(gradients, state.opt_state, state.params)
    rate = learning_rate(recipe, state.step, state.plateau.drops, total_steps)
    params = jax.tree.map(lambda param, update: param - rate * update, state.params, updates)
    params = renormalise_filters(params, recipe.filter_rms) if recipe.filter_rms else params
    params = {layer: {**values, **statistics.get(layer, {})} for layer, values in params.items()}
    return TrainState(state.step + 1, params, opt_state, state.plateau), sums


def _gradients(params: dict, batch: dict[str, jax.Array], dropout: jax.Array, *, preprocess: Preprocess, net: ConvNet):
    """The gradients of the mean loss with the running statistics, and the sums over the batch, the network's own loss
    alone among them where auxiliary classifiers are trained too."""
    images, recipe = preprocess.crops(batch["image"], batch["crop"]), net.arch.recipe

    def mean_loss(params):
        out: Any = net.apply({"params": params}, images, train=True, rngs={"dropout": dropout})
        loss = _mean_loss(out.logits, batch["label"])
        heads = [out.activations[name].reshape(out.logits.shape) for name in recipe.auxiliary]
        others = [recipe.auxiliary_weight * _mean_loss(head.astype(jnp.float32), batch["label"]) for head in heads]
        return sum(others, loss), (loss, out.logits, out.statistics)

    (_, (loss, logits, statistics)), gradients = jax.value_and_grad(mean_loss, has_aux=True)(params)
    count = jnp.float32(len(logits))
    return (gradients, statistics), {
        "loss": loss * count,
        "top1": hits(logits, batch["label"], 1).sum(),
        "count": count,
    }


def _mean_loss(logits: jax.Array, labels: jax.Array) -> jax.Array:
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def _accumulate(measure: Callable, batch: dict[str, jax.Array], dropout: jax.Array, parts: int):
    """Mean gradients and statistics, and sums, over the parts of a batch, each with random numbers of its own."""

    def add(total, part):
        number, rows = part
        return jax.tree.map(jnp.add, total, measure(rows, jax.random.fold_in(dropout, number))), None

    # every parts-th row, and not consecutive ones: so each device finds its rows of every part where they are
    split = jax.tree.map(lambda rows: rows.reshape(-1, parts, *rows.shape[1:]).swapaxes(0, 1), batch)
    shapes = jax.eval_shape(measure, jax.tree.map(lambda rows: rows[0], split), dropout)
    nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    (means, sums), _ = jax.lax.scan(add, nothing, (jnp.arange(parts), split))
    return jax.tree.map(lambda total: total / parts, means), sums


def eval_step(
    params: dict, batch: dict[str, jax.Array], preprocess: Preprocess, *, net: ConvNet
) -> dict[str, jax.Array]:
    """Sums over the real images (those of "mask") on their centre crop: "loss", "top1", "top5", "count"."""
    out: Any = net.apply({"params": params}, preprocess.centre(batch["image"]))
    logits = out.logits
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, batch["label"])
    columns = {
        "loss": losses,
        "top1": hits(logits, batch["label"], 1),
        "top5": hits(logits, batch["label"], 5),
        "count": jnp.ones_like(losses),
    }
    return {name: jnp.where(batch["mask"], column, 0).sum() for name, column in columns.items()}


def hits(logits: jax.Array, labels: jax.Array, k: int) -> jax.Array:
    """Float [N]: 1 where the label is among the k largest logits; of equal ones the first count: ties earn nothing.

    By counting what is ahead of the label: for `lax.top_k` devices send each other all their logits.
    """
    own = jnp.take_along_axis(logits, labels[:, None], axis=1)
    earlier = jnp.arange(logits.shape[1])[None, :] < labels[:, None]
    others = jnp.arange(logits.shape[1])[None, :] != labels[:, None]
    ahead = others & jnp.where(earlier, ~(logits < own), ~(logits <= own))  # what is no number is ahead of all
    return (ahead.sum(axis=1) < k).astype(jnp.float32)


def renormalise_filters(params: dict, radius: float) -> dict:
    """Scales convolution filters whose RMS exceeds the radius back to it (section 3; the paper's radius is 0.1).

    One filter is kernel[:, :, :, o], over rows, columns and input maps; biases and dense layers stay.
    """

    def cap(name: str, kernel: jax.Array) -> jax.Array:
        if name != "kernel" or kernel.ndim != 4:
            return kernel
        rms = jnp.sqrt(jnp.mean(kernel * kernel, axis=(0, 1, 2), keepdims=True))
        return kernel * jnp.minimum(1, radius / jnp.maximum(rms, jnp.finfo(kernel.dtype).tiny))

    return {layer: {name: cap(name, value) for name, value in values.items()} for layer, values in params.items()}


def observe(plateau: Plateau, top1: jax.Array | float, patience: int) -> Plateau:
    """What one validation tells: after `patience` epochs without progress the rate drops, up to MAX_DROPS times."""
    better = top1 > plateau.best_top1 + MIN_GAIN
    stale = jnp.where(better, 0, plateau.stale_epochs + 1)
    drop = (stale >= patience) & (plateau.drops < MAX_DROPS)
    return Plateau(
        best_top1=jnp.maximum(plateau.best_top1, jnp.float32(top1)),
        stale_epochs=jnp.where(drop, 0, stale).astype(jnp.int32),
        drops=plateau.drops + drop.astype(jnp.int32),
    )


def _kernels(params: dict) -> dict:
    return {layer: {name: name == "kernel" for name in values} for layer, values in params.items()}
