"""Wrong flags of all commands: one clear line and exit code 2, with the flag that may be meant."""

import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
from runs import run_script

from zfjax.cli import evaluate, prepare, reproduce, train, transfer, visualize, weights

ROOT = Path(__file__).parents[2]

WRONG = [
    (train, ["--epochs=abc"], "--epochs takes a whole number, not 'abc'"),
    (train, ["--seed=1.5"], "--seed takes a whole number, not '1.5'"),
    (train, ["--learning_rate=fast"], "--learning_rate takes a number, not 'fast'"),
    (train, ["--checkpoint_secs=soon"], "--checkpoint_secs takes a number, not 'soon'"),
    (train, ["--keep_epochs=1,x"], "--keep_epochs takes whole numbers, not '1', 'x'"),
    (train, ["--arch"], "--arch needs a value: --arch=VALUE"),
    (train, ["--epochs", "--seed=1"], "--epochs needs a value: --epochs=VALUE"),
    (train, ["--optimizer=rmsprop"], "--optimizer takes one of None, adam, sgd, not 'rmsprop'"),
    (train, ["--epoch=3"], "there is no --epoch; --epochs is meant?"),
    (train, ["--learning-rat=3"], "there is no --learning-rat; --learning_rate is meant?"),
    (train, ["--zzz"], "there is no --zzz"),
    (train, ["zf"], "'zf' is no flag: they are --NAME=VALUE"),
    (
        evaluate,
        [],
        "--ckpt is missing: Run folder, or several with commas between them; their architectures may differ",
    ),
    (evaluate, ["--ckpt=a", "--ckp=b"], "there is no --ckp; --ckpt is meant?"),
    (visualize, ["--occlusion.stride=x"], "--occlusion.stride takes a whole number, not 'x'"),
    (visualize, ["--occlusion.strid=3"], "there is no --occlusion.strid; --occlusion.stride is meant?"),
    (visualize, ["--format=jpg"], "--format takes one of "),
    (transfer, ["--ckpt=x"], "--dataset is missing: TFDS name"),
    (transfer, [], "--ckpt is missing: Run folder; --dataset is missing: TFDS name"),
    (reproduce, ["--table=9"], "--table takes one of "),
    (prepare, [], "--out is missing: Folder of the prepared set"),
    (
        weights,
        [],
        "an argument is missing: the file, or torchvision:NAME, which is downloaded, such as torchvision:alexnet",
    ),
]


@pytest.mark.parametrize(("command", "flags", "said"), WRONG)
def test_a_wrong_flag_is_one_clear_line(command, flags, said, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stop:
        run_script(command, flags, monkeypatch)
    error = capsys.readouterr().err
    assert stop.value.code == 2 and error.startswith(f"error: {said}")
    assert error.endswith("; --help tells all flags\n") and error.count("\n") == 1 and len(error) < 200
    assert said[-1] in " '?" or error == f"error: {said}; --help tells all flags\n"


def test_the_usage_names_a_module_that_can_be_called_again(monkeypatch, capsys):
    main = sys.modules["__main__"]
    monkeypatch.setattr(main, "__spec__", ModuleSpec("zfjax.weights.__main__", None))
    monkeypatch.setattr(main, "__file__", "/elsewhere/zfjax/weights/__main__.py", raising=False)
    monkeypatch.setattr(sys, "argv", ["/elsewhere/zfjax/weights/__main__.py", "--help"])
    with pytest.raises(SystemExit) as stop:
        weights.main()
    assert not stop.value.code and capsys.readouterr().out.startswith("usage: python -m zfjax.weights [-h]")


@pytest.mark.parametrize("script", ["train.py", "visualize.py", "explore.py"])
def test_a_python_without_jax_is_one_line(script):
    ended = subprocess.run([sys.executable, "-S", script], cwd=ROOT, capture_output=True, text=True)  # no site-packages
    assert ended.returncode == 1 and ended.stderr.startswith(f"error: {sys.executable} has no jax; ")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("figure", "flag", "said"),
    [
        ("occlusion", "--layers=conv4", "--figure=occlusion takes no --layers; --occlusion.layer chooses"),
        ("occlusion", "--maps=3", "--figure=occlusion takes no --maps"),
        ("invariance", "--layers=conv4", "--figure=invariance takes no --layers; --invariance.layers chooses"),
        ("filters", "--maps=3", "--figure=filters takes no --maps"),
        ("features", "--images=cat.jpg", "--figure=features takes no --images"),
        ("selection", "--images=3", "--figure=selection takes no --images"),
        ("gallery", "--maps=3", "--figure=gallery takes no --maps"),
        ("sanity", "--layers=conv4", "--figure=sanity takes no --layers"),
    ],
)
def test_a_figure_refuses_a_choice_that_it_would_not_heed(figure, flag, said, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stop:
        run_script(visualize, ["--ckpt=nowhere", f"--figure={figure}", flag], monkeypatch)
    assert stop.value.code == 2 and capsys.readouterr().err == f"error: {said}\n"


@pytest.mark.parametrize(
    ("called", "command"),
    [
        ("train.py", "python visualize.py"),
        ("/my runs/train.py", "python '/my runs/visualize.py'"),
        ("zfjax train", "zfjax visualize"),
    ],
)
def test_the_next_command_is_called_like_this_one(called, command, monkeypatch):
    monkeypatch.setattr(sys, "argv", [called])
    assert train._command("visualize") == command
