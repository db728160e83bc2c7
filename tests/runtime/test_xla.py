"""What XLA is told, that it knows it, and that it listens."""

import os
import stat
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import jaxlib.version
import pytest

from zfjax import ops
from zfjax.runtime import xla
from zfjax.runtime.xla import FLAG, convolve_with_eigen


@pytest.mark.parametrize("before", ["", "--xla_force_host_platform_device_count=2"])
def test_the_flag_joins_those_that_are_set(monkeypatch, before):
    monkeypatch.setattr(xla, "_known", lambda: True)
    monkeypatch.setenv("XLA_FLAGS", before)
    convolve_with_eigen()
    convolve_with_eigen()
    assert os.environ["XLA_FLAGS"].split() == [*before.split(), f"{FLAG}=-LIBRARY_FUSION_TYPE_INDIVIDUAL_CONVOLUTION"]


def test_the_users_choice_and_an_xla_without_the_flag_are_left_alone(monkeypatch):
    monkeypatch.setattr(xla, "_known", lambda: False)
    monkeypatch.setenv("XLA_FLAGS", f"{FLAG}=")
    convolve_with_eigen()
    assert os.environ["XLA_FLAGS"] == f"{FLAG}="
    monkeypatch.delenv("XLA_FLAGS")
    convolve_with_eigen()
    assert "XLA_FLAGS" not in os.environ


@pytest.mark.parametrize("setting, known", [(xla._SETTING, True), ("--xla_no_such_flag=1", False)])
def test_another_process_finds_out_what_xla_knows(monkeypatch, setting, known):
    monkeypatch.setattr(xla, "_SETTING", setting)
    assert xla._tried() == known


class Python:
    """A program in Python's place that counts how often it was started."""

    def __init__(self, folder: Path, does: str):
        self.path, self._starts = folder / "python", folder / "starts"
        self.becomes(does)

    def becomes(self, does: str) -> None:
        self.path.write_text(f"#!/bin/sh\necho $XLA_FLAGS $JAX_PLATFORMS >> '{self._starts}'\n{does}\n")
        self.path.chmod(stat.S_IRWXU)

    @property
    def starts(self) -> list[str]:
        return self._starts.read_text().splitlines() if self._starts.exists() else []


@pytest.fixture
def python(tmp_path, monkeypatch) -> Python:
    python = Python(tmp_path, "exit 0")
    monkeypatch.setattr(sys, "executable", str(python.path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    monkeypatch.setenv("XLA_FLAGS", "--other=1")
    return python


def test_each_version_is_asked_once(python, monkeypatch):
    assert xla._known() and xla._known()
    assert python.starts == [f"{xla._SETTING} cpu"]  # the user's flags are not what is asked about
    monkeypatch.setattr(jaxlib.version, "__version__", "99.0")
    python.becomes("exit 1")
    assert not xla._known() and not xla._known() and len(python.starts) == 2
    python.becomes("exit 0")
    monkeypatch.setattr(xla, "_DOUBT_SECS", -1)  # a day later
    assert xla._known() and xla._known() and len(python.starts) == 3


def test_a_kept_answer_that_is_damaged_is_none(python, tmp_path):
    assert xla._known()
    [kept] = (tmp_path / "home" / "zfjax" / "flags").iterdir()
    for damaged in (b"", b"\xff"):
        kept.write_bytes(damaged)
        assert xla._known() and kept.read_bytes() == b"yes"


@pytest.mark.parametrize("does", ["kill -6 $$", "exec sleep 30", None])
def test_a_process_that_dies_hangs_or_does_not_start_leaves_the_flag_out(python, monkeypatch, does):
    monkeypatch.setattr(xla, "_PROBE_SECS", 0.5)
    python.becomes(does) if does else python.path.unlink()
    convolve_with_eigen()
    assert os.environ["XLA_FLAGS"] == "--other=1"


def test_without_a_folder_to_write_to_each_process_asks(python, tmp_path):
    (tmp_path / "home").write_text("a file")
    assert xla._known() and xla._known() and len(python.starts) == 2


@pytest.mark.parametrize(
    "platforms, package, asked",
    [("cpu", "libtpu", True), ("cuda", None, False), ("tpu,cpu", None, False), ("", None, True)]
    + [("", "jax_plugins", False), ("", "libtpu", False)],
)
def test_where_an_accelerator_computes_nothing_is_asked_or_set(python, monkeypatch, platforms, package, asked):
    monkeypatch.setenv("JAX_PLATFORMS", platforms)
    monkeypatch.setattr(xla, "find_spec", lambda name: True if name == package else None)
    convolve_with_eigen()
    assert bool(python.starts) == (FLAG in os.environ["XLA_FLAGS"]) == asked


@pytest.mark.skipif(FLAG not in os.environ.get("XLA_FLAGS", ""), reason="this XLA does not know the flag")
def test_no_convolution_is_left_to_ynnpack():
    x, kernel = jnp.ones((4, 32, 32, 32)), jnp.ones((5, 5, 32, 64))
    program = jax.jit(lambda x, kernel: ops.conv(x, kernel, strides=2)).lower(x, kernel).compile().as_text()
    assert "convolution(" in program and "__ynn_fusion" not in program
