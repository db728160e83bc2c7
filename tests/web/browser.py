"""Chromium for tests of the pages: one for all tests of a process, offline, as a reader's double-click opens them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")  # a test picture, without asking
QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")


def executable_path() -> str | None:
    """Chromium's headless shell before the whole browser: a new page takes 0.4 s of processor time in place of 1.0."""
    return shutil.which("chromium-headless-shell") or shutil.which("chromium")


@pytest.fixture(scope="session")
def chromium() -> Iterator:
    """A running browser; skips where there is none, and fails instead where the gate runs."""
    executable = executable_path()
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        sync_playwright = None
    if executable is None or sync_playwright is None:
        missing = "chromium on the PATH" if executable is None else "playwright (pip install .[test])"
        if os.environ.get("CI"):
            pytest.fail(f"the pages are tested in a browser: this needs {missing}")
        pytest.skip(f"the pages are tested in a browser: this needs {missing}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=[*QUIET, *CAMERA])
        yield browser
        browser.close()


class Reader:
    """A page, and what it has asked for and complained of since it was opened."""

    def __init__(self, browser, **options):
        self.context = browser.new_context(**{"offline": True, "viewport": {"width": 1280, "height": 800}, **options})
        self.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.page = self.context.new_page()
        self.page.set_default_timeout(10_000)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("requestfailed", self._request_failed)
        self.page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(f"exception: {error}"))
        self.page.on("dialog", lambda dialog: (self.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))

    def open(self, url: str) -> None:
        """Opens a page afresh: an address that differs behind # only would keep the old document."""
        self.page.goto("about:blank")
        self.page.goto(url)

    def _request_failed(self, request) -> None:
        """What was still on its way when the page was left is no fault of the page: aborted, not missing or refused."""
        if request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"failed: {request.url} ({request.failure})")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def text(self, selector: str = "main") -> str:
        return self.page.locator(selector).inner_text()

    def hash(self) -> str:
        return self.page.evaluate("location.hash")


@pytest.fixture
def reader(chromium) -> Iterator[Reader]:
    """A reader with a window of 1280 by 800."""
    found = Reader(chromium)
    yield found
    found.context.close()
