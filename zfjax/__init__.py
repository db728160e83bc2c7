"""Zeiler & Fergus 2013, "Visualizing and Understanding Convolutional Networks", in JAX.

Names load when first used, so that `import zfjax` is instant, changes nothing outside the package, and a script that
only reads the table of architectures never starts JAX. On a CPU call `zfjax.tune_cpu()` before JAX computes anything.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zfjax import convnet, data, deconvnet, draw, layers, ops, preprocess, zoo
    from zfjax.arch import Arch
    from zfjax.attribution.correspondence import correspondence
    from zfjax.attribution.deconvolve import deconvolve, guided_backprop
    from zfjax.attribution.invariance import invariance_curves
    from zfjax.attribution.occlusion import network_occlusion_map, occlusion_map
    from zfjax.attribution.window import receptive_window
    from zfjax.convnet import ConvNet, Forward, forward, init_params
    from zfjax.deconvnet import Projection, Units, paste, project, project_map, strongest
    from zfjax.layers import (
        LRN,
        Add,
        AvgPool,
        BatchNorm,
        Concat,
        Conv,
        Dense,
        Dropout,
        GlobalAvgPool,
        Identity,
        MaxPool,
    )
    from zfjax.paper.architecture.draw import draw_architecture
    from zfjax.paper.correspondence.draw import draw_correspondence
    from zfjax.paper.evaluation.draw import draw_confusion
    from zfjax.paper.evolution.draw import draw_convergence, draw_evolution
    from zfjax.paper.features.draw import draw_features
    from zfjax.paper.first_layers.draw import draw_filters, draw_selection
    from zfjax.paper.invariance.draw import draw_invariance
    from zfjax.paper.methods.draw import draw_methods
    from zfjax.paper.occlusion.draw import draw_occlusion
    from zfjax.paper.optimised.draw import draw_optimised
    from zfjax.paper.sanity.draw import draw_sanity
    from zfjax.paper.top_activations import FeatureMap
    from zfjax.paper.top_patches import TopPatches, top_patches
    from zfjax.paper.transfer.draw import draw_transfer
    from zfjax.paper.units.draw import draw_activations, draw_maximal_activations
    from zfjax.preprocess import Preprocess
    from zfjax.recipe import Recipe
    from zfjax.rows import ReceptiveField
    from zfjax.runs.run import Run, load_run
    from zfjax.runs.save import save_run
    from zfjax.runtime.cpu import tune_cpu
    from zfjax.zoo import ARCHS, get_arch

_HOMES = {
    "arch": ("Arch",),
    "convnet": ("ConvNet", "Forward", "forward", "init_params"),
    "deconvnet": ("Projection", "Units", "paste", "project", "project_map", "strongest"),
    "layers": (
        "Add",
        "AvgPool",
        "BatchNorm",
        "Concat",
        "Conv",
        "Dense",
        "Dropout",
        "GlobalAvgPool",
        "Identity",
        "LRN",
        "MaxPool",
    ),
    "attribution.correspondence": ("correspondence",),
    "attribution.deconvolve": ("deconvolve", "guided_backprop"),
    "attribution.invariance": ("invariance_curves",),
    "attribution.occlusion": ("network_occlusion_map", "occlusion_map"),
    "attribution.window": ("receptive_window",),
    "paper.architecture.draw": ("draw_architecture",),
    "paper.correspondence.draw": ("draw_correspondence",),
    "paper.evaluation.draw": ("draw_confusion",),
    "paper.evolution.draw": ("draw_convergence", "draw_evolution"),
    "paper.features.draw": ("draw_features",),
    "paper.first_layers.draw": ("draw_filters", "draw_selection"),
    "paper.invariance.draw": ("draw_invariance",),
    "paper.methods.draw": ("draw_methods",),
    "paper.occlusion.draw": ("draw_occlusion",),
    "paper.optimised.draw": ("draw_optimised",),
    "paper.sanity.draw": ("draw_sanity",),
    "paper.transfer.draw": ("draw_transfer",),
    "paper.units.draw": ("draw_activations", "draw_maximal_activations"),
    "paper.top_activations": ("FeatureMap",),
    "paper.top_patches": ("TopPatches", "top_patches"),
    "preprocess": ("Preprocess",),
    "recipe": ("Recipe",),
    "rows": ("ReceptiveField",),
    "runs.run": ("Run", "load_run"),
    "runs.save": ("save_run",),
    "runtime.cpu": ("tune_cpu",),
    "zoo": ("ARCHS", "get_arch"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}
_MODULES = ("convnet", "data", "deconvnet", "draw", "layers", "ops", "preprocess", "zoo")

__all__ = [
    "ARCHS",
    "Add",
    "Arch",
    "AvgPool",
    "BatchNorm",
    "Concat",
    "Conv",
    "ConvNet",
    "Dense",
    "Dropout",
    "FeatureMap",
    "Forward",
    "GlobalAvgPool",
    "Identity",
    "LRN",
    "MaxPool",
    "Preprocess",
    "Projection",
    "ReceptiveField",
    "Recipe",
    "Run",
    "TopPatches",
    "Units",
    "convnet",
    "correspondence",
    "data",
    "deconvnet",
    "deconvolve",
    "draw",
    "draw_activations",
    "draw_architecture",
    "draw_confusion",
    "draw_convergence",
    "draw_correspondence",
    "draw_evolution",
    "draw_features",
    "draw_filters",
    "draw_invariance",
    "draw_maximal_activations",
    "draw_methods",
    "draw_occlusion",
    "draw_optimised",
    "draw_sanity",
    "draw_selection",
    "draw_transfer",
    "forward",
    "get_arch",
    "guided_backprop",
    "init_params",
    "invariance_curves",
    "layers",
    "load_run",
    "network_occlusion_map",
    "occlusion_map",
    "ops",
    "paste",
    "preprocess",
    "project",
    "project_map",
    "receptive_window",
    "save_run",
    "strongest",
    "top_patches",
    "tune_cpu",
    "zoo",
]


def __getattr__(name: str):
    if name in _HOME:
        return getattr(importlib.import_module(f"zfjax.{_HOME[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"zfjax.{name}")
    raise AttributeError(f"module 'zfjax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
