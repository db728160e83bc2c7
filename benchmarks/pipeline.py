"""The input pipeline against tf.data, from JPEG files and from prepared sets: python -m benchmarks.pipeline"""

from __future__ import annotations

import contextlib
import gc
import itertools
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.timing import show
from zfjax.cli.flags import parse_flags
from zfjax.data.source import Record
from zfjax.errors import InputError, exit_on_bad_input

SAMPLES = Path(__file__).resolve().parents[2] / "shared" / "data" / "imagenet_samples" / "images"
CANVAS, CROP = 256, 224
EPOCH = 1_281_167  # as of ImageNet: finding an image's place takes 4 us there, and 90 us where there are 200 images
COPIES = 8  # of each photo in a prepared set: 200 raw canvases are 39 MB, which some processors have as cache
Batches = Callable[[], Iterator]


@dataclass(frozen=True)
class Config:
    """Images a second from JPEG files to 224x224 crops, by zfjax and by a plain tf.data pipeline (if it is there)."""

    folder: str = str(SAMPLES)
    """Folder with JPEG files, at any depth."""
    batch_size: int = 64
    """Images of a batch."""
    runs: int = 7
    """Timed turns of each pipeline."""
    secs: float = 1.5
    """Seconds of a turn."""


class Epoch:
    """A source again and again, as many images as ImageNet has."""

    def __init__(self, source: Any):
        self.source, self.class_names = source, source.class_names

    def __len__(self) -> int:
        return EPOCH

    def __getitem__(self, index: int) -> Record:
        return self.source[index % len(self.source)]

    def describe(self, index: int) -> str:
        return self.source.describe(index % len(self.source))


class PreparedEpoch(Epoch):
    """The same of a prepared set, whose images are read into the rows of a batch."""

    def read_into(self, index: int, image: np.ndarray) -> Record:
        return self.source.read_into(index % len(self.source), image)


