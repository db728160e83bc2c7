"""Small files of a run folder that are not what was written: named, never taken, never a traceback or a wait."""

import json
import os
import random
import warnings

import numpy as np
import pytest
from runs import random_run

from zfjax.arch import Arch
from zfjax.errors import InputError
from zfjax.layers import Concat, Conv
from zfjax.runs import run as opened
from zfjax.runs.folder import append_metrics, check_files, create_run, open_run, read_metrics, truncate_metrics
from zfjax.runs.run import load_run
from zfjax.runs.steps import steps

SMALL = ("config.json", "classes.txt", "mean.npy")
KEYS = ("checked", "checksums")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The small files of a run, as bytes."""
    folder = random_run(tmp_path_factory.mktemp("runs") / "run")
    return {name: (folder / name).read_bytes() for name in SMALL}


@pytest.fixture
def folder(whole, tmp_path, monkeypatch):
    """The run without its parameters, which have checksums of their own."""
    for name, data in whole.items():
        (tmp_path / name).write_bytes(data)
    monkeypatch.setattr(opened, "_newest_params", lambda *_: (7, {}))
    return tmp_path


def what_is_read(folder):
    run = load_run(folder)
    return run.arch, run.class_names, run.mean.dtype, run.mean.tobytes(), run.preprocess.to_dict(), run.config


def damaged(data: bytes, rng: random.Random) -> bytes:
    """A bit flipped, a byte changed, lost or too many, an end cut off, a stretch of noise."""
    at = rng.randrange(len(data))
    noise = rng.randbytes(rng.randrange(1, 40))
    return rng.choice(
        [
            data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :],
            data[:at] + noise[:1] + data[at + 1 :],
            data[:at] + data[at + 1 :],
            data[:at] + noise[:1] + data[at:],
            data[:at],
            data[:at] + noise + data[at + len(noise) :],
        ]
    )


@pytest.mark.parametrize("name", SMALL)
def test_what_is_read_is_what_was_written_or_refused(folder, whole, name):
    rng, there, refused = random.Random(name), what_is_read(folder), 0
    for _ in range(150):
        (folder / name).write_bytes(damaged(whole[name], rng))
        try:
            assert what_is_read(folder) == there
        except InputError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused > 100


def rewrite(folder, **values):
    """config.json with these values; None: without that key."""
    path = folder / "config.json"
    config = {**json.loads(path.read_text()), **values}
    lost = [key for key, value in values.items() if value is None]
    path.write_text(json.dumps({key: value for key, value in config.items() if key not in lost}))


def test_files_that_would_fit_are_named(folder, whole):
    lines = whole["classes.txt"].splitlines(keepends=True)
    (folder / "classes.txt").write_bytes(b"".join(reversed(lines)))
    with pytest.raises(InputError, match=r"classes\.txt is not what the training wrote: its checksum differs; put "):
        load_run(folder)
    (folder / "classes.txt").write_bytes(whole["classes.txt"])
    np.save(folder / "mean.npy", np.load(folder / "mean.npy") + 1)
    with pytest.raises(InputError, match=r"mean\.npy is not what the training wrote"):
        load_run(folder)
    (folder / "mean.npy").write_bytes(whole["mean.npy"])
    rewrite(folder, dataset="folder:elsewhere")
    with pytest.raises(InputError, match=r"config\.json is not .* or take its keys checked and checksums out if you"):
        load_run(folder)


@pytest.mark.parametrize("key", KEYS)
def test_a_lost_key_hides_nothing(folder, key):
    rewrite(folder, **{key: None})
    with pytest.raises(InputError, match=r"config\.json is not what the training wrote"):
        load_run(folder)


def test_spaces_are_no_damage(folder):
    there = what_is_read(folder)
    rewrite(folder)
    assert what_is_read(folder) == there and not set(KEYS) & set(there[-1])


def test_runs_of_before_are_looked_at_and_gain_checksums_when_they_go_on(folder, whole):
    rewrite(folder, checked=None, checksums=None)
    config = load_run(folder).config
    (folder / "classes.txt").write_bytes(whole["classes.txt"].upper())
    load_run(folder)  # nothing tells
    assert open_run(folder, config)
    (folder / "classes.txt").write_bytes(whole["classes.txt"])
    with pytest.raises(InputError, match=r"classes\.txt is not what the training wrote"):
        check_files(folder)
    with pytest.raises(InputError, match=r"classes\.txt is not what the training wrote"):
        open_run(folder, config)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1, 256])
def test_a_mean_that_is_no_colour(folder, value):
    rewrite(folder, checked=None, checksums=None)
    mean = np.load(folder / "mean.npy")
    mean[3, 4, 1] = value
    np.save(folder / "mean.npy", mean)
    with pytest.raises(InputError, match=r"mean\.npy \(it holds values outside 0\.\.255\)"):
        load_run(folder)


NO_FILE = "no regular file|Is a directory|a pipe or a device, not a file"
KINDS = {"directory": os.mkdir, "pipe": os.mkfifo, "device": lambda path: os.symlink("/dev/zero", path)}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_is_not_waited_for(folder, kind):
    readers = {"classes.txt": load_run, "mean.npy": load_run, "metrics.jsonl": read_metrics}
    for name, read in readers.items():
        before = (folder / name).read_bytes() if name in SMALL else None
        (folder / name).unlink(missing_ok=True)
        KINDS[kind](folder / name)
        with pytest.raises(InputError, match=rf"cannot read .*{name} .*({NO_FILE})"):
            read(folder)
        if before:
            (folder / name).rmdir() if kind == "directory" else (folder / name).unlink()
            (folder / name).write_bytes(before)
    with pytest.raises(InputError, match=NO_FILE):
        truncate_metrics(folder, 3)


def test_a_missing_part_of_a_run_that_goes_on_is_named(folder):
    config = load_run(folder).config
    (folder / "mean.npy").unlink()
    with pytest.raises(InputError, match=r"cannot read .*mean\.npy"):
        create_run(folder, config, ["a"], np.zeros((2, 2, 3)))


def test_lines_of_metrics_whose_steps_are_none_are_left_out(tmp_path):
    append_metrics(tmp_path, {"step": 1, "epoch": 1})
    for step in ("1", 1.5, None, [], {}, True):
        append_metrics(tmp_path, {"step": step})
        append_metrics(tmp_path, {"step": 2, "epoch": step})
    assert read_metrics(tmp_path) == [{"step": 1, "epoch": 1}]
    truncate_metrics(tmp_path, 9)
    assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 1, "epoch": 1}\n'


def test_names_that_are_digits_and_no_steps(tmp_path):
    for name in ("²", "٣", "007", "+7", "7_0", "12", "0", "7.orbax-checkpoint-tmp"):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
    assert steps(tmp_path) == [0, 12]


@pytest.mark.parametrize("name", ["about/metadata", "params/_METADATA", "params/manifest.ocdbt"])
def test_a_pipe_in_a_checkpoint_is_not_waited_for(tmp_path, name):
    folder = random_run(tmp_path / "run")
    [step] = (folder / "checkpoints").glob("[0-9]*")
    (step / name).unlink()
    os.mkfifo(step / name)
    with pytest.raises(InputError, match="is a pipe or a device, not a file"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        load_run(folder)


@pytest.mark.parametrize("name", SMALL)
def test_files_with_holes_are_not_read_into_memory(folder, name):
    """As many bytes as a disk can have names for, and none of them on it."""
    os.truncate(folder / name, 1 << 40)
    with pytest.raises(InputError, match=rf"{name}.* has 1,099,511,627,776 bytes, and may have [\d,]+"):
        load_run(folder)


def test_a_header_that_claims_more_than_the_file_holds_takes_no_memory(folder):
    data = (folder / "mean.npy").read_bytes()
    claims = data.replace(b"(46, 46, 3), }", b"(46, 999999999, 3), }", 1)
    (folder / "mean.npy").write_bytes(claims[: len(data)])
    with pytest.raises(InputError, match=r"cannot read .*mean\.npy"):
        load_run(folder)


def doubled(count: int) -> list[dict]:
    """Layers of which each has twice the channels of the one before."""
    names = ["conv1", *(f"double{number}" for number in range(count))]
    pairs = zip(names, names[1:], strict=False)
    first = Conv("conv1", 4, kernel=3)
    layers = (first, *(Concat(name, inputs=(before, before)) for before, name in pairs))
    return Arch(layers, image_size=40, num_classes=10).to_dict()["layers"]


GIANTS = {
    "30 doublings": (lambda arch: {"layers": doubled(30)}, r"needs [\d,]+ bytes for one image, and this machine has"),
    "45 doublings": (lambda arch: {"layers": doubled(45)}, "bytes for one image, and this machine has"),
    "4,000 doublings": (lambda arch: {"layers": doubled(4000)}, "needs more than 10.18 bytes for one image"),
    "layers": (
        lambda arch: {"layers": arch["layers"][:1] * 1_000_000},
        "may have 10,000 layers, and this one has more",
    ),
    "features": (
        lambda arch: {"layers": [{**arch["layers"][0], "features": 10**15}, *arch["layers"][1:]]},
        "parameters needs more than 10.18 bytes",
    ),
    "image_size": (lambda arch: {"image_size": 10**7}, "at 10000000x10000000"),
    "num_classes": (lambda arch: {"num_classes": 10**12}, "this machine has"),
}


@pytest.mark.parametrize("what", GIANTS)
def test_networks_that_no_machine_has_the_memory_for_are_refused_when_a_run_is_opened(folder, what, monkeypatch):
    config = json.loads((folder / "config.json").read_text())
    change, message = GIANTS[what]
    arch = {**config["arch"], **change(config["arch"])}
    monkeypatch.setattr(opened, "read_config", lambda _: {**config, "arch": arch})
    with pytest.raises(InputError, match=message):
        load_run(folder)
