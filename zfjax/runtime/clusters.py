"""What launchers of several processes say in the environment: who is the first, how many there are, which one this is.

Only where a launcher says that there are several, and its variables agree, are they joined: a shell within an
allocation, or one task of many that have nothing to do with each other, is alone. Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

_PORTS = range(61440, 65536)  # as JAX does, at the end of those that systems give to anybody


class Place(NamedTuple):
    """Where one of several processes stands."""

    coordinator: str  # HOST:PORT of process 0
    count: int
    index: int
    local: int | None = None  # which of those on this machine: it has the GPU of that number


def find_place(environment: Mapping[str, str]) -> tuple[Place | None, str]:
    """The place that Open MPI or Slurm gives this process; None, with a line that says why, where it is alone.

    The line is empty where there is no such launcher. Of both Open MPI counts: Slurm starts its daemons then.
    """
    for name, prefix, read in (("Open MPI", "OMPI_COMM_WORLD_", _open_mpi), ("Slurm", "SLURM_JOB_ID", _slurm)):
        if any(variable.startswith(prefix) for variable in environment):
            try:
                place = read(environment)
            except (KeyError, ValueError) as error:
                return None, f"{name} does not say where the other processes are ({_words(error)}): training alone"
            if place is None:
                return None, f"{name} runs one task here: training alone"
            return place._replace(coordinator=environment.get("JAX_COORDINATOR_ADDRESS") or place.coordinator), ""
    return None, ""


def _slurm(environment: Mapping[str, str]) -> Place | None:
    count = int(environment.get("SLURM_STEP_NUM_TASKS", "1"))  # of this step; SLURM_NTASKS may be the allocation's
    if count < 2:
        return None
    if int(environment.get("SLURM_NTASKS", count)) != count:
        raise ValueError(f"SLURM_STEP_NUM_TASKS={count}, SLURM_NTASKS={environment['SLURM_NTASKS']}")
    index = _below(environment, "SLURM_PROCID", count)
    local = _below(environment, "SLURM_LOCALID", count)
    # the first of node[001-004,7],other; every step has a port of its own
    host = re.match(r"(?:[^,\[]|\[[^\]]*\])+", environment["SLURM_STEP_NODELIST"])
    if host is None:
        raise ValueError("SLURM_STEP_NODELIST is empty")
    first = re.sub(r"\[([^\],-]*)[^\]]*\]", r"\1", host[0])
    step = environment.get("SLURM_STEP_ID") or environment.get("SLURM_STEPID") or "0"
    port = _port(environment, 16 * int(environment["SLURM_JOB_ID"]) + int(step))
    return Place(f"{first}:{port}", count, index, local)


def _open_mpi(environment: Mapping[str, str]) -> Place | None:
    count = int(environment["OMPI_COMM_WORLD_SIZE"])
    if count < 2:
        return None
    index = _below(environment, "OMPI_COMM_WORLD_RANK", count)
    local = _below(environment, "OMPI_COMM_WORLD_LOCAL_RANK", count)
    launcher = environment["OMPI_MCA_orte_hnp_uri"]  # 1531576320.0;tcp://10.96.0.1,10.148.0.1:34911
    host = re.search(r"tcp://([^,:]+)|tcp6://(\[)([^,\]]+)", launcher)
    job = re.match(r"\d+", launcher)
    if not host or not job:
        raise ValueError(f"OMPI_MCA_orte_hnp_uri={launcher}")
    name = host[1] or f"[{host[3]}]"
    return Place(f"{name}:{_port(environment, int(job[0]) >> 12)}", count, index, local)


def _below(environment: Mapping[str, str], name: str, count: int) -> int:
    if not 0 <= (value := int(environment[name])) < count:
        raise ValueError(f"{name}={value} of {count}")
    return value


def _port(environment: Mapping[str, str], job: int) -> int:
    return int(environment.get("JAX_COORDINATOR_PORT") or _PORTS[job % len(_PORTS)])


def _words(error: KeyError | ValueError) -> str:
    return f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
