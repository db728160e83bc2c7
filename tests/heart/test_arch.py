"""The tables against the counts and sizes known from the paper, from ONNX files and from arithmetic by hand."""

import dataclasses
import json
import re
import subprocess
import sys

import pytest
from nets import canvas_side

from zfjax.arch import Arch
from zfjax.errors import InputError
from zfjax.layers import Add, Conv, Dense, MaxPool
from zfjax.recipe import Recipe
from zfjax.train.settings import Settings
from zfjax.zoo import ARCHS, get_arch, smallest_image


def test_zf_has_the_sizes_of_figure_3():
    sizes = {name: shape[0] for name, shape in get_arch("zf").shapes().items()}
    assert [sizes[name] for name in ("conv1", "pool1", "conv2", "pool2")] == [110, 55, 26, 13]
    assert [sizes[name] for name in ("conv3", "conv4", "conv5", "pool5")] == [13, 13, 13, 6]


def test_alexnet_has_krizhevskys_sizes():
    sizes = {name: shape[0] for name, shape in get_arch("alexnet").shapes().items()}
    assert [sizes[f"conv{i}"] for i in range(1, 6)] == [55, 27, 13, 13, 13]
    assert [sizes[f"pool{i}"] for i in (1, 2, 5)] == [27, 13, 6]


@pytest.mark.parametrize(
    ("arch", "layer", "expected"),
    [
        ("zf", "conv1", (7, 2, -1)),
        ("zf", "pool1", (11, 4, -1)),
        ("zf", "norm1", (11, 4, -1)),
        ("zf", "conv2", (27, 8, -1)),
        ("zf", "pool2", (43, 16, -1)),
        ("zf", "conv3", (75, 16, -17)),
        ("zf", "conv4", (107, 16, -33)),
        ("zf", "conv5", (139, 16, -49)),
        ("zf", "pool5", (171, 32, -49)),
        ("zf", "fc7", (224, 224, 0)),
        ("alexnet", "conv1", (11, 4, 0)),
        ("alexnet", "conv5", (163, 16, -64)),
        ("alexnet", "pool5", (195, 32, -64)),
    ],
)
def test_receptive_fields(arch, layer, expected):
    assert get_arch(arch).receptive_field(layer) == expected


def test_multiply_adds_of_zf():
    work = {row.layer.name: row.mult_adds for row in get_arch("zf").rows}
    assert (work["conv1"], work["conv2"], work["conv4"]) == (170_755_200, 415_334_400, 224_280_576)
    assert sum(work.values()) == 1_168_032_896


def test_norm_comes_after_pooling_in_zf_and_before_it_in_alexnet():
    zf, alexnet = get_arch("zf").layer_names, get_arch("alexnet").layer_names
    assert zf.index("pool1") < zf.index("norm1") and alexnet.index("norm1") < alexnet.index("pool1")


def test_get_arch_adapts_head_and_sizes():
    arch = get_arch("zf", num_classes=10, image_size=128)
    assert arch.shapes()["fc8"] == (1, 1, 10) and arch.shapes()["conv1"] == (62, 62, 96)
    assert canvas_side(arch) == 146 and canvas_side(get_arch("zf")) == 256


def test_an_image_too_small_is_refused_with_the_smallest_that_fits():
    with pytest.raises(InputError, match="20x20 is too small; conv2 .* smallest image for zf is 47x47"):
        get_arch("zf", image_size=20)
    assert get_arch("zf", image_size=47).shapes()["pool5"][0] == 1


def test_bad_tables_are_refused():
    with pytest.raises(InputError, match="unknown architecture 'zfnet'; choose one of zfnet512, caffenet, "):
        get_arch("zfnet")
    with pytest.raises(InputError, match="conv1 occurs more than once"):
        Arch((Conv("conv1", 4, kernel=3), Conv("conv1", 4, kernel=3)), image_size=20)
    with pytest.raises(InputError, match="2 groups do not divide 3 -> 4 maps"):
        Arch((Conv("conv1", 4, kernel=3, groups=2),), image_size=20)
    with pytest.raises(InputError, match="unknown layer 'conv9'; zf has conv1"):
        get_arch("zf").receptive_field("conv9")


def test_layers_are_chosen_by_names_and_patterns():
    squeezenet, resnet = ARCHS["squeezenet1_1"], ARCHS["resnet152"]
    assert squeezenet.select("") == squeezenet.select(",") == []
    assert squeezenet.select("conv10,fire[23]/concat,conv1") == ["conv10", "fire2/concat", "fire3/concat", "conv1"]
    assert squeezenet.select("fire9/*,fire9/concat,pool?") == [
        *("fire9/squeeze1x1", "fire9/expand1x1", "fire9/expand3x3", "fire9/concat", "pool1", "pool3", "pool5")
    ]
    assert resnet.select("layer4.?") == ["layer4.0", "layer4.1", "layer4.2"]  # a dot is a dot
    assert squeezenet.select("*") == [*squeezenet.layer_names]
    with pytest.raises(InputError, match=r"^'Conv\*' fits no layer; zf has conv1, pool1, .*, fc8$"):
        ARCHS["zf"].select("conv1,Conv*")


