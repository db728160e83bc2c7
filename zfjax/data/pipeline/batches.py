"""Batches for training and evaluation: Grain, threads only, the same on any number of processes.

Grain is handed whole batches: what it does for each of its elements takes longer than reading an image.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from zfjax.canvas import ten_crop_offsets
from zfjax.data.pipeline.order import Crop, Order
from zfjax.data.pipeline.rows import Batch, read_rows
from zfjax.data.source import Source
from zfjax.errors import InputError
from zfjax.runtime.places import cores

CROPS = ("ten", "random", "whole", "centre")


def train_batches(
    source: Source,
    *,
    batch_size: int,
    image_size: int,
    crops: str,
    seed: int,
    start_step: int = 0,
    process_index: int = 0,
    process_count: int = 1,
    num_threads: int | None = None,
) -> Iterator[Batch]:
    """Endless batches in an order that changes every epoch and depends on the seed alone.

    batch_size: images of all processes together; each of them reads and gets its own consecutive rows. start_step: the
    batch to begin with, exactly as if those before had been drawn. An epoch may end within a batch: no image is left
    out.
    Yields {"image": uint8 [B, S, S, C], "label": int32 [B], "index": int32 [B], "crop": int32 [B, 3]}, where crop is
    (top, left, flip) of the image_size square to cut out, drawn here and cut on the device:
      "ten": one of the corners or the centre, flipped or not (section 3); "random": any place, flipped or not;
      "whole", "centre": the centre, not flipped.
    Raises InputError for a batch that does not fit, image_size above S, unknown crops, and unreadable images.
    """
    import grain

    check_batch(source, batch_size, process_count)
    draw_crop = crop_drawer(crops, canvas_size=source[0]["image"].shape[0], image_size=image_size)
    order = Order(len(source), seed)

    def read(number: int) -> Batch:
        places = _places(number, batch_size, process_index, process_count)
        return {**read_rows(source, order.indices(places)), "crop": order.crops(places, draw_crop)}

    batches = grain.MapDataset.range(sys.maxsize // batch_size).map(read)
    iterator = iter(batches.to_iter_dataset(_read_options(num_threads)))
    grain.experimental.set_next_index(iterator, start_step)
    return iterator


def eval_batches(
    source: Source,
    *,
    batch_size: int,
    indices: Sequence[int] | np.ndarray | None = None,
    process_index: int = 0,
    process_count: int = 1,
    num_threads: int | None = None,
) -> Iterator[Batch]:
    """Every image exactly once and in order, or those of `indices`; all batches have batch_size rows.

    Of several processes each gets its own consecutive batch_size / process_count rows of every batch.
    Yields {"image", "label", "index"} as `train_batches`, and "mask": bool [B], False where the last batch repeats its
    last image to fill up, and where another image stands in for a broken one (`zfjax.data.sources.broken`).
    Raises InputError for images that cannot be read and for indices outside the source.
    """
    chosen = np.arange(len(source)) if indices is None else np.asarray(indices, dtype=np.int64)
    if batch_size < 1:
        raise InputError(f"batch_size must be at least 1; got {batch_size}")
    if batch_size % process_count:
        raise InputError(f"batch_size {batch_size} cannot be divided among {process_count} processes")
    if len(chosen) and not (0 <= chosen.min() and chosen.max() < len(source)):
        raise InputError(f"indices must lie in 0..{len(source) - 1}; got {chosen.min()}..{chosen.max()}")
    return _padded_batches(source, chosen, (batch_size, process_index, process_count), num_threads)


def _padded_batches(source: Source, chosen: np.ndarray, rows: tuple, num_threads: int | None) -> Iterator[Batch]:
    import grain

    if not len(chosen):
        return
    padding = -len(chosen) % rows[0]
    filled = np.concatenate([chosen, np.repeat(chosen[-1], padding)])
    counted = np.arange(len(filled)) < len(chosen)

    def read(number: int) -> Batch:
        places = _places(number, *rows)
        batch = read_rows(source, filled[places].tolist())
        sound = batch.pop("sound", True)
        return {**batch, "mask": counted[places] & sound}

    batches = grain.MapDataset.range(len(filled) // rows[0]).map(read)
    yield from batches.to_iter_dataset(_read_options(num_threads))


def _places(number: int, batch_size: int, process_index: int, process_count: int) -> range:
    """The rows of a batch that belong to one process: consecutive, in the order of its devices."""
    size = batch_size // process_count
    first = number * batch_size + process_index * size
    return range(first, first + size)


def crop_drawer(crops: str, *, canvas_size: int, image_size: int) -> Callable[[np.random.Generator], Crop]:
    """A function of a random generator that returns (top, left, flip) of one crop."""
    room = canvas_size - image_size
    if crops not in CROPS:
        raise InputError(f"unknown crops {crops!r}; choose one of {', '.join(CROPS)}")
    if room < 0:
        raise InputError(f"image_size {image_size} is larger than the stored images of {canvas_size}x{canvas_size}")
    ten = ten_crop_offsets(canvas_size, image_size)

    def draw(rng: np.random.Generator) -> Crop:
        match crops:
            case "ten":
                return ten[rng.integers(10)]
            case "random":  # one by one: the same numbers for all three together take four times as long
                return rng.integers(room + 1), rng.integers(room + 1), rng.integers(2)
        return ten[4]

    return draw


def check_batch(source: Source, batch_size: int, process_count: int = 1) -> None:
    """Raises InputError for a batch that does not fit the data set or the processes."""
    if not 1 <= batch_size <= len(source):
        raise InputError(f"batch_size {batch_size} must lie between 1 and the {len(source)} images of the data set")
    if batch_size % process_count:
        raise InputError(f"batch_size {batch_size} cannot be divided among {process_count} processes")


def left_over(images: int, batch_size: int) -> str:
    """A sentence on the images that an epoch of whole batches leaves to the next; "" for less than a hundredth."""
    steps, rest = divmod(images, batch_size)
    if not steps or 100 * rest < images:
        return ""
    return (
        f"an epoch is {steps} step{'s' * (steps > 1)} of {batch_size} images here; the other {rest} of the {images} "
        "begin the next one, so that none is left out"
    )


def _read_options(num_threads: int | None):
    """One thread a core: 16 threads on two cores decoded 355 photos a second and core, against 598 with two.

    Grain counts its buffer in batches; eight of 128 canvases of 256x256 are 200 MB.
    """
    import grain

    threads = num_threads or min(16, cores())
    return grain.ReadOptions(num_threads=threads, prefetch_buffer_size=max(threads, 4))
