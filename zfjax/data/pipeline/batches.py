"""Batches for training and evaluation: Grain, threads only, the same on any number of processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from zfjax.canvas import ten_crop_offsets
from zfjax.data.source import Source
from zfjax.errors import InputError
from zfjax.runtime.places import cores

Batch = dict[str, np.ndarray]

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
    records = grain.MapDataset.source(source).seed(seed).shuffle().repeat()
    # Crops are drawn before the division: after it, every process would draw the same numbers.
    records = records.random_map(lambda record, rng: {**record, "crop": draw_crop(rng)})
    if process_count > 1:
        records = grain.MapDataset.source(_Rows(records, batch_size, process_index, process_count))
    batches = records.batch(batch_size // process_count)
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
    mine = _Rows(range(len(filled)), *rows)

    def read(row: int) -> dict[str, np.ndarray]:
        record = dict(source[int(filled[row])])
        return {**record, "mask": counted[row] & record.pop("sound", True)}

    records = grain.MapDataset.source(mine).map(read)
    yield from records.batch(mine.size).to_iter_dataset(_read_options(num_threads))


class _Rows:
    """The rows of each batch that belong to one process, as a sequence: consecutive, in the order of its devices."""

    def __init__(self, records: Any, batch_size: int, process_index: int, process_count: int):
        self.records, self.batch_size, self.process_count = records, batch_size, process_count
        self.size = batch_size // process_count
        self.first = process_index * self.size

    def __len__(self) -> int:
        return len(self.records) // self.process_count

    def __getitem__(self, index: int):
        batch, row = divmod(int(index), self.size)
        return self.records[batch * self.batch_size + self.first + row]


def crop_drawer(crops: str, *, canvas_size: int, image_size: int):
    """A function of a random generator that returns int32 [3]: (top, left, flip) of one crop."""
    room = canvas_size - image_size
    if crops not in CROPS:
        raise InputError(f"unknown crops {crops!r}; choose one of {', '.join(CROPS)}")
    if room < 0:
        raise InputError(f"image_size {image_size} is larger than the stored images of {canvas_size}x{canvas_size}")
    ten = np.array(ten_crop_offsets(canvas_size, image_size), np.int32)

    def draw(rng: np.random.Generator) -> np.ndarray:
        match crops:
            case "ten":
                return ten[rng.integers(10)]
            case "random":
                return rng.integers(0, (room + 1, room + 1, 2), dtype=np.int32)
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
