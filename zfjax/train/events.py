"""TensorBoard's events of one run, written where they are made.

tensorboardX has a thread for that, which a full disk ends with a traceback and leaves waiting for ever.
"""

from __future__ import annotations

import io
import os
import socket
import struct
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from zfjax.data.formats.tfrecord import masked_crc32c
from zfjax.runtime.files import open_to_write
from zfjax.terminal import visible


class Events:
    """One file of events; to be closed. Where it cannot be written it warns once, and the training goes on without.

    start: the step to begin with, where what earlier files have from there on does not count any more; 0: a new run.
    """

    def __init__(self, workdir: Path, start: int):
        proto = _proto()
        self._path = workdir / f"events.out.tfevents.{str(time.time())[:10]}.{socket.gethostname()}"
        self._file: int | None = None
        first = [proto.Event(wall_time=time.time(), file_version="brain.Event:2")]
        if start:
            first.append(proto.Event(wall_time=time.time(), step=start, file_version="brain.Event:2"))
            log = proto.SessionLog(status=proto.SessionLog.START)
            first.append(proto.Event(wall_time=time.time(), step=start, session_log=log))
        try:
            # appended to: two trainings of one second share the name
            with open_to_write(self._path, "ab") as file:
                self._file = os.dup(file.fileno())
        except OSError as error:
            self._give_up(error)
        self._write(first)

    def add(self, metrics: Mapping[str, float], step: int) -> None:
        """A scalar for each of the metrics."""
        from tensorboardX.summary import scalar

        summaries = [scalar(name, value) for name, value in metrics.items()]
        now, event = time.time(), _proto().Event
        self._write([event(wall_time=now, step=step, summary=summary) for summary in summaries])

    def show(self, pictures: Mapping[str, bytes], step: int) -> None:
        """PNG images by their names."""
        from tensorboardX.proto import summary_pb2

        pb2: Any = summary_pb2
        now, event = time.time(), _proto().Event
        for name, data in pictures.items():
            with Image.open(io.BytesIO(data)) as header:  # nothing is decoded
                (width, height), channels = header.size, len(header.getbands())
            image = pb2.Summary.Image(height=height, width=width, colorspace=channels, encoded_image_string=data)
            summary = pb2.Summary(value=[pb2.Summary.Value(tag=name, image=image)])
            self._write([event(wall_time=now, step=step, summary=summary)])

    def close(self) -> None:
        """Nothing is written any more."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _write(self, events: list[Any]) -> None:
        """As TFRecords, at once: what is cut short by a kill is the end of the file, which TensorBoard passes over."""
        if self._file is None:
            return
        records = (event.SerializeToString() for event in events)
        data = b"".join(_framed(struct.pack("<Q", len(record))) + _framed(record) for record in records)
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.close()
        why = f"{visible(str(self._path))} cannot be written ({error.strerror})"
        warnings.warn(f"{why}: no more events for TensorBoard", stacklevel=4)


def _proto() -> Any:
    from tensorboardX.proto import event_pb2

    return event_pb2


def _framed(data: bytes) -> bytes:
    return data + struct.pack("<I", masked_crc32c(data))
