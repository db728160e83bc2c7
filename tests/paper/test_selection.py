"""Fig. 6: measures on filters and signals made by hand, and two runs side by side."""

import sys

import numpy as np
import pytest
from nets import TINY, random_params, run_of
from pictures import half_outside, tones
from PIL import Image

from zfjax.arch import Arch
from zfjax.cli import visualize
from zfjax.draw.words import words_of
from zfjax.errors import InputError
from zfjax.layers import Conv, Dense
from zfjax.paper.first_layers.aliasing import aliasing, shifted_responses
from zfjax.paper.first_layers.draw import draw_selection
from zfjax.paper.first_layers.measure import (
    Selection,
    band_energy,
    band_shares,
    dominance,
    examine,
    faint_filters,
    filter_rms,
)
from zfjax.paper.top_activations import project_winners, strongest_activations
from zfjax.recipe import Recipe
from zfjax.runs.checkpoint import Checkpoints
from zfjax.runs.folder import create_run
from zfjax.runs.run import Run, load_run


def filters(*sizes: float) -> np.ndarray:
    """Filters [3, 3, 2, n] of given RMS."""
    noise = np.random.default_rng(0).choice([-1.0, 1.0], (3, 3, 2, len(sizes)))
    return noise * np.array(sizes)


def grating(size: int, frequency: float, angle: float) -> np.ndarray:
    """[size, size] of a frequency in parts of Nyquist."""
    along = np.arange(size) * np.cos(angle) + np.arange(size)[:, None] * np.sin(angle)
    return np.cos(np.pi * frequency * along + 0.5)


def test_sizes_by_hand():
    kernel = filters(1, 2, 3, 0.1, 20)
    np.testing.assert_allclose(filter_rms(kernel), [1, 2, 3, 0.1, 20])
    assert dominance(kernel) == pytest.approx(10)
    assert dominance(filters(0, 0, 0, 5)) == np.inf


def test_dead_filters_by_hand():
    np.testing.assert_array_equal(faint_filters(filters(1, 1.2, 0.9, 0.05, 1, 0.2)), np.arange(6) == 3)
    np.testing.assert_array_equal(faint_filters(filters(1, 1.2, 0.9, 0.05, 1, 0.2), 0.3), [0, 0, 0, 1, 0, 1])
    mostly_dead = filters(*[0.01] * 17, 1, 1, 1)
    assert faint_filters(mostly_dead).sum() == 17
    one_dominates = filters(*[1] * 30, 50)
    assert not faint_filters(one_dominates).any()
    assert faint_filters(filters(0, 0)).all()


@pytest.mark.parametrize("size", [7, 11])
@pytest.mark.parametrize("angle", [0, 0.6, np.pi / 2])
def test_gratings_fall_into_their_bands(size, angle):
    waves = [grating(size, frequency, angle) for frequency in (0, 0.1, 0.5, 0.9)]
    kernel = np.repeat(np.stack(waves, axis=-1)[:, :, None], 3, axis=2)
    energy = band_energy(kernel)
    np.testing.assert_allclose(energy.sum(axis=1), 1)
    np.testing.assert_array_equal(energy.argmax(axis=1), [0, 0, 1, 2])
    np.testing.assert_allclose(band_shares(kernel), [1 / 2, 1 / 4, 1 / 4])


def test_bands_of_noise_and_of_nothing():
    noise = np.random.default_rng(0).normal(size=(11, 11, 3, 400))
    areas = np.pi * np.array([1, 3, 0]) / 36
    areas[2] = 1 - areas.sum()  # of the square of frequencies
    np.testing.assert_allclose(band_energy(noise).mean(axis=0), areas, atol=0.01)
    np.testing.assert_array_equal(band_energy(np.zeros((5, 5, 1, 1))), np.zeros((1, 3)))
    assert np.isnan(band_shares(noise[..., :0])).all()


def mixture(stride: int, shares: tuple[float, float], samples: int = 20_000) -> np.ndarray:
    """Responses [shifts, samples, 1]: a quarter of a cycle a stride, and three quarters, with these shares of power.

    The two are the same on the grid.
    """
    shift, rng = np.arange(3 * stride + 1)[:, None], np.random.default_rng(0)
    waves = [
        np.cos(2 * np.pi * cycles / stride * shift + rng.uniform(0, 2 * np.pi, samples)) for cycles in (0.25, 0.75)
    ]
    return sum(np.sqrt(share) * wave for share, wave in zip(shares, waves, strict=True))[..., None]


@pytest.mark.parametrize("clean", [1, 0.8, 0.5])
def test_aliasing_of_two_frequencies_by_hand(clean):
    # Half-way between grid points, the sum of the neighbours is sqrt(2) times the one minus the other wave, what is
    # looked for their sum: the squared correlation is the squared difference of their powers.
    expected = 1 - (2 * clean - 1) ** 2
    assert aliasing(mixture(2, (clean, 1 - clean)), 2) == pytest.approx(expected, abs=0.01)


