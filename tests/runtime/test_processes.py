"""Several processes on this machine train as one, and end together: train.py as a user starts it."""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import runs
from PIL import Image
from runtime.test_clusters import STEP

import zfjax
from zfjax.errors import InputError
from zfjax.runs.folder import read_metrics
from zfjax.runtime import processes
from zfjax.runtime.processes import join

# 54 training images in batches of 8: the sixth batch of every epoch but the first begins within the one before;
# 21 validation images: the last batch is short, and its halves differ.
FLAGS = ["--batch_size=8", "--init=he", "--checkpoint_secs=3600"]
ZF = ("--arch=zf-mini", "--image_size=48")
# What processes share - gradients, crops, dropout, sums - has no need of more layers, which each of them would trace.
DENSE = ("--arch=sign-mlp", "--image_size=32", "--width=0.25", "--crops=ten")


@pytest.fixture(scope="module")
def stripes(tmp_path_factory) -> Path:
    root, rng = tmp_path_factory.mktemp("stripes"), np.random.default_rng(0)
    for split, counts in (("train", (27, 27)), ("val", (10, 11))):
        for label, count in zip(("across", "down"), counts, strict=True):
            folder = root / split / label
            folder.mkdir(parents=True)
            for n in range(count):
                wave = 127 + 100 * np.sin(np.arange(64) / 3 + rng.uniform(0, 6))
                picture = np.broadcast_to(wave[:, None] if label == "across" else wave, (64, 64))
                noisy = np.clip(picture[..., None] + rng.normal(0, 20, (64, 64, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(noisy).save(folder / f"{n:02}.png")
    return root


def start(stripes: Path, workdir: Path, *flags: str, devices: int = 1) -> subprocess.Popen:
    places = (f"--dataset=folder:{stripes}", f"--workdir={workdir}")
    return runs.start("train.py", *FLAGS, *places, *flags, env=runs.one_cpu(devices))


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def start_two(stripes: Path, workdir: Path, *flags: str) -> list[subprocess.Popen]:
    place = [f"--coordinator=127.0.0.1:{free_port()}", "--num_processes=2"]
    return [start(stripes, workdir, *DENSE, *flags, *place, f"--process_id={index}") for index in (0, 1)]


def finish(*processes: subprocess.Popen) -> list[runs.Ended]:
    return [runs.finish(process) for process in processes]


def trained(stripes: Path, workdir: Path, *network: str, devices: int = 1) -> Path:
    """Two epochs, 12 steps, of one process."""
    [(code, _, errors)] = finish(start(stripes, workdir, *network, "--epochs=2", devices=devices))
    assert code == 0, errors
    return workdir


@pytest.fixture(scope="module")
def alone(stripes, tmp_path_factory) -> Path:
    return trained(stripes, tmp_path_factory.mktemp("alone") / "run", *DENSE)


def assert_same_training(one: Path, other: Path) -> None:
    """Parameters within 5e-5 of the largest of their array, and the same metrics.

    Adam divides a gradient by its own size, and so enlarges rounding where a gradient nearly cancels: 2e-6 of the
    largest in most arrays, 2e-5 in one bias of 96.
    """
    first, second = zfjax.load_run(one), zfjax.load_run(other)
    assert first.step == second.step == 12
    for layer, arrays in first.params.items():
        for name, array in arrays.items():
            largest = float(np.abs(array).max())
            np.testing.assert_allclose(second.params[layer][name], array, rtol=0, atol=5e-5 * largest)
    np.testing.assert_array_equal(first.mean, second.mean)
    for a, b in zip(read_metrics(one), read_metrics(other), strict=True):
        assert a.keys() == b.keys()
        for key in a.keys() - {"images_per_sec", "data_wait"}:
            assert b[key] == pytest.approx(a[key], rel=1e-4, abs=1e-6), key


@pytest.fixture(scope="module")
def half_without_data(stripes, tmp_path_factory) -> Iterator[tuple[Path, list[subprocess.Popen]]]:
    """Two processes, the second without data, and the folder that it misses.

    The first waits half a minute for the second's first word: meanwhile other tests run.
    """
    folder = tmp_path_factory.mktemp("half")
    place = [f"--coordinator=127.0.0.1:{free_port()}", "--num_processes=2"]
    sources = enumerate((stripes, folder / "nothing"))
    both = [start(path, folder / "run", *DENSE, *place, f"--process_id={index}") for index, path in sources]
    yield folder / "nothing", both
    for process in both:
        process.kill()
        process.communicate()


@pytest.mark.slow
@pytest.mark.usefixtures("half_without_data")
def test_eight_devices_train_as_one(stripes, tmp_path):
    one, eight = (trained(stripes, tmp_path / str(devices), *ZF, devices=devices) for devices in (1, 8))
    assert_same_training(one, eight)


@pytest.mark.slow
def test_two_processes_train_as_one_and_a_lost_one_ends_both(stripes, alone, tmp_path):
    """Killed with -9 after the first epoch, started again, and at the end equal to one process on one device."""
    workdir = tmp_path / "two"
    leader, other = start_two(stripes, workdir, "--epochs=2", "--checkpoint_secs=0")
    while not list((workdir / "checkpoints").glob("[0-9]*")) and leader.poll() is None:
        time.sleep(0.05)
    other.send_signal(signal.SIGKILL)
    killed = time.monotonic()
    [(code, _, errors), _] = finish(leader, other)
    assert time.monotonic() - killed < 120
    assert code == 1 and errors.count("error: process 0 of 2 lost another one") == 1, errors
    steps = [int(path.name) for path in (workdir / "checkpoints").glob("[0-9]*") if path.name.isdigit()]
    assert steps and max(steps) < 12

    (code, said, errors), (other_code, other_said, _) = finish(
        *start_two(stripes, workdir, "--epochs=2", "--checkpoint_secs=0")
    )
    assert (code, other_code) == (0, 0), errors
    assert f"going on from step {max(steps)} of 12" in said
    assert "epoch 2/2" in said and "epoch" not in other_said
    assert_same_training(alone, workdir)


@pytest.mark.slow
def test_a_signal_to_one_process_stops_both_after_the_same_step(stripes, tmp_path):
    leader, other = start_two(stripes, tmp_path / "run", "--epochs=200", "--checkpoint_secs=0")
    while not list((tmp_path / "run" / "checkpoints").glob("[0-9]*")) and leader.poll() is None:
        time.sleep(0.05)
    other.send_signal(signal.SIGTERM)
    (code, said, errors), (other_code, *_) = finish(leader, other)
    assert (code, other_code) == (143, 143), errors
    assert "the same command goes on from there" in said


@pytest.mark.slow
def test_bad_input_of_one_process_ends_both(stripes, alone, tmp_path):
    before = sorted(alone.rglob("*"))
    (code, _, errors), (other_code, *_) = finish(*start_two(stripes, alone, "--epochs=2", "--seed=1"))
    assert code == 2 and other_code != 0
    assert "error: " in errors and "holds a run with other settings (seed: 0 there, 1 here" in errors
    assert sorted(alone.rglob("*")) == before


@pytest.mark.slow
def test_a_process_without_data_ends_both(half_without_data):
    """Before anything was computed together."""
    missing, both = half_without_data
    (code, _, errors), (other_code, _, other_errors) = finish(*both)
    assert (code, other_code) == (1, 2)
    assert "error: process 0 of 2 lost another one" in errors
    assert other_errors.endswith(f"error: folder {missing} does not exist\n")


@pytest.mark.parametrize(
    "place, message",
    [
        (("127.0.0.1:1234", None, 0), "belong together"),
        (("127.0.0.1:1234", 2, 2), "--process_id must lie in 0..1 for --num_processes=2; got 2"),
        (("127.0.0.1", 2, 0), "--coordinator must be HOST:PORT of process 0, not '127.0.0.1'"),
    ],
)
def test_places_that_do_not_fit(place, message):
    with pytest.raises(InputError, match=message):
        join(*place)


@pytest.mark.parametrize("place", ["a:0", "a:65536", "a:1:2", ":1", "a b:1", "[::1:2", "a:-1", "a:1x"])
def test_addresses_that_cannot_be(place):
    with pytest.raises(InputError, match="--coordinator must be HOST:PORT of process 0, not"):
        join(place, 2, 0)


def test_a_lone_machine_stays_alone(monkeypatch, capsys):
    monkeypatch.setattr("jax.distributed.initialize", pytest.fail)
    join()
    assert not capsys.readouterr().out
    for place in ((None, 1, None), (None, 1, 0), ("127.0.0.1:1234", 1, 0)):
        join(*place)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_NTASKS", "2")
    join()
    assert capsys.readouterr().out == "Slurm runs one task here: training alone\n"
    with pytest.raises(InputError, match="--process_id must lie in 0..0 for --num_processes=1; got 1"):
        join("127.0.0.1:1234", 1, 1)


def initialized(monkeypatch, answer=lambda: None) -> list:
    """The calls of JAX that connects, which `answer` stands for."""
    calls = []

    def initialize(*place, **options):
        calls.append((*place, options))
        answer()

    monkeypatch.setattr("jax.distributed.initialize", initialize)
    return calls


@pytest.mark.parametrize(
    ("coordinator", "listening"),
    [
        ("127.0.0.1:7000", "127.0.0.1:7000"),
        ("localhost:7000", "localhost:7000"),
        ("nowhere.invalid:7000", "[::]:7000"),  # a name that others know
        ("192.0.2.1:7000", "[::]:7000"),  # an address in front of this machine
        ("loop:7000", "[::]:7000"),  # Debian's name of the machine itself
        ("here:7000", "192.0.2.7:7000"),
    ],
)
def test_the_first_process_listens_where_it_was_told(monkeypatch, coordinator, listening):
    known = {"loop": "127.0.1.1", "here": "192.0.2.7"}

    def resolve(name, *arguments, look=socket.getaddrinfo, **options):
        if name.endswith(".invalid"):
            raise socket.gaierror("no such name")
        return look(known.get(name, name), *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(processes, "_is_here", lambda address: address != "192.0.2.1")
    calls = initialized(monkeypatch)
    join(coordinator, 2, 0)
    [(*place, options)] = calls
    assert place == [coordinator, 2, 0] and options["cluster_detection_method"] == "deactivate"
    assert options["coordinator_bind_address"] == listening


def test_slurm_gives_each_process_its_place_and_its_gpu(monkeypatch):
    calls = initialized(monkeypatch)
    for name, value in STEP.items():
        monkeypatch.setenv(name, value)
    join()
    join("127.0.0.1:7000", 2, 1)  # flags win
    assert [(*place, options["local_device_ids"]) for *place, options in calls] == [
        ("node001:61458", 4, 3, [1]),
        ("127.0.0.1:7000", 2, 1, [1]),
    ]


class Left(BaseException):
    """The process has ended."""


@pytest.fixture
def waiting(monkeypatch):
    """A partner that never comes, time that runs fast, and a process that tells how it would have ended."""

    def leave(code):
        raise Left(code)

    come = threading.Event()
    initialized(monkeypatch, lambda: come.wait(60))
    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(threading.Thread, "join", lambda self, secs, join=threading.Thread.join: join(self, secs / 1e4))
    yield come
    come.set()


def test_a_partner_that_never_comes_is_named_and_not_waited_for_for_ever(waiting, capsys):
    with pytest.raises(Left, match="2"):
        join("127.0.0.1:7000", 2, 0)
    *lines, last = capsys.readouterr().err.splitlines()
    assert lines == ["waiting for 1 of 2 processes at 127.0.0.1:7000; --num_processes=1 trains alone"] * 10
    assert (
        last == "error: waited 300 s for 1 of 2 processes at 127.0.0.1:7000; see that all are started and can reach it"
    )
    with pytest.raises(Left, match="2"):
        join("127.0.0.1:7000", 4, 3)
    assert "waiting for up to 3 of 4 processes" in capsys.readouterr().err


def test_ctrl_c_ends_the_waiting(waiting, monkeypatch, capsys):
    def interrupted(self, secs):
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "join", interrupted)
    with pytest.raises(Left, match="130"):
        join("127.0.0.1:7000", 2, 0)
    assert capsys.readouterr().err == "stopped\n"


def test_what_jax_says_when_it_cannot_connect(monkeypatch):
    def refuse():
        raise RuntimeError("no such port\nand a page")

    initialized(monkeypatch, refuse)
    with pytest.raises(InputError, match="^cannot join 1 of 2 processes at 127.0.0.1:7000: no such port$"):
        join("127.0.0.1:7000", 2, 0)
