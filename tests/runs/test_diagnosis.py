"""What keeps a checkpoint from being read and is no damage: said as what it is, and nothing is moved."""

import errno
import json
from pathlib import Path

import jax
import numpy as np
import pytest

from zfjax.errors import InputError
from zfjax.runs import diagnosis, stored
from zfjax.runs.checkpoint import Checkpoints
from zfjax.runs.steps import steps, sums_of

STATE = {"params": {"fc": {"kernel": np.ones((2, 3), np.float32)}}, "step": np.int32(0)}


@pytest.fixture
def run(tmp_path) -> Path:
    with Checkpoints(tmp_path) as checkpoints:
        for step in (1, 2):
            checkpoints.save(step, STATE)
    return tmp_path


def fail_on_the_newest(monkeypatch, error: Exception, read=stored.read_leaves) -> None:
    def failing(folder, *arguments):
        if Path(folder).name == "2" or "fd" in str(folder):
            raise error
        return read(folder, *arguments)

    monkeypatch.setattr(stored, "read_leaves", failing)


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


OBSTACLES = [
    PermissionError(errno.EACCES, "Permission denied"),
    OSError(errno.EPERM, "Operation not permitted"),
    OSError(errno.EIO, "Input/output error"),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
    OSError(errno.EMFILE, "Too many open files"),
    OSError(errno.ESTALE, "Stale file handle"),
    MemoryError(),
    ImportError("no tensorstore"),
    jax.errors.JaxRuntimeError("INTERNAL: device lost"),
    ValueError("PERMISSION_DENIED: Error opening the driver [OS error 13: EACCES Permission denied]"),
    ValueError("RESOURCE_EXHAUSTED: Error reading local file [OS error 24: EMFILE Too many open files]"),
    caused(KeyError("kernel"), PermissionError(errno.EACCES, "Permission denied")),
]


@pytest.mark.parametrize("error", OBSTACLES, ids=repr)
def test_what_is_no_damage_is_said_and_moves_nothing(run, monkeypatch, error):
    fail_on_the_newest(monkeypatch, error)
    words = type(error.__cause__ or error).__name__
    with Checkpoints(run) as checkpoints, pytest.raises(InputError, match=rf"cannot read .*checkpoints/2 \({words}: "):
        checkpoints.restore_latest(STATE)
    assert steps(run) == [1, 2] and not (run / "checkpoints" / "damaged").exists()


DAMAGES = [
    KeyError("kernel"),
    FileNotFoundError(errno.ENOENT, "No such file or directory"),
    OSError("fc/kernel does not match its checksum"),
    ValueError("NOT_FOUND: Error opening the driver"),
    ValueError("DATA_LOSS: Error reading the array"),
]


@pytest.mark.parametrize("error", DAMAGES, ids=repr)
def test_damage_is_set_aside(run, monkeypatch, error):
    fail_on_the_newest(monkeypatch, error)
    with Checkpoints(run) as checkpoints, pytest.warns(UserWarning, match="skipped the damaged checkpoint of step 2"):
        assert checkpoints.restore_latest(STATE).step == 1
    assert (run / "checkpoints" / "damaged" / "2").is_dir()


def test_a_file_that_may_not_be_read_is_not_one_that_is_gone(run, monkeypatch):
    """orbax looks whether a file is there, may not look, and says that it is not."""

    def refused(path, *arguments):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    fail_on_the_newest(monkeypatch, FileNotFoundError("Individual parameter subdirectory not found"))
    monkeypatch.setattr(diagnosis, "open", refused, raising=False)
    with Checkpoints(run) as checkpoints, pytest.raises(InputError, match="PermissionError: .*checkpoints/2/"):
        checkpoints.restore_latest(STATE)
    assert steps(run) == [1, 2]


def test_what_a_newer_orbax_wrote_is_no_damage(run, monkeypatch):
    about = run / "checkpoints" / "2" / "about" / "metadata"
    about.write_text(json.dumps({**json.loads(about.read_text()), "orbax": "99.0.1"}))
    with Checkpoints(run) as checkpoints:
        assert checkpoints.restore_latest(STATE).step == 2  # as long as it can be read
    fail_on_the_newest(monkeypatch, TypeError("unknown layout"))
    with (
        Checkpoints(run) as checkpoints,
        pytest.raises(InputError, match="written by orbax-checkpoint 99.0.1, and here"),
    ):
        checkpoints.restore_latest(STATE)
    assert steps(run) == [1, 2]


def test_a_folder_that_cannot_be_listed_is_a_sentence(run, monkeypatch):
    def refused(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("os.listdir", refused)
    with pytest.raises(InputError, match="cannot read .*checkpoints .Permission denied."):
        steps(run)


@pytest.mark.parametrize(
    "sums", [None, [], {"loss": "much"}, {"loss": float("nan")}, {"loss": float("inf")}, {"loss": True}, {"loss": {}}]
)
def test_sums_that_are_none(sums):
    assert sums_of({"sums": sums}) == sums_of({}) == sums_of(None) == {}
    assert sums_of({"sums": {"loss": 1.5}}) == {"loss": 1.5}


def test_other_names_are_no_steps(run):
    for name in ("²", "٣", "3.part", "-4"):
        (run / "checkpoints" / name).mkdir()
    assert steps(run) == [1, 2]
