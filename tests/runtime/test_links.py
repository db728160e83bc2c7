"""What stands in the place of a file of ours is never written through, and never waited for."""

import errno
import os
import resource
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure
from nets import TINY

from zfjax.cli import visualize
from zfjax.data.formats import tfrecord
from zfjax.data.prepare import PrepareConfig, prepare
from zfjax.data.prepared.writer import write_whole
from zfjax.draw.page import save
from zfjax.errors import InputError
from zfjax.paper.transfer.options import Options
from zfjax.runs import folder
from zfjax.runs.checkpoint import Checkpoints
from zfjax.runs.lock import locked
from zfjax.runs.results import Ledger
from zfjax.runtime import files
from zfjax.runtime.allocation import allocate
from zfjax.train.events import Events

SECRET = b"somebody's own\n"


def hold(path: Path) -> None:
    with locked(path):
        pass


def run_files(path: Path) -> None:
    names = [f"class {number}" for number in range(TINY.num_classes)]
    folder.create_run(path, {"arch": TINY.to_dict()}, names, np.zeros((46, 46, 3)))


def rewind(path: Path) -> None:
    (path / "metrics.jsonl").write_text('{"step": 1}\n{"step": 2}\n')
    folder.truncate_metrics(path, 1)


def events(path: Path) -> None:
    written = Events(path, 0)  # where they cannot be written it warns, and the training goes on without
    written.add({"loss": 0.5}, 1)
    written.close()


WRITERS: dict[str, Callable[[Path], object]] = {  # by the file that each writes
    "lock": hold,
    "metrics.jsonl": lambda path: folder.append_metrics(path, {"step": 1}),
    "metrics.jsonl.part": rewind,
    "config.json.part": run_files,
    "classes.txt.part": run_files,
    "mean.npy.part": run_files,
    ".probe.part": run_files,
    "results.jsonl": lambda path: Ledger(path / "results.jsonl", {"c": 1}).append({"a": 2}),
    "table.md": lambda path: files.write_text(path / "table.md", "ours"),
    "table.md.part": lambda path: files.write_text(path / "table.md", "ours"),
    "plan.json": lambda path: files.read_json(path / "plan.json") or files.write_json(path / "plan.json", {}),
    "a.png": lambda path: save(Figure(), path / "a.png"),
    "a.png.PID.part": lambda path: save(Figure(), path / "a.png"),
    "index.npz": lambda path: tfrecord._save(path / "index.npz", [np.arange(3)]),
    "index.npz.PID.part": lambda path: tfrecord._save(path / "index.npz", [np.arange(3)]),
    "events.out.tfevents.1.here": events,
    "train.npy.part": lambda path: write_whole(path / "train.npy", b"ours", path),
}


def link(place: Path, elsewhere: Path) -> None:
    elsewhere.write_bytes(SECRET)
    place.symlink_to(elsewhere)


def dangling(place: Path, elsewhere: Path) -> None:
    place.symlink_to(elsewhere)


def endless(place: Path, _: Path) -> None:
    place.symlink_to("/dev/zero")


def pipe(place: Path, _: Path) -> None:
    os.mkfifo(place)


def a_folder(place: Path, _: Path) -> None:
    (place / "inside").mkdir(parents=True)


@pytest.fixture(autouse=True)
def same_name_of_events(monkeypatch):
    monkeypatch.setattr("zfjax.train.events.time.time", lambda: 1)
    monkeypatch.setattr("zfjax.train.events.socket.gethostname", lambda: "here")


@pytest.fixture
def patience():
    """A pipe is waited for without end; the test is not."""

    def give_up(*_):
        raise AssertionError("it waits")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("obstacle", [link, dangling, endless, pipe, a_folder])
@pytest.mark.parametrize("name", WRITERS)
def test_what_is_in_the_way_is_replaced_or_refused(name, obstacle, tmp_path, patience):
    place, elsewhere = tmp_path / "run" / name.replace("PID", str(os.getpid())), tmp_path / "elsewhere"
    place.parent.mkdir()
    obstacle(place, elsewhere)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            WRITERS[name](place.parent)
    except InputError as error:
        assert str(error).count("\n") == 0 and str(place.parent) in str(error)
    assert not elsewhere.exists() or elsewhere.read_bytes() == SECRET
    assert elsewhere.exists() == (obstacle is link)


