"""Zeiler & Fergus 2013, "Visualizing and Understanding Convolutional Networks", in JAX.

Names load when first used, so that `import zfjax` is instant and a script that only reads the table of
architectures never starts JAX.
"""

import importlib

from zfjax.runtime.xla import convolve_with_eigen

convolve_with_eigen()  # before JAX starts, or it is too late

_HOME = {
    "ARCHS": "zoo",
    "get_arch": "zoo",
    "Arch": "arch",
    "ReceptiveField": "arch",
    "Recipe": "recipe",
    "ConvNet": "convnet",
    "Forward": "convnet",
    "forward": "convnet",
    "init_params": "convnet",
    "Projection": "deconvnet",
    "Units": "deconvnet",
    "paste": "deconvnet",
    "project": "deconvnet",
    "project_map": "deconvnet",
    "strongest": "deconvnet",
    "Run": "runs.run",
    "load_run": "runs.run",
    "invariance_curves": "paper.invariance.measure",
    "network_occlusion_map": "paper.occlusion.measure",
    "occlusion_map": "paper.occlusion.measure",
    "correspondence": "paper.correspondence.measure",
}
_MODULES = {"arch", "convnet", "convolution", "data", "deconvnet", "layers", "ops", "preprocess", "windows", "zoo"}

__all__ = [*_HOME]


def __getattr__(name: str):
    if name in _MODULES:
        return importlib.import_module(f"zfjax.{name}")
    if name in _HOME:
        return getattr(importlib.import_module(f"zfjax.{_HOME[name]}"), name)
    raise AttributeError(f"module 'zfjax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*_HOME, *_MODULES])
