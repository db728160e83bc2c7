"""A training whose run folder goes away or has a name that others misread, one within 64 bits, and one in parts."""

import json
import shutil
import signal
import threading
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
from zfjax.runs.steps import steps
from zfjax.train.loop import train
from zfjax.train.settings import described
from zfjax.train.stopping import StopSignal

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


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    """A training that nothing happened to."""
    train_small(run := tmp_path_factory.mktemp("plain") / "run")
    return run


def test_a_caller_who_computes_in_64_bits_changes_no_bit(plain, tmp_path):
    with jax.enable_x64(True):
        train_small(tmp_path)
    jax.tree.map(np.testing.assert_array_equal, load_run(plain).params, load_run(tmp_path).params)
    assert read_metrics(plain)[0]["val_loss"] == read_metrics(tmp_path)[0]["val_loss"]


def test_a_resumed_epoch_has_the_sums_of_all_of_it(plain, tmp_path, monkeypatch):
    """Stopped after the first of two steps and started again: the metrics and parameters of one that was not."""
    agreed = StopSignal.agreed
    monkeypatch.setattr(StopSignal, "agreed", lambda self, mesh: signal.SIGTERM)
    with pytest.raises(SystemExit):
        train_small(tmp_path / "twice")
    assert steps(tmp_path / "twice") == [1]
    shutil.copytree(tmp_path / "twice", tmp_path / "earlier")
    monkeypatch.setattr(StopSignal, "agreed", agreed)
    train_small(tmp_path / "twice")
    jax.tree.map(np.testing.assert_array_equal, load_run(plain).params, load_run(tmp_path / "twice").params)
    [expected], [found] = read_metrics(plain), read_metrics(tmp_path / "twice")
    timed = {"images_per_sec": 0, "data_wait": 0}
    assert {**expected, **timed} == {**found, **timed}
    assert 0 < found["images_per_sec"]

    about = tmp_path / "earlier" / "checkpoints" / "1" / "about" / "metadata"
    said = json.loads(about.read_text())
    about.write_text(json.dumps({name: value for name, value in said.items() if name != "sums"}))
    train_small(tmp_path / "earlier")  # of a version that kept none: those of the rest
    assert read_metrics(tmp_path / "earlier")[0]["train_loss"] != expected["train_loss"]


def test_nothing_is_written_into_a_folder_that_took_the_runs_place(tmp_path):
    run, once = tmp_path / "run", threading.Lock()

    def replace() -> None:
        if not once.acquire(blocking=False):  # several threads read images
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
