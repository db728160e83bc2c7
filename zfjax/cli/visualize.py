"""Draws the paper's figures from a run: python visualize.py --ckpt=runs/zf"""

from __future__ import annotations

import dataclasses
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from zfjax.cli.flags import choice, parse_flags
from zfjax.errors import InputError, exit_on_bad_input
from zfjax.paper import registry
from zfjax.paper.architecture.command import draw_named
from zfjax.paper.view import CHOOSING, LeftOut, View, numbers
from zfjax.runtime.compile_cache import Programs
from zfjax.runtime.files import listed, own_folder
from zfjax.runtime.start import start
from zfjax.terminal import say
from zfjax.web.gallery import command as gallery

FIGURES = {**registry.FIGURES, "gallery": gallery.FIGURE}


@dataclass(frozen=True)
class Which:
    """Whose figures are drawn; classes of their own so that --help keeps this order."""

    ckpt: str = ""
    """Run folder, or several with commas between them: each is drawn on its own, but for --figure=selection."""
    arch: str = ""
    """Architecture to draw where there is no run, with --figure=architecture alone."""


@dataclass(frozen=True)
class How:
    """What of them is shown, and how it is computed."""

    layers: str = ""
    """Layers to draw, names and patterns, e.g. conv1,conv5 or fire*/concat; empty: all convolutions (fully connected
    layers where there are none), and of a network of branches the sums and joins in place of what they are made of."""
    maps: str = ""
    """Numbers of the maps to draw, e.g. 3,17,40; empty: a random choice among those that respond to any image."""
    num_maps: int = 16
    """How many maps to choose for each layer."""
    top: int = 9
    """Strongest activations shown of each map, at most one an image."""
    images: str = ""
    """Images to look at where a figure shows a few: numbers in the split, or files, with commas between; empty: a
    random choice of rightly classified ones."""
    num_images: int = 3
    """How many of them to choose."""
    split: Literal["val", "train"] = "val"
    """Images to search."""
    limit: int | None = None
    """Search only the first so many images: in class folders they may be all of one class."""
    dataset: str | None = None
    """Data set to search; None: the one that the network was trained on."""
    data_dir: str | None = None
    """Where TFDS keeps its data sets; None: ~/tensorflow_datasets."""
    bad_images: Literal["stop", "skip"] | None = None
    """What a broken image does; skip: the next one stands in its place, and it is listed at the end. None: as in the
    network's training, else stop."""
    class_map: str | None = None
    """File that says which of the network's classes each of the data set's is: a line each, its name, a tab, the
    network's; None: by name, or as ImageNet's by WordNet number."""
    step: int | None = None
    """Checkpoint to take; None: the newest."""
    overlap: Literal["sum", "max", "last"] = "sum"
    """Unpooling where windows share a maximum: add up (the exact adjoint), keep the largest, or the last."""
    norm: Literal["identity", "vjp"] = "identity"
    """Contrast normalisation on the way down: left out (the paper), or its true gradient."""
    percentile: float = 99.5
    """Of a projection's non-zero magnitudes: what is drawn as full black or white."""
    format: Literal["png", "pdf", "svg"] = "png"
    """Kind of file; in pdf and svg the text stays text."""
    caption: bool = True
    """Whether title and caption are drawn on the picture; without, for papers that set their own, both are in the
    file's metadata alone."""
    out: str | None = None
    """Folder for the pictures, with a folder in it for each run if there are several; None: figures/ in the run
    folder, figures/ARCH without a run."""
    batch_size: int = 32
    """Images passed through the network at a time."""
    seed: int = 0
    """Of the random choices."""


ON_DEMAND = [name for name, figure in FIGURES.items() if figure.on_demand]
FIGURE_HELP = "\n".join(
    (
        *(f"{name}: {figure.help}" for name, figure in FIGURES.items()),
        f"all: whatever the run and its data set allow, but for {', '.join(ON_DEMAND)}, which take long; and selection "
        "where there are several runs.",
    )
)
Chosen = dataclasses.make_dataclass("Chosen", [("figure", choice(["all", *FIGURES], FIGURE_HELP), "all")], frozen=True)
VisualizeConfig = dataclasses.make_dataclass(
    "VisualizeConfig",
    # a figure without flags of its own has no group in --help
    [
        (name, figure.options, field(default_factory=figure.options))
        for name, figure in FIGURES.items()
        if fields(figure.options)
    ],
    bases=(How, Chosen, Which, Programs),
    frozen=True,
    namespace={"__doc__": "Draws figures of the paper from a trained network into the run's folder figures/."},
)


def main() -> None:
    config = parse_flags(VisualizeConfig)
    with exit_on_bad_input(skips=True), _captions(config.caption):
        _check(config)
        if config.arch:
            out = Path(config.out or Path("figures") / config.arch)
            say(" ".join(map(str, draw_named(config.arch, out, config.architecture).paths)))
            return
        start(config.programs)
        jobs = _jobs(config)
        try:
            _draw_each(config, jobs)
        finally:
            for view in {id(view): view for _, views in jobs for view in _each(views)}.values():
                view.say_broken()


