"""Pictures made for units: their values against the network itself, what is shown of them, and the whole figure."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from nets import TINY, canvas_side, random_params
from oracle import compiled_for_one_run
from pictures import half_outside, tones
from runs import SCENES, make_run, random_run
from scene_run import run_visualize

from zfjax.cli import visualize
from zfjax.convnet import forward
from zfjax.data.scenes.scenes import CLASS_NAMES
from zfjax.draw.words import words_of
from zfjax.paper.optimised import command
from zfjax.paper.optimised.draw import draw_optimised
from zfjax.paper.optimised.measure import Effort, Optimised, centre_unit, maps_below, optimise, seen_in_middle
from zfjax.paper.patches import window_of
from zfjax.paper.top_activations import FeatureMap
from zfjax.paper.view import View
from zfjax.runs.run import load_run
from zfjax.zoo import get_arch


def found(*maps: int) -> list[FeatureMap]:
    none = np.zeros((0, 40, 40, 3), np.float32)
    return [FeatureMap(number, none, none, np.zeros(0)) for number in maps]


def test_values_are_those_of_the_pictures(tmp_path):
    """Of a grey network with a mean image and a scale of its own."""
    arch, channels = dataclasses.replace(SCENES, channels=1, input_scale=0.5), 1
    rng, side = np.random.default_rng(0), canvas_side(arch)
    mean = rng.uniform(0, 255, (side, side, channels)).astype(np.float32)
    run = load_run(make_run(tmp_path / "run", arch, names=CLASS_NAMES, mean=mean, dataset="scenes", data_dir=None))
    layer = arch.layer_names[-1]
    made = optimise(run, layer, found(4, 1, 7, 2), effort=Effort(variants=2, steps=3), batch_size=4)
    assert [each.found.index for each in made] == [4, 1, 7, 2]
    pictures = np.concatenate([each.pictures for each in made])
    assert pictures.shape == (8, 40, 40, channels) and pictures.min() >= 0 and pictures.max() <= 255
    start = (side - 40) // 2
    seen = (pictures - mean[start : start + 40, start : start + 40]) * np.float32(0.5)
    logits = jax.jit(forward, static_argnums=0)(arch, run.params, seen).logits
    values = np.concatenate([each.values for each in made])
    np.testing.assert_allclose(values, logits[np.arange(8), [4, 4, 1, 1, 7, 7, 2, 2]], rtol=1e-4, atol=1e-5)
    assert np.ptp(pictures.reshape(8, -1), axis=0).max() > 1  # each begins from other noise


@pytest.mark.parametrize("layer", ["conv1", "conv2", TINY.layer_names[-1]])
def test_what_is_shown_is_what_the_unit_sees(layer):
    """Where the unit has a slope, over noise: all of it lies in what is shown, and reaches each of its sides."""
    row, col = centre_unit(TINY, layer)
    images = jnp.asarray(np.random.default_rng(0).normal(size=(8, 40, 40, 3)), jnp.float32)
    slope = jax.grad(lambda images: forward(TINY, random_params(TINY), images).activations[layer][:, row, col].sum())
    there = np.abs(np.asarray(compiled_for_one_run(slope)(images))).sum(axis=(0, 3)) > 0
    places = np.stack(np.meshgrid(np.arange(40), np.arange(40), indexing="ij"), axis=-1)
    shown = seen_in_middle(TINY, layer, places)
    assert shown.shape[:2] == window_of(TINY, layer)
    within = shown[~np.isnan(shown[..., 0])].astype(int)
    assert there.sum() == there[within[:, 0], within[:, 1]].sum() > 0
    for axis in (0, 1):
        lit = np.flatnonzero(there.any(axis=1 - axis))
        assert (within[:, axis].min(), within[:, axis].max()) == (lit[0], lit[-1])


def test_a_window_larger_than_the_picture_has_it_at_its_place():
    """Unit 4 of conv5 sees 83 px from 8 * 4 - 35 on, of 64 px: three rows and columns before them, and 16 after."""
    shown = seen_in_middle(get_arch("zf-mini"), "conv5", np.full((64, 64, 3), 9.0))
    there = np.pad(np.full((64, 64, 3), 9.0), ((3, 16), (3, 16), (0, 0)), constant_values=np.nan)
    np.testing.assert_array_equal(shown, there)


def test_the_caption_names_what_lies_outside_where_something_does(tmp_path):
    """Of a made picture alone, of an image's patch alone, and of neither."""
    within, edge = np.full((2, 24, 24, 3), 9.0), half_outside(2, 24, 24, 3)
    for name, made, seen in (("made", edge, within), ("seen", within, edge), ("none", within, within)):
        shown = Optimised(FeatureMap(1, np.zeros(seen.shape), seen, np.ones(2)), made, np.ones(2))
        draw_optimised({"map 1": shown}, tmp_path / f"{name}.png", title="", caption="")
        said = words_of(tmp_path / f"{name}.png")[1]
        assert "each is what the unit sees, receptive field 24×24 px" in said
        assert ("px; light grey is outside the image. Above" in said) == (name != "none")
    outside = {name: tones(tmp_path / f"{name}.png")[0] for name in ("made", "seen", "none")}
    assert min(outside["made"], outside["seen"]) > 50 * outside["none"]


