"""Finding one's way in the gallery's page: sort, filter, search, keys, pins, two runs side by side."""

from __future__ import annotations

import json

import numpy as np
import pytest
from test_gallery_page import layer_data

UNITS = "[...document.querySelectorAll('.cell')].map((each) => Number(each.dataset.unit))"
FOCUS = "document.activeElement.dataset.unit ?? document.activeElement.dataset.key ?? document.activeElement.id"


def shown(reader) -> list[int]:
    return reader.page.evaluate(UNITS)


def focus(reader) -> str:
    return reader.page.evaluate(FOCUS)


def settles(reader, hash: str) -> None:
    """Until the address is that: a burst of keys writes it once."""
    reader.page.wait_for_function("(hash) => location.hash === hash", arg=hash)


def test_every_sort_orders_the_units_by_its_statistic(reader, gallery):
    data = layer_data(gallery, "zf/conv5")
    matches = data["matches"]["zf-again"]["units"]
    values = {**data["statistics"], "match": [found[0][1] if found else None for found in matches]}
    assert values["match"][3] is None  # and stays last
    for name in ("max", "mean", "p99", "density", "share", "match"):
        reader.open(f"{gallery.as_uri()}#/zf/conv5?sort={name}&b=zf-again")
        for sign in (-1, 1):
            known = [unit for unit in range(47) if values[name][unit] is not None]
            known.sort(key=lambda unit, name=name, sign=sign: (sign * values[name][unit], unit))
            assert shown(reader) == known + [3] * (name == "match"), name
            reader.page.locator("[data-key='turn']").click()
    reader.press("s")
    assert shown(reader) == list(range(47))  # the last sort is followed by the first
    reader.press("S")
    assert shown(reader) == list(range(46, -1, -1))
    reader.open(f"{gallery.as_uri()}#/zf/conv5?sort=nonsense&class=x&range=nonsense&z=99&gain=x&show=maybe")
    assert shown(reader) == [] or shown(reader) == list(range(47))
    assert reader.complaints == []


def test_filters_show_the_units_that_they_name_and_count_them(reader, gallery):
    data = layer_data(gallery, "zf/conv5")
    reader.open(f"{gallery.as_uri()}#/zf/conv5")
    reader.page.locator("[data-key='show']").select_option("dead")
    assert shown(reader) == [3] and "1 of 47 units" in reader.text(".count")
    reader.page.locator("[data-key='clear']").click()
    reader.page.locator("[data-key='class']").select_option("1")
    dogs = [unit for unit, label in enumerate(data["class"]) if label == 1]
    assert shown(reader) == dogs and f"{len(dogs)} of 47 units" in reader.text(".count")
    reader.page.locator("[data-key='clear']").click()
    box = reader.page.locator("#q")
    for text, expected in (
        ("12, 40-60", [12, *range(40, 47)]),
        ("DOG", dogs),
        ("no such class", []),
        ("", list(range(47))),
    ):
        box.fill(text)
        assert shown(reader) == expected
    settles(reader, "#/zf/conv5")


def test_a_bar_of_the_histogram_shows_its_units_and_again_all(reader, gallery):
    values = np.array(layer_data(gallery, "zf/conv5")["statistics"]["density"])
    edges = np.linspace(0, values.max(), 13)
    reader.open(f"{gallery.as_uri()}#/zf/conv5?sort=density&desc=0")
    counts, _ = np.histogram(values, edges)
    bar = int(counts.argmax())
    reader.page.locator(f"[data-key='bar {bar}']").click()
    inside = np.flatnonzero((values >= edges[bar]) & (values <= edges[bar + 1]))
    assert sorted(shown(reader)) == inside.tolist() and len(inside) == counts[bar]
    reader.page.locator(f"[data-key='bar {bar}']").click()
    assert len(shown(reader)) == 47


@pytest.mark.parametrize("sort", ["max", "share", "match"])
def test_every_unit_is_in_the_one_bar_that_counts_it(reader, gallery, sort):
    data = layer_data(gallery, "zf/conv5")
    values = [found[0][1] if found else None for found in data["matches"]["zf-again"]["units"]]
    values = values if sort == "match" else data["statistics"][sort]
    reader.open(f"{gallery.as_uri()}#/zf/conv5?sort={sort}")
    seen = []
    for bar in range(12):
        link = reader.page.locator(f"[data-key='bar {bar}']")
        count = int(link.get_attribute("aria-label").split(": ")[1].split(" ")[0])
        link.click()
        assert len(shown(reader)) == count
        seen += shown(reader)
        link.click()
    assert sorted(seen) == [unit for unit in range(47) if values[unit] is not None]
    assert int(np.argmax([value or 0 for value in values])) in seen[-count:]  # the strongest is in the last one


