"""The programs that matter, as compiled for accelerators, or timed on one: python -m benchmarks.accelerators --help"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.hlo import Cost, parse
from benchmarks.targets import TARGETS, TPU_HERTZ, Target, devices, prepare
from benchmarks.timing import show
from zfjax.cli.flags import parse_flags
from zfjax.errors import InputError, exit_on_bad_input

CALLS = 10  # in a turn
MOVES = ("-start", "-done")  # of what a TPU fetches ahead, beside its computation


@dataclass(frozen=True)
class Config:
    """What a compiler says of training, evaluation, mining and projection on a TPU or GPU that need not be there: an
    estimate, not a time. With --target=here the programs run on the accelerator of this machine and are timed."""

    target: str = "H100"
    """v5e:1, v5e:2x2, v5e:4x4 (TPUs, with libtpu), H100, L4 (with JAX's CUDA plugin), or here."""
    programs: str = "train-bf16-128"
    """Names with commas between them, or "all", or how they begin: "train", "project"."""
    arch: str = "zf"
    """The network."""
    top: int = 10
    """How many of the costliest operations to list for each program."""
    runs: int = 20
    """Timed turns of ten calls, where there is an accelerator."""


def chosen(names: list[str], wanted: str) -> list[str]:
    """The programs that the flag means; raises InputError for a part of it that means none."""
    found: list[str] = []
    for part in wanted.split(","):
        meant = (
            names if part == "all" else [part] if part in names else [name for name in names if name.startswith(part)]
        )
        if not part or not meant:
            raise InputError(f"--programs: {part!r} is none of {', '.join(names)}")
        found += [name for name in meant if name not in found]
    return found


def compiled(program: Any, where: list) -> tuple[Any, float]:
    """The program compiled for the devices, and how many seconds that took."""
    import jax
    from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

    mesh = Mesh(np.array(where), ("data",), axis_types=(AxisType.Auto,))
    places = [NamedSharding(mesh, PartitionSpec("data") if each else PartitionSpec()) for each in program.divided]
    shapes = [
        jax.tree.map(lambda leaf, place=place: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place), argument)
        for argument, place in zip(jax.eval_shape(program.arguments), places, strict=True)
    ]
    lowered = jax.jit(program.function, donate_argnums=program.donated).lower(*shapes)
    start = time.perf_counter()
    return lowered.compile(), time.perf_counter() - start


def estimate(name: str, target: Target, program: Any) -> tuple[tuple[str, ...], list[Cost]]:
    """A row of the table, and the operations, costliest first."""
    code, seconds = compiled(program, devices(target))
    module = parse(code.as_text())
    costs, memory = list(module.costs()), code.memory_analysis()
    if target.topology:
        rest = sum(c.bytes for c in costs if not c.cycles and not c.operation.code.endswith(MOVES))
        cycles = sum(c.cycles for c in costs)
        # what has no estimate takes at least as long as its bytes do
        milliseconds = 1e3 * (cycles / TPU_HERTZ + rest / target.peak.bytes_per_sec)
        said = f"{cycles / 1e6:.1f} M cycles, and {rest / 1e9:.2f} GB without an estimate"
        costs.sort(key=lambda c: c.cycles / TPU_HERTZ or c.bytes / target.peak.bytes_per_sec, reverse=True)
    else:
        moved = sum(c.bytes for c in costs)
        flops = 2 * program.mult_adds * program.images / target.peak.flops(program.precision)
        milliseconds, said = 1e3 * max(moved / target.peak.bytes_per_sec, flops), f"{moved / 1e9:.2f} GB moved"
        costs.sort(key=lambda c: c.bytes, reverse=True)
    exchanged = Counter()
    for kind, size in module.collectives():
        exchanged[kind] += size
    row = (
        name,
        said,
        f"{milliseconds:.2f}",
        f"{memory.temp_size_in_bytes / 1e9:.2f}",
        f"{sum(c.turns for c in costs if not c.operation.code.endswith(MOVES))}",
        ", ".join(f"{len(module.collectives())} {kind}, {size / 1e6:.1f}" for kind, size in exchanged.items()) or "0",
        f"{seconds:.0f}",
    )
    return row, costs


def shares(costs: list[Cost], target: Target, top: int) -> list[tuple[str, ...]]:
    """Rows of the costliest operations."""

    def weight(cost: Cost) -> float:
        own = cost.cycles / TPU_HERTZ if target.topology else 0
        return own or cost.bytes / target.peak.bytes_per_sec

    total = sum(weight(c) for c in costs if not c.operation.code.endswith(MOVES))
    rows = []
    for c in [c for c in costs if not c.operation.code.endswith(MOVES)][:top]:
        amount = f"{c.cycles / 1e6:.2f} M cycles" if c.cycles else f"{c.bytes / 1e6:.0f} MB"
        kind = c.operation.type if len(c.operation.type) < 48 else c.operation.type[:45] + "..."
        rows.append((f"{100 * weight(c) / total:.1f} %", amount, c.operation.code, kind, c.operation.origin[-60:]))
    return rows


