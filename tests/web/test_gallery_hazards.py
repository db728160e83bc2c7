"""What may be wrong around the gallery's page: names that are code, files with holes, no JavaScript, a phone."""

from __future__ import annotations

import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from browser import Reader
from fake_gallery import HOSTILE, write_gallery
from test_gallery_page import painted

ROUTES = (
    "#/zf",
    "#/zf/conv5?sort=density&q=0-40",
    "#/zf/conv5/5",
    "#/zf/conv5/5?b=zf-again/conv5/5",
    "#/pins/zf/conv5/5",
)


@pytest.fixture
def broken(gallery, tmp_path) -> Path:
    """A copy to break."""
    return shutil.copytree(gallery.parent, tmp_path / "broken") / "index.html"


def test_names_that_are_code_are_text(reader, tmp_path):
    index = write_gallery(tmp_path / "hostile", wide=12, strips=7, hostile=True)
    for address in (*ROUTES, "#/zf/left/5", "#/zf/fc6/2", "#/zf/conv5?q=<img src=x onerror=alert(1)>", '#/"><b>x'):
        reader.open(index.as_uri() + address)
        reader.page.locator("main h1").wait_for()
        painted(reader.page)
    assert reader.complaints == []
    reader.open(index.as_uri() + "#/zf/left/5")
    text = reader.page.evaluate("document.body.textContent")
    for name in (HOSTILE[0], HOSTILE[2], HOSTILE[3], HOSTILE[4]):
        assert name in text, name
    assert reader.page.locator("main img, main script").count() == 0
    assert not reader.page.evaluate("document.documentElement.scrollWidth > innerWidth")


def test_a_missing_strip_and_a_truncated_sheet_are_named(reader, broken):
    (broken.parent / "img/zf/conv5/u0005.webp").unlink()
    sheet = broken.parent / "img/zf/conv5/covers-p01.webp"
    sheet.write_bytes(sheet.read_bytes()[: sheet.stat().st_size // 3])
    reader.open(broken.as_uri() + "#/zf/conv5/5")
    painted(reader.page)
    assert "img/zf/conv5/u0005.webp is missing or damaged" in reader.text("#warnings")
    assert reader.page.locator(".nine .hole").count() == 18
    assert "not drawn: u0005.webp is missing or damaged" in reader.text(".nine")
    assert reader.page.locator(".weaker .hole").count() == 0  # the other strips are there
    reader.press("n")
    assert reader.page.locator(".nine .one").count() == 9 and reader.text("#warnings") == ""
    reader.press("Escape")
    reader.page.get_by_text("img/zf/conv5/covers-p01.webp is missing or damaged").wait_for()
    assert reader.page.locator(".cell").count() == 47


def test_an_empty_or_missing_data_file_is_named_and_the_rest_goes_on(reader, broken):
    (broken.parent / "data/zf/conv5.js").write_text("")
    (broken.parent / "data/zf/left.js").unlink()
    text = (broken.parent / "data/zf/fc6.js").read_text()
    (broken.parent / "data/zf/fc6.js").write_text(text[: len(text) // 2])
    reader.open(broken.as_uri())
    warnings = reader.page.locator("#warnings li")
    for sentence in ("data/zf/conv5.js is empty or damaged", "data/zf/left.js is missing", "data/zf/fc6.js is empty"):
        warnings.filter(has_text=sentence).wait_for()
    for layer, sentence in (("conv5", "data/zf/conv5.js is empty or damaged"), ("left", "data/zf/left.js is missing")):
        reader.open(f"{broken.as_uri()}#/zf/{layer}/5")
        reader.page.get_by_text(sentence).wait_for()
        assert reader.page.locator("main a[href='#/zf/conv1']").count() == 1
    reader.page.locator("main a[href='#/zf/conv1']").click()
    reader.page.locator(".cell").first.wait_for()
    assert reader.page.locator(".cell").count() == 6
    (broken.parent / "data/gallery.js").write_text("")
    reader.open(broken.as_uri())
    assert "data/gallery.js is missing, empty or damaged" in reader.text()


def test_without_javascript_the_page_says_where_the_pictures_are(chromium, gallery):
    reader = Reader(chromium, java_script_enabled=False)
    reader.open(gallery.as_uri())
    assert "needs JavaScript" in reader.text("noscript") and "img/" in reader.text("noscript")
    reader.context.close()


def test_served_beside_the_microscope_a_unit_leads_there(chromium, gallery):
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format, *args):
            pass

        def translate_path(self, path):
            return super().translate_path(path.removeprefix("/gallery"))

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(gallery.parent))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        reader = Reader(chromium, offline=False)
        reader.open(f"http://127.0.0.1:{server.server_port}/gallery/index.html#/zf/conv5/5")
        painted(reader.page)
        assert reader.page.locator("[data-key='try']").get_attribute("href") == "/#/conv5/5"
        assert reader.complaints == []
        reader.page.goto(reader.page.url.replace("/zf/", "/zf-again/"))
        reader.page.get_by_role("heading", name="conv5 unit 5").wait_for()
        assert reader.page.locator("[data-key='try']").count() == 0  # that run is not the one that is served
        reader.context.close()
        server.shutdown()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_any_page(chromium, gallery, scheme):
    from axe_playwright_python.sync_playwright import Axe

    reader = Reader(chromium, color_scheme=scheme)
    for address in (*ROUTES, "#/zf/nothing"):
        reader.open(gallery.as_uri() + address)
        painted(reader.page)
        if address == ROUTES[2]:
            reader.press("?")  # the dialog too
        options = {"runOnly": ["color-contrast"]} if scheme == "dark" else None  # what the scheme changes
        found = Axe().run(reader.page, options=options).response["violations"]
        bad = [(each["id"], each["nodes"][0]["html"][:150]) for each in found if each["impact"] != "minor"]
        assert bad == [], address
    reader.context.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_is_wider_than_its_window(chromium, gallery, width):
    phone = {"viewport": {"width": width, "height": 800}, "is_mobile": width < 500, "has_touch": width < 500}
    reader = Reader(chromium, **phone)
    for address in (*ROUTES, "#/zf/conv5/3", "#/zf/fc6/2"):
        reader.open(gallery.as_uri() + address)
        reader.page.locator("main h1").wait_for()
        assert reader.page.evaluate("document.documentElement.scrollWidth") <= width, address
        small = reader.page.evaluate(
            "[...document.querySelectorAll('button, select, input, main a, header a')].filter((each) =>"
            " {const box = each.getBoundingClientRect(); return box.width && (box.width < 24 || box.height < 24)})"
            ".map((each) => each.outerHTML.slice(0, 90))"
        )
        assert small == [], address
    if width < 500:
        reader.open(gallery.as_uri() + "#/zf/conv5")
        assert not reader.page.locator("[data-key='sort']").is_visible()
        reader.page.locator("[data-key='fold']").tap()
        reader.page.locator("[data-key='sort']").select_option("max")
        assert reader.page.locator("[data-key='sort']").is_visible()
        reader.page.locator(".cell").first.tap()
        assert reader.page.locator(".nine .one").count() == 9
        columns = "getComputedStyle(document.querySelector('.nine')).gridTemplateColumns.split(' ').length"
        assert reader.page.evaluate(columns) == 3
    reader.context.close()
