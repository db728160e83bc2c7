"""Makes the numbers of README.md and docs/*.md again and says which differ: python -m benchmarks.claims

docs/claims.toml names each number's place, the command that makes it and what is expected. What a command has printed
is kept in the working folder: a second call goes on with those that are not done, and judges all anew.
"""

from __future__ import annotations

import datetime
import math
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from zfjax.cli.flags import parse_flags
from zfjax.draw.markdown import aligned
from zfjax.errors import InputError, exit_on_bad_input
from zfjax.runs.results import Ledger
from zfjax.terminal import say

ROOT = Path(__file__).resolve().parents[1]
CLAIMS = ROOT / "docs" / "claims.toml"
TIMES = 10  # a time agrees within this factor: other machines, other programs beside
PATIENCE = 6  # times what a command is said to take, and two minutes more, and it is ended


@dataclass(frozen=True)
class Config:
    """Runs the commands behind the numbers, those that take long or lack their data only by name. Ends with 1 where a
    number differs or a command fails."""

    only: str = ""
    """Names of commands in docs/claims.toml, with commas between; empty: all that take less than --minutes."""
    minutes: float = 10.0
    """Commands that are said to take longer are only named."""
    work: str = "runs/claims"
    """Folder for what the commands make and print; a second call goes on there."""
    data: str = "../shared/data"
    """Folder of photos and weights that are not in the repository."""
    again: bool = False
    """Runs what is done there already once more."""


@dataclass(frozen=True)
class Run:
    """A command, in bash in the repository's folder: $WORK and $DATA are folders, python is this one. after: commands
    that come before it. needs: files without which it cannot be. why: what else it takes, so that it is only named."""

    name: str
    command: str
    minutes: float
    measured: str  # on what, and when
    after: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class Value:
    """A number of a claim. find: a pattern with one group, looked for in what the command prints, or in a file below
    $WORK; "seconds" is the command's time. take: which of several. tolerance: either way; None: a time or a size that
    only its order counts of."""

    what: str
    expected: float
    find: str
    tolerance: float | None = None
    file: str = ""
    take: Literal["first", "last", "min", "max", "count"] = "last"


@dataclass(frozen=True)
class Claim:
    """Words of a file. Without values: the command has to end well, whose own tests know the number."""

    file: str
    text: str
    run: str
    values: tuple[Value, ...] = field(default=())


def read_claims(path: Path = CLAIMS) -> tuple[dict[str, Run], list[Claim]]:
    """What the list holds. Raises InputError for a claim without its command."""
    listed = tomllib.loads(path.read_text(encoding="utf-8"))
    runs = {each["name"]: Run(**{key: _tuple(value) for key, value in each.items()}) for each in listed["run"]}
    claims = [
        Claim(**{**each, "values": tuple(Value(**one) for one in each.get("values", ()))}) for each in listed["claim"]
    ]
    names = [*(claim.run for claim in claims), *(name for run in runs.values() for name in run.after)]
    if unknown := [name for name in names if name not in runs]:
        raise InputError(f"{path.name}: there is no command {unknown[0]!r}")
    return runs, claims


def _tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def main() -> None:
    with exit_on_bad_input():
        config = parse_flags(Config)
        if not check(config):
            raise SystemExit(1)


def check(config: Config, path: Path = CLAIMS) -> bool:
    """Whether all that was run agrees; prints the table."""
    runs, claims = read_claims(path)
    chosen = [name for name in config.only.split(",") if name]
    if unknown := [name for name in chosen if name not in runs]:
        raise InputError(f"--only: there is no command {unknown[0]!r}; there are {', '.join(runs)}")
    work = Path(config.work).resolve()
    work.mkdir(parents=True, exist_ok=True)
    outcomes: dict[str, dict | str] = {}
    for name in _in_order(runs, chosen):
        outcomes[name] = _outcome(runs[name], config, work, outcomes, asked=name in chosen)
    rows = [row for claim in claims if claim.run in outcomes for row in judge(claim, outcomes[claim.run], work)]
    head = ("claim", "claimed", "came out", "agrees")
    say("", *aligned(head, rows).split("\n"), "")
    left_out = {name: why for name, why in outcomes.items() if isinstance(why, str)}
    say(*(f"not run: {name}: {why}" for name, why in left_out.items()))
    wrong = sum(row[3] == "NO" for row in rows)
    say(f"{sum(row[3] == 'yes' for row in rows)} agree, {wrong} differ, {len(left_out)} commands were not run")
    return not wrong


