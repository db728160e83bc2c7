"""The small files of a run folder: whole or absent, another configuration refused, nothing of the user's lost."""

import json
import os

import numpy as np
import pytest

from zfjax.errors import InputError
from zfjax.runs import folder as rundir
from zfjax.runs.folder import append_metrics, create_run, open_run, read_metrics, truncate_metrics
from zfjax.runtime import files

CONFIG = {"epochs": 70, "seed": 0, "arch": {"name": "zf", "layers": [{"kernel": 7}]}, "versions": {"jax": "1"}}
MEAN = np.arange(12.0).reshape(2, 2, 3)


def test_what_is_written_is_read(tmp_path):
    workdir = create_run(tmp_path / "a" / "b", CONFIG, ["tench", "großer Hai"], MEAN)
    assert rundir.find_run(str(workdir)) == workdir
    assert rundir.read_config(workdir) == CONFIG
    assert rundir.read_class_names(workdir) == ("tench", "großer Hai")
    np.testing.assert_array_equal(rundir.read_mean(workdir), MEAN.astype(np.float32))
    assert sorted(os.listdir(workdir)) == ["classes.txt", "config.json", "mean.npy"]


def test_the_same_config_continues_and_the_first_mean_stays(tmp_path):
    assert not open_run(tmp_path, CONFIG)
    create_run(tmp_path, CONFIG, ["a"], MEAN)
    later = {**CONFIG, "epochs": 90, "versions": {"jax": "2"}}
    assert open_run(tmp_path, later, may_differ=("versions", "epochs"))
    create_run(tmp_path, later, ["b"], MEAN + 1, may_differ=("versions", "epochs"))
    assert rundir.read_config(tmp_path) == later
    assert rundir.read_class_names(tmp_path) == ("a",)
    np.testing.assert_array_equal(rundir.read_mean(tmp_path), MEAN)


def test_another_config_is_refused_and_nothing_changes(tmp_path):
    create_run(tmp_path, CONFIG, ["a"], MEAN)
    (tmp_path / "checkpoints" / "7").mkdir(parents=True)
    other = {"epochs": 70, "seed": 1, "arch": {"name": "zf", "layers": [{"kernel": 11}]}, "crops": "ten"}
    with pytest.raises(InputError) as caught:
        create_run(tmp_path, other, ["a"], MEAN)
    assert str(caught.value) == (
        f"{tmp_path} holds a run with other settings (seed: 0 there, 1 here; crops: nothing there, "
        '"ten" here; arch.layers.0.kernel: 7 there, 11 here); repeat them or give another folder'
    )
    assert rundir.read_config(tmp_path) == CONFIG


def test_another_programs_folder_is_left_as_it_is(tmp_path):
    before = {"config.json": '{"model_type": "bert"}', "classes.txt": "mine", "metrics.jsonl": "theirs\n"}
    for name, text in before.items():
        (tmp_path / name).write_text(text)
    for use in (lambda: open_run(tmp_path, CONFIG), lambda: create_run(tmp_path, CONFIG, ["a"], MEAN)):
        with pytest.raises(
            InputError, match="config.json is no run's: it records no architecture; give another folder"
        ):
            use()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before


def test_many_differences_are_counted(tmp_path):
    create_run(tmp_path, {"arch": list(range(9))}, ["a"], MEAN)
    (tmp_path / "checkpoints" / "7").mkdir(parents=True)
    with pytest.raises(InputError, match="; and 3 more"):
        open_run(tmp_path, {"arch": list(range(1, 10))})


def test_tuples_and_arrays_compare_as_json_stores_them(tmp_path):
    create_run(tmp_path, {"sizes": (1, 2), "rate": np.float32(0.5)}, ["a"], MEAN)
    assert open_run(tmp_path, {"sizes": [1, 2], "rate": 0.5})


@pytest.mark.parametrize("survivors", range(3))
def test_a_half_created_run_is_completed(tmp_path, monkeypatch, survivors):
    committed = []

    def commit(part, path, commit=files.commit):
        if len(committed) == survivors:
            raise KeyboardInterrupt
        committed.append(path)
        commit(part, path)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(files, "commit", commit)
        create_run(tmp_path, {**CONFIG, "seed": 5}, ["another"], MEAN + 1)
    assert not open_run(tmp_path, CONFIG)
    create_run(tmp_path, CONFIG, ["a"], MEAN)
    assert rundir.read_class_names(tmp_path) == ("a",)
    assert sorted(os.listdir(tmp_path)) == ["classes.txt", "config.json", "mean.npy"]


