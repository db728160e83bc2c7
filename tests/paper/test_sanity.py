"""Tests of methods of attribution: what is known of made-up ones, and results that outlive a kill."""

import re
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from nets import HE, random_params, run_of
from runs import make_run, random_run
from scene_run import run_visualize

from zfjax.arch import Arch
from zfjax.attribution.measures.likeness import edges
from zfjax.attribution.measures.places import inside_boxes
from zfjax.data.scenes.scenes import CLASS_NAMES, render
from zfjax.errors import InputError
from zfjax.layers import Conv, Dense, Dropout, MaxPool, pad
from zfjax.paper.methods.methods import METHODS, Effort, Method, Question
from zfjax.paper.sanity import measure as module
from zfjax.paper.sanity.command import _unlearnt
from zfjax.paper.sanity.measure import BOX, CENTRE, RANDOM, Trial, measure
from zfjax.paper.sanity.table import Mean, sanity_table
from zfjax.runs.results import Ledger
from zfjax.runs.run import load_run
from zfjax.train.settings import without_dropout

NET = Arch(
    (
        Conv("conv1", 5, kernel=3, strides=2, padding=pad(1)),
        MaxPool("pool1", window=2, strides=2),
        Dropout("drop1"),
        Dense("fc2", 7),
        Dense("fc3", relu=False),
    ),
    image_size=24,
    num_classes=len(CLASS_NAMES),
    name="net",
    recipe=HE,
)
SIZE = (NET.image_size, NET.image_size)
LAYERS = ["fc3", "fc2", "conv1"]
IMAGES = jnp.stack([render(number, size=24).image - jnp.float32(120) for number in range(3)])
BOXES = jnp.array([[2, 3, 9, 15], [10, 0, 22, 12], [5, 5, 20, 20]], jnp.float32)
MADE_UP = {
    "blind": lambda asked, images, targets: edges(images),
    "perfect": lambda asked, images, targets: inside_boxes(BOXES, SIZE).astype(jnp.float32),
    "zero": lambda asked, images, targets: jnp.zeros_like(images),
}


@pytest.fixture
def made_up(monkeypatch):
    for name, explain in MADE_UP.items():
        monkeypatch.setitem(METHODS, name, Method(name, "made up", explain))
    return [*MADE_UP]


@pytest.fixture
def asked_of(monkeypatch) -> list[str]:
    """The method of each call that explains images."""
    calls, explain = [], module.explain

    def counted(name, *rest):
        calls.append(name)
        return explain(name, *rest)

    monkeypatch.setattr(module, "explain", counted)
    return calls


def trial(**changes) -> Trial:
    references = jnp.zeros((1, *IMAGES.shape[1:]))
    params = jax.device_put(random_params(NET), jax.devices()[0])
    asked = Question(NET, params, "", references, jax.random.key(0), Effort(2, 4, batch_size=2))
    return Trial(asked, IMAGES, jnp.array([0, 1, 2]), BOXES, stages=3, unlearnt=None)._replace(**changes)


def ledger(folder, **settings) -> Ledger:
    return Ledger(folder / "sanity.jsonl", {"seed": 0, **settings})


def test_made_up_methods_get_what_is_known_of_them(made_up, tmp_path):
    found = measure(trial(), [*made_up, "gradient"], ledger(tmp_path))
    assert [*found] == [*made_up, "gradient", RANDOM, CENTRE, BOX]
    for kind in ("rank", "size", "ssim"):
        for layer in LAYERS:
            np.testing.assert_allclose(found["blind"][f"{kind}:{layer}"], 1, atol=1e-5)
    assert np.abs(found["gradient"]["rank:conv1"]).max() < 0.2  # all layers anew; as learnt it is 1
    assert np.mean(found["gradient"]["size:fc3"]) > 0.3  # the top layer alone
    np.testing.assert_allclose(found["blind"]["edges"], 1, atol=1e-5)
    np.testing.assert_allclose(found["blind"]["classes"], 1, atol=1e-5)
    assert max(found["gradient"]["classes"]) < 0.99
    assert found["perfect"]["inside"] == found["perfect"]["hit"] == [1, 1, 1]
    assert found["perfect"]["drop"] == found[BOX]["drop"] and [*found[BOX]] == ["drop"]
    assert max(found[RANDOM]["inside"]) < 0.6
    assert np.isnan([values for name, values in found["zero"].items() if name.startswith("rank")]).all()
    for name in ("gradient", RANDOM, CENTRE):
        assert all(0 <= value <= 1 for curve in ("deletion", "insertion") for value in found[name][curve])


def test_without_boxes_nothing_is_said_of_places(made_up, tmp_path):
    found = measure(trial(boxes=None), ["blind"], ledger(tmp_path))
    assert [*found] == ["blind", RANDOM, CENTRE]
    assert not {"inside", "hit", "drop"} & {*found["blind"]} and {"deletion", "edges"} <= {*found["blind"]}


def same(one, other) -> bool:
    return str(one) == str(other)  # NaN too


