"""A process that saves in a loop is killed, or runs out of room; what it had saved is restored whole."""

import random
import signal
import subprocess
import time

import pytest
import runs

from zfjax.runs.steps import steps

# Restores and checks, says from where, then saves for ever. All values of step n are n.
CHILD = """
import itertools, resource, sys
import jax, jax.numpy as jnp
from zfjax.runs.checkpoint import Checkpoints
from zfjax.errors import exit_on_bad_input

def state(step):
    return {"params": {f"w{i}": jnp.full((50, 40), step, jnp.float32) for i in range(5)}, "step": jnp.int32(step)}

with exit_on_bad_input(), Checkpoints(sys.argv[1]) as checkpoints:
    restored = checkpoints.restore_latest(state(0))
    start = restored.step if restored else 0
    if restored:
        assert all((leaf == start).all() for leaf in jax.tree.leaves(restored.state))
    print(start, flush=True)
    if sys.argv[2:]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
    for step in itertools.count(start + 1):
        checkpoints.save(step, state(step), metrics={"val_top1": step % 7})
        checkpoints.wait()
        print("saved", step, flush=True)
"""


def start(*arguments: object) -> subprocess.Popen:
    return runs.start("-W", "error::UserWarning", "-c", CHILD, *arguments)


def test_kill_at_any_moment_leaves_a_whole_newest_step(tmp_path):
    saved = 0
    for seed in range(6):
        child = start(tmp_path)
        first = child.stdout.readline()
        assert first.strip().isdigit(), child.communicate()[1]
        assert int(first) >= saved  # what was reported as saved is never lost
        child.stdout.readline()
        time.sleep(random.Random(seed).uniform(0, 0.2))
        child.send_signal(signal.SIGKILL)
        lines = runs.finish(child).said.split()
        saved = max(int(first) + 1, *map(int, lines[1::2])) if len(lines) > 1 else int(first) + 1
    assert saved > 6


@pytest.mark.parametrize("limit", [0, 300])
def test_a_full_disk_is_one_sentence_and_the_earlier_steps_stay(tmp_path, limit):
    child = start(tmp_path)
    assert [child.stdout.readline() for _ in range(2)] == ["0\n", "saved 1\n"]
    child.kill()
    runs.finish(child)
    there = steps(tmp_path)
    code, _, errors = runs.finish(start(tmp_path, limit), timeout=60)
    assert code == 2
    # TensorStore may add "Event loop is closed" from its own threads: before, after, or on the same line
    assert errors.count("error: cannot write checkpoints in ") == 1, errors
    assert steps(tmp_path) == there
