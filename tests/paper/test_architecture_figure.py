"""Fig. 3's drawing: what it says of a network, that nothing covers anything else, the script without a run."""

import itertools
import sys

import nets
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from zfjax.arch import Arch
from zfjax.cli import visualize
from zfjax.errors import InputError
from zfjax.layers import (
    IMAGE,
    LRN,
    Add,
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    Dense,
    Dropout,
    GlobalAvgPool,
    Identity,
    MaxPool,
    pad,
)
from zfjax.paper.architecture import command as architecture
from zfjax.paper.architecture.draw import COLOURS, architecture_figure, draw_architecture
from zfjax.paper.architecture.layout import Line, _lines, _tracks
from zfjax.paper.architecture.measure import blocks, describe
from zfjax.paper.view import View
from zfjax.zoo import ARCHS, get_arch

SMALL_ZF = get_arch("zf", image_size=64)
FORKING = {"squeezenet1_0", "resnet18"}  # of those of the zoo; the longer ones take seconds each, and look like these
NETWORKS = {name: arch for name, arch in ARCHS.items() if name in FORKING or not any(x.inputs for x in arch.layers)}
NETWORKS |= {"zf at 64": SMALL_ZF, "tiny": nets.TINY, "odd": nets.ODD}
NETWORKS["many"] = Arch(tuple(Conv(f"a_long_name_{i}", 10 ** (i % 5), kernel=1) for i in range(40)), image_size=9)
INCEPTION = Arch(
    (
        Conv("stem", 16, kernel=3, strides=2, padding=pad(1)),
        LRN("norm"),
        Conv("one", 8, kernel=1),
        Conv("reduce", 8, kernel=1, inputs=("norm",)),
        Conv("three", 12, kernel=3, padding=pad(1)),
        MaxPool("pool", window=3, strides=1, padding=pad(1), inputs=("norm",)),
        Conv("after_pool", 8, kernel=1),
        Concat("all", inputs=("one", "three", "after_pool"), relu=True),
        GlobalAvgPool("mean"),
        Dropout("drop"),
        Dense("fc", relu=False),
    ),
    image_size=40,
    num_classes=4,
)
RESIDUAL = Arch(
    (
        Conv("stem", 8, kernel=(3, 5), strides=(1, 2), padding=((1, 1), (2, 2)), bias=None, relu=False),
        BatchNorm("stem_bn", relu=True),
        Conv("short", 8, kernel=1, strides=2, bias=None, relu=False),
        Conv("conv1", 8, kernel=3, strides=2, padding=pad(1), relu=False, inputs=("stem_bn",)),
        BatchNorm("bn1", relu=True),
        Conv("conv2", 8, kernel=3, padding=pad(2), dilation=2, relu=False),
        Add("sum", inputs=("short", "conv2"), relu=True),
        Identity("same", inputs=("sum",)),
        BatchNorm("bn2", inputs=("sum",)),
        AvgPool("mean", window=2, strides=1, padding=((1, 0), (1, 0))),
        Conv("image_too", 8, kernel=3, strides=(2, 4), padding=pad(1), inputs=(IMAGE,)),
        Add("sum2", inputs=("same", "mean")),
        Concat("both", inputs=("sum2", "image_too")),
        Dense("fc", relu=False),
    ),
    image_size=32,
)
BRANCHING = {"inception": INCEPTION, "residual": RESIDUAL}
NETWORKS |= BRANCHING


def test_zf_is_labelled_as_in_the_paper():
    by_name = {block.name: block for block in blocks(ARCHS["zf"])}
    assert list(by_name) == "image conv1 pool1 conv2 pool2 conv3 conv4 conv5 pool5 fc6 fc7 fc8".split()
    assert [block.shape[0] for block in by_name.values()] == [224, 110, 55, 26, 13, 13, 13, 13, 6, 1, 1, 1]
    assert by_name["image"].below == ("224×224", "RGB")
    assert by_name["conv1"].above == ("7×7", "stride 2", "pad 1", "96 filters")
    assert by_name["conv1"].below == ("110×110", "96 maps") and by_name["conv1"].params == 14_208
    assert by_name["pool1"].above == ("3×3", "max pool", "stride 2", "pad 0+1", "contrast", "norm")
    assert by_name["conv2"].above == ("5×5", "stride 2", "256 filters")
    assert by_name["fc6"].above == ("fully", "connected", "dropout 0.5") and by_name["fc6"].below == ("4096", "units")
    assert by_name["fc8"].above == ("fully", "connected", "softmax") and by_name["fc8"].below == ("1000", "classes")


