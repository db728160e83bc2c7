"""Broken images among sound ones: named, or left out and listed; never counted, never with a wrong label."""

import shutil
import sys

import numpy as np
import pytest
from PIL import Image
from runs import run_script

from zfjax.cli import evaluate, train
from zfjax.data import eval_batches, mean_image, open_dataset, train_batches
from zfjax.data.sources.broken import Broken, SoundSource
from zfjax.errors import BadImage, InputError
from zfjax.runs.folder import read_metrics

BROKEN = {
    "across/01.png": "truncated",
    "across/02.jpg": "empty",
    "down/00.jpg": "html",
    "down/03.jpg": "a folder",
    "down/04.png": "a bomb",
}
MESSAGES = ("broken image: ", "empty file: 0 bytes", "not an image: ", "cannot be read (Is a directory)", "bomb")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eight training and four validation images of either class; five of the first and one of the second are broken."""
    root, rng = tmp_path_factory.mktemp("broken"), np.random.default_rng(0)
    for split, count in (("train", 8), ("val", 4)):
        for label in ("across", "down"):
            (root / split / label).mkdir(parents=True)
            for n in range(count):
                name = f"{label}/{n:02}.png"
                pixels = rng.integers(0, 100, (50, 50, 3), dtype=np.uint8) + (100 if label == "down" else 0)
                Image.fromarray(pixels.astype(np.uint8)).save(root / split / name)
    train_root = root / "train"
    png = (train_root / "across/01.png").read_bytes()
    (train_root / "across/01.png").write_bytes(png[: len(png) // 2])
    (train_root / "across/02.png").rename(train_root / "across/02.jpg")
    (train_root / "across/02.jpg").write_bytes(b"")
    (train_root / "down/00.png").unlink()
    (train_root / "down/00.jpg").write_bytes(b"<!DOCTYPE html><html>404 Not Found</html>")
    (train_root / "down/03.png").unlink()
    (train_root / "down/03.jpg").mkdir()
    Image.new("1", (30_000, 30_000)).save(train_root / "down/04.png")
    (root / "val/down/01.png").write_bytes(b"GIF89a")
    return root


@pytest.fixture
def skipping(folder):
    return open_dataset(f"folder:{folder}", canvas_size=48, bad_images="skip")


def test_a_broken_image_is_named(folder):
    source = open_dataset(f"folder:{folder}", canvas_size=48).train
    places = {source.describe(index): index for index in range(16)}
    for name, message in zip(BROKEN, MESSAGES, strict=True):
        with pytest.raises(BadImage) as error:
            source[places[str(folder / "train" / name)]]
        assert str(error.value).startswith(f"{folder}/train/{name}: ") and message in str(error.value)


def test_the_next_sound_image_stands_in_with_its_own_label(folder, skipping):
    stop = open_dataset(f"folder:{folder}", canvas_size=48).train
    sound = [index for index in range(16) if stop.describe(index).removeprefix(f"{folder}/train/") not in BROKEN]
    for index in range(16):
        record = skipping.train[index]
        stand_in = sound[np.searchsorted(sound, index) % len(sound)]
        np.testing.assert_array_equal(record["image"], stop[stand_in]["image"])
        assert record["label"] == stop[stand_in]["label"] and record["index"] == index
        assert record["sound"] == (index in sound)
    assert {path.removeprefix(f"{folder}/train/") for path in skipping.broken.found} == set(BROKEN)


def test_evaluation_and_mean_count_sound_images_alone(skipping):
    batches = list(eval_batches(skipping.train, batch_size=5))
    seen = np.concatenate([batch["index"][batch["mask"]] for batch in batches])
    assert len(seen) == 11
    mean = np.mean([skipping.train[int(index)]["image"] for index in seen], axis=0)
    np.testing.assert_allclose(mean_image(skipping.train), mean, rtol=1e-5)


def test_batches_are_the_same_for_any_number_of_processes(skipping):
    options = {"batch_size": 4, "image_size": 40, "crops": "random", "seed": 3}
    whole = train_batches(skipping.train, **options)
    halves = [train_batches(skipping.train, **options, process_index=index, process_count=2) for index in (0, 1)]
    for _ in range(9):
        batch, parts = next(whole), [next(half) for half in halves]
        for key in batch:
            np.testing.assert_array_equal(np.concatenate([part[key] for part in parts]), batch[key])


def test_nothing_but_broken_images_is_an_error():
    class Rubbish:
        class_names = ("a", "b")

        def __len__(self):
            return 7

        def __getitem__(self, index):
            raise BadImage(f"{self.describe(index)}: empty")

        def describe(self, index):
            return f"file {index}"

    with pytest.raises(InputError, match="7 images in a row are broken, the last: file 2: empty"):
        SoundSource(Rubbish(), Broken())[3]


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_split_of_nothing_but_broken_images_is_refused_at_once(folder, tmp_path, split):
    for name in ("train", "val"):
        shutil.copytree(folder / name, tmp_path / name)
    for file in (path for path in (tmp_path / split).glob("*/*") if path.is_file()):
        file.write_text("no image")
    with pytest.raises(InputError, match="images in a row are broken, the last: .*not an image"):
        open_dataset(f"folder:{tmp_path}", canvas_size=48, bad_images="skip")


def test_a_report_shows_twenty():
    broken = Broken()
    assert broken.report() == ""
    broken.found = {f"{n:02}.jpg": f"{n:02}.jpg: empty" for n in range(23)}
    lines = broken.report().splitlines()
    assert lines[:2] == ["23 broken images left out:", "  00.jpg: empty"]
    assert len(lines) == 22 and lines[-1] == "  and 3 more"


FLAGS = ("--arch=zf-mini", "--image_size=48", "--width=0.25", "--epochs=1", "--batch_size=8")


def test_training_stops_at_a_broken_image_or_lists_them_at_the_end(folder, tmp_path, monkeypatch, capsys):
    flags = [*FLAGS, f"--dataset=folder:{folder}", f"--workdir={tmp_path / 'run'}"]
    with pytest.raises(SystemExit) as stop:
        run_script(train, flags, monkeypatch)
    error = capsys.readouterr().err.splitlines()[-1]
    assert stop.value.code == 2
    assert error.startswith(f"error: {folder}/train/") and error.endswith("leave such images out by --bad_images=skip")
    run_script(train, [*flags, "--bad_images=skip"], monkeypatch)
    said = capsys.readouterr().out
    assert "6 broken images left out:\n" in said and f"{folder}/val/down/01.png: not an image" in said
    assert [line["step"] for line in read_metrics(tmp_path / "run")] == [2]
    with pytest.raises(SystemExit):
        run_script(evaluate, [f"--ckpt={tmp_path / 'run'}", "--crops=1"], monkeypatch)
    assert capsys.readouterr().err.endswith("; mend it, take it away, or leave such images out by --bad_images=skip\n")
    run_script(evaluate, [f"--ckpt={tmp_path / 'run'}", "--crops=1", "--bad_images=skip", "--per_class"], monkeypatch)
    said = capsys.readouterr().out
    assert "1 broken image left out:" in said and "% of 3 wrong" in said and "% of 4 wrong" in said
    assert "tensorflow" not in sys.modules
