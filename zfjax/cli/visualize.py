"""Draws the paper's figures from a run: python visualize.py --ckpt=runs/zf"""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal

from zfjax.cli.flags import parse_flags
from zfjax.errors import InputError, exit_on_bad_input
from zfjax.paper.architecture import command as architecture
from zfjax.paper.correspondence import command as correspondence
from zfjax.paper.evolution import command as evolution
from zfjax.paper.features import command as features
from zfjax.paper.first_layers import command as first_layers
from zfjax.paper.invariance import command as invariance
from zfjax.paper.occlusion import command as occlusion
from zfjax.paper.units import command as units
from zfjax.paper.view import LeftOut, View
from zfjax.runtime.compile_cache import Programs, keep_programs
from zfjax.runtime.cpu import tune_cpu

FIGURES = {
    "architecture": architecture,
    "features": features,
    "evolution": evolution,
    "filters": first_layers.FIGURES["filters"],
    "invariance": invariance,
    "correspondence": correspondence,
    **units.FIGURES,
    "occlusion": occlusion,
}  # of one run, in the order of --figure=all
COMPARISONS = {
    "selection": first_layers.FIGURES["selection"]
}  # of several runs side by side; their `draw` takes all views


@dataclass(frozen=True)
class VisualizeConfig(Programs):
    """Draws figures of the paper from a trained network into the run's folder figures/."""

    ckpt: str = ""
    """Run folder, or several with commas between them: each is drawn on its own, but for --figure=selection."""
    arch: str = ""
    """Architecture to draw where there is no run, with --figure=architecture alone."""
    figure: Literal[
        "all",
        "architecture",
        "features",
        "evolution",
        "filters",
        "selection",
        "invariance",
        "correspondence",
        "maximal_activations",
        "activations",
        "occlusion",
    ] = "all"
    """architecture: Fig. 3, the layers and their sizes.
    features: Fig. 2, the strongest activations of each map in pixels.
    evolution: Fig. 4, those of training images at the epochs that the run kept.
    filters: Fig. 6, those of the first layer.
    invariance: Fig. 5, features and answers under shift, scale and rotation.
    correspondence: Table 1 and Fig. 8, whether covering the same part of different objects changes features alike.
    selection: Fig. 6, the first two layers of all runs side by side, with measures.
    occlusion: Fig. 7, map and answer under a square that covers part of the image.
    maximal_activations: the images that units, and random directions, respond to most.
    activations: all maps of a layer for an image.
    all: whatever the run and its data set allow, and selection where there are several runs."""
    layers: str = ""
    """Layers to draw, e.g. conv1,conv5; empty: all convolutions (fully connected layers where there are none)."""
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
    """Search only the first so many images."""
    dataset: str | None = None
    """Data set to search; None: the one that the network was trained on."""
    data_dir: str | None = None
    """Where TFDS keeps its data sets; None: ~/tensorflow_datasets."""
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
    out: str | None = None
    """Folder for the pictures, with a folder in it for each run if there are several; None: figures/ in the run
    folder, figures/ARCH without a run."""
    batch_size: int = 32
    """Images passed through the network at a time."""
    seed: int = 0
    """Of the random choices."""
    architecture: architecture.Options = field(default_factory=architecture.Options)
    evolution: evolution.Options = field(default_factory=evolution.Options)
    invariance: invariance.Options = field(default_factory=invariance.Options)
    occlusion: occlusion.Options = field(default_factory=occlusion.Options)
    filters: first_layers.FiltersOptions = field(default_factory=first_layers.FiltersOptions)
    correspondence: correspondence.Options = field(default_factory=correspondence.Options)
    selection: first_layers.SelectionOptions = field(default_factory=first_layers.SelectionOptions)
    maximal_activations: units.MaximalOptions = field(default_factory=units.MaximalOptions)
    activations: units.ActivationsOptions = field(default_factory=units.ActivationsOptions)


def main() -> None:
    config = parse_flags(VisualizeConfig)
    with exit_on_bad_input():
        _check(config)
        if config.arch:
            out = Path(config.out or Path("figures") / config.arch)
            print(*architecture.draw_named(config.arch, out, config.architecture).paths)
            return
        keep_programs(config.programs)
        tune_cpu()
        for figure, views in _jobs(config):
            try:
                _draw(figure, config, views)
            except LeftOut as reason:
                if config.figure != "all":
                    raise
                print(f"left out: {figure} ({reason})", file=sys.stderr)


def _jobs(config: VisualizeConfig) -> list[tuple[str, View | list[View]]]:
    """What to draw of whom: a figure of one run for each, a comparison of them for all."""
    paths = config.ckpt.split(",")
    names = [Path(path).resolve().name for path in paths]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"--ckpt has several runs named {twice[0]}, whose pictures would have the same names")
    views = [_view(config, path, name if len(paths) > 1 else "") for path, name in zip(paths, names, strict=True)]
    wanted = [config.figure] if config.figure != "all" else [*FIGURES, *(COMPARISONS if len(paths) > 1 else ())]
    alone = [(figure, view) for view in views for figure in wanted if figure in FIGURES]
    common = [dataclasses.replace(view, out=_folder(config, paths[0])) for view in views]
    together = [(figure, common) for figure in wanted if figure in COMPARISONS]
    for out in {view.out for _, view in alone} | {views[0].out for _, views in together}:
        _make(out)
    return alone + together


def _draw(figure: str, config: VisualizeConfig, views: View | list[View]) -> None:
    module = {**FIGURES, **COMPARISONS}[figure]
    for path in module.draw(views, getattr(config, figure, None) or module.Options()).paths:
        print(path, flush=True)


def _check(config: VisualizeConfig) -> None:
    if config.arch and (config.ckpt or config.figure != "architecture"):
        raise InputError(f"--arch={config.arch} is for --figure=architecture without --ckpt; a run has its own")
    if not (config.ckpt or config.arch):
        raise InputError("--ckpt is missing, the run folder; only --figure=architecture does without, given --arch")
    for name in ("top", "num_maps", "num_images", "batch_size"):
        if getattr(config, name) < 1:
            raise InputError(f"--{name} must be at least 1, not {getattr(config, name)}")
    if config.limit is not None and config.limit < 1:
        raise InputError(f"--limit must be at least 1, not {config.limit}")
    if not 0 < config.percentile <= 100:
        raise InputError(f"--percentile must be above 0 and at most 100, not {config.percentile}")


def _view(config: VisualizeConfig, ckpt: str, name: str) -> View:
    from zfjax.runs.run import load_run

    run = load_run(ckpt, config.step)
    common = {each.name for each in fields(View)} & {each.name for each in fields(VisualizeConfig)}
    flags = {flag: getattr(config, flag) for flag in common - {"ckpt", "out"}}
    return View(ckpt=ckpt, run=run, out=_folder(config, ckpt, name), dataset_name=config.dataset, **flags)


def _folder(config: VisualizeConfig, ckpt: str, name: str = "") -> Path:
    return Path(config.out) / name if config.out else Path(ckpt) / "figures"


def _make(folder: Path) -> None:
    """Before the search, which may take long."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write pictures into {folder} ({error.strerror}); give another folder") from error


if __name__ == "__main__":
    main()
