"""Accelerators to compile for where there is none: TPUs by libtpu, NVIDIA's cards by XLA's description of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec

from zfjax.errors import InputError
from zfjax.runtime.peaks import PEAKS, Peak

TPU_HERTZ = 1.5e9  # what XLA counts a v5e's cycles in


@dataclass(frozen=True)
class Target:
    """Something to compile for."""

    kind: str  # as JAX names the device
    chips: int = 1
    topology: str = ""  # of TPUs
    description: str = ""  # of a GPU: what differs from one card to the next in XLA's GpuTargetConfigProto

    @property
    def peak(self) -> Peak:
        return PEAKS[self.kind]


def _card(
    name: str, capability: str, cores: int, gigahertz: float, memory: int, l2: int, shared: int, threads: int
) -> str:
    return (
        f"threads_per_block_limit: 1024 threads_per_warp: 32 shared_memory_per_block: 49152 "
        f"shared_memory_per_core: {shared + 1024} threads_per_core_limit: {threads} core_count: {cores} "
        f"fpus_per_core: 128 block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535 "
        f"memory_bandwidth: {int(PEAKS[name].bytes_per_sec)} l2_cache_size: {l2} clock_rate_ghz: {gigahertz} "
        f"device_memory_size: {memory} shared_memory_per_block_optin: {shared} "
        f"cuda_compute_capability {{ {capability} }} registers_per_core_limit: 65536 registers_per_block_limit: 65536"
    )


H100, L4, V5E = "NVIDIA H100 80GB HBM3", "NVIDIA L4", "TPU v5 lite"
# Numbers of NVIDIA's CUDA programming guide (limits by compute capability) and of each card's data sheet.
TARGETS = {
    "v5e:1": Target(V5E, topology="v5e:2x2"),
    "v5e:2x2": Target(V5E, 4, "v5e:2x2"),
    "v5e:4x4": Target(V5E, 16, "v5e:4x4"),
    "H100": Target(H100, description=_card(H100, "major: 9", 132, 1.98, 84978434048, 52428800, 232448, 2048)),
    "L4": Target(L4, description=_card(L4, "major: 8 minor: 9", 58, 2.04, 23580639232, 50331648, 101376, 1536)),
}


def prepare(target: Target) -> None:
    """Tells JAX, before it starts, that it will only compile. Raises InputError where the compiler is not installed."""
    package = "libtpu" if target.topology else "jax_cuda13_plugin"
    if find_spec(package) is None:
        raise InputError(f"{package} is not installed here; `make bench-accelerators` makes an environment that has it")
    os.environ.update(JAX_PLATFORMS="cpu", TPU_SKIP_MDS_QUERY="1")
    if target.description:  # autotuning would run candidates on the card; without, cuDNN's algorithms are its defaults
        os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_gpu_autotune_level=0"


def devices(target: Target) -> list:
    """The devices to compile for, as many as the target has chips."""
    from jax.experimental import topologies

    if target.topology:
        found = topologies.get_topology_desc(platform="tpu", topology_name=target.topology).devices
        return list(found[: target.chips])
    config = (
        f'gpu_device_info {{ {target.description} }} platform_name: "CUDA" dnn_version_info {{ major: 9 minor: 12 }} '
        f'device_description_str: "{target.kind}"'
    )
    options = {"platform": "cuda", "topology_name": "", "target_config": config, "topology": "1x1x1"}
    try:
        return list(topologies.get_topology_desc(**options).devices)
    except (NotImplementedError, RuntimeError, ValueError, KeyError):
        from jax._src import xla_bridge  # no public way leads to a plugin that JAX_PLATFORMS does not name

        xla_bridge.discover_pjrt_plugins()
        return list(topologies.get_topology_desc(**options).devices)
