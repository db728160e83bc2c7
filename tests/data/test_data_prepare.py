"""Prepared sets: the same images as from the source, the same bytes after a kill, and damage that is named."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import jax
import numpy as np
import pytest
import runs
from nets import canvas_side
from PIL import Image

from zfjax.arch import Arch
from zfjax.cli import prepare as command
from zfjax.data import dataset as sources
from zfjax.data import mean_image, open_dataset, prepare, train_batches
from zfjax.data.prepared import reader as prepared
from zfjax.errors import InputError
from zfjax.layers import Conv, Dense, MaxPool
from zfjax.recipe import Recipe
from zfjax.runs.run import load_run
from zfjax.train.loop import train

ROOT = Path(__file__).resolve().parents[2]
FORMATS = ("raw", "jpeg")
# A shard of raw images then holds 4 of 20x20x3, one of JPEG 24; every shard is announced and then waited for.
SLOW = """
import sys, time
from zfjax.cli.prepare import main
from zfjax.data import prepare
from zfjax.data.prepared import writer as prepared_writer
prepare.SHARD_BYTES = 4 * 20 * 20 * 3
write = prepared_writer._write_shard
def slowly(work, shard, items, bar):
    write(work, shard, items, bar)
    print("shard", flush=True)
    time.sleep(0.1)
prepared_writer._write_shard = slowly
main()
"""


def make_photos(root: Path, train: int = 30, val: int = 12) -> Path:
    """Two classes of noise in the sizes of photos, PNG; half of them under a name that is not ASCII."""
    rng = np.random.default_rng(0)
    for split, count in (("train", train), ("val", val)):
        for i in range(count):
            folder = root / split / ("ant", "bée")[i % 2]
            folder.mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 256, (24 + i % 5, 30, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{i:02}.png")
    return root


@pytest.fixture(scope="session")
def photos(tmp_path_factory) -> Path:
    return make_photos(tmp_path_factory.mktemp("photos"))


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(prepare, "SHARD_BYTES", 4 * 20 * 20 * 3)


def run_prepare(photos: Path, out: Path, **options) -> Path:
    options = {"dataset": f"folder:{photos}", "size": 20, **options}
    prepare.prepare(prepare.PrepareConfig(out=str(out), **options))
    return out


@pytest.fixture(scope="session")
def whole(photos, tmp_path_factory) -> dict[str, Path]:
    """Each format, prepared in one go."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepare, "SHARD_BYTES", 4 * 20 * 20 * 3)
        root = tmp_path_factory.mktemp("whole")
        return {format: run_prepare(photos, root / format, format=format) for format in FORMATS}


def open_both(photos: Path, out: Path, **options):
    options = {"canvas_size": 20, **options}
    return open_dataset(f"folder:{photos}", **options), open_dataset(f"prepared:{out}", **options)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_raw_images_are_those_of_the_source(photos, whole):
    direct, stored = open_both(photos, whole["raw"])
    assert stored.class_names == direct.class_names == ("ant", "bée")
    for split in prepared.SPLITS:
        source, copy = getattr(direct, split), getattr(stored, split)
        assert len(source) == len(copy) > 4
        for index in range(len(source)):
            one, other = source[index], copy[index]
            assert one.keys() == other.keys()
            for key in one:
                assert one[key].dtype == other[key].dtype
                np.testing.assert_array_equal(one[key], other[key])
            assert copy.describe(index) == source.describe(index).removeprefix(f"{photos}/")
    assert stored.origin == f"30 + 12 images in 2 classes from {whole['raw']}, prepared as raw from folder:{photos}"


def test_jpeg_images_are_close(photos, whole):
    direct, stored = open_both(photos, whole["jpeg"])
    smooth = [np.abs(direct.val[i]["image"].mean((0, 1)) - stored.val[i]["image"].mean((0, 1))).max() for i in range(9)]
    assert 0 < max(smooth) < 3  # noise is the worst case for JPEG; its mean colour stays
    assert [stored.val[i]["label"] for i in range(12)] == [direct.val[i]["label"] for i in range(12)]


@pytest.mark.parametrize("format", FORMATS)
def test_the_stored_mean_is_that_of_the_images_as_read(format, photos, whole):
    direct, stored = open_both(photos, whole[format])
    assert direct.mean is None and stored.mean.dtype == np.float32
    np.testing.assert_array_equal(stored.mean, mean_image(stored.train))


def test_batches_are_the_same(photos, whole):
    options = {"batch_size": 8, "image_size": 16, "crops": "random", "seed": 3}
    batches = [train_batches(data.train, **options) for data in open_both(photos, whole["raw"])]
    for _ in range(5):
        one, other = map(next, batches)
        for key in one:
            np.testing.assert_array_equal(one[key], other[key])


