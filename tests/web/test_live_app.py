"""The live server's answers: pictures in, maps and projections out, and every wrong question in one sentence."""

import io

import jax
import numpy as np
import pytest
from live_server import serving
from oracle import compiled_for_one_run
from PIL import Image

import zfjax
from zfjax.draw.tiles import rgb8, to_display
from zfjax.errors import InputError
from zfjax.paper.patches import cut_pictures, window_of
from zfjax.web.live.microscope import MOST_HELD, Microscope

PICTURE = np.random.default_rng(0).integers(0, 256, (50, 60, 3), np.uint8)


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("live")) as live:
        yield live


def png(pixels=PICTURE) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


@pytest.fixture
def image(live):
    return live.ask("/image", png()).json["id"]


@pytest.fixture(scope="module")
def seen(live):
    """What the library says of the same picture."""
    run = live.desk.microscope.run
    inputs = run.preprocess(PICTURE)
    return inputs, jax.jit(zfjax.forward, static_argnums=0)(run.arch, run.params, inputs)


def test_the_page_its_files_and_what_it_is_told(live):
    assert live.ask("/").headers["content-type"].startswith("text/html")
    assert live.ask("/pages/live.html").body == live.ask("/").body
    facts = live.ask("/arch").json
    arch = live.desk.microscope.run.arch
    assert [layer["name"] for layer in facts["layers"]] == [*arch.layer_names]
    conv2 = facts["layers"][3]
    assert conv2["field"] == [[*arch.receptive_field("conv2")]] * 2 and conv2["shape"] == [*arch.shapes()["conv2"]]
    assert facts["layers"][-1]["field"] is None and facts["samples"] == 1000 and facts["gallery"] == ""


def test_a_picture_goes_through_as_the_library_takes_it(live, seen):
    told = live.ask("/image", png()).json
    inputs, forward = seen
    expected = jax.nn.softmax(forward.logits[0])
    assert told["size"] == [40, 40, 3] and told["name"] == "" and told["class"] == -1
    assert [number for number, _ in told["top"]] == np.argsort(-expected)[:5].tolist()
    np.testing.assert_allclose([share for _, share in told["top"]], np.sort(expected)[::-1][:5], rtol=1e-6)
    shown = np.frombuffer(live.ask(f"/image/{told['id']}/picture").body, np.uint8).reshape(1, 40, 40, 3)
    np.testing.assert_array_equal(live.desk.microscope.run.preprocess.normalise(shown), inputs)


@pytest.mark.parametrize("layer", ["conv1", "norm1", "conv3", "fc4", "fc5"])
def test_maps_are_each_on_their_own_scale(live, image, seen, layer):
    answer = live.ask(f"/image/{image}/maps/{layer}")
    maps = np.moveaxis(np.asarray(seen[1].activations[layer])[0], 2, 0)
    count, height, width = maps.shape
    assert answer.about == {"channels": count, "height": height, "width": width}
    maxima, minima = np.frombuffer(answer.body[: 8 * count], "<f4").reshape(2, count)
    places = np.frombuffer(answer.body[8 * count : 12 * count], "<i4")
    levels = np.frombuffer(answer.body[12 * count :], np.uint8).reshape(maps.shape)
    np.testing.assert_array_equal(maxima, maps.max((1, 2)))
    np.testing.assert_array_equal(minima, maps.min((1, 2)))
    np.testing.assert_array_equal(places, maps.reshape(count, -1).argmax(1))
    low, high = np.minimum(minima, 0)[:, None, None], np.maximum(maxima, 0)[:, None, None]
    np.testing.assert_allclose(low + levels / 255 * (high - low), maps, atol=float((high - low).max()) / 500)
    assert levels.max() == 255


@pytest.mark.parametrize("method", ["guided_backprop", "gradient_x_input"])
def test_a_click_projects_by_every_method(live, image, seen, method):
    """The deconvnet's are compared one by one in test_live_clicks."""
    row, col, unit = (int(n) for n in np.unravel_index(np.argmax(seen[1].activations["conv3"][0]), (4, 4, 6)))
    asked = {"image": image, "layer": "conv3", "unit": unit, "row": row, "col": col, "method": method}
    answer = live.ask("/project", asked)
    run = live.desk.microscope.run
    rows = run.arch.receptive_field("conv3")
    height, width = window_of(run.arch, "conv3")
    assert answer.status == 200, answer.body
    about = answer.about
    assert (about["height"], about["width"]) == (height, width)
    assert (about["top"], about["left"]) == tuple(n * rows.stride + rows.offset for n in (row, col))
    assert about["value"] == pytest.approx(float(seen[1].activations["conv3"][0, row, col, unit]), rel=1e-5)
    pixels = np.frombuffer(answer.body, np.uint8).reshape(height, width, 3)
    if method.startswith("gradient"):
        slope = jax.grad(lambda x: zfjax.forward(run.arch, run.params, x).activations["conv3"][0, row, col, unit])
        whole = np.asarray(compiled_for_one_run(slope)(seen[0]) * (seen[0] if method.endswith("input") else 1))[0]
        window = cut_pictures(np.pad(whole, ((99, 99), (99, 99), (0, 0))), whole, 0, 0, (238, 238))[0]
        top, left = about["top"] + 99, about["left"] + 99
        expected = rgb8(to_display(window[top : top + height, left : left + width]))
        assert np.abs(pixels.astype(int) - expected).max() <= 1 and about["gain"] > 0
    else:
        assert pixels.std() > 10


