"""Transfer: layers by number, features, coordinates, classifiers against scikit-learn, folds, and the script."""

import dataclasses
import errno
import json
import os
import sys

import jax
import numpy as np
import pytest
from nets import ODD, TINY, middle, random_params, run_of
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

import zfjax.convnet
from zfjax.cli import transfer
from zfjax.convnet import forward
from zfjax.data.sources.pool import JoinedSource, Subset, open_pool
from zfjax.errors import InputError
from zfjax.paper.default_layers import numbered_layers
from zfjax.paper.transfer import classifiers, coordinates, extraction
from zfjax.paper.transfer.command import choose_layers
from zfjax.paper.transfer.draw import draw_transfer
from zfjax.paper.transfer.measure import (
    Cell,
    check_counts,
    draw_fold,
    mean_class_accuracy,
    measure_layer,
    summarise,
)
from zfjax.paper.transfer.minimiser import minimise
from zfjax.paper.transfer.study import _is_result
from zfjax.paper.transfer.table import paper_tables, show, transfer_table
from zfjax.runs.checkpoint import Checkpoints
from zfjax.runs.fingerprint import run_fingerprint
from zfjax.runs.folder import create_run
from zfjax.runs.results import Ledger
from zfjax.runs.run import Run, load_run
from zfjax.zoo import ARCHS


class Noise:
    """Images of noise whose brightness tells the class."""

    class_names = ("dark", "grey", "light")

    def __init__(self, count: int = 30, size: int = 46):
        self.count, self.size, self.reads = count, size, 0

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        self.reads += 1
        rng, label = np.random.default_rng(index), index % 3
        image = rng.integers(0, 120, (self.size, self.size, 3)) + 60 * label
        return {"image": image.astype(np.uint8), "label": np.int32(label), "index": np.int32(index)}

    def describe(self, index):
        return f"noise {index}"


def a_run(arch=TINY) -> Run:
    mean = np.full((46, 46, arch.channels), 100, np.float32)
    return run_of(arch, random_params(arch), mean, tuple("abcde"[: arch.num_classes]), {}, 7)


# --- layers ---


def test_layers_are_counted_as_in_figure_3():
    zf = ("norm1", "norm2", "conv3", "conv4", "pool5", "fc6", "fc7", "fc8")
    assert numbered_layers(ARCHS["zf"]) == numbered_layers(ARCHS["zf-mini"]) == zf
    assert numbered_layers(ARCHS["alexnet"])[:2] == ("pool1", "pool2")
    assert numbered_layers(ODD) == ("pool1", "pool2", "fc3")
    assert choose_layers(ARCHS["zf"], "") == ["fc7"]
    assert choose_layers(ARCHS["zf"], "1..3,5,fc7,5") == ["norm1", "norm2", "conv3", "pool5", "fc7"]
    assert choose_layers(ARCHS["squeezenet1_0"], "fire9/e*,9,conv10") == [
        *("fire9/expand1x1", "fire9/expand3x3", "fire9/concat", "conv10")
    ]


@pytest.mark.parametrize(
    "text, message",
    [
        ("9", "zf has layers 1 to 8; --layers asks for 9"),
        ("0", "asks for 0"),
        ("5..12", "asks for 9"),
        ("12..14", "asks for 12"),
        ("7..5", "counts down; write 5..7"),
        ("pool9", "unknown layer 'pool9'; zf has conv1"),
        ("1..", "unknown layer '1..'"),
    ],
)
def test_layers_that_there_are_not(text, message):
    with pytest.raises(InputError, match=message):
        choose_layers(ARCHS["zf"], text)


# --- features ---


