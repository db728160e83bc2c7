"""Pictures of the pages, of a run that has a gallery.

python -m docs.screenshots --ckpt=runs/zf-mini --out=build/pictures
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from benchmarks.live_page import Config, explorer
from zfjax.cli.flags import parse_flags
from zfjax.errors import exit_on_bad_input


@dataclass(frozen=True)
class Screenshots:
    """Draws gallery_unit.png and microscope.png."""

    ckpt: str = "runs/zf-mini"
    """Run folder with figures/gallery in it."""
    out: str = "build/pictures"
    """Folder for the pictures."""
    layer: str = "conv4"
    """Layer of the unit that the gallery shows."""
    unit: int = 8
    """Its number."""


def draw(config: Screenshots) -> None:
    from playwright.sync_api import sync_playwright

    gallery = Path(config.ckpt).resolve() / "figures" / "gallery" / "index.html"
    with sync_playwright() as playwright, explorer(Config(config.ckpt)) as address:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        page = browser.new_page(viewport={"width": 1280, "height": 1040})
        page.goto(f"{gallery.as_uri()}#/{gallery.parents[2].name}/{config.layer}/{config.unit}")
        page.wait_for_load_state("networkidle")
        page.screenshot(path=Path(config.out) / "gallery_unit.png")
        page = browser.new_page(viewport={"width": 1280, "height": 912})
        page.goto(address)
        page.wait_for_function("() => document.getElementById('caption').textContent && !zf.live.busy()")
        page.wait_for_load_state("networkidle")
        page.screenshot(path=Path(config.out) / "microscope.png")
        browser.close()


if __name__ == "__main__":
    with exit_on_bad_input():
        draw(parse_flags(Screenshots))