def test_a_killed_one_goes_on_and_measures_nothing_twice(made_up, asked_of, tmp_path, monkeypatch):
    whole = measure(trial(), made_up, ledger(tmp_path / "whole"))
    total = len(asked_of)
    append, left = Ledger.append, iter(range(7))

    def killed(self, record):
        append(self, record)
        if next(left, None) is None:
            raise KeyboardInterrupt

    monkeypatch.setattr(Ledger, "append", killed)
    with pytest.raises(KeyboardInterrupt):
        measure(trial(), made_up, ledger(tmp_path / "killed"))
    monkeypatch.setattr(Ledger, "append", append)
    there = ledger(tmp_path / "killed").records
    assert len(there) == 8
    asked_of.clear()
    assert same(measure(trial(), made_up, ledger(tmp_path / "killed")), whole)
    assert 0 < len(asked_of) < total - 2 and len(ledger(tmp_path / "killed").records) == 3 * 5 + 3
    asked_of.clear()
    assert same(measure(trial(), made_up, ledger(tmp_path / "killed")), whole)  # NaN is read again as well
    assert not asked_of
    measure(trial(), made_up, ledger(tmp_path / "killed", seed=1))
    assert len(asked_of) == total


def test_another_unlearnt_network_is_measured_alone(made_up, asked_of, tmp_path):
    def unlearnt(seed):  # of one name, folder and step, as a run that was trained again
        return run_of(NET, random_params(NET, seed), np.zeros((27, 27, 3)), CLASS_NAMES, {"workdir": "runs/other"}, 5)

    before = measure(trial(), ["blind"], ledger(tmp_path))
    for seed in (5, 6):
        asked_of.clear()
        found = measure(trial(unlearnt=unlearnt(seed)), ["blind"], ledger(tmp_path))
        assert asked_of == ["blind", "blind"]  # as learnt, and by the other
        assert found["blind"].pop("rank:labels") == pytest.approx([1, 1, 1], abs=1e-5)
        del found["blind"]["size:labels"], found["blind"]["ssim:labels"]
        assert same(found, {name: {key: before[name][key] for key in values} for name, values in found.items()})


def test_fewer_stages_keep_the_top_and_the_lowest_layer(made_up, tmp_path):
    found = measure(trial(stages=2), ["blind"], ledger(tmp_path))
    assert [name for name in found["blind"] if name.startswith("rank")] == ["rank:fc3", "rank:conv1"]


def test_cells_of_the_table():
    nothing = Mean(np.nan, np.nan, np.nan)
    means = {
        "gradient": {
            "rank:fc3": Mean(0.5, 0.4, 0.625),
            "rank:conv1": Mean(-0.014, -0.1, 0.1),
            "size:labels": Mean(0, 0, 0),
        },
        BOX: {"drop": Mean(0.25, 0, 0.5), "size:labels": nothing},
    }
    table = sanity_table(means, {"gradient": "Gradient"}, ["fc3", "conv1"], title="T", notes=("N.",))
    assert table.columns == ("method", "rank, top layer", "rank, all layers", "|rank|, labels", "drop")
    assert table.rows[0] == ("Gradient", "0.50 (0.40, 0.62)", "-0.01 (-0.10, 0.10)", "0.00 (0.00, 0.00)", "-")
    assert table.rows[1] == (BOX, "-", "-", "-", "0.25 (0.00, 0.50)")
    assert table.note[-1] == "N." and table.note[0].startswith("Rank, top layer: rank correlation")
    one = sanity_table({"a": {"rank:fc3": Mean(1, 1, 1)}}, {}, ["fc3"], title="T", notes=())
    assert one.columns == ("method", "rank, all layers")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return random_run(tmp_path_factory.mktemp("sanity") / "net", NET)


FLAGS = ["--figure=sanity", "--images=3,8,5", "--sanity.methods=gradient", "--sanity.stages=2", "--format=svg"]


def test_the_figure_and_its_table(folder, tmp_path, monkeypatch, capsys):
    run_visualize([f"--ckpt={folder}", f"--out={tmp_path}/out", *FLAGS], monkeypatch)
    table = (tmp_path / "out" / "sanity.md").read_text()
    assert table.strip() in capsys.readouterr().out
    assert re.search(r"^\| gradient +\| +-?\d\.\d\d \(", table, re.M) and "3 images, the true class" in table
    assert "the box itself" in table and "The boxes are" in table and "labels" not in table
    picture = (tmp_path / "out" / "sanity.svg").read_text()
    assert all(f">{text}<" in picture for text in ("as learnt", "fc3", "conv1", "gradient", "rank correlation"))


def test_an_unlearnt_run_has_the_same_layers_and_learnt_random_labels(folder, tmp_path):
    view: Any = SimpleNamespace(run=load_run(folder), name="net")
    other = Arch((Dense("fc1", relu=False),), 24, num_classes=10, name="other", recipe=HE)
    make_run(tmp_path / "other", other, names=CLASS_NAMES, random_labels=True)
    make_run(tmp_path / "learnt", NET, names=CLASS_NAMES)
    with pytest.raises(InputError, match=f"unlearnt={tmp_path}/other has other layers .other. than the run net"):
        _unlearnt(view, f"{tmp_path}/other")
    with pytest.raises(InputError, match=f"unlearnt={tmp_path}/learnt was not trained with --random_labels"):
        _unlearnt(view, f"{tmp_path}/learnt")
    make_run(tmp_path / "unlearnt", without_dropout(NET), names=CLASS_NAMES, random_labels=True)
    found = _unlearnt(view, f"{tmp_path}/unlearnt")
    assert found and found.step == 7 and _unlearnt(view, "") is None
