"""Numbers out of range: every flag of every command has a range, and what lies outside is one sentence."""

import dataclasses
import math
import sys
import typing
from types import SimpleNamespace

import pytest

from zfjax.cli import evaluate, explore, prepare, reproduce, train, transfer, visualize, weights
from zfjax.errors import InputError
from zfjax.runtime.places import memory
from zfjax.runtime.ranges import RANGES, check_flags
from zfjax.train.settings import Settings, resolve, training
from zfjax.zoo import get_arch

CONFIGS = {
    train.TrainConfig: {},
    evaluate.EvaluateConfig: {"ckpt": "x"},
    visualize.VisualizeConfig: {"ckpt": "x"},
    explore.ExploreConfig: {"ckpt": "x"},
    transfer.TransferConfig: {"ckpt": "x", "dataset": "y"},
    reproduce.ReproduceConfig: {},
    prepare.PrepareConfig: {"out": "x"},
    weights.WeightsConfig: {"file": "x"},
}


def numeric(config, group=""):
    """(dataclass, field, whether whole, name on the command line) of all flags that take numbers."""
    for name, hint in typing.get_type_hints(config).items():
        if dataclasses.is_dataclass(hint):
            yield from numeric(hint, f"{name}.")
        elif kinds := {int, float} & {hint, *typing.get_args(hint)}:
            yield config, name, int in kinds, f"{group}{name}"


FLAGS = [flag for config in CONFIGS for flag in numeric(config)]


def test_every_flag_that_takes_numbers_has_a_range_and_no_other_has():
    assert len(FLAGS) >= 71
    assert {name for *_, name in FLAGS} | {"seeds"} == set(RANGES)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -2, -1e300, 1e300, 10**15, 2**64, 10**30])
def test_what_no_flag_takes_is_refused_by_all(value):
    taken = []
    for config, field, whole, name in FLAGS:
        if (whole and isinstance(value, float)) or (not whole and 1e14 < value < 1e31):
            continue
        given = (value,) if field == "keep_epochs" else value
        options = config(**CONFIGS.get(config, {}), **{field: given})
        try:
            check_flags(options, name.rpartition(".")[0])
        except InputError as error:
            assert str(error).startswith(f"--{name} must be ") and str(error).endswith(f", not {value}")
        else:
            taken.append(name)
    assert not taken


def test_the_ends_of_a_range_belong_to_it_and_defaults_lie_within():
    for config, required in CONFIGS.items():
        check_flags(config(**required))
    for config, field, whole, name in FLAGS:
        there = RANGES[name]
        ends = [there.high] if there.above else [there.low, there.high]
        for end in ends:
            kind = int(end) if whole else end
            options = config(**CONFIGS.get(config, {}), **{field: (kind,) if field == "keep_epochs" else kind})
            check_flags(options, name.rpartition(".")[0])


@pytest.mark.parametrize(
    ("module", "flags", "message"),
    [
        (train, ["--image_size=0"], "--image_size must be at least 1, not 0"),
        (train, ["--seed=4294967296"], "--seed must be at most 2147483647, not 4294967296"),
        (train, [f"--seed={10**25}"], f"--seed must be at most 2147483647, not {10**25}"),
        (train, ["--epochs=999999999999"], "--epochs must be at most 1000000, not 999999999999"),
        (train, ["--weight_decay=nan"], "--weight_decay must be a finite number, not nan"),
        (train, ["--warmup_steps=-1"], "--warmup_steps must be at least 0, not -1"),
        (train, ["--width=1e7"], "bytes to train on one image, and this machine has"),
        (train, ["--image_size=100000"], "bytes to train on one image, and this machine has"),
        (train, ["--arch=zf-mini", "--width=1e30"], "bytes to train on one image, and this machine has"),
        (evaluate, ["--ckpt=x", "--batch_size=0"], "--batch_size must be at least 1, not 0"),
        (visualize, ["--ckpt=x", "--invariance.scale=inf"], "--invariance.scale must be a finite number, not inf"),
        (visualize, ["--ckpt=x", "--step=-1"], "--step must be at least 0, not -1"),
        (transfer, ["--ckpt=x", "--dataset=y", "--seed=4294967296"], "--seed must be at most 2147483647"),
        (reproduce, ["--patience=-1"], "--patience must be at least 0, not -1"),
        (reproduce, ["--seeds=0,4294967296"], "--seeds must be at most 2147483647, not 4294967296"),
        (prepare, ["--out=x", "--size=1000000"], "--size must be at most 131072, not 1000000"),
    ],
)
def test_a_command_answers_in_one_line(module, flags, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [module.__name__, *flags])
    with pytest.raises(SystemExit) as stop:
        module.main()
    said = capsys.readouterr().err
    assert stop.value.code == 2 and said.startswith("error: ") and message in said and said.count("\n") == 1
    assert not [*tmp_path.iterdir()]


def test_a_network_that_fits_is_not_refused(monkeypatch):
    need = 4 * (3 * get_arch("zf").param_count() + sum(map(math.prod, get_arch("zf").shapes().values())))
    assert need < memory()
    for there, fits in ((need, True), (need - 1, False)):
        monkeypatch.setattr("zfjax.runs.size.memory", lambda there=there: there)
        if fits:
            assert resolve(Settings(), "zf").image_size == 224
        else:
            with pytest.raises(InputError, match=f"^zf at 224x224 .* needs {need:,} bytes .* has {there:,}; give a"):
                resolve(Settings(), "zf")


@pytest.mark.parametrize("name", ["image_size", "num_classes"])
def test_zero_is_not_the_networks_own(name):
    with pytest.raises(InputError, match=f"{name} must be a whole number from 1 on, not 0"):
        get_arch("zf", **{name: 0})


def test_more_updates_than_can_be_counted_are_refused(tmp_path):
    arch = resolve(Settings(epochs=10**6, batch_size=1), "zf-mini")
    data = SimpleNamespace(train=range(2147), name="scenes", fingerprint=dict)
    assert training(Settings(), arch, data, tmp_path)["arch"] is arch  # type: ignore[arg-type]
    data.train = range(2148)
    with pytest.raises(InputError, match="--epochs=1000000 of 2,148 images .* are 2,148,000,000 updates"):
        training(Settings(), arch, data, tmp_path)  # type: ignore[arg-type]
