"""A network of zfjax as a PyTorch module with the same weights: the other side of the comparisons."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import torch
from torch import nn

from zfjax.arch import Arch, Row
from zfjax.layers import LRN, Conv, Dense, Dropout, Layer, MaxPool, round_up


class ContrastNorm(nn.LocalResponseNorm):
    """zfjax's LRN. PyTorch divides alpha by n, zfjax does not."""

    def __init__(self, layer: LRN):
        super().__init__(layer.n, layer.n * layer.alpha, layer.beta, layer.k)


class _PassedBy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, norm):
        return norm(x)

    @staticmethod
    def backward(ctx, gradient):
        return gradient, None


class PassedByNorm(ContrastNorm):
    """The same on the way up, nothing on the way down, as in the paper's deconvnet (zfjax's norm="identity")."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _PassedBy.apply(x, super().forward)


def torch_net(arch: Arch, params: dict, *, norm: type[nn.Module] = ContrastNorm) -> nn.Sequential:
    """The network in evaluation mode, channels_last; its modules are named as the layers, ReLUs "conv1_relu", ...

    norm: the module for LRN layers. Raises ValueError for a layer that no comparison needs.
    """
    modules: OrderedDict[str, nn.Module] = OrderedDict()
    for row in arch.rows:
        layer = row.layer
        if isinstance(layer, Dense) and "flatten" not in modules:
            modules["flatten"] = nn.Flatten()
        modules[layer.name] = norm(layer) if isinstance(layer, LRN) else _module(layer, row)
        if getattr(layer, "relu", False):
            modules[f"{layer.name}_relu"] = nn.ReLU()
    net = nn.Sequential(modules)
    net.load_state_dict(torch_state(arch, params))
    return net.to(memory_format=torch.channels_last).eval()


def torch_state(arch: Arch, params: dict) -> dict[str, torch.Tensor]:
    """Parameters of zfjax (or anything of their shapes: gradients, momenta) by the names that PyTorch gives them."""
    state = {}
    for row in arch.rows:
        if row.layer.name in params:
            values = params[row.layer.name]
            state[f"{row.layer.name}.weight"] = torch.from_numpy(_weight(row, np.asarray(values["kernel"])))
            state[f"{row.layer.name}.bias"] = torch.from_numpy(np.array(values["bias"]))
    return state


def torch_images(images: np.ndarray) -> torch.Tensor:
    """[N, H, W, C] as PyTorch's [N, C, H, W], channels_last in memory."""
    return torch.from_numpy(np.array(images)).permute(0, 3, 1, 2)


def _module(layer: Layer, row: Row) -> nn.Module:
    match layer:
        case Conv(padding=((top, bottom), (left, right))) if top == bottom == left == right:
            sizes = {"kernel_size": layer.kernel, "stride": layer.strides, "padding": top, "groups": layer.groups}
            return nn.Conv2d(row.input_shape[2], row.shape[2], **sizes)
        case MaxPool() if layer.padding == round_up(layer.strides):
            return nn.MaxPool2d(layer.window, layer.strides, ceil_mode=True)
        case Dense():
            return nn.Linear(int(np.prod(row.input_shape)), row.shape[2])
        case Dropout():
            return nn.Dropout(layer.rate)
    raise ValueError(f"no counterpart in PyTorch for {layer}")


def _weight(row: Row, kernel: np.ndarray) -> np.ndarray:
    if kernel.ndim == 4:  # HWIO -> OIHW
        return np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
    # PyTorch flattens [C, H, W], zfjax [H, W, C]
    return np.ascontiguousarray(kernel.reshape(*row.input_shape, -1).transpose(3, 2, 0, 1).reshape(kernel.shape[1], -1))
