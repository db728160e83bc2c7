"""Training on labels that mean nothing: drawn by the seed once, whatever the source, the epoch and the process."""

import dataclasses
import json

import numpy as np
import pytest
from runs import run_script
from test_data_prepare import make_photos, run_prepare

from zfjax.arch import Arch
from zfjax.cli import train as command
from zfjax.data import Dataset, eval_batches, open_dataset, train_batches
from zfjax.data.random_labels import RandomLabels, with_random_labels
from zfjax.data.scenes.scenes import SceneSource
from zfjax.layers import Dense
from zfjax.recipe import Recipe
from zfjax.runs.folder import read_config, read_metrics
from zfjax.train.loop import train
from zfjax.train.settings import described

SIDE = 20


@pytest.fixture(scope="module")
def names(tmp_path_factory) -> dict[str, str]:
    root = tmp_path_factory.mktemp("random")
    photos = make_photos(root / "photos", train=14, val=6)
    sets = {format: f"prepared:{run_prepare(photos, root / format, format=format)}" for format in ("raw", "jpeg")}
    return {"folder": f"folder:{photos}", **sets, "scenes": "scenes"}


def opened(name: str, **options) -> Dataset:
    found = open_dataset(name, canvas_size=SIDE, **options)
    if name == "scenes":  # a few of them
        train, val = (SceneSource(split, size=SIDE, count=count) for split, count in (("train", 14), ("val", 6)))
        return dataclasses.replace(found, train=train, val=val)
    return found


def drawn(source, steps: int, **options) -> list[dict]:
    batches = train_batches(source, batch_size=4, image_size=16, crops="random", seed=3, num_threads=1, **options)
    return [next(batches) for _ in range(steps)]


@pytest.mark.parametrize("kind", ["scenes", "folder", "raw", "jpeg"])
def test_labels_are_the_seeds_in_every_epoch_process_and_after_a_resume(kind, names):
    true = opened(names[kind])
    data = with_random_labels(true, seed=5)
    labels = RandomLabels(opened(names[kind]).train, 5).labels
    assert labels.dtype == np.int32 and labels.tolist() != [int(true.train[n]["label"]) for n in range(14)]
    batches = drawn(data.train, 14)  # four epochs
    for batch, plain in zip(batches, drawn(true.train, 14), strict=True):
        np.testing.assert_array_equal(batch["label"], labels[batch["index"]])
        for key in ("image", "index", "crop"):
            np.testing.assert_array_equal(batch[key], plain[key])
    for batch, later in zip(batches[9:], drawn(data.train, 5, start_step=9), strict=True):
        np.testing.assert_array_equal(batch["label"], later["label"])
    halves = [drawn(data.train, 3, process_index=index, process_count=2) for index in (0, 1)]
    for batch, *both in zip(batches[:3], *halves, strict=True):
        np.testing.assert_array_equal(batch["label"], np.concatenate([half["label"] for half in both]))
    for batch, plain in zip(*(eval_batches(each.val, batch_size=4) for each in (data, true)), strict=True):
        np.testing.assert_array_equal(batch["label"], plain["label"])
    assert data.fingerprint() == true.fingerprint() and data.train.describe(3) == true.train.describe(3)
    assert data.origin == f"{true.origin}, the training labels drawn at random"


def test_labels_are_as_many_of_each_class_and_know_nothing_of_the_true_ones():
    source = SceneSource("train", size=8)
    labels, true = RandomLabels(source, 0).labels, np.arange(5000) % 10
    assert np.bincount(labels).tolist() == [500] * 10
    together = np.zeros((10, 10))
    np.add.at(together, (true, labels), 1)
    chi_square = ((together - 50) ** 2 / 50).sum()
    assert 40 < chi_square < 130  # 81 degrees of freedom: mean 81, deviation 13
    assert (RandomLabels(source, 1).labels != labels).mean() > 0.8


def test_a_stand_in_for_a_broken_image_has_the_label_of_its_place(tmp_path):
    photos = make_photos(tmp_path, train=14, val=6)
    (broken, *_) = sorted((photos / "train" / "ant").iterdir())
    broken.write_bytes(b"no image")
    data = with_random_labels(opened(f"folder:{photos}", bad_images="skip"), seed=5)
    record = data.train[0]
    assert not record["sound"] and record["label"] == RandomLabels(data.train, 5).labels[0]


class Bright:
    """Noise, which is brighter in the second of two classes: learnt in no time."""

    class_names: tuple[str, ...] = ("dark", "bright")

    def __init__(self, count: int, first: int):
        self.count, self.first = count, first

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict:
        rng, label = np.random.default_rng(self.first + index), index % 2
        image = rng.integers(0, 200, (14, 14, 3), dtype=np.uint8) + np.uint8(55 * label)
        return {"image": image, "label": np.int32(label), "index": np.int32(index)}

    def describe(self, index: int) -> str:
        return f"image {index}"


@pytest.mark.parametrize("random", [False, True])
def test_training_images_are_learnt_by_heart_and_others_are_at_chance(random, tmp_path):
    recipe = Recipe("adam", 3e-3, 0.0, batch_size=8, epochs=5, init="he", schedule="constant", crops="whole")
    arch = Arch((Dense("fc1", relu=False),), image_size=14, num_classes=2, recipe=recipe, input_scale=1 / 64)
    data = Dataset("noise", Bright(64, 0), Bright(192, 1000), Bright.class_names, "noise")
    data = with_random_labels(data, seed=0) if random else data
    train(arch, data, tmp_path, config={"dataset": "scenes", "data_dir": None, **described(arch)})
    last = read_metrics(tmp_path)[-1]
    assert last["train_top1"] > 0.95
    assert abs(last["val_top1"] - 0.5) < 0.12 if random else last["val_top1"] > 0.95  # deviation 0.036


def test_the_run_folder_says_so_and_goes_on_only_so(names, tmp_path, monkeypatch, capsys):
    flags = ["--arch=sign-mlp", "--image_size=20", "--width=0.1", "--batch_size=6", "--init=he", "--schedule=constant"]
    flags += [f"--dataset={names['folder']}", "--epochs=1", "--filter_rms=0"]
    flags.append(f"--workdir={tmp_path}/run")
    run_script(command, [*flags, "--random_labels"], monkeypatch)
    assert "the training labels drawn at random" in capsys.readouterr().out
    config = (tmp_path / "run" / "config.json").read_text()
    assert json.loads(config)["random_labels"] is True
    layers = read_config(tmp_path / "run")["arch"]["layers"]
    assert [layer["rate"] for layer in layers if layer["kind"] == "Dropout"] == [0, 0]
    with pytest.raises(SystemExit) as ended:
        run_script(command, flags, monkeypatch)
    assert ended.value.code == 2 and "random_labels: true there, nothing here" in capsys.readouterr().err
    assert (tmp_path / "run" / "config.json").read_text() == config
    run_script(command, [*flags, "--random_labels"], monkeypatch)
    assert "trained to the end" in capsys.readouterr().out
