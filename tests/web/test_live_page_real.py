"""The live page in front of the real server: what it shows are the server's pixels; the stub answers as it does.

That the server's pixels are the library's is tested with the server (test_live_clicks.py).
"""

import json
import urllib.request
from email.message import Message

import numpy as np
import pytest
from live_server import serving
from live_steps import click_map, pixel
from playwright.sync_api import expect
from stub_server import StubServer

LAYER = "conv3"
READ = "it => [...it.getContext('2d').getImageData(0, 0, it.width, it.height).data]"


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("live")) as live:
        yield live


def canvas(page, name: str) -> np.ndarray:
    """uint8 [height, width, 3]."""
    height, width = page.locator(name).evaluate("it => [it.height, it.width]")
    return np.array(page.locator(name).evaluate(READ), np.uint8).reshape(height, width, 4)[..., :3]


def test_a_click_shows_what_the_server_projects(chromium, live):
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(f"{live.address}#/{LAYER}?sample=7")
    expect(page.locator("#caption")).not_to_be_empty()
    unit = page.evaluate("zf.live.maps.order[1]")
    row, col = page.evaluate("unit => zf.live.raster.strongest(zf.live.maps.now, unit)", unit)
    click_map(page, unit, row, col)
    expect(page.locator("#caption")).to_contain_text(f"{LAYER} unit {unit} at row {row}, column {col}")
    image = page.evaluate("zf.live.now.image.id")
    answer = live.ask("/project", {"image": image, "layer": LAYER, "unit": unit, "row": row, "col": col})
    top, left, height, width = (answer.about[name] for name in ("top", "left", "height", "width"))
    expected = np.frombuffer(answer.body, np.uint8).reshape(height, width, 3)
    assert expected.std() > 5
    # The patch beside it is that window of the picture; both are light where it sticks out over it.
    size = live.ask("/arch").json["image_size"]
    inside = np.pad(np.ones((size, size, 1), bool), ((size, size), (size, size), (0, 0)))
    inside = inside[size + top : size + top + height, size + left : size + left + width]
    np.testing.assert_array_equal(canvas(page, "#projection"), np.where(inside, expected, 0xED))
    seen = np.frombuffer(live.ask(f"/image/{image}/picture").body, np.uint8).reshape(1, size, size, 3)
    frame = np.pad(seen[0], ((size, size), (size, size), (0, 0)), constant_values=0xED)
    patch = frame[size + top : size + top + height, size + left : size + left + width]
    np.testing.assert_array_equal(canvas(page, "#patch"), patch)
    # Painted over, the picture is the network's own nothing there.
    page.evaluate("zf.live.brush.toggle(true); zf.live.brush.paint()")
    expect(page.locator("#before")).to_be_visible()
    page.wait_for_function("() => !zf.live.busy()")
    covered = page.evaluate("zf.live.now.image.id")
    after = np.frombuffer(live.ask(f"/image/{covered}/picture").body, np.uint8).reshape(size, size, 3)
    page.evaluate("zf.live.brush.toggle(false); zf.live.controls.set('opacity', 0)")
    scale = page.locator("#picture").evaluate("it => it.width") // size
    middle = size // 2
    assert pixel(page, "#picture", (middle - 1) * scale + 1, middle * scale + 1) == after[middle - 1, middle].tolist()
    assert (after[middle, middle] != seen[0, middle, middle]).any()
    context.close()


def keys(value: object) -> object:
    """What an answer is made of, without its numbers."""
    if isinstance(value, dict):
        return {name: keys(each) for name, each in sorted(value.items())}
    return "numbers and text" if not isinstance(value, list) else "list"


def answers(address: str) -> dict[str, object]:
    """What a server answers to one question of each kind."""

    def ask(path: str, body: bytes | None = None, kind: str = "application/octet-stream") -> tuple[Message, bytes]:
        request = urllib.request.Request(address + path, body, {"Content-Type": kind} if body is not None else {})
        with urllib.request.urlopen(request) as reply:
            return reply.headers, reply.read()

    def tell(path: str, **question: object) -> tuple[Message, bytes]:
        return ask(path, json.dumps(question).encode(), "application/json")

    arch = json.loads(ask("arch")[1])
    image = json.loads(tell("sample", number=1)[1])
    layer = arch["layers"][0]
    mask = bytes(arch["image_size"] ** 2)
    cover = json.loads(ask(f"cover?image={image['id']}", mask)[1])
    maps, _ = ask(f"image/{image['id']}/maps/{layer['slug']}")
    spot = {"image": image["id"], "layer": layer["slug"], "unit": 0, "row": 0, "col": 0}
    projection, _ = tell("project", **spot, method="deconvnet", overlap="sum", page="a")
    found = {"arch": arch, "image": image, "cover": cover, "ready": json.loads(ask("ready")[1])}
    found |= {"maps": json.loads(maps["X-Zf"]), "projection": json.loads(projection["X-Zf"])}
    return {
        **{name: keys(value) for name, value in found.items()},
        "layer": keys(layer),
        "method": keys(arch["methods"][0]),
    }


def test_the_stub_answers_as_the_server_does(live):
    stub = StubServer()
    stub.start()
    try:
        assert answers(stub.url) == answers(live.address)
    finally:
        stub.stop()
