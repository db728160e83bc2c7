"""Table 2 in words: the errors of runs and of their ensemble, of every class where asked for, and what is confused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from zfjax.errors import InputError
from zfjax.runtime.files import listed
from zfjax.terminal import say, some

if TYPE_CHECKING:
    import numpy as np

    from zfjax.paper.evaluation.measure import Answers
    from zfjax.runs.run import Run


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is measured, on what, and what of it is told."""

    ckpt: str
    """Run folder, or several with commas between them; their architectures may differ."""
    crops: Literal[1, 10] = 10
    """Views of each image that are averaged: the centre, or the paper's ten (corners, centre, flipped or not)."""
    split: Literal["val", "train"] = "val"
    """Images to measure on."""
    limit: int | None = None
    """Only the first so many images."""
    dataset: str | None = None
    """Data set; None: the one that the (first) network was trained on."""
    data_dir: str | None = None
    """Where TFDS keeps its data sets; None: ~/tensorflow_datasets."""
    class_map: str | None = None
    """File that says which of the network's classes each of the data set's is: a line each, its name, a tab, the
    network's; None: by name, or as ImageNet's by WordNet number."""
    per_class: bool = False
    """Also print the error of every class, worst first, and what it is mistaken for."""
    confusion: str = ""
    """File for a picture of what is taken for what, e.g. confusion.png (or .pdf, .svg); of several runs, averaged."""
    bad_images: Literal["stop", "skip"] = "stop"
    """What a broken image does. skip: it does not count, and is listed."""
    batch_size: int = 32
    """Images passed through the network at a time."""

    @property
    def paths(self) -> list[str]:
        """Of the run folders."""
        return listed(self.ckpt)


def evaluate(options: Options) -> None:
    """Prints one line a run, and one for all together; then what else the options ask for.

    Raises InputError for runs of different classes, other data than theirs, and files that cannot be read or written.
    """
    from zfjax.runs.run import load_run

    if options.confusion:
        _check_picture(options.confusion)
    runs = [load_run(path) for path in options.paths]
    if other := next((run for run in runs if run.class_names != runs[0].class_names), None):
        raise InputError(f"the runs have different classes: {_some(runs[0])} and {_some(other)}")
    answers = [_answers(options, run, runs[0]) for run in runs]
    labels = answers[0].labels
    for path, run, each in zip(options.paths, runs, answers, strict=True):
        say(f"{Path(path).name} ({run.arch.name}, step {run.step:,}): {_sentence(each.shares, labels)}")
    mean = sum((each.shares for each in answers[1:]), start=answers[0].shares) / len(answers)
    if len(runs) > 1:
        say(f"{len(runs)} runs averaged: {_sentence(mean, labels)}")
    if (options.dataset or runs[0].config["dataset"]).partition("/")[0] == "imagenet2012":
        _print_paper()
    if options.per_class:
        _print_classes(mean, labels, runs[0].shown_names)
    if options.confusion:
        _draw(options, runs, mean, labels)


def _answers(options: Options, run: Run, first: Run) -> Answers:
    """Of one run, on the images that the first one was trained for. Of the first, says what they are."""
    import numpy as np

    from zfjax.data import open_for
    from zfjax.data.photos import is_flat
    from zfjax.data.relabelled import in_classes_of
    from zfjax.paper.evaluation.measure import probabilities

    places = {"data_dir": options.data_dir, "trained": first}
    if is_flat(options.dataset):
        raise InputError(f"{options.dataset} has no labels; give PATH/train/CLASS/*.jpg and PATH/val alike")
    data = open_for(run, options.dataset, bad_images=options.bad_images, **places)
    own, data = data.class_names, in_classes_of(data, run.class_names, options.class_map)
    source = {"val": data.val, "train": data.train}[options.split]
    indices = range(min(options.limit or len(source), len(source)))
    if run is first:
        say(f"{len(indices):,} images of the {options.split} split of {data.name}, {options.crops} crop(s)")
    how = {"crops": options.crops, "batch_size": options.batch_size, "progress": True}
    answers = probabilities(run, source, indices=indices, **how)
    if run is first and len(own) < len(run.class_names):
        outside = int(np.isin(answers.shares.argmax(axis=1), answers.labels, invert=True).sum())
        say(
            f"the images are of {len(np.unique(answers.labels)):,} of the network's {len(run.class_names):,} classes; "
            f"{outside:,} of its {len(answers.labels):,} answers are others"
        )
    if run is first:
        data.broken.say()
    return answers


def _some(run: Run) -> str:
    return f"{run.arch.name} ({some(run.class_names)})"


def _sentence(shares: np.ndarray, labels: np.ndarray) -> str:
    from zfjax.paper.evaluation.measure import error_rate

    rates = {f"top-{k} error": error_rate(shares, labels, k) for k in (1, 5)}
    return ", ".join(
        f"{name} {100 * rate.rate:.2f} % (95 %: {100 * rate.low:.2f} to {100 * rate.high:.2f})"
        for name, rate in rates.items()
    )


def _print_classes(shares: np.ndarray, labels: np.ndarray, names: tuple[str, ...]) -> None:
    from zfjax.paper.evaluation.measure import confusion

    counts = confusion(shares, labels)
    right, total = counts.diagonal(), counts.sum(axis=1)
    for label in sorted(range(len(names)), key=lambda label: right[label] / max(1, total[label])):
        if total[label]:
            wrong = counts[label].copy()
            wrong[label] = 0
            mistaken = f", mostly taken for {names[wrong.argmax()]}" if wrong.any() else ""
            error = 100 * (1 - right[label] / total[label])
            say(f"  {names[label]}: {error:.1f} % of {total[label]} wrong{mistaken}")


def _print_paper() -> None:
    from zfjax.paper.numbers import IMAGENET

    say("The paper's numbers (Table 2: error on ImageNet 2012, validation top-1 / validation top-5 / test top-5):")
    for name, errors in IMAGENET.items():
        say(f"  {name}: {' / '.join('-' if error is None else f'{error:.1f} %' for error in errors)}")


def _check_picture(path: str) -> None:
    """Before the evaluation, which may take long."""
    from zfjax.draw.page import FORMATS

    if Path(path).suffix.lower() not in FORMATS:
        raise InputError(f"--confusion: the name must end in {', '.join(FORMATS)}, not {path}")
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--confusion: cannot write {path} ({error.strerror})") from error


def _draw(options: Options, runs: list[Run], shares: np.ndarray, labels: np.ndarray) -> None:
    from zfjax.paper.evaluation.draw import draw_confusion
    from zfjax.paper.evaluation.measure import confusion

    run, name = runs[0], Path(options.paths[0]).resolve().name
    origin = f"Run {name} ({run.arch.name}), step {run.step:,}"
    if len(runs) > 1:
        origin = f"{len(runs)} runs averaged, the first: {origin[0].lower()}{origin[1:]}"
    views = "the centre crop" if options.crops == 1 else f"{options.crops} crops averaged"
    data = f"{options.split} split of {options.dataset or run.config['dataset']}, {views}"
    title = f"What is taken for what: {len(labels):,} images of {len(run.class_names)} classes"
    words = {"title": title, "caption": f"{origin}; {data}."}
    draw_confusion(confusion(shares, labels), run.shown_names, options.confusion, **words)
    say(str(options.confusion))
