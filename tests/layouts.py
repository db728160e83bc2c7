"""Small networks with the layers' names of ours, and what torchvision calls them in its files."""

import numpy as np

from zfjax.arch import Arch
from zfjax.layers import (
    VALID,
    Add,
    BatchNorm,
    Concat,
    Conv,
    Dense,
    Dropout,
    GlobalAvgPool,
    Identity,
    MaxPool,
    pad,
)
from zfjax.recipe import Recipe

HE = Recipe(init="he", filter_rms=0.0)


def _pool(name, **options):
    return MaxPool(name, window=2, padding=VALID, **options)


def _conv(name, features, **options):
    return Conv(name, features, kernel=3, padding=pad(1), **options)


def _normalised(conv, bn, features, *, relu=True, **options):
    return Conv(conv, features, bias=None, relu=False, **options), BatchNorm(bn, relu=relu)


ALEXNET = Arch(
    (
        Conv("conv1", 4, kernel=5, strides=2, padding=pad(2)),
        _pool("pool1"),
        _conv("conv2", 6),
        _pool("pool2"),
        _conv("conv3", 8),
        _conv("conv4", 6),
        _conv("conv5", 6),
        _pool("pool5"),
        Dropout("drop6"),
        Dense("fc6", 7),
        Dropout("drop7"),
        Dense("fc7", 7),
        Dense("fc8", relu=False),
    ),
    image_size=32,
    num_classes=5,
    recipe=HE,
)
_FULL = (Dense("fc6", 7), Dropout("drop6"), Dense("fc7", 7), Dropout("drop7"), Dense("fc8", relu=False))
VGG = Arch(
    (
        _conv("conv1_1", 4),
        _pool("pool1"),
        _conv("conv2_1", 4),
        _conv("conv2_2", 6),
        _pool("pool2"),
        *_FULL,
    ),
    image_size=8,
    num_classes=5,
    recipe=HE,
)
VGG_BN = Arch(
    (
        _conv("conv1_1", 4, relu=False),
        BatchNorm("bn1_1", relu=True),
        _pool("pool1"),
        _conv("conv2_1", 4, relu=False),
        BatchNorm("bn2_1", relu=True),
        _pool("pool2"),
        *_FULL,
    ),
    image_size=8,
    num_classes=5,
    recipe=HE,
)


def _fire(name):
    squeeze, one, three = (f"{name}/{part}" for part in ("squeeze1x1", "expand1x1", "expand3x3"))
    return (
        Conv(squeeze, 3, kernel=1),
        Conv(one, 4, kernel=1, inputs=(squeeze,)),
        _conv(three, 4, inputs=(squeeze,)),
        Concat(f"{name}/concat", inputs=(one, three)),
    )


SQUEEZENET = Arch(
    (
        Conv("conv1", 6, kernel=3, strides=2),
        _pool("pool1"),
        *_fire("fire2"),
        *_fire("fire3"),
        _pool("pool3"),
        *_fire("fire4"),
        Dropout("drop9"),
        Conv("conv10", features=None, kernel=1),
        GlobalAvgPool("pool10"),
    ),
    image_size=17,
    num_classes=5,
    recipe=HE,
)
RESNET = Arch(
    (
        *_normalised("conv1", "bn1", 4, kernel=3, padding=pad(1)),
        _pool("maxpool"),
        *_normalised("layer1.0.conv1", "layer1.0.bn1", 4, kernel=3, padding=pad(1)),
        *_normalised("layer1.0.conv2", "layer1.0.bn2", 4, kernel=3, padding=pad(1), relu=False),
        Add("layer1.0", inputs=("layer1.0.bn2", "maxpool"), relu=True),
        *_normalised("layer2.0.conv1", "layer2.0.bn1", 6, kernel=3, strides=2, padding=pad(1)),
        *_normalised("layer2.0.conv2", "layer2.0.bn2", 6, kernel=3, padding=pad(1), relu=False),
        *_normalised(
            "layer2.0.downsample.0",
            "layer2.0.downsample.1",
            6,
            kernel=1,
            strides=2,
            relu=False,
            inputs=("layer1.0",),
        ),
        Add("layer2.0", inputs=("layer2.0.bn2", "layer2.0.downsample.1"), relu=True),
        GlobalAvgPool("avgpool"),
        Dense("fc", relu=False),
    ),
    image_size=16,
    num_classes=5,
    recipe=HE,
)
GOOGLENET = Arch(
    (
        *_normalised("conv1.conv", "conv1.bn", 4, kernel=3, padding=pad(1)),
        Identity("maxpool1"),
        *_normalised("inception3a.branch1.conv", "inception3a.branch1.bn", 3, kernel=1),
        *_normalised("inception3a.branch2.0.conv", "inception3a.branch2.0.bn", 2, kernel=1, inputs=("maxpool1",)),
        *_normalised("inception3a.branch2.1.conv", "inception3a.branch2.1.bn", 3, kernel=3, padding=pad(1)),
        Concat("inception3a", inputs=("inception3a.branch1.bn", "inception3a.branch2.1.bn")),
        GlobalAvgPool("avgpool"),
        Dense("fc", relu=False),
    ),
    image_size=8,
    num_classes=5,
    recipe=HE,
)


