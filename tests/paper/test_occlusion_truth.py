"""--occlusion.truth: the square against boxes that are known, as a table."""

import numpy as np
import pytest
from runs import random_run

from zfjax.errors import InputError
from zfjax.paper.occlusion import command, draw, measure
from zfjax.paper.occlusion.table import truth_table
from zfjax.paper.occlusion.truth import Fall, Truth
from zfjax.paper.view import View
from zfjax.runs.run import load_run

HITS = [1.0] * 9 + [0.0] * 3
TRUTHS = [Truth(0.5, Fall(0.6, 0.1), Fall(0.2 + 0.1 * hit, np.nan), 1.0, hit, 0.3) for hit in HITS]


def test_the_table_by_hand():
    """Of twelve scenes three quarters have the class lowest in the box; every map is."""
    table = truth_table(TRUTHS)
    (what, lowest, lost, elsewhere), strongest = table.rows
    assert what == "the class's probability" and lowest.startswith("75.0 (") and lost.startswith("27.5 (")
    low, high = map(float, lowest.removeprefix("75.0 (").removesuffix(")").split(" to "))
    assert low == 50 and high in (91.7, 100), "draws of the mean are twelfths of a binomial"
    assert elsewhere == "nan (nan to nan)"
    assert strongest[1:] == ("100.0 (100.0 to 100.0)", "60.0 (60.0 to 60.0)", "10.0 (10.0 to 10.0)")
    assert table.note[0].startswith("12 scenes") and "30.0 % of the square's places" in table.note[1]
    assert table.note[2].endswith(": 0.50.")


def test_it_is_printed_and_kept(tmp_path, capsys, monkeypatch):
    """What is measured stands in for the measurement, which the report's sections make."""
    view = View(str(tmp_path / "run"), load_run(random_run(tmp_path / "run")), tmp_path, images="3")
    asked = []
    monkeypatch.setattr(measure, "occlude_images", lambda *args, **options: [])
    monkeypatch.setattr(measure, "strongest_elsewhere", lambda *args, **options: [])
    monkeypatch.setattr(draw, "draw_occlusion", lambda *args, **options: None)
    monkeypatch.setattr(
        command, "against_boxes", lambda view, count, **options: asked.append(options) or TRUTHS[:count]
    )
    drawn = command.draw(view, command.Options(truth=2, stride=20))
    assert [path.suffix for path in drawn.paths] == [".png", ".md"]
    assert asked[0]["square"].stride == 20 and asked[0]["layer"] == "conv3"
    kept = drawn.paths[1].read_text()
    assert "2 scenes whose objects' boxes are known" in kept and kept.strip() in capsys.readouterr().out


def test_only_scenes_have_boxes(tmp_path):
    view = View("run", load_run(random_run(tmp_path / "run")), tmp_path)
    vars(view)["dataset"] = type("Photos", (), {"name": "photos"})()
    with pytest.raises(InputError, match=r"^--occlusion.truth: no boxes .* in photos, only in scenes"):
        command.draw(view, command.Options(truth=2))
