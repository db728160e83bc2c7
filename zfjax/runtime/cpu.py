"""What makes JAX fast on a CPU: settings of the process, which commands make and a notebook asks for."""

from __future__ import annotations

from zfjax.runtime.malloc import keep_freed_memory
from zfjax.runtime.xla import convolve_with_eigen


def tune_cpu() -> None:
    """Makes convolutions on a CPU 1.2 to 2 times as fast, and a training step of ZFNet 1.5 times (benchmarks/NOTES.md);
    call it before JAX computes anything, once a process.

    Convolutions by Eigen instead of YNNPACK (appends to XLA_FLAGS, `zfjax.runtime.xla`), and freed memory that stays
    with the process (`zfjax.runtime.malloc`). Settings in the environment win. GPUs and TPUs take no notice.
    """
    convolve_with_eigen()
    keep_freed_memory()