def test_what_the_grid_holds_is_told_and_what_it_loses_is_not():
    rng, shift = np.random.default_rng(0), np.arange(13)[:, None, None]
    for highest, low, high in ((0.05, 0, 0.01), (0.5, 0.5, 1)):  # in cycles a pixel; a stride of 4 holds 0.125
        parts = [np.cos(2 * np.pi * rng.uniform(0, highest, (1, 500, 2)) * shift + rng.uniform(0, 7, (1, 500, 2)))]
        parts += [np.cos(2 * np.pi * rng.uniform(0, highest, (1, 500, 2)) * shift + rng.uniform(0, 7, (1, 500, 2)))]
        assert low <= aliasing(sum(parts), 4) <= high
    assert aliasing(np.ones((4, 5, 2)), 1) == 0  # every pixel is on the grid
    assert np.isnan(aliasing(np.ones((7, 5, 2)), 2))  # nothing responds
    with pytest.raises(ValueError, match="stride 2 takes 7 shifts, got 13"):
        aliasing(np.ones((13, 5, 2)), 2)


def one_filter_run(window: np.ndarray, stride: int) -> Run:
    """A grey network whose second layer repeats its first, one filter of a given window; linear on what it gets."""
    layers = (Conv("conv1", 1, kernel=len(window), strides=stride), Conv("conv2", 1, kernel=1), Dense("fc3", 2))
    recipe = Recipe(crops="whole")
    arch = Arch(layers, image_size=64, num_classes=2, channels=1, recipe=recipe)
    params = random_params(arch)
    params["conv1"] = {"kernel": window[..., None, None].astype(np.float32), "bias": np.zeros(1, np.float32)}
    params["conv2"] = {"kernel": np.ones((1, 1, 1, 1), np.float32), "bias": np.zeros(1, np.float32)}
    return run_of(arch, params, np.zeros((64, 64, 1), np.float32), ("a", "b"), {}, 0)


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (24, 64, 64, 1), np.uint8)


@pytest.mark.parametrize("axis", [1, 2])
def test_shifted_responses_are_pixels_in_a_row(axis, noise):
    point = np.zeros((9, 9))
    point[4, 4] = 1
    seen = shifted_responses(one_filter_run(point, 4), noise[:1], "conv2", 4, axis)[..., 0]
    assert seen.shape == (13, 16)
    lines = noise[0, :, :, 0].astype(float) if axis == 2 else noise[0, :, :, 0].T.astype(float)
    there = {tuple(line[start : start + 13]) for line in lines for start in range(64 - 12)}  # never across the seam
    assert {tuple(run[::-1]) for run in seen.T} <= there


def test_a_filter_that_smooths_aliases_less(noise):
    point, bell = np.zeros((9, 9)), np.exp(-np.square(np.arange(9) - 4) / (2 * 3.0**2))
    point[4, 4] = 1
    smooth = np.outer(bell, bell) / bell.sum() ** 2
    rough, clean, finer = (
        aliasing(shifted_responses(one_filter_run(window, stride), noise, "conv2", stride, 2), stride)
        for window, stride in ((point, 4), (smooth, 4), (smooth, 2))
    )
    assert rough > 0.95 and clean < 0.2 and finer < clean


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory):
    """TINY with random weights, a first layer with two dead filters, and one with a filter that dominates."""
    root, rng = tmp_path_factory.mktemp("selection"), np.random.default_rng(0)
    for folder in ("train/one", "train/two", "val/one", "val/two"):
        (root / "data" / folder).mkdir(parents=True)
        for n in range(5):
            pixels = rng.integers(0, 256, (46, 46, 3), np.uint8)
            Image.fromarray(pixels).save(root / "data" / folder / f"{n}.png")
    config = {"arch": TINY.to_dict(), "dataset": f"folder:{root}/data", "data_dir": None}
    for seed, name in enumerate(("dead", "dominated")):
        params = random_params(TINY, seed)
        if name == "dead":
            params["conv1"]["kernel"][..., 0] *= 0.01
            params["conv1"]["bias"][:2] = 1, -1e6  # hardly any weight; never above zero
        else:
            params["conv1"]["kernel"][..., 3] *= 30
        create_run(root / name, config, [f"class {n}" for n in range(TINY.num_classes)], np.full((46, 46, 3), 127.0))
        with Checkpoints(root / name) as checkpoints:
            checkpoints.save(1, {"params": params, "step": np.array(1)})
    return root


def run_main(arguments, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["visualize.py", *arguments])
    visualize.main()


def test_two_runs_side_by_side(two_runs, tmp_path, monkeypatch, capsys):
    flags = [f"--ckpt={two_runs}/dead,{two_runs}/dominated", "--figure=selection", f"--out={tmp_path}"]
    flags += ["--num_maps=3", "--selection.images=4", "--format=svg", "--batch_size=5"]
    run_main(flags, monkeypatch)
    first, second, path = capsys.readouterr().out.splitlines()
    assert path == f"{tmp_path}/selection_dead_dominated.svg" and [each.name for each in tmp_path.iterdir()]
    assert first.startswith("dead: stride 2, dead filters 25.0 %") and "dead filters 0.0 %" in second
    ratio = float(second.split("largest / median RMS ")[1].split(",")[0])
    assert 25 < ratio < 35
    drawn = (tmp_path / "selection_dead_dominated.svg").read_text()
    assert "8 filters of 7×7 px" in drawn and drawn.count("aliasing of the second layer<") == 2


