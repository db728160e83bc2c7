"""Draws the paper's figures from a run: python visualize.py --ckpt=runs/zf"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal

from zfjax.errors import InputError, exit_on_bad_input
from zfjax.flags import parse_flags
from zfjax.gallery import features, filters
from zfjax.gallery.view import LeftOut, View

FIGURES = {
    "features": features,
    "filters": filters,
}  # in the order of --figure=all


@dataclass(frozen=True)
class VisualizeConfig:
    """Draws figures of the paper from a trained network into the run's folder figures/."""

    ckpt: str
    """Run folder."""
    figure: Literal["all", "features", "filters"] = "all"
    """features: Fig. 2, the strongest activations of each map in pixels. filters: Fig. 6, those of the first layer.
    all: whatever the run and its data set allow."""
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
    """Folder for the pictures; None: figures/ in the run folder."""
    batch_size: int = 32
    """Images passed through the network at a time."""
    seed: int = 0
    """Of the random choices."""
    filters: filters.Options = field(default_factory=filters.Options)


def main() -> None:
    config = parse_flags(VisualizeConfig)
    with exit_on_bad_input():
        _check(config)
        view = _view(config)
        if config.figure != "all":
            _draw(config.figure, config, view)
            return
        for figure in FIGURES:
            try:
                _draw(figure, config, view)
            except LeftOut as reason:
                print(f"left out: {figure} ({reason})", file=sys.stderr)


def _draw(figure: str, config: VisualizeConfig, view: View) -> None:
    module = FIGURES[figure]
    for path in module.draw(view, getattr(config, figure, None) or module.Options()).paths:
        print(path, flush=True)


def _check(config: VisualizeConfig) -> None:
    for name in ("top", "num_maps", "num_images", "batch_size"):
        if getattr(config, name) < 1:
            raise InputError(f"--{name} must be at least 1, not {getattr(config, name)}")
    if config.limit is not None and config.limit < 1:
        raise InputError(f"--limit must be at least 1, not {config.limit}")
    if not 0 < config.percentile <= 100:
        raise InputError(f"--percentile must be above 0 and at most 100, not {config.percentile}")


def _view(config: VisualizeConfig) -> View:
    from zfjax.run import load_run

    run = load_run(config.ckpt, config.step)
    common = {each.name for each in fields(View)} & {each.name for each in fields(VisualizeConfig)}
    flags = {name: getattr(config, name) for name in common - {"out"}}
    return View(run=run, out=_folder(config), dataset_name=config.dataset, **flags)


def _folder(config: VisualizeConfig) -> Path:
    """Made before the search, which may take long."""
    out = Path(config.out or Path(config.ckpt) / "figures")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write pictures into {out} ({error.strerror}); give another folder") from error
    return out


if __name__ == "__main__":
    main()
