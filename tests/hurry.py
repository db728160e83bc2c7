"""How tests compile: what is compared with an oracle runs once, so that most of its time would go into machine code.

Processor time of 35 tests of graphs: 48 s compiled as for users, 36 without LLVM's dear passes, 34 with one module a
program, 20 with loops that are not emitted through MLIR. XLA's passes over the graph remain, and commands that tests
start in processes of their own compile as they do for users; with ZFJAX_TEST_OPTIMISED=1, as in `make test-matrix`, all
do.
"""

import os
import subprocess
import sys

IN_A_HURRY = os.environ.get("ZFJAX_TEST_OPTIMISED", "0") in ("", "0")
FLAGS = "--xla_cpu_parallel_codegen_split_count=1 --xla_cpu_use_fusion_emitters=false"


def quick_flags() -> str:
    """For XLA_FLAGS; none where this XLA does not know them, for it ends a process over that, and none in a worker of
    pytest-xdist, which inherits them."""
    if not IN_A_HURRY or "PYTEST_XDIST_WORKER" in os.environ:
        return ""
    command = [sys.executable, "-c", "import jax; jax.devices()"]
    known = not subprocess.run(command, env={**os.environ, "XLA_FLAGS": FLAGS}, capture_output=True).returncode
    return FLAGS if known else ""
