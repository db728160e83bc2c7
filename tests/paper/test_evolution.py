"""Fig. 4: measures on responses made by hand, the search against the plain one, and pictures of a run."""

import functools
import json
import sys

import numpy as np
import pytest
from nets import TINY, random_params
from pictures import half_outside, tones

from zfjax.cli import visualize
from zfjax.draw.words import words_of
from zfjax.errors import InputError
from zfjax.paper.evolution.draw import draw_convergence, draw_evolution
from zfjax.paper.evolution.measure import (
    Evolution,
    LayerEvolution,
    Moment,
    evolve,
    jumps,
    map_similarity,
    settled_at,
    similarity,
)
from zfjax.paper.top_activations import project_winners, strongest_activations
from zfjax.runs.checkpoint import Checkpoints
from zfjax.runs.folder import append_metrics, create_run
from zfjax.runs.run import load_run

STEPS = {1: 10, 2: 20, 5: 50, 7: 70}  # epoch: step


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """TINY at four moments: far from its end, nearer, and at it; 12 noise images in the training split."""
    from PIL import Image

    root = tmp_path_factory.mktemp("evolution")
    rng = np.random.default_rng(0)
    for folder in ("train/grey", "train/noise", "val/grey", "val/noise"):
        (root / "data" / folder).mkdir(parents=True)
        for n in range(6):
            pixels = rng.integers(0, 256, (46, 46, 3), np.uint8)
            Image.fromarray(pixels).save(root / "data" / folder / f"{n}.png")
    end, other = random_params(TINY, 0), random_params(TINY, 1)
    names = [f"class {n}" for n in range(TINY.num_classes)]
    config = {"arch": TINY.to_dict(), "dataset": f"folder:{root}/data", "data_dir": None}
    create_run(root / "tiny", config, names, np.full((46, 46, 3), 127.0))
    with Checkpoints(root / "tiny") as checkpoints:
        for (epoch, step), share in zip(STEPS.items(), (1.0, 0.3, 0.1, 0.0), strict=True):
            params = {
                layer: {name: (1 - share) * end[layer][name] + share * other[layer][name] for name in end[layer]}
                for layer in end
            }
            append_metrics(root / "tiny", {"step": step, "epoch": epoch})
            checkpoints.save(step, {"params": params, "step": np.array(step)}, keep=epoch != 7)
    return root / "tiny"


def run_main(arguments, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["visualize.py", *arguments])
    visualize.main()


def test_jumps_by_hand():
    images = np.array([[3, 1, 4, 1], [3, 5, 4, 2], [3, 5, 4, 2]])
    np.testing.assert_array_equal(jumps(images), [0.5, 0])


def test_similarity_by_hand():
    end = np.array(
        [[1.0, 1, 0, 5], [2, 0, 0, 5], [3, 0, 6, 5], [4, 1, 0, 5]]
    )  # the last map has no end to compare with
    others = np.array([[10.0, 1, 1, 0], [20, 1, 1, 1], [30, 1, 1, 0], [40, 1, -1, 0]])
    # the same but for scale: 1; constant: 0; the correlation of (0,0,6,0) with (1,1,1,-1): 1/3
    np.testing.assert_allclose(similarity(map_similarity([others, 3 * end + 7, end])), [(1 + 0 + 1 / 3) / 3, 1, 1])
    np.testing.assert_allclose(similarity(map_similarity([-end, end])), [-1, 1])
    assert np.isnan(similarity(map_similarity([end, np.ones((4, 4))]))).all()


def test_similarity_is_pearsons():
    rng = np.random.default_rng(0)
    then, end = rng.normal(size=(2, 30, 7))
    pearson = [np.corrcoef(then[:, k], end[:, k])[0, 1] for k in range(7)]
    np.testing.assert_allclose(similarity(map_similarity([then, end]))[0], np.mean(pearson))


@pytest.mark.parametrize(
    ("alike", "moment"),
    [([0.2, 0.95, 1], 1), ([0.95, 0.2, 1], 2), ([0.9, 0.99, 1], 0), ([0.1, 0.2, 1], 2), ([np.nan] * 3, 2)],
)
def test_settled_from_the_last_crossing_on(alike, moment):
    assert settled_at(np.array(alike)) == moment


