"""What a training prints: the time left; and that it goes on, and saves, when nobody reads it."""

import errno
import io
import signal
import sys

import pytest

from zfjax.arch import Arch
from zfjax.data.dataset import Dataset
from zfjax.data.scenes.scenes import CLASS_NAMES, SceneSource
from zfjax.layers import Conv, Dense
from zfjax.recipe import Recipe
from zfjax.runs.steps import steps
from zfjax.train.loop import train
from zfjax.train.training import Training


class Few(SceneSource):
    def __len__(self) -> int:
        return 24


class Tee(io.StringIO):
    """Dies, as `2>&1 | tee` does, of the same Ctrl-C as the training, when the bar of the epochs is there."""

    alive = True

    def write(self, text: str) -> int:
        if self.alive and "epoch" in text:
            self.alive = False
            signal.raise_signal(signal.SIGINT)
        if not self.alive:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")
        return len(text)

    def flush(self) -> None:
        self.write("")


def trained(workdir) -> None:
    """Three steps of a small network."""
    recipe = Recipe(batch_size=8, epochs=1)
    layers = (Conv("conv1", 4, kernel=3, strides=2), Dense("fc2", relu=False))
    arch = Arch(layers, image_size=14, num_classes=len(CLASS_NAMES), name="small", recipe=recipe)
    source = Few("train", size=16, channels=3)
    train(arch, Dataset("scenes", source, source, CLASS_NAMES, "few"), workdir, config={"arch": arch.to_dict()})


def test_the_time_left_does_not_count_what_compiling_took(tmp_path, monkeypatch, capsys):
    now = [1000.0]

    def steps_of_a_second(training, start, steps=Training.steps):
        for step in steps(training, start):
            now[0] += 3600 if step == start + 1 else 1
            yield step

    monkeypatch.setattr("tqdm.std.time", lambda: now[0])
    monkeypatch.setattr(Training, "steps", steps_of_a_second)
    trained(tmp_path)
    assert "24/24 [00:02<00:00" in (shown := capsys.readouterr().err), shown


def test_ctrl_c_saves_though_the_reader_is_gone(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdout", Tee())
    monkeypatch.setattr(sys, "stderr", sys.stdout)
    with pytest.raises(SystemExit) as stop:
        trained(tmp_path)
    assert stop.value.code == 130 and not sys.stdout.alive and steps(tmp_path) == [1]
