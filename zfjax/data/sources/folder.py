"""Image folders: PATH/{train,val}/CLASS/*.jpg, one folder a class."""

from __future__ import annotations

import codecs
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from zfjax.canvas import Resampling, to_canvas
from zfjax.data.source import Record, check_class_names
from zfjax.errors import BadImage, InputError
from zfjax.image_files import SUFFIXES, read_image
from zfjax.runtime.files import read_bytes
from zfjax.runtime.places import user_path

_SHOWN = 5  # endings of names that are no image's
# UTF-32's little-endian mark begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
VAL_NAMES = ("val", "validation", "valid", "test")


class FolderSource:
    """The images of one split, in Grain's random-access protocol; files are read and decoded when asked for."""

    def __init__(
        self,
        files: list[tuple[str, int]],
        class_names: tuple[str, ...],
        others: Counter[str] | None = None,
        *,
        canvas_size: int,
        channels: int,
        resampling: Resampling = "bilinear",
    ):
        self.files, self.class_names = files, class_names
        self.others: Counter[str] = others or Counter()  # how names end that are no image's, and how many do
        self.canvas_size, self.channels = canvas_size, channels
        self.resampling: Resampling = resampling

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Record:
        path, label = self.files[index]
        try:
            image = to_canvas(read_image(path), self.canvas_size, self.channels, self.resampling, name=path)
        except InputError as error:
            raise BadImage(f"{path}: {error}") from error
        return {"image": image, "label": np.int32(label), "index": np.int32(index)}

    def describe(self, index: int) -> str:
        return self.files[index][0]

    def stamps(self) -> Iterator[str]:
        """Of each file what tells it from others wherever the folder lies: class, name and size; 3.5 us a file."""
        for path, _ in self.files:
            folder, name = path.rsplit(os.sep, 2)[-2:]
            try:
                yield f"{folder}/{name} {os.stat(path).st_size}"
            except OSError:  # a link to nothing: reading it will say so
                yield f"{folder}/{name}"


def open_folder(
    path: str | Path, *, canvas_size: int, channels: int = 3, resampling: Resampling = "bilinear"
) -> tuple[FolderSource, FolderSource]:
    """The train and val images of a folder; classes are train's folders in sorted order.

    classes.tsv or classes.txt in the folder (lines of folder name, then readable name) gives readable class names.
    Raises InputError that names the folder when a part is missing, empty, or unknown to train.
    """
    root = user_path(path)
    if not root.is_dir():
        raise InputError(f"folder {root} {'is a file, not a folder' if root.exists() else 'does not exist'}")
    train_root, val_root = _train_root(root), _val_root(root)
    folders = _class_folders(train_root)
    if len(folders) < 2:
        found = f"only the class folder {folders[0]}" if folders else "no class folders"
        raise InputError(f"{train_root} has {found}; give each of two or more classes a folder with its images")
    if unknown := sorted(set(_class_folders(val_root)) - set(folders)):
        raise InputError(
            f"{val_root} has the class {unknown[0]}, which {train_root} lacks; its classes must be train's"
        )
    (train, others), (val, val_others) = list_files(train_root, folders), list_files(val_root, folders)
    filled = {label for _, label in train}
    if empty := [folder for label, folder in enumerate(folders) if label not in filled]:
        raise InputError(f"{train_root / empty[0]} has no images; put {_kinds()} files there or remove the folder")
    if not val:
        raise InputError(f"{val_root} has no images; put some {_kinds()} files of every class in {val_root}/CLASS")
    names = _readable_names(root)
    class_names = tuple(names.get(folder, folder) for folder in folders)
    canvas: dict[str, Any] = {"canvas_size": canvas_size, "channels": channels, "resampling": resampling}
    return FolderSource(train, class_names, others, **canvas), FolderSource(val, class_names, val_others, **canvas)


def open_flat_folder(
    root: Path, *, canvas_size: int, channels: int = 3, resampling: Resampling = "bilinear"
) -> FolderSource:
    """The images of PATH/CLASS/*.jpg, which have no split; raises InputError where there are no two classes."""
    folders = _class_folders(root)
    files, others = list_files(root, folders)
    if len(folders) < 2 or not files:
        raise InputError(
            f"folder {root} has neither a train folder nor classes; expected {root}/CLASS/*.jpg, "
            f"or {root}/train/CLASS/*.jpg and {root}/val/CLASS/*.jpg"
        )
    canvas: dict[str, Any] = {"canvas_size": canvas_size, "channels": channels, "resampling": resampling}
    return FolderSource(files, tuple(folders), others, **canvas)


