"""Grad-CAM: where in an image the maps of one layer speak for an output."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from zfjax.arch import Arch
from zfjax.attribution.targets import Function, Targets, checked, in_batches, scores
from zfjax.convnet import forward
from zfjax.errors import InputError

Head = Callable[[jax.Array, jax.Array], jax.Array]  # (maps [N, h, w, K], images [N, H, W, C]) -> outputs [N, ...]


def halves(arch: Arch, params: dict, layer: str) -> tuple[Function, Head]:
    """A network of ours cut in two at a layer: images -> its activation, and (activation, images) -> logits.

    What goes around the layer is computed from the images. Raises InputError for a layer that the network lacks.
    """
    arch.row(layer)
    return (
        lambda images: forward(arch, params, images).activations[layer],
        lambda maps, images: forward(arch, params, images, given={layer: maps}).logits,
    )


def grad_cam(
    features: Function,
    head: Head,
    images: jax.Array,
    targets: Targets,
    *,
    rectify: bool = True,
    batch_size: int = 32,
) -> jax.Array:
    """A layer's maps, weighted by their mean gradients, added up and enlarged: float32 [N, H, W] (Selvaraju et al.
    2016, arXiv 1610.02391, section 3, formulas 1 and 2).

    features: images [N, H, W, C] -> maps [N, h, w, K]; head: (maps, images) -> outputs [N, ...]; a head that needs no
    images, as of a chain, ignores them; together they are the function that is explained, and `halves` cuts a network
    of ours. rectify: what speaks against the output is set to zero before the map is enlarged, as they do; without,
    it stays, below zero. Enlarged to the image bilinearly, pixels' middles on pixels' middles, though the layer's
    receptive fields may lie otherwise. targets, batch_size and what is raised: as of `gradients.gradient`; InputError
    also where the features are no maps.
    """
    images, targets = checked(lambda images: head(features(images), images), images, targets)
    if len(shape := jax.eval_shape(features, images).shape) != 4:
        raise InputError(f"features must be maps [N, h, w, K], not {list(shape)}")

    def some(images: jax.Array, targets: jax.Array | None) -> jax.Array:
        maps = features(images)
        slopes = jax.grad(lambda maps: scores(lambda maps: head(maps, images), targets)(maps).sum())(maps)
        # a sum of products, no dot: TPUs and GPUs would round its factors to 8 or 11 bits
        cam = (slopes.mean(axis=(1, 2), keepdims=True) * maps).sum(axis=-1).astype(jnp.float32)
        return jax.image.resize(jax.nn.relu(cam) if rectify else cam, images.shape[:3], "bilinear")

    return in_batches(some, (images, targets), batch_size)


def guided_grad_cam(
    features: Function,
    head: Head,
    images: jax.Array,
    targets: Targets,
    guided: jax.Array,
    *,
    batch_size: int = 32,
) -> jax.Array:
    """Rectified Grad-CAM times guided backpropagation: float32 [N, H, W, C] (Selvaraju et al. 2016, section 3.1).

    guided: [N, H, W, C], what guided backpropagation gives of the same targets. The rest as in `grad_cam`.
    Raises InputError for a guided map of another shape than the images.
    """
    if jnp.shape(guided) != jnp.shape(images):
        raise InputError(
            f"guided must be of the images' shape {list(jnp.shape(images))}, not {list(jnp.shape(guided))}"
        )
    return grad_cam(features, head, images, targets, batch_size=batch_size)[..., None] * guided
