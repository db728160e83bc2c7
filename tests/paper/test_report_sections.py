"""The report's sections on a tiny network: what they measure is what the claims are judged by."""

import dataclasses

import numpy as np
import pytest
from runs import random_run

from zfjax.data import open_dataset
from zfjax.data.scenes.scenes import SceneSource
from zfjax.paper.report import figures, plan, tables, transfer
from zfjax.paper.report.claims import judge
from zfjax.runs.run import load_run
from zfjax.train.settings import Settings

TINY_EXTENT = plan.Extent(searched=20, maps=2, images=1, judged=2, keypoint_images=2)


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
    assert len(told) == 5, "two each of invariance and occlusion, one of correspondence; no filter is dead nor differs"
    assert all("over 2 images: too few" in claim.decided for claim in told)
    (boxes,) = sections["occlusion"].tables
    assert boxes.note[0].startswith("2 scenes") and len(boxes.rows) == 2
    assert all(picture.title and picture.caption for each in sections.values() for picture in each.pictures)
    (table,) = sections["correspondence"].tables
    assert all(len(row) == len(table.columns) for row in table.rows) and table.rows[0][-1].endswith(" of 100")
    assert not any(column.startswith("paper") for column in table.columns), "the paper has no such layers"


def test_errors_beside_the_papers(tiny_plan):
    (table,) = tables.evaluation(tiny_plan).tables
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["Fig. 3, 1 net"][2:] == ("38.4", "16.5", "-") and rows["Fig. 3, 5 nets (a)"][:2] == ("-", "-")
    alone, both = rows["Fig. 3, 1 net"][:2], rows["2 nets, averaged"][:2]
    assert alone == both, "the same random network twice"


def test_half_of_the_classes_are_counted_anew():
    few = {split: SceneSource(split, size=8, count=count) for split, count in (("train", 500), ("val", 100))}
    data = dataclasses.replace(open_dataset("scenes", canvas_size=8), **few)
    known, others = transfer._of_classes(data, range(5), 40), transfer._of_classes(data, range(5, 10), None)
    assert known.class_names + others.class_names == data.class_names
    assert (len(known.train), len(known.val), len(others.val)) == (40, 50, 50)
    assert {int(others.val[i]["label"]) for i in range(0, 50, 7)} == set(range(5))
    assert int(data.val[int(others.val.indices[3])]["label"]) == int(others.val[3]["label"]) + 5


def test_fits_that_are_done_are_not_done_again(tiny_plan, monkeypatch):
    """A stop after four of the fits costs the others alone; then one of two trainings from scratch is done."""
    folder = tiny_plan.run("zf")
    task = transfer.Task(load_run(folder), folder, SceneSource("val", size=46, count=170), "About.")
    monkeypatch.setattr(transfer, "_half_of_the_classes", lambda plan: task)
    done, fails_after = [], [4]

    def note(cell):
        if len(done) == fails_after[0]:
            raise KeyboardInterrupt
        done.append(cell)
        return {"accuracy": len(done) / 100, "c": 1.0, "train": 5, "test": 5}

    def measured(read, cells, labels, grids, **drawing):
        assert drawing == {"test_per_class": 50, "seed": 0} and grids["svm"] == [0.01, 0.1, 1, 10, 100]
        yield from ((cell, note(cell)) for cell in cells)

    def trained(run, source, labels, names, fold, workdir, *, epochs, **options):
        assert workdir.parent == tiny_plan.out / "runs-scratch" and epochs == 30
        assert len(fold.train) in (50, 150) and names == task.source.class_names
        return note(workdir.name)

    monkeypatch.setattr("zfjax.paper.transfer.measure.measure_layer", measured)
    monkeypatch.setattr("zfjax.paper.transfer.scratch.train_from_scratch", trained)
    layers, folds, counts = 4, 2, 2
    fits = layers * folds * counts * 2
    for fails_after[0] in (4, fits + 1):
        with pytest.raises(KeyboardInterrupt):
            transfer.section(tiny_plan)
    fails_after[0] = 999
    for _ in range(2):
        section = transfer.section(tiny_plan)
        assert len(done) == len(set(done)) == fits + folds * counts
    assert list((tiny_plan.out / "features").rglob("fc4.npy")) and (tiny_plan.out / section.pictures[0].path).exists()
    (table,) = section.tables
    assert section.text == "About." and [row[0] for row in table.rows][-1] == "from scratch"
    assert section.measures["train_per_class"] == 15 and list(section.measures["by_layer"])[-1] == "fc4"
    scratch = np.mean([fits + 3, fits + 4])
    assert section.measures["scratch"] == pytest.approx(scratch) and table.rows[-1][2] == f"{scratch:.1f} ± 0.7"
