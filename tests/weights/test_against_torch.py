"""Files that PyTorch itself saved; skipped where it is not installed, for nothing but this test needs it."""

import dataclasses

import numpy as np
import pytest
from layouts import LAYOUTS
from torch_files import old_forms, state_dict, write_legacy, write_zip

from zfjax.convnet import forward
from zfjax.weights.match import match
from zfjax.weights.reader import read_tensors

torch = pytest.importorskip("torch", reason="the files are saved by PyTorch")
nn = torch.nn


def _small():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6 * 6, 5))
    net.train()(torch.randn(2, 3, 8, 8))  # statistics of its own, and one batch tracked
    return net.eval()


def _expected(net) -> dict[str, np.ndarray]:
    return {name: each.float().cpu().numpy() for name, each in net.state_dict().items() if "tracked" not in name}


def _checkpoint(net):
    optimizer = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9)
    net(torch.randn(2, 3, 8, 8)).sum().backward()
    optimizer.step()
    return {"epoch": 3, "arch": "small", "best": torch.tensor(9.5), "optimizer": optimizer.state_dict()}


VARIANTS = {
    "as it is": lambda net: net.state_dict(),
    "parallel": lambda net: nn.DataParallel(net).state_dict(),
    "parameters": lambda net: {**dict(net.named_parameters()), **dict(net.named_buffers())},
    "checkpoint": lambda net: {**_checkpoint(net), "state_dict": net.state_dict()},
    "model": lambda net: {"model": nn.DataParallel(net).state_dict(), "args": [1, 2.5, None, ("a", b"b")]},
    "half": lambda net: net.half().state_dict(),
    "bfloat16": lambda net: net.bfloat16().state_dict(),
    "double": lambda net: net.double().state_dict(),
    "channels last": lambda net: net.to(memory_format=torch.channels_last).state_dict(),
    "turned": lambda net: {
        name: each.detach().t() if each.ndim == 2 else each for name, each in net.state_dict().items()
    },
}


@pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}, {"pickle_protocol": 4}], ids=str)
@pytest.mark.parametrize("name", VARIANTS)
def test_what_torch_saved(tmp_path, name, options):
    net = _small()
    saved = VARIANTS[name](net)
    torch.save(saved, tmp_path / "w", **options)
    expected = _expected(net)
    if name == "turned":
        expected["4.weight"] = expected["4.weight"].T
    found = read_tensors(tmp_path / "w")
    assert set(found) == set(expected)
    for key, array in expected.items():
        np.testing.assert_array_equal(found[key], array)
        assert found[key].dtype == np.float32


@pytest.mark.parametrize("write", [write_zip, write_legacy])
@pytest.mark.parametrize("forms", [state_dict, old_forms])
def test_torch_reads_the_files_of_the_other_tests(tmp_path, write, forms):
    arrays = {"a.weight": np.arange(12, dtype=np.float32).reshape(3, 4).T, "a.bias": np.ones(3, np.float32)}
    arrays["b.weight"] = arrays["a.weight"] + 1
    write(tmp_path / "w", *forms(arrays, *([None] if write is write_legacy else [])))
    theirs = torch.load(tmp_path / "w", weights_only=True)
    for name, array in read_tensors(tmp_path / "w").items():
        np.testing.assert_array_equal(array, arrays[name])
        np.testing.assert_array_equal(theirs.pop(name).detach().numpy(), array)
    assert not theirs


class Fire(nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, 3, 1)
        self.expand1x1 = nn.Conv2d(3, 4, 1)
        self.expand3x3 = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x):
        x = self.squeeze(x).relu()
        return torch.cat([self.expand1x1(x).relu(), self.expand3x3(x).relu()], 1)


class Chain(nn.Module):
    """features, classifier: AlexNet, VGG, SqueezeNet."""

    def __init__(self, features, classifier, flat=True):
        super().__init__()
        self.features, self.classifier, self.flat = nn.Sequential(*features), nn.Sequential(*classifier), flat

    def forward(self, x):
        x = self.features(x)
        x = self.classifier(x.flatten(1) if self.flat else x)
        return x if self.flat else x.mean((2, 3))