def test_the_same_winners_and_pictures_as_fig_2(run_folder):
    from zfjax.data import open_dataset

    source = open_dataset(f"folder:{run_folder.parent}/data", canvas_size=46, channels=3).train
    chosen = [4, 1, 3]
    load = functools.partial(load_run, run_folder)
    moments = (Moment("epoch 1", 1, 10), Moment("epoch 7", 7, 70))
    evolution = evolve(load, moments, source, ["conv2"], lambda *_: chosen, sample=8, batch_size=2)
    found = evolution.layers["conv2"]
    assert evolution.moments == moments and found.maps == chosen and found.settled in (1, 7)
    winners = strongest_activations(load(10), source, ["conv2"], top=1, batch_size=2)
    for there, expected in zip(found.winners, winners["conv2"], strict=True):
        np.testing.assert_allclose(there[0], expected[:, 0], rtol=1e-5)
    features = project_winners(load(10), source, winners, {"conv2": chosen}, batch_size=2)["conv2"]
    for pictures, patches, feature in zip(found.projections, found.patches, features, strict=True):
        np.testing.assert_allclose(pictures[0], feature.projections[0], rtol=1e-3, atol=1e-4)
        np.testing.assert_array_equal(patches[0], feature.patches[0])
    assert found.patches.shape == found.projections.shape and np.isnan(found.patches).any()
    assert found.images[:, 0].tolist() == winners["conv2"].image[chosen, 0].tolist() and found.responding <= 6
    assert found.similarity[-1] == pytest.approx(1) and len(found.jumps) == 1


def test_a_silent_map_has_an_empty_picture_and_no_image(run_folder):
    from zfjax.data import open_dataset

    source = open_dataset(f"folder:{run_folder.parent}/data", canvas_size=46, channels=3).train

    def load(step):
        run = load_run(run_folder, step)
        bias = run.params["conv1"]["bias"].at[5].set(-1e6 if step == 10 else 0)
        return run._replace(params={**run.params, "conv1": {**run.params["conv1"], "bias": bias}})

    moments = [Moment("epoch 1", 1, 10), Moment("epoch 7", 7, 70)]
    found = evolve(load, moments, source, ["conv1"], lambda *_: [5], sample=8, batch_size=4).layers["conv1"]
    assert found.images[0, 0] == -1 and not found.projections[0, 0].any() and not found.patches[0, 0].any()
    assert found.images[0, 1] >= 0 and found.projections[0, 1].any()