@pytest.mark.parametrize("name", NETWORKS)
def test_blocks_have_the_shapes_and_parameters_of_the_table(name):
    arch = NETWORKS[name]
    drawn, shapes = blocks(arch), arch.shapes()
    assert all(block.shape == shapes[block.name] for block in drawn[1:])
    assert sum(block.params for block in drawn) == arch.param_count()


def test_what_only_other_networks_have():
    alexnet = {block.name: block.above for block in blocks(ARCHS["alexnet"])}
    assert alexnet["conv1"] == ("11×11", "stride 4", "pad 0+3", "96 filters", "contrast", "norm")
    assert "2 groups" in alexnet["conv2"] and "2 groups" not in alexnet["conv3"]
    lenet = {block.name: block for block in blocks(ARCHS["lenet5"])}
    assert lenet["pool1"].above == ("2×2", "mean pool", "stride 2") and lenet["image"].below[1] == "grey"
    assert blocks(nets.ODD)[2].above[-1] == "pad 1+0"
    assert blocks(NETWORKS["many"])[1].below == ("9×9", "1 map")


def test_layers_that_change_a_block_are_lines_of_it_unless_others_read_it():
    drawn = blocks(INCEPTION)
    assert [block.name for block in drawn] == "image stem one reduce three pool after_pool all mean fc".split()
    assert [block.inputs for block in drawn] == [(), (0,), (1,), (1,), (3,), (1,), (5,), (2, 4, 6), (7,), (8,)]
    assert drawn[1].above[-2:] == ("contrast", "norm") and drawn[8].above == ("global", "mean pool", "dropout 0.5")
    by_name = {block.name: block for block in blocks(RESIDUAL)}
    assert "bn1" not in by_name and by_name["conv1"].above[-2:] == ("batch", "norm") and by_name["conv1"].relu
    assert by_name["bn2"].above == ("batch", "norm") and by_name["same"].above == ("identity",)  # both read the sum
    assert by_name["bn2"].params == 16 and by_name["conv1"].params == 8 * 8 * 9 + 8 + 16
    assert by_name["stem"].above[:3] == ("3×5", "stride 1×2", "pad 1, 2") and by_name["stem"].below[0] == "32×16"
    assert by_name["conv2"].above[2:4] == ("pad 2", "dilation 2") and by_name["conv2"].window == (5, 5)


def test_lines_are_few_and_lie_beside_each_other():
    found = _lines(blocks(INCEPTION))
    assert found == [Line((1,), (3, 5)), Line((2, 4), (7,))]
    assert [(track.number, track.level) for track in _tracks(found, 0, 10)] == [(0, 0), (1, 1)]
    assert [track.number for track in _tracks(found, 0, 2)] == [0] and not _tracks(found, 8, 10)
    chain = [Line((1,), (4,)), Line((4,), (7,)), Line((0,), (9,))]
    assert [track.level for track in _tracks(chain, 0, 10)] == [0, 0, 1]
    assert not _lines(blocks(ARCHS["zf"]))


@pytest.mark.parametrize("name", BRANCHING)
def test_lines_cross_no_words(name):
    figure = architecture_figure(BRANCHING[name], title="", caption="")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    texts = [text for text in figure.findobj(lambda artist: hasattr(artist, "get_text")) if text.get_text()]
    drawn = [line.get_transform().transform(line.get_xydata()) for line in figure.findobj(Line2D)]
    assert len(drawn) >= 5
    for text, ends in itertools.product(texts, drawn):
        box = text.get_window_extent(canvas.get_renderer())
        (left, bottom), (right, top) = ends.min(axis=0), ends.max(axis=0)
        assert right < box.x0 or left > box.x1 or top < box.y0 or bottom > box.y1


def test_the_caption_explains_what_occurs_and_no_more():
    assert "layer but fc8 ends with one" in describe(ARCHS["zf"]) and "Pad a+b" in describe(ARCHS["zf"])
    assert "across 5 neighbouring maps" in describe(ARCHS["zf"])
    assert "but conv2, fc3 ends" in describe(nets.ODD)
    assert "layer ends with one" in describe(NETWORKS["many"])
    for word in ("Pad", "Contrast", "orange", "Lines", "So do"):
        assert word not in describe(ARCHS["sign-mlp"])
    assert "but fc ends with one. So does all. Lines lead" in describe(INCEPTION)
    assert "but short, conv2, fc ends with one. So does sum." in describe(RESIDUAL)
    plain = Arch(tuple(Conv(f"c{i}", 1, kernel=1, relu=False) for i in range(9)), image_size=2)
    assert "but c0, c1, c2 and 6 more ends" in describe(plain)


