"""Parameters of one's own as a run folder: Flax's modules are the oracle of what comes back."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx
from nets import pixels, random_params
from scene_run import run_visualize

import zfjax
from zfjax.errors import InputError
from zfjax.runs.steps import steps

ARCH = zfjax.Arch(
    (
        zfjax.Conv("conv1", features=4, kernel=3, strides=2, padding=((1, 1), (1, 1)), bias=None, relu=False),
        zfjax.BatchNorm("bn1", eps=1e-3, relu=True),
        zfjax.Dense("fc2", relu=False),
    ),
    image_size=8,
    num_classes=3,
    name="own",
)
SEEN = zfjax.Preprocess(smallest_side=9, crop=8, mean=np.array([1.0, 2.0, 3.0]), scale=1 / 255)
CONV = {"strides": (2, 2), "padding": ((1, 1), (1, 1)), "use_bias": False}


class Linen(linen.Module):
    @linen.compact
    def __call__(self, x):
        x = linen.Conv(4, (3, 3), name="conv1", **CONV)(x)
        x = linen.relu(linen.BatchNorm(use_running_average=True, epsilon=1e-3, name="bn1")(x))
        return linen.Dense(3, name="fc2")(x.reshape(len(x), -1))


class Nnx(nnx.Module):
    def __init__(self, rngs):
        self.conv1 = nnx.Conv(3, 4, (3, 3), **CONV, rngs=rngs)
        self.bn1 = nnx.BatchNorm(4, epsilon=1e-3, use_running_average=True, rngs=rngs)
        self.drop = nnx.Dropout(0.5, deterministic=True, rngs=rngs)
        self.fc2 = nnx.Linear(4 * 4 * 4, 3, rngs=rngs)

    def __call__(self, x):
        x = jax.nn.relu(self.bn1(self.conv1(x)))
        return self.fc2(self.drop(x.reshape(len(x), -1)))


def saved(path: Path, params=None, **options) -> zfjax.Run:
    options = {"preprocess": SEEN} | options
    assert zfjax.save_run(path, ARCH, random_params(ARCH) if params is None else params, **options) == path
    return zfjax.load_run(path)


def assert_same_bits(tree, other):
    assert jax.tree.structure(tree) == jax.tree.structure(other)
    for one, two in zip(*map(jax.tree.leaves, (tree, other)), strict=True):
        assert np.asarray(one).tobytes() == np.asarray(two).tobytes()


def shuffled(tree):
    """Every leaf drawn anew, none negative: statistics are ones and zeros until something has been learnt."""
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: jnp.asarray(rng.uniform(0.1, 1, leaf.shape), leaf.dtype), tree)


def test_the_same_bits_come_back(tmp_path):
    params = random_params(ARCH)
    mean = np.random.default_rng(0).uniform(0, 255, (9, 9, 3)).astype(np.float32)
    names = ("ant", "bee", "cat")
    run = saved(tmp_path / "a" / "run", params=params, preprocess=None, mean=mean, class_names=names, step=12)
    assert_same_bits(run.params, params)
    assert (run.arch, run.class_names, run.step, run.config["dataset"]) == (ARCH, names, 12, None)
    picture = np.random.default_rng(1).integers(0, 256, (10, 10, 3), dtype=np.uint8)
    assert_same_bits(run.preprocess(picture), zfjax.Preprocess.of(ARCH, mean)(picture))
    expected = zfjax.forward(ARCH, params, pixels(ARCH))
    assert_same_bits(zfjax.forward(run.arch, run.params, pixels(ARCH)), expected)


def test_a_preprocessing_comes_back_whole(tmp_path):
    given = dataclasses.replace(SEEN, std=jnp.array([0.5, 0.25, 1.0]), colours="BGR", resampling="bicubic")
    picture = np.random.default_rng(1).integers(0, 256, (12, 10, 3), dtype=np.uint8)
    for number, one in enumerate((given, dataclasses.replace(given, mean=None))):
        run = saved(tmp_path / str(number), preprocess=one, dataset="folder:photos/")
        np.testing.assert_array_equal(run.preprocess(picture), one(picture))
        assert run.config["dataset"] == f"folder:{Path('photos').absolute()}"
        assert run.class_names == ("class 0", "class 1", "class 2")


def test_what_linen_has_drops_in(tmp_path):
    images = jnp.asarray(pixels(ARCH))
    variables = shuffled(Linen().init(jax.random.key(0), images))
    expected = Linen().apply(variables, images)
    run = saved(tmp_path / "linen", params=variables)
    np.testing.assert_allclose(zfjax.forward(run.arch, run.params, images).logits, expected, rtol=1e-5)
    assert_same_bits(run.params["fc2"], variables["params"]["fc2"])
    whole = {**variables["params"], "bn1": {**variables["params"]["bn1"], **variables["batch_stats"]["bn1"]}}
    assert_same_bits(saved(tmp_path / "bare", params=whole).params, run.params)


def test_what_nnx_has_drops_in(tmp_path):
    model, images = Nnx(nnx.Rngs(0)), jnp.asarray(pixels(ARCH))
    nnx.update(model, shuffled(nnx.state(model, (nnx.Param, nnx.BatchStat))))
    state = nnx.state(model, (nnx.Param, nnx.BatchStat))
    run = saved(tmp_path / "state", params=state)
    np.testing.assert_allclose(zfjax.forward(run.arch, run.params, images).logits, model(images), rtol=1e-5)
    assert_same_bits(saved(tmp_path / "pure", params=nnx.to_pure_dict(state)).params, run.params)


def test_the_commands_take_it(tmp_path, monkeypatch):
    saved(tmp_path / "run")
    run_visualize([f"--ckpt={tmp_path / 'run'}", "--figure=filters"], monkeypatch)
    assert (tmp_path / "run" / "figures" / "filters_conv1.png").stat().st_size > 1000


def without(layer: str, name: str = "") -> dict:
    params = random_params(ARCH)
    return {
        each: {key: array for key, array in own.items() if not (each == layer and key == name)}
        for each, own in params.items()
        if each != layer or name
    }


def changed(layer: str, **arrays) -> dict:
    params = random_params(ARCH)
    return {**params, layer: {**params.get(layer, {}), **arrays}}


@pytest.mark.parametrize(
    ("params", "options", "message"),
    [
        (
            changed("conv1", kernel=np.zeros((5, 5, 3, 4), np.float32)),
            {},
            r"its layer conv1 has kernel \[3, 3, 3, 4\], and they have kernel \[5, 5, 3, 4\]",
        ),
        (without("fc2"), {}, r"its layer fc2 has kernel \[64, 3\], bias \[3\], and they have no such layer"),
        (
            without("bn1", "var"),
            {},
            r"bn1 has scale .*, var \[4\], and they have scale \[4\], bias \[4\], mean \[4\]$",
        ),
        (changed("conv1", bias=np.zeros(4, np.float32)), {}, r"have conv1/bias \[4\]; conv1 of own has kernel"),
        (changed("fc3", kernel=np.zeros((3, 3), np.float32)), {}, "have a layer 'fc3'; own has conv1, bn1, fc2"),
        (changed("fc2", bias=np.array([0, np.nan, 0], np.float32)), {}, "fc2/bias holds values that are not finite"),
        (changed("fc2", bias=np.zeros(3, int)), {}, "fc2/bias must be an array of floats, not int64"),
        ([1, 2], {}, r"the parameters must be \{layer: \{name: array\}\}, not list"),
        (Nnx(nnx.Rngs(0)), {}, r"not Nnx; of a Flax NNX model nnx.state\(model, \(nnx.Param, nnx.BatchStat"),
        (nnx.state(Nnx(nnx.Rngs(0))), {}, "drop/rngs must be an array of floats, not of type State; of a Flax NNX"),
        ({"conv1": np.zeros(3)}, {}, r"the parameters of conv1 must be \{name: array\}, not of type ndarray"),
        (None, {"preprocess": None}, "save_run takes preprocess=.* or mean=, one of the two"),
        (None, {"mean": np.zeros(3)}, "one of the two"),
        (
            None,
            {"preprocess": dataclasses.replace(SEEN, crop=7)},
            r"the preprocessing makes images \[7, 7, 3\], and own takes \[8, 8, 3\]",
        ),
        (None, {"preprocess": None, "mean": np.zeros((2, 2))}, r"the mean must have the shape .* not \(2, 2\)"),
        (None, {"preprocess": dataclasses.replace(SEEN, mean=jnp.zeros(5))}, r"the mean must have .* not \(5,\)"),
        (None, {"class_names": ["a", "b"]}, "class_names must be 3 names, one for each class, not 2"),
        (None, {"class_names": "abc"}, "class_names must be 3 names, one for each class, not 'abc'"),
        (None, {"class_names": ["a", "b", "c\nd"]}, r"class names must be one line each, not 'c\\nd'"),
        (None, {"step": -1}, "step must be a whole number from 0 on, not -1"),
    ],
)
def test_what_does_not_fit_is_one_sentence_and_leaves_nothing(params, options, message, tmp_path):
    with pytest.raises(InputError, match=message):
        saved(tmp_path / "run", params=params, **options)
    assert not (tmp_path / "run").exists()


def test_nothing_is_written_over(tmp_path):
    run = saved(tmp_path / "run", step=3)
    other = jax.tree.map(lambda leaf: leaf + 1, random_params(ARCH))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    taken = {"run": "holds checkpoints, ", "mine": "mine holds notes.txt, and nothing", "file": "file .Not a dir"}
    for name, message in taken.items():
        with pytest.raises(InputError, match=message):
            saved(tmp_path / name, params=other, step=4)
    assert steps(tmp_path / "run") == [3]
    assert_same_bits(zfjax.load_run(tmp_path / "run").params, run.params)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]
    assert (tmp_path / "file").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    assert saved(tmp_path / "empty").step == 0
