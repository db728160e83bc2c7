"""Run folders of the version before networks were graphs: they open, and their trainings go on to the same bits."""

import dataclasses
import json
import shutil

import jax
import numpy as np
from nets import TINY

from zfjax.arch import Arch
from zfjax.data import Dataset, open_dataset
from zfjax.data.sources.pool import Subset
from zfjax.preprocess import Preprocess
from zfjax.runs.run import load_run
from zfjax.train.loop import train
from zfjax.train.settings import described

# what each kind of layer had then
FIELDS = {
    "Conv": ("name", "features", "kernel", "strides", "padding", "groups", "relu", "bias"),
    "MaxPool": ("name", "window", "strides", "padding"),
    "AvgPool": ("name", "window", "strides"),
    "LRN": ("name", "n", "k", "alpha", "beta"),
    "Dense": ("name", "features", "relu", "bias"),
    "Dropout": ("name", "rate"),
}


def as_it_was(config: dict) -> dict:
    """A config.json in the words of then: fewer fields, the input's scale in the recipe, no preprocessing and no
    checksums."""
    config = {key: value for key, value in config.items() if key not in ("preprocess", "checked", "checksums")}
    arch = dict(config["arch"])
    arch["layers"] = [{"kind": x["kind"], **{name: x[name] for name in FIELDS[x["kind"]]}} for x in arch["layers"]]
    arch["recipe"] = {**arch["recipe"], "input_scale": arch.pop("input_scale")}
    return {**config, "arch": arch}


def settings(epochs: int):
    recipe = dataclasses.replace(TINY.recipe, batch_size=8, epochs=epochs, optimizer="adam", learning_rate=1e-3)
    arch = dataclasses.replace(TINY, num_classes=10, recipe=recipe, input_scale=1 / 8)
    scenes = open_dataset("scenes", canvas_size=Preprocess.of(arch).smallest_side)
    few = [Subset(scenes.train, range(24)), Subset(scenes.val, range(8))]
    data = Dataset("scenes", *few, scenes.class_names, "24 + 8 scenes")
    config = {"dataset": "scenes", "data_dir": None, "epochs": epochs, **described(arch)}
    return arch, data, {"config": config, "may_differ": ("epochs", "arch.recipe.epochs")}


def test_an_earlier_run_opens_goes_on_and_ends_with_the_same_bits(tmp_path):
    arch, data, options = settings(1)
    train(arch, data, tmp_path / "now", **options)
    shutil.copytree(tmp_path / "now", tmp_path / "then")
    path = tmp_path / "then" / "config.json"
    path.write_text(json.dumps(as_it_was(json.loads(path.read_text()))))
    now, then = load_run(tmp_path / "now"), load_run(tmp_path / "then")
    assert then.arch == now.arch and then.arch.input_scale == 1 / 8
    assert then.preprocess.to_dict() == now.preprocess.to_dict()
    arch, data, options = settings(2)
    for name in ("now", "then"):
        train(arch, data, tmp_path / name, **options)
    now, then = load_run(tmp_path / "now"), load_run(tmp_path / "then")
    assert now.step == then.step == 6
    jax.tree.map(np.testing.assert_array_equal, now.params, then.params)
    assert Arch.from_dict(json.loads(path.read_text())["arch"]) == arch
