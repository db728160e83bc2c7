"""The live microscope's page in a real browser, against a server that paints numbers (stub_server)."""

import numpy as np
import pytest
from live_steps import MAPS, caption, click_map, given, map_place, opened, pixel, png, shown
from playwright.sync_api import expect
from stub_server import peak, window

pytest_plugins = ["live_browser"]


def test_the_first_picture_its_maps_the_strongest_unit_and_the_answer(page, stub):
    opened(page)
    strongest = 257  # 1 + 7 * 257 % 600 = 600
    row, col = peak(strongest, MAPS)
    shown(page, caption(MAPS, strongest, row, col))
    assert page.locator("[role=tab]").all_inner_texts() == ["conv1", "pool1", "conv 2/b", "fc"]
    expect(page.locator("[role=tab][aria-selected=true]")).to_have_text("conv 2/b")
    expect(page.locator("#picture-name")).to_have_text("val 0: <b>dog</b>")
    assert page.locator("#answer li").all_inner_texts()[1].split("\n") == ["<b>dog</b>", "✓ 20.0 %"]
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
    # At its place it covers seven parts of ten of the picture, of which a third is grey; beside it is the picture.
    picture = [0.65 * level + 0.35 * 128 for level in (7 * top, 7 * left, 0)]
    mixed = [0.7 * a + 0.3 * b for a, b in zip((unit, 10 * row, 10 * col), picture, strict=True)]
    scale = page.evaluate("document.getElementById('picture').width") // 32
    np.testing.assert_allclose(pixel(page, "#picture", scale * top + 1, scale * left + 1), mixed, atol=2)
    outside = place["top"] - 2
    assert pixel(page, "#picture", scale * outside + 1, scale * left + 1) == [7 * outside, 7 * left, 0]


def test_what_lies_outside_of_the_picture_is_told_from_grey(page):
    """A projection over the upper left corner, whose red is mid-grey; more contrast moves neither that nor the tone."""
    opened(page, "#/conv-2-b/128?at=0,0")
    shown(page, caption(MAPS, 128, 0, 0))
    place = window(MAPS, 0, 0)
    edge = (-place["top"], -place["left"])
    assert edge == (7, 5)
    outside = [(0, 0), (edge[0] - 1, edge[1]), (edge[0], edge[1] - 1), (18, 0), (0, 14)]
    for _ in range(2):
        for row, col in outside:
            assert pixel(page, "#projection", row, col) == pixel(page, "#patch", row, col) == [0xED] * 3
        for row, col in (edge, (18, 14)):
            assert pixel(page, "#projection", row, col) == [128, 0, 0]
        page.keyboard.press("t")
    click_map(page, 171, 2, 4)
    shown(page, caption(MAPS, 171, 2, 4))
    strong = [128 + 1.35**2 * (level - 128) for level in (171, 20, 40)]
    np.testing.assert_allclose(pixel(page, "#projection", 9, 7), np.clip(strong, 0, 255), atol=0.51)


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
            expect(page.locator("#readout")).to_contain_text(
                f"unit {unit}, row {peaked[0]}, column {peaked[1]}: {value}"
            )


def test_a_burst_of_clicks_has_one_request_in_flight_and_ends_on_the_last(page, stub):
    opened(page)
    box = page.locator("#maps").bounding_box()
    assert box
    top, left = box["y"], box["x"]
    stub.asked.clear()
    stub.delay, stub.most_flying = 0.05, 0
    for step in range(30):
        y, x = map_place(page, 171, step % 4, step % 6)
        page.mouse.move(left + x, top + y)
        page.mouse.down()
        page.mouse.up()
    shown(page, caption(MAPS, 171, 29 % 4, 29 % 6))
    page.wait_for_timeout(200)
    shown(page, caption(MAPS, 171, 29 % 4, 29 % 6))
    assert stub.most_flying == 1
    assert 1 < len(stub.projected()) < 30
    assert pixel(page, "#projection", 3, 3) == [171, 10, 50]


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
    expect(page.locator("#caption")).to_contain_text("fc unit 5 bee: 31.2; projection of 32 x 32")
    page.locator("#picture").click()
    expect(page.locator("#notice")).to_contain_text("Every unit of fc sees the whole picture")


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
    expect(page.locator("#answer-classes")).to_have_text("one of 6 classes: cat, <b>dog</b>, owl, fox, ant, bee")
    # What is no picture is said in the server's own words, and the picture before it stays.
    (tmp_path / "b.txt").write_text("no picture")
    given(page, "drop", tmp_path / "b.txt", "b.txt")
    expect(page.locator("#notice")).to_contain_text("These 10 bytes are no <picture>.")
    assert pixel(page, "#picture", 1, 1) == [0, 0, 255]
    page.locator("#notice-close").click()
    expect(page.locator("#notice")).to_be_hidden()
