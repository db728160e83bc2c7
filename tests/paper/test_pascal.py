"""Average precision by hand and against scikit-learn; PASCAL VOC as TFDS leaves it on disk, to the table."""

import io

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image
from sklearn.metrics import average_precision_score, precision_recall_curve
from test_transfer import run_transfer, tiny_run  # noqa: F401

from zfjax.data.sources.voc import VocSource, open_voc
from zfjax.errors import BadImage, InputError
from zfjax.paper.transfer.coordinates import reader
from zfjax.paper.transfer.measure import Fold
from zfjax.paper.transfer.pascal import measure_pascal, precisions_by_class
from zfjax.paper.transfer.precision import average_precision
from zfjax.paper.transfer.table import pascal_table


def test_average_precision_by_hand():
    scores, present = np.array([5, 4, 3, 2, 1.0]), np.array([True, False, True, True, False])
    assert average_precision(scores, present) == pytest.approx((1 + 3 / 4 + 3 / 4) / 3)  # 2/3 is lifted to 3/4
    assert average_precision(-scores, ~present) == pytest.approx((1 + 2 / 4) / 2)
    assert average_precision(np.zeros(4), np.array([True, False, False, False])) == 0.25  # all equal: one step
    assert np.isnan(average_precision(scores, np.zeros(5, bool)))
    assert np.isnan(average_precision(scores[:0], present[:0]))


@pytest.mark.parametrize("levels", [1000, 6])
def test_average_precision_is_the_area_under_the_lifted_curve_of_scikit_learn(levels):
    rng = np.random.default_rng(levels)
    for _ in range(20):
        scores, present = rng.integers(0, levels, 60).astype(float), rng.random(60) < 0.3
        precision, recall, _ = precision_recall_curve(present, scores)  # recall falls: lifting is a running maximum
        lifted = -(np.diff(recall) * np.maximum.accumulate(precision)[:-1]).sum()
        assert average_precision(scores, present) == pytest.approx(lifted)
        assert average_precision(scores, present) >= average_precision_score(present, scores) - 1e-12


def test_difficult_images_test_nothing():
    labels = np.array([[1, 0], [-1, 1], [0, 1]])
    scores = np.array([[2.0, 0.1], [3.0, 0.5], [1.0, 0.4]])
    assert precisions_by_class(scores, labels) == [1.0, 1.0]


@pytest.mark.parametrize("classifier", ["softmax", "svm"])
def test_classes_that_appear_together_are_both_found(classifier):
    rng = np.random.default_rng(0)
    labels = (rng.random((90, 4)) < 0.4).astype(int)
    features = (labels @ rng.normal(size=(4, 12)) + rng.normal(scale=0.2, size=(90, 12))).astype(np.float32)
    fold = Fold(np.arange(60), np.arange(60, 90))
    result = measure_pascal(reader(features), labels, fold, classifier, [1, 10, 100])
    assert len(result["precisions"]) == 4 and result["mean"] == pytest.approx(np.mean(result["precisions"]))
    assert result["mean"] > 0.8 and result["c"] in (1, 10, 100)


def test_the_table_keeps_ours_and_theirs_apart():
    text = pascal_table({"svm (fc7)": [0.5, float("nan"), 0.25]}, ["cat", "unicorn", "dog"])
    lines = text.splitlines()
    assert "ours: svm (fc7)" in lines[0] and "paper: its network" in lines[0]
    assert [cell.strip() for cell in lines[2].split("|")[1:-1]] == ["cat", "50.0", "76.4", "89.3", "91.2"]
    assert [cell.strip() for cell in lines[3].split("|")[1:-1]] == ["unicorn", "–", "–", "–", "–"]
    assert [cell.strip() for cell in lines[5].split("|")[1:-1]] == ["mean", "37.5", "74.3", "82.2", "79.0"]