class Block(nn.Module):
    def __init__(self, inputs, features, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, features, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(features)
        self.conv2 = nn.Conv2d(features, features, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(features)
        self.downsample = None
        if stride > 1:
            shortcut = nn.Conv2d(inputs, features, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(features))

    def forward(self, x):
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (y + (self.downsample(x) if self.downsample else x)).relu()


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 4, 3, 1, 1, bias=False), nn.BatchNorm2d(4)
        self.layer1, self.layer2 = nn.Sequential(Block(4, 4)), nn.Sequential(Block(4, 6, 2))
        self.fc = nn.Linear(6, 5)

    def forward(self, x):
        x = nn.functional.max_pool2d(self.bn1(self.conv1(x)).relu(), 2)
        return self.fc(self.layer2(self.layer1(x)).mean((2, 3)))


class Normalised(nn.Module):
    def __init__(self, *sizes, **options):
        super().__init__()
        self.conv = nn.Conv2d(*sizes, bias=False, **options)
        self.bn = nn.BatchNorm2d(sizes[1])

    def forward(self, x):
        return self.bn(self.conv(x)).relu()


class Inception(nn.Module):
    def __init__(self):
        super().__init__()
        self.branch1 = Normalised(4, 3, 1)
        self.branch2 = nn.Sequential(Normalised(4, 2, 1), Normalised(2, 3, 3, padding=1))

    def forward(self, x):
        return torch.cat([self.branch1(x), self.branch2(x)], 1)


class GoogLeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.inception3a = Normalised(3, 4, 3, padding=1), Inception()
        self.aux1 = nn.Sequential(nn.Linear(6, 5))  # of the training alone
        self.fc = nn.Linear(6, 5)

    def forward(self, x):
        return self.fc(self.inception3a(self.conv1(x)).mean((2, 3)))


def _features(widths, pools, normalised=False):
    layers, inputs = [], 3
    for width, pool in zip(widths, pools, strict=True):
        layers += [nn.Conv2d(inputs, width, 3, padding=1), *([nn.BatchNorm2d(width)] if normalised else []), nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if pool else []
        inputs = width
    return layers


def _full(flat, dropout_first):
    linear = [nn.Linear(flat, 7), nn.ReLU(), nn.Linear(7, 7), nn.ReLU()]
    for place in (0, 3) if dropout_first else (2, 5):
        linear.insert(place, nn.Dropout())
    return [*linear, nn.Linear(7, 5)]


def _alexnet():
    first = [nn.Conv2d(3, 4, 5, 2, 2), nn.ReLU(), nn.MaxPool2d(2)]
    rest = _features((4, 6, 8, 6, 6), (0, 1, 0, 0, 1))[2:]
    return Chain([*first, *rest], _full(24, dropout_first=True))


def _squeezenet():
    features = [nn.Conv2d(3, 6, 3, 2), nn.ReLU(), nn.MaxPool2d(2), Fire(6), Fire(8), nn.MaxPool2d(2), Fire(8)]
    return Chain(features, [nn.Dropout(), nn.Conv2d(8, 5, 1), nn.ReLU()], flat=False)


NETS = {
    "alexnet": _alexnet,
    "vgg": lambda: Chain(_features((4, 4, 6), (1, 0, 1)), _full(24, dropout_first=False)),
    "vgg-bn": lambda: Chain(_features((4, 4), (1, 1), normalised=True), _full(16, dropout_first=False)),
    "squeezenet": _squeezenet,
    "resnet": ResNet,
    "googlenet": GoogLeNet,
}


def _save_safetensors(net, path):
    pytest.importorskip("safetensors.torch").save_file(net.state_dict(), path)


def _save_npz(net, path):
    with path.open("wb") as file:
        np.savez(file, **{name: each.numpy() for name, each in net.state_dict().items()})


WRITERS = {
    "zip": lambda net, path: torch.save(net.state_dict(), path),
    "legacy": lambda net, path: torch.save(net.state_dict(), path, _use_new_zipfile_serialization=False),
    "parallel": lambda net, path: torch.save({"epoch": 1, "state_dict": nn.DataParallel(net).state_dict()}, path),
    "half": lambda net, path: torch.save(net.half().state_dict(), path),
    "safetensors": _save_safetensors,
    "npz": _save_npz,
}


@pytest.mark.parametrize("layout", NETS)
def test_outputs_are_torchs(tmp_path, layout):
    torch.manual_seed(1)
    net, arch = NETS[layout](), LAYOUTS[layout][0]
    images = torch.randn(4, 3, arch.image_size, arch.image_size)
    net.train()(images)  # BatchNorm has statistics
    for name, write in WRITERS.items():
        net.eval()
        write(net, tmp_path / name)  # half leaves the network with rounded weights
        with torch.no_grad():
            expected = net.float().cpu()(images).numpy()  # DataParallel moves it to a GPU
        matched = match(read_tensors(tmp_path / name), dataclasses.replace(arch, num_classes=9))
        logits = forward(matched.arch, matched.params, images.numpy().transpose(0, 2, 3, 1)).logits
        assert matched.arch.num_classes == 5 and not matched.note
        np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max(), err_msg=name)
