"""The picture of what is taken for what, and evaluate.py's --confusion."""

import re

import numpy as np
import pytest
from PIL import Image
from runs import random_run, run_script

from zfjax.cli import evaluate
from zfjax.errors import InputError
from zfjax.paper.evaluation import command
from zfjax.paper.evaluation.draw import draw_confusion, row_shares
from zfjax.paper.numbers import IMAGENET


def draw(path, counts, names=None):
    names = names or [f"class {n}" for n in range(len(counts))]
    draw_confusion(np.array(counts), names, path, title="What is taken for what", caption="Run demo.")
    return path


def words(path) -> str:
    """All text of an SVG; a caption has an element for each of its lines."""
    return " ".join(re.findall(r">([^<>\n]+)<", path.read_text()))


def test_counts_stand_in_their_cells(tmp_path):
    picture = draw(tmp_path / "a.svg", [[31, 0], [7, 12]], ["cat", "dog"]).read_text()
    assert all(f">{text}<" in picture for text in ("31", "7", "12", "cat", "dog", "true class", "predicted class"))
    assert "43 of 50 images are on the diagonal" in picture and "Run demo." in picture


def test_shares_are_of_the_true_class():
    shares = row_shares(np.array([[3, 1], [0, 0]]))
    assert shares[0].tolist() == [0.75, 0.25] and np.isnan(shares[1]).all()


def test_rows_are_true_classes(tmp_path):
    """Class 0 is taken for 2, classes 1 and 2 for 0: dark at the top right, and below at the left."""
    dots = np.asarray(Image.open(draw(tmp_path / "a.png", [[0, 0, 9], [9, 0, 0], [9, 0, 0]])).convert("RGB"))
    bluish = (dots[..., 0] < 30) & (dots[..., 2] > 90)
    rows, columns = np.nonzero(bluish[:, : bluish.shape[1] * 2 // 5])  # without the colour bar
    left = columns < (columns.min() + columns.max()) / 2
    assert rows[~left].max() <= rows[left].min() and np.ptp(rows[left]) > 1.8 * np.ptp(rows[~left])


@pytest.mark.parametrize("classes", [2, 20, 21, 60, 61, 300])
def test_any_number_of_classes(classes, tmp_path):
    counts = np.eye(classes, dtype=int) * 5
    counts[-1] = 0
    picture = draw(tmp_path / "a.svg", counts).read_text()
    assert (">5<" in picture) == (classes <= 20) and (">class 1<" in picture) == (classes <= 60)
    said = words(tmp_path / "a.svg")
    assert "Grey rows have no images (1)." in said and ("square-root" in said) == (classes > 20)


def test_mistakes_are_named_where_the_sides_have_no_room(tmp_path):
    counts = np.eye(100, dtype=int) * 9
    counts[3, 4], counts[8, 1] = 5, 7
    said = words(draw(tmp_path / "a.svg", counts))
    assert "Most frequent mistakes: class 8 as class 1 (7); class 3 as class 4 (5)." in said


def test_long_names_are_cut(tmp_path):
    names = ["x" * 200, "English springer, English springer spaniel"]
    picture = draw(tmp_path / "a.svg", [[1, 2], [3, 4]], names).read_text()
    assert f">{'x' * 27}…<" in picture and ">English springer, English s…<" in picture


@pytest.mark.parametrize("counts", [np.zeros((2, 2), int), np.ones((2, 3), int), np.ones(2, int)])
def test_no_counts(counts, tmp_path):
    with pytest.raises(InputError, match="counts of 2 classes"):
        draw_confusion(counts, ["a", "b"], tmp_path / "a.png", title="t", caption="c")


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    return random_run(tmp_path_factory.mktemp("confusion") / "tiny")


def test_from_end_to_end(run_folder, tmp_path, monkeypatch, capsys):
    path = tmp_path / "new" / "a.svg"
    flags = ["--crops=1", "--limit=30", f"--confusion={path}"]
    run_script(evaluate, [f"--ckpt={run_folder},{run_folder}", *flags], monkeypatch)
    said = capsys.readouterr().out
    assert said.splitlines()[-1] == str(path) and "Table 2" not in said
    picture = words(path)
    assert "30 images of 10 classes" in picture and " fish " in picture
    assert "2 runs averaged, the first: run tiny (custom), step 7; val split of scenes, the centre crop." in picture


def test_wrong_names(run_folder, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    for path, message in (("a.gif", "must end in .png, .pdf, .svg, not a.gif"), (tmp_path / "file/b/a.png", "a.png")):
        with pytest.raises(SystemExit) as stop:
            run_script(evaluate, [f"--ckpt={run_folder}", f"--confusion={path}"], monkeypatch)
        said = capsys.readouterr()
        assert stop.value.code == 2 and message in said.err and not said.out  # before the evaluation


def test_the_papers_numbers_are_called_the_papers(capsys):
    command._print_paper()
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.startswith("The paper's numbers (Table 2") and len(rows) == len(IMAGENET)
    assert "  Fig. 3, 1 net: 38.4 % / 16.5 % / -" in rows
