"""Every method of attribution by its name, on one network: images and targets in, maps out."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from zfjax.arch import Arch
from zfjax.attribution import grad_cam, gradients
from zfjax.attribution.deconvolve import guided_backprop
from zfjax.attribution.lrp import Rule, lrp
from zfjax.attribution.occlusion import centres, network_occlusion_map
from zfjax.attribution.rise import rise
from zfjax.attribution.targets import in_batches
from zfjax.convnet import Forward, forward
from zfjax.deconvnet import Units, paste, project
from zfjax.descent import Norm
from zfjax.errors import InputError, near
from zfjax.ops import Overlap
from zfjax.paper.default_layers import strongest_layer


class Effort(NamedTuple):
    """What the methods spend, and their other choices; none is the paper's."""

    samples: int = 50  # noisy copies, points of a line, reference images drawn
    masks: int = 1000  # of RISE
    places: int = 16  # of the occluding square along each side
    batch_size: int = 32
    overlap: Overlap = "sum"  # of the deconvnet
    norm: Norm = "identity"


class Question(NamedTuple):
    """What of which network is explained. layer: "" for the classes, else the layer whose units are."""

    arch: Arch
    params: dict
    layer: str
    references: jax.Array  # [R, S, S, C], baselines of expected gradients
    key: jax.Array
    effort: Effort

    def outputs(self, images: jax.Array) -> jax.Array:
        """[N, K] logits, or the layer's [N, ...]."""
        return self._outputs_of(forward(self.arch, self.params, images))

    def answers(self, images: jax.Array) -> jax.Array:
        """Probabilities in place of the logits: for methods that weigh what they are told."""
        return self.answers_of(forward(self.arch, self.params, images))

    def answers_of(self, passed: Forward) -> jax.Array:
        outputs = self._outputs_of(passed)
        return outputs if self.layer else jax.nn.softmax(outputs)

    def _outputs_of(self, passed: Forward) -> jax.Array:
        return passed.activations[self.layer] if self.layer else passed.logits


Explain = Callable[[Question, jax.Array, jax.Array], jax.Array]


class Method(NamedTuple):
    """title: for captions. source: who and when. explain: images [N, S, S, C] and targets (int [N], of units [N, 3])
    -> [N, S, S, C] or, of places alone, [N, S, S]. classes_alone: it explains no units."""

    title: str
    source: str
    explain: Explain
    classes_alone: bool = False


def _deconvnet(asked: Question, images: jax.Array, targets: jax.Array) -> jax.Array:
    layer = asked.layer or asked.arch.layer_names[-1]
    overlap, norm = asked.effort.overlap, asked.effort.norm

    def some(images: jax.Array, targets: jax.Array) -> jax.Array:
        nowhere = jnp.zeros(len(images), jnp.int32)
        row, col, channel = targets.T if targets.ndim == 2 else (nowhere, nowhere, targets)
        units = Units(jnp.arange(len(images)), channel, row, col)
        passed = forward(asked.arch, asked.params, images)
        down = project(asked.arch, asked.params, passed, layer, units, overlap=overlap, norm=norm, seed="one")
        return paste(down, asked.arch.image_size)

    return in_batches(some, (images, targets), asked.effort.batch_size)


def _guided(asked: Question, images: jax.Array, targets: jax.Array) -> jax.Array:
    def some(images: jax.Array, targets: jax.Array) -> jax.Array:
        unit = (jnp.arange(len(images)), *targets.reshape(len(images), -1).T)
        return guided_backprop(asked.outputs, unit=unit, others="gradient")(images)

    return in_batches(some, (images, targets), asked.effort.batch_size)


def _plain(method: Callable) -> Explain:
    return lambda asked, images, targets: method(asked.outputs, images, targets, batch_size=asked.effort.batch_size)


def _noisy(method: Callable) -> Explain:
    return lambda asked, images, targets: method(
        asked.outputs,
        images,
        targets,
        key=asked.key,
        samples=asked.effort.samples,
        batch_size=asked.effort.batch_size,
    )


def _integrated(asked: Question, images: jax.Array, targets: jax.Array) -> jax.Array:
    options = {"steps": asked.effort.samples, "batch_size": asked.effort.batch_size}
    return gradients.integrated_gradients(asked.outputs, images, targets, **options).attributions


def _expected(asked: Question, images: jax.Array, targets: jax.Array) -> jax.Array:
    method = functools.partial(gradients.expected_gradients, references=asked.references)
    return _noisy(method)(asked, images, targets)


def _grad_cam(asked: Question, images: jax.Array, targets: jax.Array) -> jax.Array:
    halves = grad_cam.halves(asked.arch, asked.params, strongest_layer(asked.arch))
    return grad_cam.grad_cam(*halves, images, targets, batch_size=asked.effort.batch_size)


