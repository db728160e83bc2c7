"""The lock of a folder against real processes, one of which is killed."""

import errno
import fcntl
import os
import shutil
import signal

import pytest
from runs import start

from zfjax.errors import InputError
from zfjax.runs.lock import locked

HOLDER = """
import sys, time
from zfjax.runs.lock import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_second_process_is_refused_until_the_first_is_killed(tmp_path):
    with start("-c", HOLDER, tmp_path) as holder:
        try:
            assert holder.stdout.readline() == "held\n"
            with pytest.raises(InputError, match=f"process {holder.pid} on .* is writing to {tmp_path}; wait for it"):
                with locked(tmp_path):
                    pass
        finally:
            holder.send_signal(signal.SIGKILL)
        holder.wait()
    with locked(tmp_path):  # the file is still there and locks nothing
        assert (tmp_path / "lock").read_text().startswith(f"process {os.getpid()} on ")
    with locked(tmp_path):
        pass


def test_a_folder_that_cannot_be_used(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write to .*file/inside .Not a directory.; give another folder"):
        with locked(tmp_path / "file" / "inside"):
            pass


def test_a_file_system_without_locks_is_used_with_a_warning(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.warns(UserWarning, match="cannot be locked .No locks available.: see that nobody else writes"):
        with locked(tmp_path):
            (tmp_path / "something").touch()


def test_a_refusal_leaves_the_holders_name_for_the_next(tmp_path):
    with locked(tmp_path):
        for _ in range(2):
            with pytest.raises(InputError, match=f"process {os.getpid()} on .* is writing to"), locked(tmp_path):
                pass


def test_a_failure_lets_go(tmp_path):
    with pytest.raises(KeyError), locked(tmp_path):
        raise KeyError
    with locked(tmp_path):
        shutil.rmtree(tmp_path)  # as the end of a preparation does, lock and all
    assert not tmp_path.exists()
