"""The scripts from end to end on images made here: to the end, killed and continued, and with input that is wrong."""

import json
import signal
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image
from runs import ROOT, finish, one_cpu, run_script, start

from zfjax.cli import evaluate, train, visualize
from zfjax.runs.run import load_run
from zfjax.runs.steps import steps

# 2 epochs of 6 steps; four crops of 57 leave zf-mini's smallest sizes intact
FLAGS = ["--arch=zf-mini", "--image_size=48", "--epochs=2", "--batch_size=8", "--keep_epochs", "1"]


@pytest.fixture(scope="session")
def stripes(tmp_path_factory) -> Path:
    """48 + 16 images of horizontal and vertical stripes."""
    root, rng = tmp_path_factory.mktemp("stripes"), np.random.default_rng(0)
    for split, count in (("train", 24), ("val", 8)):
        for label in ("across", "down"):
            folder = root / split / label
            folder.mkdir(parents=True)
            for n in range(count):
                wave = 127 + 120 * np.sin(np.arange(64) / 3 + rng.uniform(0, 6))
                picture = np.broadcast_to(wave[:, None] if label == "across" else wave, (64, 64))
                noisy = np.clip(picture[..., None] + rng.normal(0, 20, (64, 64, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(noisy).save(folder / f"{n:02}.png")
    return root


@pytest.fixture(scope="session")
def trained(stripes, tmp_path_factory) -> Path:
    """A run trained to its end in one go."""
    workdir = tmp_path_factory.mktemp("runs") / "whole"
    flags = [*FLAGS, f"--dataset=folder:{stripes}", f"--workdir={workdir}"]
    code, said, errors = finish(start("train.py", *flags, env=one_cpu()))
    assert code == 0, errors
    assert said.endswith(f"draw its figures: python visualize.py --ckpt={workdir}\n")
    assert said.startswith("training zf-mini at 48x48 on 48 + 16 images in 2 classes from folder")
    return workdir


def test_a_run_folder_holds_all_that_a_reader_needs(trained):
    run = load_run(trained)
    assert run.step == 12 and run.class_names == ("across", "down") and run.mean.shape == (55, 55, 3)
    assert run.arch.num_classes == 2 and run.config["batch_size"] == 8 and "jax" in run.config["versions"]
    records = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records] == [6, 12] and records[-1]["val_top1"] >= 0.5
    assert steps(trained) == [6, 12] and list(trained.glob("events.out.tfevents.*"))


def test_a_finished_run_is_left_alone(trained, stripes, monkeypatch, capsys):
    before = {path: path.stat().st_mtime for path in trained.rglob("*") if path.is_file()}
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(jax, "device_count", lambda: 1)
    run_script(train, [*FLAGS, f"--dataset=folder:{stripes}", f"--workdir={trained}"], monkeypatch)
    assert "trained to the end (2 epochs); nothing is left to do" in capsys.readouterr().out
    after = {path: path.stat().st_mtime for path in trained.rglob("*") if path.is_file()}
    for files in (before, after):
        del files[trained / "config.json"], files[trained / "lock"]  # the versions may be newer; who holds it now
    assert after == before


# each of them changed the numbers or was a traceback
HOSTILE = {
    "JAX_DEFAULT_PRNG_IMPL": "rbg",
    "JAX_THREEFRY_PARTITIONABLE": "0",
    "JAX_RANDOM_SEED_OFFSET": "7",
    "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    "JAX_ENABLE_X64": "abc",
    "JAX_NUMPY_DTYPE_PROMOTION": "strict",
    "JAX_NUMPY_RANK_PROMOTION": "raise",
    "JAX_TRANSFER_GUARD": "disallow",
    "JAX_DEBUG_INFS": "1",
    "JAX_ERROR_CHECKING_BEHAVIOR_NAN": "raise",
    "JAX_NO_EXECUTION": "1",
    "FLAX_FIX_RNG_SEPARATOR": "1",
    "FLAX_RETURN_FROZENDICT": "1",
    "TQDM_MININTERVAL": "abc",
    "TQDM_BAR_FORMAT": "{nope}",
}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_run_ends_with_the_same_bits(number, trained, stripes, tmp_path):
    workdir = tmp_path / "stopped"
    flags = [*FLAGS, f"--dataset=folder:{stripes}", f"--workdir={workdir}", "--checkpoint_secs=0"]
    first = start("train.py", *flags, env=one_cpu() | HOSTILE)
    wait_for(lambda: steps(workdir), first)
    first.send_signal(number)
    code, said, _ = finish(first, timeout=60)
    assert code == (143 if number == signal.SIGTERM else -9)
    assert ("the same command goes on from there" in said) == (number == signal.SIGTERM)
    stopped_at = steps(workdir)[-1]
    assert stopped_at < 12
    code, said, errors = finish(start("train.py", *flags, env=one_cpu() | HOSTILE))
    assert "taking no notice of FLAX_FIX_RNG_SEPARATOR=1, FLAX_RETURN_FROZENDICT=1, " in errors
    assert code == 0 and f"going on from step {stopped_at} of 12" in said, errors
    same = jax.tree.map(lambda a, b: bool((a == b).all()), load_run(workdir).params, load_run(trained).params)
    assert jax.tree.all(same)
    assert [json.loads(line)["step"] for line in (workdir / "metrics.jsonl").read_text().splitlines()] == [6, 12]


def wait_for(condition, process, secs: float = 90) -> None:
    deadline = time.monotonic() + secs
    while not condition():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)


def test_pictures_from_a_run(trained, tmp_path, monkeypatch, capsys):
    flags = [f"--ckpt={trained}", f"--out={tmp_path}", "--num_maps=3", "--top=4", "--batch_size=8"]
    run_script(visualize, [*flags, "--figure=features", "--layers=conv2,pool5,fc8"], monkeypatch)
    names = {"features_conv2.png", "features_pool5.png", "features_fc8.png"}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert set(capsys.readouterr().out.split()) == {str(tmp_path / name) for name in names}
    run_script(visualize, [*flags, "--figure=features", "--layers=conv1", "--maps=0,5", "--format=svg"], monkeypatch)
    assert "the 4 strongest of 16 validation images" in (tmp_path / "features_conv1.svg").read_text()


@pytest.mark.slow
def test_all_pictures_of_a_run(trained, tmp_path, monkeypatch, capsys):
    flags = [f"--ckpt={trained}", f"--out={tmp_path}", "--layers=conv2,fc8", "--num_maps=3", "--num_images=1"]
    quick = ["--invariance.num_images=1", "--occlusion.stride=16", "--maximal_activations.units=2"]
    run_script(visualize, [*flags, *quick, "--top=4", "--batch_size=8"], monkeypatch)
    said = capsys.readouterr()
    drawn = {path.name.split("_conv")[0].split("_fc")[0].split(".")[0] for path in tmp_path.iterdir()}
    alone = {name for name, figure in visualize.FIGURES.items() if not (figure.comparison or figure.on_demand)}
    assert drawn == alone - {"correspondence"}
    assert len(said.out.split()) == len([*tmp_path.iterdir()])
    assert "left out: correspondence (folder:" in said.err and said.err.count("left out") == 1


def test_error_rates_of_runs_and_their_ensemble(trained, monkeypatch, capsys):
    run_script(evaluate, [f"--ckpt={trained},{trained}", "--crops=1", "--per_class", "--batch_size=8"], monkeypatch)
    head, first, second, both, *classes = capsys.readouterr().out.splitlines()
    assert head.startswith("16 images of the val split of folder:") and head.endswith("1 crop(s)")
    errors = {line.split(": ", 1)[1] for line in (first, second, both)}
    assert len(errors) == 1 and "top-5 error 0.00 %" in errors.pop()  # twice the same run; five of two classes
    assert both.startswith("2 runs averaged") and len(classes) == 2
    recorded = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()][-1]["val_top1"]
    assert f"top-1 error {100 * (1 - recorded):.2f} %" in first


