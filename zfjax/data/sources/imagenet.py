"""ImageNet 2012 in the three forms in which people have it, and how to get it."""

from __future__ import annotations

import os
import re
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from zfjax.canvas import Resampling
from zfjax.data.sources.folder import FolderSource, list_files, passed_over
from zfjax.errors import InputError
from zfjax.runtime.places import user_path

WNID = re.compile(r"n\d{8}")
VAL_FILE = re.compile(r"ILSVRC2012_val_(\d{8})\.JPEG", re.IGNORECASE)
LAYOUTS = (".", "ILSVRC/Data/CLS-LOC", "Data/CLS-LOC")  # the last two: as Kaggle packs it
VAL_FOLDERS = ("val", "validation")  # not test: ImageNet's test images come without labels
TFDS_HOME = "~/tensorflow_datasets"
URL = "https://image-net.org/download-images"


def is_imagenet(name: str) -> bool:
    return name.partition("/")[0] == "imagenet2012"


def tfds_root(data_dir: str | Path | None) -> Path:
    return user_path(data_dir or TFDS_HOME)


def is_prepared(data_dir: str | Path | None) -> bool:
    """Whether TFDS has built ImageNet 2012 there. Looks at names only."""
    return any(tfds_root(data_dir).glob("imagenet2012/*/dataset_info.json"))


def class_folders(data_dir: str | Path | None) -> Path | None:
    """The folder with train/nXXXXXXXX and val: the data folder itself, or where Kaggle has it below it, or None."""
    for layout in LAYOUTS:
        root = tfds_root(data_dir) / layout
        if _wnid_folders(root / "train") and _val_folder(root):
            return root
    return None


def open_class_folders(
    root: Path, *, canvas_size: int, channels: int = 3, resampling: Resampling = "bilinear"
) -> tuple[FolderSource, FolderSource]:
    """Train and validation images of root/train/nXXXXXXXX/*.JPEG and root/val, in class folders too or all in one.

    Classes are those of TFDS, the 1,000 WordNet numbers sorted, whichever of them have images here; labels of
    validation images in one folder come from the numbers in their names. Raises InputError for a folder that is
    none of the 1,000, for validation images in both forms or with other names, and where there are no images.
    """
    wnids, answers = _lists()
    labels = {wnid: label for label, wnid in enumerate(wnids)}
    val_root = _val_folder(root) or root / "val"  # there is one: `class_folders` has looked
    flat = sorted(entry.name for entry in os.scandir(val_root) if VAL_FILE.fullmatch(entry.name))
    if flat and _wnid_folders(val_root):
        raise InputError(
            f"{val_root} has {flat[0]} beside the class folder {_wnid_folders(val_root)[0]}; "
            "move all images into class folders, or none"
        )
    train, others = _in_folders(root / "train", labels)
    numbered = [_numbered(val_root / name, labels, answers) for name in flat]
    val, val_others = (numbered, None) if flat else _in_folders(val_root, labels)
    canvas: dict[str, Any] = {"canvas_size": canvas_size, "channels": channels, "resampling": resampling}
    names = tuple(wnids)
    return FolderSource(train, names, others, **canvas), FolderSource(val, names, val_others, **canvas)


def describe_folders(root: Path, train: FolderSource, val: FolderSource) -> str:
    """Where the images come from; a copy that is not complete says so."""
    present = len({label for _, label in train.files})
    total = len(train.class_names)
    lacking = f", which has {present} of the {total:,} classes" if present < total else ""
    return f"class folders in {root}{lacking}{passed_over(train, val)}"


def how_to_get_imagenet(name: str, root: Path) -> str:
    """One sentence with the three forms that will do and the commands that make them."""
    unpack = (
        "mkdir -p train val && tar -xf ILSVRC2012_img_train.tar -C train && tar -xf ILSVRC2012_img_val.tar -C val && "
        "for t in train/*.tar; do mkdir -p ${t%.tar} && tar -xf $t -C ${t%.tar} && rm $t; done"
    )
    return (
        f"{name} is not in {root}; --data_dir=DIR takes a TFDS build (DIR/imagenet2012/5.1.0, tfrecord or "
        "array_record) or class folders (DIR/train/n01440764/*.JPEG and DIR/val, or Kaggle's DIR/ILSVRC/Data/CLS-LOC). "
        f"To make one, get ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar from {URL}; for class folders run, in "
        f"DIR: {unpack}; for a TFDS build put both into {root}/downloads/manual and run: "
        f"pip install tensorflow && {tfds_command(name, root)}"
    )


def tfds_command(name: str, root: Path) -> str:
    prepare = f"tfds.builder('{name}', data_dir='{root}', file_format='array_record').download_and_prepare()"
    return f'python -c "import tensorflow_datasets as tfds; {prepare}"'


def _lists() -> tuple[list[str], list[str]]:
    """The 1,000 classes in order, and those of the 50,000 validation images by number; TFDS brings both as text."""
    found = find_spec("tensorflow_datasets")
    assert found and found.origin, "TFDS is a dependency"
    folder = Path(found.origin).parent / "datasets" / "imagenet2012"
    files = ("labels.txt", "validation_labels.txt")
    wnids, answers = ((folder / file).read_text(encoding="utf-8").split() for file in files)
    return wnids, answers


def _wnid_folders(root: Path) -> list[str]:
    if not root.is_dir():
        return []
    with os.scandir(root) as entries:
        return sorted(entry.name for entry in entries if WNID.fullmatch(entry.name) and entry.is_dir())


def _val_folder(root: Path) -> Path | None:
    return next((root / name for name in VAL_FOLDERS if (root / name).is_dir()), None)


def _in_folders(root: Path, labels: dict[str, int]) -> tuple[list[tuple[str, int]], Counter[str]]:
    folders = _wnid_folders(root)
    if unknown := [folder for folder in folders if folder not in labels]:
        raise InputError(
            f"{root / unknown[0]} is none of the 1,000 classes of ImageNet 2012; give --dataset=folder:{root.parent} "
            "for classes of your own"
        )
    files, others = list_files(root, folders)
    if not files:
        raise InputError(f"{root} has no images; expected {root}/n01440764/*.JPEG")
    return [(file, labels[folders[place]]) for file, place in files], others


def _numbered(path: Path, labels: dict[str, int], answers: list[str]) -> tuple[str, int]:
    match = VAL_FILE.fullmatch(path.name)
    assert match, "the caller has looked"
    number = int(match[1])
    if not 1 <= number <= len(answers):
        raise InputError(f"{path}: validation images are numbered 1 to {len(answers)}; this one is {number}")
    return str(path), labels[answers[number - 1]]