def test_a_wrong_name_among_many_shows_the_near_ones():
    resnet = ARCHS["resnet152"]
    with pytest.raises(InputError) as caught:
        resnet.row("layer3.35.con2")
    said = str(caught.value)
    assert said.startswith("unknown layer 'layer3.35.con2'; resnet152 has layer3.35.conv2, ")
    assert said.endswith(" and 358 more") and len(resnet.layers) == 363 and len(said) < 200
    with pytest.raises(InputError, match=r"'\?' fits no layer; resnet152 has conv1, bn1, .* and 358 more$"):
        resnet.select("?")
    with pytest.raises(InputError, match=r"^unknown layer 'layer3'; .* 'layer3\.\*' are the 254 layers in it$"):
        resnet.select("layer3")
    with pytest.raises(InputError, match="zf has conv1, pool1, norm1, .*, drop7, fc8$"):
        ARCHS["zf"].row("fc9")
    with pytest.raises(InputError, match="sum reads 'layer1.9', .* there are layer3.9, .* and 359 more$"):
        dataclasses.replace(resnet, layers=(*resnet.layers, Add("sum", inputs=("layer1.9", "fc"))))


@pytest.mark.parametrize("name", ARCHS)
def test_dict_round_trip_through_json(name):
    assert Arch.from_dict(json.loads(json.dumps(ARCHS[name].to_dict()))) == ARCHS[name]


def test_a_table_may_end_without_a_classifier():
    arch = Arch((Conv("conv1", features=4, kernel=3, strides=2), MaxPool("pool1")), image_size=20, num_classes=5)
    assert arch.shapes() == {"conv1": (9, 9, 4), "pool1": (4, 4, 4)}
    assert Arch((*arch.layers, Dense("fc2")), image_size=20, num_classes=5).shapes()["fc2"] == (1, 1, 5)


def test_summary_on_the_command_line():
    run = subprocess.run([sys.executable, "-m", "zfjax.arch", "zf"], capture_output=True, text=True, check=True)
    assert "conv5" in run.stdout and "62,357,608 parameters, 1,168,032,896 multiply-adds" in run.stdout
    assert run.stderr == ""
    bad = subprocess.run([sys.executable, "-m", "zfjax.arch", "zfnet"], capture_output=True, text=True)
    assert bad.returncode == 2 and bad.stderr.startswith("error: unknown architecture") and bad.stderr.count("\n") == 1


def test_a_network_says_how_it_is_trained():
    layers = (Conv("conv1", features=4, kernel=3), Dense("fc2", relu=False))
    last = Arch(layers, image_size=8).summary().splitlines()[-1]
    assert last == (
        "recipe (the default): optimizer sgd, learning_rate 0.01, weight_decay 0.0005, batch_size 128, epochs 70, init "
        "paper, schedule plateau, crops ten, subtract_mean True, filter_rms 0.1; input_scale 1 on pixels of 0..255"
    )
    recipe = Recipe("adam", 3e-4, warmup_steps=5, rate_scale=2.0, auxiliary=("fc2",))
    told = Arch(layers, image_size=8, recipe=recipe, input_scale=1 / 8).training_in_words()
    for part in ("recipe: optimizer adam, learning_rate 0.0003", "warmup_steps 5, rate_scale 2", "auxiliary fc2, aux"):
        assert part in told
    assert told.endswith("input_scale 0.125 on pixels of 0..255")
    known = {f"--{each.name}" for each in dataclasses.fields(Settings)}
    assert known.issuperset(f"--{part.split()[0]}" for part in re.split("[,;] ", last.partition(": ")[2]))


def features(arch: Arch) -> dict[str, int]:
    return {layer.name: layer.features for layer in arch.layers if isinstance(layer, Conv | Dense) and layer.features}


def test_width_scales_every_hidden_layer_and_not_the_classifier():
    quarter = get_arch("zf", num_classes=10, image_size=64, width=0.25)
    assert features(quarter) == dict(conv1=24, conv2=64, conv3=96, conv4=96, conv5=64, fc6=1024, fc7=1024)
    assert quarter.shapes()["fc8"] == (1, 1, 10) and quarter.name == "zf"
    assert quarter.receptive_field("conv5") == get_arch("zf").receptive_field("conv5")
    assert get_arch("zf", width=2).shapes()["conv4"] == (13, 13, 768)
    for name, arch in ARCHS.items():
        assert get_arch(name, width=1.0) == arch


@pytest.mark.parametrize("width", [1e-6, 0.01, 0.03, 0.1, 1 / 8, 1 / 3, 0.7])
@pytest.mark.parametrize("name", ["alexnet", "alexnet-no34", "alexnet-no3467", "zf-512"])
def test_any_width_leaves_the_groups_whole(name, width):
    narrow, full = get_arch(name, image_size=64, width=width), features(ARCHS[name])
    convolutions = [row for row in narrow.rows if isinstance(row.layer, Conv)]
    for row in convolutions:  # the walk refuses groups that do not divide; none may be left without a map
        assert row.input_shape[2] // row.layer.groups >= 1 and row.shape[2] >= row.layer.groups
    for layer, count in features(narrow).items():
        assert abs(count - width * full[layer]) <= 1 or count in (1, 2)
    assert Arch.from_dict(json.loads(json.dumps(narrow.to_dict()))) == narrow


@pytest.mark.parametrize("width", [0, -0.5, float("nan"), float("inf")])
def test_a_width_that_is_none_is_refused(width):
    with pytest.raises(InputError, match="width must be a number above 0, not"):
        get_arch("zf", width=width)


def test_alexnet_at_64_pixels_and_the_smallest_images():
    sizes = {name: shape[0] for name, shape in get_arch("alexnet", image_size=64, width=0.25).shapes().items()}
    assert [sizes[name] for name in ("conv1", "pool1", "conv2", "pool2", "conv5", "pool5")] == [15, 7, 7, 3, 3, 1]
    for name in ("zf", "alexnet", "alexnet-no3467", "sign-cnn"):
        least = smallest_image(name)
        assert get_arch(name, image_size=least, width=0.1)
        with pytest.raises(InputError, match=f"smallest image for {name} is {least}x{least}"):
            get_arch(name, image_size=least - 1)
