"""Table 3: errors against plain sums, the rows by hand, and the script stopped, continued and asked for the wrong."""

import dataclasses
import json
import os
import signal
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from nets import TINY, canvas_side, middle, random_params, run_of
from PIL import Image

from zfjax.cli import reproduce
from zfjax.convnet import forward
from zfjax.data import Dataset
from zfjax.draw.markdown import markdown
from zfjax.paper.ablation.command import SCALES
from zfjax.paper.ablation.measure import Errors, fixed_sample, mean_and_deviation, measure, with_fewer
from zfjax.paper.ablation.table import LABELS, MEASURES, Plan, Row, describe, record
from zfjax.paper.evaluation.measure import ErrorRate
from zfjax.paper.numbers import ABLATIONS
from zfjax.runs.run import load_run
from zfjax.train.settings import Settings, fill
from zfjax.zoo import get_arch


class Labelled:
    """Seeded noise with labels 0, 1, ... in turn."""

    def __init__(self, count: int, arch, seed: int):
        size = canvas_side(arch)
        self.images = np.random.default_rng(seed).integers(0, 256, (count, size, size, arch.channels), dtype=np.uint8)
        self.classes = arch.num_classes
        self.class_names = tuple("abcdefghij"[: arch.num_classes])

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict:
        return {"image": self.images[index], "label": np.int32(index % self.classes), "index": np.int32(index)}

    def describe(self, index: int) -> str:
        return f"noise {index}"


def noise(arch, train: int = 20, val: int = 9) -> Dataset:
    sources = Labelled(train, arch, 0), Labelled(val, arch, 1)
    return Dataset("noise", *sources, sources[0].class_names, "noise")


@pytest.fixture(scope="module")
def stripes(tmp_path_factory) -> str:
    """16 + 8 pictures of stripes in two classes."""
    root, rng = tmp_path_factory.mktemp("stripes"), np.random.default_rng(0)
    for split, count in (("train", 8), ("val", 4)):
        for label in ("across", "down"):
            (root / split / label).mkdir(parents=True)
            for number in range(count):
                wave = np.broadcast_to(127 + 100 * np.sin(np.arange(48) / 3 + rng.uniform(0, 6)), (48, 48))
                picture = (wave.T if label == "across" else wave)[..., None] + rng.normal(0, 20, (48, 48, 3))
                Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(root / split / label / f"{number}.png")
    return f"folder:{root}"


@pytest.fixture
def run_script(monkeypatch):
    """reproduce.py with flags, in this process; its signal handler goes when the test ends."""
    handler = signal.getsignal(signal.SIGTERM)

    def run(*flags: str) -> None:
        monkeypatch.setattr(sys, "argv", ["reproduce.py", *flags])
        reproduce.main()

    yield run
    signal.signal(signal.SIGTERM, handler)


@pytest.mark.parametrize("classes", [5, 7])
def test_errors_against_a_loop_over_the_images(classes):
    arch = dataclasses.replace(TINY, num_classes=classes)
    data, mean = noise(arch), np.full((canvas_side(arch), canvas_side(arch), 3), 127.0, np.float32)
    params = jax.tree.map(jnp.asarray, random_params(arch))
    sample = fixed_sample(20, 13)
    errors = measure(run_of(arch, params, mean, data.class_names, {}, 0), data, sample=sample, batch_size=8)
    logits = jax.jit(lambda images: forward(arch, params, middle(images, mean, 40)).logits)

    def wrong(source, indices, k):
        ranks = np.argsort(-np.asarray(logits(jnp.asarray(source.images[indices]))), axis=1)[:, :k]
        return sum(index % classes not in row for index, row in zip(indices, ranks, strict=True)) / len(indices)

    assert errors.train_top1.rate == wrong(data.train, sample, 1) and errors.train_top1.count == 13
    assert errors.val_top1.rate == wrong(data.val, np.arange(9), 1) and errors.val_top1.count == 9
    if classes == 5:
        assert errors.val_top5 is None
    else:
        assert errors.val_top5.rate == wrong(data.val, np.arange(9), 5)


