"""The folder of compiled programs: what is kept, that it is used, and who may do without."""

import os

import pytest
from runs import finish, start

from zfjax.errors import InputError
from zfjax.runtime.compile_cache import keep_programs

CHILD = """
import sys
from zfjax.runtime.compile_cache import keep_programs
keep_programs(sys.argv[1] if sys.argv[1:] else None)
import jax, jax.numpy as jnp
hits = []
jax.monitoring.register_event_listener(lambda event, **_: hits.append(event))
assert float(jax.jit(lambda x: jnp.tanh(x) * 3)(jnp.float32(0))) == 0
print(hits.count("/jax/compilation_cache/cache_hits"), hits.count("/jax/compilation_cache/cache_misses"))
"""


def run(*arguments: str, **environment: str) -> tuple[int, int]:
    """(programs found, programs compiled) of a process."""
    code, said, errors = finish(start("-W", "error", "-c", CHILD, *arguments, env={**os.environ, **environment}))
    assert code == 0 and not errors, errors
    return tuple(map(int, said.split()))


def test_the_second_process_compiles_nothing(tmp_path):
    assert run(XDG_CACHE_HOME=str(tmp_path))[0] == 0
    found, compiled = run(XDG_CACHE_HOME=str(tmp_path))
    assert found and not compiled
    [folder] = (tmp_path / "zfjax" / "programs").iterdir()  # one kind of processor
    assert any(folder.glob("jit_*-cache"))


def test_a_folder_of_ones_own_or_none(tmp_path):
    home = str(tmp_path / "home")
    run(str(tmp_path / "mine"), XDG_CACHE_HOME=home)
    assert run(str(tmp_path / "mine"), XDG_CACHE_HOME=home)[0]
    assert run("off", XDG_CACHE_HOME=home) == (0, 0)
    run(XDG_CACHE_HOME=home, JAX_COMPILATION_CACHE_DIR=str(tmp_path / "jax"))
    assert not (tmp_path / "home").exists()


def test_folders_that_cannot_be_made(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="--programs: cannot make .*file/.* .Not a directory.; give another folder"):
        keep_programs(str(tmp_path / "file"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    keep_programs()  # a home that is read-only stops nobody
