"""TFDS sets as their builders leave them on disk, written and read here without TensorFlow."""

import contextlib
import io
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image
from tfrecords import edit_info, prepare

from zfjax.data import eval_batches, open_dataset
from zfjax.errors import InputError


class Blots(tfds.core.GeneratorBasedBuilder):
    """Ten training and four test images, the number in the colour."""

    VERSION = tfds.core.Version("1.0.0")
    FEATURES = {"image": tfds.features.Image(), "label": tfds.features.ClassLabel(names=["ink", "oil"])}
    KEYS = ("image", "label")
    SPLITS = {"train": 10, "test": 4}

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict(self.FEATURES), supervised_keys=self.KEYS
        )

    def _split_generators(self, manager):
        return {split: self._generate_examples(count) for split, count in self.SPLITS.items()}

    def _generate_examples(self, count):
        for i in range(count):
            file = io.BytesIO()
            Image.new("RGB", (9, 7), (20 * i, 0, 200)).save(file, "PNG")
            file.seek(0)
            yield i, self._example(i, file)

    def _example(self, i, file):
        return {"image": file, "label": i % 2}


class Tagged(Blots):
    """Several labels an image: not a set to classify."""

    FEATURES = {"image": tfds.features.Image(), "tags": tfds.features.Sequence(tfds.features.ClassLabel(num_classes=3))}
    KEYS = None

    def _example(self, i, file):
        return {"image": file, "tags": [0, 2]}


class Untested(Blots):
    """Nothing to validate on."""

    SPLITS = {"train": 3}


class Unlabelled(Blots):
    """A test split whose labels are withheld, as -1."""

    def _example(self, i, file):
        return {"image": file, "label": -1}


@pytest.fixture(scope="module")
def blots(tmp_path_factory):
    return prepare(Blots, tmp_path_factory.mktemp("tfds")).parents[1]


def test_reads_an_array_record_build(blots):
    dataset = open_dataset("blots", canvas_size=7, data_dir=blots)
    assert (len(dataset.train), len(dataset.val), dataset.class_names) == (10, 4, ("ink", "oil"))
    assert dataset.origin == "10 + 4 images in 2 classes from TFDS blots"
    assert dataset.val.describe(2) == "blots test record 2"
    batch = next(eval_batches(dataset.train, batch_size=10))
    assert batch["image"].shape == (10, 7, 7, 3)
    numbers = batch["image"][:, 3, 3, 0] // 20  # TFDS shuffles records by its own hash; each keeps its label
    assert sorted(numbers.tolist()) == list(range(10))
    np.testing.assert_array_equal(batch["label"], numbers % 2)
    assert "tensorflow" not in sys.modules


@pytest.mark.parametrize(
    "builder, name, message",
    [
        (Tagged, "tagged", "tagged is no set of images with one class each; its features are image, tags"),
        (Untested, "untested", "untested has the splits train; needs train and one of validation, val, test"),
    ],
)
def test_sets_that_will_not_do(builder, name, message, tmp_path):
    prepare(builder, tmp_path)
    with pytest.raises(InputError, match=message):
        open_dataset(name, canvas_size=7, data_dir=tmp_path)


def test_withheld_labels_are_named_when_met(tmp_path):
    prepare(Unlabelled, tmp_path)
    with pytest.raises(
        InputError,
        match="unlabelled train record 0 .*array_record-00000-of-00001 record 0.: label -1 is none of the 2 classes",
    ):
        open_dataset("unlabelled", canvas_size=7, data_dir=tmp_path).train[0]


def test_other_formats_are_refused_with_a_way_out(tmp_path):
    build = prepare(Blots, tmp_path)
    edit_info(build, lambda info: info.update(fileFormat="riegeli"))
    with pytest.raises(InputError, match="stored as riegeli.*prepare blots as array_record in another --data_dir"):
        open_dataset("blots", canvas_size=7, data_dir=tmp_path)


def test_unknown_names_and_configurations(tmp_path):
    with pytest.raises(InputError, match="unknown data set 'no_such_set'; give scenes, folder:PATH, or a TFDS name"):
        open_dataset("no_such_set", canvas_size=7, data_dir=tmp_path)
    with contextlib.chdir(tmp_path), pytest.raises(InputError, match="'photos'; give folder:photos, for the images of"):
        Path("photos").mkdir()
        open_dataset("photos", canvas_size=7, data_dir=tmp_path)
    with pytest.raises(InputError, match="cannot open 'cifar10/foo': .*foo not found") as error:
        open_dataset("cifar10/foo", canvas_size=7, data_dir=tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "failure, message",
    [
        (
            ConnectionError("no route to host\nmore"),
            "cannot prepare 'cifar10' in .*: no route to host; manual downloads belong in",
        ),
        (
            ModuleNotFoundError("No module named 'tensorflow'"),
            "needs TensorFlow this once; run: pip install tensorflow",
        ),
    ],
)
def test_failed_preparations_say_why(tmp_path, monkeypatch, failure, message):
    def fail(*args, **options):
        raise failure

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", fail)
    with pytest.raises(InputError, match=message) as error:
        open_dataset("cifar10", canvas_size=7, data_dir=tmp_path)
    assert "\n" not in str(error.value)