def test_features_are_the_activations_and_are_computed_once(tmp_path, monkeypatch):
    run, source = a_run(), Noise(5)
    found = extraction.extract(run, source, ["norm1", "fc4"], tmp_path, batch_size=3)
    images = np.stack([source[i]["image"] for i in range(5)])
    seen = jax.jit(forward, static_argnums=0)(TINY, run.params, middle(images, run.mean, 40)).activations
    for layer, features in found.items():
        np.testing.assert_allclose(features, np.asarray(seen[layer]).reshape(5, -1), rtol=1e-4, atol=1e-4)
    reads = source.reads
    again = extraction.extract(run, source, ["fc4", "norm1"], tmp_path)
    assert source.reads == reads and np.array_equal(again["fc4"], found["fc4"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fc4.npy", "norm1.npy"]


def bits(data: bytes) -> bytes:
    return data[:300] + bytes([data[300] ^ 64]) + data[301:]


def nan(data: bytes) -> bytes:
    return data[:128] + np.float32(np.nan).tobytes() + data[132:-15]  # and no checksum, as in an earlier version


DAMAGE = {
    "cut": lambda data: data[:300],
    "empty": lambda data: b"",
    "a flipped bit": bits,
    "a byte less": lambda data: data[:-1],
    "bytes more": lambda data: data + b"more",
    "not a number": nan,
    "another shape": lambda data: data.replace(b"(5, 10)", b"(10, 5)"),
    "another type": lambda data: data.replace(b"<f4", b"<i4"),
    "another order": lambda data: data.replace(b"False", b"True "),
    "a header of nonsense": lambda data: data.replace(b"{'descr'", b"{{{{{{{{"),
    "a pickle": lambda data: data.replace(b"<f4", b"|O8"),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damaged_features_are_computed_again(damage, features, tmp_path):
    run, whole = features
    path = tmp_path / "fc4.npy"
    assert damage(whole) != whole
    path.write_bytes(damage(whole))
    with pytest.warns(UserWarning, match=r"fc4\.npy is damaged \(.+\): it is computed again"):
        extraction.extract(run, Noise(5), ["fc4"], tmp_path)
    assert path.read_bytes() == whole


def test_features_of_an_earlier_version_count(features, tmp_path):
    run, whole = features
    (tmp_path / "fc4.npy").write_bytes(whole[:-15])
    source = Noise(5)
    extraction.extract(run, source, ["fc4"], tmp_path)
    assert source.reads == 0


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    run, folder = a_run(), tmp_path_factory.mktemp("features")
    extraction.extract(run, Noise(5), ["fc4"], folder)
    return run, (folder / "fc4.npy").read_bytes()


def test_features_stay_in_their_folder(tmp_path):
    named = dataclasses.replace(TINY, layers=(*TINY.layers[:-1], dataclasses.replace(TINY.layers[-1], name="a/b")))
    (tmp_path / "elsewhere").write_bytes(b"somebody's own")
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / f"fc4.npy.{os.getpid()}.part").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "features" / "my.part").touch()
    found = extraction.extract(a_run(named), Noise(2), ["fc4", "a/b"], tmp_path / "features")
    assert found["a/b"].shape == (2, 5) and (tmp_path / "elsewhere").read_bytes() == b"somebody's own"
    assert sorted(path.suffix for path in (tmp_path / "features").iterdir()) == [".npy", ".npy", ".part"]


def test_ten_crops_are_averaged(tmp_path):
    run, source = a_run(), Noise(2)
    found = extraction.extract(run, source, ["fc4"], tmp_path, crops=10)["fc4"]
    images = np.stack([source[i]["image"] for i in range(2)])
    views = run.preprocess.ten(images)
    seen = jax.jit(forward, static_argnums=0)(TINY, run.params, views.reshape(20, 40, 40, 3))
    by_view = seen.activations["fc4"].reshape(10, 2, -1)
    np.testing.assert_allclose(found, by_view.mean(axis=0), rtol=1e-4, atol=1e-4)


def test_features_stopped_half_way_leave_nothing_that_looks_whole(tmp_path, monkeypatch):
    class Broken(Noise):
        def __getitem__(self, index):
            if index == 4:
                raise InputError("noise 4: broken image")
            return super().__getitem__(index)

    (tmp_path / "fc4.npy.999999999.part").write_bytes(b"of a killed process")
    with pytest.raises(InputError, match="noise 4: broken"):
        extraction.extract(a_run(), Broken(6), ["fc4"], tmp_path, batch_size=2)
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(extraction.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 10}))
    with pytest.raises(InputError, match=r"the features take 0\.0 GB and .* has 0\.0 GB left; give another --cache"):
        extraction.extract(a_run(), Noise(6), ["fc4"], tmp_path)


