"""Fig. 5: its numbers by hand, and the figure from end to end."""

import dataclasses
import functools

import jax
import numpy as np
import pytest
from scene_run import make_scene_run, run_visualize

from zfjax.errors import InputError
from zfjax.model import on_canvases
from zfjax.paper.invariance.command import Options, amounts
from zfjax.paper.invariance.draw import draw_invariance
from zfjax.paper.invariance.measure import Invariance, _measure, measure_invariance
from zfjax.paper.invariance.sensitivity import departure, early_change, linearity, sensitivity
from zfjax.runs.run import load_run


def test_measures_of_curves_that_are_known():
    shifts = np.arange(-20.0, 21)
    away = departure("shift", shifts)
    line, step = 3 * away, np.where(away > 0, 5.0, 0.0)
    curves = np.stack([line, step, np.square(away), 0 * away])
    np.testing.assert_allclose(early_change(away, curves), [0.1, 1, 0.01, np.nan])
    straight = linearity(away, curves)
    assert straight[0] == 1 and straight[1] < 0 and 0.8 < straight[2] < 1 and np.isnan(straight[3])
    a, d = np.array([0.0, 1, 2]), np.array([0.0, 1, 1])  # slope 3/5; misses 0, 2/5, 1/5; spread 2/3
    assert linearity(a, d) == pytest.approx(1 - (4 / 25 + 1 / 25) / (2 / 3))
    lopsided = np.where(shifts > 0, away, 0)  # moves one way only: the mean of both directions counts
    assert early_change(away, lopsided) == pytest.approx(0.05)
    assert early_change(away, np.stack([line, step]) * 7, part=0.5).tolist() == [0.5, 1]


def test_departures():
    assert departure("scale", np.array([1, 1.5, 0.5])).tolist() == [0, 0.5, 0.5]
    assert departure("rotation", np.array([0, 90, 180, 270, 350, 360])).tolist() == [0, 90, 180, 90, 10, 0]
    with pytest.raises(InputError, match="unknown transformation 'shear'"):
        departure("shear", np.zeros(2))


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    return make_scene_run(tmp_path_factory.mktemp("invariance") / "tiny")


def test_a_run_is_measured_as_by_hand(run_folder):
    run = load_run(run_folder)
    canvases = np.random.default_rng(2).integers(0, 256, (2, 46, 46, 3), np.uint8)
    transforms = {"shift": np.array([-5.0, 0, 5]), "rotation": np.array([0.0, 90])}
    found = measure_invariance(run, canvases, [3, 4], transforms, layers=["fc4", "conv2"], batch_size=2)
    assert list(found) == ["shift", "rotation"] and list(found["shift"].distances) == ["fc4", "conv2"]
    assert found["shift"].probability.shape == (2, 3) and found["shift"].shown.shape == (2, 3, 40, 40, 3)
    np.testing.assert_array_equal(found["shift"].shown[:, 1], canvases[:, 3:43, 3:43])

    down = canvases[1].astype(np.float32)
    down[5:], down[:5] = canvases[1, :-5], 127  # the mean of this run
    look = jax.jit(on_canvases(run.arch))
    before, after = (look(run.variables, each[None]) for each in (canvases[1], down))
    for layer in ("fc4", "conv2"):
        distance = np.linalg.norm(after.activations[layer] - before.activations[layer])
        assert found["shift"].distances[layer][1, 2] == pytest.approx(distance, rel=1e-4)
        assert found["shift"].distances[layer][1, 1] == pytest.approx(0, abs=1e-4 * float(distance))
        norm = np.linalg.norm(before.activations[layer])
        assert found["shift"].norms[layer][1] == pytest.approx(norm, rel=1e-4)
        relative = sensitivity("shift", found["shift"])[layer].relative[1]
        both = found["shift"].distances[layer][1, [0, 2]].mean()  # at a tenth of the way to 5 pixels
        assert relative == pytest.approx(0.1 * both / norm, rel=1e-3)
    assert found["shift"].probability[1, 2] == pytest.approx(float(jax.nn.softmax(after.logits)[0, 4]), rel=1e-4)


