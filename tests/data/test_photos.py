"""Flat folders of photos: which they are, and that they are read without labels."""

import dataclasses
import os

import numpy as np
import pytest
from nets import TINY, random_params, run_of
from PIL import Image
from runs import run_script

from zfjax import load_run, save_run
from zfjax.cli import visualize
from zfjax.data.photos import is_flat, open_photos
from zfjax.errors import InputError, exit_on_bad_input
from zfjax.paper.pictures import choose_pictures
from zfjax.paper.view import View


@pytest.fixture
def photos(tmp_path):
    for number in range(3):
        Image.fromarray(np.full((60, 50, 3), 80 * number, np.uint8)).save(tmp_path / f"{number}.png")
    (tmp_path / "notes.txt").write_text("no image")
    return tmp_path


def test_all_images_are_both_splits_and_have_no_class(photos, capsys):
    run = run_of(TINY, random_params(TINY), np.zeros((46, 46, 3), np.float32), tuple("abcdefg"[: TINY.num_classes]))
    data = open_photos(run, f"folder:{photos}")
    assert data.train is data.val and data.class_names == () and "1 .txt" in data.origin
    assert "has 3 image(s) (passed over: 1 .txt, which are no images by name)" in capsys.readouterr().err
    assert [(int(data.val[i]["label"]), int(data.val[i]["image"].mean())) for i in range(len(data.val))] == [
        (-1, 0),
        (-1, 80),
        (-1, 160),
    ]


def test_what_is_a_flat_folder(photos, monkeypatch):
    assert is_flat(f"folder:{photos}")
    monkeypatch.chdir(photos)
    assert is_flat("folder:.")
    assert not any(map(is_flat, (None, "", "folder:", "scenes", f"prepared:{photos}", str(photos), "folder:/nowhere")))
    (photos / "train").mkdir()
    assert not is_flat(f"folder:{photos}")


def test_a_folder_that_is_closed_to_us_is_named(photos, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("pathlib.Path.iterdir", refuse)
    with pytest.raises(InputError, match=rf"{os.path.basename(photos)} cannot be read \(Permission denied\)"):
        is_flat(f"folder:{photos}")


def test_who_takes_a_folder_for_an_image_is_told_the_flag(photos, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stop:
        run_script(visualize, ["--ckpt=/nowhere", f"--images=3,{photos}"], monkeypatch)
    said = capsys.readouterr().err
    assert stop.value.code == 2 and said.count("\n") == 1
    assert f"{photos} is a folder; --dataset=folder:{photos} takes the photos in it" in said


def test_figures_leave_a_broken_photo_out_and_say_so(photos, monkeypatch, capsys):
    (photos / "1.png").write_bytes(b"")
    save_run(photos / "run", TINY, random_params(TINY), mean=np.full(3, 99.0))
    flags = [f"--ckpt={photos / 'run'}", f"--dataset=folder:{photos}", "--figure=features", "--layers=conv1"]
    flags += ["--num_maps=1", "--top=3"]
    with pytest.raises(SystemExit):
        run_script(visualize, flags, monkeypatch)
    assert capsys.readouterr().err.endswith("or leave such images out by --bad_images=skip\n")
    run_script(visualize, [*flags, "--bad_images=skip"], monkeypatch)
    assert f"1 broken image left out:\n  {photos}/1.png: empty file" in capsys.readouterr().out
    view = View(ckpt="", run=load_run(photos / "run"), out=photos, dataset_name=f"folder:{photos}", bad_images="skip")
    assert sorted(choose_pictures(view, 3).names) == ["0.png", "2.png"]
    (photos / "0.png").write_bytes(b"")
    with pytest.raises(InputError, match="all of the 1 images looked at are broken"):
        choose_pictures(dataclasses.replace(view, limit=1))
    with pytest.raises(InputError, match="--images asks for 1, which is broken: .*1.png"):
        choose_pictures(dataclasses.replace(view, images="2,1"))


def test_a_file_that_is_no_image_is_named_with_how_it_begins_and_what_to_do(photos, capsys):
    (photos / "a.jpg").write_text("hello")
    run = run_of(TINY, random_params(TINY), np.zeros((46, 46, 3), np.float32), tuple("abcdefg"[: TINY.num_classes]))
    with pytest.raises(SystemExit), exit_on_bad_input():
        data = open_photos(run, f"folder:{photos}").val
        _ = [data[number] for number in range(len(data))]
    said = capsys.readouterr().err.splitlines()[-1]
    assert "a.jpg: not an image: 5 bytes that begin with 'hello'; mend it, take it away" in said