def test_a_full_disk_is_found_before_anything_is_computed(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    source = Noise(6)
    with pytest.raises(InputError, match=r"cannot write features into .* \(No space left on device\); give another"):
        extraction.extract(a_run(), source, ["fc4"], tmp_path)
    assert source.reads == 0 and not list(tmp_path.iterdir())


def test_fingerprints_tell_networks_and_images_apart():
    run = a_run()
    same = run._replace(step=8, class_names=("v", "w", "x", "y", "z"))
    assert run_fingerprint(run) == run_fingerprint(same)
    others = [run._replace(params=random_params(TINY, 1)), run._replace(mean=run.mean + 1)]
    assert run_fingerprint(run) not in map(run_fingerprint, others)
    first = extraction.survey(Noise(10), batch_size=4)
    assert first.labels.tolist() == [0, 1, 2] * 3 + [0]
    assert first.fingerprint == extraction.survey(Noise(10), batch_size=7).fingerprint
    assert first.fingerprint != extraction.survey(Subset(Noise(10), range(9, -1, -1))).fingerprint


# --- coordinates and classifiers ---


def blobs(count: int, features: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    centres = np.random.default_rng(1).normal(size=(classes, features))
    return (centres[labels] + rng.normal(scale=1.5, size=(count, features)) + 0.5).astype(np.float32), labels


@pytest.mark.parametrize("features", [12, 300])
def test_coordinates_keep_all_inner_products(features):
    rows = coordinates.unit_length(blobs(60, features, 4)[0])
    train, test = np.arange(40), np.arange(40, 60)
    mean = rows[train].mean(axis=0)
    unit = np.sqrt(np.square(rows[train] - mean).sum(axis=1).mean())
    read = coordinates.reader(rows)  # inner products for 300 features, the features themselves for 12
    for found in (read(train, test), coordinates.from_features(rows[train], rows[test])):
        assert found.train.shape == (40, min(40, features)) and found.test.shape == (20, min(40, features))
        for part, numbers in ((found.train, train), (found.test, test)):
            expected = (rows[numbers] - mean) @ (rows[train] - mean).T / unit**2
            np.testing.assert_allclose(part @ found.train.T, expected, atol=5e-6)


def test_inner_products_are_cosines_whatever_the_chunks():
    features = blobs(9, 50, 3)[0] * 100
    features[4] = 0
    expected = coordinates.unit_length(features) @ coordinates.unit_length(features).T
    np.testing.assert_allclose(coordinates.inner_products(features, columns=7), expected, atol=1e-6)
    assert not expected[4].any()


def test_the_minimiser_finds_the_bottom_of_a_bent_bowl():
    rng = np.random.default_rng(0)
    bends = np.diag(np.geomspace(1, 1e3, 12)) + 0.1 * np.ones((12, 12))
    bottom = rng.normal(size=(12,)).astype(np.float32)

    def height(place):
        away = place - bottom
        return 0.5 * away @ (bends.astype(np.float32) @ away) + 1.0

    found = minimise(height, np.zeros(12, np.float32), tolerance=0.0)
    np.testing.assert_allclose(found, bottom, atol=1e-2)
    assert np.array_equal(minimise(height, bottom, tolerance=0.0), bottom)


def about_their_mean(features, others):
    """What coordinates stand for, with all features."""
    features, others = coordinates.unit_length(features), coordinates.unit_length(others)
    mean = features.mean(axis=0)
    unit = np.sqrt(np.square(features - mean).sum(axis=1).mean())
    return (features - mean) / unit, (others - mean) / unit


def test_softmax_is_that_of_scikit_learn_with_all_features():
    (features, labels), (others, _) = blobs(90, 200, 5), blobs(40, 200, 5, seed=2)
    features, others = about_their_mean(features, others)
    there = LogisticRegression(C=20, tol=1e-8, max_iter=5000).fit(features.astype(np.float64), labels)
    images = coordinates.from_features(features, others)  # 90 coordinates in place of 200
    ours = classifiers.fit("softmax", images.train, np.eye(5, dtype=np.float32)[labels], 20)
    np.testing.assert_allclose(jax.nn.softmax(ours.scores(images.test)), there.predict_proba(others), atol=2e-3)


def test_svm_is_that_of_scikit_learn_with_all_features():
    (features, labels), (others, _) = blobs(90, 200, 5), blobs(40, 200, 5, seed=2)
    features, others = about_their_mean(features, others)
    # a large scaling leaves its bias all but free, as ours is
    there = LinearSVC(C=3, dual=False, tol=1e-6, max_iter=10_000, intercept_scaling=100.0)
    there.fit(features.astype(np.float64), labels)
    images = coordinates.from_features(features, others)
    ours = classifiers.fit("svm", images.train, np.eye(5, dtype=np.float32)[labels], 3)
    np.testing.assert_allclose(ours.scores(images.test), there.decision_function(others), atol=5e-3)


def test_an_image_of_two_classes_teaches_softmax_both():
    features = np.array([[1.0], [1.0], [-1.0]], np.float32)
    both = classifiers.fit("softmax", features[[0, 2]], np.array([[1, 1, 0], [0, 0, 1]], np.float32), 5)
    apart = classifiers.fit("softmax", features, np.eye(3, dtype=np.float32), 5)
    shares, expected = (jax.nn.softmax(each.scores(features)) for each in (both, apart))
    np.testing.assert_allclose(shares, expected, atol=1e-3)
    with pytest.raises(ValueError, match="softmax, svm, not 'tree'"):
        classifiers.fit("tree", features, np.eye(3), 1)


def test_c_is_chosen_on_images_held_out():
    features, labels = blobs(60, 5, 3)
    held = classifiers.hold_out(labels, np.random.default_rng(0))
    assert [int(held[labels == label].sum()) for label in range(3)] == [6, 6, 6]
    assert not classifiers.hold_out(np.arange(4), np.random.default_rng(0)).any()
    targets, asked = np.eye(3, dtype=np.float32)[labels], []

    def measure(scores, there):
        asked.append(len(scores))
        assert np.array_equal(there, targets[held])
        return [0.5, 0.7, 0.7][len(asked) - 1]

    assert classifiers.choose_c("svm", features, targets, held, [10, 0.1, 1], measure) == 1 and asked == [18] * 3
    assert classifiers.choose_c("svm", features, targets, held, [3], measure) == 3 and len(asked) == 3


# --- protocol ---


def test_folds_are_random_nested_and_apart():
    labels = np.array([0] * 80 + [1] * 12 + [-1] * 9 + [2] * 20)
    small, large, other = (
        draw_fold(labels, count, fold, test_per_class=50) for count, fold in ((5, 0), (10, 0), (5, 1))
    )
    assert np.bincount(labels[small.train]).tolist() == [5] * 3 and np.bincount(labels[small.test]).tolist() == [
        50,
        7,
        15,
    ]
    assert not {*small.train} & {*small.test} and len({*small.test}) == 72
    assert {*small.train} < {*large.train} and {*small.train} != {*other.train}
    assert np.array_equal(draw_fold(labels, 5, 0).train, small.train)
    check_counts(labels, ("a", "b", "c"), 11)
    with pytest.raises(InputError, match="--train_per_class=12 leaves no image of b to test on: it has 12 in all"):
        check_counts(labels, ("a", "b", "c"), 12)


def test_every_class_counts_alike():
    answers, labels = np.array([0, 0, 0, 1, 1]), np.array([0, 0, 0, 0, 1])
    assert mean_class_accuracy(answers, labels) == pytest.approx((3 / 4 + 1) / 2)


def test_cells_and_their_summary():
    features, labels = blobs(60, 80, 3)
    cells = [Cell("fc7", name, 5, fold) for fold in (0, 1) for name in ("softmax", "svm")]
    grids = {"softmax": [10.0], "svm": [0.1, 1.0]}
    found = list(measure_layer(coordinates.reader(features), cells, labels, grids))
    assert [cell for cell, _ in found] == cells
    assert all(result["accuracy"] > 0.6 and (result["train"], result["test"]) == (15, 45) for _, result in found)
    records = [{**cell._asdict(), **result} for cell, result in found]
    row = summarise(records)["fc7", "svm"][5]
    shares = [100 * record["accuracy"] for record in records if record["classifier"] == "svm"]
    assert row.mean == pytest.approx(sum(shares) / 2) and row.folds == 2
    assert row.deviation == pytest.approx(abs(shares[0] - shares[1]) / np.sqrt(2))
    assert np.isnan(summarise(records[:1])["fc7", "softmax"][5].deviation)


def test_the_ledger_survives_a_cut_line_and_keeps_settings_apart(tmp_path):
    path = tmp_path / "results.jsonl"
    Ledger(path, {"seed": 0}).append({"fold": 1})
    with path.open("a") as file:
        file.write('{"key": "cut sho')
    ledger = Ledger(path, {"seed": 0})
    ledger.append({"fold": 2})
    assert [record["fold"] for record in Ledger(path, {"seed": 0}).records] == [1, 2]
    assert Ledger(path, {"seed": 1}).records == []
    assert [record["fold"] for record in Ledger(path, {"seed": 0}).records] == [1, 2]
    with pytest.raises(InputError, match="cannot write"):
        Ledger("/proc/results.jsonl", {})


RESULT = {"layer": "fc7", "classifier": "svm", "train_per_class": 5, "fold": 0, "accuracy": 0.5}


def test_a_changed_line_is_measured_again(tmp_path):
    path = tmp_path / "results.jsonl"
    for fold in range(3):
        Ledger(path, {}, _is_result).append({**RESULT, "fold": fold})
    lines = path.read_text().splitlines(keepends=True)
    edits = [("0.5", "0.9"), ('"fold": 1', '"fold": 2'), ("crc32", "crc33"), ('"checked": true', '"checked": false')]
    for old, new in edits:
        path.write_text("".join([*lines[:2], lines[2].replace(old, new), lines[3]]))
        with pytest.warns(UserWarning, match=f"{path}: left out what is damaged, line 3; it is measured again"):
            assert [record["fold"] for record in Ledger(path, {}, _is_result).records] == [0, 2]


@pytest.mark.parametrize(
    "change",
    [{"layer": None}, {"fold": "0"}, {"accuracy": 38}, {"accuracy": "0.5"}, {"accuracy": None}, {"precisions": [-1]}],
)
def test_a_line_of_an_earlier_version_counts_if_it_can_be_one(change, tmp_path):
    path = tmp_path / "results.jsonl"
    key = Ledger(path, {}, _is_result).key
    with path.open("a") as file:
        file.writelines(json.dumps({"key": key, **RESULT, **each}) + "\n" for each in ({}, change))
    with pytest.warns(UserWarning, match="line 3; it is measured again"):
        assert Ledger(path, {}, _is_result).records == [{"key": key, **RESULT}]


# --- table, curve ---


def test_tables_and_the_paper_s_beside_them():
    ours = {"svm (fc7, layer 7)": {5: (10.04, 0.5), 15: (20.0, float("nan"))}, "softmax": {15: (1.0, None)}}
    text = transfer_table(ours, head="accuracy")
    assert text.splitlines()[0] == "| accuracy           |  5 a class | 15 a class |"
    assert "| svm (fc7, layer 7) | 10.0 ± 0.5 |       20.0 |" in text and "| softmax            |          – |" in text
    assert [show((81.4, 0.33)), show((5.04, 1.0)), show((5, None)), show(None)] == [
        "81.4 ± 0.33",
        "5.0 ± 1.0",
        "5.0",
        "–",
    ]
    theirs = paper_tables("caltech256")
    assert theirs.count("Printed in the paper") == 2 and "74.2 ± 0.3" in theirs and "65.6 ± 0.3" in theirs
    assert "86.5" not in theirs and "Table 5" in theirs


def test_the_curve_draws_ours_and_only_on_request_the_paper_s(tmp_path):
    ours = {"svm (fc7)": {5: (10.0, 0.5), 15: (20.0, float("nan"))}}
    draw_transfer(ours, tmp_path / "a.svg", title="t", caption="c")
    theirs = {"paper": {"from scratch": {15: (2.0, None)}}, "paper_name": "Table 4"}
    draw_transfer(ours, tmp_path / "b.svg", title="t", caption="c", **theirs)
    assert "svm (fc7)" in (tmp_path / "a.svg").read_text() and "paper" not in (tmp_path / "a.svg").read_text()
    assert "paper: from scratch" in (tmp_path / "b.svg").read_text()
    with pytest.raises(InputError, match="no accuracies to draw"):
        draw_transfer({}, tmp_path / "c.svg", title="t", caption="c")


# --- the script ---


@pytest.fixture(scope="module")
def colours(tmp_path_factory):
    """A flat folder of three classes, and a class of clutter: 9 images each."""
    root, rng = tmp_path_factory.mktemp("colours"), np.random.default_rng(0)
    for channel, name in enumerate(("red", "green", "blue", "clutter")):
        (root / name).mkdir()
        for n in range(9):
            image = rng.integers(0, 120, (50, 60, 3))
            image[..., channel % 3] += 100
            Image.fromarray(image.astype(np.uint8)).save(root / name / f"{n}.png")
    return root


@pytest.fixture(scope="module")
def tiny_run(tmp_path_factory):
    workdir, run = tmp_path_factory.mktemp("runs") / "tiny", a_run()
    create_run(workdir, {"arch": TINY.to_dict(), "dataset": "scenes", "data_dir": None}, run.class_names, run.mean)
    with Checkpoints(workdir) as checkpoints:
        checkpoints.save(7, {"params": run.params})
    return workdir


def run_transfer(flags, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["transfer.py", *flags])
    transfer.main()


def times(folder):
    return {path: path.stat().st_mtime_ns for path in (folder / "features").rglob("*.npy")}


def base_flags(tiny_run, colours, out):
    return [f"--ckpt={tiny_run}", f"--dataset=folder:{colours}", f"--out={out}", f"--cache={out}/features"]


def test_the_script_measures_goes_on_and_reports(tiny_run, colours, tmp_path, monkeypatch, capsys):
    flags = [*base_flags(tiny_run, colours, tmp_path), "--layers=1,4", "--folds=2", "--batch_size=8"]
    run_transfer([*flags, "--train_per_class=2,5"], monkeypatch)
    said = capsys.readouterr().out
    assert "36 images in 4 classes from folder" in said and "left out: clutter (9 images)" in said
    assert "| softmax (norm1, layer 1)" in said and "| svm (fc4, layer 4)" in said and "± " in said
    assert "3 classes, 27 images" in said and "Printed in the paper" not in said
    lines = (tmp_path / "results.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines[1:]]
    assert len(records) == 16 and json.loads(lines[0])["settings"]["classes"] == ["blue", "green", "red"]
    assert np.mean([record["accuracy"] for record in records]) > 0.9  # colours are easy
    assert (tmp_path / "transfer.png").exists()
    (tmp_path / "results.jsonl").write_text("\n".join([*lines[:8], lines[8][:20]]))  # killed while it wrote a line
    run_transfer([*flags, "--train_per_class=2,5"], monkeypatch)
    again = (tmp_path / "results.jsonl").read_text().splitlines()
    assert again[8] == lines[8][:20]  # the eighth result is measured again, and all that came after it
    assert [json.loads(line) for line in again[:8] + again[9:]] == [json.loads(line) for line in lines]
    files = times(tmp_path)
    capsys.readouterr()
    run_transfer([*flags, "--train_per_class=3", "--paper=caltech101", "--classifiers=svm"], monkeypatch)
    said = capsys.readouterr().out
    assert "Printed in the paper, Table 4" in said and "86.5 ± 0.5" in said and "softmax (fc4" not in said
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "features").rglob("*.npy")} == files and len(
        files
    ) == 2


def test_the_untrained_network_is_another(tiny_run, colours, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(zfjax.convnet, "init_params", lambda key, arch: random_params(arch, seed=3))
    flags = base_flags(tiny_run, colours, tmp_path)
    run_transfer([*flags, "--train_per_class=3", "--folds=1", "--classifiers=svm", "--random_weights"], monkeypatch)
    assert "its weights random" in capsys.readouterr().out


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--layers=6"], "custom has layers 1 to 5; --layers asks for 6"),
        (["--train_per_class=9"], "leaves no image of blue to test on: it has 9 in all"),
        (["--train_per_class=1"], "leaves no image to choose C by; give a single value as --softmax_c"),
        (["--train_per_class=1.5"], "--train_per_class takes whole numbers above 0 with commas between, not '1.5'"),
        (["--train_per_class="], "--train_per_class takes whole numbers"),
        (["--svm_c=0"], "--svm_c takes numbers above 0"),
        (["--classifiers=knn"], "--classifiers takes softmax,svm, not 'knn'"),
        (["--classifiers="], "--classifiers takes softmax,svm, not ''"),
        (["--folds=0"], "--folds must be at least 1"),
        (["--scratch_epochs=0"], "--scratch_epochs must be at least 1, not 0"),
        (["--overlap_threshold=95"], "--overlap_threshold must be at most 1, not 95"),
        (["--seed=-1"], "--seed must be at least 0"),
        (["--exclude=grey"], "--exclude names grey, which is no class of"),
        (["--crops=3"], "--crops takes one of 1, 10, not '3'"),
        (["--ckpt=/nowhere"], "no run folder at /nowhere"),
        (["--dataset=folder:/nowhere"], "folder /nowhere does not exist"),
        (["--out=/proc/x"], "cannot write /proc/x/results.jsonl"),
        (["--cache=/proc/x"], "cannot write features into /proc/x"),
    ],
)
def test_wrong_flags(flags, message, tiny_run, colours, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stop:
        run_transfer([*base_flags(tiny_run, colours, tmp_path), "--train_per_class=3", *flags], monkeypatch)
    said = capsys.readouterr().err.rstrip("\n").splitlines()[-1].split("\r")[-1]
    assert stop.value.code == 2 and said.startswith("error: ") and message in said


def test_pools(colours, tmp_path):
    flat = open_pool(f"folder:{colours}", canvas_size=8)
    assert flat.source.class_names == ("blue", "clutter", "green", "red") and len(flat.source) == 36
    scenes = open_pool("scenes", canvas_size=8)
    assert isinstance(scenes.source, JoinedSource) and len(scenes.source) == sum(map(len, scenes.source.sources))
    train = scenes.source.sources[0]
    assert scenes.source.describe(len(train) + 3) == scenes.source.sources[1].describe(3)
    record = scenes.source[len(train) + 3]
    assert np.array_equal(record["image"], scenes.source.sources[1][3]["image"]) and record["index"] == len(train) + 3
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="has neither a train folder nor classes"):
        open_pool(f"folder:{tmp_path}/empty", canvas_size=8)


@pytest.mark.slow
def test_training_from_scratch_is_one_more_row(tiny_run, colours, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(jax, "device_count", lambda: 1)
    flags = [*base_flags(tiny_run, colours, tmp_path), "--train_per_class=4", "--folds=1", "--classifiers=svm"]
    flags += ["--scratch", "--scratch_epochs=2", "--batch_size=8"]
    run_transfer(flags, monkeypatch)
    said = capsys.readouterr().out
    assert "from scratch: 4 images a class, fold 0" in said and "| from scratch (2 epochs)" in said
    folder = tmp_path / "scratch" / "4-a-class-fold-0-2-epochs"
    run = load_run(folder)
    assert run.class_names == ("blue", "green", "red") and run.arch.num_classes == 3 and run.step == 2
    assert run.arch.recipe.batch_size == 12  # of 128: all there are
    record = json.loads((tmp_path / "results.jsonl").read_text().splitlines()[-1])
    assert record["classifier"] == "from scratch" and (record["train"], record["test"]) == (12, 15)
    run_transfer(flags, monkeypatch)
    assert "from scratch: 4 images" not in capsys.readouterr().out
