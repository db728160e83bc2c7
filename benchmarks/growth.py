"""How ZFNet's times grow with the batch and the image: python -m benchmarks.growth"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.operations import projection_mult_adds
from benchmarks.timing import interleave, machine, show, spread, start
from zfjax.arch import Arch
from zfjax.errors import InputError

LAYER = "conv5"  # one unit of it is projected in every image
KINDS = {"forward": Arch.forward_mult_adds, "training step": Arch.train_mult_adds}
KINDS |= {"projection": functools.partial(projection_mult_adds, layer=LAYER)}


@dataclass(frozen=True)
class Config:
    """Milliseconds an image of the forward pass, the training step and a conv5 projection, as a table and a picture."""

    batch_sizes: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128, 256)
    """Batches, at --image_size."""
    image_sizes: tuple[int, ...] = (112, 160, 224, 320, 448)
    """Sides of the network's input in pixels, at --batch_size."""
    batch_size: int = 16
    """Images of a batch while the image grows."""
    image_size: int = 224
    """Side of the network's input while the batch grows."""
    limit_secs: float = 600.0
    """A size is left out when all its runs would take longer, by what the one before took for an operation."""
    limit_gb: float = 12.0
    """A size is left out when one of its programs needs more memory."""
    runs: int = 7
    """Timed runs of each size."""
    out: str = "benchmarks/growth.png"
    """The picture."""


class Size(NamedTuple):
    """One batch of one image size, and what it took: seconds an image, {kind: [runs]}; or why it was left out."""

    batch: int
    image: int
    mult_adds: dict[str, int]
    seconds: dict[str, np.ndarray]
    left_out: str = ""


class _TooLarge(Exception):
    """Why a size is left out."""


def programs(arch: Arch, params: dict, batch: int, limit_gb: float) -> dict[str, Callable[[], object]]:
    """What is timed at one size: functions that return when their result is there. Raises _TooLarge."""
    import jax
    import jax.numpy as jnp

    from benchmarks.inputs import MEAN, canvases, crops
    from zfjax.convnet import ConvNet, forward
    from zfjax.deconvnet import project, strongest
    from zfjax.preprocess import Preprocess
    from zfjax.train.step import Plateau, TrainState, make_optimizer, train_step

    def compiled(program, *args, **more):
        program = program.lower(*args, **more).compile()
        sizes = program.memory_analysis()
        needed = (sizes.argument_size_in_bytes + sizes.output_size_in_bytes + sizes.temp_size_in_bytes) / 1e9
        if needed > limit_gb:
            raise _TooLarge(f"needs {needed:.1f} GB")
        return program

    def ready(call: Callable, *args, **more) -> Callable[[], object]:
        program = compiled(jax.jit(call), *args, **more)
        return lambda: jax.block_until_ready(program(*args, **more))

    params, images = jax.device_put((params, crops(batch, arch.image_size)))
    logits = ready(lambda params, images: forward(arch, params, images).logits, params, images)
    tx, own = make_optimizer(arch.recipe), jax.tree.map(jnp.array, params)  # a copy, for the step consumes it
    state = TrainState(jnp.int32(0), own, tx.init(params), Plateau(jnp.float32(0), jnp.int32(0), jnp.int32(0)))
    inputs = {"label": np.zeros(batch, np.int32), "crop": np.zeros((batch, 3), np.int32)}
    side = Preprocess.of(arch).smallest_side
    inputs["image"] = canvases(batch, side)
    mean = np.full((side, side, 3), MEAN, np.float32)
    rest = inputs, Preprocess.of(arch, mean), jax.random.key(0)
    step = functools.partial(train_step, net=ConvNet(arch), tx=tx, total_steps=1000)
    step = compiled(jax.jit(step, donate_argnums=0), state, *rest)

    def training() -> None:
        nonlocal state
        state, _ = jax.block_until_ready(step(state, *rest))

    seen = ready(functools.partial(forward, arch), params, images)()
    down = functools.partial(project, arch, layer=LAYER)
    projection = ready(down, params, seen, units=strongest(seen, LAYER, [0]))
    return {"forward": logits, "training step": training, "projection": projection}


