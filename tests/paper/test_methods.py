"""Methods of attribution side by side: each against an oracle, and the figure from end to end."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.axes import Axes
from nets import HE, pixels, random_params
from PIL import Image
from runs import random_run
from scene_run import run_visualize

from zfjax.arch import Arch
from zfjax.convnet import forward
from zfjax.data.scenes.scenes import CLASS_NAMES, SceneSource, render
from zfjax.deconvnet import Units, paste, project
from zfjax.draw.tiles import rgb8, to_display
from zfjax.errors import InputError
from zfjax.layers import Conv, Dense, MaxPool, pad
from zfjax.paper.methods.command import Options, _choices
from zfjax.paper.methods.draw import draw_methods
from zfjax.paper.methods.measure import Explained, explain_pictures, references_of
from zfjax.paper.methods.methods import METHODS, Effort, Question, chosen_methods, explain
from zfjax.paper.pictures import Pictures
from zfjax.runs.run import load_run

# Pools that do not overlap: the deconvnet's sums in another order would be told from no fault.
NET = Arch(
    (
        Conv("conv1", 5, kernel=3, strides=2, padding=pad(1)),
        MaxPool("pool1", window=2, strides=2),
        Conv("conv2", 6, kernel=3, padding=pad(1)),
        Dense("fc3", 7),
        Dense("fc4", relu=False),
    ),
    image_size=24,
    num_classes=len(CLASS_NAMES),
    name="net",
    recipe=HE,
)
SIDE = NET.image_size
PARAMS, IMAGES = random_params(NET), jnp.asarray(pixels(NET, 3))
look = jax.jit(functools.partial(forward, NET))
PASSED = look(PARAMS, IMAGES)
EFFORT = Effort(samples=2, masks=4, batch_size=32)


def strongest_units(layer: str) -> np.ndarray:
    """Of each image the strongest unit: [3, 3], row, column and channel."""
    found = np.asarray(PASSED.activations[layer])
    return np.stack([np.unravel_index(each.argmax(), each.shape) for each in found])


TARGETS = {"": jnp.array([4, 0, 9]), "conv2": strongest_units("conv2"), "fc3": strongest_units("fc3")}


def asked(layer: str = "", effort: Effort = EFFORT) -> Question:
    return Question(NET, PARAMS, layer, jnp.asarray(pixels(NET, 1, seed=1)), jax.random.key(0), effort)


@functools.cache
def said(name: str, layer: str = "") -> np.ndarray:
    effort = EFFORT._replace(places=8, batch_size=2) if name == "occlusion" else EFFORT
    return np.asarray(explain(name, asked(layer, effort), IMAGES, jnp.asarray(TARGETS[layer])))


def outputs(layer: str, images: jax.Array) -> jax.Array:
    """Each image's own target alone: [N]."""
    passed = look(PARAMS, images)
    found = passed.activations[layer] if layer else passed.logits
    return found[(jnp.arange(len(images)), *TARGETS[layer].reshape(len(images), -1).T)]


# those that ask the network in ways of their own for a unit; the others see its outputs alone, as the gradient does
UNITS = ("deconvnet", "gradient", "guided_backprop", "lrp_epsilon", "occlusion", "rise")


@pytest.mark.parametrize(("name", "layer"), [*((name, "") for name in METHODS), *((name, "conv2") for name in UNITS)])
def test_every_method_gives_a_map_of_its_shape(name, layer):
    maps = said(name, layer)
    assert maps.shape[:3] == (3, SIDE, SIDE) and maps.shape[3:] in ((), (3,))
    assert maps.dtype == np.float32 and np.isfinite(maps).all() and maps.any(axis=(1, 2)).any()
    assert len({each.tobytes() for each in maps}) == 3  # each image has its own


@pytest.mark.parametrize("layer", ["", "conv2", "fc3"])
def test_the_gradient_is_the_gradient(layer):
    slopes = jax.jit(jax.grad(lambda images: outputs(layer, images).sum()))(IMAGES)
    np.testing.assert_allclose(said("gradient", layer), slopes, rtol=1e-4, atol=1e-6 * float(jnp.abs(slopes).max()))