def _train_root(root: Path) -> Path:
    if not (root / "train").is_dir():
        above = Path(os.path.abspath(root)).parent
        if (above / "train").is_dir() and any((above / name).is_dir() for name in VAL_NAMES):
            raise InputError(f"folder {root} has no train folder, and the one above it has; give folder:{above}")
        raise InputError(
            f"folder {root} has no train folder; expected {root}/train/CLASS/*.jpg and {root}/val/CLASS/*.jpg, or, for "
            f"figures alone, {_kinds()} files in {root} itself"
        )
    return root / "train"


def _val_root(root: Path) -> Path:
    for name in VAL_NAMES:
        if (root / name).is_dir():
            return root / name
    raise InputError(
        f"folder {root} has no val folder (nor {', '.join(VAL_NAMES[1:])}); "
        f"move some images of every class from {root}/train/CLASS to {root}/val/CLASS"
    )


def _class_folders(root: Path) -> list[str]:
    with os.scandir(root) as entries:
        shown = [entry for entry in entries if not entry.name.startswith(".")]
    if lost := [entry.path for entry in shown if not os.path.exists(entry)]:
        raise InputError(f"{min(lost)} is a link that leads nowhere, or to itself; mend it, or take it away")
    folders = sorted(entry.name for entry in shown if entry.is_dir())
    check_class_names(folders, str(root))
    return folders


def list_files(root: Path, folders: list[str]) -> tuple[list[tuple[str, int]], Counter[str]]:
    """(path, place of its folder in `folders`) of every image, sorted within its folder; a missing folder has none.

    What is an image its name says. Also how all other names end, hidden ones apart, and how many do.
    """
    files, others = [], Counter()
    for label, folder in enumerate(folders):
        if (root / folder).is_dir():
            names = sorted(name for name in os.listdir(root / folder) if not name.startswith("."))
            images = [name for name in names if name.lower().endswith(SUFFIXES)]
            files += [(str(root / folder / name), label) for name in images]
            if len(images) < len(names):
                others.update(os.path.splitext(name)[1].lower() for name in set(names).difference(images))
    return files, others


def passed_over(*sources: FolderSource) -> str:
    """What of the folders is no image by its name, as words to be put behind theirs; "" where all is."""
    counts = sum((source.others for source in sources), Counter())
    if not counts:
        return ""
    order = sorted(counts, key=lambda suffix: (-counts[suffix], suffix))
    kinds = [f"{counts[suffix]:,} {_ending(suffix)}" for suffix in order[:_SHOWN]]
    rest = sum(counts[suffix] for suffix in order[_SHOWN:])
    return f" (passed over: {', '.join(kinds)}{f' and {rest:,} more' if rest else ''}, which are no images by name)"


def _ending(suffix: str) -> str:
    return (suffix if suffix.isprintable() else ascii(suffix)) or "without an ending"


def _kinds() -> str:
    """How the names of images end."""
    return ", ".join(suffix[1:] for suffix in SUFFIXES)


def _readable_names(root: Path) -> dict[str, str]:
    """Folder name -> readable name; a header line does no harm, for no folder is called so."""
    for file, separator in (("classes.tsv", "\t"), ("classes.txt", None)):
        if (root / file).is_file():
            try:
                lines = _decoded(read_bytes(root / file)).splitlines()
            except OSError as error:
                raise InputError(f"cannot read {root / file} ({error.strerror})") from error
            parts = [line.split(separator, -1 if separator else 1) for line in lines]
            return {part[0].strip(): part[1].strip() for part in parts if len(part) > 1 and part[1].strip()}
    return {}


def _decoded(data: bytes) -> str:
    """UTF-8, or what the mark at the beginning says: spreadsheets write UTF-16, and a mark before UTF-8."""
    encoding = next((encoding for mark, encoding in _MARKS if data.startswith(mark)), "utf-8")
    return data.decode(encoding, errors="replace")
