"""A folder that is opened, then goes away, and folders whose names the stores of checkpoints misread."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from zfjax.errors import InputError
from zfjax.runs.checkpoint import Checkpoints
from zfjax.runs.folder import create_run, open_run
from zfjax.runs.opened import Opened

STATE = {"params": {"fc": {"kernel": np.arange(6, dtype=np.float32)}}, "step": np.int32(0)}


def move(run: Path) -> None:
    run.rename(run.with_name("elsewhere"))


def replace(run: Path) -> None:
    move(run)
    run.mkdir()
    (run / "metrics.jsonl").write_text("another's")


def link_elsewhere(run: Path) -> None:
    move(run)
    run.with_name("other").mkdir()
    run.symlink_to(run.with_name("other"))


def put_a_copy(run: Path) -> None:
    shutil.copytree(run, run.with_name("copy"))
    move(run)
    run.with_name("copy").rename(run)


def put_a_file(run: Path) -> None:
    move(run)
    run.touch()


def empty(run: Path) -> None:
    for path in run.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def lose_the_mean(run: Path) -> None:
    (run / "mean.npy").unlink()


def put_a_pipe(run: Path) -> None:
    lose_the_mean(run)
    os.mkfifo(run / "mean.npy")


def change_a_byte_of_the_mean(run: Path) -> None:
    data = (run / "mean.npy").read_bytes()
    (run / "mean.npy").write_bytes(data[:-1] + b"?")


def empty_the_config(run: Path) -> None:
    (run / "config.json").write_text("{}")


def put_another_config(run: Path) -> None:
    (run / "other").write_text((run / "config.json").read_text().replace('"seed": 0', '"seed": 1'))
    (run / "other").rename(run / "config.json")


def put_a_folder(run: Path) -> None:
    (run / "classes.txt").unlink()
    (run / "classes.txt").mkdir()


def swap_the_classes(run: Path) -> None:
    (run / "classes.txt").write_text("b\na\n")


AWAY = [shutil.rmtree, move, replace, link_elsewhere, put_a_copy, put_a_file]
OTHER = {
    "config.json, classes.txt, mean.npy": [empty],
    "config.json": [empty_the_config, put_another_config],
    "classes.txt": [swap_the_classes, put_a_folder],
    "mean.npy": [lose_the_mean, put_a_pipe, change_a_byte_of_the_mean],
}
SAID = [(damage, "was removed, moved or replaced") for damage in AWAY]
SAID += [(damage, f"has lost {names}") for names, damages in OTHER.items() for damage in damages]


@pytest.mark.parametrize(("damage", "said"), SAID, ids=lambda value: getattr(value, "__name__", ""))
def test_a_run_that_is_another_is_said(tmp_path, damage, said):
    run = create_run(tmp_path / "run", {"seed": 0}, ["a", "b"], np.zeros((2, 2, 3)))
    with Checkpoints(run) as checkpoints:
        checkpoints.save(1, STATE)
        checkpoints.wait()
        damage(run)
        for look in (checkpoints.verify, lambda: checkpoints.save(2, STATE)):
            with pytest.raises(InputError, match=f"{run} {said} during the training"):
                look()


def test_the_same_files_written_anew_are_the_same_run(tmp_path):
    run = create_run(tmp_path / "run", {"seed": 0}, ["a", "b"], np.zeros((2, 2, 3)))
    with Opened(run) as opened:
        for name in ("config.json", "classes.txt", "mean.npy"):
            shutil.copy(run / name, run / "copy")
            (run / "copy").rename(run / name)
        opened.check()


# the first six were misread: checkpoints without arrays, with exit code 0, or tracebacks
NAMES = [r"a\b", "\\", "a[b]", "[!a]", "gs:", "a\udcff", "~ a*?{b}%5C#ö\n"]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_every_name_of_a_folder_holds_checkpoints(tmp_path, name):
    run = tmp_path / name / "run"
    with Checkpoints(run, keep_latest=1) as checkpoints:
        for step in (1, 2):
            checkpoints.save(step, STATE)
        checkpoints.verify()
    assert os.listdir(run / "checkpoints") == ["2"]
    with Checkpoints(run) as checkpoints:
        assert checkpoints.restore_latest(STATE).step == 2
    assert os.listdir(tmp_path) == [name]  # and nothing beside it


def test_without_another_name_such_a_folder_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "is_dir", lambda path: not str(path).startswith("/proc"))
    with pytest.raises(InputError, match=r"'.*a\[b\]': the store of checkpoints misreads .* give a folder without"):
        Checkpoints(tmp_path / "a[b]")


def test_what_was_saved_is_read_back(tmp_path):
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.verify()  # nothing was saved
        checkpoints.save(1, STATE)
        checkpoints.verify()
        checkpoints.save(2, STATE)
        checkpoints.wait()
        shutil.copytree(tmp_path / "checkpoints" / "2", tmp_path / "two")
        for damage in (lose_params, other_values):
            damage(tmp_path / "checkpoints" / "2")
            with pytest.raises(InputError, match="step 2 was written to .*checkpoints and cannot be read back"):
                checkpoints.verify()
            shutil.copytree(tmp_path / "two", tmp_path / "checkpoints" / "2", dirs_exist_ok=True)
        checkpoints.verify()


def lose_params(step: Path) -> None:
    shutil.rmtree(step / "params")


def other_values(step: Path) -> None:
    path = step / "about" / "metadata"
    path.write_text(path.read_text().replace('"crc32": ', '"crc32": 1'))


def test_a_run_of_another_length_is_refused_once_and_with_the_reason(tmp_path):
    def config(epochs):
        return {"epochs": epochs, "seed": 0, "arch": {"recipe": {"epochs": epochs}}}

    create_run(tmp_path, config(1), ["a"], np.zeros((2, 2, 3)))
    (tmp_path / "checkpoints" / "6").mkdir(parents=True)
    with pytest.raises(
        InputError, match=r"settings \(epochs: 1 there, 2 here\); a run whose rate falls to zero at its"
    ):
        open_run(tmp_path, config(2))
    with pytest.raises(InputError, match=r"settings \(seed: 0 there, 1 here\); repeat them or give another folder"):
        open_run(tmp_path, {**config(1), "seed": 1})
