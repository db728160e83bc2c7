"""A training whose run folder goes away or has a name that others misread, and one within 64 bits."""

import shutil
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import pytest

from zfjax.arch import Arch
from zfjax.data import Dataset
from zfjax.errors import InputError
from zfjax.layers import Dense
from zfjax.preprocess import Preprocess
from zfjax.recipe import Recipe
from zfjax.runs.folder import read_metrics
from zfjax.runs.run import load_run
from zfjax.train.loop import train
from zfjax.train.settings import described

RECIPE = Recipe(batch_size=4, epochs=1, init="he", learning_rate=1e-4, schedule="constant")
SMALL = Arch((Dense("fc1", relu=False),), image_size=6, num_classes=2, recipe=RECIPE)


class Noise:
    """Eight images of noise; `act` is called before one is read."""

    class_names = ("a", "b")

    def __init__(self, act: Callable[[], object] = lambda: None):
        self.act = act

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> dict:
        self.act()
        side = Preprocess.of(SMALL).smallest_side
        image = np.random.default_rng(index).integers(0, 256, (side, side, 3), dtype=np.uint8)
        return {"image": image, "label": np.int32(index % 2), "index": np.int32(index)}

    def describe(self, index: int) -> str:
        return f"image {index}"


def train_small(workdir: Path, val: Noise | None = None) -> None:
    config = {"dataset": "scenes", "data_dir": None, **described(SMALL)}
    train(SMALL, Dataset("noise", Noise(), val or Noise(), Noise.class_names, "noise"), workdir, config=config)


def test_a_caller_who_computes_in_64_bits_changes_no_bit(tmp_path):
    train_small(tmp_path / "a")
    with jax.enable_x64(True):
        train_small(tmp_path / "b")
    a, b = load_run(tmp_path / "a"), load_run(tmp_path / "b")
    jax.tree.map(np.testing.assert_array_equal, a.params, b.params)
    assert read_metrics(tmp_path / "a")[0]["val_loss"] == read_metrics(tmp_path / "b")[0]["val_loss"]


def test_nothing_is_written_into_a_folder_that_took_the_runs_place(tmp_path):
    run = tmp_path / "run"

    def replace() -> None:
        if run.with_name("elsewhere").exists():
            return
        run.rename(run.with_name("elsewhere"))
        shutil.copytree(run.with_name("elsewhere"), run)
        (run / "metrics.jsonl").write_text('{"step": 1}\n')

    with pytest.raises(InputError, match=f"{run} was removed, moved or replaced during the training"):
        train_small(run, Noise(replace))
    assert (run / "metrics.jsonl").read_text() == '{"step": 1}\n'
    assert not any((run / "checkpoints").iterdir())


def test_a_training_in_a_folder_of_any_name(tmp_path):
    train_small(tmp_path / "a[b]" / r"c\d*")
    assert load_run(tmp_path / "a[b]" / r"c\d*").step == 2
