"""Overlap by normalised correlation: signatures by hand, twins found, the script's list."""

import numpy as np
import pytest
from PIL import Image
from test_transfer import Noise, base_flags, colours, run_transfer, tiny_run  # noqa: F401

from zfjax.data.sources.pool import Subset
from zfjax.paper.transfer.overlap import listing, overlaps, signature
from zfjax.runs.checkpoint import Checkpoints
from zfjax.runs.folder import create_run
from zfjax.runs.run import load_run


class Pictures:
    """Given images, all of class 0 of two."""

    class_names = ("cat", "dog")

    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return {"image": self.images[index], "label": np.int32(0), "index": np.int32(index)}

    def describe(self, index):
        return f"picture {index}"


def noise(seed: int, size: int = 64, cells: int = 8, channels: int = 3) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (cells, cells, channels), dtype=np.uint8)
    picture = Image.fromarray(coarse[..., 0] if channels == 1 else coarse).resize((size, size))
    return np.asarray(picture).reshape(size, size, channels)


def test_the_product_of_signatures_is_the_correlation():
    first, second = noise(0, size=32), noise(1, size=32)
    grey = [np.asarray(Image.fromarray(image).convert("L"), float).ravel() for image in (first, second)]
    expected = np.corrcoef(*grey)[0, 1]
    assert signature(first) @ signature(second) == pytest.approx(expected, abs=1e-5)
    assert signature(first) @ signature(first) == pytest.approx(1, abs=1e-5)
    assert not signature(np.full((40, 40, 3), 7, np.uint8)).any()
    assert signature(noise(0, channels=1)).shape == (1024,)


def test_twins_are_found_in_any_brightness_and_size():
    images = [noise(seed) for seed in range(6)]
    darker = (images[2] * 0.6 + 20).astype(np.uint8)
    smaller = np.asarray(Image.fromarray(images[4]).resize((48, 48), Image.Resampling.BOX))
    others = [noise(seed + 100) for seed in range(9)]
    others[1], others[7] = darker, images[0]
    found = overlaps(Pictures(images), Pictures(others), batch_size=4)
    assert [(match.image, match.other) for match in found] == [(0, 7), (2, 1)]
    assert found[0].correlation == pytest.approx(1, abs=1e-5) and found[1].correlation > 0.99
    resized = overlaps(Pictures([smaller]), Pictures(images), batch_size=4)
    assert [match.other for match in resized] == [4]
    assert overlaps(Pictures([np.zeros((9, 9, 3), np.uint8)]), Pictures(others)) == []


def test_the_list_is_for_a_human():
    images = [noise(seed) for seed in range(3)]
    source, others = Pictures(images), Pictures([*images[:2], images[1]])
    text = listing(overlaps(source, others), source, others, np.array([0, 1, 1]))
    assert text.startswith("2 of 3 images look like one of 3 training images of the network")
    assert "\n    1  cat\n    1  dog\n" in text
    assert "1.0000  picture 1  picture 2\n" in text and text.count("1.0000") == 3


def test_the_script_lists_and_drops_them(tiny_run, colours, tmp_path, monkeypatch, capsys):  # noqa: F811
    """A run that is said to have learnt some of the very images."""
    learnt = tmp_path / "learnt"
    for split, names in (("train", ("red", "green")), ("val", ("red", "green"))):
        for name in names:
            (learnt / split / name).mkdir(parents=True)
            for n in range(2):
                (learnt / split / name / f"{n}.png").write_bytes((colours / name / f"{n}.png").read_bytes())
    run = load_run(tiny_run)
    config = {"arch": run.arch.to_dict(), "dataset": f"folder:{learnt}", "data_dir": None}
    create_run(tmp_path / "run", config, run.class_names, run.mean)
    with Checkpoints(tmp_path / "run") as checkpoints:
        checkpoints.save(7, {"params": run.params})
    flags = base_flags(tmp_path / "run", colours, tmp_path / "out")
    flags += ["--train_per_class=3", "--folds=1", "--classifiers=svm", "--batch_size=8"]
    run_transfer([*flags, "--overlap=list"], monkeypatch)
    said = capsys.readouterr().out
    assert "4 of 36 images look like one of 4 training images" in said and "3 classes, 27 images" in said
    text = (tmp_path / "out" / "overlap.txt").read_text()
    assert f"{colours}/red/1.png  {learnt}/train/red/1.png" in text and "    2  green\n    2  red\n" in text
    learnt.rename(tmp_path / "moved")
    run_transfer([*flags, "--overlap=drop", f"--overlap_with=folder:{tmp_path}/moved"], monkeypatch)
    assert "3 classes, 23 images" in capsys.readouterr().out


def test_a_subset_keeps_the_places_of_its_images():
    subset = Subset(Noise(9), [7, 2], labels=[1, 0], class_names=("a", "b"))
    assert [int(subset[i]["label"]) for i in range(2)] == [1, 0] and subset.describe(0) == "noise 7"
    assert np.array_equal(subset[1]["image"], Noise(9)[2]["image"]) and subset[1]["index"] == 1
    assert subset.class_names == ("a", "b") and len(subset) == 2