def test_pictures_of_a_run(run_folder, tmp_path, monkeypatch, capsys):
    flags = [f"--ckpt={run_folder}", "--figure=evolution", "--evolution.sample=8", "--batch_size=4", "--format=svg"]
    run_main([*flags, f"--out={tmp_path}", "--layers=conv1,fc4", "--evolution.num_maps=2"], monkeypatch)
    names = ["evolution_conv1.svg", "evolution_fc4.svg", "evolution.svg"]
    assert capsys.readouterr().out.split() == [str(tmp_path / name) for name in names]
    drawn = (tmp_path / "evolution_conv1.svg").read_text()
    assert all(f">epoch {epoch}<" in drawn for epoch in STEPS) and "12 of the training split" in drawn
    assert "conv1: 2 maps from epoch 1 to epoch 7" in drawn


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--evolution.epochs=1,3"], "no checkpoint of epoch 3: the run tiny kept 1, 2, 5, 7"),
        (["--evolution.epochs=5"], "needs the checkpoints of two epochs; the run tiny kept 1, 2, 5, 7"),
        (["--step=10"], "needs the checkpoints of two epochs; the run tiny kept 1"),
        (["--evolution.epochs=one"], "--evolution.epochs takes numbers like 3,17,40, not 'one'"),
        (["--evolution.num_maps=0"], "--evolution.num_maps must be at least 1, not 0"),
        (["--evolution.sample=1"], "--evolution.sample must be at least 2, not 1"),
        (["--evolution.threshold=90"], "--evolution.threshold must be at most 1, not 90"),
        (["--layers=conv1", "--maps=8"], "conv1 has maps 0 to 7; --maps asks for 8"),
    ],
)
def test_wrong_flags(flags, message, run_folder, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stop:
        run_main([f"--ckpt={run_folder}", "--figure=evolution", *flags], monkeypatch)
    said = capsys.readouterr().err.strip()
    assert stop.value.code == 2 and said.startswith("error: ") and message in said and "\n" not in said


def test_a_stop_within_an_epoch_is_the_last_column(run_folder, tmp_path, monkeypatch):
    from zfjax.paper.evolution import command as evolution
    from zfjax.paper.view import View

    records = [*map(json.loads, (run_folder / "metrics.jsonl").read_text().splitlines())]
    monkeypatch.setattr("zfjax.runs.folder.read_metrics", lambda path: records[:3])
    view = View(ckpt=str(run_folder), run=load_run(run_folder), out=tmp_path)
    moments = evolution.moments_of(view, evolution.Options())
    assert [moment.name for moment in moments] == ["epoch 1", "epoch 2", "epoch 5", "step 70"]
    assert moments[-1].epoch == 7 and moments[-1].step == 70


def evolution_of(maps, projections, images, names, similarity=(0, 1), jumps=(0,), patches=None) -> Evolution:
    moments = tuple(Moment(name, epoch, epoch) for epoch, name in enumerate(names, start=1))
    patches = np.ones(projections.shape) if patches is None else patches
    layer = LayerEvolution(None, 0, maps, projections, images, np.array(jumps), np.array(similarity), 1, None, patches)
    return Evolution(moments, {"conv1": layer}, 0.9)


def test_what_does_not_match_is_refused(tmp_path):
    text = {"title": "", "caption": ""}
    pictures, images = np.zeros((2, 3, 5, 5, 3)), np.zeros((2, 3), int)
    with pytest.raises(InputError, match="2 maps at 2 moments do not match"):
        draw_evolution(evolution_of([1, 2], pictures, images, "ab"), "conv1", tmp_path / "a.png", **text)
    with pytest.raises(InputError, match="do not match the images"):
        draw_evolution(evolution_of([1, 2], pictures, images[:, :2], "abc"), "conv1", tmp_path / "a.png", **text)
    with pytest.raises(InputError, match="do not match the patches"):
        other = evolution_of([1, 2], pictures, images, "abc", patches=pictures[:1])
        draw_evolution(other, "conv1", tmp_path / "a.png", **text)
    with pytest.raises(InputError, match="conv1: curves of 3 and 3"):
        curves = np.ones(3)
        draw_convergence(evolution_of([], pictures, images, "abc", curves, curves), tmp_path / "a.png", **text)
    silent = np.array([[0, 0, -1], [1, 2, 2]])
    draw_evolution(evolution_of([1, 2], pictures, silent, "abc"), "conv1", tmp_path / "a.svg", **text)
    assert (tmp_path / "a.svg").read_text().count(">silent<") == 1


def test_what_lies_outside_of_the_image_is_told_from_zero(tmp_path):
    """Three moments: a window within the image, one half outside, and a silent one; all of zeros."""
    patches = np.stack([np.full((24, 24, 3), 9.0), half_outside(24, 24, 3), np.zeros((24, 24, 3))])[None]
    for name, seen in (("edge", patches), ("within", np.nan_to_num(patches))):
        evolution = evolution_of([1], np.zeros(patches.shape), np.array([[0, 1, -1]]), "abc", patches=seen)
        draw_evolution(evolution, "conv1", tmp_path / f"{name}.png", title="", caption="")
    (outside, zero), (none, all_zero) = tones(tmp_path / "edge.png"), tones(tmp_path / "within.png")
    assert outside - none == pytest.approx(all_zero / 6, rel=0.01) and zero == pytest.approx(all_zero * 5 / 6, rel=0.01)
    assert "mid-grey is zero, light grey is outside the image, contrast" in words_of(tmp_path / "edge.png")[1]
    assert none < outside / 50 and "outside" not in words_of(tmp_path / "within.png")[1]
