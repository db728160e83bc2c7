"""The gallery's page in a real browser, opened from disk: what it shows is what its files say."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from browser import Reader
from fake_gallery import KINDS, PAGES, colour, write_gallery
from PIL import Image


def layer_data(gallery: Path, name: str) -> dict:
    """What a data file of a gallery holds."""
    text = (gallery.parent / "data" / f"{name}.js").read_text(encoding="utf-8")
    return json.loads(json.loads(text[text.index("JSON.parse(") + 11 : text.rindex("))")]))


def painted(page) -> None:
    """Until the pictures that the page has asked for are drawn."""
    page.wait_for_function("() => !document.querySelector('.waiting')")


def test_a_double_click_leads_from_the_network_to_a_unit(reader, gallery):
    reader.open(gallery.as_uri())
    reader.page.get_by_role("link", name=re.compile("^conv5: Conv")).click()
    reader.page.locator("[data-unit='7']").click()
    reader.page.get_by_role("heading", name="conv5 unit 7").wait_for()
    painted(reader.page)
    assert reader.page.title() == "unit 7 · conv5 · zf"
    assert reader.complaints == []
    assert len(reader.requests) > 20
    assert [url for url in reader.requests if not url.startswith(("file:///", "about:", "data:,"))] == []


def test_the_page_names_no_address_of_the_web():
    files = [path for path in PAGES.iterdir() if path.suffix in (".html", ".css", ".js")]
    assert len(files) > 15
    for path in files:
        found = re.findall(r"https?://[^\s\"']+", path.read_text(encoding="utf-8"))
        assert set(found) <= {"http://www.w3.org/2000/svg"}, path.name


def screenshot(page) -> np.ndarray:
    """int16 [height, width, 3] of the window."""
    return np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB"), np.int16)


def check_cells(page, selector: str, ratio: float, expected) -> None:
    """Every element's upper half has the colour of its unit, its lower half that of what it shows."""
    page.locator(selector).first.evaluate("(first) => first.scrollIntoView()")
    places = page.locator(selector).evaluate_all(
        "(all) => all.map((each) => {const box = each.getBoundingClientRect();"
        " return [box.left, box.top, box.width, box.height]})"
    )
    shot = screenshot(page)
    assert len(places) == len(expected) > 0
    for (left, top, width, height), colours in zip(places, expected, strict=True):
        for share, wanted in zip((0.05, 0.25, 0.75, 0.95), np.repeat(colours, 2, axis=0), strict=True):
            for across in (0.04, 0.96):
                x, y = int(ratio * (left + across * width)), int(ratio * (top + share * height))
                assert np.abs(shot[y, x] - wanted).max() <= 2, (selector, left, top, share, shot[y, x], wanted)


def strip(unit: int, *kinds: str) -> list:
    """The colours of a strip of nine columns: in each, one picture of each kind."""
    return [[colour(unit), colour(16 * KINDS.index(kind) + column)] for column in range(9) for kind in kinds]


@pytest.mark.parametrize("ratio", [1, 1.5, 2])
def test_every_cell_shows_its_own_unit(chromium, gallery, ratio):
    reader = Reader(chromium, device_scale_factor=ratio)
    for layer, units, kind in (("conv5", 47, "cover"), ("conv1?cover=patch", 6, "patch"))[: 2 if ratio == 1 else 1]:
        reader.open(f"{gallery.as_uri()}#/zf/{layer}")
        painted(reader.page)
        shown = [[colour(unit), colour(16 * KINDS.index(kind))] for unit in range(units) if unit != 3]
        check_cells(reader.page, ".cell:not(.dead) i", ratio, shown)
    reader.open(f"{gallery.as_uri()}#/zf/conv5/7")
    painted(reader.page)
    check_cells(reader.page, ".nine .picture", ratio, strip(7, "patch", "projection"))
    if ratio == 1:
        check_cells(reader.page, ".weaker .picture", ratio, strip(7, "lower patch", "lower projection"))
    reader.context.close()


def test_patches_of_a_dense_layer_are_whole_source_images(reader, gallery):
    reader.open(f"{gallery.as_uri()}#/zf/fc6/2")
    painted(reader.page)
    images = [found[0] for found in layer_data(gallery, "zf/fc6")["top"][2]]
    kind = {name: 16 * number for number, name in enumerate(KINDS)}
    shown = []
    for rank, image in enumerate(images):
        shown += [[colour(image), colour(kind["source"])], [colour(2), colour(kind["projection"] + rank)]]
    check_cells(reader.page, ".nine .picture", 1, shown)