def _captions(drawn: bool) -> AbstractContextManager:
    if drawn:
        return nullcontext()
    from zfjax.draw.page import without_caption

    return without_caption()


def _draw_each(config: Any, jobs: list[tuple[str, Any]]) -> None:
    """Goes on where one of several fails; at the end raises InputError that lists what failed and why.

    What a run cannot have is left out of --figure=all without being a failure.
    """
    for view in [views for _, views in jobs if config.figure == "all" and isinstance(views, View)]:
        _refuse_wrong(view)  # a wrong flag would fail in one figure after the other
    failed = {}  # {reason: what failed for it}
    for figure, views in jobs:
        try:
            _draw(figure, config, views)
        except InputError as reason:
            if len(jobs) == 1:
                raise
            name = f"{figure} of {views.name}" if "," in config.ckpt and isinstance(views, View) else figure
            say(f"left out: {name} ({reason})", error=True)
            if config.figure != "all" or not isinstance(reason, LeftOut):
                failed.setdefault(str(reason), []).append(name)
    if failed:
        left_out = "; ".join(f"{', '.join(names)} ({reason})" for reason, names in failed.items())
        raise InputError(f"{sum(map(len, failed.values()))} of {len(jobs)} figures could not be drawn: {left_out}")


def _refuse_wrong(view: View) -> None:
    for layer in view.asked_layers():
        view.chosen_maps(layer)
    numbers(view.maps, "maps")
    if view.dataset_name:
        _ = view.dataset


def _jobs(config: Any) -> list[tuple[str, Any]]:
    """What to draw of whom: a figure of one run for each, a comparison of them for all."""
    paths = listed(config.ckpt)
    names = [Path(path).resolve().name for path in paths]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"--ckpt has several runs named {twice[0]}, whose pictures would have the same names")
    views = [_view(config, path, name if len(paths) > 1 else "") for path, name in zip(paths, names, strict=True)]
    quick = {name: figure for name, figure in FIGURES.items() if not figure.on_demand}
    every = [name for name, figure in quick.items() if len(paths) > 1 or not figure.comparison]
    wanted = every if config.figure == "all" else [config.figure]
    alone = [(figure, view) for view in views for figure in wanted if not FIGURES[figure].comparison]
    common = [dataclasses.replace(view, out=_folder(config, paths[0])) for view in views]
    together = [(figure, common) for figure in wanted if FIGURES[figure].comparison]
    for out in {view.out for _, view in alone} | {views[0].out for _, views in together}:
        _make(out, given=bool(config.out))
    return alone + together


def _each(views: View | list[View]) -> list[View]:
    return views if isinstance(views, list) else [views]


def _draw(name: str, config: Any, views: View | list[View]) -> None:
    figure = FIGURES[name]
    for path in figure.draw(views, getattr(config, name, None) or figure.options()).paths:
        say(str(path))


def _check(config: Any) -> None:
    if config.arch and (config.ckpt or config.figure != "architecture"):
        raise InputError(f"--arch={config.arch} is for --figure=architecture without --ckpt; a run has its own")
    if not (config.ckpt or config.arch):
        raise InputError("--ckpt is missing, the run folder; only --figure=architecture does without, given --arch")
    if folders := [part for part in listed(config.images) if not part.isdecimal() and Path(part).is_dir()]:
        raise InputError(
            f"--images takes numbers or image files, and {folders[0]} is a folder; --dataset=folder:{folders[0]} takes "
            "the photos in it"
        )
    if config.figure != "all":
        _refuse_unheeded(config)


def _refuse_unheeded(config: Any) -> None:
    """What was not asked for would pass for what was: another layer's picture says so in its title alone."""
    figure = FIGURES[config.figure]
    for flag in CHOOSING:
        if getattr(config, flag) and flag not in figure.takes:
            own = [each.name for each in fields(figure.options) if each.name in ("layer", "layers")]
            instead = f"; --{config.figure}.{own[0]} chooses" if own and flag == "layers" else ""
            raise InputError(f"--figure={config.figure} takes no --{flag}{instead}")


def _view(config: Any, ckpt: str, name: str) -> View:
    from zfjax.runs.run import load_run

    run = load_run(ckpt, config.step)
    common = {each.name for each in fields(View)} & {each.name for each in fields(VisualizeConfig)}
    flags = {flag: getattr(config, flag) for flag in common - {"ckpt", "out"}}
    return View(ckpt=ckpt, run=run, out=_folder(config, ckpt, name), dataset_name=config.dataset, **flags)


def _folder(config: Any, ckpt: str, name: str = "") -> Path:
    return Path(config.out) / name if config.out else Path(ckpt) / "figures"


def _make(folder: Path, *, given: bool) -> None:
    """Before the search, which may take long. given: the user named it, and may have named a link."""
    try:
        (folder if given else own_folder(folder)).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write pictures into {folder} ({error.strerror}); give another folder") from error


if __name__ == "__main__":
    main()
