"""Which parameters a network forgets, and what it begins anew with."""

import jax
import numpy as np
import pytest
from nets import TINY, random_params

from zfjax.arch import Arch
from zfjax.attribution.measures.randomisation import cascade, one_at_a_time, randomised, steps
from zfjax.convnet import init_params
from zfjax.errors import InputError
from zfjax.layers import Add, BatchNorm, Conv, Dense, GlobalAvgPool
from zfjax.zoo import get_arch

KEY = jax.random.key(1)
BLOCK = Arch(
    layers=(
        BatchNorm("bn0"),
        Conv("conv1", 4, kernel=3, relu=False),
        BatchNorm("bn1", relu=True),
        Conv("left", 4, kernel=1, relu=False),
        BatchNorm("bn2"),
        Conv("right", 4, kernel=1, relu=False, inputs=("bn1",)),
        Add("sum", inputs=("bn2", "right")),
        BatchNorm("bn3"),
        GlobalAvgPool("pool"),
        Dense("fc", relu=False),
    ),
    image_size=8,
    num_classes=2,
)


def changed(arch: Arch, before: dict, after: dict) -> set[str]:
    assert {*before} == {*after}
    return {row.name for row in arch.rows if row.param_shapes and before[row.name] is not after[row.name]}


def test_named_layers_are_drawn_anew_and_no_other():
    params = random_params(BLOCK)
    drawn = init_params(KEY, BLOCK)
    found = randomised(BLOCK, params, KEY, ["left", "fc"])
    assert changed(BLOCK, params, found) == {"left", "fc"}
    for name in ("left", "fc"):  # whichever others are drawn
        jax.tree.map(np.testing.assert_array_equal, found[name], drawn[name])
    assert not np.array_equal(found["left"]["kernel"], params["left"]["kernel"])


def test_the_cascade_goes_down_to_a_network_that_has_learnt_nothing():
    params = random_params(BLOCK)
    order = steps(BLOCK)
    gone, found = set(), params
    for step, (name, found) in zip(order, cascade(BLOCK, params, KEY), strict=True):
        gone |= {*step}
        assert name == step[0] and changed(BLOCK, params, found) == gone
    jax.tree.map(np.testing.assert_array_equal, found, init_params(KEY, BLOCK))
    singles = list(one_at_a_time(BLOCK, params, KEY))
    assert [(name, changed(BLOCK, params, found)) for name, found in singles] == [(step[0], {*step}) for step in order]


def test_batch_norms_go_with_the_layer_whose_maps_they_normalise():
    assert steps(BLOCK) == [["fc"], ["bn3"], ["right"], ["left", "bn2"], ["conv1", "bn1"], ["bn0"]]
    forgot = dict(one_at_a_time(BLOCK, random_params(BLOCK), KEY))["left"]
    for name, value in (("scale", 1), ("bias", 0), ("mean", 0), ("var", 1)):
        np.testing.assert_array_equal(forgot["bn2"][name], np.full(4, value, np.float32))


def test_every_layer_of_a_residual_network_has_one_step():
    arch = get_arch("resnet18")
    found = [name for step in steps(arch) for name in step]
    assert sorted(found) == sorted(row.name for row in arch.rows if row.param_shapes)
    assert len(steps(arch)) == 21 and steps(arch)[0] == ["fc"] and steps(arch)[-1] == ["conv1", "bn1"]


def test_layers_that_cannot_forget_are_refused():
    params = random_params(BLOCK)
    with pytest.raises(InputError, match="sum has no parameters"):
        randomised(BLOCK, params, KEY, ["fc", "sum"])
    with pytest.raises(InputError, match="unknown layer 'fc9'"):
        randomised(BLOCK, params, KEY, ["fc9"])
    with pytest.raises(InputError, match="the parameters are not those"):
        randomised(BLOCK, random_params(TINY), KEY, ["fc"])
    with pytest.raises(InputError, match="key must be"):
        randomised(BLOCK, params, np.zeros(3), ["fc"])  # pyright: ignore
