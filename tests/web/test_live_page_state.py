"""The live page's pictures of the data set and of a camera, its brush, keys and links, and a server that goes away."""

import re

from live_steps import MAPS, caption, click_map, opened, pixel, png, shown
from playwright.sync_api import Page, expect
from stub_server import BY_SLUG

pytest_plugins = ["live_browser"]

NAME = "#picture-name"


def state(page: Page) -> dict:
    return page.evaluate("({...zf.live.state})")


def test_pictures_of_the_data_set_by_buttons_number_and_keys(page, stub):
    opened(page)
    page.get_by_role("button", name="Next picture").click()
    expect(page.locator(NAME)).to_contain_text("val 1")
    page.get_by_role("button", name="Previous picture").click()
    page.get_by_role("button", name="Previous picture").click()
    expect(page.locator(NAME)).to_contain_text("val 4")  # before the first comes the last
    page.locator("#sample").fill("2")
    page.locator("#sample").press("Enter")
    expect(page.locator(NAME)).to_contain_text("val 2")
    page.locator("#maps").focus()
    page.keyboard.press("e")
    expect(page.locator(NAME)).to_contain_text("val 3")
    page.keyboard.press("w")
    page.keyboard.press("w")
    expect(page.locator(NAME)).to_contain_text("val 1")
    expect(page).to_have_url(re.compile("sample=1"))


def films(stub) -> int:
    return sum(name == "image" for name, _ in stub.asked)


def filmed_on(page: Page, stub, after: int) -> None:
    """Waits for more pictures of the camera than there were."""
    for _ in range(400):  # 20 s: a busy machine may leave the page without a frame for five
        if films(stub) > after:
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"the camera has sent {films(stub)} pictures, as before")


def test_the_camera_films_freezes_and_ends(page, stub):
    opened(page, "#/conv1/5?at=3,4")
    page.locator("#maps").focus()
    page.keyboard.press("c")
    expect(page.locator("#film")).to_have_attribute("aria-pressed", "true")
    filmed_on(page, stub, 2)
    page.wait_for_function("() => zf.live.now.source && zf.live.now.source.filmed")
    expect(page.locator("#caption")).to_contain_text("conv1 unit 5 at row 3, column 4")
    page.keyboard.press(" ")
    expect(page.locator("#freeze")).to_have_attribute("aria-pressed", "true")
    page.wait_for_function("() => !zf.live.busy()")
    frozen = films(stub)
    page.wait_for_timeout(300)
    assert films(stub) == frozen
    page.locator("#freeze").click()
    filmed_on(page, stub, frozen)
    # A picture of the data set ends the film.
    page.keyboard.press("e")
    expect(page.locator(NAME)).to_contain_text("val 0")
    expect(page.locator("#film")).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#freeze")).to_be_hidden()


def test_the_brush_covers_and_the_answer_is_given_before_and_after(page, stub):
    opened(page, "#/conv1/5")
    box = page.locator("#picture").bounding_box()
    assert box
    page.locator("#brush").click()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 4)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 4, steps=5)
    page.mouse.up()
    expect(page.locator("#before")).to_be_visible()
    assert page.locator("#answer .class").first.inner_text() == "fox"
    assert page.locator("#answer-before .class").first.inner_text() == "cat"
    expect(page.locator("#aloud")).to_have_text("Without the brush: cat 60.0 %; with it: fox 60.0 %.")
    covers = [what for name, what in stub.asked if name == "cover"]
    assert [each["pixels"] for each in covers] == sorted(each["pixels"] for each in covers)
    assert len({each["parent"] for each in covers}) == 1
    page.wait_for_function("() => !zf.live.busy()")
    page.evaluate("zf.live.controls.set('opacity', 0)")
    scale = page.evaluate("document.getElementById('picture').width") // 32
    assert pixel(page, "#picture", 8.5 * scale, 12.5 * scale) == [128, 128, 128]
    # Clicks now project the covered picture; wiped off, the first answer stands again.
    click_map(page, 7, 2, 3)
    shown(page, caption(BY_SLUG["conv1"], 7, 2, 3))
    covered = stub.projected()[-1]["image"]
    page.locator("#brush-clear").click()
    expect(page.locator("#before")).to_be_hidden()
    expect(page.locator("#answer .class").first).to_have_text("cat")
    page.wait_for_function("() => !zf.live.busy()")
    assert stub.projected()[-1]["image"] == covers[0]["parent"] != covered
    assert pixel(page, "#picture", 8.5 * scale, 12.5 * scale) == [7 * 8, 7 * 12, 0]


