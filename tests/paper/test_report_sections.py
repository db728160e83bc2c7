"""The report's sections on a tiny network: what they measure is what the claims are judged by."""

import numpy as np
import pytest
from runs import random_run

from zfjax.data import open_dataset
from zfjax.data.scenes.scenes import SceneSource
from zfjax.paper.report import figures, plan, tables, transfer
from zfjax.paper.report.claims import judge
from zfjax.paper.transfer.extraction import survey
from zfjax.runs.run import load_run
from zfjax.train.settings import Settings

TINY_EXTENT = plan.Extent(searched=20, maps=2, images=1, truth=2, keypoint_images=2)


@pytest.fixture(scope="module")
def tiny_plan(tmp_path_factory):
    """Two untrained runs in place of those that Table 3 trains."""
    made = plan.Plan(Settings(dataset="scenes"), "smoke", tmp_path_factory.mktemp("report"), archs=("zf", "alexnet"))
    for name in made.archs:
        random_run(made.run(name))
    return made


@pytest.mark.slow
def test_figures_measure_what_the_claims_ask_for(tiny_plan, monkeypatch):
    monkeypatch.setitem(plan.EXTENTS, "smoke", TINY_EXTENT)
    sections = {
        "network": figures.the_network(tiny_plan),
        "filters": figures.first_filters(tiny_plan),
        "evolution": figures.feature_evolution(tiny_plan),
        "invariance": figures.feature_invariance(tiny_plan),
        "selection": figures.two_architectures(tiny_plan),
        "occlusion": figures.occlusions(tiny_plan),
        "correspondence": figures.corresponding_parts(tiny_plan),
    }
    for name, section in sections.items():
        assert all((tiny_plan.out / picture.path).exists() for picture in section.pictures)
        assert section.pictures or name == "evolution", "a run with one checkpoint has no evolution"
    assert "needs the checkpoints of two epochs" in sections["evolution"].text
    claims = judge({name: section.measures for name, section in sections.items()})
    told = [claim for claim in claims if claim.verdict != "not testable here"]
    assert len(told) == 6, "two each of invariance and occlusion, one each of selection and correspondence"
    (table,) = sections["correspondence"].tables
    assert all(len(row) == len(table.columns) for row in table.rows) and table.rows[0][-2] == "0.069 ± 0.007"


def test_errors_beside_the_papers(tiny_plan):
    (table,) = tables.evaluation(tiny_plan).tables
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["Fig. 3, 1 net"][2:] == ("38.4", "16.5", "-") and rows["Fig. 3, 5 nets (a)"][:2] == ("-", "-")
    alone, both = rows["Fig. 3, 1 net"][:2], rows["2 nets, averaged"][:2]
    assert alone == both, "the same random network twice"


def test_half_of_the_classes_are_counted_anew():
    data = open_dataset("scenes", canvas_size=8)
    known, others = transfer._of_classes(data, range(5), 40), transfer._of_classes(data, range(5, 10), None)
    assert known.class_names + others.class_names == data.class_names
    assert (len(known.train), len(known.val), len(others.val)) == (40, 500, 500)
    assert {int(others.val[i]["label"]) for i in range(0, 500, 7)} == set(range(5))
    assert int(data.val[int(others.val.indices[3])]["label"]) == int(others.val[3]["label"]) + 5


def test_fits_that_are_done_are_not_done_again(tiny_plan, monkeypatch):
    """A stop after four of eight costs the other four alone."""
    run, source = load_run(tiny_plan.run("zf")), SceneSource("val", size=46, count=170)
    task = transfer.Task(run, source, survey(source), source.class_names, "")
    features = {"fc4": np.random.default_rng(0).normal(size=(170, 8)).astype(np.float32)}
    done, fails_after = [], [4]

    def measured(read, cells, labels, grids):
        for cell in cells:
            if len(done) == fails_after[0]:
                raise KeyboardInterrupt
            done.append(cell)
            yield cell, {"accuracy": len(done) / 10, "c": 1.0, "train": 5, "test": 5}

    monkeypatch.setattr("zfjax.paper.transfer.measure.measure_layer", measured)
    with pytest.raises(KeyboardInterrupt):
        transfer._records(tiny_plan, task, features)
    fails_after[0] = 99
    for _ in range(2):
        records = transfer._records(tiny_plan, task, features)
        assert len(done) == len(set(done)) == 8 == len(records)
        assert [record["accuracy"] for record in records] == [number / 10 for number in range(1, 9)]
