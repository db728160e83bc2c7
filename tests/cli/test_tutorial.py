"""The tutorial notebook: its cells run in order, print what was stored with them, and show what its text says."""

import contextlib
import io
import json
from pathlib import Path

import matplotlib
import numpy as np
import pytest

NOTEBOOK = Path(__file__).resolve().parents[2] / "examples" / "tutorial.ipynb"
CELLS = json.loads(NOTEBOOK.read_text())["cells"]
CODE = [cell for cell in CELLS if cell["cell_type"] == "code"]


def source(cell: dict) -> str:
    return "".join(cell["source"])


def stored(cell: dict) -> str:
    return "".join("".join(out["text"]) for out in cell["outputs"] if out["output_type"] == "stream")


TRAINING = next(number for number, cell in enumerate(CODE) if "train_step" in source(cell))


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> tuple[list[str], dict]:
    """What every code cell printed, and the names that all of them left behind."""
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    printed, names = [], {}
    with contextlib.chdir(tmp_path_factory.mktemp("tutorial")):
        for number, cell in enumerate(CODE):
            with contextlib.redirect_stdout(io.StringIO()) as said:
                exec(compile(source(cell), f"cell {number}", "exec"), names)
            printed.append(said.getvalue())
    names["number of pictures"] = len(plt.get_fignums())
    plt.close("all")
    return printed, names


@pytest.mark.slow
def test_the_arithmetic_comes_out_as_stored(ran):
    printed, _ = ran
    for said, cell in zip(printed[:TRAINING], CODE[:TRAINING], strict=True):
        assert said == stored(cell), source(cell)
    text = "".join(printed)
    for line in (
        "stride 1 -> 5",
        "stride 2 -> 3",
        "stride 3 -> does not fit",
        "32x32, filter 5x5            -> 28",
        "padding 2 -> 32",
        "ops.conv: (1, 10, 10, 96)",
        "values   [5. 5.]\nswitches [2 0]",
        "[0. 0. 4. 0. 0.]",
        "shift 2: True\nshift 1: False",
        "the filter: True\nall else zero: True",
        "[[6. 8.]\n [3. 4.]]",
        "[[11. 19.]\n [ 7.  7.]]",
        "[[12. 13. 14.]\n [17. 18. 19.]\n [22. 23. 24.]]",
    ):
        assert line in text


@pytest.mark.slow
def test_the_network_learns_and_the_library_agrees_with_the_steps_by_hand(ran):
    printed, names = ran
    assert names["correct"].mean() > 0.4
    assert "the same: True" in "".join(printed)
    pixels = np.array(names["pixels"])[0]
    assert np.ptp(pixels) > 0 and names["projection"].pixels.shape == (1, 19, 19, 3)
    assert names["number of pictures"] == sum('"image/' in json.dumps(cell["outputs"]) for cell in CODE)


def test_the_notebook_is_stored_as_it_was_run_from_top_to_bottom():
    assert [cell["execution_count"] for cell in CODE] == [*range(1, len(CODE) + 1)]
    assert not any(
        out["output_type"] == "error" or out.get("name") == "stderr" for cell in CODE for out in cell["outputs"]
    )
    assert NOTEBOOK.stat().st_size < 300_000, "store its pictures as JPEG"
    assert max(len(source(cell).splitlines()) for cell in CODE) <= 25