def test_the_sample_is_fixed_and_without_repeats():
    sample = fixed_sample(1000, 100)
    assert (sample == fixed_sample(1000, 100)).all() and (np.diff(sample) > 0).all()
    assert len(sample) == 100 and sample.max() < 1000 and sample.max() > 500
    assert fixed_sample(5, 9).tolist() == [0, 1, 2, 3, 4]


def test_fewer_training_images_are_a_fixed_choice():
    data = noise(TINY)
    fewer = with_fewer(data, 6)
    assert len(fewer.train) == 6 and fewer.val is data.val
    for place, index in enumerate(fixed_sample(20, 6)):
        assert (fewer.train[place]["image"] == data.train.images[index]).all()
    assert with_fewer(data, 20) is data and with_fewer(data, None) is data


def test_mean_and_deviation_by_hand():
    assert mean_and_deviation([0.2, 0.4, 0.9]) == pytest.approx((0.5, np.sqrt((0.09 + 0.01 + 0.16) / 2)))
    assert mean_and_deviation([0.25]) == (0.25, None)


def rate(percent: float) -> ErrorRate:
    return ErrorRate(percent / 100, percent / 100 - 0.02, percent / 100 + 0.031, 100)


def test_rows_by_hand(tmp_path):
    settings = fill(Settings(dataset="folder:/data/birds/", image_size=48), SCALES["small"])
    arch = dataclasses.replace(get_arch("zf", image_size=48, width=0.25), num_classes=10)
    rows = [
        Row("zf", 1234, (Errors(rate(10), rate(20), rate(5)), Errors(rate(12), rate(23), rate(5)))),
        Row("alexnet", 99, (Errors(rate(10), rate(20), None),)),
        Row("zf-mini", 7, (Errors(rate(10), rate(20), rate(1.25)),)),
        Row("alexnet-no7", None, (), "needs images of 36x36 pixels"),
    ]
    table = describe(
        Plan(settings, (), (0, 1), tmp_path), rows, [arch], dataclasses.replace(noise(TINY), name="folder:/data/birds/")
    )
    assert table.columns[2:] == (
        *("train top-1, birds", "val top-1, birds", "val top-5, birds"),
        *("paper: train top-1, ImageNet", "paper: val top-1, ImageNet", "paper: val top-5, ImageNet"),
    )
    assert [row[1:] for row in table.rows] == [
        ("1,234", "11.0 ± 1.4", "21.5 ± 2.1", "5.0 ± 0.0", "33.1", "38.4", "16.5"),
        ("99", "10.0", "20.0", "-", "35.1", "40.5", "18.1"),
        ("7", "10.0", "20.0", "1.2", "-", "-", "-"),
        ("-", "needs images of 36x36 pixels", "-", "-", "27.4", "40.0", "18.4"),
    ]
    notes = " ".join(table.note)
    assert "48x48 pixels; 0.25 times" in notes and "seeds 0, 1" in notes and "at most 3.1 points" in notes
    assert "sgd, rate 0.01 (plateau, 0 warm-up steps), batch 128, weight decay 0.0005, initial weights 'paper'" in notes
    assert len({len(line) for line in markdown(table).splitlines() if line.startswith("|")}) == 1
    assert record(rows[0])["mean"]["val_top1"] == pytest.approx(0.215)
    assert record(rows[0])["paper_percent"] == dict(zip(MEASURES, ABLATIONS["zf"], strict=True))
    assert record(rows[3])["reason"] and record(rows[3])["mean"]["val_top1"] is None


def test_every_network_of_the_table_has_a_name_and_small_enough_images_at_every_scale():
    assert set(LABELS) == set(ABLATIONS) and len(set(LABELS.values())) == 12
    for scale in ("smoke", "small"):
        for name in ABLATIONS:
            arch = get_arch(name, image_size=SCALES[scale]["image_size"], width=SCALES[scale]["width"])
            assert arch.param_count() < 2e7
    assert fill(Settings(epochs=3), SCALES["smoke"]).epochs == 3


FLAGS = ["--table=3", "--image_size=40", "--width=0.5", "--epochs=1", "--batch_size=8", "--warmup_steps=0"]


