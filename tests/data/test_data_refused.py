"""Data folders with names that a run could not keep, with parts that are closed to us, and users without a home."""

import os
import pwd
import re
import shutil

import pytest
from PIL import Image
from tfrecords import framed

from zfjax.data import default_dataset, open_dataset
from zfjax.data.formats.records import Shard
from zfjax.data.formats.tfrecord import indexed
from zfjax.data.prepare import PrepareConfig, prepare
from zfjax.data.sources.pool import open_pool
from zfjax.errors import InputError
from zfjax.runtime.compile_cache import keep_programs


@pytest.fixture
def photos(tmp_path):
    for split in ("train", "val"):
        for name in ("ant", "bee"):
            (tmp_path / split / name).mkdir(parents=True)
            Image.new("RGB", (9, 9)).save(tmp_path / split / name / "0.png")
    return tmp_path


def refused(root, message: str) -> None:
    """By training and preparing alike, in one line; nothing is written."""
    with pytest.raises(InputError, match=message) as error:
        open_dataset(f"folder:{root}", canvas_size=8)
    assert str(error.value).isprintable()
    with pytest.raises(InputError, match=message):
        prepare(PrepareConfig(dataset=f"folder:{root}", out=str(root / "out"), size=8))
    assert not (root / "out").exists()


@pytest.mark.parametrize("name", ["a\nb", "a\rb", "a\tb", "\x1b[31ma", "a\x7f", "a\x85b", "a\u2028b", b"a\xff"])
def test_class_names_that_a_run_could_not_keep(photos, name):
    shown = re.escape(repr(os.fsdecode(name)))
    for split in ("train", "val"):
        (photos / split / "bee").rename(photos / split / os.fsdecode(name))
    refused(photos, f"the class name {shown} of {photos}/train (is not UTF-8|holds a line break).*rename it")
    with pytest.raises(InputError, match=shown):
        open_pool(f"folder:{photos / 'train'}", canvas_size=8)


def test_readable_names_are_looked_at_too(photos):
    (photos / "classes.tsv").write_text("ant\tan\x1b]0;title\x07t\n")
    refused(photos, r"the class name 'an\\x1b\]0;title\\x07t' of folder:")


def test_names_in_other_scripts_are_kept(photos):
    for split in ("train", "val"):
        (photos / split / "bee").rename(photos / split / "蜜蜂 (bée) 👩‍🔬")
    assert open_dataset(f"folder:{photos}", canvas_size=8).class_names[1] == "蜜蜂 (bée) 👩‍🔬"


@pytest.mark.parametrize("target", ["nowhere", "loop"])
def test_class_folders_that_are_links_to_nothing(photos, target):
    (photos / "train" / "loop").symlink_to(target)
    refused(photos, r"train/loop is a link that leads nowhere, or to itself; mend it")


def test_class_folders_that_are_links_to_folders(photos):
    shutil.move(photos / "train" / "ant", photos / "elsewhere")
    (photos / "train" / "ant").symlink_to(photos / "elsewhere")
    assert len(open_dataset(f"folder:{photos}", canvas_size=8).train) == 2


@pytest.mark.parametrize(
    "closed, call",
    [("train", "scandir"), ("val", "scandir"), ("train/bee", "listdir"), ("val/ant", "listdir"), ("val", "stat")],
)
def test_folders_that_are_closed_to_us(photos, closed, call, monkeypatch):
    """The machine that runs this may be root's, who is let in everywhere: the calls themselves refuse."""
    real, path = getattr(os, call), str(photos / closed)

    def refuse(place, *arguments, **options):
        if str(place) == path:
            raise PermissionError(13, "Permission denied", str(place))
        return real(place, *arguments, **options)

    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(InputError, match=f"{path} cannot be read .Permission denied.; let this user read it"):
        open_dataset(f"folder:{photos}", canvas_size=8)


def test_a_list_of_names_that_is_closed_to_us(photos, monkeypatch):
    (photos / "classes.tsv").touch()

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("zfjax.data.sources.folder.read_bytes", refuse)
    with pytest.raises(InputError, match=r"cannot read .*classes.tsv \(Permission denied\)"):
        open_dataset(f"folder:{photos}", canvas_size=8)


@pytest.fixture
def homeless(monkeypatch):
    """No HOME, and a user of whom this machine knows the number alone."""

    def unknown(number):
        raise KeyError(number)

    for name in ("HOME", "XDG_CACHE_HOME", "JAX_COMPILATION_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)


def test_a_user_without_a_home(homeless, photos, tmp_path):
    keep_programs()
    assert default_dataset() == "scenes"
    assert len(open_dataset(f"folder:{photos}", canvas_size=8).train) == 2
    (tmp_path / "a.tfrecord").write_bytes(framed(b"one") + framed(b"two"))
    assert len(indexed([Shard(str(tmp_path / "a.tfrecord"), 2)], name="a")[0][0]) == 3
    for name, options in (("folder:~/x", {}), ("imagenet2012", {}), ("cifar10", {"data_dir": "~nobody-here/x"})):
        with pytest.raises(InputError, match="there is no such home folder here; give the whole path"):
            open_dataset(name, canvas_size=8, **options)
    with pytest.raises(InputError, match="no such home folder"):
        default_dataset("~/x")
    with pytest.raises(InputError, match="no such home folder"):
        prepare(PrepareConfig(dataset="scenes", out="~/x"))