def measure(batch: int, image: int, before: Size | None, config: Config) -> Size:
    """One size; `before`: a smaller one, from which the time is foretold."""
    from benchmarks.inputs import network

    arch, params = network(image)
    counts = {kind: count(arch) for kind, count in KINDS.items()}
    size = Size(batch, image, counts, {})
    if before and before.seconds:
        each = {kind: np.median(times) / before.mult_adds[kind] for kind, times in before.seconds.items()}
        foretold = batch * (config.runs + 1) * sum(each[kind] * counts[kind] for kind in KINDS)
        if foretold > config.limit_secs:
            return size._replace(left_out=f"would take {foretold:.0f} s")
    try:
        sides = programs(arch, params, batch, config.limit_gb)
    except _TooLarge as reason:
        return size._replace(left_out=str(reason))
    seconds = interleave(sides, config.runs, label=f"{image} pixels, batch {batch}")
    return size._replace(seconds={kind: times / batch for kind, times in seconds.items()})


def series(sizes: list[tuple[int, int]], config: Config) -> list[Size]:
    """One size after the other, (batch, image), each foretold from the last that was measured."""
    found: list[Size] = []
    for batch, image in sizes:
        measured = [size for size in found if size.seconds]
        found.append(measure(batch, image, measured[-1] if measured else None, config))
    return found


def row(size: Size) -> tuple[str, ...]:
    """A line of the table."""
    counts = [f"{size.mult_adds[kind] / 1e6:,.0f}" for kind in KINDS]
    times = [spread(size.seconds[kind]) if size.seconds else "left out" for kind in KINDS]
    return f"{size.image} pixels, batch {size.batch}", *(
        cell for pair in zip(times, counts, strict=True) for cell in pair
    )


def draw(by_batch: list[Size], by_image: list[Size], path: str) -> None:
    """Times over the batch and over the image, on logarithmic axes; dashed, what the operations alone would make."""
    from matplotlib import rc_context

    from zfjax.draw.page import CHART_STYLE, chart, save

    title = "ZFNet: time of one image as the batch and the image grow"
    caption = (
        f"Medians of float32. Projection: one {LAYER} unit an image, its forward pass not counted. Dashed: in "
        f"proportion to the multiply-adds, from the largest size measured. {machine()}"
    )
    figure, part = chart(2.6, title=title, caption=caption)
    with rc_context(CHART_STYLE):
        axes = part.subplots(1, 2, sharey=True)
        for panel, sizes, of, name in (
            (axes[0], by_batch, "batch", f"batch at {by_batch[0].image} pixels"),
            (axes[1], by_image, "image", f"side of the image in pixels, batch {by_image[0].batch}"),
        ):
            _curves(panel, [size for size in sizes if size.seconds], of)
            panel.set(xscale="log", yscale="log", xlabel=name)
            ticks = [getattr(size, of) for size in sizes]
            panel.set_xticks(ticks, map(str, ticks))
            panel.set_xticks([], minor=True)
        axes[0].set_ylabel("milliseconds an image")
        axes[0].legend()
        part.subplots_adjust(left=0.08, right=0.98, bottom=0.16, top=0.97, wspace=0.08)
    save(figure, path)


def _curves(panel, sizes: list[Size], of: str) -> None:
    for kind in KINDS:
        x = [getattr(size, of) for size in sizes]
        times = [1000 * np.median(size.seconds[kind]) for size in sizes]
        needed = np.array([size.mult_adds[kind] for size in sizes])
        (line,) = panel.plot(x, times, "o-", markersize=2.5, label=kind)
        panel.plot(x, times[-1] * needed / needed[-1], "--", linewidth=0.6, color=line.get_color())


def run(config: Config) -> None:
    if not (config.batch_sizes and config.image_sizes):
        raise InputError("--batch_sizes and --image_sizes each need at least one size")
    by_batch = series([(batch, config.image_size) for batch in sorted(config.batch_sizes)], config)
    by_image = series([(config.batch_size, image) for image in sorted(config.image_sizes)], config)
    sizes = [*by_batch, *by_image]
    reasons = [f"{size.image} pixels, batch {size.batch} ({size.left_out})" for size in sizes if size.left_out]
    limits = f"{config.limit_secs:g} s or {config.limit_gb:g} GB"
    show(
        "Time of one image of zf, float32",
        ("size", *(column for kind in KINDS for column in (f"{kind}, ms", "million mult-adds"))),
        [row(size) for size in sizes],
        f"Milliseconds, median (quartiles). Projection: one {LAYER} unit an image, its forward pass not counted.",
        f"Left out, over {limits}: {', '.join(reasons)}." if reasons else "",
    )
    if any(size.seconds for size in by_batch) and any(size.seconds for size in by_image):
        draw(by_batch, by_image, config.out)
        print(Path(config.out))


if __name__ == "__main__":
    start(Config, run)
