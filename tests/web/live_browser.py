"""Fixtures of the live microscope's page: a server that paints numbers, and the page in a browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page
from stub_server import StubServer


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
    running.gallery = None
    return running


@pytest.fixture
def page(chromium: Browser, stub: StubServer) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, base_url=stub.url)
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
    return any(
        known in text for known in ("status of 4", "ERR_CONNECTION_REFUSED", "ERR_EMPTY_RESPONSE", "getImageData")
    )
