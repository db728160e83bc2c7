"""What XLA is told, and that it listens."""

import os

import jax
import jax.numpy as jnp
import jaxlib.version
import pytest

from zfjax import ops
from zfjax.runtime.xla import FLAG, convolve_with_eigen


@pytest.mark.parametrize("before", ["", "--xla_force_host_platform_device_count=2"])
def test_the_flag_joins_those_that_are_set(monkeypatch, before):
    monkeypatch.setattr(jaxlib.version, "__version_info__", (0, 10, 1))
    monkeypatch.setenv("XLA_FLAGS", before)
    convolve_with_eigen()
    convolve_with_eigen()
    assert os.environ["XLA_FLAGS"].split() == [*before.split(), f"{FLAG}=-LIBRARY_FUSION_TYPE_INDIVIDUAL_CONVOLUTION"]


def test_the_users_choice_and_other_versions_are_left_alone(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", f"{FLAG}=")
    convolve_with_eigen()
    assert os.environ["XLA_FLAGS"] == f"{FLAG}="
    monkeypatch.setattr(jaxlib.version, "__version_info__", (0, 99, 0))
    monkeypatch.delenv("XLA_FLAGS")
    convolve_with_eigen()
    assert "XLA_FLAGS" not in os.environ


@pytest.mark.skipif(jaxlib.version.__version_info__[:2] != (0, 10), reason="the flag is for jaxlib 0.10")
def test_no_convolution_is_left_to_ynnpack():
    x, kernel = jnp.ones((4, 32, 32, 32)), jnp.ones((5, 5, 32, 64))
    program = jax.jit(lambda x, kernel: ops.conv(x, kernel, strides=2)).lower(x, kernel).compile().as_text()
    assert "convolution(" in program and "__ynn_fusion" not in program