def test_grey(photos, tmp_path):
    direct, stored = open_both(photos, run_prepare(photos, tmp_path / "grey", channels=1), channels=1)
    assert stored.train[3]["image"].shape == (20, 20, 1)
    np.testing.assert_array_equal(stored.train[3]["image"], direct.train[3]["image"])


def start(photos: Path, out: Path, *flags: str, program: str = SLOW) -> subprocess.Popen:
    return runs.start("-c", program, f"--dataset=folder:{photos}", f"--out={out}", "--size=20", *flags)


def wait_for_shards(process: subprocess.Popen, count: int) -> None:
    for line in process.stdout:
        count -= line == "shard\n"
        if not count:
            return
    raise AssertionError(process.stderr.read())


@pytest.mark.parametrize("format", FORMATS)
def test_killed_twice_it_ends_with_the_same_bytes(format, photos, whole, tmp_path):
    out, shards = tmp_path / "set", 0
    for delay in (0.0, 0.11):  # between two shards, and in the middle of one
        process = start(photos, out, f"--format={format}")
        wait_for_shards(process, 1)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        there = len(list(out.glob(f"*-0*.{format}")))
        assert there > shards and not (out / "manifest.json").exists()
        shards = there
    with pytest.raises(InputError, match="set is not finished; give the command that began it"):
        open_dataset(f"prepared:{out}", canvas_size=20)
    (out / "preparing" / "train-00009.raw.part").write_bytes(b"cut short")
    kept = {path.name: path.stat().st_mtime_ns for path in out.glob("*-0*")}
    process = start(photos, out, f"--format={format}")
    said = process.communicate()[0]
    assert process.returncode == 0 and "images are there already" in said
    assert {name: (out / name).stat().st_mtime_ns for name in kept} == kept
    assert contents(out) == contents(whole[format])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_it_says_how_to_go_on(number, code, photos, tmp_path):
    process = start(photos, tmp_path / "set")
    wait_for_shards(process, 1)
    process.send_signal(number)
    ended, said, errors = runs.finish(process, timeout=60)
    assert ended == code and "Traceback" not in errors
    assert said.endswith(f"stopped; what is written stays in {tmp_path}/set, and the same command goes on from there\n")


def test_a_second_process_is_refused(photos, tmp_path):
    process = start(photos, tmp_path / "set")
    try:
        wait_for_shards(process, 1)
        with pytest.raises(InputError, match=f"process {process.pid} .* is writing to {tmp_path}/set"):
            run_prepare(photos, tmp_path / "set")
    finally:
        process.kill()
        process.communicate()


def test_a_finished_set_is_left_alone_and_tidied(photos, whole, tmp_path, capsys):
    out = shutil.copytree(whole["raw"], tmp_path / "set")
    (out / "preparing").mkdir()  # the kill came after the manifest
    (out / "preparing" / "train-00000.npz").write_bytes(b"")
    for said in ("prepared", "nothing is left to do"):
        run_prepare(photos, out)
        assert said in capsys.readouterr().out
        assert contents(out) == contents(whole["raw"])


def test_a_shard_without_its_side_data_is_made_again(photos, whole, tmp_path):
    process = start(photos, tmp_path / "set")
    wait_for_shards(process, 3)
    process.kill()
    process.communicate()
    (tmp_path / "set" / "train-00000.raw").write_bytes(b"short")
    (tmp_path / "set" / "preparing" / "train-00001.npz").write_bytes(b"no archive")
    assert contents(run_prepare(photos, tmp_path / "set")) == contents(whole["raw"])


OTHERS = {"size: 20 there, 24 here": {"size": 24}, "format: raw there, jpeg here": {"format": "jpeg"}}


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize("message", OTHERS)
def test_other_settings_are_refused(message, finished, photos, whole, tmp_path):
    out = shutil.copytree(whole["raw"], tmp_path / "set")
    if not finished:
        (out / "preparing").mkdir()
        settings = json.loads((out / "manifest.json").read_text())["settings"]
        (out / "preparing" / "settings.json").write_text(json.dumps(settings))
        (out / "manifest.json").unlink()
    before = contents(whole["raw"])
    with pytest.raises(InputError, match=rf"other settings \({message}.*repeat them"):
        run_prepare(photos, out, **OTHERS[message])
    assert {name: data for name, data in contents(out).items() if name in before} == {
        name: data for name, data in before.items() if finished or name != "manifest.json"
    }


