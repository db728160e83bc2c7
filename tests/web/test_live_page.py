"""The live microscope's page in a real browser, against a server that paints numbers (stub_server)."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright
from stub_server import BY_SLUG, StubServer, peak, window

MAPS = BY_SLUG["conv-2-b"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None and not os.environ.get("CI"):
        pytest.skip("needs chromium")
    flags = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=flags)
        yield started
        started.close()


@pytest.fixture(scope="module")
def running() -> Iterator[StubServer]:
    server = StubServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def stub(running: StubServer) -> StubServer:
    running.asked.clear()
    running.delay, running.most_flying, running.samples = 0.0, 0, 5
    return running


@pytest.fixture
def page(browser: Browser, stub: StubServer) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, base_url=stub.url)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if not ours(said.text) else None)
    page.on("dialog", lambda dialog: wrong.append(dialog.message))
    yield page
    context.close()
    assert not wrong


def ours(text: str) -> bool:
    """What the browser says of a refusal, and of tests that read canvases."""
    return "the server responded with a status of 4" in text or "getImageData" in text


def shown(page: Page, sentence: str) -> None:
    """Waits for the caption, which is written when a projection is drawn."""
    expect(page.locator("#caption")).to_have_text(sentence)


def caption(layer: dict, unit: int, row: int, col: int) -> str:
    size = window(layer, row, col)
    where = f"{layer['name']} unit {unit} at row {row}, column {col}: 31.2"
    return f"{where}; projection of {size['height']} x {size['width']} pixels."


def opened(page: Page, fragment: str = "") -> None:
    page.goto(f"/{fragment}")
    expect(page.locator("#caption")).not_to_be_empty()


def pixel(page: Page, canvas: str, row: float, col: float) -> list[int]:
    """A canvas's colour at a place, in its own pixels."""
    read = "(it, [x, y]) => [...it.getContext('2d').getImageData(x, y, 1, 1).data.slice(0, 3)]"
    return page.locator(canvas).evaluate(read, [col, row])


def map_place(page: Page, unit: int, row: float, col: float) -> tuple[float, float]:
    """Where a cell of a unit's map lies on the canvas of maps, in CSS pixels."""
    top, left = page.evaluate("unit => { zf.live.maps.reveal(unit); return zf.live.maps.corner(unit) }", unit)
    cell = page.evaluate("zf.live.maps.cell")
    layer = BY_SLUG[page.evaluate("zf.live.state.layer")]
    height, width, _ = layer["shape"]
    return top + (row + 0.5) * cell["height"] / height, left + (col + 0.5) * cell["width"] / width


def click_map(page: Page, unit: int, row: int, col: int) -> None:
    y, x = map_place(page, unit, row, col)
    page.locator("#maps").click(position={"x": x, "y": y})


def test_the_first_picture_its_maps_the_strongest_unit_and_the_answer(page, stub):
    opened(page)
    strongest = 257  # 1 + 7 * 257 % 600 = 600
    row, col = peak(strongest, MAPS)
    shown(page, caption(MAPS, strongest, row, col))
    assert page.locator("[role=tab]").all_inner_texts() == ["conv1", "pool1", "conv 2/b", "fc"]
    expect(page.locator("[role=tab][aria-selected=true]")).to_have_text("conv 2/b")
    expect(page.locator("#picture-name")).to_have_text("val 0: <b>dog</b>")
    assert page.locator("#answer li").all_inner_texts()[1].split("\n") == ["<b>dog</b> ✓", "20.0 %"]
    assert page.locator("#answer .percent").last.inner_text() == "< 0.1 %"
    expect(page.locator("#aloud")).to_have_text(caption(MAPS, strongest, row, col))
    asked = stub.projected()[-1]
    assert (asked["layer"], asked["unit"], asked["row"], asked["col"]) == ("conv-2-b", strongest, row, col)
    assert (asked["method"], asked["overlap"]) == ("deconvnet", "sum")


def test_a_click_on_a_map_projects_that_cell_at_its_place_in_the_picture(page, stub):
    opened(page)
    unit, row, col = 171, 2, 4
    click_map(page, unit, row, col)
    shown(page, caption(MAPS, unit, row, col))
    assert pixel(page, "#projection", 9, 7) == [unit, 10 * row, 10 * col]
    place = window(MAPS, row, col)
    top, left = place["top"] + 5, place["left"] + 4
    assert pixel(page, "#patch", 5, 4) == [7 * top, 7 * left, 0]
    # Over the picture it is seven parts of ten, at its window; beside that the picture is as it was.
    mixed = [round(0.7 * a + 0.3 * b) for a, b in zip((unit, 10 * row, 10 * col), (7 * top, 7 * left, 0), strict=True)]
    scale = page.evaluate("document.getElementById('picture').width") // 32
    np.testing.assert_allclose(pixel(page, "#picture", scale * top + 1, scale * left + 1), mixed, atol=2)
    outside = place["top"] - 2
    assert pixel(page, "#picture", scale * outside + 1, scale * left + 1) == [7 * outside, 7 * left, 0]


