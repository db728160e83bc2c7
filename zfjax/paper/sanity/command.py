"""--figure=sanity: tests of what each method of attribution says, in a picture and a table."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zfjax.draw.markdown import markdown
from zfjax.errors import InputError
from zfjax.paper.view import Drawn, Figure, View
from zfjax.runtime.files import write_text
from zfjax.runtime.ranges import check_flags
from zfjax.terminal import say

if TYPE_CHECKING:
    from zfjax.paper.pictures import Pictures
    from zfjax.paper.sanity.measure import Trial
    from zfjax.paper.sanity.table import Means
    from zfjax.runs.run import Run


@dataclass(frozen=True)
class Options:
    """Whether explanations depend on what was learnt and lie on what the network goes by; minutes to hours, and a
    stopped one goes on where it was."""

    methods: str = ""
    """Which, with commas between; empty: all."""
    images: int = 200
    """Images to test on, where --images names none."""
    stages: int = 8
    """Layers of the cascade, evenly from the top one to the lowest; each takes the time of all methods."""
    unlearnt: str = ""
    """A run of the same architecture that was trained with --random_labels; empty: that test is left out."""
    samples: int = 50
    """Noisy copies, points of a line, draws, as in compare_methods."""
    masks: int = 500
    """Random masks of RISE."""


def draw(view: View, options: Options) -> Drawn:
    """A picture, a table in Markdown, and the numbers of each image in a ledger beside them."""
    from zfjax.paper.methods.methods import METHODS, chosen_methods
    from zfjax.paper.pictures import choose_pictures
    from zfjax.paper.sanity.draw import draw_sanity
    from zfjax.paper.sanity.measure import measure
    from zfjax.paper.sanity.table import sanity_table
    from zfjax.runs.results import Ledger

    check_flags(options, "sanity")
    methods = chosen_methods(options.methods, layer="")
    pictures = choose_pictures(view, options.images)
    trial, settings = _trial(view, options, pictures, methods)
    ledger = Ledger(view.out / "sanity.jsonl", settings)
    found = measure(trial, methods, ledger, progress=view.progress)
    means = _means(found, view.seed)
    layers = [name.removeprefix("rank:") for name in found[methods[0]] if name.startswith("rank:")]
    layers = [name for name in layers if name != "labels"]
    path = view.path("sanity")
    titles = {name: METHODS[name].title for name in methods}
    title = f"{view.run.arch.name}: what methods of attribution depend on"
    notes = _notes(view, options, pictures, trial)
    draw_sanity(means, titles, layers, path, title=title, caption=" ".join(notes))
    table = markdown(sanity_table(means, titles, layers, title=title, notes=notes))
    write_text(path.with_suffix(".md"), table)
    say("", *table.removesuffix("\n").split("\n"))
    return Drawn([path, path.with_suffix(".md")], means)


def _trial(view: View, options: Options, pictures: Pictures, methods: list[str]) -> tuple[Trial, dict]:
    """What is tested, and the settings that its results are kept under."""
    import jax
    import jax.numpy as jnp

    from zfjax.paper.methods.measure import references_of
    from zfjax.paper.methods.methods import Effort, Question
    from zfjax.paper.occlusion.truth import scene_boxes
    from zfjax.paper.sanity.measure import Trial
    from zfjax.runs.fingerprint import run_fingerprint

    run = view.run
    unlearnt = _unlearnt(view, options.unlearnt)
    read = view.has_dataset and "expected_gradients" in methods  # the data may be elsewhere, and files be explained
    started = references_of(run, view.dataset.train if read else None, view.seed)
    references = run.preprocess.centre(jnp.asarray(started)) if len(started) else jnp.zeros((1, *_image_shape(run)))
    effort = Effort(options.samples, options.masks, batch_size=view.batch_size, overlap=view.overlap, norm=view.norm)
    asked = Question(run.arch, run.params, "", references, jax.random.key(view.seed), effort)
    in_scenes = pictures.numbers and view.dataset.name == "scenes"
    boxes = jnp.asarray(scene_boxes(pictures.numbers, view.split, run.preprocess)) if in_scenes else None
    images = run.preprocess.centre(jnp.asarray(pictures.canvases))
    settings = {
        "run": run_fingerprint(run),
        "images": list(pictures.numbers) or [zlib.crc32(canvas) for canvas in pictures.canvases],
        "dataset": view.dataset.name if pictures.numbers or read else "files",
        "split": view.split,
        "effort": effort._asdict(),
        "stages": options.stages,
        "seed": view.seed,
    }
    return Trial(asked, images, jnp.asarray(pictures.labels), boxes, options.stages, unlearnt), settings


def _image_shape(run: Run) -> tuple[int, int, int]:
    return run.arch.image_size, run.arch.image_size, run.arch.channels


def _unlearnt(view: View, path: str) -> Run | None:
    if not path:
        return None
    from zfjax.runs.run import load_run
    from zfjax.train.settings import without_dropout

    other = load_run(path)
    if without_dropout(other.arch).layers != without_dropout(view.run.arch).layers:
        raise InputError(f"--sanity.unlearnt={path} has other layers ({other.arch.name}) than the run {view.name}")
    if not other.config.get("random_labels"):
        raise InputError(f"--sanity.unlearnt={path} was not trained with --random_labels")
    return other


def _means(found: dict, seed: int) -> Means:
    import jax
    import jax.numpy as jnp

    from zfjax.attribution.measures.bootstrap import confidence
    from zfjax.paper.sanity.table import Mean

    means: Means = {}
    for method, measures in found.items():
        spread = confidence(jnp.asarray([*measures.values()]).T, jax.random.key(seed))
        columns = zip(measures, *(np.asarray(each, float).tolist() for each in spread[:3]), strict=True)
        means[method] = {name: Mean(*values) for name, *values in columns}
    return means


def _notes(view: View, options: Options, pictures: Pictures, trial: Trial) -> tuple[str, ...]:
    kinds = "the true class" if pictures.known.all() else "the most probable class where the true one is not known"
    spent = f"{options.samples} samples, {options.masks:,} masks."
    said = [f"{len(trial.images):,} images, {kinds}; {spent} In brackets: 95 % intervals of the mean.", view.origin]
    if trial.boxes is not None:
        from zfjax.attribution.measures.localisation import area

        share = float(area(trial.boxes, (view.run.arch.image_size, view.run.arch.image_size)).mean())
        said.append(f"The boxes are {100 * share:.0f} % of the images: what lies in them of a map that knows nothing.")
    return tuple(said)


FIGURE = Figure(
    "tests of these methods: do their maps depend on what was learnt, and matter to it?",
    Options,
    draw,
    on_demand=True,
    takes=("images",),
)