def one_line_error(capsys) -> str:
    said = capsys.readouterr().err.rstrip("\n")
    assert said.startswith("error: ") and "\n" not in said and "Traceback" not in said
    return said


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--epochs=ten"], "--epochs"),
        (["--epochs=0"], "--epochs must be at least 1, not 0"),
        (["--learning_rate=-1"], "--learning_rate must be above 0"),
        (["--init=xavier"], "--init takes one of None, glorot, he, paper, not 'xavier'"),
        (["--bogus=1"], "there is no --bogus"),
        (["--arch=zfnet"], "unknown architecture 'zfnet'; choose one of zf"),
        (["--image_size=10"], "10x10 is too small"),
        (["--dataset=folder:/nowhere"], "/nowhere"),
        (["--dataset=what:ever"], "unknown data set 'what:ever'; give scenes, folder:PATH, or a TFDS name"),
        (["--batch_size=4096"], "batch_size 4096"),
        (["--workdir=/proc/run"], "cannot write to /proc/run"),
    ],
)
def test_wrong_training_flags(flags, message, stripes, tmp_path, monkeypatch, capsys):
    base = ["--arch=zf-mini", f"--dataset=folder:{stripes}", f"--workdir={tmp_path}/run"]
    monkeypatch.setattr(jax, "device_count", lambda: 1)
    with pytest.raises(SystemExit) as stop:
        run_script(train, [*base, *flags], monkeypatch)
    assert stop.value.code == 2 and message in one_line_error(capsys)