def test_a_source_that_changed_meanwhile_is_refused(tmp_path):
    photos = make_photos(tmp_path / "photos")
    process = start(photos, tmp_path / "set")
    wait_for_shards(process, 1)
    process.kill()
    process.communicate()
    (photos / "train" / "ant" / "00.png").rename(photos / "train" / "ant" / "new.png")
    with pytest.raises(InputError, match="train_names_crc32: .* there, .* here"):
        run_prepare(photos, tmp_path / "set")


def test_a_folder_with_other_files_is_refused(photos, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="holds other files; give --out a new or an empty folder"):
        run_prepare(photos, tmp_path)
    assert contents(tmp_path) == {"thesis.txt": b"years of work"}


@pytest.fixture
def broken(tmp_path) -> Path:
    """Photos of which one of train and one of val cannot be read."""
    root = make_photos(tmp_path / "photos")
    for file in ("train/bée/13.png", "val/ant/00.png"):
        (root / file).write_bytes((root / file).read_bytes()[:200])
    return root


def test_a_broken_image_stops_or_is_left_out_and_listed(broken, tmp_path, capsys):
    with pytest.raises(InputError, match=r"13\.png: .*; repair it, or leave such images out with --bad_images=skip"):
        run_prepare(broken, tmp_path / "stop")
    out = run_prepare(broken, tmp_path / "skip", bad_images="skip")
    assert "2 images are left out, all listed in" in capsys.readouterr().out
    lines = (out / "skipped.txt").read_text().splitlines()
    assert [line.split(": ")[0] for line in lines] == [f"{broken}/train/bée/13.png", f"{broken}/val/ant/00.png"]
    direct, stored = open_both(broken, out)
    assert (len(stored.train), len(stored.val)) == (29, 11)
    places = {direct.train.describe(i).removeprefix(f"{broken}/"): i for i in range(30)}
    for index in range(29):
        record, original = stored.train[index], direct.train[places[stored.train.describe(index)]]
        np.testing.assert_array_equal(record["image"], original["image"])
        assert record["label"] == original["label"] and record["index"] == index
    np.testing.assert_array_equal(stored.mean, mean_image(stored.train))


def test_a_disk_that_is_gone_is_not_taken_for_broken_images(tmp_path, monkeypatch):
    dataset = open_dataset(f"folder:{make_photos(tmp_path / 'photos')}", canvas_size=20, bad_images="skip")
    monkeypatch.setattr(sources, "open_dataset", lambda *_, **__: dataset)
    shutil.rmtree(tmp_path / "photos")
    with pytest.raises(InputError, match="30 images in a row are broken, the last: .*cannot be read"):
        run_prepare(tmp_path / "photos", tmp_path / "set", bad_images="skip")
    assert not list((tmp_path / "set").glob("train-0*"))


def test_too_small_a_disk_is_refused_before_anything_is_written(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9 - 9999, 9999))
    for format, about in (("raw", ""), ("jpeg", "about ")):
        with pytest.raises(InputError, match=f"set needs {about}0.00 GB and its disk has 0.00 GB free; free some"):
            run_prepare(photos, tmp_path / format / "set", format=format)
        assert not list((tmp_path / format).rglob("*-0*"))


def test_a_disk_that_fills_up_is_one_sentence_and_what_is_there_stays(photos, whole, tmp_path):
    limited = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (5500, 5500))\n"
    code, _, errors = runs.finish(start(photos, tmp_path / "set", program=limited + SLOW))
    assert code == 2, errors
    assert f"error: cannot write {tmp_path}/set/" in errors.splitlines()[-1] and "Traceback" not in errors
    assert contents(run_prepare(photos, tmp_path / "set")) == contents(whole["raw"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"canvas_size": 24},
            "was prepared with --size=20, and --size=24 is needed here; prepare folder:.* with --size=24",
        ),
        ({"channels": 1}, "was prepared with --channels=3, and --channels=1 is needed here"),
    ],
)
def test_another_size_is_refused_with_what_to_do(options, message, whole):
    with pytest.raises(InputError, match=message):
        open_dataset(f"prepared:{whole['raw']}", **{"canvas_size": 20, **options})


DAMAGE = {
    "does not exist": shutil.rmtree,
    "is no prepared set: it has no manifest.json": lambda out: (out / "manifest.json").unlink(),
    "manifest.json is damaged": lambda out: (out / "manifest.json").write_text("{"),
    "of version 2; this program reads 1": lambda out: (out / "manifest.json").write_text('{"version": 2}'),
    "train-00003.raw is missing": lambda out: (out / "train-00003.raw").unlink(),
    "val-00001.raw has 4,799 of its 4,800 bytes": lambda out: os.truncate(out / "val-00001.raw", 4799),
}