@pytest.mark.parametrize("layer", ["", "conv2", "fc3"])
def test_the_deconvnet_is_pasted_projections(layer):
    """Of a class, of a unit of maps at its place, of a unit of a fully connected layer."""
    place = np.asarray(TARGETS[layer]).reshape(3, -1)
    row, col = (place[:, 0], place[:, 1]) if layer else np.zeros((2, 3), int)
    units = Units(*(jnp.asarray(each) for each in (np.arange(3), place[:, -1], row, col)))
    down = jax.jit(lambda passed: project(NET, PARAMS, passed, layer or "fc4", units, seed="one"))(PASSED)
    expected = np.asarray(paste(down, SIDE))
    np.testing.assert_allclose(said("deconvnet", layer), expected, rtol=1e-4, atol=1e-6 * np.abs(expected).max())


@jax.custom_vjp
def guided_relu(x):
    return jnp.maximum(x, 0)


guided_relu.defvjp(lambda x: (guided_relu(x), x > 0), lambda open, signal: (jnp.where(open, guided_relu(signal), 0),))


def by_hand(params: dict, images: jax.Array) -> dict[str, jax.Array]:
    """The network without the package, with a ReLU that lets no negative signal down."""

    def conv(x, name, strides):
        x = jax.lax.conv_general_dilated(
            x, params[name]["kernel"], strides, [(1, 1), (1, 1)], dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return guided_relu(x + params[name]["bias"].reshape(1, 1, 1, -1))

    x = conv(images, "conv1", (2, 2))
    x = x.reshape(len(x), 6, 2, 6, 2, 5).max(axis=(2, 4))
    maps = conv(x, "conv2", (1, 1))
    fc3, fc4 = (params[name] for name in ("fc3", "fc4"))
    hidden = guided_relu(maps.reshape(len(maps), -1) @ fc3["kernel"] + fc3["bias"][None])
    return {"": hidden @ fc4["kernel"] + fc4["bias"][None], "conv2": maps, "fc3": hidden[:, None, None]}


@pytest.mark.parametrize("layer", ["", "conv2", "fc3"])
def test_guided_backprop_is_the_gradient_of_guided_relus(layer):
    def total(images):
        found = by_hand(PARAMS, images)[layer]
        return found[(jnp.arange(3), *TARGETS[layer].reshape(3, -1).T)].sum()

    expected = jax.jit(jax.grad(total))(IMAGES)
    found, limit = said("guided_backprop", layer), 1e-5 * float(jnp.abs(expected).max())
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=limit)
    assert np.abs(found - said("gradient", layer)).max() > 100 * limit


def test_guided_grad_cam_is_the_product():
    product = said("grad_cam")[..., None] * said("guided_backprop")
    np.testing.assert_allclose(said("guided_grad_cam"), product, rtol=1e-4, atol=1e-6 * np.abs(product).max())


@pytest.mark.parametrize("layer", ["", "conv2"])
def test_occlusion_is_a_loop(layer):
    """The square of 6 pixels at every third pixel, from 1 on: covered one at a time, and interpolated by NumPy."""

    @jax.jit
    def answer(image):
        passed = look(PARAMS, image[None])
        return passed.activations[layer][0] if layer else jax.nn.softmax(passed.logits[0])

    for number, target in enumerate(np.asarray(TARGETS[layer])):
        image, at = np.asarray(IMAGES[number]), tuple(np.atleast_1d(target))
        places = range(1, SIDE, 3)
        lost = np.empty((len(places), len(places)))
        for i, row in enumerate(places):
            for j, col in enumerate(places):
                covered = image.copy()
                covered[max(0, row - 3) : row + 3, max(0, col - 3) : col + 3] = 0
                lost[i, j] = answer(image)[at] - answer(covered)[at]
        across = np.stack([np.interp(range(SIDE), places, each) for each in lost])
        expected = np.stack([np.interp(range(SIDE), places, each) for each in across.T], axis=1)
        np.testing.assert_allclose(said("occlusion", layer)[number], expected, atol=2e-5 * max(1, np.abs(lost).max()))


