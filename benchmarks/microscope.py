"""What a click on the live page takes, in the server and in a browser: python -m benchmarks.microscope --ckpt=runs/A"""

from __future__ import annotations

import http.client
import json
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.inputs import MEAN, canvases, network
from benchmarks.timing import show, start
from zfjax.runtime.files import listed

# The page's part of a click: ask, and put the projection on a canvas. Two frames after it is on the screen.
CLICK = """async questions => {
  const canvas = document.body.appendChild(document.createElement("canvas")), seconds = [];
  for (const question of questions) {
    const start = performance.now();
    const answer = await fetch("/project", {method: "POST", headers: {"Content-Type": "application/json"},
                                            body: JSON.stringify(question)});
    const {height, width} = JSON.parse(answer.headers.get("X-Zf")), rgb = new Uint8Array(await answer.arrayBuffer());
    const picture = new ImageData(width, height);
    for (let i = 0; i < width * height; i++)
      picture.data.set([rgb[3 * i], rgb[3 * i + 1], rgb[3 * i + 2], 255], 4 * i);
    [canvas.width, canvas.height] = [width, height];
    canvas.getContext("2d").putImageData(picture, 0, 0);
    seconds.push((performance.now() - start) / 1000);
  }
  return seconds;
}"""
PICTURES = 5
SIDES = ("computing", "with transport", "in the page")


@dataclass(frozen=True)
class Config:
    """Milliseconds of clicks on random units of every layer, compiled before, one after the other."""

    runs: int = 20
    """Clicks on a layer."""
    ckpt: str = ""
    """Run folders, with commas between."""
    arch: str = "zf"
    """A network with random weights, too; empty: none."""
    programs: str | None = None
    """Folder that keeps compiled programs for the next run; None: ~/.cache/zfjax; off: compile each time."""


class Started(NamedTuple):
    port: int
    layers: list[dict]
    seconds: float  # to compile all that a click needs


@contextmanager
def served(run, name: str) -> Iterator[Started]:
    """The live server of a run in a thread, on a free port, with everything compiled."""
    from zfjax.paper.view import View
    from zfjax.web.live.app import make_app
    from zfjax.web.live.desk import Desk
    from zfjax.web.live.facts import facts_of
    from zfjax.web.live.fence import LOOPBACK, Fence, Gate
    from zfjax.web.live.microscope import Microscope
    from zfjax.web.live.serving import bind, listen, server

    facts = facts_of(View(ckpt=name, run=run, out=Path()), None, gallery="")
    desk, began = Desk(Microscope(run), facts, None, ""), time.perf_counter()
    for _ in desk.microscope.prepare():
        pass
    seconds = time.perf_counter() - began
    with bind("127.0.0.1", 0) as bound:
        port = bound.getsockname()[1]
        listen(bound)
        answering = server(Fence(make_app(desk, None), Gate(LOOPBACK, port)))
        thread = threading.Thread(target=answering.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            yield Started(port, [layer for layer in facts["layers"] if layer["slug"]], seconds)
        finally:
            answering.should_exit = True
            thread.join()


def questions(started: Started, image: str, clicks: int) -> dict[str, list[dict]]:
    """Random units at random places of every layer."""
    rng = np.random.default_rng(0)

    def place(layer: dict) -> dict:
        row, col, unit = (int(rng.integers(size)) for size in layer["shape"])
        return {"image": image, "layer": layer["slug"], "unit": unit, "row": row, "col": col}

    return {layer["name"]: [place(layer) for _ in range(clicks)] for layer in started.layers}


def ask(connection: http.client.HTTPConnection, path: str, body: bytes, kind: str) -> tuple[dict, bytes]:
    """The header X-Zf, and the answer."""
    connection.request("POST", path, body, {"Content-Type": kind})
    answer = connection.getresponse()
    data = answer.read()
    assert answer.status == 200, data
    return json.loads(answer.headers.get("X-Zf", "{}")), data


def clicked(port: int, asked: dict[str, list[dict]]) -> dict[str, tuple[list[float], list[float]]]:
    """Seconds of every click from a connection that stays open: what the server says it took, and until it was here."""
    connection, found = http.client.HTTPConnection("127.0.0.1", port), {}
    for layer, clicks in asked.items():
        found[layer] = ([], [])
        for question in clicks:
            began = time.perf_counter()
            about, _ = ask(connection, "/project", json.dumps(question).encode(), "application/json")
            found[layer][0].append(about["ms"] / 1000)
            found[layer][1].append(time.perf_counter() - began)
    connection.close()
    return found


def in_a_page(port: int, asked: dict[str, list[dict]]) -> dict[str, list[float]]:
    """Seconds of every click in Chromium, from the question to pixels on a canvas; empty where there is none."""
    chromium = shutil.which("chromium")
    if chromium is None or find_spec("playwright") is None:
        return {}
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{port}/pages/live.html")
        found = {layer: page.evaluate(CLICK, clicks) for layer, clicks in asked.items()}
        browser.close()
    return found


def cells(seconds: list[float]) -> tuple[str, str]:
    """Median and 95th percentile in milliseconds."""
    middle, high = np.percentile(1000 * np.array(seconds), (50, 95))
    return f"{middle:.1f}", f"{high:.1f}"


def measure(run, name: str, clicks: int) -> None:
    """One network's table."""
    arch = run.arch
    picture = canvases(1, arch.image_size)[0, ..., : arch.channels]
    with served(run, name) as started:
        connection = http.client.HTTPConnection("127.0.0.1", started.port)
        header = f"P{6 if arch.channels == 3 else 5} {arch.image_size} {arch.image_size} 255\n".encode()
        taken, told = [], b""
        for _ in range(PICTURES):
            began = time.perf_counter()
            _, told = ask(connection, "/image", header + picture.tobytes(), "application/octet-stream")
            taken.append(time.perf_counter() - began)
        asked = questions(started, json.loads(told)["id"], clicks)
        plain, drawn = clicked(started.port, asked), in_a_page(started.port, asked)
        connection.close()
    sides = {layer: [*times, *([drawn[layer]] if drawn else [])] for layer, times in plain.items()}
    together = [sum(times, []) for times in zip(*sides.values(), strict=True)]
    rows = [(layer, *sum(map(cells, times), ())) for layer, times in {**sides, "all": together}.items()]
    columns = ("layer", *(f"{side}{part}" for side in SIDES[: len(together)] for part in ("", ", p95")))
    show(
        f"Clicks on {name} ({arch.name}, {arch.image_size} pixels), ms",
        columns,
        rows,
        f"{clicks} units of every layer at random places; median, and 95th percentile of all.",
        f"All was compiled in {started.seconds:.0f} s; a new picture took {1000 * np.median(taken):.0f} ms.",
    )


def bench(config: Config) -> None:
    import jax

    from zfjax.preprocess import Preprocess
    from zfjax.runs.run import Run, load_run
    from zfjax.runtime.compile_cache import keep_programs

    keep_programs(config.programs)
    for path in listed(config.ckpt):
        measure(load_run(path), Path(path).resolve().name, config.runs)
    if config.arch:
        arch, params = network(name=config.arch)
        preprocess = Preprocess(arch.image_size, arch.image_size, np.full(arch.channels, MEAN, np.float32))
        names = tuple(f"class {number}" for number in range(arch.num_classes))
        mean = np.full((arch.image_size, arch.image_size, arch.channels), MEAN, np.float32)
        measure(
            Run(arch, jax.device_put(params), preprocess, mean, names, {}, 0),
            f"{config.arch}, random weights",
            config.runs,
        )


if __name__ == "__main__":
    start(Config, bench, needs=("starlette", "uvicorn"))