def test_a_second_call_compiles_nothing(run_folder):
    run = load_run(run_folder)
    canvases, transforms = np.zeros((2, 46, 46, 3), np.uint8), {"shift": np.array([-1.0, 0, 1])}
    measure_invariance(run, canvases, [0, 1], transforms)
    before = _measure._cache_size()
    measure_invariance(run, canvases + 9, [2, 3], transforms)
    assert _measure._cache_size() == before


@pytest.mark.parametrize("mean", [None, np.array([10.0, 20, 30], np.float32)])
def test_a_run_may_have_one_mean_colour_or_none(mean, run_folder):
    run = load_run(run_folder)
    run = run._replace(preprocess=dataclasses.replace(run.preprocess, mean=mean))
    canvases = np.full((1, 46, 46, 3), 200, np.uint8)
    found = measure_invariance(run, canvases, [0], {"shift": np.array([0.0, 60])})["shift"]
    np.testing.assert_array_equal(found.shown[0, -1, 0, 0], np.zeros(3) if mean is None else mean)


def test_amounts_follow_the_flags_and_the_size_of_the_image():
    large, small = amounts(Options(), 224), amounts(Options(), 64)
    assert large["shift"].tolist() == list(range(-60, 61, 3)) and small["shift"].tolist() == list(range(-17, 18))
    assert large["scale"][0] == 1 and large["scale"][-1] == 1.8 and len(large["scale"]) == 17
    assert large["rotation"].tolist() == list(range(0, 351, 10))


FEW = ["--invariance.shift_steps=1", "--invariance.scale_steps=2", "--invariance.rotation_steps=2"]


def test_the_figure(run_folder, tmp_path, monkeypatch, capsys):
    flags = [f"--ckpt={run_folder}", "--figure=invariance", f"--out={tmp_path}", "--format=svg", "--limit=20", *FEW]
    run_visualize([*flags, "--invariance.num_images=2", "--invariance.fill=edge"], monkeypatch)
    assert capsys.readouterr().out.strip() == str(tmp_path / "invariance.svg")
    said = (tmp_path / "invariance.svg").read_text()
    assert "distance at norm1" in said and "distance at fc4" in said and "the nearest pixels" in said


def test_distances_over_norms_are_drawn_as_such(tmp_path):
    curves = Invariance(
        np.array([-1.0, 0, 1]),
        {"fc4": np.array([[4.0, 0, 2]])},
        {"fc4": np.array([8.0])},
        np.array([[0.1, 0.9, 0.2]]),
        np.zeros((1, 3, 4, 4, 1)),
    )
    draw = functools.partial(draw_invariance, {"shift": curves}, path=tmp_path / "a.svg", title="t", caption="c")
    draw(["ball"], normalised=True)
    said = (tmp_path / "a.svg").read_text()
    assert "relative distance at fc4" in said and "divided by the norm" in said and "0.5" in said
    with pytest.raises(InputError, match="1 images have 2 names"):
        draw(["ball", "box"])


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--invariance.scale=0.5", "--invariance.scale must be above 1, not 0.5"),
        ("--invariance.shift=nan", "--invariance.shift must be a finite number, not nan"),
        ("--invariance.rotation_steps=1", "--invariance.rotation_steps must be at least 2, not 1"),
        ("--invariance.num_images=0", "--invariance.num_images must be at least 1, not 0"),
        ("--invariance.layers=conv9", "unknown layer 'conv9'; tiny has conv1"),
        ("--images=1000", "the val split has images 0 to 999; --images asks for 1000"),
    ],
)
def test_wrong_flags(flag, message, run_folder, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stop:
        run_visualize([f"--ckpt={run_folder}", "--figure=invariance", f"--out={tmp_path}", flag], monkeypatch)
    assert stop.value.code == 2 and message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