@pytest.mark.parametrize("name", NETWORKS)
def test_labels_touch_neither_each_other_nor_blocks_nor_the_edge(name):
    figure = architecture_figure(NETWORKS[name], title=name, caption="Drawn in a test.")
    FigureCanvasAgg(figure)
    texts = [text for text in figure.findobj(lambda artist: hasattr(artist, "get_text")) if text.get_text()]
    labels = [text.get_window_extent() for text in texts]
    colours = {colour.lower() for colour in COLOURS.values()}
    maps = [patch for patch in figure.findobj(Rectangle) if to_hex(patch.get_facecolor()) in colours]
    boxes = [patch.get_window_extent() for patch in maps]
    assert len(labels) > 3 * len(blocks(NETWORKS[name])) - 2 and len(maps) >= len(blocks(NETWORKS[name]))
    corners = np.array([box.extents for box in labels + boxes])
    lows, highs = corners[:, :2], corners[:, 2:]
    overlap = ((lows[:, None] <= highs) & (lows <= highs[:, None])).all(axis=-1)[: len(labels)]
    assert not np.triu(overlap, k=1).any()  # of labels with each other and with blocks
    assert corners.min() >= -1 and (corners[:, 2:].max(axis=0) <= figure.bbox.size + 1).all()
    assert figure.get_size_inches()[0] in (3.5, 7.0)


def test_one_row_for_the_paper_and_several_for_the_deep():
    def rows(arch: Arch) -> int:
        figure = architecture_figure(arch, title="", caption="")
        FigureCanvasAgg(figure).draw()
        names = {layer.name for layer in arch.layers}
        texts = figure.findobj(lambda artist: hasattr(artist, "get_text") and artist.get_text() in names)
        return len({round(text.get_window_extent().y0) for text in texts})

    assert rows(ARCHS["zf"]) == rows(ARCHS["alexnet"]) == rows(ARCHS["sign-mlp"]) == 1
    assert rows(ARCHS["vgg16"]) == 3


def test_files(tmp_path):
    for suffix in ("svg", "png", "pdf"):
        files = [tmp_path / f"{place}.{suffix}" for place in "ab"]
        for file in files:
            draw_architecture(nets.TINY, file, title="A title", caption="A source.")
        assert files[0].read_bytes() == files[1].read_bytes()
    text = (tmp_path / "a.svg").read_text()
    for word in ("A title", "A source.", "conv1", "7×7", "18×18", "max pool", "contrast"):
        assert word in text
    with pytest.raises(InputError, match="must end in"):
        draw_architecture(nets.TINY, tmp_path / "a.gif", title="", caption="")


def run_main(arguments: list[str], monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", ["visualize.py", *arguments])
    visualize.main()


def test_the_script_draws_a_network_by_name(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run_main(["--figure=architecture", "--arch=zf"], monkeypatch)
    assert capsys.readouterr().out == "figures/zf/architecture.svg\n"
    text = (tmp_path / "figures/zf/architecture.svg").read_text()
    assert "zf: 8 layers with weights, 62,357,608 parameters" in text and "1,168,032,896 multiply-adds" in text
    run_main(["--figure=architecture", "--arch=lenet5", "--out=here", "--architecture.format=png"], monkeypatch)
    assert (tmp_path / "here/architecture.png").stat().st_size > 10_000


def test_the_network_of_a_run_names_the_run(tmp_path):
    run = nets.run_of(nets.TINY, {}, np.zeros((46, 46, 3)), ("a",), {}, step=1200)
    drawn = architecture.draw(View(ckpt="runs/mine", run=run, out=tmp_path), architecture.Options())
    assert drawn.paths == [tmp_path / "architecture.svg"] and drawn.result is nets.TINY
    assert "Run mine (custom), step 1,200." in " ".join(drawn.paths[0].read_text().split())


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "--ckpt is missing"),
        (["--figure=architecture"], "--ckpt is missing"),
        (["--figure=filters"], "--ckpt is missing"),
        (["--arch=zf"], "--arch=zf is for --figure=architecture"),
        (["--arch=zf", "--figure=architecture", "--ckpt=runs/zf"], "without --ckpt; a run has its own"),
        (["--arch=zfnet", "--figure=architecture"], "unknown architecture 'zfnet'; choose one of zf"),
        (["--arch=zf", "--figure=architecture", "--out=/proc/figures"], "cannot write /proc/figures"),
    ],
)
def test_wrong_flags(flags, message, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stop:
        run_main(flags, monkeypatch)
    said = capsys.readouterr().err.rstrip("\n")
    assert stop.value.code == 2 and said.startswith("error: ") and message in said and "\n" not in said
