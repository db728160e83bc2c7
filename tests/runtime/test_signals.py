"""Signals go where they should, and back again."""

import signal

import pytest

from zfjax.runtime.signals import STOPPING, handled, leave


def test_signals_reach_the_handler_within_the_block_alone():
    before = {number: signal.getsignal(number) for number in STOPPING}
    got = []
    with pytest.raises(KeyError), handled(lambda number, _: got.append(number)) as usual:
        assert usual == before
        for number in STOPPING:
            signal.raise_signal(number)
        raise KeyError
    assert got == list(STOPPING)
    assert {number: signal.getsignal(number) for number in STOPPING} == before


def test_leaving_runs_what_must_be_run_and_gives_the_shells_code():
    tidied = []
    with pytest.raises(SystemExit) as stop, handled(leave, (signal.SIGTERM,)):
        assert signal.getsignal(signal.SIGINT) is not leave
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            tidied.append(True)
    assert stop.value.code == 143 and tidied
