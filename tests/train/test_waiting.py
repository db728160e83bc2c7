"""How long devices stood still for their images, and what is said of a training's speed."""

import dataclasses
import threading
from types import SimpleNamespace

import jax
import pytest
from test_places import SMALL, Noise

from zfjax.data import Dataset
from zfjax.runs.folder import read_metrics
from zfjax.runtime import peaks
from zfjax.train import loop, waiting
from zfjax.train.settings import described
from zfjax.train.waiting import Waiting


def test_only_time_in_which_nothing_is_computed_is_waited(monkeypatch):
    """By hand: four batches, each asked for and there at a time of its own, and steps that end before, while and after
    the next one is waited for."""
    clock, step = SimpleNamespace(now=0.0), threading.Event()
    clock.monotonic = lambda: clock.now
    monkeypatch.setattr(waiting, "time", clock)
    monkeypatch.setattr(jax, "block_until_ready", threading.Event.wait)
    waits = Waiting()

    def ends(step: threading.Event, at: float) -> None:
        clock.now = at
        step.set()
        waits._done.result(timeout=60)

    def batches():
        clock.now = 9.0
        yield 0  # asked for at 0: nothing has been computed yet
        clock.now = 15.0
        yield 1  # asked for at 12, and the step had ended at 10: 3 seconds
        ends(step, 24.0)
        clock.now = 30.0
        yield 2  # asked for at 20, and the step ended at 24: 6 seconds
        clock.now = 50.0
        yield 3  # asked for at 40, and the step has not ended

    seen, steps, timed = [], [], waits.timed(batches())
    for asked, before in ((0.0, None), (12.0, 10.0), (20.0, None), (40.0, None)):
        if before:
            ends(step, before)
        clock.now = asked
        next(timed)
        seen.append(waits.seconds)
        waits.computing(step := threading.Event())
        steps.append(step)
    for each in steps:
        each.set()  # or the thread that waits for it would keep Python from ending
    assert seen == [0, 3, 9, 9] and next(timed, "none") == "none"


def trained(workdir, epochs: int, **options) -> list[dict]:
    arch = dataclasses.replace(SMALL, recipe=dataclasses.replace(SMALL.recipe, epochs=epochs))
    config = {"dataset": "scenes", "data_dir": None, **described(arch)}
    loop.train(arch, Dataset("noise", Noise(), Noise(), Noise.class_names, "noise"), workdir, config=config, **options)
    return read_metrics(workdir)


def test_an_epoch_tells_its_share_of_the_peak_where_that_is_known(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(peaks.PEAKS, "cpu", peaks.Peak(bf16=1e9, fp32=5e6, bytes_per_sec=1e9))
    [record] = trained(tmp_path, 1)
    # 6 * 6 * 3 * 2 products forward, as many for the weights, none for the image; two devices
    assert record["peak_share"] == pytest.approx(2 * 432 * record["images_per_sec"] / 1e7)
    assert 0 <= record["data_wait"] <= 1
    speed = f"{record['images_per_sec']:.0f} images/s, {100 * record['data_wait']:.0f} % waiting for data"
    assert f"{speed}, {100 * record['peak_share']:.1f} % of peak\n" in capsys.readouterr().out


@pytest.mark.parametrize("share, times", [(-1.0, 1), (1.0, 0)])
def test_long_waits_are_advised_on_once(share, times, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(loop, "LONG", share)
    records, said = trained(tmp_path, 2), capsys.readouterr().out
    assert "peak_share" not in records[1] and "% of peak" not in said and said.count("% waiting for data\n") == 2
    assert said.count("python -m zfjax.data.prepare") == times
