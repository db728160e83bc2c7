"""The folder of compiled programs: what is kept, that it is used, and who may do without."""

import os
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from jax.experimental.compilation_cache import compilation_cache
from runs import finish, start

from zfjax.errors import InputError
from zfjax.runtime.compile_cache import keep_programs

# What these tests tell JAX about the others' programs.
SETTINGS = (
    "JAX_COMPILATION_CACHE_DIR",
    "JAX_COMPILATION_CACHE_MAX_SIZE",
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS",
)
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
    untold = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    code, said, errors = finish(start("-W", "error", "-c", CHILD, *arguments, env={**untold, **environment}))
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


def cut(program: Path) -> None:
    program.write_bytes(program.read_bytes()[:60])


def flip(program: Path) -> None:
    data = bytearray(program.read_bytes())
    data[len(data) // 2] ^= 0xFF
    program.write_bytes(data)


@pytest.fixture
def programs(tmp_path, monkeypatch) -> Path:
    """Where this process keeps programs for the time of a test, through the warnings that others may hold back."""
    names = (
        "jax_compilation_cache_dir",
        "jax_compilation_cache_max_size",
        "jax_persistent_cache_min_compile_time_secs",
    )
    before = {name: getattr(jax.config, name) for name in names}
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    compilation_cache.reset_cache()
    keep_programs(str(tmp_path))
    yield next(tmp_path.iterdir())
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


@pytest.mark.parametrize("damage", [cut, flip, lambda program: program.write_bytes(b"")], ids=["cut", "flip", "empty"])
def test_a_damaged_program_is_replaced_without_a_word(programs, damage):
    def compile_anew() -> bytes:
        jax.clear_caches()
        assert jax.jit(lambda x: jnp.tanh(x) * 3)(jnp.float32(0)) == 0
        [program] = programs.glob("jit__lambda*-cache")
        return program.read_bytes()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        keep_programs(str(programs.parent))
        whole = compile_anew()
        [program] = programs.glob("jit__lambda*-cache")
        damage(program)
        damaged = program.read_bytes()
        replaced = compile_anew()
        assert replaced != damaged and len(replaced) > len(whole) / 2
        assert compile_anew() == replaced
        warnings.warn("another", stacklevel=1)
    assert [str(warning.message) for warning in caught] == ["another"]


def test_programs_that_a_kill_cut_short_go(programs):
    for name in ("a-cache", "b-cache", "b-atime"):
        (programs / name).write_bytes(b"12345678")
    keep_programs(str(programs.parent))
    assert not (programs / "a-cache").exists() and (programs / "b-cache").exists()


def test_files_of_another_user_are_left_alone(programs, monkeypatch):
    (programs / "a-cache").touch()
    monkeypatch.setattr(os, "access", lambda path, mode: not Path(path).name.startswith("a-"))
    keep_programs(str(programs.parent))
    assert jax.config.jax_compilation_cache_dir == f"{programs}-{os.getuid()}"
    assert (programs / "a-cache").exists()


def test_a_user_without_a_home_does_without(monkeypatch):
    def unknown(number):
        raise KeyError(f"getpwuid(): uid not found: {number}")

    for name in ("HOME", "XDG_CACHE_HOME", "JAX_COMPILATION_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    before = jax.config.jax_compilation_cache_dir
    keep_programs()
    assert jax.config.jax_compilation_cache_dir == before


def test_folders_that_cannot_be_made(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="--programs: cannot make .*file/.* .Not a directory.; give another folder"):
        keep_programs(str(tmp_path / "file"))
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    keep_programs()  # a home that is read-only stops nobody