def test_addresses_with_names_that_mean_something_to_the_browser(reader, gallery):
    everyone = list(range(47))
    for query, expected in (
        ("b=constructor", everyone),
        ("range=unit:0..5", [0, 1, 2, 3, 4]),
        ("range=constructor:0..5", everyone),
        ("range=toString:0..5&sort=__proto__", everyone),
    ):
        reader.open(f"{gallery.as_uri()}#/zf/conv5?{query}")
        assert shown(reader) == expected, query
    reader.open(f"{gallery.as_uri()}#/zf/conv5?b=constructor&sort=match")
    assert sorted(shown(reader)) == everyone and shown(reader)[-1] == 3
    assert reader.complaints == []


def test_leaving_a_comparison_keeps_the_order_of_the_list(reader, gallery):
    reader.open(f"{gallery.as_uri()}#/zf/conv5?sort=match&b=zf-again")
    order = shown(reader)
    reader.page.locator(f"[data-unit='{order[4]}']").click()
    assert " and " in reader.text("h1")
    reader.press("Escape")
    assert f"unit {order[4]}" in reader.text("h1") and " and " not in reader.text("h1")
    reader.press("n")
    assert f"unit {order[5]}" in reader.text("h1")
    reader.press("Escape")
    assert shown(reader) == order and "Agreement" in reader.text(".overview")


def test_pins_of_units_that_there_are_not_are_no_pins(reader, gallery):
    reader.open(f"{gallery.as_uri()}#/zf/conv5/99")
    reader.page.get_by_role("heading", name="Nothing here").wait_for()
    reader.press("f")
    assert reader.text("#pins") == "Pins"
    reader.open(f"{gallery.as_uri()}#/zf/conv5/5")
    reader.press("f")
    kept = "zf:" + layer_data(gallery, "gallery")["id"] + ":pins"
    reader.page.evaluate(
        "([key, pins]) => localStorage.setItem(key, JSON.stringify([...pins, ...JSON.parse(localStorage[key])]))",
        [kept, ["zf/conv5/99", "zf/conv5/05", "zf/conv5/5/1", "gone/conv5/1", "zf", 7, None]],
    )
    reader.open(f"{gallery.as_uri()}#/pins")
    settles(reader, "#/pins/zf/conv5/5")
    assert "Kept by this browser" in reader.text() and reader.text("#pins") == "Pins (1)"
    assert reader.complaints == []


def test_the_search_box_leads_to_layers_and_units(reader, gallery):
    for where, typed, expected in (
        ("#/zf", "conv5 12", "#/zf/conv5/12"),
        ("#/zf", "fire/left.3", "#/zf/left/3"),
        ("#/zf", "FC6", "#/zf/fc6"),
        ("#/zf/conv5/7?sort=max", "9", "#/zf/conv5/9?sort=max"),
        ("#/zf/conv5/7", "dog", "#/zf/conv5?q=dog"),
        ("#/zf/conv5", "12", "#/zf/conv5/12"),
    ):
        reader.open(gallery.as_uri() + where)
        reader.press("/")
        reader.page.keyboard.type(typed)
        reader.press("Enter")
        settles(reader, expected)
    reader.press("/")
    reader.page.keyboard.type("conv1 99")
    assert reader.text("#hint") == "conv1 has units 0 to 5"
    reader.press("Enter")
    settles(reader, "#/zf/conv5/12")
    assert not [each for each in reader.complaints if each.startswith("exception:")]


def test_letters_typed_into_the_search_box_do_nothing_else(reader, gallery):
    reader.open(f"{gallery.as_uri()}#/zf/conv5/7")
    reader.press("/")
    reader.page.keyboard.type("npuosvzxtbecmfygrh?")
    assert reader.page.locator("#q").input_value() == "npuosvzxtbecmfygrh?"
    reader.page.wait_for_timeout(250)
    assert reader.hash() == "#/zf/conv5/7"
    assert not reader.page.locator("dialog[open]").count()


