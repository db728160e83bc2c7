"""Environments that commands are started in: flags in a file, 64 bits, devices that are not there, half a machine."""

import errno
import os
from importlib import metadata

import jax
import numpy as np
import pytest
from runs import finish
from runs import start as launch

from zfjax.convnet import seed_key
from zfjax.errors import InputError
from zfjax.runs.folder import versions
from zfjax.runtime import devices, files, places, start, xla
from zfjax.runtime.processes import ending_together


@pytest.mark.parametrize("text", ["--xla_dump_to=/x", "--a=1 --b=2\n--c=3\n", "  --a=1\n", ""])
def test_flags_of_a_file_are_taken_out_of_it(tmp_path, monkeypatch, text):
    monkeypatch.setattr(xla, "_known", lambda: True)
    path = tmp_path / "my flags"
    path.write_text(text)
    monkeypatch.setenv("XLA_FLAGS", str(path))
    xla.convolve_with_eigen()
    assert os.environ["XLA_FLAGS"].split()[:-1] == text.split()
    assert os.environ["XLA_FLAGS"].split()[-1].startswith(f"{xla.FLAG}=")


def test_a_file_of_flags_that_has_ours_or_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr(xla, "_known", lambda: True)
    path = tmp_path / "flags"
    path.write_text(f"{xla.FLAG}=")
    monkeypatch.setenv("XLA_FLAGS", str(path))
    xla.convolve_with_eigen()
    assert os.environ["XLA_FLAGS"] == str(path)
    for missing in (tmp_path / "missing", tmp_path):
        monkeypatch.setenv("XLA_FLAGS", str(missing))
        with pytest.raises(InputError, match=f"XLA_FLAGS names the file '{missing}'"):
            xla.convolve_with_eigen()


def test_commands_compute_in_32_bits_and_all_but_a_training_make_products_of_them(monkeypatch):
    monkeypatch.setattr(start, "tune_cpu", lambda: None)
    jax.config.update("jax_enable_x64", True)
    try:
        for training in (True, False):
            start.start("off", training=training)
            assert jax.numpy.ones(1).dtype == np.float32
            product = str(jax.make_jaxpr(lambda x: x @ x)(np.ones((2, 2), np.float32)))
            assert ("HIGHEST" in product) == (not training)
    finally:
        jax.config.update("jax_enable_x64", False)
        jax.config.update("jax_default_matmul_precision", None)


HEEDED = {
    "TQDM_LEAVE": "1",
    "JAX_PLATFORMS": "cpu",
    "JAX_LOG_COMPILES": "1",
    "JAX_NUM_CPU_DEVICES": "2",
    "XLA_FLAGS": "",
    "JAX_X": "1",
}
HEEDED |= {"TQDM_DISABLE": "1", "TQDM_MININTERVAL": "0.5", "TQDM_NCOLS": "80", "NOT_FLAX_X": "1"}
UNHEEDED = {"JAX_DEFAULT_PRNG_IMPL": "rbg", "JAX_TRANSFER_GUARD_HOST_TO_DEVICE": "disallow", "FLAX_LAZY_RNG": "0"}
UNHEEDED |= {"JAX_THREEFRY_PARTITIONABLE": "0", "JAX_NUMPY_RANK_PROMOTION": "raise", "JAX_ENABLE_X64": "a\nb"}
UNHEEDED |= {
    "TQDM_MAXINTERVAL": "abc",
    "TQDM_ASCII": "1",
    "TQDM_BAR_FORMAT": "{nope}",
    "TQDM_GUI": "1",
    "TQDM_MINITERS": "5",
}


def test_what_would_change_the_numbers_is_taken_out_of_the_environment_and_said(monkeypatch, capsys):
    monkeypatch.setattr(os, "environ", HEEDED | UNHEEDED)
    start.settle_environment()
    assert os.environ == HEEDED
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and all(name in said for name in UNHEEDED) and not any(name in said for name in HEEDED)
    start.settle_environment()
    assert not capsys.readouterr().err


def test_a_setting_that_jax_refuses_is_one_line():
    ended = finish(launch("evaluate.py", "--ckpt=none", env={**os.environ, "JAX_TRACEBACK_FILTERING": "foo"}))
    assert ended.code == 2 and ended.errors == (
        'error: JAX does not start: Invalid value "foo" for JAX flag jax_traceback_filtering\n'
    )


def test_keys_are_of_one_kind():
    expected = jax.random.normal(jax.random.key(3, impl="threefry2x32"), (4,))
    for name in ("rbg", "unsafe_rbg", "threefry2x32"):
        with jax.default_prng_impl(name):
            assert (jax.random.normal(seed_key(3), (4,)) == expected).all()


ABSENT = "Unable to initialize backend 'tpu': not there\n(and more)"


@pytest.mark.parametrize("error", [AssertionError(), RuntimeError(ABSENT)], ids=repr)
def test_devices_that_are_not_there(monkeypatch, error):
    def absent(*_):
        raise error

    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    for name in ("devices", "process_count", "device_count"):
        monkeypatch.setattr(jax, name, absent)
    said = "JAX_PLATFORMS=cuda names devices that do not start here( .Unable[^\n]* not there.)?; name a kind"
    for begin in (devices.start, ending_together().__enter__, lambda: devices.data_mesh(8)):
        with pytest.raises(InputError, match=said):
            begin()
    monkeypatch.delenv("JAX_PLATFORMS")  # then it is another matter
    with pytest.raises(type(error)):
        devices.start()


def test_a_checkout_that_is_not_installed(monkeypatch):
    def version(name, known=metadata.version):
        if name == "zfjax":
            raise metadata.PackageNotFoundError(name)
        return known(name)

    monkeypatch.setattr(metadata, "version", version)
    assert versions()["zfjax"] == "not installed" and versions()["jax"] == jax.__version__


@pytest.mark.parametrize("code", ["EINVAL", "EBADF", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EACCES"])
def test_folders_that_cannot_be_flushed(tmp_path, monkeypatch, code):
    def refuse(number, flush=os.fsync):
        if os.path.isdir(f"/proc/self/fd/{number}"):
            raise OSError(getattr(errno, code), code)
        flush(number)

    monkeypatch.setattr(os, "fsync", refuse)
    files.write_bytes(tmp_path / "file", b"text")
    assert (tmp_path / "file").read_bytes() == b"text"


def test_only_the_cores_that_the_process_may_use_count(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3})
    assert places.cores() == 1
    monkeypatch.delattr(os, "sched_getaffinity")
    assert places.cores() == os.cpu_count()
