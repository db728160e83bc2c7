"""Published weights as a run folder: from the file to the picture."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest
from nets import random_params
from PIL import Image
from runs import run_script

import zfjax
from zfjax.cli import evaluate, visualize, weights
from zfjax.errors import InputError
from zfjax.weights.presets import preprocessing, red_first

ARCH = zfjax.get_arch("squeezenet1_1", image_size=64, num_classes=3)


@pytest.fixture(scope="module")
def params() -> dict:
    return jax.tree.map(np.asarray, random_params(ARCH))


@pytest.fixture
def file(params, tmp_path) -> Path:
    """As PyTorch would call and turn them."""
    path = tmp_path / "squeezed.npz"
    tensors = {}
    for layer, parts in params.items():
        tensors[f"{layer}.weight"], tensors[f"{layer}.bias"] = parts["kernel"].transpose(3, 2, 0, 1), parts["bias"]
    np.savez(path, **tensors)
    return path


@pytest.fixture
def small(tmp_path) -> Path:
    """LeNet-5 with three classes, in our own names and order."""
    tree = random_params(zfjax.get_arch("lenet5", num_classes=3))
    path = tmp_path / "small.npz"
    np.savez(path, **{f"{layer}/{name}": value for layer, parts in tree.items() for name, value in parts.items()})
    return path


@pytest.fixture
def photos(tmp_path) -> Path:
    """Ten to a class, and a flat folder with three of them."""
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for name in ("ant", "bee"):
            folder = tmp_path / "set" / split / name
            folder.mkdir(parents=True)
            for number in range(2):
                Image.fromarray(rng.integers(0, 256, (70, 90, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    (tmp_path / "flat").mkdir()
    for number in range(3):
        Image.fromarray(rng.integers(0, 256, (90, 70, 3), dtype=np.uint8)).save(tmp_path / "flat" / f"{number}.png")
    return tmp_path


def made(file: Path, *flags: str) -> list[str]:
    return [str(file), f"--arch={ARCH.name}", "--image_size=64", f"--workdir={file.parent / 'run'}", *flags]


def test_a_file_becomes_a_run(file, params, monkeypatch, capsys):
    run_script(weights, made(file), monkeypatch)
    run_script(weights, made(file), monkeypatch)  # again: nothing is lost
    said = capsys.readouterr().out
    assert "squeezed.npz: squeezenet1_1, 724,035 parameters, 3 classes" in said
    assert "pictures as torchvision has them (by default; --preset takes another)" in said
    run = zfjax.load_run(file.parent / "run")
    assert run.arch.num_classes == 3 and run.class_names == ("class 0", "class 1", "class 2") and run.step == 0
    assert jax.tree.all(jax.tree.map(lambda a, b: np.array_equal(a, b), run.params, params))
    picture = np.full((80, 100, 3), (255, 0, 51), np.uint8)
    expected = (np.array([1.0, 0.0, 0.2]) - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(run.preprocess(picture)[0, 5, 5], expected, rtol=1e-5)
    config = json.loads((file.parent / "run" / "config.json").read_text())
    assert config["weights"]["file"] == "squeezed.npz" and len(config["weights"]["sha256"]) == 64


def test_a_run_that_was_trained_is_not_taken_for_one_of_weights(file, monkeypatch, capsys):
    (file.parent / "run").mkdir()
    (file.parent / "run" / "config.json").write_text(json.dumps({"dataset": "scenes", "arch": {}}))
    with pytest.raises(SystemExit) as stop:
        run_script(weights, made(file), monkeypatch)
    assert stop.value.code == 2 and "another folder by --workdir" in capsys.readouterr().err


def test_it_is_measured_on_some_of_its_classes_and_drawn_without_any(small, photos, monkeypatch, capsys):
    (photos / "names.txt").write_text("wasp\nBee\nant\n")
    run = photos / "run"
    named = [f"--classes={photos / 'names.txt'}", f"--workdir={run}"]
    run_script(weights, [small, "--arch=lenet5", *named], monkeypatch)
    run_script(evaluate, [f"--ckpt={run}", f"--dataset=folder:{photos / 'set'}", "--crops=1"], monkeypatch)
    assert "the images are of 2 of the network's 3 classes" in capsys.readouterr().out
    looked = [f"--ckpt={run}", f"--dataset=folder:{photos / 'flat'}", "--num_images=1"]
    for figure in (["features", "--layers=conv*", "--num_maps=2"], ["occlusion", "--occlusion.stride=16"]):
        run_script(visualize, [*looked, f"--figure={figure[0]}", *figure[1:]], monkeypatch)
    drawn = sorted(path.name for path in (run / "figures").iterdir())
    assert drawn == ["features_conv1.png", "features_conv2.png", "occlusion.png"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--preset=imagenet"], "--preset is torchvision, caffe, zero_to_one, minus_one_to_one, not 'imagenet'"),
        (["--classes=imagenet"], "--classes=imagenet has 1,000 names; the network has 3 classes"),
        (["--classes=/nowhere"], "--classes: cannot read /nowhere"),
        (["--arch="], "holds weights without their network; say which by --arch"),
        (["--arch=resnet18"], "squeezed.npz does not fit resnet18"),
        (["x.caffemodel"], "x.caffemodel: Caffe's files are not read; convert them to ONNX"),
        (["--smallest_side=10"], "a crop of 64 pixels does not fit into a canvas of 10"),
    ],
)
def test_what_does_not_fit_is_one_line_and_leaves_no_run(flags, message, file, monkeypatch, capsys):
    arguments = made(file, *flags) if flags[0].startswith("-") else [*flags, *made(file)[1:]]
    with pytest.raises(SystemExit) as stop:
        run_script(weights, arguments, monkeypatch)
    assert stop.value.code == 2 and message in (said := capsys.readouterr().err) and said.count("\n") == 1
    assert not (file.parent / "run").exists()


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        ("caffe", [255 - 123, 0 - 117, 51 - 104]),
        ("zero_to_one", [1, 0, 0.2]),
        ("minus_one_to_one", [1, -1, -0.6]),
    ],
)
def test_presets_by_hand(preset, expected):
    made = preprocessing(preset, zfjax.get_arch("alexnet"))
    assert (made.smallest_side, made.crop) == (256, 224)
    seen = made(np.full((30, 40, 3), (255, 0, 51), np.uint8))
    np.testing.assert_allclose(seen[0, 100, 100], expected, atol=1e-5)


def test_grey_networks_take_the_mean_of_the_three():
    made = preprocessing("caffe", zfjax.get_arch("lenet5"))
    np.testing.assert_allclose(
        made(np.full((32, 32), 200, np.uint8))[0, 0, 0], [200 - (123 + 117 + 104) / 3], rtol=1e-6
    )


def test_weights_for_blue_first_see_the_same_once_they_are_turned():
    arch = zfjax.get_arch("alexnet", image_size=67, num_classes=2, width=0.1)
    params, picture = random_params(arch), np.random.default_rng(0).normal(size=(1, 67, 67, 3)).astype(np.float32)
    turned = red_first("caffe", arch, params)
    forward = jax.jit(zfjax.forward, static_argnums=0)
    expected = forward(arch, params, picture[..., ::-1].copy()).logits
    np.testing.assert_allclose(forward(arch, turned, picture).logits, expected, rtol=1e-4, atol=1e-6)
    assert red_first("torchvision", arch, params) is params
    dense = zfjax.Arch((zfjax.Dense("fc1", relu=False),), image_size=4, num_classes=2)
    params, picture = random_params(dense), picture[:, :4, :4]
    expected = forward(dense, params, picture[..., ::-1].copy()).logits
    found = forward(dense, red_first("caffe", dense, params), picture).logits
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    pooled = zfjax.Arch((zfjax.MaxPool("pool1", 2, 2), zfjax.Dense("fc2", relu=False)), image_size=4, num_classes=2)
    with pytest.raises(InputError, match="pool1 reads the picture and has no kernel for each colour"):
        red_first("caffe", pooled, random_params(pooled))
