"""Two CPU devices, strict rank promotion, and the data folder that some tests need."""

import gc
import os
import signal
import tempfile
from pathlib import Path

from hurry import IN_A_HURRY, quick_flags

# Compiled programs and indices go where the user's own are not touched. What is compiled is compiled once for all tests
# and for the programs that they start: the workers of pytest-xdist, too, inherit the folder. No limit: where there is
# one, JAX reads the time of use of every program before it writes another, which takes a sixth of a second with the
# 3,000 of these tests.
os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="zfjax-tests-")
if "PYTEST_XDIST_WORKER" not in os.environ:
    # a folder that is kept makes the next run compile only what has changed since
    kept = os.environ.get("ZFJAX_TEST_PROGRAMS")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = kept or os.path.join(os.environ["XDG_CACHE_HOME"], "tests")
os.environ["JAX_COMPILATION_CACHE_MAX_SIZE"] = "-1"
# To write what compiles in less takes longer than to compile it again: a fifth of the time of tests of many graphs.
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.2"
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2 {quick_flags()}"

import hypothesis
import jax
import pytest

from zfjax.runtime.xla import convolve_with_eigen

# Under nohup the one is ignored, in what a script begins with & the other, and the commands honour that.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
convolve_with_eigen()  # as the commands do, before JAX computes

# The gate draws the same examples every time; at the desk each run looks for new ones.
hypothesis.settings.register_profile("gate", derandomize=True)
hypothesis.settings.load_profile("gate" if os.environ.get("CI") else "default")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_disable_most_optimizations", IN_A_HURRY)


def pytest_collection_finish() -> None:
    """What is imported by now stays: the collector need not look through it again, a third of a second each time. Nor
    look after every 700 objects, which tracing makes by the million: it took 45 s of 1,200."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)


@pytest.fixture(scope="module", autouse=True)
def _what_others_left():
    """Stays where it is, too, but for what nobody holds: a worker ends with gigabytes of traced programs, and each
    collection would look through them, more than a second each; restored checkpoints ask for hundreds."""
    gc.collect()
    gc.freeze()


SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture
def shared_data() -> Path:
    if not SHARED_DATA.is_dir():
        pytest.skip(f"needs the photo collection at {SHARED_DATA}")
    return SHARED_DATA