class Voc(tfds.core.GeneratorBasedBuilder):
    """Images with a red half, a blue half or both."""

    VERSION = tfds.core.Version("1.0.0")
    NAMES = ("cat", "dog", "boat")

    def _info(self):
        labels = tfds.features.Sequence(tfds.features.ClassLabel(names=self.NAMES))
        features = {"image": tfds.features.Image(), "labels": labels, "labels_no_difficult": labels}
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, manager):
        return {split: self._generate_examples(count) for split, count in (("train", 12), ("validation", 6))}

    def _generate_examples(self, count):
        rng = np.random.default_rng(count)
        for i in range(count):
            present = [[0], [1], [0, 1]][i % 3]
            pixels = rng.integers(0, 60, (46, 46, 3), dtype=np.uint8)
            for label in present:
                pixels[:, 23 * label : 23 * label + 23, label] = 250
            file = io.BytesIO()
            Image.fromarray(pixels).save(file, "PNG")
            file.seek(0)
            yield i, {"image": file, "labels": [*present, 2] if i % 2 else present, "labels_no_difficult": present}


class Other(Voc):
    """Made otherwise."""

    def _info(self):
        features = {"image": tfds.features.Image(), "tags": tfds.features.Text()}
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _generate_examples(self, count):
        for i, example in super()._generate_examples(count):
            yield i, {"image": example["image"], "tags": ""}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    for builder in (Voc, Other):
        builder(data_dir=folder, file_format="array_record").download_and_prepare()
    return folder


WRONG_LABELS = {
    (-1,): "-1 is none of the 3 classes",
    (0, 7): "7 is none of the 3 classes",
    (0.7,): r"\(0.7,\) is no class number",
    ("cat",): ".* is no class number",
    ((0, 1),): ".* is no class number",
    None: "None is no class number",
    0: "0 is no class number",
}


@pytest.mark.parametrize("labels", WRONG_LABELS)
@pytest.mark.parametrize("key", ["labels", "labels_no_difficult"])
def test_labels_of_no_class_are_named(labels, key):
    class Examples(list):
        def describe(self, index: int) -> str:
            return "file 3"

    buffer = io.BytesIO()
    Image.new("RGB", (9, 9)).save(buffer, "PNG")
    example = {"image": buffer.getvalue(), "labels": [0], "labels_no_difficult": [], key: labels}
    source = VocSource("voc", Examples([example]), Voc.NAMES, size=8)
    with pytest.raises(BadImage, match=rf"^voc record 0 \(file 3\): label {WRONG_LABELS[labels]}"):
        source[0]


def test_labels_of_an_image_with_several_classes(prepared):
    train, test = open_voc("voc", canvas_size=8, data_dir=prepared)
    assert (len(train), len(test), train.class_names) == (12, 6, Voc.NAMES)
    labels = [tuple(train[i]["label"].tolist()) for i in range(12)]
    assert set(labels) == {(1, 0, 0), (1, 0, -1), (0, 1, 0), (0, 1, -1), (1, 1, 0), (1, 1, -1)}
    for i in range(12):
        assert train[i]["image"].shape == (8, 8, 3)
        assert bool(train[i]["image"][4, 1, 0] > 200) == (labels[i][0] == 1)
    assert test.describe(2) == "voc validation record 2"
    with pytest.raises(InputError, match="other has no labels; only TFDS sets made like voc/2012 will do"):
        open_voc("other", canvas_size=8, data_dir=prepared)


def test_the_script_on_voc(prepared, tiny_run, tmp_path, monkeypatch, capsys):  # noqa: F811
    flags = [f"--ckpt={tiny_run}", "--dataset=voc", f"--data_dir={prepared}", f"--out={tmp_path}"]
    flags += [f"--cache={tmp_path}/features", "--layers=4", "--batch_size=6"]
    run_transfer(flags, monkeypatch)
    said = capsys.readouterr().out
    assert "Trained on 12 images of voc, tested on 6 validation images." in said
    cat = next(line for line in said.splitlines() if line.startswith("| cat"))
    ours = [float(cell) for cell in cat.split("|")[2:4]]
    assert min(ours) > 80 and "91.2" in cat
    boat = next(line for line in said.splitlines() if line.startswith("| boat"))
    assert boat.split("|")[2].strip() == "–"  # no image shows it but as difficult
    before = (tmp_path / "results.jsonl").read_bytes()
    run_transfer(flags, monkeypatch)
    assert (tmp_path / "results.jsonl").read_bytes() == before
