"""train.py --watch: pictures of the filters and of some layers after every epoch (section 4.1, live)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zfjax.errors import InputError
from zfjax.paper.default_layers import first_convolutions
from zfjax.runtime.files import file_name, own_folder, read_bytes
from zfjax.terminal import say, visible

if TYPE_CHECKING:
    from zfjax.data import Source
    from zfjax.paper.top_activations import FeatureMap
    from zfjax.runs.run import Run

FOLDER = "watch"  # in the run's figures/, and before the names in TensorBoard


class Watcher:
    """Draws what `zfjax.train.loop.train` shows it after an epoch; called with the epoch and the network so far.

    source: the images, of which a few are looked at. The pictures go to figures/watch/epoch-003/ in the run folder, and
    are returned as {name: PNG}. What cannot be drawn or written ends the drawing with a warning, not the training.
    """

    def __init__(self, source: Source, workdir: str | Path, layers: Sequence[str]):
        self._source, self._layers, self._given_up = source, layers, False
        self._workdir = Path(workdir)

    def __call__(self, epoch: int, run: Run) -> dict[str, bytes]:
        if self._given_up:
            return {}
        try:
            return self._draw(epoch, run)
        except (InputError, OSError, MemoryError, RuntimeError) as error:  # a device without memory is a RuntimeError
            self._given_up = True
            why = str(error).partition("\n")[0] or type(error).__name__
            warnings.warn(visible(f"--watch draws no more pictures: {why}"), stacklevel=2)
            return {}

    def _draw(self, epoch: int, run: Run) -> dict[str, bytes]:
        from zfjax.paper.watch.measure import look

        folder = self._workdir / "figures"
        for name in ("", FOLDER, f"epoch-{epoch:03d}"):
            folder = own_folder(folder / name)
        about = f"{visible(self._workdir.resolve().name)} after epoch {epoch}"
        drawn = self._draw_filters(run, folder, about)
        for layer, maps in look(run, self._source, self._layers).items():
            drawn |= self._draw_layer(run, layer, maps, folder, about)
        return {f"{FOLDER}/{name}": read_bytes(path) for name, path in drawn.items()}

    def _draw_filters(self, run: Run, folder: Path, about: str) -> dict[str, Path]:
        from zfjax.paper.first_layers.draw import draw_filters

        if not (layers := first_convolutions(run.arch)):
            return {}
        path = folder / "filters.png"
        title, caption = f"{about}: the filters of {layers[0]}", f"Step {run.step:,}."
        draw_filters(np.asarray(run.params[layers[0]]["kernel"]), path, title=title, caption=caption, layer=layers[0])
        return {"filters": path}

    def _draw_layer(self, run: Run, layer: str, maps: list[FeatureMap], folder: Path, about: str) -> dict[str, Path]:
        from zfjax.paper.features.draw import draw_features
        from zfjax.paper.patches import sees_all
        from zfjax.paper.watch.measure import watched_images

        images = len(watched_images(self._source))
        silent = sum(not len(each.activations) for each in maps)
        if silent == len(maps):
            say(f"{about}: none of the {silent} maps of {layer} that are watched responds to any of {images} images")
            return {}
        path = folder / f"{file_name(layer)}.png"
        quiet = f"; {silent} of the maps respond to none of them" if silent else ""
        caption = f"Step {run.step:,}; {images} validation images{quiet}."
        title = f"{about}: the strongest activations of {len(maps)} maps of {layer}"
        draw_features(maps, path, title=title, caption=caption, whole=sees_all(run.arch, layer))
        return {layer: path}
