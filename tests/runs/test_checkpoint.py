"""Checkpoints: bit-exact, the right ones kept, damage noticed and passed over, parameters read alone."""

import gc
import itertools
import shutil
import time
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import runs

from zfjax.arch import Arch
from zfjax.errors import InputError
from zfjax.layers import Conv, Dense, MaxPool
from zfjax.runs import leaves, stored
from zfjax.runs.checkpoint import Checkpoints
from zfjax.runs.run import expected_params, load_run
from zfjax.runs.steps import steps

# one failed read of a damaged checkpoint leaves orbax's other reads unfinished; Python says so when it collects them
# (as an unraisable exception, or, within pytest.warns, as the plain warning)
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. (None|<coroutine object _read_array):pytest.PytestUnraisableExceptionWarning",
    "ignore:coroutine '_read_array.*' was never awaited:RuntimeWarning",
)

TINY = Arch(
    (Conv("conv1", 6, kernel=3, groups=3), MaxPool("pool1"), Dense("fc2", relu=False)), image_size=11, num_classes=5
)


@pytest.fixture(autouse=True)
def collect_unfinished_reads():
    yield
    gc.collect()  # here, where the warning is expected, and not in the next file's test


class TrainState(NamedTuple):
    step: Any
    params: Any
    opt_state: Any
    average: Any


def make_state(seed: int, arch: Arch = TINY) -> TrainState:
    shapes = expected_params(arch)
    rng = np.random.default_rng(seed)  # by NumPy: JAX compiles a drawing for every shape
    params = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape), leaf.dtype), shapes)
    tx = optax.chain(optax.clip(1.0), optax.inject_hyperparams(optax.adam)(0.1))
    average = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), params)
    return TrainState(jnp.int32(seed), params, tx.init(params), [average, None, jnp.arange(3)])


def assert_same(a, b):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for left, right in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(np.asarray(left), np.asarray(right))


def save_all(workdir: Path, *saved: int, **metrics: list[float]) -> None:
    with Checkpoints(workdir) as checkpoints:
        for i, step in enumerate(saved):
            checkpoints.save(step, make_state(step), metrics={name: values[i] for name, values in metrics.items()})


def make_run(workdir: Path, *saved: int) -> Path:
    return runs.make_run(workdir, TINY, {step: make_state(step) for step in saved}, mean=np.ones((12, 12, 3)))


def largest_file(folder: Path) -> Path:
    return max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)


def test_round_trip_is_bit_exact_though_the_arrays_are_donated_at_once(tmp_path):
    state = make_state(3)
    with Checkpoints(tmp_path) as checkpoints:
        expected = jax.tree.map(lambda leaf: np.array(leaf), state)
        checkpoints.save(3, state, metrics={"val_top1": np.float32(0.5)})
        changed = jax.jit(lambda tree: jax.tree.map(lambda leaf: leaf + 1, tree), donate_argnums=0)(state)
        restored = checkpoints.restore_latest(jax.eval_shape(lambda: changed))
        assert restored.step == 3
        assert_same(restored.state, expected)
    with Checkpoints(tmp_path) as checkpoints:
        assert_same(checkpoints.restore_latest(changed).state, expected)


def test_restored_where_the_shardings_say(tmp_path):
    save_all(tmp_path, 1)
    mesh = jax.make_mesh((2,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    replicated = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    abstract = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=replicated), make_state(1))
    with Checkpoints(tmp_path) as checkpoints:
        state = checkpoints.restore_latest(abstract).state
        assert all(leaf.sharding == replicated for leaf in jax.tree.leaves(state))
        assert_same(state, make_state(1))
        checkpoints.save(2, state)
        assert checkpoints.restore_latest(make_state(0)).step == 2


def test_nothing_to_restore(tmp_path):
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.restore_latest(make_state(0)) is None