def link_images(folder: str, root: Path) -> list[str]:
    """Class folders of links to all JPEG files, each several times, as zfjax reads them; returns the files."""
    files = sorted(str(path) for path in Path(folder).rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    if len(files) < 2:
        raise InputError(f"--folder: {folder} has {len(files)} JPEG files; give a folder with some hundred photos")
    for number, file in enumerate(files * COPIES):
        for split in ("train", "val")[: 1 if number > 1 else 2]:
            link = root / split / "ab"[number % 2] / f"{number:06}.jpg"
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(Path(file).resolve())
    return files


def our_pipelines(photos: Path, out: Path, batch_size: int, cores: int) -> dict[str, Batches]:
    """zfjax from files and from both kinds of prepared set, each with and without the crops that the device makes."""
    import jax
    import jax.numpy as jnp

    from zfjax.data.pipeline.batches import train_batches
    from zfjax.data.prepare import PrepareConfig, prepare
    from zfjax.data.prepared.reader import open_prepared
    from zfjax.data.sources.folder import open_folder
    from zfjax.preprocess import Preprocess

    sources = {"zfjax, from files": Epoch(open_folder(photos, canvas_size=CANVAS)[0])}
    for format in ("raw", "jpeg"):
        with contextlib.redirect_stdout(None):
            prepare(PrepareConfig(out=str(out / format), dataset=f"folder:{photos}", format=format))
        sources[f"zfjax, prepared {format}"] = PreparedEpoch(open_prepared(out / format, canvas_size=CANVAS)[0])
    mean = jnp.full((CANVAS, CANVAS, 3), 120.0)
    cut = jax.jit(Preprocess(CANVAS, CROP, mean).crops)

    def canvases(source: Epoch) -> Batches:
        options = {"batch_size": batch_size, "image_size": CROP, "crops": "random", "seed": 0}
        return lambda: train_batches(source, **options, num_threads=cores)

    def crops(batches: Batches) -> Batches:
        def make() -> Iterator:
            with contextlib.closing(batches()) as iterator:
                for batch in iterator:
                    yield jax.block_until_ready(cut(batch["image"], batch["crop"]))

        return make

    pipelines = {name: canvases(source) for name, source in sources.items()}
    return pipelines | {f"{name} + crops on this CPU": crops(batches) for name, batches in pipelines.items()}


def tf_canvas(tf, data, *, cut_first: bool):
    """A JPEG file's bytes as float32 [256, 256, 3]: resized with antialiasing, then cut, or the other way round."""
    image = tf.io.decode_jpeg(data, channels=3)
    height, width = tf.shape(image)[0], tf.shape(image)[1]
    side = tf.minimum(height, width)
    if cut_first:
        image = tf.image.crop_to_bounding_box(image, (height - side) // 2, (width - side) // 2, side, side)
        return tf.image.resize(image, (CANVAS, CANVAS), antialias=True)
    factor = CANVAS / tf.cast(side, tf.float32)
    size = [tf.cast(tf.round(tf.cast(length, tf.float32) * factor), tf.int32) for length in (height, width)]
    image = tf.image.resize(image, size, antialias=True)
    return tf.image.crop_to_bounding_box(image, (size[0] - CANVAS) // 2, (size[1] - CANVAS) // 2, CANVAS, CANVAS)


def tf_pipelines(files: list[str], batch_size: int, cores: int) -> dict[str, Batches]:
    """The same work in tf.data: read, decode, resize, cut, random crop and flip, mean; empty without TensorFlow."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        import tensorflow as tf
    except ImportError:
        return {}
    tf.config.set_visible_devices([], "GPU")
    mean = tf.fill((CANVAS, CANVAS, 3), 120.0)

    def pipeline(cut_first: bool) -> Batches:
        def read(path):
            image = tf_canvas(tf, tf.io.read_file(path), cut_first=cut_first) - mean
            return tf.image.random_flip_left_right(tf.image.random_crop(image, (CROP, CROP, 3)))

        options = tf.data.Options()
        options.deterministic = False
        options.threading.private_threadpool_size = cores
        options.threading.max_intra_op_parallelism = 1
        data = tf.data.Dataset.from_tensor_slices(files).shuffle(len(files)).repeat()
        data = data.map(read, num_parallel_calls=tf.data.AUTOTUNE).batch(batch_size)
        return data.prefetch(tf.data.AUTOTUNE).with_options(options).as_numpy_iterator

    return {"tf.data, resized whole": pipeline(False), "tf.data, centre cut first": pipeline(True)}


def difference(files: list[str]) -> str:
    """How far the canvases of both sides are apart, as a sentence: different pictures would be different work."""
    import tensorflow as tf

    from zfjax.canvas import to_canvas

    apart = []
    for file in files[:50]:
        data = Path(file).read_bytes()
        apart.append(np.abs(tf_canvas(tf, data, cut_first=True).numpy() - to_canvas(data, CANVAS)).mean())
    return f"Canvases of zfjax and tf.data differ by {np.mean(apart):.1f} of 255 levels in the mean."


def rate(batches: Batches, batch_size: int, cores: int, secs: float) -> tuple[float, float]:
    """Images a second, and a second of processor time, of a pipeline that is started here.

    The threads' first batches are not counted, and come in bursts: one of each thread.
    """
    iterator = batches()
    for _ in itertools.islice(iterator, 2 * cores):
        pass
    count, start, processor = 0, time.perf_counter(), time.process_time()
    while (elapsed := time.perf_counter() - start) < secs:
        for _ in itertools.islice(iterator, cores):
            count += batch_size
    processor = time.process_time() - processor
    if hasattr(iterator, "close"):
        iterator.close()
    del iterator
    gc.collect()
    time.sleep(0.3)  # batches under way are finished before the next one's turn
    return count / elapsed, count / processor


def measure(pipelines: dict[str, Batches], config: Config, cores: int) -> dict[str, np.ndarray]:
    """Both rates of every turn, [runs, 2]; turns alternate, and the first of each is not counted."""
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in pipelines}
    with tqdm(total=(config.runs + 1) * len(pipelines), desc="pipelines", leave=False) as bar:
        for _ in range(config.runs + 1):
            for name, batches in pipelines.items():
                rates[name].append(rate(batches, config.batch_size, cores, config.secs))
                bar.update()
    return {name: np.array(values[1:]) for name, values in rates.items()}


def row(name: str, rates: np.ndarray, reference: np.ndarray) -> tuple[str, ...]:
    """Both rates with their quartiles, and how many times those of the reference they are, turn by turn."""
    cells = [name]
    for ours, theirs in zip(rates.T, reference.T, strict=True):
        low, middle, high = np.percentile(ours, (25, 50, 75))
        cells += [f"{middle:,.0f} ({low:,.0f} .. {high:,.0f})", f"{np.median(ours / theirs):.2f}"]
    return tuple(cells)


def run(config: Config) -> None:
    if config.runs < 1:
        raise InputError(f"--runs must be at least 1, not {config.runs}")
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        files = link_images(config.folder, Path(folder) / "photos")
        theirs = tf_pipelines(files, config.batch_size, cores)
        ours = our_pipelines(Path(folder) / "photos", Path(folder), config.batch_size, cores)
        rates = measure(theirs | ours, config, cores)
    reference = next(iter(rates.values()))
    versions = [f"{name} {metadata.version(name)}" for name in ("grain", "pillow")]
    if theirs:
        import tensorflow as tf

        versions.append(f"TensorFlow {tf.__version__}")
    show(
        f"Input pipelines on {len(files)} JPEG files, batches of {config.batch_size}",
        ("pipeline", "images a second", "ratio", "a second of processor time", "ratio"),
        [row(name, values, reference) for name, values in rates.items()],
        f"Medians and quartiles; ratio: against {next(iter(rates))}, in the same turn. Processor time counts all "
        "threads, so that its rate is that of one core; other programs on the machine disturb it less.",
        "zfjax: the host makes uint8 canvases of 256x256 and draws the places of the crops; crop, flip and mean run on "
        'the device, in the same jit as the network. "+ crops on this CPU": with these too, where there is no device. '
        "tf.data: float32 crops of 224x224, less the mean.",
        difference(files) if theirs else "TensorFlow is not installed: its pipelines were left out.",
        f"Files in the page cache; {cores} cores, as many threads; {config.runs} alternating turns of {config.secs} s; "
        f"{', '.join(versions)}.",
    )


def main() -> None:
    config = parse_flags(Config)
    with exit_on_bad_input():
        run(config)


if __name__ == "__main__":
    main()
