"""ImageNet 2012 as people have it: TFDS's own builder on small tars of the genuine layout, and class folders."""

import importlib
import io
import itertools
import shutil
import sys
import tarfile
import types
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image
from tfrecords import as_tfrecord, edit_info, prepare

from zfjax.data import default_dataset, open_dataset, train_batches
from zfjax.errors import InputError

WNIDS = {"n01440764": 0, "n01443537": 1, "n02105855": 230, "n15075141": 999}  # as in every list of the 1,000 classes
# The classes of ILSVRC2012_val_00000001.JPEG to ..10.JPEG.
VAL_WNIDS = (
    "n01751748 n09193705 n02105855 n04263257 n03125729 n01735189 n02346627 n02776631 n03794056 n02328150".split()
)
TRAIN_EACH, VAL = 5, 10


def jpeg(rng) -> bytes:
    """A picture of its own: four coarse noisy squares, so that JPEG keeps them apart."""
    squares = rng.integers(0, 256, (2, 2, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(squares).resize((60, 48), Image.Resampling.NEAREST).save(file, "JPEG", quality=90)
    return file.getvalue()


def write_tar(file, members: dict[str, bytes]) -> None:
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


@pytest.fixture(scope="module")
def files() -> dict[str, dict[str, bytes]]:
    """Folder -> file name -> JPEG, named as image-net.org does."""
    rng = np.random.default_rng(0)
    train = {wnid: {f"{wnid}_{37 * k + 1}.JPEG": jpeg(rng) for k in range(TRAIN_EACH)} for wnid in WNIDS}
    return {**train, "val": {f"ILSVRC2012_val_{k + 1:08d}.JPEG": jpeg(rng) for k in range(VAL)}}


@pytest.fixture(scope="module")
def array_record(files, tmp_path_factory):
    """TFDS's imagenet2012 in three shards a split, without TensorFlow: its builder opens files with it, no more."""
    root = tmp_path_factory.mktemp("array_record")
    manual = root / "downloads" / "manual"
    manual.mkdir(parents=True)
    tars = {}
    for wnid in WNIDS:
        inner = io.BytesIO()
        write_tar(inner, files[wnid])
        tars[f"{wnid}.tar"] = inner.getvalue()
    for split, members in (("train", tars), ("val", files["val"])):
        with open(manual / f"ILSVRC2012_img_{split}.tar", "wb") as file:
            write_tar(file, members)
    gfile = types.SimpleNamespace(exists=lambda path: Path(path).exists(), GFile=open)
    stand_in = types.SimpleNamespace(io=types.SimpleNamespace(gfile=gfile))
    home = "tensorflow_datasets.datasets.imagenet2012"
    with pytest.MonkeyPatch.context() as patch:
        for module in (f"{home}.imagenet2012_dataset_builder", f"{home}.imagenet_common"):
            patch.setattr(importlib.import_module(module), "tf", stand_in)
        patch.setattr(importlib.import_module("tensorflow_datasets.core.download.extractor"), "tf", stand_in)
        build = prepare(lambda **options: tfds.builder("imagenet2012", **options), root, num_shards=3)
    return build


@pytest.fixture(scope="module")
def tfrecord(array_record, tmp_path_factory):
    return as_tfrecord(array_record, tmp_path_factory.mktemp("tfrecord"))


@pytest.fixture(autouse=True)
def cache_home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def write_folders(root: Path, files, *, flat_val: bool) -> Path:
    for wnid in WNIDS:
        write_files(root / "train" / wnid, files[wnid])
    for (name, data), wnid in zip(files["val"].items(), VAL_WNIDS, strict=True):
        write_files(root / "val" / ("" if flat_val else wnid), {name: data})
    return root


def write_files(folder: Path, members: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in members.items():
        (folder / name).write_bytes(data)


def open_imagenet(root, **options):
    return open_dataset("imagenet2012", canvas_size=16, data_dir=root, **options)


def pixels_and_labels(source) -> dict[bytes, int]:
    records = [source[i] for i in range(len(source))]
    assert [int(record["index"]) for record in records] == list(range(len(source)))
    return {record["image"].tobytes(): int(record["label"]) for record in records}


def test_both_builds_hold_the_same_images_in_the_same_order(array_record, tfrecord, files):
    ours, theirs = open_imagenet(tfrecord.parents[1]), open_imagenet(array_record.parents[1])
    assert len(list(tfrecord.glob("*train.tfrecord-*-of-00003"))) == 3
    assert (len(ours.train), len(ours.val)) == (len(WNIDS) * TRAIN_EACH, VAL)
    assert ours.class_names == theirs.class_names and ours.class_names[230] == "n02105855"
    for one, other in ((ours.train, theirs.train), (ours.val, theirs.val)):
        for i in range(len(other)):
            assert one[i]["label"] == other[i]["label"]
            np.testing.assert_array_equal(one[i]["image"], other[i]["image"])
    labels = [ours.train[i]["label"] for i in range(len(ours.train))]
    assert sorted(labels) == sorted([*WNIDS.values()] * TRAIN_EACH) and labels != sorted(labels)
    assert "tensorflow" not in sys.modules


def test_the_order_is_that_of_tfds(array_record, tfrecord):
    ours = open_imagenet(tfrecord.parents[1]).train
    theirs = tfds.builder("imagenet2012", data_dir=array_record.parents[1]).as_data_source("train")
    labels = [int(record["label"]) for record in theirs]
    assert [int(ours[i]["label"]) for i in range(len(ours))] == labels


def test_batches_of_both_builds_are_equal(array_record, tfrecord):
    options = {"batch_size": 8, "image_size": 12, "crops": "ten", "seed": 3}
    streams = [train_batches(open_imagenet(build.parents[1]).train, **options) for build in (array_record, tfrecord)]
    for one, other in itertools.islice(zip(*streams, strict=True), 6):
        assert one.keys() == other.keys()
        for key in one:
            np.testing.assert_array_equal(one[key], other[key])


@pytest.mark.parametrize("flat_val", [True, False])
@pytest.mark.parametrize("layout", [".", "ILSVRC/Data/CLS-LOC"])
def test_class_folders_hold_what_the_builds_hold(files, tfrecord, tmp_path, layout, flat_val):
    write_folders(tmp_path / layout, files, flat_val=flat_val)
    assert default_dataset(tmp_path) == "imagenet2012"
    folders, build = open_imagenet(tmp_path), open_imagenet(tfrecord.parents[1])
    assert folders.class_names == build.class_names
    place = f"class folders in {tmp_path / layout}, which has 4 of the 1,000 classes"
    assert folders.origin == f"20 + 10 images in 1000 classes from {place}"
    for one, other in ((folders.train, build.train), (folders.val, build.val)):
        assert pixels_and_labels(one) == pixels_and_labels(other)
    assert folders.val.describe(3).endswith("ILSVRC2012_val_00000004.JPEG" if flat_val else ".JPEG")


def test_part_of_the_validation_images_keeps_its_labels(files, tmp_path):
    root = write_folders(tmp_path, files, flat_val=True)
    (root / "val" / "ILSVRC2012_val_00000001.JPEG").unlink()
    val = open_imagenet(root).val
    assert [val.class_names[val[i]["label"]] for i in range(len(val))] == VAL_WNIDS[1:]


def test_an_older_version_is_read_as_it_is(tfrecord, tmp_path):
    shutil.copytree(tfrecord, tmp_path / "imagenet2012" / "5.0.0")
    edit_info(tmp_path / "imagenet2012" / "5.0.0", lambda info: info.update(version="5.0.0"))
    assert default_dataset(tmp_path) == "imagenet2012"
    assert pixels_and_labels(open_imagenet(tmp_path).val) == pixels_and_labels(open_imagenet(tfrecord.parents[1]).val)


BREAK = {
    r"train/n00000001 is none of the 1,000 classes.*--dataset=folder:": lambda root: write_files(
        root / "train" / "n00000001", {"a.JPEG": b""}
    ),
    r"val has ILSVRC2012_val_00000001.JPEG beside the class folder n01440764": lambda root: (
        root / "val" / "n01440764"
    ).mkdir(),
    r"val_00050001.JPEG: validation images are numbered 1 to 50000": lambda root: write_files(
        root / "val", {"ILSVRC2012_val_00050001.JPEG": b""}
    ),
    r"val has no images": lambda root: [file.unlink() for file in (root / "val").iterdir()],
    r"train has no images": lambda root: [file.unlink() for file in (root / "train").glob("*/*")],
    r"imagenet2012 is not in .*train/n01440764": lambda root: shutil.rmtree(root / "val"),
}


@pytest.mark.parametrize("message", BREAK)
def test_what_is_wrong_with_class_folders_is_named(files, tmp_path, message):
    BREAK[message](write_folders(tmp_path, files, flat_val=True))
    with pytest.raises(InputError, match=message) as error:
        open_imagenet(tmp_path)
    assert str(tmp_path) in str(error.value) and "\n" not in str(error.value)


def test_how_to_get_it_names_the_three_forms(tmp_path):
    assert default_dataset(tmp_path) == "scenes"
    message = (
        r"tfrecord or array_record.*ILSVRC/Data/CLS-LOC.*ILSVRC2012_img_train\.tar.*tar -xf.*downloads/manual.*pip"
    )
    with pytest.raises(InputError, match=message) as error:
        open_imagenet(tmp_path)
    assert "\n" not in str(error.value) and str(tmp_path) in str(error.value)