def test_the_brush_by_keys(page, stub):
    opened(page)
    page.locator("#maps").focus()
    for key in ("q", "]", "ArrowUp", "ArrowLeft", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("#before")).to_be_visible()
    painted = next(what["pixels"] for name, what in stub.asked if name == "cover")
    assert 9 < painted < 60
    page.keyboard.press("Backspace")
    expect(page.locator("#before")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(page.locator("#brush")).to_have_attribute("aria-pressed", "false")


def test_every_key_does_what_the_list_says(page, stub):
    opened(page, "#/conv-2-b/171?at=1,1")
    page.locator("#maps").focus()

    def press(key: str, **expected: object) -> None:
        page.keyboard.press(key)
        found = state(page)
        assert {name: found[name] for name in expected} == expected, key

    for key, at in (("ArrowRight", [1, 2]), ("k", [2, 2]), ("i", [1, 2]), ("j", [1, 1]), ("l", [1, 2])):
        press(key, at=at)
    press("Shift+ArrowRight", at=[1, 5])
    press("Shift+J", at=[1, 0])
    press("ArrowLeft", at=[1, 0])  # a map's edge stops
    press("n", unit=428, at=None)
    press("p", unit=171)
    press("p", unit=514)
    press("s", sort="number")
    press("n", unit=515)
    press("s", sort="strength")
    press("z", zoom=2)
    press("b", method="gradient")
    press("B", method="deconvnet")
    press("B", method="guided")
    expect(page.locator("#overlap-field")).to_be_hidden()
    press("b", method="deconvnet")
    press("v", opacity=0)
    press("v", opacity=70)
    press("x", sharp=False)
    press("t", contrast=1)
    press("T", contrast=0)
    press("o", layer="fc")
    expect(page.locator("#caption")).to_contain_text("fc unit 5")
    press("ArrowLeft", unit=5)  # the first in order: nothing is stronger
    press("ArrowRight", unit=4)
    press("u", layer="conv-2-b", unit=515)  # as it was left
    expect(page.locator("#caption")).to_contain_text("conv 2/b unit 515")
    before = state(page)["unit"]
    page.keyboard.press("r")
    assert state(page)["unit"] != before
    page.keyboard.press("d")
    assert state(page)["origin"] is not None
    press("Escape", origin=None)
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    assert page.locator("#key-list > div").count() > 20
    press("n")
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()


def test_keys_are_the_controls_own_while_one_types_and_can_be_turned_off(page):
    opened(page, "#/conv-2-b/171")
    page.locator("#maps").focus()
    page.keyboard.press("/")
    expect(page.locator("#unit")).to_be_focused()
    page.locator("#unit").fill("")
    page.keyboard.type("nsb")
    assert (state(page)["unit"], state(page)["sort"], state(page)["method"]) == (171, "strength", "deconvnet")
    page.keyboard.press("Enter")
    expect(page.locator("#notice")).to_have_text(re.compile('conv 2/b has units 0 to 599; "nsb" is none of them.'))
    page.locator("#unit").fill("599")
    page.keyboard.press("Enter")
    expect(page.locator("#caption")).to_contain_text("unit 599")
    page.locator("#layer-fc").click()
    expect(page.locator("#caption")).to_contain_text("fc unit")
    page.locator("#unit").fill("ow")
    page.keyboard.press("Enter")
    expect(page.locator("#caption")).to_contain_text("fc unit 2")
    page.locator("#help-open").click()
    page.locator("#keys-off").check()
    page.keyboard.press("Escape")
    page.locator("#maps").focus()
    page.keyboard.press("n")
    assert state(page)["unit"] == 2
    page.keyboard.press("ArrowRight")  # no letter
    assert state(page)["unit"] != 2


def test_the_whole_state_is_in_the_link(page, stub):
    opened(page)
    page.locator("#layer-conv1").click()
    page.locator("#sort").select_option("number")
    page.locator("#range").select_option("layer")
    page.locator("#zoom").select_option("0")
    page.locator("#overlap").select_option("max")
    page.locator("#opacity").fill("35")
    page.locator("#sharp").uncheck()
    page.get_by_role("button", name="Next picture").click()
    expect(page.locator(NAME)).to_contain_text("val 1")
    click_map(page, 7, 2, 3)
    page.locator("#origin").click()
    click_map(page, 9, 5, 6)
    expect(page).to_have_url(re.compile(r"#/conv1/9\?.*at=5,6.*origin=conv1~7~2,3"))
    page.mouse.move(1, 1)
    link, before, text = page.url, state(page), page.locator("main").inner_text()
    page.goto("about:blank")
    opened(page, link.split("/", 3)[3])
    expect(page.locator(NAME)).to_contain_text("val 1")
    page.wait_for_function("() => !zf.live.busy()")
    assert state(page) == before
    assert page.locator("main").inner_text() == text
    assert stub.projected()[-1] | {"image": "", "page": ""} == {
        **{"image": "", "page": "", "layer": "conv1", "unit": 7, "row": 2, "col": 3},
        **{"method": "deconvnet", "overlap": "max"},
    }
    page.locator("#origin").click()
    shown(page, caption(BY_SLUG["conv1"], 9, 5, 6))


def test_back_retraces_units_and_links_to_nothing_are_said(page):
    opened(page, "#/conv1/3")
    for unit in (4, 5):
        page.locator("#unit").fill(str(unit))
        page.locator("#unit").press("Enter")
        expect(page).to_have_url(re.compile(f"#/conv1/{unit}"))
    page.go_back()
    expect(page.locator("#caption")).to_contain_text("conv1 unit 4")
    page.go_back()
    expect(page.locator("#caption")).to_contain_text("conv1 unit 3")
    for fragment, sentence in (
        ("#/<img src=x>/3", "This network has no layer <img src=x>"),
        ("#/constructor/3", "This network has no layer constructor"),
        ("#/conv1/99", "conv1 has units 0 to 11, none is called 99."),
        ("#/conv1/3?at=16,0", "The maps of conv1 have 16 x 16 places, none at 16,0."),
        ("#/conv1/3?method=magic", "There is no method magic"),
        ("#/%E0%A4%A/3?at=a&origin=b&opacity=x&sample=99999", "This network has no layer"),
    ):
        page.goto("about:blank")
        opened(page, fragment)
        page.wait_for_function("() => !zf.live.busy()")
        expect(page.locator("#notice")).to_contain_text(sentence)  # and stays when the first picture has come


def test_a_server_that_goes_away_is_said_and_found_again(page, stub):
    opened(page, "#/conv-2-b/171?sample=3")
    # Pictures that the server has forgotten are sent again, in silence.
    stub.images.clear()
    click_map(page, 171, 2, 2)
    shown(page, caption(MAPS, 171, 2, 2))
    expect(page.locator("#notice")).to_be_hidden()
    stub.stop()
    click_map(page, 171, 3, 3)
    expect(page.locator("#notice")).to_contain_text("The server does not answer.")
    stub.start()
    expect(page.locator("#notice")).to_be_hidden()
    shown(page, caption(MAPS, 171, 3, 3))
    expect(page.locator(NAME)).to_contain_text("val 3")


def test_a_picture_that_was_forgotten_comes_back_with_what_is_painted_on_it(page, stub):
    opened(page, "#/conv1/5?sample=3")
    box = page.locator("#picture").bounding_box()
    assert box
    page.locator("#brush").click()
    page.mouse.click(box["x"] + box["width"] / 4, box["y"] + box["height"] / 4)
    expect(page.locator("#before")).to_be_visible()
    page.wait_for_function("() => !zf.live.busy()")
    covered = [what["pixels"] for name, what in stub.asked if name == "cover"][-1]
    stub.images.clear()  # as when another tab has opened eight
    stub.asked.clear()
    click_map(page, 7, 2, 3)
    shown(page, caption(BY_SLUG["conv1"], 7, 2, 3))
    page.wait_for_function("() => !zf.live.busy()")
    assert [what["pixels"] for name, what in stub.asked if name == "cover"] == [covered]
    expect(page.locator("#before")).to_be_visible()
    expect(page.locator("#brush-clear")).to_be_enabled()
    stub.images.clear()
    stub.asked.clear()
    page.evaluate("zf.live.now.renewed = 0")  # long ago
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 4)  # painting on asks for the cover first
    page.wait_for_function("() => !zf.live.busy()")
    assert [what["pixels"] for name, what in stub.asked if name == "cover"][-1] > covered
    expect(page.locator("#notice")).to_be_hidden()


