"""How quick the gallery's page is with 4,096 units in one layer, in Chromium, opened from disk.

    python -m benchmarks.gallery_page

Prints milliseconds until the grid stands, the longest frame of a scroll through all of it, a step from unit to unit, a
sort of all units, and the heap after 300 units. The gallery is one of painted numbers, as in the tests.
"""

import json
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "web"))
from browser import QUIET
from fake_gallery import write_gallery

UNITS, VISITED = 4096, 300

# In every document: the moment at which all cells stand and have been through a frame.
READY = f"""
const look = () => document.querySelectorAll(".cell").length === {UNITS} && document.querySelector(".grid").offsetHeight
  ? requestAnimationFrame(() => (window.ready = performance.now())) : requestAnimationFrame(look);
requestAnimationFrame(look);
"""

SCROLL = """async () => {
  const frames = [];
  let before = await new Promise(requestAnimationFrame);
  while (scrollY + innerHeight < document.documentElement.scrollHeight - 1) {
    scrollBy(0, 300);
    const now = await new Promise(requestAnimationFrame);
    frames.push(now - before);
    before = now;
  }
  return frames;
}"""

# From a key to the first frame that shows the next unit with all its pictures.
STEPS = """async (count) => {
  const times = [];
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    document.body.dispatchEvent(new KeyboardEvent("keydown", {key: "n", bubbles: true, cancelable: true}));
    do await new Promise(requestAnimationFrame); while (document.querySelector(".waiting"));
    times.push(performance.now() - start);
  }
  return times;
}"""

# Until the first screens are laid out in the new order; the rest follows frame by frame.
SORTS = """() => ["max", "mean", "density", "share", "p99", "unit", "max"].map((name) => {
  const start = performance.now();
  const box = document.querySelector("[data-key=sort]");
  box.value = name;
  box.dispatchEvent(new Event("change"));
  document.querySelector(".grid").lastChild.getBoundingClientRect();
  return performance.now() - start;
})"""


def heap(page: Page) -> float:
    """MiB of JavaScript's heap, after it was cleaned up."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    metrics = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
    return metrics["JSHeapUsedSize"] / 2**20


def share(times: list[float], part: float) -> float:
    return sorted(times)[min(len(times) - 1, int(part * len(times)))]


def measure(page: Page, index: str) -> dict[str, float]:
    """All figures; times in ms."""
    page.add_init_script(READY)
    page.set_default_timeout(60_000)
    ready = []
    for _ in range(5):
        page.goto("about:blank")
        page.goto(f"{index}#/zf/conv5")
        page.wait_for_function("() => window.ready")
        ready.append(page.evaluate("window.ready"))
    page.wait_for_timeout(1000)
    frames = page.evaluate(SCROLL)
    sorts = page.evaluate(SORTS)
    page.goto("about:blank")
    page.goto(f"{index}#/zf/conv5/4")
    page.wait_for_function("() => document.querySelector('.nine') && !document.querySelector('.waiting')")
    steps = page.evaluate(STEPS, VISITED)
    return {
        "grid_ready_ms": share(ready, 0.5),
        "scroll_frames": len(frames),
        "scroll_worst_frame_ms": max(frames),
        "scroll_frames_over_50_ms": sum(frame > 50 for frame in frames),
        "step_median_ms": share(steps, 0.5),
        "step_p95_ms": share(steps, 0.95),
        "sort_worst_ms": max(sorts),
        "heap_mib_after_300_units": heap(page),
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        index = write_gallery(Path(folder) / "gallery", wide=UNITS, strips=VISITED + 20, runs=1)
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(QUIET))
        page = browser.new_context(viewport={"width": 1280, "height": 800}, offline=True).new_page()
        found = measure(page, index.as_uri())
        browser.close()
    print(json.dumps({name: round(value, 1) for name, value in found.items()}, indent=1))


if __name__ == "__main__":
    main()