def test_every_map_is_drawn_where_its_number_says(page):
    opened(page)
    colours = page.evaluate(
        "Array.from(zf.live.raster.RAMP, (each) => [each & 255, (each >> 8) & 255, each >> 16 & 255])"
    )
    for order, units in (("strength", (257, 514, 85, 1, 300)), ("number", (0, 1, 7, 198, 599))):
        page.locator("#sort").select_option(order)
        for unit in units:
            peaked = peak(unit, MAPS)
            row, col = next((r, c) for r in (0, 2) for c in (1, 3) if (r, c) != peaked)
            y, x = map_place(page, unit, row, col)
            page.evaluate("zf.live.maps.draw()")
            assert pixel(page, "#maps", y, x) == colours[unit % 200], (order, unit)
            y, x = map_place(page, unit, *peaked)
            assert pixel(page, "#maps", y, x) == colours[255]
            page.locator("#maps").hover(position={"x": x, "y": y})
            value = 1 + 7 * unit % 600
            shown_value = f"{value:.0f}" if value >= 100 else f"{value:.3g}"
            expect(page.locator("#readout")).to_contain_text(
                f"unit {unit}, row {peaked[0]}, column {peaked[1]}: {shown_value}"
            )


def test_a_burst_of_clicks_has_one_request_in_flight_and_ends_on_the_last(page, stub):
    opened(page)
    stub.asked.clear()
    stub.delay, stub.most_flying = 0.05, 0
    for step in range(30):
        y, x = map_place(page, 171, step % 4, step % 6)
        page.locator("#maps").dispatch_event("pointerdown", client(page, y, x))
    shown(page, caption(MAPS, 171, 29 % 4, 29 % 6))
    page.wait_for_timeout(200)
    shown(page, caption(MAPS, 171, 29 % 4, 29 % 6))
    assert stub.most_flying == 1
    assert 1 < len(stub.projected()) < 30
    assert pixel(page, "#projection", 3, 3) == [171, 10, 50]


def client(page: Page, y: float, x: float) -> dict:
    corner = page.locator("#maps").bounding_box()
    assert corner
    return {"clientX": corner["x"] + x, "clientY": corner["y"] + y, "button": 0, "buttons": 1, "pointerType": "touch"}


def test_a_press_on_the_picture_chooses_the_cell_that_looks_there(page):
    opened(page, "#/conv1/3?sample=2")
    box = page.locator("#picture").bounding_box()
    assert box
    page.locator("#picture").click(position={"x": box["width"] * 20.5 / 32, "y": box["height"] * 9.5 / 32})
    # conv1: cell i sees pixels 2i - 3 ... 2i + 3, its middle is 2i.
    expect(page.locator("#caption")).to_contain_text("conv1 unit 3 at row 5, column 10")
    # At the same place of the picture in the next layer: cell i of pool1 has its middle at 4i + 2.
    page.locator("#layer-pool1").click()
    expect(page.locator("#caption")).to_contain_text("at row 2, column 5")
    page.locator("#layer-fc").click()
    expect(page.locator("#caption")).to_contain_text("fc unit 5 at row 0, column 0")
    page.locator("#picture").click()
    expect(page.locator("#notice")).to_contain_text("Every unit of fc sees the whole picture")


def png(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)).save(path)
    return path


def given(page: Page, event: str, path: Path, name: str) -> None:
    """Drops or pastes a file."""
    holder = page.evaluate_handle(
        """([bytes, name]) => { const held = new DataTransfer();
        const type = name.endsWith('png') ? 'image/png' : 'text/plain';
        held.items.add(new File([new Uint8Array(bytes)], name, {type}));
        return held }""",
        [list(path.read_bytes()), name],
    )
    if event == "drop":
        page.locator("#maps-panel").dispatch_event("drop", {"dataTransfer": holder})
    else:
        page.evaluate(
            "held => document.body.dispatchEvent(new ClipboardEvent('paste', {clipboardData: held, bubbles: true}))",
            holder,
        )


@pytest.mark.parametrize("way", ["pick", "drop", "paste"])
def test_a_picture_comes_in(page, stub, tmp_path, way):
    stub.samples = 0
    page.goto("/")
    expect(page.locator(".invitation")).to_be_visible()
    expect(page.locator("#samples")).to_be_hidden()
    if way == "pick":
        page.set_input_files("#file", png(tmp_path))
    else:
        given(page, way, png(tmp_path), "a.png")
    expect(page.locator("#caption")).to_contain_text("conv 2/b unit 257")
    expect(page.locator(".invitation")).to_be_hidden()
    assert stub.asked[0] == ("image", {"bytes": png(tmp_path).stat().st_size, "type": "application/octet-stream"})
    assert pixel(page, "#picture", 1, 1) == [0, 0, 255]
    # What is no picture is said in the server's own words, and the picture before it stays.
    (tmp_path / "b.txt").write_text("no picture")
    given(page, "drop", tmp_path / "b.txt", "b.txt")
    expect(page.locator("#notice")).to_contain_text("These 10 bytes are no <picture>.")
    assert pixel(page, "#picture", 1, 1) == [0, 0, 255]
    page.locator("#notice-close").click()
    expect(page.locator("#notice")).to_be_hidden()