@pytest.mark.parametrize("message", DAMAGE)
def test_damage_is_named_when_the_set_is_opened(message, whole, tmp_path):
    out = shutil.copytree(whole["raw"], tmp_path / "set")
    DAMAGE[message](out)
    with pytest.raises(InputError, match=message) as error:
        open_dataset(f"prepared:{out}", canvas_size=20)
    assert str(out) in str(error.value) and "\n" not in str(error.value)


def test_damage_after_opening_is_named_with_the_record(whole, tmp_path):
    out = shutil.copytree(whole["jpeg"], tmp_path / "set")
    source = open_dataset(f"prepared:{out}", canvas_size=20).train
    os.truncate(out / "train-00001.jpeg", 40)
    with pytest.raises(InputError, match=r"train-00001\.jpeg: record 24 \(train/bée/\d+\.png\) has 40 of its"):
        source[24]
    (out / "train-00001.jpeg").unlink()
    with pytest.raises(InputError, match=r"train-00001\.jpeg: cannot be read \(No such file.*record 25"):
        source[25]


def test_check_reads_every_byte(whole, tmp_path, monkeypatch, capsys):
    out = shutil.copytree(whole["raw"], tmp_path / "set")
    check = ["--check", f"--out={out}"]
    runs.run_script(command, check, monkeypatch)
    assert f"{out}: all {len(contents(out)) - 1} files are as they were written" in capsys.readouterr().out
    data = bytearray((out / "val-00001.raw").read_bytes())
    data[77] ^= 1
    (out / "val-00001.raw").write_bytes(data)
    with pytest.raises(SystemExit) as stop:
        runs.run_script(command, check, monkeypatch)
    assert stop.value.code == 2
    assert f"error: {out}: val-00001.raw of 14 files differ from what was written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "--dataset is missing"),
        (["--dataset=folder:/nowhere"], "/nowhere does not exist"),
        (["--dataset=scenes", "--size=0"], "--size must be at least 1, not 0"),
        (["--dataset=scenes", "--num_threads=0"], "--num_threads must be at least 1"),
        (["--dataset=scenes", "--format=png"], "--format takes one of jpeg, raw, not 'png'"),
    ],
)
def test_wrong_flags(flags, message, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stop:
        runs.run_script(command, [f"--out={tmp_path}/set", *flags], monkeypatch)
    said = capsys.readouterr().err
    assert stop.value.code == 2 and said.startswith("error: ") and message in said and said.count("\n") == 1
    assert not (tmp_path / "set").exists()


def test_training_from_it_ends_with_the_same_bits(photos, tmp_path):
    layers = (Conv("conv1", 4, kernel=3, strides=2), MaxPool("pool1"), Dense("fc2", relu=False))
    recipe = Recipe(crops="random", epochs=1, batch_size=8, init="he")
    arch = Arch(layers=layers, image_size=18, num_classes=2, recipe=recipe)
    assert canvas_side(arch) == 21
    stored = run_prepare(photos, tmp_path / "set", size=21)
    for name, dataset in (("direct", f"folder:{photos}"), ("stored", f"prepared:{stored}")):
        train(arch, open_dataset(dataset, canvas_size=21), tmp_path / name, config={"arch": arch.to_dict()})
    direct, stored = (load_run(tmp_path / name) for name in ("direct", "stored"))
    assert direct.step == stored.step == 3
    np.testing.assert_array_equal(direct.mean, stored.mean)
    assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), direct.params, stored.params))


def test_looking_at_photos_as_in_training(shared_data, tmp_path, monkeypatch):
    monkeypatch.setattr(prepare, "SHARD_BYTES", 128 << 20)
    root = tmp_path / "photos"
    for split in prepared.SPLITS:
        for folder in ("n01440764", "n02102040"):
            (root / split / folder).mkdir(parents=True)
            for file in sorted((shared_data / "photos" / split / folder).iterdir())[:10]:
                (root / split / folder / file.name).symlink_to(file)
    direct, raw = open_both(root, run_prepare(root, tmp_path / "raw", size=64), canvas_size=64)
    jpeg = open_both(root, run_prepare(root, tmp_path / "jpeg", size=64, format="jpeg"), canvas_size=64)[1]
    for index in range(20):
        image = direct.train[index]["image"]
        np.testing.assert_array_equal(raw.train[index]["image"], image)
        assert np.abs(jpeg.train[index]["image"].astype(int) - image).mean() < 6
