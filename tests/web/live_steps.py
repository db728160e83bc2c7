"""What tests do with the live microscope's page, and what they read off it."""

from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect
from stub_server import BY_SLUG, window

MAPS = BY_SLUG["conv-2-b"]


def shown(page: Page, sentence: str) -> None:
    """Waits for the caption, which is written when a projection is drawn."""
    expect(page.locator("#caption")).to_have_text(sentence)


def caption(layer: dict, unit: int, row: int, col: int) -> str:
    size = window(layer, row, col)
    where = f"{layer['name']} unit {unit} at row {row}, column {col}"
    return f"{where}: 31.2; projection of {size['height']} x {size['width']} pixels."


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
    height, width, _ = page.evaluate("zf.live.now.layers[zf.live.state.layer].shape")
    return top + (row + 0.5) * cell["height"] / height, left + (col + 0.5) * cell["width"] / width


def click_map(page: Page, unit: int, row: int, col: int) -> None:
    y, x = map_place(page, unit, row, col)
    page.locator("#maps").click(position={"x": x, "y": y})


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