def test_which_figures_of_which_runs(two_runs, tmp_path):
    def jobs(names: str, figure: str) -> list[tuple]:
        ckpt = ",".join(f"{two_runs}/{name}" for name in names.split(","))
        config = visualize.VisualizeConfig(ckpt=ckpt, figure=figure, out=str(tmp_path))
        return visualize._jobs(config)

    alone = {figure for figure, _ in jobs("dead", "all")}
    assert "filters" in alone and "selection" not in alone
    ((figure, views),) = jobs("dead", "selection")
    assert figure == "selection" and [view.out for view in views] == [tmp_path]
    both = jobs("dead,dominated", "all")
    assert both[-1][0] == "selection" and [view.out for view in both[-1][1]] == [tmp_path] * 2
    folders = [view.out for figure, view in both if figure == "filters"]
    assert folders == [tmp_path / "dead", tmp_path / "dominated"] and all(folder.is_dir() for folder in folders)


@pytest.mark.parametrize(
    ("names", "flags", "message"),
    [
        ("dead,dead", [], "--ckpt has several runs named dead"),
        ("dead,none", [], "no run folder at"),
        ("dead", ["--selection.faint=2"], "--selection.faint must be at most 1, not 2"),
        ("dead", ["--selection.images=0"], "--selection.images must be at least 1, not 0"),
        ("dead", ["--maps=6"], "conv2 has maps 0 to 5; --maps asks for 6"),
    ],
)
def test_wrong_flags(names, flags, message, two_runs, tmp_path, monkeypatch, capsys):
    ckpt = ",".join(f"{two_runs}/{name}" for name in names.split(","))
    with pytest.raises(SystemExit) as stop:
        run_main([f"--ckpt={ckpt}", "--figure=selection", f"--out={tmp_path}/out", *flags], monkeypatch)
    said = capsys.readouterr().err.strip()
    assert stop.value.code == 2 and said.startswith("error: ") and message in said and "\n" not in said


def test_filters_that_cannot_be_drawn_are_refused(tmp_path):
    measured = (("a", "b"), 2, 0.0, 0.0, 0.0, np.ones(3) / 3, 1.0, 0.5, [0, 1])
    grey, odd, colour = (
        Selection(measured[0], np.ones((size, size, channels, 4)), *measured[1:], *np.ones((2, 2, 5, 5, channels)))
        for size, channels in ((3, 1), (3, 2), (5, 3))
    )
    with pytest.raises(InputError, match="1 or 3 channels only, not on 2"):
        draw_selection({"odd": odd}, tmp_path / "a.png", title="", caption="")
    colour = colour._replace(projections=np.ones((7, 9, 9, 3)), patches=np.ones((7, 9, 9, 3)))
    draw_selection({"a": grey, "b": colour, "c": grey}, tmp_path / "a.png", title="", caption="")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width > 1400


def test_what_lies_outside_of_the_image_is_told_from_zero(tmp_path):
    measured = (("a", "b"), np.ones((5, 5, 3, 4)), 2, 0.0, 0.0, 0.0, np.ones(3) / 3, 1.0, 0.5, [0])
    zeros, patches = np.zeros((1, 24, 24, 3)), half_outside(1, 24, 24, 3)
    for name, seen in (("edge", patches), ("within", np.nan_to_num(patches))):
        draw_selection({"a": Selection(*measured, zeros, seen)}, tmp_path / f"{name}.png", title="", caption="")
    (outside, zero), (none, all_zero) = tones(tmp_path / "edge.png"), tones(tmp_path / "within.png")
    assert outside - none == pytest.approx(all_zero / 2, rel=0.01) and zero == pytest.approx(all_zero / 2, rel=0.01)
    assert "Mid-grey is zero, light grey is outside the image;" in words_of(tmp_path / "edge.png")[1]
    assert none < outside / 50 and "outside" not in words_of(tmp_path / "within.png")[1]


def test_patches_are_what_the_projected_units_see(two_runs):
    run, images = load_run(two_runs / "dead"), np.random.default_rng(0).integers(0, 256, (4, 46, 46, 3), np.uint8)
    source = [{"image": image, "index": np.int32(number)} for number, image in enumerate(images)]
    found = examine(run, source, ("conv1", "conv2"), lambda *_: [0, 1, 2, 4], shifted=2, batch_size=4)
    winners = strongest_activations(run, source, ["conv2"], top=1, batch_size=4)
    features = project_winners(run, source, winners, {"conv2": found.maps})["conv2"]
    np.testing.assert_array_equal(found.patches, [each.patches[0] for each in features])
    assert found.patches.shape == found.projections.shape and np.isnan(found.patches).any()
