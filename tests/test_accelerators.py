"""What benchmarks.accelerators reads out of compiled programs; the compilers themselves where they are installed."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import jax
import pytest

from benchmarks.accelerators import chosen, compiled, main
from benchmarks.hlo import parse, size
from benchmarks.programs import programs
from zfjax.arch import Arch
from zfjax.errors import InputError
from zfjax.layers import LRN, Conv, Dense, MaxPool

TEXT = """HloModule jit_step, is_scheduled=true

%fused (p.1: f32[4,2]) -> f32[4,2] {
  %p.1 = f32[4,2]{1,0} parameter(0)
  ROOT %add.9 = f32[4,2]{1,0} add(%p.1, %p.1)
}

%body (p.2: (s32[], f32[4,2])) -> (s32[], f32[4,2]) {
  %p.2 = (s32[], f32[4,2]{1,0}) parameter(0)
  %x.1 = f32[4,2]{1,0} get-tuple-element(%p.2), index=1
  %fusion.1 = f32[4,2]{1,0} fusion(%x.1), kind=kLoop, calls=%fused, backend_config={"estimated_cycles":"50"}
  ROOT %t.1 = (s32[], f32[4,2]{1,0}) tuple(%i.1, %fusion.1)
}

ENTRY %main.3 (a.1: f32[4,2], b.1: bf16[8]) -> f32[4,2] {
  %a.1 = f32[4,2]{1,0:T(8,128)} parameter(0)
  %b.1 = bf16[8]{0} parameter(1)
  %twice = (f32[4,2]{1,0}, u8[0]{0}) custom-call(%a.1, %a.1), metadata={op_name="jit(step)/conv"}
  %loop.1 = (s32[], f32[4,2]{1,0}) while(%init), body=%body, backend_config={"known_trip_count":{"n":"3"}}
  %all-reduce.1 = (f32[4,2]{1,0}, bf16[8]{0}) all-reduce(%a.1, %b.1), channel_id=1, to_apply=%add
  ROOT %g = f32[4,2]{1,0} get-tuple-element(%all-reduce.1), index=0
}
"""


def test_bytes_cycles_turns_and_exchanges_by_hand():
    module = parse(TEXT)
    found = {cost.operation.name: (cost.bytes, cost.cycles, cost.turns) for cost in module.costs()}
    # an operand that is read twice counts once; a loop's body counts with each of its turns
    assert found == {"twice": (64, 0, 1), "fusion.1": (3 * 64, 150, 3), "all-reduce.1": (2 * 48, 0, 1)}
    assert module.collectives() == [("all-reduce", 48)]
    assert next(module.costs()).operation.origin == "jit(step)/conv"
    gather = "(f32[4,2]{1,0}, f32[8,2]{1,0}) all-gather-start(%a.1)"
    begun = TEXT.replace("(f32[4,2]{1,0}, bf16[8]{0}) all-reduce(%a.1, %b.1)", gather)
    assert parse(begun).collectives() == [("all-gather", 64)]  # its operand stands beside the result


def test_sizes_of_types():
    sizes = {"f32[]": 4, "bf16[2,3]{1,0:T(8,128)(2,1)S(1)}": 12, "(u8[5], pred[2], s32[0,7])": 7, "token[]": 0}
    assert {kind: size(kind) for kind in sizes} == sizes


def test_programs_are_chosen_by_name_or_by_how_they_begin():
    names = ["train-bf16-128", "train-bf16-128-accum4", "project-conv1", "project-conv3"]
    assert chosen(names, "train-bf16-128") == names[:1]
    assert chosen(names, "train-bf16-128-accum4,project,project-conv1") == names[1:]
    assert chosen(names, "all") == names
    with pytest.raises(InputError, match="'bogus' is none of"):
        chosen(names, "train-bf16-128,bogus")


@pytest.mark.parametrize(
    "flags, sentence",
    [
        (["--target=v6"], "--target is here, v5e:1, v5e:2x2, v5e:4x4, H100, L4, not v6"),
        (["--target=here"], "JAX sees no accelerator on this machine"),
        (["--target=v5e:1"], "libtpu is not installed here"),
    ],
)
def test_refused_in_one_sentence(monkeypatch, capsys, flags, sentence):
    if "libtpu" in sentence and find_spec("libtpu"):
        pytest.skip("libtpu is installed")
    monkeypatch.setattr("sys.argv", ["accelerators", *flags])
    with pytest.raises(SystemExit) as stop:
        main()
    error = capsys.readouterr().err
    assert stop.value.code == 2 and sentence in error and error.count("\n") == 1


@pytest.mark.parametrize("name", ["train-fp32-128", "train-bf16-256-accum4", "eval-fp32-256"])
def test_devices_exchange_gradients_and_sums_and_nothing_else(name):
    layers = Conv("conv1", 4, kernel=5, strides=2, relu=True), MaxPool("pool1"), LRN("norm1"), Dense("fc", 10)
    arch = Arch(layers, image_size=16)
    code, _ = compiled(programs(arch, chips=2)[name](), jax.devices()[:2])
    exchanged = parse(code.as_text()).collectives()
    assert {kind for kind, _ in exchanged} == {"all-reduce"}
    sums = 100  # bytes, and more than there are
    parts = {"train-fp32-128": 1, "train-bf16-256-accum4": 4, "eval-fp32-256": 0}[name]  # each exchanges
    assert sum(amount for _, amount in exchanged) <= parts * 4 * arch.param_count() + sums


@pytest.mark.parametrize(("target", "package"), [("H100", "jax_cuda13_plugin"), ("v5e:1", "libtpu")])
def test_the_compilers_take_a_small_program(target, package):
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    command = [sys.executable, "-m", "benchmarks.accelerators", f"--target={target}", "--arch=zf-mini", "--top=3"]
    done = subprocess.run(
        [*command, "--programs=project-conv3"],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert "an estimate, not a time" in done.stdout and "the 3 costliest" in done.stdout
