"""Flags with paths: home folders, commas, and folders where a data set is asked for."""

import pytest

from zfjax.cli.evaluate import EvaluateConfig
from zfjax.cli.flags import parse_flags
from zfjax.cli.train import TrainConfig
from zfjax.data import open_dataset
from zfjax.errors import InputError
from zfjax.runtime.files import listed


@pytest.mark.parametrize(
    "given, meant",
    [
        ("~", "/home/me"),
        ("~/runs/a", "/home/me/runs/a"),
        ("~/a,~/b", "/home/me/a,/home/me/b"),
        ("folder:~/photos", "folder:/home/me/photos"),
        ("prepared:~/set", "prepared:/home/me/set"),
        ("a~/b", "a~/b"),
        ("./~", "./~"),
        ("~backup", "~backup"),
        ("a=~/b", "a=~/b"),
    ],
)
def test_a_home_folder_is_found_after_the_equals_sign(given, meant, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert parse_flags(EvaluateConfig, [f"--ckpt={given}"]).ckpt == meant
    assert parse_flags(TrainConfig, [f"--workdir={given}"]).workdir == meant


@pytest.mark.parametrize(
    "args", [["--keep_epochs=1,2"], ["--keep_epochs=1, 2"], ["--keep-epochs=1,2"], ["--keep_epochs", "1", "2"]]
)
def test_epochs_take_commas_as_other_flags_do(args):
    assert parse_flags(TrainConfig, args).keep_epochs == (1, 2)


def test_what_is_there_is_no_list(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a, b").mkdir()
    assert listed("a, b") == ["a, b"] and listed("a, c") == ["a", "c"] and listed("0, 1,") == ["0", "1"]


def test_a_folder_as_a_data_set_is_told_its_word(tmp_path):
    with pytest.raises(InputError, match=f"unknown data set '{tmp_path}'; for the images .* give folder:{tmp_path}"):
        open_dataset(str(tmp_path), canvas_size=32)