def test_latest_best_and_marked_are_kept_across_restarts(tmp_path):
    scores = {1: 0.1, 2: 0.9, 3: float("nan"), 4: 0.2, 5: 0.3, 6: 0.4, 7: 0.5}
    for start in (1, 4):
        with Checkpoints(tmp_path) as checkpoints:
            for step in range(start, start + 3 + (start == 4)):
                checkpoints.save(step, make_state(step), metrics={"val_top1": scores[step]}, keep=step in (1, 5))
            checkpoints.wait()
    assert steps(tmp_path) == [1, 2, 5, 6, 7]
    assert not (tmp_path / "checkpoints" / "trash").exists()


def test_without_metrics_the_latest_are_kept(tmp_path):
    save_all(tmp_path, 1, 2, 3, 4)
    assert steps(tmp_path) == [3, 4]


def test_saving_twice_does_nothing_and_saving_backwards_is_refused(tmp_path):
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(2, make_state(2))
        checkpoints.save(2, make_state(2))
        with pytest.raises(ValueError, match="step 1 is not after 2"):
            checkpoints.save(1, make_state(1))
    with Checkpoints(tmp_path) as checkpoints, pytest.raises(ValueError, match="step 2 is not after 2"):
        checkpoints.save(2, make_state(1))


def truncate(step: Path) -> None:
    path = largest_file(step / "params")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def lose_values(step: Path) -> None:
    shutil.rmtree(step / "rest" / "d", ignore_errors=True)
    shutil.rmtree(step / "rest" / "ocdbt.process_0")


def lose_item(step: Path) -> None:
    shutil.rmtree(step / "params")


def cut_about(step: Path) -> None:
    (step / "about" / "metadata").write_text('{"leaves": {"par')


def empty(step: Path) -> None:
    shutil.rmtree(step)
    step.mkdir()


def flip_byte(step: Path) -> None:
    path = largest_file(step / "params")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)


def wrong_values(step: Path) -> None:
    """Readable, but not what was saved: the checksum alone can tell."""
    path = step / "about" / "metadata"
    path.write_text(path.read_text().replace('"crc32": ', '"crc32": 1'))


DAMAGES = [truncate, lose_values, lose_item, cut_about, empty, flip_byte, wrong_values]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_damage_falls_back_one_step_and_training_goes_on(tmp_path, damage):
    save_all(tmp_path, 1, 2, val_top1=[0.2, 0.1])
    damage(tmp_path / "checkpoints" / "2")
    with Checkpoints(tmp_path) as checkpoints:
        with pytest.warns(UserWarning, match="skipped the damaged checkpoint of step 2: .+") as caught:
            restored = checkpoints.restore_latest(make_state(0))
        assert [str(warning.message).count("\n") for warning in caught] == [0]
        assert restored.step == 1
        assert_same(restored.state, make_state(1))
        checkpoints.save(2, make_state(2))
        checkpoints.save(3, make_state(3))
    assert steps(tmp_path) == [1, 2, 3]
    assert (tmp_path / "checkpoints" / "damaged" / "2").is_dir()
    with Checkpoints(tmp_path) as checkpoints:
        assert_same(checkpoints.restore_latest(make_state(0)).state, make_state(3))


def test_the_same_step_may_be_damaged_twice(tmp_path):
    save_all(tmp_path, 1)
    for _ in range(2):
        with Checkpoints(tmp_path) as checkpoints:
            checkpoints.restore_latest(make_state(0))
            checkpoints.save(2, make_state(2))
        truncate(tmp_path / "checkpoints" / "2")
        with Checkpoints(tmp_path) as checkpoints, pytest.warns(UserWarning, match="step 2"):
            assert checkpoints.restore_latest(make_state(0)).step == 1
    assert sorted(path.name for path in (tmp_path / "checkpoints" / "damaged").iterdir()) == ["2", "2.1"]


def test_all_damaged_is_an_error_that_moves_nothing(tmp_path):
    save_all(tmp_path, 1, 2)
    for step in (1, 2):
        truncate(tmp_path / "checkpoints" / str(step))
    with Checkpoints(tmp_path) as checkpoints, pytest.raises(InputError, match="none of the checkpoints in .* step 2"):
        checkpoints.restore_latest(make_state(0))
    assert steps(tmp_path) == [1, 2]


