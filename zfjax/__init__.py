"""Zeiler & Fergus 2013, "Visualizing and Understanding Convolutional Networks", in JAX.

Names load when first used, so that `import zfjax` is instant and a script that only reads the table of
architectures never starts JAX.
"""

import importlib

from zfjax.xla import convolve_with_eigen

convolve_with_eigen()  # before JAX starts, or it is too late

_HOME = {
    "ARCHS": "arch",
    "Arch": "arch",
    "ReceptiveField": "arch",
    "Recipe": "arch",
    "get_arch": "arch",
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
    "Run": "run",
    "load_run": "run",
    "invariance_curves": "experiments.invariance",
    "network_occlusion_map": "experiments.occlusion",
    "occlusion_map": "experiments.occlusion",
    "correspondence": "experiments.correspondence",
}
_MODULES = {"arch", "checkpoint", "convnet", "data", "deconvnet", "experiments", "figures", "layers", "mining", "ops"}
_MODULES |= {"run", "table", "training"}

__all__ = [*_HOME]


def __getattr__(name: str):
    if name in _MODULES:
        return importlib.import_module(f"zfjax.{name}")
    if name in _HOME:
        return getattr(importlib.import_module(f"zfjax.{_HOME[name]}"), name)
    raise AttributeError(f"module 'zfjax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*_HOME, *_MODULES])