def test_which_methods_are_chosen():
    assert chosen_methods("", layer="") == [*METHODS]
    assert {*METHODS} - {*chosen_methods("", layer="conv2")} == {"grad_cam", "guided_grad_cam"}
    assert chosen_methods("rise,gradient,", layer="conv2") == ["rise", "gradient"]
    with pytest.raises(InputError, match="unknown method 'gradcam'; there are .*grad_cam"):
        chosen_methods("rise,gradcam", layer="")
    with pytest.raises(InputError, match="Grad-CAM explains classes; of units of conv2 it has nothing to say"):
        chosen_methods("grad_cam", layer="conv2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return random_run(tmp_path_factory.mktemp("methods") / "net", NET)


NUMBERS = (3, 8, 5)


def explained(folder, layer: str, maps: tuple[int, ...]) -> tuple[list[Explained], Pictures]:
    run = load_run(folder)
    side = run.preprocess.smallest_side
    canvases = np.stack([render(number, size=side, split="val").image for number in NUMBERS])
    pictures = Pictures(canvases, np.array(NUMBERS), tuple(f"val {n}" for n in NUMBERS), np.ones(3, bool))
    common = {"references": np.zeros(0), "effort": EFFORT, "methods": ["gradient"]}
    return explain_pictures(run, pictures, layer=layer, maps=maps, **common), pictures


def test_rows_are_pictures_and_their_maps(folder):
    """The strongest place of each map asked for, else of the map that is strongest, by a search of our own."""
    run = load_run(folder)
    for maps in ((), (4,)):
        rows, pictures = explained(folder, "conv2", maps)
        images = run.preprocess.centre(jnp.asarray(pictures.canvases))
        found = np.asarray(look(run.params, images).activations["conv2"])
        channels = [*maps * 3] or found.max(axis=(1, 2)).argmax(axis=1)
        assert [row.name for row in rows] == [*pictures.names]
        assert [row.about for row in rows] == [
            f"conv2 map {channel}, {each[..., channel].max():.3g}"
            for channel, each in zip(channels, found, strict=True)
        ]
        best = [each[..., channel].argmax() for channel, each in zip(channels, found, strict=True)]
        targets = jnp.asarray([*zip(*np.unravel_index(best, found.shape[1:3]), channels, strict=True)])
        slopes = explain("gradient", asked("conv2")._replace(params=run.params), images, targets)
        np.testing.assert_allclose(np.stack([row.maps["gradient"] for row in rows]), slopes, rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(np.stack([row.image for row in rows]), run.preprocess.visible(pictures.canvases))


def test_rows_are_ordered_by_picture_then_by_map(folder):
    rows, _ = explained(folder, "fc3", (4, 1))
    said = [(row.name, row.about.split(",")[0]) for row in rows]
    assert said == [(f"val {n}", f"fc3 map {channel}") for n in NUMBERS for channel in (4, 1)]


def test_expected_gradients_start_from_images_of_the_data_set(folder):
    source = SceneSource("train", size=26, count=40)
    chosen = references_of(load_run(folder), source, seed=1)
    there = {source[number]["image"].tobytes() for number in range(40)}
    assert len({each.tobytes() for each in chosen} & there) == len(chosen) == 32
    assert not len(references_of(load_run(folder), None, seed=1))


def test_rows_of_classes_say_how_probable_they_are(folder):
    run = load_run(folder)
    rows, pictures = explained(folder, "", ())
    logits = look(run.params, run.preprocess.centre(jnp.asarray(pictures.canvases))).logits
    shares = np.asarray(jax.nn.softmax(logits))
    assert [row.about for row in rows] == [f"{CLASS_NAMES[n]}, {shares[k, n]:.2f}" for k, n in enumerate(NUMBERS)]


def test_captions_say_what_was_chosen_for_the_methods_that_are_drawn():
    said = _choices(Options(samples=7, masks=1500), [*METHODS], "32 training images")
    assert "; RISE: Petsiuk et al. 2018. 7 samples or steps where" in said
    assert said.endswith("; expected gradients from 32 training images; 1,500 masks.")
    assert _choices(Options(), ["expected_gradients"], "").endswith("; from the mean image.")
    assert _choices(Options(), ["gradient"], "32 training images") == "gradient: Simonyan et al. 2013. "


def words(path) -> str:
    return " ".join(re.findall(r">([^<>\n]+)<", path.read_text()))


FLAGS = ["--figure=compare_methods", "--format=svg", "--compare_methods.samples=2", "--compare_methods.masks=4"]


def test_the_figure_of_classes_of_maps_and_of_files(folder, tmp_path, monkeypatch):
    base = [f"--ckpt={folder}", f"--out={tmp_path}", *FLAGS]
    few = "--compare_methods.methods=gradient,deconvnet"
    run_visualize([*base, "--images=3,8,5", few], monkeypatch)
    text = words(tmp_path / "compare_methods.svg")
    assert "the class, explained by 2 methods" in text
    assert all(each in text for each in ("val 3", "val 8", "val 5", "deconvnet", "Run net (net), step 7"))
    assert not any(each in text for each in ("masks", "samples", "training images"))
    units = ["--compare_methods.layer=conv2", "--maps=1", "--compare_methods.methods=gradient"]
    run_visualize([*base, "--images=3,8,5", *units], monkeypatch)
    text = words(tmp_path / "compare_methods_conv2.svg")
    assert "the strongest unit of conv2" in text and "conv2 map 1," in text
    Image.fromarray(render(5, size=40).image).save(tmp_path / "mine.png")
    files = [f"--images={tmp_path}/mine.png", "--dataset=folder:/nowhere", "--compare_methods.methods=gradient"]
    run_visualize([*base, *files], monkeypatch)  # a data set that nobody reads need not be there
    assert "mine.png" in words(tmp_path / "compare_methods.svg")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--compare_methods.layer=conv9"], "unknown layer 'conv9'"),
        (["--compare_methods.layer=conv2", "--maps=6"], "conv2 has maps 0 to 5; --maps asks for 6"),
        (["--compare_methods.methods=magic"], "unknown method 'magic'"),
        (["--compare_methods.layer=conv2", "--compare_methods.methods=grad_cam"], "Grad-CAM explains classes"),
        (["--compare_methods.masks=0"], "--compare_methods.masks must be at least 1"),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence(flags, message, folder, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit) as ended:
        run_visualize([f"--ckpt={folder}", f"--out={tmp_path}", *FLAGS, *flags], monkeypatch)
    assert ended.value.code == 2 and message in capsys.readouterr().err
    assert not [*tmp_path.glob("*.svg")]


def test_cells_show_their_maps_by_one_rule(tmp_path, monkeypatch):
    """What is given to matplotlib, cell by cell: a second line begins with the eighth method."""
    shown = []
    monkeypatch.setattr(Axes, "imshow", lambda self, values, **options: shown.append((self.get_position(), values)))
    rng = np.random.default_rng(0)
    maps = {f"method {number}": rng.normal(size=(6, 6, 3) if number % 2 else (6, 6)) for number in range(7)}
    maps["rise"] = 5 + np.eye(6)
    row = Explained(rng.uniform(0, 255, (6, 6, 3)), "val 3", "a cup, 0.50", maps)
    draw_methods([row, row], {name: name for name in maps}, tmp_path / "a.png", title="T", caption="C.")
    assert len(shown) == 2 * (1 + len(maps)) and (tmp_path / "a.png").stat().st_size
    for (_, values), (name, given) in zip(shown[1:9], maps.items(), strict=True):
        given = given if given.ndim == 3 else given[..., None]
        np.testing.assert_array_equal(values, rgb8(to_display(given - given.mean() if name == "rise" else given)))
    places = [place for place, _ in shown]
    assert len({round(place.y0, 6) for place in places[1:8]}) == 1 and places[8].y0 < places[7].y0
    assert places[8].x0 == places[1].x0 and all(a.x1 < b.x0 for a, b in zip(places[:7], places[1:8], strict=True))
    assert places[9].y1 < places[8].y0
    with pytest.raises(InputError, match="nothing to draw"):
        draw_methods([], {}, tmp_path / "b.png", title="T", caption="C.")
