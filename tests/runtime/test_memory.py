"""Memory that is kept is not asked for again: counted in page faults."""

import os
import sys

import pytest
from runs import finish, start

CHILD = """
import resource, sys
import numpy as np
from zfjax.runtime.malloc import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
for size in [10_000_000, 9_000_000] * 10:
    np.ones(size)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


def faults(mode: str, **environment: str) -> int:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_TUNABLES"))}
    return int(finish(start("-c", CHILD, mode, env=clean | environment)).said)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's malloc is Linux's")
def test_blocks_are_reused_unless_the_user_has_set_malloc():
    plain, kept = faults("plain"), faults("keep")
    assert kept < plain / 2
    assert faults("keep", MALLOC_TOP_PAD_="0") > 2 * kept
