"""Pictures are the same whatever the user's matplotlib is set to, and say what they are given."""

import os
import re
from html import unescape

import matplotlib
import pytest
from pictures import arguments, draw_all, painters

from zfjax.cli.evaluate import EvaluateConfig
from zfjax.cli.flags import parse_flags
from zfjax.draw.ramps import colours

USERS = {
    "image.origin": "lower",
    "figure.autolayout": True,
    "savefig.bbox": "tight",
    "savefig.transparent": True,
    "text.usetex": True,
    "text.color": "red",
    "font.size": 20,
    "axes.facecolor": "black",
    "axes.grid": True,
    "axes.unicode_minus": False,
    "svg.fonttype": "path",
    "svg.hashsalt": None,
}


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    return draw_all(tmp_path_factory.mktemp("usual"), name=r"$\frac{$ a$b$c", suffix=".svg")


def test_all_painters_are_tried():
    assert painters().keys() == arguments("").keys()


def test_what_the_user_has_set_changes_nothing_and_is_kept(usual, tmp_path):
    with matplotlib.rc_context(USERS):
        before = dict(matplotlib.rcParams.copy())
        others = draw_all(tmp_path, name=r"$\frac{$ a$b$c", suffix=".svg")
        assert dict(matplotlib.rcParams.copy()) == before
    assert [painter for painter in usual if usual[painter] != others[painter]] == []


def test_no_name_is_a_formula(usual):
    for painter, picture in usual.items():
        lines = [unescape(line) for line in re.findall(r"<text [^>]*>([^<]*)</text>", picture.decode())]
        given = sum(line.count(r"$\frac{$") for line in lines)
        needed = {"draw_activations": 2, "draw_architecture": 2, "draw_features": 2, "draw_filters": 2}
        assert given >= needed.get(painter, 3), (painter, lines)  # title and caption, and what has the name


def test_few_colours_asked_for_are_ours_all_the_same():
    """Where a matplotlibrc has `image.lut: 16`, the table that matplotlib holds is made so when it is imported."""
    matplotlib.colormaps.register(matplotlib.colormaps["Blues"].resampled(16), name="few")
    assert matplotlib.colormaps["few"] != colours("few") == matplotlib.colormaps["Blues"]
    matplotlib.colormaps.unregister("few")


def test_the_backend_of_a_notebook_does_not_matter(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "module://that.is.not.there")
    parse_flags(EvaluateConfig, ["--ckpt=a"])
    assert matplotlib.rcsetup.validate_backend(os.environ["MPLBACKEND"]) == "agg"