def test_variants_are_told_apart_by_maps_of_several_places():
    assert maps_below(TINY, "conv2") == "conv2"
    assert TINY.row(maps_below(TINY, TINY.layer_names[-1])).shape[:2] != (1, 1)


def test_likeness_is_a_cost_only_where_it_is_asked_for(tmp_path):
    run = load_run(random_run(tmp_path / "run"))
    strong = [each._replace(activations=np.array([5.0])) for each in found(2)]
    free, kept, dear = (
        optimise(run, "conv2", strong, effort=Effort(steps=3, diversity=weight))[0] for weight in (0, 0, 1e3)
    )
    np.testing.assert_array_equal(free.pictures, kept.pictures)
    assert np.abs(free.pictures - dear.pictures).max() > 1


QUICK = ["--limit=8", "--top=4", "--batch_size=8", "--optimised.units=2", "--optimised.steps=2", "--format=svg"]


def test_the_figure(tmp_path, monkeypatch):
    path = random_run(tmp_path / "run")
    run_visualize([f"--ckpt={path}", f"--out={tmp_path}/out", "--figure=optimised", *QUICK], monkeypatch)
    last = SCENES.layer_names[-1]
    files = {file.name for file in (tmp_path / "out").iterdir()}
    assert f"optimised_{last}.svg" in files and len(files) == 2
    said = " ".join((tmp_path / "out" / f"optimised_{last}.svg").read_text().split())
    assert sum(f">{name}<" in said for name in CLASS_NAMES) == 2
    assert "pictures made to excite 2 classes, beside the 4 strongest images" in said and said.count("<image ") == 8


def test_the_result_has_the_maps_asked_for(tmp_path):
    path = random_run(tmp_path / "run")
    view = View(str(path), load_run(path), tmp_path, layers="conv2", maps="5,0", top=2, limit=4, progress=False)
    drawn = command.draw(view, command.Options(variants=1, steps=1))
    assert [each.found.index for each in drawn.result["conv2"]] == [5, 0]
    assert drawn.paths == [tmp_path / "optimised_conv2.png"] and drawn.paths[0].exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--optimised.steps=0"], "--optimised.steps must be at least 1, not 0"),
        (["--maps=99"], "has maps 0 to "),
        (["--optimised.diversity=1", "--optimised.variants=9"], "9 need a --batch_size of as many, not 8"),
    ],
)
def test_what_cannot_be_is_said_before_the_search(flags, message, tmp_path, monkeypatch, capsys):
    path = make_run(tmp_path / "run", SCENES, names=CLASS_NAMES, dataset="scenes", data_dir=None)
    quick = [flag for flag in QUICK if flag.split("=")[0] not in {each.split("=")[0] for each in flags}]
    with pytest.raises(SystemExit) as stop:
        run_visualize([f"--ckpt={path}", f"--out={tmp_path}/out", "--figure=optimised", *quick, *flags], monkeypatch)
    said = capsys.readouterr().err
    assert stop.value.code == 2 and message in said and "searching" not in said


def test_all_leaves_out_what_takes_long(tmp_path, monkeypatch):
    some = {name: visualize.FIGURES[name] for name in ("architecture", "filters", *visualize.ON_DEMAND)}
    monkeypatch.setattr(visualize, "FIGURES", some)
    run_visualize([f"--ckpt={random_run(tmp_path / 'run')}", f"--out={tmp_path}/out"], monkeypatch)
    assert {file.stem.split("_")[0] for file in (tmp_path / "out").iterdir()} == {"architecture", "filters"}
    assert {"compare_methods", "gallery", "optimised", "sanity"} == {*visualize.ON_DEMAND}
    assert "but for compare_methods, optimised, sanity, gallery, which take long" in visualize.FIGURE_HELP
