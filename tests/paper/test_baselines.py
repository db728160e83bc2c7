"""The tutorial's table: its settings, counting by hand, both splits, and the script interrupted and continued."""

import dataclasses
import json
import signal
import sys

import numpy as np
import pytest
from nets import ODD
from PIL import Image
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from test_ablation import noise

from zfjax.cli import reproduce
from zfjax.paper.baselines import measure as baselines
from zfjax.paper.baselines.measure import CLASSIFIERS, classifier, fit_and_score, pixels, random_split
from zfjax.paper.evaluation.measure import wilson_interval
from zfjax.paper.numbers import BASELINES

GREY = dataclasses.replace(ODD, recipe=dataclasses.replace(ODD.recipe, crops="whole"))


def test_the_settings_are_the_tutorials():
    svm, knn, logistic, forest = (classifier(name) for name in CLASSIFIERS)
    assert (svm.kernel, svm.gamma, svm.decision_function_shape, svm.C) == ("rbf", "scale", "ovo", 1.0)
    assert knn.n_neighbors == 3
    assert (logistic.estimator.solver, logistic.estimator.random_state, logistic.estimator.max_iter) == (
        "lbfgs",
        0,
        100,
    )
    assert (forest.n_estimators, forest.random_state, forest.max_depth) == (100, 0, None)
    with pytest.raises(ValueError, match="classifiers are SVM, kNN"):
        classifier("perceptron")
    assert set(BASELINES) == {*CLASSIFIERS, "feed-forward", "CNN"}


def test_right_answers_are_counted():
    train = np.array([[0.0], [0.1], [0.2], [1.0], [1.1], [1.2]]), np.array([0, 0, 0, 1, 1, 1])
    test = np.array([[0.05], [0.3], [0.9], [1.5]]), np.array([0, 1, 1, 1])
    score = fit_and_score(KNeighborsClassifier(3), train, test)
    assert score[:2] == (3, 4) and score.seconds > 0 and not score.note
    for name in CLASSIFIERS:
        assert fit_and_score(classifier(name), train, train).hits == 6


def test_a_solver_that_runs_out_of_iterations_is_named_and_no_error():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 40)) * np.geomspace(1, 1e6, 40)
    part = features, rng.integers(0, 3, 60)
    assert (
        fit_and_score(classifier("logistic regression"), part, part).note
        == "3 of its fits stopped at the limit of iterations"
    )


def test_pixels_are_rows_in_0_to_1():
    source = noise(GREY, train=7).train
    rows, labels = pixels(source, batch_size=3)
    assert rows.dtype == np.float32 and rows.shape == (7, 33 * 33)
    np.testing.assert_array_equal(rows, source.images.reshape(7, -1).astype(np.float32) / 255)
    assert labels.tolist() == [0, 1, 2, 0, 1, 2, 0]


def test_the_random_split_is_the_tutorials_draw_from_all_images():
    data = noise(GREY, train=20, val=9)
    split = random_split(data)
    assert (len(split.train), len(split.val)) == (23, 6) and split.class_names == data.class_names
    everything = [*data.train.images, *data.val.images]
    train, test = train_test_split(range(29), test_size=0.2, random_state=8)
    for part, numbers in ((split.train, train), (split.val, test)):
        assert all((part[i]["image"] == everything[n]).all() for i, n in enumerate(numbers))
        assert [int(part[i]["label"]) for i in range(len(part))] == [(n if n < 20 else n - 20) % 3 for n in numbers]


@pytest.fixture(scope="module")
def blots(tmp_path_factory) -> str:
    """24 + 12 pictures, dark or bright."""
    root, rng = tmp_path_factory.mktemp("blots"), np.random.default_rng(0)
    for split, count in (("train", 12), ("val", 6)):
        for label, grey in (("bright", 170), ("dark", 80)):
            (root / split / label).mkdir(parents=True)
            for number in range(count):
                picture = rng.normal(grey, 30, (26, 26)).clip(0, 255).astype(np.uint8)
                Image.fromarray(picture).save(root / split / label / f"{number}.png")
    return f"folder:{root}"