def timed(name: str, program: Any, runs: int, top: int) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """A row of the table of times, and rows of the kernels that take longest."""
    import jax

    from zfjax.runtime.peaks import peak

    code, seconds = compiled(program, jax.devices())
    arguments = jax.jit(program.arguments, out_shardings=code.input_shardings[0])()

    def call(arguments: tuple, times: int) -> tuple:
        """One after the other without waiting, as a training does: the host prepares the next call meanwhile."""
        out = None
        for _ in range(times):
            out = code(*arguments)
            arguments = (out[0], *arguments[1:]) if program.donated else arguments
        jax.block_until_ready(out)
        return arguments

    arguments, times = call(arguments, CALLS), []
    for _ in range(runs):
        start = time.perf_counter()
        arguments = call(arguments, CALLS)
        times.append((time.perf_counter() - start) / CALLS)
    low, middle, high = (1e3 * value for value in np.percentile(times, (25, 50, 75)))
    known = peak(jax.devices()[0].device_kind)
    share = "-"
    if known and program.mult_adds:
        full = known.flops(program.precision) * jax.device_count()
        share = f"{100 * 2e3 * program.mult_adds * program.images / middle / full:.0f} %"
    row = (
        name,
        f"{middle:.2f} ({low:.2f} .. {high:.2f})",
        f"{1e3 * program.images / middle:,.0f}",
        share,
        f"{seconds:.0f}",
    )
    with TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            call(arguments, 1)
        return row, longest(folder, top)


def longest(folder: str, top: int) -> list[tuple[str, ...]]:
    """The kernels of one call that take longest, from a trace of it."""
    import jax

    (file,) = Path(folder).rglob("*.xplane.pb")
    spent, origin = Counter(), {}
    for plane in jax.profiler.ProfileData.from_file(str(file)).planes:
        for line in plane.lines if plane.name.startswith("/device:") else ():
            if not line.name.startswith(("Stream", "XLA Ops")):
                continue
            for event in line.events:
                spent[event.name] += event.duration_ns
                origin.setdefault(event.name, str(dict(event.stats).get("name", "")))
    total = sum(spent.values()) or 1
    return [
        (f"{100 * each / total:.1f} %", f"{each / 1e6:.3f} ms", name[:60], origin[name][-60:])
        for name, each in spent.most_common(top)
    ]


def run(config: Config) -> None:
    if config.target != "here" and config.target not in TARGETS:
        raise InputError(f"--target is here, {', '.join(TARGETS)}, not {config.target}")
    target = TARGETS.get(config.target)
    if target:
        prepare(target)
    import jax

    from benchmarks.programs import programs
    from zfjax.zoo import get_arch

    if not target and jax.default_backend() == "cpu":
        raise InputError("--target=here: JAX sees no accelerator on this machine; name one to compile for")
    chips = target.chips if target else jax.device_count()
    made = programs(get_arch(config.arch, num_classes=1000), chips)
    rows, details = [], {}
    for name in chosen(list(made), config.programs):
        if target:
            row, costs = estimate(name, target, made[name]())
            details[name] = shares(costs, target, config.top)
        else:
            row, details[name] = timed(name, made[name](), max(1, config.runs), config.top)
        rows.append(row)
    versions = f"jax {jax.__version__}; {config.arch}; the number in a name: images a chip."
    if target:
        show(
            f"{config.target}: what the compiler says (an estimate, not a time)",
            (
                "program",
                "compiler's figures",
                "bound, ms",
                "temporaries, GB",
                "kernels",
                "exchanged, MB",
                "compiled, s",
            ),
            rows,
            bound_note(target),
            versions,
        )
    else:
        kind = f"{chips} x {jax.devices()[0].device_kind}"
        show(
            f"{kind}: measured", ("program", "ms", "images (units) a second", "of peak", "compiled, s"), rows, versions
        )
    for name, lines in details.items():
        columns = ("share", "cost", "operation", "result", "from") if target else ("share", "time", "kernel", "from")
        show(f"{config.target}, {name}: the {len(lines)} costliest", columns, lines)


def bound_note(target: Target) -> str:
    """What the bound is."""
    if target.topology:
        return (
            f"bound: XLA's estimated cycles at {TPU_HERTZ / 1e9} GHz, and what has no estimate (the pools' gradients "
            f"above all) at {target.peak.bytes_per_sec / 1e9:.0f} GB/s; fetches ahead are not counted."
        )
    return (
        f"bound: the bytes of every kernel's operands and results at {target.peak.bytes_per_sec / 1e9:.0f} GB/s, or "
        "the multiply-adds at the peak of their type, whichever is more. Compiled without autotuning."
    )


def main() -> None:
    config = parse_flags(Config)
    with exit_on_bad_input():
        run(config)


if __name__ == "__main__":
    main()