def test_a_broken_image_and_an_empty_class_are_named(stripes, tmp_path, monkeypatch, capsys):
    def attempt(root: Path) -> str:
        with pytest.raises(SystemExit) as stop:
            run_script(train, [*FLAGS, f"--dataset=folder:{root}", f"--workdir={tmp_path}/run"], monkeypatch)
        assert stop.value.code == 2
        said = capsys.readouterr().err.rstrip().splitlines()[-1].split("\r")[-1]
        return said[said.index("error: ") :]

    broken = tmp_path / "broken"
    for split in ("train", "val"):
        for label in ("across", "down"):
            (broken / split / label).mkdir(parents=True)
            for file in (stripes / split / label).iterdir():
                (broken / split / label / file.name).write_bytes(file.read_bytes())
    victim = broken / "train" / "down" / "03.png"
    victim.write_bytes(victim.read_bytes()[:500])
    assert str(victim) in attempt(broken)
    assert not (tmp_path / "run" / "config.json").exists()
    for file in (broken / "train" / "across").iterdir():
        file.unlink()
    assert "across" in attempt(broken)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--ckpt=/nowhere"], "no run folder at /nowhere"),
        (["--ckpt=tests"], "not a run folder"),
        (["--layers=conv9"], "unknown layer 'conv9'; zf-mini has conv1"),
        (["--layers=conv1", "--maps=3,999"], "conv1 has maps 0 to 23; --maps asks for 999"),
        (["--maps=three"], "--maps takes numbers like 3,17,40, not 'three'"),
        (["--top=0"], "--top must be at least 1"),
        (["--percentile=0"], "--percentile must be above 0"),
        (["--step=5"], "no checkpoint of step 5; it has 6, 12"),
        (["--dataset=folder:/nowhere"], "/nowhere"),
        (["--out=/proc/figures"], "/proc/figures"),
        (["--figure=fig2"], "not 'fig2'"),
    ],
)
def test_wrong_drawing_flags(flags, message, trained, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as stop:
        run_script(visualize, [f"--ckpt={trained}", *flags], monkeypatch)
    assert stop.value.code == 2
    assert message in one_line_error(capsys)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--crops=3"], "--crops takes one of 1, 10, not '3'"),
        (["--limit=0"], "--limit must be at least 1"),
        (
            ["--dataset=scenes"],
            "scenes has other classes than the network, which has not ball, box, butterfly, ... but across, down",
        ),
    ],
)
def test_wrong_evaluation_flags(flags, message, trained, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stop:
        run_script(evaluate, [f"--ckpt={trained}", *flags], monkeypatch)
    assert stop.value.code == 2
    assert message in one_line_error(capsys)


@pytest.mark.parametrize(
    ("flag", "message"),
    [("--seed=1", "seed: 0 there, 1 here"), ("--arch=lenet5", 'arch_name: "zf-mini" there, "lenet5" here')],
)
def test_another_setting_in_the_same_folder_is_refused(flag, message, trained, stripes, monkeypatch, capsys):
    before = (trained / "config.json").read_bytes()
    with pytest.raises(SystemExit):
        run_script(train, [*FLAGS, f"--dataset=folder:{stripes}", f"--workdir={trained}", flag], monkeypatch)
    assert message in one_line_error(capsys)
    assert (trained / "config.json").read_bytes() == before


def test_a_loss_that_is_not_finite_stops_the_run(stripes, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(jax, "device_count", lambda: 1)
    flags = [*FLAGS, "--arch=lenet5", f"--dataset=folder:{stripes}", f"--workdir={tmp_path}/run", "--optimizer=sgd"]
    with pytest.raises(SystemExit) as stop:
        run_script(train, [*flags, "--learning_rate=1e30", "--warmup_steps=0"], monkeypatch)
    assert "try a lower --learning_rate" in str(stop.value.code)
    assert not steps(tmp_path / "run")
    with pytest.raises(SystemExit) as stop:  # the first loss is finite, what the update leaves is not
        run_script(train, [*flags, "--learning_rate=1e30", "--weight_decay=1e30", "--checkpoint_secs=0"], monkeypatch)
    assert "parameters are no longer finite at step 1; there is no checkpoint yet" in str(stop.value.code)
    run_script(train, [*flags, "--learning_rate=1e-4"], monkeypatch)  # the advice works, in the same folder
    assert steps(tmp_path / "run") == [6, 12]


def test_imports_are_light_and_change_nothing():
    program = "import os; before = dict(os.environ); import zfjax, zfjax.ops, sys; print(before == dict(os.environ))"
    assert finish(start("-c", program)).said == "True\n"
    heavy = "tensorflow tensorflow_datasets matplotlib orbax jax jaxlib".split()
    program = "import zfjax, sys; {}; print([name for name in {} if name in sys.modules])"
    for used, expected in (("0", []), ("zfjax.project, zfjax.forward, zfjax.load_run", ["jax", "jaxlib"])):
        assert finish(start("-c", program.format(used, heavy))).said == f"{expected}\n"
