"""One thread that computes, and a short queue before it: whoever comes when it is full is sent away."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, NamedTuple

MOST_WAITING = 8


class Busy(Exception):
    """As much as may wait is waiting."""


class Superseded(Exception):
    """The same page has asked for something newer before this was begun."""


class _Job(NamedTuple):
    work: Callable[[], Any]
    answer: Future
    page: str


class Worker:
    """Does one thing after the other, in a thread of its own that ends with the program."""

    def __init__(self, most: int = MOST_WAITING):
        self._most = most
        self._waiting: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._busy = False
        threading.Thread(target=self._serve, name="microscope", daemon=True).start()

    def submit(self, work: Callable[[], Any], *, page: str = "") -> Future:
        """The answer to come. page: whose question it is, if a newer one makes an older one needless.

        Raises Busy; the answer of what is overtaken is Superseded.
        """
        job = _Job(work, Future(), page)
        with self._changed:
            overtaken = [each for each in self._waiting if page and each.page == page]
            for each in overtaken:
                self._waiting.remove(each)
            if len(self._waiting) < self._most:
                self._waiting.append(job)
                self._changed.notify()
            else:
                job.answer.set_exception(Busy("too much is asked at once; try again in a moment"))
        for each in overtaken:
            each.answer.set_exception(Superseded("a newer question of the same page has overtaken this one"))
        return job.answer

    @property
    def idle(self) -> bool:
        """Whether nothing is being computed."""
        return not self._busy

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.wait_for(lambda: bool(self._waiting))
                job, self._busy = self._waiting.popleft(), True
            if not job.answer.set_running_or_notify_cancel():
                continue
            try:
                job.answer.set_result(job.work())
            except BaseException as error:  # it is the asker's, whatever it is
                job.answer.set_exception(error)
