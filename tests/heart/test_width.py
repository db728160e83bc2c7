"""Networks with a share of their maps, where layers must be scaled alike: sums, depthwise filters, joins and groups."""

import pytest

from zfjax.arch import Arch
from zfjax.errors import InputError
from zfjax.layers import IMAGE, Add, BatchNorm, Concat, Conv, Dense, GlobalAvgPool, MaxPool, pad
from zfjax.zoo import ARCHS, get_arch
from zfjax.zoo.width import scale_width

WIDTHS = (1e-6, 0.03, 1 / 8, 1 / 3, 0.7, 1.3)
BRANCHING = ("googlenet", "googlenet-bn", "squeezenet1_1", "resnet18", "resnet50", "mobilenet_v1", "vgg11-bn")


def net(*layers) -> Arch:
    return Arch(layers, image_size=16, num_classes=5)


def maps(arch: Arch) -> dict[str, int]:
    return {name: shape[2] for name, shape in arch.shapes().items()}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", BRANCHING)
def test_every_layer_is_scaled_alone_or_with_those_it_is_tied_to(name, width):
    full, narrow = ARCHS[name], get_arch(name, width=width)
    assert narrow.num_classes == full.num_classes and narrow.layer_names == full.layer_names
    for row, other in zip(full.rows, narrow.rows, strict=True):  # the walk has refused sums of unequal maps
        assert other.geometry is None or other.geometry == row.geometry
        if isinstance(row.layer, Conv | Dense) and row.layer.features:
            assert other.shape[2] == max(1, round(row.shape[2] * width))
    assert get_arch(name, width=1.0) == full


def test_depthwise_filters_are_as_many_as_their_maps():
    rows = get_arch("mobilenet_v1", width=0.25).rows
    depthwise = [row for row in rows if row.name.endswith("/dw")]
    assert len(depthwise) == 13
    for row in depthwise:
        assert isinstance(row.layer, Conv) and row.layer.groups == row.layer.features == row.input_shape[2]
    on_image = net(Conv("each", 3, kernel=3, groups=3), Conv("next", 8, kernel=1), Dense("fc"))
    assert maps(scale_width(on_image, 0.5)) == {"each": 3, "next": 4, "fc": 5}
    join = net(
        Conv("one", 6, kernel=1),
        Conv("two", 10, kernel=1, inputs=(IMAGE,)),
        Concat("both", inputs=("one", "two")),
        Conv("each", 16, kernel=3, groups=16),
    )
    assert maps(scale_width(join, 0.5)) == {"one": 3, "two": 5, "both": 8, "each": 8}


def test_what_is_added_to_the_image_or_the_classes_keeps_its_width():
    arch = net(
        Conv("inner", 8, kernel=1),
        Conv("change", 3, kernel=1),
        Add("sum", inputs=(IMAGE, "change")),
        Conv("votes", 5, kernel=1),
        Conv("classes", features=None, kernel=1, inputs=("sum",)),
        Add("all", inputs=("votes", "classes")),
        GlobalAvgPool("mean"),
    )
    assert maps(scale_width(arch, 0.5)) == dict(inner=4, change=3, sum=3, votes=5, classes=5, all=5, mean=5)


def test_groups_reach_through_sums_and_joins():
    arch = net(
        Conv("a", 12, kernel=1),
        Conv("b", 12, kernel=3, padding=pad(1), groups=2),
        Add("sum", inputs=("a", "b")),
        Conv("c", 12, kernel=1),
        Concat("join", inputs=("sum", "c")),
        MaxPool("pool"),
        Conv("grouped", 24, kernel=1, groups=3),
    )
    # a and b: a multiple of 2 and of 3; c: of 3, as one of two parts that three groups share
    assert maps(scale_width(arch, 0.3)) == dict(a=6, b=6, sum=6, c=3, join=9, pool=9, grouped=6)


def test_joins_that_no_longer_fit_are_named():
    parts = [Conv(name, features, kernel=1, inputs=(IMAGE,)) for name, features in (("a", 3), ("b", 3), ("c", 6))]
    arch = net(*parts, Concat("ab", inputs=("a", "b")), BatchNorm("bn"), Add("sum", inputs=("bn", "c")))
    assert maps(scale_width(arch, 2))["sum"] == 12
    with pytest.raises(InputError, match="sum cannot add maps of different shapes: bn is 16x16x4, c is 16x16x3"):
        scale_width(arch, 0.5)