def test_a_brush_covers_with_what_the_network_takes_for_nothing(live, image):
    brush = np.zeros((40, 40), np.uint8)
    brush[:, :20] = 255
    told = live.ask(f"/cover?image={image}", brush.tobytes()).json
    assert told["parent"] == image and told["id"] != image
    held = live.desk.microscope.find(told["id"])
    assert not np.asarray(held.inputs)[:, :, :20].any()
    before = np.asarray(live.desk.microscope.find(image).inputs)
    np.testing.assert_array_equal(np.asarray(held.inputs)[:, :, 20:], before[:, :, 20:])


def test_a_sample_comes_with_its_class(live):
    told = live.ask("/sample", {"number": 17}).json
    record = live.desk.source[17]
    assert told["name"] == "val 17" and told["class"] == record["label"]
    shown = np.frombuffer(live.ask(f"/image/{told['id']}/picture").body, np.uint8).reshape(40, 40, 3)
    np.testing.assert_array_equal(shown, live.desk.microscope.run.preprocess.visible(record["image"]))


def test_the_images_used_last_are_held(live):
    first = live.ask("/image", png()).json["id"]
    second = live.ask("/image", png()).json["id"]
    for _ in range(MOST_HELD - 1):
        live.ask(f"/image/{first}/picture")
        live.ask("/image", png())
    assert live.ask(f"/image/{first}/picture").status == 200
    gone = live.ask(f"/image/{second}/picture")
    assert gone.status == 410 and "no longer held" in gone.json["error"]
    assert live.ask("/ready").json["images"] == MOST_HELD


PLACE = {"layer": "conv1", "unit": 0, "row": 0, "col": 0}


@pytest.mark.parametrize(
    "path, body, status, words",
    [
        ("/project", {**PLACE, "unit": 8}, 400, "conv1 has unit 0 to 7; asked for 8"),
        ("/project", {**PLACE, "row": -1}, 400, "conv1 has row 0 to 17; asked for -1"),
        ("/project", {**PLACE, "col": True}, 400, "col must be a whole number, not True"),
        ("/project", {**PLACE, "col": 1e3}, 400, "col must be a whole number, not 1000.0"),
        ("/project", {**PLACE, "layer": "conv9"}, 404, "no layer is called 'conv9' here"),
        ("/project", {**PLACE, "layer": ["conv1"]}, 400, "layer must be a text, not ['conv1']"),
        ("/project", {**PLACE, "method": "magic"}, 400, "method is one of deconvnet, gradient"),
        ("/project", {**PLACE, "overlap": {}}, 400, "overlap is one of sum, max, last, not {}"),
        ("/project", {}, 400, "layer must be a text, not None"),
        ("/sample", {"number": 1000}, 400, "the data set has images 0 to 999; asked for 1000"),
        ("/sample", {"number": "17"}, 400, "number must be a whole number, not '17'"),
        ("/sample", {"number": 1, "more": "x" * 20_000}, 413, "16,384 bytes are taken at the most"),
        ("/cover?image=IMAGE", b"123", 400, "a brush on 40x40 pixels has 1,600 bytes, not 3"),
        ("/cover?image=none", bytes(1600), 410, "no longer held"),
        ("/image", b"", 415, "empty file"),
        ("/image/IMAGE/maps/conv9", None, 404, "no layer is called 'conv9' here"),
        ("/image/none/picture", None, 410, "no longer held"),
        ("/gallery/index.html", None, 404, "Not Found"),
        ("/project", None, 405, "Method Not Allowed"),
    ],
)
def test_wrong_questions_get_one_sentence(live, image, path, body, status, words):
    asked = {"image": image, **body} if isinstance(body, dict) else body
    answer = live.ask(path.replace("IMAGE", image), asked)
    assert answer.status == status and words in answer.json["error"], answer.body


@pytest.mark.parametrize("text", [b"", b"[1]", b"{", b"\xff", b"[" * 10_000, b"nan"])
def test_what_is_no_object_in_json(live, text):
    answer = live.ask("/project", text, Content_Type="application/json")
    assert answer.status == 400 and answer.json["error"].startswith("a question is an object in JSON, not b'")


def test_a_network_that_has_diverged_is_refused(live):
    run = live.desk.microscope.run
    broken = Microscope(run._replace(params=jax.tree.map(lambda array: array * np.nan, run.params)))
    with pytest.raises(InputError, match="the network of step 7 answers with what is no number"):
        next(broken.prepare())