def _guided_grad_cam(asked: Question, images: jax.Array, targets: jax.Array) -> jax.Array:
    return _grad_cam(asked, images, targets)[..., None] * _guided(asked, images, targets)


def _lrp(rule: Rule) -> Explain:
    return lambda asked, images, targets: lrp(
        asked.arch,
        asked.params,
        images,
        targets,
        rule=rule,
        layer=asked.layer or None,
        batch_size=asked.effort.batch_size,
    )


def _occlusion(asked: Question, images: jax.Array, targets: jax.Array) -> jax.Array:
    """What the answer loses under a square, for every place of its centre, and bilinearly between those."""
    side = asked.arch.image_size
    options = {"size": max(1, round(side / 4)), "stride": max(1, side // asked.effort.places)}
    options["batch_size"] = asked.effort.batch_size
    places = centres(side, options["stride"])
    pixels = jnp.arange(side, dtype=jnp.float32)
    between = jax.vmap(jnp.interp, (None, None, 0))(pixels, places.astype(jnp.float32), jnp.eye(len(places)))

    def one(pair: tuple[jax.Array, jax.Array]) -> jax.Array:
        image, target = pair

        def answer(passed: Forward) -> jax.Array:
            return asked.answers_of(passed)[(slice(None), *jnp.atleast_1d(target))]

        scores = network_occlusion_map(asked.arch, asked.params, image, answer, **options)
        lost = answer(forward(asked.arch, asked.params, image[None]))[0] - scores
        return between.T @ lost @ between

    return jax.lax.map(one, (images, targets))


def _rise(asked: Question, images: jax.Array, targets: jax.Array) -> jax.Array:
    options = {"samples": asked.effort.masks, "batch_size": asked.effort.batch_size}
    return rise(asked.answers, images, targets, key=asked.key, **options)


METHODS: dict[str, Method] = {
    "deconvnet": Method("deconvnet", "Zeiler & Fergus 2013", _deconvnet),
    "guided_backprop": Method("guided backprop", "Springenberg et al. 2014", _guided),
    "gradient": Method("gradient", "Simonyan et al. 2013", _plain(gradients.gradient)),
    "gradient_x_input": Method("gradient × input", "Shrikumar et al. 2016", _plain(gradients.gradient_x_input)),
    "smoothgrad": Method("SmoothGrad", "Smilkov et al. 2017", _noisy(gradients.smoothgrad)),
    "vargrad": Method("VarGrad", "Adebayo et al. 2018", _noisy(gradients.vargrad)),
    "integrated_gradients": Method("integrated grad.", "Sundararajan et al. 2017", _integrated),
    "expected_gradients": Method("expected grad.", "Erion et al. 2019", _expected),
    "lrp_epsilon": Method("LRP epsilon", "Bach et al. 2015", _lrp("epsilon")),
    "lrp_z+": Method("LRP z+", "Montavon et al. 2017", _lrp("z+")),
    "grad_cam": Method("Grad-CAM", "Selvaraju et al. 2016", _grad_cam, classes_alone=True),
    "guided_grad_cam": Method("guided Grad-CAM", "Selvaraju et al. 2016", _guided_grad_cam, classes_alone=True),
    "occlusion": Method("occlusion", "Zeiler & Fergus 2013", _occlusion),
    "rise": Method("RISE", "Petsiuk et al. 2018", _rise),
}


def chosen_methods(text: str, *, layer: str) -> list[str]:
    """ "gradient,rise" -> their names; "" all that can explain the layer's units ("" the classes).

    Raises InputError for a method that there is not, or that explains no units.
    """
    names = [name for name in text.split(",") if name]
    for name in names:
        if name not in METHODS:
            raise InputError(f"unknown method {name!r}; there are {near(name, tuple(METHODS))}")
        if layer and METHODS[name].classes_alone:
            raise InputError(f"{METHODS[name].title} explains classes; of units of {layer} it has nothing to say")
    return names or [name for name, method in METHODS.items() if not (layer and method.classes_alone)]


def explain(name: str, asked: Question, images: jax.Array, targets: jax.Array) -> jax.Array:
    """What a method says: float32 [N, S, S, C], signed, or of places alone [N, S, S]; compiled once a network.

    images: [N, S, S, C] as the network takes them. targets: int [N], classes, or [N, 3], row, column and channel of
    units (of a fully connected layer 0, 0 and its number).
    """
    arrays = asked.params, asked.references, asked.key, images, targets
    return _explain(name, asked.arch, asked.layer, asked.effort, *arrays)


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _explain(name, arch, layer, effort, params, references, key, images, targets):
    asked = Question(arch, params, layer, references, key, effort)
    return METHODS[name].explain(asked, images, targets).astype(jnp.float32)