def test_foreign_files_stay(tmp_path):
    (tmp_path / "log.txt").write_text("mine")
    create_run(tmp_path, CONFIG, ["a"], MEAN)
    assert (tmp_path / "log.txt").read_text() == "mine"


def test_foreign_files_named_like_a_runs_are_not_overwritten(tmp_path):
    (tmp_path / "classes.txt").write_text("mine")
    with pytest.raises(InputError, match="has classes.txt but no config.json"):
        create_run(tmp_path, CONFIG, ["a"], MEAN)
    assert (tmp_path / "classes.txt").read_text() == "mine"


def test_unusable_folders(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="cannot use .*file as a run folder .File exists"):
        open_run(tmp_path / "file", CONFIG)
    with pytest.raises(InputError, match="cannot use .*inside as a run folder .Not a directory"):
        open_run(tmp_path / "file" / "inside", CONFIG)
    with pytest.raises(InputError, match="cannot use /proc as a run folder"):
        open_run("/proc", CONFIG)


def test_class_names_are_one_line_each(tmp_path):
    with pytest.raises(InputError, match=r"one line each, not 'a\\nb'"):
        create_run(tmp_path, CONFIG, ["c", "a\nb"], MEAN)


def test_metrics_are_truncated_to_a_step(tmp_path):
    assert read_metrics(tmp_path) == []
    truncate_metrics(tmp_path, 3)
    for step in range(1, 6):
        append_metrics(tmp_path, {"step": step, "loss": np.float32(0.5)})
    append_metrics(tmp_path, {"note": "no step"})
    path = tmp_path / "metrics.jsonl"
    path.write_text(path.read_text() + '{"step": 2, "lo')
    assert len(read_metrics(tmp_path)) == 6
    truncate_metrics(tmp_path, 3)
    append_metrics(tmp_path, {"step": 4})
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert [record.get("step") for record in records] == [1, 2, 3, None, 4]
    assert records[0] == {"step": 1, "loss": 0.5}


@pytest.mark.parametrize("cut", ["4", "{", "é"])
def test_a_cut_line_is_dropped(tmp_path, cut):
    (tmp_path / "metrics.jsonl").write_bytes(b'{"step": 1}\n' + cut.encode()[:1])
    truncate_metrics(tmp_path, 9)
    assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 1}\n'


def test_keys_inside_a_value_may_differ_too(tmp_path):
    create_run(tmp_path, {"arch": {"recipe": {"epochs": 7, "init": "he"}}}, ["a"], MEAN)
    (tmp_path / "checkpoints" / "7").mkdir(parents=True)
    longer = {"arch": {"recipe": {"epochs": 9, "init": "he"}}}
    assert open_run(tmp_path, longer, may_differ=("arch.recipe.epochs",))
    with pytest.raises(InputError, match="arch.recipe.epochs: 9 there, 7 here"):
        open_run(tmp_path, {"arch": {"recipe": {"epochs": 7, "init": "he"}}}, may_differ=("arch.recipe.epoch",))


def as_npz(path):
    with open(path, "wb") as file:
        np.savez(file, mean=MEAN)


@pytest.mark.parametrize(
    "damage",
    [
        as_npz,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-5]),
        lambda path: np.save(path, np.array(["a"])),
        lambda path: np.save(path, np.array([True])),
        lambda path: path.unlink(),
    ],
)
def test_a_damaged_mean_is_named(tmp_path, damage):
    create_run(tmp_path, CONFIG, ["a"], MEAN)
    damage(tmp_path / "mean.npy")
    with pytest.raises(InputError, match="cannot read .*mean.npy .*it should hold the mean image"):
        rundir.read_mean(tmp_path)


@pytest.mark.parametrize("text", [b"a\n\nb\n", b"a\n  \n", b"\xff\n", b"\n"])
def test_damaged_class_names_are_named(tmp_path, text):
    create_run(tmp_path, CONFIG, ["a"], MEAN)
    (tmp_path / "classes.txt").write_bytes(text)
    with pytest.raises(InputError, match="cannot read .*classes.txt .*one class name a line"):
        rundir.read_class_names(tmp_path)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff{}", b"[" * 100_000, b'{"a":' * 100_000])
def test_a_damaged_config_is_named(tmp_path, text):
    (tmp_path / "config.json").write_bytes(text)
    with pytest.raises(InputError, match="config.json"):
        rundir.read_config(tmp_path)
