"""Every click on the live page shows what the library projects, and none waits for a compiler."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
import pytest
from live_server import serving

import zfjax
from zfjax.draw.tiles import display_limit, rgb8, to_display
from zfjax.paper.patches import cut_pictures, window_of
from zfjax.web.live.worker import MOST_WAITING, Busy, Superseded, Worker

CLICKS = 25  # on every layer


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("live")) as live:
        yield live


@pytest.fixture
def compiled():
    """What JAX compiles from here on, or fetches from its cache of programs."""
    seen = []

    def note(event: str, duration: float, **_) -> None:
        if event.startswith("/jax/core/compile/"):
            seen.append(event)

    jax.monitoring.register_event_duration_secs_listener(note)
    yield seen
    jax.monitoring.unregister_event_duration_listener(note)


def clicks(live, image, layer, units, **how):
    """The answer to a click on each of the units."""
    asked = {"image": image, "layer": layer, **how}
    places = zip(units.channel.tolist(), units.row.tolist(), units.col.tolist(), strict=True)
    return [live.ask("/project", {**asked, "unit": unit, "row": row, "col": col}) for unit, row, col in places]


def test_each_of_200_clicks_is_what_the_library_projects_and_none_compiles(live, compiled):
    run, facts = live.desk.microscope.run, live.ask("/arch").json
    rng, layers = np.random.default_rng(0), facts["layers"]
    compiled.clear()
    image = live.ask("/sample", {"number": 5}).json["id"]
    chosen, answers = {}, {}
    for layer in layers:
        places = [rng.integers(0, size, CLICKS) for size in layer["shape"]]
        units = zfjax.Units(np.zeros(CLICKS, int), places[2], places[0], places[1])
        live.ask(f"/image/{image}/maps/{layer['slug']}")
        chosen[layer["name"]], answers[layer["name"]] = units, clicks(live, image, layer["slug"], units)
    assert len(layers) * CLICKS == 200 and compiled == []
    assert live.ask("/ready").json["projections"] >= 200

    record = live.desk.source[5]
    forward = jax.jit(zfjax.forward, static_argnums=0)(
        run.arch, run.params, run.preprocess.centre(record["image"][None])
    )
    picture = run.preprocess.visible(record["image"])
    down = jax.jit(zfjax.project, static_argnums=(0, 3))
    drawn = 0
    for name, units in chosen.items():
        projection = down(run.arch, run.params, forward, name, units)
        for pixels, top, left, value, answer in zip(
            *map(np.asarray, projection),
            np.asarray(forward.activations[name])[0, units.row, units.col, units.channel],
            answers[name],
            strict=True,
        ):
            expected = cut_pictures(pixels, picture, top, left, window_of(run.arch, name))[0]
            corner = (top, left) if expected.shape == pixels.shape else (0, 0)
            about = answer.about
            shown = np.frombuffer(answer.body, np.uint8).reshape(about["height"], about["width"], 3)
            assert np.abs(shown.astype(int) - rgb8(to_display(expected))).max() <= 1
            assert (about["top"], about["left"]) == corner
            np.testing.assert_allclose(about["value"], value, rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(about["gain"], display_limit(expected), rtol=1e-3, atol=1e-6)
            drawn += shown.std() > 5
    assert drawn > 100  # the others are silent


def test_another_way_through_shared_maxima_is_compiled_once_when_it_is_asked_for(live, compiled):
    image = live.ask("/sample", {"number": 6}).json["id"]
    units = zfjax.Units(*np.ones((4, 1), int))
    (summed,) = clicks(live, image, "conv2", units)
    assert compiled == []
    (largest,) = clicks(live, image, "conv2", units, overlap="max")
    assert compiled and largest.status == summed.status == 200
    compiled.clear()
    clicks(live, image, "conv2", zfjax.Units(*np.full((4, 1), 2)), overlap="max")
    assert compiled == []


def test_a_burst_of_clicks_ends_on_the_last_one(live):
    image = live.ask("/sample", {"number": 7}).json["id"]
    begun, go = threading.Event(), threading.Event()
    live.desk.worker.submit(lambda: (begun.set(), go.wait(60)))
    assert begun.wait(60)
    done, answers = live.desk.microscope.done, []
    with ThreadPoolExecutor(2) as threads:
        for number in range(30):
            place = {"image": image, "layer": "conv1", "unit": 1, "row": number % 18, "col": 3, "page": "mine"}
            answers.append(threads.submit(live.ask, "/project", place))
            if number:  # the one before has waited, and is overtaken
                assert answers[-2].result().status == 409
            while not live.desk.worker._waiting:
                time.sleep(0.001)
        go.set()
    assert answers[-1].result().status == 200 and live.desk.microscope.done == done + 1
    assert answers[-1].result().about["top"] == 29 % 18 * 2 - 1


def test_the_queue_is_short_and_pages_do_not_overtake_each_other():
    worker, begun, go = Worker(), threading.Event(), threading.Event()
    worker.submit(lambda: (begun.set(), go.wait(60)))
    assert begun.wait(60) and not worker.idle
    pages = [worker.submit(lambda n=n: n, page=f"page {n}") for n in range(3)]
    others = [worker.submit(lambda n=n: n) for n in range(3, MOST_WAITING)]
    with pytest.raises(Busy, match="too much is asked at once"):
        worker.submit(lambda: "one too many").result()
    newer = worker.submit(lambda: "newer", page="page 1")  # takes the place of the older one
    go.set()
    assert [each.result() for each in (pages[0], pages[2], *others, newer)] == [0, 2, *range(3, MOST_WAITING), "newer"]
    with pytest.raises(Superseded):
        pages[1].result()


def test_what_fails_is_told_to_who_asked_and_the_next_one_goes_on():
    worker = Worker()
    with pytest.raises(ZeroDivisionError):
        worker.submit(lambda: 1 / 0).result()
    assert worker.submit(lambda: 2).result() == 2
