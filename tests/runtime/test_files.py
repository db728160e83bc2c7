"""Files are there whole or not at all: after a failure, after a kill, and on the disk before the next is begun."""

import os
import signal

import pytest
from runs import start

from zfjax.errors import InputError
from zfjax.runtime import files

# Writes the numbers from 0 on, each as a text of 3,000 lines, for ever.
CHILD = """
import itertools, sys
from pathlib import Path
from zfjax.runtime.files import write_text
for number in itertools.count():
    write_text(Path(sys.argv[1]), f"{number}\\n" * 3000)
    print(number, flush=True)
"""


def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path):
    path = tmp_path / "table.md"
    files.write_text(path, "first\n")
    with pytest.raises(KeyboardInterrupt), files.whole(path) as part:
        part.write_text("half of the sec")
        raise KeyboardInterrupt
    assert path.read_text() == "first\n" and os.listdir(tmp_path) == ["table.md"]
    with files.whole(path, part=files.own_part(path)) as part:
        part.write_text("second\n")
        assert str(os.getpid()) in part.name and path.read_text() == "first\n"
    assert path.read_text() == "second\n" and os.listdir(tmp_path) == ["table.md"]


def test_a_kill_leaves_one_whole_text(tmp_path):
    with start("-c", CHILD, tmp_path / "a") as child:
        for _ in range(20):
            child.stdout.readline()
        child.send_signal(signal.SIGKILL)
    lines = (tmp_path / "a").read_text().splitlines()
    assert len(lines) == 3000 and len(set(lines)) == 1 and int(lines[0]) >= 19


def test_data_and_name_are_flushed_before_the_call_returns(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(os, "fsync", lambda number: done.append(os.readlink(f"/proc/self/fd/{number}")))
    monkeypatch.setattr(
        os, "replace", lambda part, path, replace=os.replace: done.append("named") or replace(part, path)
    )
    files.write_bytes(tmp_path / "a", b"1")
    assert done == [str(tmp_path / "a.part"), "named", str(tmp_path)]


def test_what_is_staged_has_no_name_yet(tmp_path):
    part = files.stage(tmp_path / "a", b"1")
    assert os.listdir(tmp_path) == ["a.part"]
    files.commit(part, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"1" and os.listdir(tmp_path) == ["a"]


def test_errors_name_the_file_and_say_what_would_do(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write .*file/a .Not a directory.; give another folder with --out"):
        files.write_json(tmp_path / "file" / "a", {})
    with pytest.raises(InputError, match="Not a directory.; free some space"):
        files.write_text(tmp_path / "file" / "a", "", advice="free some space")
    with pytest.raises(InputError, match="cannot use .*file as a folder .File exists.; give another with --out"):
        files.make_folder(tmp_path / "file")


def test_json_is_read_as_it_was_written(tmp_path):
    path = files.make_folder(tmp_path / "a" / "b") / "c.json"
    assert files.read_json(path) is None
    files.write_json(path, {"größe": [1, None]})
    assert files.read_json(path) == {"größe": [1, None]}
    path.write_text('{"c": 1}')  # as earlier versions wrote it
    assert files.read_json(path) == {"c": 1}
    files.write_json(path, {10: (1, 2.5), "2": {"a": "x"}})
    assert files.read_json(path) == {"10": [1, 2.5], "2": {"a": "x"}}
    text = path.read_text()
    for old, new in (("2.5", "3.5"), ('"10"', '"11"'), ('"crc32"', '"crc"'), ("checked", "shecked"), ("true", "false")):
        path.write_text(text.replace(old, new))
        with pytest.raises(InputError, match="c.json was changed: its checksum differs; remove it, and it is measured"):
            files.read_json(path)
    path.write_text('{"cut')
    with pytest.raises(InputError, match="cannot read .*c.json .*; remove it, and it is measured again"):
        files.read_json(path)
    path.write_text("[]")
    with pytest.raises(InputError, match="c.json must hold a JSON object, not list; remove it"):
        files.read_json(path)


TEXTS = ["conv1", "my run, 2", "größe", "features_a.b-c", "x" * 160]
OTHERS = [
    "",
    ".",
    "..",
    "../../x",
    "/abs",
    "a/b",
    "a\\b",
    "a-b~1",
    ".hidden",
    "-rf",
    "a\n",
    "\x1b[31m",
    "\udcff",
    "ü" * 81,
    "x" * 161,
]


def test_any_text_has_a_file_name_of_its_own(tmp_path):
    names = [files.file_name(text) for text in TEXTS + OTHERS]
    assert names[: len(TEXTS)] == TEXTS and len({*names, *OTHERS}) == len(names) + len(OTHERS)
    for name in names:
        (tmp_path / f"features_{name}.npy").touch()
        assert name.isprintable() and name[0] not in ".-"
    assert len(os.listdir(tmp_path)) == len(names)
