"""Fig. 2 for every map of ZFNet's convolutions, ours against PyTorch with Captum: python -m benchmarks.figure2"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.projection import CONVOLUTIONS
from benchmarks.timing import agree, interleave, show, spread, start
from zfjax.errors import InputError

TOP = 9


@dataclass(frozen=True)
class Config:
    """Seconds for the nine strongest images of all 1,376 maps of conv1 to conv5, projections included."""

    images: int = 1000
    """Images that are searched."""
    folder: str = ""
    """PATH of PATH/train/CLASS/*.jpg; empty: rendered scenes."""
    image_size: int = 224
    """Side of the network's input in pixels."""
    batch_size: int = 32
    """Images passed through the network at a time."""
    captum_images: int = 128
    """Images that both sides search in turns; from these PyTorch's time for all is scaled up."""
    captum_maps: int = 2
    """Maps of a layer that both sides project for comparison; from these Captum's time for all is scaled up."""
    rss_images: tuple[int, ...] = (250, 1000)
    """Searches, each in a process of its own, whose memory is measured."""
    runs: int = 7
    """Timed passes of each side."""


def open_run(config: Config):
    """A Run of random weights, and the images."""
    from benchmarks.inputs import MEAN, network
    from zfjax.data import open_dataset
    from zfjax.preprocess import Preprocess
    from zfjax.runs.run import Run

    arch, params = network(config.image_size)
    side = Preprocess.of(arch).smallest_side
    mean = np.full((side, side, 3), MEAN, np.float32)
    name = f"folder:{config.folder}" if config.folder else "scenes"
    source = open_dataset(name, canvas_size=side).train
    if max(config.images, *config.rss_images) > len(source):
        raise InputError(f"{name} has {len(source)} training images, too few for --images={config.images}")
    return Run(arch, params, Preprocess.of(arch, mean), mean, source.class_names, {}, 0), source


def our_search(run, source, count: int, batch_size: int) -> dict:
    """The winners of all maps over the first `count` images."""
    from zfjax.paper.top_activations import strongest_activations

    return strongest_activations(run, source, CONVOLUTIONS, top=TOP, indices=range(count), batch_size=batch_size)


def our_projections(run, source, winners: dict, maps: dict | None = None) -> dict:
    """The pictures of the winners of all maps, or of some."""
    from zfjax.paper.top_activations import project_winners

    return project_winners(run, source, winners, maps or {layer: range(len(winners[layer].value)) for layer in winners})


def our_forward(run, source, count: int, batch_size: int) -> Callable[[], None]:
    """The logits of the same images through the same loader, and nothing else."""
    import jax

    from zfjax.data import eval_batches
    from zfjax.model import on_canvases

    look = jax.jit(lambda variables, images: on_canvases(run.arch)(variables, images).logits)

    def logits() -> None:
        for batch in eval_batches(source, batch_size=batch_size, indices=range(count)):
            look(run.variables, batch["image"]).block_until_ready()

    return logits


def peak_mb() -> float:
    """Largest resident memory of this process so far. Not getrusage: its maximum includes the parent's before exec."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def memory(config: Config, count: int) -> tuple[float, float]:
    """Peak MB after the search of `count` images, and after the projections of all maps too, in a fresh process."""
    code = (
        "import json, sys; from benchmarks.figure2 import *\n"
        "config, count = Config(**json.loads(sys.argv[1])), int(sys.argv[2])\n"
        "run, source = open_run(config)\n"
        "winners = our_search(run, source, count, config.batch_size); searched = peak_mb()\n"
        "our_projections(run, source, winners); print(searched, peak_mb())"
    )
    command = [sys.executable, "-c", code, json.dumps(asdict(config)), str(count)]
    searched, projected = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.split()
    return float(searched), float(projected)


def compare(config: Config, run, source, net, ours: dict, theirs: dict) -> tuple[str, dict[str, Callable]]:
    """Winners and some pictures of both sides; a sentence, and for each layer what projects these maps with Captum."""
    from benchmarks.torch_figure2 import project
    from zfjax.paper.top_activations import cut_patch

    values = [agree(f"winners of {layer}", ours[layer].value, theirs[layer].value, tolerance=1e-4) for layer in ours]
    rng = np.random.default_rng(5)
    maps = {layer: sorted(_alive(rng, ours[layer], config.captum_maps)) for layer in ours}
    pictures, sides, errors = our_projections(run, source, ours, maps), {}, []
    for layer, numbers in maps.items():
        field = run.arch.receptive_field(layer)
        canvases = {
            number: np.stack([source[int(i)]["image"] for i in ours[layer].image[number]]) for number in numbers
        }

        def side(layer=layer, numbers=numbers, canvases=canvases) -> list[np.ndarray]:
            return [project(net, run, canvases[number], layer, ours[layer], number) for number in numbers]

        for feature, whole in zip(pictures[layer], side(), strict=True):
            corners = (ours[layer].row[feature.index], ours[layer].col[feature.index])
            tops, lefts = (place * field.stride + field.offset for place in corners)
            windows = [
                np.nan_to_num(cut_patch(picture, int(top), int(left), field.size))
                for picture, top, left in zip(whole, tops, lefts, strict=True)
            ]
            errors.append(agree(f"{layer} map {feature.index}", feature.projections, windows, tolerance=1e-4))
        sides[layer] = side
    sentence = (
        f"Compared first: the winners' values differ by at most {max(values):.0e}, pictures by {max(errors):.0e}."
    )
    return sentence, sides


def _alive(rng: np.random.Generator, winners, count: int) -> list[int]:
    return rng.choice(np.flatnonzero((winners.value > 0).all(axis=1)), count, replace=False).tolist()


def rows_of(seconds: dict[str, np.ndarray], done: dict[str, tuple[int, int, str]]) -> tuple[list[tuple], float, float]:
    """Rows of the table, and the whole figure's seconds on our side and on theirs.

    done: {side: (what one run did, what the whole figure takes, unit)}.
    """
    rows, totals = [], {"zfjax": 0.0, "PyTorch": 0.0}
    for name, times in seconds.items():
        amount, whole, unit = done[name]
        total = np.median(times) * whole / amount
        if "alone" not in name:
            totals[name.partition(":")[0]] += total
        rate = f"{amount / np.median(times):.3g} {unit}/s"
        rows.append((name, f"{amount:,} {unit}", spread(times), rate, f"{total:.3g} s"))
    return rows, totals["zfjax"], totals["PyTorch"]


def run(config: Config) -> None:
    import jax

    from benchmarks.torch_figure2 import search
    from benchmarks.torch_zf import PassedByNorm, torch_net
    from zfjax.data import eval_batches

    run, source = open_run(config)
    net = torch_net(run.arch, run.params, norm=PassedByNorm)
    few, size = min(config.captum_images, config.images), config.batch_size

    def their_search(count: int) -> dict:
        return search(net, run, eval_batches(source, batch_size=size, indices=range(count)), CONVOLUTIONS, TOP)

    with tempfile.TemporaryDirectory() as cache:  # each call of ours compiles anew; from the second on it is read
        jax.config.update("jax_compilation_cache_dir", cache)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        agreement, pictures = compare(config, run, source, net, our_search(run, source, few, size), their_search(few))
        winners = our_search(run, source, config.images, size)
        units = {layer: int((found.value > 0).sum()) for layer, found in winners.items()}
        everything = sum(units.values())
        sides = {
            "zfjax: search": lambda: our_search(run, source, config.images, size),
            "zfjax: forward alone": our_forward(run, source, config.images, size),
            "zfjax: projections": lambda: our_projections(run, source, winners),
            "PyTorch: search": lambda: their_search(few),
            **{f"PyTorch: Captum, {layer}": side for layer, side in pictures.items()},
        }
        seconds = interleave(sides, config.runs, label="Fig. 2")
    all_images = config.images
    done = {name: (all_images, all_images, "images") for name in ("zfjax: search", "zfjax: forward alone")}
    done |= {"zfjax: projections": (everything, everything, "units"), "PyTorch: search": (few, all_images, "images")}
    done |= {f"PyTorch: Captum, {layer}": (TOP * config.captum_maps, units[layer], "units") for layer in units}
    rows, ours, theirs = rows_of(seconds, done)
    searching = np.median(seconds["zfjax: forward alone"] / seconds["zfjax: search"])
    grown = {count: memory(config, count) for count in config.rss_images}
    show(
        f"Fig. 2 of every map of conv1 to conv5 ({everything:,} units), {all_images:,} images of {source_name(config)}",
        ("step", "measured on", "milliseconds", "rate", "whole figure"),
        rows,
        f"The whole figure: zfjax {ours:.3g} s, PyTorch and Captum {theirs:.3g} s, ratio {theirs / ours:.1f}. The "
        f"search runs at {searching:.2f} of the rate of the forward pass alone. Reading and cropping are included.",
        "PyTorch's column is scaled up from what it was measured on. Its script takes the maxima of every batch as it "
        "goes, and one call of Captum for the nine images of a map, on the network cut off above the layer.",
        "zfjax's compiled programs are read from a cache, as from the second run of a script with a cache on.",
        "Peak memory, MB, in a process of its own, after the search / after all projections, which hold every picture: "
        + ", ".join(f"{count:,} images {first:,.0f} / {last:,.0f}" for count, (first, last) in grown.items())
        + ".",
        agreement,
    )


def source_name(config: Config) -> str:
    return Path(config.folder).name if config.folder else "rendered scenes"


if __name__ == "__main__":
    start(Config, run, needs=("torch", "captum"))
