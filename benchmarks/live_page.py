"""How long a click on the live page takes, in a browser, from the press to the frame that shows the projection:
python -m benchmarks.live_page --ckpt=runs/zf-mini
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.timing import show, start
from zfjax.errors import InputError

ROOT = Path(__file__).resolve().parents[1]
BURST = 30
BURST_PAUSE_MS = 10
# Notes when a pointer goes down, and when the frame after the projection's drawing has been handed over: a message
# that is sent in an animation frame arrives when that frame is done.
CLOCK = """() => {
  window.clicks = [];
  let pressed = 0;
  document.addEventListener("pointerdown", (event) => { pressed = event.timeStamp; }, true);
  const { lens } = zf.live;
  const draw = lens.show;
  lens.show = (projection, source) => {
    draw(projection, source);
    const from = pressed;
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        const { layer, unit, row, col } = projection.asked;
        window.clicks.push({ layer, unit, row, col, server: projection.ms, page: performance.now() - from });
      };
      port2.postMessage(null);
    });
  };
}"""
# The middle of a cell of the layer in view, in pixels of the window, with its unit scrolled into view.
CELL = """([unit, row, col]) => {
  const { maps, now, state } = zf.live;
  maps.reveal(unit);
  const [top, left] = maps.corner(unit);
  const [height, width] = now.layers[state.layer].shape;
  const box = document.getElementById("maps").getBoundingClientRect();
  const cell = maps.cell;
  return [box.left + left + ((col + 0.5) * cell.width) / width, box.top + top + ((row + 0.5) * cell.height) / height];
}"""
IDLE = "() => !zf.live.busy()"


@dataclass(frozen=True)
class Config:
    """Milliseconds from a press on a map to the frame that shows its projection, by layer, and after a burst."""

    ckpt: str = "runs/zf-mini"
    """Run folder."""
    flags: str = ""
    """More flags for explore.py, separated by spaces."""
    runs: int = 200
    """Timed clicks, over all layers in turn."""
    file: str = ""
    """A picture to open, for runs without a data set."""


@contextmanager
def explorer(config: Config) -> Iterator[str]:
    """The address of explore.py, which serves within the block. Raises InputError where it does not begin."""
    command = [sys.executable, "explore.py", f"--ckpt={config.ckpt}", "--port=0", "--no-browser", *config.flags.split()]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        said = next((line for line in process.stdout or () if "http://" in line), "")
        if not said:
            raise InputError(f"{' '.join(command)} did not begin: {process.stderr.read().strip()[-300:]}")
        try:
            yield "http://" + said.split("http://")[1].split()[0]
        finally:
            process.terminate()


def click(page: Any, unit: int, row: int, col: int) -> None:
    page.mouse.move(*page.evaluate(CELL, [unit, row, col]))
    page.mouse.down()
    page.mouse.up()


def clicked(page: Any, config: Config) -> list[dict]:
    """One dict for each of the clicks on random cells of all layers in turn."""
    rng = np.random.default_rng(0)
    layers = page.evaluate("() => zf.live.now.shown.map(({ slug, shape }) => [slug, shape])")
    for number in range(config.runs):
        slug, shape = layers[number % len(layers)]
        page.evaluate("layer => zf.live.choose({ layer })", slug)
        page.wait_for_function(IDLE)
        page.wait_for_timeout(60)  # the frame of what was chosen is over
        page.evaluate("() => { window.clicks.length = 0 }")
        row, col, unit = (int(rng.integers(size)) for size in shape)
        click(page, unit, row, col)
        page.wait_for_function("() => window.clicks.length > 0")
        timed = page.evaluate("() => window.clicks[0]")
        if [timed[name] for name in ("layer", "unit", "row", "col")] != [slug, unit, row, col]:
            raise SystemExit(f"the page shows {timed} after a click on {slug} {unit} at {row}, {col}")
        yield timed


def burst(page: Any) -> tuple[int, dict]:
    """How many projections a burst of clicks cost, and the last of them."""
    layer = page.evaluate("() => zf.live.now.shown.filter(({ shape }) => shape[0] * shape[1] > 1).pop()")
    page.evaluate("layer => zf.live.choose({ layer })", layer["slug"])
    page.wait_for_function(IDLE)
    page.wait_for_timeout(60)
    page.evaluate("() => { window.clicks.length = 0 }")
    height, width, units = layer["shape"]
    for number in range(BURST):
        last = [number % units, number % height, number % width]
        click(page, *last)
        page.wait_for_timeout(BURST_PAUSE_MS)
    page.wait_for_function(IDLE)
    page.wait_for_timeout(100)
    shown = page.evaluate("() => window.clicks")
    if [shown[-1][name] for name in ("unit", "row", "col")] != last:
        raise SystemExit(f"a burst that ended on {last} ends with {shown[-1]}")
    return len(shown), shown[-1]


def cells(name: str, times: list[dict]) -> tuple[str, ...]:
    page, server = (np.array([each[kind] for each in times]) for kind in ("page", "server"))
    return name, str(len(times)), f"{np.median(page):.1f}", f"{np.percentile(page, 95):.1f}", f"{np.median(server):.1f}"


def measure(config: Config) -> None:
    from playwright.sync_api import sync_playwright

    with explorer(config) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(address)
        if config.file:
            page.wait_for_selector("[role=tab]")
            page.set_input_files("#file", config.file)
        page.wait_for_function("() => document.getElementById('caption').textContent")
        page.evaluate(CLOCK)
        times = list(clicked(page, config))
        projections, last = burst(page)
        browser.close()
    by_layer = {layer: [each for each in times if each["layer"] == layer] for layer in {t["layer"]: 0 for t in times}}
    rows = [cells("all layers", times), *(cells(layer, some) for layer, some in by_layer.items())]
    note = f"A burst of {BURST} clicks cost {projections} projections; the last was shown after {last['page']:.1f} ms."
    show(config.ckpt, ("layer", "clicks", "median, ms", "95th percentile, ms", "server's median, ms"), rows, note)


if __name__ == "__main__":
    start(Config, measure, needs=("playwright",))
