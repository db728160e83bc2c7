"""One figure's error does not end the others: they are drawn, and the end says what is missing and why."""

import jax
import numpy as np
import pytest
from nets import random_params
from PIL import Image
from runs import SCENES, make_run, random_run, run_script

from zfjax.cli import visualize
from zfjax.data.scenes.scenes import CLASS_NAMES
from zfjax.paper.registry import FIGURES
from zfjax.runs.folder import append_metrics

QUICK = ["--top=2", "--num_maps=2", "--num_images=1", "--limit=8", "--batch_size=8", "--layers=conv1,conv2"]
QUICK += ["--occlusion.stride=20", "--occlusion.others=0"]


def drawn(folder) -> set[str]:
    return {path.name.split("_conv")[0].split("_img")[0].split(".")[0] for path in folder.iterdir()}


@pytest.fixture(autouse=True)
def some_figures(monkeypatch):
    """`all` is four of them, for speed: two need no data, and one none where it is given a file."""
    names = ("filters", "features", "occlusion", "architecture")
    monkeypatch.setattr(visualize, "FIGURES", {name: visualize.FIGURES[name] for name in names})


def ended(flags, monkeypatch, capsys) -> str:
    """The last line of errors of a command that ends with exit code 2."""
    with pytest.raises(SystemExit) as stop:
        run_script(visualize, flags, monkeypatch)
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return said.rstrip("\n").split("\n")[-1]


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "img.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 60, 3), np.uint8)).save(path)
    return path


@pytest.fixture
def without_data(tmp_path):
    """A run whose images are gone."""
    return make_run(tmp_path / "run", SCENES, names=CLASS_NAMES, dataset=f"folder:{tmp_path}/gone", data_dir=None)


def test_figures_that_need_no_data_are_drawn_where_it_is_absent(without_data, image, tmp_path, monkeypatch, capsys):
    flags = [f"--ckpt={without_data}", f"--out={tmp_path}/out", f"--images={image}", *QUICK]
    said = ended(flags, monkeypatch, capsys)
    assert drawn(tmp_path / "out") == {"architecture", "filters", "occlusion"}
    assert said.startswith("error: 1 of 4 figures could not be drawn: features (")
    assert f"{tmp_path}/gone" in said


@pytest.fixture(scope="module")
def silent(tmp_path_factory):
    """A run that kept two epochs; at the end all maps of conv2 and one of conv1 are silent."""
    before = random_params(SCENES)
    after = {**before, "conv2": jax.tree.map(np.zeros_like, before["conv2"])}
    after["conv1"] = {
        name: np.where(np.arange(values.shape[-1]) == 1, 0, values) for name, values in after["conv1"].items()
    }
    states = {step: {"params": params, "step": np.array(step)} for step, params in ((3, before), (6, after))}
    path = tmp_path_factory.mktemp("silent") / "run"
    run = make_run(path, SCENES, states, names=CLASS_NAMES, keep=(3, 6), dataset="scenes", data_dir=None)
    for epoch in (1, 2):
        append_metrics(run, {"epoch": epoch, "step": 3 * epoch})
    return run


SILENT = "left out: conv2: all maps are silent on every image, so there is nothing to project\n"


CASES = [("features", "conv2,conv1,fc5"), ("evolution", "conv1,conv2"), ("maximal_activations", "conv2,conv1")]


@pytest.mark.parametrize(("figure", "layers"), CASES)
def test_a_silent_layer_costs_its_own_pictures(figure, layers, silent, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(visualize, "FIGURES", FIGURES)
    flags = [f"--ckpt={silent}", f"--out={tmp_path}/out", f"--figure={figure}", *QUICK, f"--layers={layers}"]
    run_script(visualize, flags, monkeypatch)
    pictures = {f"{figure}_{layer}.png" for layer in layers.split(",") if layer != "conv2"}
    assert {path.name for path in (tmp_path / "out").iterdir()} - {"evolution.png"} == pictures
    assert capsys.readouterr().err.count(SILENT) == 1


def test_layers_of_which_the_chosen_maps_are_silent(silent, tmp_path, monkeypatch, capsys):
    flags = [f"--ckpt={silent}", f"--out={tmp_path}/out", "--figure=features", *QUICK]
    run_script(visualize, [*flags, "--layers=conv1,conv2,fc5", "--maps=1"], monkeypatch)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"features_fc5.png"}
    said = capsys.readouterr().err
    assert all(f"left out: {layer}: the maps 1 are silent on every image" in said for layer in ("conv1", "conv2"))
    said = ended([*flags, "--maps=1"], monkeypatch, capsys)
    assert said.startswith("error: conv1: the maps 1 are silent") and said.endswith("; give other --layers")
    assert "conv2: the maps 1 are silent" in said


def test_a_silent_layer_is_no_failure_of_all_figures(silent, tmp_path, monkeypatch, capsys):
    flags = [f"--ckpt={silent}", f"--out={tmp_path}/out", *QUICK]
    run_script(visualize, flags, monkeypatch)
    assert drawn(tmp_path / "out") == {"architecture", "filters", "occlusion", "features"}
    assert capsys.readouterr().err.count(SILENT) == 1
    said = ended([*flags, "--layers=conv2"], monkeypatch, capsys)
    assert said.startswith("error: 1 of 4 figures could not be drawn: features (conv2: all maps are silent")


def test_a_broken_image_costs_the_figures_that_show_it(tmp_path, monkeypatch, capsys):
    (tmp_path / "img.png").write_bytes(b"no image")
    flags = [f"--ckpt={random_run(tmp_path / 'run')}", f"--out={tmp_path}/out", f"--images={tmp_path}/img.png", *QUICK]
    said = ended(flags, monkeypatch, capsys)
    assert drawn(tmp_path / "out") == {"architecture", "filters", "features"}
    assert "occlusion (--images: " in said and "img.png: " in said


def test_one_of_several_runs_does_not_end_the_others(without_data, tmp_path, monkeypatch, capsys):
    other = random_run(tmp_path / "other")
    flags = [f"--ckpt={without_data},{other}", f"--out={tmp_path}/out", "--figure=features", *QUICK]
    said = ended(flags, monkeypatch, capsys)
    assert not drawn(tmp_path / "out" / "run") and drawn(tmp_path / "out" / "other") == {"features"}
    assert said.startswith("error: 1 of 2 figures could not be drawn: features of run (")


def test_occlusion_of_a_file_without_other_images_opens_no_data(without_data, image, tmp_path, monkeypatch, capsys):
    flags = [f"--ckpt={without_data}", f"--out={tmp_path}/out", "--figure=occlusion", f"--images={image}", *QUICK]
    flags = [flag for flag in flags if not flag.startswith("--layers")]
    run_script(visualize, flags, monkeypatch)
    assert drawn(tmp_path / "out") == {"occlusion"} and "other images" not in capsys.readouterr().err