def _in_order(runs: dict[str, Run], chosen: Sequence[str]) -> list[str]:
    """The commands, each after those that it needs."""
    ordered: list[str] = []

    def add(name: str) -> None:
        for before in runs[name].after:
            add(before)
        if name not in ordered:
            ordered.append(name)

    for name in chosen or runs:
        add(name)
    return ordered


def _outcome(run: Run, config: Config, work: Path, before: dict[str, dict | str], *, asked: bool) -> dict | str:
    """The record of a command that was run, now or earlier; or why it was not."""
    if blocking := [name for name in run.after if isinstance(before[name], str) or before[name]["code"]]:
        return f"it needs what {blocking[0]} makes"
    places = {"WORK": str(work), "DATA": str(Path(config.data).resolve())}
    ledger = Ledger(work / "claims.jsonl", {"command": run.command, "data": places["DATA"]})
    done = [record for record in ledger.records if record["code"] == 0]
    if done and _printed(work, run.name).exists() and not config.again:
        return done[-1]
    if missing := [need for need in run.needs if not _there(need, places)]:
        return f"there is no {missing[0]} ({run.measured})"
    if run.why:
        return f"{run.why} ({run.measured})"
    if run.minutes > config.minutes and not asked:
        return f"it takes {_time(run.minutes)} ({run.measured}): --only={run.name}"
    say(f"{run.name}: about {_time(run.minutes)}")
    record = _run(run, work, places)
    ledger.append(record)
    return record


def _there(need: str, places: dict[str, str]) -> bool:
    return (ROOT / re.sub(r"\$(\w+)", lambda found: places[found[1]], need)).exists()


def _time(minutes: float) -> str:
    return f"{minutes / 60:.1f} hours" if minutes >= 90 else f"{max(1, round(minutes))} min"


def _printed(work: Path, name: str) -> Path:
    return work / f"{name}.txt"


def _run(run: Run, work: Path, places: dict[str, str]) -> dict:
    """Runs it to its end or beyond all patience; what it prints, errors too, is kept."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    environment = {**os.environ, **places, "PATH": path}
    begun = time.monotonic()
    with _printed(work, run.name).open("wb") as printed:
        given = {"cwd": ROOT, "env": environment, "stdout": printed, "stderr": subprocess.STDOUT}
        process = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", run.command], start_new_session=True, stdin=subprocess.DEVNULL, **given
        )
        try:
            code = process.wait(timeout=60 * PATIENCE * run.minutes + 120)
        except subprocess.TimeoutExpired:
            code = 124
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return {"run": run.name, "code": code, "seconds": time.monotonic() - begun, "date": today}


def judge(claim: Claim, outcome: dict | str, work: Path) -> list[tuple[str, str, str, str]]:
    """A row for each value of a claim: what, what was claimed, what came out, whether they agree."""
    if isinstance(outcome, str):
        return [(f"{claim.run}: {value.what}", f"{value.expected:g}", "", "not run") for value in claim.values]
    if outcome["code"]:
        ended = "took too long" if outcome["code"] == 124 else f"ended with {outcome['code']}"
        return [(claim.run, claim.text[:40], f"{ended}, see {_printed(work, claim.run)}", "NO")]
    if not claim.values:
        return [(f"{claim.run}: ends well", claim.text[:40], "it does", "yes")]
    rows = []
    for value in claim.values:
        found = measured(value, claim.run, outcome, work)
        shown = "not found" if found is None else f"{found:.4g}"
        agrees = found is not None and _agree(value, found)
        rows.append((f"{claim.run}: {value.what}", _claimed(value), shown, "yes" if agrees else "NO"))
    return rows


def _claimed(value: Value) -> str:
    return f"{value.expected:.4g} {'(order)' if value.tolerance is None else f'± {value.tolerance:g}'}"


def _agree(value: Value, found: float) -> bool:
    if value.tolerance is None:
        return found > 0 and abs(math.log(found / value.expected)) <= math.log(TIMES)
    return abs(found - value.expected) <= value.tolerance * (1 + 1e-9)


def measured(value: Value, run: str, outcome: dict, work: Path) -> float | None:
    """The number that the command has made; None where it is not found."""
    if value.find == "seconds":
        return outcome["seconds"]
    path = work / value.file if value.file else _printed(work, run)
    if not path.exists():
        return None
    found = re.findall(value.find, path.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
    if value.take == "count":
        return float(len(found))
    if not found:
        return None
    numbers = [float(each.replace(",", "")) for each in found]
    return {"first": numbers[0], "last": numbers[-1], "min": min(numbers), "max": max(numbers)}[value.take]


if __name__ == "__main__":
    main()
