"""Two CPU devices, strict rank promotion, and the data folder that some tests need."""

import os
import signal
import tempfile
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=2"

import hypothesis
import jax
import pytest
from jax.experimental.compilation_cache import compilation_cache

from zfjax.runtime.xla import convolve_with_eigen

# Under nohup the one is ignored, in what a script begins with & the other, and the commands honour that.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
convolve_with_eigen()  # as the commands do, before JAX computes

# The gate draws the same examples every time; at the desk each run looks for new ones.
hypothesis.settings.register_profile("gate", derandomize=True)
hypothesis.settings.load_profile("gate" if os.environ.get("CI") else "default")
jax.config.update("jax_numpy_rank_promotion", "raise")

# Compiled programs and indices go where the user's own are not touched.
os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="zfjax-tests-")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture
def shared_data() -> Path:
    if not SHARED_DATA.is_dir():
        pytest.skip(f"needs the photo collection at {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """What the tests of this module compile they compile once, though each training has steps of its own."""
    settings = {"jax_compilation_cache_dir": None, "jax_persistent_cache_min_compile_time_secs": 0.0}
    settings["jax_compilation_cache_max_size"] = -1
    before = {name: getattr(jax.config, name) for name in settings}
    for name, value in {**settings, "jax_compilation_cache_dir": str(tmp_path_factory.mktemp("programs"))}.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()  # it looks at its folder once
    yield
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()
