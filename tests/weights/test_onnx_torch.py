"""Files that PyTorch's exporter writes: the same outputs, and the names of its modules. Skipped without PyTorch."""

import warnings

import jax
import numpy as np
import pytest
from oracle import assert_close

from zfjax import convnet
from zfjax.weights.onnx import read_onnx

torch = pytest.importorskip("torch", reason="PyTorch is no dependency; this is for the desk")
nn = torch.nn


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.relu(self.bn1(self.conv1(x)) + x)


class Shuffle(nn.Module):
    """ShuffleNet v2's unit: half of the channels are left as they are, and both halves are shuffled."""

    def __init__(self, channels):
        super().__init__()
        self.branch = nn.Conv2d(channels // 2, channels // 2, 3, padding=1, groups=channels // 2)

    def forward(self, x):
        same, other = x.chunk(2, dim=1)
        n, c, h, w = x.shape
        return torch.cat((same, self.branch(other)), 1).view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


class Net(nn.Module):
    def __init__(self, **pool):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 5, stride=2, padding=2), nn.ReLU(), nn.MaxPool2d(**pool))
        self.layer1 = nn.Sequential(Block(4), Block(4))
        self.shuffle = Shuffle(4)
        self.pool = nn.AvgPool2d(**pool)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1, self.fc2 = nn.LazyLinear(6), nn.Linear(10, 7)

    def forward(self, x):
        x = self.shuffle(self.layer1(self.features(x)))
        y = self.avgpool(x).mean((2, 3))
        x = self.pool(x)
        x = self.fc1(nn.functional.dropout(x.view(x.size(0), -1), 0.5, self.training))
        return torch.softmax(self.fc2(torch.cat((torch.relu(x), y), 1)), 1)


POOLS = [
    {"kernel_size": 3, "stride": 2, "ceil_mode": True},
    {"kernel_size": 4, "stride": 3, "padding": 1, "ceil_mode": True},
    {"kernel_size": (2, 3), "stride": (3, 1), "padding": (0, 1), "ceil_mode": True},
    {"kernel_size": 3, "stride": 2, "padding": 1},
]
MODES = {
    "folded": {},
    "any batch": {"dynamic_axes": {"x": {0: "N"}}},
    "as it is": {"do_constant_folding": False, "training": torch.onnx.TrainingMode.PRESERVE},
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("pool", POOLS, ids=str)
@pytest.mark.filterwarnings("ignore")
def test_exported_networks(pool, mode, tmp_path):
    torch.manual_seed(0)
    module, images = Net(**pool).eval(), torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        expected = module(images)
        for name, values in module.named_buffers():
            if "running" in name:
                values.uniform_(0.5, 1.5)
        expected = module(images)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, images, tmp_path / "net.onnx", dynamo=False, input_names=["x"], **MODES[mode])
    arch, params = read_onnx(tmp_path / "net.onnx")
    forward = jax.jit(convnet.forward, static_argnums=0)(arch, params, np.moveaxis(images.numpy(), 1, 3))
    assert_close(jax.nn.softmax(forward.logits), expected.numpy(), 1e-5)
    named = {"features.0", "features.2", "layer1.0.conv1", "layer1.1", "shuffle.branch", "pool", "fc1", "fc2"}
    assert named <= {*arch.layer_names}, arch.layer_names
