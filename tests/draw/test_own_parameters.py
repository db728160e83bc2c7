"""Pictures are the same whatever the user's matplotlib is set to, and say what they are given."""

import os
import re
import xml.dom.minidom
from html import unescape

import matplotlib
import pytest
from matplotlib.font_manager import FontEntry
from pictures import arguments, draw_all, painters

from zfjax.cli.evaluate import EvaluateConfig
from zfjax.cli.flags import parse_flags
from zfjax.draw import fonts
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


NAME = "$\\frac{$ a$b$c \x1b[2J\0\u202e\udce9 狗 <b>&"


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    return draw_all(tmp_path_factory.mktemp("usual"), name=NAME, suffix=".svg")


def test_all_painters_are_tried():
    assert painters().keys() == arguments("").keys()


def test_what_the_user_has_set_changes_nothing_and_is_kept(usual, tmp_path):
    with matplotlib.rc_context(USERS):
        before = dict(matplotlib.rcParams.copy())
        others = draw_all(tmp_path, name=NAME, suffix=".svg")
        assert dict(matplotlib.rcParams.copy()) == before
    assert [painter for painter in usual if usual[painter] != others[painter]] == []


def test_no_name_is_a_formula(usual):
    for painter, picture in usual.items():
        lines = [unescape(line) for line in re.findall(r"<text [^>]*>([^<]*)</text>", picture.decode())]
        given = sum(line.count(r"$\frac{$") for line in lines)
        needed = {"draw_activations": 2, "draw_architecture": 2, "draw_features": 2, "draw_filters": 2}
        assert given >= needed.get(painter, 3), (painter, lines)  # title and caption, and what has the name


def test_names_break_no_picture(usual):
    """Nor are they text that a viewer obeys: ESC is not even allowed in XML."""
    for painter, picture in usual.items():
        written = "".join(each.data for each in texts(xml.dom.minidom.parseString(picture)))
        assert r"\x1b[2J\x00\u202e\udce9" in written and "<b>&" in written, painter
        assert not set("\x1b\0\u202e\udce9") & set(written)


def texts(node) -> list:
    return [node] if node.nodeType == node.TEXT_NODE else [leaf for child in node.childNodes for leaf in texts(child)]


def test_letters_that_our_font_lacks_are_looked_for_in_others(monkeypatch, capsys):
    has = {fonts.FONT: frozenset(map(ord, "abc")), "Far": frozenset(map(ord, "狗a")), "Near": frozenset(map(ord, "كz"))}
    monkeypatch.setattr(fonts, "_letters", has.get)
    monkeypatch.setattr(fonts, "_others", lambda: ["Far", "Near"])
    assert fonts.families("ab c\n") == [fonts.FONT]
    assert fonts.families("a狗") == [fonts.FONT, "Far"] and fonts.families("كz") == [fonts.FONT, "Near"]
    assert capsys.readouterr().err == ""
    assert fonts.families("ꓘ狗") == fonts.families("狗ꓘ") == [fonts.FONT, "Far"]
    assert capsys.readouterr().err.startswith("no installed font has ꓘ: drawn as boxes; install one")


def test_installed_fonts_in_order(monkeypatch):
    entries = [FontEntry(name=name) for name in ("Noto Sans Thai", "Unifont", "Arial", "Noto Sans CJK JP")]
    monkeypatch.setattr(fonts.fontManager, "ttflist", entries)
    assert fonts._others() == ["Noto Sans CJK JP", "Unifont", "Noto Sans Thai"]


def test_few_colours_asked_for_are_ours_all_the_same():
    """Where a matplotlibrc has `image.lut: 16`, the table that matplotlib holds is made so when it is imported."""
    matplotlib.colormaps.register(matplotlib.colormaps["Blues"].resampled(16), name="few")
    assert matplotlib.colormaps["few"] != colours("few") == matplotlib.colormaps["Blues"]
    matplotlib.colormaps.unregister("few")


def test_the_backend_of_a_notebook_does_not_matter(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "module://that.is.not.there")
    parse_flags(EvaluateConfig, ["--ckpt=a"])
    assert matplotlib.rcsetup.validate_backend(os.environ["MPLBACKEND"]) == "agg"
