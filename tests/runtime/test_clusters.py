"""Which launchers' environments join processes, and which leave one alone."""

import re

import pytest

from zfjax.runtime.clusters import Place, find_place

STEP = {
    "SLURM_JOB_ID": "4097",
    "SLURM_STEP_ID": "2",
    "SLURM_STEP_NODELIST": "node[001-002,7],other",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_NTASKS": "4",
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "1",
}
MPI = {
    "OMPI_COMM_WORLD_SIZE": "2",
    "OMPI_COMM_WORLD_RANK": "1",
    "OMPI_COMM_WORLD_LOCAL_RANK": "0",
    "OMPI_MCA_orte_hnp_uri": "1531576320.0;tcp://10.96.0.1,10.148.0.1:34911",
}


def without(environment: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in names}


@pytest.mark.parametrize(
    ("environment", "place"),
    [
        (STEP, Place("node001:61458", 4, 3, 1)),
        ({**STEP, "SLURM_STEP_NODELIST": "host2,node[1-3]"}, Place("host2:61458", 4, 3, 1)),
        ({**STEP, "SLURM_STEP_NODELIST": "rack[3-4]n[07,9].local"}, Place("rack3n07.local:61458", 4, 3, 1)),
        ({**STEP, "SLURM_STEP_ID": "3"}, Place("node001:61459", 4, 3, 1)),  # another step, another port
        ({**without(STEP, "SLURM_STEP_ID"), "SLURM_STEPID": "3"}, Place("node001:61459", 4, 3, 1)),
        ({**STEP, "JAX_COORDINATOR_PORT": "1234"}, Place("node001:1234", 4, 3, 1)),
        ({**STEP, "JAX_COORDINATOR_ADDRESS": "first:1234"}, Place("first:1234", 4, 3, 1)),
        (without(STEP, "SLURM_NTASKS"), Place("node001:61458", 4, 3, 1)),
        (MPI, Place("10.96.0.1:62624", 2, 1, 0)),
        (
            {**MPI, "OMPI_MCA_orte_hnp_uri": "1531576320.0;tcp6://[fe80::b,2620::2]:43370"},
            Place("[fe80::b]:62624", 2, 1, 0),
        ),
        ({**STEP, **MPI}, Place("10.96.0.1:62624", 2, 1, 0)),  # mpirun within an allocation
    ],
)
def test_several_processes_that_a_launcher_has_started(environment, place):
    assert find_place({"HOME": "/root", **environment}) == (place, "")


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, ""),
        ({"HOME": "/root", "SLURM_CONF": "/etc/slurm.conf"}, ""),
        # srun -n1 ... &, several times in one allocation; a shell in an allocation; a batch script
        ({**STEP, "SLURM_STEP_NUM_TASKS": "1", "SLURM_NTASKS": "1", "SLURM_PROCID": "0"}, "Slurm runs one task here"),
        ({**STEP, "SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"}, "Slurm runs one task here"),
        (without(STEP, "SLURM_STEP_NUM_TASKS", "SLURM_STEP_ID"), "Slurm runs one task here"),
        ({"SLURM_JOB_ID": "4097", "SLURM_NTASKS": "2"}, "Slurm runs one task here"),
        ({**MPI, "OMPI_COMM_WORLD_SIZE": "1", "OMPI_COMM_WORLD_RANK": "0"}, "Open MPI runs one task here"),
        ({**STEP, **MPI, "OMPI_COMM_WORLD_SIZE": "1"}, "Open MPI runs one task here"),
        # variables that do not agree, or lack others
        ({**STEP, "SLURM_NTASKS": "8"}, "Slurm does not say .*SLURM_STEP_NUM_TASKS=4, SLURM_NTASKS=8"),
        ({**STEP, "SLURM_PROCID": "4"}, "Slurm does not say .*SLURM_PROCID=4 of 4"),
        ({**STEP, "SLURM_PROCID": "x"}, "Slurm does not say .*'x'"),
        ({**STEP, "SLURM_STEP_NUM_TASKS": ""}, "Slurm does not say"),
        ({**STEP, "SLURM_STEP_NODELIST": ""}, "Slurm does not say .*SLURM_STEP_NODELIST is empty"),
        ({**MPI, "OMPI_MCA_orte_hnp_uri": "elsewhere"}, "Open MPI does not say .*OMPI_MCA_orte_hnp_uri=elsewhere"),
        ({**MPI, "OMPI_COMM_WORLD_RANK": "2"}, "Open MPI does not say .*OMPI_COMM_WORLD_RANK=2 of 2"),
        *(
            (without(STEP, name), f"Slurm does not say .*{name} is missing")
            for name in ("SLURM_PROCID", "SLURM_LOCALID", "SLURM_STEP_NODELIST")
        ),
        *((without(MPI, name), f"Open MPI does not say .*{name} is missing") for name in MPI),
    ],
)
def test_all_others_are_alone(environment, said):
    place, line = find_place(environment)
    assert place is None and "\n" not in line
    assert re.match(said, line) and bool(line) == bool(said) and (not line or line.endswith(": training alone"))
