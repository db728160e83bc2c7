"""Signals during a training: heard at once, said, and obeyed at the latest when they come again."""

import contextlib
import dataclasses
import os
import signal
import threading
import time

import pytest

from zfjax.cli import flags
from zfjax.runtime import signals
from zfjax.runtime.signals import handled, heard
from zfjax.train import stopping
from zfjax.train.stopping import StopSignal


@dataclasses.dataclass
class Config:
    """Takes nothing."""


def until(true) -> None:
    deadline = time.monotonic() + 30
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert true()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_is_noted_and_said(capsys, number):
    with StopSignal() as stop:
        assert not stop.signal
        signal.raise_signal(number)
        assert stop.signal == number
        until(lambda: stop._heard == [number])
    assert capsys.readouterr().err == "stopping after this step; once more stops at once\n"


def test_one_that_got_lost_before_is_obeyed():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        signals.remember_interrupts()
        with contextlib.suppress(KeyboardInterrupt):  # as libraries do
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt), StopSignal():
            pass
        with StopSignal():
            pass
    finally:
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_while_the_flags_are_read(monkeypatch, capsys):
    def interrupted(*_, **options):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr("tyro.cli", interrupted)
    try:
        with pytest.raises(SystemExit, match="130"):
            flags.parse_flags(Config)
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signals.obey_interrupts()
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr().err == "stopped\n"


def test_a_second_one_has_its_usual_effect():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), StopSignal():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        time.sleep(5)
    assert signal.getsignal(signal.SIGINT) is before
    signals._interrupts.clear()


def test_a_second_one_ends_a_step_that_python_does_not_come_back_from(monkeypatch):
    left = threading.Event()
    monkeypatch.setattr(stopping, "_GRACE_SECS", 0.01)
    monkeypatch.setattr(os, "_exit", lambda code: code == 130 and left.set())
    with StopSignal() as stop:  # the thread hears of them; the handler has not been called
        stop._hear(signal.SIGINT)
        assert not left.is_set()
        stop._hear(signal.SIGINT)
        assert left.is_set() and not stop.signal


def test_a_hang_up_under_nohup_is_ignored_as_before():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopSignal() as stop:
            signal.raise_signal(signal.SIGHUP)
            assert not stop.signal and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_thread_hears_signals_and_ends_with_the_block():
    got, count = [], threading.active_count()
    with handled(lambda *_: None), heard(got.append):
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.raise_signal(number)
        until(lambda: got == [signal.SIGTERM, signal.SIGINT])
        assert threading.active_count() == count + 1
    assert threading.active_count() == count
    assert signal.set_wakeup_fd(-1) == -1