def test_back_and_forward_to_a_picture_of_ones_own(page, stub, tmp_path):
    opened(page, "#/conv1/3?sample=2")
    page.set_input_files("#file", png(tmp_path))
    expect(page.locator(NAME)).not_to_contain_text("val")
    page.locator("#unit").fill("4")
    page.locator("#unit").press("Enter")
    expect(page).to_have_url(re.compile("#/conv1/4$"))
    page.locator("#maps").focus()
    page.keyboard.press("e")
    expect(page.locator(NAME)).to_contain_text("val")
    page.locator("#unit").fill("5")
    page.locator("#unit").press("Enter")
    expect(page).to_have_url(re.compile("#/conv1/5.*sample="))
    page.go_back()
    expect(page.locator(NAME)).not_to_contain_text("val")
    page.wait_for_function("() => !zf.live.busy()")
    assert stub.asked[-1][0] != "sample" and state(page)["sample"] is None


def test_a_slow_method_is_seen_to_work(page, stub):
    opened(page)
    stub.delay = 0.5
    page.locator("#method").select_option("guided")
    expect(page.locator("#lens")).to_have_class(re.compile("waiting"))
    expect(page.locator("#lens")).not_to_have_class(re.compile("waiting"))
    assert stub.projected()[-1]["method"] == "guided"
    expect(page.locator("#method-text")).to_have_text("Guided backpropagation.")


