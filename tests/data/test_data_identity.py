"""A run goes on with the data that it began with: images that were removed, added, renamed or changed are noticed."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from nets import TINY, canvas_side, run_of
from PIL import Image
from test_data_prepare import make_photos, run_prepare
from test_data_tfds import Blots
from tfrecords import edit_info, prepare

from zfjax.data import open_dataset, open_for, recorded
from zfjax.errors import InputError
from zfjax.runs.config import data_differences
from zfjax.runs.folder import read_config
from zfjax.train.loop import _open
from zfjax.train.settings import Settings, training

SIDE = canvas_side(TINY)


def start(name, workdir, **flags):
    """What a training does before its first step; then there is a checkpoint, by name."""
    data = open_dataset(name, canvas_size=SIDE)
    arch = dataclasses.replace(TINY, num_classes=len(data.class_names))
    options = training(Settings(**flags), arch, data, workdir)
    mean = _open(arch, data, workdir, options["config"], options["may_differ"])
    (workdir / "checkpoints" / "7").mkdir(parents=True, exist_ok=True)
    return mean


@pytest.fixture
def photos(tmp_path):
    return make_photos(tmp_path / "photos", train=6, val=4)


def remove(photos):
    (photos / "train" / "ant" / "00.png").unlink()


def add(photos):
    shutil.copy(photos / "train" / "ant" / "00.png", photos / "train" / "ant" / "07.png")


def rename(photos):
    (photos / "train" / "ant" / "00.png").rename(photos / "train" / "ant" / "07.png")


def move_to_another_class(photos):
    (photos / "train" / "ant" / "00.png").rename(photos / "train" / "bée" / "00.png")


def change(photos):
    Image.new("RGB", (30, 30)).save(photos / "train" / "ant" / "00.png")


def lose_its_target(photos):
    remove(photos)
    (photos / "train" / "ant" / "00.png").symlink_to("nowhere")


def remove_from_val(photos):
    (photos / "val" / "ant" / "00.png").unlink()


CHANGES = {
    remove: r"\(train: 6 images there, 5 here\)",
    add: r"\(train: 6 images there, 7 here\)",
    rename: r"\(train: 6 images there and here, but other names or sizes\)",
    move_to_another_class: r"\(train: 6 images there and here, but other names or sizes\)",
    change: r"\(train: 6 images there and here, but other names or sizes\)",
    lose_its_target: r"\(train: 6 images there and here, but other names or sizes\)",
    remove_from_val: r"\(val: 4 images there, 3 here\)",
}


@pytest.mark.parametrize("act", CHANGES)
def test_other_images_are_refused_unless_accepted(act, photos, tmp_path):
    name, workdir = f"folder:{photos}", tmp_path / "run"
    mean = start(name, workdir)
    act(photos)
    before = (workdir / "config.json").read_bytes()
    with pytest.raises(InputError, match=f"run was trained on other images {CHANGES[act]}; .* by --other_data=accept"):
        start(name, workdir)
    assert (workdir / "config.json").read_bytes() == before
    np.testing.assert_array_equal(start(name, workdir, other_data="accept"), mean)
    start(name, workdir)  # what was accepted is what it is trained on now


@pytest.mark.parametrize("accept", ["stop", "accept"])
def test_other_classes_are_never_accepted(photos, tmp_path, accept):
    name, workdir = f"folder:{photos}", tmp_path / "run"
    (photos / "classes.tsv").write_text("ant\tred ant\n")
    start(name, workdir)
    (photos / "classes.tsv").write_text("ant\tblue ant\n")
    with pytest.raises(InputError, match="other classes: number 0 is 'red ant' there and 'blue ant' here, of 2 there"):
        start(name, workdir, other_data=accept)


def test_a_run_of_before_goes_on_and_knows_its_data_from_then_on(photos, tmp_path):
    name, workdir = f"folder:{photos}", tmp_path / "run"
    start(name, workdir)
    path = workdir / "config.json"
    config = {key: value for key, value in read_config(workdir).items() if key not in ("data", "other_data")}
    path.write_text(json.dumps(config))
    remove(photos)
    start(name, workdir)
    assert read_config(workdir)["data"]["train"]["images"] == 5
    with pytest.raises(InputError, match="holds a run with other settings .dataset: "):
        path.write_text(json.dumps(config))
        start("scenes", workdir)


def test_another_kind_of_data_set_is_another(photos, tmp_path):
    out = run_prepare(photos, tmp_path / "set", size=SIDE)
    known = [
        open_dataset(f"{kind}:{path}", canvas_size=SIDE).fingerprint()
        for kind, path in (("folder", photos), ("prepared", out))
    ]
    assert [each["kind"] for each in known] == ["folder", "prepared"]
    assert data_differences(*known) == ["a data set of the kind folder there, prepared here"]


def test_a_prepared_set_is_known_by_its_checksums(photos, tmp_path):
    def known(out):
        return open_dataset(f"prepared:{out}", canvas_size=20).fingerprint()

    out = run_prepare(photos, tmp_path / "one")
    assert known(shutil.copytree(out, tmp_path / "copy")) == known(out)
    change(photos)
    other = known(run_prepare(photos, tmp_path / "other"))
    assert other["train"] != known(out)["train"] and other["val"] == known(out)["val"]


def test_a_build_is_known_by_its_files(tmp_path):
    def known(root):
        return open_dataset("blots", canvas_size=7, data_dir=root, bad_images="skip").fingerprint()

    build = prepare(Blots, tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "copy")
    assert known(tmp_path / "one") == known(tmp_path / "copy")
    assert known(tmp_path / "one")["train"]["images"] == 10
    copied = tmp_path / "copy" / build.relative_to(tmp_path / "one")
    edit_info(copied, lambda info: info["splits"][1].update(numBytes="12345"))
    other = known(tmp_path / "copy")
    assert sum(other[split] != known(tmp_path / "one")[split] for split in ("train", "val")) == 1


def test_scenes_are_known_by_their_number():
    known = open_dataset("scenes", canvas_size=SIDE).fingerprint()
    assert known == {"kind": "scenes", "train": {"images": 5000}, "val": {"images": 1000}}


def test_who_looks_at_a_run_is_told_in_one_line(photos, tmp_path, capsys):
    name = f"folder:{photos}"
    start(name, tmp_path / "run")
    run = run_of(TINY, {}, np.zeros((SIDE, SIDE, 3), np.float32), ("ant", "bée"), read_config(tmp_path / "run"))
    recorded._say_once.cache_clear()
    capsys.readouterr()
    open_for(run, name)
    assert capsys.readouterr().err == ""
    remove(photos)
    for _ in range(2):
        open_for(run, name)
    assert capsys.readouterr().err == (
        "warning: these are other images than the run was trained on (train: 6 images there, 5 here)\n"
    )
    open_for(run, "scenes")  # asked for, and no surprise
    open_for(run._replace(config={**run.config, "data": None}), name)
    assert capsys.readouterr().err == ""


def other_folder(photos, monkeypatch):
    monkeypatch.chdir(photos)
    return "folder:.", "folder:../photos"


def slash(photos, monkeypatch):
    return f"folder:{photos}", f"folder:{photos}/"


def dots(photos, monkeypatch):
    return f"folder:{photos}", f"folder:{photos}/../photos/."


def home(photos, monkeypatch):
    monkeypatch.setenv("HOME", str(photos.parent))
    return f"folder:{photos}", "folder:~/photos"


def relative(photos, monkeypatch):
    monkeypatch.chdir(photos.parent)
    return "folder:photos", f"folder:{photos}"


def moved(photos, monkeypatch):
    shutil.copytree(photos, photos.parent / "elsewhere")
    return f"folder:{photos}", f"folder:{photos.parent}/elsewhere"


PATHS = [other_folder, slash, dots, home, relative, moved]


@pytest.mark.parametrize("way", PATHS)
def test_the_same_data_by_another_path(way, photos, tmp_path, monkeypatch):
    before, now = way(photos, monkeypatch)
    start(before, tmp_path / "run")
    assert read_config(tmp_path / "run")["dataset"] == f"folder:{photos}"
    start(now, tmp_path / "run")
    where = photos if way is not moved else photos.parent / "elsewhere"
    assert read_config(tmp_path / "run")["dataset"] == f"folder:{where}"
    monkeypatch.chdir("/")
    run = run_of(TINY, {}, np.zeros((SIDE, SIDE, 3), np.float32), ("ant", "bée"), read_config(tmp_path / "run"))
    assert len(open_for(run).train) == 6


@pytest.mark.parametrize("way", PATHS)
def test_runs_of_before_know_their_path_alone(way, photos, tmp_path, monkeypatch):
    before, now = way(photos, monkeypatch)
    start(before, tmp_path / "run")
    config = {key: value for key, value in read_config(tmp_path / "run").items() if key != "data"}
    (tmp_path / "run" / "config.json").write_text(json.dumps({**config, "dataset": before}))
    if way is moved:
        with pytest.raises(InputError, match="dataset: .*photos. there, .*elsewhere. here"):
            start(now, tmp_path / "run")
    else:
        start(now, tmp_path / "run")
        assert read_config(tmp_path / "run")["data"]["train"]["images"] == 6


def test_a_prepared_set_may_be_moved_and_a_data_dir_is_recorded_whole(photos, tmp_path, monkeypatch):
    out = run_prepare(photos, tmp_path / "set", size=SIDE)
    monkeypatch.chdir(tmp_path)
    start("prepared:set", tmp_path / "run", data_dir="builds/")
    assert read_config(tmp_path / "run")["dataset"] == f"prepared:{out}"
    assert read_config(tmp_path / "run")["data_dir"] == f"{tmp_path}/builds"
    out.rename(tmp_path / "moved")
    start("prepared:moved", tmp_path / "run")
    run = run_of(TINY, {}, np.zeros((SIDE, SIDE, 3), np.float32), ("ant", "bée"), read_config(tmp_path / "run"))
    assert read_config(tmp_path / "run")["data_dir"] is None
    assert len(open_for(run, "prepared:moved/").val) == 4