def _places(layers: str, modules: str) -> dict[str, str]:
    return dict(zip(layers.split(), modules.split(), strict=True))


def _same(arch: Arch) -> dict[str, str]:
    return {row.name: row.name for row in arch.rows if row.param_shapes}


_INSIDE = ("squeeze1x1", "squeeze"), ("expand1x1", "expand1x1"), ("expand3x3", "expand3x3")
_FIRES = {f"fire{n}/{a}": f"features.{i}.{b}" for n, i in ((2, 3), (3, 4), (4, 6)) for a, b in _INSIDE}
# {name: (network, {layer: module})}, the modules counted by hand in torchvision's Sequentials.
LAYOUTS = {
    "alexnet": (
        ALEXNET,
        _places(
            "conv1 conv2 conv3 conv4 conv5 fc6 fc7 fc8",
            "features.0 features.3 features.6 features.8 features.10 classifier.1 classifier.4 classifier.6",
        ),
    ),
    "vgg": (
        VGG,
        _places(
            "conv1_1 conv2_1 conv2_2 fc6 fc7 fc8",
            "features.0 features.3 features.5 classifier.0 classifier.3 classifier.6",
        ),
    ),
    "vgg-bn": (
        VGG_BN,
        _places(
            "conv1_1 bn1_1 conv2_1 bn2_1 fc6 fc7 fc8",
            "features.0 features.1 features.4 features.5 classifier.0 classifier.3 classifier.6",
        ),
    ),
    "squeezenet": (SQUEEZENET, {"conv1": "features.0", **_FIRES, "conv10": "classifier.1"}),
    "resnet": (RESNET, _same(RESNET)),
    "googlenet": (GOOGLENET, _same(GOOGLENET)),
}
_PARTS = {"kernel": "weight", "scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}


def random_params(arch: Arch, seed: int = 0) -> dict[str, dict[str, np.ndarray]]:
    """As `init_params` has them, all parts random, variances positive."""
    rng = np.random.default_rng(seed)
    params = {}
    for row in arch.rows:
        if row.param_shapes:
            own = {name: rng.normal(0, 0.5, shape).astype(np.float32) for name, shape in row.param_shapes.items()}
            params[row.name] = {name: np.abs(array) + 0.1 if name == "var" else array for name, array in own.items()}
    return params


def as_torch(arch: Arch, params: dict, modules: dict[str, str]) -> dict[str, np.ndarray]:
    """The parameters as a state dict of PyTorch, written number by number's place: what `match` should undo."""
    tensors = {}
    for row in arch.rows:
        for name in row.param_shapes:
            array = params[row.name][name]
            if name == "kernel" and array.ndim == 4:
                array = np.einsum("hwio->oihw", array)
            elif name == "kernel":
                array = np.einsum("hwco->ochw", array.reshape(*row.input_shape, -1)).reshape(array.shape[1], -1)
            tensors[f"{modules[row.name]}.{_PARTS[name]}"] = np.ascontiguousarray(array)
    return tensors