def test_a_token_in_the_address_goes_with_every_question_and_is_hidden(page, stub):
    sent: list[tuple[str, str]] = []
    page.on("request", lambda asked: sent.append((asked.url, asked.headers.get("x-zf-token", ""))))
    opened(page, "#token=a-b_C1")
    assert "token" not in page.url
    answers = [token for url, token in sent if "/pages/" not in url and url != stub.url]
    assert len(answers) >= 5 and set(answers) == {"a-b_C1"}
    sent.clear()
    page.reload()
    expect(page.locator("#caption")).not_to_be_empty()
    assert ("a-b_C1" in {token for _, token in sent}) and "token" not in page.url


def test_what_is_refused_leaves_picture_and_link_as_they_were(page, stub, tmp_path):
    opened(page, "#/conv1/3?sample=2")
    (tmp_path / "b.txt").write_text("no picture")
    page.set_input_files("#file", tmp_path / "b.txt")
    expect(page.locator("#notice")).to_contain_text("are no <picture>.")
    assert state(page)["sample"] == 2
    page.locator("#maps").focus()
    page.keyboard.press("e")
    expect(page.locator(NAME)).to_contain_text("val 3")
    expect(page.locator("#notice")).to_be_hidden()
    for _ in range(3):  # faster than the answers: each counts
        page.keyboard.press("e")
    expect(page.locator(NAME)).to_contain_text("val 1")
    # An address that is changed by hand is read as one that is opened.
    page.evaluate("location.hash = '#/nowhere/3?method=magic&sample=2'")
    expect(page.locator("#notice")).to_contain_text("This network has no layer nowhere")
    expect(page.locator(NAME)).to_contain_text("val 2")
    expect(page.locator("#caption")).to_contain_text("conv 2/b")