def test_from_the_network_to_a_match_in_the_other_run_by_keys_alone(reader, gallery):
    """Tab reaches the network and the grid once each, the focus is never lost, and its ring is seen."""
    data = layer_data(gallery, "zf/conv5")
    reader.open(gallery.as_uri())
    for _ in range(20):
        reader.press("Tab")
        if focus(reader).startswith("box"):
            break
    boxes = ["box conv1", "box left", "box right", "box conv5", "box fc6"]
    assert focus(reader) == boxes[0]
    for box in boxes[1:4]:
        reader.press("ArrowDown")
        assert focus(reader) == box
    reader.press("Enter")
    settles(reader, "#/zf/conv5")
    for _ in range(4):
        reader.press("s")  # max, mean, p99, density
    assert "sort=density" in reader.hash()
    tabs = []
    for _ in range(20):
        reader.press("Tab")
        tabs.append(focus(reader))
        if tabs[-1].isdigit():
            break
    order = np.argsort(-np.array(data["statistics"]["density"]), kind="stable").tolist()
    assert tabs[-1] == str(order[0]) and "" not in tabs and len(set(tabs)) == len(tabs)
    reader.press("ArrowRight", "k", "ArrowUp", "l")  # k goes down a row
    assert focus(reader) == str(order[2])
    ring = "getComputedStyle(document.activeElement).outlineWidth"
    assert float(reader.page.evaluate(ring).removesuffix("px")) >= 2
    reader.press("Tab")
    assert not focus(reader).isdigit()  # one stop for all of the grid
    reader.press("Shift+Tab", "Enter")
    settles(reader, f"#/zf/conv5/{order[2]}?sort=density")
    reader.press("m")
    match = data["matches"]["zf-again"]["units"][order[2]][0][0]
    settles(reader, f"#/zf-again/conv5/{match}?sort=density")
    reader.press("f", "y")
    assert reader.page.evaluate("navigator.clipboard.readText()") == reader.page.url
    assert reader.text("#pins") == "Pins (1)"
    reader.press("Escape", "Escape")
    settles(reader, "#/zf-again")
    assert focus(reader) == "box conv5"
    assert not [each for each in reader.complaints if each.startswith("exception:")]


def test_keys_of_the_unit_page(reader, gallery):
    data = layer_data(gallery, "zf/conv5")
    order = np.argsort(-np.array(data["statistics"]["max"]), kind="stable").tolist()
    order = [unit for unit in order if unit < 8]  # these have strips
    reader.open(f"{gallery.as_uri()}#/zf/conv5/{order[4]}?sort=max&q=0-7")
    for key, unit in (("n", 5), ("n", 6), ("p", 5), ("ArrowRight", 6), ("ArrowLeft", 5)):
        reader.press(key)
        assert f"unit {order[unit]}" in reader.text("h1")
    settles(reader, f"#/zf/conv5/{order[5]}?sort=max&q=0-7")
    reader.press("b", "b")
    settles(reader, f"#/zf/conv5/{order[5]}?sort=max&q=0-7&method=2")
    assert reader.text("[aria-pressed=true][data-key^='a method']") == "guided"
    reader.press("e", "e")
    settles(reader, f"#/zf/conv5/{order[5]}?sort=max&q=0-7&method=2&moment=1")
    reader.page.locator("[data-key='a rank 0']").focus()
    reader.press("ArrowRight", "ArrowRight", "Enter")
    assert "3rd of 9" in reader.text(".closer h2") and focus(reader) == "a rank 2"
    reader.press("t", "v", "z", "x")
    assert all(part in reader.hash() for part in ("gain=1", "cover=patch", "z=2", "x=1"))
    reader.press("o")
    reader.page.get_by_role("heading", name="fc6 unit").wait_for()
    reader.press("u", "u")
    reader.page.get_by_role("heading", name=f"fire/right unit {min(6, order[5])}").wait_for()  # it has seven units
    reader.press("g")
    assert "unit" in reader.text("h1") and "A dead unit" not in reader.text()
    reader.press("Backspace")
    reader.page.get_by_role("heading", name="fire/right", exact=True).wait_for()
    assert "#/zf/right?" in reader.hash() and focus(reader).isdigit()
    assert not [each for each in reader.complaints if each.startswith("exception:")]