def test_another_network_is_refused_by_name_and_moves_nothing(tmp_path):
    save_all(tmp_path, 1, 2)
    other = make_state(0, Arch((*TINY.layers[:2], Dense("fc2")), image_size=11, num_classes=7))
    with Checkpoints(tmp_path) as checkpoints:
        with pytest.raises(InputError, match=r"params/fc2/bias is float32\[5\] there and float32\[7\] here"):
            checkpoints.restore_latest(other)
        with pytest.raises(InputError, match="opt_state/1/count is int32.* there and absent here"):
            checkpoints.restore_latest(make_state(0)._replace(opt_state=()))
    assert steps(tmp_path) == [1, 2]


def test_a_file_in_the_way_is_one_sentence(tmp_path):
    (tmp_path / "checkpoints").write_text("mine")
    with pytest.raises(InputError, match="cannot write checkpoints in .*checkpoints"):
        Checkpoints(tmp_path)
    assert (tmp_path / "checkpoints").read_text() == "mine"


def test_load_run(tmp_path):
    run = load_run(make_run(tmp_path / "zf", 1, 2))
    assert (run.arch, run.step, run.class_names[4]) == (TINY, 2, "class 4")
    assert (run.mean.shape, run.mean.dtype) == ((12, 12, 3), np.float32)
    assert_same(run.params, make_state(2).params)


def test_classes_of_one_name_are_told_apart_where_they_are_shown(tmp_path):
    run = load_run(make_run(tmp_path / "zf", 1))._replace(class_names=("crane", "ant", "maillot", "crane", "maillot"))
    assert run.shown_names == ("crane (0)", "ant", "maillot (2)", "crane (3)", "maillot (4)")
    assert run.class_names[0] == "crane" and run._replace(class_names=("a", "b")).shown_names == ("a", "b")


def test_load_run_during_a_training_that_deletes_and_adds_steps(tmp_path, monkeypatch):
    """Each of the first two that are listed is on its way out when it is read."""
    run, read = make_run(tmp_path, 1, 2), stored.read_leaves

    def deleted(folder, *arguments):
        if folder.name in ("1", "2"):
            if folder.name == "2":
                save_all(tmp_path, 3, 4)
            shutil.rmtree(folder, ignore_errors=True)
        return read(folder, *arguments)

    monkeypatch.setattr(stored, "read_leaves", deleted)
    assert load_run(run).step == 4


def test_load_run_reads_nothing_but_the_parameters(tmp_path):
    shutil.rmtree(make_run(tmp_path, 1) / "checkpoints" / "1" / "rest")
    assert_same(load_run(tmp_path).params, make_state(1).params)


@pytest.mark.parametrize("damage", [truncate, lose_item, cut_about, wrong_values], ids=lambda damage: damage.__name__)
def test_load_run_passes_over_damage_and_moves_nothing(tmp_path, damage):
    damage(make_run(tmp_path, 1, 2) / "checkpoints" / "2")
    with pytest.warns(UserWarning, match="passed over a checkpoint: .*step 2.* is damaged"):
        assert load_run(tmp_path).step == 1
    with pytest.raises(InputError, match="the checkpoint of step 2 in .* is damaged"):
        load_run(tmp_path, 2)
    assert steps(tmp_path) == [1, 2]


