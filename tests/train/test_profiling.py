"""A trace of a few steps: of those that were asked for, and without a change to the training."""

import gzip
import json
from pathlib import Path

import jax
import numpy as np
import pytest
from test_places import SMALL, Noise
from test_waiting import trained

from zfjax.cli.train import TrainConfig
from zfjax.data import Dataset
from zfjax.errors import InputError
from zfjax.runs.run import load_run
from zfjax.train.profiling import profiled
from zfjax.train.settings import training


def traced(workdir: Path) -> list[int]:
    """The steps that the training in a folder has a trace of."""
    [path] = workdir.glob("profile/plugins/profile/*/*.trace.json.gz")
    events = json.loads(gzip.decompress(path.read_bytes()))["traceEvents"]
    return sorted(int(event["args"]["step_num"]) for event in events if event.get("name") == "train")


def test_a_trace_changes_no_bit(tmp_path, capsys):
    trained(tmp_path / "plain", 3)
    trained(tmp_path / "traced", 3, profile=2)
    assert traced(tmp_path / "traced") == [3, 4] and not (tmp_path / "plain" / "profile").exists()
    assert f"a trace of steps 3 to 4 is in {tmp_path}/traced/profile" in capsys.readouterr().out
    one, other = (load_run(tmp_path / name) for name in ("plain", "traced"))
    jax.tree.map(np.testing.assert_array_equal, one.params, other.params)
    assert one.config == other.config
    noise = Dataset("noise", Noise(), Noise(), Noise.class_names, "noise")
    assert (
        "profile" not in training(TrainConfig(profile=2), SMALL, noise, tmp_path)["config"]
    )  # so a run goes on with it


def steps(made: list[int], count: int = 5):
    for step in range(1, count + 1):
        made.append(step)
        yield step


@pytest.mark.parametrize("there, said", [(2, "--profile: no step is left after"), (4, "a trace of steps 3 to 4")])
def test_fewer_steps_are_left_than_asked_for(there, said, tmp_path, capsys):
    assert [*profiled(steps([], there), 3, tmp_path, lambda: None)] == [*range(1, there + 1)]
    assert capsys.readouterr().out.startswith(said)


def test_a_training_that_ends_early_keeps_what_was_traced(tmp_path, capsys):
    made: list[int] = []
    for step in (few := profiled(steps(made), 3, tmp_path, lambda: None)):
        if step == 4:
            break
    few.close()
    assert made == [1, 2, 3, 4] and capsys.readouterr().out.startswith("a trace of steps 3 to 4 is in ")
    assert [*tmp_path.glob("profile/plugins/profile/*/*.xplane.pb")]


def test_a_trace_that_cannot_be_made_costs_the_training_nothing(tmp_path, capsys):
    with jax.profiler.trace(tmp_path / "own"):  # somebody else's, and there can be but one
        assert [*profiled(steps([]), 2, tmp_path, lambda: None)] == [1, 2, 3, 4, 5]
    assert capsys.readouterr().out.startswith("--profile: no trace is made (")
    (tmp_path / "profile").write_text("a file")
    assert [*profiled(steps([]), 2, tmp_path, lambda: None)] == [1, 2, 3, 4, 5]
    assert capsys.readouterr().out.startswith(f"--profile: the trace cannot be written to {tmp_path}/profile (")
    assert (tmp_path / "profile").read_text() == "a file"


@pytest.mark.parametrize("place", ["profile", "profile/plugins"])
def test_no_link_is_followed(place, tmp_path):
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).symlink_to(tmp_path / "elsewhere")
    made: list[int] = []
    with pytest.raises(InputError, match="is a link"):
        [*profiled(steps(made), 2, tmp_path, lambda: None)]
    assert not made


def test_only_the_leader_traces(tmp_path, monkeypatch):
    monkeypatch.setattr("zfjax.train.profiling.leads", lambda: False)
    assert [*profiled(steps([]), 2, tmp_path, lambda: None)] == [1, 2, 3, 4, 5] and not [*tmp_path.iterdir()]