def test_the_help_names_the_keys_and_turns_the_letters_off(reader, gallery):
    reader.open(f"{gallery.as_uri()}#/zf/conv5/7")
    reader.press("?")
    dialog = reader.page.locator("dialog")
    assert "compare with the other run" in dialog.inner_text()
    dialog.get_by_role("checkbox").uncheck()
    reader.press("Escape")
    reader.press("n")
    assert reader.hash() == "#/zf/conv5/7" and "unit 7" in reader.text("h1")
    reader.press("ArrowRight")
    settles(reader, "#/zf/conv5/8")
    reader.page.locator("#help").click()
    dialog.get_by_role("checkbox").check()
    dialog.get_by_role("button").click()
    reader.press("n")
    settles(reader, "#/zf/conv5/9")


def test_pins_are_kept_and_travel_in_the_address(reader, chromium, gallery):
    reader.open(f"{gallery.as_uri()}#/zf/conv5/6")
    reader.press("f")
    reader.open(f"{gallery.as_uri()}#/zf/left")
    reader.press("ArrowRight", "ArrowRight", "f")
    assert focus(reader) == "1"
    assert reader.page.locator(".cell.pinned").evaluate_all("(all) => all.map((each) => each.dataset.unit)") == ["1"]
    reader.page.locator("#pins").click()
    settles(reader, "#/pins/zf/conv5/6,zf/left/1")
    assert reader.page.locator(".card b").all_inner_texts() == ["conv5 6", "fire/left 1"]
    with reader.page.expect_download() as download:
        reader.page.locator("[data-key='save']").click()
    assert json.loads(download.value.path().read_text()) == ["zf/conv5/6", "zf/left/1"]
    link = reader.page.url
    reader.page.locator("[data-key='remove zf/conv5/6']").click()
    settles(reader, "#/pins/zf/left/1")
    reader.open(link)
    assert "came with the link" in reader.text()
    reader.page.locator("[data-key='adopt']").click()
    assert reader.text("#pins") == "Pins (2)"
    reader.open(f"{gallery.as_uri()}#/pins/zf/conv5/6,zf/conv5/99,nobody")
    assert "2 pins of this link are not in this gallery" in reader.text("#warnings")
    assert reader.complaints == []


def test_two_units_side_by_side(reader, gallery):
    data, other = layer_data(gallery, "zf/conv5"), layer_data(gallery, "zf-again/conv5")
    match = data["matches"]["zf-again"]["units"][44][0][0]
    assert match == 2
    reader.open(f"{gallery.as_uri()}#/zf/conv5/44")
    reader.press("c")
    settles(reader, "#/zf/conv5/44?b=zf-again")
    assert reader.text("h1") == "conv5 unit 44 and conv5 unit 2"
    assert "best match, agreement 0.95" in reader.text()
    for column, top in zip(reader.page.locator(".column").all(), (data["top"][44], other["top"][2]), strict=True):
        values = [float(text) for text in column.locator(".nine b").all_inner_texts()]
        np.testing.assert_allclose(values, [found[3] for found in top], rtol=5e-4)
    reader.page.locator("[data-key='b rank 5']").click()
    assert reader.page.locator(".closer h2").all_inner_texts() == ["A closer look: 6th of 9"] * 2
    reader.press("p")
    assert reader.text("h1") == "conv5 unit 43 and conv5 unit 3"  # the partner follows; 3 is dead
    assert "A dead unit" in reader.text()
    reader.page.locator("[data-key='same']").click()
    settles(reader, "#/zf/conv5/43?b=zf-again/conv5/43")
    assert "not among its best matches" not in reader.text() and "match 2, agreement 0.4" in reader.text()
    reader.press("n")
    assert reader.text("h1") == "conv5 unit 44"
    reader.open(f"{gallery.as_uri()}#/zf/conv5/44?b=zf/conv5/7")
    assert "not among its best matches" in reader.text()


def test_numbers_of_a_unit_as_a_file(reader, gallery):
    reader.open(f"{gallery.as_uri()}#/zf/conv5/7")
    with reader.page.expect_download() as download:
        reader.page.locator("[data-key='json']").click()
    assert download.value.suggested_filename == "conv5-7.json"
    found, data = json.loads(download.value.path().read_text()), layer_data(gallery, "zf/conv5")
    assert found["top"] == data["top"][7] and found["statistics"]["max"] == data["statistics"]["max"][7]
    assert found["evolution"]["values"] == data["evolution"]["values"][7]
