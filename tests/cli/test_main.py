"""All commands under one name, and the scripts as doors."""

import importlib
import sys
import tomllib
from pathlib import Path

import pytest

from zfjax.cli import main

ROOT = Path(__file__).resolve().parents[2]


def say(arguments, monkeypatch, capsys) -> str:
    monkeypatch.setattr(sys, "argv", ["zfjax", *arguments])
    main.main()
    return capsys.readouterr().out


def test_the_console_script_is_this_one():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    module, _, name = scripts["zfjax"].partition(":")
    assert getattr(importlib.import_module(module), name) is main.main


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_it_lists_its_commands(arguments, monkeypatch, capsys):
    said = say(arguments, monkeypatch, capsys)
    assert all(f"\n  {name} " in said for name in main.COMMANDS)


@pytest.mark.parametrize("name", main.COMMANDS)
def test_every_command_explains_itself(name, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stop:
        say([name, "--help"], monkeypatch, capsys)
    assert not stop.value.code
    assert "usage: " in capsys.readouterr().out


def test_a_command_gets_its_flags(monkeypatch, capsys):
    assert "61,706 parameters" in say(["arch", "lenet5"], monkeypatch, capsys)


def test_an_unknown_command(monkeypatch, capsys):
    with pytest.raises(SystemExit) as stop:
        say(["draw"], monkeypatch, capsys)
    assert stop.value.code == 2
    known = "train, evaluate, visualize, explore, transfer, reproduce, prepare, weights, arch"
    assert capsys.readouterr().err == f"error: unknown command 'draw'; there are {known}\n"


def test_every_script_is_a_door():
    for path in ROOT.glob("*.py"):
        command = importlib.import_module(main.COMMANDS[path.stem][0])
        text = path.read_text()
        assert f"from {command.__name__} import main" in text and len(text.splitlines()) < 10
