"""Sides that take turns against the clock, and the table that says what came out and where."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from tqdm import tqdm

from zfjax.cli.flags import parse_flags
from zfjax.draw.markdown import Table, markdown
from zfjax.errors import InputError, exit_on_bad_input
from zfjax.runtime.cpu import tune_cpu

Side = Callable[[], object]  # returns when its result is there
COLUMNS = ("median", "quartiles", "rate", "ratio")
ENVIRONMENT = ("GLIBC_TUNABLES", "MALLOC_ARENA_MAX", "LD_PRELOAD", "XLA_FLAGS", "OMP_NUM_THREADS")


def start(config_class: type, run: Callable[[object], None], *, needs: tuple[str, ...] = ()) -> None:
    """A benchmark as a script: reads its flags, looks whether the packages it `needs` are there, and runs it.

    Freed memory is kept, on both sides, as our scripts do: without, PyTorch's training step takes 3.1 s instead of
    2.4, and what page faults cost depends on the state of the machine. With MALLOC_TOP_PAD_=0 in the environment
    malloc stays as it comes.
    """
    config = parse_flags(config_class)
    tune_cpu()
    with exit_on_bad_input():
        if missing := [package for package in needs if find_spec(package) is None]:
            raise InputError(f"{missing[0]} is not installed; `make bench` or benchmarks/requirements.txt bring it")
        if config.runs < 1:
            raise InputError(f"--runs must be at least 1, not {config.runs}")
        run(config)


def interleave(
    sides: Mapping[str, Side], runs: int, *, label: str = "timing", pause: float = 0.3
) -> dict[str, np.ndarray]:
    """Seconds of every run, {side: [runs]}: A B C A B C ..., so that a busy minute of the machine falls on all alike.

    pause: seconds before each run; PyTorch's threads spin on for 0.2 s, at the cost of whoever comes next.
    Each side runs once before, untimed, for what it compiles or allocates.
    """
    seconds = {name: np.zeros(runs) for name in sides}
    with tqdm(total=(runs + 1) * len(sides), desc=label, leave=False, disable=None) as bar:
        for run in range(-1, runs):
            for name, side in sides.items():
                time.sleep(pause)
                start = time.perf_counter()
                side()
                if run >= 0:
                    seconds[name][run] = time.perf_counter() - start
                bar.update()
    return seconds


def best(sides: Mapping[int, Side], *, work: Callable[[int], float], runs: int = 3, label: str) -> int:
    """The key whose side is the quickest for its work: the batch size, say, that suits a library. work: of a key."""
    seconds = interleave(sides, runs, label=label)
    return min(sides, key=lambda key: np.median(seconds[key]) / work(key))


def cells(seconds: np.ndarray, reference: np.ndarray, *, work: float, unit: str) -> tuple[str, ...]:
    """The `COLUMNS` of one side. work: how many `unit` one run does.

    ratio: how many times as fast as the reference, the median over the turns, each against the same turn.
    """
    low, middle, high = map(_milliseconds, np.percentile(seconds, (25, 50, 75)))
    rate, ratio = work / np.median(seconds), np.median(reference / seconds)
    return f"{middle} ms", f"{low} .. {high}", f"{_significant(rate)} {unit}/s", f"{ratio:.2f}"


def spread(seconds: np.ndarray) -> str:
    """Median and quartiles in milliseconds, as one cell."""
    low, middle, high = map(_milliseconds, np.percentile(seconds, (25, 50, 75)))
    return f"{middle} ({low} .. {high})"


def show(title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]], *notes: str) -> None:
    """Prints a table, and below it the notes and what it was measured with."""
    note = (*(sentence for sentence in notes if sentence), machine())
    print(markdown(Table(title, columns, tuple(rows), note)), flush=True)


def table(seconds: Mapping[str, np.ndarray], *, work: float, unit: str, full: float = 0.0) -> list[tuple[str, ...]]:
    """Rows for `show`, every side against the first. full: seconds of a run at full rate, for a column of shares."""
    reference = next(iter(seconds.values()))
    rows = [(name, *cells(times, reference, work=work, unit=unit)) for name, times in seconds.items()]
    shares = [(f"{100 * full / np.median(times):.0f} %",) if full else () for times in seconds.values()]
    return [row + share for row, share in zip(rows, shares, strict=True)]


def agree(name: str, ours: np.ndarray, theirs: np.ndarray, *, tolerance: float) -> float:
    """The length of the difference as a part of the length of `theirs`; SystemExit when it exceeds the tolerance.

    Numbers that differ come from different work, and are not worth timing.
    """
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    if ours.shape != theirs.shape:
        raise SystemExit(f"error: {name}: shapes {ours.shape} and {theirs.shape} differ; nothing was timed")
    error = float(np.linalg.norm(ours - theirs) / max(np.linalg.norm(theirs), np.finfo(np.float32).tiny))
    if not error <= tolerance:  # NaN too
        raise SystemExit(
            f"error: {name}: the sides differ by {error:.1e}, more than {tolerance:.0e}; nothing was timed"
        )
    return error


def machine() -> str:
    """A sentence: processor, threads on each side, versions, load, and what in the environment changes speeds."""
    versions = [f"{name} {_version(name)}" for name in ("jax", "torch", "captum", "numpy") if _version(name)]
    parts = [
        f"{_processor()}, {len(os.sched_getaffinity(0))} threads for each side",
        f"Python {platform.python_version()}, {', '.join(versions)}",
        f"load {os.getloadavg()[0]:.1f}",
        *(f"{name}={os.environ[name]}" for name in ENVIRONMENT if name in os.environ),
    ]
    return "; ".join(parts) + "."


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _milliseconds(seconds: float) -> str:
    return _significant(1000 * seconds)


def _significant(value: float) -> str:
    """Three digits, or all before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