def test_numbers_of_a_unit_are_those_of_the_data(reader, gallery):
    data = layer_data(gallery, "zf/conv5")
    sources = layer_data(gallery, "gallery")["sources"]["images"]
    classes = layer_data(gallery, "gallery")["data"]["classes"]
    reader.open(f"{gallery.as_uri()}#/zf/conv5/11")
    words = reader.page.locator(".nine .words").all_inner_texts()
    assert len(words) == 9
    for (image, row, col, value), text in zip(data["top"][11], words, strict=True):
        _, name, label = sources[str(image)]
        shown, *rest = text.split("\n")
        assert float(shown) == pytest.approx(value, rel=5e-4)
        assert rest == [classes[label], name, f"row {row}, column {col}"]
    page = reader.text()
    for sentence in ("Grey is zero", "31 × 31 pixels", "300 images searched", "painted numbers, validation split"):
        assert sentence in page
    for name in (
        "90 to 99 %",
        "50 to 90 %",
        "below 50 %",
        "epoch 10",
        "guided",
        "Units like it",
        "Its match in zf again",
    ):
        assert name in page
    assert reader.page.locator(".chart .mark").count() == 9
    nearest = reader.page.locator("section", has_text="Units like it").locator(".card b").all_inner_texts()
    assert nearest == [str(unit) for unit, _ in data["nearest"][11]]


def test_more_ranks_than_nine_and_no_photos(reader, tmp_path):
    page = write_gallery(tmp_path / "gallery", wide=5, strips=3, runs=1, top=12, photos=False)
    reader.open(f"{page.as_uri()}#/zf/conv5/1?at=10&cover=patch")
    painted(reader.page)
    projections = [[colour(1), colour(16 * KINDS.index("projection") + column)] for column in range(12)]
    check_cells(reader.page, ".nine .picture", 1, projections)
    assert "11th of 12" in reader.text(".closer h2")
    reader.page.locator("[data-key='a rank 11']").click()
    assert "12th of 12" in reader.text(".closer h2")
    said = reader.text()
    assert "no picture" not in said and "strongest patch" not in said and "patch" not in reader.text(".nine")
    reader.open(f"{page.as_uri()}#/zf/conv5?cover=patch")
    painted(reader.page)
    check_cells(
        reader.page, ".cell:not(.dead) i", 1, [[colour(u), colour(16 * KINDS.index("cover"))] for u in (0, 1, 2, 4)]
    )
    assert not reader.page.locator("[data-key='cover patch']").count()
    assert reader.complaints == []


def test_what_was_drawn_from_a_sample_says_so(reader, gallery):
    reader.open(f"{gallery.as_uri()}#/zf/conv5/7")
    said = reader.text()
    for words in (
        "Largest activation in each of 200 images, drawn at random",
        "lower parts of the unit's range, of 200 images, drawn at random",
        "are of 200 images of these, drawn at random; all else is of all",
        "300 images searched",
    ):
        assert words in said


def test_a_dead_unit_says_so(reader, gallery):
    reader.open(f"{gallery.as_uri()}#/zf/conv5/3")
    assert "None of the 300 images makes it respond" in reader.text()
    assert reader.complaints == []


@pytest.mark.parametrize(
    "address, sentence",
    [
        ("#/zf/conv9", "There is no layer “conv9” with units in zf."),
        ("#/zf/conv5/47", "There is no unit “47” in conv5: its units are 0 to 46."),
        ("#/zf/conv5/x", "There is no unit “x” in conv5"),
        ("#/nobody/conv5/1", "There is no run “nobody” in this gallery."),
        ("#/zf/toString", "There is no layer “toString”"),
        ("#/zf/conv5/7?b=zf-again/conv5/99", "There is no unit “99” in conv5 of zf again: it has 47."),
        ("#/%E0%A4%A/conv5", "There is no run “%E0%A4%A” in this gallery."),
    ],
)
def test_an_address_that_leads_nowhere_says_so_and_shows_where_to_go(reader, gallery, address, sentence):
    reader.open(gallery.as_uri() + address)
    reader.page.locator("main a").first.wait_for()
    assert sentence in reader.text("body")
    assert reader.page.locator("main a[href^='#/zf']").count() > 0
    assert reader.complaints == []


def test_back_and_forward_retrace_and_reload_shows_the_same(reader, gallery):
    reader.open(gallery.as_uri())
    page = reader.page
    page.get_by_role("link", name=re.compile("^conv5: Conv")).click()
    page.locator("#q").fill("0-11")
    page.locator("[data-key='sort']").select_option("density")
    page.locator("[data-key='show']").select_option("alive")
    page.locator("[data-key='cover patch']").click()
    page.locator("[data-key='larger']").click()
    page.locator(".cell").nth(1).click()
    page.locator("[data-key='next']").click()
    page.locator("[data-key='a rank 4']").click()
    page.locator("[data-key='a method 2']").click()
    page.locator("[data-key='a moment 1']").click()
    painted(page)
    last, address = page.inner_text("body"), reader.hash()
    page.evaluate("document.activeElement.blur()")
    before = screenshot(page)
    page.reload()
    painted(page)
    assert (reader.hash(), page.inner_text("body")) == (address, last)
    assert np.abs(before - screenshot(page)).max() <= 2
    seen = []
    for _ in range(7):
        page.go_back()
        seen.append((reader.hash(), page.inner_text("main")))
    assert seen[-1][0] in ("", "#/") and "conv5" in seen[0][0]
    for earlier in reversed(seen[:-1]):
        page.go_forward()
        assert (reader.hash(), page.inner_text("main")) == earlier
    page.go_forward()
    assert reader.hash() == address
