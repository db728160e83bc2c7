"""What orbax says twice is said once; what others say stays."""

import logging
import sys
from types import SimpleNamespace

import pytest

from zfjax.runs import hushed


def logged(name: str, message: str, level: int = logging.ERROR, path: str = "/else/where.py", trace=None) -> bool:
    record = logging.LogRecord(name, level, path, 1, message, (), trace and (OSError, OSError(28), trace))
    return hushed._not_orbax(record)


def trace_from(path: str):
    try:
        exec(compile("raise OSError(28)", path, "exec"))
    except OSError as error:
        return error.__traceback__


@pytest.mark.parametrize(
    "record",
    [
        {"path": "/x/orbax/checkpoint/save.py", "message": "full"},
        {"path": "/x/orbax/checkpoint/save.py", "message": "no metadata", "level": logging.WARNING},
        {"message": "Task exception was never retrieved\ncoro=<save() at /x/orbax/y.py:3>"},
        {"message": "Future exception was never retrieved", "trace": trace_from("/x/orbax/path.py")},
    ],
)
def test_orbax_reports_are_taken_away(record):
    assert not logged("absl", **record)


@pytest.mark.parametrize(
    "record",
    [
        {"message": "Task exception was never retrieved"},
        {"message": "a user's own", "trace": trace_from("/home/me/train.py")},
        {"path": "/x/orbax/save.py", "message": "saved", "level": logging.INFO},
    ],
)
def test_what_others_report_stays(record):
    assert logged("asyncio", **record)


@pytest.mark.parametrize(
    ("error", "shown"),
    [(RuntimeError("Event loop is closed"), 0), (RuntimeError("another"), 1), (OSError("Event loop is closed"), 1)],
)
def test_threads_that_come_late_say_nothing(error, shown):
    seen = []
    hushed._not_late(seen.append, SimpleNamespace(exc_value=error))
    assert len(seen) == shown


def test_both_are_put_in_once():
    hushed.quiet()
    hook, filters = sys.unraisablehook, list(logging.getLogger("absl").filters)
    hushed.quiet()
    assert sys.unraisablehook is hook and logging.getLogger("absl").filters == filters
    assert hushed._not_orbax in filters and hushed._not_orbax in logging.getLogger("asyncio").filters
