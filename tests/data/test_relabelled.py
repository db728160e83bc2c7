"""Data sets whose classes are some of a network's."""

from typing import Any

import numpy as np
import pytest

from zfjax.data import Dataset
from zfjax.data.relabelled import in_classes_of
from zfjax.data.wordnet import imagenet_names, imagenet_synsets
from zfjax.errors import InputError


class Numbers:
    """Two images of each class."""

    def __init__(self, class_names: tuple[str, ...]):
        self.class_names = class_names

    def __len__(self) -> int:
        return 2 * len(self.class_names)

    def __getitem__(self, index: int) -> dict:
        return {"image": np.zeros((4, 4, 3), np.uint8), "label": np.int32(index // 2), "index": np.int32(index)}

    def describe(self, index: int) -> str:
        return f"number {index}"


def dataset(*names: str) -> Dataset:
    source: Any = Numbers(names)
    return Dataset("folder:some", source, source, names, "made here")


def labels(data: Dataset) -> list[int]:
    return [int(data.val[index]["label"]) for index in range(0, len(data.val), 2)]


def test_imagenet_has_a_thousand_classes_in_the_order_of_its_labels():
    wnids = list(imagenet_synsets())
    assert len(wnids) == 1000 and wnids == sorted(wnids)
    named = dict(zip(imagenet_names(), range(1000), strict=True))  # numbers that every list of ImageNet's classes has
    assert [named[name] for name in ("tench", "goldfish", "English springer", "church", "toilet tissue")] == [
        0,
        1,
        217,
        497,
        999,
    ]


@pytest.mark.parametrize(
    "names",
    [
        ("tench", "English springer", "church"),
        ("Tench", "English_springer", "CHURCH"),
        ("Tinca tinca", "English springer spaniel", "church building"),
        ("n01440764", "n02102040", "n03028079"),
    ],
)
@pytest.mark.parametrize("known", [imagenet_names(), tuple(imagenet_synsets())], ids=["names", "numbers"])
def test_ten_of_imagenets_classes_are_found_by_name_and_number(names, known):
    data = in_classes_of(dataset(*names), known)
    assert labels(data) == [0, 217, 497]
    assert data.class_names == known == data.val.class_names
    assert data.val.describe(3) == "number 3"


def test_the_same_classes_stay_as_they_are():
    data = dataset("a", "b")
    assert in_classes_of(data, ("a", "b")) is data
    assert labels(in_classes_of(data, ("b", "c", "a"))) == [2, 0]


@pytest.mark.parametrize("name", ["crane", "maillot", "no such thing", "n00000000"])
def test_a_class_that_is_none_or_two_of_the_networks_is_named(name):
    with pytest.raises(InputError, match=f"has not {name} but tench, goldfish, great white shark, ...; --class_map"):
        in_classes_of(dataset("church", name), imagenet_names())


def test_a_file_says_which_classes_are_the_same(tmp_path):
    path = tmp_path / "map.tsv"
    path.write_text("\ufefffish\tn01440764\nbuilding\tchurch\n\n", encoding="utf-8")
    assert labels(in_classes_of(dataset("building", "fish", "goldfish"), imagenet_names(), path)) == [497, 0, 1]


@pytest.mark.parametrize("text", ["fish\n", "fish\tno such thing\n", "fish tench\n"])
def test_a_file_with_a_wrong_line_is_refused(text, tmp_path):
    (tmp_path / "map.tsv").write_text(text)
    with pytest.raises(InputError, match="--class_map: line 1 of .*map.tsv must be a class of the data set, a tab"):
        in_classes_of(dataset("fish"), imagenet_names(), tmp_path / "map.tsv")
    with pytest.raises(InputError, match="--class_map: cannot read"):
        in_classes_of(dataset("fish"), imagenet_names(), tmp_path / "none.tsv")
