"""What orbax prints of what it raises all the same: 300 lines for a full disk, from three places."""

from __future__ import annotations

import functools
import logging
import sys


@functools.cache
def quiet() -> None:
    """Takes orbax's own reports of errors away, once and for the rest of the process; all that others say stays."""
    logging.getLogger("absl").addFilter(_not_orbax)
    logging.getLogger("asyncio").addFilter(_not_orbax)  # "Task exception was never retrieved" of the other writers
    sys.unraisablehook = functools.partial(_not_late, sys.unraisablehook)


def _not_orbax(record: logging.LogRecord) -> bool:
    if record.levelno < logging.WARNING:
        return True
    names = [record.pathname, record.getMessage()]
    trace = record.exc_info[2] if record.exc_info else None
    while trace:
        names.append(trace.tb_frame.f_code.co_filename)
        trace = trace.tb_next
    return not any("orbax" in name for name in names)


def _not_late(show, caught) -> None:
    """TensorStore's threads come back to an event loop that the first error has closed, a traceback each."""
    if not (isinstance(caught.exc_value, RuntimeError) and str(caught.exc_value) == "Event loop is closed"):
        show(caught)
