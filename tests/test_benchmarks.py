"""The parts of the benchmarks that need no other library: counting, taking turns, the table."""

import functools

import jax
import numpy as np
import pytest
from nets import TINY, pixels, random_params

from benchmarks import attribution
from benchmarks.forward import Config
from benchmarks.inputs import canvases, network, without_dropout
from benchmarks.operations import projection_mult_adds
from benchmarks.timing import agree, best, interleave, spread, start, table
from zfjax.zoo import get_arch

ZF = get_arch("zf")
# By hand, places x window x maps in x maps out (Fig. 3): 110^2 * 7^2*3 * 96, 26^2 * 5^2*96 * 256, ...
CONVOLUTIONS = {
    "conv1": 12_100 * 147 * 96,
    "conv2": 676 * 2_400 * 256,
    "conv3": 169 * 2_304 * 384,
    "conv4": 169 * 3_456 * 384,
    "conv5": 169 * 3_456 * 256,
}
DENSE = 9_216 * 4_096 + 4_096 * 4_096 + 4_096 * 1_000


def test_operations_of_zf_by_hand():
    forward = sum(CONVOLUTIONS.values()) + DENSE
    assert ZF.forward_mult_adds() == forward == 1_168_032_896
    assert ZF.train_mult_adds() == 3 * forward - CONVOLUTIONS["conv1"]  # no gradient for the image


def test_operations_of_a_projection_by_hand():
    # One unit: its filter alone. Below it the window: 1 -> 3 under a 3x3 filter or pool, 3 -> 7 under 3x3/2, ...
    assert projection_mult_adds(ZF, "conv1") == 147
    assert projection_mult_adds(ZF, "conv2") == 2_400 + 11**2 * 147 * 96
    assert projection_mult_adds(ZF, "conv4") == 3_456 + 3**2 * 2_304 * 384 + 11**2 * 2_400 * 256 + 51**2 * 147 * 96


def test_a_window_that_has_outgrown_the_map_counts_as_the_map():
    below_fc6 = sum(CONVOLUTIONS.values())
    assert projection_mult_adds(ZF, "fc6") == 9_216 + below_fc6


def test_sides_take_turns_and_the_first_turn_is_not_timed():
    calls = []
    sides = {name: lambda name=name: calls.append(name) for name in "AB"}
    seconds = interleave(sides, runs=3, pause=0)
    assert "".join(calls) == "ABABABAB"
    assert {name: times.shape for name, times in seconds.items()} == {"A": (3,), "B": (3,)}
    assert all((times > 0).all() for times in seconds.values())


@pytest.mark.parametrize(
    "flags, needs, sentence",
    [("--runs=0", (), "--runs must be at least 1, not 0"), ("--runs=1", ("no_such",), "no_such is not installed")],
)
def test_scripts_refuse_in_one_sentence(monkeypatch, capsys, flags, needs, sentence):
    monkeypatch.setattr("sys.argv", ["forward", flags])
    with pytest.raises(SystemExit) as stop:
        start(Config, pytest.fail, needs=needs)
    assert stop.value.code == 2 and sentence in capsys.readouterr().err


def test_best_goes_by_the_time_for_the_work(monkeypatch):
    times = {4: np.array([1.0]), 16: np.array([3.0])}
    monkeypatch.setattr("benchmarks.timing.interleave", lambda *_, **__: times)
    assert best({4: None, 16: None}, work=float, label="") == 16
    assert best({4: None, 16: None}, work=lambda _: 1, label="") == 4


def test_table_has_medians_rates_and_ratios_of_the_same_turn():
    # The machine was half as fast in the second turn: the ratio does not see it.
    seconds = {"ours": np.array([0.1, 0.2, 0.1]), "theirs": np.array([0.4, 0.8, 0.4])}
    ours, theirs = table(seconds, work=64, unit="images", full=0.05)
    assert ours == ("ours", "100 ms", "100 .. 150", "640 images/s", "1.00", "50 %")
    assert theirs == ("theirs", "400 ms", "400 .. 600", "160 images/s", "0.25", "12 %")
    assert spread(np.array([0.001, 0.002, 0.003])) == "2 (1.5 .. 2.5)"


def test_nothing_is_timed_when_the_sides_differ():
    values = np.array([3.0, 4.0])
    assert agree("x", values + [0.0, 0.005], values, tolerance=2e-3) == pytest.approx(1e-3)
    for wrong in (values * 1.01, values * np.nan, values[:1]):
        with pytest.raises(SystemExit, match="logits"):
            agree("logits", wrong, values, tolerance=2e-3)


def test_inputs_are_the_same_every_time_and_fit_the_network():
    arch, params = network(64, "zf-mini")
    again = network(64, "zf-mini")[1]
    np.testing.assert_array_equal(params["conv1"]["kernel"], again["conv1"]["kernel"])
    assert params["conv1"]["kernel"].shape == (7, 7, 3, 24)
    assert set(params) == {*CONVOLUTIONS, "fc6", "fc7", "fc8"}
    assert not [name for name in without_dropout(arch).layer_names if "drop" in name]
    assert canvases(2, 40).shape == (2, 40, 40, 3) and canvases(2, 40).std() > 20


@pytest.mark.parametrize("method", attribution.METHODS)
def test_every_method_of_attribution_gives_maps_of_the_images(method):
    config = attribution.Config(samples=3, layer="conv3")
    images = pixels(TINY, 5)
    variables = random_params(TINY), images, np.arange(5), images[:2]
    shape = jax.eval_shape(functools.partial(attribution.explain, method, TINY, config=config, batch=2), *variables)
    assert shape.shape == (images.shape[:3] if method == "grad_cam" else images.shape)


def test_memory_is_what_a_run_takes_at_its_highest_and_gives_back():
    assert 60 < attribution.memory(lambda: np.ones(2**26, np.uint8).sum()) < 80
    assert attribution.memory(lambda: None) < 8