@pytest.mark.parametrize("name", ["lock", "metrics.jsonl", "results.jsonl"])
def test_the_message_names_what_is_in_the_way(name, tmp_path):
    link(tmp_path / name, tmp_path / "elsewhere")
    with pytest.raises(InputError, match=rf"cannot write .*\({name} is a link, which is not followed\); "):
        WRITERS[name](tmp_path)


def test_a_link_is_read_and_a_pipe_is_not(tmp_path, patience):
    link(tmp_path / "link", tmp_path / "elsewhere")
    assert files.read_bytes(tmp_path / "link") == SECRET
    os.mkfifo(tmp_path / "config.json")
    with pytest.raises(InputError, match=r"cannot read .*config.json .*is a pipe or a device, not a file.*; remove it"):
        files.read_json(tmp_path / "config.json")


def checkpoints(path: Path) -> None:
    with Checkpoints(path) as made:
        made.save(1, {"params": {"w": np.ones(3)}})


FOLDERS: dict[str, Callable[[Path], object]] = {  # by the folder that each writes into
    "preparing": lambda path: prepare(PrepareConfig(out=str(path), dataset="scenes", size=32)),
    "checkpoints": checkpoints,
    "checkpoints/trash": checkpoints,
    "checkpoints/damaged": checkpoints,
    "checkpoints/1": checkpoints,
    "checkpoints/1.orbax-checkpoint-tmp": checkpoints,
    "figures": lambda path: visualize._make(visualize._folder(SimpleNamespace(out=None), str(path)), given=False),
    "transfer": lambda path: Options(ckpt=str(path), dataset="cifar10").folder,
    "transfer/cifar10": lambda path: Options(ckpt=str(path), dataset="cifar10").folder,
}


@pytest.mark.parametrize("name", FOLDERS)
@pytest.mark.parametrize("there", [True, False])
def test_no_folder_of_ours_is_written_through_a_link(name, there, tmp_path):
    elsewhere, out = tmp_path / "elsewhere", tmp_path / "out"
    if there:
        elsewhere.mkdir()
        (elsewhere / "my.part").write_bytes(SECRET)
    (out / name).parent.mkdir(parents=True)
    (out / name).symlink_to(elsewhere)
    with pytest.raises(InputError, match=f"out/{name} is a link, which is not followed; remove it"):
        FOLDERS[name](out)
    assert [path.name for path in tmp_path.glob("elsewhere/*")] == ["my.part"] * there
    assert elsewhere.exists() == there


def test_a_run_folder_may_be_a_link_itself(tmp_path):
    (tmp_path / "big").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "big")
    checkpoints(tmp_path / "run")
    assert (tmp_path / "big" / "checkpoints" / "1").is_dir()


@contextmanager
def full_disk(left: int = 0) -> Iterator[None]:
    """No file can have more bytes than are left: the kernel refuses the write itself."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (left, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", [name for name in WRITERS if name not in ("metrics.jsonl.part",)])
def test_a_full_disk_is_one_sentence(name, tmp_path, capsys):
    with full_disk(), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            WRITERS[name](tmp_path)
        except InputError as error:
            said = str(error)
        else:  # what costs the next start its time, or TensorBoard its curves, and nothing else
            said = capsys.readouterr().err + "\n".join(str(each.message) for each in warned)
    assert "File too large" in said and str(tmp_path) in said and said.strip().count("\n") == 0


def test_room_is_taken_before_a_file_is_mapped(tmp_path, monkeypatch):
    def unknown(*_):
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    path = tmp_path / "features"
    for take in (os.posix_fallocate, unknown):
        monkeypatch.setattr(os, "posix_fallocate", take)
        path.write_bytes(b"head")
        os.truncate(path, 3 << 20)
        assert path.stat().st_blocks * 512 < 1 << 20
        allocate(path, 3 << 20)
        assert path.stat().st_blocks * 512 >= 3 << 20 and path.read_bytes() == b"head".ljust(3 << 20, b"\0")
