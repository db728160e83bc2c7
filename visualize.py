"""Draws the paper's figures from a run: python visualize.py --ckpt=runs/zf"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from zfjax.errors import InputError, exit_on_bad_input
from zfjax.flags import parse_flags

if TYPE_CHECKING:
    from zfjax.data import Dataset
    from zfjax.mining import Winners
    from zfjax.run import Run


@dataclass(frozen=True)
class VisualizeConfig:
    """Draws figures of the paper from a trained network into the run's folder figures/."""

    ckpt: str
    """Run folder, as train.py makes it."""
    figure: Literal["all", "features", "filters"] = "all"
    """features: Fig. 2, the strongest activations of each map in pixels. filters: Fig. 6, those of the first layer."""
    layers: str = ""
    """Layers to draw, e.g. conv1,conv5; empty: all convolutions (fully connected layers where there are none)."""
    maps: str = ""
    """Numbers of the maps to draw, e.g. 3,17,40; empty: a random choice among those that respond to any image."""
    num_maps: int = 16
    """How many maps to choose for each layer."""
    top: int = 9
    """Strongest activations shown of each map, at most one an image."""
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
    """Of the random choice of maps."""


def main() -> None:
    config = parse_flags(VisualizeConfig)
    with exit_on_bad_input():
        _check(config)
        from zfjax.run import load_run

        run = load_run(config.ckpt, config.step)
        out = _folder(config)
        if config.figure in ("all", "filters"):
            _draw_filters(config, run, out)
        if config.figure in ("all", "features"):
            _draw_features(config, run, out)


def _check(config: VisualizeConfig) -> None:
    for name in ("top", "num_maps", "batch_size"):
        if getattr(config, name) < 1:
            raise InputError(f"--{name} must be at least 1, not {getattr(config, name)}")
    if config.limit is not None and config.limit < 1:
        raise InputError(f"--limit must be at least 1, not {config.limit}")
    if not 0 < config.percentile <= 100:
        raise InputError(f"--percentile must be above 0 and at most 100, not {config.percentile}")


def _folder(config: VisualizeConfig) -> Path:
    """Made before the search, which may take long."""
    out = Path(config.out or Path(config.ckpt) / "figures")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write pictures into {out} ({error.strerror}); give another folder") from error
    return out


def _draw_filters(config: VisualizeConfig, run: Run, out: Path) -> None:
    from zfjax.figures import draw_filters

    first = run.arch.layers[0].name
    kernel = run.params[first]["kernel"] if first in run.params else None
    if getattr(kernel, "ndim", 0) != 4:
        if config.figure == "filters":
            raise InputError(f"{run.arch.name} has no filters to draw: its first layer, {first}, is no convolution")
        return
    path = out / f"filters_{first}.{config.format}"
    size = "x".join(map(str, kernel.shape[:2]))
    title = f"{run.arch.name}: the {kernel.shape[3]} filters of {first}, {size} pixels"
    draw_filters(kernel, path, title=title, caption=_origin(config, run), layer=first, percentile=config.percentile)
    print(path)


def _draw_features(config: VisualizeConfig, run: Run, out: Path) -> None:
    from zfjax.experiments.features import project_winners, strongest_activations
    from zfjax.figures import draw_features

    layers = _layers(config, run)
    for layer in layers:
        _explicit_maps(config, run, layer)  # a wrong number is answered before the search
    dataset = _open(config, run)
    source = {"val": dataset.val, "train": dataset.train}[config.split]
    searched = range(min(config.limit or len(source), len(source)))
    winners = strongest_activations(
        run, source, layers, top=config.top, indices=searched, batch_size=config.batch_size, progress=True
    )
    maps = {layer: _maps(config, run, layer, winners[layer]) for layer in layers}
    features = project_winners(run, source, winners, maps, overlap=config.overlap, norm=config.norm, progress=True)
    split = {"val": "validation", "train": "training"}[config.split]
    for layer in layers:
        path = out / f"features_{layer}.{config.format}"
        silent = int((winners[layer].value[:, 0] == 0).sum())
        chosen = "" if config.maps else f" at random of {len(winners[layer].value)} ({silent} respond to no image)"
        title = f"{layer}: the {config.top} strongest of {len(searched):,} {split} images for {len(maps[layer])} maps"
        caption = f"{len(maps[layer])} maps{chosen}. {_origin(config, run)} Images: {split} split of {dataset.name}."
        draw_features(features[layer], path, title=title, caption=caption, percentile=config.percentile)
        print(path)


def _origin(config: VisualizeConfig, run: Run) -> str:
    return f"Run {Path(config.ckpt).name} ({run.arch.name}), step {run.step:,}."


def _layers(config: VisualizeConfig, run: Run) -> list[str]:
    from zfjax.layers import Conv, Dense

    if config.layers:
        return [run.arch.row(name).layer.name for name in config.layers.split(",")]
    convolutions = [layer.name for layer in run.arch.layers if isinstance(layer, Conv)]
    return convolutions or [layer.name for layer in run.arch.layers if isinstance(layer, Dense)]


def _explicit_maps(config: VisualizeConfig, run: Run, layer: str) -> list[int]:
    there = run.arch.shapes()[layer][2]
    try:
        maps = [int(number) for number in config.maps.split(",") if number]
    except ValueError:
        raise InputError(f"--maps takes numbers like 3,17,40, not {config.maps!r}") from None
    if wrong := [number for number in maps if not 0 <= number < there]:
        raise InputError(f"{layer} has maps 0 to {there - 1}; --maps asks for {wrong[0]}")
    return maps


def _maps(config: VisualizeConfig, run: Run, layer: str, winners: Winners) -> list[int]:
    """The maps asked for, or a random choice of those that respond."""
    import numpy as np

    responding = np.flatnonzero(winners.value[:, 0] != 0)
    chosen = _explicit_maps(config, run, layer)
    if not set(chosen or responding) & set(responding):
        which = f"the maps {config.maps}" if chosen else "all maps"
        raise InputError(f"{layer}: {which} are silent on every image, so there is nothing to project; leave it out")
    count = min(config.num_maps, len(responding))
    return chosen or sorted(np.random.default_rng(config.seed).choice(responding, count, replace=False).tolist())


def _open(config: VisualizeConfig, run: Run) -> Dataset:
    from zfjax.data import open_dataset

    name, canvas = config.dataset or run.config["dataset"], run.mean.shape[0]
    data_dir = config.data_dir or run.config["data_dir"]
    return open_dataset(name, canvas_size=canvas, channels=run.arch.channels, data_dir=data_dir)


if __name__ == "__main__":
    main()
