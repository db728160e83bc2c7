"""The live page beside a gallery, its drawing of the network, on a phone, in the dark, and read by a machine."""

import io

import pytest
from axe_playwright_python.sync_playwright import Axe
from fake_gallery import colour, write_gallery
from live_steps import map_place, opened, pixel
from PIL import Image
from playwright.sync_api import Page, expect

pytest_plugins = ["live_browser"]
PHONE = {"viewport": {"width": 412, "height": 839}, "device_scale_factor": 2.625, "is_mobile": True, "has_touch": True}


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    folder = tmp_path_factory.mktemp("live") / "gallery"
    write_gallery(folder, wide=4, strips=6, runs=1)
    (folder / "img" / "zf" / "conv1" / "u0005.webp").unlink()
    return folder


def test_my_picture_against_the_nine_of_the_gallery(page, stub, gallery):
    stub.gallery = gallery
    opened(page, "#/conv1/2")
    for unit in (2, 4):
        page.locator("#unit").fill(str(unit))
        page.locator("#unit").press("Enter")
        expect(page.locator("#nine-link")).to_have_attribute("href", f"/gallery/index.html#/zf/conv1/{unit}")
        expect(page.locator("#nine-title")).to_contain_text("of painted numbers, validation")
        assert page.locator("#nine figure").count() == 9
        expect(page.locator("#nine .picture image")).to_have_count(18)
        for picture in (0, 17):
            shown = Image.open(io.BytesIO(page.locator(f"#nine .picture >> nth={picture}").screenshot())).convert("RGB")
            assert shown.getpixel((shown.width // 2, 4)) == pytest.approx(colour(unit), abs=6)
    # A dead unit says so, a missing file is named, and a layer that is not in the gallery shows nothing of it.
    page.locator("#unit").fill("3")
    page.locator("#unit").press("Enter")
    expect(page.locator("#nine-title")).to_have_text(
        "None of the pictures of painted numbers, validation makes it respond"
    )
    page.locator("#unit").fill("5")
    page.locator("#unit").press("Enter")
    expect(page.locator("#nine-pictures")).to_contain_text("u0005.webp is missing or damaged")
    page.locator("#layer-pool1").click()
    expect(page.locator("#nine")).to_be_hidden()
    page.locator("#layer-conv1").click()
    page.locator("#nine-link").click()
    expect(page.locator("h1")).to_contain_text("unit 5")
    assert page.url.endswith("/gallery/index.html#/zf/conv1/5")


def test_the_drawing_leads_to_a_layer_at_the_same_place(page, stub):
    opened(page, "#/conv1/3?at=5,10")
    page.locator("#maps").focus()
    page.keyboard.press("g")
    boxes = page.locator("#drawing a.box")
    assert boxes.count() == 4
    expect(page.locator("#drawing [aria-current=true]")).to_be_focused()
    page.wait_for_function("() => document.querySelectorAll('#drawing image').length === 27")
    page.keyboard.press("Escape")
    expect(page.locator("#drawing")).to_be_hidden()
    page.locator("#network-open").click()
    page.locator("#drawing a[data-key='box pool1']").click()
    expect(page.locator("#drawing")).to_be_hidden()
    expect(page.locator("#caption")).to_contain_text("pool1 unit 5 at row 2, column 5")


def complaints(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html']}" for each in found if each["impact"] in ("serious", "critical")]


@pytest.mark.parametrize(("device", "scheme"), [("wide", "light"), ("phone", "dark")])
def test_nothing_that_axe_calls_serious_and_no_scrolling_sideways(chromium, stub, gallery, device, scheme):
    stub.gallery = gallery
    options = PHONE if device == "phone" else {"viewport": {"width": 1280, "height": 800}}
    context = chromium.new_context(base_url=stub.url, color_scheme=scheme, **options)
    page = context.new_page()
    opened(page, "#/conv1/2")
    expect(page.locator("#nine")).to_be_visible()
    assert complaints(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    small = page.evaluate(
        """[...document.querySelectorAll('button, select, input, a[href]')].filter((each) => {
        const box = each.getBoundingClientRect();
        return box.width && each.type !== 'range' && !each.closest('label') && Math.min(box.width, box.height) < 23.5 })
        .map((each) => each.outerHTML)"""
    )
    assert small == []
    if device == "wide":
        page.evaluate("zf.live.brush.toggle(true); zf.live.brush.paint(); zf.live.notice.say('A sentence.')")
        expect(page.locator("#before")).to_be_visible()
        assert complaints(page) == []
        for button, dialog in (("#help-open", "#help"), ("#network-open", "#drawing")):
            page.locator(button).click()
            expect(page.locator(dialog)).to_be_visible()
            assert complaints(page) == []
            page.keyboard.press("Escape")
    context.close()


def test_a_tap_on_a_phone_shows_the_projection_without_scrolling(chromium, stub):
    context = chromium.new_context(base_url=stub.url, **PHONE)
    page = context.new_page()
    opened(page, "#/conv1/2")
    page.locator("#maps-frame").scroll_into_view_if_needed()
    y, x = map_place(page, 7, 3, 4)
    page.locator("#maps").tap(position={"x": x, "y": y})
    expect(page.locator("#caption")).to_contain_text("conv1 unit 7 at row 3, column 4")
    expect(page.locator("#projection")).to_be_in_viewport(ratio=0.95)
    assert pixel(page, "#projection", 3, 3) == [7, 30, 40]
    context.close()
