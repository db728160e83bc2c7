"""What devices can do at the most, by the name that JAX has for their kind: what a measured speed is a share of.

Figures of the vendors' data sheets, for dense products (not the doubled ones of sparse matrices). Where a kind has
several power limits under one name, those of the full one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Peak(NamedTuple):
    """Of one device of `jax.devices()`; a multiply-add is two floating-point operations (FLOP)."""

    bf16: float  # FLOP/s of products of bfloat16 summed in float32; of GPUs that know none (T4, V100), of float16
    fp32: float  # FLOP/s of ordinary float32
    bytes_per_sec: float  # to and from the device's own memory
    tf32: float | None = None  # FLOP/s of float32 products with factors rounded to 10 bits; None: there are none

    def flops(self, precision: str) -> float:
        """FLOP/s of the products of a training in "bf16" or "fp32".

        Those of float32 JAX makes in TF32 on GPUs that have it, and of bfloat16 on TPUs, unless it is told otherwise
        (`jax.lax.Precision.DEFAULT`): so that is the peak which they are measured by.
        """
        return self.bf16 if precision == "bf16" else self.tf32 or self.fp32


def _gpu(bf16: float, fp32: float, gigabytes: float, tf32: float | None = None) -> Peak:
    """Tera-FLOP/s and gigabytes/s, as data sheets have them."""
    return Peak(bf16 * 1e12, fp32 * 1e12, gigabytes * 1e9, tf32 and tf32 * 1e12)


def _tpu(bf16: float, gigabytes: float) -> Peak:
    """A matrix unit has products of bfloat16 alone."""
    return Peak(bf16 * 1e12, bf16 * 1e12, gigabytes * 1e9)


PEAKS: dict[str, Peak] = {
    # NVIDIA's data sheets of each card; HGX B200's, an eighth of its eight.
    "NVIDIA B200": _gpu(2250, 75, 8000, tf32=1125),
    "NVIDIA H200": _gpu(989.4, 66.9, 4800, tf32=494.7),
    "NVIDIA H100 80GB HBM3": _gpu(989.4, 66.9, 3350, tf32=494.7),  # SXM
    "NVIDIA H100 PCIe": _gpu(756, 51, 2000, tf32=378),
    "NVIDIA H100 NVL": _gpu(835, 60, 3900, tf32=417),
    "NVIDIA A100-SXM4-80GB": _gpu(312, 19.5, 2039, tf32=156),
    "NVIDIA A100-SXM4-40GB": _gpu(312, 19.5, 1555, tf32=156),
    "NVIDIA A100 80GB PCIe": _gpu(312, 19.5, 1935, tf32=156),
    "NVIDIA A100-PCIE-40GB": _gpu(312, 19.5, 1555, tf32=156),
    "NVIDIA L40S": _gpu(362, 91.6, 864, tf32=183),
    "NVIDIA L4": _gpu(121, 30.3, 300, tf32=60),
    "NVIDIA A10": _gpu(125, 31.2, 600, tf32=62.5),
    "NVIDIA A10G": _gpu(70, 31.5, 600, tf32=35),  # of Amazon's G5, with its own data sheet
    "NVIDIA RTX A6000": _gpu(154.8, 38.7, 768, tf32=77.4),
    "Tesla V100-SXM2-16GB": _gpu(125, 15.7, 900),
    "Tesla V100-SXM2-32GB": _gpu(125, 15.7, 900),
    "Tesla V100-PCIE-16GB": _gpu(112, 14, 900),
    "Tesla T4": _gpu(65, 8.1, 320),
    # NVIDIA's white papers of the Blackwell, Ada (AD102) and Ampere (GA102) GeForce cards: they add products of 16 bits
    # up in float32 at half the speed of sums in float16.
    "NVIDIA GeForce RTX 5090": _gpu(209.5, 104.8, 1792, tf32=104.8),
    "NVIDIA GeForce RTX 4090": _gpu(165.2, 82.6, 1008, tf32=82.6),
    "NVIDIA GeForce RTX 3090": _gpu(71, 35.6, 936, tf32=35.6),
    # Google's pages on each version (docs.cloud.google.com/tpu/docs). One device of JAX is half a chip of v2, v3 and
    # 7x, and a whole one of the others.
    "TPU v2": _tpu(45 / 2, 700 / 2),
    "TPU v3": _tpu(123 / 2, 900 / 2),
    "TPU v4": _tpu(275, 1228),
    "TPU v5 lite": _tpu(197, 819),  # v5e
    "TPU v5e": _tpu(197, 819),
    "TPU v5": _tpu(459, 2765),  # v5p
    "TPU v5p": _tpu(459, 2765),
    "TPU v6 lite": _tpu(918, 1640),  # v6e
    "TPU v6e": _tpu(918, 1640),
    "TPU7x": _tpu(2307 / 2, 7380 / 2),
}


def peak(device_kind: str) -> Peak | None:
    """Of a `jax.Device.device_kind`; None where it is not known, as of any CPU."""
    return PEAKS.get(device_kind)


def peak_flops(device_kinds: Iterable[str], precision: str) -> float | None:
    """FLOP/s of all the devices together; None where one of them is not known."""
    peaks = [peak(kind) for kind in device_kinds]
    return None if None in peaks else sum(each.flops(precision) for each in peaks if each)
