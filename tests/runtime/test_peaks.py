"""What devices can do at the most, against what is known of how their figures hang together."""

import jax
import pytest

from zfjax.runtime.peaks import PEAKS, peak, peak_flops


@pytest.mark.parametrize("kind", PEAKS)
def test_figures_hang_together(kind):
    """TF32's products are half as fast as bfloat16's. The last line finds a slip by a thousand: memory and arithmetic
    of all devices are in one proportion, within a factor of ten."""
    each = PEAKS[kind]
    assert each.fp32 <= (each.tf32 or each.bf16) <= each.bf16
    if each.tf32:
        assert each.bf16 / each.tf32 == pytest.approx(2, rel=0.02)
    assert 50 < each.bf16 / each.bytes_per_sec < 700 and 1e11 < each.bytes_per_sec < 1e13


@pytest.mark.parametrize(
    "kind, clock, units, per_unit",
    [
        # cores x clock x operations a cycle, from the same data sheets: a V100 has 640 tensor cores of 64 multiply-adds
        ("Tesla V100-SXM2-16GB", 1.53e9, 640, 2 * 64),
        ("NVIDIA A100-SXM4-80GB", 1.41e9, 432, 2 * 256),
        ("NVIDIA H100 80GB HBM3", 1.83e9, 528, 2 * 512),
        ("Tesla T4", 1.59e9, 320, 2 * 64),
        ("NVIDIA GeForce RTX 4090", 2.52e9, 512, 2 * 64),
        ("TPU v2", 0.7e9, 1, 2 * 128**2),  # of each half of the chip
        ("TPU v3", 0.94e9, 2, 2 * 128**2),
        ("TPU v4", 1.05e9, 8, 2 * 128**2),
        ("TPU v5 lite", 1.5e9, 4, 2 * 128**2),
        ("TPU v5p", 1.75e9, 8, 2 * 128**2),
    ],
)
def test_figures_by_hand(kind, clock, units, per_unit):
    assert PEAKS[kind].bf16 == pytest.approx(clock * units * per_unit, rel=0.02)


def test_all_devices_together_and_none_that_is_not_known():
    h100 = "NVIDIA H100 80GB HBM3"
    assert peak_flops([h100] * 8, "bf16") == pytest.approx(8 * 989.4e12)
    assert peak_flops([h100], "fp32") == pytest.approx(494.7e12)  # JAX makes TF32 of it
    assert peak_flops(["Tesla T4"], "fp32") == pytest.approx(8.1e12)
    assert peak_flops(["TPU v5 lite"], "fp32") == peak_flops(["TPU v5 lite"], "bf16")
    assert peak_flops([h100, "Tesla T5"], "bf16") is None
    assert peak(jax.devices("cpu")[0].device_kind) is None