def test_stopped_continued_and_refused(stripes, tmp_path, run_script, monkeypatch, capsys):
    out = tmp_path / "out"
    flags = [*FLAGS, f"--dataset={stripes}", f"--out={out}", "--archs=zf,sign-mlp", "--seeds=0,1"]
    with monkeypatch.context() as patch, pytest.raises(SystemExit) as stop:
        sentence = "zfjax.train.loop.sentence"  # said when an epoch ends, here the only one: a signal in the last step
        patch.setattr(sentence, lambda *_: os.kill(os.getpid(), signal.SIGTERM) or "")
        run_script(*flags)
    assert stop.value.code == 143 and load_run(out / "sign-mlp").step == 2
    assert not (out / "sign-mlp" / "errors.json").exists() and not (out / "sign-mlp-seed1").exists()
    capsys.readouterr()

    run_script(*flags)
    said = capsys.readouterr().out
    assert "sign-mlp is trained to the end (1 epochs)" in said and said.endswith((out / "table3.md").read_text())
    table = json.loads((out / "table3.json").read_text())
    missing, found = table["networks"]
    assert missing["reason"] == "needs images of 47x47 pixels" and missing["runs"] == []
    for name, errors in zip(("sign-mlp", "sign-mlp-seed1"), found["runs"], strict=True):
        logged = json.loads((out / name / "metrics.jsonl").read_text().splitlines()[-1])
        assert errors["val_top1"]["rate"] == pytest.approx(1 - logged["val_top1"]) and errors["val_top5"] is None
        assert errors["val_top1"]["count"] == errors["train_top1"]["count"] == 8
    assert load_run(out / "sign-mlp").arch.layers[0].features == 256

    with monkeypatch.context() as patch:
        patch.setattr("zfjax.train.loop.train", None)  # nothing is trained twice
        run_script(*flags)
        assert json.loads((out / "table3.json").read_text()) == table
        with pytest.raises(SystemExit) as stop:
            run_script(*flags, "--learning_rate=0.5")
    assert stop.value.code == 2
    assert "holds a run with other settings (learning_rate: 0.001 there, 0.5 here" in capsys.readouterr().err
    assert json.loads((out / "table3.json").read_text()) == table


def test_a_training_that_comes_to_nothing_does_not_stop_the_others(stripes, tmp_path, run_script, monkeypatch, capsys):
    def diverge(**_):
        sys.exit("error: the loss is nan at step 3; there is no checkpoint yet; try a lower --learning_rate")

    monkeypatch.setattr("zfjax.train.loop.train", diverge)
    run_script(*FLAGS, f"--dataset={stripes}", f"--out={tmp_path}", "--archs=alexnet,alexnet-no7")
    networks = json.loads((tmp_path / "table3.json").read_text())["networks"]
    assert [network["reason"] for network in networks] == ["the loss is nan at step 3"] * 2
    assert "the loss is nan at step 3" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--table=5"], "--table takes one of 3, None, baselines, not '5'"),
        (["--archs=zf,zfnet"], "unknown architecture 'zfnet'"),
        (["--image_size=20"], "no network of alexnet, "),
        (["--width=0"], "--width must be above 0, not 0"),
        (["--epochs=0"], "--epochs must be at least 1, not 0"),
        (["--seeds=a"], "--seeds takes numbers like 0,1,2, not 'a'"),
        (["--seeds=1,1"], "--seeds takes different numbers"),
        (["--train_sample=0"], "--train_sample must be at least 1"),
        (["--train_images=4"], "batch_size 8 must lie between 1 and the 4 images"),
        (["--dataset=folder:/nowhere"], "/nowhere"),
        (["--out=/proc/table"], "cannot use /proc/table as a folder"),
    ],
)
def test_wrong_flags(flags, message, stripes, tmp_path, run_script, capsys):
    with pytest.raises(SystemExit) as stop:
        run_script(*FLAGS, f"--dataset={stripes}", f"--out={tmp_path}", *flags)
    said = capsys.readouterr().err.rstrip("\n")
    assert stop.value.code == 2 and message in said
    assert said.startswith("error: ") and "\n" not in said
    assert not list(Path(tmp_path).glob("*/config.json"))
