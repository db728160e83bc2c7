"""Captum's attribution methods on a network of PyTorch: the other side of `benchmarks.attribution`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple

import captum.attr
import numpy as np
import torch
from torch import nn

from benchmarks.torch_zf import torch_images

Method = Callable[
    ["Task", int], Iterator[torch.Tensor]
]  # (task, copies at a time) -> parts [n, C, H, W] or [n, 1, H, W]


class Task(NamedTuple):
    """What is explained, and how: as the options of `benchmarks.attribution`."""

    net: nn.Sequential
    images: torch.Tensor  # [N, C, H, W], channels_last
    targets: torch.Tensor  # int [N]
    references: torch.Tensor  # [R, C, H, W]
    layer: nn.Module  # of Grad-CAM, after its ReLU
    samples: int
    noise: float


def task(
    net: nn.Sequential, images: np.ndarray, targets: np.ndarray, references: np.ndarray, layer: str, **rest
) -> Task:
    pictures = [torch_images(each).contiguous(memory_format=torch.channels_last) for each in (images, references)]
    where = net.get_submodule(f"{layer}_relu")
    return Task(net, pictures[0], torch.from_numpy(targets), pictures[1], where, **rest)


def side(method: Method, of: Task, batch: int) -> Callable[[], torch.Tensor]:
    """A function that returns the method's maps of all images, `batch` copies at a time."""

    def run() -> torch.Tensor:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of hooks, and of inputs that are made to require gradients
            return torch.cat([part.detach() for part in method(of, batch)])

    return run


def _some(of: Task, count: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    yield from zip(of.images.split(count), of.targets.split(count), strict=True)


def _plain(kind: str, **options) -> Method:
    def method(of: Task, batch: int) -> Iterator[torch.Tensor]:
        explain = getattr(captum.attr, kind)(of.net)
        for images, targets in _some(of, batch):
            yield explain.attribute(images, target=targets, **options)

    return method


def _noisy(kind: str) -> Method:
    """One image at a time, whose copies fill the batch; the noise is a share of its range."""

    def method(of: Task, batch: int) -> Iterator[torch.Tensor]:
        explain = captum.attr.NoiseTunnel(captum.attr.Saliency(of.net))
        for image, target in _some(of, 1):
            options = {"stdevs": of.noise * float(image.max() - image.min()), "nt_samples": of.samples, "abs": False}
            yield explain.attribute(image, nt_type=kind, nt_samples_batch_size=batch, target=target, **options)

    return method


def _integrated(of: Task, batch: int) -> Iterator[torch.Tensor]:
    explain = captum.attr.IntegratedGradients(of.net)
    for image, target in _some(of, 1):
        options = {"n_steps": of.samples, "internal_batch_size": batch, "return_convergence_delta": True}
        yield explain.attribute(image, target=target, **options)[0]


def _expected(of: Task, batch: int) -> Iterator[torch.Tensor]:
    """Captum takes all copies of an image at once."""
    explain = captum.attr.GradientShap(of.net)
    for images, targets in _some(of, max(1, batch // of.samples)):
        yield explain.attribute(images, of.references, n_samples=of.samples, stdevs=0.0, target=targets)


def _grad_cam(of: Task, batch: int) -> Iterator[torch.Tensor]:
    explain = captum.attr.LayerGradCam(of.net, of.layer)
    for images, targets in _some(of, batch):
        cam = explain.attribute(images, target=targets, relu_attributions=True)
        yield captum.attr.LayerAttribution.interpolate(cam, images.shape[2:], "bilinear")


def _guided_grad_cam(of: Task, batch: int) -> Iterator[torch.Tensor]:
    explain = captum.attr.GuidedGradCam(of.net, of.layer)
    for images, targets in _some(of, batch):
        yield explain.attribute(images, target=targets, interpolate_mode="bilinear")


METHODS: dict[str, Method] = {
    "gradient": _plain("Saliency", abs=False),
    "gradient_x_input": _plain("InputXGradient"),
    "deconvolve": _plain("Deconvolution"),
    "guided_backprop": _plain("GuidedBackprop"),
    "smoothgrad": _noisy("smoothgrad"),
    "vargrad": _noisy("vargrad"),
    "integrated_gradients": _integrated,
    "expected_gradients": _expected,
    "grad_cam": _grad_cam,
    "guided_grad_cam": _guided_grad_cam,
}