def test_load_run_errors_are_one_line_each(tmp_path):
    with pytest.raises(InputError, match="has no checkpoint yet"):
        load_run(make_run(tmp_path / "fresh"))
    make_run(tmp_path / "zf", 3, 4)
    with pytest.raises(InputError, match="no checkpoint of step 5; it has 3, 4"):
        load_run(tmp_path / "zf", step=5)
    with pytest.raises(InputError, match="nowhere: there is nothing there"):
        load_run(tmp_path / "nowhere")
    with pytest.raises(InputError, match="there is a file there"):
        load_run(tmp_path / "zf" / "mean.npy")
    with pytest.raises(InputError, match="it holds the runs fresh, zf"):
        load_run(tmp_path)
    with pytest.raises(InputError, match="the run is .*zf$"):
        load_run(tmp_path / "zf" / "checkpoints" / "4")


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("config.json", "{", "cannot read .*config.json"),
        ("config.json", "[]", "must hold a JSON object; got list"),
        ("config.json", "{}", "is no run's: it records no architecture"),
        ("classes.txt", "a\nb\n", "has 2 names; the network has 5 classes"),
        ("mean.npy", "", "cannot read .*mean.npy"),
    ],
)
def test_load_run_names_the_damaged_file(tmp_path, name, text, match):
    (make_run(tmp_path, 1) / name).write_text(text)
    with pytest.raises(InputError, match=match) as caught:
        load_run(tmp_path)
    assert "\n" not in str(caught.value)


def test_load_run_refuses_parameters_of_another_architecture(tmp_path):
    config = make_run(tmp_path, 1) / "config.json"
    config.write_text(config.read_text().replace('"kernel": 3', '"kernel": 5'))
    with pytest.raises(
        InputError, match=r"params/conv1/kernel is float32\[3,3,1,6\] there and float32\[5,5,1,6\] here"
    ):
        load_run(tmp_path)


NAMES = ("inception_3a/1x1", "inception_3a", "inception_3a/kernel", "50%", "50%2F", "a b/ö")


def named(value: int) -> dict:
    layers = {name: {"kernel": jnp.full(3, value + i), "1x1": jnp.full(2, i)} for i, name in enumerate(NAMES)}
    return {"params": layers, "opt_state": (layers,), "step": jnp.int32(value)}


def test_layers_keep_names_with_slashes(tmp_path):
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(3, named(3))
        assert_same(checkpoints.restore_latest(named(0)).state, named(3))
    other = named(0)
    other["params"]["inception_3a/1x1"]["kernel"] = jnp.zeros(4, jnp.int32)
    with Checkpoints(tmp_path) as checkpoints:
        with pytest.raises(
            InputError, match=r" opt_state/0/inception_3a/1x1/kernel is int32\[3\] there and int32\[4\] here"
        ):
            checkpoints.restore_latest(other)


def test_a_run_of_layers_with_slashes(tmp_path):
    layers = (Conv("3a/1x1", 6, kernel=3), Conv("3a/3x3_reduce", 2, kernel=1), Dense("loss3/classifier", relu=False))
    arch = Arch(layers, image_size=11, num_classes=5)
    run = load_run(runs.make_run(tmp_path, arch, {1: make_state(1, arch)}))
    assert set(run.params) == {layer.name for layer in layers}
    assert_same(run.params, make_state(1, arch).params)


def test_checkpoints_of_before_slashes_were_kept_apart(tmp_path, monkeypatch):
    state = {"params": {"3a/1x1": {"kernel": jnp.arange(3)}, "conv1": {"bias": jnp.ones(2)}}, "step": jnp.int32(1)}
    with monkeypatch.context() as patch:
        patch.setattr(leaves, "_escaped", lambda key: jax.tree_util.keystr((key,), simple=True))
        with Checkpoints(tmp_path) as checkpoints:
            checkpoints.save(1, state)
    with Checkpoints(tmp_path) as checkpoints:
        assert_same(checkpoints.restore_latest(state).state, state)


def test_a_clock_that_runs_backwards_changes_nothing(tmp_path, monkeypatch):
    now = itertools.count(4e9, -3600.0)
    monkeypatch.setattr(time, "time", lambda: next(now))
    save_all(tmp_path, 1, 2, 3)
    save_all(tmp_path, 4, 5)
    assert steps(tmp_path) == [4, 5]
    with Checkpoints(tmp_path) as checkpoints:
        restored = checkpoints.restore_latest(make_state(0))
    assert restored.step == 5 and next(now) < 4e9 - 3600  # somebody has asked for the time