@pytest.fixture
def run_script(monkeypatch):
    handler = signal.getsignal(signal.SIGTERM)

    def run(*flags: str) -> None:
        monkeypatch.setattr(sys, "argv", ["reproduce.py", "--table=baselines", *flags])
        reproduce.main()

    yield run
    signal.signal(signal.SIGTERM, handler)


def test_interrupted_continued_and_refused(blots, tmp_path, run_script, monkeypatch, capsys):
    flags = [
        f"--dataset={blots}",
        f"--out={tmp_path}",
        "--cnn=lenet5",
        "--image_size=26",
        "--epochs=1",
        "--batch_size=8",
    ]
    done = []

    def scored(model, *parts):
        done.append(type(model).__name__)
        if len(done) == 3:
            raise KeyboardInterrupt
        return fit_and_score(model, *parts)

    monkeypatch.setattr(baselines, "fit_and_score", scored)
    with pytest.raises(SystemExit) as stop:
        run_script(*flags)
    assert stop.value.code == 130
    assert list(json.loads((tmp_path / "baselines.json").read_text())["systems"]) == ["feed-forward", "SVM", "kNN"]
    capsys.readouterr()

    run_script(*flags)
    assert done[3:] == ["OneVsRestClassifier", "RandomForestClassifier"]
    assert capsys.readouterr().out.endswith((tmp_path / "baselines.md").read_text())
    book = json.loads((tmp_path / "baselines.json").read_text())
    assert book["about"]["train_images"] == 24 and list(book["systems"]) == list(BASELINES)
    for (system, entry), row in zip(book["systems"].items(), book["rows"], strict=True):
        share = entry["hits"] / 12
        low, high = wilson_interval(entry["hits"], 12)
        assert row[:3] == [system, f"{100 * share:.2f}", f"{entry['hits']} of 12"]
        assert row[3] == f"{100 * low:.1f} to {100 * high:.1f}" and row[5] == f"{BASELINES[system]:.2f}"
        assert share == 1 or system in ("feed-forward", "CNN")  # of one epoch of three steps
    for system, arch in (("feed-forward", "sign-mlp"), ("CNN", "lenet5")):
        logged = json.loads((tmp_path / "runs" / arch / "metrics.jsonl").read_text().splitlines()[-1])
        assert book["systems"][system]["hits"] == round(12 * logged["val_top1"])
        assert book["systems"][system]["seconds"] == pytest.approx(24 / logged["images_per_sec"])

    monkeypatch.setattr("zfjax.train.loop.train", None)  # neither is done again
    run_script(*flags)
    assert len(done) == 5 and json.loads((tmp_path / "baselines.json").read_text()) == book
    for flag, message in (
        ("--split=random", "results of other settings (split: 'own' there, 'random' here"),
        ("--learning_rate=0.1", "holds a run with other settings (learning_rate: 0.001 there, 0.1 here"),
    ):
        with pytest.raises(SystemExit) as stop:
            run_script(*flags, flag)
        assert stop.value.code == 2 and message in capsys.readouterr().err
    assert json.loads((tmp_path / "baselines.json").read_text()) == book


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--cnn=lenet"], "unknown architecture 'lenet'"),
        (["--image_size=10"], "10x10 is too small"),
        (["--seeds=0,1"], "trains each network once"),
        (["--split=half"], "--split takes one of own, random, not 'half'"),
        (["--dataset=folder:/nowhere"], "/nowhere"),
        (["--out=/proc/table"], "cannot use /proc/table as a folder"),
    ],
)
def test_wrong_flags(flags, message, blots, tmp_path, run_script, capsys):
    with pytest.raises(SystemExit) as stop:
        run_script(f"--dataset={blots}", f"--out={tmp_path}", *flags)
    said = capsys.readouterr().err.rstrip("\n")
    assert stop.value.code == 2 and message in said
    assert said.startswith("error: ") and "\n" not in said and not list(tmp_path.rglob("*"))
